"""The buttons of a card: each names the request and the call that it was drawn with."""

from __future__ import annotations

from datetime import datetime

from approvals.grants import may_be_granted
from approvals.ladder import is_to_remind
from approvals.model import ESCALATION_TOOL, I_TAKE_OVER, Kind, Request, Risk, Status
from blocks import ids
from blocks.action import headline, tool_words
from blocks.pieces import Block, actions, button, confirm, option, overflow
from blocks.question import choosers


def is_risky(request: Request) -> bool:
    return request.terms.risk.is_at_least(Risk.HIGH)


def is_open(request: Request, now: datetime) -> bool:
    """Whether people may still decide it."""
    return request.is_pending and (request.deadline is None or now < request.deadline)


def can_be_taken_back(request: Request) -> bool:
    """Whether a person let it through, and it is not known yet that its agent has begun."""
    decision = request.decision
    return request.status is Status.APPROVED and decision is not None and decision.by.id.startswith("slack:")


def card_buttons(request: Request, now: datetime, *, is_whole: bool, is_editable: bool) -> Block:
    """What a card can be answered with. `is_whole`: the card shows all that would be decided."""
    value = ids.pack(request)
    block_id = f"card|{request.id}|{request.version}"  # a new one each time: Slack asks for that in updates
    if not is_open(request, now):
        back = [button("Take back", ids.TAKE_BACK, value)] if can_be_taken_back(request) else []
        return actions(block_id, *back, button("Details", ids.DETAILS, value))
    if request.sent_back is not None:
        return actions(block_id, reject_button(request), button("Details", ids.DETAILS, value))
    if request.kind is Kind.QUESTION:
        return actions(block_id, *(choosers(request) if is_whole else [read_button(request)]), _more(request))
    edit = [button("Edit…", ids.EDIT, value)] if is_editable else []
    first = approve_button(request) if is_whole else read_button(request)
    is_grantable = is_whole and request.asked_args is None and may_be_granted(request)
    return actions(block_id, first, *edit, reject_button(request), _more(request, is_grantable=is_grantable))


def approve_button(request: Request) -> Block:
    what = headline(request)
    asked = None
    if is_risky(request):
        title = f"{tool_words(request.tool)}: {request.terms.risk} risk"
        asked = confirm(
            title, f"Approve this {request.terms.risk}-risk action? {what}", yes="Approve", no="Not yet"
        )
    return button(
        "Approve",
        ids.APPROVE,
        ids.pack(request),
        style="primary",
        confirm=asked,
        described=f"Approve: {what}",
    )


def read_button(request: Request) -> Block:
    return button("Read all", ids.READ_ALL, ids.pack(request), style="primary")


def reject_button(request: Request) -> Block:
    return button("Reject…", ids.REJECT, ids.pack(request), style="danger")


def _more(request: Request, *, is_grantable: bool = False) -> Block:
    verbs: list[tuple[str, ids.Verb]] = [("Details", "details")]
    if request.kind is Kind.ACTION:
        verbs += [("Respond…", "respond"), ("Request changes…", "changes")]
        verbs += [("Approve similar…", "similar")] if is_grantable else []
    else:
        verbs += [("Ask back…", "changes"), ("Reject…", "reject")]
        verbs += [] if request.tool == ESCALATION_TOOL else [(f"{I_TAKE_OVER}", "takeover")]
    if is_to_remind(request):
        verbs.append(("Snooze…", "snooze"))
    return overflow(ids.MORE, (option(words, ids.pack_pick(verb, request)) for words, verb in verbs))
