"""The gate before a function: nothing runs but what was approved, once, and how it went is told."""

import asyncio
import enum
import inspect
from collections.abc import AsyncIterator, Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from approvals import (
    Answered,
    Approvals,
    ApprovalsError,
    ChangesRequested,
    Expired,
    InvalidCall,
    KeyReused,
    NotClaimed,
    Rejected,
    StillPending,
    Unavailable,
)
from approvals.model import Args, Status
from tests.clerk import Clerk, serving, yes

NOWHERE = "redis://127.0.0.1:1/0"


class Plan(enum.Enum):
    FREE = "free"
    TEAM = "team"


class Address(BaseModel):
    street: str
    lines: list[str] = []


class Customer(BaseModel):
    name: str
    address: Address
    since: date


@pytest.fixture
async def agent(redis_url: str, tenant: str) -> AsyncIterator[Approvals]:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent:
        yield agent


@pytest.fixture
def away() -> Approvals:
    """An agent whose Redis isn't there: whatever runs with it ran without asking."""
    return Approvals.connect(NOWHERE, agent="billing")


async def caught(work: Any) -> Exception:
    with pytest.raises(Exception) as error:  # which one, the tests look at
        await work
    return error.value


async def asked(clerk: Clerk) -> tuple[str, Args]:
    request = (await clerk.arrived(len(clerk.requests) or 1))[-1]
    return request.id, request.args


# -- what is asked ------------------------------------------------------------------------------------


async def test_a_function_runs_once_it_is_approved_and_its_receipt_says_so(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required(risk="high", reason="a customer asked", tags=["money"])
    async def refund(customer: str, amount: float, currency: str = "USD") -> str:
        return f"refunded {amount} {currency} to {customer}"

    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await refund("c_42", 940) == "refunded 940.0 USD to c_42"
        [request] = await clerk.arrived()
        done = await clerk.until_status(request.id, Status.EXECUTED)
    assert (request.tool, request.reason, request.tags) == ("refund", "a customer asked", ("money",))
    assert request.args == {"customer": "c_42", "amount": 940.0, "currency": "USD"}
    assert done.receipt is not None
    assert done.receipt.result == "refunded 940.0 USD to c_42"
    assert done.receipt.duration_ms is not None


async def test_the_signature_is_the_form_that_people_edit(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required
    async def upgrade(
        plan: Plan, day: date, note: Annotated[str, Field(description="Shown to the customer")] = ""
    ) -> None:
        """Move a customer to another plan.

        From the first of the month on.
        """

    async with serving(redis_url, tenant, habit=yes) as clerk:
        await upgrade(Plan.TEAM, date(2024, 2, 29))
        [request] = await clerk.arrived()
    schema: Any = request.schema
    assert schema["description"] == "Move a customer to another plan."
    assert schema["required"] == ["plan", "day"]
    assert schema["$defs"]["Plan"]["enum"] == ["free", "team"]
    assert schema["properties"]["day"]["format"] == "date"
    assert schema["properties"]["note"]["description"] == "Shown to the customer"
    assert schema["additionalProperties"] is False


async def test_a_method_keeps_its_self_to_itself(agent: Approvals, redis_url: str, tenant: str) -> None:
    class Desk:
        def __init__(self, name: str) -> None:
            self.name = name

        @agent.required
        async def close(self, account: str) -> str:
            return f"{self.name} closed {account}"

        @classmethod
        @agent.required
        async def count(cls, account: str) -> str:
            return f"{cls.__name__} counted {account}"

        @staticmethod
        @agent.required
        async def ring(account: str) -> str:
            return f"rang {account}"

    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await Desk("front").close("a_1") == "front closed a_1"
        assert await Desk.count("a_1") == "Desk counted a_1"
        assert await Desk.ring("a_1") == "rang a_1"
        assert [request.args for request in await clerk.arrived(3)] == [{"account": "a_1"}] * 3


async def test_parameters_of_every_kind_arrive_where_they_belong(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required
    async def mix(first: int, /, copy: int, *, model_config: int = 3, **more: date) -> tuple[Any, ...]:
        return first, copy, model_config, more

    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await mix(1, 2, day=date(2024, 2, 29)) == (1, 2, 3, {"day": date(2024, 2, 29)})
        [request] = await clerk.arrived()
    assert request.args == {"first": 1, "copy": 2, "model_config": 3, "day": "2024-02-29"}


async def test_the_gated_function_looks_like_the_function(agent: Approvals) -> None:
    async def refund(customer: str, amount: float = 1.0) -> str:
        """Give money back."""
        return customer

    gated = agent.required(refund)
    assert (gated.__name__, gated.__doc__) == ("refund", "Give money back.")
    assert inspect.signature(gated) == inspect.signature(refund)
    assert inspect.iscoroutinefunction(gated)


# -- what runs ----------------------------------------------------------------------------------------


async def test_edited_args_run_in_the_functions_own_types(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    ran: list[object] = []

    @agent.required
    async def open_account(
        customer: Customer, plan: Plan, fee: Decimal, lines: list[str] | None = None
    ) -> None:
        ran.extend((customer, plan, fee, lines))

    ada = Customer(name="Ada", address=Address(street="Main St"), since=date(2024, 1, 1))
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        running = group.create_task(open_account(ada, Plan.FREE, Decimal("1.10")))
        id, args = await asked(clerk)
        customer: Any = args["customer"]
        edited = args | {"customer": customer | {"since": "2024-02-29"}, "plan": "team", "fee": "2.20"}
        await clerk.approve(id, edited=edited)
        await running
    assert ran == [ada.model_copy(update={"since": date(2024, 2, 29)}), Plan.TEAM, Decimal("2.20"), None]


@pytest.mark.attack("B37")
async def test_what_the_caller_changes_while_waiting_does_not_run(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    ran: list[object] = []

    @agent.required
    async def mail(to: list[str], address: Address) -> None:
        ran.extend((to, address.street))

    to, address = ["ada@example.org"], Address(street="Main St")
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        running = group.create_task(mail(to, address))
        id, _ = await asked(clerk)
        to.append("mallory@example.org")
        address.street = "Elsewhere"
        await clerk.approve(id)
        await running
    assert ran == [["ada@example.org"], "Main St"]


async def test_an_edit_that_the_function_cannot_take_runs_nothing_and_is_reported(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    ran: list[float] = []

    @agent.required
    async def refund(amount: Annotated[float, Field(gt=0)]) -> None:
        ran.append(amount)

    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        running = group.create_task(caught(refund(9)))
        id, _ = await asked(clerk)
        await clerk.approve(id, edited={"amount": -9})
        error = await running
        failed = await clerk.until_status(id, Status.FAILED)
    assert isinstance(error, InvalidCall)
    assert "amount: Input should be greater than 0" in str(error)
    assert failed.receipt is not None and "amount" in (failed.receipt.result or "")
    assert ran == []


async def test_a_failure_is_raised_as_it_is_and_reported(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required
    async def refund(amount: float) -> None:
        raise LookupError("no such customer")

    async with serving(redis_url, tenant, habit=yes) as clerk:
        with pytest.raises(LookupError):
            await refund(9)
        id, _ = await asked(clerk)
        failed = await clerk.until_status(id, Status.FAILED)
    assert failed.receipt is not None
    assert failed.receipt.result == "LookupError: no such customer"


async def test_being_cancelled_while_it_runs_is_reported(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    started = asyncio.Event()

    @agent.required
    async def deploy(version: str) -> None:
        started.set()
        await asyncio.Event().wait()

    async with serving(redis_url, tenant, habit=yes) as clerk, asyncio.TaskGroup() as group:
        running = group.create_task(deploy("v2"))
        await started.wait()
        running.cancel()
        id, _ = await asked(clerk)
        failed = await clerk.until_status(id, Status.FAILED)
    assert failed.receipt is not None
    assert (failed.receipt.result or "").startswith("CancelledError")


async def test_a_result_that_cannot_show_itself_is_still_a_success(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    @agent.required
    async def look() -> Shy:
        return Shy()

    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert isinstance(await look(), Shy)
        id, _ = await asked(clerk)
        await clerk.until_status(id, Status.EXECUTED)


# -- when it may not run ------------------------------------------------------------------------------


async def test_what_was_not_approved_does_not_run(agent: Approvals, redis_url: str, tenant: str) -> None:
    ran: list[float] = []

    @agent.required
    async def refund(amount: float) -> None:
        ran.append(amount)

    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        decisions: list[tuple[Any, type[Rejected | Answered | ChangesRequested]]] = [
            (lambda id: clerk.reject(id, "too much"), Rejected),
            (lambda id: clerk.answer(id, "I did it myself"), Answered),
            (lambda id: clerk.send_back(id, "make it 5"), ChangesRequested),
        ]
        for count, (decide, expected) in enumerate(decisions, start=1):
            running = group.create_task(caught(refund(9)))
            request = (await clerk.arrived(count))[-1]
            await decide(request.id)
            error = await running
            assert isinstance(error, expected)
            assert error.feedback in ("too much", "I did it myself", "make it 5")
    assert ran == []


async def test_silence_runs_nothing(agent: Approvals, redis_url: str, tenant: str) -> None:
    @agent.required(timeout=0.01)
    async def refund(amount: float) -> None:
        raise AssertionError("it ran")

    async with serving(redis_url, tenant, deadline_s=0) as clerk, asyncio.TaskGroup() as group:
        with pytest.raises(StillPending):
            await refund(9)
        running = group.create_task(caught(agent.required(refund_without_end)(9)))
        requests = await clerk.arrived(2)
        await clerk.expire(requests[-1].id)
        assert isinstance(await running, Expired)


async def refund_without_end(amount: float) -> None:
    raise AssertionError("it ran")


async def test_while_redis_is_away_nothing_runs(away: Approvals) -> None:
    @away.required
    async def refund(amount: float) -> None:
        raise AssertionError("it ran")

    with pytest.raises(Unavailable):
        await refund(9)


async def test_a_key_finds_the_answer_again_and_runs_once(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    ran: list[str] = []

    @agent.required(key=lambda invoice: f"invoice-{invoice}", timeout=20)
    async def pay(invoice: str, amount: float) -> None:
        ran.append(invoice)

    async with serving(redis_url, tenant, habit=yes) as clerk:
        await pay("881", 9)
        with pytest.raises(NotClaimed):
            await pay("881", 9)
        with pytest.raises(KeyReused):
            await pay("881", 10)
        assert len(clerk.requests) == 1
    assert ran == ["881"]


async def test_reason_and_person_may_be_told_from_the_arguments(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required(
        tool="billing.refund",
        reason=lambda amount, customer: f"{customer} paid {amount:.2f} twice",
        on_behalf_of=lambda owner: owner,
        deadline="10m",
    )
    async def refund(customer: str, amount: float, owner: str) -> None: ...

    async with serving(redis_url, tenant, habit=yes) as clerk:
        await refund("c_42", 9, "U0GRACE")
        [request] = await clerk.arrived()
    assert (request.tool, request.on_behalf_of) == ("billing.refund", "U0GRACE")
    assert request.reason == "c_42 paid 9.00 twice"


# -- when= --------------------------------------------------------------------------------------------


def above_50(amount: float) -> bool:
    return amount > 50


@pytest.mark.parametrize(
    "when",
    [
        above_50,
        lambda args: args["amount"] > 50,
        lambda **args: args["amount"] > 50,
        lambda currency, amount: currency != "USD" or amount > 50,
        lambda amount, /: amount > 50,
        lambda amount, limit=50: amount > limit,
    ],
    ids=["by name", "the mapping", "all by name", "several", "by position", "with a default"],
)
async def test_when_says_which_calls_need_approval(
    agent: Approvals, redis_url: str, tenant: str, when: Any
) -> None:
    @agent.required(when=when)
    async def refund(amount: float, currency: str = "USD") -> float:
        return amount

    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await refund(50) == 50
        assert await refund(51) == 51
        [request] = await clerk.arrived()
        await clerk.until_status(request.id, Status.EXECUTED)
        assert [one.args["amount"] for one in clerk.requests.values()] == [51]


class Falsy:
    def __bool__(self) -> bool:
        return False


@pytest.mark.parametrize("answer", [None, 0, "", [], 0.0, Falsy(), True, "no"])
async def test_only_false_itself_lets_a_call_through(away: Approvals, answer: object) -> None:
    @away.required(when=lambda amount: answer)
    async def refund(amount: float) -> None:
        raise AssertionError("it ran")

    with pytest.raises(Unavailable):  # so it asked
        await refund(9)


async def test_an_error_in_when_runs_nothing(away: Approvals) -> None:
    @away.required(when=lambda amount: 1 / amount > 1)
    async def refund(amount: float) -> None:
        raise AssertionError("it ran")

    with pytest.raises(ZeroDivisionError):
        await refund(0)


@pytest.mark.parametrize("amount", [float("nan"), float("-inf"), "a lot", None])
async def test_when_never_sees_what_is_no_argument_of_the_function(away: Approvals, amount: Any) -> None:
    @away.required(when=lambda amount: amount > 50)
    async def refund(amount: float) -> None:
        raise AssertionError("it ran")

    with pytest.raises(InvalidCall, match="amount"):
        await refund(amount)


async def test_what_when_saw_is_what_runs(away: Approvals) -> None:
    def raises_it(args: dict[str, Any]) -> bool:
        args["amount"] = 1000
        args["to"].append("mallory@example.org")
        return False

    @away.required(when=raises_it)
    async def refund(amount: float, to: list[str]) -> tuple[float, list[str]]:
        return amount, to

    to = ["ada@example.org"]
    assert await refund("9", to) == (9.0, ["ada@example.org"])  # type: ignore[arg-type]  # as models send it
    assert to == ["ada@example.org"]


# -- functions and options that cannot be -------------------------------------------------------------


def test_what_cannot_be_a_form_is_refused_when_it_is_decorated(away: Approvals) -> None:
    class Connection: ...

    async def starred(*names: str) -> None: ...
    async def opaque(connection: Connection) -> None: ...
    async def generator() -> AsyncIterator[int]:
        yield 1

    def unknown(thing: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821  # that is the point

    cases: list[tuple[Any, str]] = [
        (starred, r"takes \*names"),
        (opaque, "JSON can't carry"),
        (generator, "a generator"),
        (unknown, "Nowhere"),
    ]
    for function, told in cases:
        with pytest.raises(InvalidCall, match=told):
            away.required(function)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"when": lambda a, b: True}, "when= takes 'a', which is none of amount"),
        ({"when": lambda *args: False}, "when="),
        ({"key": lambda invoice, amount: "k"}, "key= takes 'invoice'"),
        ({"risk": "huge"}, "risk is 'huge'"),
        ({"tags": "money"}, "tags"),
        ({"schema": {"type": "array"}}, "schema"),
        ({"deadline": "soon"}, "deadline"),
        ({"timeout": "soon"}, "timeout"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_when_it_is_decorated(
    away: Approvals, options: Any, told: str
) -> None:
    async def refund(amount: float) -> None: ...

    with pytest.raises(InvalidCall, match=told):
        away.required(**options)(refund)


def test_when_cannot_be_async(away: Approvals) -> None:
    async def when(amount: float) -> bool:
        return False

    async def refund(amount: float) -> None: ...

    with pytest.raises(InvalidCall, match="can't be async"):
        away.required(when=when)(refund)


async def test_values_that_json_would_change_are_refused(away: Approvals) -> None:
    @away.required(when=lambda **_: False)
    async def anything(thing) -> None:  # type: ignore[no-untyped-def]  # that is the point
        raise AssertionError("it ran")

    @away.required(when=lambda **_: False)
    async def login(password: SecretStr, ids: Iterable[int] = ()) -> None:
        raise AssertionError("it ran")

    for thing in (date(2024, 2, 29), {1, 2}, b"\xff", object(), "\ud800", 2**60):
        with pytest.raises(InvalidCall):
            await anything(thing)
    with pytest.raises(InvalidCall, match="'password'"):
        await login(SecretStr("hunter2"))


async def test_missing_arguments_are_pythons_own_error(away: Approvals) -> None:
    @away.required
    async def refund(amount: float) -> None: ...

    with pytest.raises(TypeError, match="amount"):
        await refund()  # type: ignore[call-arg]  # that is the point


async def test_a_default_of_none_needs_no_annotation(agent: Approvals, redis_url: str, tenant: str) -> None:
    @agent.required
    async def note(text: str = None) -> str | None:  # type: ignore[assignment]  # noqa: RUF013  # as people write
        return text

    async with serving(redis_url, tenant, habit=yes):
        assert await note() is None


def test_every_error_has_one_root() -> None:
    assert issubclass(Rejected, ApprovalsError) and issubclass(Unavailable, ApprovalsError)
