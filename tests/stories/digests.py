"""A digest in the sandbox, for stories about deciding in one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from approvals import Approvals
from approvals.audit import Entry
from approvals.messages import Ticket
from approvals.model import Args
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import the_card

POLICY = """
version = 1

[defaults]
channel = "#approvals"
burst = 0

[[rule]]
name = "refunds over $500"
tools = ["refund"]
when = "args.amount > 500"
risk = "high"
digest = "refunds"

[[rule]]
name = "for Kim alone"
tools = ["refund"]
when = "args.currency == 'GBP'"
approvers = ["U0KIM"]
digest = "refunds"

[[rule]]
name = "two for Swiss refunds"
tools = ["refund"]
when = "args.currency == 'CHF'"
quorum = 2
digest = "refunds"

[[rule]]
name = "questions"
tools = ["ask"]
digest = "refunds"

[[rule]]
name = "refunds"
tools = ["refund"]
digest = "refunds"

[digests.refunds]
when = WHEN
sum = "args.amount"
unit = "$"
"""


def a_policy_of(when: int) -> str:
    """Refunds come in a digest as soon as so many wait."""
    return POLICY.replace("WHEN", str(when))


def a_refund(n: int, amount: float = 10, currency: str = "USD") -> Args:
    return {"customer": f"c_{n}", "amount": amount, "currency": currency}


async def a_digest(
    slack: Sandbox, approvals: Approvals, calls: Sequence[Args]
) -> tuple[list[Ticket], Message]:
    """A digest of these refunds, and what each of its rows asks for."""
    async with asyncio.TaskGroup() as agents:
        asked = [agents.create_task(approvals.submit("refund", args)) for args in calls]
    digest = await the_card(slack, f"{len(calls)} refund")
    return [one.result() for one in asked], digest


async def decisions(bot: Service, tickets: Sequence[Ticket]) -> dict[str, list[Entry]]:
    """What the log says that people decided on each."""
    found: dict[str, list[Entry]] = {ticket.id: [] for ticket in tickets}
    async for entry in bot.store.log():
        if entry.request in found and entry.event in ("approved", "edited", "rejected", "voted"):
            found[entry.request].append(entry)
    return found


async def whispered(slack: Sandbox, person: str, words: str) -> Message:
    """What is said to one person alone, as soon as it is."""
    found = await slack.until(
        lambda: next((m for m in slack.person(person).ephemerals() if words in m.shown), None)
    )
    assert found is not None
    return found


def the_button(message: Message, words: str) -> str:
    """What is written on the button that begins like this."""
    return next(line for line in message.shown.splitlines() if line.startswith(words))
