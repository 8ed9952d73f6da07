"""After the decision: taking an approval back, and looking at what ended out of the ordinary."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import LookAt, TakeBack
from approvals.model import Person, Request
from blocks import ids
from blocks.unseen import unseen_list
from bot.listeners.decisions import on_click
from bot.listeners.parts import Parts
from bot.payloads import Click, Slash


def register(app: AsyncApp, parts: Parts) -> None:
    """Join *Take back* and *Seen* to the desk."""
    app.action(ids.TAKE_BACK)(on_click(parts, _take_back))
    app.action(ids.SEEN)(on_click(parts, _look_at))


async def show(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """`/approvals expired`: the human queue."""
    listed = unseen_list(await parts.desk.unseen(slash.who))
    await ack(text=listed.text, blocks=listed.blocks)


async def _take_back(parts: Parts, click: Click) -> None:
    def take_back(person: Person, _: Request) -> TakeBack:
        return TakeBack(by=person)

    seen = ids.unpack(click.value)
    await parts.tell_verdict(
        click, await parts.desk.decide(click.who, seen.request_id, "take back", take_back)
    )


async def _look_at(parts: Parts, click: Click) -> None:
    def look_at(person: Person, _: Request) -> LookAt:
        return LookAt(by=person)

    verdict = await parts.desk.decide(click.who, ids.unpack(click.value).request_id, "look at", look_at)
    if click.is_home:
        await parts.homes.show(click.who)
    if verdict.refusal is not None or not click.is_home:
        await parts.tell(click, verdict.words)
