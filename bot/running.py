"""A process of the service: who is let in, what runs, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import cache
from typing import Any

from aiohttp.web import Application, AppRunner
from redis.asyncio import Redis

from approvals.agent_tokens import AgentTokens
from approvals.asked import Asked
from approvals.errors import Unavailable
from approvals.redis_door import translated
from approvals.stages import Stages
from bot import api, durability, logs, web
from bot.api.doors import Doors
from bot.api.events import Tail
from bot.api.limits import Limits
from bot.api.measures import Measures
from bot.app import CannotStart, Role, Service, judge_of, trusted
from bot.checks import redis_checks
from bot.loops import live
from bot.policy_file import hearing_hangups
from bot.redirecting import Redirecting
from bot.settings import Settings
from bot.socket_mode import SocketDoor
from bot.stepping_up import needs
from bot.stepping_up.opening import SteppingUp
from bot.stepping_up.sign_in import SignIn


async def run(service: Service, role: Role) -> None:
    """Run the loops of a role until cancelled.

    Raises:
        CannotStart: there is no listening where HTTP is to be served, or nobody could keep the policy.
    """
    settings, slack = service.settings, service.slack
    logs.TENANT.set(settings.tenant)
    await check(service)
    parts = api_of(service)
    runner = await _serve(service, parts) if role in ("all", "web") else None
    loops = [live(service, parts, role)]
    if role != "web" and slack is not None and slack.bolt is not None and settings.app_token is not None:
        loops.append(SocketDoor(slack.bolt, settings.app_token, slack.client).run())
    await keep_running(loops, runner, service.policy_file.look)


async def keep_running(
    loops: Iterable[Coroutine[Any, Any, None]], runner: AppRunner | None, look: Callable[[], None]
) -> None:
    """Run loops until cancelled: then what came by HTTP is answered before they end. `look` hears SIGHUP."""
    with hearing_hangups(look):
        async with asyncio.TaskGroup() as tasks:
            try:
                for loop in loops:
                    tasks.create_task(loop)
                await asyncio.Event().wait()
            finally:
                if runner is not None:
                    await runner.cleanup()


async def check(service: Service) -> None:
    """See, before anything runs, that all is there.

    Raises:
        CannotStart: nobody could keep the policy.
    """
    if why := needs.lacks(service.settings, service.policy):
        raise CannotStart(why)
    await redis_checks.warn(service.redis)


async def _serve(service: Service, parts: api.Parts) -> AppRunner:
    async def is_ready() -> None:
        await check_ready(service.redis, service.leaving)
        if service.continuity is not None:
            service.continuity.check()

    settings, slack = service.settings, service.slack
    bolt = slack.bolt if slack is not None and settings.app_token is None else None
    pages = {settings.tenant: stepping_up(service, parts)}
    app = web.web_app(bolt, is_ready, api.OneTenant(parts), pages.get)
    return await listen(settings, app)


async def check_ready(redis: Redis, leaving: asyncio.Event) -> None:
    """Raises Unavailable: this process is about to end, or Redis is away."""
    if leaving.is_set():
        raise Unavailable("this process is about to end")
    with translated(redis):
        await redis.ping()


async def listen(settings: Settings, app: Application) -> AppRunner:
    """Serve HTTP; the caller cleans the runner up.

    Raises:
        CannotStart: something else is there.
    """
    try:
        return await web.serve(app, host=settings.host, port=settings.port)
    except OSError as error:
        raise CannotStart(f"PORT={settings.port} can't be listened on: {error.strerror or error}") from error


def stepping_up(service: Service, parts: api.Parts) -> SteppingUp | None:
    """What lets people give a yes that takes more than a click, if browsers reach this service."""
    settings, slack, vault = service.settings, service.slack, service.vault
    if slack is None or slack.links is None or slack.keys is None or vault is None or settings.url is None:
        return None
    sign_in = None
    if settings.sign_in is not None:
        sign_in = SignIn(settings.sign_in, f"{settings.url}/signed-in", slack.people.home.team)
    return SteppingUp(
        tenant=settings.tenant,
        confirmations=slack.links,
        sign_in=sign_in,
        keys=slack.keys,
        vault=vault,
        desk=slack.desk,
        people=slack.people,
        redirecting=Redirecting(slack.desk, parts.judge, parts.stages),
        url=settings.url,
    )


def api_of(service: Service) -> api.Parts:
    """What agents that come by HTTP are served from."""
    settings, redis, store = service.settings, service.redis, service.store
    stages = Stages(redis, settings.tenant)
    return api.Parts(
        store=store,
        tokens=AgentTokens(redis, settings.tenant),
        doors=Doors(lambda: durability.redis_like(redis, settings), settings.tenant, trusted(service)),
        tail=Tail(redis, store),
        measures=Measures(redis, settings.tenant),
        limits=Limits(),
        judge=judge_of(settings, redis, service.policy_file, stages),
        stages=stages,
        desk=None if service.slack is None else service.slack.desk,
        asked=cache(lambda agent: Asked(redis, store, agent)),
    )
