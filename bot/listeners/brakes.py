"""The brakes on the Home tab: Freeze… and Thaw, as `/approvals freeze` and `thaw` do it."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from approvals.model import Freeze
from blocks import agents, ids
from blocks import freezes as words
from blocks.dialogs import notice_view, words_in
from blocks.ids import Stale
from bot.listeners import freezes
from bot.listeners.decisions import Next, on_click, on_submit
from bot.listeners.parts import Parts
from bot.payloads import Click, Submitted, Who


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the buttons and the dialog."""
    app.action(ids.FREEZE)(on_click(parts, _ask))
    app.action(ids.THAW)(on_click(parts, _thaw))
    app.view(ids.FREEZE)(on_submit(parts, _freeze))


async def _ask(parts: Parts, click: Click) -> None:
    wanted = await _wanted(parts, click.who, click.value)
    if await _may(parts, click.who, "freeze", wanted):
        await parts.open(click, agents.freeze_view(click.value))
    else:
        await parts.tell(click, words.not_owner(parts.owners.of("freeze"), "freeze"))


async def _freeze(parts: Parts, submitted: Submitted) -> Next:
    """Who may is asked again: the dialog may have been open for long."""
    why = words_in(submitted.values)
    wanted = await _wanted(parts, submitted.who, submitted.metadata, why)
    if not await _may(parts, submitted.who, "freeze", wanted):
        return Next(notice_view(words.not_owner(parts.owners.of("freeze"), "freeze")))
    told = await freezes.carry_out(parts, wanted)
    await parts.operators.tell(words.told_operators(wanted))
    await parts.homes.show(submitted.who)
    return Next(notice_view(told))


async def _thaw(parts: Parts, click: Click) -> None:
    wanted = await _wanted(parts, click.who, click.value)
    if await _may(parts, click.who, "thaw", wanted):
        await freezes.end(parts, wanted)
        await parts.homes.show(click.who)
    else:
        await parts.tell(click, words.not_owner(parts.owners.of("freeze"), "thaw"))


async def _wanted(parts: Parts, who: Who, value: str, why: str | None = None) -> Freeze:
    found = agents.read_reach(value)
    if found is None:
        raise Stale(f"no freeze {value[:40]!r}")
    reach, name = found
    by, now = await parts.owners.actor(who), await parts.desk.store.now()
    return Freeze(reach=reach, name=name, by=by, at=now, why=why or None)


async def _may(parts: Parts, who: Who, verb: str, wanted: Freeze) -> bool:
    return await parts.owners.admit(who, "freeze", f"{verb} {wanted.words}")
