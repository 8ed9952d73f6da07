"""Text: what hides is shown, what is long is counted, and nothing outgrows Slack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.text import chunks, clip, cut, escape, one_line, reveal, size, spread


@pytest.mark.attack("F80")
@pytest.mark.parametrize(
    ("hidden", "shown", "count"),
    [
        ("c_\u202e42", "c_⟨U+202E⟩42", 1),
        ("pay\u200bpal", "pay⟨U+200B⟩pal", 1),
        ("a" + "\u200b" * 500, "a⟨U+200B ×500⟩", 500),
        ("x\U000e0041", "x⟨U+E0041⟩", 1),
        ("a\rb", "a⟨U+000D⟩b", 1),
        ("a\u2028b", "a⟨U+2028⟩b", 1),
        ("\x1b[31m", "⟨U+001B⟩[31m", 1),
        ("a\u3164b", "a⟨U+3164⟩b", 1),
        ("x\ufe0f", "x⟨U+FE0F⟩", 1),
        ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩", 0),
    ],
)
def test_what_hides_is_shown_by_its_code(hidden: str, shown: str, count: int) -> None:
    assert reveal(hidden) == (shown, count)


@pytest.mark.parametrize(
    "plain", ["Zürich", "עִבְרִית", "👩‍💻 ❤️ 1️⃣ 🏳️‍🌈", "a\tb\nc", "ภาษาไทย", "– “quotes” …", "e\u0301"]
)
def test_ordinary_text_is_left_alone(plain: str) -> None:
    assert reveal(plain) == (plain, 0)


def test_the_newlines_of_windows_are_newlines() -> None:
    assert reveal("a\r\nb") == ("a\nb", 0)


@pytest.mark.attack("F80")
def test_marks_piled_on_a_letter_are_told() -> None:
    shown, count = reveal("z" + "\u0301" * 50)
    assert shown == "z" + "\u0301" * 4 + "⟨U+0301 ×46⟩" and count == 46


@pytest.mark.attack("F82")
def test_floods_of_white_space_are_told_instead_of_shown() -> None:
    assert reveal("a" + " " * 41 + "b")[0] == "a⟨41 spaces⟩b"
    assert reveal("a" + " " * 40 + "b")[0] == "a" + " " * 40 + "b"
    assert reveal("a" + "\n" * 10_001 + "b")[0] == "a\n⟨10,000 blank lines⟩\nb"
    assert reveal("a\n\n\n\nb")[0] == "a\n\n\n\nb"


def test_a_clipped_text_says_how_much_is_missing() -> None:
    assert clip("x" * 100, 50) == "x" * 32 + "… (68 more)"
    assert clip("x" * 50, 50) == "x" * 50
    assert clip("x" * 50, 5) == "xxxx…"


def test_a_spread_text_keeps_its_ends() -> None:
    shown = spread("a" * 500 + "b" * 500, 10, 5)
    assert shown == "aaaaaaaaaa\n⟨… 985 more characters …⟩\nbbbbb"


@pytest.mark.attack("F79")
def test_only_slacks_control_characters_are_escaped() -> None:
    assert escape('<!channel> & `code` "x"') == '&lt;!channel&gt; &amp; `code` "x"'


def test_no_marker_is_cut_in_two() -> None:
    shown = reveal("\u202e" + "x" + "\u202d" * 3)[0]
    for chars in range(1, len(shown)):
        kept = cut(shown, chars)
        assert kept.count("⟨") == kept.count("⟩")


def test_words_in_a_line_stay_in_it() -> None:
    assert one_line(" a\n\n• b\t c ", 50) == "a • b c"


@given(st.text(alphabet="a&<👩⟨⟩\n\u202e", max_size=300), st.integers(1, 80))
def test_nothing_outgrows_its_limit(text: str, chars: int) -> None:
    assert size(clip(text, chars)) <= chars
    assert size(cut(text, chars)) <= chars
    assert text.startswith(cut(text, chars))


@given(st.text(alphabet="a&<👩⟨⟩\n\u202e", max_size=300), st.integers(6, 80))
def test_chunks_are_the_whole_text(text: str, chars: int) -> None:
    parts = chunks(text, chars)
    assert "".join(parts) == text
    assert all(0 < size(part) <= chars for part in parts)
