"""What text may be in Slack: its limits, and how nothing in it stays hidden.

What stands in ⟨ ⟩ is ours: `reveal` spells out that bracket where others use it, so no marker can be faked.
"""

from __future__ import annotations

import json
import re

# Limits of Block Kit, from the reference pages of docs.slack.dev and slack_sdk.models, in characters.
HEADER_CHARS = 150  # reference/block-kit/blocks/header-block
SECTION_CHARS = 3000  # reference/block-kit/blocks/section-block
TEXT_OBJECT_CHARS = 3000  # reference/block-kit/composition-objects/text-object
BUTTON_CHARS = 75  # reference/block-kit/block-elements/button-element
BUTTON_VALUE_CHARS = 2000
CONFIRM_TITLE_CHARS = 100  # reference/block-kit/composition-objects/confirmation-dialog-object
CONFIRM_TEXT_CHARS = 300
CONFIRM_BUTTON_CHARS = 30
OPTION_CHARS = 75  # reference/block-kit/composition-objects/option-object: of text, description and value
LABEL_CHARS = 2000  # reference/block-kit/blocks/input-block: of label and hint
INPUT_CHARS = 3000  # reference/block-kit/block-elements/plain-text-input-element
PLACEHOLDER_CHARS = 150
TITLE_CHARS = 24  # reference/views: of title, submit and close
MESSAGE_TEXT_CHARS = 4000  # chat.update says msg_too_long above it
MESSAGE_CHARS = (
    13_000  # of a whole message as JSON: undocumented (msg_blocks_too_long), so we stay well inside
)
VIEW_CHARS = 250_000  # of a whole view as JSON

LITERAL_CHARS = 2800  # ours: of one preformatted block, for which Slack names no limit
NAME_CHARS = 60  # ours: of a name in a sentence
COMBINING_MARKS = 4  # ours: that may stand on one letter, as Hebrew and Thai need
MARKER_CHARS = 40  # ours: that a ⟨marker⟩ may have at most
SPACES = 40  # ours: side by side
BLANK_LINES = 3  # ours: one after the other

_SYMBOL = "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"  # noqa: E501  # one class
_EMOJI_GLUE = (  # what makes one emoji of several signs hides nothing
    rf"(?<={_SYMBOL})\ufe0f(?!\ufe0f)|[0-9#*]\ufe0f\u20e3|(?:(?<={_SYMBOL})|(?<={_SYMBOL}\ufe0f))\u200d(?={_SYMBOL})"
)
_UNSEEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    "\u00ad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800"  # zero width, bidi
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"  # fillers, variation selectors
    "\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # surrogates, tags
)
_COMBINING = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_HIDING = re.compile(
    rf"(?P<glue>{_EMOJI_GLUE})"
    rf"|(?P<unseen>{_UNSEEN})(?P=unseen)*"
    rf"|(?<={_COMBINING}{{{COMBINING_MARKS}}})(?P<mark>{_COMBINING})(?P=mark)*"
    r"|(?P<bracket>⟨)"
)
_SUSPECT = re.compile(f"[⟨{_UNSEEN[1:-1]}{_COMBINING[1:-1]}]")
_MANY_SPACES = re.compile(rf"[^\S\n]{{{SPACES + 1},}}")
_MANY_BLANK_LINES = re.compile(rf"\n(?:[^\S\n]*\n){{{BLANK_LINES + 1},}}")
_SPACE = re.compile(r"\s+")


def escape(text: str) -> str:
    """Take the meaning out of Slack's three control characters, and of nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def size(text: str) -> int:
    """How long Slack may find `text`: escaped, in UTF-16 units, which are never fewer than code points."""
    return units(escape(text))


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def json_size(item: object) -> int:
    """How long something is on its way to Slack."""
    return units(json.dumps(item, ensure_ascii=False))


def clip(text: str, chars: int) -> str:
    """Shorten `text` (not escaped yet) so that it fits even when it is, and say how much was left out."""
    if size(text) <= chars:
        return text
    kept = cut(text, chars - len("… (1,000,000 more)"))
    if not kept:
        return cut(text, chars - 1) + "…"
    return f"{kept}… ({len(text) - len(kept):,} more)"


def cut(text: str, chars: int) -> str:
    """The longest beginning of `text` that fits, which ends in no half of a marker."""
    if chars <= 0:
        return ""
    kept = text[:chars]
    while (excess := size(kept) - chars) > 0:
        kept = kept[
            : len(kept) - (excess + 5) // 6
        ]  # "&" counts 5 and an emoji 2, so this never cuts too much
    opened = kept.rfind("⟨")
    is_in_marker = opened > kept.rfind("⟩") and "⟩" in text[len(kept) : opened + MARKER_CHARS]
    return kept[:opened] if is_in_marker else kept


def spread(text: str, head: int, tail: int) -> str:
    """The beginning and the end of a long text, and between them how much was left out."""
    if size(text) <= head + tail:
        return text
    first, last = cut(text, head), text[max(len(text) - tail, 0) :]
    while size(last) > tail:
        last = last[1 + (size(last) - tail) // 6 :]
    closed = last.find("⟩", 0, MARKER_CHARS)
    if closed >= 0 and "⟨" not in last[:closed]:
        last = last[closed + 1 :]
    return f"{first}\n⟨… {len(text) - len(first) - len(last):,} more characters …⟩\n{last}"


def reveal(text: str) -> tuple[str, int]:
    """Make visible what hides in `text`, and count it; tell floods of white space instead of showing them."""
    text = text.replace("\r\n", "\n")
    hidden = 0

    def show(match: re.Match[str]) -> str:
        nonlocal hidden
        if match["glue"]:
            return match[0]
        if match["bracket"]:
            return "⟨U+27E8⟩"
        hidden += len(match[0])
        times = f" ×{len(match[0]):,}" if len(match[0]) > 1 else ""
        return f"⟨U+{ord(match[0][0]):04X}{times}⟩"

    shown = (
        _HIDING.sub(show, text) if _SUSPECT.search(text) else text
    )  # most texts hide nothing, and that is quick
    shown = _MANY_SPACES.sub(lambda match: f"⟨{len(match[0]):,} spaces⟩", shown)
    return _MANY_BLANK_LINES.sub(_blank_lines, shown), hidden


def _blank_lines(match: re.Match[str]) -> str:
    return f"\n⟨{match[0].count(chr(10)) - 1:,} blank lines⟩\n"


def one_line(text: str, chars: int) -> str:
    """Somebody's words as a part of a line of ours."""
    return clip(_SPACE.sub(" ", reveal(text)[0]).strip(), chars)


def name(text: str) -> str:
    """What somebody is called, in a sentence."""
    return one_line(text, NAME_CHARS) or "someone"


def chunks(text: str, chars: int = LITERAL_CHARS) -> list[str]:
    """Split `text` into parts that fit a block each, at the ends of lines where there are any."""
    parts = []
    while size(text) > chars:
        part = cut(text, chars) or text[0]
        newline = part.rfind("\n")
        end = newline + 1 if newline > len(part) // 2 else len(part)
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text] if text else parts
