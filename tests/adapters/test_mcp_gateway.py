"""The MCP gateway: any server's tools ask first, and all else passes through it unchanged."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("mcp", reason="make setup installs the MCP SDK")

from mcp.client import Client
from mcp.client.context import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult, TextContent

from approvals import Approvals
from approvals.commands import Approve, Command
from approvals.model import Args, Request, Status
from tests.adapters.mcp_shop import Shop, gated
from tests.clerk import ADA, Clerk, serving, yes

CALL: Args = {"customer": "c_42", "amount": 940}
eras = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def read(client: Client, args: Args = CALL, tool: str = "refund") -> tuple[str, bool]:
    """What the model reads when it calls a tool, and whether that is an error."""
    result = await client.call_tool(tool, args)
    texts = [block.text for block in result.content if isinstance(block, TextContent)]
    return "\n".join(texts), result.is_error


@eras
async def test_an_approved_call_runs_once_and_is_reported(
    mode: str, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with gated(approvals, shop.server, mode=mode) as client, asyncio.TaskGroup() as group:
        await client.list_tools()
        reading = group.create_task(read(client))
        (request,) = await clerk.arrived()
        assert shop.ran == []
        await clerk.approve(request.id)
        assert await reading == ("refunded 940.00", False)
        done = await clerk.until_status(request.id, Status.EXECUTED)
    assert (request.tool, request.args, request.agent) == ("refund", CALL, "billing")
    assert request.schema is not None, "people edit in a form"
    assert shop.ran == [("c_42", 940)]
    assert done.receipt is not None
    assert done.receipt.result == "refunded 940.00"


async def test_tools_are_listed_as_their_server_lists_them(approvals: Approvals, shop: Shop) -> None:
    async with gated(approvals, shop.server) as client, Client(shop.server) as bare:
        assert (await client.list_tools()).tools == (await bare.list_tools()).tools


@eras
async def test_resources_prompts_and_questions_pass_in_both_directions(
    mode: str, redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    async def sure(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"sure": True})

    async with (
        serving(redis_url, tenant, habit=yes) as clerk,
        gated(approvals, shop.server, mode=mode, elicitation_callback=sure) as client,
    ):
        assert "all free" in str(await client.read_resource("shop://prices"))
        assert "Greet Ada." in str(await client.get_prompt("greet", {"name": "Ada"}))
        assert await read(client, {"customer": "c_7"}, "close_account") == ("closed c_7", False)
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.EXECUTED)
    assert len(clerk.requests) == 1, "what the server asks back is part of the call that was approved"


async def test_what_people_changed_is_what_runs_and_the_model_is_told(
    redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    habit = editing({"customer": "c_42", "amount": 90})
    async with serving(redis_url, tenant, habit=habit), gated(approvals, shop.server) as client:
        assert await read(client) == (
            'A person changed the call, and it ran with {"customer": "c_42", "amount": 90}.\nrefunded 90.00',
            False,
        )
    assert shop.ran == [("c_42", 90)]


async def test_a_change_to_another_type_does_not_run(
    redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    habit = editing({"customer": "c_42", "amount": "lots"})
    async with serving(redis_url, tenant, habit=habit) as clerk, gated(approvals, shop.server) as client:
        await client.list_tools()
        said, is_error = await read(client)
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.FAILED)
    assert said.endswith("what people approved doesn't fit the tool: amount: 'lots' is not of type 'number'")
    assert is_error
    assert shop.ran == []


async def test_a_tool_that_fails_is_told_as_it_is_and_reported(
    redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk, gated(approvals, shop.server) as client:
        assert await read(client, {"customer": "c_0", "amount": 1}) == ("Error executing tool refund", True)
        (request,) = await clerk.arrived()
        done = await clerk.until_status(request.id, Status.FAILED)
    assert done.receipt is not None
    assert done.receipt.result == "ToolError: Error executing tool refund"


NO: dict[str, tuple[Callable[[Clerk, str], Any], str]] = {
    "rejected": (lambda clerk, id: clerk.reject(id, "too much"), "was rejected and did not run"),
    "expired": (lambda clerk, id: clerk.expire(id), "nobody answered in time"),
    "answered": (lambda clerk, id: clerk.answer(id, "it is settled"), "Their words: it is settled"),
    "sent back": (lambda clerk, id: clerk.send_back(id, "say why"), "Their words: say why"),
    "undeliverable": (lambda clerk, id: clerk.give_up(id, "no channel"), "could be reached"),
}


@pytest.mark.parametrize("what", NO)
async def test_a_call_that_is_not_approved_does_not_run_and_the_model_reads_why(
    what: str, redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    decide, words = NO[what]
    async with (
        serving(redis_url, tenant, deadline_s=0 if what == "expired" else 3600) as clerk,
        gated(approvals, shop.server) as client,
        asyncio.TaskGroup() as group,
    ):
        reading = group.create_task(read(client))
        (request,) = await clerk.arrived()
        await decide(clerk, request.id)
        said, is_error = await reading
    assert words in said
    assert is_error
    assert shop.ran == []


async def test_two_calls_at_once_are_two_requests_even_if_they_are_alike(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with gated(approvals, shop.server) as client, asyncio.TaskGroup() as group:
        first, second = group.create_task(read(client)), group.create_task(read(client))
        one, other = await clerk.arrived(2)
        await clerk.approve(one.id)
        await clerk.reject(other.id)
        assert sorted(is_error for _, is_error in (await first, await second)) == [False, True]
    assert shop.ran == [("c_42", 940)]


async def test_a_call_that_nobody_decided_in_time_goes_on_when_it_is_made_again(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with gated(approvals, shop.server, timeout_s=0.5) as client:
        said, is_error = await read(client)
        (request,) = await clerk.arrived()
        assert said.startswith(f"The call has not run: nobody has decided on {request.id} yet.")
        assert is_error
        await clerk.approve(request.id)
        assert await read(client) == ("refunded 940.00", False)
        assert "nobody has decided" in (await read(client))[0], "its approval is used up"
        await clerk.arrived(2)
    assert shop.ran == [("c_42", 940)]
    await clerk.until(lambda: Status.CANCELLED in {one.status for one in clerk.requests.values()})


@eras
async def test_a_call_given_up_while_it_waits_is_taken_back(
    mode: str, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with gated(approvals, shop.server, mode=mode) as client, asyncio.TaskGroup() as group:
        reading = group.create_task(read(client))
        (request,) = await clerk.arrived()
        reading.cancel()
        await clerk.until_status(request.id, Status.CANCELLED)
    assert shop.ran == []


async def test_a_call_given_up_while_it_runs_is_reported_so(
    redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    async with (
        serving(redis_url, tenant, habit=yes) as clerk,
        gated(approvals, shop.server) as client,
        asyncio.TaskGroup() as group,
    ):
        reading = group.create_task(read(client, {"customer": "c_42"}, "ship"))
        await shop.running.wait()
        reading.cancel()
        (request,) = await clerk.arrived()
        done = await clerk.until_status(request.id, Status.FAILED)
    assert done.receipt is not None
    assert done.receipt.result == "CancelledError: the client gave it up"


async def test_a_server_can_be_named_for_the_policy(
    redis_url: str, tenant: str, approvals: Approvals, shop: Shop
) -> None:
    async with (
        serving(redis_url, tenant, habit=yes) as clerk,
        gated(approvals, shop.server, name="shop") as client,
    ):
        assert await read(client) == ("refunded 940.00", False)
        (request,) = await clerk.arrived()
    assert request.tool == "shop.refund"


async def test_a_client_is_told_whom_it_waits_for(approvals: Approvals, clerk: Clerk, shop: Shop) -> None:
    told: asyncio.Queue[str | None] = asyncio.Queue()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        await told.put(message)

    async with gated(approvals, shop.server) as client, asyncio.TaskGroup() as group:
        calling = group.create_task(client.call_tool("refund", CALL, progress_callback=tell))
        (request,) = await clerk.arrived()
        assert await told.get() == f"Waiting for people to decide {request.id}"
        await clerk.approve(request.id)
        await calling


def editing(args: Args) -> Callable[[Request], Command]:
    return lambda request: Approve(by=ADA, seen=request.fingerprint, edited=args)
