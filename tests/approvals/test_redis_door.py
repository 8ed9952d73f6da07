"""The door to Redis."""

import asyncio

from approvals.redis_door import open_redis, translated


async def test_no_cancellation_is_lost_wherever_it_comes(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:

        async def ping_for_ever() -> None:
            while True:
                with translated(redis):
                    await redis.ping()

        for steps in range(60):  # of the event loop, until the cancellation comes
            task = asyncio.get_running_loop().create_task(ping_for_ever())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=5)
            assert task in done and task.cancelled()
