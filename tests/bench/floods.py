"""A flood of requests into one channel: until each of them can be reached and decided, as Slack lets us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from approvals import Approvals
from approvals.digest import DigestId
from approvals.model import Request
from approvals.places import digests_in, is_card
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.bench.ground import Ground
from tests.running import a_connected_bot, environment, until

END_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """So many requests at once, in a Slack that takes one message a second of us."""

    count: int
    asked_s: float  # until all were asked
    reachable_s: float  # from the first request on, until all could be decided
    messages: int
    calls: int  # to Slack's Web API that post or update


async def flood(ground: Ground, count: int) -> Flood:
    async with _house(ground, "flood") as (slack, service, approvals):
        before, began = _calls(slack), time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            for number in range(count):
                asking.create_task(approvals.submit("label", {"issue": number, "label": "bug"}))
        asked_s = time.perf_counter() - began
        await until(lambda: _is_reachable(service, count), timeout_s=END_S)
        return Flood(
            count=count,
            asked_s=asked_s,
            reachable_s=time.perf_counter() - began,
            messages=len(slack.messages()),
            calls=_calls(slack) - before,
        )


POLICY = """
version = 1

[[rule]]
name = "large refunds"
tools = ["refund"]
when = "args.amount > 500"
risk = "high"
digest = "refunds"

[[rule]]
name = "refunds"
tools = ["refund"]
digest = "refunds"

[digests.refunds]
when = {count}
sum = "args.amount"
unit = "$"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """A digest of mixed requests, decided by one person who sees each of high risk whole."""

    count: int
    risky: int
    clicks: int
    seconds: float  # of the service and this sandbox; people read and move a hand besides
    calls: int  # to Slack's Web API, all methods, from the posted digest on


async def clearing(ground: Ground, directory: Path, count: int, risky: int) -> Cleared:
    policy = directory / "clearing.toml"
    policy.write_text(POLICY.format(count=count))
    async with _house(ground, "clearing", policy) as (slack, service, approvals):
        for number in range(count):
            amount = 700 if number < risky else number + 1
            await approvals.submit("refund", {"customer": f"c_{number}", "amount": amount})
        digest = await slack.until(
            lambda: next((m for m in slack.messages() if f"{count} refund" in m.text), None), END_S
        )
        assert digest is not None
        before, began = _all_calls(slack), time.perf_counter()
        hand = _Hand(slack)
        await hand.clear(service, digest, risky)
        await slack.until(lambda: any("are decided" in m.text for m in slack.messages()), END_S)
        return Cleared(
            count=count,
            risky=risky,
            clicks=hand.clicks,
            seconds=time.perf_counter() - began,
            calls=_all_calls(slack) - before,
        )


class _Hand:
    """Kim's, who opens the list, approves what can be approved together, and opens the rest."""

    def __init__(self, slack: Sandbox) -> None:
        self._slack, self._kim, self.clicks = slack, slack.person("U0KIM"), 0

    async def clear(self, service: Service, digest: Message, risky: int) -> None:
        see_all = next(word for word in digest.shown.splitlines() if word.startswith("See all"))
        await self._press(see_all, digest)
        while await service.store.count_pending() > risky:
            await self._press(await self._submit_of(1))
            await self._press(await self._submit_of(2))
            await self._slack.until(lambda: "Approved all" in self._kim.views[-1].shown, END_S)
        for left in range(risky - 1, -1, -1):
            await self._press("Open")
            await self._slack.until(lambda: len(self._kim.views) == 2, END_S)
            await self._press("Approve")
            await self._slack.until(partial(self._is_list_of, left), END_S)

    async def _press(self, label: str, on: Message | None = None) -> None:
        self.clicks += 1
        result = await self._kim.press(label, on)
        assert result.ok, result

    async def _submit_of(self, depth: int) -> str:
        """The words on the button that sends the dialog off, which lies on so many others less one."""

        def words() -> str | None:
            views = self._kim.views
            return views[-1].submit["text"] if len(views) == depth and views[-1].submit else None

        return str(await self._slack.until(words, END_S))

    def _is_list_of(self, left: int) -> bool:
        views = self._kim.views
        return len(views) == 1 and (f"{left} refund" if left else "Nothing waits") in views[0].shown


@asynccontextmanager
async def _house(
    ground: Ground, tenant: str, policy: Path | None = None
) -> AsyncIterator[tuple[Sandbox, Service, Approvals]]:
    """The service in a Slack that enforces its rates; both in this process, which is to our disadvantage."""
    file = {} if policy is None else {"APPROVALS_POLICY": str(policy)}
    async with Sandbox() as slack:
        env = environment(slack, ground.url, tenant, **file)
        async with (
            a_connected_bot(slack, env) as service,
            Approvals.connect(ground.url, agent="billing", tenant=tenant) as approvals,
        ):
            yield slack, service, approvals


async def _is_reachable(service: Service, count: int) -> bool:
    """Whether each has a card, or a row in a digest that is posted."""
    if await service.store.count_pending() < count or await service.cards.backlog():
        return False
    requests = await service.store.pending(limit=count)
    return all([await _is_shown(service, request) for request in requests])


async def _is_shown(service: Service, request: Request) -> bool:
    posted = await service.cards.posted(request.id)
    if any(is_card(place) and each.ts for place, each in posted.items()):
        return True
    kept = [await service.digests.of(DigestId(id)) for id in digests_in(posted)]
    return any(each.posted.ts is not None for each in kept)


def _all_calls(slack: Sandbox) -> int:
    return sum(each.count for each in slack.calls.values())


def _calls(slack: Sandbox) -> int:
    return sum(slack.calls[method].count for method in ("chat.postMessage", "chat.update"))
