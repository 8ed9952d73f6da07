"""The picture is small, opaque and legible, and can be read by who can't see it."""

import io
import subprocess
import sys
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from approvals.stats import Counts, Tally
from bot.daily.pictures import (
    ALT_CHARS,
    MARGIN,
    TOOLS,
    WIDTH,
    alt_text,
    daily_picture,
    drawn,
    is_worth_drawing,
)
from tests.blocks.test_stats import a_tally

ROOT = Path(__file__).parents[3]
MANY = {f"tool_{number}": Counts(asked=20 - number, approved=20 - number) for number in range(12)}


def picture_of(tally: Tally, *, dark: bool = False) -> Image.Image:
    return Image.open(io.BytesIO(daily_picture(tally, title="Thursday", dark=dark)))


def brightness(colour: Any) -> float:
    """Relative luminance, by WCAG 2."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in colour[:3])
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_an_opaque_card_on_which_type_stands_out(dark: bool) -> None:
    picture = picture_of(a_tally(), dark=dark).convert("RGBA")
    assert picture.width == WIDTH and picture.getchannel("A").getextrema() == (255, 255)
    corner = picture.getpixel((1, 1))
    title = picture.convert("RGB").crop((30, 20, 400, 60))
    tones = sorted(brightness(colour) for _, colour in title.getcolors(100_000) or [])
    assert (brightness(corner) < 0.5) is dark
    assert (tones[-1] + 0.05) / (tones[0] + 0.05) > 7


def test_busy_tools_have_a_bar_each_and_the_rest_share_one() -> None:
    told = alt_text(a_tally(tools=MANY))
    assert f"tool_{TOOLS - 1}: 15 approved; 6 others: 69 approved." in told
    few, many = picture_of(a_tally(tools=dict(list(MANY.items())[:8]))), picture_of(a_tally(tools=MANY))
    assert few.height == many.height


@pytest.mark.parametrize("name", ["$\\frac{$", "删除", "🗑️ drop", "x" * 500, "a\nb", ""])
def test_whatever_a_tool_is_called_it_is_drawn(name: str) -> None:
    assert picture_of(a_tally(tools={name: Counts(approved=1)})).width == WIDTH


def test_numbers_and_name_share_a_line_without_touching() -> None:
    every = {each.name: 10**7 for each in fields(Counts)}
    tally = a_tally(tools={"x" * 80: Counts(**every)})
    line = picture_of(tally).convert("L").crop((0, 118, WIDTH, 146))
    inked = [line.crop((x, 0, x + 1, line.height)).getextrema()[0] < 128 for x in range(WIDTH)]  # type: ignore[operator]  # of one band
    assert not any(inked[:MARGIN]) and not any(inked[WIDTH - MARGIN + 4 :])
    longest = max(len(list(run)) for is_inked, run in groupby(inked[MARGIN : WIDTH - MARGIN]) if not is_inked)
    assert longest >= 12


def test_a_span_without_decisions_has_no_times() -> None:
    assert picture_of(a_tally(seconds=())).height < picture_of(a_tally()).height
    assert "Time to decide" not in alt_text(a_tally(seconds=()))
    assert not is_worth_drawing(a_tally(tools={"refund": Counts(refused=3)}))


def test_alt_text_says_what_is_to_be_seen() -> None:
    told = alt_text(a_tally())
    assert "people were asked 48 times, and 210 calls ran by rule" in told
    assert "By tool: refund: 39 approved, 4 edited, 3 rejected, 2 expired." in told
    assert told.endswith("Time to decide: 1 under 1 min, 1 under 5 min, 1 under 30 min.")
    assert alt_text(a_tally(seconds=(10.0**6,))).endswith("Time to decide: 1 in a day or more.")
    assert (
        len(alt_text(a_tally(tools={"x" * 500 + str(each): MANY["tool_1"] for each in range(20)})))
        <= ALT_CHARS
    )


async def test_two_are_drawn_at_once() -> None:
    first = await drawn(a_tally(), title="Thursday")
    assert first == await drawn(a_tally(), title="Thursday")


def test_the_service_starts_without_loading_what_draws() -> None:
    program = "import sys; import bot.app; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=50)
