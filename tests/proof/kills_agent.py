"""An agent that asks, waits, claims, runs and reports, and says each on a line of its own when it is done.

Usage: kills_agent.py NUMBER… : which calls are to be made; each has a key, so that an agent which is started
again goes on where the one before was killed.
"""

from __future__ import annotations

import asyncio
import json
import sys

from approvals import Approvals
from approvals.errors import NotApproved, NotClaimed, StillPending, Unavailable
from approvals.model import Args

AT_ONCE = 8
AGAIN_S = 0.1


def say(what: str, number: int, request: str, args: Args | None = None) -> None:
    print(json.dumps({"what": what, "number": number, "request": request, "args": args}), flush=True)


async def ask(approvals: Approvals, number: int) -> None:
    args: Args = {"customer": f"c_{number}", "amount": number}
    request = await _asked(approvals, number, args)
    say("asked", number, request)
    if await _is_approved(approvals, request):
        try:
            permit = await approvals.claim(request)
        except (NotClaimed, Unavailable):
            say("not run", number, request)  # it may have leave to, or not: so it doesn't
        else:
            say("ran", number, request, permit.args)
            await _report(approvals, request)
            say("reported", number, request)
    say("done", number, request)


async def _asked(approvals: Approvals, number: int, args: Args) -> str:
    while True:
        try:
            return (await approvals.submit("refund", args, key=f"call-{number}")).id
        except Unavailable:
            await asyncio.sleep(AGAIN_S)


async def _is_approved(approvals: Approvals, request: str) -> bool:
    while True:
        try:
            outcome = await approvals.wait(request, timeout=60)
            return outcome.status == "approved"
        except (Unavailable, StillPending):
            await asyncio.sleep(AGAIN_S)
        except NotApproved:
            return False


async def _report(approvals: Approvals, request: str) -> None:
    while True:
        try:
            await approvals.receipt(request, True, "done")
            return
        except Unavailable:
            await asyncio.sleep(AGAIN_S)


async def main() -> None:
    numbers = iter(map(int, sys.argv[1:]))
    async with Approvals.connect() as approvals:

        async def some() -> None:
            for number in numbers:
                await ask(approvals, number)

        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(some())


if __name__ == "__main__":
    asyncio.run(main())
