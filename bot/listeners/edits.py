"""Edit: a dialog made from the call's schema, read back into args, and approved as changed."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp

from approvals.commands import Approve
from approvals.model import Person, Request
from blocks import edit, ids
from bot.listeners.decisions import close, open_dialog
from bot.listeners.parts import Json, Parts
from bot.payloads import Submitted


def register(app: AsyncApp, parts: Parts) -> None:
    """Join Edit to the desk."""
    desk = parts.desk

    @app.action(ids.EDIT)
    async def open_edit(ack: AsyncAck, body: Json) -> None:
        await open_dialog(parts, body, "edit", edit.edit_view)
        await ack()

    @app.view(ids.EDIT)
    async def edited(ack: AsyncAck, body: Json) -> None:
        sent = Submitted.parse(body)
        seen = ids.unpack(sent.metadata)
        verdict = await desk.admit(sent.who, seen, "edit")
        if verdict.refusal is not None or verdict.request is None:
            await close(ack, verdict)
            return
        read = edit.read_edit(verdict.request, sent.values)
        if not isinstance(read, edit.Edited):
            await ack(response_action="errors", errors=read)
            return

        def approve(person: Person, _: Request) -> Approve:
            return Approve(by=person, seen=seen.fingerprint, edited=read.args, note=read.note)

        await close(ack, await desk.decide(sent.who, seen.request_id, "edit", approve))
