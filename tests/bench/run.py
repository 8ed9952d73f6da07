"""Measure Countersign beside bare Bolt and bare Redis: `make bench`. What it means: docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import clicks, floods, policies, queues, scale, timers, wakes, walks, ways_in
from tests.bench.clicks import Workspace
from tests.bench.floods import Cleared, Flood
from tests.bench.ground import ARGS_BYTES, Ground, a_ground
from tests.bench.lifecycles import Speed, floor, lifecycles
from tests.bench.machine import described
from tests.bench.policies import Contended, Decided
from tests.bench.report import Cost, Latency, Report
from tests.bench.timers import Kept
from tests.bench.times import Times
from tests.bench.walks import Throughput, Traffic

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"
RISKY = 3  # of the requests of a digest that is cleared
BEGIN, END = (
    "<!-- what follows is written by: make bench, with --markdown -->",
    "<!-- end of what is written -->",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done of everything."""

    few: int = 10
    many: int = 100_000
    weighed: int = 10_000  # requests whose memory is measured
    rounds: int = 5  # few and many take turns, so that both meet the same weather
    clicks: int = 200  # in each round; so for those that follow
    wakes: int = 60
    walks: int = 40
    lifecycles: int = 1000
    fast_walks: int = 100
    counted: int = 30
    timers: int = 1000
    decisions: int = 100_000  # of one rule each; of so many rules so many fewer
    takes: int = 50  # from a budget, by each writer
    quorums: int = 10
    flood: int = 1000  # requests into one channel at once
    cleared: int = 100  # requests of one digest, three of which are of high risk
    jobs: int = 1000  # in each queue beside ours
    woken: int = 1_000_000
    among: tuple[int, ...] = (1, 1000, 10_000)  # waits of one process, one of which is woken
    at_scale: scale.Size = scale.FULL
    agents: ways_in.Effort = ways_in.FULL


QUICK = Effort(
    many=100,
    weighed=50,
    rounds=1,
    clicks=5,
    wakes=2,
    walks=2,
    lifecycles=10,
    fast_walks=4,
    counted=2,
    timers=4,
    decisions=1000,
    takes=2,
    quorums=1,
    flood=20,
    cleared=15,
    jobs=20,
    woken=200,
    among=(1, 10),
    at_scale=scale.QUICK,
    agents=ways_in.QUICK,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What was measured with so many requests pending."""

    times: dict[str, Times]
    throughputs: list[Throughput]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that was measured, as it came."""

    few: Side
    many: Side
    click_trips: float
    traffic: Traffic
    speed: Speed
    floor: Speed
    few_timers: Kept
    many_timers: Kept
    decided: list[Decided]
    bare_cel: Times
    budget: Contended
    quorum: Contended
    flood: Flood
    cleared: Cleared
    jobs: list[queues.Jobs]
    among: dict[int, Times]
    woken: wakes.Counted
    at_scale: scale.Scale
    agents: ways_in.Measured
    pending_bytes: float
    log_bytes: float


def main() -> int:
    arguments = _parser().parse_args()
    logging.disable(logging.WARNING)  # bare Bolt has much advice to give
    report = asyncio.run(measure(QUICK if arguments.quick else Effort()))
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        report.show()
    if arguments.markdown:
        _write(report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of everything: to see that it works")
    parser.add_argument("--json", action="store_true", help="print JSON and no tables")
    parser.add_argument(
        "--markdown", action="store_true", help="also write the tables into docs/performance.md"
    )
    return parser


async def measure(effort: Effort) -> Report:
    """Measure everything. Few and many pending have a Redis each, and take turns."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        few = await stack.enter_async_context(a_ground(directory / "few"))
        many = await stack.enter_async_context(a_ground(directory / "many"))
        machine = await described(few.redis)
        workspace = await stack.enter_async_context(clicks.a_workspace(few.url))
        figures = await _figures(effort, few, many, workspace)
    return Report(
        machine=machine,
        few=effort.few,
        many=effort.many,
        latencies=_latencies(figures),
        costs=_costs(figures, effort),
        gated=ways_in.gated(figures.agents),
    )


async def _figures(effort: Effort, few: Ground, many: Ground, workspace: Workspace) -> Figures:
    _tell(f"filling Redis with {effort.many:,} pending requests")
    await few.fill(effort.few)
    before, logged = await many.memory_bytes(), await many.log_bytes()
    await many.fill(effort.weighed)
    weight, log_weight = await many.memory_bytes() - before, await many.log_bytes() - logged
    await many.fill(effort.many - effort.weighed)
    sides = await _sides(effort, few, many, workspace)
    _tell("timers")
    few_timers, many_timers = (
        await timers.timers(few, effort.timers),
        await timers.timers(many, effort.timers),
    )
    _tell("policies")
    decided, bare_cel = policies.decisions(effort.decisions), policies.bare_cel(effort.decisions)
    budget = await policies.budget(few, effort.takes)
    quorum = await policies.quorum(few, effort.quorums)
    _tell("what a lifecycle costs")
    speed = await lifecycles(few, effort.lifecycles)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        _tell("a flood, and a digest cleared")
        flood = await floods.flood(few, effort.flood)
        cleared = await floods.clearing(few, Path(directory), effort.cleared, RISKY)
        _tell("agents' ways in: HTTP, frameworks, very many who wait")
        measured = await ways_in.measure(few, Path(directory), effort.agents)
        _tell(f"{effort.at_scale.kept:,} pending")
        at_scale = await scale.measure(Path(directory), effort.at_scale)
    _tell(f"{effort.woken:,} wake-ups")
    among = {waits: await wakes.among(few, effort.wakes, waits) for waits in effort.among}
    woken = await wakes.counted(few, effort.woken)
    return Figures(
        few=sides[0],
        many=sides[1],
        click_trips=await clicks.round_trips(few, workspace, effort.counted),
        traffic=await walks.traffic(few, effort.counted),
        speed=speed,
        floor=await floor(few, effort.lifecycles, round(speed.trips)),
        few_timers=few_timers,
        many_timers=many_timers,
        decided=decided,
        bare_cel=bare_cel,
        budget=budget,
        quorum=quorum,
        flood=flood,
        cleared=cleared,
        jobs=await queues.jobs(few, effort.jobs),
        among=among,
        woken=woken,
        at_scale=at_scale,
        agents=measured,
        pending_bytes=weight / effort.weighed,
        log_bytes=log_weight / effort.weighed,
    )


async def _sides(effort: Effort, few: Ground, many: Ground, workspace: Workspace) -> tuple[Side, Side]:
    sides = _Sheet(few, workspace, effort), _Sheet(many, workspace, effort)
    for number in range(effort.rounds):
        _tell(f"waits, round {number + 1} of {effort.rounds}")
        for side in sides:
            await side.measure()
        await sides[0].measure_bare_bolt()
    return sides[0].side(), sides[1].side()


class _Sheet:
    """Where the rounds of one side are written down."""

    def __init__(self, ground: Ground, workspace: Workspace, effort: Effort) -> None:
        self._ground, self._workspace, self._effort = ground, workspace, effort
        self._times: defaultdict[str, list[Times]] = defaultdict(list)
        self._throughputs: list[Throughput] = []

    async def measure(self) -> None:
        effort = self._effort
        self._add(await clicks.inside(self._ground, self._workspace, effort.clicks))
        self._add(await wakes.wakes(self._ground, effort.wakes))
        walked, throughput = await walks.walks(self._ground, effort.walks, effort.fast_walks)
        self._add(walked)
        self._throughputs.append(throughput)

    async def measure_bare_bolt(self) -> None:
        for name, kind in ((walks.BOLT, "bolt"), (walks.BOLT_DEFAULT, "bolt-default")):
            self._add({name: await walks.bare_clicks(self._ground, kind, self._effort.walks)})

    def side(self) -> Side:
        times = {name: Times.joined(rounds) for name, rounds in self._times.items()}
        return Side(times=times, throughputs=self._throughputs)

    def _add(self, measured: dict[str, Times]) -> None:
        for name, times in measured.items():
            self._times[name].append(times)


def _latencies(figures: Figures) -> list[Latency]:
    few, many = figures.few.times, figures.many.times
    ours: list[tuple[str, str | None, float | None]] = [
        (walks.SUBMIT, None, None),
        (walks.CLICK, walks.BOLT, None),
        (walks.BOLT, None, None),
        (walks.BOLT_DEFAULT, walks.BOLT, None),
        (walks.AWAKE, None, None),
        (clicks.BY_SOCKET, None, 1.0),
        (clicks.BY_HTTP, clicks.FLOOR, 1.0),
        (clicks.FLOOR, None, None),
        (clicks.BOLT, clicks.FLOOR, None),
        (clicks.BOLT_DEFAULT, clicks.FLOOR, None),
        (wakes.AFTER_COMMIT, None, 0.5),
        (wakes.WHOLE, wakes.BARE, None),
        (wakes.BARE, None, None),
    ]
    return [
        Latency(
            what=name,
            few=few[name],
            many=None if name.startswith(" ") else many[name],
            beside=None if beside is None else beside.strip(),
            aim_ms=aim_ms,
        )
        for name, beside, aim_ms in ours
    ] + [
        *(
            Latency(what=f"Committed → awake, of {waits:,} waits", few=times, aim_ms=0.3)
            for waits, times in figures.among.items()
        ),
        *ways_in.latencies(figures.agents),
        Latency(what=timers.LATE, few=figures.few_timers.late, many=figures.many_timers.late),
    ]


def _costs(figures: Figures, effort: Effort) -> list[Cost]:
    alone, bare, traffic = figures.speed, figures.floor, figures.traffic
    return [
        _with_slack(figures.few, effort.few),
        _with_slack(figures.many, effort.many),
        Cost(
            what="Lifecycles a second per core, without Slack",
            value=1 / (alone.cpu_s + alone.redis_cpu_s),
            note=f"CPU: agent and service {_ms(alone.cpu_s)}, Redis {_ms(alone.redis_cpu_s)}; "
            f"one process did {alone.per_s:.0f} a second; {alone.trips:.1f} round trips; aim: 4,000",
        ),
        Cost(
            what="  as many bare writes by redis-py, a second per core",
            value=1 / (bare.cpu_s + bare.redis_cpu_s),
            note=f"CPU: {_ms(bare.cpu_s)}, Redis {_ms(bare.redis_cpu_s)}",
        ),
        *queues.costs(figures.jobs),
        _beside_default(figures.few.times),
        wakes.cost(figures.woken),
        *scale.costs(figures.at_scale),
        Cost(
            what=f"Timers kept a second, {effort.many:,} pending",
            value=figures.many_timers.per_s,
            note=f"two workers, {effort.timers:,} due all at once; "
            f"{figures.few_timers.per_s:.0f} with {effort.few:,} pending",
        ),
        *_of_policies(figures),
        *_of_digests(figures.flood, figures.cleared),
        *ways_in.costs(figures.agents),
        Cost(what="Redis round trips of a click", value=figures.click_trips, digits=1, note="aim: at most 2"),
        Cost(
            what="Redis round trips of a lifecycle",
            value=traffic.service_trips + traffic.agent_trips,
            digits=1,
            note=f"service {traffic.service_trips:.1f}, agent {traffic.agent_trips:.1f}",
        ),
        Cost(
            what="Redis commands of a lifecycle",
            value=traffic.commands,
            digits=1,
            note="those within scripts included",
        ),
        Cost(
            what=f"Bytes of a pending request, {ARGS_BYTES} of them args",
            value=figures.pending_bytes,
            note=f"its two entries in the audit log are {figures.log_bytes:.0f} of them",
        ),
    ]


def _beside_default(times: dict[str, Times]) -> Cost:
    ours, floor, default = (
        times[name].p50_ms for name in (clicks.BY_HTTP, clicks.FLOOR, clicks.BOLT_DEFAULT)
    )
    return Cost(
        what="Default Bolt's ack, × of our durable one, by HTTP",
        value=default / ours,
        digits=1,
        note=f"aim: at least 10; ours is {ours / floor:.1f} × the floor, aim: at most 2",
    )


def _of_policies(figures: Figures) -> list[Cost]:
    bare = figures.bare_cel
    rows = [
        Cost(
            what=f"Decisions of a policy a second, {each.rules:,} rules",
            value=each.times.per_s,
            note=f"p50 {_us(each.times.p50_ms)}, p99 {_us(each.times.p99_ms)}; a rule costs"
            f" {each.times.p50_ms / each.rules / bare.p50_ms:.1f} bare evaluations;"
            f" loaded in {_ms(each.loaded_s)}",
        )
        for each in figures.decided
    ]
    alone = Cost(
        what="  bare evaluations of CEL a second",
        value=bare.per_s,
        note=f"p50 {_us(bare.p50_ms)}, p99 {_us(bare.p99_ms)}",
    )
    many = [
        Cost(
            what=f"{what} a second, {policies.WRITERS} writers at once",
            value=each.per_s,
            note=f"exact: of {each.done:,} wanted, {each.granted:,} were granted, as many as there were",
        )
        for what, each in (("Takes from one budget", figures.budget), ("Votes", figures.quorum))
    ]
    return [*rows, alone, *many]


def _of_digests(flood: Flood, cleared: Cleared) -> list[Cost]:
    return [
        Cost(
            what=f"Seconds until {flood.count:,} requests at once in one channel can be decided",
            value=flood.reachable_s,
            digits=1,
            note=f"aim: 5; one message each takes {flood.count:,} s; {flood.messages} messages,"
            f" {flood.calls} calls to Slack; asked within {flood.asked_s:.1f} s",
        ),
        Cost(
            what=f"Clicks to clear {cleared.count} requests, {cleared.risky} of high risk",
            value=cleared.clicks,
            note=f"aim: 12, each of high risk opened; {cleared.seconds:.1f} s of machine time",
        ),
        Cost(
            what="Calls to Slack for each of them",
            value=cleared.calls / cleared.count,
            digits=2,
            note="from the posted digest on, dialogs included; a card each takes at least 2",
        ),
    ]


def _us(milliseconds: float) -> str:
    return f"{milliseconds * 1000:.0f} µs"


def _with_slack(side: Side, pending: int) -> Cost:
    rounds = side.throughputs
    service_s = sum(each.service_cpu_s for each in rounds) / len(rounds)
    redis_s = sum(each.redis_cpu_s for each in rounds) / len(rounds)
    per_s = sum(each.per_s for each in rounds) / len(rounds)
    return Cost(
        what=f"Lifecycles a second per core, {pending:,} pending",
        value=1 / (service_s + redis_s),
        note=f"CPU: service {_ms(service_s)}, Redis {_ms(redis_s)}; {per_s:.0f} a second were done here",
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _write(report: Report) -> None:
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}\n\n{report.markdown()}\n\n{END}{after}")


def _tell(what: str) -> None:
    print(f"… {what}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
