"""A yes that is signed with a key of the approver's own: on their machine, over exactly one call."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from approvals import Approvals
from approvals.approver_keys import ApproverKeys, ssh_key
from approvals.dsse import verified, written
from approvals.errors import NotSigned
from approvals.keys import key
from approvals.model import Actor, PersonId, Via
from approvals.receipts import checked
from approvals.signed import DECISION
from approvals.sshsig import ED25519, SK_ED25519
from approvals.statements import read
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, until
from tests.ssh_keys import Key, keygen
from tests.stories.links import clicked, seen
from tests.stories.many import a_town, served
from tests.stories.signing import free_port, is_serving
from tests.stories.watching import logged, whispered

POLICY = """version = 1
[defaults]
collapse = true

[owners]
override = ["U0ANA"]

[[rule]]
name = "refunds"
tools = ["refund"]
assurance = "key"
quorum = {quorum}
"""
FRAME = {"customer": "c_42", "amount": 940}
SIGNATURE = "a signature with a key of your own"
ANA, LEE = Key(kind=SK_ED25519), Key(kind=ED25519)
OPERATOR = Actor(id="operator:ops", name="ops")


@pytest.fixture
def policy() -> str:
    return POLICY.format(quorum=1)


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str, policy: str, tmp_path: Path) -> dict[str, str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    path = a_policy(tmp_path, policy)
    return environment(slack, redis_url, tenant, APPROVALS_POLICY=path, APPROVALS_URL=url, PORT=str(port))


@pytest.fixture
async def bot(slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Service]:
    async with a_connected_bot(slack, env) as service:
        await until(lambda: is_serving(env["APPROVALS_URL"]))
        await registered(service, "U0ANA", ANA)
        yield service


@pytest.fixture
async def browser_of() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def keys_of(bot: Service) -> ApproverKeys:
    assert bot.vault is not None
    return ApproverKeys(bot.redis, bot.settings.tenant, bot.vault)


async def registered(bot: Service, person: str, one: Key) -> None:
    keys = keys_of(bot)
    await keys.add(PersonId(person), ssh_key(one.line, await keys.now()), OPERATOR, Via.CLI)


async def a_link(slack: Sandbox, person: str = "U0ANA", words: str = "c_42") -> str:
    return await clicked(slack, person, words, takes=SIGNATURE)


async def signed(session: aiohttp.ClientSession, link: str, one: Key) -> tuple[int, str]:
    """Sign what the link asks for, and hand it in."""
    return await handed_in(session, link, one.signed((await seen(session, f"{link}/statement"))[1]))


async def handed_in(session: aiohttp.ClientSession, link: str, signature: str) -> tuple[int, str]:
    async with session.post(f"{link}/signature", data={"signature": signature}) as answer:
        return answer.status, await answer.text()


async def test_from_the_card_to_a_receipt_that_an_outsider_can_check(
    slack: Sandbox,
    bot: Service,
    approvals: Approvals,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "id"
    keygen("-q", "-t", "ed25519", "-N", "", "-f", str(file))
    ticket = await approvals.submit("refund", FRAME)
    assert "Approving takes a signature" in (await the_card(slack, "c_42")).shown
    link = await a_link(slack)
    told = await countersign(env, "sign", link, "--key", str(file), typed="y\n")
    assert told.code == 1 and "not registered for you" in told.err
    added = await countersign(env, "approver-keys", "add", "U0ANA", f"{file}.pub")
    assert added.out.startswith("SHA256:")
    told = await countersign(env, "sign", link, "--key", str(file), typed="n\n")
    assert told.code == 1 and "Ana Duarte" in told.out and "940" in told.out
    assert await approvals.get(ticket.id) is None
    told = await countersign(env, "sign", link, "--key", str(file), typed="y\n")
    assert (told.code, told.err[-6:]) == (0, "[y/N] ") and "You approved" in told.out

    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
    await redrawn(slack, await the_card(slack, "c_42"), "Ana Duarte approved, signed with a key of their own")
    await approvals.claim(ticket.id)
    receipt, signers = tmp_path / "receipt.json", tmp_path / "signers"
    receipt.write_text((await countersign(env, "receipt", "show", ticket.id)).out)
    signers.write_text((await countersign(env, "approver-keys", "list", "--allowed-signers")).out)
    public = json.loads((await countersign(env, "keys", "list", "--json")).out)[0]["key"]
    told = await countersign(
        {}, "receipt", "verify", str(receipt), "--key", public, "--approvers", str(signers)
    )
    assert told.code == 0 and "level 3, key" in told.out and added.out.strip() in told.out

    evidence = checked(receipt.read_text(), [public]).votes[0].evidence
    assert evidence is not None and evidence.statement is not None and evidence.signature is not None
    (tmp_path / "sig").write_text(evidence.signature)
    told_by = ["-f", str(signers), "-I", "U0ANA", "-n", "decision@countersign", "-s", str(tmp_path / "sig")]
    assert "Good" in keygen("-Y", "verify", *told_by, typed=evidence.statement)
    (entry,) = await logged(bot, ticket.id, "approved")
    assert entry.via == "web" and entry.detail is not None
    assert entry.detail["evidence"]["signature"] == evidence.signature  # type: ignore[index]  # any JSON


@pytest.mark.attack("J24")
async def test_a_page_takes_a_signature_that_was_made_by_hand(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await a_link(slack)
    status, page = await seen(browser_of, link)
    assert status == 200 and "940" in page and f"countersign sign {link}" in page and "<script" not in page
    says = read((await seen(browser_of, f"{link}/statement"))[1])
    assert (says.request, says.person, says.verb, says.tool) == (ticket.id, "U0ANA", "approve", "refund")
    assert (await signed(browser_of, link, ANA))[0] == 200
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    assert (await signed(browser_of, link, ANA))[0] == 410  # once


async def test_an_override_and_its_reason_are_signed_too(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    await the_card(slack, "c_42")
    assert (await slack.person("U0ANA").slash("/approvals", f"override {ticket.id[:8]} on fire")).ok
    told = (await whispered(slack, "U0ANA", SIGNATURE)).text
    link = told.partition("<")[2].partition("|")[0]
    assert (await signed(browser_of, link, ANA))[0] == 200
    (entry,) = await logged(bot, ticket.id, "overridden")
    assert entry.detail is not None and "on fire" in str(entry.detail["text"])


async def test_identical_calls_are_signed_one_by_one(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    first, second = await approvals.submit("refund", FRAME), await approvals.submit("refund", FRAME)
    for ticket in (first, second):
        await logged(bot, ticket.id, "asked")
    assert (await bot.store.get(second.id))[0].twin_of is None


class TestQuorum:
    @pytest.fixture
    def policy(self) -> str:
        return POLICY.format(quorum=2)

    async def test_each_of_several_signs(
        self, slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
    ) -> None:
        await registered(bot, "U0LEE", LEE)
        ticket = await approvals.submit("refund", FRAME)
        assert (await signed(browser_of, await a_link(slack), ANA))[0] == 200
        assert (await signed(browser_of, await a_link(slack, "U0LEE"), LEE))[0] == 200
        assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
        assert bot.signing is not None
        (voted,) = await logged(bot, ticket.id, "voted")
        assert voted.detail is not None and "SSH SIGNATURE" in str(voted.detail["evidence"])
        (entry,) = await logged(bot, ticket.id, "approved")
        votes = checked(json.dumps({"detail": entry.detail}), [bot.signing.current.public]).votes
        assert [vote.by for vote in votes] == ["slack:U0ANA", "slack:U0LEE"]
        assert all(vote.evidence and vote.evidence.means == "key" for vote in votes)

    @pytest.mark.attack("J23")
    async def test_a_yes_whose_key_was_removed_counts_no_more(
        self, slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
    ) -> None:
        await registered(bot, "U0LEE", LEE)
        ticket = await approvals.submit("refund", FRAME)
        assert (await signed(browser_of, await a_link(slack), ANA))[0] == 200
        name = ssh_key(ANA.line, await keys_of(bot).now()).name
        await keys_of(bot).remove(PersonId("U0ANA"), name, OPERATOR)
        assert (await signed(browser_of, await a_link(slack, "U0LEE"), LEE))[0] == 200
        _, last = await logged(bot, ticket.id, "voted", times=2)
        assert last.detail is not None and last.detail["gone"] == ["U0ANA"]
        assert await approvals.get(ticket.id) is None


@pytest.mark.long
async def test_each_workspace_has_its_own_keys_and_links(
    redis_url: str, tmp_path: Path, browser_of: aiohttp.ClientSession
) -> None:
    path = a_policy(tmp_path, POLICY.format(quorum=1))
    async with a_town(redis_url) as town, served(town, APPROVALS_POLICY=path):
        for slack in (town.first, town.second):
            await town.install(slack)
            await town.serves(slack.app.team_id)
        ours, theirs = town.first.app.team_id, town.second.app.team_id
        (tmp_path / "ana.pub").write_text(ANA.line)
        add = ("approver-keys", "add", "U0ANA", str(tmp_path / "ana.pub"))
        assert (await countersign({**town.env, "APPROVALS_TENANT": ours}, *add)).code == 0
        async with (
            Approvals.connect(redis_url, agent="billing", tenant=ours) as approvals,
            Approvals.connect(redis_url, agent="billing", tenant=theirs) as others,
        ):
            ticket, other = await approvals.submit("refund", FRAME), await others.submit("refund", FRAME)
            link, elsewhere = await a_link(town.first), await a_link(town.second)
            assert "No key is registered" in (await seen(browser_of, elsewhere))[1]
            assert (await seen(browser_of, link.replace(ours, theirs)))[0] == 410
            assert (await seen(browser_of, link.replace(ours, "T0NOBODY")))[0] == 410
            assert (await signed(browser_of, link, ANA))[0] == 200
            assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
            assert await others.get(other.id) is None


# -- attacks -------------------------------------------------------------------------------------------


@pytest.mark.attack("J23", "J24", "J26")
async def test_only_a_key_of_this_person_over_this_yes_counts(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    await registered(bot, "U0LEE", LEE)
    first = await approvals.submit("refund", FRAME)
    second = await approvals.submit("refund", {"customer": "c_43", "amount": 1})
    link, other = await a_link(slack), await a_link(slack, words="c_43")
    text = (await seen(browser_of, f"{link}/statement"))[1]
    elsewhere = (await seen(browser_of, f"{other}/statement"))[1]
    wrong = {
        "of another person": LEE.signed(text),
        "of nobody": Key().signed(text),
        "for another request": ANA.signed(elsewhere),
        "for another verb": ANA.signed(text.replace('"approve"', '"override"')),
        "with a note": ANA.signed(text.replace('"note_sha256":null', '"note_sha256":"00"')),
        "for another purpose": ANA.signed(text, namespace="file"),
        "untouched": Key(kind=SK_ED25519, flags=0, edwards=ANA.edwards).signed(text),
        "cut": ANA.signed(text)[:-40],
        "none": "",
    }
    for told, signature in wrong.items():
        assert (await handed_in(browser_of, link, signature))[0] == 403, told
    assert await approvals.get(first.id) is None and await approvals.get(second.id) is None
    refused = await logged(bot, first.id, "refused", times=1 + len(wrong))
    assert any("is no key of theirs" in str(each.detail) for each in refused)
    assert (await signed(browser_of, link, ANA))[0] == 200


@pytest.mark.attack("J23")
async def test_a_removed_key_counts_no_more_and_one_written_into_redis_never(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession, redis_url: str
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await a_link(slack)
    register, name = (
        key(bot.settings.tenant, "approver:keys"),
        ssh_key(ANA.line, await keys_of(bot).now()).name,
    )
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        sealed = str(await redis.hget(register, f"U0ANA {name}"))
        assert "ssh" not in sealed
        await registered(bot, "U0LEE", LEE)
        theirs = ssh_key(LEE.line, await keys_of(bot).now()).name
        await redis.hset(register, f"U0ANA {theirs}", str(await redis.hget(register, f"U0LEE {theirs}")))
    assert (await signed(browser_of, link, LEE))[0] == 403
    await keys_of(bot).remove(PersonId("U0ANA"), name, OPERATOR)
    assert (await signed(browser_of, link, ANA))[0] == 403
    assert await approvals.get(ticket.id) is None
    assert "No key is registered for you" in (await seen(browser_of, link))[1]


async def test_a_sign_in_is_too_little_and_a_receipt_without_its_signature_is_none(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await a_link(slack)
    assert (await seen(browser_of, f"{link}/sign-in"))[0] == 404
    assert (await signed(browser_of, link, ANA))[0] == 200
    request, _ = await bot.store.get(ticket.id)
    assert bot.signing is not None and request.signed is not None
    payload = json.loads(verified(request.signed, DECISION, bot.signing.keys))
    del payload["votes"][0]["evidence"]
    envelope = bot.signing.envelope(DECISION, json.dumps(payload).encode())
    with pytest.raises(NotSigned, match="no key of U0ANA"):
        checked(json.dumps(written(envelope)), [bot.signing.current.public])
