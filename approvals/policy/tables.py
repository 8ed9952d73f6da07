"""Reading TOML tables key by key: every value checked, every fault kept, nothing left unread in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from approvals.policy.faults import Fault

T = TypeVar("T")
Lines = Mapping[
    tuple[str, int, str], int
]  # table, which of that name, key → line; the key "" is the header's

_LONG_STRING = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'')
_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([\w-]+))\s*[.=]")


def find_lines(text: str) -> Lines:
    """Find the line of every table and of every key that begins one; the TOML parser does not tell."""
    lines: dict[tuple[str, int, str], int] = {}
    counts: dict[str, int] = {}
    table = ""
    without = _LONG_STRING.sub(lambda found: "\n" * found.group().count("\n"), text)
    for number, line in enumerate(without.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = header[1]
            counts[table] = counts.get(table, -1) + 1
            lines[table, counts[table], ""] = number
        elif key := _KEY.match(line):
            name = key[1] or key[2] or key[3]
            lines.setdefault((table, counts.get(table, 0), name), number)
    return lines


class Wrong(ValueError):
    """A value is not what its key asks for. Readers raise it; a `Table` turns it into a fault."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what, self.mend = what, mend


class Table:
    """One table of the file while it is read. `close` reports what nobody asked for."""

    def __init__(
        self,
        content: object,
        name: str,
        *,
        lines: Lines,
        faults: list[Fault],
        nth: int = 0,
        place: str | None = None,
        line: int | None = None,
    ) -> None:
        self._own_line = line
        self._lines, self._faults, self._name, self._nth = lines, faults, name, nth
        self.place = place or (f"[{name}]" if name else "the file")
        self._content: dict[str, object] = {}
        self._read: set[str] = set()
        if isinstance(content, dict):
            self._content = content
        else:
            how = f"under the line [{name}]" if line is None else "such as { name = value }"
            self.fault("", f"it is {tell(content)}", f"write it as a table, {how}")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._content)

    @property
    def fault_count(self) -> int:
        """How many faults the whole file has so far."""
        return len(self._faults)

    def read(self, key: str, reader: Callable[[object], T], otherwise: T) -> T:
        """The value of `key` as `reader` makes it; `otherwise` where it is absent, or wrong: a fault."""
        self._read.add(key)
        if key not in self._content:
            return otherwise
        try:
            return reader(self._content[key])
        except Wrong as wrong:
            self.fault(key, f"`{key}` {wrong.what}", wrong.mend)
            return otherwise

    def raw(self, key: str, otherwise: object) -> object:
        """The value of `key` as it is, for who reads it further."""
        self._read.add(key)
        return self._content.get(key, otherwise)

    def fault(self, key: str, what: str, mend: str) -> None:
        self._faults.append(Fault(place=self.place, what=what, mend=mend, line=self._line(key)))

    def inner(self, key: str, content: object, place: str = "") -> Table:
        """A table written in the value of `key`, whose lines nobody tells apart."""
        place = f"{self.place}, {place or f'`{key}`'}"
        return Table(content, key, lines=self._lines, faults=self._faults, place=place, line=self._line(key))

    def section(self, key: str) -> Table:
        """The table [NAME.KEY] of the file."""
        name = f"{self._name}.{key}"
        return Table(self.raw(key, {}), name, lines=self._lines, faults=self._faults)

    def _line(self, key: str) -> int | None:
        """Where `key` stands, as a key, as a table of its own, or else in its table."""
        if self._own_line is not None:
            return self._own_line
        tables = (n for (table, _, k), n in self._lines.items() if not k and table.split(".")[0] == key)
        ours = [self._lines.get((self._name, self._nth, key)), None if self._name else next(tables, None)]
        here = self._lines.get((self._name, self._nth, "")) or self._lines.get(("", 0, self._name))
        return next((line for line in ours if line), here)

    def close(self, *, elsewhere: Mapping[str, str] | None = None) -> None:
        """Report each key that was not read: it belongs elsewhere, or is unknown."""
        for key in self._content.keys() - self._read:
            if place := (elsewhere or {}).get(key):
                self.fault(key, f"`{key}` does not belong here", f"move it to {place}")
            else:
                near = get_close_matches(key, self._read, n=1)
                mend = f"did you mean `{near[0]}`?" if near else f"known are {told(sorted(self._read))}"
                self.fault(key, f"`{key}` is unknown", mend)


def tell(value: object) -> str:
    """Say a wrong value briefly, as its file would."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return repr(value)[:60]
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def told(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
