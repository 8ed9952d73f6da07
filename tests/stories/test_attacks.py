"""Attacks on the whole house that no other story tells: tests/attacks has them all."""

import asyncio
import json
import os
import pwd
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from approvals import Approvals
from approvals.canonical import fingerprint
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import RequestId
from approvals.store import Store
from bot.app import Service
from bot.sandbox.server import Sandbox
from bot.terminal.restored import go_on
from tests.operator import countersign
from tests.running import a_connected_bot, a_policy, environment, the_card, until
from tests.stories.signing import House, a_click, post, post_click, signature
from tests.stories.watching import DECISIONS, REFUND, events, logged, whispered

LOGIN = pwd.getpwuid(os.getuid()).pw_name


async def _post(bot: Service, text: str) -> None:
    """A letter as an agent with a client of its own could write it."""
    tenant = bot.settings.tenant
    await bot.redis.sadd(key(tenant, "agents"), "billing")
    await bot.redis.xadd(key(tenant, "inbox", "billing"), {"letter": text})
    await bot.redis.xadd(key(tenant, "bell"), {"agent": "billing"})


# -- Slack ---------------------------------------------------------------------------------------------


@pytest.mark.attack("A9")
async def test_whoever_has_an_approvers_name_is_still_somebody_else(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    for twin in ("U0EVE", "U0MAX"):  # a stranger of another organisation, and a member
        slack.workspace.user(twin).name = slack.workspace.user("U0KIM").name
        slack.workspace.user(twin).real_name = slack.workspace.user("U0KIM").real_name
        slack.workspace.user(twin).email = slack.workspace.user("U0KIM").email
    policy = a_policy(tmp_path, 'version = 1\n[defaults]\napprovers = ["U0KIM"]\n')
    async with a_connected_bot(slack, environment(slack, redis_url, tenant, APPROVALS_POLICY=policy)) as bot:
        ticket = await approvals.submit("refund", REFUND)
        card = await the_card(slack)
        for twin in ("U0EVE", "U0MAX"):
            assert (await slack.person(twin).press("Approve", card)).ok
        refused = await logged(bot, ticket.id, "refused", times=2)
        assert [entry.actor for entry in refused] == ["slack:U0EVE", "slack:U0MAX"]
        assert (await slack.person("U0KIM").press("Approve", card)).ok
        assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"


@pytest.mark.attack("A20")
async def test_a_dialog_of_one_request_with_the_fingerprint_of_another_decides_neither(
    house: House, approvals: Approvals
) -> None:
    one = await approvals.submit("refund", REFUND)
    other = await approvals.submit("refund", {"customer": "c_43", "amount": 9})
    await the_card(house.slack, "c_43")
    await _read_and_approved(house, f"1|{one.id}|{other.fingerprint}")
    await _read_and_approved(house, f"1|{other.id}|{one.fingerprint}")
    assert not DECISIONS & {*await events(house.web, one.id), *await events(house.web, other.id)}
    await _read_and_approved(house, f"1|{one.id}|{one.fingerprint}")
    assert (await approvals.wait(one.id, timeout=20)).args == REFUND


async def _read_and_approved(house: House, metadata: str) -> None:
    """The payload of the dialog in which a long call is read, with this as its metadata."""
    app = house.slack.app
    view = {"id": "V0X", "type": "modal", "callback_id": "read", "private_metadata": metadata}
    payload = {
        "type": "view_submission",
        "user": {"id": "U0ANA", "team_id": app.team_id},
        "api_app_id": app.app_id,
        "team": {"id": app.team_id},
        "trigger_id": "1.2.x",
        "view": view | {"state": {"values": {}}, "hash": "1.2"},
    }
    body = urlencode({"payload": json.dumps(payload)})
    assert await post(house, body, signature(body)) == 200


@pytest.mark.attack("A29")
async def test_while_one_clicks_without_end_others_decide(house: House, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(house.slack)
    async with asyncio.TaskGroup() as people:
        for _ in range(25):
            people.create_task(post_click(house, a_click(house.slack, card, "U0GUS")))
        kim = people.create_task(post_click(house, a_click(house.slack, card, "U0KIM")))
    assert kim.result() == 200
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"
    decided = DECISIONS & set(await events(house.web, ticket.id))
    assert decided == {"approved"}


# -- agents --------------------------------------------------------------------------------------------


@pytest.mark.attack("B46")
async def test_what_an_agent_claims_is_told_as_its_words_below_the_call(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    claim = "URGENT: already approved by the CFO.\nCountersign: this call is safe."
    await approvals.submit("refund", REFUND, reason=claim)
    shown = (await the_card(slack)).shown
    assert shown.index("c_42") < shown.index("billing says:") < shown.index("already approved by the CFO")


@pytest.mark.attack("J6")
async def test_a_name_that_stands_twice_is_read_in_one_way_from_the_card_to_the_run(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    id = new_id()
    twice = (
        '"args":{"customer":"c_42","amount":1,"amount":2},"args":{"customer":"c_42","amount":3,"amount":4}'
    )
    await _post(bot, f'{{"letter":"submission","id":"{id}","tool":"label","tool":"refund",{twice}}}')
    card = await the_card(slack, "c_42")
    request, _ = await bot.store.get(id)
    assert request.fingerprint == fingerprint(request.tool, request.args)
    assert f"{request.args['amount']}" in card.shown
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(id, timeout=20)).args == request.args
    assert (await approvals.claim(id)).args == request.args


EVIL = "\x1b[2J\x1b[31m\x9b2J\rok\n✓ R-0000 approved\u202e\x07"


@pytest.mark.attack("J12")
async def test_an_operators_terminal_obeys_no_agent(
    slack: Sandbox, bot: Service, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    id = new_id()
    letter: dict[str, Any] = {"letter": "submission", "id": id, "tool": "refund", "reason": EVIL}
    await _post(bot, json.dumps(letter | {"args": {"to": EVIL, EVIL: 1}, "tags": [EVIL]}))
    await the_card(slack)
    policy = a_policy(tmp_path, f'version = 1\n[operators]\n"{LOGIN}" = "U0KIM"\n')
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=policy)
    for arguments in (["pending"], ["approve", id], ["reject", id, EVIL], ["audit", "show", id]):
        told = await countersign(env, *arguments, typed="no\n")
        assert told.out
        assert all(line.isprintable() for line in (told.out + told.err).split("\n")), arguments


# -- Redis and the policy ------------------------------------------------------------------------------


@pytest.mark.attack("D65")
async def test_after_redis_was_emptied_work_goes_on_by_an_operator_s_word_and_old_cards_decide_nothing(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await bot.redis.flushall()
    continuity, signing, vault = bot.continuity, bot.signing, bot.vault
    assert continuity is not None and signing is not None and vault is not None

    async def is_noticed() -> bool:
        return continuity.fault is not None

    async def is_served() -> bool:
        return continuity.fault is None

    await until(is_noticed)
    await signing.start()  # what it does by itself every 30 s: its public key is gone as well
    await go_on(bot.redis, bot.settings, vault, Store(bot.redis, bot.settings.tenant, signing))
    await until(is_served)
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await whispered(slack, "U0ANA", "")
    assert not DECISIONS & set(await events(bot, ticket.id))
    again = await approvals.submit("refund", {"customer": "the next one"})
    assert (await slack.person("U0KIM").press("Approve", await the_card(slack, "the next one"))).ok
    assert (await approvals.wait(again.id, timeout=20)).status == "approved"


@pytest.mark.attack("E76", "H97")
async def test_a_request_keeps_the_terms_with_which_people_were_asked(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    path = a_policy(tmp_path, 'version = 1\n[defaults]\napprovers = ["U0ANA"]\n')
    async with a_connected_bot(slack, environment(slack, redis_url, tenant, APPROVALS_POLICY=path)) as bot:
        ticket = await approvals.submit("refund", REFUND)
        card = await the_card(slack)
        before = bot.policy.version
        a_policy(tmp_path, 'version = 1\n[defaults]\naction = "allow"\napprovers = ["U0KIM"]\n')
        os.kill(os.getpid(), signal.SIGHUP)

        async def is_new() -> bool:
            return bot.policy.version != before

        await until(is_new)
        assert (await slack.person("U0KIM").press("Approve", card)).ok
        await logged(bot, ticket.id, "refused")
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
        assert {entry.policy for entry in await bot.store.chain(RequestId(ticket.id))} == {before}
