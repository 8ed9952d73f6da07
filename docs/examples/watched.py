import asyncio

from approvals import Approvals, TakenOver
from approvals.watcher import Watcher


async def refund(customer: str) -> str:  # a tool that fails
    raise LookupError(customer)


async def main() -> None:
    watcher = Watcher(phrases=["I can't tell", "not sure"], attempts=3, turns=20)
    async with Approvals.connect() as approvals:
        guidance = None
        while guidance is None:
            watcher.turn()
            try:
                watcher.saw(await refund("c_42"))
            except LookupError:
                watcher.tried("refund", ok=False)
            if watcher.why:
                print("the run is stuck:", watcher.why)
            try:
                guidance = await watcher.escalate_if_stuck(approvals, context="Refunding c_42")
            except TakenOver:
                return  # a person goes on
        print("going on with:", guidance)


asyncio.run(main())
