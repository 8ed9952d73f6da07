"""The pages in docs/agents, and the programs on them, which are files that tests run."""

import re
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Page:
    """A page whose first program is the file docs/examples/with_NAME.py."""

    name: str
    text: str

    @property
    def printed(self) -> str:
        """What the page says that its program prints."""
        return re.findall(r"```python\n.*?```\n+```text\n(.*?)```", self.text, re.DOTALL)[0]  # type: ignore[no-any-return]  # a text

    def program(self, redis_url: str, tenant: str, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The program as a module, which connects as the agent `docs`."""
        path = DOCS / "examples" / f"with_{self.name}.py"
        assert re.findall(r"```python\n(.*?)```", self.text, re.DOTALL)[0] == path.read_text()
        monkeypatch.setenv("REDIS_URL", redis_url)
        monkeypatch.setenv("APPROVALS_AGENT", "docs")
        monkeypatch.setenv("APPROVALS_TENANT", tenant)
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def a_page(name: str) -> Page:
    return Page(name, (DOCS / "agents" / f"{name}.md").read_text())
