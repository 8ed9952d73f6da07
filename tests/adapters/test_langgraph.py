"""LangGraph's pauses: who asked what, what it is answered, and that no answer reaches another pause."""

import asyncio
from collections.abc import Callable
from typing import Any, TypedDict

import pytest

pytest.importorskip("langgraph", reason="LangGraph isn't installed: make test installs it")

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from approvals import Approvals, InvalidCall, Rejected, StillPending
from approvals.adapters.langchain import PausingMiddleware
from approvals.adapters.langgraph import Resolver, StaleInterrupt
from approvals.commands import Answer, Approve, Expire, Reject
from approvals.commands import Command as Deciding
from approvals.messages import Submission
from approvals.model import Request, Risk, Status
from tests.adapters.scripted import GO, REFUND, THREAD, Script, Shop, Surface, calling
from tests.clerk import ADA, Clerk, serving, yes

OTHER = {"customer": "c_17", "amount": 35.0}
BATCHED, PER_CALL = Surface("batched", pauses="batched"), Surface("per call", pauses="per_call")
both = pytest.mark.parametrize("surface", [BATCHED, PER_CALL], ids=lambda surface: surface.name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@both
async def test_each_call_of_a_message_gets_its_own_answer(
    surface: Surface, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    third = {"customer": "c_99", "amount": 5.0}
    agent = surface.agent(approvals, shop, calling(REFUND, OTHER, third))
    async with asyncio.TaskGroup() as group:
        run = group.create_task(agent.run())
        requests = {str(one.args["customer"]): one.id for one in await clerk.arrived(3)}
        await clerk.reject(requests["c_17"], "paid already")
        await clerk.answer(requests["c_99"], "They are happy.")
        await clerk.approve(requests["c_42"], edited=REFUND | {"amount": 900.0})
    said = {message.tool_call_id: message.text for message in run.result()}
    assert shop.ran == [REFUND | {"amount": 900.0}]
    assert said["call-0"].startswith("A person changed the call")
    assert "paid already" in said["call-1"]
    assert said["call-2"] == "They are happy."
    assert len(clerk.requests) == 3
    await clerk.until_status(requests["c_42"], Status.EXECUTED)


@both
async def test_people_see_what_the_model_says_and_what_the_resolver_adds(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:
        await surface.agent(approvals, shop, calling(REFUND, words="Charged twice.")).run()
        (request,) = await clerk.arrived()
    letter = clerk.letters[0]
    assert isinstance(letter, Submission)
    assert (request.reason, letter.risk) == ("Charged twice.", Risk.HIGH)


async def test_what_is_decided_first_runs_first_when_each_call_pauses(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(PER_CALL.agent(approvals, shop, calling(REFUND, OTHER)).run())
        requests = {str(one.args["customer"]): one.id for one in await clerk.arrived(2)}
        await clerk.approve(requests["c_17"])
        await clerk.until_status(requests["c_17"], Status.EXECUTED)
        assert shop.ran == [OTHER]
        await clerk.approve(requests["c_42"])
    assert shop.ran == [OTHER, REFUND]


@both
async def test_a_process_that_was_killed_goes_on_with_what_it_has_asked(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    saver = InMemorySaver()
    with pytest.raises(StillPending):
        await surface.agent(approvals, shop, timeout=0.05, saver=saver).run()
    async with (
        serving(redis_url, tenant, habit=yes) as clerk,
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as again,
    ):
        await surface.agent(again, shop, saver=saver).run(None)
        assert len(clerk.requests) == 1
    assert shop.ran == [REFUND]


@both
async def test_a_decision_for_a_thread_that_went_another_way_reaches_nothing(
    surface: Surface, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    agent = surface.agent(approvals, shop, calling(REFUND), calling(OTHER))
    run = asyncio.get_running_loop().create_task(agent.run())
    (request,) = await clerk.arrived()
    (pause,) = (await agent.graph.aget_state(THREAD)).interrupts
    no: Any = {"type": "reject"}
    await agent.graph.ainvoke(
        Command(resume={pause.id: {"decisions": [no]} if surface is BATCHED else no}), THREAD
    )
    await clerk.approve(request.id)
    with pytest.raises(StaleInterrupt):
        await run
    assert shop.ran == []


@both
async def test_a_result_of_another_moment_is_not_asked_about(
    surface: Surface, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    agent = surface.agent(approvals, shop)
    old = await agent.graph.ainvoke(GO, THREAD)
    await agent.graph.aupdate_state(THREAD, {"messages": [("user", "Forget it.")]}, as_node="model")
    with pytest.raises(StaleInterrupt):
        await agent.runner.resolve(old, THREAD)
    assert clerk.requests == {}


@both
async def test_who_approves_past_us_is_not_enough(
    surface: Surface, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    agent = surface.agent(approvals, shop, timeout=0.05)
    paused = await agent.graph.ainvoke(GO, THREAD)
    (pause,) = paused["__interrupt__"]
    forged: Any = {"type": "approve"}
    answer = {"decisions": [forged]} if surface is BATCHED else forged
    with pytest.raises(StillPending):
        await agent.graph.ainvoke(Command(resume={pause.id: answer}), THREAD)
    await clerk.arrived()
    assert shop.ran == []


async def test_by_hand_a_pause_is_resolved_into_a_command(
    approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    agent = BATCHED.agent(approvals, shop)
    async with serving(redis_url, tenant, habit=yes):
        paused = await agent.graph.ainvoke(GO, THREAD, version="v2")
        command = await agent.runner.resolve(paused, THREAD)
        await agent.graph.ainvoke(command, THREAD)
        await agent.runner.report(THREAD)
    assert shop.ran == [REFUND]


async def test_what_a_tool_does_not_accept_does_not_run(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    agent = PER_CALL.agent(approvals, shop, refund={"allowed_decisions": ["approve", "reject"]})
    async with asyncio.TaskGroup() as group:
        run = group.create_task(agent.run())
        (request,) = await clerk.arrived()
        await clerk.approve(request.id, edited=REFUND | {"amount": 900.0})
    (said,) = run.result()
    assert "with changes, which this agent doesn't accept" in said.text
    assert shop.ran == []


async def test_a_pause_that_takes_nothing_but_yes_stops_the_run(
    approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    agent = PER_CALL.agent(approvals, shop, refund={"allowed_decisions": ["approve"]})
    async with serving(redis_url, tenant, habit=lambda _: Reject(by=ADA)):
        with pytest.raises(Rejected):
            await agent.run()
    assert shop.ran == []


def test_a_predicate_that_may_change_its_mind_is_refused(approvals: Approvals) -> None:
    with pytest.raises(InvalidCall, match="use the policy"):
        PausingMiddleware(approvals, {"refund": {"allowed_decisions": ["approve"], "when": lambda _: True}})


async def test_langchains_own_middleware_is_refused(approvals: Approvals, clerk: Clerk, shop: Shop) -> None:
    graph: Any = create_agent(
        Script(lines=[calling(REFUND)]),
        shop.tools,
        middleware=[HumanInTheLoopMiddleware({"refund": True})],
        checkpointer=InMemorySaver(),
    )
    with pytest.raises(InvalidCall, match="use PausingMiddleware"):
        await Resolver(graph, approvals).ainvoke(GO, THREAD)
    assert clerk.requests == {}


# -- Agent Inbox --------------------------------------------------------------------------------------


class Mail(TypedDict, total=False):
    told: Any


def inbox(asked: Any, act: Callable[[Any], object] = lambda _: None) -> Any:
    """A graph of one node, which asks `asked` and gives the answer to `act`."""

    def node(_: Mail) -> Mail:
        told = interrupt(asked)
        act(told)
        return {"told": told}

    graph: Any = StateGraph(Mail)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.add_edge("node", END)
    return graph.compile(checkpointer=InMemorySaver())


def asked_of(**allowed: bool) -> dict[str, Any]:
    config = {f"allow_{word}": allowed.get(word, True) for word in ("accept", "edit", "respond", "ignore")}
    return {
        "action_request": {"action": "mail", "args": {"to": "a"}},
        "config": config,
        "description": "news",
    }


def edit(one: Request) -> Deciding:
    return Approve(by=ADA, seen=one.fingerprint, edited={"to": "b"})


@pytest.mark.parametrize(
    ("habit", "allowed", "told"),
    [
        (yes, {}, {"type": "accept", "args": None}),
        (edit, {}, {"type": "edit", "args": {"action": "mail", "args": {"to": "b"}}}),
        (lambda _: Answer(by=ADA, text="later"), {}, {"type": "response", "args": "later"}),
        (lambda _: Reject(by=ADA), {}, {"type": "ignore", "args": None}),
        (lambda _: Reject(by=ADA, feedback="no"), {"respond": False}, {"type": "ignore", "args": None}),
        (edit, {"edit": False, "respond": False}, {"type": "ignore", "args": None}),
    ],
)
async def test_a_node_that_asks_in_the_shape_of_agent_inbox_is_answered_in_it(
    habit: Any, allowed: dict[str, bool], told: object, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=habit) as clerk:
        result = await Resolver(inbox([asked_of(**allowed)]), approvals).ainvoke({}, THREAD)
        (request,) = await clerk.arrived()
        assert (request.tool, request.reason) == ("mail", "news")
        assert result["told"] == [told]
        if result["told"][0]["type"] in ("accept", "edit"):
            await clerk.until_status(request.id, Status.EXECUTED)


async def test_a_node_is_told_that_silence_is_no_rejection(
    approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, deadline_s=0, habit=lambda _: Expire()):
        result = await Resolver(inbox(asked_of()), approvals).ainvoke({}, THREAD)
    (told,) = result["told"]
    assert told["type"] == "response"
    assert "nobody answered in time" in told["args"]


async def test_a_node_that_fails_is_reported(approvals: Approvals, redis_url: str, tenant: str) -> None:
    def act(_: object) -> None:
        raise ValueError("the mail server said no")

    async with serving(redis_url, tenant, habit=yes) as clerk:
        with pytest.raises(ValueError, match="the mail server"):
            await Resolver(inbox([asked_of()], act), approvals).ainvoke({}, THREAD)
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.FAILED)


@pytest.mark.parametrize(
    "asked", ["Which one?", {"type": "other"}, [], {"action_requests": [], "review_configs": []}, 3, None]
)
async def test_a_pause_of_an_unknown_shape_is_refused(asked: object, approvals: Approvals) -> None:
    with pytest.raises(InvalidCall, match="isn't known here"):
        await Resolver(inbox(asked), approvals).ainvoke({}, THREAD)


async def test_a_graph_that_pauses_needs_a_thread(approvals: Approvals, shop: Shop) -> None:
    with pytest.raises(InvalidCall, match="needs a thread"):
        await Resolver(BATCHED.agent(approvals, shop).graph, approvals).resolve(None, {})
