"""Keeps open Home tabs fresh: each is drawn when it is opened, and again soon after something in it changed.

A tab is kept fresh for a day after its person used it; one that nobody opens costs nothing. Any number of
workers may do so: each tab is drawn by one of them at a time, and Slack is asked no more often than it likes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.absences import Absences
from approvals.agents import Agents, Heard
from approvals.deputies import Absence, is_in_force
from approvals.errors import Unavailable
from approvals.homes import Look, Published
from approvals.model import Freeze, PersonId, Reach, Request
from approvals.open_homes import FULL, OpenHome, OpenHomes
from approvals.preference_book import PreferenceBook
from approvals.preferences import Preferences
from approvals.recent import Recent
from blocks.agents import AgentState
from blocks.deputies import for_home
from blocks.home import Tab, home_view
from blocks.pieces import View
from blocks.replies import Commands
from bot.desk import Desk
from bot.drawing.sending import LIMITED
from bot.owners import Owners
from bot.payloads import Who
from bot.people import People, SlackFailure
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

EVERY_S = 10.0  # a tab is drawn again at most so often, unless its person clicks
TICK_S = 1.0
LEASE_S = 10.0
AT_ONCE = 20
WINDOW_S, PER_WINDOW = 10, 13  # 78 to 91 a minute; Slack takes 100 (views.publish is of its tier 4)
AGAIN_S = 30.0  # where Slack doesn't take a tab
LOOK_BACK = 10_000  # entries of the log, for what people decided
UNKNOWN = Published(seq=0, digest="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What all tabs have in common, as one moment knew it."""

    seq: int
    now: datetime
    pending: Sequence[Request]
    frozen: Sequence[Freeze]
    absences: Sequence[Absence]
    preferences: dict[PersonId, Preferences]
    agents: Sequence[Heard]


class Homes:
    """Draws people's Home tabs."""

    def __init__(
        self,
        desk: Desk,
        people: People,
        owners: Owners,
        slack: AsyncWebClient,
        *,
        opened: OpenHomes,
        absences: Absences,
        book: PreferenceBook,
        agents: Agents,
        commands: Commands,
    ) -> None:
        self._desk, self._store, self._people, self._owners = desk, desk.store, people, owners
        self._slack, self._open = slack, opened
        self._absences, self._book, self._agents = absences, book, agents
        self._commands = commands
        self._recent, self._turn = Recent(), asyncio.Lock()

    # -- when its person looks ------------------------------------------------------------------------

    async def show(self, who: Who, look: Look | None = None) -> None:
        """Draw it now: they have opened it, or clicked in it. `look`: what they want to see of their queue.

        Raises:
            Unavailable: Redis was away.
        """
        wanted = await self._open.look(who.id) if look is None else look
        await self._open.use(who.id, wanted, EVERY_S)
        scene = await self._scene()
        view = await self._view(who, wanted, scene)
        if await self._open.count(WINDOW_S) > FULL:  # Slack wants to be left alone
            await self._leave(who.id, TICK_S)
            return
        try:
            answer = await self._slack.views_publish(user_id=who.id, view=view)
        except SlackFailure as error:  # then it is drawn with the others, when Slack may be asked again
            await self._leave(who.id, await self._not_taken(who.id, error))
        else:
            await self._open.record(who.id, _published(scene.seq, view, answer["view"]))

    async def preferences(self, who: Who) -> Preferences:
        """What a person has set, or what holds for whoever hasn't."""
        known = (await self._book.all()).get(who.id)
        return known or Preferences(person=who.id, name=await self._people.name_of(who.id))

    async def _leave(self, person: PersonId, wait_s: float) -> None:
        """Draw it later, whatever was published last."""
        await self._open.record(person, UNKNOWN)
        await self._open.wait([person], wait_s)

    # -- when something changes -----------------------------------------------------------------------

    async def run(self) -> None:
        """Keep all of them fresh for ever. Woken by every entry of the log, of this process or another."""
        seq = 0
        while True:
            try:
                seq = await self._store.until_changed(seq, TICK_S)
                await self.refresh()
            except Unavailable as error:
                logger.warning("no Home tab can be drawn: %s", error)
            except Exception:  # one broken record must not stop the loop, nor the service
                logger.exception("no Home tab can be drawn")
            await asyncio.sleep(TICK_S)

    async def refresh(self) -> None:
        """Draw those again that may be and that something has changed for. Harmless to do twice."""
        claimed = await self._open.claim(AT_ONCE, LEASE_S)
        seq = await self._store.last_seq() if claimed else 0
        stale = [each for each in claimed if each.published is None or each.published.seq < seq]
        await self._open.wait([each.person for each in claimed if each not in stale], EVERY_S)
        if not stale:
            return
        scene = await self._scene()
        for each in stale:
            await self._open.wait([each.person], await self._drawn_again(each, scene))

    async def _drawn_again(self, home: OpenHome, scene: Scene) -> float:
        """Draw one if it looks otherwise by now; returns for how long it can be left alone."""
        who, known = Who(id=home.person, team=None), home.published or UNKNOWN
        view = await self._view(who, home.look, scene)
        if _digest(view) == known.digest:
            await self._open.record(home.person, replace(known, seq=scene.seq))
            return EVERY_S
        if await self._open.count(WINDOW_S) > PER_WINDOW:
            return TICK_S
        try:
            answer = await self._slack.views_publish(user_id=home.person, view=view, hash=known.hash or None)
        except SlackFailure as error:
            return await self._not_taken(home.person, error)
        await self._open.record(home.person, _published(scene.seq, view, answer["view"]))
        return EVERY_S

    async def _not_taken(self, person: PersonId, error: Exception) -> float:
        """What a no of Slack's means; returns for how long to leave that tab alone."""
        word = word_of(error)
        if word == "hash_conflict":  # its person was faster, and sees what they clicked for
            await self._open.record(person, UNKNOWN)
            return EVERY_S
        logger.warning("a Home tab was not taken", extra={"error": word})
        if word not in LIMITED or not isinstance(error, SlackApiError):
            return AGAIN_S
        wait_s = float(error.response.headers.get("Retry-After", 1))
        await self._open.pause(wait_s)  # for all workers
        return wait_s

    # -- what it shows --------------------------------------------------------------------------------

    async def _scene(self) -> Scene:
        seq = await self._store.last_seq()  # before all else: what comes later is drawn once more
        await self._follow(seq)
        return Scene(
            seq=seq,
            now=await self._store.now(),
            pending=await self._desk.waiting(),
            frozen=(await self._store.freezes.now()).freezes,
            absences=await self._absences.all(),
            preferences=await self._book.all(),
            agents=await self._agents.all(),
        )

    async def _follow(self, seq: int) -> None:
        async with self._turn:
            first = max(self._recent.seq, seq - LOOK_BACK) + 1
            async for entry in self._store.log(first):
                self._recent.add(entry)

    async def _view(self, who: Who, look: Look, scene: Scene) -> View:
        """One person's tab."""
        sight, now = self._desk.sight(who), scene.now
        seen = [one for one in scene.pending if await sight.may_see(one)]
        mine = [one for one in seen if await sight.may_decide(one, now)]
        mine_ids = {one.id for one in mine}
        decided = self._recent.decided_by(who.id)
        known = await self._store.get_many(decided)
        is_ours = await self._people.is_ours(who.id)
        away = [each for each in scene.absences if each.person == who.id and is_in_force(each, now)]
        wishes = scene.preferences.get(who.id)
        return home_view(
            Tab(
                now=now,
                look=look,
                mine=mine,
                others=[one for one in seen if one.id not in mine_ids],
                decided=[known[each] for each in decided if each in known],
                unseen=await self._desk.unseen(who),
                deputy=for_home(away[0], now) if away else None,
                preferences=wishes or Preferences(person=who.id, name=""),
                zone=(await self._people.zone_of(who.id)).key,
                agents=self._states(scene) if is_ours else (),
                all_frozen=next((each for each in scene.frozen if each.reach is Reach.ALL), None),
                can_freeze=await self._people.is_one_of(who.id, self._owners.of("freeze"), team=who.team),
                commands=self._commands,
            )
        )

    def _states(self, scene: Scene) -> list[AgentState]:
        waiting, running = Counter(one.agent for one in scene.pending), self._recent.at_work()
        frozen = {each.name: each for each in scene.frozen if each.reach is Reach.AGENT}
        return [
            AgentState(
                name=agent.name,
                waiting=waiting[agent.name],
                running=running[agent.name],
                heard_at=agent.at,
                freeze=frozen.get(agent.name),
            )
            for agent in scene.agents
        ]


def _published(seq: int, view: View, answer: dict[str, object]) -> Published:
    return Published(seq=seq, digest=_digest(view), hash=str(answer.get("hash", "")))


def _digest(view: View) -> str:
    return hashlib.sha256(json.dumps(view, sort_keys=True).encode(errors="backslashreplace")).hexdigest()[:16]
