"""What signing in for one decision takes of a service, and of what it is told."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from approvals import allowed_signers
from approvals.commands import Approve
from approvals.dsse import written
from approvals.errors import NotSigned
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.model import Assurance, Evidence, PersonId, Via
from approvals.policy import parse
from approvals.receipts import checked, told
from approvals.signed import DECISION, sign
from approvals.sshsig import read_key
from bot import settings
from bot.payloads import Who
from bot.policy_file import PolicyFile
from bot.stepping_up import needs
from bot.stepping_up.confirmations import Confirmation, Confirmations
from bot.stepping_up.sign_in import SLACK, Attempt, Provider, SignIn, SignInFailed, is_safe
from bot.vault import Vault
from tests.builders import REFUND, SIGNER, T0, VAULT, a_person, a_request, terms
from tests.identity import an_identity
from tests.ssh_keys import Key

GROUND = {"REDIS_URL": "redis://localhost:6379/0"}
SET_UP = {"APPROVALS_URL": "https://a.example/", "SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "hush"}
CLICKED = 'version = 1\n[[rule]]\nname = "r"\ntools = ["a"]\n'
SURE = CLICKED + 'assurance = "step-up"\n'


def ground(**more: str) -> settings.Settings:
    return settings.read({**GROUND, **more}, needs="redis")


def test_a_service_that_is_set_up_can_have_people_sign_in() -> None:
    found = ground(**SET_UP)
    assert found.can_step_up and found.url == "https://a.example"
    assert found.sign_in is not None and found.sign_in.issuer == SLACK
    assert "hush" not in repr(found)
    for missing in SET_UP:
        assert not ground(**{name: value for name, value in SET_UP.items() if name != missing}).can_step_up


@pytest.mark.parametrize("url", ["http://a.example", "https://a.example/x", "ftp://a", "a", "https://u:p@a"])
def test_an_address_without_tls_or_with_more_in_it_is_refused(url: str) -> None:
    with pytest.raises(settings.SettingsFault, match="APPROVALS_URL"):
        ground(APPROVALS_URL=url)


@pytest.mark.parametrize(
    "url", ["http://a.example/x", "https://", "//a", "https://u@a/x", "javascript:1", ""]
)
def test_nothing_is_sent_where_others_could_read_it(url: str) -> None:
    assert not is_safe(url)


def test_signatures_take_no_provider() -> None:
    keyed = parse(CLICKED + 'assurance = "key"\n')
    assert needs.lacks(ground(APPROVALS_URL="https://a.example"), keyed) is None
    assert "set APPROVALS_URL" in str(needs.lacks(ground(), keyed))


def test_whoever_edits_signs_the_changed_call_and_a_receipt_holds_nobody_else_s_word() -> None:
    request = a_request(terms=terms(assurance=Assurance.KEY), created_at=T0)
    wanted = Confirmation(
        tenant=request.tenant,
        request=request.id,
        fingerprint=request.fingerprint,
        turn=0,
        person=PersonId("U0ANA"),
        verb="edit",
        made_at=T0,
        edited={**REFUND, "amount": 9},
    )

    def receipt(meant: Confirmation) -> str:
        text = meant.statement(request, "token").text
        evidence = Evidence(means="key", statement=text, signature=Key().signed(text))
        person = a_person(assurance=Assurance.KEY, evidence=evidence)
        event = decide(request, wanted.command(person), now=T0)
        return json.dumps(written(sign(SIGNER, evolve(request, event), event, Via.WEB)))

    decision = checked(receipt(wanted), [SIGNER.public])
    assert decision.assurance is not None and decision.assurance.level == 3
    assert "has signed it with their own key SHA256:" in told(decision)
    for other in ({"edited": None}, {"person": PersonId("U0LEE")}, {"tenant": "other"}):
        with pytest.raises(NotSigned, match="another yes"):
            checked(receipt(replace(wanted, **other)), [SIGNER.public])
    plain = a_request(created_at=T0)
    event = decide(plain, Approve(by=a_person(), seen=plain.fingerprint), now=T0)
    clicked = json.dumps(written(sign(SIGNER, evolve(plain, event), event, Via.SLACK)))
    with pytest.raises(NotSigned, match="no approver has signed"):
        checked(clicked, [SIGNER.public], "")
    payload = json.loads(base64.b64decode(json.loads(receipt(wanted))["payload"])) | {"votes": []}
    nobody = json.dumps(written(SIGNER.envelope(DECISION, json.dumps(payload).encode())))
    with pytest.raises(NotSigned, match="and not who"):
        checked(nobody, [SIGNER.public])
    with pytest.raises(NotSigned, match="no key of theirs"):
        checked(receipt(wanted), [SIGNER.public], allowed_signers.line("U0ANA", read_key(Key().line)[0].line))


async def test_a_changed_policy_that_nobody_could_keep_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(CLICKED)
    able, unable = ground(**SET_UP), ground()
    file = PolicyFile(path, lambda policy: needs.lacks(unable, policy))
    before = file.current.version
    path.write_text(SURE)
    told = await file.refresh()
    assert told is not None and "APPROVALS_URL" in told and file.current.version == before
    assert needs.lacks(able, PolicyFile(path).current) is None
    path.write_text(CLICKED.replace('"a"', '"b"'))
    assert await file.refresh() is not None and file.current.version != before


async def test_a_provider_is_the_one_that_was_named() -> None:
    attempt = Attempt(token="t", state="s", nonce="n", verifier="v", begun_at=T0)
    async with an_identity() as identity:
        provider = Provider(client_id="1", client_secret="2", issuer=f"{identity.url}/")
        with pytest.raises(SignInFailed, match="another name"):
            await SignIn(provider, "https://a/signed-in", "T").begin(attempt)
        identity.url, real = "http://evil.example", identity.url
        provider = Provider(client_id="1", client_secret="2", issuer=real)
        with pytest.raises(SignInFailed):
            await SignIn(provider, "https://a/signed-in", "T").begin(attempt)
    with pytest.raises(SignInFailed, match="does not answer"):
        await SignIn(provider, "https://a/signed-in", "T").begin(attempt)


async def test_a_link_is_taken_once_and_by_no_other_service(redis_url: str, tenant: str) -> None:
    request, who = a_request(), Who(id=PersonId("U0ANA"), team=None)
    wanted = Approve(by=a_person(), seen=request.fingerprint)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        ours = Confirmations(redis, tenant, VAULT, "https://a.example")
        token = (await ours.make(who, request, "approve", wanted)).rpartition("/")[2]
        assert await Confirmations(redis, tenant, Vault("x" * 40), "https://a").look(token) is None
        assert await Confirmations(redis, f"{tenant}b", VAULT, "https://a").look(token) is None
        (name,) = [each async for each in redis.scan_iter("*confirm*")]
        assert token not in name and 0 < await redis.ttl(name) <= 300
        assert "U0ANA" not in str(await redis.get(name))
        taken = await ours.take(token)
        assert taken is not None and taken.person == "U0ANA"
        assert await ours.take(token) is None
