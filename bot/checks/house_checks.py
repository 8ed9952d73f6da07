"""What can be wrong with what we keep in Redis ourselves, and with the policy file."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from approvals.errors import ApprovalsError
from approvals.keys import key
from approvals.model import Assurance
from approvals.policy import Policy
from approvals.redis_door import moment, ms, translated
from bot.checks.findings import Finding, fault, ok, warning
from bot.policy_file import PolicyFile
from bot.settings import Settings
from bot.stepping_up import needs

LATE_WARNED_S = 60
LATE_FAULT_S = 600


def of_policy(settings: Settings) -> tuple[Finding, Policy | None]:
    """Whether the policy file can be used, and what it says."""
    try:
        policy = PolicyFile(Path(settings.policy_path) if settings.policy_path else None).current
    except ApprovalsError as error:
        return fault("policy", str(error), "mend the file: the service does not start with it"), None
    if settings.policy_path is None:
        words = "there is no file: everything is asked, and anyone in the channel may decide"
        return warning("policy", words, "write one, and set APPROVALS_POLICY: docs/policies.md"), policy
    if settings.mode != "enforce":
        words = f"{settings.policy_path} is not in force: APPROVALS_MODE is {settings.mode}"
        return warning("policy", words, "set APPROVALS_MODE=enforce when you are done trying"), policy
    return ok("policy", f"{settings.policy_path}, version {policy.version}"), policy


def of_assurance(settings: Settings, policy: Policy) -> list[Finding]:
    """Whether a yes can be given as surely as the policy wants it, where it wants more than a click."""
    if why := needs.lacks(settings, policy):
        return [fault("assurance", why, "set them, or the service does not start: docs/assurance.md")]
    levels = sorted(policy.assurances - {Assurance.CLICK}, key=lambda one: one.level)
    words = " and ".join(f"`{level}`" for level in levels)
    return [ok("assurance", f"people can give the yes that takes {words}")] if levels else []


async def of_house(redis: Redis, tenant: str) -> list[Finding]:
    """Whether what is to be shown is shown, and whether the log's counter and the log agree.

    Raises:
        Unavailable: Redis was away.
    """
    with translated(redis):
        return [await _outbox(redis, tenant), await _log(redis, tenant)]


async def _outbox(redis: Redis, tenant: str) -> Finding:
    async with redis.pipeline(transaction=False) as pipe:
        pipe.zrange(key(tenant, "draw"), 0, 0, withscores=True)
        pipe.zcard(key(tenant, "draw"))
        pipe.time()
        oldest, count, now = await pipe.execute()
    if not oldest:
        return ok("outbox", "everything is shown in Slack as it stands")
    late_s = (ms(moment(now)) - int(oldest[0][1])) // 1000
    words = f"{count} to be drawn, the oldest for {max(0, late_s)} s ({oldest[0][0]})"
    mend = "is a worker running, and does its log tell of Slack?"
    if late_s > LATE_FAULT_S:
        return fault("outbox", words, mend)
    return warning("outbox", words, mend) if late_s > LATE_WARNED_S else ok("outbox", words)


async def _log(redis: Redis, tenant: str) -> Finding:
    counted = int(await redis.get(key(tenant, "audit:seq")) or 0)
    try:
        written = (await redis.xinfo_stream(key(tenant, "audit")))["last-generated-id"]
    except ResponseError:  # there is no stream yet
        written = "0-0"
    last = int(str(written).partition("-")[0])
    if counted != last:
        words = f"audit:seq is {counted}, and the log's last entry is {last}"
        return fault("log", words, "somebody has changed them by hand: docs/redis.md, “Never by hand”")
    return ok("log", f"{counted} entries; `countersign audit verify` checks them")
