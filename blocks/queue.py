"""What waits for a person, as pages of rows: on the Home tab, narrowed as they like, and in a dialog."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from approvals.digest import may_be_in_all
from approvals.homes import Look
from approvals.model import Request
from blocks import ids
from blocks.action import headline
from blocks.buttons import approve_button, is_open, is_risky
from blocks.pieces import Block, View, actions, aside, button, dialog, header, notice, option, plain, select
from blocks.replies import by_urgency, row
from blocks.rows import row_words
from blocks.status import until
from blocks.text import one_line

PAGE_ROWS = 10
DIALOG_ROWS = 20
CHOICES = 40  # of agents, and of tools, in the filter
NAME_CHARS = 40
EVERYTHING = "all"  # an option's value may not be empty
RISKY = "risk"


def queue_blocks(mine: Sequence[Request], look: Look, now: datetime) -> list[Block]:
    """One page of it, what expires soonest on top; at most 3 rows and 3 blocks for each of PAGE_ROWS."""
    narrowed = [one for one in mine if _fits(one, look.only)]
    shown, only = (narrowed, look.only) if narrowed else (list(mine), "")
    pages = max(1, -(-len(shown) // PAGE_ROWS))
    page = min(look.page, pages - 1)
    count = f"{len(shown):,} of {len(mine):,}" if only else f"{len(mine):,}"
    blocks = [header(f"Waiting for you ({count})" if mine else "Waiting for you")]
    if len(mine) > 1:
        blocks.append(_controls(mine, only, page, pages))
    first = page * PAGE_ROWS
    for one in by_urgency(shown)[first : first + PAGE_ROWS]:
        blocks += queue_row(one, now)
    if not mine:
        blocks.append(notice("Nothing waits for you."))
    if pages > 1:
        blocks.append(aside(f"Page {page + 1:,} of {pages:,}"))
    return blocks


def queue_row(request: Request, now: datetime) -> list[Block]:
    """A request with Approve only where the row shows all of its call, and one click may decide it."""
    words = row_words(request)
    if not (words.is_whole and may_be_in_all(request) and is_open(request, now)):
        return row(request)
    opener = button("Open", ids.OPEN, ids.pack(request), described=f"Open {headline(request)}")
    return [
        {"type": "section", "text": plain(words.text)},
        aside(f"{request.terms.risk} risk · ", *until(request)),
        actions(f"queue|{request.id}|{request.version}", approve_button(request), opener),
    ]


def queue_view(mine: Sequence[Request]) -> View:
    """The beginning of it, as a dialog."""
    shown = by_urgency(mine)[:DIALOG_ROWS]
    blocks = [block for one in shown for block in row(one)] or [notice("Nothing waits for you.")]
    if len(mine) > len(shown):
        blocks.append(aside(f"… and {len(mine) - len(shown):,} more."))
    return dialog("queue", "Waiting for you", blocks, metadata="")


def only_of(value: str) -> str:
    """What was picked in the filter, as a `Look` has it."""
    return "" if value == EVERYTHING else Look.unpacked(Look(only=value).packed).only


def _fits(request: Request, only: str) -> bool:
    match only:
        case "":
            return True
        case "risk":
            return is_risky(request)
        case _:
            return only in (_mark("agent", request.agent), _mark("tool", request.tool))


def _mark(kind: str, name: str) -> str:
    """A name of any length as the short value of an option."""
    return f"{kind}:{hashlib.sha256(name.encode(errors='backslashreplace')).hexdigest()[:12]}"


def _controls(mine: Sequence[Request], only: str, page: int, pages: int) -> Block:
    """What is shown, Back and Next; under an id for each choice, as Slack keeps what was picked."""
    options = _options(mine)
    chosen = next((each for each in options if each["value"] == only), options[0])
    chooser = {**select(ids.HOME_FILTER, "Show", options), "initial_option": chosen}
    back = [button("Back", ids.HOME_BACK, str(page - 1), described="Earlier page")] if page else []
    more = [button("Next", ids.HOME_NEXT, str(page + 1), described="Next page")] if page + 1 < pages else []
    return actions(f"queue|{only}", chooser, *back, *more)


def _options(mine: Sequence[Request]) -> list[Block]:
    risky = sum(map(is_risky, mine))
    agents, tools = Counter(one.agent for one in mine), Counter(one.tool for one in mine)
    return [
        option("Everything", EVERYTHING),
        *([option(f"High risk ({risky:,})", RISKY)] if risky else []),
        *(_option("agent", name, count) for name, count in agents.most_common(CHOICES)),
        *(_option("tool", name, count) for name, count in tools.most_common(CHOICES)),
    ]


def _option(kind: str, name: str, count: int) -> Block:
    return option(f"{kind} {one_line(name, NAME_CHARS)} ({count:,})", _mark(kind, name))
