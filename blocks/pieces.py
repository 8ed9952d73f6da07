"""The pieces that cards and dialogs are made of, as the dicts that Slack wants.

Other people's words only go into text nodes of rich text and into plain text, where Slack looks for no
markup. The one piece of markup is our own date, which Slack tells in the reader's time zone. A sentence is
made once, as a `Line`, and told twice: as rich text on the card, and in the message's text for screen
readers and notifications.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from blocks import text as texts
from blocks.text import clip, escape

Block: TypeAlias = dict[str, Any]  # what becomes JSON; `check` holds it to Slack's limits
View: TypeAlias = dict[str, Any]

SAME_DAY = timedelta(hours=18)  # a time this near needs no date beside it


@dataclass(frozen=True, slots=True)
class Card:
    """A message: `text` says everything essential, for those to whom nobody shows the blocks."""

    text: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, told by Slack in the reader's time zone; with its date when it is far from `near`."""

    at: datetime
    near: datetime

    @property
    def format(self) -> str:
        return "{time}" if abs(self.at - self.near) < SAME_DAY else "{date_short_pretty} at {time}"

    @property
    def fallback(self) -> str:
        return self.at.strftime("%H:%M UTC" if self.format == "{time}" else "%Y-%m-%d %H:%M UTC")

    @property
    def unix(self) -> int:
        return int(self.at.timestamp())

    @property
    def token(self) -> str:
        return f"<!date^{self.unix}^{self.format}|{self.fallback}>"


@dataclass(frozen=True, slots=True)
class Strong:
    """Words of ours, or a person's name, that stand out."""

    text: str


Part: TypeAlias = "str | Strong | Moment"
Line: TypeAlias = "tuple[Part, ...]"


def line_text(line: Line) -> str:
    """Tell a line in mrkdwn: escaped, with Slack's date tokens."""
    return "".join(part.token if isinstance(part, Moment) else escape(_words(part)) for part in line)


def _words(part: str | Strong) -> str:
    return part if isinstance(part, str) else part.text


# -- rich text ----------------------------------------------------------------------------------------


def rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def section(*lines: Line) -> Block:
    """Lines of ours, one below the other."""
    nodes: list[Block] = []
    for line in lines:
        if nodes:
            nodes.append({"type": "text", "text": "\n"})
        nodes.extend(_node(part) for part in line if part != "")
    return {"type": "rich_text_section", "elements": nodes}


def _node(part: Part) -> Block:
    match part:
        case Moment():
            return {"type": "date", "timestamp": part.unix, "format": part.format, "fallback": part.fallback}
        case Strong():
            return {"type": "text", "text": part.text, "style": {"bold": True}}
        case _:
            return {"type": "text", "text": part}


def quote(words: str) -> Block:
    """Somebody's words (revealed already), marked as such by the bar at their side."""
    return {"type": "rich_text_quote", "elements": [{"type": "text", "text": words or " "}]}


def literal(shown: str) -> Block:
    """What Slack must show letter by letter."""
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown or " "}]}


def literals(shown: str) -> list[Block]:
    """A long literal text, over as many blocks as it needs."""
    return [rich(literal(part)) for part in texts.chunks(shown)]


def words_over(shown: str) -> list[Block]:
    """Somebody's long words, over as many blocks as they need."""
    return [rich(quote(part)) for part in texts.chunks(shown)]


# -- small blocks -------------------------------------------------------------------------------------


def plain(words: str, chars: int = texts.TEXT_OBJECT_CHARS) -> Block:
    return {"type": "plain_text", "text": clip(words, chars) or " ", "emoji": False}


def header(words: str) -> Block:
    return {"type": "header", "text": plain(words, texts.HEADER_CHARS)}


def notice(words: str) -> Block:
    """A sentence that must be seen."""
    return {"type": "section", "text": plain(words)}


def aside(*line: Part) -> Block:
    """A line in small print. Only our dates are markup; all words are plain."""
    elements: list[Block] = []
    words = ""
    for part in (*line, None):
        if isinstance(part, str | Strong):
            words += _words(part)
            continue
        if words.strip():
            elements.append(plain(words.strip()))
        words = ""
        if part is not None:
            elements.append({"type": "mrkdwn", "text": part.token, "verbatim": True})
    return {"type": "context", "elements": elements}


def actions(block_id: str, *elements: Block) -> Block:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def button(
    label: str,
    action_id: str,
    value: str = "",
    *,
    style: Literal["primary", "danger"] | None = None,
    confirm: Block | None = None,
    described: str | None = None,
    url: str | None = None,
) -> Block:
    """`described` is what a screen reader says in place of the label; `url` is opened by a press."""
    made: Block = {
        "type": "button",
        "text": plain(label, texts.BUTTON_CHARS),
        "action_id": action_id,
    }
    if value:
        made["value"] = value
    if url:
        made["url"] = url
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    if described:
        made["accessibility_label"] = clip(described, texts.BUTTON_CHARS)
    return made


def confirm(title: str, words: str, *, yes: str, no: str) -> Block:
    return {
        "title": plain(title, texts.CONFIRM_TITLE_CHARS),
        "text": plain(words, texts.CONFIRM_TEXT_CHARS),
        "confirm": plain(yes, texts.CONFIRM_BUTTON_CHARS),
        "deny": plain(no, texts.CONFIRM_BUTTON_CHARS),
    }


def option(label: str, value: str) -> Block:
    return {"text": plain(label, texts.OPTION_CHARS), "value": value}


def overflow(action_id: str, options: Iterable[Block]) -> Block:
    return {"type": "overflow", "action_id": action_id, "options": list(options)}


def select(action_id: str, placeholder: str, options: Iterable[Block]) -> Block:
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, texts.PLACEHOLDER_CHARS),
        "options": list(options),
    }


def asked(
    block_id: str, label: str, element: Block, *, hint: str | None = None, optional: bool = False
) -> Block:
    """A field of a dialog; its action id is its block's id."""
    made: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, texts.LABEL_CHARS),
        "element": {**element, "action_id": block_id},
        "optional": optional,
    }
    if hint:
        made["hint"] = plain(hint, texts.LABEL_CHARS)
    return made


def writing(*, lines: bool = False, chars: int = texts.INPUT_CHARS, initial: str | None = None) -> Block:
    """A field to write in."""
    made: Block = {"type": "plain_text_input", "multiline": lines, "max_length": chars}
    return made if initial is None else {**made, "initial_value": initial}


def dialog(
    callback_id: str, title: str, blocks: Sequence[Block], *, metadata: str, submit: str | None = None
) -> View:
    made: View = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, texts.TITLE_CHARS),
        "close": plain("Close" if submit is None else "Cancel", texts.TITLE_CHARS),
        "blocks": list(blocks),
        "private_metadata": metadata,
    }
    return made if submit is None else {**made, "submit": plain(submit, texts.TITLE_CHARS)}
