"""An agent's ways in, measured and told as rows: the API, the adapters, very many who wait."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.bench import adapters, calls, crowds
from tests.bench.adapters import Overhead
from tests.bench.calls import Calls, Throughput
from tests.bench.crowds import Crowd, Size
from tests.bench.ground import Ground, a_ground
from tests.bench.report import Cost, Gated, Latency
from tests.bench.wakes import AFTER_COMMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done of each."""

    wakes: int = 200
    fast: int = 2000  # calls, as fast as they go
    crowd: Size
    gated: int = 60  # calls by each adapter


FULL = Effort(crowd=Size(waits=10_000, wakes=200, flood=1000, restarted=500))
QUICK = Effort(wakes=2, fast=20, crowd=Size(waits=100, wakes=2, flood=20, restarted=10), gated=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    calls: Calls
    by_sdk: Crowd
    by_http: Crowd
    overheads: list[Overhead]


async def measure(ground: Ground, directory: Path, effort: Effort) -> Measured:
    """On `ground` what needs no other; the crowds have a Redis to themselves, which is restarted."""
    called = await calls.calls(ground, effort.wakes, effort.fast)
    overheads = await adapters.overheads(ground, effort.gated)
    async with a_ground(directory / "crowd") as crowded:
        by_sdk = await crowds.by_sdk(crowded, effort.crowd)
        by_http = await crowds.by_http(crowded, effort.crowd)
    return Measured(calls=called, by_sdk=by_sdk, by_http=by_http, overheads=overheads)


def latencies(measured: Measured) -> list[Latency]:
    ways = [
        Latency(what=what, few=times, beside=AFTER_COMMIT) for what, times in measured.calls.times.items()
    ]
    crowded = [
        Latency(what=f"Committed → awake, of {crowd.waits:,} waits by {way}", few=crowd.wakes)
        for way, crowd in (("SDK", measured.by_sdk), ("HTTP", measured.by_http))
    ]
    return ways + crowded


def costs(measured: Measured) -> list[Cost]:
    return [
        _calls("Requests created by HTTP a second", measured.calls.creating),
        _calls("Waits by HTTP answered a second, decisions included", measured.calls.waiting),
        _crowd("SDK", measured.by_sdk),
        _crowd("HTTP", measured.by_http),
    ]


def gated(measured: Measured) -> list[Gated]:
    return [Gated(what=each.what, bare=each.bare, gated=each.gated) for each in measured.overheads]


def _calls(what: str, done: Throughput) -> Cost:
    note = f"{calls.AT_ONCE} callers; {done.cpu_s * 1000:.2f} ms of the service's CPU each, without Redis"
    return Cost(what=what, value=done.per_s, note=note)


def _crowd(way: str, crowd: Crowd) -> Cost:
    return Cost(
        what=f"Bytes of a wait by {way}, of {crowd.waits:,} in one process",
        value=crowd.wait_bytes,
        note=f"{crowd.begin_cpu_s * 1e6:.0f} µs of its CPU to begin; {crowd.flood_per_s:.0f} woken a second,"
        f" as fast as they were decided; none lost as Redis restarted; {crowd.refused} had to come again",
    )
