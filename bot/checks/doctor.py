"""`countersign doctor`: what is wrong with Redis, Slack, the policy and the house, and what to do."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from typing import TypeAlias

import aiohttp
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from approvals.absences import Absences
from approvals.approver_keys import ApproverKeys
from approvals.cli import FINE, NO, UNAVAILABLE, USAGE, printable
from approvals.errors import Unavailable
from approvals.model import PersonId
from bot import settings, vault
from bot.checks.findings import Finding, fault, unknown
from bot.checks.house_checks import of_assurance, of_house, of_policy
from bot.checks.redis_checks import of_redis
from bot.checks.slack_checks import SlackAway, of_slack
from bot.columns import show_table
from bot.durability import redis_of

SLACK_CALL_S = 10.0
NO_ANSWER = ("Redis", "Slack")  # the checks that say so

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Subparsers) -> None:
    """Add the command to `countersign`."""
    parser = commands.add_parser(
        "doctor",
        help="check Redis, Slack and the policy, and say what to mend",
        description=(
            "Check what the service stands on: how durable Redis is, what is known of its version, who may do"
            " what there, the clocks, the app's scopes and channels in Slack, whether each rule of the policy"
            " reaches enough people, what waits to be shown, and whether the log and its counter agree."
            " Nothing is changed."
        ),
        epilog=(
            "Reads the same environment as the service. Exit codes: 0 no faults (there may be warnings),"
            " 1 faults, 2 usage, 3 Redis or Slack does not answer."
        ),
    )
    parser.add_argument("--json", action="store_true", help="for scripts: one JSON array")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        read = settings.read(os.environ, needs="redis")
    except settings.SettingsFault as wrong:
        sys.stderr.write(f"countersign: {printable(str(wrong))}\n")
        return USAGE
    findings = asyncio.run(examined(read))
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False) + "\n")
    else:
        show_table(["", "check", "found", "what to do"], [_row(finding) for finding in findings])
    return _code(findings)


async def examined(read: settings.Settings) -> list[Finding]:
    """Every check that can be made; what is away is told, and hides only what needs it."""
    redis = redis_of(read)
    async with redis, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SLACK_CALL_S)) as session:
        try:
            findings = [*await of_redis(redis, read), *await of_house(redis, read.tenant)]
            absences, holders = Absences(redis, read.tenant), await _holders(redis, read)
        except Unavailable as away:
            findings = [fault("Redis", str(away), "start it, or mend REDIS_URL")]
            absences, holders = None, None
        about_policy, policy = of_policy(read)
        findings += [about_policy, *(of_assurance(read, policy) if policy else [])]
        if read.bot_token is None:
            return [*findings, unknown("the app", "SLACK_BOT_TOKEN is not set", "set it to check Slack too")]
        client = AsyncWebClient(
            token=read.bot_token, base_url=read.slack_api_url, session=session, retry_handlers=[]
        )
        try:
            return findings + await of_slack(client, read, policy, absences, holders)
        except SlackAway as away:
            mend = "look at SLACK_BOT_TOKEN and SLACK_API_URL, and at status.slack.com"
            return [*findings, fault("Slack", str(away), mend)]


async def _holders(redis: Redis, read: settings.Settings) -> frozenset[PersonId] | None:
    """Who has a key to sign with; None: it takes the service's secret, and that is not here."""
    try:
        sealed = vault.found(read.secret, read.secret_file, read.state)
    except vault.SecretFault:
        return None
    if sealed is None:
        return None
    every = (await ApproverKeys(redis, read.tenant, sealed).all()).items()
    return frozenset(person for person, theirs in every if any(each.kind == "ssh" for each in theirs))


def _code(findings: list[Finding]) -> int:
    faults = {finding.check for finding in findings if finding.level == "fault"}
    if faults & set(NO_ANSWER):
        return UNAVAILABLE
    return NO if faults else FINE


def _row(finding: Finding) -> list[str]:
    return [finding.level, finding.check, finding.found, finding.mend]
