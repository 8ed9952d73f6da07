"""Hooks before tools: without a yes they deny, and a yes is an approval that was claimed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from approvals import Approvals
from approvals.adapters.tool_hooks import HOOK
from approvals.canonical import fingerprint
from approvals.commands import Reject, RequestChanges
from approvals.model import Status
from tests.adapters.hooking import PUSH, Hook, Said, hook
from tests.clerk import ADA, Clerk, serving, yes


@pytest.fixture(params=["claude", "claude, asked for permission", "gemini"])
def asks(request: pytest.FixtureRequest, redis_url: str, tenant: str) -> Hook:
    return hook(request.param, redis_url, tenant)


@asynccontextmanager
async def asking(asks: Hook, approvals: Approvals) -> AsyncIterator["asyncio.Task[Said]"]:
    """The hook asks while the block decides, and is heard."""
    async with asyncio.TaskGroup() as group:
        yield group.create_task(asks.says(approvals, asks.event()))


async def test_an_approval_is_claimed_before_the_hook_says_yes_and_the_result_is_told(
    asks: Hook, approvals: Approvals, clerk: Clerk
) -> None:
    async with asking(asks, approvals) as heard:
        (request,) = await clerk.arrived()
        assert (request.tool, request.args) == ("Bash", PUSH)
        await clerk.approve(request.id)
    assert heard.result().is_allowed
    assert heard.result().args == PUSH
    await clerk.until_status(request.id, Status.EXECUTING)
    after = asks.event(asks.after, tool_response={"stdout": "pushed", "returnDisplay": "pushed"})
    assert (await asks.says(approvals, after)).json == {}
    done = await clerk.until_status(request.id, Status.EXECUTED)
    assert done.receipt is not None and done.receipt.result == "pushed"


async def test_what_people_changed_is_what_runs(asks: Hook, approvals: Approvals, clerk: Clerk) -> None:
    edited = PUSH | {"command": "git push --dry-run"}
    async with asking(asks, approvals) as heard:
        (request,) = await clerk.arrived()
        await clerk.approve(request.id, edited)
    assert heard.result().is_allowed
    assert heard.result().args == edited
    if asks.before == "PreToolUse":
        assert "git push --dry-run" in heard.result().json["hookSpecificOutput"]["additionalContext"]
    failed = asks.event("PostToolUseFailure", edited, error="no remote")
    if asks.harness == "gemini":
        failed = asks.event("AfterTool", edited, tool_response={"error": {"message": "no remote"}})
    await asks.says(approvals, failed)
    done = await clerk.until_status(request.id, Status.FAILED)
    assert done.receipt is not None and "no remote" in (done.receipt.result or "")


async def reject(clerk: Clerk, id: str) -> None:
    await clerk.reject(id, "not on a Friday")


async def expire(clerk: Clerk, id: str) -> None:
    await clerk.expire(id)


async def answer(clerk: Clerk, id: str) -> None:
    await clerk.answer(id, "use the pipeline")


async def send_back(clerk: Clerk, id: str) -> None:
    await clerk.do(id, RequestChanges(by=ADA, feedback="to staging"))


async def give_up(clerk: Clerk, id: str) -> None:
    await clerk.give_up(id, "nobody is there")


async def edit_to_another_type(clerk: Clerk, id: str) -> None:
    await clerk.approve(id, PUSH | {"command": ["git", "push"]})


NO = {
    reject: "The call was rejected and did not run. Don't try it again in other words. Their words: not on",
    expire: "The call did not run: nobody answered in time.",
    answer: "The call did not run: a person answered instead. Their words: use the pipeline",
    send_back: "The call did not run: a person wants it otherwise.",
    give_up: "The call did not run: nobody who may decide could be reached.",
    edit_to_another_type: "The call did not run: a person gave command values of another type.",
}


@pytest.mark.parametrize(("say_no", "words"), NO.items(), ids=lambda one: getattr(one, "__name__", ""))
async def test_without_a_yes_the_tool_is_denied_with_the_reason(
    say_no: Callable[[Clerk, str], Awaitable[None]],
    words: str,
    asks: Hook,
    approvals: Approvals,
    redis_url: str,
    tenant: str,
) -> None:
    async with serving(redis_url, tenant, deadline_s=0 if say_no is expire else 3600) as clerk:
        async with asking(asks, approvals) as heard:
            (request,) = await clerk.arrived()
            await say_no(clerk, request.id)
        assert clerk.requests[request.id].status is not Status.EXECUTING
    assert heard.result().is_denied
    assert heard.result().words.startswith(words)


async def test_what_was_taken_away_cant_be_told_to_gemini_so_the_tool_is_denied(
    redis_url: str, tenant: str, approvals: Approvals, clerk: Clerk
) -> None:
    asks = hook("gemini", redis_url, tenant)
    async with asking(asks, approvals) as heard:
        (request,) = await clerk.arrived()
        await clerk.approve(request.id, {"command": "git push"})
    assert heard.result().is_denied
    assert "a person took description away" in heard.result().words


async def test_without_an_answer_it_denies_and_the_next_same_call_goes_on_waiting(
    asks: Hook, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    away = await asks.says(approvals, asks.event(), within=0.05)  # the service is away
    assert away.is_denied
    assert "nobody has decided yet, and R-" in away.words
    async with serving(redis_url, tenant, habit=yes) as clerk:
        again = await asks.says(approvals, asks.event(tool_use_id="toolu_2"))
        assert again.is_allowed
        assert len(clerk.requests) == 1


async def test_an_approval_for_another_tool_lets_nothing_run(
    asks: Hook, approvals: Approvals, clerk: Clerk
) -> None:
    clerk.habit = lambda one: yes(one) if one.tool == "Read" else Reject(by=ADA)
    other = await approvals.submit("Read", PUSH)
    await approvals.runs.put_by(f"session-1/open/{fingerprint('Bash', PUSH)}", HOOK, other.id)
    assert (await asks.says(approvals, asks.event())).is_denied


@pytest.mark.attack("B44")
async def test_one_approval_is_for_one_call(asks: Hook, approvals: Approvals, clerk: Clerk) -> None:
    clerk.habit = yes
    assert (await asks.says(approvals, asks.event())).is_allowed
    again = await asks.says(approvals, asks.event())
    if asks.before == "PreToolUse":  # it names its calls: this is the same one, and has had its approval
        assert again.is_denied
        assert "its approval was used before" in again.words
    else:
        assert again.is_allowed
        assert len(clerk.requests) == 2


async def test_a_call_that_is_given_up_leaves_its_approval_unused(
    asks: Hook, approvals: Approvals, clerk: Clerk
) -> None:
    async with asking(asks, approvals) as heard:
        (request,) = await clerk.arrived()
        heard.cancel()
    await clerk.approve(request.id)
    assert clerk.requests[request.id].status is Status.APPROVED


async def test_without_redis_it_denies(asks: Hook) -> None:
    async with Approvals.connect("redis://127.0.0.1:1", agent="coder", patience=0) as nowhere:
        said = await asks.says(nowhere, asks.event())
    assert said.is_denied
    assert "approvals can't be asked for now" in said.words


async def test_arguments_that_cant_be_asked_for_are_denied(
    asks: Hook, approvals: Approvals, clerk: Clerk
) -> None:
    said = await asks.says(approvals, asks.event(args={"amount": 2**60}))
    assert said.is_denied
    assert "it can't be asked for" in said.words
    assert clerk.requests == {}


async def test_two_runs_at_once_have_an_approval_each(asks: Hook, approvals: Approvals, clerk: Clerk) -> None:
    clerk.habit = yes
    async with asyncio.TaskGroup() as group:
        heard = [
            group.create_task(
                asks.says(approvals, asks.event(session_id=f"session-{n % 2}", tool_use_id=f"toolu_{n}"))
            )
            for n in range(4)
        ]
    assert all(one.result().is_allowed for one in heard)
    for request in await clerk.arrived(4):
        await clerk.until_status(request.id, Status.EXECUTING)
