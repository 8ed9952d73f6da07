"""What people see of a call that holds secrets: each in its place told by length, end and a keyed hash.

The call itself, its fingerprint and what runs are not touched. What is masked is found when a call comes or
changes, and kept with it (`Request.masks`), so that everything that shows it shows the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import lru_cache
from typing import TypeAlias

from approvals.credentials import is_card, spans
from approvals.errors import InvalidCall
from approvals.events import Event
from approvals.model import Args, Json, Mask, Request

NAMES = (
    *("password", "*_password", "passwd", "pwd", "passphrase", "*_passphrase"),
    *("secret", "*_secret", "secret_*", "token", "*_token", "api_key", "*_api_key", "apikey"),
    *("access_key", "*_access_key", "*_access_key_id", "private_key", "*_private_key", "encryption_key"),
    *("authorization", "*_authorization", "credentials", "cookie", "set_cookie"),
    *("card_number", "cvc", "cvv"),
)
ALLOW = ("page_token", "*_page_token", "continuation_token", "idempotency_token", "secret_name", "secret_id")
TAIL_CHARS = 4
WITH_TAIL_CHARS = 16  # shorter secrets would lose too much with their end
HASH_CHARS = 8
SAME_CHARS = 6  # a secret of the call that is at least so long is found again in other texts
MARK = "‹secret"
_OURS = re.compile(re.escape(MARK))
_HIDDEN = re.compile(re.escape(MARK) + ", [^‹›]*›")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Words that look like ours are told apart, or a call could pretend that something in it is masked.
IMITATED = "(not masked, but written so:) secret"

Mac: TypeAlias = Callable[[str], str]
_Piece: TypeAlias = tuple[int, int, str]  # of a text: from, until, and what stands there instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """What the policy adds to the known shapes of credentials."""

    names: tuple[str, ...] = NAMES  # globs: of arguments whose values are secrets, whatever they look like
    allow: tuple[str, ...] = ()  # globs: of arguments, or of values, that are none

    def names_secret(self, name: str) -> bool:
        return _fits(self.names, plain_name(name)) and not self.lets_name(name)

    def lets_name(self, name: str) -> bool:
        return _fits((*ALLOW, *self.allow), plain_name(name)) or _fits(self.allow, name)


DEFAULT = Masking()


def plain_name(name: str) -> str:
    """`apiKey`, `API-Key` and `api_key` are one name."""
    return _CAMEL.sub("_", name).lower().replace("-", "_").replace(" ", "_")


def _fits(globs: tuple[str, ...], text: str) -> bool:
    return bool(globs) and _compiled(globs).match(text) is not None


@lru_cache(maxsize=16)  # of a policy there are two: names, and what is allowed
def _compiled(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, globs)))


def told(secret: str, mac: Mac | None) -> str:
    """What is shown instead. The same secret is told alike, so people can compare two that they can't see."""
    parts = [f"{MARK}, {len(secret):,} character{'' if len(secret) == 1 else 's'}"]
    tail = secret[-TAIL_CHARS:]
    if len(secret) >= WITH_TAIL_CHARS and tail.isascii() and tail.isalnum():
        parts.append(f"ends {tail}")
    if mac is not None:
        parts.append(f"#{mac(secret)[:HASH_CHARS]}")
    return f"{', '.join(parts)}›"


# -- finding ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Masker:
    """Finds what is secret in calls and texts. Without `mac` secrets can't be compared."""

    masking: Callable[[], Masking] = lambda: DEFAULT
    mac: Mac | None = None

    def masked(self, before: Request | None, after: Request) -> Request:
        """A request with what people don't see of its call, as it is now and as it was asked."""
        is_same = before is not None and (before.args, before.asked_args) == (after.args, after.asked_args)
        if is_same:
            return after
        asked = () if after.asked_args is None else self.masks(after.asked_args)
        return replace(after, masks=self.masks(after.args), asked_masks=asked)

    def asked(self, request: Request) -> Request:
        """A new request, with what people don't see of its call, and its agent's words without secrets."""
        masked, receipt = self.masked(None, request), request.receipt
        masked = replace(masked, tags=tuple(self.text(tag, masked) for tag in masked.tags))
        if masked.reason is not None:
            masked = replace(masked, reason=self.text(masked.reason, masked))
        if receipt is not None and receipt.result is not None:
            masked = replace(masked, receipt=replace(receipt, result=self.text(receipt.result, masked)))
        return masked

    def event(self, request: Request, event: Event) -> Event:
        """What an agent says with it, without secrets. People's words are for the agent, just as they are."""
        said: str | None = getattr(event, "text", None)
        if said is None or not event.by.id.startswith("agent:"):
            return event
        args: Args = getattr(event, "args", None) or request.args
        about = self.masked(request, replace(request, args=args))
        return replace(event, text=self.text(said, about))  # type: ignore[arg-type]  # those that have one

    def masks(self, args: Args) -> tuple[Mask, ...]:
        return tuple(self._in(args, "", is_named=False))

    def text(self, text: str, request: Request | None = None) -> str:
        """Somebody's words without credentials, and without those of the call."""
        for secret, shown in sorted(_secrets(request), key=_longest_first) if request else ():
            text = text.replace(secret, shown)
        return _cut_out(text, self._pieces(text))

    def _in(self, item: Json, at: str, *, is_named: bool) -> Iterator[Mask]:
        match item:
            case dict():
                for name, value in item.items():
                    inner = f"{at}/{_escaped(name)}"
                    yield from (replace(mask, is_name=True) for mask in self._within(name, inner))
                    yield from self._in(value, inner, is_named=self._is_named(name, is_named))
            case list():
                for index, value in enumerate(item):
                    yield from self._in(value, f"{at}/{index}", is_named=is_named)
            case None | bool() | "":
                return
            case str() if not is_named:
                yield from self._within(item, at)
            case _ if is_named or (isinstance(item, int) and is_card(str(item))):
                yield Mask(at=at, shown=told(str(item), self.mac))
            case _:
                return

    def _is_named(self, name: str, is_within: bool) -> bool:
        masking = self.masking()
        return masking.names_secret(name) or (is_within and not masking.lets_name(name))

    def _within(self, text: str, at: str) -> Iterator[Mask]:
        """In a text, or in a name, for a secret may stand there too."""
        pieces = self._pieces(text)
        for start, end, instead in pieces:
            yield Mask(at=at, start=start, end=end, shown=instead)
        for match in _OURS.finditer(text):
            if not any(start < match.end() and match.start() < end for start, end, _ in pieces):
                yield Mask(at=at, start=match.start(), end=match.end(), shown=IMITATED)

    def _pieces(self, text: str) -> list[_Piece]:
        allow = self.masking().allow
        return [
            (start, end, told(text[start:end], self.mac))
            for start, end in spans(text)
            if not _fits(allow, text[start:end])
        ]


def _longest_first(pair: tuple[str, str]) -> int:
    return -len(pair[0])


def _secrets(request: Request) -> Iterator[tuple[str, str]]:
    for args, masks in ((request.args, request.masks), (request.asked_args or {}, request.asked_masks)):
        for mask in masks:
            secret = None if mask.is_name else _at(args, mask)
            if secret is not None and len(secret) >= SAME_CHARS:
                yield secret, mask.shown


def _at(args: Args, mask: Mask) -> str | None:
    """The secret that a mask stands for."""
    item: Json = args
    for step in mask.at.split("/")[1:]:
        match item:
            case dict():
                item = item.get(step.replace("~1", "/").replace("~0", "~"))
            case list() if step.isdecimal() and int(step) < len(item):
                item = item[int(step)]
            case _:
                return None
    if mask.start is None:
        return None if item is None else str(item)
    return item[mask.start : mask.end] if isinstance(item, str) else None


# -- showing ------------------------------------------------------------------------------------------


def shown_args(request: Request) -> Args:
    """A request's call as people see it."""
    return shown(request.args, request.masks)


def shown_asked(request: Request) -> Args | None:
    """The call that its agent asked for, where people have changed it, as they see it."""
    return None if request.asked_args is None else shown(request.asked_args, request.asked_masks)


def shown(args: Args, masks: tuple[Mask, ...]) -> Args:
    if not masks:
        return args
    values: dict[str, list[Mask]] = {}
    names: dict[str, list[Mask]] = {}
    for mask in masks:
        (names if mask.is_name else values).setdefault(mask.at, []).append(mask)
    made = _shown(args, "", values, names)
    assert isinstance(made, dict)  # noqa: S101 - made of one
    return made


def _shown(item: Json, at: str, values: Mapping[str, list[Mask]], names: Mapping[str, list[Mask]]) -> Json:
    if at in values:
        return _without(item, values[at])
    if isinstance(item, list):
        return [_shown(value, f"{at}/{index}", values, names) for index, value in enumerate(item)]
    if not isinstance(item, dict):
        return item
    made: dict[str, Json] = {}
    for name, value in item.items():
        inner = f"{at}/{_escaped(name)}"
        name = str(_without(name, names[inner])) if inner in names else name
        while name in made:  # two secrets that are told alike
            name += "′"
        made[name] = _shown(value, inner, values, names)
    return made


def pointers(request: Request) -> tuple[str, ...]:
    """Where in a call something is masked, for the log; names that hold secrets themselves are left out."""
    found = dict.fromkeys(mask.at for mask in request.masks)
    return tuple("/".join("…" if spans(step) else step for step in at.split("/")) for at in found)


def spoken(text: str) -> str:
    """People's words as others see them: without credentials."""
    return _cut_out(text, [(start, end, told(text[start:end], None)) for start, end in spans(text)])


def spoken_value(item: Json) -> Json:
    """What people have filled in, as others see it."""
    args: Args = {"value": item}
    return shown(args, Masker().masks(args))["value"]


def _without(item: Json, masks: Iterable[Mask]) -> Json:
    pieces: list[_Piece] = []
    for mask in masks:
        if mask.start is None or mask.end is None or not isinstance(item, str):
            return mask.shown
        pieces.append((mask.start, mask.end, mask.shown))
    return _cut_out(str(item), sorted(pieces))


def _cut_out(text: str, pieces: list[_Piece]) -> str:
    for start, end, instead in reversed(pieces):
        text = text[:start] + instead + text[end:]
    return text


def _escaped(name: str) -> str:
    """RFC 6901."""
    return name.replace("~", "~0").replace("/", "~1")


# -- putting back -------------------------------------------------------------------------------------


def put_back(edited: Args, request: Request) -> Args:
    """A call that somebody made of the shown one: what stands as it was shown is what it was.

    Raises:
        InvalidCall: a secret that is shown masked was moved, or is a part of something that was changed.
    """
    made = restored(edited, shown_args(request), request.args)
    assert isinstance(made, dict)  # noqa: S101 - made of one
    return made


def restored(edited: Json, seen: Json, real: Json) -> Json:
    """One value of it. `seen` is how `real` was shown. Raises as `put_back`."""
    if edited == seen and type(edited) is type(seen):
        return real
    match edited:
        case dict():
            pairs = _pairs(seen, real)
            return dict(_restored_item(name, value, pairs) for name, value in edited.items())
        case list():
            both = zip(seen, real, strict=True) if isinstance(seen, list) and isinstance(real, list) else ()
            known = list(both)
            return [
                restored(value, *(known[index] if index < len(known) else (None, None)))
                for index, value in enumerate(edited)
            ]
        case str():
            _check_whole(edited)
            return edited
        case _:
            return edited


def seen_again(edited: Json, real: Json, seen: Json) -> Json:
    """How people see a value that was changed: what is in it as it was, as they saw it before."""
    if edited == real and type(edited) is type(real):
        return seen
    match edited:
        case dict():
            known = {
                name: (shown_name, value, at) for shown_name, (name, at, value) in _pairs(seen, real).items()
            }
            each = ((known.get(name, (name, None, None)), value) for name, value in edited.items())
            return {shown_name: seen_again(value, was, at) for (shown_name, was, at), value in each}
        case list():
            reals, seens = (one if isinstance(one, list) else [] for one in (real, seen))
            before = list(zip(reals, seens, strict=True)) + [(None, None)] * len(edited)
            return [seen_again(value, *before[index]) for index, value in enumerate(edited)]
        case _:
            return edited


def is_hidden(seen: Json) -> bool:
    """Whether nothing but a mask is seen of a value."""
    return isinstance(seen, str) and _HIDDEN.fullmatch(seen) is not None


def _pairs(seen: Json, real: Json) -> dict[str, tuple[str, Json, Json]]:
    """By its shown name: the name of a value, and the value as shown and as it is."""
    if not isinstance(seen, dict) or not isinstance(real, dict):
        return {}
    each = zip(seen.items(), real.items(), strict=True)
    return {shown_name: (name, shown_value, value) for (shown_name, shown_value), (name, value) in each}


def _restored_item(name: str, value: Json, pairs: Mapping[str, tuple[str, Json, Json]]) -> tuple[str, Json]:
    if name not in pairs:
        _check_whole(name)
        return name, restored(value, None, None)
    own_name, seen, real = pairs[name]
    return own_name, restored(value, seen, real)


def _check_whole(text: str) -> None:
    if MARK in text:
        raise InvalidCall(
            "a secret that is shown masked can't be moved, nor what stands around it changed:"
            " leave that value as it is, or write it anew with the secret"
        )
