"""The numbers of a span of time in words: a sentence, lists by tool and by person, and who seems to stamp."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from approvals.durations import tell_duration
from approvals.stats import EVERYTHING, Counts, Finding, Only, PersonTally, Tally, rubber_stamps
from blocks.pieces import Block, Card, Line, Strong, aside, header, line_text, notice, rich, section
from blocks.replies import Commands
from blocks.text import escape, name, one_line

LISTED = 6  # tools, and people
STAMPS = 3  # people of whom it is said at once
TOOL_CHARS = 40
TYPED_CHARS = 40
_ONE = {"1 day": "day", "1 h": "hour", "1 min": "minute"}

# -- the sentences ------------------------------------------------------------------------------------


def sentence(tally: Tally, when: str) -> str:
    """All of it in a breath; `when` begins it, as "Yesterday" or "In the last 30 days"."""
    counts = tally.counts
    told = [f"{when} people were asked {_times(counts.asked)}, and {_calls(counts.let_through)} ran by rule."]
    if not counts.asked:
        told = [f"{when} nobody was asked anything, and {_calls(counts.let_through)} ran by rule."]
    if ended := _ended(counts):
        told.append(f"{ended[0].upper()}{ended[1:]}.")
    if tally.seconds:
        told.append(f"{pace(tally)}.")
    return " ".join(told)


def pace(tally: Tally) -> str:
    """How long people took, where there is anything to say."""
    half, most = tally.p50_s, tally.p90_s
    if half is None or most is None:
        return "Nobody decided anything"
    if len(tally.seconds) == 1:
        return f"Decided within {span(half)}"
    if span(half) == span(most):
        return f"9 of 10 decided within {span(most)}"
    return f"Half decided within {span(half)}, 9 of 10 within {span(most)}"


def _ended(counts: Counts) -> str:
    every = (
        (counts.approved, "approved as asked"),
        (counts.edited, "edited"),
        (counts.rejected, "rejected"),
        (counts.answered, "answered"),
        (counts.overridden, "let through past the normal path"),
        (counts.by_default, "let through because nobody objected"),
        (counts.expired, "expired"),
        (counts.cancelled, "cancelled"),
        (counts.undeliverable, "could be shown to nobody"),
        (counts.denied, "denied by rule"),
        (counts.confirmed, "found right afterwards"),
        (counts.flagged, "flagged afterwards"),
        (counts.undone, "undone"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in every if count)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _calls(count: int) -> str:
    return "no call" if count == 0 else "1 call" if count == 1 else f"{count:,} calls"


def span(seconds: float) -> str:
    """Rounded up, so that what happened within it did."""
    return tell_duration(ceil(seconds) or 1 if seconds < 60 else 60 * ceil(seconds / 60))


# -- the answer ---------------------------------------------------------------------------------------


def stats_blocks(tally: Tally, when: str, only: Only = EVERYTHING) -> list[Block]:
    """The numbers, then who seems to stamp: for whoever asks, and not in front of a channel."""
    return [*numbers_blocks(tally, when, only), *stamp_blocks(rubber_stamps(tally))]


def numbers_blocks(tally: Tally, when: str, only: Only = EVERYTHING) -> list[Block]:
    """The sentence, then the busiest tools and the people who decided most."""
    blocks = [notice(opening(tally, when, only))]
    if tally.tools:
        blocks.append(_list("By tool", [_tool(*each) for each in tally.tools.items()]))
    if tally.people:
        blocks.append(_list("By person", [_person(each) for each in tally.people]))
    return blocks


def stats_text(tally: Tally, when: str, only: Only = EVERYTHING) -> str:
    """What `stats_blocks` shows, for who is shown no blocks, in mrkdwn."""
    stamps = [line_text(_stamp(each)) for each in rubber_stamps(tally)[:STAMPS]]
    return "\n".join([numbers_text(tally, when, only), *stamps])


def numbers_text(tally: Tally, when: str, only: Only = EVERYTHING) -> str:
    """What `numbers_blocks` shows, likewise."""
    lines: list[Line] = [(opening(tally, when, only),)]
    lines += [_tool(*each) for each in list(tally.tools.items())[:LISTED]]
    lines += [_person(each) for each in tally.people[:LISTED]]
    return "\n".join(map(line_text, lines))


def stats_card(tally: Tally, when: str, only: Only, *, has_picture: bool) -> Card:
    """The answer to `/approvals stats`."""
    title = heading(tally, when, only)
    blocks = [header(title), *stats_blocks(tally, when, only)]
    text = f"{escape(title)}\n{stats_text(tally, when, only)}"
    if has_picture:
        told = "The picture is in your messages with this app."
        blocks, text = [*blocks, aside(told)], f"{text}\n{told}"
    return Card(text, blocks)


def heading(tally: Tally, when: str, only: Only) -> str:
    """What an answer, or a picture, is about."""
    if only.person is not None and tally.people:
        return f"{name(tally.people[0].name)} {when[0].lower()}{when[1:]}"
    return f"{when}{_narrowed(only)}"


def last(span_s: int) -> str:
    """The span before now, as a sentence begins with it."""
    told = tell_duration(span_s)
    return f"In the last {_ONE.get(told, told)}"


def opening(tally: Tally, when: str, only: Only) -> str:
    """The sentence. One person asks nothing of people, so theirs tells their own decisions."""
    if only.person is None or not tally.people:
        return sentence(tally, when)
    return f"{when} {name(tally.people[0].name)} decided {_times(tally.people[0].decisions)}. {pace(tally)}."


def stamp_blocks(found: Sequence[Finding]) -> list[Block]:
    """What is said, kindly, of people whose decisions look as if the calls were not read."""
    if not found:
        return []
    lines = [_stamp(each) for each in found[:STAMPS]]
    return [rich(section((Strong("Is a person needed here?"),), *lines)), aside(*_WHAT_TO_RAISE)]


def stamp_words(found: Finding) -> str:
    """One of them in plain words."""
    who, told = _stamp(found)
    return f"{who.text}{told}"


def _stamp(found: Finding) -> tuple[Strong, str]:
    said, count = ("yes", found.yes) if found.yes >= found.no else ("no", found.no)
    quick = "" if found.median_s is None else f", half of them within {span(found.median_s)} of being asked"
    who = name(found.name)
    return (Strong(who), f": {count:,} of {found.decisions:,} decisions were {said}{quick}.")


_WHAT_TO_RAISE = (
    "Calls that always end the same way may not need a person: let a rule decide them. Those that do may "
    "need a second one (quorum = 2), or a stricter rule. It says nothing of anybody's care.",
)


def _narrowed(only: Only) -> str:
    if only.tool is not None:
        return f", tool {one_line(only.tool, TOOL_CHARS)}"
    if only.agent is not None:
        return f", agent {name(only.agent)}"
    return ""


def _list(title: str, lines: Sequence[Line]) -> Block:
    more: list[Line] = [(f"… and {len(lines) - LISTED:,} more",)] if len(lines) > LISTED else []
    return rich(section((Strong(title),), *lines[:LISTED], *more))


def _tool(tool: str, counts: Counts) -> Line:
    asked = f"asked {_times(counts.asked)}" if counts.asked else ""
    ran = f"{counts.let_through:,} by rule" if counts.let_through else ""
    told = ", ".join(part for part in (asked, ran, _ended(counts)) if part) or "nothing ended"
    return (f"{one_line(tool, TOOL_CHARS)}: {told}",)


def _person(person: PersonTally) -> Line:
    every = (
        (person.approved, "approved"),
        (person.edited, "edited"),
        (person.rejected, "rejected"),
        (person.answered, "answered"),
        (person.sent_back, "sent back"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in every if count)
    half = "" if person.median_s is None else f"; half within {span(person.median_s)}"
    return (f"{name(person.name)}: {told}{half}",)


# -- what else is said --------------------------------------------------------------------------------


def usage(commands: Commands) -> str:
    slash = f"/{commands.approvals} stats"
    return (
        f"Type `{slash} 30d`, and `tool NAME`, `agent NAME` or `person @name` after it if you like. "
        "The span is written as `12h`, `7d` or `4w`, a year at most."
    )


def no_span(typed: str, commands: Commands) -> str:
    return f"“{escape(one_line(typed, TYPED_CHARS))}” is no span of time. {usage(commands)}"


def no_person(typed: str, commands: Commands) -> str:
    told = escape(one_line(typed, TYPED_CHARS)) or "Nobody"
    return f"“{told}” is nobody in this workspace. Type `/{commands.approvals} stats 30d person @name`."


def nothing(when: str, only: Only) -> str:
    told = escape(f"{when[0].lower()}{when[1:]}{_narrowed(only)}")
    return f"The log holds nothing {told}. Try a longer span, such as `90d`."


def counting(when: str) -> str:
    return f"Counting what happened {when[0].lower()}{when[1:]} …"


MEMBERS_ONLY = "Numbers are for members of this workspace; ask one of them to look."
BUSY = "Several counts are under way already. Ask again in a minute."
AWAY = "The log can't be read at this moment, so nothing was counted. Ask again in a minute."
