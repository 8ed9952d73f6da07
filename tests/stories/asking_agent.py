"""An agent as a process of its own: asks under a key, waits, prints what became of it."""

import asyncio
import sys

from approvals import Approvals


async def main(key: str) -> None:
    async with Approvals.connect() as approvals:
        ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940}, key=key)
        outcome = await approvals.wait(ticket.id, timeout=30)
        sys.stdout.write(f"{outcome.status} by {outcome.decided_by} {outcome.id}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
