"""Beside ours: jobs that do nothing in two queues that are known to be fast, each in its own process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from tests.bench.ground import Ground
from tests.bench.report import Cost

NAMES = ("arq", "saq")
PYTHON = Path(__file__).parents[2] / ".venv-bench" / "bin" / "python"  # their pins exclude ours
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What one job came to, from putting it in until it was carried out."""

    name: str
    per_s: float
    cpu_s: float
    redis_cpu_s: float


async def jobs(ground: Ground, count: int) -> list[Jobs]:
    """Carry out `count` in each; none where they aren't installed, as `make bench` does."""
    return [await _jobs(ground, name, count) for name in NAMES if PYTHON.exists()]


async def _jobs(ground: Ground, name: str, count: int) -> Jobs:
    before = await ground.cpu_s()
    process = await asyncio.create_subprocess_exec(
        *(str(PYTHON), str(Path(__file__).with_name("no_op_jobs.py")), name, ground.url, str(count)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return Jobs(name=name, redis_cpu_s=(await ground.cpu_s() - before) / count, **json.loads(told))


def costs(found: list[Jobs]) -> list[Cost]:
    return [
        Cost(
            what=f"  jobs of {each.name} that do nothing, a second per core",
            value=1 / (each.cpu_s + each.redis_cpu_s),
            note=f"CPU: {each.cpu_s * 1000:.1f} ms, Redis {each.redis_cpu_s * 1000:.1f} ms;"
            f" one process did {each.per_s:.0f} a second",
        )
        for each in found
    ]
