"""The fault-counter sweep: each scenario again and again, with one more step of it failing each time.

Every command to Redis, call of Slack and await of a process fails once, in every way that it can, until a
scenario comes to its end unharmed. After each trial all is healed, and everybody's history is held against
what was kept.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from redis.asyncio import Redis

from bot import app
from bot.redis_server import RedisServer
from bot.sandbox.server import Sandbox
from tests.proof.figures import WRONGS, Figures
from tests.proof.history import Wrong, wrongs
from tests.proof.relay import BEFORE
from tests.proof.sweep_faults import KINDS, Fault, Where
from tests.proof.sweep_house import Door, OurHouse
from tests.proof.sweep_more import MORE
from tests.proof.sweep_scenarios import SCENARIOS, House, Scenario, Stage, misdrawn

ALL = (*SCENARIOS, *MORE)
PROCESSES = 2
TRIAL_S = 30.0
MOST = 10_000  # steps of one scenario
# Of which kinds not every one is tried at scale 1. What that leaves out is hit in another way: a lost reply
# is tried at every command, and nearly every await is for one.
FEWER = {BEFORE: 3, "an error": 3, "killed": 4}
# Instead of eight seconds, where a call of Slack is to be never answered. On a busy machine that may be too
# short for others as well: a person who is refused isn't told so, and seems to have been recorded.
PATIENCE_S = 0.5
SHOWN = 12  # sentences of one scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one."""

    fault: str
    has_struck: bool
    acknowledged: int
    wrongs: Sequence[Wrong]
    cards: int = 0
    expected_cards: int = 1  # more are harmless, and worth knowing


@dataclass(slots=True)
class Ground:
    """What the trials of one process share."""

    redis: Redis
    url: str
    door: Door
    directory: Path

    async def trial(self, scenario: Scenario, fault: Fault, make: Make) -> Trial:
        sandbox = Sandbox(rate_limits=False, request_url=self.door.url, events=())
        sandbox.faults.take_call = fault.of_call  # type: ignore[method-assign]  # the k-th, whichever it is
        async with sandbox, make(self, scenario, fault, sandbox) as house:
            try:
                async with asyncio.timeout(TRIAL_S):
                    await scenario.play(Stage(house))
            except Exception as error:  # whatever breaks off the scenario is a wrong
                house.history.bugs.append(f"{type(error).__name__}: {error}")
            await house.heal()
            books = await house.books()
            found = wrongs(house.history, books, scenario.rules)
            found += misdrawn(sandbox, books) if scenario.has_approve else []
            told = [Wrong(each.kind, f"{scenario.name}, {fault}: {each.sentence}") for each in found]
            return Trial(
                fault=str(fault),
                has_struck=fault.has_struck,
                acknowledged=house.history.acknowledged,
                wrongs=told,
                cards=len(sandbox.messages()),
                expected_cards=scenario.cards,
            )


Make: TypeAlias = Callable[[Ground, Scenario, Fault, Sandbox], AbstractAsyncContextManager[House]]


def ours(ground: Ground, scenario: Scenario, fault: Fault, slack: Sandbox) -> OurHouse:
    """The house that a scenario is tried on."""
    policy = ground.directory / f"{scenario.name}.toml"
    if not policy.exists():
        policy.write_text(f"version = 1\n\n{scenario.policy}")
    more = {"APPROVALS_POLICY": str(policy)}
    return OurHouse(slack, ground.door, ground.redis, ground.url, fault, loops=scenario.loops, more=more)


@asynccontextmanager
async def a_ground() -> AsyncIterator[Ground]:
    """What the trials need of the machine; silent, as everything that goes wrong here is meant to."""
    logged = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="sweep-") as directory:
            async with (
                RedisServer(Path(directory) / "redis", appendfsync="no") as server,
                Redis.from_url(server.url, decode_responses=True) as redis,
                Door.open() as door,
            ):
                await redis.config_set("hz", 500)  # how often it looks whose blocking read is over
                yield Ground(redis=redis, url=server.url, door=door, directory=Path(directory))
    finally:
        logging.disable(logged)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """For so long an answer of Slack is waited for."""
    known, app.SLACK_CALL_S = app.SLACK_CALL_S, seconds
    try:
        yield
    finally:
        app.SLACK_CALL_S = known


async def swept(
    scenario: Scenario, where: Where, kind: str, *, make: Make = ours, step: int = 1
) -> list[Trial]:
    """Every `step`-th thing of that kind fails, one in each trial, until none is left to fail."""
    trials: list[Trial] = []
    async with a_ground() as ground:
        for at in range(1, MOST, step):
            with patience(PATIENCE_S if kind == "timeout" else app.SLACK_CALL_S):
                trial = await ground.trial(scenario, Fault(where=where, kind=kind, at=at), make)
            if trial.wrongs and kind == "timeout":  # what is really wrong is so with full patience
                trial = await ground.trial(scenario, Fault(where=where, kind=kind, at=at), make)
            trials.append(trial)
            if not trial.has_struck:
                break
    return trials


Job: TypeAlias = tuple[str, Where, str, int]  # of which scenario, what fails, and every how manieth


def run(scale: int) -> Figures:
    """All of it; at scale 1 of some kinds only every few."""
    jobs: list[Job] = [
        (scenario.name, where, kind, FEWER.get(kind, 1) if scale == 1 else 1)
        for scenario in ALL
        for where, kinds in KINDS.items()
        for kind in kinds
    ]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        trials = [trial for some in pool.map(_job, jobs) for trial in some]
    return figures("sweep", trials)


def _job(job: Job) -> list[Trial]:
    name, where, kind, step = job
    scenario = next(each for each in ALL if each.name == name)
    return asyncio.run(swept(scenario, where, kind, step=step))


def figures(part: str, trials: Sequence[Trial], *, must_fail: bool = False) -> Figures:
    """What they came to. A trial that no fault struck is the last of its kind, and shows the way unharmed."""
    struck = [trial for trial in trials if trial.has_struck]
    found = [wrong for trial in trials for wrong in trial.wrongs]
    found.sort(key=lambda wrong: WRONGS.index(wrong.kind))
    kinds = Counter(wrong.kind for wrong in found)
    counts = {"trials": len(struck), "acknowledged": sum(trial.acknowledged for trial in trials)}
    counts |= {kind: kinds[kind] for kind in WRONGS[:5]}
    if not must_fail:
        counts["violations"] = kinds["violations"]
    twins = sum(trial.cards > trial.expected_cards for trial in trials)
    by_place = Counter(trial.fault.partition(" ")[0] for trial in struck)
    told = ", ".join(f"{count:,} of {place}" for place, count in by_place.items())
    return Figures(
        part=part,
        counts=counts,
        sentences=() if must_fail else tuple(wrong.sentence for wrong in found[:SHOWN]),
        must_fail=must_fail,
        notes=(f"faults: {told}; trials in which a card was posted twice: {twins}",),
    )
