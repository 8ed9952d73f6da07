"""How safe a written decision is in this Redis, as far as Redis or its operator tells."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from approvals.errors import ApprovalsError
from approvals.redis_door import open_redis, translated
from approvals.replicas import ReplicatedRedis
from bot.settings import DURABILITIES, Durability, Settings

logger = logging.getLogger(__name__)

LOSES: dict[Durability, str] = {
    "none": "decisions can be lost whenever Redis stops",
    "everysec": "up to two seconds of decisions can be lost in a power cut",
    "always": "what Slack shows as done is on one disk",
    "replicated": "what Slack shows as done is on disk, and with replicas",
}


class NotDurableEnough(ApprovalsError):
    """The Redis keeps less than APPROVALS_DURABILITY demands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What Redis says of how it keeps data."""

    config: dict[str, str] | None  # None: it hides its configuration, as managed services do
    replicas: int

    @property
    def durability(self) -> Durability | None:
        """The class that it is of; None where it hides that."""
        if self.config is None:
            return None
        if self.config.get("appendonly") != "yes":
            return "none"
        if self.config.get("appendfsync") == "no":
            return "none"
        # While the file is rewritten, this option skips the fsync of `always` too.
        if (
            self.config.get("appendfsync") != "always"
            or self.config.get("no-appendfsync-on-rewrite") == "yes"
        ):
            return "everysec"
        return "replicated" if self.replicas else "always"


def redis_of(settings: Settings) -> Redis:
    """A client of this installation's Redis; it waits for replicas if decisions are to be with them."""
    wanted = settings.replicas
    if wanted is None:
        wanted = 1 if settings.durability == "replicated" else 0
    return open_redis(settings.redis_url, tenant=settings.tenant, replicas=wanted)


def redis_like(redis: Redis, settings: Settings) -> Redis:
    """Another client of it, which waits for as many replicas."""
    return open_redis(settings.redis_url, tenant=settings.tenant, replicas=replicas_waited_for(redis))


def replicas_waited_for(redis: Redis) -> int:
    """How many replicas a decision waits for."""
    return redis.replicas if isinstance(redis, ReplicatedRedis) else 0


async def kept(redis: Redis) -> Kept:
    """Ask Redis.

    Raises:
        Unavailable: it did not answer.
    """
    with translated(redis):
        replicas = int((await redis.info("replication")).get("connected_slaves", 0))
        try:
            config = {str(name): str(value) for name, value in (await redis.config_get("*append*")).items()}
        except ResponseError:
            config = None
    return Kept(config=config or None, replicas=replicas)


async def check(redis: Redis, settings: Settings) -> None:
    """Refuse to start on a Redis that keeps less than was asked for, and tell which class it is of.

    Raises:
        NotDurableEnough: with what to change.
        Unavailable: Redis did not answer.
    """
    found = await kept(redis)
    durability = judged(found, settings)
    if settings.replicas is None and isinstance(redis, ReplicatedRedis):
        redis.replicas = max(1, found.replicas)  # any of them may be the next primary
    told = {"durability": durability, "replicas": replicas_waited_for(redis)}
    if durability == "none":
        logger.warning("this Redis keeps nothing when it stops: decisions can be lost", extra=told)
    else:
        asserted = "" if found.durability else ", as its operator says"
        logger.info("durability is %s%s: %s", durability, asserted, LOSES[durability], extra=told)


def judged(found: Kept, settings: Settings) -> Durability:
    """The class that counts.

    Raises:
        NotDurableEnough: it is below the one that is wanted.
    """
    wanted, durability = settings.durability, found.durability
    if durability is None:
        if settings.is_durability_asserted:
            return wanted
        if wanted == "none":
            return "none"
        raise NotDurableEnough(
            f"APPROVALS_DURABILITY is {wanted}, and this Redis hides how it keeps data: find out from whoever"
            " runs it, and set APPROVALS_DURABILITY_ASSERTED=yes to say that it is so"
        )
    if DURABILITIES.index(durability) < DURABILITIES.index(wanted):
        raise NotDurableEnough(
            f"APPROVALS_DURABILITY is {wanted}, but this Redis gives {durability}:"
            f" {mend(wanted, found)}, or lower it"
        )
    if wanted == "replicated" and found.replicas < (settings.replicas or 1):
        raise NotDurableEnough(
            f"APPROVALS_REPLICAS is {settings.replicas}, but this Redis has {found.replicas} connected"
        )
    return durability


def mend(wanted: Durability, found: Kept) -> str:
    """What to change for a Redis to be of that class."""
    config = found.config or {}
    lacking = []
    if config.get("appendonly") != "yes":
        lacking.append("set appendonly yes")
    if wanted == "everysec" and config.get("appendfsync") == "no":
        lacking.append("set appendfsync everysec")
    if wanted in ("always", "replicated"):
        if config.get("appendfsync") != "always":
            lacking.append("set appendfsync always")
        if config.get("no-appendfsync-on-rewrite") == "yes":
            lacking.append("set no-appendfsync-on-rewrite no")
    if wanted == "replicated" and not found.replicas:
        lacking.append("give it a replica")
    return " and ".join(lacking)
