"""The sandbox as a whole: one server with Slack's addresses on it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from bot.sandbox import limits, oauth_page, seed, uploads
from bot.sandbox.background import Background
from bot.sandbox.delivery import Delivery
from bot.sandbox.events import Events
from bot.sandbox.installation import (
    DEFAULT_COMMANDS,
    DEFAULT_SHORTCUTS,
    TEAM_ID,
    Installation,
    Shortcut,
    SlashCommand,
)
from bot.sandbox.interactions import Interactions
from bot.sandbox.live import Feeds, Waiting
from bot.sandbox.misbehaviour import Misbehaviour
from bot.sandbox.model import Message
from bot.sandbox.page_api import PageApi
from bot.sandbox.page_buttons import Button
from bot.sandbox.person import Person
from bot.sandbox.responses import Responses
from bot.sandbox.signed_http import SignedHttp
from bot.sandbox.socket_mode import SocketMode
from bot.sandbox.storage import Storage
from bot.sandbox.web_api import WebApi
from bot.sandbox.workspace import Change, Workspace
from bot.sandbox.world import Calls, World

T = TypeVar("T")

_UPLOAD_BYTES = 16 * 1024 * 1024


class Sandbox:
    """A small Slack on a local port. `async with Sandbox() as slack:` or `start` and `stop`.

    `commands` and `shortcuts` are those of the app's manifest, as plain dicts. With `request_url` payloads go
    there by signed HTTP, otherwise to whoever connected by Socket Mode. `events` and `scopes` are the
    manifest's too; None allows all. `state_file` keeps the workspace between starts. `buttons` stand in the
    page's top bar; each is awaited when it is pressed, and returns what the page then says.

    With `redirect_urls` the app is not there until somebody allows it, by OAuth; `token_rotation` as the
    manifest has it. A workspace `beside` another is reached at the same address, and knows the same app.
    """

    def __init__(
        self,
        *,
        commands: Iterable[Mapping[str, Any]] | None = None,
        shortcuts: Iterable[Mapping[str, Any]] | None = None,
        events: Iterable[str] | None = None,
        scopes: Iterable[str] | None = None,
        messages_tab: bool = True,
        request_url: str | None = None,
        signing_secret: str = "sandbox-signing-secret",  # noqa: S107  opens nothing but the sandbox
        state_file: Path | None = None,
        rate_limits: bool = True,
        buttons: Mapping[str, Button] | None = None,
        redirect_urls: Iterable[str] = (),
        token_rotation: bool = False,
        team_id: str = TEAM_ID,
        enterprise_id: str | None = None,
        is_org_wide: bool = False,
        beside: Sandbox | None = None,
        ack_timeout_s: float = limits.ACK_S,
        event_retry_delays_s: tuple[float, ...] = limits.EVENT_RETRY_DELAYS_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = Installation(
            commands=DEFAULT_COMMANDS if commands is None else tuple(map(_command, commands)),
            shortcuts=DEFAULT_SHORTCUTS if shortcuts is None else tuple(map(_shortcut, shortcuts)),
            events=None if events is None else frozenset(events),
            scopes=None if scopes is None else frozenset(scopes),
            messages_tab=messages_tab,
            signing_secret=signing_secret,
            redirect_urls=tuple(redirect_urls),
            team_id=team_id,
            enterprise_id=enterprise_id,
            is_org_wide=is_org_wide,
        )
        self._world = World(self.app, clock, rate_limits=rate_limits, rotates=token_rotation)
        self._background = Background()
        self._beside, self._others = beside, list[Sandbox]()
        self._sockets: SocketMode | None
        transport: SignedHttp | SocketMode
        if request_url:
            transport = SignedHttp(request_url, signing_secret, clock)
        elif beside is not None and beside._sockets is not None:
            transport = beside._sockets
        else:
            transport = SocketMode(self.app.app_id, clock, self._connected)
        self._http = transport if isinstance(transport, SignedHttp) else None
        self._sockets = transport if isinstance(transport, SocketMode) else None
        if self._sockets:
            self._world.new_socket_ticket = self._sockets.new_ticket
        self._delivery = Delivery(
            transport,
            self._background,
            self._world.faults,
            ack_timeout_s=ack_timeout_s,
            retry_delays_s=event_retry_delays_s,
        )
        self._responses = Responses(self._world)
        self._interactions = Interactions(self._world, self._delivery, self._responses)
        self._feeds = Feeds(self._world)
        self._waiting = Waiting()
        self._storage = Storage(state_file, self.workspace) if state_file else None
        self._buttons = dict(buttons or {})
        self._runner: web.AppRunner | None = None

    @property
    def workspace(self) -> Workspace:
        """The people, channels and messages, and what an admin can do to them."""
        return self._world.workspace

    @property
    def faults(self) -> Misbehaviour:
        """What shall go wrong next."""
        return self._world.faults

    @property
    def calls(self) -> defaultdict[str, Calls]:
        """How often the app called each method, with what it sent last."""
        return self._world.calls

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._world.url

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL wants."""
        return f"{self._world.url}/api/"

    @property
    def connections(self) -> int:
        """How many Socket Mode connections the app holds."""
        return self._sockets.connections if self._sockets else 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one.

        Raises: ValueError, if the state file is no sandbox's; OSError, if the port is taken.
        """
        if self._storage is None or not self._storage.load():
            seed.plant(self.workspace, self.app)
        await self._background.start()
        try:
            await self._listen(host, port)
        except OSError:
            await self.stop()
            raise
        self.workspace.watch(Events(self._world, self._delivery).follow)
        self.workspace.watch(self._feeds.follow)
        if self._storage is not None:
            self.workspace.watch(self._storage.follow)
            self._background.spawn(self._storage.keep_saving(), brief=False)
        self.workspace.watch(self._waiting.follow)

    async def _listen(self, host: str, port: int) -> None:
        if self._beside is not None:
            self._beside._others.append(self)
            self._world.url = self._beside.url
            return
        self._runner = web.AppRunner(self._web_app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104  where one can be reached
        self._world.url = f"http://{shown}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close every connection and keep the state."""
        self._world.stopping.set()
        if self._sockets and self._beside is None:
            self._sockets.abort()
        await self._background.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http:
            await self._http.close()
        if self._storage is not None:
            self._storage.save()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def person(self, user_id: str) -> Person:
        return Person(self._world, self._interactions, self.workspace.user(user_id))

    def messages(self, channel: str = "C0APPROVALS") -> list[Message]:
        """The channel's messages outside threads, oldest first."""
        return self.workspace.timeline(channel)

    def thread(self, channel: str, ts: str) -> list[Message]:
        """A message and the replies to it."""
        return self.workspace.thread(channel, ts)

    async def until(self, predicate: Callable[[], T], timeout_s: float = 20.0) -> T:
        """Wait until `predicate` returns something true, and return that.

        Raises: TimeoutError, if that takes longer than `timeout_s`.
        """
        return await self._waiting.until(predicate, timeout_s)

    async def settled(self, timeout_s: float = 5.0) -> None:
        """Wait until every event, late and duplicate delivery has been dealt with."""
        async with asyncio.timeout(timeout_s):
            await self._background.settle()

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell every socket to come back, as Slack does now and then."""
        if self._sockets:
            await self._sockets.disconnect(reason)

    def abort_connections(self) -> None:
        """Break every socket without a word."""
        if self._sockets:
            self._sockets.abort()

    def _connected(self) -> None:
        self.workspace.announce(Change(kind="connected"))

    def uninstall(self) -> None:
        """An admin removes the app from the workspace."""
        self._world.tokens.end_all()
        self.workspace.announce(Change(kind="uninstalled"))

    @property
    def bot_token(self) -> str | None:
        """The one that the app got last."""
        return self._world.tokens.newest

    def _web_app(self) -> web.Application:
        app = web.Application(client_max_size=_UPLOAD_BYTES)
        api = WebApi(self._worlds)
        app.router.add_route("*", "/api/{method}", api.handle)
        app.router.add_routes(oauth_page.routes(self._worlds))
        app.router.add_post("/actions/{team}/{key}", self._respond)
        app.router.add_routes(uploads.routes(self._worlds))
        if self._sockets:
            app.router.add_get("/link/", self._sockets.connect)
        page = PageApi(self._world, self._interactions, self._feeds, self._sockets, self._buttons)
        app.router.add_routes(page.routes())
        return app

    def _all(self) -> list[Sandbox]:
        return [self, *self._others]

    def _worlds(self) -> list[World]:
        return [each._world for each in self._all()]

    async def _respond(self, request: web.Request) -> web.Response:
        """A response URL, of the workspace that it names."""
        for each in self._all():
            if each.app.team_id == request.match_info["team"]:
                return await each._responses.handle(request)
        return web.Response(status=404)


async def serve(
    host: str,
    port: int,
    *,
    state_file: Path | None = None,
    commands: Iterable[Mapping[str, Any]] | None = None,
    shortcuts: Iterable[Mapping[str, Any]] | None = None,
    events: Iterable[str] | None = None,
    scopes: Iterable[str] | None = None,
    request_url: str | None = None,
    signing_secret: str = "sandbox-signing-secret",  # noqa: S107  opens nothing but the sandbox
    rate_limits: bool = True,
    buttons: Mapping[str, Button] | None = None,
) -> None:
    """Run a sandbox until cancelled."""
    sandbox = Sandbox(
        commands=commands, shortcuts=shortcuts, events=events, scopes=scopes, request_url=request_url,
        signing_secret=signing_secret, state_file=state_file, rate_limits=rate_limits, buttons=buttons,
    )  # fmt: skip
    await sandbox.start(host, port)
    try:
        await asyncio.Event().wait()
    finally:
        await sandbox.stop()


def _command(given: Mapping[str, Any]) -> SlashCommand:
    return SlashCommand(
        command=given["command"],
        description=given.get("description", ""),
        usage_hint=given.get("usage_hint", ""),
        should_escape=bool(given.get("should_escape", False)),
    )


def _shortcut(given: Mapping[str, Any]) -> Shortcut:
    return Shortcut(
        callback_id=given["callback_id"],
        name=given["name"],
        type=given["type"],
        description=given.get("description", ""),
    )
