"""Valid values with one thing different: `a_request(quorum=2)`-style, so that a test shows only what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from approvals.canonical import fingerprint
from approvals.model import (
    CHANNEL,
    Action,
    AgentName,
    Args,
    Barred,
    Kind,
    Person,
    PersonId,
    Principal,
    Request,
    RequestId,
    Tenant,
    Terms,
)

T0 = datetime(2026, 11, 20, 14, 40, tzinfo=UTC)  # when every request of a builder was made
REFUND: Args = {"customer": "c_42", "amount": 940, "currency": "USD"}
QUESTION: Args = {"question": "Which region?", "options": ["eu", "us"], "free_text": False}


def terms(**changes: Any) -> Terms:
    """What a policy says that asks anyone in the channel."""
    usual = Terms(
        rule="refunds",
        policy="3f9c1d2e4b5a",
        action=Action.ASK,
        because="rule “refunds” asks for anyone in the channel",
        channel="#approvals",
        approvers=(CHANNEL,),
    )
    return replace(usual, **changes)


def a_request(**changes: Any) -> Request:
    """A refund that billing wants, just submitted. Terms, args and deadline keep the rest in step with them."""
    of_terms = changes.pop("terms", None) or terms()
    tool, args = changes.pop("tool", "refund"), changes.pop("args", REFUND)
    seconds = of_terms.deadline_s
    usual = Request(
        id=RequestId("R-7K2M4Q9ZT0XW3E5RB8NC1HDJFA"),
        tenant=Tenant("default"),
        agent=AgentName("billing"),
        kind=Kind.ACTION,
        tool=tool,
        args=args,
        fingerprint=fingerprint(tool, args),
        terms=of_terms,
        created_at=T0,
        deadline=None if seconds is None else T0 + timedelta(seconds=seconds),
        reason="Charged twice for invoice 881.",
        short="R-7K2M",
    )
    return replace(usual, **changes)


def a_question(**changes: Any) -> Request:
    """A question of billing's with two options."""
    return a_request(**{"kind": Kind.QUESTION, "tool": "ask", "args": QUESTION} | changes)


def a_person(
    id: str = "U0ANA", *, name: str | None = None, of: str | None = CHANNEL, barred: Barred | None = None
) -> Person:
    """Somebody who may decide; `of=None`: who is none of the approvers."""
    principals = frozenset() if of is None else frozenset({Principal(of)})
    return Person(id=PersonId(id), name=name or id[2:].capitalize(), principals=principals, barred=barred)
