"""Requests in every state, each brought there by the machine itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Climb,
    Command,
    Expire,
    GiveUp,
    Lapse,
    LookAt,
    Override,
    Reject,
    Report,
    RequestChanges,
    Revise,
    Snooze,
    TakeBack,
)
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.model import (
    Action,
    Args,
    Group,
    OnDeadline,
    Person,
    PersonId,
    Principal,
    Remind,
    Request,
    RequestId,
    Risk,
    Step,
)
from tests.builders import REFUND, T0, a_person, a_question, a_request, terms

ID = RequestId("R-7K2MABCDEFGHJKMNPQRSTVWXYZ")
ANA = a_person()
KIM = a_person(id=PersonId("U0KIM"), name="Kim Lee")
LATER = T0 + timedelta(seconds=72)

EMAIL: Args = {
    "to": "ana@example.com",
    "subject": "Your refund",
    "body": "Dear Ana,\n\nwe have sent you 940 USD.\n\nYours,\nthe billing team",
}
DEPLOY: Args = {
    "service": "checkout",
    "version": "2.14.0",
    "environment": "production",
    "flags": {"canary": True, "regions": ["eu-west-1", "us-east-1"], "max_unavailable": 0},
    "dry_run": False,
}
INJECTION: Args = {
    "customer": "<!channel> <@U0ANA> <https://evil.example|Safe> `a` ```b``` *c* :white_check_mark:",
    "memo": "ok\namount     1\n• approved by Kim Lee\n✓ done",
    "name\namount": "fake",
    "account": "c_\u202e42\u202c",
    "zero": "pay\u200bpal",
    "tags": "x\U000e0041\U000e0042y",
    "lines": "a" + "\n" * 10_000 + "b",
    "spaces": "a" + " " * 300 + "b",
    "marker": "⟨nothing to see⟩",
    "looks": "940",
    "amount": 940,
}


def asked(
    *, args: Args = REFUND, tool: str = "refund", action: Action = Action.ASK, **changes: Any
) -> Request:
    usual: dict[str, Any] = {
        "risk": Risk.MEDIUM,
        "rule": "refunds over $500",
        "because": "refunds over $500 need a person",
    }
    of_terms = {name: changes.pop(name) for name in list(changes) if name in TERMS}
    made = a_request(
        id=ID,
        tool=tool,
        args=args,
        created_at=T0,
        terms=terms(action=action, **(usual | of_terms)),
        **changes,
    )
    return begun(made)


def a_question_asked(**changes: Any) -> Request:
    return begun(a_question(id=ID, created_at=T0, reason=None, **changes))


def begun(request: Request) -> Request:
    for event in begin(request):
        request = evolve(request, event)
    return request


def after(request: Request, *commands: Command, since: timedelta = timedelta(seconds=72)) -> Request:
    """The request as `commands` leave it, the first after `since`, the others a second apart."""
    now = request.trail[-1].at + since if request.trail else T0 + since
    for command in commands:
        request = evolve(request, decide(request, command, now=now))
        now += timedelta(seconds=1)
    return request


def yes(request: Request, by: Person = ANA, **changes: Any) -> Approve:
    return Approve(by=by, seen=request.fingerprint, **changes)


def edited(request: Request, **changes: Any) -> Request:
    new = Approve(
        by=ANA,
        seen=request.fingerprint,
        edited={**request.args, **changes},
        note="Shipping is not refundable.",
    )
    return after(request, new)


def _ran(request: Request, *, ok: bool, result: str | None, duration_ms: int | None) -> Request:
    return after(
        request, Claim(), Report(ok=ok, result=result, duration_ms=duration_ms), since=timedelta(seconds=1)
    )


def _two(**changes: Any) -> Request:
    return asked(quorum=2, risk=Risk.HIGH, **changes)


def _approved() -> Request:
    one = asked()
    return after(one, yes(one))


def _quorum() -> Request:
    one = after(_two(), yes(_two(), note="Checked the invoice."))
    return after(one, yes(one, KIM))


def _vote_with_edit() -> Request:
    one = _two()
    return after(one, Approve(by=ANA, seen=one.fingerprint, edited={**one.args, "amount": 900}))


def _expire_at(request: Request) -> Request:
    assert request.deadline is not None
    return evolve(request, decide(request, Expire(was_shown=True), now=request.deadline))


def _lapsed() -> Request:
    one = _approved()
    assert one.claim_by is not None
    return evolve(one, decide(one, Lapse(), now=one.claim_by + timedelta(seconds=10)))


def _changed(request: Request) -> Request:
    return after(request, RequestChanges(by=ANA, feedback="Take the shipping off, please."))


TERMS = {
    "risk",
    "rule",
    "because",
    "quorum",
    "deadline_s",
    "on_deadline",
    "approvers",
    "channel",
    "use_within_s",
    "groups",
    "rejections",
    "self_approval",
    "ladder",
    "extend_s",
    "override",
}
DIRECTORS, ONCALL = Principal("S0DIRECTORS"), Principal("@sre-oncall")
GROUPS = (
    Group(name="directors", principals=(DIRECTORS,), needed=1),
    Group(name="security", principals=(ONCALL,), needed=1),
)
LADDER = (Step(after_s=600, remind=Remind.THREAD), Step(after_s=1200, add=(ONCALL,), remind=Remind.CHANNEL))
DIRECTOR = a_person(principals=frozenset({DIRECTORS, Principal("channel")}))


def _of_groups() -> Request:
    return asked(approvers=(DIRECTORS, ONCALL), groups=GROUPS)


def _climbed() -> Request:
    one = asked(ladder=LADDER, extend_s=8 * 3600)
    return after(one, Climb(), Climb(), since=timedelta(minutes=20))


def _own() -> Request:
    return asked(self_approval=True, on_behalf_of=ANA.id)


def _overridden() -> Request:
    one = asked(override=(Principal("channel"),), quorum=2)
    return after(one, Override(by=ANA, seen=one.fingerprint, reason="The site is down."))


MANY = ["Frankfurt", "Dublin", "Paris", "Stockholm", "Milan", "Zürich", "Ohio"]

SCENES: dict[str, Callable[[], Request]] = {
    "pending": asked,
    "pending_high_risk": lambda: asked(risk=Risk.HIGH),
    "pending_email": lambda: asked(tool="send_email", args=EMAIL, reason=None),
    "pending_deploy": lambda: asked(
        tool="deploy", args=DEPLOY, agent="release", on_deadline=OnDeadline.APPROVE
    ),
    "pending_named_approvers": lambda: asked(
        approvers=(Principal("U0CFO"), Principal("S0DIRS"), Principal("@oncall"))
    ),
    "pending_no_deadline": lambda: asked(deadline_s=None, reason=None),
    "pending_two_days": lambda: asked(deadline_s=48 * 3600),
    "pending_no_arguments": lambda: asked(tool="rotate_keys", args={}, reason=None),
    "pending_quorum_none": _two,
    "pending_quorum_one": lambda: after(_two(), yes(_two(), note="Checked the invoice.")),
    "pending_vote_with_edit": _vote_with_edit,
    "pending_long": lambda: asked(tool="send_email", args={**EMAIL, "body": "All of it counts. " * 400}),
    "pending_huge": lambda: asked(tool="run_sql", args={"query": "SELECT 1; " * 9_000, "database": "ledger"}),
    "pending_injection": lambda: asked(args=INJECTION, reason="<!channel> *approved*\n✓ by Kim\u202e"),
    "pending_groups": _of_groups,
    "pending_groups_one": lambda: after(_of_groups(), yes(_of_groups(), DIRECTOR, note="Fine with me.")),
    "pending_objection": lambda: after(asked(rejections=2), Reject(by=KIM, feedback="Too much.")),
    "pending_ladder": lambda: asked(ladder=LADDER),
    "pending_escalated": _climbed,
    "pending_snoozed": lambda: after(asked(ladder=LADDER), Snooze(by=ANA, seconds=1800)),
    "pending_own": _own,
    "own_approved": lambda: after(_own(), yes(_own(), note="Nobody else is awake.")),
    "overridden": _overridden,
    "overridden_seen": lambda: after(_overridden(), LookAt(by=KIM)),
    "withdrawn": lambda: after(_approved(), TakeBack(by=ANA)),
    "with_agent": lambda: _changed(asked()),
    "revised": lambda: after(
        _changed(asked()), Revise(args={**REFUND, "amount": 900}, reason="Without shipping.")
    ),
    "approved": _approved,
    "approved_with_note": lambda: after(asked(), yes(asked(), note="Fine, the invoice is wrong.")),
    "approved_quorum": _quorum,
    "approved_at_deadline": lambda: _expire_at(asked(on_deadline=OnDeadline.APPROVE)),
    "edited": lambda: edited(asked(), amount=900),
    "edited_text": lambda: edited(
        asked(tool="send_email", args=EMAIL), body="Dear Ana,\n\nwe have sent you 900 USD."
    ),
    "edited_nested": lambda: edited(
        asked(tool="deploy", args=DEPLOY), flags={"canary": False, "regions": ["eu-west-1"]}
    ),
    "rejected": lambda: after(asked(), Reject(by=ANA, feedback="Ask the customer for the invoice first.")),
    "rejected_silently": lambda: after(asked(), Reject(by=ANA)),
    "answered_instead": lambda: after(asked(), Answer(by=ANA, text="I have done it by hand.")),
    "expired": lambda: _expire_at(asked()),
    "cancelled": lambda: after(asked(), Cancel(reason="The customer withdrew.")),
    "undeliverable": lambda: after(asked(), GiveUp(reason="#approvals is archived.")),
    "executing": lambda: after(_approved(), Claim()),
    "executed": lambda: _ran(
        edited(asked(), amount=900), ok=True, result="refunded, re_81f", duration_ms=812
    ),
    "failed": lambda: _ran(_approved(), ok=False, result="card_declined", duration_ms=95_000),
    "lapsed": _lapsed,
    "allowed": lambda: asked(action=Action.ALLOW),
    "denied": lambda: asked(action=Action.DENY),
    "question": a_question_asked,
    "question_many": lambda: a_question_asked(
        args={
            "question": "Which region?",
            "context": "Both have capacity.",
            "options": MANY,
            "free_text": True,
        }
    ),
    "question_free": lambda: a_question_asked(
        args={"question": "What should the subject be?", "free_text": True}
    ),
    "question_answered": lambda: after(a_question_asked(), Answer(by=ANA, text="eu")),
}


def scene(name: str) -> Request:
    return SCENES[name]()


def now_for(request: Request) -> datetime:
    return max([T0 + timedelta(seconds=1), *(line.at for line in request.trail)])
