"""Which tests show which attack, and docs/attacks.md: run as python -m tests.attacks.page."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.attacks.corpus import AREAS, ATTACKS, LEFT_OUT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "attacks.md"
HEAD = """# Attacks

Every attack and bad input that we know of, what becomes of it, and the tests that show it: each says by
a marker which it shows, and `python -m tests.attacks.page` makes this page of them. What is protected, and
what is not: [security.md](security.md). What is shown by killing and cutting off: `make proof`.
"""


@cache
def every_test() -> list[tuple[str, str, list[str]]]:
    """File, name, and attacks of every test there is."""
    return [
        (path.relative_to(ROOT / "tests").as_posix(), node.name, _attacks(node))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def _attacks(test: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [
        str(ast.literal_eval(argument))
        for call in test.decorator_list
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.attack"
        for argument in call.args
    ]


def shown() -> dict[str, list[tuple[str, str]]]:
    """The tests, as file and name, of each attack."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, name, attacks in every_test():
        for attack in attacks:
            found[attack].append((path, name))
    return dict(found)


def written() -> str:
    return "\n".join([HEAD, *_tables(), *_left_out()])


def _tables() -> Iterator[str]:
    by_attack = shown()
    for letter, area in AREAS.items():
        yield f"## {letter}. {area}\n"
        yield "| | attack | what becomes of it | shown by |\n|---|---|---|---|"
        for id, attack in ATTACKS.items():
            if id[0] == letter:
                names = "<br>".join(_told(path, name) for path, name in by_attack.get(id, []))
                yield f"| {id} | {attack.what} | {attack.result} | {names} |"
        yield ""


def _told(path: str, name: str) -> str:
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{path})"


def _left_out() -> Iterator[str]:
    yield "## Left out\n"
    yield from (f"- **{id}**: {why}." for id, why in LEFT_OUT.items())
    yield ""


if __name__ == "__main__":
    PAGE.write_text(written())
