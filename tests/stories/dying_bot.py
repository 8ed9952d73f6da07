"""`python -m bot`, unmodified, but for a SIGKILL at one exact place: the first call of a method.

Usage: dying_bot.py before|after|asked MODULE:CLASS.METHOD [role]. `asked`: a SIGTERM instead, before it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bot import __main__ as bot


def arm(moment: str, place: str) -> None:
    """Let the method at `place` be the last thing that this process does."""
    module, _, path = place.partition(":")
    owner, _, method = path.partition(".")
    target = getattr(import_module(module), owner)
    setattr(target, method, _dying(getattr(target, method), moment))


def _dying(unmodified: Callable[..., Awaitable[Any]], moment: str) -> Callable[..., Awaitable[Any]]:
    async def last_deed(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if moment == "asked":
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)  # the loop hears of it here, and the rest goes on while it stops
        result = await unmodified(*args, **kwargs)
        if moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return last_deed


if __name__ == "__main__":
    arm(sys.argv[1], sys.argv[2])
    sys.argv = ["bot", *sys.argv[3:]]
    sys.exit(bot.main())
