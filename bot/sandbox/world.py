"""All that the sandbox's parts share: one workspace, one app in it, and what goes on between them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox.capabilities import ResponseUrls, Triggers
from bot.sandbox.installation import Installation
from bot.sandbox.misbehaviour import Misbehaviour
from bot.sandbox.model import Channel
from bot.sandbox.rates import Rates
from bot.sandbox.tokens import Tokens
from bot.sandbox.views import Views
from bot.sandbox.wire import Json
from bot.sandbox.workspace import Workspace


@dataclass(slots=True)
class Calls:
    """How often the app called one method, and with what."""

    count: int = 0
    failed: int = 0
    last: Json = field(default_factory=dict)
    last_error: str | None = None


class World:
    def __init__(
        self, app: Installation, clock: Callable[[], float], *, rate_limits: bool, rotates: bool
    ) -> None:
        self.app = app
        self.clock = clock
        first = None if app.redirect_urls else app.bot_token
        self.tokens = Tokens(clock, first=first, rotates=rotates)
        self.workspace = Workspace(clock)
        self.views = Views(self.workspace)
        self.triggers = Triggers(clock)
        self.response_urls = ResponseUrls(clock)
        self.faults = Misbehaviour()
        self.rates = Rates(clock) if rate_limits else None
        self.calls: defaultdict[str, Calls] = defaultdict(Calls)
        self.stopping = asyncio.Event()
        self.url = ""  # known once the server listens
        self.new_socket_ticket: Callable[[], str] | None = None  # None: Socket Mode is off
        self.uploads: dict[str, str] = {}  # key of an upload address → file

    def is_ours(self, channel: Channel) -> bool:
        return self.app.bot_user in channel.members
