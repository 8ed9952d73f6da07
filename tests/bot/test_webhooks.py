"""Agents are called back: signed, until they have got it, or for three days."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from redis.asyncio import Redis
from standardwebhooks import WebhookVerificationError

from approvals.callback_secrets import CallbackSecrets
from approvals.callbacks import LEASE_S, CallbackId, Callbacks, NoSuchCallback
from approvals.commands import (
    Answer,
    Approve,
    AskUndo,
    Cancel,
    Claim,
    Command,
    Expire,
    Reject,
    Report,
    RequestChanges,
)
from approvals.errors import Refusal
from approvals.keys import key
from approvals.model import Action, Actor, Kind, Request
from approvals.redis_door import open_redis
from approvals.store import Store
from bot.addresses import Receivers
from bot.webhooks import RETRIES_S, Webhooks
from tests.builders import QUESTION, SIGNER, a_request, terms
from tests.clerk import ADA
from tests.receiver import Receiver, receiving
from tests.running import until

OPERATOR = Actor(id="operator:root", name="root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What calls, what it calls from, and whom."""

    redis: Redis
    store: Store
    callbacks: Callbacks
    signing: CallbackSecrets
    webhooks: Webhooks
    secret: str
    receiver: Receiver
    told: list[str]

    async def asked(self, **changes: Any) -> Request:
        """A pending request whose agent wants to be called."""
        url = f"{self.receiver.url}/countersign?run=1"
        return await self.store.create(
            a_request(**{"callback_url": url, "created_at": await self.store.now()} | changes)
        )

    async def approved(self) -> Request:
        request = await self.asked()
        return (await self.store.change(request.id, yes(request))).request

    async def call(self) -> list[CallbackId]:
        """Make each call that is due, once."""
        due = await self.callbacks.claim(100)
        for id in due:
            await self.webhooks.call(id)
        return due

    async def let_time_pass(self) -> None:
        queue = key(self.store.tenant, "callbacks")
        for id in await self.redis.zrange(queue, 0, -1):
            await self.redis.zadd(queue, {str(id): 0})

    async def waits_s(self, id: CallbackId) -> float:
        """In how many seconds it is tried again."""
        return await self.due(id) / 1000 - (await self.store.now()).timestamp()

    async def due(self, id: CallbackId) -> float:
        """When it may be made, in ms."""
        due = await self.redis.zscore(key(self.store.tenant, "callbacks"), id)
        assert due is not None
        return float(due)


def yes(request: Request) -> Command:
    return Approve(by=ADA, seen=request.fingerprint)


@asynccontextmanager
async def a_ground(redis_url: str, tenant: str, **more: Any) -> AsyncIterator[Ground]:
    told: list[str] = []

    async def tell(sentence: str) -> None:
        told.append(sentence)

    async with open_redis(redis_url) as redis, receiving() as receiver:
        store, signing = Store(redis, tenant, SIGNER), CallbackSecrets(redis, tenant)
        callbacks = Callbacks(redis, tenant, lease_s=more.pop("lease_s", LEASE_S))
        receivers = more.pop("receivers", None) or Receivers(receiver.url)
        yield Ground(
            redis=redis,
            store=store,
            callbacks=callbacks,
            signing=signing,
            webhooks=Webhooks(store, callbacks, signing, receivers, tell, **more),
            secret=await signing.newest("billing", OPERATOR),
            receiver=receiver,
            told=told,
        )


@pytest.fixture
async def ground(redis_url: str, tenant: str) -> AsyncIterator[Ground]:
    async with a_ground(redis_url, tenant) as ground:
        yield ground


async def test_an_agent_is_called_with_what_became_of_its_request_signed(ground: Ground) -> None:
    request = await ground.approved()
    assert await ground.call() == [f"{request.id}-{request.version}"]
    (call,) = ground.receiver.calls
    said = call.verified(ground.secret)
    assert said["type"] == "request.approved"
    assert (said["data"]["id"], said["data"]["status"]) == (request.id, "approved")
    assert (said["data"]["args"], said["data"]["decided_by"]) == (request.args, "slack:U0ADA")
    assert call.headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        call.verified("whsec_c29tZSBvdGhlciBzZWNyZXQ=")
    assert await ground.call() == []
    assert await ground.redis.keys("*callback:*") == []


ENDS: dict[str, tuple[dict[str, Any], Callable[[Request], Command]]] = {
    "request.approved": ({}, yes),
    "request.rejected": ({}, lambda _: Reject(by=ADA, feedback="no")),
    "request.expired": ({"terms": terms(deadline_s=0)}, lambda _: Expire()),
    "request.cancelled": ({}, lambda _: Cancel(reason="not needed")),
    "request.changes_requested": ({}, lambda _: RequestChanges(by=ADA, feedback="say when")),
    "request.answered": (
        {"kind": Kind.QUESTION, "tool": "ask", "args": QUESTION},
        lambda _: Answer(by=ADA, text="eu"),
    ),
}


@pytest.mark.parametrize("word", ENDS)
async def test_each_outcome_is_told(ground: Ground, word: str) -> None:
    changes, command = ENDS[word]
    request = await ground.asked(**changes)
    assert await ground.call() == []
    await ground.store.change(request.id, command(request))
    await ground.call()
    said = ground.receiver.calls[0].verified(ground.secret)
    assert (said["type"], said["data"]["status"]) == (word, word.removeprefix("request."))


@pytest.mark.parametrize(("action", "word"), [(Action.ALLOW, "approved"), (Action.DENY, "rejected")])
async def test_what_a_rule_decides_is_told_as_well(ground: Ground, action: Action, word: str) -> None:
    await ground.asked(terms=terms(action=action))
    await ground.call()
    assert ground.receiver.calls[0].verified(ground.secret)["type"] == f"request.{word}"


async def test_a_wish_to_undo_is_told(ground: Ground) -> None:
    request = await ground.asked(terms=terms(action=Action.REVIEW))
    for command in (Claim(), Report(ok=True), AskUndo(by=ADA, text="the customer still waits")):
        await ground.store.change(request.id, command)
    assert len(await ground.call()) == 2
    approved, undo = (call.verified(ground.secret) for call in ground.receiver.calls)
    assert approved["type"] == "request.approved"
    assert (undo["type"], undo["data"]["text"]) == ("undo.requested", "the customer still waits")


async def test_what_changes_no_outcome_calls_nobody(ground: Ground) -> None:
    request = await ground.asked(terms=terms(quorum=2))
    await ground.store.change(request.id, yes(request))
    quiet = await ground.asked(callback_url=None)
    await ground.store.change(quiet.id, yes(quiet))
    assert await ground.call() == []


async def test_of_many_clicks_at_once_one_call_comes(ground: Ground) -> None:
    request = await ground.asked()

    async def click() -> None:
        with contextlib.suppress(Refusal):  # all but one are late
            await ground.store.change(request.id, yes(request))

    async with asyncio.TaskGroup() as clicks:
        for _ in range(10):
            clicks.create_task(click())
    assert len(await ground.call()) == 1


@pytest.mark.attack("C60")
async def test_a_call_that_fails_is_made_again_later_and_later_for_three_days_then_given_up(
    ground: Ground,
) -> None:
    ground.receiver.status = 503
    await ground.approved()
    for delay_s in RETRIES_S:
        (id,) = await ground.call()
        assert await ground.callbacks.claim(1) == []
        assert delay_s * 0.85 < await ground.waits_s(id) <= delay_s * 1.15
        assert ground.told == []
        await ground.let_time_pass()
    await ground.call()
    assert len(ground.receiver.calls) == 10
    assert len({call.id for call in ground.receiver.calls}) == 1
    assert timedelta(days=3) < timedelta(seconds=sum(RETRIES_S)) < timedelta(days=4)
    (dead,) = await ground.callbacks.dead()
    assert (dead.failure, dead.callback.agent) == ("it answered 503", "billing")
    await ground.let_time_pass()
    assert await ground.call() == []
    (sentence,) = ground.told
    assert "billing" in sentence
    assert "run=1" not in sentence  # the rest of the address is the agent's secret


@pytest.mark.attack("C60")
async def test_a_receiver_is_left_alone_for_as_long_as_it_asks_and_a_day_at_most(ground: Ground) -> None:
    ground.receiver.status = 429
    await ground.approved()
    in_two_hours = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    for asked, at_least_s, at_most_s in (
        ("soon", 0, 6),
        ("9" * 5000, 0, 331),
        (in_two_hours, 7100, 7201),
        ("99999999", 24 * 3600 - 60, 24 * 3600 + 1),
    ):
        ground.receiver.headers = {"Retry-After": asked}
        (id,) = await ground.call()
        assert at_least_s < await ground.waits_s(id) <= at_most_s, asked
        await ground.let_time_pass()


@pytest.mark.attack("C60")
async def test_gone_is_gone_at_once_and_operators_are_told_once(ground: Ground) -> None:
    ground.receiver.status = 410
    for _ in range(3):
        await ground.approved()
    await ground.call()
    assert len(await ground.callbacks.dead()) == 3
    assert len(ground.told) == 1


async def test_what_is_dead_can_be_called_again(ground: Ground) -> None:
    ground.receiver.status = 410
    await ground.approved()
    (id,) = await ground.call()
    ground.receiver.status = 200
    await ground.callbacks.redeliver(id)
    assert await ground.callbacks.dead() == []
    assert await ground.call() == [id]
    assert [call.id for call in ground.receiver.calls] == [id, id]
    with pytest.raises(NoSuchCallback):
        await ground.callbacks.redeliver(id)


@pytest.mark.parametrize("typed", ["", "R-1", "callbacks", "a:b", "R-00000000000000000000000000-1"])
async def test_what_is_no_callback_is_not_called_again(ground: Ground, typed: str) -> None:
    with pytest.raises(NoSuchCallback):
        await ground.callbacks.redeliver(typed)


@pytest.mark.attack("C55")
async def test_a_redirect_is_not_followed(ground: Ground) -> None:
    async with receiving() as elsewhere:
        ground.receiver.status, ground.receiver.headers = 307, {"Location": elsewhere.url}
        await ground.approved()
        (id,) = await ground.call()
        assert elsewhere.calls == []
    kept = await ground.callbacks.of(id)
    assert kept is not None
    assert kept.failure == "it answered 307"


@pytest.mark.attack("C59")
async def test_a_worker_that_dies_over_a_call_leaves_it_to_another(ground: Ground) -> None:
    ground.receiver.holds = True
    await ground.approved()
    calling = asyncio.get_running_loop().create_task(ground.call())
    first = await ground.receiver.until_called()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    ground.receiver.holds = False
    assert await ground.callbacks.claim(1) == []  # its lease
    await ground.let_time_pass()
    await ground.call()
    assert [call.id for call in ground.receiver.calls] == [first.id, first.id]
    assert await ground.redis.keys("*callback:*") == []


async def test_a_lease_is_held_for_as_long_as_a_call_takes(redis_url: str, tenant: str) -> None:
    async with a_ground(redis_url, tenant, lease_s=3.0) as ground:
        ground.receiver.holds = True
        request = await ground.approved()
        id = CallbackId(f"{request.id}-{request.version}")
        calling = asyncio.get_running_loop().create_task(ground.call())
        await ground.receiver.until_called()
        due = await ground.due(id)

        async def is_renewed() -> bool:
            assert await ground.callbacks.claim(1) == []
            return await ground.due(id) > due + 900

        await until(is_renewed)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling


@pytest.mark.attack("C61")
async def test_while_secrets_overlap_either_verifies_and_then_only_the_new_one(ground: Ground) -> None:
    new = await ground.signing.rotate("billing", OPERATOR)
    await ground.approved()
    await ground.call()
    call = ground.receiver.calls[0]
    assert call.verified(ground.secret) == call.verified(new)
    await end_overlap(ground)
    assert await ground.signing.of("billing") == [new]
    assert await ground.signing.newest("billing", OPERATOR) == new


async def end_overlap(ground: Ground) -> None:
    register = key(ground.store.tenant, "callbacks:secrets")
    text = str(await ground.redis.hget(register, "agent billing"))
    year = str((await ground.store.now()).year)
    await ground.redis.hset(register, "agent billing", text.replace(f'"until":"{year}', '"until":"2020'))


async def test_that_a_secret_was_made_or_rotated_is_in_the_log_and_the_secret_is_not(ground: Ground) -> None:
    new = await ground.signing.rotate("billing", OPERATOR)
    entries = await ground.store.entries()
    assert [(entry.event, entry.actor) for entry in entries] == [
        ("callback_secret_made", "operator:root"),
        ("callback_secret_rotated", "operator:root"),
    ]
    assert not any(secret in str(entries) for secret in (new, ground.secret))


@pytest.mark.attack("C61")
async def test_an_agent_without_a_secret_is_not_called_unsigned(ground: Ground) -> None:
    await ground.redis.delete(key(ground.store.tenant, "callbacks:secrets"))
    await ground.approved()
    await ground.call()
    assert ground.receiver.calls == []


async def test_an_answer_without_end_is_not_read(ground: Ground) -> None:
    ground.receiver.endless, ground.receiver.status = True, 200
    await ground.approved()
    async with asyncio.timeout(5):
        await ground.call()
    assert await ground.redis.keys("*callback:*") == []


@pytest.mark.attack("C62")
async def test_neither_cookies_nor_the_environments_proxy_are_used(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.receiver.headers = {"Set-Cookie": "session=1; Path=/"}
    async with receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for _ in range(2):
            await ground.approved()
        await ground.call()
        assert proxy.calls == []
    assert len(ground.receiver.calls) == 2
    assert not any("Cookie" in call.headers for call in ground.receiver.calls)


async def test_who_is_allowed_no_more_is_given_up_without_a_call(redis_url: str, tenant: str) -> None:
    async with a_ground(redis_url, tenant, receivers=Receivers("hooks.example.com")) as ground:
        await ground.approved()
        await ground.call()
        assert ground.receiver.calls == []
        assert len(await ground.callbacks.dead()) == 1


@pytest.mark.attack("C54")
async def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    redis_url: str, tenant: str
) -> None:
    """A name that leads to one address when it is judged and to another when it is connected to."""
    async with receiving() as checked, receiving(host="127.0.0.2", port=checked.port) as rebound:
        looked_up: list[str] = []

        async def lookup(host: str, port: int) -> list[str]:
            looked_up.append(host)
            return ["127.0.0.1"] if len(looked_up) == 1 else ["127.0.0.2"]

        url = f"http://localhost:{checked.port}"
        async with a_ground(redis_url, tenant, receivers=Receivers(url), lookup=lookup) as ground:
            request = await ground.asked(callback_url=url)
            await ground.store.change(request.id, yes(request))
            await ground.call()
        assert looked_up == ["localhost"]
        assert (len(checked.calls), len(rebound.calls)) == (1, 0)
        assert checked.calls[0].headers["Host"] == f"localhost:{checked.port}"


@pytest.mark.attack("C54")
async def test_a_name_that_leads_inside_when_it_is_called_is_not_called(redis_url: str, tenant: str) -> None:
    async with receiving() as inside:

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        receivers = Receivers(f"hooks.example.com:{inside.port}")
        async with a_ground(redis_url, tenant, receivers=receivers, lookup=lookup) as ground:
            request = await ground.asked(callback_url=f"https://hooks.example.com:{inside.port}/")
            await ground.store.change(request.id, yes(request))
            (id,) = await ground.call()
            kept = await ground.callbacks.of(id)
        assert inside.calls == []
        assert kept is not None
        assert "127.0.0.1" in str(kept.failure)


async def test_it_calls_for_ever_as_things_are_decided(ground: Ground) -> None:
    running = asyncio.get_running_loop().create_task(ground.webhooks.run())
    try:
        for count in range(1, 21):
            await ground.approved()
            await ground.receiver.until_called(count)
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_what_is_forgotten_is_called_no_more(ground: Ground) -> None:
    request = await ground.approved()
    await ground.store.forget(request.id)
    assert await ground.call() == []
    assert await ground.redis.keys("*callback:*") == []
