"""Where a tenant's service is put together. No logic: what is built here is explained where it is defined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import aiohttp
from redis.asyncio import Redis
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from approvals import policy as policies
from approvals import tracing
from approvals.absences import Absences
from approvals.agents import Agents
from approvals.approver_keys import ApproverKeys
from approvals.audit import Entry
from approvals.budgets import Budgets
from approvals.bulks import Bulks
from approvals.cards import Cards
from approvals.counts import Counts
from approvals.digests import Digests
from approvals.epochs import Epochs
from approvals.errors import ApprovalsError, Unavailable
from approvals.grant_book import GrantBook
from approvals.masking import Masker
from approvals.model import Request
from approvals.open_homes import OpenHomes
from approvals.preference_book import PreferenceBook
from approvals.proposal_book import ProposalBook
from approvals.redis_door import translated
from approvals.signed import Own, Trusted
from approvals.signing_keys import SigningKeys
from approvals.stages import Stages
from approvals.store import Store
from bot import durability, listeners, logs
from bot import vault as vaults
from bot.bulk import Bulking
from bot.bulk_telling import BulkTelling
from bot.channels import Channels
from bot.continuity import Continuity, file_of
from bot.counting import CountedSlack, count
from bot.daily.statistics import Statistics
from bot.desk import Desk
from bot.drawing.attention import Attention
from bot.drawing.homes import Homes
from bot.intake import nobody
from bot.judging import Judge
from bot.levers.freezing import Freezing
from bot.operators import Operators
from bot.owners import Owners
from bot.people import Home, People
from bot.policy_file import PolicyFile
from bot.proposing import Proposing
from bot.replying import Replier
from bot.settings import Settings
from bot.shown import Shown
from bot.slack_errors import word_of
from bot.stepping_up import needs
from bot.stepping_up.confirmations import Confirmations
from bot.vault import Vault

Role: TypeAlias = Literal["all", "web", "worker"]
SLACK_CALL_S = 8.0


class CannotStart(ApprovalsError):
    """Something outside is not as it must be; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of one process, joined."""

    settings: Settings
    redis: Redis
    store: Store
    cards: Cards
    digests: Digests
    counts: Counts
    policy_file: PolicyFile
    slack: Slack | None
    vault: Vault | None  # None where nothing is decided
    signing: SigningKeys | None  # likewise
    continuity: Continuity | None  # likewise
    leaving: asyncio.Event  # it is about to end, and serves those alone who haven't heard of it

    @property
    def policy(self) -> policies.Policy:
        """The one in force at this moment."""
        return self.policy_file.current


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Everything that needs a workspace."""

    client: AsyncWebClient
    readers: AsyncWebClient  # may ask twice
    people: People
    channels: Channels
    operators: Operators
    attention: Attention
    homes: Homes
    desk: Desk
    links: Confirmations | None  # None where browsers don't reach us
    keys: ApproverKeys | None  # None where nothing is decided
    bulking: Bulking
    statistics: Statistics
    bolt: AsyncApp | None  # None where nobody can click: a terminal

    def renew(self, token: str) -> None:
        """Go on with another token: all that speak to Slack do it through these two."""
        self.client.token = self.readers.token = token


@asynccontextmanager
async def built(settings: Settings, *, with_slack: bool = True) -> AsyncIterator[Service]:
    """The service, joined and checked, with all that must be closed again in the right order.

    Without Slack it is for reading: then it needs no secret either.

    Raises:
        CannotStart: Redis or Slack is not as it must be.
        SecretFault, CannotSign: the service's secret is not.
        CannotRead, PolicyFaults: the policy file is not.
    """
    policy_file = PolicyFile(
        Path(settings.policy_path) if settings.policy_path else None, partial(needs.lacks, settings)
    )
    redis = durability.redis_of(settings)
    counts = Counts(redis, settings.tenant)
    try:
        vault = vaults.opened(settings.secret, settings.secret_file, settings.state) if with_slack else None
        signing = SigningKeys(redis, settings.tenant, vault) if vault else None
        masker = Masker(
            masking=lambda: policy_file.current.masks,
            mac=partial(vault.mac, f"masks {settings.tenant}") if vault else None,
        )
        store, cards = Store(redis, settings.tenant, signing, masker), Cards(redis, settings.tenant)
        store.heard = _hearing(counts)
        await _check_redis(redis, settings)
        if signing is not None:
            await signing.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SLACK_CALL_S)) as session:
            has_slack = with_slack and settings.bot_token is not None
            slack = None
            if has_slack:
                slack = await _slack(settings, session, redis, store, cards, policy_file, vault, counts)
            continuity = _continuity(settings, redis, store, vault, slack) if vault else None
            if continuity is not None:
                await continuity.look()
            yield Service(
                settings=settings,
                redis=redis,
                store=store,
                cards=cards,
                digests=Digests(redis, settings.tenant),
                counts=counts,
                policy_file=policy_file,
                slack=slack,
                vault=vault,
                signing=signing,
                continuity=continuity,
                leaving=asyncio.Event(),
            )
    finally:
        await counts.flush()
        await redis.aclose()


def _hearing(counts: Counts) -> Callable[[Entry, Request | None], None]:
    def heard(entry: Entry, request: Request | None) -> None:
        count(counts, entry)
        tracing.logged(entry, request)

    return heard


def _continuity(
    settings: Settings, redis: Redis, store: Store, vault: Vault, slack: Slack | None
) -> Continuity:
    epochs = Epochs(redis, settings.tenant, vault.mac)
    tell = nobody if slack is None else slack.operators.tell
    return Continuity(epochs, store, file_of(settings, vault), tell)


def judging(service: Service) -> tuple[Judge, Stages]:
    """Who says what a changed call needs, for a terminal."""
    stages = Stages(service.redis, service.settings.tenant)
    return judge_of(service.settings, service.redis, service.policy_file, stages), stages


def judge_of(settings: Settings, redis: Redis, policy_file: PolicyFile, stages: Stages) -> Judge:
    return Judge(
        lambda: policy_file.current,
        Budgets(redis, settings.tenant),
        channel=settings.channel,
        mode=settings.mode,
        environment=settings.environment,
        stages=lambda: stages.known,
    )


def trusted(service: Service) -> Trusted:
    if service.signing is None:
        raise RuntimeError("a service that was built for reading claims nothing")
    return Own(signer=service.signing)


def proposing_of(settings: Settings, redis: Redis, store: Store, policy_file: PolicyFile) -> Proposing:
    return Proposing(
        store=store,
        book=ProposalBook(redis, settings.tenant),
        policy_file=policy_file,
        stages=Stages(redis, settings.tenant),
        channel=settings.channel,
        environment=settings.environment,
    )


async def _check_redis(redis: Redis, settings: Settings) -> None:
    try:
        with translated(redis):
            await redis.ping()
    except Unavailable as error:
        raise CannotStart(f"REDIS_URL does not lead to a Redis that answers: {error}") from error
    await durability.check(redis, settings)


async def _slack(
    settings: Settings,
    session: aiohttp.ClientSession,
    redis: Redis,
    store: Store,
    cards: Cards,
    policy_file: PolicyFile,
    vault: Vault | None,
    counts: Counts,
) -> Slack:
    client = CountedSlack(
        counts,
        token=settings.bot_token,
        base_url=settings.slack_api_url,
        session=session,
        retry_handlers=[],  # a repeated post is a second post; who may repeat decides it for themselves
    )
    home = await _home(client)
    readers = CountedSlack(
        counts,
        token=settings.bot_token,
        base_url=settings.slack_api_url,
        session=session,
        retry_handlers=[AsyncConnectionErrorRetryHandler(max_retry_count=1)],
    )
    absences = Absences(redis, settings.tenant)
    people, channels = People(readers, home, absences), Channels(readers)
    shown = Shown(cards, Digests(redis, settings.tenant))
    links, keys = None, ApproverKeys(redis, settings.tenant, vault) if vault else None
    if vault is not None and settings.url is not None:
        links = Confirmations(redis, settings.tenant, vault, settings.url)
    desk = Desk(store, cards, shown, people, channels, settings.commands, links, keys)
    operators = Operators(lambda: policy_file.current, client, channels)
    owners, book = Owners(lambda: policy_file.current, people, store), PreferenceBook(redis, settings.tenant)
    homes = Homes(
        desk,
        people,
        owners,
        client,
        opened=OpenHomes(redis, settings.tenant),
        absences=absences,
        book=book,
        agents=Agents(redis, settings.tenant),
        commands=settings.commands,
    )
    bolt = _bolt(settings, client, home)
    replier = Replier(session, settings.slack_api_url)
    statistics = Statistics(store, client, channels, replier)
    stages = Stages(redis, settings.tenant)
    bulking = Bulking(Bulks(redis, settings.tenant), desk, BulkTelling(store, client, channels))
    if bolt is not None:
        parts = listeners.Parts(
            desk=desk,
            people=people,
            channels=channels,
            slack=client,
            replier=replier,
            commands=settings.commands,
            owners=owners,
            operators=operators,
            freezing=Freezing(store, cards),
            grants=GrantBook(redis, settings.tenant),
            absences=absences,
            preferences=book,
            homes=homes,
            stages=stages,
            digests=Digests(redis, settings.tenant),
            bulking=bulking,
            judge=judge_of(settings, redis, policy_file, stages),
            statistics=statistics,
            proposing=proposing_of(settings, redis, store, policy_file),
            channel=settings.channel,
        )
        listeners.register(bolt, parts)
    return Slack(
        client=client,
        readers=readers,
        people=people,
        channels=channels,
        operators=operators,
        attention=Attention(people, book),
        homes=homes,
        desk=desk,
        links=links,
        keys=keys,
        bulking=bulking,
        statistics=statistics,
        bolt=bolt,
    )


def _bolt(settings: Settings, client: AsyncWebClient, home: Home) -> AsyncApp | None:
    if settings.app_token is None and settings.signing_secret is None:
        return None
    return AsyncApp(
        name="countersign",  # else it looks through the stack for one, which takes a while
        logger=logs.bolt(),
        client=client,
        signing_secret=settings.signing_secret,
        request_verification_enabled=settings.app_token
        is None,  # Socket Mode comes through a door of its own
        process_before_response=True,
        ignoring_self_events_enabled=False,  # that a message of ours was deleted counts as our own event
        authorize=_authorizer(client, home),
    )


async def _home(client: AsyncWebClient) -> Home:
    try:
        who = await client.auth_test()
        bot = await client.bots_info(bot=who["bot_id"])
    except SlackApiError as error:
        word = word_of(error)
        raise CannotStart(
            f"Slack does not accept the bot token ({word}); copy it again from your app's settings"
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CannotStart(
            f"{client.base_url} does not answer ({type(error).__name__}); check SLACK_API_URL"
        ) from error
    return Home(
        team=str(who["team_id"]),
        enterprise=who.get("enterprise_id"),
        is_org_wide=bool(who.get("is_enterprise_install")),
        bot_user=str(who["user_id"]),
        app_id=(bot.get("bot") or {}).get("app_id"),
    )


def _authorizer(client: AsyncWebClient, home: Home) -> Any:
    """Tell Bolt what auth.test told us at the start, so that no click waits for it."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=home.enterprise,
            team_id=home.team,
            bot_user_id=home.bot_user,
            bot_token=client.token,
        )

    return authorize
