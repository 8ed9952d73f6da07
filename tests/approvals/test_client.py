"""What an agent holds, against a real Redis and a clerk who decides."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

import approvals as public
from approvals import (
    Approvals,
    Cancelled,
    ChangesRequested,
    Expired,
    Forged,
    InvalidCall,
    KeyReused,
    NotClaimed,
    Rejected,
    StillPending,
    Unavailable,
    Undeliverable,
    wire,
)
from approvals.ids import new_id
from approvals.messages import Outcome, OutcomeStatus, ReceiptNotice
from approvals.model import Action, Risk, Status
from bot.redis_server import RedisServer
from tests.builders import T0
from tests.clerk import serving, yes

NOWHERE = "redis://127.0.0.1:1/0"
REFUND = {"customer": "c_42", "amount": 940}


@pytest.fixture
async def agent(redis_url: str, tenant: str) -> AsyncIterator[Approvals]:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent:
        yield agent


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        yield redis


async def connections(redis: Redis) -> int:
    """How many this agent has."""
    return sum(client["name"] == "countersign:billing" for client in await redis.client_list())


async def calls(redis: Redis, command: str) -> int:
    stats: dict[str, dict[str, int]] = await redis.info("commandstats")
    return stats.get(f"cmdstat_{command}", {"calls": 0})["calls"]


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110  # Redis tells nobody who is blocked
            await asyncio.sleep(0.01)


# -- asking and waiting -------------------------------------------------------------------------------


async def test_a_request_returns_the_args_that_were_approved(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=yes):
        outcome = await agent.request("refund", REFUND, reason="double charge")
    assert outcome.status is OutcomeStatus.APPROVED
    assert (outcome.args, outcome.edited, outcome.decided_by_name) == (REFUND, False, "Ada")


async def test_everything_that_is_said_of_a_request_arrives(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"amount": {"type": "number"}}}
    async with serving(redis_url, tenant) as clerk:
        ticket = await agent.submit(
            "refund",
            REFUND,
            reason="double charge",
            on_behalf_of="U0GRACE",
            risk="high",
            confidence=0.8,
            tags=["money"],
            schema=schema,
            deadline="30m",
        )
        [request] = await clerk.arrived()
        [letter] = clerk.letters
    assert (request.id, request.agent, request.fingerprint) == (ticket.id, "billing", ticket.fingerprint)
    assert (request.reason, request.on_behalf_of, request.tags) == ("double charge", "U0GRACE", ("money",))
    assert (request.schema, request.confidence) == (schema, 0.8)
    assert (letter.risk, letter.deadline_s) == (Risk.HIGH, 1800)  # type: ignore[union-attr]  # a submission


async def test_submitting_needs_no_service(agent: Approvals, redis_url: str, tenant: str) -> None:
    ticket = await agent.submit("refund", REFUND)
    async with serving(redis_url, tenant, habit=yes):
        assert (await agent.wait(ticket.id)).status is OutcomeStatus.APPROVED


async def test_what_was_decided_while_the_agent_was_down_is_found_by_id_and_by_key(
    redis_url: str, tenant: str
) -> None:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as before:
        ticket = await before.submit("refund", REFUND, key="inv-881")
    async with serving(redis_url, tenant) as clerk:
        await clerk.arrived()
        await clerk.approve(ticket.id)
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as after:
        again = await after.submit("refund", REFUND, key="inv-881")
        assert (again.id, again.is_new) == (ticket.id, False)
        assert (await after.wait(ticket.id)).status is OutcomeStatus.APPROVED


async def test_a_key_that_is_used_for_something_else_is_refused(agent: Approvals) -> None:
    await agent.submit("refund", REFUND, key="inv-881")
    with pytest.raises(KeyReused):
        await agent.submit("refund", REFUND | {"amount": 941}, key="inv-881")
    with pytest.raises(KeyReused):
        await agent.submit("payout", REFUND, key="inv-881")


async def test_the_same_key_of_another_agent_is_another_request(redis_url: str, tenant: str) -> None:
    async with (
        Approvals.connect(redis_url, agent="a", tenant=tenant) as a,
        Approvals.connect(redis_url, agent="b", tenant=tenant) as b,
    ):
        one, other = await a.submit("refund", REFUND, key="k"), await b.submit("refund", {}, key="k")
    assert one.id != other.id


async def test_what_the_caller_changes_afterwards_is_not_what_was_asked(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    args: dict[str, object] = {"to": ["ada@example.org"]}
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        waiting = group.create_task(agent.request("mail", args))
        [request] = await clerk.arrived()
        args["to"] = ["mallory@example.org"]
        await clerk.approve(request.id)
        outcome = await waiting
    assert outcome.args == {"to": ["ada@example.org"]}


async def test_a_wait_is_woken_and_does_not_poll(
    agent: Approvals, redis: Redis, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        ticket = await agent.submit("refund", REFUND)
        await clerk.arrived()
        waiting = group.create_task(agent.wait(ticket.id))
        await until(lambda: blocked(redis))
        looked = await calls(redis, "mget")
        with pytest.raises(StillPending):
            await agent.wait(ticket.id, timeout=1)  # and meanwhile nothing is asked again
        assert await calls(redis, "mget") == looked + 1  # the second wait's own first look
        await clerk.approve(ticket.id)
        await waiting
        assert await calls(redis, "mget") == looked + 2


async def blocked(redis: Redis) -> bool:
    return any(
        client["name"] == "countersign:billing" and "b" in client["flags"]
        for client in await redis.client_list()
    )


async def test_five_hundred_waits_share_two_connections(
    agent: Approvals, redis: Redis, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        async with agent.batch() as batch:
            tickets = [batch.submit("refund", REFUND | {"amount": n}) for n in range(500)]
        await clerk.arrived(500)
        waits = [group.create_task(agent.wait(ticket.id)) for ticket in tickets]
        await until(lambda: blocked(redis))
        assert await connections(redis) <= 2
        for ticket in tickets:
            await clerk.approve(ticket.id)
        outcomes = [await wait for wait in waits]
        assert await connections(redis) <= 2
    assert [outcome.id for outcome in outcomes] == [ticket.id for ticket in tickets]


async def test_a_wait_is_woken_though_its_hint_was_dropped_before_it_was_read(
    agent: Approvals, redis: Redis, tenant: str
) -> None:
    decided = Outcome(
        id=new_id(),
        status=OutcomeStatus.REJECTED,
        decided_at=T0,
        decided_by="slack:U0ANA",
        decided_by_name="Ana",
    )
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(agent.wait(decided.id, timeout=10))
        await until(lambda: blocked(redis))
        async with redis.pipeline() as pipe:
            pipe.set(f"cs:{{{tenant}}}:outcome:billing:{decided.id}", wire.write(wire.OUTCOME, decided))
            for id in [decided.id, *[new_id()] * 1500]:
                pipe.xadd(f"cs:{{{tenant}}}:wake:billing", {"id": id}, maxlen=1000)
            await pipe.execute()
        assert await waiting == decided


async def test_the_others_go_on_when_the_wait_that_reads_for_them_is_cancelled(
    agent: Approvals, redis: Redis, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        tickets = [await agent.submit("refund", {"n": n}) for n in range(3)]
        await clerk.arrived(3)
        waits = [group.create_task(agent.wait(ticket.id)) for ticket in tickets]
        await until(lambda: blocked(redis))
        waits[0].cancel()
        waits[1].cancel()
        await clerk.approve(tickets[2].id)
        assert (await waits[2]).id == tickets[2].id


async def test_two_waits_for_one_request_both_hear(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        ticket = await agent.submit("refund", REFUND)
        await clerk.arrived()
        waits = [group.create_task(agent.wait(ticket.id)) for _ in range(2)]
        await clerk.reject(ticket.id, "no")
        assert [(await wait).status for wait in waits] == [OutcomeStatus.REJECTED] * 2


async def test_a_wait_that_ends_leaves_the_request_open(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk:
        ticket = await agent.submit("refund", REFUND)
        await clerk.arrived()
        with pytest.raises(StillPending) as still:
            await agent.wait(ticket.id, timeout=timedelta(milliseconds=10))
        assert still.value.request_id == ticket.id
        assert await agent.get(ticket.id) is None
        await clerk.approve(ticket.id)
        assert (await agent.wait(ticket.id, timeout=0)).status is OutcomeStatus.APPROVED


async def test_a_wait_survives_a_restart_of_redis(tmp_path: Path, tenant: str) -> None:
    async with (
        RedisServer(tmp_path, appendfsync="always") as server,
        Approvals.connect(server.url, agent="billing", tenant=tenant) as agent,
        asyncio.TaskGroup() as group,
    ):
        async with serving(server.url, tenant) as clerk:
            ticket = await agent.submit("refund", REFUND)
            await clerk.arrived()
        waiting = group.create_task(agent.wait(ticket.id))
        async with Redis.from_url(server.url, decode_responses=True) as redis:
            await until(lambda: blocked(redis))
        await server.kill()
        await server.restart()
        async with serving(server.url, tenant) as clerk:
            await clerk.approve(ticket.id)
            assert (await waiting).status is OutcomeStatus.APPROVED


async def test_an_outcome_that_nobody_can_read_troubles_only_its_own_wait(
    agent: Approvals, redis: Redis, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        good, bad = await agent.submit("refund", {"n": 1}), await agent.submit("refund", {"n": 2})
        await clerk.arrived(2)
        await redis.set(f"cs:{{{tenant}}}:outcome:billing:{bad.id}", '{"status": "maybe"}')
        waiting = group.create_task(agent.wait(good.id))
        with pytest.raises(public.ApprovalsError):
            await agent.wait(bad.id, timeout=20)
        await clerk.approve(good.id)
        assert (await waiting).status is OutcomeStatus.APPROVED


# -- when it is not a yes -----------------------------------------------------------------------------


async def test_a_rejection_is_raised_with_the_words_of_who_rejected(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(caught(agent.request("refund", REFUND)))
        [request] = await clerk.arrived()
        await clerk.reject(request.id, "not without a ticket")
        error = await asking
    assert isinstance(error, Rejected)
    assert error.feedback == "not without a ticket"
    assert "rejected by Ada: not without a ticket" in str(error)


async def caught(work: Any) -> Exception:
    with pytest.raises(public.ApprovalsError) as error:
        await work
    return error.value


async def test_a_rule_that_denies_raises_rejected(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, action=Action.DENY):
        with pytest.raises(Rejected):
            await agent.request("refund", REFUND)


async def test_silence_raises_expired_and_never_rejected(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, deadline_s=0) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(caught(agent.request("refund", REFUND)))
        [request] = await clerk.arrived()
        await clerk.expire(request.id)
        assert isinstance(await asking, Expired)


async def test_a_request_that_reaches_nobody_raises_undeliverable(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(caught(agent.request("refund", REFUND)))
        [request] = await clerk.arrived()
        await clerk.give_up(request.id, "#approvals is archived")
        error = await asking
    assert isinstance(error, Undeliverable)
    assert "#approvals is archived" in str(error)


async def test_a_cancelled_request_raises_cancelled(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(caught(agent.request("refund", REFUND)))
        [request] = await clerk.arrived()
        await agent.cancel(request.id, "the customer called")
        assert isinstance(await asking, Cancelled)


async def test_changes_are_requested_made_and_approved(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant) as clerk:
        ticket = await agent.submit("refund", REFUND)
        await clerk.arrived()
        for round, amount in enumerate((500, 400), start=1):
            await clerk.send_back(ticket.id, f"make it {amount}")
            with pytest.raises(ChangesRequested) as wanted:
                await agent.wait(ticket.id)
            assert wanted.value.feedback == f"make it {amount}"
            await agent.revise(ticket.id, REFUND | {"amount": amount})
            with pytest.raises(StillPending):  # what was asked for has been done: it isn't asked for again
                await agent.wait(ticket.id, timeout=0.05)
            await clerk.until(lambda round=round: len(clerk.letters) == 1 + round)  # type: ignore[misc]  # a default
        await clerk.approve(ticket.id)
        assert (await agent.wait(ticket.id)).args == REFUND | {"amount": 400}


# -- questions ----------------------------------------------------------------------------------------


async def test_a_question_returns_the_option_that_was_chosen(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(
            agent.ask("Which region?", options=["eu", "us"], context="Both have capacity")
        )
        [request] = await clerk.arrived()
        await clerk.answer(request.id, "us")
        assert await asking == "us"
    assert request.args == {
        "question": "Which region?",
        "options": ["eu", "us"],
        "free_text": False,
        "context": "Both have capacity",
    }


async def test_a_question_without_options_is_answered_in_words(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(agent.ask("Why?"))
        [request] = await clerk.arrived()
        await clerk.answer(request.id, "because")
        assert await asking == "because"


async def test_a_question_can_be_rejected(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(caught(agent.ask("Why?")))
        [request] = await clerk.arrived()
        await clerk.reject(request.id)
        assert isinstance(await asking, Rejected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": " "},
        {"question": "Which?", "options": "eu"},
        {"question": "Which?", "options": ["eu", "eu"]},
        {"question": "Which?", "options": ["eu", ""]},
        {"question": "Which?", "options": [str(n) for n in range(101)]},
        {"question": "Which?", "free_text": False},
        {"question": "\ud800"},
    ],
)
async def test_a_question_that_nobody_could_answer_is_refused(
    agent: Approvals, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidCall):
        await agent.ask(**wrong)


# -- claiming and reporting ---------------------------------------------------------------------------


async def test_of_twenty_who_claim_one_gets_it(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:
        outcome = await agent.request("refund", REFUND)

        async def claim() -> bool:
            try:
                permit = await agent.claim(outcome.id)
            except NotClaimed:
                return False
            return permit.args == REFUND

        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(claim()) for _ in range(20)]
        assert sum(one.result() for one in tries) == 1
        await clerk.until_status(outcome.id, Status.EXECUTING)


async def test_waiting_claims_nothing(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes):
        outcome = await agent.request("refund", REFUND)
        await agent.wait(outcome.id)
        assert (await agent.claim(outcome.id)).args == REFUND


@pytest.mark.attack("B37")
async def test_a_permit_for_another_call_than_was_seen_is_no_leave(
    agent: Approvals, redis: Redis, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=yes):
        outcome = await agent.request("refund", REFUND)
        at = f"cs:{{{tenant}}}:permit:billing:{outcome.id}"
        await redis.set(at, str(await redis.get(at)).replace("940", "941"))
        with pytest.raises(Forged, match="another call"):
            await agent.claim(outcome.id)


async def test_of_a_receipt_people_see_the_beginning(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:
        outcome = await agent.request("refund", REFUND)
        await agent.claim(outcome.id)
        await agent.receipt(outcome.id, True, "x" * 1000 + "\ud800", duration_ms=12)
        request = await clerk.until_status(outcome.id, Status.EXECUTED)
    assert request.receipt is not None
    assert request.receipt.result == "x" * 499 + "…"
    assert request.receipt.duration_ms == 12
    assert isinstance(clerk.letters[-1], ReceiptNotice)


# -- batches ------------------------------------------------------------------------------------------


async def test_a_batch_is_sent_when_it_ends(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:
        async with agent.batch(reason="month end") as batch:
            tickets = [batch.submit("refund", {"n": n}) for n in range(3)]
        outcomes = await batch.wait(timeout=20)
        requests = await clerk.arrived(3)
    assert list(outcomes) == [ticket.id for ticket in tickets]
    assert {request.batch for request in requests} == {batch.id}
    assert {request.reason for request in requests} == {"month end"}


async def test_a_batch_that_fails_half_way_sends_nothing(agent: Approvals, redis: Redis, tenant: str) -> None:
    with pytest.raises(InvalidCall):
        async with agent.batch() as batch:
            batch.submit("refund", REFUND)
            batch.submit("refund", {"amount": math.nan})
    assert await redis.keys("*") == []


async def test_a_batch_waits_until_all_are_decided(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant) as clerk:
        async with agent.batch() as batch:
            first, second = batch.submit("refund", {"n": 1}), batch.submit("refund", {"n": 2})
        await clerk.arrived(2)
        await clerk.approve(first.id)
        with pytest.raises(StillPending) as still:
            await batch.wait(timeout=0.01)
        assert still.value.request_id == second.id
        await clerk.reject(second.id)
        decided = await batch.wait()
    assert [outcome.status for outcome in decided.values()] == [
        OutcomeStatus.APPROVED,
        OutcomeStatus.REJECTED,
    ]


async def test_a_batch_takes_no_keys_and_nothing_after_it_was_sent(agent: Approvals) -> None:
    async with agent.batch() as batch:
        with pytest.raises(InvalidCall, match="no key"):
            batch.submit("refund", REFUND, key="k")
    with pytest.raises(InvalidCall, match="has been sent"):
        batch.submit("refund", REFUND)


# -- bad input ----------------------------------------------------------------------------------------


def nested(levels: int) -> dict[str, object]:
    inner: dict[str, object] = {}
    for _ in range(levels - 1):
        inner = {"a": inner}
    return inner


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"amount": math.nan}, r"args\.amount is nan"),
        ({"amount": math.inf}, r"args\.amount is inf"),
        ({"text": "\ud800"}, r"args\.text holds half a character"),
        ({"ids": {1, 2}}, r"args\.ids is a set"),
        ({"n": 2**53}, r"args\.n is beyond"),
        ({1: "one"}, r"has the key 1"),
        (["not", "an", "object"], r"args must be a JSON object"),
        (nested(65), r"nested deeper than 64"),
        ({"text": "x" * 256 * 1024}, r"at most 262,144 are accepted"),
    ],
)
async def test_args_that_json_cannot_carry_are_refused_with_the_place(
    agent: Approvals, args: Any, told: str
) -> None:
    with pytest.raises(InvalidCall, match=told):
        await agent.submit("refund", args)
    with pytest.raises(InvalidCall, match=told):
        await agent.revise(new_id(), args)


async def test_sixty_four_levels_are_accepted(agent: Approvals) -> None:
    await agent.submit("refund", nested(64))


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("string", "schema must be a JSON object"),
        ({"type": "array"}, r"schema\.type is 'array'"),
        ({"type": "objekt"}, r"schema\.type is 'objekt'"),
        ({"properties": ["amount"]}, r"schema\.properties is \['amount'\]"),
        ({"properties": {"amount": "number"}}, r"schema\.properties\.amount is 'number'"),
        ({"properties": {"amount": {"type": "float"}}}, r"schema\.properties\.amount\.type is 'float'"),
        ({"properties": {"tags": {"items": [{"type": 3}]}}}, r"items\[0\]\.type is 3"),
        ({"required": "amount"}, r"schema\.required is 'amount'"),
        ({"properties": {"a": {"enum": []}}}, r"enum is \[\]"),
        ({"anyOf": []}, r"schema\.anyOf is \[\]"),
        ({"properties": {"a": {"maximum": "9"}}}, r"maximum is '9'"),
        ({"properties": {"a": {"maxLength": -1}}}, r"maxLength is -1"),
        ({"properties": {"a": {"$ref": 1}}}, r"\$ref is 1"),
        ({"title": {"a"}}, r"schema\.title is a set"),
        ({"title": "x" * 256 * 1024}, r"at most 262,144 are accepted"),
    ],
)
async def test_a_schema_that_is_none_is_refused_with_the_place(
    agent: Approvals, schema: Any, told: str
) -> None:
    with pytest.raises(InvalidCall, match=told):
        await agent.submit("refund", REFUND, schema=schema)


async def test_a_schema_with_every_sort_of_keyword_is_accepted(agent: Approvals) -> None:
    schema: dict[str, object] = {
        "$defs": {"money": {"type": ["number", "null"], "minimum": 0, "x-unit": "EUR"}},
        "properties": {"amount": {"$ref": "#/$defs/money"}, "tags": {"items": True, "maxItems": 3}},
        "required": ["amount"],
        "additionalProperties": False,
        "allOf": [{"not": {"enum": [None]}}],
    }
    await agent.submit("refund", REFUND, schema=schema)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"on_behalf_of": "ada"}, "on_behalf_of is 'ada'; it takes a Slack id"),
        ({"on_behalf_of": "@U0ADA"}, "Slack id"),
        ({"risk": "huge"}, "low, medium, high, critical"),
        ({"confidence": 1.5}, "from 0 to 1"),
        ({"confidence": True}, "from 0 to 1"),
        ({"tags": "money"}, "list of texts"),
        ({"tags": [""]}, "a tag needs words"),
        ({"tags": ["t"] * 21}, "20 tags at most"),
        ({"deadline": "soon"}, "deadline: 'soon' is no duration"),
        ({"deadline": 0}, "from a second"),
        ({"deadline": -1}, "negative"),
        ({"deadline": True}, "seconds, a timedelta"),
        ({"deadline": math.nan}, "negative"),
        ({"reason": "x" * 16_001}, "16,001 characters"),
        ({"reason": 7}, "reason is text"),
        ({"reason": "\ud800"}, "half a character"),
        ({"key": ""}, "key is empty"),
    ],
)
async def test_an_option_that_says_nothing_sensible_is_refused(
    agent: Approvals, options: Any, told: str
) -> None:
    with pytest.raises(InvalidCall, match=told):
        await agent.submit("refund", REFUND, **options)


@pytest.mark.parametrize("tool", ["", "x" * 201, "re\nfund", "re\u202efund", 7])
async def test_what_is_no_name_of_a_tool_is_refused(agent: Approvals, tool: Any) -> None:
    with pytest.raises(InvalidCall):
        await agent.submit(tool, REFUND)


@pytest.mark.parametrize("name", ["Billing", "a:b", "{a}", "a b", "-a", "x" * 64])
def test_an_agent_name_that_could_reach_into_anothers_keys_is_refused(name: str) -> None:
    with pytest.raises(InvalidCall):
        Approvals.connect(NOWHERE, agent=name)


@pytest.mark.parametrize("id", ["", "R-7K2M", "r-0", None, "R-" + "0" * 25 + "}"])
async def test_what_is_no_id_is_refused(agent: Approvals, id: Any) -> None:
    for call in (agent.wait, agent.get, agent.claim, agent.cancel):
        with pytest.raises(InvalidCall, match="no request id"):
            await call(id)


def test_where_redis_is_and_who_asks_must_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "APPROVALS_AGENT", "APPROVALS_TENANT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidCall, match="where is Redis"):
        Approvals.connect()
    monkeypatch.setenv("REDIS_URL", NOWHERE)
    with pytest.raises(InvalidCall, match="who asks"):
        Approvals.connect()
    monkeypatch.setenv("APPROVALS_AGENT", "billing")
    monkeypatch.setenv("APPROVALS_TENANT", "acme")
    agent = Approvals.connect()
    assert (agent.agent, agent.tenant) == ("billing", "acme")


# -- when Redis is away -------------------------------------------------------------------------------


async def test_without_redis_asking_is_unavailable() -> None:
    async with Approvals.connect(NOWHERE, agent="billing") as agent:
        with pytest.raises(Unavailable):
            await agent.submit("refund", REFUND)
        with pytest.raises(Unavailable):
            await agent.request("refund", REFUND)


async def test_a_wait_has_patience_and_it_ends() -> None:
    async with Approvals.connect(NOWHERE, agent="billing", patience=0.1) as agent:
        with pytest.raises(Unavailable):
            await agent.wait(new_id())


async def test_nobody_is_told_that_nobody_decided_while_redis_is_away() -> None:
    async with Approvals.connect(NOWHERE, agent="billing") as agent:
        with pytest.raises(Unavailable):
            await agent.wait(new_id(), timeout=0.05)


async def test_closing_ends_the_waits(agent: Approvals, redis: Redis) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(caught(agent.wait(new_id())))
        await until(lambda: blocked(redis))
        await agent.aclose()
        assert isinstance(await waiting, Unavailable)


def test_one_client_serves_one_event_loop_after_another(redis_url: str, tenant: str) -> None:
    agent = Approvals.connect(redis_url, agent="billing", tenant=tenant)

    async def once() -> Outcome | None:
        async with agent:
            ticket = await agent.submit("refund", REFUND)
            return await agent.get(ticket.id)

    assert [asyncio.run(once()) for _ in range(2)] == [None, None]


def test_everything_that_is_exported_is_there() -> None:
    assert all(getattr(public, name) is not None for name in public.__all__)
    with pytest.raises(AttributeError):
        _ = public.nothing
