"""The buttons of a card, and the dialogs behind them: approve, reject, answer, respond, request changes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Answer, Approve, Reject, RequestChanges
from approvals.model import I_TAKE_OVER, Fingerprint, Person, Request
from blocks import dialogs, grants, ids, replies
from blocks.delays import snooze_view
from blocks.ids import Pick, Seen
from blocks.question import answer_at
from bot.desk import Decides, Verdict
from bot.listeners import beneath
from bot.listeners.parts import Errors, Json, Parts
from bot.payloads import Click, Submitted, Who, laid_on

Clicked: TypeAlias = Callable[[Parts, Click], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Next:
    """What is shown in a dialog's place, as there is more to be said first."""

    view: Json


Sent: TypeAlias = Callable[[Parts, Submitted], Awaitable[Verdict | Errors | Next]]


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the card's buttons and their dialogs to the desk."""
    for action_id, clicked in _ACTIONS:
        app.action(action_id)(on_click(parts, clicked))
    for callback_id, sent in _DIALOGS:
        app.view(callback_id)(on_submit(parts, sent))


def on_click(parts: Parts, clicked: Clicked) -> Callable[[AsyncAck, Json], Awaitable[None]]:
    """A listener that acknowledges a click after `clicked` has dealt with it."""

    async def listener(ack: AsyncAck, body: Json) -> None:
        click = Click.parse(body)
        await clicked(parts, click)
        await beneath.redraw(parts, click)
        await ack()

    return listener


def on_submit(parts: Parts, sent: Sent) -> Callable[[AsyncAck, Json], Awaitable[None]]:
    """A listener that closes the dialog after a decision, or says in it why there is none."""

    async def listener(ack: AsyncAck, body: Json) -> None:
        submitted = Submitted.parse(body)
        verdict = await sent(parts, submitted)
        if isinstance(verdict, Next):
            await ack(response_action="update", view=laid_on(verdict.view, submitted.stack.beneath))
        elif not isinstance(verdict, Verdict):
            await ack(response_action="errors", errors=verdict)
        else:
            await ack(**await _after(parts, submitted, verdict))

    return listener


async def _after(parts: Parts, submitted: Submitted, verdict: Verdict) -> Json:
    """Close all dialogs; or only this one, where a digest's list or walk goes on beneath it."""
    if verdict.refusal is not None:
        await beneath.redraw(parts, submitted)
        return {"response_action": "update", "view": dialogs.notice_view(verdict.refusal)}
    if not submitted.stack.beneath:
        return {"response_action": "clear"}
    await beneath.redraw(parts, submitted, note=verdict.words)
    await beneath.close_between(parts, submitted, verdict.words)
    return {}


async def open_dialog(
    parts: Parts, click: Click, verb: str, view: Callable[[Request], Json], named: Pick | None = None
) -> None:
    """Open a dialog for one verb, if the person may use it and what they saw is still what is asked."""
    verdict = await parts.desk.admit(click.who, named or ids.unpack(click.value), verb)
    if verdict.refusal is not None or verdict.request is None:
        await parts.tell(click, verdict.refusal or replies.NO_SUCH_MESSAGE)
    else:
        await parts.open(click, view(verdict.request), on_top=click.is_in_dialog)


# -- buttons and menus --------------------------------------------------------------------------------


async def approve(parts: Parts, click: Click) -> None:
    seen = ids.unpack(click.value)

    def approve(person: Person, _: Request) -> Approve:
        return Approve(by=person, seen=seen.fingerprint, alike=seen.alike)

    verdict = await parts.desk.decide(click.who, seen.request_id, "approve", approve)
    if verdict.needs_reason and verdict.request is not None:
        await parts.open(click, await parts.call_view(click.who, verdict.request), on_top=click.is_in_dialog)
    else:
        await parts.tell_verdict(click, verdict)


async def reject(parts: Parts, click: Click) -> None:
    await open_dialog(parts, click, "reject", dialogs.reject_view)


async def _answer(parts: Parts, click: Click) -> None:
    await open_dialog(parts, click, "answer", dialogs.answer_view)


async def _option(parts: Parts, click: Click) -> None:
    await _choose(parts, click, ids.unpack(click.value), ids.option_index(click.action_id))


async def _menu_option(parts: Parts, click: Click) -> None:
    pick = ids.unpack_pick(click.value)
    await _choose(parts, click, pick, pick.index)


async def _choose(parts: Parts, click: Click, seen: Seen | Pick, index: int) -> None:
    """Answer a question with one of its options."""

    def answer(person: Person, request: Request) -> Answer:
        return Answer(by=person, text=answer_at(request, index) or "", seen=_fingerprint(request, seen))

    await parts.tell_verdict(click, await parts.desk.decide(click.who, seen.request_id, "answer", answer))


async def _take_over(parts: Parts, click: Click, seen: Pick) -> None:
    """A person goes on in the agent's place."""

    def answer(person: Person, request: Request) -> Answer:
        return Answer(by=person, text=I_TAKE_OVER, seen=_fingerprint(request, seen))

    await parts.tell_verdict(click, await parts.desk.decide(click.who, seen.request_id, "answer", answer))


def _fingerprint(request: Request, seen: Seen | Pick) -> Fingerprint:
    """What was seen, in full: a menu's option has room for the beginning of it only."""
    if isinstance(seen, Seen):
        return seen.fingerprint
    return request.fingerprint if seen.fits(request) else Fingerprint(seen.mark)


async def _more(parts: Parts, click: Click) -> None:
    pick = ids.unpack_pick(click.value)
    match pick.verb:
        case "details":
            await _show(parts, click, pick, parts.request_view)
        case "respond":
            await open_dialog(parts, click, "respond", dialogs.respond_view, pick)
        case "changes":
            await open_dialog(parts, click, "request changes", dialogs.changes_view, pick)
        case "similar":
            await open_dialog(parts, click, "approve similar", grants.grant_view, pick)
        case "reject":
            await open_dialog(parts, click, "reject", dialogs.reject_view, pick)
        case "takeover":
            await _take_over(parts, click, pick)
        case "snooze":
            now = await parts.desk.store.now()
            morning = await parts.people.next_morning(click.who.id, now)
            await open_dialog(
                parts, click, "snooze", lambda request: snooze_view(request, now, morning), pick
            )


async def _read_all(parts: Parts, click: Click) -> None:
    await _show(parts, click, ids.unpack(click.value), parts.call_view)


async def details(parts: Parts, click: Click) -> None:
    await _show(parts, click, ids.unpack(click.value), parts.request_view)


async def _show(
    parts: Parts, click: Click, named: Seen | Pick, view: Callable[[Who, Request], Awaitable[Json]]
) -> None:
    """Bring up a request in a dialog. To read it one must be able to see it; deciding is checked apart."""
    verdict = await parts.desk.read(click.who, named.request_id)
    if verdict.request is None:
        await parts.tell(click, verdict.words)
    else:
        drawn = await view(click.who, verdict.request)
        await parts.open(click, drawn, on_top=click.is_in_dialog)


async def _on_their_way(parts: Parts, click: Click) -> None:
    """The press has opened a page, which goes on from there."""


_ACTIONS: tuple[tuple[str | re.Pattern[str], Clicked], ...] = (
    (ids.APPROVE, approve),
    (ids.OPTION, _option),
    (ids.CHOOSE, _menu_option),
    (ids.REJECT, reject),
    (ids.ANSWER, _answer),
    (ids.MORE, _more),
    (ids.READ_ALL, _read_all),
    (ids.SIGN_IN, _on_their_way),
    (ids.DETAILS, details),
    (ids.OPEN, details),
)


# -- dialogs ------------------------------------------------------------------------------------------


def _worded(verb: str, command: Callable[[Person, Seen, str], Decides]) -> Sent:
    """What a dialog does whose one text says why, or what."""

    async def sent(parts: Parts, submitted: Submitted) -> Verdict:
        seen, words = ids.unpack(submitted.metadata), dialogs.words_in(submitted.values) or ""

        def made(person: Person, _: Request) -> Decides:
            return command(person, seen, words)

        return await parts.desk.decide(submitted.who, seen.request_id, verb, made)

    return sent


async def _answered(parts: Parts, submitted: Submitted) -> Verdict | Errors:
    seen = ids.unpack(submitted.metadata)
    verdict = await parts.desk.admit(submitted.who, seen, "answer")
    if verdict.refusal is not None or verdict.request is None:
        return verdict
    words = dialogs.read_answer(verdict.request, submitted.values)
    if not isinstance(words, str):
        return words

    def answer(person: Person, _: Request) -> Answer:
        return Answer(by=person, text=words, seen=seen.fingerprint)

    return await parts.desk.decide(submitted.who, seen.request_id, "answer", answer)


def _read(person: Person, seen: Seen, words: str) -> Decides:
    return Approve(by=person, seen=seen.fingerprint, alike=seen.alike, note=words or None)


def _rejected(person: Person, seen: Seen, words: str) -> Decides:
    return Reject(by=person, feedback=words or None, alike=seen.alike)


def _responded(person: Person, seen: Seen, words: str) -> Decides:
    return Answer(by=person, text=words, seen=seen.fingerprint, alike=seen.alike)


def _changes(person: Person, _: Seen, words: str) -> Decides:
    return RequestChanges(by=person, feedback=words)


_DIALOGS: tuple[tuple[str, Sent], ...] = (
    (ids.READ, _worded("approve", _read)),
    (ids.REJECT, _worded("reject", _rejected)),
    (ids.RESPOND, _worded("respond", _responded)),
    (ids.CHANGES, _worded("request changes", _changes)),
    (ids.ANSWER, _answered),
)
