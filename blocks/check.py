"""Slack's limits as a check of what we emit, for tests and for the service before it posts.

Only what we use is known here; anything else is broken. The limits' sources are in `text`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from blocks import text as limits
from blocks.text import size, units

MESSAGE_BLOCKS = 50  # reference/block-kit/blocks
VIEW_BLOCKS = 100
ACTIONS = 25  # of an actions block
CONTEXT_ELEMENTS = 10
OVERFLOW_OPTIONS = 5
RADIO_OPTIONS = 10
SELECT_OPTIONS = 100
ID_CHARS = 255  # of block_id, action_id, callback_id, external_id
METADATA_CHARS = 3000
URL_CHARS = 3000
ALT_TEXT_CHARS = 2000  # of an image block

Json: TypeAlias = Any
Check: TypeAlias = Callable[[Json, str], None]


class LimitBroken(AssertionError):
    """Something that Slack would refuse; the message begins with its place."""


def check_message(text: str, blocks: Sequence[Json]) -> None:
    """Hold a message to the limits.

    Raises:
        LimitBroken: naming the place.
    """
    _need(bool(text.strip()), "text", "is empty: screen readers would hear nothing")
    _need(units(text) <= limits.MESSAGE_TEXT_CHARS, "text", f"has {units(text):,} characters")
    _need(1 <= len(blocks) <= MESSAGE_BLOCKS, "blocks", f"are {len(blocks)}")
    length = units(_as_json(list(blocks), "blocks")) + units(_as_json(text, "text"))
    _need(length <= limits.MESSAGE_CHARS, "message", f"has {length:,} characters of JSON")
    _blocks(blocks, {"header", "section", "context", "rich_text", "actions", "divider", "image"})


def check_view(view: Json) -> None:
    """Hold a dialog or a Home tab to the limits.

    Raises:
        LimitBroken: naming the place.
    """
    _need(
        isinstance(view, dict) and view.get("type") in ("modal", "home"), "view", "is neither modal nor home"
    )
    blocks = view.get("blocks", [])
    _need(1 <= len(blocks) <= VIEW_BLOCKS, "blocks", f"are {len(blocks)}")
    length = units(_as_json(view, "view"))
    _need(length <= limits.VIEW_CHARS, "view", f"has {length:,} characters of JSON")
    _need(units(view.get("private_metadata", "")) <= METADATA_CHARS, "private_metadata", "is too long")
    _id(view.get("callback_id"), "callback_id")
    inputs = any(block.get("type") == "input" for block in blocks)
    if view["type"] == "modal":
        _plain(view.get("title"), "title", limits.TITLE_CHARS)
        for name in ("submit", "close"):
            if name in view:
                _plain(view[name], name, limits.TITLE_CHARS)
        _need(not inputs or "submit" in view, "submit", "is missing, and there are inputs")
    else:
        _need(not {"title", "submit", "close"} & view.keys(), "view", "is a Home tab with a title or buttons")
    _blocks(blocks, {"header", "section", "context", "rich_text", "actions", "divider", "input"})


def _blocks(blocks: Sequence[Json], allowed: set[str]) -> None:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        place = f"blocks[{index}]"
        kind = block.get("type")
        _need(kind in allowed, place, f"is a {kind!r}")
        if "block_id" in block:
            _id(block["block_id"], f"{place}.block_id")
            _need(block["block_id"] not in seen, f"{place}.block_id", "is there twice")
            seen.add(block["block_id"])
        _BLOCKS[kind](block, place)


def _header(block: Json, place: str) -> None:
    _plain(block["text"], f"{place}.text", limits.HEADER_CHARS)


def _section(block: Json, place: str) -> None:
    _text(block["text"], f"{place}.text", limits.SECTION_CHARS)
    if "accessory" in block:
        _element(block["accessory"], f"{place}.accessory", _ACTIONS)


def _context(block: Json, place: str) -> None:
    _need(1 <= len(block["elements"]) <= CONTEXT_ELEMENTS, place, f"has {len(block['elements'])} elements")
    for index, element in enumerate(block["elements"]):
        _text(element, f"{place}.elements[{index}]", limits.TEXT_OBJECT_CHARS)


def _image(block: Json, place: str) -> None:
    """Only of files that are in Slack: what lies elsewhere learns who reads."""
    _need(set(block["slack_file"]) == {"id"}, place, "is of no file by its id")
    _need(1 <= size(block["alt_text"]) <= ALT_TEXT_CHARS, place, "has no alt_text, or too much")


def _actions(block: Json, place: str) -> None:
    elements = block["elements"]
    _need(1 <= len(elements) <= ACTIONS, place, f"has {len(elements)} elements")
    names = [element.get("action_id") for element in elements]
    _need(len(set(names)) == len(names), place, f"has an action_id twice: {names}")
    _need(sum(one.get("style") == "primary" for one in elements) <= 1, place, "has several primary buttons")
    for index, element in enumerate(elements):
        _element(element, f"{place}.elements[{index}]", _ACTIONS)


def _input(block: Json, place: str) -> None:
    _plain(block["label"], f"{place}.label", limits.LABEL_CHARS)
    if "hint" in block:
        _plain(block["hint"], f"{place}.hint", limits.LABEL_CHARS)
    _need("block_id" in block, place, "has no block_id, so no error could be shown on it")
    _element(block["element"], f"{place}.element", _INPUTS)


def _rich_text(block: Json, place: str) -> None:
    _need(bool(block["elements"]), place, "is empty")
    for index, element in enumerate(block["elements"]):
        where = f"{place}.elements[{index}]"
        known = ("rich_text_section", "rich_text_quote", "rich_text_preformatted")
        _need(element["type"] in known, where, f"is a {element['type']!r}")
        _need(bool(element["elements"]), where, "is empty")
        for number, node in enumerate(element["elements"]):
            _node(node, f"{where}.elements[{number}]")


def _node(node: Json, place: str) -> None:
    match node["type"]:
        case "text":
            _need(bool(node["text"]), place, "is empty")
            _need(size(node["text"]) <= limits.SECTION_CHARS, place, f"has {size(node['text']):,} characters")
        case "date":
            _need(isinstance(node["timestamp"], int), place, "has no whole seconds")
            _need(bool(node["format"]) and bool(node["fallback"]), place, "lacks a format or a fallback")
        case "link":
            _need(0 < len(node["url"]) <= URL_CHARS, place, "has no good address")
        case "user":
            _need(bool(node["user_id"]), place, "names nobody")
        case "usergroup":
            _need(bool(node["usergroup_id"]), place, "names no group")
        case kind:
            raise LimitBroken(f"{place} is a {kind!r}")


def _divider(block: Json, place: str) -> None:
    _need(block == {"type": "divider"}, place, "holds more than a line")


_BLOCKS: dict[str, Check] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "rich_text": _rich_text,
    "divider": _divider,
    "image": _image,
}


# -- elements -----------------------------------------------------------------------------------------


def _element(element: Json, place: str, allowed: dict[str, Check]) -> None:
    kind = element.get("type")
    _need(kind in allowed, place, f"is a {kind!r}")
    _id(element.get("action_id"), f"{place}.action_id")
    allowed[kind](element, place)
    if "placeholder" in element:
        _plain(element["placeholder"], f"{place}.placeholder", limits.PLACEHOLDER_CHARS)


def _button(element: Json, place: str) -> None:
    _plain(element["text"], f"{place}.text", limits.BUTTON_CHARS)
    _need(units(element.get("value", "")) <= limits.BUTTON_VALUE_CHARS, f"{place}.value", "is too long")
    _need(element.get("style") in (None, "primary", "danger"), f"{place}.style", "is unknown")
    label = element.get("accessibility_label", "")
    _need(size(label) <= limits.BUTTON_CHARS, f"{place}.accessibility_label", "is too long")
    if "confirm" in element:
        asked = element["confirm"]
        _plain(asked["title"], f"{place}.confirm.title", limits.CONFIRM_TITLE_CHARS)
        _text(asked["text"], f"{place}.confirm.text", limits.CONFIRM_TEXT_CHARS)
        _plain(asked["confirm"], f"{place}.confirm.confirm", limits.CONFIRM_BUTTON_CHARS)
        _plain(asked["deny"], f"{place}.confirm.deny", limits.CONFIRM_BUTTON_CHARS)


def _options(most: int) -> Check:
    def check(element: Json, place: str) -> None:
        options = element["options"]
        _need(1 <= len(options) <= most, f"{place}.options", f"are {len(options)}")
        for index, option in enumerate(options):
            _plain(option["text"], f"{place}.options[{index}].text", limits.OPTION_CHARS)
            _need(
                0 < units(option["value"]) <= limits.OPTION_CHARS,
                f"{place}.options[{index}].value",
                "is bad",
            )
        values = [option["value"] for option in options]
        _need(len(set(values)) == len(values), f"{place}.options", "have a value twice")
        if "initial_option" in element:
            _need(element["initial_option"] in options, f"{place}.initial_option", "is none of the options")
        for ticked in element.get("initial_options", ()):
            _need(ticked in options, f"{place}.initial_options", "are not all among the options")

    return check


def _text_input(element: Json, place: str) -> None:
    most = element.get("max_length", limits.INPUT_CHARS)
    _need(1 <= most <= limits.INPUT_CHARS, f"{place}.max_length", f"is {most}")
    _need(0 <= element.get("min_length", 0) <= most, f"{place}.min_length", "is bad")
    _need(units(element.get("initial_value", "")) <= most, f"{place}.initial_value", "is too long")


def _number_input(element: Json, place: str) -> None:
    _need(
        isinstance(element.get("is_decimal_allowed"), bool),
        place,
        "does not say whether decimals are allowed",
    )
    for name in ("initial_value", "min_value", "max_value"):
        _need(isinstance(element.get(name, ""), str), f"{place}.{name}", "is no text")


def _datepicker(element: Json, place: str) -> None:
    _need(len(element.get("initial_date", "2026-01-01")) == 10, f"{place}.initial_date", "is not YYYY-MM-DD")


_ACTIONS: dict[str, Check] = {
    "button": _button,
    "overflow": _options(OVERFLOW_OPTIONS),
    "static_select": _options(SELECT_OPTIONS),
}
_INPUTS: dict[str, Check] = {
    "plain_text_input": _text_input,
    "number_input": _number_input,
    "datepicker": _datepicker,
    "radio_buttons": _options(RADIO_OPTIONS),
    "checkboxes": _options(RADIO_OPTIONS),
    "static_select": _options(SELECT_OPTIONS),
}


# -- texts --------------------------------------------------------------------------------------------


def _text(item: Json, place: str, chars: int) -> None:
    if item["type"] == "plain_text":
        return _plain(item, place, chars)
    _need(item["type"] == "mrkdwn", place, f"is a {item['type']!r}")
    _need(item.get("verbatim") is True, place, "lets Slack look for links and names in it")
    return _need(0 < units(item["text"]) <= chars, place, f"has {units(item['text']):,} characters")


def _plain(item: Json, place: str, chars: int) -> None:
    """Plain text is measured escaped: whether Slack does so is not documented."""
    _need(item is not None and item["type"] == "plain_text", place, "is no plain text")
    _need(item.get("emoji") is False, place, "turns :words: into emoji")
    _need(
        0 < size(item["text"]) <= chars, place, f"has {size(item['text']):,} characters; {chars} are allowed"
    )


def _id(item: Json, place: str) -> None:
    _need(isinstance(item, str) and 0 < units(item) <= ID_CHARS, place, f"is {item!r}")


def _as_json(item: Json, place: str) -> str:
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LimitBroken(f"{place} is not JSON: {error}") from error


def _need(holds: bool, place: str, otherwise: str) -> None:
    if not holds:
        raise LimitBroken(f"{place} {otherwise}")
