"""`/approvals stats [30d] [tool NAME|agent NAME|person @name]`: the numbers of a span, for whoever asks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slack_bolt.async_app import AsyncAck

from approvals.durations import parse_duration
from approvals.model import Barred, PersonId
from approvals.stats import EVERYTHING, Only
from blocks import stats as words
from bot.daily.statistics import Wanted
from bot.listeners.parts import Parts
from bot.payloads import Slash
from bot.people import LookupFailed

USUAL = "30d"
LONG_S = 7 * 24 * 3600  # what takes long enough to count that it is said at once
_MENTION = re.compile(r"<@([UW][A-Z0-9]{2,20})(?:\|[^>]*)?>")
_KINDS = ("tool", "agent", "person")


async def stats(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Have it counted, and say so if that takes a while."""
    typed, kind, named = _split(slash.words[1:])
    if not await parts.people.is_ours(slash.who.id):
        await parts.owners.record(slash.who, "stats", "not a member of the workspace")
        await ack(text=words.MEMBERS_ONLY)
    elif (span_s := _span(typed)) is None:
        await ack(text=words.no_span(typed, parts.commands))
    elif kind and not named:
        await ack(text=words.usage(parts.commands))
    elif (only := await _only(parts, slash, kind, named)) is None:
        await ack(text=words.no_person(named, parts.commands))
    elif not parts.statistics.ask(
        Wanted(person=slash.who.id, span_s=span_s, only=only, response_url=slash.response_url)
    ):
        await ack(text=words.BUSY)
    elif span_s > LONG_S:
        await ack(text=words.counting(words.last(span_s)))
    else:
        await ack()


def _split(typed: Sequence[str]) -> tuple[str, str, str]:
    """The span, what it is narrowed by, and to which; what is not typed is empty, or usual."""
    is_first = bool(typed) and typed[0].lower() in _KINDS
    span = typed[0] if typed and not is_first else USUAL
    rest = typed if is_first else typed[1:]
    kind = rest[0].lower() if rest else ""
    return (span, kind, " ".join(rest[1:])) if kind in ("", *_KINDS) else (" ".join(typed), "", "")


def _span(typed: str) -> int | None:
    try:
        return parse_duration(typed)  # "never" is no span either
    except ValueError:
        return None


async def _only(parts: Parts, slash: Slash, kind: str, named: str) -> Only | None:
    """What it is narrowed to; None: to a person whom nobody knows."""
    if kind == "tool":
        return Only(tool=named)
    if kind == "agent":
        return Only(agent=named)
    if kind != "person":
        return EVERYTHING
    mention = _MENTION.fullmatch(named)
    person = slash.who.id if named.lower() == "me" else PersonId(mention[1]) if mention else None
    return Only(person=person) if person is not None and await _is_known(parts, person) else None


async def _is_known(parts: Parts, person: PersonId) -> bool:
    """Whoever has left decided as well; only whom Slack has never heard of did not."""
    try:
        return (await parts.people.profiles.get(person)).barred is not Barred.UNKNOWN
    except LookupFailed:
        return True
