"""How safe a written decision is in this Redis, as far as Redis tells."""

from __future__ import annotations

import logging

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from approvals.errors import ApprovalsError
from approvals.redis_door import translated
from bot.settings import DURABILITIES, Durability

logger = logging.getLogger(__name__)


class NotDurableEnough(ApprovalsError):
    """The Redis keeps less than APPROVALS_DURABILITY demands."""


async def check(redis: Redis, wanted: Durability) -> None:
    """Refuse to start on a Redis that keeps less than was asked for, and warn of one that may forget.

    Raises:
        NotDurableEnough: with what to change.
        Unavailable: Redis did not answer.
    """
    found = await _found(redis)
    if found is None:
        logger.warning("this Redis does not tell how it keeps data; its operator must know")
        return
    if DURABILITIES.index(found) < DURABILITIES.index(wanted):
        raise NotDurableEnough(
            f"APPROVALS_DURABILITY is {wanted}, but this Redis gives {found}: {_mend(wanted)}, or lower it"
        )
    if found == "none":
        logger.warning("this Redis keeps nothing when it stops: decisions can be lost; set appendonly yes")


async def _found(redis: Redis) -> Durability | None:
    try:
        with translated(redis):
            told = await redis.config_get("append*")
            replicas = (await redis.info("replication")).get("connected_slaves", 0)
    except ResponseError:  # managed services hide CONFIG
        return None
    if told.get("appendonly") != "yes":
        return "none"
    if told.get("appendfsync") != "always":
        return "everysec"
    return "replicated" if replicas else "always"


def _mend(wanted: Durability) -> str:
    return {
        "everysec": "set appendonly yes",
        "always": "set appendonly yes and appendfsync always",
        "replicated": "set appendonly yes and appendfsync always, and give it a replica",
    }.get(wanted, "")
