"""The house stands: imports point down, there are no circles, and every script says what it takes."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOPS = ("approvals", "blocks", "bot")
PURE_LIBRARIES = {"rfc8785", "cel_expr_python", "cryptography"}
BROUGHT_ALONG = {"pydantic_core", "jwt"}  # half of pydantic; what pyjwt is imported as
GROUND_FLOOR = {f"approvals.{name}" for name in ("audit", "digest", "errors", "machine", "model", "policy")}
AGENTS_SIDE = {
    "approvals.adapters",
    "approvals.background",
    "approvals.batch",
    "approvals.cli",
    "approvals.client",
    "approvals.form",
    "approvals.gate",
    "approvals.inbox",
    "approvals.doors",
    "approvals.placeholders",
    "approvals.runs",
    "approvals.submitting",
    "approvals.sync",
    "approvals.trusted_keys",
    "approvals.undoing",
    "approvals.waiting",
    "approvals.watcher",
}
FRAMEWORKS = {  # of approvals/adapters: each adapter may import its own, which its extra installs
    "openai_agents": {"agents"},
    "openai_tools": {"agents"},
    "pydantic_ai": {"pydantic_ai"},
    "langchain": {"langchain", "langchain_core", "langgraph"},
    "langgraph": {"langchain_core", "langgraph"},
    "claude_agent": {"claude_agent_sdk"},
    "crewai": {"crewai"},
    "mcp_asking": {"anyio"},
    "mcp_calls": {"mcp", "jsonschema", "referencing"},
    "mcp_gateway": {"mcp", "anyio"},
    "mcp_server": {"mcp"},
    "mcp_stdio": {"mcp"},
}
EXTRAS = {  # imported where somebody asks for them
    "bot.audit.targets": {"obstore", "opentelemetry"},
    "bot.traces": {"opentelemetry"},
}
SERVICE_ONLY = {"approvals.store", "approvals.machine", "approvals.evolution", "approvals.policy"}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


OURS = {_name(path): path for top in TOPS for path in (ROOT / top).rglob("*.py")}


def _within(name: str, *tops: str) -> bool:
    return any(name == top or name.startswith(f"{top}.") for top in tops)


@cache
def _imports(module: str, *, typing: bool = True) -> set[str]:
    """Every module that `module` imports, anywhere in it; without `typing`, none for annotations only."""
    tree = ast.parse(OURS[module].read_text())
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not typing
        for inner in ast.walk(node)
    }
    return {name for node in ast.walk(tree) if node not in skipped for name in _named(module, node)}


def _named(module: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        source = _absolute(module, node)
        for alias in node.names:  # a name is a module of ours, or is in one
            yield f"{source}.{alias.name}" if f"{source}.{alias.name}" in OURS else source


def _absolute(module: str, node: ast.ImportFrom) -> str:
    parts = module.split(".") + ["__init__"] * (OURS[module].name == "__init__.py")
    return ".".join([*(parts[: -node.level] if node.level else []), *([node.module] if node.module else [])])


@cache
def _is_pure(module: str) -> bool:
    """Whether neither `module` nor anything it imports is made for talking to Redis, Slack or a network."""
    return all(
        _is_pure(name) if name in OURS else _within(name, *sys.stdlib_module_names, *PURE_LIBRARIES)
        for name in _imports(module, typing=False)
    )


def _may_import(module: str, name: str) -> bool:
    """Whether the floors let `module` import `name`, which is ours."""
    if _within(name, "approvals.adapters"):
        return _within(module, "approvals.adapters", "approvals.cli")
    if _within(module, "bot.sandbox"):
        return _within(name, "bot.sandbox")
    if _within(module, "approvals"):
        forbidden = SERVICE_ONLY if _within(module, *AGENTS_SIDE) else ()
        return _within(name, "approvals") and not _within(name, *forbidden)
    if _within(module, "blocks"):
        return _within(name, "blocks") or (_within(name, "approvals") and _is_pure(name))
    return True


@cache
def _declared() -> tuple[set[str], set[str]]:
    """What pyproject.toml has agents install, and the service besides."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheel, service = (
        {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}
        for lines in (project["dependencies"], project["optional-dependencies"]["service"])
    )
    return wheel, service


def _libraries(module: str) -> set[str]:
    """What of other people's `module` may import: nothing that a fresh set-up would lack."""
    wheel, service = _declared()
    if _within(module, "bot.sandbox"):
        return {"aiohttp"}
    if _within(module, "approvals.adapters"):
        return wheel | FRAMEWORKS.get(module.removeprefix("approvals.adapters."), set())
    if _within(module, "blocks"):
        return {"slack_sdk.models"}  # the rest of it talks to Slack
    if _within(module, "approvals.policy"):
        return wheel | {"cel_expr_python"}  # the service's; where it is missing conditions are refused
    if module == "approvals.testing":
        return wheel | {"pytest"}  # it is for tests alone, which have it
    return wheel | service | EXTRAS.get(module, set()) if _within(module, "bot") else wheel


def test_imports_point_down() -> None:
    breaches = [
        f"{module} imports {name}"
        for module in OURS
        for name in _imports(module)
        if _within(name, *TOPS) and not _may_import(module, name)
    ]
    assert breaches == []


def test_libraries_are_declared_and_belong_on_that_floor() -> None:
    breaches = []
    for module in OURS:
        known = _libraries(module) | BROUGHT_ALONG | sys.stdlib_module_names | {*TOPS}
        breaches += [f"{module} imports {name}" for name in _imports(module) if not _within(name, *known)]
    assert breaches == []


def test_what_agents_install_does_without_the_engine_for_conditions() -> None:
    program = (
        "import sys; sys.modules['cel_expr_python'] = None; import approvals, approvals.cli, approvals.sync"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=50)


def test_the_ground_floor_is_pure() -> None:
    assert [module for module in GROUND_FLOOR & OURS.keys() if not _is_pure(module)] == []


def test_there_are_no_circles() -> None:
    graph = {module: (_imports(module, typing=False) & OURS.keys()) - {module} for module in OURS}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(reversed(circle.args[1])))


def test_every_script_says_what_it_takes_and_returns() -> None:
    for script in (ROOT / "approvals" / "lua").glob("*.lua"):
        source = script.read_text()
        header = "".join(takewhile(lambda line: line.startswith("--"), source.splitlines(keepends=True)))
        assert header.startswith(f"-- {script.stem}: "), f"{script.name} does not begin with what it is for"
        assert "Returns" in header, f"{script.name} does not say what it returns"
        used = set(re.findall(r"\b(?:KEYS|ARGV)\b(?:\[\d+\])?", source))
        assert {word for word in used if word not in header} == set(), f"{script.name} has unlisted words"
