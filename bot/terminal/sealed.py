"""What the commands share that look after something which is kept sealed: opening it, and answering."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from redis.asyncio import Redis

from approvals.model import Tenant
from bot import settings, vault
from bot.durability import redis_of
from bot.vault import Vault

T = TypeVar("T")
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Opened: TypeAlias = Callable[[Redis, str, Vault], T]  # of a tenant, with the service's secret


def runs(
    parser: argparse.ArgumentParser,
    verb: Callable[[T, argparse.Namespace], Awaitable[int]],
    opened: Opened[T],
    *,
    tenant: Tenant | None = None,
) -> None:
    """Have a command do `verb` on what is kept, of the tenant of the environment unless it is told."""

    async def run(arguments: argparse.Namespace) -> int:
        read = settings.read(os.environ, needs="redis")
        read = read if tenant is None else replace(read, tenant=tenant)
        secret = vault.opened(read.secret, read.secret_file, read.state)
        async with redis_of(read) as redis:
            return await verb(opened(redis, read.tenant, secret), arguments)

    parser.set_defaults(run=lambda arguments: asyncio.run(run(arguments)))


def out(text: str) -> None:
    """Answer, on standard output."""
    sys.stdout.write(f"{text}\n")
