"""`countersign stats`: the numbers of a span of the log, for people, for scripts, and as a picture."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from approvals.audit import rfc3339
from approvals.cli import FINE, UNAVAILABLE, USAGE, printable
from approvals.durations import parse_duration
from approvals.errors import ApprovalsError
from approvals.model import Json, PersonId
from approvals.stats import Counts, Only, PersonTally, Tally, rubber_stamps
from approvals.store import Store
from blocks import stats as words
from bot import settings
from bot.columns import show_table
from bot.daily import pictures, statistics
from bot.durability import redis_of

LISTED = 20  # tools, and people; --json has all
COLUMNS = ("asked", "let_through", "approved", "edited", "rejected", "expired", "denied")

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Subparsers) -> None:
    """Add `stats` to `countersign`."""
    parser = commands.add_parser(
        "stats",
        help="tell how many were asked about, what became of them, and who decided how fast",
        description=(
            "Count what the audit log holds of a span of time: what was asked and what ran by rule, what"
            " people said and how fast, by tool and by person, and who seems to approve without reading."
        ),
        epilog=(
            "Needs REDIS_URL (and APPROVALS_TENANT). Exit codes: 0 done, 2 usage, 3 unavailable."
            " Example: countersign stats --since 7d --picture week.png"
        ),
    )
    parser.add_argument(
        "--since", default="30d", metavar="SPAN", help="how far back, such as 12h or 7d (30d)"
    )
    parser.add_argument("--tool", metavar="NAME", help="count this tool alone")
    parser.add_argument("--agent", metavar="NAME", help="count this agent's requests alone")
    parser.add_argument("--person", metavar="U…", help="count what this person did alone, by their Slack id")
    parser.add_argument("--picture", metavar="FILE", help="also write a picture (PNG) there")
    parser.add_argument("--dark", action="store_true", help="draw it on a dark card")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        span_s = parse_duration(arguments.since)
        if span_s is None:
            return _fail("--since never is no span; a year is the longest (52w)", USAGE)
        only = Only(
            tool=arguments.tool,
            agent=arguments.agent,
            person=PersonId(arguments.person) if arguments.person else None,
        )
        tally = asyncio.run(_counted(settings.read(os.environ, needs="redis"), span_s, only))
        if arguments.picture:
            title = words.heading(tally, words.last(span_s), only)
            picture = pictures.daily_picture(tally, title=title, dark=arguments.dark)
            Path(arguments.picture).write_bytes(picture)
    except ApprovalsError as error:
        return _fail(str(error), USAGE if isinstance(error, settings.SettingsFault) else UNAVAILABLE)
    except (ValueError, OSError) as error:
        return _fail(str(error), USAGE)
    if arguments.json:
        _out(json.dumps(as_json(tally), ensure_ascii=False))
    else:
        show(tally, words.last(span_s), only)
    return FINE


async def _counted(ground: settings.Settings, span_s: int, only: Only) -> Tally:
    redis = redis_of(ground)
    try:
        store = Store(redis, ground.tenant)
        now = await store.now()
        return await statistics.of(store, now - timedelta(seconds=span_s), now, only)
    finally:
        await redis.aclose()


def show(tally: Tally, when: str, only: Only) -> None:
    """Print it for people."""
    if tally.is_empty:
        _out(f"The log holds nothing {when[0].lower()}{when[1:]}.")
        return
    _out(words.opening(tally, when, only))
    if tally.tools:
        _out("")
        rows = [[name, *_numbers(counts)] for name, counts in list(tally.tools.items())[:LISTED]]
        show_table(["tool", *(name.replace("let_through", "by rule") for name in COLUMNS)], rows)
    if tally.people:
        _out("")
        head = ["person", "decisions", "approved", "edited", "rejected", "half within"]
        show_table(head, [_row(each) for each in tally.people[:LISTED]])
    for found in rubber_stamps(tally):
        _out(f"\n{words.stamp_words(found)}")


def _numbers(counts: Counts) -> list[str]:
    return [f"{getattr(counts, name):,}" for name in COLUMNS]


def _row(person: PersonTally) -> list[str]:
    half = "" if person.median_s is None else words.span(person.median_s)
    numbers = (person.decisions, person.approved, person.edited, person.rejected)
    return [person.name, *(f"{number:,}" for number in numbers), half]


def as_json(tally: Tally) -> dict[str, Json]:
    """All of it, for scripts."""
    return {
        "since": rfc3339(tally.since),
        "until": rfc3339(tally.until),
        "counts": asdict(tally.counts),
        "seconds_to_decide": {"p50": tally.p50_s, "p90": tally.p90_s},
        "tools": _every(tally.tools),
        "agents": _every(tally.agents),
        "people": [_person(each) for each in tally.people],
        "rubber_stamps": [asdict(each) for each in rubber_stamps(tally)],
    }


def _every(named: Mapping[str, Counts]) -> dict[str, Json]:
    return {name: asdict(counts) for name, counts in named.items()}


def _person(person: PersonTally) -> dict[str, Json]:
    said = {name: value for name, value in asdict(person).items() if not name.endswith("seconds")}
    return {**said, "decisions": person.decisions, "median_s": person.median_s}


def _out(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"countersign: {printable(text)}\n")
    return code
