"""The demo's agent: a believable mix of wishes, so that there is something to decide.

Each wish has a key with a number in it, so an agent that is started again finds yesterday's open wishes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from approvals import Approvals, ApprovalsError, NotClaimed, Permit

logger = logging.getLogger(__name__)

BETWEEN_S = 25.0  # from one answer to the next wish of the same sort
GOODWILL_AFTER_S = 15.0  # the first minute is calm: a newcomer reads the cards that are there
LOOP_AFTER_S = 80.0
CREDITS, CREDITS_AFTER_S, CREDITS_AGAIN_S = 14, 45.0, 180.0  # what support asks for in one go
LOOPS, LOOP_S = 3, 4.0
AGENTS = ("billing", "deployer", "support")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One call that an agent wants to make, and what it pretends to do when it may."""

    agent: str
    tool: str
    args: dict[str, object]
    reason: str
    result: str
    risk: str | None = None
    schema: dict[str, object] | None = None
    takes_s: float = field(default=0.8)
    begins_after_s: float = 0.0  # until then whoever approved it can take that back


def refunds() -> Iterator[Wish]:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {
            "customer": {"type": "string", "description": "Whose money it is"},
            "amount": {"type": "number", "minimum": 0, "maximum": 1000, "description": "At most 1,000"},
            "currency": {"type": "string", "enum": ["USD", "EUR", "GBP"]},
            "notify": {"type": "boolean", "description": "Tell the customer by e-mail"},
        },
        "required": ["customer", "amount", "currency"],
    }
    for customer, amount, invoice in itertools.cycle(
        [("c_42", 940, 881), ("c_17", 35, 902), ("c_99", 120.5, 377)]
    ):
        yield Wish(
            agent="billing",
            tool="refund",
            args={"customer": customer, "amount": amount, "currency": "USD", "notify": True},
            reason=f"Charged twice for invoice {invoice}.",
            result=f"refunded, re_{invoice}f",
            schema=schema,
        )


def deploys() -> Iterator[Wish]:
    for number in itertools.count(42):
        yield Wish(
            agent="deployer",
            tool="deploy",
            args={"service": "api", "version": f"2026.11.{number}", "env": "production", "replicas": 6},
            reason="All checks passed; the release window is open until 18:00.",
            result="6 of 6 replicas healthy",
            risk="high",
            takes_s=2.4,
        )


MAIL = """Hello Robin,

thank you for your patience. The second charge of 14 November was our mistake, and the money is on its way
back: it should be in your account within three working days.

If it isn't, answer this mail and it will reach me directly.

Kind regards
Acme Support"""


def mails() -> Iterator[Wish]:
    for _ in itertools.count():
        yield Wish(
            agent="support",
            tool="send_email",
            args={
                "to": ["robin@example.com"],
                "subject": "Your refund",
                "body": MAIL,
                "send_on": "2026-11-23",
            },
            reason="The customer asked twice when the money arrives.",
            result="queued for delivery",
            begins_after_s=15.0,
            schema={
                "type": "object",
                "properties": {
                    "to": {"type": "array", "items": {"type": "string"}, "description": "One address a line"},
                    "subject": {"type": "string"},
                    "body": {"type": "string"},
                    "send_on": {"type": "string", "format": "date", "description": "The day it goes out"},
                },
                "required": ["to", "subject", "body"],
            },
        )


def deletions() -> Iterator[Wish]:
    for number in itertools.count(3):
        rows = [f"{n:05d},user-{n}@example.com,inactive since 2023" for n in range(1, 160)]
        yield Wish(
            agent="support",
            tool="delete_accounts",
            args={"list": f"inactive-{number}.csv", "count": len(rows), "rows": "\n".join(rows)},
            reason="Accounts without a login for two years, as the retention plan says.",
            result=f"{len(rows)} accounts deleted",
            risk="high",
            takes_s=1.6,
        )


def labels() -> Iterator[Wish]:
    kinds = itertools.cycle(["billing", "login", "spam"])
    for number, label in enumerate(kinds, start=301):
        yield Wish(
            agent="support",
            tool="label_ticket",
            args={"ticket": number, "label": label},
            reason="It is what the customer writes about.",
            result=f"ticket {number} is labelled {label}",
            risk="low",
            takes_s=0.2,
        )


def goodwill() -> Iterator[Wish]:
    """Small enough to need nobody, until the day's budget is spent."""
    for number in itertools.count(61):
        yield Wish(
            agent="support",
            tool="issue_refund",
            args={"customer": f"c_{number}", "amount": 40, "currency": "USD"},
            reason="The parcel came a week late.",
            result=f"refunded, re_{number}g",
            schema={
                "type": "object",
                "properties": {
                    "customer": {"type": "string"},
                    "amount": {"type": "number", "minimum": 0, "maximum": 1000},
                    "currency": {"type": "string", "enum": ["USD", "EUR", "GBP"]},
                },
                "required": ["customer", "amount", "currency"],
            },
        )


def credits() -> Iterator[Wish]:
    """Many of a kind, for a digest; now and then a large one, which must be opened."""
    for number in itertools.count(70):
        amount = 250 if number % CREDITS == 5 else 10 + number % 7 * 5
        yield Wish(
            agent="support",
            tool="give_credit",
            args={"customer": f"c_{number}", "amount": amount, "currency": "USD"},
            reason="The service was down for an hour on Tuesday.",
            result=f"credited, cr_{number}",
        )


RESTART = Wish(
    agent="deployer",
    tool="restart_service",
    args={"service": "queue"},
    reason="The queue does not answer.",
    result="the queue answers again",
)


async def perform(approvals: Approvals, wish: Wish, key: str) -> bool:
    """Ask, wait, and run what was approved. Returns whether anything new happened."""
    ticket = await approvals.submit(
        wish.tool, wish.args, reason=wish.reason, key=key, risk=wish.risk, schema=wish.schema
    )
    is_old = await approvals.get(ticket.id) is not None
    outcome = await approvals.wait(ticket.id)
    logger.info("%s: %s", key, outcome.status)
    if outcome.status == "approved":
        await asyncio.sleep(wish.begins_after_s)
        with contextlib.suppress(NotClaimed):  # used before we were started again, taken back, or lapsed
            await _run(approvals, wish, await approvals.claim(ticket.id))
    return not is_old


async def _run(approvals: Approvals, wish: Wish, permit: Permit) -> None:
    started = time.monotonic()
    await asyncio.sleep(wish.takes_s)
    elapsed_ms = round((time.monotonic() - started) * 1000)
    await approvals.receipt(permit.id, ok=True, result=wish.result, duration_ms=elapsed_ms)


async def _keep_wishing(
    approvals: Approvals, wishes: Callable[[], Iterator[Wish]], *, after_s: float = 0
) -> None:
    await asyncio.sleep(after_s)
    for number, wish in enumerate(wishes(), start=1):
        if await _wish_once(approvals, wish, f"{wish.tool}-{number}"):
            await asyncio.sleep(BETWEEN_S)


async def _ask_for_many(approvals: Approvals) -> None:
    """A batch of them, and the next when it is cleared."""
    await asyncio.sleep(CREDITS_AFTER_S)
    wishes = enumerate(credits(), start=1)
    while True:
        async with asyncio.TaskGroup() as asking:
            told = [
                asking.create_task(_wish_once(approvals, wish, f"{wish.tool}-{number}"))
                for number, wish in itertools.islice(wishes, CREDITS)
            ]
        if any(task.result() for task in told):
            await asyncio.sleep(CREDITS_AGAIN_S)


async def _repeat_itself(approvals: Approvals) -> None:
    """What an agent in a loop does: the same call, again and again, which is one card."""
    await asyncio.sleep(LOOP_AFTER_S)
    async with asyncio.TaskGroup() as again:
        for number in range(1, LOOPS + 1):
            again.create_task(_wish_once(approvals, RESTART, f"{RESTART.tool}-{number}"))
            await asyncio.sleep(LOOP_S)


async def _wish_once(approvals: Approvals, wish: Wish, key: str) -> bool:
    """Whether anything new happened: an agent that was started again finds its old wishes answered."""
    try:
        return await perform(approvals, wish, key)
    except ApprovalsError as error:
        logger.info("%s: %s: %s", key, type(error).__name__, error)
        return True


async def _keep_asking(approvals: Approvals) -> None:
    for number in itertools.count(1):
        key = f"region-{number}"
        try:
            answer = await approvals.ask(
                "Which region should the new cluster run in?",
                options=["eu-central", "us-east", "ap-south"],
                context="All three have capacity. Most of this customer's users are in Lisbon.",
                free_text=True,
                key=key,
            )
            logger.info("%s: %s", key, answer)
        except ApprovalsError as error:
            logger.info("%s: %s: %s", key, type(error).__name__, error)
        await asyncio.sleep(BETWEEN_S)


async def main() -> None:
    """Wish for ever, as three agents, until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as wishing:
        agents = {name: await stack.enter_async_context(Approvals.connect(agent=name)) for name in AGENTS}
        wishing.create_task(_keep_wishing(agents["billing"], refunds))
        wishing.create_task(_keep_wishing(agents["deployer"], deploys))
        wishing.create_task(_keep_wishing(agents["support"], mails))
        wishing.create_task(_keep_wishing(agents["support"], deletions))
        wishing.create_task(_keep_wishing(agents["support"], labels))
        wishing.create_task(_keep_wishing(agents["support"], goodwill, after_s=GOODWILL_AFTER_S))
        wishing.create_task(_ask_for_many(agents["support"]))
        wishing.create_task(_repeat_itself(agents["deployer"]))
        wishing.create_task(_keep_asking(agents["deployer"]))


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
