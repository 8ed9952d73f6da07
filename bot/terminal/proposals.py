"""`countersign policy suggest` and `accepted`: rules for what people keep approving, and those accepted."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from approvals.audit import rfc3339
from approvals.errors import ApprovalsError
from approvals.policy import PolicyFaults
from approvals.proposal_book import Accepted, ProposalBook
from approvals.stages import Stages
from approvals.store import Store
from approvals.trust import LEAST, Proposal
from blocks.proposals import evidence, summary
from blocks.text import one_line
from bot import settings
from bot.durability import redis_of
from bot.policy_file import CannotRead, PolicyFile
from bot.proposing import Proposing

FINE, NO, USAGE, UNAVAILABLE = 0, 1, 2, 3
COMMENT_CHARS = 300

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(verbs: Subparsers) -> None:
    """Add both to `countersign policy`."""
    suggest = verbs.add_parser(
        "suggest",
        help="propose rules for what people keep approving",
        description=(
            "Propose an exact rule for each kind of call that people approved unchanged many times running,"
            " with what it would have changed. Nothing is put in force, and nobody is told."
        ),
        epilog=(
            "Needs REDIS_URL, and APPROVALS_POLICY for the diff."
            " Exit codes: 0 done, 1 the policy file can't be used, 2 usage, 3 unavailable."
        ),
    )
    suggest.add_argument("--least", type=_count, default=LEAST, help=f"approvals running ({LEAST})")
    suggest.add_argument("--json", action="store_true", help="for scripts")
    suggest.set_defaults(run=lambda arguments: _run(arguments, _suggest))
    accepted = verbs.add_parser(
        "accepted",
        help="print the rules that owners accepted in Slack",
        description="Print the rules that the policy's owners accepted and the file lacks, for pasting.",
        epilog="Needs REDIS_URL (and APPROVALS_TENANT). Example: countersign policy accepted",
    )
    accepted.set_defaults(run=lambda arguments: _run(arguments, _accepted))


def _count(typed: str) -> int:
    if not typed.isdecimal() or int(typed) < 1:
        raise argparse.ArgumentTypeError(f"{typed!r} is no number from 1 on")
    return int(typed)


async def _suggest(proposing: Proposing, arguments: argparse.Namespace) -> None:
    found = await proposing.proposals()
    if arguments.json:
        _out(json.dumps([_as_json(each) for each in found], ensure_ascii=False))
        return
    for each in found:
        _out(f"{summary(each)}\n{evidence(each)}\nIt goes {each.place}:\n")
        _out(f"{each.rule if each.diff is None else each.diff}\n")
    if not found:
        _out(f"There is no rule to suggest: nothing was approved unchanged {arguments.least} times running.")


def _as_json(each: Proposal) -> dict[str, object]:
    candidate = each.candidate
    return {
        "name": each.name,
        "agent": candidate.agent,
        "tool": candidate.tool,
        "asked_by": candidate.rule,
        "approved": len(candidate.requests),
        "saved": each.saved,
        "days": each.days,
        "any": list(candidate.open),
        "rule": each.rule,
        "place": each.place,
        "diff": each.diff,
    }


async def _accepted(proposing: Proposing, _: argparse.Namespace) -> None:
    there = {rule.name for rule in proposing.policy_file.current.rules}
    waiting = [each for each in (await proposing.book.all()).accepted if each.name not in there]
    _out("\n".join(map(as_toml, waiting)) or "# No accepted rule is missing from the policy file.")


def as_toml(accepted: Accepted) -> str:
    """A rule for the policy file, under a comment that says where it goes and who wanted it."""
    told = (
        f"accepted by {accepted.by.name}, {rfc3339(accepted.at)}, {accepted.request}; goes {accepted.place}"
    )
    return f"# {one_line(told, COMMENT_CHARS)}\n{accepted.rule}"


def _run(
    arguments: argparse.Namespace, command: Callable[[Proposing, argparse.Namespace], Awaitable[None]]
) -> int:
    async def run(ground: settings.Settings) -> None:
        redis = redis_of(ground)
        try:
            proposing = Proposing(
                store=Store(redis, ground.tenant),
                book=ProposalBook(redis, ground.tenant),
                policy_file=PolicyFile(Path(ground.policy_path) if ground.policy_path else None),
                stages=Stages(redis, ground.tenant),
                channel=ground.channel,
                environment=ground.environment,
                least=getattr(arguments, "least", LEAST),
            )
            await command(proposing, arguments)
        finally:
            await redis.aclose()

    try:
        asyncio.run(run(settings.read(os.environ, needs="redis")))
    except settings.SettingsFault as fault:
        return _fail(str(fault), USAGE)
    except (PolicyFaults, CannotRead) as error:
        return _fail(str(error), NO)
    except ApprovalsError as error:
        return _fail(str(error), UNAVAILABLE)
    return FINE


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code
