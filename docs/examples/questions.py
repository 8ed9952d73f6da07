import asyncio

from approvals import Approvals, ChangesRequested, TakenOver

FORM = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "enum": ["eu", "us"]},
        "copies": {"type": "integer", "minimum": 1, "description": "At least two, to be safe"},
    },
    "required": ["region", "copies"],
}


async def place(approvals: Approvals) -> str:
    try:
        return await approvals.ask("Which region?", ["eu", "us"])
    except ChangesRequested as back:  # a person asks back, and waits for the reply on the card
        assert back.outcome is not None
        await approvals.reply(back.outcome.id, f"You asked: {back.feedback} Both cost the same.")
        return await approvals.answer(back.outcome.id)


async def main() -> None:
    async with Approvals.connect() as approvals:
        try:
            print(await place(approvals))
            print(await approvals.ask("Who is told?", ["ops", "legal", "sales"], many=True))
            print(await approvals.ask("How is it set up?", schema=FORM))
        except TakenOver as taken:
            print(taken)  # stop here


asyncio.run(main())
