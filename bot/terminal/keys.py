"""`countersign keys` and `countersign receipt show`: what decisions are signed with, and the signed ones."""

from __future__ import annotations

import argparse
import asyncio
import json
import os

from redis.asyncio import Redis

from approvals.cli import FINE
from approvals.dsse import name_of, written
from approvals.errors import RequestNotFound
from approvals.ids import is_id
from approvals.model import Json, RequestId
from approvals.signing_keys import Listed, SigningKeys
from approvals.store import Store
from bot import settings
from bot.columns import show_table
from bot.durability import redis_of
from bot.login import operator
from bot.terminal.sealed import Subparsers, out, runs


def register(commands: Subparsers) -> None:
    """Add them to `countersign`."""
    parser = commands.add_parser(
        "keys",
        help="list, rotate and retire the keys that decisions are signed with",
        description=(
            "The keys that decisions are signed with. Needs REDIS_URL, and the service's APPROVALS_SECRET or"
            " APPROVALS_SECRET_FILE (unless that was made on this machine)."
        ),
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|rotate|retire")
    _list(verbs)
    _rotate(verbs)
    _retire(verbs)
    _show(commands)


def _list(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "list",
        help="list the public halves",
        description="List the public halves: for auditors, and for APPROVALS_PUBLIC_KEY of agents.",
    )
    parser.add_argument("--json", action="store_true", help="for scripts")
    runs(parser, _do_list, SigningKeys)


async def _do_list(keys: SigningKeys, arguments: argparse.Namespace) -> int:
    listed = await keys.all()
    if arguments.json:
        out(json.dumps([_told(each) for each in listed]))
    else:
        show_table(["number", "public key", "since", "until"], [_row(each) for each in listed])
    return FINE


def _rotate(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "rotate",
        help="make the next key",
        description=(
            "Make the next key, which the one before endorses: agents that trust that follow by themselves."
            " What the one before has signed holds for 30 more days. Prints the public half."
        ),
        epilog="Example: countersign keys rotate",
    )
    parser.add_argument(
        "--lost-secret",
        action="store_true",
        help="the secret that sealed the one before is lost: nothing endorses the next, and agents that pin"
        " the one before refuse everything until they are told",
    )
    parser.add_argument("--json", action="store_true", help="for scripts")
    runs(parser, _do_rotate, SigningKeys)


async def _do_rotate(keys: SigningKeys, arguments: argparse.Namespace) -> int:
    made = await keys.rotate(operator(), is_lost=arguments.lost_secret)
    out(json.dumps(_told(made)) if arguments.json else made.public.key)
    return FINE


def _retire(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "retire",
        help="stop believing an older key",
        description=(
            "Take an older key out: what it has signed, or endorsed, is believed no longer. Agents follow"
            " within five minutes, and those that pin it once it is taken out of their APPROVALS_PUBLIC_KEY."
            " Restart those that have not met the key after it."
        ),
        epilog="Example: countersign keys rotate && countersign keys retire 1",
    )
    parser.add_argument("number", type=int, metavar="NUMBER", help="as `keys list` has it")
    parser.add_argument("--json", action="store_true", help="for scripts")
    runs(parser, _do_retire, SigningKeys)


async def _do_retire(keys: SigningKeys, arguments: argparse.Namespace) -> int:
    await keys.retire(arguments.number, operator())
    if arguments.json:
        out(json.dumps({"number": arguments.number}))
    return FINE


def _show(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "receipt show",
        help="print the signed decision on a request",
        description="Print the signed decision on a request as JSON, also when only the log still has it.",
        epilog="Needs REDIS_URL. Example: countersign receipt show R-7K2M > receipt.json",
    )
    parser.add_argument("id", help="the id, or an unambiguous beginning of it; of a forgotten one the whole")
    parser.set_defaults(run=lambda arguments: asyncio.run(_do_show(arguments)))


async def _do_show(arguments: argparse.Namespace) -> int:
    read = settings.read(os.environ, needs="redis")
    async with redis_of(read) as redis:
        out(json.dumps(await _receipt(redis, read.tenant, arguments.id)))
    return FINE


async def _receipt(redis: Redis, tenant: str, typed: str) -> Json:
    store = Store(redis, tenant)
    try:
        request, _ = await store.get(await store.find(typed))
    except RequestNotFound:
        if not is_id(typed):
            raise
    else:
        if request.signed is not None:
            return written(request.signed)
        raise RequestNotFound(f"{request.short}, decided")
    found = [(entry.detail or {}).get("receipt") for entry in await store.chain(RequestId(typed))]
    for receipt in reversed(found):
        if receipt is not None:
            return receipt
    raise RequestNotFound(typed)


def _told(one: Listed) -> dict[str, Json]:
    public = one.public
    return {
        "number": one.number,
        "key": public.key,
        "name": name_of(public.key),
        "since": public.since.isoformat(),
        "until": None if public.until is None else public.until.isoformat(),
        "endorsed": public.endorsement is not None,
    }


def _row(one: Listed) -> list[str]:
    public = one.public
    until = "signs now" if public.until is None else f"{public.until:%Y-%m-%d %H:%M UTC}"
    return [str(one.number), public.key, f"{public.since:%Y-%m-%d %H:%M UTC}", until]
