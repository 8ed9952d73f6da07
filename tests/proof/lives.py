"""The real store, scripts, inbox and intake on a real Redis, beside a small model of it.

Hypothesis makes up what people, the agent and the clock do, and which replies are lost on the way.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import traceback
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from approvals.audit import verify
from approvals.budgets import Budgets
from approvals.canonical import fingerprint
from approvals.commands import Approve, Command, Reject, Revise, TakeBack
from approvals.errors import AlreadyUsed, NotClaimed, Refusal, Unavailable
from approvals.grant_book import GrantBook
from approvals.inbox import AgentInbox, Inboxes
from approvals.keys import key
from approvals.messages import Cancellation, Letter, ReceiptNotice
from approvals.model import Args, Freeze, Person, PersonId, Reach, RequestId, Status, Via
from approvals.policy import DEFAULT
from approvals.redis_door import open_redis
from approvals.stages import Stages
from approvals.store import Store
from bot.intake import Intake
from bot.judging import Judge
from bot.redis_server import RedisServer
from tests.builders import SIGNER, TRUSTED, a_person, a_request, terms
from tests.lossy_line import LossyLine
from tests.proof.figures import Figures

T = TypeVar("T")

CALLS: tuple[Args, ...] = ({"amount": 1}, {"amount": 2})
PRINTS = tuple(fingerprint("refund", call) for call in CALLS)
PEOPLE: tuple[Person, ...] = (
    *(a_person(id=PersonId(id)) for id in ("U0ANA", "U0KIM", "U0LEE")),
    a_person(id=PersonId("U0OUT"), principals=frozenset()),
)
OUT = 3
FREEZE = Freeze(reach=Reach.ALL, by=PEOPLE[0].actor, at=datetime.fromisoformat("2026-11-20T12:00:00Z"))
AT_MOST = 4  # requests of one life
PERSON, CALL = st.sampled_from(range(len(PEOPLE))), st.sampled_from(range(len(CALLS)))
EXAMPLES, STEPS = 400, 60  # of `make proof`


@dataclass(slots=True)
class Should:
    """What should have become of one request."""

    quorum: int
    is_late: bool
    status: Status = Status.PENDING
    call: int = 0
    votes: set[int] = field(default_factory=set)
    voters: set[int] = field(default_factory=set)  # whose yes let it through
    has_permit: bool = False
    is_claimed: bool = False  # by the agent; the service learns of it by letter

    def end(self, status: Status) -> None:
        self.status, self.has_permit = status, status is Status.APPROVED

    def vote(self, person: int, seen: int) -> bool:
        """Whether the click counts as what it is."""
        if self.status is not Status.PENDING:
            return False
        if self.is_late:
            self.end(Status.EXPIRED)
            return True
        if person == OUT or seen != self.call or person in self.votes:
            return False
        self.votes.add(person)
        if len(self.votes) == self.quorum:
            self.voters, self.votes = (
                self.votes,
                self.votes - {person},
            )  # the last one is told as the decision
            self.end(Status.APPROVED)
        return True


class Lives(RuleBasedStateMachine):
    """Each step does the same to both, and compares."""

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self._runner, self._open = asyncio.Runner(), AsyncExitStack()
        self._should: dict[RequestId, Should] = {}
        self._is_frozen = False
        self._does(self._begin(redis_url))

    async def _begin(self, redis_url: str) -> None:
        tenant = f"t{secrets.token_hex(6)}"
        enter = self._open.enter_async_context
        self.line, self.agents_line = LossyLine(redis_url), LossyLine(redis_url)
        for line in (self.line, self.agents_line):
            await enter(line)
        self.redis = await enter(open_redis(redis_url))
        redis = await enter(open_redis(self.line.url))
        self.tenant, self.store = tenant, Store(redis, tenant, SIGNER)
        self.agent = AgentInbox(await enter(open_redis(self.agents_line.url)), tenant, "billing", TRUSTED)
        self.inboxes = Inboxes(self.redis, tenant, "one")
        judge = Judge(lambda: DEFAULT, Budgets(self.redis, tenant), channel="#approvals")
        books = GrantBook(self.redis, tenant), Stages(self.redis, tenant)
        self.intake = Intake(self.store, self.inboxes, judge, *books, environment="default")

    def _does(self, doing: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asyncio.wait_for(doing, 20))

    def teardown(self) -> None:
        try:
            self._does(self._compare_all())
        finally:
            self._does(self._open.aclose())
            self._runner.close()
            super().teardown()

    # -- what is done ---------------------------------------------------------------------------------

    @rule(quorum=st.sampled_from([1, 2, 2]), is_late=st.sampled_from([False, False, False, True]))
    @precondition(lambda self: len(self._should) < AT_MOST)
    def ask(self, quorum: int, is_late: bool) -> None:
        self._does(self._ask(quorum, is_late))

    async def _ask(self, quorum: int, is_late: bool) -> None:
        now = await self.store.now()
        made = await self.store.create(
            a_request(
                tenant=self.tenant,
                args=CALLS[0],
                terms=terms(quorum=quorum),
                created_at=now - timedelta(hours=2 if is_late else 0),
            )
        )
        self._should[made.id] = Should(quorum=quorum, is_late=is_late)

    @rule(which=st.integers(0, AT_MOST), person=PERSON, seen=CALL, is_lost=st.booleans())
    @precondition(lambda self: self._should)
    def approve(self, which: int, person: int, seen: int, is_lost: bool) -> None:
        id, should = self._which(which)
        command = Approve(by=PEOPLE[person], seen=PRINTS[seen])
        is_open = not self._is_frozen or should.is_late or should.status is not Status.PENDING
        self._change(id, command, is_let=is_open and should.vote(person, seen), is_lost=is_lost)

    @rule(which=st.integers(0, AT_MOST), is_lost=st.booleans())
    @precondition(lambda self: self._should)
    def agree(self, which: int, is_lost: bool) -> None:
        """Somebody who has not said yes yet does, to what it is by now."""
        _, should = self._which(which)
        self.approve(which, min({0, 1, 2} - should.votes), should.call, is_lost)

    @rule(which=st.integers(0, AT_MOST), person=PERSON, is_lost=st.booleans())
    @precondition(lambda self: len(self._should) > 1)
    def reject(self, which: int, person: int, is_lost: bool) -> None:
        id, should = self._which(which)
        is_let = should.status is Status.PENDING
        if is_let and should.is_late:
            should.end(Status.EXPIRED)
        elif is_let and person != OUT and not self._is_frozen:
            should.end(Status.REJECTED)
        else:
            is_let = False
        self._change(id, Reject(by=PEOPLE[person]), is_let=is_let, is_lost=is_lost)

    @rule(which=st.integers(0, AT_MOST), call=CALL, is_lost=st.booleans())
    @precondition(lambda self: self._should)
    def revise(self, which: int, call: int, is_lost: bool) -> None:
        id, should = self._which(which)
        is_let = should.status is Status.PENDING
        if is_let and should.is_late:
            should.end(Status.EXPIRED)
        elif is_let:
            should.call, should.votes = call, set()
        self._change(id, Revise(args=CALLS[call]), is_let=is_let, is_lost=is_lost)

    @rule(which=st.integers(0, AT_MOST), person=PERSON, is_lost=st.booleans())
    @precondition(lambda self: self._approved())
    def take_back(self, which: int, person: int, is_lost: bool) -> None:
        id, should = self._approved()[which % len(self._approved())]
        is_let = should.status is Status.APPROVED and person in should.voters and should.has_permit
        if is_let:
            should.end(Status.WITHDRAWN)
        self._change(id, TakeBack(by=PEOPLE[person]), is_let=is_let, is_lost=is_lost)

    @rule(which=st.integers(0, AT_MOST), is_lost=st.booleans())
    @precondition(lambda self: self._should)
    def claim(self, which: int, is_lost: bool) -> None:
        id, should = self._which(which)
        self._does(self._claim(id, should, is_lost))
        self._does(self._compare(id, should))

    @rule(which=st.integers(0, AT_MOST), is_lost=st.booleans())
    @precondition(lambda self: self._approved())
    def claim_what_is_approved(self, which: int, is_lost: bool) -> None:
        id, _ = self._approved()[which % len(self._approved())]
        self.claim(list(self._should).index(id), is_lost)

    async def _claim(self, id: RequestId, should: Should, is_lost: bool) -> None:
        """A lost reply counts as taken: the agent must not run it, and nobody else can."""
        if is_lost and should.has_permit:
            self.agents_line.lose_reply_to(b"GETDEL")
        try:
            permit = await self.agent.claim(id)
        except NotClaimed:
            assert not should.has_permit
        except Unavailable:
            assert is_lost and should.has_permit
            should.has_permit, should.is_claimed = False, True
        else:
            assert should.has_permit and not is_lost
            assert permit.args == CALLS[should.call]
            should.has_permit, should.is_claimed = False, True

    @rule(which=st.integers(0, AT_MOST), word=st.sampled_from(["cancel", "receipt"]))
    @precondition(lambda self: self._should)
    def write(self, which: int, word: str) -> None:
        """What the agent writes is dealt with after what it wrote before."""
        id, should = self._which(which)
        self._dealt_with(None)
        letter: Letter = Cancellation(id=id) if word == "cancel" else ReceiptNotice(id=id, ok=True)
        if word == "cancel" and should.status is Status.PENDING:
            should.end(Status.CANCELLED)
        elif word == "receipt" and should.status is Status.EXECUTING:
            should.end(Status.EXECUTED)
        self._dealt_with(letter)

    @rule()
    def deal(self) -> None:
        self._dealt_with(None)

    @rule()
    @precondition(lambda self: self._is_frozen or len(self._should) == AT_MOST)
    def freeze_or_thaw(self) -> None:
        """Nobody carries the freeze out here: what is approved stays claimable, nothing new is."""
        self._is_frozen = not self._is_frozen
        if self._is_frozen:
            self._does(self.store.freezes.freeze(FREEZE, Via.SLACK))
        else:
            self._does(self.store.freezes.thaw(FREEZE, PEOPLE[0].actor, Via.SLACK))

    # -- how it is done -------------------------------------------------------------------------------

    def _which(self, which: int) -> tuple[RequestId, Should]:
        return list(self._should.items())[which % len(self._should)]

    def _approved(self) -> list[tuple[RequestId, Should]]:
        return [each for each in self._should.items() if each[1].status is Status.APPROVED]

    def _change(self, id: RequestId, command: Command, *, is_let: bool, is_lost: bool) -> None:
        self._does(self._changed(id, command, is_let, is_lost))
        self._does(self._compare(id, self._should[id]))

    async def _changed(self, id: RequestId, command: Command, is_let: bool, is_lost: bool) -> None:
        if is_lost and is_let:
            self.line.lose_reply_to(b"EVALSHA")  # of the commit
        try:
            await self.store.change(id, command)
        except AlreadyUsed:
            assert not is_let and self._should[id].is_claimed
        except Refusal:
            assert not is_let
        else:
            assert is_let

    def _dealt_with(self, letter: Letter | None) -> None:
        self._does(self._deal_with(letter))
        for should in self._should.values():
            if should.is_claimed and should.status is Status.APPROVED:
                should.end(Status.EXECUTING)
        self._does(self._compare_all())

    async def _deal_with(self, letter: Letter | None) -> None:
        if letter is not None:
            await self.agent.send(letter)
        for _ in range(20):
            if not await self.redis.xlen(key(self.tenant, "inbox", "billing")):
                return
            for taken in await self.inboxes.take(block_ms=1):
                await self.intake.deal(taken)
        raise AssertionError("a letter is never dealt with")

    # -- what must be ---------------------------------------------------------------------------------

    async def _compare_all(self) -> None:
        for id, should in self._should.items():
            await self._compare(id, should)
        log = [entry async for entry in self.store.log()]
        assert verify(log, last_seq=await self.store.last_seq()) is None
        versions = {id: (await self.store.get(id))[0].version for id in self._should}
        assert {id: sum(entry.request == id for entry in log) for id in versions} == versions

    async def _compare(self, id: RequestId, should: Should) -> None:
        request, _ = await self.store.get(id)
        assert (request.status, request.args) == (should.status, CALLS[should.call])
        if should.status is Status.PENDING:
            assert {vote.person for vote in request.votes} == {PEOPLE[each].id for each in should.votes}
        has_permit = await self.redis.exists(key(self.tenant, "permit", "billing", id))
        assert bool(has_permit) == should.has_permit
        outcome = await self.agent.outcome(id)
        assert (outcome is None) == (should.status is Status.PENDING)
        is_waiting = await self.redis.zscore(key(self.tenant, "pending"), id) is not None
        assert is_waiting == (should.status is Status.PENDING)


def live(redis_url: str, *, examples: int, steps: int) -> None:
    """So many lives of so many steps; the first that goes wrong raises. To shorten it would take minutes."""
    house = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(lambda: Lives(redis_url), settings=house)  # type: ignore[arg-type]  # any factory does


def run(scale: int) -> Figures:
    sentences: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory(prefix="lives-") as directory:
        try:
            asyncio.run(_lived(Path(directory), EXAMPLES * scale))
        except Exception as wrong:  # whatever it is, a life went wrong; hypothesis notes which
            traceback.print_exception(wrong)
            sentences = (f"a life went wrong: {wrong!r} {' '.join(getattr(wrong, '__notes__', ()))}",)
    counts = {"lives": EXAMPLES * scale, "steps each": STEPS, "violations": len(sentences)}
    return Figures(part="lives", counts=counts, sentences=sentences)


async def _lived(directory: Path, examples: int) -> None:
    async with RedisServer(directory, appendfsync="no") as server:
        await asyncio.to_thread(live, server.url, examples=examples, steps=STEPS)
