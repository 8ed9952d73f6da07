"""What can be wrong with a Redis, as far as it tells: for the doctor, and for the start of the service."""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from approvals.errors import Unavailable
from approvals.redis_door import open_redis, place, translated
from bot import durability
from bot.checks.findings import Finding, fault, ok, unknown, warning
from bot.checks.redis_versions import OLDEST, Product, known_in, version_of
from bot.settings import Settings

logger = logging.getLogger(__name__)

SKEW_WARNED_S = 60.0
SKEW_FAULT_S = (
    300.0  # https://docs.slack.dev/authentication/verifying-requests-from-slack: older ones are refused
)
# Who serves approvals needs none of these, and with each could undo them. They are queued and never executed.
TOO_MUCH = {
    "CONFIG SET": ("CONFIG", "SET", "appendonly", "yes"),
    "FLUSHALL": ("FLUSHALL", "not executed"),
    "KEYS": ("KEYS", "not executed"),
    "DEBUG": ("DEBUG", "HELP"),
    "FUNCTION": ("FUNCTION", "LIST"),
    "ACL": ("ACL", "LIST"),
}
SHIPPED = "deploy/redis/users.acl has one"


async def of_redis(redis: Redis, settings: Settings) -> list[Finding]:
    """Everything about it.

    Raises:
        Unavailable: it did not answer.
    """
    with translated(redis):
        await redis.ping()
        info = await _asked(redis.info)
    checks = [
        _durability(redis, settings),
        _telling("version", _version(info)),
        _telling("eviction", _eviction(redis, info)),
        _telling("last write", _last_write(info)),
        _telling("user", _user(redis)),
        _telling("default user", _default_user(redis, settings)),
        _telling("commands", _commands(redis)),
        _telling("clock of Redis", _clock(redis)),
    ]
    return [*[await check for check in checks], tls(redis, settings)]


async def warn(redis: Redis) -> None:
    """Log what the service should not run on, though it can."""
    info = await _asked(redis.info)
    for check in (_telling("eviction", _eviction(redis, info)), _telling("last write", _last_write(info))):
        finding = await check
        if finding.level == "fault":
            logger.error("%s: %s", finding.found, finding.mend)


async def _telling(check: str, finding: Awaitable[Finding]) -> Finding:
    """A server that hides something, as managed ones do, is not at fault for it."""
    try:
        return await finding
    except (RedisError, Unavailable, OSError) as error:
        return unknown(check, f"this Redis does not tell ({error})")


async def _asked(ask: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    try:
        return dict(await ask())
    except ResponseError:
        return {}


async def _durability(redis: Redis, settings: Settings) -> Finding:
    kept = await durability.kept(redis)
    try:
        found = durability.judged(kept, settings)
    except durability.NotDurableEnough as error:
        return fault("durability", f"{kept.durability or 'hidden'}: below {settings.durability}", str(error))
    words = f"{found}: {durability.LOSES[found]}"
    if found == "replicated":
        words += f" ({kept.replicas} connected)"
    if kept.durability is None and settings.is_durability_asserted:
        return ok("durability", f"asserted by its operator as {words}")
    if kept.durability is None:
        hidden = "this Redis hides how it keeps data"
        return unknown(
            "durability", hidden, "ask whoever runs it, and set APPROVALS_DURABILITY and …_ASSERTED"
        )
    if found in ("none", "everysec"):
        mend = durability.mend("always", kept)
        return warning("durability", words, f"{mend}, and set APPROVALS_DURABILITY=always")
    return ok("durability", words)


async def _version(info: dict[str, Any]) -> Finding:
    product: Product = "valkey" if "valkey_version" in info else "redis"
    text = str(info.get(f"{product}_version", ""))
    version = version_of(text)
    if version is None:
        return unknown("version", f"this Redis does not say which it is ({text or 'nothing'})")
    if version < OLDEST:
        return fault("version", f"{product} {text}", "use Redis 6.2 or newer, or Valkey")
    faults = known_in(product, version)
    if faults:
        words = "; ".join(f"{known.name}: {known.what}" for known in faults)
        sources = " ".join(known.source for known in faults)
        return warning("version", f"{product} {text} has known faults: {words}", f"upgrade it: {sources}")
    return ok("version", f"{product} {text} has none of the faults that are known to us")


async def _eviction(redis: Redis, info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy") or (await redis.config_get("maxmemory-policy"))["maxmemory-policy"]
    if policy != "noeviction":
        words = f"maxmemory-policy is {policy}: pending requests may be deleted in silence"
        return fault("eviction", words, "set maxmemory-policy noeviction")
    return ok("eviction", "noeviction: when memory is full, writes are refused and nothing is deleted")


async def _last_write(info: dict[str, Any]) -> Finding:
    told = {
        name: info[name] for name in ("aof_last_write_status", "aof_last_bgrewrite_status") if name in info
    }
    if not told:
        return unknown("last write", "this Redis does not tell")
    bad = [name for name, status in told.items() if status != "ok"]
    if bad:
        return fault("last write", f"{', '.join(bad)} is not ok", "look at the server's log and its disk")
    return ok("last write", "the append-only file is being written")


async def _user(redis: Redis) -> Finding:
    name = str(await redis.acl_whoami())
    if name == "default":
        words = "we are the default user, who may do everything"
        return warning("user", words, f"give the service a user of its own: {SHIPPED}")
    return ok("user", f"we are {name}")


async def _default_user(redis: Redis, settings: Settings) -> Finding:
    """Whether whoever reaches it may come in without a password."""
    bare = re.sub(r"://[^/?@]*@", "://", settings.redis_url)
    async with open_redis(bare, tenant=settings.tenant) as anybody:
        try:
            await anybody.ping()
        except (AuthenticationError, NoPermissionError, ResponseError):
            return ok("default user", "nobody comes in without a password")
    is_here = all(map(is_loopback, hosts_of(redis)))
    if is_here and is_kept_to_this_machine(_texts(await redis.config_get("*"))):
        return ok("default user", "needs no password, and is reached from this machine only")
    words = "whoever reaches this Redis is let in, without a password"
    return fault("default user", words, f"`user default off` in its ACL file: {SHIPPED}")


def _texts(config: Mapping[str | None, str | None]) -> dict[str, str]:
    return {str(name): str(value) for name, value in config.items()}


def is_kept_to_this_machine(config: Mapping[str, str]) -> bool:
    """Whether a Redis with this configuration turns others away, who come without a password."""
    bound = str(config.get("bind", "")).replace("-", " ").split()
    return config.get("protected-mode") == "yes" or bool(bound and all(map(is_loopback, bound)))


async def _commands(redis: Redis) -> Finding:
    """Which commands we may run that we should not: asked inside a transaction that is discarded."""
    allowed = []
    connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py
    try:
        for name, words in TOO_MUCH.items():
            await connection.send_command("MULTI")
            if await connection.read_response() not in (b"OK", "OK"):
                return unknown("commands", "this Redis has no transactions to ask in")
            await connection.send_command(*words)
            try:
                if await connection.read_response() in (b"QUEUED", "QUEUED"):
                    allowed.append(name)
            except ResponseError:
                pass  # not permitted, or not known there
            await connection.send_command("DISCARD")
            await connection.read_response()
    finally:
        await connection.disconnect()
        await redis.connection_pool.release(connection)
    if allowed:
        words_found = f"our user may {', '.join(allowed)}, which could undo what people decided"
        return warning("commands", words_found, f"give the service a user that may not: {SHIPPED}")
    return ok("commands", f"our user may not {', '.join(TOO_MUCH)}")


async def _clock(redis: Redis) -> Finding:
    before = time.time()
    seconds, microseconds = await redis.time()
    ours = (before + time.time()) / 2
    return skew("clock of Redis", seconds + microseconds / 1e6 - ours, "deadlines are judged by it")


def skew(check: str, off_s: float, why: str) -> Finding:
    """How far somebody's clock is from ours."""
    words = f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} ours"
    if abs(off_s) > SKEW_FAULT_S:
        return fault(check, words, f"set the clocks by NTP: {why}")
    if abs(off_s) > SKEW_WARNED_S:
        return warning(check, words, f"set the clocks by NTP: {why}")
    return ok(check, "agrees with ours")


def tls(redis: Redis, settings: Settings) -> Finding:
    """Whether what goes over the network can be read there."""
    if settings.redis_url.startswith("rediss"):
        return ok("TLS", "what goes to Redis is encrypted")
    if all(map(is_loopback, hosts_of(redis))):
        return ok("TLS", "not needed: Redis is on this machine")
    words = f"what goes to {place(redis)} can be read and changed on the way"
    return warning("TLS", words, "use rediss:// (rediss+sentinel://, rediss+cluster://)")


def hosts_of(redis: Redis) -> list[str]:
    return [address.rpartition(":")[0].strip("[]") for address in place(redis).split(",")]


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
