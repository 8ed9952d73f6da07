"""What ran without asking is looked at afterwards: by whom, what they may say, and what becomes of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from approvals.audit import entry_of
from approvals.clock import is_to_be_forgotten
from approvals.commands import AskUndo, Claim, Command, Confirm, Flag, Lapse, Report, ReportUndo
from approvals.errors import (
    AlreadyReviewed,
    NothingSaid,
    NothingToReview,
    NotQualified,
    NoUndoAsked,
    OwnRequest,
    Refusal,
)
from approvals.evolution import evolve
from approvals.ids import new_id
from approvals.inbox import AgentInbox
from approvals.keys import key
from approvals.machine import begin, decide
from approvals.messages import outcome_of, undo_of
from approvals.model import (
    Action,
    AgentName,
    Args,
    Freeze,
    Kind,
    Person,
    PersonId,
    Reach,
    Receipt,
    Request,
    ReviewState,
    Risk,
    Status,
    Terms,
    Via,
)
from approvals.policy import Facts, PolicyFaults, Stage, candidates, parse, terms_for
from approvals.policy.explaining import answer
from approvals.reviewing import UNDO_PATIENCE, is_sampled
from approvals.store import Store
from tests.builders import T0, TRUSTED, a_person, a_request, terms

ANA, KIM = a_person(), a_person(id=PersonId("U0KIM"), name="Kim Osei")
OUT = a_person(id=PersonId("U0OUT"), principals=frozenset())
LATER = T0 + timedelta(minutes=1)
REVIEWED = terms(action=Action.REVIEW)
RAN = (Claim(), Report(ok=True, result="re_81f"))
UNDO = AskUndo(by=KIM, text="It was the wrong customer.")


def begun(**changes: Any) -> Request:
    request = a_request(**({"created_at": T0, "terms": REVIEWED} | changes))
    return evolve(request, begin(request)[1])


def after(request: Request, *commands: Command) -> Request:
    for command in commands:
        request = evolve(request, decide(request, command, now=LATER))
    return request


def state(request: Request) -> ReviewState | None:
    return request.review.state if request.review else None


def a_reported_one(agreed: Terms = REVIEWED, *, ok: bool = True) -> Request:
    receipt = Receipt(ok=ok, at=T0, result="re_81f")
    return begun(kind=Kind.REVIEW, terms=agreed, receipt=receipt)


class TestTheRules:
    def test_it_runs_at_once_and_is_open_once_it_has_run(self) -> None:
        request = begun()
        assert (request.status, request.decision and request.decision.word) == (Status.APPROVED, "allowed")
        assert request.decision and request.decision.by.id == "policy:refunds"
        assert state(request) is None
        assert state(after(request, *RAN)) is ReviewState.OPEN
        assert state(after(request, Claim(), Report(ok=False))) is ReviewState.OPEN

    def test_what_never_ran_needs_no_look(self) -> None:
        request = begun()
        lapsed = evolve(request, decide(request, Lapse(), now=T0 + timedelta(hours=2)))
        assert (lapsed.status, lapsed.review) == (Status.LAPSED, None)

    def test_what_was_asked_for_or_just_allowed_is_not_up_for_review(self) -> None:
        allowed = after(begun(terms=terms(action=Action.ALLOW)), *RAN)
        assert allowed.review is None
        with pytest.raises(NothingToReview):
            after(allowed, Confirm(by=ANA))

    def test_a_person_finds_it_right(self) -> None:
        request = after(begun(), *RAN, Confirm(by=ANA))
        assert state(request) is ReviewState.CONFIRMED
        assert request.review and request.review.by == ANA.actor

    def test_a_flag_needs_words(self) -> None:
        ran = after(begun(), *RAN)
        request = after(ran, Flag(by=ANA, text="too much"))
        assert (state(request), request.review and request.review.text) == (ReviewState.FLAGGED, "too much")
        for empty in (Flag(by=ANA, text=" "), AskUndo(by=ANA, text="")):
            with pytest.raises(NothingSaid):
                after(ran, empty)

    @pytest.mark.parametrize("first", [Confirm(by=ANA), Flag(by=ANA, text="no")])
    def test_it_is_looked_at_once(self, first: Command) -> None:
        looked = after(begun(), *RAN, first)
        for second in (Confirm(by=KIM), Flag(by=KIM, text="no")):
            with pytest.raises(AlreadyReviewed):
                after(looked, second)

    def test_what_is_confirmed_is_not_undone(self) -> None:
        with pytest.raises(AlreadyReviewed):
            after(begun(), *RAN, Confirm(by=ANA), UNDO)

    def test_an_undo_flags_it_as_well_and_its_agent_answers(self) -> None:
        asked = after(begun(), *RAN, UNDO)
        assert state(asked) is ReviewState.FLAGGED
        told = undo_of(asked)
        assert told and (told.tool, told.args, told.result) == ("refund", asked.args, "re_81f")
        assert (told.text, told.asked_by) == (UNDO.text, "Kim Osei")
        undone = after(asked, ReportUndo(ok=True, text="charged again"))
        assert (state(undone), undo_of(undone)) == (ReviewState.UNDONE, None)

    def test_who_undoes_what_somebody_flagged_does_not_flag_it_again(self) -> None:
        request = after(begun(), *RAN, Flag(by=ANA, text="too much"), UNDO)
        assert request.review and request.review.by == ANA.actor and request.review.text == "too much"

    def test_what_could_not_be_undone_stays_flagged_and_may_be_asked_again(self) -> None:
        failed = after(begun(), *RAN, UNDO, ReportUndo(ok=False, text="the bank is closed"))
        assert failed.review and failed.review.undo
        assert (state(failed), failed.review.undo.answer) == (ReviewState.FLAGGED, "the bank is closed")
        assert undo_of(after(failed, UNDO)) is not None

    def test_an_undo_is_asked_once_until_its_agent_has_been_silent_for_a_day(self) -> None:
        asked = after(begun(), *RAN, UNDO)
        with pytest.raises(AlreadyReviewed):
            after(asked, UNDO)
        again = decide(asked, UNDO, now=LATER + UNDO_PATIENCE)
        assert again.word == "undo_asked"

    def test_an_agent_answers_only_what_it_was_asked(self) -> None:
        ran = after(begun(), *RAN)
        undone = after(ran, UNDO, ReportUndo(ok=True))
        for request in (begun(), ran, undone):
            with pytest.raises(NoUndoAsked):
                after(request, ReportUndo(ok=True))

    @pytest.mark.parametrize(
        ("person", "why"), [(OUT, NotQualified), (KIM, OwnRequest)], ids=["an outsider", "whom it is for"]
    )
    def test_only_who_could_have_decided_may_look(self, person: Person, why: type[Refusal]) -> None:
        ran = after(begun(on_behalf_of=KIM.id), *RAN)
        for command in (Confirm(by=person), Flag(by=person, text="x"), AskUndo(by=person, text="x")):
            with pytest.raises(why):
                after(ran, command)
        own = terms(action=Action.REVIEW, self_approval=True)
        assert state(after(begun(on_behalf_of=KIM.id, terms=own), *RAN, Confirm(by=KIM))) == "confirmed"

    def test_each_step_is_an_entry_with_a_word_of_its_own_that_is_no_decision(self) -> None:
        request, told = after(begun(), *RAN), []
        for command in (UNDO, ReportUndo(ok=False, text="no"), UNDO, ReportUndo(ok=True, text="yes")):
            event = decide(request, command, now=LATER)
            entry = entry_of(request, evolve(request, event), event, via=Via.SLACK)
            told.append((entry.event, (entry.detail or {})["text"]))
            request = evolve(request, event)
        words = [UNDO.text, "no", UNDO.text, "yes"]
        assert told == list(zip(["undo_asked", "undo_failed", "undo_asked", "undone"], words, strict=True))

    def test_what_it_was_told_of_is_open_at_once_and_has_no_outcome(self) -> None:
        request = a_reported_one()
        assert (request.status, state(request)) == (Status.EXECUTED, ReviewState.OPEN)
        assert (request.decision, outcome_of(request)) == (None, None)
        assert request.receipt and request.receipt.result == "re_81f"
        assert a_reported_one(ok=False).status is Status.FAILED

    def test_what_it_was_told_of_and_a_rule_allows_is_only_logged(self) -> None:
        assert a_reported_one(terms(action=Action.ALLOW)).review is None


def sampled(share: float, second: int, **changes: Any) -> Request:
    agreed = terms(action=Action.REVIEW, sample=share)
    return a_request(created_at=T0 + timedelta(seconds=second), terms=agreed, **changes)


class TestTheSample:
    def test_a_quarter_is_near_a_quarter_and_always_the_same(self) -> None:
        calls = [sampled(0.25, second) for second in range(400)]
        chosen = [call.id for call in calls if is_sampled(call)]
        assert 60 <= len(chosen) <= 140  # four standard deviations and more
        assert chosen == [call.id for call in calls if is_sampled(call)]
        more = [replace(call, terms=terms(action=Action.REVIEW, sample=0.5)) for call in calls]
        assert set(chosen) <= {call.id for call in more if is_sampled(call)}

    def test_all_or_none(self) -> None:
        assert all(is_sampled(sampled(1.0, second)) for second in range(50))
        assert not any(is_sampled(sampled(0.0, second)) for second in range(50))

    def test_an_agent_can_not_choose_an_id_that_nobody_looks_at(self) -> None:
        id = new_id()
        assert len({is_sampled(sampled(0.5, second, id=id)) for second in range(100)}) == 2

    def test_what_is_not_in_the_sample_is_only_allowed(self) -> None:
        assert after(begun(terms=terms(action=Action.REVIEW, sample=0.0)), *RAN).review is None


# -- the policy ---------------------------------------------------------------------------------------


def a_rule(*lines: str, tools: str = '["refund"]') -> str:
    rule = ["version = 1", "[[rule]]", 'name = "r"', f"tools = {tools}", 'action = "review"', *lines]
    return "\n".join(rule)


def terms_of(text: str, *, kind: Kind = Kind.ACTION, **facts: Any) -> Terms:
    args: Args = {"amount": 9}
    stages = facts.pop("stages", None)
    seen = Facts(kind=kind, tool="refund", args=args, agent=AgentName("billing"), **facts)
    return terms_for(parse(text), seen, stages=stages)


class TestThePolicy:
    def test_a_rule_may_let_a_share_be_looked_at(self) -> None:
        agreed = terms_of(a_rule("sample = 0.25"))
        assert (agreed.action, agreed.sample) == (Action.REVIEW, 0.25)
        assert agreed.because == "rule “r” lets it run, and has 25 % of such calls looked at afterwards"
        assert terms_of(a_rule()).sample == 1.0

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (a_rule('kind = "question"'), "a question can't be reviewed: only a person answers it"),
            (a_rule('risk = "critical"'), "with critical risk: it would run before anybody looked"),
        ],
    )
    def test_faults(self, text: str, fault: str) -> None:
        with pytest.raises(PolicyFaults) as caught:
            parse(text)
        assert fault in str(caught.value)

    def test_high_risk_is_for_the_policy_to_judge(self) -> None:
        assert terms_of(a_rule('risk = "high"')).action is Action.REVIEW

    def test_what_its_agent_calls_critical_is_asked(self) -> None:
        agreed = terms_of(a_rule(), risk=Risk.CRITICAL)
        assert (agreed.action, "its risk is critical" in agreed.because) == (Action.ASK, True)

    def test_stages_go_before_it(self) -> None:
        wanted = {
            Stage.AUTONOMOUS: Action.ALLOW,
            Stage.APPROVAL: Action.ASK,
            Stage.DISABLED: Action.DENY,
        }
        for stage, action in wanted.items():
            assert terms_of(a_rule(), stages={"refund": stage}).action is action

    def test_a_budget_works_as_with_allow(self) -> None:
        policy = parse(a_rule('budget = { count = 2, per = "1d" }'))
        facts = Facts(kind=Kind.ACTION, tool="refund", args={}, agent=AgentName("billing"))
        first, past_it = candidates(policy, facts)
        assert first.spend is not None
        assert (first.terms.action, past_it.terms.action) == (Action.REVIEW, Action.ASK)
        (asked,) = candidates(policy, facts, stages={"refund": Stage.APPROVAL})
        assert (asked.terms.action, asked.spend) == (Action.ASK, None)

    def test_a_question_that_a_wide_rule_takes_is_asked(self) -> None:
        assert terms_of(a_rule(tools='["*"]'), kind=Kind.QUESTION).action is Action.ASK

    def test_a_rule_that_can_not_be_checked_lets_nothing_through(self) -> None:
        assert terms_of(a_rule('when = "args.missing > 1"')).action is Action.ASK

    @pytest.mark.parametrize("action", ["ask", "deny"])
    def test_what_has_run_and_was_not_allowed_is_up_for_a_look(self, action: str) -> None:
        text = a_rule("sample = 0.0").replace("review", action)
        agreed = terms_of(text, kind=Kind.REVIEW)
        assert (agreed.action, agreed.sample) == (Action.REVIEW, 1.0)
        assert agreed.because.endswith("; but it has run already, so it is up for a look")

    def test_a_rule_may_be_for_what_has_run(self) -> None:
        text = a_rule('kind = "review"').replace('"review"\nkind', '"allow"\nkind')
        assert terms_of(text, kind=Kind.REVIEW).action is Action.ALLOW
        assert terms_of(text).rule == "defaults"

    def test_explain_says_so(self) -> None:
        facts = Facts(kind=Kind.ACTION, tool="refund", args={}, agent=AgentName("billing"))
        said = list(answer(parse(a_rule("sample = 0.1")), facts, channel="#approvals"))
        assert said[0].startswith("review: rule “r” lets it run")
        assert said[1] == "  medium risk; 10 % of them are up for a look afterwards, in #approvals"


# -- in Redis -----------------------------------------------------------------------------------------


async def a_run(store: Store, **changes: Any) -> Request:
    request = await store.create(a_request(tenant=store.tenant, terms=REVIEWED, **changes))
    await store.change(request.id, Claim())
    return (await store.change(request.id, Report(ok=True, result="re_81f"))).request


class TestTheStore:
    async def test_it_lists_what_is_open_the_oldest_first(self, store: Store) -> None:
        first, second = await a_run(store), await a_run(store)
        assert [one.id for one in await store.reviews()] == [first.id, second.id]
        assert [one.id for one in await store.reviews(limit=1, offset=1)] == [second.id]
        await store.change(first.id, Confirm(by=ANA))
        assert [one.id for one in await store.reviews()] == [second.id]

    async def test_what_it_was_told_of_is_listed_too(self, store: Store) -> None:
        now = await store.now()
        told = a_request(
            tenant=store.tenant, kind=Kind.REVIEW, terms=REVIEWED, receipt=Receipt(ok=True, at=now)
        )
        created = await store.create(told)
        assert [one.id for one in await store.reviews()] == [created.id]
        assert [entry.event for entry in await store.chain(created.id)] == ["submitted", "executed"]

    async def test_a_freeze_makes_people_be_asked(self, store: Store, redis: Redis) -> None:
        everything = Freeze(reach=Reach.ALL, by=ANA.actor, at=await store.now())
        await store.freezes.freeze(everything, Via.SLACK)
        asked = await store.create(a_request(tenant=store.tenant, terms=REVIEWED))
        assert asked.is_pending
        told = a_request(tenant=store.tenant, kind=Kind.REVIEW, terms=REVIEWED)
        created = await store.create(told)
        assert (created.status, state(created)) == (Status.EXECUTED, ReviewState.OPEN)

    async def test_its_agent_is_asked_once_and_not_once_it_has_answered(
        self, store: Store, redis: Redis
    ) -> None:
        request = await a_run(store)
        await store.change(request.id, UNDO)
        box = AgentInbox(redis, store.tenant, "billing", TRUSTED)
        (asked,) = await box.undos()
        assert asked.id == request.id and asked.args == request.args
        assert await box.take_undo(request.id) == asked
        assert await box.take_undo(request.id) is None
        await store.change(request.id, ReportUndo(ok=False))
        await store.change(request.id, UNDO)
        await store.change(request.id, ReportUndo(ok=True))  # by hand, without taking it
        assert await box.undos() == []

    async def test_retention_counts_from_when_it_opened_and_leaves_nothing(
        self, store: Store, redis: Redis
    ) -> None:
        request = await a_run(store)
        assert request.review is not None
        end = request.review.opened_at + timedelta(seconds=request.terms.retention_s)
        assert not is_to_be_forgotten(request, now=end - timedelta(seconds=1))
        assert is_to_be_forgotten(request, now=end)
        await store.change(request.id, UNDO)
        await store.forget(request.id)
        assert await store.reviews() == []
        assert not await redis.exists(key(store.tenant, "undo", "billing"))
