"""Whatever surface a call comes through, its card, the log and `countersign pending` look the same."""

import asyncio
import json
import re
from dataclasses import dataclass

import pytest

pytest.importorskip("agents", reason="make test installs the OpenAI Agents SDK")
pytest.importorskip("claude_agent_sdk", reason="make test installs the Claude Agent SDK")
pytest.importorskip("langchain", reason="make test installs LangChain")
pytest.importorskip("pydantic_ai", reason="make test installs Pydantic AI")

from approvals import Approvals
from approvals.audit import Entry
from approvals.cli import main
from approvals.model import RequestId
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.adapters.scenes import REFUND, Case, Shop, Way
from tests.adapters.surfaces import WAYS
from tests.running import redrawn
from tests.stories.watching import logged

# The time that it took is known where a program of ours ran it, and told behind the moment.
TOOK = r', \{"type": "text", "text": " \([\d.]+ (?:ms|s)\)"\}'
TIMES = r'"timestamp": \d+|date\^\d+|\d+:\d\d|\d+ (?:s|min)\b'
DIFFERS = rf'{TOOK}|{TIMES}|"block_id": "\w+"|billing-\d+|R-[0-9A-Z]+'
# What a decision is signed with, which is about this request alone; the gateway's tag; the time that it took.
OF_THIS_ONE = ("receipt", "tags", "duration_ms")
REASON, RESULT = "Charged twice for invoice 881.", "re_81f"
PLAIN = WAYS[0]


@pytest.fixture
def policy() -> str:
    """One that makes no digest of so many."""
    return """
version = 1
[defaults]
action = "ask"
channel = "#approvals"
approvers = ["channel"]
burst = 0
"""


@dataclass(frozen=True)
class Looks:
    """What people see of one call, without what differs from request to request: ids, times, spans."""

    card: str
    pending: str
    log: list[str]
    done: str | None  # None: nobody reports how it went


class Onlookers:
    """They look at everything, and approve it."""

    def __init__(self, slack: Sandbox, bot: Service, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
        self.slack, self.bot, self.case, self.capsys = slack, bot, case, capsys

    async def see(self, way: Way) -> Looks:
        async with way.open(self.case) as make, asyncio.timeout(20), asyncio.TaskGroup() as group:

            async def call() -> str:
                return await make()

            said = group.create_task(call())
            card = await self._card()
            asked, pending = _anonymous(card.blocks), await self._pending()
            (request,) = await self.bot.store.pending(limit=2)
            assert (await self.slack.person("U0ANA").press("Approve", card)).ok
            assert await said == RESULT
            done = await redrawn(self.slack, card, RESULT) if way.reports else None
        log = await self._log(request.id, "executed" if way.reports else "claimed")
        return Looks(asked, pending, log, None if done is None else _anonymous(done.blocks))

    async def _card(self) -> Message:
        def open_card() -> Message | None:
            cards = [one for one in self.slack.messages("C0APPROVALS") if one.blocks]
            return next((one for one in cards if "Approve" in one.shown.split("\n")), None)

        found = await self.slack.until(open_card)
        assert found is not None
        return found

    async def _pending(self) -> str:
        self.capsys.readouterr()
        assert await asyncio.to_thread(main, ["pending"]) == 0
        return _anonymous(self.capsys.readouterr().out)

    async def _log(self, id: RequestId, last: str) -> list[str]:
        await logged(self.bot, id, last)
        return [_anonymous(_told(one)) for one in await self.bot.store.chain(id)]


async def test_the_same_call_looks_the_same_through_every_surface(
    slack: Sandbox,
    bot: Service,
    redis_url: str,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("APPROVALS_TENANT", tenant)
    looks: dict[tuple[str, str | None], Looks] = {}
    for reason in (REASON, None):  # some surfaces have no place for one
        for way in (one for one in WAYS if one is PLAIN or one.can_say_why == (reason is not None)):
            agent = f"billing-{len(looks):02}"  # to others the same call of the same run is the same request
            async with Approvals.connect(redis_url, agent=agent, tenant=tenant) as approvals:
                case = Case(
                    approvals=approvals,
                    redis_url=redis_url,
                    tenant=tenant,
                    shop=Shop(result=RESULT),
                    reason=reason,
                )
                looks[way.name, reason] = await Onlookers(slack, bot, case, capsys).see(way)
                assert case.shop.ran == [REFUND]
    for (name, reason), seen in looks.items():
        plain = looks[PLAIN.name, reason]
        assert (name, seen.card) == (name, plain.card)
        assert (name, seen.pending) == (name, plain.pending)
        assert (name, seen.log) == (name, plain.log[: len(seen.log)])
        assert (name, seen.done) == (name, seen.done and plain.done)


def _told(one: Entry) -> tuple[object, ...]:
    detail = {name: told for name, told in (one.detail or {}).items() if name not in OF_THIS_ONE}
    return one.event, one.actor, one.tool, one.args, one.fingerprint, one.rule, detail


def _anonymous(seen: object) -> str:
    return re.sub(DIFFERS, "", seen if isinstance(seen, str) else json.dumps(seen))
