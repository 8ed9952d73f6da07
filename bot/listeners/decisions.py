"""The buttons of a card, and the dialogs behind them that end in one word: approve, reject, answer, request changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Answer, Approve, Reject, RequestChanges
from approvals.model import Fingerprint, Person, Request, RequestId
from blocks import dialogs, ids, replies
from blocks.ids import Pick, Seen
from blocks.question import answer_at
from bot.desk import Decides, Verdict
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, Submitted, Who

Worded: TypeAlias = Callable[[Person, Seen, str], Decides]


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the card's buttons and their dialogs to the desk."""
    desk = parts.desk

    @app.action(ids.APPROVE)
    async def approve(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        seen = ids.unpack(click.value)
        verdict = await desk.decide(
            click.who, seen.request_id, "approve", lambda person, _: Approve(by=person, seen=seen.fingerprint)
        )
        await parts.tell_verdict(click, verdict)
        await ack()

    @app.action(ids.OPTION)
    async def option(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        seen = ids.unpack(click.value)
        index = ids.option_index(click.action_id)
        await parts.tell_verdict(click, await _choose(parts, click, seen, index))
        await ack()

    @app.action(ids.CHOOSE)
    async def choose(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        pick = ids.unpack_pick(click.value)
        await parts.tell_verdict(click, await _choose(parts, click, pick, pick.index))
        await ack()

    @app.action(ids.REJECT)
    async def reject(ack: AsyncAck, body: Json) -> None:
        await open_dialog(parts, body, "reject", dialogs.reject_view)
        await ack()

    @app.action(ids.ANSWER)
    async def answer(ack: AsyncAck, body: Json) -> None:
        await open_dialog(parts, body, "answer", dialogs.answer_view)
        await ack()

    @app.action(ids.READ_ALL)
    async def read_all(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        seen = ids.unpack(click.value)
        await show(parts, click, seen.request_id, parts.call_view)
        await ack()

    @app.action(ids.DETAILS)
    async def details(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        await show(parts, click, ids.unpack(click.value).request_id, parts.request_view)
        await ack()

    @app.action(ids.OPEN)
    async def open_request(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        await show(parts, click, ids.unpack(click.value).request_id, parts.request_view)
        await ack()

    @app.action(ids.MORE)
    async def more(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        pick = ids.unpack_pick(click.value)
        match pick.verb:
            case "details":
                await show(parts, click, pick.request_id, parts.request_view)
            case "respond":
                await open_dialog(parts, body, "respond", dialogs.respond_view, pick)
            case "changes":
                await open_dialog(parts, body, "request changes", dialogs.changes_view, pick)
            case "reject":
                await open_dialog(parts, body, "reject", dialogs.reject_view, pick)
        await ack()

    @app.view(ids.ANSWER)
    async def answered(ack: AsyncAck, body: Json) -> None:
        sent = Submitted.parse(body)
        seen = ids.unpack(sent.metadata)
        verdict = await desk.admit(sent.who, seen, "answer")
        if verdict.refusal is not None or verdict.request is None:
            await close(ack, verdict)
            return
        words = dialogs.read_answer(verdict.request, sent.values)
        if not isinstance(words, str):
            await ack(response_action="errors", errors=words)
            return

        def answer(person: Person, _: Request) -> Answer:
            return Answer(by=person, text=words, seen=seen.fingerprint)

        await close(ack, await desk.decide(sent.who, seen.request_id, "answer", answer))

    for callback_id, verb, command in _SUBMISSIONS:
        app.view(callback_id)(_submitted(parts, verb, command))


async def show(
    parts: Parts, click: Click, request_id: RequestId, view: Callable[[Who, Request], Awaitable[Json]]
) -> None:
    """Bring up a request in a dialog. To read it one must be able to see it; deciding is checked apart."""
    verdict = await parts.desk.read(click.who, request_id)
    if verdict.request is None:
        await parts.tell(click, verdict.refusal or replies.NO_SUCH_MESSAGE)
        return
    await parts.open(click.trigger_id, await view(click.who, verdict.request), on_top=click.is_in_dialog)


async def open_dialog(
    parts: Parts, body: Json, verb: str, view: Callable[[Request], Json], named: Seen | Pick | None = None
) -> None:
    """Open a dialog for one verb, if the person may use it; what they saw must still be what is asked."""
    click = Click.parse(body)
    seen = named or ids.unpack(click.value)
    verdict = await parts.desk.admit(click.who, seen, verb)
    if verdict.refusal is not None or verdict.request is None:
        await parts.tell(click, verdict.refusal or replies.NO_SUCH_MESSAGE)
        return
    await parts.open(click.trigger_id, view(verdict.request), on_top=click.is_in_dialog)


async def _choose(parts: Parts, click: Click, seen: Seen | Pick, index: int) -> Verdict:
    """Answer a question with one of its options."""

    def answer(person: Person, request: Request) -> Answer:
        return Answer(by=person, text=answer_at(request, index) or "", seen=_fingerprint(request, seen))

    return await parts.desk.decide(click.who, seen.request_id, "answer", answer)


def _submitted(parts: Parts, verb: str, command: Worded) -> Callable[[AsyncAck, Json], Awaitable[None]]:
    """A listener for a dialog whose one text says why, or what."""

    async def submitted(ack: AsyncAck, body: Json) -> None:
        sent = Submitted.parse(body)
        seen, words = ids.unpack(sent.metadata), dialogs.words_in(sent.values) or ""
        verdict = await parts.desk.decide(
            sent.who, seen.request_id, verb, lambda person, _: command(person, seen, words)
        )
        await close(ack, verdict)

    return submitted


async def close(ack: AsyncAck, verdict: Verdict) -> None:
    """Close every dialog after a decision, or say in the last one why there is none."""
    if verdict.refusal is None:
        await ack(response_action="clear")
    else:
        await ack(response_action="update", view=dialogs.notice_view(verdict.refusal))


def _read(person: Person, seen: Seen, words: str) -> Decides:
    return Approve(by=person, seen=seen.fingerprint, note=words or None)


def _reject(person: Person, _: Seen, words: str) -> Decides:
    return Reject(by=person, feedback=words or None)


def _respond(person: Person, seen: Seen, words: str) -> Decides:
    return Answer(by=person, text=words, seen=seen.fingerprint)


def _changes(person: Person, _: Seen, words: str) -> Decides:
    return RequestChanges(by=person, feedback=words)


_SUBMISSIONS = (
    (ids.READ, "approve", _read),
    (ids.REJECT, "reject", _reject),
    (ids.RESPOND, "respond", _respond),
    (ids.CHANGES, "request changes", _changes),
)


def _fingerprint(request: Request, seen: Seen | Pick) -> Fingerprint:
    """What was seen, in full: a menu's option has room for the beginning of it only."""
    if isinstance(seen, Seen):
        return seen.fingerprint
    return request.fingerprint if seen.fits(request) else Fingerprint(seen.mark)
