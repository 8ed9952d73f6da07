"""The loops of one tenant's service: which run in which process, and what each is made of."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

from approvals.callback_secrets import CallbackSecrets
from approvals.callbacks import Callbacks
from approvals.checkpoint_book import CheckpointBook
from approvals.daily_book import DailyBook
from approvals.grant_book import GrantBook
from approvals.inbox import Inboxes
from approvals.log_tree import LogTree
from approvals.preference_book import PreferenceBook
from approvals.proposal_book import ProposalBook
from approvals.signing_keys import CannotSign
from approvals.stages import Stages
from bot import api
from bot.app import Role, Service, Slack, judge_of, proposing_of, trusted
from bot.audit.checkpoints import Checkpoints
from bot.daily.posting import DailyPosting
from bot.daily.threads import DailyThreads
from bot.deadlines import Deadlines
from bot.digesting import Amounts, Digesting, Holding
from bot.drawing.digest_posting import DigestPosting
from bot.drawing.posting import Posting
from bot.drawing.request_posting import RequestPosting
from bot.drawing.sending import Sending
from bot.intake import Intake, nobody
from bot.levers import collapsing
from bot.levers.freezing import Freezing
from bot.levers.pausing import Pausing
from bot.levers.staging import SET_STAGE, Staging, staging
from bot.own_digests import OwnDigests
from bot.proposing import ADOPT_RULE, adopting
from bot.shown import Shown
from bot.webhooks import Webhooks, callback_check
from bot.workspaces import abandoned

logger = logging.getLogger(__name__)


async def live(service: Service, parts: api.Parts, role: Role) -> None:
    """Run the loops of one tenant until cancelled; Slack and agents are let in elsewhere."""
    slack = service.slack
    async with asyncio.TaskGroup() as tasks:
        _look_after(service, tasks)
        if role != "worker":
            tasks.create_task(parts.tail.run(), name="events")
        if role == "web":
            tasks.create_task(_follow_policy_silently(service), name="policy")
        else:
            tasks.create_task(_take_letters(service), name="intake")
            tasks.create_task(deadlines(service).run(), name="deadlines")
        if slack is not None:
            tasks.create_task(slack.bulking.run(), name="bulk")
            if slack.bolt is not None:
                tasks.create_task(slack.statistics.run(), name="statistics")
        if slack is None and role != "web":
            tasks.create_task(abandoned.run(service.store), name="giving up")
        if slack is not None and role != "web":
            tasks.create_task(_follow_policy(service, slack), name="policy")
            tasks.create_task(posting(service, slack).run(), name="posting")
            tasks.create_task(digesting(service).run(), name="digests")
            tasks.create_task(_own_digests(service, slack).run(), name="own digests")
            tasks.create_task(Freezing(service.store, service.cards).run(), name="freezing")
            tasks.create_task(_pausing(service, slack).run(), name="pausing")
            tasks.create_task(collapsing.run(service.store), name="collapsing")
            tasks.create_task(daily_threads(service, slack).run(), name="daily threads")
            tasks.create_task(_staging(service, slack).run(), name="staging")
            tasks.create_task(webhooks(service, slack).run(), name="webhooks")
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


async def _take_letters(service: Service) -> None:
    consumer = f"{socket.gethostname()}-{os.getpid()}"
    inboxes = Inboxes(service.redis, service.settings.tenant, consumer)
    stages = Stages(service.redis, service.settings.tenant)
    judge = judge_of(service.settings, service.redis, service.policy_file, stages)
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


def _staging(service: Service, slack: Slack) -> Staging:
    tenant = service.settings.tenant
    deeds = {
        SET_STAGE: staging(Stages(service.redis, tenant)),
        ADOPT_RULE: adopting(ProposalBook(service.redis, tenant), service.policy_file, slack.operators.tell),
    }
    return Staging(service.redis, service.store, deeds, trusted(service))


def daily_threads(service: Service, slack: Slack) -> DailyThreads:
    """What tells channels about the day before."""
    settings, redis = service.settings, service.redis
    book = DailyBook(redis, settings.tenant)
    telling = DailyPosting(book, Sending(slack.client), settings.commands)
    proposing = proposing_of(settings, redis, service.store, service.policy_file)
    return DailyThreads(
        lambda: service.policy, service.store, book, slack.channels, telling, proposing.proposals
    )


def _pausing(service: Service, slack: Slack) -> Pausing:
    freezing = Freezing(service.store, service.cards)
    return Pausing(lambda: service.policy, service.store, freezing, slack.operators)


def posting(service: Service, slack: Slack) -> Posting:
    """What makes messages equal to Redis."""
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


def webhooks(service: Service, slack: Slack) -> Webhooks:
    """What calls agents back."""
    redis, tenant = service.redis, service.settings.tenant
    callbacks, signing = Callbacks(redis, tenant), CallbackSecrets(redis, tenant)
    return Webhooks(service.store, callbacks, signing, service.settings.callbacks, slack.operators.tell)


def deadlines(service: Service) -> Deadlines:
    """What lets time have its say."""
    return Deadlines(service.store, Shown(service.cards, service.digests))


def digesting(service: Service) -> Digesting:
    """What gathers requests into digests."""
    return Digesting(lambda: service.policy, service.store, service.digests, _amounts(service))


def _own_digests(service: Service, slack: Slack) -> OwnDigests:
    book = PreferenceBook(service.redis, service.settings.tenant)
    return OwnDigests(slack.desk, service.digests, book, slack.people, slack.channels)


def _amounts(service: Service) -> Amounts:
    return Amounts(lambda: service.policy, service.settings.environment)
