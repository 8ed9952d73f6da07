"""`countersign webhook …`: the secrets that callbacks are signed with, and callbacks that were given up."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pwd
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from redis.asyncio import Redis

from approvals.audit import rfc3339
from approvals.callback_secrets import CallbackSecrets
from approvals.callbacks import Callbacks, Kept
from approvals.cli import FINE, printable
from approvals.model import Actor, Json
from bot import settings
from bot.columns import show_table
from bot.durability import redis_of
from bot.webhooks import host_of

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Deed: TypeAlias = Callable[[Redis, str, argparse.Namespace], Awaitable[int]]


def register(commands: Subparsers) -> None:
    """Add `webhook` to `countersign`."""
    parser = commands.add_parser(
        "webhook",
        help="the secrets of callbacks, and callbacks that were given up",
        description="What calls agents back: its secrets, and what could not be delivered.",
        epilog="Needs REDIS_URL. Exit codes: 0 done, 1 there is no such callback, 2 usage, 3 unavailable.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="secret|rotate|dead|redeliver")
    secret = _verb(verbs, "secret", "print the secret that an agent verifies its callbacks by", _secret)
    secret.add_argument("name", help="the agent's name; a secret is made if it has none")
    rotate = _verb(
        verbs, "rotate", "make another secret and print it; the old one is good for a day", _rotate
    )
    rotate.add_argument("name", help="the agent's name")
    dead = _verb(verbs, "dead", "list the callbacks that were given up", _dead)
    dead.add_argument("--json", action="store_true", help="for scripts")
    again = _verb(verbs, "redeliver", "try a callback again, now and from the beginning", _redeliver)
    again.add_argument("id", help="as `dead` lists it")


def _verb(verbs: Subparsers, name: str, words: str, deed: Deed) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.set_defaults(run=lambda arguments: asyncio.run(_run(deed, arguments)))
    return parser


async def _secret(redis: Redis, tenant: str, arguments: argparse.Namespace) -> int:
    _out(await CallbackSecrets(redis, tenant).newest(arguments.name, _operator()))
    return FINE


async def _rotate(redis: Redis, tenant: str, arguments: argparse.Namespace) -> int:
    _out(await CallbackSecrets(redis, tenant).rotate(arguments.name, _operator()))
    return FINE


async def _dead(redis: Redis, tenant: str, arguments: argparse.Namespace) -> int:
    found = await Callbacks(redis, tenant).dead()
    if arguments.json:
        _out(json.dumps([_summary(kept) for kept in found]))
    elif not found:
        _out("No callback was given up.")
    else:
        rows = [[str(value or "") for value in _summary(kept).values()] for kept in found]
        show_table(list(_summary(found[0])), rows)
    return FINE


async def _redeliver(redis: Redis, tenant: str, arguments: argparse.Namespace) -> int:
    kept = await Callbacks(redis, tenant).redeliver(arguments.id)
    _out(f"{kept.id}: {kept.callback.agent} is called at {host_of(kept.callback)} again.")
    return FINE


def _summary(kept: Kept) -> dict[str, Json]:
    return {
        "id": kept.id,
        "agent": kept.callback.agent,
        "host": host_of(kept.callback),
        "type": kept.callback.type,
        "dead_since": rfc3339(kept.dead_since) if kept.dead_since else None,
        "failure": kept.failure,
    }


def _operator() -> Actor:
    name = pwd.getpwuid(os.getuid()).pw_name  # the environment could say anything
    return Actor(id=f"operator:{name}", name=name)


async def _run(deed: Deed, arguments: argparse.Namespace) -> int:
    ground = settings.read(os.environ, needs="redis")
    async with redis_of(ground) as redis:
        return await deed(redis, ground.tenant, arguments)


def _out(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")
