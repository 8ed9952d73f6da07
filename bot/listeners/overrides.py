"""`/approvals override ID reason`: break-glass, for those whom the policy names; `sayings` makes it loud."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Override
from approvals.model import Person, Request
from blocks import dialogs, ids, replies
from bot.desk import Verdict
from bot.listeners.decisions import on_submit
from bot.listeners.parts import Parts
from bot.payloads import Slash, Submitted


def register(app: AsyncApp, parts: Parts) -> None:
    """Join the dialog in which an override is read before it is made."""
    app.view(ids.OVERRIDE)(on_submit(parts, _submitted))


async def override(parts: Parts, ack: AsyncAck, slash: Slash) -> None:
    """Let it through, or first show what must be read to whoever may let it through."""
    reason = slash.rest(2)
    if not reason:
        await ack(text=replies.usage_override(parts.commands))
        return
    found = await parts.desk.find(slash.who, slash.words[1], "override")
    request = found.request
    if request is None:
        await ack(text=found.words)
        return
    may = request.is_pending and await parts.desk.may_override(slash.who, request)
    if may and await parts.must_be_read(request):
        await parts.open(slash, await parts.override_view(request, reason))
        await ack()
        return

    def made(person: Person, _: Request) -> Override:
        return Override(by=person, seen=request.fingerprint, reason=reason)

    await ack(text=(await parts.desk.decide(slash.who, request.id, "override", made)).words)


async def _submitted(parts: Parts, submitted: Submitted) -> Verdict:
    seen, reason = ids.unpack(submitted.metadata), dialogs.words_in(submitted.values) or ""

    def made(person: Person, _: Request) -> Override:
        return Override(by=person, seen=seen.fingerprint, reason=reason)

    return await parts.desk.decide(submitted.who, seen.request_id, "override", made)
