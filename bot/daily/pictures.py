"""The picture of a span of time: what became of the calls of each tool, and how long people took.

A PNG, since Slack shows no SVG; an opaque card, since it shows the same one on light and dark screens; and as
wide as two phones, so that it is sharp on one. What a colour says, a sign and a number say as well.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from approvals.stats import Counts, Tally
from blocks.stats import pace, sentence
from blocks.text import clip, one_line

if TYPE_CHECKING:  # importing it takes most of a second, which only who draws has to wait
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALT_CHARS = 1000  # https://docs.slack.dev/reference/methods/files.getUploadURLExternal
TOOLS = 6  # bars of their own; the rest share one
TOOL_CHARS, TITLE_CHARS = 80, 60

WIDTH, MARGIN, DPI = 760, 32, 100  # in pixels
TITLE_H, TOOL_H, LEGEND_H, PACE_H, TIMES_H, FOOT_H = 112, 84, 38, 68, 196, 24
BIG, BODY, SMALL = 32, 24, 21  # type, in pixels
NUMBERS_W, GAP = 520, 16  # of the line that a name and its numbers share
WIDE, WIDE_BOLD = 0.6, 0.7  # how wide a letter is, as a part of its height; seldom more
FONT = "DejaVu Sans"  # comes with the library, so that pictures are the same everywhere

# How long people take, and where one stretch ends and the next begins, in seconds.
STRETCHES: tuple[tuple[str, float], ...] = (
    ("10 s", 10), ("1 min", 60), ("5 min", 300), ("30 min", 1800), ("2 h", 7200), ("1 day", 86400),
)  # fmt: skip
BEYOND = "more"

_drawing = threading.Lock()  # the library's fonts are shared, and not made for two threads


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part of a bar. The colours are told apart by people who see few of them (Okabe and Ito's)."""

    word: str
    sign: str
    colour: str
    fields: tuple[str, ...]

    def of(self, counts: Counts) -> int:
        return sum(getattr(counts, each) for each in self.fields)


_PARTS = (
    _Part(word="approved", sign="✓", colour="#0072b2", fields=("approved",)),
    _Part(word="edited", sign="✎", colour="#e69f00", fields=("edited",)),
    _Part(word="rejected", sign="✗", colour="#d55e00", fields=("rejected",)),
    _Part(word="answered", sign="“", colour="#009e73", fields=("answered",)),
    _Part(word="expired", sign="◷", colour="#cc79a7", fields=("expired",)),
    _Part(
        word="ended otherwise", sign="○", colour="#56b4e9",
        fields=("by_default", "overridden", "cancelled", "undeliverable"),
    ),
    _Part(word="denied by rule", sign="⊘", colour="#6b7280", fields=("denied",)),
    _Part(word="ran by rule", sign="»", colour="#a9b1bc", fields=("allowed", "by_grant")),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    card: str
    ink: str
    quiet: str
    bars: str


_LIGHT = _Look(card="#ffffff", ink="#1b1f24", quiet="#525c68", bars="#0072b2")
_DARK = _Look(card="#1a1d21", ink="#eef0f2", quiet="#b3bac2", bars="#56b4e9")


def is_worth_drawing(tally: Tally) -> bool:
    """Whether there is anything to see."""
    return any(map(_total, tally.tools.values()))


async def drawn(tally: Tally, *, title: str, dark: bool = False) -> bytes:
    """The picture, drawn where it holds nobody up."""
    return await asyncio.to_thread(daily_picture, tally, title=title, dark=dark)


def daily_picture(tally: Tally, *, title: str, dark: bool) -> bytes:
    """Draw it as a PNG, on a light card or on a dark one."""
    with _drawing:
        return _drawn(tally, title, _DARK if dark else _LIGHT)


def alt_text(tally: Tally) -> str:
    """What the picture shows, for who can't see it."""
    bars = [f"{name}: {_told(counts)}" for name, counts in _rows(tally.tools)]
    times = [f"{count:,} {_stretch(name)}" for name, count in _stretches(tally.seconds) if count]
    told = [sentence(tally, "In this time"), *([f"By tool: {'; '.join(bars)}."] if bars else [])]
    if times:
        told.append(f"Time to decide: {', '.join(times)}.")
    return clip(" ".join(told), ALT_CHARS)


def _stretch(name: str) -> str:
    return "in a day or more" if name == BEYOND else f"under {name}"


def _told(counts: Counts) -> str:
    return ", ".join(f"{part.of(counts):,} {part.word}" for part in _PARTS if part.of(counts)) or "none ended"


def _rows(tools: Mapping[str, Counts]) -> list[tuple[str, Counts]]:
    """What has a bar: the busiest tools, and all others together."""
    every = [(one_line(name, TOOL_CHARS), counts) for name, counts in tools.items() if _total(counts)]
    if len(every) <= TOOLS + 1:
        return every
    rest = every[TOOLS:]
    together = {
        field: sum(getattr(counts, field) for _, counts in rest) for part in _PARTS for field in part.fields
    }
    return [*every[:TOOLS], (f"{len(rest)} others", Counts(**together))]


def _total(counts: Counts) -> int:
    return sum(part.of(counts) for part in _PARTS)


def _stretches(seconds: Sequence[float]) -> list[tuple[str, int]]:
    counts = [0] * (len(STRETCHES) + 1)
    for each in seconds:
        counts[sum(each >= end for _, end in STRETCHES)] += 1
    return list(zip([*(name for name, _ in STRETCHES), BEYOND], counts, strict=True))


# -- drawing ------------------------------------------------------------------------------------------


def _drawn(tally: Tally, title: str, look: _Look) -> bytes:
    from matplotlib.figure import Figure

    rows = _rows(tally.tools)
    parts = [part for part in _PARTS if any(part.of(counts) for _, counts in rows)]
    legend_h = LEGEND_H * -(-len(parts) // 2)
    times_h = PACE_H + TIMES_H if tally.seconds else 0
    height = TITLE_H + TOOL_H * len(rows) + legend_h + times_h + FOOT_H
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor=look.card)
    told = one_line(title, TITLE_CHARS)
    size = min(BIG, int((WIDTH - 2 * MARGIN) / WIDE_BOLD / max(len(told), 1)))
    _write(figure, MARGIN, 52, told, look.ink, size=size, bold=True)
    _write(figure, MARGIN, 90, _under_title(tally.counts), look.quiet, size=BODY)
    top = TITLE_H
    _draw_tools(figure, top, rows, look)
    top += TOOL_H * len(rows)
    _draw_legend(figure, top, parts, [counts for _, counts in rows], look)
    if tally.seconds:
        _draw_times(figure, top + legend_h, tally, look)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", facecolor=look.card)
    return picture.getvalue()


def _under_title(counts: Counts) -> str:
    if counts.asked or counts.let_through:
        return f"{counts.asked:,} asked · {counts.let_through:,} ran by rule"
    return f"{counts.decided:,} decided"


def _draw_tools(figure: Figure, top: int, rows: Sequence[tuple[str, Counts]], look: _Look) -> None:
    longest = max((_total(counts) for _, counts in rows), default=1)
    for number, (name, counts) in enumerate(rows):
        y = top + TOOL_H * number
        numbers = "  ".join(f"{part.sign} {_brief(part.of(counts))}" for part in _PARTS if part.of(counts))
        size = min(SMALL, int(NUMBERS_W / WIDE / max(len(numbers), 1)))
        room = int((WIDTH - 2 * MARGIN - GAP - len(numbers) * size * WIDE) / BODY / WIDE_BOLD)
        told = name if len(name) <= room else f"{name[: room - 1]}…"
        _write(figure, MARGIN, y + 26, told, look.ink, size=BODY, bold=True)
        _write(figure, WIDTH - MARGIN, y + 26, numbers, look.ink, size=size, right=True)
        axes = _axes(figure, y + 38, 26)
        axes.set_xlim(0, longest)
        left = 0
        for part in _PARTS:
            width = part.of(counts)
            axes.barh(0, width, left=left, height=1, color=part.colour, edgecolor=look.card, linewidth=1.5)
            left += width


def _brief(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count // 1000:,}k" if count < 10_000_000 else f"{count // 1_000_000:,}M"


def _draw_legend(
    figure: Figure, top: int, parts: Sequence[_Part], counts: Sequence[Counts], look: _Look
) -> None:
    for number, part in enumerate(parts):
        x, y = MARGIN + (WIDTH // 2 - MARGIN) * (number % 2), top + 24 + LEGEND_H * (number // 2)
        _write(figure, x, y, "■", part.colour, size=BODY)
        words = f"{part.sign} {part.word} {_brief(sum(map(part.of, counts)))}"
        _write(figure, x + 30, y, words, look.ink, size=SMALL)


def _draw_times(figure: Figure, top: int, tally: Tally, look: _Look) -> None:
    _write(figure, MARGIN, top + 48, pace(tally), look.ink, size=BODY, bold=True)
    stretches = _stretches(tally.seconds)
    axes = _axes(figure, top + PACE_H + 34, TIMES_H - 76)
    axes.set_xlim(-0.5, len(stretches) - 0.5)
    axes.set_ylim(0, max(count for _, count in stretches))
    axes.bar(range(len(stretches)), [count for _, count in stretches], width=0.8, color=look.bars)
    step = (WIDTH - 2 * MARGIN) / len(stretches)
    most = max(count for _, count in stretches)
    for number, (name, count) in enumerate(stretches):
        x = round(MARGIN + step * (number + 0.5))
        bar_h = round((TIMES_H - 76) * count / most)
        above = top + PACE_H + TIMES_H - 42 - bar_h - 8
        _write(figure, x, above, f"{count:,}" if count else "–", look.ink, size=SMALL, middle=True)
        label = name if name == BEYOND else f"<{name}"
        _write(figure, x, top + PACE_H + TIMES_H - 14, label, look.quiet, size=SMALL - 2, middle=True)


def _axes(figure: Figure, top: int, height: int) -> Axes:
    """A place to draw bars in, as wide as the card."""
    whole = round(figure.get_figheight() * DPI)
    left, width = MARGIN / WIDTH, 1 - 2 * MARGIN / WIDTH
    axes = figure.add_axes((left, 1 - (top + height) / whole, width, height / whole))
    axes.set_axis_off()
    return axes


def _write(
    figure: Figure,
    x: int,
    y: int,
    words: str,
    colour: str,
    *,
    size: int,
    bold: bool = False,
    right: bool = False,
    middle: bool = False,
) -> None:
    """Put words on the card, with their foot at `y` from its top. What they hold is never read as markup."""
    whole = round(figure.get_figheight() * DPI)
    figure.text(
        x / WIDTH,
        1 - y / whole,
        _in_font(words),
        color=colour,
        fontsize=size * 72 / DPI,
        family=FONT,
        weight="bold" if bold else "normal",
        horizontalalignment="right" if right else "center" if middle else "left",
        parse_math=False,
    )


def _in_font(words: str) -> str:
    """The words with a box for every letter that the font lacks."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont(FONT)).get_charmap()
    return "".join(letter if ord(letter) in known else "□" for letter in words)
