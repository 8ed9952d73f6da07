"""What goes on beside the requests: deliveries of events, late envelopes, saving."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Background:
    """A task group that lives from `start` to `stop`, and outlives the failure of a task."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._brief: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._group is not None:
            await self._group.__aexit__(None, None, None)
            self._group = None

    def spawn(self, work: Coroutine[Any, Any, None], *, brief: bool = True) -> None:
        """Run `work`; `brief` work is what `settle` waits for."""
        if self._group is None:
            work.close()
            return
        task = self._group.create_task(_logged(work))
        task.add_done_callback(lambda _: work.close())  # it never began if the stop came first
        for tasks in (self._tasks, self._brief) if brief else (self._tasks,):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def settle(self) -> None:
        """Wait until nothing brief is under way."""
        while self._brief:
            await asyncio.wait(self._brief)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        logger.exception("the sandbox failed in the background")
