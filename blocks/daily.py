"""The daily thread: what a channel is told in the morning of the day before, and what it is to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from approvals.model import Request
from approvals.stats import Tally
from blocks.pieces import Block, Card, Line, Moment, aside, header, line_text, plain, rich, section
from blocks.replies import Commands
from blocks.reviews import review_rows, review_text
from blocks.stats import numbers_blocks, numbers_text
from blocks.text import MESSAGE_CHARS, json_size

ROWS = 10  # of one message
SPARE_CHARS = 1500  # of JSON, for what is around the rows, and for what becomes of them
ALT_TEXT_CHARS = 2000  # reference/block-kit/blocks/image-block
WEEK_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for people in a channel."""

    count: int = 0
    oldest: datetime | None = None  # when it was asked
    deadline: datetime | None = None  # the first

    def and_(self, asked: datetime, deadline: datetime | None) -> Waiting:
        """With one request more."""
        deadlines = [each for each in (self.deadline, deadline) if each is not None]
        return Waiting(
            count=self.count + 1,
            oldest=min(self.oldest or asked, asked),
            deadline=min(deadlines, default=None),
        )


NOTHING_WAITS = Waiting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An upload that a message shows."""

    file: str
    alt: str


def since_when(since: datetime, until: datetime, tz: str) -> str:
    """How a sentence begins that tells of this span to people in a time zone."""
    start, end = since.astimezone(ZoneInfo(tz)), until.astimezone(ZoneInfo(tz))
    days = (end.date() - start.date()).days
    if days <= 1:
        day = "yesterday" if days == 1 else "today"
    else:
        day = f"{start:%A}" if days < WEEK_DAYS else f"{start.day} {start:%B}"
    return f"Since {day} {start:%H:%M}"


def head(
    tally: Tally,
    when: str,
    waiting: Waiting,
    *,
    now: datetime,
    up_for_a_look: int,
    picture: Picture | None,
    commands: Commands,
) -> Card:
    """The message that begins the thread. It calls nobody."""
    sentence, *lists = numbers_blocks(tally, when)
    lines = [_waiting(waiting, now), *([_to_look_at(up_for_a_look)] if up_for_a_look else [])]
    hint = (
        f"/{commands.approvals} opens your queue; /{commands.approvals} stats tells the numbers of any span."
    )
    blocks = [sentence, *([_image(picture)] if picture else []), *lists, rich(section(*lines)), aside(hint)]
    return Card("\n".join([numbers_text(tally, when), *map(line_text, lines)]), blocks)


def _image(picture: Picture) -> Block:
    return {
        "type": "image",
        "slack_file": {"id": picture.file},
        "alt_text": plain(picture.alt, ALT_TEXT_CHARS)["text"],
    }


def _waiting(waiting: Waiting, now: datetime) -> Line:
    if waiting.oldest is None:
        return ("Nothing waits here now.",)
    count = "1 request waits" if waiting.count == 1 else f"{waiting.count:,} requests wait"
    oldest: Line = (f"{count} here now, the oldest since ", Moment(waiting.oldest, now))
    if waiting.deadline is None:
        return (*oldest, ".")
    return (*oldest, ", the first deadline ", Moment(waiting.deadline, now), ".")


def _to_look_at(count: int) -> Line:
    calls = (
        "1 call ran without asking and is" if count == 1 else f"{count:,} calls ran without asking and are"
    )
    return (f"{calls} up for a look, in the thread.",)


def reply(
    requests: Sequence[Request], *, now: datetime, is_old: bool, left_out: int, commands: Commands
) -> Card:
    """Calls that ran without asking; each row turns into what people made of it."""
    title = "Still to be looked at, from before" if is_old else "Ran without asking: please have a look"
    blocks, text = [header(title)], [f"{title}:", *map(review_text, requests)]
    for request in requests:
        blocks += [*([_RULE] if len(blocks) > 1 else []), *review_rows([request], now)]
    if left_out:
        more = f"… and {left_out:,} more: /{commands.approvals} reviews lists them."
        blocks, text = [*blocks, aside(more)], [*text, more]
    return Card("\n".join(text), blocks)


_RULE: Block = {"type": "divider"}


def pages(requests: Sequence[Request], now: datetime) -> list[tuple[Request, ...]]:
    """These requests as messages can hold them."""
    found: list[list[Request]] = []
    room = 0
    for request in requests:
        size = json_size([_RULE, *review_rows([request], now)]) + json_size(review_text(request))
        if not found or len(found[-1]) == ROWS or size > room:
            found.append([])
            room = MESSAGE_CHARS - SPARE_CHARS
        found[-1].append(request)
        room -= size
    return [tuple(page) for page in found]
