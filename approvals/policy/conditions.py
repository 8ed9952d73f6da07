"""Conditions on a call, in CEL. The only place that touches the engine: only `true` is a yes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from difflib import get_close_matches
from functools import cached_property
from itertools import islice, product
from typing import Any

from approvals.policy.tables import Wrong, tell, told

CONDITION_CHARS = 2_000
COMBINATIONS = 512  # of known values that are tried to find out whether a condition can hold at all
MICROS = 1_000_000  # sums are kept in whole millionths, so that adding them up is exact
LARGEST_SUM = 1_000_000_000

VARIABLES = ("tool", "args", "agent", "risk", "confidence", "tags", "kind", "environment", "now")
# What a calendar can't be called: CEL keeps these words, or uses them for its types.
RESERVED = frozenset(
    {
        *(
            "as",
            "break",
            "const",
            "continue",
            "else",
            "false",
            "for",
            "function",
            "if",
            "import",
            "in",
            "let",
        ),
        *("loop", "namespace", "null", "package", "return", "true", "var", "void", "while", "google"),
        *("bool", "bytes", "double", "dyn", "duration", "int", "list", "map", "null_type", "string"),
        *("timestamp", "type", "uint", *VARIABLES),
    }
)

_MISSING = "this machine lacks the CEL engine (cel-expr-python) that conditions need"
_MEND_MISSING = "install countersign with its `service` extra; there is no build of it for Alpine Linux"
_COMPLAINT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.+)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")
_REGEX = re.compile(r"""\.matches\(\s*(r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*")\s*\)""")
_NO_KEY = re.compile(r'NOT_FOUND: Key not found in map : "([\w .-]{1,60})"')
_NO_OVERLOAD = re.compile(r"No matching overloads found : (\S{1,30}?)\(([a-z0-9_, ]{0,60})\)")
_UNSET = re.compile(r'No value with name "(\w{1,60})" found')
_TYPES = {
    "string": "a text", "int64": "a whole number", "double": "a number", "bool": "true or false",
    "list": "a list", "null_type": "nothing", "map": "a table", "timestamp": "a time",
    "duration": "a span of time",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A condition that has no answer for a call; `why` ends a sentence that begins with “as”."""

    why: str


@dataclass(frozen=True, slots=True)
class View:
    """One call as conditions see it; its args are handed to the engine once, whatever the number of rules."""

    activation: Any = field(repr=False)
    is_cut: bool = False  # whether the engine would see less of some text than there is


@dataclass(frozen=True, slots=True)
class Condition:
    text: str
    _program: Any = field(repr=False, compare=False)
    _language: Language = field(repr=False, compare=False)

    def holds(self, view: View) -> bool | Unclear:
        """Whether it holds for a call. Only `True` is a yes; an `Unclear` is truthy, so ask `is True`."""
        kind, value = self._language.evaluate(self._program, view)
        if kind == "BOOL":
            return value is True
        return Unclear(why=value if kind == "ERROR" else "it gives neither true nor false")

    def tried(self, known: Mapping[str, Sequence[str]]) -> set[bool | None]:
        """What it gives, whatever the args, with each combination of `known` values; None: it depends."""
        calendars = {name: (True, False) for name in self._language.calendars if _mentions(self.text, name)}
        domains = {name: values for name, values in known.items() if _mentions(self.text, name)} | calendars
        seen: set[bool | None] = set()
        for values in islice(product(*domains.values()), COMBINATIONS + 1):
            answer = self.holds(self._language.view(dict(zip(domains, values, strict=True))))
            seen.add(None if isinstance(answer, Unclear) else answer)
        return seen


@dataclass(frozen=True, slots=True)
class Amount:
    """An expression that gives a number, such as `args.amount`."""

    text: str
    _program: Any = field(repr=False, compare=False)
    _language: Language = field(repr=False, compare=False)

    def micros(self, view: View) -> int | Unclear:
        """The number in millionths, rounded up. One below nought would give back, so it is unclear."""
        kind, value = self._language.evaluate(self._program, view)
        if kind == "ERROR":
            return Unclear(why=value)
        if kind not in ("INT", "UINT", "DOUBLE") or not 0 <= value <= LARGEST_SUM:
            return Unclear(why=f"{self.text} is not a number from 0 to {LARGEST_SUM:,}")
        return micros(value)


def micros(value: float) -> int:
    """A number in whole millionths, rounded up."""
    return int((Decimal(str(value)) * MICROS).to_integral_value(ROUND_CEILING))


class Language:
    """What the conditions of one policy are written in: CEL, the variables of a call, and its calendars."""

    def __init__(self, calendars: Iterable[str] = ()) -> None:
        self.calendars = tuple(calendars)

    def condition(self, text: object) -> Condition:
        """Read a condition.

        Raises:
            Wrong: it is none, or the engine is missing.
        """
        source = self._source(text, 'write a condition, such as "args.amount > 50"')
        return Condition(source, self._compiled(source, ("BOOL", "DYN"), "true or false"), self)

    def amount(self, text: object) -> Amount:
        """Read an expression that gives a number.

        Raises:
            Wrong: it is none, or the engine is missing.
        """
        source = self._source(text, 'write what is added up, such as "args.amount"')
        return Amount(source, self._compiled(source, ("INT", "UINT", "DOUBLE", "DYN"), "a number"), self)

    def view(self, values: Mapping[str, object]) -> View:
        # 0.1.3 cuts a text off at a NUL, so that "staging\0prod" would be equal to "staging".
        return View(self._environment.Activation(dict(values)), is_cut=_holds_nul(values))

    def evaluate(self, program: Any, view: View) -> tuple[str, Any]:
        """The type of what `program` gives, and its value; for the type ERROR, why there is none."""
        if view.is_cut:
            return "ERROR", "the call holds a NUL, at which a text would be cut off"
        try:
            result = program.eval(view.activation)
            kind = result.type().name()
            # A null is never fetched: 0.1.3 hands out None without taking a reference to it.
            value = result.value() if kind in ("BOOL", "INT", "UINT", "DOUBLE", "ERROR") else None
        except Exception as error:  # whatever else the engine raises: it is no yes
            return "ERROR", _why(str(error))
        return kind, _why(str(value)) if kind == "ERROR" else value

    @staticmethod
    def _source(text: object, mend: str) -> str:
        if not isinstance(text, str) or not text.strip():
            raise Wrong(f"is {tell(text)}", mend)
        if len(text) > CONDITION_CHARS:
            raise Wrong(f"has {len(text):,} characters", f"use at most {CONDITION_CHARS:,}")
        return text.strip()

    def _compiled(self, source: str, types: tuple[str, ...], what: str) -> Any:
        environment = self._environment
        try:
            program = environment.compile(source)
        except RuntimeError as error:
            raise self._complaint(str(error)) from None
        if program.return_type().name() not in types:
            raise Wrong(f"does not give {what}", f"write an expression that gives {what}")
        for pattern in _REGEX.findall(source):
            if environment.compile(f"''.matches({pattern})").eval().type().name() == "ERROR":
                raise Wrong(f"holds {pattern[:60]}, which is no regular expression", "see RE2's syntax")
        return program

    def _complaint(self, error: str) -> Wrong:
        known = (*VARIABLES, *self.calendars)
        found = _COMPLAINT.search(error)
        if found is None:
            return Wrong("can't be read: it is nested too deeply", "write it in fewer levels")
        what = found[3].removesuffix(" [INVALID_ARGUMENT]").removesuffix(" (in container '')")
        if name := _UNDECLARED.search(what):
            near = get_close_matches(name[1], known, n=1)
            mend = f"did you mean `{near[0]}`?" if near else f"known are {told(known)}"
            return Wrong(f"speaks of {name[1]!r}, which is unknown", mend)
        if what.startswith("Syntax error"):
            return Wrong(
                f"can't be read at character {found[2]}",
                "write it like \"args.amount > 50 && kind == 'action'\"",
            )
        mend = "compare texts with texts, numbers with numbers"
        if "(double, int)" in what:
            mend = "write the number with a dot, such as 1.0"
        return Wrong(f"is wrong at character {found[2]}: {what[:200]}", mend)

    @cached_property
    def _environment(self) -> Any:
        try:
            from cel_expr_python import cel  # type: ignore[import-untyped]  # it has stubs, but no py.typed
        except ImportError:
            raise Wrong(f"can't be read: {_MISSING}", _MEND_MISSING) from None
        kinds = dict.fromkeys(VARIABLES, cel.Type.STRING) | {
            "args": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
            "confidence": cel.Type.DOUBLE,
            "tags": cel.Type.List(cel.Type.STRING),
            "now": cel.Type.TIMESTAMP,
        }
        return cel.NewEnv(variables=kinds | dict.fromkeys(self.calendars, cel.Type.BOOL))


def _holds_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case list() | tuple():
            return any(map(_holds_nul, value))
        case Mapping():
            return any(map(_holds_nul, value)) or any(map(_holds_nul, value.values()))
        case _:
            return False


def paths(text: str) -> Iterator[str]:
    """Every variable that a condition mentions, an argument of the call as `args.amount`."""
    without_texts = re.sub(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", "''", text)
    for name in re.findall(r"(?<![\w.])[a-z_]\w*(?:\.\w+)*(?!\w*\()", without_texts):
        if name.split(".")[0] not in RESERVED - set(VARIABLES):
            yield name


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None


def _why(error: str) -> str:
    """Say why there was no answer. What an agent could have put into the engine's words is left out."""
    if found := _NO_KEY.search(error):
        return f"the call has no “{found[1]}”"
    if found := _UNSET.search(error):
        return f"`{found[1]}` is not known"
    if found := _NO_OVERLOAD.search(error):
        kinds = " and ".join(
            _TYPES.get(kind.strip(), "something else") for kind in found[2].split(",") if kind
        )
        return f"“{found[1].strip('_')}” can't be used on {kinds}"
    if "Iteration budget" in error:
        return "it has too much to look through"
    if "out of range" in error:
        return "a number in the call is too large"
    if "divide by zero" in error or "modulus by zero" in error:
        return "it would divide by nought"
    return "the call holds something that it can't deal with"
