"""On what it was measured, in one line."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis


async def described(redis: Redis) -> str:
    """The machine, and how busy it was with other things: figures are to be compared within one run only."""
    server = await redis.info("server")
    fsync = (await redis.config_get("appendfsync"))["appendfsync"]
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{os.cpu_count()} × {processor()}",
        platform.system(),
        f"Python {platform.python_version()}",
        f"Redis {server['redis_version']}, appendfsync {fsync}",
        f"load before {os.getloadavg()[0]:.1f}",
    ]
    return " · ".join(parts)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
