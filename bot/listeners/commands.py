"""The slash commands: `/approve ID [note]`, `/reject ID reason`, `/approvals [mine|all|ID|help]`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Approve, Reject
from approvals.model import Person, Request
from blocks import replies
from bot.desk import Decides
from bot.listeners import (
    afterwards,
    deputies,
    digests,
    freezes,
    grants,
    overrides,
    proposals,
    reviews,
    stages,
    stats,
)
from bot.listeners.parts import Json, Parts
from bot.payloads import Slash

Listener: TypeAlias = Callable[[AsyncAck, Json], Awaitable[None]]


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the three commands, under whatever names they have here."""
    names = parts.commands
    app.command(f"/{names.approve}")(_approve(parts))
    app.command(f"/{names.reject}")(_reject(parts))
    app.command(f"/{names.approvals}")(_approvals(parts))


def _approve(parts: Parts) -> Listener:
    async def approve(ack: AsyncAck, body: Json) -> None:
        slash = Slash.parse(body)
        if not slash.words:
            await ack(text=replies.usage_approve(parts.commands))
            return
        found = await parts.desk.find(slash.who, slash.words[0], "approve")
        if found.request is None:
            await ack(text=found.words)
        elif await parts.must_be_read(found.request) or _needs_reason(slash, found.request):
            await parts.open(slash, await parts.call_view(slash.who, found.request))
            await ack()
        else:
            seen, note = found.request.fingerprint, slash.rest(1) or None
            await _decide(
                parts, ack, slash, found.request, "approve", lambda by: Approve(by=by, seen=seen, note=note)
            )

    return approve


def _reject(parts: Parts) -> Listener:
    async def reject(ack: AsyncAck, body: Json) -> None:
        slash = Slash.parse(body)
        reason = slash.rest(1)
        if not reason:
            await ack(text=replies.usage_reject(parts.commands))
            return
        found = await parts.desk.find(slash.who, slash.words[0], "reject")
        if found.request is None:
            await ack(text=found.words)
        else:
            await _decide(
                parts, ack, slash, found.request, "reject", lambda by: Reject(by=by, feedback=reason)
            )

    return reject


async def _decide(
    parts: Parts,
    ack: AsyncAck,
    slash: Slash,
    request: Request,
    verb: str,
    command: Callable[[Person], Decides],
) -> None:
    verdict = await parts.desk.decide(slash.who, request.id, verb, lambda person, _: command(person))
    await ack(text=verdict.words)


def _approvals(parts: Parts) -> Listener:
    async def approvals(ack: AsyncAck, body: Json) -> None:
        slash = Slash.parse(body)
        match [word.lower() for word in slash.words]:
            case [] | ["mine"]:
                await _list(parts, ack, slash, only_mine=True)
            case ["all"]:
                await _list(parts, ack, slash, only_mine=False)
            case [verb, *_] if verb in _VERBS:
                await _VERBS[verb](parts, ack, slash)
            case [typed] if typed != "help":
                await _show(parts, ack, slash)
            case _:
                await ack(text=replies.help_text(parts.commands))

    return approvals


_VERBS: dict[str, Callable[[Parts, AsyncAck, Slash], Awaitable[None]]] = {
    "expired": afterwards.show,
    "unseen": afterwards.show,
    "reviews": reviews.show,
    "digest": digests.show,
    "override": overrides.override,
    "freeze": freezes.freeze,
    "thaw": freezes.thaw,
    "grants": grants.show,
    "away": deputies.away,
    "back": deputies.back,
    "stage": stages.stage,
    "stats": stats.stats,
    "suggest": proposals.suggest,
}


async def _list(parts: Parts, ack: AsyncAck, slash: Slash, *, only_mine: bool) -> None:
    visible = await parts.desk.visible(slash.who, only_decidable=only_mine)
    listed = replies.pending_list(visible.requests, visible.now, mine=only_mine, commands=parts.commands)
    await ack(text=listed.text, blocks=listed.blocks)


async def _show(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    found = await parts.desk.find(slash.who, slash.words[0], "read")
    if found.request is None:
        await ack(text=found.words)
        return
    await parts.open(slash, await parts.request_view(slash.who, found.request))
    await ack()


def _needs_reason(slash: Slash, request: Request) -> bool:
    """Whether it is their own request, which they may approve, but not without a word."""
    return request.on_behalf_of == slash.who.id and request.terms.self_approval and not slash.rest(1)
