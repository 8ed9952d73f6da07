"""Review one by one: walking through a digest, deciding each with its whole call in view.

The walk's place is a row of the digest, so nothing that is decided elsewhere meanwhile moves it.
"""

from __future__ import annotations

from collections.abc import Iterable

from slack_bolt.async_app import AsyncApp

from approvals.commands import Approve
from approvals.model import Person, Request
from blocks import dialogs, edit, ids
from blocks.ids import Shown
from bot.listeners import beneath
from bot.listeners.decisions import on_click
from bot.listeners.digest_views import Opened, opened, walk_at, walk_beneath
from bot.listeners.digests import or_told
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, laid_on


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the walk's buttons. Dialogs on top of it are those of cards."""
    for action_id, clicked in (
        (ids.WALK, _begin),
        (ids.WALK_APPROVE, _approve),
        (ids.WALK_REJECT, _reject),
        (ids.WALK_EDIT, _edit),
        (ids.WALK_READ, _read),
        (ids.WALK_SKIP, _skip),
        (ids.WALK_BACK, _back),
    ):
        app.action(action_id)(on_click(parts, or_told(clicked)))


async def _begin(parts: Parts, click: Click) -> None:
    """From the message, or again from a walk's end."""
    seen = await opened(parts, click.who, ids.unpack_shown(click.value), "review")
    view = await walk_at(parts, click.who, seen, range(len(seen.digest.rows)))
    if click.is_in_dialog:
        await beneath.update(parts, str(click.view_id), view, seen=click.view_hash)
    else:
        await parts.open(click, view)


async def _approve(parts: Parts, click: Click) -> None:
    shown, seen = ids.unpack_walk(click.value)
    await opened(parts, click.who, shown, "approve")  # or it is not for them

    def approve(person: Person, _: Request) -> Approve:
        return Approve(by=person, seen=seen.fingerprint, alike=seen.alike)

    verdict = await parts.desk.decide(click.who, seen.request_id, "approve", approve)
    if verdict.needs_reason and verdict.request is not None:
        await _put_on(parts, click, shown, await parts.call_view(click.who, verdict.request))
    else:
        (index,) = shown.indexes
        start = index if verdict.refusal else index + 1
        await _go(parts, click, shown, start, verdict.words)


async def _reject(parts: Parts, click: Click) -> None:
    await _ask(parts, click, "reject")


async def _edit(parts: Parts, click: Click) -> None:
    await _ask(parts, click, "edit")


async def _ask(parts: Parts, click: Click, verb: str) -> None:
    """A dialog on top of the walk, if they may do so and what they saw is still what is asked."""
    shown, seen = ids.unpack_walk(click.value)
    verdict = await parts.desk.admit(click.who, seen, verb)
    if verdict.refusal is not None or verdict.request is None:
        await _go(parts, click, shown, min(shown.indexes), verdict.words)
    else:
        await _put_on(parts, click, shown, _asking(verb, verdict.request, click))


def _asking(verb: str, request: Request, click: Click) -> Json:
    if verb == "edit":
        return edit.edit_view(request, is_own=request.on_behalf_of == click.who.id)
    return dialogs.reject_view(request)


async def _read(parts: Parts, click: Click) -> None:
    """The whole call, or a question with its answers."""
    shown, seen = ids.unpack_walk(click.value)
    verdict = await parts.desk.read(click.who, seen.request_id)
    if verdict.request is None:
        await _go(parts, click, shown, min(shown.indexes), verdict.words)
    else:
        await _put_on(parts, click, shown, await parts.call_view(click.who, verdict.request))


async def _skip(parts: Parts, click: Click) -> None:
    shown, _ = ids.unpack_walk(click.value)
    await _go(parts, click, shown, shown.indexes[0] + 1)


async def _back(parts: Parts, click: Click) -> None:
    """To the one before that still waits, or stay at this one."""
    shown, _ = ids.unpack_walk(click.value)
    (index,) = shown.indexes
    seen = await opened(parts, click.who, shown, "review")
    before, after = range(index), range(index, len(seen.digest.rows))
    await _show(parts, click, seen, [*reversed(before), *after])


async def _go(parts: Parts, click: Click, shown: Shown, start: int, note: str = "") -> None:
    """On to what waits from row `start` on."""
    seen = await opened(parts, click.who, shown, "review")
    await _show(parts, click, seen, range(start, len(seen.digest.rows)), note)


async def _show(parts: Parts, click: Click, seen: Opened, rows: Iterable[int], note: str = "") -> None:
    view = await walk_at(parts, click.who, seen, rows, notes=[note])
    await beneath.update(parts, str(click.view_id), view, seen=click.view_hash)


async def _put_on(parts: Parts, click: Click, shown: Shown, view: Json) -> None:
    await parts.open(click, laid_on(view, walk_beneath(shown)), on_top=True)
