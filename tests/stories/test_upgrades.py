"""Old and new processes side by side: what an older release left in Redis is read, decided and finished."""

import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from approvals import Approvals, Forged, wire
from approvals.model import RequestId
from approvals.store import Store
from approvals.verifying import LogCheck
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, environment, the_card, until

GOLDENS = Path(__file__).parents[1] / "goldens" / "wire"
RELEASES = sorted(path.stem for path in GOLDENS.glob("*.jsonl"))
OLD = "old"  # the tenant of the goldens


@pytest.fixture(params=RELEASES)
async def old(redis_url: str, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """All that a house of that commit had left in Redis when it was stopped, there again."""
    rows = [json.loads(line) for line in (GOLDENS / f"{request.param}.jsonl").read_text().splitlines()]
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        for row in rows:
            await _put(redis, row["key"], row["type"], row["value"])
    return rows


async def _put(redis: Redis, key: str, kind: str, value: Any) -> None:
    match kind:
        case "string":
            await redis.set(key, value)
        case "hash":
            await redis.hset(key, mapping=_timeless(key, value))
        case "set":
            await redis.sadd(key, *value)
        case "zset" if not key.endswith(":due"):  # by now all that would be long over
            await redis.zadd(key, dict(value))
        case "stream":
            for entry, fields in value:
                await redis.xadd(key, fields, id=entry)


def _timeless(key: str, fields: dict[str, str]) -> Any:
    """The same without a deadline, which has passed since."""
    if ":request:" not in key:
        return fields
    return fields | {"body": json.dumps(json.loads(fields["body"]) | {"deadline": None})}


def test_there_is_something_of_an_older_release() -> None:
    assert RELEASES


def test_its_letters_requests_outcomes_and_entries_are_readable(old: list[dict[str, Any]]) -> None:
    read: dict[str, int] = {}
    for row in old:
        for name, shape, texts in _written(row):
            for text in texts:
                wire.read(shape, text)
                read[name] = read.get(name, 0) + 1
    assert read == {"letter": 4, "request": 5, "outcome": 2, "entry": 14, "posted": 7}


def _written(row: dict[str, Any]) -> list[tuple[str, Any, list[str]]]:
    """What of a key is JSON of ours: by which name, of which shape."""
    key, value = row["key"].removeprefix(f"cs:{{{OLD}}}:"), row["value"]
    match key.split(":")[0]:
        case "inbox":
            return [("letter", wire.LETTER, [fields["letter"] for _, fields in value])]
        case "audit" if row["type"] == "stream":
            return [("entry", wire.ENTRY, [fields["entry"] for _, fields in value])]
        case "request":
            return [("request", wire.REQUEST, [value["body"]])]
        case "outcome":
            return [("outcome", wire.OUTCOME, [value])]
        case "cards":
            return [("posted", wire.POSTED, list(value.values()))]
        case _:
            return []


@pytest.mark.usefixtures("old")
async def test_what_waits_is_decided_today_and_the_old_log_goes_on(slack: Sandbox, redis_url: str) -> None:
    async with (
        a_connected_bot(slack, environment(slack, redis_url, OLD)) as bot,
        Approvals.connect(redis_url, agent="billing", tenant=OLD) as approvals,
    ):
        ana = slack.person("U0ANA")
        letter = await the_card(slack, "letter")  # it had been sent, and nobody had read it
        revised = await the_card(slack, "revised")
        for card, words in ((letter, "letter"), (revised, "revised")):
            assert (await ana.press("Approve", card)).ok
            id = await until(lambda words=words: _approved(bot.store, words))  # type: ignore[misc]  # bound now
            assert id is not None
            assert (await approvals.wait(id, timeout=20)).status == "approved"
            assert (await approvals.claim(id)).args["note"] == words
        log = LogCheck()
        assert [fault async for entry in bot.store.log() if (fault := log.add(entry))] == []


async def _approved(store: Store, words: str) -> RequestId | None:
    found = await store.approved(limit=50)
    return next((each.id for each in found if each.args.get("note") == words), None)


@pytest.mark.usefixtures("old")
async def test_an_approval_that_nobody_had_signed_yet_is_asked_for_again(redis_url: str) -> None:
    async with Approvals.connect(redis_url, agent="billing", tenant=OLD) as approvals:
        async with Redis.from_url(redis_url, decode_responses=True) as redis:
            (unsigned, *_) = [key async for key in redis.scan_iter(f"cs:{{{OLD}}}:outcome:*")]
        with pytest.raises(Forged, match="older than this version"):
            await approvals.get(unsigned.rpartition(":")[2])
