"""What ran without asking: `/approvals reviews`, and the buttons of its rows wherever they stand.

The list, which one person sees, is shown anew here. Rows in the daily thread are redrawn by what draws that.
"""

from __future__ import annotations

from collections.abc import Callable

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import AskUndo, Confirm, Flag
from approvals.errors import AlreadyReviewed
from approvals.machine import may_be_undone
from approvals.model import Person, Request, ReviewState
from blocks import dialogs, ids, replies
from blocks.dialogs import flag_view, undo_view
from blocks.reviews import reviews_list
from bot.desk import Verdict
from bot.listeners.decisions import Sent, on_click, on_submit
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, Slash, Submitted, Who


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the buttons of a row and their dialogs to the desk."""
    app.action(ids.LOOKS_RIGHT)(on_click(parts, _looks_right))
    app.action(ids.FLAG)(on_click(parts, _flag))
    app.action(ids.UNDO)(on_click(parts, _undo))
    app.view(ids.FLAG)(on_submit(parts, _worded("flag", Flag)))
    app.view(ids.UNDO)(on_submit(parts, _worded("undo", AskUndo)))


async def show(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """`/approvals reviews`: what this person may look at."""
    listed = reviews_list(await parts.desk.reviews(slash.who), await parts.desk.store.now())
    await ack(text=listed.text, blocks=listed.blocks)


async def _looks_right(parts: Parts, click: Click) -> None:
    def confirm(person: Person, _: Request) -> Confirm:
        return Confirm(by=person)

    seen = ids.unpack(click.value)
    verdict = await parts.desk.decide(click.who, seen.request_id, "confirm", confirm)
    if verdict.refusal is None and click.is_private:
        await _show_anew(parts, click.who, click.response_url, verdict.request)
    else:
        await parts.tell_verdict(click, verdict)


async def _flag(parts: Parts, click: Click) -> None:
    def may_be_flagged(request: Request) -> bool:
        return request.review is not None and request.review.state is ReviewState.OPEN

    await _open(parts, click, flag_view, may_be_flagged)


async def _undo(parts: Parts, click: Click) -> None:
    now = await parts.desk.store.now()
    await _open(parts, click, undo_view, lambda request: may_be_undone(request, now))


async def _open(
    parts: Parts, click: Click, view: Callable[[Request, str], Json], is_open: Callable[[Request], bool]
) -> None:
    """Open a dialog, unless somebody has said so before: nobody should write words for nothing."""
    verdict = await parts.desk.read(click.who, ids.unpack(click.value).request_id)
    request = verdict.request
    if request is None:
        await parts.tell(click, verdict.words)
    elif not is_open(request):
        now = await parts.desk.store.now()
        await parts.tell(click, replies.refused(AlreadyReviewed(request), now, by=click.who.id))
    else:
        back = click.response_url if click.is_private and click.response_url else ""
        await parts.open(click, view(request, back), on_top=click.is_in_dialog)


def _worded(verb: str, command: type[Flag] | type[AskUndo]) -> Sent:
    async def sent(parts: Parts, submitted: Submitted) -> Verdict:
        seen, back = ids.unpack_agreed(submitted.metadata)
        words = dialogs.words_in(submitted.values) or ""

        def made(person: Person, _: Request) -> Flag | AskUndo:
            return command(by=person, text=words)

        verdict = await parts.desk.decide(submitted.who, seen.request_id, verb, made)
        if verdict.refusal is None and back:
            await _show_anew(parts, submitted.who, back, verdict.request)
        return verdict

    return sent


async def _show_anew(parts: Parts, who: Who, response_url: str | None, just: Request | None) -> None:
    """Put the list as it is now in the place of the one that was clicked in."""
    listed = reviews_list(await parts.desk.reviews(who), await parts.desk.store.now(), just=just)
    await parts.replier.whisper(response_url, listed.text, listed.blocks, instead=True)
