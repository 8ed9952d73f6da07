"""Edit: a dialog made from the call's schema, read back into args, and approved as changed."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from approvals.commands import Approve
from approvals.model import Person, Request
from blocks import edit, ids
from bot.desk import Verdict
from bot.listeners.decisions import on_click, on_submit, open_dialog
from bot.listeners.parts import Errors, Json, Parts
from bot.payloads import Click, Submitted


def register(app: AsyncApp, parts: Parts) -> None:
    """Join Edit to the desk."""
    app.action(ids.EDIT)(on_click(parts, _edit))
    app.view(ids.EDIT)(on_submit(parts, _edited))


async def _edit(parts: Parts, click: Click) -> None:
    def view(request: Request) -> Json:
        return edit.edit_view(request, is_own=request.on_behalf_of == click.who.id)

    await open_dialog(parts, click, "edit", view)


async def _edited(parts: Parts, submitted: Submitted) -> Verdict | Errors:
    seen = ids.unpack(submitted.metadata)
    verdict = await parts.desk.admit(submitted.who, seen, "edit")
    if verdict.refusal is not None or verdict.request is None:
        return verdict
    read = edit.read_edit(verdict.request, submitted.values)
    if not isinstance(read, edit.Edited):
        return read

    def approve(person: Person, _: Request) -> Approve:
        return Approve(by=person, seen=seen.fingerprint, alike=seen.alike, edited=read.args, note=read.note)

    return await parts.desk.decide(submitted.who, seen.request_id, "edit", approve)
