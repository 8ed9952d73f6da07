"""An agent that may be shut down at any time: `durable.py` asks or goes on, `durable.py serve` awaits calls.

It pays at most once, whenever it is killed: before it has asked, while people think, or once it has claimed.
"""

import asyncio
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from approvals import Approvals, NotClaimed

INVOICE = {"invoice": "inv-881", "customer": "c_42", "amount": 940}
PAYMENTS = os.environ["PAYMENTS_URL"]  # who pays, and remembers what was paid by the id that it came with
LOCK = Path(os.environ.get("AGENT_LOCK", "durable.lock"))
PORT = int(os.environ.get("AGENT_PORT", "9000"))


async def main() -> None:
    """Ask, or find what was asked before: the same key is the same request."""
    async with Approvals.connect() as approvals:
        url = os.environ.get("CALLBACK_URL")
        ticket = await approvals.submit("pay", INVOICE, key=INVOICE["invoice"], callback_url=url)
        print(await go_on(approvals, ticket.id))


async def go_on(approvals: Approvals, request_id: str) -> str:
    """Do what there is to do by now. To call this again, at any time, is safe."""
    outcome = await approvals.get(request_id)
    if outcome is None:
        return "nobody has decided yet"
    if outcome.status != "approved":
        return f"{outcome.status}: {outcome.text}"
    with only_one_of_me():
        try:
            permit = await approvals.claim(request_id)
        except NotClaimed:  # an earlier life of mine got this far
            return await settle(approvals, request_id)
        await pay(request_id, permit.args)
        await approvals.receipt(request_id, True, "paid")
        return "paid"


async def settle(approvals: Approvals, request_id: str) -> str:
    """Find out how far the one came who claimed it. Leave to run it is given once, so it isn't run again."""
    paid = await was_paid(request_id)
    words = "paid" if paid else "not paid: shut down too early"
    await approvals.receipt(request_id, paid, words)
    return f"{words}, by an earlier start"


@contextmanager
def only_one_of_me() -> Iterator[None]:
    """Others fail at once. The lock of one that was killed is free."""
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


async def pay(request_id: str, args: dict[str, Any]) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        await http.post(f"{PAYMENTS}/{request_id}", json=args)


async def was_paid(request_id: str) -> bool:
    async with aiohttp.ClientSession() as http, http.get(f"{PAYMENTS}/{request_id}") as answer:
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        answer.raise_for_status()  # we don't know
        return True


async def called_back(request: web.Request) -> web.Response:
    """Answer 2xx only when it is done: after anything else we are called again."""
    body = await request.read()
    try:
        call = Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(request.headers))
    except WebhookVerificationError:
        return web.Response(status=HTTPStatus.UNAUTHORIZED)
    async with Approvals.connect() as approvals:
        print(call["type"], "→", await go_on(approvals, call["data"]["id"]), flush=True)
    return web.Response(status=HTTPStatus.NO_CONTENT)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        app = web.Application()
        app.router.add_post("/countersign", called_back)
        web.run_app(app, host="127.0.0.1", port=PORT, print=None)
    else:
        asyncio.run(main())
