"""`/approvals away …` and `/approvals back`: who decides in a person's place while they are away."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncAck

from approvals.deputies import Absence, read_until
from approvals.model import PersonId
from blocks import deputies as words
from bot.listeners.parts import Parts
from bot.payloads import Slash

_MENTION = re.compile(r"<@([UW][A-Z0-9]{2,20})(?:\|[^>]*)?>")
_LEADING = re.compile(r"^(until|for|till|next)\s+", re.IGNORECASE)


async def away(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Name a deputy, and until when."""
    typed = slash.rest(1)
    named = _MENTION.search(typed)
    when = _LEADING.sub("", _MENTION.sub(" ", typed).strip())
    now = await parts.desk.store.now()
    until = read_until(when, now, await parts.people.zone_of(slash.who.id)) if when else None
    if named is None or (when and until is None):
        await ack(text=words.usage(parts.commands))
        return
    deputy = PersonId(named[1])
    if deputy == slash.who.id or not await parts.people.is_ours(deputy):
        await ack(text=words.no_deputy(deputy))
        return
    name = await parts.people.name_of(slash.who.id)
    absence = Absence(person=slash.who.id, name=name, deputy=deputy, at=now, until=until)
    await parts.absences.leave(absence)
    parts.people.forget(absences=True)
    await ack(text=words.away(absence, now, parts.commands))


async def back(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """End it."""
    was_away = await parts.absences.come_back(slash.who.id, await parts.people.name_of(slash.who.id))
    parts.people.forget(absences=True)
    await ack(text=words.back(was_away=was_away))
