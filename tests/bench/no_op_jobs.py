"""Jobs that do nothing, in arq or saq: `python no_op_jobs.py arq|saq REDIS_URL COUNT` in their environment.

It prints, as JSON, how many a second this process has put in and carried out, and what one took of its CPU.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

AT_ONCE = 32


async def nothing(_: object) -> None:
    """The job."""


async def by_arq(url: str, count: int) -> None:
    from arq import create_pool  # type: ignore[import-not-found]
    from arq.connections import RedisSettings  # type: ignore[import-not-found]
    from arq.worker import Worker  # type: ignore[import-not-found]

    redis = await create_pool(RedisSettings.from_dsn(url))
    await _side_by_side(count, lambda: redis.enqueue_job("nothing"))
    worker = Worker(
        [nothing], redis_pool=redis, burst=True, max_jobs=AT_ONCE, poll_delay=0.01, handle_signals=False
    )
    await worker.async_run()
    assert worker.jobs_complete == count


async def by_saq(url: str, count: int) -> None:
    from saq import Queue, Worker  # type: ignore[import-not-found]

    queue = Queue.from_url(url)
    await queue.connect()
    await _side_by_side(count, lambda: queue.enqueue("nothing"))
    await Worker(queue, functions=[nothing], concurrency=AT_ONCE, burst=True, dequeue_timeout=0.1).start()
    assert await queue.count("incomplete") == 0


async def _side_by_side(count: int, put: Callable[[], Awaitable[object]]) -> None:
    numbers = iter(range(count))

    async def some() -> None:
        for _ in numbers:
            await put()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(some())


def main() -> None:
    name, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    jobs = {"arq": by_arq, "saq": by_saq}[name]
    asyncio.run(jobs(url, 1))  # and imports what it needs
    began, used = time.perf_counter(), time.process_time()
    asyncio.run(jobs(url, count))
    took, cpu = time.perf_counter() - began, time.process_time() - used
    print(json.dumps({"per_s": count / took, "cpu_s": cpu / count}))


if __name__ == "__main__":
    main()
