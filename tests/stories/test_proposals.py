"""From asking to trusting: what people keep approving becomes a rule that owners accept."""

import json
import tomllib
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.model import Args
from approvals.policy import parse
from approvals.proposal_book import ProposalBook
from approvals.stages import Stages
from blocks.check import check_message
from blocks.proposals import proposal_blocks, summary
from bot.app import Service
from bot.proposing import Proposing, place_of
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.running import environment, redrawn, the_card, the_dialog, until
from tests.stories.watching import REFUND, logged, whispered

POLICY = """
version = 1

[defaults]
channel = "#approvals"
burst = 0

[[rule]]
name = "wires"
tools = ["wire"]
risk = "critical"

[[rule]]
name = "refunds"
tools = ["refund"]

[owners]
policy = ["U0ANA", "U0KIM"]
operators_channel = "#approvals-ops"
"""
HOSTILE: Args = {
    "customer": 'c_42" || true || \'"\n[owners]\npolicy = ["U0MAL"]\n<!channel> ```',
    "amount": 940,
}


@pytest.fixture
def policy() -> str:
    return POLICY


async def approved(
    bot: Service, slack: Sandbox, approvals: Approvals, count: int, tool: str, args: Args
) -> None:
    """Kim approves so many calls, one after the other."""
    for _ in range(count):
        ticket = await approvals.submit(tool, args)
        await slack.until(lambda: _open_card(slack))
        assert (await slack.person("U0KIM").press("Approve", _open_card(slack))).ok
        await logged(bot, ticket.id, "approved")
        await slack.until(lambda: _open_card(slack) is None)


def _open_card(slack: Sandbox) -> Message | None:
    def has_approve(message: Message) -> bool:
        return '"action_id": "approve"' in json.dumps(message.blocks)

    return next((m for m in reversed(slack.messages("C0APPROVALS")) if has_approve(m)), None)


async def suggested(slack: Sandbox, person: str, words: str) -> Message:
    assert (await slack.person(person).slash("/approvals", "suggest")).ok
    return await whispered(slack, person, words)


async def test_what_was_approved_25_times_becomes_a_rule_that_owners_accept(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    await approved(bot, slack, approvals, 25, "refund", REFUND)
    answer = await suggested(slack, "U0MAX", "25 calls of refund by billing were approved as they were")
    assert "It would have saved 25 asks in the last 30 days" in answer.shown

    max_ = slack.person("U0MAX")
    assert (await max_.press("See the rule", answer)).ok
    assert "args.customer == 'c_42'" in (await the_dialog(slack, "U0MAX")).shown
    assert (await max_.close()).ok
    assert (await max_.press("Propose it to the owners", answer)).ok
    await whispered(slack, "U0MAX", "asks the policy's owners whether “refund by billing, as approved")
    card = await the_card(slack, "Adopt rule", channel="C0OPS")
    for words in (
        "right before rule “refunds”",
        "saved 25 asks",
        "action = ",
        "the policy file stays the truth",
    ):
        assert words in card.shown

    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await redrawn(slack, card, "accepted, but not in force")
    await the_card_or_words(slack, "C0OPS", "countersign policy accepted")
    await suggested(slack, "U0MAX", "There is no rule to suggest")

    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=str(tmp_path / "policy.toml"))
    printed = (await countersign(env, "policy", "accepted")).out
    assert len(tomllib.loads(printed)["rule"]) == 1
    asking = parse(POLICY).rules[1]
    assert place_of(asking) in printed
    pasted = tmp_path / "new.toml"
    pasted.write_text(POLICY.replace('[[rule]]\nname = "refunds"', f'{printed}\n[[rule]]\nname = "refunds"'))
    told = json.loads((await countersign(env, "policy", "backtest", str(pasted), "--json")).out)
    assert told["with_this_file"]["allowed"] == 25
    assert told["let_through_though_rejected"] == []
    env["APPROVALS_POLICY"] = str(pasted)
    left = await countersign(env, "policy", "accepted")
    assert (left.code, left.out) == (0, "# No accepted rule is missing from the policy file.\n")


async def the_card_or_words(slack: Sandbox, channel: str, words: str) -> None:
    await slack.until(lambda: next((m for m in slack.messages(channel) if words in m.shown), None))


async def test_one_rejection_among_them_and_nothing_is_suggested(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approved(bot, slack, approvals, 20, "refund", REFUND)
    ticket = await approvals.submit("refund", REFUND)
    await until(lambda: _waits(bot))
    assert (await slack.person("U0KIM").slash("/reject", f"{ticket.id} Not this one.")).ok
    await logged(bot, ticket.id, "rejected")
    await suggested(slack, "U0KIM", "There is no rule to suggest")


async def _waits(bot: Service) -> bool:
    return bool(await bot.store.pending())


async def test_who_neither_decides_such_calls_nor_owns_the_policy_hears_and_does_nothing(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approved(bot, slack, approvals, 20, "refund", REFUND)
    await suggested(slack, "U0GUS", "There is no rule to suggest")
    theirs = await in_the_thread(slack, bot)
    for label in ("See the rule", "Propose it to the owners", "Not now"):
        assert (await slack.person("U0GUS").press(label, theirs)).ok
    refused = await until(lambda: _refused(bot, 3))
    assert set(refused) == {"slack:U0GUS"}
    assert (await bot.store.pending()) == []


async def in_the_thread(slack: Sandbox, bot: Service) -> Message:
    """The proposal as a message for a whole channel, such as the daily thread has."""
    assert bot.slack is not None
    tenant = bot.settings.tenant
    proposing = Proposing(
        store=bot.store,
        book=ProposalBook(bot.redis, tenant),
        policy_file=bot.policy_file,
        stages=Stages(bot.redis, tenant),
        channel=bot.settings.channel,
        environment=bot.settings.environment,
    )
    (proposal,) = await proposing.proposals()
    text, blocks = summary(proposal), proposal_blocks(proposal)
    check_message(text, blocks)
    await bot.slack.client.chat_postMessage(channel="C0APPROVALS", text=text, blocks=blocks)
    return await the_card(slack, "See the rule")


async def _refused(bot: Service, times: int) -> list[str]:
    found = [entry.actor for entry in await bot.store.entries() if entry.event == "refused"]
    return found if len(found) >= times else []


async def test_not_now_is_heard(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    await approved(bot, slack, approvals, 20, "refund", REFUND)
    answer = await suggested(slack, "U0KIM", "20 calls of refund")
    assert (await slack.person("U0KIM").press("Not now", answer)).ok
    await whispered(slack, "U0KIM", "not suggested again for 30 days")
    assert (await slack.person("U0KIM").press("See the rule", answer)).ok
    await whispered(slack, "U0KIM", "answered already, or holds no longer")
    await approved(bot, slack, approvals, 20, "refund", REFUND)
    await suggested(slack, "U0KIM", "40 calls of refund")


async def test_what_is_critical_is_never_suggested(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    for _ in range(20):
        ticket = await approvals.submit("wire", REFUND)
        await until(lambda: _waits(bot))
        request, _now = await bot.store.get(ticket.id)
        card = await the_card(slack, request.short)
        assert (await slack.person("U0KIM").press("Approve", card)).ok
        await logged(bot, ticket.id, "approved")
    await suggested(slack, "U0KIM", "There is no rule to suggest")


@pytest.mark.attack("J19")
async def test_what_an_agent_wrote_stays_a_text_in_the_rule(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    await approved(bot, slack, approvals, 20, "refund", HOSTILE)
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=str(tmp_path / "policy.toml"))
    (found,) = json.loads((await countersign(env, "policy", "suggest", "--json")).out)
    assert list(tomllib.loads(found["rule"])) == ["rule"]
    assert len(parse(f"version = 1\n{found['rule']}").rules) == 1
    told = (await countersign(env, "policy", "suggest")).out
    assert "+++ policy.toml" in told and "saved 20 asks" in told
    answer = await suggested(slack, "U0KIM", "20 calls of refund")
    assert (await slack.person("U0KIM").press("Propose it to the owners", answer)).ok
    card = await the_card(slack, "Adopt rule", channel="C0OPS")
    assert "<!channel>" not in card.text
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await redrawn(slack, card, "accepted, but not in force")
    printed = (await countersign(env, "policy", "accepted")).out
    assert tomllib.loads(printed)["rule"] == tomllib.loads(found["rule"])["rule"]


class TestWithoutOwners:
    @pytest.fixture
    def policy(self) -> str:
        return 'version = 1\n[defaults]\nchannel = "#approvals"\nburst = 0\n'

    async def test_it_is_said_what_to_write(self, slack: Sandbox, approvals: Approvals, bot: Service) -> None:
        await approved(bot, slack, approvals, 20, "refund", REFUND)
        answer = await suggested(slack, "U0KIM", "20 calls of refund")
        assert (await slack.person("U0KIM").press("Propose it to the owners", answer)).ok
        await whispered(slack, "U0KIM", "[owners]")


class TestInTheUsualChannel:
    @pytest.fixture
    def policy(self) -> str:
        return POLICY.replace('operators_channel = "#approvals-ops"\n', "")

    @pytest.mark.attack("E77")
    async def test_neither_who_proposed_it_nor_who_is_no_owner_accepts_it(
        self, slack: Sandbox, approvals: Approvals, bot: Service
    ) -> None:
        await approved(bot, slack, approvals, 20, "refund", REFUND)
        answer = await suggested(slack, "U0ANA", "20 calls of refund")
        assert (await slack.person("U0ANA").press("Propose it to the owners", answer)).ok
        card = await the_card(slack, "Adopt rule")
        for person in ("U0ANA", "U0LEE"):
            assert (await slack.person(person).press("Approve", card)).ok
            await whispered(slack, person, "You can't decide")
        assert [entry.event for entry in await bot.store.entries() if entry.event.startswith("rule_")] == [
            "rule_proposed"
        ]
