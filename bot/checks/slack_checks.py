"""What can be wrong with the app in Slack, and with whom and where the policy names."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.absences import Absences
from approvals.errors import ApprovalsError
from approvals.ids import new_id
from approvals.model import Action, AgentName, Assurance, Fingerprint, Kind, PersonId, Request, Terms
from approvals.policy import Policy
from approvals.policy.rules import DEFAULTS
from approvals.policy.rules import Settings as RuleSettings
from approvals.quorum import can_be_met
from bot.channels import DM, Channels, NoSuchChannel
from bot.checks.findings import Finding, fault, ok, unknown
from bot.checks.redis_checks import skew
from bot.people import Home, LookupFailed, People
from bot.settings import Settings
from bot.slack_errors import word_of

PEOPLE_ASKED = 200  # who are looked up to see whether a rule's approvers suffice
# Those of manifest.yml; without one of them something does not work.
SCOPES = frozenset(
    {
        *("app_mentions:read", "chat:write", "commands", "files:write", "metadata.message:read"),
        *("channels:history", "channels:read", "groups:history", "groups:read", "im:history", "im:write"),
        *("usergroups:read", "users:read"),
    }
)


class SlackAway(ApprovalsError):
    """Slack does not answer, or not to this token."""


async def of_slack(
    client: AsyncWebClient,
    settings: Settings,
    policy: Policy | None,
    absences: Absences | None,
    holders: frozenset[PersonId] | None,
) -> list[Finding]:
    """Everything about it. Without `absences` nobody knows who stands in, without `holders` who has a key.

    Raises:
        SlackAway: with what Slack said.
    """
    who = await _who(client)
    headers = {name.lower(): value for name, value in who.headers.items()}
    found = [ok("Slack", f"we are {who['user']} in {who['team']}"), _scopes(headers), _clock(headers)]
    if policy is None:
        return found
    found.append(await _telling("channels", _channels(client, settings, policy)))
    if absences is None:
        return [*found, unknown("approvers", "who stands in for whom is in Redis, which is away")]
    people, channels = People(client, _home(who), absences), Channels(client)
    found.append(await _telling("approvers", _approvers(people, channels, settings, policy)))
    if Assurance.KEY in policy.assurances:
        found.append(await _telling("keys", _keys(people, channels, settings, policy, holders)))
    return found


async def _telling(check: str, finding: Awaitable[Finding]) -> Finding:
    try:
        return await finding
    except SlackApiError as error:
        return unknown(check, f"Slack says {word_of(error)}")
    except (aiohttp.ClientError, TimeoutError, LookupFailed) as error:
        return unknown(check, f"Slack did not answer ({type(error).__name__})")


async def _who(client: AsyncWebClient) -> Any:
    try:
        return await client.auth_test()
    except SlackApiError as error:
        raise SlackAway(f"it does not accept SLACK_BOT_TOKEN ({word_of(error)})") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SlackAway(f"{client.base_url} does not answer ({type(error).__name__})") from error


def _home(who: Any) -> Home:
    return Home(team=str(who["team_id"]), enterprise=who.get("enterprise_id"), bot_user=str(who["user_id"]))


def _scopes(headers: dict[str, str]) -> Finding:
    told = headers.get("x-oauth-scopes")
    if told is None:
        return unknown("scopes", "Slack did not say which the token has")
    missing = SCOPES - {scope.strip() for scope in told.split(",")}
    if missing:
        words = f"the token lacks {', '.join(sorted(missing))}"
        return fault("scopes", words, "add them to the app (manifest.yml has all) and install it again")
    return ok("scopes", "the token has all of manifest.yml")


def _clock(headers: dict[str, str]) -> Finding:
    told = headers.get("date")
    if told is None:
        return unknown("clock of Slack", "Slack did not tell the time")
    off_s = parsedate_to_datetime(told).timestamp() - time.time()
    return skew("clock of Slack", off_s, "requests of Slack that seem five minutes old are refused")


async def _channels(client: AsyncWebClient, settings: Settings, policy: Policy) -> Finding:
    channels, bad, named = Channels(client), [], _named_channels(settings, policy)
    for name in named:
        try:
            info = (await client.conversations_info(channel=await channels.id_of(name)))["channel"]
        except NoSuchChannel as error:
            bad.append(str(error))
            continue
        except SlackApiError as error:
            bad.append(f"{name}: {word_of(error)}")
            continue
        if info.get("is_archived"):
            bad.append(f"{name} is archived")
        elif not info.get("is_member"):
            bad.append(f"the app is not in {name}")
    if bad:
        mend = "invite the app there (`/invite`), or name another channel"
        return fault("channels", "; ".join(bad), mend)
    return ok("channels", f"the app is in {', '.join(named) or 'no channel: all goes to direct messages'}")


def _named_channels(settings: Settings, policy: Policy) -> list[str]:
    asks = _asking(policy)
    named = [each.channel or settings.channel for each in asks.values()]
    named += [step.channel for each in asks.values() for step in each.ladder if step.channel]
    named += [channel for daily in policy.dailies for channel in daily.channels]
    named += [policy.operators_channel] if policy.operators_channel else []
    return [name for name in dict.fromkeys(named) if name != DM]


def _asking(policy: Policy) -> dict[str, RuleSettings]:
    """What asks people, by name: the defaults, and each rule that does."""
    parts = {DEFAULTS: policy.defaults} | {rule.name: rule.settings for rule in policy.rules}
    return {name: part for name, part in parts.items() if part.action in (Action.ASK, Action.REVIEW)}


async def _approvers(people: People, channels: Channels, settings: Settings, policy: Policy) -> Finding:
    bad = []
    async for name, part, request, channel in _samples(channels, settings, policy):
        enough = PEOPLE_ASKED if part.groups else part.quorum
        found = await people.qualified(request, channel, enough)
        if not can_be_met(request.terms, found, request.created_at):
            bad.append(f"{name}: {len(found)} of {part.quorum} who may decide can see it")
    if bad:
        mend = "name people who are full members and in the channel; requests of that rule are undeliverable"
        return fault("approvers", "; ".join(bad), mend)
    return ok("approvers", "each rule has enough people who may decide and can see it")


async def _keys(
    people: People,
    channels: Channels,
    settings: Settings,
    policy: Policy,
    holders: frozenset[PersonId] | None,
) -> Finding:
    """Whether enough of those who may decide have a key, where their yes takes one."""
    if holders is None:
        return unknown("keys", "whose keys are registered can't be read without the service's secret")
    bad = []
    async for name, part, request, channel in _samples(channels, settings, policy):
        levels = {part.assurance, *(level for _, level in part.assurance_for)}
        if Assurance.KEY not in levels:
            continue
        found = await people.qualified(request, channel, PEOPLE_ASKED)
        having = [person for person in found if person.id in holders]
        if not can_be_met(request.terms, having, request.created_at):
            bad.append(f"{name}: {len(having)} of {part.quorum} who may decide have a key of their own")
    if bad:
        return fault("keys", "; ".join(bad), "register theirs: countersign approver-keys add PERSON FILE")
    return ok("keys", "where a yes takes a key, enough people have one")


async def _samples(
    channels: Channels, settings: Settings, policy: Policy
) -> AsyncIterator[tuple[str, RuleSettings, Request, str | None]]:
    """For each rule that asks people, a request of it and its channel; a missing one is told elsewhere."""
    for name, part in _asking(policy).items():
        where = part.channel or settings.channel
        channel = None if where == DM else await channels.known_id(where)
        if channel is not None or where == DM:
            yield name, part, _sample(settings, policy, name, part), channel


def _sample(settings: Settings, policy: Policy, name: str, part: RuleSettings) -> Request:
    """A request as that rule would make it, of nobody in particular."""
    terms = Terms(
        rule=name,
        policy=policy.version,
        action=Action.ASK,
        because="",
        channel=part.channel or settings.channel,
        approvers=part.approvers.principals,
        quorum=part.quorum,
        groups=part.groups,
        guests=part.guests,
        self_approval=part.self_approval,
    )
    return Request(
        id=new_id(),
        tenant=settings.tenant,
        agent=AgentName("doctor"),
        kind=Kind.ACTION,
        tool="doctor",
        args={},
        fingerprint=Fingerprint(""),
        terms=terms,
        created_at=datetime.now(UTC),
        deadline=None,
    )
