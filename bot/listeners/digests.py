"""Deciding in a digest: all that is shown, all that waits, a row of that; and turning its page.

What a click on many rows means is written down before it is acknowledged; `bot/bulk.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.bulk import Bulk, BulkVerb, Progress, new_bulk_id
from approvals.commands import Approve
from approvals.digest import DigestId, Row
from approvals.model import Person, Request
from approvals.places import IN_DIGEST, digests_in
from blocks import bulk as words
from blocks import dialogs, digest_replies, ids
from blocks.digest import page_count
from blocks.ids import Seen, Shown
from bot.bulk import Tell
from bot.desk import LISTED
from bot.listeners import beneath
from bot.listeners.decisions import Clicked, approve, details, on_click, reject
from bot.listeners.digest_views import (
    NotOpened,
    Opened,
    digest_for,
    list_beneath,
    list_view,
    meant,
    opened,
    why_not,
)
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, Slash, Submitted, Who, laid_on

SOON_S = 1.8  # of the three seconds that Slack gives a dialog: for a list that is drawn with what was done
TURNS = 5  # tries to turn a page, while others change the digest

Answer: TypeAlias = Json  # to a dialog that was sent off


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the digest's buttons and dialogs."""
    for action_id, clicked in (
        (ids.BULK_APPROVE, _approve_shown),
        (ids.BULK_REJECT, _ask_why),
        (ids.SEE_ALL, _see_all),
        (ids.ROW, _row),
        (ids.IN_ROW, _in_row),
        (ids.TURN, _turn),
    ):
        app.action(action_id)(on_click(parts, or_told(clicked)))
    app.view(ids.SEE_ALL)(_on_answer(parts, _confirm))
    app.view(ids.BULK_APPROVE)(_on_answer(parts, _confirmed(BulkVerb.APPROVE)))
    app.view(ids.BULK_REJECT)(_on_answer(parts, _confirmed(BulkVerb.REJECT)))


def or_told(clicked: Clicked) -> Clicked:
    """The same, but whoever doesn't get the digest is told why."""

    async def told(parts: Parts, click: Click) -> None:
        try:
            await clicked(parts, click)
        except NotOpened as refused:
            await parts.tell(click, str(refused))

    return told


def _on_answer(
    parts: Parts, sent: Callable[[Parts, Submitted], Awaitable[Answer]]
) -> Callable[[AsyncAck, Json], Awaitable[None]]:
    async def listener(ack: AsyncAck, body: Json) -> None:
        try:
            answer = await sent(parts, Submitted.parse(body))
        except NotOpened as refused:
            answer = _instead(dialogs.notice_view(str(refused)))
        await ack(**answer)

    return listener


# -- all that is shown --------------------------------------------------------------------------------


async def _approve_shown(parts: Parts, click: Click) -> None:
    shown = ids.unpack_shown(click.value)
    seen = await opened(parts, click.who, shown, "approve all")

    async def tell(progress: Progress) -> None:
        await parts.tell(click, await parts.bulking.telling.words(progress))

    await parts.bulking.begin(_bulk(seen, click.who, BulkVerb.APPROVE, shown), tell)


async def _ask_why(parts: Parts, click: Click) -> None:
    """Rejecting many takes a reason: that dialog's submission is the click."""
    shown = ids.unpack_shown(click.value)
    seen = await opened(parts, click.who, shown, "reject all")
    view = _confirm_view(seen, BulkVerb.REJECT, shown)
    below = list_beneath(seen.digest) if click.is_in_dialog else ""
    await parts.open(click, laid_on(view, below), on_top=click.is_in_dialog)


def _confirm_view(seen: Opened, verb: BulkVerb, shown: Shown) -> Json:
    covered = meant(seen, shown)
    return words.confirm_view(
        seen.digest, verb, covered.rows, seen.requests, seen.now, left_out=covered.left_out
    )


def _bulk(seen: Opened, who: Who, verb: BulkVerb, shown: Shown, said: str | None = None) -> Bulk:
    if not shown.indexes:
        raise NotOpened(digest_replies.NONE_LEFT)
    return Bulk(
        id=new_bulk_id(),
        digest=seen.digest.id,
        channel=seen.digest.channel,
        by=who.id,
        team=who.team,
        verb=verb,
        words=said,
        covered=meant(seen, shown),
        made_at=seen.now,
    )


# -- all that waits -----------------------------------------------------------------------------------


async def _see_all(parts: Parts, click: Click) -> None:
    seen = await opened(parts, click.who, ids.unpack_shown(click.value), "see all")
    await parts.open(click, await list_view(parts, seen), on_top=click.is_in_dialog)


async def show(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """`/approvals digest`: all that waits in this channel's newest digest."""
    newest = await _newest_in(parts, slash.channel)
    if newest is None:
        await ack(text=digest_replies.NO_OPEN_DIGEST)
        return
    try:
        seen = await opened(parts, slash.who, Shown(newest, 0, ()), "see all")
    except NotOpened as refused:
        await ack(text=str(refused))
        return
    await parts.open(slash, await list_view(parts, seen))
    await ack()


async def _newest_in(parts: Parts, channel: str) -> DigestId | None:
    """The digest there of what has come last and waits; None: nothing there waits in one."""
    for request in reversed(await parts.desk.store.pending(limit=LISTED)):
        places = await parts.desk.cards.posted(request.id)
        if found := digests_in(place for place in places if place.startswith(f"{channel}{IN_DIGEST}")):
            return DigestId(found[-1])
    return None


async def _confirm(parts: Parts, submitted: Submitted) -> Answer:
    """The list was sent off: say what that means before it is done, on top of the list."""
    shown = ids.unpack_shown(submitted.metadata)
    seen = await opened(parts, submitted.who, shown, "approve all")
    view = _confirm_view(seen, BulkVerb.APPROVE, shown)
    return {"response_action": "push", "view": laid_on(view, list_beneath(seen.digest))}


def _confirmed(verb: BulkVerb) -> Callable[[Parts, Submitted], Awaitable[Answer]]:
    async def confirmed(parts: Parts, submitted: Submitted) -> Answer:
        shown = ids.unpack_shown(submitted.metadata)
        seen = await opened(parts, submitted.who, shown, f"{verb} all")
        wanted = _bulk(seen, submitted.who, verb, shown, dialogs.words_in(submitted.values))
        if submitted.stack.previous_id is None:
            await parts.bulking.begin(wanted, parts.bulking.telling.tell)
            return {"response_action": "clear"}
        await _decide_beneath(parts, submitted, wanted)
        return {}

    return confirmed


async def _decide_beneath(parts: Parts, submitted: Submitted, wanted: Bulk) -> None:
    """Decide what the list showed, and draw the list with what came of it: at once, or when it is done."""
    job = await parts.bulking.begin(wanted)
    progress = await job.within(SOON_S)
    if progress is None:
        await beneath.redraw(parts, submitted, note=digest_replies.WORKING)
        progress = job.progress  # it may have ended while that was drawn
    if progress is None:
        job.tell = _telling_list(parts, submitted)
    else:
        await beneath.redraw(parts, submitted, note=await parts.bulking.telling.words(progress))


def _telling_list(parts: Parts, submitted: Submitted) -> Tell:
    async def tell(progress: Progress) -> None:
        await beneath.redraw(parts, submitted, note=await parts.bulking.telling.words(progress))
        await parts.bulking.telling.tell(progress)  # they may have closed the list

    return tell


def _instead(view: Json) -> Answer:
    return {"response_action": "update", "view": view}


# -- a row of that ------------------------------------------------------------------------------------


async def _in_row(parts: Parts, click: Click) -> None:
    """A button in a row of the message is that of a card which showed the same."""
    pick = ids.unpack_in_row(click.block_id, click.action_id)
    shown = Shown(pick.digest_id, pick.version, (pick.index,))
    row = (await digest_for(parts, click.who, shown, pick.verb)).rows[pick.index]
    if pick.verb != "open" and row.since > pick.version:
        await parts.tell(click, digest_replies.CHANGED)
    elif pick.verb == "approve" and not row.is_ready:
        await parts.tell(click, digest_replies.MUST_BE_OPENED)
    else:
        value = ids.pack_seen(Seen(row.request_id, row.fingerprint))
        clicked = {"approve": approve, "reject": reject, "open": details}[pick.verb]
        await clicked(parts, replace(click, value=value))


async def _row(parts: Parts, click: Click) -> None:
    pick = ids.unpack_row(click.block_id, click.value)
    shown = Shown(pick.digest_id, pick.version, (pick.index,))
    seen = await opened(parts, click.who, shown, pick.verb)
    row, why = why_not(seen, shown)
    request = seen.requests.get(row.request_id)
    match pick.verb:
        case "open" if request is not None:
            view = words.row_view(await parts.call_view(click.who, request), request)
            await parts.open(click, laid_on(view, list_beneath(seen.digest)), on_top=True)
        case "reject" if request is not None and not why:
            view = dialogs.reject_view(request)
            await parts.open(click, laid_on(view, list_beneath(seen.digest)), on_top=True)
        case "approve" if not why:
            why = await _approve_row(parts, click.who, row)
            seen = await opened(parts, click.who, shown, "look")
            await _draw_list(parts, click, seen, why)
        case _:
            await _draw_list(parts, click, seen, why or digest_replies.GONE)


async def _approve_row(parts: Parts, who: Who, row: Row) -> str:
    def approve(person: Person, _: Request) -> Approve:
        return Approve(by=person, seen=row.fingerprint)

    return (await parts.desk.decide(who, row.request_id, "approve", approve)).words


async def _draw_list(parts: Parts, click: Click, seen: Opened, note: str) -> None:
    view = await list_view(parts, seen, note=note)
    await beneath.update(parts, str(click.view_id), view, seen=click.view_hash)


# -- pages --------------------------------------------------------------------------------------------


async def _turn(parts: Parts, click: Click) -> None:
    shown, page = ids.unpack_shown(click.value), ids.turned_to(click.action_id)
    for _ in range(TURNS):
        digest = (await opened(parts, click.who, shown, "turn the page")).digest
        turned = replace(digest, page=min(page, page_count(digest) - 1), version=digest.version + 1)
        if turned.page == digest.page or await parts.digests.save(digest, turned):
            return
