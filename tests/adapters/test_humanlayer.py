"""HumanLayer's names: what its programs called and read, behind our gate."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from approvals import Approvals, StillPending, Unavailable
from approvals.adapters.humanlayer import (
    AsyncHumanLayer,
    ContactChannel,
    EmailContactChannel,
    HumanLayer,
    HumanLayerException,
    ResponseOption,
    SlackContactChannel,
)
from approvals.commands import Answer, Approve, Command, Reject
from approvals.model import Kind, Request, Status
from tests.adapters.pages import a_page
from tests.clerk import ADA, Clerk, serving, yes

CHANNEL = ContactChannel(
    slack=SlackContactChannel(channel_or_user_id="C1", context_about_channel_or_user="the finance team")
)


class Shop:
    """What the tools do, counted."""

    def __init__(self) -> None:
        self.ran: list[float] = []
        self.trouble: Exception | None = None

    def tool(self) -> Callable[..., Any]:
        def refund(customer: str, amount: float) -> str:
            """Pay a customer back."""
            self.ran.append(amount)
            if self.trouble:
                raise self.trouble
            return f"refunded {amount:.2f} to {customer}"

        return refund

    def async_tool(self) -> Callable[..., Any]:
        plain = self.tool()

        async def refund(customer: str, amount: float) -> str:
            return str(plain(customer, amount))

        return refund


class Way:
    """One way to have had it: sync, async, or async around a function that isn't."""

    def __init__(self, name: str, layer: type[HumanLayer], is_tool_async: bool) -> None:
        self.name, self.layer, self.is_tool_async = name, layer, is_tool_async

    async def call(self, approvals: Approvals, shop: Shop, amount: float = 940, **options: Any) -> Any:
        hl = self.layer(approvals=approvals, **options)
        tool = hl.require_approval().wrap(shop.async_tool() if self.is_tool_async else shop.tool())
        if inspect.iscoroutinefunction(tool):
            return await tool("c_42", amount=amount)
        return await asyncio.to_thread(tool, "c_42", amount=amount)


WAYS = [
    Way("sync", HumanLayer, False),
    Way("sync around async", HumanLayer, True),
    Way("async", AsyncHumanLayer, True),
    Way("async around sync", AsyncHumanLayer, False),
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


# -- what was known -----------------------------------------------------------------------------------


@every_way
async def test_an_approved_call_runs_and_returns_what_the_function_returns(
    way: Way, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await way.call(approvals, shop, run_id="run-7") == "refunded 940.00 to c_42"
        (request,) = await clerk.arrived()
        assert (request.tool, request.args) == ("refund", {"customer": "c_42", "amount": 940.0})
        assert request.tags == ("run-7",)
        await clerk.until_status(request.id, Status.EXECUTED)
    assert shop.ran == [940]


async def test_a_changed_call_runs_as_it_was_approved(
    approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=edited(900)):
        await WAYS[0].call(approvals, shop)
    assert shop.ran == [900]


@pytest.mark.parametrize(
    ("channel", "who"), [(None, "User"), (CHANNEL, "User in the finance team")], ids=["plain", "in a channel"]
)
async def test_a_denial_is_told_in_humanlayers_words(
    channel: ContactChannel | None, who: str, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=lambda _: Reject(by=ADA, feedback="too much")):
        said = await WAYS[0].call(approvals, shop, contact_channel=channel)
    assert said == f"{who} denied refund with message: too much"
    assert shop.ran == []


async def test_reject_options_are_shown_to_who_decides(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    options = [ResponseOption(name="too_much", description="Over the limit"), ResponseOption(name="other")]
    hl = AsyncHumanLayer(approvals=approvals, timeout=0.05)
    with pytest.raises(StillPending):
        await hl.require_approval(reject_options=options)(shop.tool())("c_42", 940)
    (request,) = await clerk.arrived()
    assert request.reason == "If not, say which:\ntoo_much: Over the limit\nother"


@pytest.mark.parametrize("ask", ["require_approval", "human_as_tool"])
def test_options_have_names_of_their_own(ask: str, approvals: Approvals) -> None:
    twice = [ResponseOption(name="no"), ResponseOption(name="no")]
    name = "reject_options" if ask == "require_approval" else "response_options"
    with pytest.raises(HumanLayerException, match=f"{name} must have unique names"):
        getattr(HumanLayer(approvals=approvals), ask)(**{name: twice})


@pytest.mark.parametrize("make", [HumanLayer, HumanLayer.cloud, HumanLayer.cli])
def test_it_is_made_as_it_was(
    make: Callable[..., HumanLayer], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    hl = make(agent_name="Invoice Agent", api_key="hl-key", verbose=True, run_id="run-7")
    assert hl.approvals.agent == "invoice-agent"


def test_the_name_that_redis_knows_goes_before_humanlayers(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("APPROVALS_AGENT", "billing")
    assert HumanLayer(agent_name="Invoice Agent").approvals.agent == "billing"


# -- the human as a tool ------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [HumanLayer, AsyncHumanLayer])
async def test_a_person_is_asked_and_what_they_say_is_the_result(
    layer: type[HumanLayer], approvals: Approvals, redis_url: str, tenant: str
) -> None:
    contact = layer(approvals=approvals).human_as_tool()
    async with serving(redis_url, tenant, habit=lambda _: Answer(by=ADA, text="the blue one")) as clerk:
        said = await _asked(contact, "Which one?")
        (request,) = await clerk.arrived()
    assert said == "the blue one"
    assert (request.kind, request.args["question"]) == (Kind.QUESTION, "Which one?")


async def test_options_and_a_subject_are_shown(approvals: Approvals, redis_url: str, tenant: str) -> None:
    mail = ContactChannel(email=EmailContactChannel(address="a@b.example", subject="Your order"))
    options = [ResponseOption(name="blue", description="The cheap one"), ResponseOption(name="red")]
    contact = HumanLayer(approvals=approvals, contact_channel=mail).human_as_tool(response_options=options)
    async with serving(redis_url, tenant, habit=lambda _: Answer(by=ADA, text="blue")) as clerk:
        assert await _asked(contact, "Which one?") == "blue"
        (request,) = await clerk.arrived()
    assert request.args["options"] == ["blue", "red"]
    assert request.args["context"] == "Your order\nblue: The cheap one\nred"


@pytest.mark.parametrize(
    ("channel", "name", "takes"),
    [
        (None, "contact_human", ["message", "subject"]),
        (CHANNEL, "contact_human_in_slack_in_the_finance_team", ["message"]),
        (
            ContactChannel(email=EmailContactChannel(address="a@b.example")),
            "contact_human_via_email_a_b_example",
            ["message", "subject"],
        ),
    ],
)
def test_it_is_named_after_its_channel(
    channel: ContactChannel | None, name: str, takes: list[str], approvals: Approvals
) -> None:
    contact = HumanLayer(approvals=approvals).human_as_tool(channel)
    assert contact.__name__ == name
    assert list(inspect.signature(contact).parameters) == takes
    assert contact.__annotations__ == dict.fromkeys([*takes, "return"], str)


async def test_a_question_that_nobody_answers_says_so(
    approvals: Approvals, redis_url: str, tenant: str
) -> None:
    contact = AsyncHumanLayer(approvals=approvals).human_as_tool()
    async with serving(redis_url, tenant, deadline_s=0) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(contact("Which one?"))
        (request,) = await clerk.arrived()
        await clerk.expire(request.id)
    assert asking.result() == "Nobody has answered in time, which is no answer."


async def test_a_question_that_nobody_could_be_asked_raises() -> None:
    async with nobody() as away:
        with pytest.raises(Unavailable):
            await AsyncHumanLayer(approvals=away).human_as_tool()("Which one?")


# -- every failure ------------------------------------------------------------------------------------


async def test_a_call_that_is_cut_off_is_no_text_for_the_model(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    call = asyncio.get_running_loop().create_task(WAYS[0].call(approvals, shop))
    await clerk.arrived()
    await asyncio.to_thread(approvals.close)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert shop.ran == []


@every_way
async def test_the_same_call_twice_at_once_needs_an_approval_each(
    way: Way, approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(way.call(approvals, shop)) for _ in range(2)]
        first, second = await clerk.arrived(2)
        await clerk.approve(first.id)
        await clerk.reject(second.id)
    assert shop.ran == [940]
    assert "User denied refund with message: no reason given" in [call.result() for call in calls]


# -- the page -----------------------------------------------------------------------------------------


async def test_the_program_of_the_page_prints_what_the_page_says(
    redis_url: str, tenant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def habit(request: Request) -> Command:
        is_question = request.kind is Kind.QUESTION
        return Answer(by=ADA, text="invoice 881") if is_question else Reject(by=ADA, feedback="it is paid")

    page = a_page("humanlayer")
    async with serving(redis_url, tenant, habit=habit):
        example = await asyncio.to_thread(page.program, redis_url, tenant, monkeypatch)
        await asyncio.to_thread(example.main)
    assert capsys.readouterr().out == page.printed


def edited(amount: object) -> Callable[[Request], Command]:
    return lambda one: Approve(by=ADA, seen=one.fingerprint, edited={"customer": "c_42", "amount": amount})


def nobody() -> Approvals:
    """An agent whose Redis isn't there."""
    return Approvals.connect("redis://127.0.0.1:1/0", agent="billing", patience=0)


async def _asked(contact: Callable[..., Any], message: str) -> Any:
    if inspect.iscoroutinefunction(contact):
        return await contact(message)
    return await asyncio.to_thread(contact, message)
