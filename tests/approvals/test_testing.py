"""The script stands in for the house: what holds of the real one, with a real Redis, holds of it as well."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from approvals import (
    Answered,
    Approvals,
    Cancelled,
    ChangesRequested,
    Expired,
    InvalidCall,
    KeyReused,
    NotClaimed,
    Rejected,
    StillPending,
    TakenOver,
    Unavailable,
    Undeliverable,
)
from approvals import sync as threads
from approvals.ids import new_id
from approvals.messages import OutcomeStatus
from approvals.model import Status
from approvals.testing import Script, Unscripted, scripted
from tests.clerk import serving

DOCS = Path(__file__).parents[2] / "docs"
NOWHERE = "redis://127.0.0.1:1/0"
REFUND: dict[str, object] = {"customer": "c_42", "amount": 940}
BOTH = ("the script", "the house")


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


@pytest.fixture
def agent(script: Script) -> Approvals:
    return Approvals.connect(NOWHERE, agent="billing")


@asynccontextmanager
async def deciding(
    behind: str, lines: Script, redis_url: str, tenant: str, *, deadline_s: int = 3600
) -> AsyncIterator[Approvals]:
    """An agent whose requests are decided by the same lines, in memory or over a real Redis."""
    if behind == "the script":
        with scripted() as script:
            script.follow(lines)
            yield Approvals.connect(NOWHERE, agent="billing")
        return
    async with (
        serving(redis_url, tenant, habit=lines.command, deadline_s=deadline_s),
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent,
    ):
        yield agent


@pytest.fixture(params=BOTH)
def behind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- what holds of both -------------------------------------------------------------------------------


async def test_an_approved_call_is_claimed_once(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().approves("refund"), redis_url, tenant) as agent:
        outcome = await agent.request("refund", REFUND)
        permit = await agent.claim(outcome.id)
        assert (permit.tool, permit.args, outcome.edited) == ("refund", REFUND, False)
        with pytest.raises(NotClaimed):
            await agent.claim(outcome.id)


async def test_an_edited_call_runs_with_the_args_that_were_approved(
    behind: str, redis_url: str, tenant: str
) -> None:
    async with deciding(behind, Script().edits("refund", amount=900), redis_url, tenant) as agent:
        outcome = await agent.request("refund", REFUND)
        assert outcome.edited
        assert (await agent.claim(outcome.id)).args == REFUND | {"amount": 900}


async def test_a_rejected_call_has_no_permit(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().rejects("refund", "it is paid"), redis_url, tenant) as agent:
        ticket = await agent.submit("refund", REFUND)
        with pytest.raises(Rejected, match="it is paid") as no:
            await agent.request("refund", REFUND)
        assert no.value.feedback == "it is paid"
        assert (await agent.wait(ticket.id)).status is OutcomeStatus.REJECTED
        with pytest.raises(NotClaimed):
            await agent.claim(ticket.id)


async def test_silence_expires(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().expires(), redis_url, tenant, deadline_s=0) as agent:
        with pytest.raises(Expired):
            await agent.request("refund", REFUND)


async def test_an_answer_may_come_instead(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().answers("use credit", to="refund"), redis_url, tenant) as agent:
        with pytest.raises(Answered) as instead:
            await agent.request("refund", REFUND)
        assert instead.value.feedback == "use credit"


async def test_a_question_is_answered(behind: str, redis_url: str, tenant: str) -> None:
    lines = Script().answers("eu", to="Which region?").answers("monday")
    async with deciding(behind, lines, redis_url, tenant) as agent:
        assert await agent.ask("Which region?", ["eu", "us"]) == "eu"
        assert await agent.ask("When?") == "monday"


async def test_answers_may_be_lists_and_forms(behind: str, redis_url: str, tenant: str) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
    lines = Script().answers(["eu", "us"], to="Which regions?").answers({"n": 3}, to="How many?")
    async with deciding(behind, lines, redis_url, tenant) as agent:
        assert await agent.ask("Which regions?", ["eu", "us", "asia"], many=True) == ["eu", "us"]
        assert await agent.ask("How many?", schema=schema) == {"n": 3}


async def test_a_person_may_ask_back_and_is_told(behind: str, redis_url: str, tenant: str) -> None:
    lines = Script().once.sends_back("ask", "how much?").answers("eu")
    async with deciding(behind, lines, redis_url, tenant) as agent:
        with pytest.raises(ChangesRequested) as back:
            await agent.ask("Which region?", ["eu", "us"])
        assert back.value.outcome is not None
        await agent.reply(back.value.outcome.id, "the same")
        assert await agent.answer(back.value.outcome.id) == "eu"
        with pytest.raises(InvalidCall):
            await agent.reply(back.value.outcome.id, " ")


async def test_a_question_may_be_taken_over(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().answers("I take over"), redis_url, tenant) as agent:
        with pytest.raises(TakenOver):
            await agent.ask("Which region?", ["eu", "us"])


async def test_a_stuck_run_is_guided_or_taken_over(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().once.guides("go on").takes_over(), redis_url, tenant) as agent:
        assert await agent.escalate("stuck") == "go on"
        with pytest.raises(TakenOver):
            await agent.escalate("stuck again")


async def test_what_is_sent_back_may_be_revised(behind: str, redis_url: str, tenant: str) -> None:
    lines = Script().once.sends_back("mail", "say when").approves("mail")
    async with deciding(behind, lines, redis_url, tenant) as agent:
        ticket = await agent.submit("mail", {"text": "sorry"})
        with pytest.raises(ChangesRequested, match="say when"):
            await agent.wait(ticket.id)
        await agent.revise(ticket.id, {"text": "sorry for 14:02"})
        assert (await agent.wait(ticket.id)).args == {"text": "sorry for 14:02"}


async def test_what_is_taken_back_is_cancelled(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().leaves(), redis_url, tenant) as agent:
        ticket = await agent.submit("refund", REFUND)
        with pytest.raises(StillPending):
            await agent.wait(ticket.id, timeout=0.01)
        await agent.cancel(ticket.id)
        assert (await agent.wait(ticket.id)).status is OutcomeStatus.CANCELLED


async def test_nobody_reached_is_an_error(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().reaches_nobody(), redis_url, tenant) as agent:
        with pytest.raises(Undeliverable):
            await agent.request("refund", REFUND)


async def test_the_same_key_is_the_same_request(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().approves(), redis_url, tenant) as agent:
        first = await agent.submit("refund", REFUND, key="inv-881")
        again = await agent.submit("refund", REFUND, key="inv-881")
        assert (again.id, first.is_new, again.is_new) == (first.id, True, False)
        with pytest.raises(KeyReused):
            await agent.submit("refund", REFUND | {"amount": 1}, key="inv-881")


async def test_what_is_no_json_is_refused(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().approves(), redis_url, tenant) as agent:
        for value in ({1, 2}, float("nan"), 2**60, _deep(70)):
            with pytest.raises(InvalidCall):
                await agent.submit("refund", {"value": value})
        with pytest.raises(InvalidCall):
            await agent.claim("R-NOSUCH")
        with pytest.raises(NotClaimed):
            await agent.claim(new_id())


async def test_what_the_caller_changes_afterwards_is_not_what_was_asked(
    behind: str, redis_url: str, tenant: str
) -> None:
    async with deciding(behind, Script().approves(), redis_url, tenant) as agent:
        args: dict[str, object] = {"to": ["ada@example.org"]}
        ticket = await agent.submit("mail", args)
        args["to"] = ["mallory@example.org"]
        assert (await agent.wait(ticket.id)).args == {"to": ["ada@example.org"]}


async def test_a_function_behind_a_gate_runs_what_was_approved(
    behind: str, redis_url: str, tenant: str
) -> None:
    async with deciding(behind, Script().edits("refund", amount=900), redis_url, tenant) as agent:

        @agent.required
        async def refund(customer: str, amount: float) -> str:
            return f"{amount} to {customer}"

        assert await refund("c_42", 940) == "900.0 to c_42"


async def test_a_batch_is_decided_one_by_one(behind: str, redis_url: str, tenant: str) -> None:
    async with deciding(behind, Script().once.rejects().approves(), redis_url, tenant) as agent:
        async with agent.batch() as batch:
            batch.submit("refund", {"n": 1})
            batch.submit("refund", {"n": 2})
        statuses = sorted(outcome.status for outcome in (await batch.wait()).values())
        assert statuses == [OutcomeStatus.APPROVED, OutcomeStatus.REJECTED]


def _deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


# -- what only a script can do ------------------------------------------------------------------------


async def test_what_the_script_does_not_say_fails_the_test(script: Script, agent: Approvals) -> None:
    with pytest.raises(Unscripted, match=r'refund\({"customer": "c_42", "amount": 940}\)'):
        await agent.request("refund", REFUND)
    script.approves("payout")
    with pytest.raises(Unscripted):
        await agent.request("refund", REFUND)


async def test_a_wait_without_end_fails_the_test(script: Script, agent: Approvals) -> None:
    script.leaves("refund")
    with pytest.raises(Unscripted, match="without end"):
        await agent.request("refund", REFUND)


async def test_a_line_for_the_tool_comes_before_one_for_all(script: Script, agent: Approvals) -> None:
    script.approves().rejects("refund")
    await agent.request("payout", REFUND)
    with pytest.raises(Rejected):
        await agent.request("refund", REFUND)


async def test_rules_decide_too(script: Script, agent: Approvals) -> None:
    script.allows("read").denies("drop", "never on fridays")
    assert (await agent.request("read", {})).decided_by == "policy:the script"
    with pytest.raises(Rejected, match="never on fridays"):
        await agent.request("drop", {})


async def test_an_approval_may_lapse_or_be_taken_back(script: Script, agent: Approvals) -> None:
    script.lapses("refund").takes_back("payout")
    outcome = await agent.request("refund", REFUND)
    with pytest.raises(NotClaimed):
        await agent.claim(outcome.id)
    with pytest.raises(Cancelled):
        await agent.request("payout", REFUND)


async def test_an_outage_is_unavailable_and_nothing_runs(script: Script, agent: Approvals) -> None:
    script.approves()
    ran = []

    @agent.required
    async def refund(customer: str) -> None:
        ran.append(customer)

    with script.outage(), pytest.raises(Unavailable):
        await refund("c_42")
    assert (ran, script.requests) == ([], [])
    await refund("c_42")
    assert ran == ["c_42"]


async def test_the_receipt_can_be_looked_at(script: Script, agent: Approvals) -> None:
    script.approves("refund")

    @agent.required
    async def refund(customer: str) -> str:
        if customer == "c_0":
            raise ValueError("no such customer")
        return "done"

    await refund("c_42")
    with pytest.raises(ValueError, match="no such"):
        await refund("c_0")
    assert [request.status for request in script.requests] == [Status.EXECUTED, Status.FAILED]
    receipt = script.request("refund").receipt
    assert receipt is not None
    assert receipt.result == "ValueError: no such customer"


async def test_an_edit_that_the_form_does_not_take_fails_the_test(script: Script, agent: Approvals) -> None:
    script.edits("refund", amount="a lot")

    @agent.required
    async def refund(amount: float) -> None:
        raise AssertionError("it ran")

    with pytest.raises(Unscripted, match="amount must fit"):
        await refund(940)


@pytest.mark.parametrize("line", ["approves", "edits"])
async def test_what_the_rules_forbid_fails_the_test(line: str, script: Script, agent: Approvals) -> None:
    getattr(script, line)("ask")
    with pytest.raises(Unscripted, match="Approve can't be followed"):
        await agent.ask("Which region?")


async def test_an_answer_that_is_none_of_the_options_fails_the_test(script: Script, agent: Approvals) -> None:
    script.answers("mars")
    with pytest.raises(Unscripted, match="not one of the options"):
        await agent.ask("Which region?", ["eu", "us"])


@pytest.mark.parametrize("said", ["eu", ["mars"], ["eu", "mars"], [], ["eu", "eu"], {"eu": 1}])
async def test_a_list_that_is_none_of_the_options_fails_the_test(
    said: object, script: Script, agent: Approvals
) -> None:
    script.answers(said)
    with pytest.raises(Unscripted, match="not one of the options"):
        await agent.ask("Which regions?", ["eu", "us"], many=True)


@pytest.mark.parametrize("said", ["three", {"n": "three"}, {}, ["n"], {"n": 0.5}])
async def test_a_form_that_does_not_fit_fails_the_test(
    said: object, script: Script, agent: Approvals
) -> None:
    script.answers(said)
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
    with pytest.raises(Unscripted, match="not one of the options"):
        await agent.ask("How many?", schema=schema)


async def test_a_question_has_a_form_or_options(script: Script, agent: Approvals) -> None:
    with pytest.raises(InvalidCall, match="not both"):
        await agent.ask("Which?", ["eu"], schema={"type": "object"})
    with pytest.raises(InvalidCall, match="many=True is for"):
        await agent.ask("Which?", [], many=True)


async def test_what_people_want_undone_is_undone(script: Script, agent: Approvals) -> None:
    script.wants_undone("close", "it was open for a reason")
    reopened: list[str] = []

    @agent.required(undo=lambda ticket: reopened.append(ticket))
    async def close(ticket: str) -> None: ...

    await close("T-17")
    [wish] = await agent.undos(timeout="1h")
    assert (wish.text, wish.args) == ("it was open for a reason", {"ticket": "T-17"})
    await agent.report_undone(wish.id, True)
    assert await agent.undos(timeout=0) == []


def test_threads_ask_the_script_as_well(script: Script) -> None:
    script.edits("refund", amount=900)
    with threads.Approvals.connect(NOWHERE, agent="billing") as approvals:

        @approvals.required
        def refund(amount: float) -> float:
            return amount

        assert refund(940) == 900


async def test_agents_do_not_see_each_other_s_requests(script: Script, agent: Approvals) -> None:
    script.approves()
    outcome = await agent.request("refund", REFUND)
    other = Approvals.connect(NOWHERE, agent="mallory")
    assert await other.get(outcome.id) is None
    with pytest.raises(NotClaimed):
        await other.claim(outcome.id)


async def test_after_the_script_clients_talk_to_redis_again() -> None:
    approvals = Approvals.connect(NOWHERE, agent="billing")
    with scripted() as script:
        script.approves()
        await approvals.request("refund", REFUND)
    with pytest.raises(Unavailable):
        await approvals.submit("refund", REFUND)


async def test_runs_that_are_put_by_are_kept(script: Script, agent: Approvals) -> None:
    await agent.runs.put_by("r1", "sdk 1", "{}")
    assert await agent.runs.state("r1", "sdk 1") == "{}"
    with pytest.raises(InvalidCall, match="sdk 1"):
        await agent.runs.state("r1", "sdk 2")
    await agent.runs.forget("r1")
    assert await agent.runs.state("r1", "sdk 2") is None


def test_the_program_of_the_page_passes_without_redis() -> None:
    page = (DOCS / "agents" / "testing.md").read_text()
    programs = DOCS / "examples" / "testing"
    assert {file.read_text() in page for file in programs.glob("*.py")} == {True}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(programs)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50, cwd=DOCS.parent)
    assert "3 passed" in done.stdout, done.stdout
