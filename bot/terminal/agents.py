"""`countersign agent`: who may use the HTTP API."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

from approvals.agent_tokens import CALLS_A_MINUTE, AgentTokens, Holder, Role
from approvals.cli import FINE
from approvals.durations import parse_duration
from approvals.errors import InvalidCall
from bot import settings
from bot.columns import show_table
from bot.durability import redis_of
from bot.levers.staging import SELF
from bot.login import operator

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Verb: TypeAlias = Callable[[AgentTokens, argparse.Namespace], Awaitable[int]]

ONCE = "Prints the token, and nothing else, on standard output. It is shown this once: only its hash is kept."


def register(commands: Subparsers) -> None:
    """Add `agent` with its verbs."""
    parser = commands.add_parser(
        "agent",
        help="give agents tokens for the HTTP API, and take them away",
        description="Who may use the HTTP API. Needs REDIS_URL (and APPROVALS_TENANT).",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="add|rotate|revoke|list")
    _add(verbs)
    _rotate(verbs)
    _revoke(verbs)
    _list(verbs)


def _add(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "add",
        help="make a token",
        description=f"Make a token for an agent. {ONCE}",
        epilog="Example: countersign agent add billing > token.txt",
    )
    parser.add_argument("name", metavar="NAME", help="of the agent: lower-case letters, digits and _ . -")
    parser.add_argument(
        "--approver-front-end",
        action="store_true",
        help="for another screen on which people decide; it can't ask for anything",
    )
    parser.add_argument(
        "--calls-a-minute",
        type=int,
        default=CALLS_A_MINUTE,
        metavar="N",
        help=f"more are answered with 429 ({CALLS_A_MINUTE})",
    )
    _runs(parser, _do_add)


async def _do_add(tokens: AgentTokens, arguments: argparse.Namespace) -> int:
    if arguments.name == SELF:
        raise InvalidCall(f"no agent may be called {SELF}: that is the service itself")
    if arguments.calls_a_minute < 1:
        raise InvalidCall("--calls-a-minute is 1 at least; to let none through, revoke the token")
    role = Role.APPROVER_FRONT_END if arguments.approver_front_end else Role.AGENT
    limit: int = arguments.calls_a_minute
    _out(await tokens.add(arguments.name, role, operator(), calls_a_minute=limit))
    return FINE


def _rotate(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "rotate",
        help="make another token in the place of the one before",
        description=f"Make another token in the place of the one before. {ONCE}",
        epilog="Example: countersign agent rotate billing --overlap 1h > token.txt",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--overlap",
        metavar="SPAN",
        help="how long the one before stays good, such as 1h (unless told: not at all)",
    )
    _runs(parser, _do_rotate)


async def _do_rotate(tokens: AgentTokens, arguments: argparse.Namespace) -> int:
    _out(await tokens.rotate(arguments.name, operator(), overlap=_span(arguments.overlap)))
    return FINE


def _span(text: str | None) -> timedelta:
    if text is None:
        return timedelta(0)
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise InvalidCall(f"--overlap: {error}") from error
    if seconds is None:
        raise InvalidCall("--overlap has to end: a token that stays good was not rotated")
    return timedelta(seconds=seconds)


def _revoke(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "revoke", help="take the token away", description="From now on no token of that name is good."
    )
    parser.add_argument("name", metavar="NAME")
    _runs(parser, _do_revoke)


async def _do_revoke(tokens: AgentTokens, arguments: argparse.Namespace) -> int:
    await tokens.revoke(arguments.name, operator())
    return FINE


def _list(verbs: Subparsers) -> None:
    parser = verbs.add_parser("list", help="list who has a token", description="List who has a token.")
    parser.add_argument("--json", action="store_true", help="for scripts: one JSON array")
    _runs(parser, _do_list)


async def _do_list(tokens: AgentTokens, arguments: argparse.Namespace) -> int:
    holders = await tokens.all()
    if arguments.json:
        _out(json.dumps([_told(holder) for holder in holders]))
    elif not holders:
        _out("Nobody has a token.")
    else:
        show_table(["name", "role", "since", "calls a minute"], [_row(holder) for holder in holders])
    return FINE


def _told(holder: Holder) -> dict[str, object]:
    return {
        "name": holder.name,
        "role": holder.role,
        "since": holder.since.isoformat(),
        "calls_a_minute": holder.calls_a_minute,
    }


def _row(holder: Holder) -> list[str]:
    return [holder.name, holder.role, f"{holder.since:%Y-%m-%d %H:%M UTC}", str(holder.calls_a_minute)]


def _runs(parser: argparse.ArgumentParser, verb: Verb) -> None:
    parser.set_defaults(run=lambda arguments: asyncio.run(_run(verb, arguments)))


async def _run(verb: Verb, arguments: argparse.Namespace) -> int:
    read = settings.read(os.environ, needs="redis")
    async with redis_of(read) as redis:
        return await verb(AgentTokens(redis, read.tenant), arguments)


def _out(text: str) -> None:
    sys.stdout.write(f"{text}\n")
