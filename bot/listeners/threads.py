"""What is said in threads and asked of messages: answers to questions, mentions, the message shortcut.

Commands can't be typed in threads. A written message decides nothing but a question that takes free text.
"""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Answer
from approvals.errors import Refusal
from approvals.model import Kind, Person, Request
from blocks import replies
from bot.listeners.parts import Json, Parts
from bot.payloads import Said, Shortcut

SHOW_REQUEST = "show_request"
OPEN_QUEUE = "open_queue"
_ID = re.compile(r"\b[Rr]-[0-9A-Za-z]{4,26}\b")


def register(app: AsyncApp, parts: Parts) -> None:
    """Join threads to the desk."""

    @app.event("message")
    async def said(event: Json) -> None:
        message = Said.parse(event)
        if message is not None and message.thread_ts is not None and message.text:
            await _answer(parts, message)

    @app.event("app_mention")
    async def mentioned(event: Json) -> None:
        message = Said.parse(event)
        if message is not None:
            await _bring_up(parts, message)

    @app.shortcut(SHOW_REQUEST)
    async def show_request(ack: AsyncAck, body: Json) -> None:
        shortcut = Shortcut.parse(body)
        request = await _meant(parts, shortcut.channel, shortcut.message_ts, shortcut.thread_ts)
        if request is None:
            await parts.replier.whisper(shortcut.response_url, replies.NO_SUCH_MESSAGE)
        else:
            await parts.open(shortcut, await parts.request_view(shortcut.who, request))
        await ack()

    @app.shortcut(OPEN_QUEUE)
    async def open_queue(ack: AsyncAck, body: Json) -> None:
        shortcut = Shortcut.parse(body)
        await parts.open(shortcut, await parts.queue_view(shortcut.who))
        await ack()


async def _answer(parts: Parts, message: Said) -> None:
    """A written answer, if this thread hangs under an open question that takes one."""
    request = await _meant(parts, message.channel, message.thread_ts, None)
    if request is None or request.kind is not Kind.QUESTION or not request.is_pending:
        return
    if parts.people.home.bot_user in message.text or not request.args.get("free_text"):
        return  # a form, or some of many options, is answered in the dialog alone

    def answer(person: Person, _: Request) -> Answer:
        return Answer(by=person, text=message.text)

    verdict = await parts.desk.decide(message.who, request.id, "answer", answer)
    if verdict.refusal is not None:
        await parts.whisper_in(message.channel, message.who.id, verdict.refusal, thread_ts=message.thread_ts)


async def _bring_up(parts: Parts, message: Said) -> None:
    """Show the card in this thread, to be clicked: the one named, or the one that the thread is about."""
    typed = _ID.search(message.text)
    if typed is not None:
        found = await parts.desk.find(message.who, typed.group(), "read")
        request, refusal = found.request, found.refusal
    else:
        request = await _meant(parts, message.channel, message.thread_ts, None)
        refusal = replies.NO_SUCH_MESSAGE
    if request is None:
        words = refusal or replies.NO_SUCH_MESSAGE
    elif await parts.desk.show_in(request, message.channel, message.thread_ts or message.ts):
        return
    else:
        words = replies.elsewhere(request, parts.commands)
    await parts.whisper_in(message.channel, message.who.id, words, thread_ts=message.thread_ts)


async def _meant(parts: Parts, channel: str | None, *messages: str | None) -> Request | None:
    """The request that a message, or the one above its thread, shows."""
    for ts in messages:
        request_id = await parts.desk.cards.shown_by(channel, ts) if channel and ts else None
        if request_id is not None:
            try:
                return (await parts.desk.store.get(request_id))[0]
            except Refusal:
                return None
    return None
