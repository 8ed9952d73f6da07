"""Slack's hand over HTTP: payloads made and signed as Slack does, for what the sandbox would never send."""

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import environment

SECRET = "sandbox-signing-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """`web` and `worker`, as two processes would be, and a Slack that calls the first."""

    slack: Sandbox
    web: Service
    url: str


def over_http(slack: Sandbox, redis_url: str, tenant: str, url: str) -> dict[str, str]:
    """What an operator would set who has no Socket Mode."""
    env = environment(slack, redis_url, tenant, SLACK_SIGNING_SECRET=SECRET, PORT=url.rpartition(":")[2])
    del env["SLACK_APP_TOKEN"]
    return env


def a_click(slack: Sandbox, card: Message, person: str = "U0ANA") -> dict[str, Any]:
    """The payload of a press of Approve, as Slack sends it."""
    buttons = [each for block in card.blocks or [] for each in block.get("elements", [])]
    approve = next(each for each in buttons if each.get("action_id") == "approve")
    known = slack.workspace.users.get(person)
    return {
        "type": "block_actions",
        "user": {"id": person, "username": "x", "team_id": known.team_id if known else slack.app.team_id},
        "api_app_id": slack.app.app_id,
        "team": {"id": slack.app.team_id, "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "actions": [{"type": "button", "action_id": "approve", "block_id": "x", "value": approve["value"]}],
        "container": {"type": "message", "message_ts": card.ts, "channel_id": card.channel},
        "channel": {"id": card.channel, "name": "approvals"},
        "message": {"ts": card.ts},
        "trigger_id": "1.2.x",
    }


def signature(body: str, *, at: float | None = None) -> dict[str, str]:
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(SECRET.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={digest}"}


async def post_click(house: House, click: dict[str, Any]) -> int:
    body = urlencode({"payload": json.dumps(click)})
    return await post(house, body, signature(body))


async def post(house: House, body: str, headers: Mapping[str, str]) -> int:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{house.url}/slack/events", data=body, headers={**form, **headers}) as answer,
    ):
        return answer.status


async def status_of(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as answer:
        return answer.status


async def is_serving(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(url) as session:
            return await status_of(session, "/healthz") == 200
    except aiohttp.ClientConnectionError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
