"""`countersign workspaces`: where the app is installed."""

from __future__ import annotations

import argparse
import json

from redis.asyncio import Redis

from approvals.cli import FINE
from approvals.errors import Refusal
from approvals.model import Json, Tenant
from bot.columns import show_table
from bot.terminal.sealed import Subparsers, out, runs
from bot.vault import Vault
from bot.workspaces.installations import WORKSPACES, Installation, Installations


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
    listing.add_argument("--json", action="store_true", help="for scripts")
    runs(listing, _list, _opened, tenant=WORKSPACES)
    forgetting = verbs.add_parser(
        "forget",
        help="serve the agents of one no longer",
        description="Serve the agents of a workspace no longer that has removed the app. Its log stays.",
        epilog="Example: countersign workspaces forget T0ACME",
    )
    forgetting.add_argument("workspace", metavar="WORKSPACE", help="as `workspaces list` has it")
    forgetting.add_argument("--json", action="store_true", help="for scripts")
    runs(forgetting, _forget, _opened, tenant=WORKSPACES)


def _opened(redis: Redis, _tenant: str, secret: Vault) -> Installations:
    return Installations(redis, secret)


async def _list(installations: Installations, arguments: argparse.Namespace) -> int:
    listed = [kept.installation for _, kept in sorted((await installations.all()).items())]
    if arguments.json:
        out(json.dumps([_told(each) for each in listed]))
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
        out(json.dumps({"workspace": id}))
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
