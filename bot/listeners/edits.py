"""Edit: a dialog made from the call's schema, read back into args, and approved as changed.

A changed call goes through the policy again: it may be denied, or be for others than it was before.
"""

from __future__ import annotations

import hashlib

from slack_bolt.async_app import AsyncApp

from approvals.canonical import encode, fingerprint
from approvals.commands import Approve
from approvals.machine import may_count
from approvals.model import Args, Person, Request, Terms
from approvals.policy import who_decides
from blocks import edit, ids
from blocks.edit import Edited
from blocks.ids import Seen
from bot.desk import Verdict
from bot.listeners.decisions import Next, on_click, on_submit, open_dialog
from bot.listeners.parts import Errors, Json, Parts
from bot.payloads import Click, Submitted, Who
from bot.redirecting import Redirecting, asked_anew

MARK_CHARS = 16


def register(app: AsyncApp, parts: Parts) -> None:
    """Join Edit to the desk."""
    app.action(ids.EDIT)(on_click(parts, _edit))
    app.view(ids.EDIT)(on_submit(parts, _edited))


async def _edit(parts: Parts, click: Click) -> None:
    def view(request: Request) -> Json:
        return edit.edit_view(request, is_own=request.on_behalf_of == click.who.id)

    await open_dialog(parts, click, "edit", view)


async def _edited(parts: Parts, submitted: Submitted) -> Verdict | Errors | Next:
    seen, agreed = ids.unpack_agreed(submitted.metadata)
    verdict = await parts.desk.admit(submitted.who, seen, "edit")
    if verdict.refusal is not None or verdict.request is None:
        return verdict
    read = edit.read_edit(verdict.request, submitted.values)
    if not isinstance(read, Edited):
        return read
    redirecting = Redirecting(parts.desk, parts.judge, parts.stages)
    terms = await redirecting.terms(verdict.request, read.args)
    if terms is not None:
        return await _under(redirecting, submitted.who, verdict.request, seen, read, terms, agreed)

    def approve(person: Person, _: Request) -> Approve:
        return Approve(by=person, seen=seen.fingerprint, alike=seen.alike, edited=read.args, note=read.note)

    return await parts.desk.decide(submitted.who, seen.request_id, "edit", approve)


async def _under(
    redirecting: Redirecting,
    who: Who,
    request: Request,
    seen: Seen,
    edited: Edited,
    terms: Terms,
    agreed: str,
) -> Verdict | Errors | Next:
    """Deny it, ask whether it is meant so, or change it: whatever was agreed to must be what holds now."""
    why = await redirecting.denied(who, request, terms)
    if why is not None:
        return edit.why_not(request, edited, why)
    mark = _mark(request, edited.args, terms)
    if mark == agreed:
        return await redirecting.redirect(who, seen, request, edited.args, terms, note=edited.note)
    anew = asked_anew(request, terms)
    voter = await redirecting.desk.person(who, anew)
    counted = voter if may_count(anew, voter) else None
    is_own = request.on_behalf_of == who.id
    return Next(edit.redirect_view(request, edited, terms, mark, voter=counted, is_own=is_own))


def _mark(request: Request, args: Args, terms: Terms) -> str:
    """Names a changed call, and who is to decide it."""
    meant = encode([fingerprint(request.tool, args), who_decides(terms)])
    return hashlib.sha256(meant).hexdigest()[:MARK_CHARS]
