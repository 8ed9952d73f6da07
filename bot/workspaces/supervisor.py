"""Runs one service for each workspace that has the app, as they come and go; none can stop another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web as http
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from approvals.agent_tokens import tenant_in
from approvals.errors import ApprovalsError, Unavailable
from approvals.model import Tenant
from bot import api, durability, logs, vault
from bot.app import SLACK_CALL_S, CannotStart, Role, Service, built
from bot.loops import live
from bot.running import api_of, check, check_ready, keep_running, listen, stepping_up
from bot.settings import Settings, SlackApp
from bot.stepping_up.opening import SteppingUp
from bot.web import web_app
from bot.workspaces.installations import WORKSPACES, Installation, Installations
from bot.workspaces.installing import Installing
from bot.workspaces.switchboard import Switchboard
from bot.workspaces.tokens import Tokens

logger = logging.getLogger(__name__)

FOLLOW_S = 2.0
KEEP_S = 60.0
BACK_OFF_S = (1.0, 5.0, 15.0, 60.0)


@dataclass(frozen=True, slots=True)
class Running:
    """A workspace that is served."""

    service: Service
    parts: api.Parts
    stepping_up: SteppingUp | None


class Supervisor:
    """Knows who is served, and serves those whom the installations name."""

    def __init__(self, settings: Settings, role: Role, installations: Installations, tokens: Tokens) -> None:
        self._settings, self._role = settings, role
        self._installations, self._tokens = installations, tokens
        self.running: dict[Tenant, Running] = {}
        self._known: dict[Tenant, Installation] = {}
        self._lives: dict[Tenant, asyncio.Task[None]] = {}
        self._looked = asyncio.Event()

    # -- who is served --------------------------------------------------------------------------------

    def of(self, request: http.Request) -> api.Parts | None:
        """The tenant that an agent's token names, or a watcher's address."""
        named = tenant_in(api.token_of(request) or "") or request.query.get("workspace", "")
        running = self.running.get(Tenant(named))
        return None if running is None else running.parts

    def all(self) -> Iterable[api.Parts]:
        return [running.parts for running in self.running.values()]

    def bolt_of(self, tenant: Tenant) -> AsyncApp | None:
        """What hears a workspace's people."""
        running = self.running.get(tenant)
        return None if running is None or running.service.slack is None else running.service.slack.bolt

    def stepping_up_of(self, tenant: Tenant) -> SteppingUp | None:
        """What a workspace's people give a yes with that takes more than a click."""
        running = self.running.get(tenant)
        return None if running is None else running.stepping_up

    async def doubt(self, tenant: Tenant) -> None:
        """Something says that a workspace has removed the app: ask Slack, and act on what it says."""
        with suppress(Unavailable):  # it is asked anyway within a minute
            await self._tokens.keep(tenant)
        self.look()

    def look(self) -> None:
        """Have the installations read at once."""
        self._looked.set()

    def look_at_policies(self) -> None:
        """Have everybody's policy read at once."""
        for running in self.running.values():
            running.service.policy_file.look()

    # -- serving them ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the installations until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._looked.clear()
                try:
                    found = await self._installations.all()
                except Unavailable as error:
                    logger.warning("the installations can't be read: %s", error)
                else:
                    self._follow(tasks, {id: kept.installation for id, kept in found.items()})
                with suppress(TimeoutError):
                    async with asyncio.timeout(FOLLOW_S):
                        await self._looked.wait()

    def _follow(self, tasks: asyncio.TaskGroup, found: dict[Tenant, Installation]) -> None:
        before, self._known = self._known, found
        for id in before.keys() - found.keys():
            self._lives.pop(id).cancel()
        for id, installation in found.items():
            if id not in before or _is_another(before[id], installation):
                earlier = self._lives.get(id)
                self._lives[id] = tasks.create_task(self._live(id, earlier), name=f"workspace {id}")
            elif id in self.running:
                _renew(self.running[id].service, installation)

    async def _live(self, id: Tenant, earlier: asyncio.Task[None] | None) -> None:
        """Serve one workspace for ever; whatever befalls it befalls nobody else."""
        logs.TENANT.set(id)
        if earlier is not None:
            earlier.cancel()
            await asyncio.wait([earlier])
        clock, failures = asyncio.get_running_loop(), 0
        while True:
            began = clock.time()
            try:
                await self._serve(id)
            except ApprovalsError as error:
                logger.error("this workspace can't be served now: %s", error)
            except Exception:
                logger.exception("this workspace is served anew")
            if clock.time() - began > BACK_OFF_S[-1]:
                failures = 0
            await asyncio.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
            failures += 1

    async def _serve(self, id: Tenant) -> None:
        await self._tokens.keep(id)  # it may have ended while nobody looked
        kept = await self._installations.get(id)
        if kept is None:
            return
        async with built(_settings_of(self._settings, kept.installation)) as service:
            if service.slack is not None and service.slack.people.home.id != id:
                raise CannotStart(f"the token that is kept for {id} is another workspace's")
            await check(service)
            async with self._open(id, service) as parts, asyncio.TaskGroup() as tasks:
                tasks.create_task(live(service, parts, self._role), name="loops")
                if self._role != "web":
                    tasks.create_task(self._keep(id), name="token")

    @asynccontextmanager
    async def _open(self, id: Tenant, service: Service) -> AsyncIterator[api.Parts]:
        """Let its people and agents in for as long as the block lasts."""
        parts = api_of(service)
        self.running[id] = Running(service, parts, stepping_up(service, parts))
        logger.info("this workspace is served")
        try:
            yield parts
        finally:
            del self.running[id]
            await parts.close()

    async def _keep(self, id: Tenant) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            await self.doubt(id)


def _is_another(before: Installation, now: Installation) -> bool:
    """Whether it takes another service, and not only another token."""
    return before.since != now.since or (before.bot is None) != (now.bot is None)


def _renew(service: Service, installation: Installation) -> None:
    if service.slack is not None and installation.bot is not None:
        service.slack.renew(installation.bot.token)


def _settings_of(settings: Settings, installation: Installation) -> Settings:
    """What the service of one workspace goes by."""
    path = None if settings.policy_path is None else Path(settings.policy_path)
    if path is not None and path.is_dir():
        own = path / f"{installation.id}.toml"
        path = own if own.exists() else path / "default.toml"
    return replace(
        settings,
        tenant=installation.id,
        bot_token=None if installation.bot is None else installation.bot.token,
        app_token=None,
        policy_path=None if path is None else str(path),
    )


async def run(settings: Settings, app: SlackApp, role: Role, leaving: asyncio.Event) -> None:
    """Serve every workspace that installs the app, until cancelled; `leaving` is set when that is near.

    Raises:
        CannotStart: there is no listening where HTTP is to be served.
        SecretFault, NotDurableEnough, Unavailable: the secret, or Redis, is not as it must be.
    """
    redis = durability.redis_of(replace(settings, tenant=WORKSPACES))
    timeout = aiohttp.ClientTimeout(total=SLACK_CALL_S)
    try:
        await durability.check(redis, settings)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            slack = AsyncWebClient(base_url=settings.slack_api_url, session=session, retry_handlers=[])
            secret = vault.opened(settings.secret, settings.secret_file, settings.state)
            installations = Installations(redis, secret)
            supervisor = Supervisor(settings, role, installations, Tokens(installations, app, slack))
            installing = Installing(
                redis=redis,
                vault=secret,
                installations=installations,
                app=app,
                slack=slack,
                url=settings.url or "",
                installed=supervisor.look,
            )
            runner = None
            if role != "worker":
                board = Switchboard(settings.signing_secret or "", supervisor.bolt_of, supervisor.doubt)
                ready = partial(check_ready, redis, leaving)
                site = web_app(board, ready, supervisor, supervisor.stepping_up_of, installing)
                runner = await listen(settings, site)
            await keep_running([supervisor.run()], runner, supervisor.look_at_policies)
    finally:
        await redis.aclose()
