"""Names with wildcards: `*` any characters, `?` one, `[abc]` one of these. Case matters."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

GLOB_CHARS = 200
ANYTHING = "*"


def matches(globs: Iterable[str], name: str) -> bool:
    """Whether one of `globs` fits `name`.

    The cost is bounded: since Python 3.9 `fnmatch` never goes back on a `*`, and both sides are short.
    """
    return any(fnmatchcase(name, glob) for glob in globs)


def covers(earlier: Iterable[str], later: Iterable[str]) -> bool:
    """Whether `earlier` surely takes every name that `later` fits; in doubt, it does not."""
    known = tuple(earlier)
    return all(any(_covers(wide, narrow) for wide in known) for narrow in later)


def _covers(wide: str, narrow: str) -> bool:
    if wide in (narrow, ANYTHING):
        return True
    if not narrow.startswith(wide.partition(ANYTHING)[0]):
        return False
    # A narrow `*` or `?` can only be matched by a wide `*`, which then takes whatever it stands for.
    are_plain = not set(wide) & set("?[") and "[" not in narrow
    return are_plain and fnmatchcase(narrow, wide)
