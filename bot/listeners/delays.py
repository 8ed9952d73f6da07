"""More time for everybody, or no reminders for a while."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from approvals.commands import Extend, Snooze
from approvals.model import Person, Request
from blocks import delays, ids
from bot.desk import Verdict
from bot.listeners.decisions import on_click, on_submit, open_dialog
from bot.listeners.parts import Errors, Parts
from bot.payloads import Click, Submitted


def register(app: AsyncApp, parts: Parts) -> None:
    """Join *Extend…* and both dialogs to the desk; *Snooze…* is in the card's menu."""
    app.action(ids.EXTEND)(on_click(parts, _extend))
    app.view(ids.EXTEND)(on_submit(parts, _extended))
    app.view(ids.SNOOZE)(on_submit(parts, _snoozed))


async def _extend(parts: Parts, click: Click) -> None:
    await open_dialog(parts, click, "extend", delays.extend_view)


async def _extended(parts: Parts, submitted: Submitted) -> Verdict | Errors:
    chosen = delays.read_choice(submitted.values)
    if not isinstance(chosen, int):
        return chosen
    seconds = chosen

    def extend(person: Person, _: Request) -> Extend:
        return Extend(by=person, seconds=seconds)

    seen = ids.unpack(submitted.metadata)
    return await parts.desk.decide(submitted.who, seen.request_id, "extend", extend)


async def _snoozed(parts: Parts, submitted: Submitted) -> Verdict | Errors:
    until = delays.read_choice(submitted.values)
    if not isinstance(until, int):
        return until
    seconds = round(until - (await parts.desk.store.now()).timestamp())

    def snooze(person: Person, _: Request) -> Snooze:
        return Snooze(by=person, seconds=seconds)

    seen = ids.unpack(submitted.metadata)
    return await parts.desk.decide(submitted.who, seen.request_id, "snooze", snooze)
