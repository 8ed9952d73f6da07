"""One spelling for one call: what JSON we accept, its canonical form (RFC 8785) and its fingerprint."""

from __future__ import annotations

import hashlib
import math

import rfc8785

from approvals.errors import InvalidCall
from approvals.model import Args, Fingerprint, Json

ARGS_BYTES = 256 * 1024  # of canonical JSON; more than that is a file, not an argument
ARGS_LEVELS = 64  # of objects and lists, the args themselves being the first
TOOL_CHARS = 200
SAFE_INTEGER = 2**53 - 1  # RFC 8785 §3.2.2.3: beyond it JSON's numbers are no longer exact
_KEY_CHARS = 40  # of a key in a path, so that a message stays a sentence


def fingerprint(tool: str, args: Args) -> Fingerprint:
    """Name a call by its content: SHA-256, in hex, of the canonical JSON of tool and args.

    Raises:
        InvalidCall: `tool` is no name, or `args` are not JSON that can be carried exactly, or are too large.
    """
    check_tool(tool)
    check(args)
    encoded = encode(args)
    if len(encoded) > ARGS_BYTES:
        raise InvalidCall(f"args are {len(encoded):,} bytes of JSON; at most {ARGS_BYTES:,} are accepted")
    whole = b'{"args":' + encoded + b',"tool":' + encode(tool) + b"}"
    return Fingerprint(hashlib.sha256(whole).hexdigest())


def encode(value: Json) -> bytes:
    """The canonical JSON of a value.

    Raises:
        InvalidCall: it has none; `check` says where and why, this only that it is so.
    """
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # its own Json alias can't be spelled by others
    except rfc8785.CanonicalizationError as error:
        raise InvalidCall(f"not JSON that can be carried exactly: {error}") from error


def check_tool(tool: str) -> None:
    """Refuse what is no name of a tool.

    Raises:
        InvalidCall: it is empty, too long, or holds characters that cannot be seen or carried.
    """
    if not 0 < len(tool) <= TOOL_CHARS or not tool.isprintable():
        raise InvalidCall(f"a tool's name is 1 to {TOOL_CHARS} printable characters, not {tool!r:.60}")


def check(args: Args, name: str = "args") -> None:
    """Refuse what JSON cannot carry exactly, naming the place; `name` is what its writer calls it.

    Raises:
        InvalidCall: with a path such as `args.items[3]` and what is wrong there.
    """
    if not isinstance(args, dict):
        raise InvalidCall(f"{name} must be a JSON object, not {type(args).__name__}")
    _check(args, name, 0)


def _check(value: Json, path: str, outer: int) -> None:
    match value:
        case None | bool():
            return
        case str():
            _check_text(value, path)
        case int() | float():
            _check_number(value, path)
        case list() | dict():
            _check_items(value, path, outer + 1)
        case _:
            raise InvalidCall(f"{path} is a {type(value).__name__}, which is not JSON")


def _check_items(value: list[Json] | dict[str, Json], path: str, level: int) -> None:
    if level > ARGS_LEVELS:
        raise InvalidCall(f"{path:.{_KEY_CHARS}} is nested deeper than {ARGS_LEVELS} levels")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", level)
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidCall(f"{path} has the key {key!r:.60}; JSON's keys are strings")
        _check_text(key, f"a key of {path}")
        _check(item, f"{path}.{key[:_KEY_CHARS]}", level)


def _check_text(value: str, path: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidCall(f"{path} holds half a character (a lone surrogate)") from error


def _check_number(value: float, path: str) -> None:
    if isinstance(value, int) and abs(value) > SAFE_INTEGER:
        raise InvalidCall(
            f"{path} is beyond ±2^53, where JSON's numbers are no longer exact; send it as a string"
        )
    if not math.isfinite(value):
        raise InvalidCall(f"{path} is {value!r}, which JSON has no word for")
