"""Writing values down as a policy file has them: texts of TOML, literals and paths of CEL."""

from __future__ import annotations

import re

from approvals.model import Json
from approvals.policy.conditions import RESERVED, VARIABLES

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def toml_text(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


def cel_text(text: str) -> str:
    """A string of CEL. What can't be seen is spelled out, so that whoever reads the rule sees it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + "'"


def cel_value(value: Json) -> str:
    """A literal of CEL that equals this value, and nothing else that JSON can hold."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return cel_text(value)
        case list():
            return f"[{', '.join(map(cel_value, value))}]"
        case dict():
            return f"{{{', '.join(f'{cel_text(key)}: {cel_value(item)}' for key, item in value.items())}}}"
        case _:
            return repr(value)


def cel_argument(name: str) -> str:
    """How a condition speaks of the argument `name`."""
    is_plain = _PLAIN_NAME.fullmatch(name) and name not in RESERVED - set(VARIABLES)
    return f"args.{name}" if is_plain else f"args[{cel_text(name)}]"
