"""What docs/agents/README.md says of each way to make a call: what becomes of it when something fails."""

import ast
import sys
from importlib import util
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("agents", reason="make test installs the OpenAI Agents SDK")
pytest.importorskip("claude_agent_sdk", reason="make test installs the Claude Agent SDK")
pytest.importorskip("langchain", reason="make test installs LangChain")
pytest.importorskip("pydantic_ai", reason="make test installs Pydantic AI")

from tests.adapters.scenes import PARTS, REFUND, SCENES, Stage, Told, Way, check, the_table
from tests.adapters.surfaces import WAYS
from tests.longer import one_of

TABLE = the_table()
VERSION = "unknown version"
IN_ITS_OWN_ENVIRONMENT = "CrewAI"  # tests/adapters_crewai plays its row

# What no scene can play before every way is a test of its own.
IMPORTS = "an import that fails names the extra"
ELSEWHERE = {
    IMPORTS: ["test_table::test_an_import_that_fails_names_the_extra"],
    "a run that another version has kept: `InvalidCall` stops it": [
        "test_openai_agents::test_a_run_put_by_with_another_version_of_the_sdk_is_refused",
        "test_pydantic_ai::test_a_run_put_by_with_another_version_is_refused",
    ],
    "a pause of an unknown shape: `InvalidCall` stops it": [
        "test_langgraph::test_a_pause_of_an_unknown_shape_is_refused"
    ],
    "the call, or the connection, is refused": [
        "test_mcp_wire::test_a_call_of_an_unknown_version_does_not_pass"
    ],
    "an event that it doesn't know is denied": ["test_hook_command::test_what_it_cant_read_it_denies"],
    "a hook that isn't there denies": ["test_claude_code::test_a_hook_that_fails_lets_nothing_run"],
    "an old Claude Code: `CLIConnectionError` stops it": [
        "test_claude_agent::test_a_claude_code_that_would_go_on_without_the_hook_is_refused"
    ],
    "needs no framework": [],
}
ADAPTERS = {
    "claude_agent": ("claude_agent_sdk", "claude"),
    "crewai": ("crewai", "crewai"),
    "langchain": ("langchain", "langchain"),
    "langgraph": ("langgraph", "langchain"),
    "mcp_asking": ("anyio", "mcp"),
    "mcp_calls": ("mcp", "mcp"),
    "mcp_gateway": ("mcp", "mcp"),
    "mcp_server": ("mcp", "mcp"),
    "openai_agents": ("agents", "openai"),
    "openai_tools": ("agents", "openai"),
    "pydantic_ai": ("pydantic_ai", "pydantic-ai"),
}


def one_of_each_row() -> list[Any]:
    """Who stands in one row takes much the same way."""
    by_row = attrgetter("row")
    return [way for _, ways in groupby(sorted(WAYS, key=by_row), by_row) for way in one_of(ways)]


@pytest.mark.parametrize("way", one_of_each_row(), ids=lambda way: way.name)
@pytest.mark.parametrize("column", SCENES)
async def test_what_becomes_of_a_call_is_what_the_table_says(
    column: str, way: Way, redis_url: str, tenant: str
) -> None:
    await check(way, column, Stage(redis_url, tenant))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_import_that_fails_names_the_extra(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    framework, extra = ADAPTERS[adapter]
    for name in [name for name in sys.modules if name.split(".")[0] == framework] + [framework]:
        monkeypatch.setitem(sys.modules, name, None)
    spec = util.find_spec(f"approvals.adapters.{adapter}")
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match=rf'pip install "countersign\[{extra}\]"'):
        spec.loader.exec_module(util.module_from_spec(spec))


def test_every_row_and_every_column_is_played() -> None:
    assert [*SCENES, VERSION] == TABLE.columns
    assert {way.row for way in WAYS} | {IN_ITS_OWN_ENVIRONMENT} == TABLE.rows.keys()


@pytest.mark.parametrize("row", TABLE.rows)
def test_nothing_in_the_table_is_left_unchecked(row: str) -> None:
    for column in SCENES:
        assert PARTS.keys() >= set(TABLE.parts(row, column)), column
    assert ELSEWHERE.keys() >= set(TABLE.parts(row, VERSION))


@pytest.mark.parametrize("part", PARTS)
def test_no_check_is_satisfied_by_nothing(part: str) -> None:
    nothing = Told(ends=("", ""), ran=[], requests=[])
    just_ran = Told(ends=("refunded", "refunded"), ran=[REFUND, REFUND], requests=[])
    assert not PARTS[part](nothing)
    assert not PARTS[part](just_ran)


def test_what_is_checked_elsewhere_is_a_test_that_checks_something() -> None:
    for where in (one for named in ELSEWHERE.values() for one in named):
        module, _, name = where.partition("::")
        tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text())
        (test,) = [one for one in ast.walk(tree) if getattr(one, "name", None) == name]
        assert any(isinstance(one, ast.Assert) or "raises" in ast.unparse(one) for one in ast.walk(test))
