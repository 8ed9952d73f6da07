"""What ours is compared with: Bolt and Redis alone, doing the least that could be called the same."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from redis.asyncio import Redis
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

ACTION = "approve"  # the same id as our button has, so that one click serves all
BODY, ENTRY = "x" * 1600, "x" * 600  # about the size of our request and of our audit entry

# The least that a decision must write, and one fsync.
_DECIDE = """\
if redis.call("HGET", KEYS[1], "version") == ARGV[1] then return nil end
redis.call("HSET", KEYS[1], "version", ARGV[1], "body", ARGV[2])
redis.call("XADD", KEYS[2], "*", "entry", ARGV[3])
return 1
"""


def bolt_app(redis: Redis, client: AsyncWebClient, secret: str | None, *, is_ack_first: bool) -> AsyncApp:
    """A Bolt app that only writes one hash. Bolt's default acknowledges before that; ours must not."""
    who = AuthorizeResult(enterprise_id=None, team_id="T0SANDBOX", bot_token=client.token)

    async def authorize() -> AuthorizeResult:
        return who

    app = AsyncApp(
        client=client,
        signing_secret=secret,
        request_verification_enabled=secret is not None,
        process_before_response=not is_ack_first,
        authorize=authorize,
    )

    @app.action(ACTION)
    async def approve(ack: AsyncAck, body: dict[str, Any]) -> None:
        if is_ack_first:
            await ack()
        clicked = body["actions"][0]
        await redis.hset(
            f"bare:{clicked['action_ts']}", mapping={"by": body["user"]["id"], "value": clicked["value"]}
        )
        if not is_ack_first:
            await ack()

    return app


class Floor:
    """A signed click, checked and parsed by hand, and one script. Nothing that is safe can cost less."""

    def __init__(self, redis: Redis, secret: str) -> None:
        self._verifier = SignatureVerifier(secret)
        self._decide = redis.register_script(_DECIDE)
        self._version = 0

    async def handle(self, body: str, headers: dict[str, str]) -> bool:
        if not self._verifier.is_valid_request(body, headers):
            return False
        payload = json.loads(parse_qs(body)["payload"][0])
        self._version += 1
        key = f"floor:{payload['actions'][0]['action_id']}"
        return bool(await self._decide(keys=[key, "floor:log"], args=[self._version, BODY, ENTRY]))
