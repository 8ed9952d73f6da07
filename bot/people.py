"""Who a Slack user is, and which of a request's approvers. Short caches; every failure to find out denies."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.absences import Absences
from approvals.deputies import Absence, away_now, stand_in, stood_in_for
from approvals.machine import may_count
from approvals.model import CHANNEL, Barred, Person, PersonId, Principal, Request
from approvals.quorum import approvers_of, principals_of
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

PROFILE_S = 60.0  # how old a fact about a person may be; events drop it earlier
MEMBERS_S = 60.0
ABSENCES_S = 1.0  # of what this process has not changed itself
AWAY = re.compile(
    r"\b(out of (the )?office|ooo|vacation|on leave|sick|parental leave|urlaub)\b", re.IGNORECASE
)
AWAY_EMOJI = frozenset({":palm_tree:", ":airplane:", ":face_with_thermometer:", ":desert_island:", ":baby:"})
FOR_EVER = datetime.max.replace(tzinfo=UTC)
HANDLES_S = 300.0
LOOKUP_S = 2.0  # of the three seconds that Slack gives an interaction
PAGE = 200
MORNING = time_of_day(9)
SLACKBOT = "USLACKBOT"  # users.info says is_bot: false of it

V = TypeVar("V")
SlackFailure = (SlackApiError, aiohttp.ClientError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The workspace that the app is installed in, from auth.test."""

    team: str
    enterprise: str | None
    bot_user: str
    app_id: str | None = None
    is_org_wide: bool = False  # installed for all of the enterprise, of which users.info alone tells who is

    @property
    def id(self) -> str:
        """Where the app is: what an installation there is known by."""
        return self.enterprise if self.is_org_wide and self.enterprise else self.team


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    name: str
    barred: Barred | None
    zone: str = "UTC"  # an IANA name, as Slack gives it
    away_until: datetime | None = None  # what their status in Slack says, if it says that they are away


class LookupFailed(Exception):
    """Slack could not be asked."""


@dataclass(slots=True)
class _Cache(Generic[V]):
    """Values that may be a little old. A failed look-up is never kept."""

    load: Callable[[str], Awaitable[V]]
    age_s: float
    kept: dict[str, tuple[float, V]] = field(default_factory=dict)

    async def get(self, key: str) -> V:
        found = self.kept.get(key)
        if found is not None and time.monotonic() - found[0] < self.age_s:
            return found[1]
        try:
            async with asyncio.timeout(LOOKUP_S):
                value = await self.load(key)
        except SlackFailure as error:
            logger.warning("a look-up in Slack failed", extra={"error": word_of(error)})
            raise LookupFailed(key) from error
        self.kept[key] = (time.monotonic(), value)
        return value

    def drop(self, key: str) -> None:
        self.kept.pop(key, None)


class People:
    """Slack's people, groups and members, as far as approving needs them."""

    def __init__(self, slack: AsyncWebClient, home: Home, absences: Absences) -> None:
        self._slack, self.home, self._absences = slack, home, absences
        self.profiles: _Cache[Profile] = _Cache(self._load_profile, PROFILE_S)
        self.members: _Cache[frozenset[str]] = _Cache(self._load_members, MEMBERS_S)
        self.groups: _Cache[frozenset[str]] = _Cache(self._load_group, MEMBERS_S)
        self.handles: _Cache[dict[str, str]] = _Cache(self._load_handles, HANDLES_S)
        self.absences: _Cache[tuple[list[Absence], datetime]] = _Cache(self._load_absences, ABSENCES_S)

    async def person(
        self, who: PersonId, request: Request, channel: str | None, *, team: str | None = None
    ) -> Person:
        """Who this is with regard to a request; `team` is what the interaction says of their team.

        What Slack doesn't tell raises nothing: a person of whom nothing could be learnt is barred as unknown.
        """
        try:
            profile = await self.profiles.get(who)
            own = await self._principals(who, request, channel)
            lent = await self._lent(who, request, channel)
        except LookupFailed:
            return Person(id=who, name=who, principals=frozenset(), barred=Barred.UNKNOWN)
        barred = profile.barred
        if barred is None and self._is_elsewhere(team):
            barred = Barred.EXTERNAL
        added = {absent: theirs - own for absent, theirs in lent.items() if theirs - own}
        only_lent = frozenset().union(*added.values())
        return Person(
            id=who,
            name=profile.name,
            principals=own | only_lent,
            lent=only_lent,
            stands_for=tuple(added),
            barred=barred,
        )

    async def _principals(self, who: PersonId, request: Request, channel: str | None) -> frozenset[Principal]:
        return frozenset([p for p in principals_of(request) if who in await self.expand(p, channel)])

    async def _lent(
        self, who: PersonId, request: Request, channel: str | None
    ) -> dict[PersonId, frozenset[Principal]]:
        """What this person may decide as the deputy of others, who have not had their say themselves."""
        said = {vote.person for vote in (*request.votes, *request.objections)}
        if not request.terms.self_approval and request.on_behalf_of is not None:
            said.add(request.on_behalf_of)  # what they may not decide themselves they can't lend
        lent: dict[PersonId, frozenset[Principal]] = {}
        for absent in stood_in_for(who, await self.away()):
            if absent not in said and (await self.profiles.get(absent)).barred is None:
                lent[absent] = await self._principals(absent, request, channel)
        return lent

    async def away(self) -> dict[PersonId, PersonId]:
        """Who is away now, and their deputies. A status in Slack counts for those only who have named one."""
        absences, now = await self.absences.get("all")
        by_status = set()
        for absence in absences:
            if absence.until is None and await self._has_left(absence.person, now):
                by_status.add(absence.person)
        return away_now(absences, now, by_status)

    async def _has_left(self, who: PersonId, now: datetime) -> bool:
        try:
            until = (await self.profiles.get(who)).away_until
        except LookupFailed:
            return False
        return until is not None and now < until

    async def _load_absences(self, _: str) -> tuple[list[Absence], datetime]:
        return await self._absences.all(), await self._absences.now()

    async def standing_in(
        self, request: Request, channel: str | None, *, among: Iterable[Principal] | None = None
    ) -> dict[PersonId, PersonId]:
        """Those whom the request's terms name, or `among` these, who are away; and who stands in for each."""
        away = await self.away()
        named: set[str] = set()
        principals = approvers_of(request) if among is None else frozenset(among)
        for principal in principals - {CHANNEL} if away else ():
            named |= await self.expand(principal, channel)
        found = {person: stand_in(person, away) for person in sorted(away) if person in named}
        return {person: deputy for person, deputy in found.items() if deputy is not None}

    async def zone_of(self, who: PersonId) -> ZoneInfo:
        """Where a person is; UTC if Slack doesn't tell."""
        try:
            return ZoneInfo((await self.profiles.get(who)).zone)
        except (LookupFailed, ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    async def _with_deputies(self, candidates: set[str]) -> set[str]:
        """These people, and who stands in for those of them who are away."""
        away = await self.away()
        deputies = {stand_in(PersonId(who), away) for who in candidates if who in away}
        return candidates | {deputy for deputy in deputies if deputy is not None}

    async def is_one_of(
        self,
        who: PersonId,
        principals: Iterable[Principal],
        *,
        channel: str | None = None,
        team: str | None = None,
    ) -> bool:
        """Whether a person is one of these, apart from any request. Who is barred, or unknown, is not."""
        try:
            profile = await self.profiles.get(who)
            if profile.barred is not None or self._is_elsewhere(team):
                return False
            return any([who in await self.expand(principal, channel) for principal in principals])
        except LookupFailed:
            return False

    async def is_ours(self, who: PersonId) -> bool:
        """Whether this is a full member of the workspace; failing to find out, no."""
        try:
            return (await self.profiles.get(who)).barred is None
        except LookupFailed:
            return False

    async def name_of(self, who: PersonId) -> str:
        """A person's name for the record, or their id if Slack doesn't tell."""
        try:
            return (await self.profiles.get(who)).name
        except LookupFailed:
            return who

    async def next_morning(self, who: PersonId, now: datetime) -> datetime:
        """Nine o'clock tomorrow where that person is; by UTC if Slack doesn't tell where."""
        zone = await self.zone_of(who)
        tomorrow = now.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(tomorrow, MORNING, zone)

    async def to_act(
        self,
        request: Request,
        channel: str | None,
        principals: Iterable[Principal],
        at_most: int,
        *,
        but: Collection[str] = (),
    ) -> list[Person]:
        """Those of `principals` but for `but` who may decide it and have said neither yes nor no.

        Raises:
            LookupFailed: Slack could not be asked.
        """
        candidates: set[str] = set()
        for principal in principals:
            candidates |= await self.expand(principal, channel)
        candidates = await self._with_deputies(candidates) - (await self.away()).keys()
        candidates -= {*but, *(vote.person for vote in (*request.votes, *request.objections))}
        found: list[Person] = []
        for candidate in sorted(candidates):
            if len(found) >= at_most:
                break
            person = await self.person(PersonId(candidate), request, channel)
            if may_count(request, person):
                found.append(person)
        return found

    async def group_of(self, principal: Principal) -> Principal | None:
        """What a mention names: a group by its id instead of its handle; None: there is none of that handle.

        Raises:
            LookupFailed: Slack could not be asked.
        """
        if not principal.startswith("@"):
            return principal
        found = (await self.handles.get("all")).get(principal.removeprefix("@"))
        return None if found is None else Principal(found)

    async def expand(self, principal: Principal, channel: str | None) -> frozenset[str]:
        """The ids of the people that one principal names.

        Raises:
            LookupFailed: Slack could not be asked.
        """
        if principal == CHANNEL:
            return await self.members.get(channel) if channel else frozenset()
        if principal.startswith("@"):
            handles = await self.handles.get("all")
            group = handles.get(principal.removeprefix("@"))
            return await self.groups.get(group) if group else frozenset()
        if principal.startswith("S"):
            return await self.groups.get(principal)
        return frozenset({principal})

    async def qualified(self, request: Request, channel: str | None, enough: int) -> list[Person]:
        """Up to `enough` people who may decide it and can see `channel` (None: their own DMs).

        Raises:
            LookupFailed: Slack could not be asked.
        """
        candidates: set[str] = set()
        for principal in approvers_of(request):
            candidates |= await self.expand(principal, channel)
        candidates = await self._with_deputies(candidates)
        if channel is not None:
            candidates &= await self.members.get(channel)
        candidates.discard(self.home.bot_user)
        found: list[Person] = []
        for candidate in sorted(candidates):
            if len(found) >= enough:
                break
            person = await self.person(PersonId(candidate), request, channel)
            if may_count(request, person):
                found.append(person)
        return found

    def forget(
        self,
        *,
        person: str | None = None,
        channel: str | None = None,
        groups: bool = False,
        absences: bool = False,
    ) -> None:
        """Drop what an event has made old."""
        if absences:
            self.absences.drop("all")
        if person is not None:
            self.profiles.drop(person)
        if channel is not None:
            self.members.drop(channel)
        if groups:
            self.groups.kept.clear()
            self.handles.kept.clear()

    def _is_elsewhere(self, team: str | None) -> bool:
        """Whether what an interaction says of a person's team makes them an outsider."""
        return team is not None and not self.home.is_org_wide and not self._is_home(team)

    def _is_home(self, team: str) -> bool:
        return team in (self.home.team, self.home.enterprise)

    async def _load_profile(self, who: str) -> Profile:
        try:
            user = (await self._slack.users_info(user=who))["user"]
        except SlackApiError as error:
            if word_of(error) in ("user_not_found", "user_not_visible", "users_not_found"):
                return Profile(name=who, barred=Barred.UNKNOWN)
            raise
        profile = user.get("profile") or {}
        name = profile.get("real_name") or user.get("real_name") or user.get("name") or who
        return Profile(
            name=str(name),
            barred=self._barred(user),
            zone=str(user.get("tz") or "UTC"),
            away_until=_away_until(profile),
        )

    def _barred(self, user: dict[str, object]) -> Barred | None:
        if user.get("deleted"):
            return Barred.DEACTIVATED
        if user.get("is_bot") or user.get("id") == SLACKBOT:
            return Barred.BOT
        enterprise = user.get("enterprise_user")
        grid = enterprise.get("enterprise_id") if isinstance(enterprise, dict) else None
        is_ours = self._is_home(str(user.get("team_id"))) or (
            grid is not None and grid == self.home.enterprise
        )
        if user.get("is_stranger") or not is_ours:
            return Barred.EXTERNAL
        if user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_invited_user"):
            return Barred.GUEST
        return None

    async def _load_members(self, channel: str) -> frozenset[str]:
        members: list[str] = []
        cursor = ""
        while True:
            page = await self._slack.conversations_members(channel=channel, limit=PAGE, cursor=cursor)
            members += page["members"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return frozenset(members)

    async def _load_group(self, group: str) -> frozenset[str]:
        return frozenset((await self._slack.usergroups_users_list(usergroup=group))["users"])

    async def _load_handles(self, _: str) -> dict[str, str]:
        groups = (await self._slack.usergroups_list())["usergroups"]
        return {str(group["handle"]): str(group["id"]) for group in groups}


def _away_until(profile: dict[str, object]) -> datetime | None:
    """Until when a status says that its person is out of office; None: it doesn't say so."""
    is_away = profile.get("status_emoji") in AWAY_EMOJI or AWAY.search(str(profile.get("status_text") or ""))
    if not is_away:
        return None
    ends = profile.get("status_expiration")
    return datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) and ends > 0 else FOR_EVER
