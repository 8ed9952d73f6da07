"""A function's signature as the form that people edit: calls written as JSON, and read back from it."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import SimpleNamespace
from typing import Annotated, Any, Optional, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from approvals.canonical import check
from approvals.errors import InvalidCall
from approvals.model import Args, Json


@dataclass(frozen=True, slots=True)
class Call:
    """Arguments in the function's own types, made anew from JSON: nobody else holds them."""

    positional: tuple[object, ...]
    named: dict[str, object]
    values: Mapping[str, object]  # all of them, by name


@dataclass(frozen=True, slots=True)
class Form:
    """What a function takes, without its `self` or `cls`."""

    signature: inspect.Signature
    has_receiver: bool
    schema: dict[str, Json]
    _model: type[BaseModel]

    def write(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Args:
        """Return the call as JSON, defaults included.

        Raises:
            InvalidCall: an argument isn't of its type, or JSON can't carry it without changing it.
            TypeError: as Python's own when arguments are missing or too many.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            call = self._model.model_validate(self._flat(bound.arguments))
            written: Args = call.model_dump(mode="json", by_alias=True, round_trip=True, warnings="error")
        except ValidationError as error:
            raise InvalidCall(_told(error)) from error
        except ValueError as error:  # pydantic's own and, for bytes that are no text, Python's
            raise InvalidCall(f"the arguments can't be written as JSON: {error}") from error
        check(written)
        self._require_same(call, self._parse(written))
        return written

    def read(self, args: Args) -> Call:
        """Return the call that `args` say, which a person may have edited.

        Raises:
            InvalidCall: they don't fit the function's types.
        """
        parsed = self._parse(args)
        values = {name: getattr(parsed, field) for name, field in self._fields().items()}
        values |= parsed.__pydantic_extra__ or {}
        first = [name for name, one in self._parameters() if one.kind is Parameter.POSITIONAL_ONLY]
        named = {name: value for name, value in values.items() if name not in first}
        return Call(positional=tuple(values[name] for name in first), named=named, values=values)

    def _parse(self, args: Args) -> BaseModel:
        try:
            return self._model.model_validate_json(json.dumps(args))
        except ValidationError as error:
            raise InvalidCall(_told(error)) from error

    def _require_same(self, before: BaseModel, after: BaseModel) -> None:
        """What people see must be what runs, so a value that JSON would turn into another is refused."""
        if before == after:
            return
        changed = [
            name for name, field in self._fields().items() if getattr(before, field) != getattr(after, field)
        ]
        names = ", ".join(repr(name) for name in changed) or "an argument"
        raise InvalidCall(
            f"{names} would not come back from JSON as it went in; give it a type that JSON can carry"
        )

    def _parameters(self) -> list[tuple[str, Parameter]]:
        return [
            (name, one)
            for name, one in self.signature.parameters.items()
            if one.kind is not Parameter.VAR_KEYWORD
        ]

    def _fields(self) -> dict[str, str]:
        """The model's field for each parameter: `p0`, `p1`, … since a parameter may have any name."""
        return {name: f"p{index}" for index, (name, _) in enumerate(self._parameters())}

    def _flat(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        rest = next(
            (n for n, p in self.signature.parameters.items() if p.kind is Parameter.VAR_KEYWORD), None
        )
        flat = {name: value for name, value in arguments.items() if name != rest}
        return flat | (arguments[rest] if rest is not None else {})


def form_of(function: Callable[..., object]) -> Form:
    """Read the form off a function, once, when it is decorated.

    Raises:
        InvalidCall: a parameter is of a type that JSON can't carry, or takes any number of values.
    """
    name = getattr(function, "__qualname__", repr(function))
    try:
        whole = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise InvalidCall(f"{name} has no signature to make a form from") from error
    has_receiver = _has_receiver(name, whole)
    signature = whole.replace(parameters=list(whole.parameters.values())[has_receiver:])
    for one in signature.parameters.values():
        if one.kind is Parameter.VAR_POSITIONAL:
            raise InvalidCall(
                f"{name} takes *{one.name}; a form needs a name for every argument: take a list"
            )
    try:
        model = _model_of(function, signature)
        schema = model.model_json_schema(by_alias=True)
    except NameError as error:
        raise InvalidCall(
            f"{name} has an annotation that can't be read where it is decorated: {error}"
        ) from error
    except PydanticUserError as error:
        raise InvalidCall(
            f"{name} takes what JSON can't carry, and people could not read: {str(error).splitlines()[0]}"
        ) from error
    return Form(signature, has_receiver, schema, model)


def _has_receiver(qualname: str, signature: inspect.Signature) -> bool:
    owner = qualname.rpartition(".")[0]
    is_method = owner != "" and not owner.endswith("<locals>")
    return is_method and next(iter(signature.parameters), "") in ("self", "cls")


def _model_of(function: Callable[..., object], signature: inspect.Signature) -> type[BaseModel]:
    hints = _hints(function, signature)
    fields: dict[str, Any] = {}
    rest: object | None = None
    for index, (name, one) in enumerate(signature.parameters.items()):
        hint = hints.get(name, Any)
        if one.kind is Parameter.VAR_KEYWORD:
            rest = hint
            continue
        default = ... if one.default is Parameter.empty else one.default
        hint = _optional(hint) if default is None else hint
        fields[f"p{index}"] = (Annotated[hint, Field(alias=name)], default)
    title = getattr(function, "__name__", "call")
    config = ConfigDict(extra="forbid" if rest is None else "allow", title=title)
    if rest is not None:
        fields["__pydantic_extra__"] = (dict[str, rest], ...)  # type: ignore[valid-type]  # known at run time only
    return create_model(title, __config__=config, __doc__=_first_paragraph(function), **fields)


def _first_paragraph(function: Callable[..., object]) -> str | None:
    told = inspect.getdoc(function)
    return told.split("\n\n")[0] if told else None


def _hints(function: Callable[..., object], signature: inspect.Signature) -> dict[str, Any]:
    """The parameters' annotations; what is returned isn't needed, and may name what isn't imported."""
    plain = inspect.unwrap(function)
    written = {name: one.annotation for name, one in signature.parameters.items()}
    present = {name: hint for name, hint in written.items() if hint is not Parameter.empty}
    known = getattr(plain, "__globals__", {})
    return typing.get_type_hints(SimpleNamespace(__annotations__=present), known, include_extras=True)


def _optional(hint: Any) -> Any:
    """Let a parameter whose default is None be None, whatever its annotation says."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        return Annotated[(Optional[inner], *notes)]  # noqa: UP045  # `|` takes only types
    return Optional[hint]  # noqa: UP045  # likewise


def _told(error: ValidationError) -> str:
    """Each fault as `path: what is wrong`; the value stays out of it, as it may be secret."""
    return "; ".join(
        f"{'.'.join(str(step) for step in fault['loc']) or 'args'}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    )
