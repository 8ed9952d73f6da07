"""The door opens for what we can talk to, and tells where it stands shut without telling the password."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from approvals.errors import InvalidCall, Unavailable
from approvals.redis_door import due_ms, moment, ms, open_redis, translated
from tests.proof.relay import WORDS, Command, CommandLine


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://h",
        "redis+sentinel://u:hunter2@h/",
        "redis+sentinel://u:hunter2@h:99999x/mymaster",
        "redis+cluster://u:hunter2@h/3",
        "redis://u:hunter2@h:hunter2/0",
    ],
)
def test_an_address_that_cannot_be_opened_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(InvalidCall) as refused:
        open_redis(url)
    assert "hunter2" not in str(refused.value) and str(refused.value)


@pytest.mark.attack("H104")
async def test_a_redis_that_is_away_is_named_without_its_password() -> None:
    async with open_redis("redis://user:hunter2@127.0.0.1:1/0") as redis:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as away, translated(redis):
            await redis.ping()
    assert "hunter2" not in str(away.value)


async def test_a_redis_that_wants_a_password_is_unavailable(redis_url: str) -> None:
    async with open_redis(redis_url.replace("://", "://nobody:hunter2@")) as redis:
        with pytest.raises(Unavailable) as refused, translated(redis):
            await redis.ping()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("refused", [b"MULTI", b"SET", b"EXEC"])
async def test_a_redis_that_cannot_answer_within_a_pipeline_is_unavailable_and_no_argument_is_told(
    redis_url: str, refused: bytes, words: str
) -> None:
    def fate(command: Command) -> str | None:
        return words if command[0] == refused else None

    async with CommandLine(redis_url, fate) as line, open_redis(line.url) as redis:
        with pytest.raises(Unavailable) as away, translated(redis):
            async with redis.pipeline() as pipe:
                pipe.set("secret", "hunter2")
                pipe.get("secret")
                await pipe.execute()
    assert "hunter2" not in str(away.value)


def test_nothing_is_due_before_its_time() -> None:
    at = datetime(2026, 11, 20, 14, 40, 0, 123_001, tzinfo=UTC)
    assert due_ms(at) == ms(at) + 1 == due_ms(at + timedelta(microseconds=999))
    assert moment((0, 1)) == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
