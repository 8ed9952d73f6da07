"""`countersign workspaces`: where the app is installed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from approvals.cli import FINE
from approvals.errors import Refusal
from approvals.model import Json, Tenant
from bot import settings, vault
from bot.columns import show_table
from bot.durability import redis_of
from bot.workspaces.installations import WORKSPACES, Installation, Installations

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Verb: TypeAlias = Callable[[Installations, argparse.Namespace], Awaitable[int]]


class StillInstalled(Refusal):
    """It can be forgotten once it is removed."""


class NoSuchWorkspace(Refusal):
    """The app is not installed there, and never was."""


def register(commands: Subparsers) -> None:
    """Add them to `countersign`."""
    parser = commands.add_parser(
        "workspaces",
        help="list the Slack workspaces that have installed the app, and forget one",
        description=(
            "The Slack workspaces that have installed the app, where one service serves many. Needs"
            " REDIS_URL, and the service's APPROVALS_SECRET or APPROVALS_SECRET_FILE (unless that was made on"
            " this machine)."
        ),
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|forget")
    listing = verbs.add_parser(
        "list", help="list them", description="List them. The first column names tenants."
    )
    _runs(listing, _list)
    forgetting = verbs.add_parser(
        "forget",
        help="serve the agents of one no longer",
        description="Serve the agents of a workspace no longer that has removed the app. Its log stays.",
        epilog="Example: countersign workspaces forget T0ACME",
    )
    forgetting.add_argument("workspace", metavar="WORKSPACE", help="as `workspaces list` has it")
    _runs(forgetting, _forget)


async def _list(installations: Installations, arguments: argparse.Namespace) -> int:
    listed = [kept.installation for _, kept in sorted((await installations.all()).items())]
    if arguments.json:
        sys.stdout.write(json.dumps([_told(each) for each in listed]) + "\n")
    else:
        show_table(["workspace", "name", "since", "state"], [_row(each) for each in listed])
    return FINE


async def _forget(installations: Installations, arguments: argparse.Namespace) -> int:
    id = Tenant(arguments.workspace)
    kept = await installations.get(id)
    if kept is None:
        raise NoSuchWorkspace(f"the app is not installed in {id!r}; see `countersign workspaces list`")
    if kept.installation.bot is not None or not await installations.forget(kept):
        raise StillInstalled(f"the app is still installed in {id!r}; it is removed in Slack")
    if arguments.json:
        sys.stdout.write(json.dumps({"workspace": id}) + "\n")
    return FINE


def _told(one: Installation) -> dict[str, Json]:
    ends = None if one.bot is None or one.bot.expires_at is None else one.bot.expires_at.isoformat()
    return {
        "workspace": one.id,
        "name": one.name,
        "since": one.since.isoformat(),
        "by": one.by,
        "installed": one.bot is not None,
        "token_until": ends,
    }


def _row(one: Installation) -> list[str]:
    state = "removed" if one.bot is None else "installed"
    return [one.id, one.name, f"{one.since:%Y-%m-%d %H:%M UTC}", state]


def _runs(parser: argparse.ArgumentParser, verb: Verb) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=lambda arguments: asyncio.run(_run(verb, arguments)))


async def _run(verb: Verb, arguments: argparse.Namespace) -> int:
    read = replace(settings.read(os.environ, needs="redis"), tenant=WORKSPACES)
    sealed = vault.opened(read.secret, read.secret_file, read.state)
    async with redis_of(read) as redis:
        return await verb(Installations(redis, sealed), arguments)
