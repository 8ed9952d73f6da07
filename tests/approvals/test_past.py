"""What was decided lately on requests like this one: of the same agent, for the same tool, by people."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.commands import Approve, Cancel, Reject
from approvals.ids import new_id
from approvals.model import AgentName, Request
from approvals.past import past_decisions
from approvals.redis_door import open_redis
from approvals.store import Store
from tests.builders import REFUND, SIGNER, a_person, a_request

KIM = a_person(id="U0KIM", name="Kim")


@pytest.fixture
async def store(redis_url: str, tenant: str) -> AsyncIterator[Store]:
    async with open_redis(redis_url) as redis:
        yield Store(redis, tenant, SIGNER)


async def asked(store: Store, **changes: Any) -> Request:
    usual = {"id": new_id(), "tenant": store.tenant, "created_at": datetime.now(UTC)}
    return await store.create(a_request(**(usual | changes)))


async def approved(store: Store, **changes: Any) -> Request:
    request = await asked(store, **changes)
    return (await store.change(request.id, Approve(by=KIM, seen=request.fingerprint))).request


async def test_the_latest_come_first_and_no_more_than_wanted(store: Store) -> None:
    decided = [await approved(store, args=REFUND | {"amount": amount}) for amount in range(1, 8)]
    waits = await asked(store)
    found = await past_decisions(store, waits, limit=3)
    assert [one.args["amount"] for one in found] == [7, 6, 5]
    assert found[0].decision == decided[-1].decision


async def test_a_rejection_is_told_too(store: Store) -> None:
    rejected = await asked(store)
    await store.change(rejected.id, Reject(by=KIM, feedback="Not this one."))
    (found,) = await past_decisions(store, await asked(store))
    assert found.decision is not None
    assert (found.id, found.decision.word) == (rejected.id, "rejected")


async def test_others_tools_and_agents_and_what_no_person_decided_are_left_out(store: Store) -> None:
    await approved(store, tool="deploy")
    await approved(store, agent=AgentName("support"))
    cancelled = await asked(store)
    await store.change(cancelled.id, Cancel())
    waits = await asked(store)
    assert await past_decisions(store, waits) == []
    assert await past_decisions(store, replace(waits, agent=AgentName("support"))) != []


async def test_no_more_of_the_log_is_read_than_is_bearable(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(store)
    waits = await asked(store)
    monkeypatch.setattr("approvals.past.LOOKED_THROUGH", 2)  # the newest two only tell of `waits`
    assert await past_decisions(store, waits) == []
