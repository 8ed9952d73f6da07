"""What commands about the audit log stand on: the log, its tree and its checkpoints, and how they speak."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from approvals import notes
from approvals.checkpoint_book import CheckpointBook
from approvals.cli import NO, NOT_FOUND, UNAVAILABLE, USAGE, printable
from approvals.errors import ApprovalsError, InvalidCall, Refusal
from approvals.log_tree import LogTree, TreeFault
from approvals.notes import BadNote, Key
from approvals.registers import Register
from approvals.store import Store
from bot import app, settings
from bot.audit.targets import Mismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The log of one tenant, as operators reach it."""

    tenant: str
    store: Store
    tree: LogTree
    book: CheckpointBook
    signing: Register

    @property
    def origin(self) -> str:
        return notes.origin_of(self.tenant)

    async def public_keys(self) -> list[Key]:
        """The public halves of all keys that the service has signed with and not retired."""
        texts = (await self.signing.read()).texts
        numbers = sorted((name for name in texts if name.isdecimal()), key=int)
        return [notes.key(str(json.loads(texts[number])["key"]), self.origin) for number in numbers]


Command = Callable[[Ground, argparse.Namespace], Awaitable[int]]


def run(arguments: argparse.Namespace, command: Command) -> int:
    """Run a command that needs Redis, and tell what goes wrong in one sentence."""

    async def whole() -> int:
        ground = settings.read(os.environ, needs="redis")
        async with app.built(ground, with_slack=False) as service:
            redis, tenant = service.redis, service.settings.tenant
            return await command(
                Ground(
                    tenant=tenant,
                    store=service.store,
                    tree=LogTree(redis, tenant),
                    book=CheckpointBook(redis, tenant),
                    signing=Register(redis, tenant, "signing"),
                ),
                arguments,
            )

    return guarded(lambda: asyncio.run(whole()))


def guarded(work: Callable[[], int]) -> int:
    """Run it; an error is a sentence and an exit code."""
    try:
        return work()
    except settings.SettingsFault as fault:
        return fail(str(fault), USAGE)
    except InvalidCall as fault:
        return fail(f"{fault}.", USAGE)
    except (Mismatch, TreeFault, BadNote) as fault:
        return fail(f"{fault}.", NO)
    except Refusal as refusal:
        return fail(f"{refusal}.", NOT_FOUND)
    except ApprovalsError as error:
        return fail(str(error), UNAVAILABLE)
    except OSError as error:
        return fail(f"{error.filename or 'a file'}: {error.strerror or error}", USAGE)


def pinned(told: Sequence[str], origin: str) -> list[Key]:
    """The keys that are believed: those on the command line, or else of APPROVALS_PUBLIC_KEY.

    Raises:
        BadNote: one is none.
    """
    texts: Iterable[str] = told or (os.environ.get("APPROVALS_PUBLIC_KEY") or "").split(",")
    return [notes.key(text, origin) for text in texts if text.strip()]


def out(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def note(text: str) -> None:
    """Say something beside the output."""
    sys.stderr.write(printable(text) + "\n")


def fail(text: str, code: int) -> int:
    sys.stderr.write(f"countersign: {printable(text)}\n")
    return code
