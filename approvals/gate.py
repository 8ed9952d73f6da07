"""The gate before a function: ask, wait, claim, run what was approved, report how it went."""

from __future__ import annotations

import functools
import inspect
import logging
import reprlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypedDict, TypeVar, Unpack, cast

from approvals.errors import InvalidCall, Unavailable
from approvals.form import Call, Form, form_of
from approvals.messages import RESULT_CHARS
from approvals.model import Args, Json, RequestId, Risk
from approvals.placeholders import collecting
from approvals.submitting import Options, Span, seconds_of, submission
from approvals.undoing import Undo, undoer

if TYPE_CHECKING:
    from approvals.client import Approvals

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger(__name__)

# A text, or a function of the arguments that tells it. Its parameters are given by name.
Told: TypeAlias = str | Callable[..., str | None] | None
Values: TypeAlias = Mapping[str, object]


class GateOptions(TypedDict, total=False):
    """What may be said of a gate."""

    tool: str | None  # the function's name unless told
    risk: Risk | str | None
    reason: Told
    key: Told  # the same key is the same request: a function that is called again finds its answer
    on_behalf_of: Told
    when: Callable[..., object] | None  # asks unless it returns exactly False for these arguments
    schema: dict[str, Json] | None  # instead of the one that the signature gives
    deadline: Span | None
    timeout: Span | None  # of the wait; when it ends, StillPending is raised and the request stays open
    tags: Sequence[str]
    callback_url: str | None  # is called with what there is to tell; its host is one that operators allow
    undo: Undo | None  # undoes a call that has run: gets its args by name, and its `result`


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One function's gate, worked out when it is decorated."""

    tool: str
    form: Form
    fixed: Options
    timeout: Span | None
    when: Callable[[Values], object] | None
    told: Mapping[str, Callable[[Values], object]]  # reason, key, on_behalf_of

    def lets_through(self, args: Args) -> Call | None:
        """The call to run without asking, if `when` says so; anything but False asks."""
        if self.when is None or self.when(dict(self.form.read(args).values)) is not False:
            return None
        return self.form.read(args)  # anew, whatever `when` did to its own

    async def admit(self, approvals: Approvals, args: Args) -> Run:
        """Ask, wait and claim; return the call to run, once.

        Raises:
            NotApproved: it must not run.
            StillPending: nobody has decided within the timeout.
            InvalidCall: it can't be asked for, or what was approved doesn't fit the function.
            Unavailable: Redis was away.
        """
        outcome = await approvals.request(self.tool, args, timeout=self.timeout, **self.options(args))
        return await self.claimed(approvals, outcome.id)

    def options(self, args: Args) -> Options:
        """What is said of a request for these."""
        options = self.fixed.copy()
        for name, tell in self.told.items():
            options[name] = tell(self.form.read(args).values)  # type: ignore[literal-required]
        return options

    async def claimed(self, approvals: Approvals, request_id: RequestId) -> Run:
        """Claim what was approved. Raises as `admit`."""
        permit = await approvals.claim(request_id)
        run = Run(approvals, permit.id, time.monotonic())
        try:
            run.call = self.form.read(permit.args)
        except InvalidCall as error:
            await run.failed(error)
            raise
        return run


class Run:
    """An approved call on its way: what to call, and the report of how it went."""

    def __init__(self, approvals: Approvals, request_id: RequestId, started: float) -> None:
        self._approvals, self._id, self._started = approvals, request_id, started
        self.call = Call(positional=(), named={}, values={})

    async def executed(self, result: object) -> None:
        await self._report(True, None if result is None else _excerpt(result))

    async def failed(self, error: BaseException) -> None:
        await self._report(False, f"{type(error).__name__}: {error}")

    async def _report(self, ok: bool, result: str | None) -> None:
        """Report it; the call has run, so a report that can't be sent must not pass for its failure."""
        duration_ms = round((time.monotonic() - self._started) * 1000)
        try:
            await self._approvals.receipt(self._id, ok, result, duration_ms)
        except Unavailable:
            _log.warning("the receipt could not be sent", extra={"request_id": self._id}, exc_info=True)


def gated(function: Callable[P, R], approvals: Approvals, **options: Unpack[GateOptions]) -> Callable[P, R]:
    """Put a gate before `function`; the one that it returns takes the same and gives the same.

    Raises:
        InvalidCall: the function's parameters can't be a form, or an option doesn't fit them.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidCall(
            "a generator has no single moment to be approved; put the gate before what it calls"
        )
    gate = _gate_of(function, options)
    if undo := options.get("undo"):
        approvals.undoers[gate.tool] = undoer(undo, gate.form)
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _async_gate(function, gate, approvals))
    return _sync_gate(function, gate, approvals)


def _async_gate(
    function: Callable[P, Awaitable[R]], gate: Gate, approvals: Approvals
) -> Callable[P, Awaitable[R]]:
    @functools.wraps(function)
    async def ask_first(*args: P.args, **kwargs: P.kwargs) -> R:
        receiver, written = _written(gate.form, args, kwargs)
        if free := gate.lets_through(written):
            return await _call(function, receiver, free)
        if batch := collecting(approvals):
            return cast("R", batch.hold(gate, function, receiver, written))
        run = await gate.admit(approvals, written)
        try:
            result = await _call(function, receiver, run.call)
        except BaseException as error:
            await run.failed(error)
            raise
        await run.executed(result)
        return result

    return ask_first


def _sync_gate(function: Callable[P, R], gate: Gate, approvals: Approvals) -> Callable[P, R]:
    """Asking happens in the background; the function runs in the thread that called it."""
    run_background = approvals.background.run

    @functools.wraps(function)
    def ask_first(*args: P.args, **kwargs: P.kwargs) -> R:
        receiver, written = _written(gate.form, args, kwargs)
        if free := gate.lets_through(written):
            return _call(function, receiver, free)
        if batch := collecting(approvals):
            return cast("R", batch.hold(gate, function, receiver, written))
        run = run_background(gate.admit(approvals, written))
        try:
            result = _call(function, receiver, run.call)
        except BaseException as error:
            run_background(run.failed(error))
            raise
        run_background(run.executed(result))
        return result

    return ask_first


def _written(
    form: Form, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[tuple[object, ...], Args]:
    receiver = args[: form.has_receiver]
    return receiver, form.write(args[form.has_receiver :], kwargs)


def _call(function: Callable[..., R], receiver: tuple[object, ...], call: Call) -> R:
    return function(*receiver, *call.positional, **call.named)


def _gate_of(function: Callable[..., object], options: GateOptions) -> Gate:
    form = form_of(function)
    tool = options.get("tool") or getattr(function, "__name__", None)
    if tool is None:
        raise InvalidCall(f"{function!r:.60} has no name; say which tool it is: tool=…")
    fixed: Options = {
        "risk": options.get("risk"),
        "tags": options.get("tags", ()),
        "schema": options.get("schema") or form.schema,
        "deadline": options.get("deadline"),
        "callback_url": options.get("callback_url"),
    }
    timeout, when = options.get("timeout"), options.get("when")
    submission(tool, {}, **fixed)  # for its checks: what is wrong shows when the program starts
    seconds_of("timeout", timeout)
    told: dict[str, Told] = {
        "reason": options.get("reason"),
        "key": options.get("key"),
        "on_behalf_of": options.get("on_behalf_of"),
    }
    return Gate(
        tool=tool,
        form=form,
        fixed=fixed,
        timeout=timeout,
        when=None if when is None else _of_arguments("when", when, form),
        told={name: _teller(name, tell, form) for name, tell in told.items() if tell is not None},
    )


def _teller(name: str, tell: Told, form: Form) -> Callable[[Values], object]:
    return _of_arguments(name, tell, form) if callable(tell) else lambda _: tell


def _of_arguments(name: str, function: Callable[..., object], form: Form) -> Callable[[Values], object]:
    """Have `function`'s parameters given by name; a sole one of another name gets all arguments.

    Raises:
        InvalidCall: it takes something else, or would have to be awaited.
    """
    if inspect.iscoroutinefunction(function):
        raise InvalidCall(f"{name}= can't be async")
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in callables have no signature
        return function
    known = {one.name for one in form.signature.parameters.values() if one.kind is not Parameter.VAR_KEYWORD}
    unknown = [
        one
        for one in parameters.values()
        if one.kind is Parameter.VAR_POSITIONAL
        or (
            one.kind is not Parameter.VAR_KEYWORD and one.default is Parameter.empty and one.name not in known
        )
    ]
    if len(parameters) == 1 and unknown and unknown[0].kind in _BY_POSITION:
        return function
    if unknown:
        raise InvalidCall(f"{name}= takes {unknown[0].name!r}, which is none of {', '.join(sorted(known))}")
    return functools.partial(_by_name, function, parameters)


_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def _by_name(function: Callable[..., object], parameters: Mapping[str, Parameter], values: Values) -> object:
    kinds = {name: one.kind for name, one in parameters.items() if one.kind is not Parameter.VAR_KEYWORD}
    takes_all = len(kinds) < len(parameters)
    first, named = [], {}
    for name in (*kinds, *(name for name in values if name not in kinds and takes_all)):
        if name not in values:  # it has a default of its own
            continue
        if kinds.get(name) is Parameter.POSITIONAL_ONLY:
            first.append(values[name])
        else:
            named[name] = values[name]
    return function(*first, **named)


def _excerpt(result: object) -> str:
    """A few words about any object, however large, and even if its own `repr` fails."""
    if isinstance(result, str):
        return result
    return _EXCERPT.repr(result)


_EXCERPT = reprlib.Repr()
_EXCERPT.maxstring = _EXCERPT.maxother = RESULT_CHARS
_EXCERPT.maxdict = _EXCERPT.maxlist = _EXCERPT.maxtuple = _EXCERPT.maxset = 20
