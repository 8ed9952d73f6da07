"""What stories look at: private answers, the words of the log, what an agent was told."""

from collections.abc import Iterator
from typing import Any

from approvals.audit import Entry
from approvals.model import Args, RequestId
from bot.app import Service
from bot.sandbox.model import Message, View
from bot.sandbox.server import Sandbox
from tests.running import until

REFUND: Args = {"customer": "c_42", "amount": 940}
AFTER_KEY = 2  # the log's first entry tells that the signing key was made
DECISIONS = {"approved", "edited", "rejected", "answered", "expired", "cancelled", "allowed", "denied"}


async def whispered(slack: Sandbox, person: str, words: str, *, channel: str = "C0APPROVALS") -> Message:
    """The private answer that says `words`, as soon as that person has it."""

    def told() -> Message | None:
        answers = slack.person(person).ephemerals(channel)
        return next((answer for answer in reversed(answers) if words in answer.shown), None)

    found = await slack.until(told)
    assert found is not None
    return found


async def logged(bot: Service, request_id: str, event: str, *, times: int = 1) -> list[Entry]:
    """The entries of one request with that event, as soon as there are `times` of them."""

    async def found() -> list[Entry]:
        entries = [entry for entry in await bot.store.chain(RequestId(request_id)) if entry.event == event]
        return entries if len(entries) >= times else []

    return await until(found)


async def events(bot: Service, request_id: str) -> list[str]:
    """The words of the log about one request, in order."""
    return [entry.event for entry in await bot.store.chain(RequestId(request_id))]


def formatted(shown: Message | View) -> str:
    """All that Slack would look for markup in: the message's text, and every mrkdwn object."""
    text = shown.text if isinstance(shown, Message) else ""
    return "\n".join([text, *_mrkdwn(shown.blocks)])


def _mrkdwn(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _mrkdwn(item)
    elif isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for value in node.values():
            yield from _mrkdwn(value)
