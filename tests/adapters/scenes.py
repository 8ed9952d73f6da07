"""What can go wrong with one call, and what is said to become of it: the table of docs/agents/README.md.

Each column is a scene, which is played before each way to make a call; each part of a cell is checked
against what was told then. No framework is needed here: CrewAI's own environment plays them too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from approvals import Approvals, Expired, InvalidCall, NotClaimed, Rejected, StillPending, Unavailable
from approvals.model import Args, Request, Status
from tests.clerk import Clerk, serving, yes
from tests.lossy_line import LossyLine

PAGE = Path(__file__).parents[2] / "docs" / "agents" / "README.md"

REFUND: Args = {"customer": "c_42", "amount": 940.5}
HASTY_S, PATIENT_S = 0.1, 10.0
WORDS = "it has open invoices"
CLAIMED = (Status.EXECUTING, Status.EXECUTED, Status.FAILED)


@dataclass
class Shop:
    """The tool, which notes with what it ran."""

    ran: list[Args] = field(default_factory=list)
    trouble: Exception | None = None
    result: str = "refunded"

    def refund(self, customer: str, amount: float) -> str:
        """Give money back."""
        self.ran.append({"customer": customer, "amount": amount})
        if self.trouble:
            raise self.trouble
        return self.result


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a way to make a call is given."""

    approvals: Approvals
    redis_url: str
    tenant: str
    shop: Shop
    timeout_s: float = PATIENT_S
    reason: str | None = None


# Makes the call, the same one each time, and returns what the model reads; or raises what stops the run.
Make: TypeAlias = Callable[[], Awaitable[str]]
Open: TypeAlias = Callable[[Case], AbstractAsyncContextManager[Make]]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to make a call: a program, which is open as long as its scene lasts."""

    row: str
    name: str
    open: Open
    is_async: bool = True  # False: its call can't be cancelled, but its program can end
    takes_back: bool = False  # its requests, when their calls are given up
    reports: bool = True  # how it went
    can_say_why: bool = True


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came of a scene."""

    ends: tuple[str | BaseException, ...]  # of each try: what the model read, or what stopped the run
    ran: list[Args]
    requests: list[Request]


Check: TypeAlias = Callable[[Told], bool]


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that makes its call one way, while a scene is played."""

    make: Make
    shop: Shop
    approvals: Approvals

    async def end(self) -> str | BaseException:
        """What the model reads when the call is made, or what stops the run."""
        try:
            return await self.make()
        except Exception as error:
            return error


@dataclass(frozen=True)
class Stage:
    """Where scenes are played."""

    redis_url: str
    tenant: str

    @asynccontextmanager
    async def program(
        self,
        way: Way,
        *,
        timeout_s: float = PATIENT_S,
        trouble: Exception | None = None,
        line: LossyLine | None = None,
    ) -> AsyncIterator[Program]:
        """The program of `way`, running; `line`: by which it reaches Redis."""
        url, shop = line.url if line else self.redis_url, Shop(trouble=trouble)
        async with Approvals.connect(url, agent="billing", tenant=self.tenant, patience=0.1) as approvals:
            case = Case(
                approvals=approvals, redis_url=url, tenant=self.tenant, shop=shop, timeout_s=timeout_s
            )
            async with way.open(case) as make:
                yield Program(make=make, shop=shop, approvals=approvals)

    def clerk(self, **options: Any) -> AbstractAsyncContextManager[Clerk]:
        return serving(self.redis_url, self.tenant, **options)

    async def told(self, clerk: Clerk, shop: Shop, *ends: str | BaseException) -> Told:
        """What came of it; and the promise: what has run was approved exactly so, and claimed, each time."""
        clerk.habit = None
        async with Approvals.connect(self.redis_url, agent="billing", tenant=self.tenant) as approvals:
            last = await approvals.submit("the end", {})
        await clerk.until(lambda: last.id in clerk.requests)  # so all letters before it have been dealt with
        requests = [one for one in clerk.requests.values() if one.id != last.id]
        claimed = [one.args for one in requests if one.status in CLAIMED]
        assert all(shop.ran.count(args) <= claimed.count(args) for args in shop.ran)
        return Told(ends=ends, ran=shop.ran, requests=requests)


# -- the columns --------------------------------------------------------------------------------------


async def service_away(way: Way, stage: Stage) -> Told:
    async with stage.program(way, timeout_s=HASTY_S) as program:
        first = await program.end()
        async with stage.clerk() as clerk:  # it is back
            return await _made_again(program, clerk, stage, first)


async def timeout(way: Way, stage: Stage) -> Told:
    async with stage.clerk() as clerk, stage.program(way, timeout_s=HASTY_S) as program:
        return await _made_again(program, clerk, stage, await program.end())


async def _made_again(program: Program, clerk: Clerk, stage: Stage, first: str | BaseException) -> Told:
    assert program.shop.ran == []
    (request,) = await clerk.arrived()
    assert request.is_pending, "it stays open"
    await clerk.approve(request.id)
    return await stage.told(clerk, program.shop, first, await program.end())


async def redis_away(way: Way, stage: Stage) -> Told:
    async with stage.clerk() as clerk, LossyLine(stage.redis_url) as line:
        async with stage.program(way, line=line) as program:
            line.cut()
            end = await program.end()
        assert program.shop.ran == []
        return await stage.told(clerk, program.shop, end)


async def lost_at_the_claim(way: Way, stage: Stage) -> Told:
    async with stage.clerk(habit=yes) as clerk, LossyLine(stage.redis_url) as line:
        async with stage.program(way, line=line) as program:
            line.lose_reply_to(b'"claim"')
            end = await program.end()
            assert line.has_lost
        assert program.shop.ran == [], "whether it was claimed isn't known"
        return await stage.told(clerk, program.shop, end)


async def cancelled(way: Way, stage: Stage) -> Told:
    async with stage.clerk() as clerk, stage.program(way) as program:
        async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as group:
            call = group.create_task(program.end())
            (request,) = await clerk.arrived()
            if way.is_async:
                call.cancel()
            else:
                await asyncio.to_thread(program.approvals.close)
            await asyncio.wait([call])
        if way.takes_back:
            await clerk.until_status(request.id, Status.CANCELLED)
        else:
            await clerk.approve(request.id)
        assert program.shop.ran == []
        return await stage.told(clerk, program.shop)


async def rejected(way: Way, stage: Stage) -> Told:
    return await _decided(way, stage, lambda clerk, id: clerk.reject(id, WORDS))


async def expired(way: Way, stage: Stage) -> Told:
    return await _decided(way, stage, lambda clerk, id: clerk.expire(id), deadline_s=0)


async def edited_to_another_type(way: Way, stage: Stage) -> Told:
    misfit = REFUND | {"amount": ["much"]}
    return await _decided(way, stage, lambda clerk, id: clerk.approve(id, misfit))


async def _decided(
    way: Way, stage: Stage, decide: Callable[[Clerk, str], Awaitable[None]], deadline_s: int = 3600
) -> Told:
    async with stage.clerk(deadline_s=deadline_s) as clerk, stage.program(way) as program:
        async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as group:
            call = group.create_task(program.end())
            (request,) = await clerk.arrived()
            await decide(clerk, request.id)
        assert program.shop.ran == []
        return await stage.told(clerk, program.shop, call.result())


async def tool_raises(way: Way, stage: Stage) -> Told:
    async with (
        stage.clerk(habit=yes) as clerk,
        stage.program(way, trouble=ValueError("the bank said no")) as program,
    ):
        end = await program.end()
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.FAILED if way.reports else Status.EXECUTING)
        return await stage.told(clerk, program.shop, end)


async def same_call_twice(way: Way, stage: Stage) -> Told:
    async with stage.clerk(habit=yes) as clerk, stage.program(way) as program:
        return await stage.told(clerk, program.shop, await program.end(), await program.end())


async def two_runs_at_once(way: Way, stage: Stage) -> Told:
    async with stage.clerk(habit=yes) as clerk, stage.program(way) as program:
        async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as group:
            runs = [group.create_task(program.end()) for _ in range(2)]
        return await stage.told(clerk, program.shop, *(run.result() for run in runs))


SCENES: dict[str, Callable[[Way, Stage], Awaitable[Told]]] = {
    "service away": service_away,
    "Redis away": redis_away,
    "Redis lost at the claim": lost_at_the_claim,
    "timeout": timeout,
    "run cancelled": cancelled,
    "rejected": rejected,
    "expired": expired,
    "edited to another type": edited_to_another_type,
    "tool raises": tool_raises,
    "same call twice": same_call_twice,
    "two runs at once": two_runs_at_once,
}


# -- what cells say -----------------------------------------------------------------------------------


def stopped_by(error: type[BaseException]) -> Check:
    return lambda told: isinstance(told.ends[0], error)


def stopped_because_of(error: type[BaseException]) -> Check:
    """The framework wraps what a tool raises."""
    return lambda told: isinstance(told.ends[0], Exception) and isinstance(told.ends[0].__cause__, error)


def reads(*words: str) -> Check:
    return lambda told: isinstance(told.ends[0], str) and all(one in told.ends[0] for one in words)


def now(status: Status) -> Check:
    return lambda told: [one.status for one in told.requests] == [status]


def _goes_on(told: Told) -> bool:
    return isinstance(told.ends[1], str) and (len(told.requests), len(told.ran)) == (1, 1)


def _is_used_once(told: Told) -> bool:
    """Of the tries one has run it; the other, whichever it was, reads why not."""
    return len(told.ran) == 1 and any(isinstance(end, str) and "used before" in end for end in told.ends)


def _second_reads_it_is_used(told: Told) -> bool:
    return _is_used_once(told) and "used before" in str(told.ends[-1])


PARTS: dict[str, Check] = {
    "`StillPending` stops it": stopped_by(StillPending),
    "`UserError` stops it, because of `StillPending`": stopped_because_of(StillPending),
    "reads that nobody has decided": reads("nobody has decided"),
    "reads that the request stays open": reads("stays open"),
    "`pending`": reads("pending"),
    "`outcome` is `null`": reads("outcome: None"),
    "made again, it goes on": _goes_on,
    "made again, it is asked anew": lambda told: len(told.requests) == 2 and told.ran == [],
    "`Unavailable` stops it": stopped_by(Unavailable),
    "`Rejected` stops it, with their words": stopped_by(Rejected),
    "`Expired` stops it": stopped_by(Expired),
    "`InvalidCall` stops it": stopped_by(InvalidCall),
    "`UserError` stops it, because of `Unavailable`": stopped_because_of(Unavailable),
    "reads that approvals can't be asked for": reads("approvals can't be asked for now"),
    "reads that approvals are out of reach": reads("approvals are out of reach"),
    "503 `unavailable`": reads("503", "/docs#unavailable"),
    "503 `maybe-claimed`": reads("503", "/docs#maybe-claimed"),
    "the approval stays unused": now(Status.APPROVED),
    "the request is taken back": now(Status.CANCELLED),
    "reads the no, with its words": reads("reject", WORDS),
    "reads HumanLayer's own words of denial": reads("User denied refund with message", WORDS),
    "reads that nobody answered": reads("nobody answered"),
    "reads that it expired": reads("outcome: ('expired'"),
    "reads that it doesn't fit": reads("doesn't fit"),
    "reads which argument doesn't fit": reads("amount"),
    "the program reads that it doesn't fit": reads("amount is no number"),
    "the agent reads that it doesn't fit": reads("amount is no number"),
    "the tool's error stops it": stopped_by(ValueError),
    "reads the tool's own error": reads("rror"),  # that it was one is all that some SDKs tell
    "*failed* on the card": lambda told: Status.FAILED in {one.status for one in told.requests},
    "the second reads that the approval was used": _second_reads_it_is_used,
    "one runs it, the other reads that the approval was used": _is_used_once,
    "the second claim is 409 `not-claimed`": lambda told: (
        len(told.ran) == 1 and told.ends[1] == "409 /docs#not-claimed"
    ),
    "one claim is 409 `not-claimed`": lambda told: (
        len(told.ran) == 1 and "409 /docs#not-claimed" in told.ends
    ),
    "with the same `key`: `NotClaimed` stops the second": lambda told: (
        len(told.ran) == 1 and isinstance(told.ends[1], NotClaimed)
    ),
    "with the same `key`: `NotClaimed` stops one": lambda told: (
        len(told.ran) == 1 and any(isinstance(end, NotClaimed) for end in told.ends)
    ),
    "each needs an approval of its own": lambda told: (
        (len(told.ran), len({one.id for one in told.requests})) == (2, 2)
    ),
}


@dataclass(frozen=True)
class Table:
    """The table as the page has it."""

    columns: list[str]
    rows: dict[str, list[str]]  # their cells

    def parts(self, row: str, column: str) -> list[str]:
        return self.rows[row][self.columns.index(column)].split("; ")


def the_table() -> Table:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    head = next(n for n, line in enumerate(cells) if "service away" in line)
    rows = {re.sub(r"\[(.*?)\]\(.*?\)", r"\1", line[0]): line[1:] for line in cells[head + 1 :]}
    return Table(columns=cells[head][1:], rows=rows)


async def check(way: Way, column: str, stage: Stage) -> None:
    """Play the scene, and hold what was told against what the cell says."""
    told = await SCENES[column](way, stage)
    for part in the_table().parts(way.row, column):
        assert PARTS[part](told), (part, told.ends)
