"""A click on many rows is kept until every row has its result, and is carried out by one worker at a time."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from approvals.bulk import Bulk, BulkVerb, RowResult, has_said, new_bulk_id
from approvals.bulks import Bulks
from approvals.digest import Covered, LeftOut, Row, new_digest_id
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import Actor, Decision, Fingerprint, PersonId, Status, Vote
from tests.builders import T0, a_request

ANA = PersonId("U0ANA")
DONE = RowResult(is_done=True)
REFUSED = RowResult(is_done=False, why_not="It needs a director.")


@pytest.fixture
def bulks(redis: Redis, tenant: str) -> Bulks:
    return Bulks(redis, tenant)


def a_row() -> Row:
    return Row(request_id=new_id(), fingerprint=Fingerprint("f" * 64), is_ready=True)


def a_bulk(rows: int = 3) -> Bulk:
    covered = Covered(rows=tuple(a_row() for _ in range(rows)), left_out=((a_row(), LeftOut.DECIDED),))
    return Bulk(
        id=new_bulk_id(),
        digest=new_digest_id(),
        channel="C0APPROVALS",
        by=ANA,
        team="T0SANDBOX",
        verb=BulkVerb.APPROVE,
        words="All of them are fine.",
        covered=covered,
        made_at=T0,
    )


async def lease_ends(redis: Redis, tenant: str) -> None:
    for member in await redis.zrange(key(tenant, "bulks"), 0, -1):
        await redis.zincrby(key(tenant, "bulks"), -10_000, str(member))


async def test_it_is_kept_with_what_became_of_its_rows(bulks: Bulks) -> None:
    bulk = a_bulk()
    await bulks.make(bulk)
    await bulks.settle(bulk.id, 2, REFUSED)
    progress = await bulks.of(bulk.id)
    assert progress is not None
    assert (progress.bulk, progress.results, progress.open_rows) == (bulk, {2: REFUSED}, [0, 1])


async def test_what_was_said_of_a_row_first_stays(bulks: Bulks) -> None:
    bulk = a_bulk(rows=1)
    await bulks.make(bulk)
    await bulks.settle(bulk.id, 0, DONE)
    await bulks.settle(bulk.id, 0, REFUSED)
    progress = await bulks.of(bulk.id)
    assert progress is not None
    assert progress.results == {0: DONE}


async def test_others_take_it_over_when_its_lease_has_ended(bulks: Bulks, redis: Redis, tenant: str) -> None:
    bulk = a_bulk()
    await bulks.make(bulk)
    assert await bulks.claim(5) == []
    await lease_ends(redis, tenant)
    assert await bulks.claim(5) == [bulk.id]
    assert await bulks.claim(5) == []


async def test_every_row_that_is_settled_renews_the_lease(bulks: Bulks, redis: Redis, tenant: str) -> None:
    bulk = a_bulk()
    await bulks.make(bulk)
    await lease_ends(redis, tenant)
    await bulks.settle(bulk.id, 0, DONE)
    assert await bulks.claim(5) == []


async def test_once_carried_out_nobody_takes_it(bulks: Bulks, redis: Redis, tenant: str) -> None:
    bulk = a_bulk(rows=1)
    await bulks.make(bulk)
    await bulks.finish(bulk.id)
    await bulks.settle(bulk.id, 0, DONE)  # by a worker that was slow
    await lease_ends(redis, tenant)
    assert await bulks.claim(5) == []


async def test_one_that_was_forgotten_is_nothing(bulks: Bulks) -> None:
    assert await bulks.of(new_bulk_id()) is None


def test_who_has_approved_or_voted_has_said_so() -> None:
    by = Actor(id="slack:U0ANA", name="Ana")
    approved = a_request(status=Status.APPROVED, decision=Decision(word="approved", by=by, at=T0))
    voted = a_request(votes=(Vote(person=ANA, name="Ana", at=T0 + timedelta(1)),))
    for request in (approved, voted):
        assert has_said(request, ANA, BulkVerb.APPROVE)
        assert not has_said(request, PersonId("U0KIM"), BulkVerb.APPROVE)
        assert not has_said(request, ANA, BulkVerb.REJECT)
