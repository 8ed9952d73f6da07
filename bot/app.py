"""Where the service is put together. No logic: what is built here is explained where it is defined."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import aiohttp
from aiohttp.web import Application, AppRunner
from redis.asyncio import Redis
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from approvals import policy as policies
from approvals import tracing
from approvals.absences import Absences
from approvals.agent_tokens import AgentTokens
from approvals.agents import Agents
from approvals.approver_keys import ApproverKeys
from approvals.asked import Asked
from approvals.audit import Entry
from approvals.budgets import Budgets
from approvals.bulks import Bulks
from approvals.callback_secrets import CallbackSecrets
from approvals.callbacks import Callbacks
from approvals.cards import Cards
from approvals.checkpoint_book import CheckpointBook
from approvals.counts import Counts
from approvals.daily_book import DailyBook
from approvals.digests import Digests
from approvals.epochs import Epochs
from approvals.errors import ApprovalsError, Unavailable
from approvals.grant_book import GrantBook
from approvals.inbox import Inboxes
from approvals.log_tree import LogTree
from approvals.masking import Masker
from approvals.model import Request
from approvals.open_homes import OpenHomes
from approvals.preference_book import PreferenceBook
from approvals.proposal_book import ProposalBook
from approvals.redis_door import translated
from approvals.signed import Own, Trusted
from approvals.signing_keys import CannotSign, SigningKeys
from approvals.stages import Stages
from approvals.store import Store
from bot import api, durability, listeners, logs, web
from bot import vault as vaults
from bot.api.doors import Doors
from bot.api.events import Tail
from bot.api.limits import Limits
from bot.api.measures import Measures
from bot.audit.checkpoints import Checkpoints
from bot.bulk import Bulking
from bot.bulk_telling import BulkTelling
from bot.channels import Channels
from bot.checks import redis_checks
from bot.continuity import Continuity, file_of
from bot.counting import CountedSlack, count
from bot.daily.posting import DailyPosting
from bot.daily.statistics import Statistics
from bot.daily.threads import DailyThreads
from bot.deadlines import Deadlines
from bot.desk import Desk
from bot.digesting import Amounts, Digesting, Holding
from bot.drawing.attention import Attention
from bot.drawing.digest_posting import DigestPosting
from bot.drawing.homes import Homes
from bot.drawing.posting import Posting
from bot.drawing.request_posting import RequestPosting
from bot.drawing.sending import Sending
from bot.intake import Intake, nobody
from bot.judging import Judge
from bot.levers import collapsing
from bot.levers.freezing import Freezing
from bot.levers.pausing import Pausing
from bot.levers.staging import SET_STAGE, Staging, staging
from bot.operators import Operators
from bot.own_digests import OwnDigests
from bot.owners import Owners
from bot.people import Home, People
from bot.policy_file import PolicyFile, hearing_hangups
from bot.proposing import ADOPT_RULE, Proposing, adopting
from bot.redirecting import Redirecting
from bot.replying import Replier
from bot.settings import Settings
from bot.shown import Shown
from bot.slack_errors import word_of
from bot.socket_mode import SocketDoor
from bot.stepping_up import needs
from bot.stepping_up.confirmations import Confirmations
from bot.stepping_up.opening import SteppingUp
from bot.stepping_up.sign_in import SignIn
from bot.vault import Vault
from bot.webhooks import Webhooks, callback_check
from bot.workspaces import abandoned

logger = logging.getLogger(__name__)

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


async def live(service: Service, parts: api.Parts, role: Role) -> None:
    """Run the loops of one tenant until cancelled; Slack and agents are let in elsewhere."""
    slack = service.slack
    async with asyncio.TaskGroup() as tasks:
        _look_after(service, tasks)
        if role != "worker":
            tasks.create_task(parts.tail.run(), name="events")
        if role == "web":
            tasks.create_task(_follow_policy_silently(service), name="policy")
        if slack is not None and slack.bolt is not None:
            tasks.create_task(slack.statistics.run(), name="statistics")
        if slack is None and role != "web":
            tasks.create_task(_take_letters(service), name="intake")
            tasks.create_task(_deadlines(service).run(), name="deadlines")
            tasks.create_task(abandoned.run(service.store), name="giving up")
        if slack is not None:
            tasks.create_task(slack.bulking.run(), name="bulk")
        if slack is not None and role != "web":
            tasks.create_task(_take_letters(service), name="intake")
            tasks.create_task(_follow_policy(service, slack), name="policy")
            tasks.create_task(_posting(service, slack).run(), name="posting")
            tasks.create_task(_deadlines(service).run(), name="deadlines")
            tasks.create_task(_digesting(service).run(), name="digests")
            tasks.create_task(_own_digests(service, slack).run(), name="own digests")
            tasks.create_task(Freezing(service.store, service.cards).run(), name="freezing")
            tasks.create_task(_pausing(service, slack).run(), name="pausing")
            tasks.create_task(collapsing.run(service.store), name="collapsing")
            tasks.create_task(daily_threads(service, slack).run(), name="daily threads")
            tasks.create_task(_staging(service, slack).run(), name="staging")
            tasks.create_task(_webhooks(service, slack).run(), name="webhooks")
            tasks.create_task(checkpoints(service, slack).run(), name="checkpoints")
            if slack.bolt is not None:
                tasks.create_task(slack.homes.run(), name="homes")
        await asyncio.Event().wait()


def _look_after(service: Service, tasks: asyncio.TaskGroup) -> None:
    """What every process does that decides anything."""
    tasks.create_task(service.counts.run(), name="counts")
    if service.signing is not None:
        tasks.create_task(service.signing.run(), name="signing keys")
    if service.continuity is not None:
        tasks.create_task(service.continuity.run(), name="continuity")


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
        if service.leaving.is_set():
            raise Unavailable("this process is about to end")
        with translated(service.redis):
            await service.redis.ping()
        if service.continuity is not None:
            service.continuity.check()

    settings, slack = service.settings, service.slack
    bolt = slack.bolt if slack is not None and settings.app_token is None else None
    pages = {settings.tenant: stepping_up(service, parts)}
    app = web.web_app(bolt, is_ready, api.OneTenant(parts), pages.get)
    return await listen(settings, app)


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
    if slack is None or vault is None or settings.url is None:
        return None
    sign_in = None
    if settings.sign_in is not None:
        sign_in = SignIn(settings.sign_in, f"{settings.url}/signed-in", slack.people.home.team)
    return SteppingUp(
        tenant=settings.tenant,
        confirmations=Confirmations(service.redis, settings.tenant, vault, settings.url),
        sign_in=sign_in,
        keys=ApproverKeys(service.redis, settings.tenant, vault),
        vault=vault,
        desk=slack.desk,
        people=slack.people,
        redirecting=Redirecting(slack.desk, parts.judge, parts.stages),
        url=settings.url,
    )


def _continuity(
    settings: Settings, redis: Redis, store: Store, vault: Vault, slack: Slack | None
) -> Continuity:
    epochs = Epochs(redis, settings.tenant, vault.mac)
    tell = nobody if slack is None else slack.operators.tell
    return Continuity(epochs, store, file_of(settings, vault), tell)


def api_of(service: Service) -> api.Parts:
    """What agents that come by HTTP are served from."""
    settings, redis, store = service.settings, service.redis, service.store
    stages = Stages(redis, settings.tenant)
    return api.Parts(
        store=store,
        tokens=AgentTokens(redis, settings.tenant),
        doors=Doors(lambda: durability.redis_like(redis, settings), settings.tenant, _trusted(service)),
        tail=Tail(redis, store),
        measures=Measures(redis, settings.tenant),
        limits=Limits(),
        judge=_judge(settings, redis, service.policy_file, stages),
        stages=stages,
        desk=None if service.slack is None else service.slack.desk,
        asked=cache(lambda agent: Asked(redis, store, agent)),
    )


async def _take_letters(service: Service) -> None:
    consumer = f"{socket.gethostname()}-{os.getpid()}"
    inboxes = Inboxes(service.redis, service.settings.tenant, consumer)
    stages = Stages(service.redis, service.settings.tenant)
    judge = _judge(service.settings, service.redis, service.policy_file, stages)
    grants = GrantBook(service.redis, service.settings.tenant)
    signing = CallbackSecrets(service.redis, service.settings.tenant)
    await Intake(
        service.store,
        inboxes,
        judge,
        grants,
        stages,
        environment=service.settings.environment,
        check_callback=callback_check(service.settings.callbacks, signing),
        alarm=nobody if service.slack is None else service.slack.operators.tell,
    ).run()


def judging(service: Service) -> tuple[Judge, Stages]:
    """Who says what a changed call needs, for a terminal."""
    stages = Stages(service.redis, service.settings.tenant)
    return _judge(service.settings, service.redis, service.policy_file, stages), stages


def _judge(settings: Settings, redis: Redis, policy_file: PolicyFile, stages: Stages) -> Judge:
    return Judge(
        lambda: policy_file.current,
        Budgets(redis, settings.tenant),
        channel=settings.channel,
        mode=settings.mode,
        environment=settings.environment,
        stages=lambda: stages.known,
    )


async def _follow_policy_silently(service: Service) -> None:
    async def tell(sentence: str) -> None:
        logger.info("%s", sentence)  # the workers tell people

    await service.policy_file.watch(tell)


async def _follow_policy(service: Service, slack: Slack) -> None:
    if service.settings.mode == "off":
        sentence = "APPROVALS_MODE=off: every call of every agent is let through, and nobody is asked."
        logger.error(sentence)
        await slack.operators.tell(sentence)
    await service.policy_file.watch(slack.operators.tell)


def _trusted(service: Service) -> Trusted:
    if service.signing is None:
        raise RuntimeError("a service that was built for reading claims nothing")
    return Own(signer=service.signing)


def _staging(service: Service, slack: Slack) -> Staging:
    tenant = service.settings.tenant
    deeds = {
        SET_STAGE: staging(Stages(service.redis, tenant)),
        ADOPT_RULE: adopting(ProposalBook(service.redis, tenant), service.policy_file, slack.operators.tell),
    }
    return Staging(service.redis, service.store, deeds, _trusted(service))


def _proposing(settings: Settings, redis: Redis, store: Store, policy_file: PolicyFile) -> Proposing:
    return Proposing(
        store=store,
        book=ProposalBook(redis, settings.tenant),
        policy_file=policy_file,
        stages=Stages(redis, settings.tenant),
        channel=settings.channel,
        environment=settings.environment,
    )


def daily_threads(service: Service, slack: Slack) -> DailyThreads:
    """What tells channels about the day before."""
    settings, redis = service.settings, service.redis
    book = DailyBook(redis, settings.tenant)
    posting = DailyPosting(book, Sending(slack.client), settings.commands)
    proposing = _proposing(settings, redis, service.store, service.policy_file)
    return DailyThreads(
        lambda: service.policy, service.store, book, slack.channels, posting, proposing.proposals
    )


def _pausing(service: Service, slack: Slack) -> Pausing:
    freezing = Freezing(service.store, service.cards)
    return Pausing(lambda: service.policy, service.store, freezing, slack.operators)


def _posting(service: Service, slack: Slack) -> Posting:
    store, cards, sending = service.store, service.cards, Sending(slack.client)
    requests = RequestPosting(
        store,
        cards,
        sending,
        slack.people,
        slack.channels,
        slack.operators,
        slack.attention,
        service.digests,
        Holding(lambda: service.policy, service.digests),
    )
    digests = DigestPosting(
        store, cards, service.digests, sending, slack.attention, _amounts(service), slack.operators
    )
    return Posting(store, cards, requests, digests)


def checkpoints(service: Service, slack: Slack) -> Checkpoints:
    """What signs the log and has Slack witness it."""
    redis, tenant = service.redis, service.settings.tenant
    if service.signing is None or service.vault is None:
        raise CannotSign("there are no keys to sign the log with")
    signing = service.signing
    return Checkpoints(
        service.store,
        LogTree(redis, tenant),
        CheckpointBook(redis, tenant),
        lambda: signing.current,
        service.vault,
        policy=lambda: service.policy,
        operators=slack.operators,
        channels=slack.channels,
        sending=Sending(slack.client),
    )


def _webhooks(service: Service, slack: Slack) -> Webhooks:
    redis, tenant = service.redis, service.settings.tenant
    callbacks, signing = Callbacks(redis, tenant), CallbackSecrets(redis, tenant)
    return Webhooks(service.store, callbacks, signing, service.settings.callbacks, slack.operators.tell)


def _deadlines(service: Service) -> Deadlines:
    return Deadlines(service.store, Shown(service.cards, service.digests))


def _digesting(service: Service) -> Digesting:
    return Digesting(lambda: service.policy, service.store, service.digests, _amounts(service))


def _own_digests(service: Service, slack: Slack) -> OwnDigests:
    book = PreferenceBook(service.redis, service.settings.tenant)
    return OwnDigests(slack.desk, service.digests, book, slack.people, slack.channels)


def _amounts(service: Service) -> Amounts:
    return Amounts(lambda: service.policy, service.settings.environment)


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
            judge=_judge(settings, redis, policy_file, stages),
            statistics=statistics,
            proposing=_proposing(settings, redis, store, policy_file),
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
