"""`/approvals freeze …` and `/approvals thaw …`: stopping agents at once, and letting them go on."""

from __future__ import annotations

from datetime import datetime

from slack_bolt.async_app import AsyncAck

from approvals.brakes import reaches
from approvals.model import Actor, Freeze, Reach, Via
from blocks import freezes as words
from bot.levers.freezing import Swept
from bot.listeners.parts import Parts
from bot.payloads import Slash


async def freeze(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Stop what was typed; it is answered when nothing of it can be claimed any more."""
    wanted = await _wanted(parts, ack, slash)
    if wanted is None:
        return
    await ack(text=await carry_out(parts, wanted))
    await parts.operators.tell(words.told_operators(wanted))


async def carry_out(parts: Parts, wanted: Freeze) -> str:
    """Stop it, and say what that stopped; the operators are still to be told."""
    store = parts.desk.store
    await store.freezes.freeze(wanted, Via.SLACK)
    swept = await parts.freezing.sweep(await store.freezes.now())
    return words.frozen(wanted, _waiting(swept, wanted), swept.held, swept.begun, parts.commands)


async def thaw(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Let what was typed go on."""
    wanted = await _wanted(parts, ack, slash)
    if wanted is None:
        return
    await ack(text=await end(parts, wanted))


async def end(parts: Parts, wanted: Freeze) -> str:
    """Let it go on, say so, and tell the operators."""
    store = parts.desk.store
    if not await store.freezes.thaw(wanted, wanted.by, Via.SLACK):
        return words.not_frozen(wanted)
    swept = await parts.freezing.sweep(await store.freezes.now())
    await parts.operators.tell(f"{wanted.by.name} thawed {wanted.words}.")
    return words.thawed(wanted, swept.released)


def _waiting(swept: Swept, freeze: Freeze) -> words.Waiting:
    reached = [each for each in swept.waiting if reaches(freeze, each.agent, each.tool)]
    deadlines = [each.deadline for each in reached if each.deadline is not None]
    return words.Waiting(count=len(reached), first=min(deadlines, default=None))


async def _wanted(parts: Parts, ack: AsyncAck, slash: Slash) -> Freeze | None:
    """What was typed, if this person may do it; None: they have been answered."""
    store, verb = parts.desk.store, slash.words[0].lower()
    now = await store.now()
    wanted = _read(slash.words[1:], await parts.owners.actor(slash.who), now)
    if wanted is None:
        current = await store.freezes.now()
        await ack(text=words.listed(current.freezes, now, parts.commands))
        return None
    if not await parts.owners.admit(slash.who, "freeze", f"{verb} {wanted.words}"):
        await ack(text=words.not_owner(parts.owners.of("freeze"), verb))
        return None
    return wanted


def _read(typed: list[str], by: Actor, now: datetime) -> Freeze | None:
    match typed:
        case [reach, *why] if reach.lower() == Reach.ALL:
            return Freeze(reach=Reach.ALL, by=by, at=now, why=" ".join(why) or None)
        case [reach, name, *why] if reach.lower() in (Reach.AGENT, Reach.TOOL):
            return Freeze(reach=Reach(reach.lower()), name=name, by=by, at=now, why=" ".join(why) or None)
        case _:
            return None
