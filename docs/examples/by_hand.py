import asyncio

from approvals import Approvals, NotClaimed, StillPending


async def main() -> None:
    async with Approvals.connect() as approvals:
        ticket = await approvals.submit(
            "deploy",
            {"service": "checkout", "version": "v2.1"},
            reason="release day",
            key="deploy-checkout-v2.1",  # started again, this program finds the same request
            deadline="4h",
        )
        try:
            outcome = await approvals.wait(ticket.id, timeout="1h")
        except StillPending:
            return  # it stays open; the next start goes on from here
        if outcome.status != "approved":
            print(f"{outcome.status} by {outcome.decided_by_name}: {outcome.text}")
            return
        try:
            permit = await approvals.claim(ticket.id)
        except NotClaimed:
            return  # an earlier start, or another process, has run it
        print("deploying", permit.args["version"])  # the approved args: a person may have edited them
        await approvals.receipt(ticket.id, ok=True, result="3 of 3 healthy", duration_ms=1200)


asyncio.run(main())
