"""`countersign restored`: an operator says that Redis was restored, or emptied, and is to go on so."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import TypeAlias

from redis.asyncio import Redis

from approvals.cli import FINE, UNAVAILABLE, USAGE, printable
from approvals.epochs import Epochs
from approvals.errors import ApprovalsError
from approvals.inbox import Inboxes
from approvals.messages import Submission
from approvals.model import Json
from approvals.signing_keys import SigningKeys
from approvals.store import Store
from bot import continuity, settings, vault
from bot.durability import redis_of
from bot.login import operator
from bot.settings import Settings
from bot.vault import Vault

BECAUSE = "Redis was restored from a backup: whether it was decided or run already can't be known. Ask again"

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Subparsers) -> None:
    """Add the command to `countersign`."""
    parser = commands.add_parser(
        "restored",
        help="go on with a Redis that was restored from a backup, or emptied",
        description=(
            "Say that Redis was restored from a backup, or emptied, and that the service is to go on with it."
            " Every approval that is not used yet is taken back, and what waits is cancelled: both may have"
            " been decided, and run, after the backup was made. Agents are told, and ask again. Freezes,"
            " grants and settings are as they were then: look at them first. It is in the log."
        ),
        epilog=(
            "Needs what the service has: REDIS_URL and its secret. Exit codes: 0 done, 2 usage,"
            " 3 unavailable. Example: countersign restored --yes"
        ),
    )
    parser.add_argument("--yes", action="store_true", help="don't ask; needed without a terminal")
    parser.add_argument("--json", action="store_true", help="for scripts; needs --yes")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.yes and (arguments.json or not _agreed()):
        sys.stderr.write("countersign: nothing was changed; --yes says that you mean it\n")
        return USAGE
    try:
        told = asyncio.run(_restored(settings.read(os.environ, needs="redis")))
    except settings.SettingsFault as fault:
        return _fail(fault, USAGE)
    except ApprovalsError as error:
        return _fail(error, UNAVAILABLE)
    words = "Taken back: {taken_back}. Cancelled: {cancelled}. Letters refused: {refused}."
    sys.stdout.write((json.dumps(told) if arguments.json else words.format(**told)) + "\n")
    return FINE


async def _restored(read: Settings) -> dict[str, Json]:
    sealed = vault.opened(read.secret, read.secret_file, read.state)
    async with redis_of(read) as redis:
        signing = SigningKeys(redis, read.tenant, sealed)
        await signing.start()
        return await go_on(redis, read, sealed, Store(redis, read.tenant, signing))


async def go_on(redis: Redis, read: Settings, sealed: Vault, store: Store) -> dict[str, Json]:
    """Void what may have ended since, then begin the next epoch: a crash in between leaves it shut.

    Raises:
        Unavailable: Redis was away; to do it again is harmless.
    """
    by, epochs = operator(), Epochs(redis, read.tenant, sealed.mac)
    standing = await epochs.standing()
    inboxes = Inboxes(redis, read.tenant, f"restored-{os.getpid()}", abandoned_ms=0)
    refused = await _refuse_letters(inboxes, store)
    taken_back = await continuity.void(store, await continuity.everything(store.approved), by, BECAUSE)
    cancelled = await continuity.void(store, await continuity.everything(store.pending), by, BECAUSE)
    ids = {continuity.known(continuity.file_of(read, sealed)), standing.epoch.id if standing.epoch else None}
    follows = tuple(sorted(id for id in ids if id is not None))
    counts: dict[str, Json] = {"taken_back": taken_back, "cancelled": cancelled, "refused": refused}
    await epochs.renew(follows, by, {"log": standing.seq, **counts})
    await epochs.beat(standing.now)
    return counts


async def _refuse_letters(inboxes: Inboxes, store: Store) -> int:
    """What is asked in letters that lie there may have been decided already; other letters are left."""
    count, left = 0, set[tuple[str, str]]()
    while letters := await inboxes.take(count=100, block_ms=1):
        asked = [taken for taken in letters if isinstance(taken.letter, Submission)]
        for taken in asked:
            await store.refuse_letter(taken, BECAUSE)
        count += len(asked)
        others = {(taken.agent, taken.entry_id) for taken in letters if taken not in asked}
        if not asked and others <= left:  # the service takes them up when they are abandoned
            break
        left |= others
    return count


def _agreed() -> bool:
    sys.stdout.write(f"{BECAUSE}.\nTake back and cancel everything that is open? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"countersign: {printable(str(error))}\n")
    return code
