"""Valid values with one thing different (`a_request(tool="deploy")`): a test shows only what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from approvals.canonical import fingerprint
from approvals.dsse import SigningKey
from approvals.ids import new_id
from approvals.messages import Submission
from approvals.model import (
    CHANNEL,
    Action,
    AgentName,
    Args,
    Kind,
    Person,
    PersonId,
    Request,
    Tenant,
    Terms,
)
from approvals.signed import Own
from bot.vault import Vault

VAULT = Vault("for tests alone: nobody must use this one")
SIGNER = SigningKey.of(b"for tests alone, nobody uses it!")
TRUSTED = Own(signer=SIGNER)

T0 = datetime(2026, 11, 20, 14, 40, tzinfo=UTC)  # for tests that need no Redis, and so no present time
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
    """A refund that billing wants, made just now. Fingerprint, deadline and short id follow the changes."""
    made = replace(
        Request(
            id=new_id(),
            tenant=Tenant("default"),
            agent=AgentName("billing"),
            kind=Kind.ACTION,
            tool="refund",
            args=REFUND,
            fingerprint=fingerprint("refund", REFUND),
            terms=terms(),
            created_at=datetime.now(UTC),
            deadline=None,
            reason="Charged twice for invoice 881.",
        ),
        **changes,
    )
    seconds = made.terms.deadline_s
    following: dict[str, Any] = {
        "fingerprint": fingerprint(made.tool, made.args),
        "deadline": None if seconds is None else made.created_at + timedelta(seconds=seconds),
        "short": made.id[:6],
    }
    return replace(made, **(following | changes))


def a_question(**changes: Any) -> Request:
    """A question of billing's with two options."""
    return a_request(**({"kind": Kind.QUESTION, "tool": "ask", "args": QUESTION} | changes))


def a_submission(**changes: Any) -> Submission:
    """What billing's letter says when it wants that refund."""
    return replace(Submission(id=new_id(), tool="refund", args=REFUND), **changes)


def a_person(**changes: Any) -> Person:
    """A member of the channel."""
    usual = Person(id=PersonId("U0ANA"), name="Ana Duarte", principals=frozenset({CHANNEL}))
    return replace(usual, **changes)
