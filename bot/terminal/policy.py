"""`countersign policy …`: whether a file is sound, what it says of a call, and what it would have changed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from approvals.durations import parse_duration, tell_duration
from approvals.errors import ApprovalsError
from approvals.model import QUESTION_TOOL, AgentName, Args, Kind, Risk
from approvals.policy import Facts, Fault, Policy, PolicyFaults, Stage
from approvals.policy.deciding import Verdict
from approvals.policy.explaining import answer, report, stage_of, walk
from approvals.stages import Stages, as_toml
from approvals.store import Store
from bot import settings
from bot.backtest import Backtest, History, backtest
from bot.durability import redis_of
from bot.policy_file import CannotRead, PolicyFile
from bot.stepping_up import needs
from bot.terminal import proposals as proposal_commands
from bot.terminal.backtest_shown import as_json, show, svg

FINE, NO, USAGE, UNAVAILABLE = 0, 1, 2, 3
NO_REDIS = "redis://nowhere"  # for what never asks it
EVER = datetime.min.replace(tzinfo=UTC)
MARKS = {Verdict.FITS: "✓", Verdict.UNCLEAR: "?"}

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Subparsers) -> None:
    """Add `policy` to `countersign`."""
    parser = commands.add_parser(
        "policy",
        help="check a policy file, and ask what it says of calls",
        description=(
            "Look into a policy file. `backtest`, `stages`, `suggest` and `accepted` need Redis,"
            " and none needs Slack."
        ),
    )
    names = "check|explain|backtest|stages|suggest|accepted"
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=names)
    _check(verbs)
    _explain(verbs)
    _backtest(verbs)
    _stages(verbs)
    proposal_commands.register(verbs)


def _check(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "check",
        help="name every fault of a policy file, with its place and how to mend it",
        description="Name every fault of a policy file, one on each line, with its place and how to mend it.",
        epilog="Exit codes: 0 it is sound, 1 it is not. Example: countersign policy check policy.toml",
    )
    parser.add_argument("file", nargs="?", help="the file; without it, the one that APPROVALS_POLICY names")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=_run_check)


def _explain(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "explain",
        help="walk through the rules for one call",
        description="Walk through the rules for one call: which fit, which don't, why, and what comes out.",
        epilog="""Example: countersign policy explain refund '{"amount": 900}' --at 2026-12-25T10:00+01:00""",
    )
    parser.add_argument("tool", help="the tool; `ask` is a question to people")
    parser.add_argument("args", nargs="?", default="{}", help="its arguments, as a JSON object ({})")
    parser.add_argument("--policy", metavar="FILE", help="the file, instead of what APPROVALS_POLICY names")
    parser.add_argument("--agent", default="agent", help="who asks (agent)")
    parser.add_argument("--risk", choices=list(Risk), help="the risk that the agent sees")
    parser.add_argument("--confidence", type=float, metavar="0…1", help="how sure the agent is")
    parser.add_argument("--tags", default="", help="its tags, with commas between them")
    parser.add_argument("--environment", help="instead of APPROVALS_ENVIRONMENT")
    parser.add_argument("--at", help="when, such as 2026-12-25T10:00:00+01:00 (now)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=_run_explain)


def _stages(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "stages",
        help="tell what tools may do at all",
        description="Tell what tools may do at all: the file's [stages], and what was set from Slack.",
        epilog="Needs REDIS_URL (and APPROVALS_TENANT). Example: countersign policy stages --export",
    )
    parser.add_argument("--export", action="store_true", help="as the [stages] table of a policy file")
    parser.set_defaults(run=_run_stages)


def _run_stages(arguments: argparse.Namespace) -> int:
    try:
        ground = settings.read(os.environ, needs="redis")
        policy = PolicyFile(Path(ground.policy_path) if ground.policy_path else None).current
        stages = {**policy.stages, **asyncio.run(_overlay(ground))}
    except settings.SettingsFault as fault:
        return _fail(str(fault), USAGE)
    except (PolicyFaults, CannotRead) as error:
        return _fail(str(error), NO)
    except ApprovalsError as error:
        return _fail(str(error), UNAVAILABLE)
    if arguments.export:
        _out(as_toml(stages))
    else:
        _out(
            "\n".join(f"{tool}  {stage}" for tool, stage in sorted(stages.items())) or "No tool has a stage."
        )
    return FINE


async def _overlay(ground: settings.Settings) -> Mapping[str, Stage]:
    redis = redis_of(ground)
    try:
        return await Stages(redis, ground.tenant).refresh()
    finally:
        await redis.aclose()


def _backtest(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "backtest",
        help="replay the audit log against a file, before it is put in force",
        description=(
            "Replay the calls of the audit log against a file: what would have been allowed, asked or denied,"
            " beside what people decided in fact. Nothing is changed, and no budget in force is touched."
        ),
        epilog=(
            "Exit codes: 0 done, 1 the file can't be used or the log holds no calls, 2 usage, 3 unavailable."
            " Example: countersign policy backtest new.toml --since 30d --svg asks.svg"
        ),
    )
    parser.add_argument("file", help="the file to try")
    parser.add_argument(
        "--since", default="30d", metavar="SPAN", help="how far back, such as 30d (30d); never: all"
    )
    parser.add_argument("--environment", help="instead of APPROVALS_ENVIRONMENT")
    parser.add_argument("--svg", metavar="PATH", help="also write a picture of the asks a day there")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=_run_backtest)


def _run_backtest(arguments: argparse.Namespace) -> int:
    try:
        span_s = parse_duration(arguments.since)
        policy = PolicyFile(Path(arguments.file)).current
        found = asyncio.run(_replayed(settings.read(os.environ, needs="redis"), policy, span_s, arguments))
        if not found.calls:
            return _fail(f"the audit log holds no calls since {found.since:%Y-%m-%d %H:%M} UTC to replay", NO)
        if arguments.svg:
            Path(arguments.svg).write_text(svg(found), encoding="utf-8")
    except (PolicyFaults, CannotRead) as error:
        return _fail(str(error), NO)
    except ApprovalsError as error:
        return _fail(str(error), USAGE if isinstance(error, settings.SettingsFault) else UNAVAILABLE)
    except (ValueError, OSError) as error:
        return _fail(str(error), USAGE)
    if arguments.json:
        _out(json.dumps(as_json(found), ensure_ascii=False))
    else:
        show(found)
    return FINE


async def _replayed(
    ground: settings.Settings, policy: Policy, span_s: int | None, arguments: argparse.Namespace
) -> Backtest:
    redis = redis_of(ground)
    try:
        store = Store(redis, ground.tenant)
        now = await store.now()
        since = EVER if span_s is None else now - timedelta(seconds=span_s)
        history = History(since, environment=arguments.environment or ground.environment)
        async for entry in store.log():
            history.add(entry)
        cases = list(history.cases(now))
        stages = await Stages(redis, ground.tenant).refresh()
    finally:
        await redis.aclose()
    first = cases[0].at if span_s is None and cases else since
    return backtest(policy, cases, since=first, until=now, channel=ground.channel, stages=stages)


def _run_check(arguments: argparse.Namespace) -> int:
    path = arguments.file or os.environ.get("APPROVALS_POLICY")
    if not path:
        return _fail("Say which file: countersign policy check FILE", USAGE)
    faults: tuple[Fault, ...] = ()
    policy: Policy | None = None
    try:
        policy = PolicyFile(Path(path)).current
    except PolicyFaults as error:
        faults = error.faults
    except CannotRead as error:
        faults = (Fault(place="the file", what=str(error), mend="check its path and its encoding (UTF-8)"),)
    if arguments.json:
        told = [
            {"line": fault.line, "place": fault.place, "what": fault.what, "mend": fault.mend}
            for fault in faults
        ]
        _out(
            json.dumps(
                {
                    "ok": not faults,
                    "version": policy and policy.version,
                    "faults": told,
                    "lacks": policy and _lacks(policy),
                },
                ensure_ascii=False,
            )
        )
    elif policy is not None:
        _out(f"{path} is sound: {len(policy.rules)} rules, version {policy.version}.")
        if why := _lacks(policy):
            _out(f"With this environment the service does not start: {why}.")
    else:
        _out("\n".join(map(str, faults)))
    return NO if faults else FINE


def _lacks(policy: Policy) -> str | None:
    """What this environment lacks for the service to keep it; a file may be checked far from any Redis."""
    try:
        ground = settings.read({"REDIS_URL": NO_REDIS, **os.environ}, needs="redis")
    except settings.SettingsFault:
        return None
    return needs.lacks(ground, policy)


def _run_explain(arguments: argparse.Namespace) -> int:
    try:
        facts = _facts(arguments)
        path = arguments.policy or os.environ.get("APPROVALS_POLICY")
        policy = PolicyFile(Path(path) if path else None).current
    except ValueError as error:
        return _fail(str(error), USAGE)
    except (PolicyFaults, CannotRead) as error:
        return _fail(str(error), NO)
    channel = os.environ.get("SLACK_CHANNEL") or "#approvals"
    if arguments.json:
        _out(json.dumps(report(policy, facts, channel=channel), ensure_ascii=False))
    else:
        _tell(policy, facts, channel)
    return FINE


def _tell(policy: Policy, facts: Facts, channel: str) -> None:
    tags = f", tags {', '.join(facts.tags)}" if facts.tags else ""
    sure = "" if facts.confidence is None else f", confidence {facts.confidence:g}"
    at = facts.now.strftime("%a %Y-%m-%d %H:%M %Z") if facts.now else ""
    _out(f"{facts.agent} calls {facts.tool} {json.dumps(facts.args, ensure_ascii=False)}{sure}{tags}, {at}")
    _out(f"policy {policy.version}\n")
    if stage := stage_of(policy, facts):
        _out(f"  ·  [stages]: {facts.tool} is {stage}")
    steps = list(walk(policy, facts))
    width = max((len(step.rule) for step in steps), default=0)
    for step in steps:
        _out(f"  {MARKS.get(step.verdict, '–')}  {step.rule:<{width}}  {step.told}")
    _out("")
    for line in answer(policy, facts, channel=channel):
        _out(f"→ {line}" if not line.startswith(" ") else line)
    if policy.rate is not None:
        _out(f"  at most {policy.rate.count} asks of one agent in {tell_duration(policy.rate.per_s)}")


def _facts(arguments: argparse.Namespace) -> Facts:
    if arguments.confidence is not None and not 0 <= arguments.confidence <= 1:
        raise ValueError(f"--confidence is {arguments.confidence:g}; use a number from 0 to 1")
    return Facts(
        kind=Kind.QUESTION if arguments.tool == QUESTION_TOOL else Kind.ACTION,
        tool=arguments.tool,
        args=_args(arguments.args),
        agent=AgentName(arguments.agent),
        risk=Risk(arguments.risk) if arguments.risk else None,
        confidence=arguments.confidence,
        tags=tuple(tag.strip() for tag in arguments.tags.split(",") if tag.strip()),
        environment=arguments.environment or os.environ.get("APPROVALS_ENVIRONMENT") or "default",
        now=_at(arguments.at),
    )


def _args(text: str) -> Args:
    try:
        args: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the arguments are no JSON: {error}") from None
    if not isinstance(args, dict):
        raise ValueError("the arguments must be a JSON object, such as '{\"amount\": 900}'")
    return args


def _at(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--at is {text!r}; write it as 2026-12-25T10:00:00+01:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code
