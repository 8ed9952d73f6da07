"""What an edit changed, from the call as it was asked to the call as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from approvals.canonical import encode
from approvals.model import Args, Json
from blocks.call import KEY_CHARS, Shown, key, row, value

SIDE_BY_SIDE_CHARS = 60
COMPARED_LINES = 400  # comparing takes their square


class Absent:
    """The place of a value that is not there, which is not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()
Side: TypeAlias = "Json | Absent"


@dataclass(frozen=True, slots=True)
class Change:
    path: str  # as in `items[0].price`
    before: Side
    after: Side


def diff(before: Args, after: Args) -> list[Change]:
    """Every value that differs, named by its path, in the order of the call."""
    return list(_changes("", before, after))


def _changes(path: str, before: Side, after: Side) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            inner = f"{path}.{key(name).text}" if path else key(name).text
            yield from _changes(inner, before.get(name, ABSENT), after.get(name, ABSENT))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{index}]", one, other)
    elif _spelled(before) != _spelled(after):
        yield Change(path, before, after)


def _spelled(side: Side) -> bytes:
    return b"" if isinstance(side, Absent) else encode(side)


def diff_text(before: Args, after: Args, value_chars: int | None = None, *, whole: bool = True) -> Shown:
    """The call with each change as `before → after`; without `whole`, the changes alone."""
    rows: list[tuple[str, str]] = []
    hidden = 0
    for name in [*after, *(name for name in before if name not in after)]:
        changes = list(_changes(key(name).text, before.get(name, ABSENT), after.get(name, ABSENT)))
        rows.extend((change.path, _sides(change, value_chars)) for change in changes)
        if whole and not changes:
            shown = value(after[name], value_chars)
            hidden += shown.hidden
            rows.append((key(name).text, shown.text))
    width = min(KEY_CHARS, max((len(path) for path, _ in rows), default=0))
    return Shown("\n".join(row(path, shown, width) for path, shown in rows), hidden)


def _sides(change: Change, value_chars: int | None) -> str:
    before, after = _side(change.before, value_chars), _side(change.after, value_chars)
    if "\n" not in before + after and len(before) + len(after) <= SIDE_BY_SIDE_CHARS:
        return f"{before} → {after}"
    return "\n".join(_line_by_line(before.split("\n"), after.split("\n")))


def _side(side: Side, value_chars: int | None) -> str:
    return "⟨nothing⟩" if isinstance(side, Absent) else value(side, value_chars).text


def _line_by_line(before: list[str], after: list[str]) -> Iterator[str]:
    """The lines that went (−), that came (+), and that stayed."""
    if len(before) + len(after) > COMPARED_LINES:
        yield from (f"− {line}" for line in before)
        yield from (f"+ {line}" for line in after)
        return
    for _, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        stayed = before[i:j] == after[k:m]
        yield from (f"{' ' if stayed else '−'} {line}" for line in before[i:j])
        yield from () if stayed else (f"+ {line}" for line in after[k:m])
