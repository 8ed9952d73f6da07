"""Real processes, killed at random while agents ask and people click; then everybody's history is checked.

`python -m bot worker` and `web`, an agent's process, and a Redis that fsyncs every write, on a seeded course
of SIGKILLs, a Redis that is stopped for longer than anybody waits, and writes that a power cut has torn.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from redis.asyncio import Redis

from bot.redis_server import RedisServer
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.proof.figures import WRONGS, Figures
from tests.proof.history import Books, Click, History, Rules, Run, Told, wrongs
from tests.proof.sweep_house import books_of
from tests.proof.sweep_scenarios import ANA, GUEST, KIM, LEE, MAX, MEMBERS, args_on, misdrawn
from tests.running import a_policy
from tests.stories.signing import free_port, over_http

ROOT = Path(__file__).parents[2]
TENANT = "kills"
SEED = 20261120
CALLS = 150  # that agents make
BOT_KILLS, REDIS_KILLS, AGENT_KILLS, STOPS = 20, 10, 5, 2
STOPPED_S = 7.0  # longer than a client waits for an answer
LOOK_S = 0.05
PATIENCE_S = 12.0  # for something to happen between two strikes
END_S = 120.0  # for what was asked to come to its end, once nothing is struck any more
SHOWN = 20  # sentences of one course
TORN = b"*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$9\r\nhal"
ENDS = frozenset({"executed", "executing", "approved", "rejected"})  # "approved": whoever claimed isn't sure


Strike: TypeAlias = Callable[[], Awaitable[None]]


class Kept:
    """A process that is there to be killed, and started again."""

    def __init__(
        self, env: Mapping[str, str], *arguments: str, hears: Callable[[str], None] | None = None
    ) -> None:
        self._env, self._arguments, self._hears = env, arguments, hears
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self, *more: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, *self._arguments, *more),
            cwd=ROOT,
            env={**kept, **self._env},
            stdout=subprocess.PIPE if self._hears else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if self._hears:
            self._hearing = asyncio.get_running_loop().create_task(self._hear(self._process))

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert self._hears is not None
        async for line in process.stdout:
            if line.endswith(b"\n"):  # what was cut off in the middle was not said
                self._hears(line.decode())

    async def kill(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        if self._hearing is not None:
            await self._hearing

    @property
    def has_ended(self) -> bool:
        return self._process is not None and self._process.returncode is not None


@dataclass(slots=True)
class Field:
    """All that is there, and what was said."""

    slack: Sandbox
    url: str  # of Redis
    bots: list[Kept]
    chance: random.Random
    agent: Kept = field(init=False)
    history: History = field(default_factory=History)
    open: set[int] = field(default_factory=set)  # calls that no agent is done with
    deeds: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)  # people in the middle of a click

    def hear(self, line: str) -> None:
        """What the agent says of itself."""
        said = json.loads(line)
        request, number = said["request"], said["number"]
        match said["what"]:
            case "asked":
                self.history.asked.append((f"call-{number}", request))
            case "ran":
                self.history.claimed.append(request)
                self.history.runs.append(Run(request=request, args=said["args"]))
            case "reported":
                self.history.reported.append(request)
            case "done":
                self.open.discard(number)
        self.deeds += 1

    # -- people ---------------------------------------------------------------------------------------

    async def people(self) -> None:
        """Whoever sees a card with a button presses it; who is not told that it was taken presses again."""
        async with asyncio.TaskGroup() as hands:
            while True:
                for card in [each for each in self.slack.messages() if "Approve" in each.shown.splitlines()]:
                    for person, verb in self._wishes():
                        if person not in self.busy:
                            self.busy.add(person)
                            hands.create_task(self._press(person, verb, card))
                await asyncio.sleep(LOOK_S)

    def _wishes(self) -> list[tuple[str, str]]:
        drawn = self.chance.random()
        if drawn < 0.1:
            return [(GUEST, "approve")]
        if drawn < 0.25:
            return [(KIM, "reject"), (LEE, "approve")]
        if drawn < 0.4:
            return [(ANA, "approve"), (LEE, "approve")]
        return [(self.chance.choice((ANA, MAX)), "approve")]

    async def _press(self, person: str, verb: str, card: Message) -> None:
        try:
            told = await self._pressed(person, verb, card)
        finally:
            self.busy.discard(person)
        request = str((card.metadata or {})["event_payload"]["id"])
        click = Click(person=person, verb=verb, request=request, args=args_on(card), told=told)
        self.history.clicks.append(click)
        self.deeds += told is Told.RECORDED

    async def _pressed(self, person: str, verb: str, card: Message) -> Told:
        someone = self.slack.person(person)
        whispers = len(someone.ephemerals())
        result = await someone.press("Approve" if verb == "approve" else "Reject…", card)
        if result.ok and verb == "reject":
            if someone.view is None:
                return Told.UNKNOWN
            result = await someone.fill_and_submit({"words": "No."})
            if someone.view is not None:
                await someone.close(clear=True)
                return Told.REFUSED if result.ok else Told.UNKNOWN
        if not result.ok:
            return Told.UNKNOWN
        return Told.REFUSED if len(someone.ephemerals()) > whispers else Told.RECORDED

    # -- what strikes ---------------------------------------------------------------------------------

    async def strike_all(self, course: Mapping[str, tuple[int, Strike]]) -> None:
        """One thing after the other, each when something has gone on since the last."""
        names = [name for name, (times, _) in course.items() for _ in range(times)]
        self.chance.shuffle(names)
        for name in names:
            await self._some_deeds(self.chance.randint(2, 6))
            await course[name][1]()
            self.struck[name] += 1

    async def _some_deeds(self, count: int) -> None:
        until = self.deeds + count
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self.deeds < until:  # noqa: ASYNC110 - they come from other processes too
                    await asyncio.sleep(LOOK_S / 5)
        except TimeoutError:
            return  # nothing goes on just now, which is a moment to strike as well

    async def kill_bot(self) -> None:
        bot = self.chance.choice(self.bots)
        await bot.kill()
        await bot.start()

    async def kill_agent(self) -> None:
        await self.agent.kill()
        await self.agent.start(*map(str, sorted(self.open)))

    async def ended(self) -> None:
        """Nothing is struck any more; wait until no agent has anything left to do."""
        try:
            async with asyncio.timeout(END_S):
                while self.open or not self.agent.has_ended:  # noqa: ASYNC110 - it is another process that ends
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            self.history.bugs.append(f"{len(self.open)} calls came to no end in {END_S:.0f} s")

    async def _has_work(self, redis: Redis) -> bool:
        inbox, draw = (f"cs:{{{TENANT}}}:{name}" for name in ("inbox:billing", "draw"))
        return bool(await redis.xlen(inbox) or await redis.zcard(draw))

    async def books(self) -> Books:
        """As they are once every letter is read, and every card drawn."""
        async with Redis.from_url(self.url, decode_responses=True) as redis:
            async with asyncio.timeout(END_S):
                while await self._has_work(redis):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(LOOK_S)
            return await books_of(redis, TENANT)


class Alone:
    """One Redis, and what can happen to it."""

    def __init__(self, server: RedisServer) -> None:
        self._server, self._kills = server, 0

    async def kill(self) -> None:
        """As a power cut: every other time it was in the middle of a write that nobody was told of."""
        await self._server.kill()
        self._kills += 1
        if self._kills % 2 == 0:
            with (self._server.directory / "appendonly.aof").open("ab") as log:
                log.write(TORN)
        await self._server.restart()

    async def stop(self) -> None:
        """It neither answers nor refuses, for longer than anybody waits."""
        async with Redis.from_url(self._server.url) as redis:
            pid = int((await redis.info("server"))["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(STOPPED_S)
        finally:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def a_field(
    directory: Path, redis_url: str, seed: int, calls: int, **more: str
) -> AsyncIterator[Field]:
    """Bots, an agent with so many calls to make, and people who click, around that Redis."""
    url = f"http://127.0.0.1:{free_port()}"
    async with AsyncExitStack() as open_:
        slack = Sandbox(rate_limits=False, request_url=f"{url}/slack/events", events=())
        await open_.enter_async_context(slack)
        policy = a_policy(directory, "version = 1\n\n[defaults]\nburst = 0\n")
        env = over_http(slack, redis_url, TENANT, url) | {"APPROVALS_POLICY": policy, **more}
        bots = [Kept(env, "-m", "bot", role) for role in ("web", "worker")]
        theirs = {"REDIS_URL": redis_url, "APPROVALS_AGENT": "billing", "APPROVALS_TENANT": TENANT, **more}
        chance = random.Random(seed)
        field = Field(slack, redis_url, bots, chance, open=set(range(1, calls + 1)))
        field.agent = Kept(theirs, "-m", "tests.proof.kills_agent", hears=field.hear)
        for process in (*bots, field.agent):
            open_.push_async_callback(process.kill)
        for bot in bots:
            await bot.start()
        await field.agent.start(*map(str, sorted(field.open)))
        clicking = asyncio.get_running_loop().create_task(field.people())
        try:
            yield field
        finally:
            clicking.cancel()
            await asyncio.wait([clicking])


async def killed(seed: int) -> Figures:
    """One course on one Redis, to its end."""
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        directory = Path(name)
        async with (
            RedisServer(directory / "redis", appendfsync="always") as server,
            a_field(directory, server.url, seed, CALLS) as field,
        ):
            alone = Alone(server)
            await field.strike_all(
                {
                    "bot": (BOT_KILLS, field.kill_bot),
                    "Redis": (REDIS_KILLS, alone.kill),
                    "agent": (AGENT_KILLS, field.kill_agent),
                    "stopped": (STOPS, alone.stop),
                }
            )
            await field.ended()
            return figures_of("kills", field, await field.books(), seed)


def figures_of(part: str, field: Field, books: Books, seed: int) -> Figures:
    """What came of it: how often it was struck by what, and what is wrong."""
    found = wrongs(field.history, books, Rules(voters=MEMBERS, ends=ENDS)) + misdrawn(field.slack, books)
    kinds = Counter(wrong.kind for wrong in found)
    counts = {f"× {what}": times for what, times in field.struck.items()}
    counts |= {"requests": len(books.requests)}
    counts |= {"acknowledged": field.history.acknowledged, "runs": len(field.history.runs)}
    counts |= {kind: kinds[kind] for kind in (*WRONGS[:5], "violations")}
    twins = len(field.slack.messages()) - len(books.requests)
    return Figures(
        part=part,
        counts=counts,
        sentences=tuple(f"seed {seed}: {wrong.sentence}" for wrong in found[:SHOWN]),
        notes=(f"seed {seed}; cards posted twice: {twins}",),
    )


def run(scale: int) -> list[Figures]:
    return [asyncio.run(killed(SEED + number)) for number in range(scale)]
