import asyncio

from approvals import Approvals, ChangesRequested


async def main() -> None:
    async with Approvals.connect() as approvals:
        draft: dict[str, object] = {"to": "all customers", "text": "We were down. Sorry!"}
        ticket = await approvals.submit("send_mail", draft)
        outcome = None
        while outcome is None:
            try:
                outcome = await approvals.wait(ticket.id, timeout="1d")
            except ChangesRequested as wanted:
                print("they want:", wanted.feedback)
                draft = draft | {"text": "We were down from 14:02 to 14:09 UTC."}
                await approvals.revise(ticket.id, draft, reason="with the times in it")
        print(outcome.status, outcome.args)


asyncio.run(main())
