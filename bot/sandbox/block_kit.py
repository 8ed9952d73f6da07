"""The shape of blocks, messages and views, checked as strictly as Slack does."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox import limits
from bot.sandbox.block_elements import (
    AS_ACCESSORY,
    ELEMENTS,
    IMAGE,
    IMAGE_SOURCE,
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    among,
    any_text,
    plain,
)
from bot.sandbox.schema import (
    Check,
    Findings,
    Surface,
    anything,
    array,
    at_least_one,
    boolean,
    by_type,
    exactly_one,
    fields,
    number,
    one_of,
    string,
)
from bot.sandbox.wire import Json, SlackError


def _block_id(value: Any, at: str, out: Findings) -> None:
    string(limits.BLOCK_ID_CHARS, least=1)(value, at, out)
    if isinstance(value, str):
        if value in out.block_ids:
            out.add(f"`block_id` already exists: {value}", at)
        out.block_ids.add(value)


def _block(required: dict[str, Check], optional: dict[str, Check], *rules: Check) -> Check:
    shape = fields(required, {"block_id": _block_id, **optional}, *rules)

    def check(value: Any, at: str, out: Findings) -> None:
        out.action_ids.clear()
        shape(value, at, out)

    return check


def _counts_input(block: Json, at: str, out: Findings) -> None:
    out.inputs += 1
    element = block.get("element")
    if isinstance(element, dict) and element.get("type") == "file_input" and out.surface != "modal":
        out.add("unsupported type: file_input", f"{at}/element/type")


def _counts_markdown(block: Json, at: str, out: Findings) -> None:
    text = block.get("text")
    out.markdown_chars += limits.length(text) if isinstance(text, str) else 0
    if out.markdown_chars > limits.MARKDOWN_CHARS:
        out.add(f"must be less than {limits.MARKDOWN_CHARS + 1} characters", f"{at}/text")


def _counts_table(block: Json, at: str, out: Findings) -> None:
    out.tables += 1
    if out.tables > limits.TABLES:
        out.add("only_one_table_allowed", at)


_STYLE = {
    "style": fields(
        {}, dict.fromkeys(("bold", "italic", "strike", "code", "underline", "highlight"), boolean)
    )
}
_RICH_TEXT_PARTS = {
    "text": fields({"text": string(limits.INPUT_CHARS * 10, least=1)}, _STYLE),
    "link": fields(
        {"url": string(limits.BUTTON_URL_CHARS, least=1)},
        {"text": string(3_000), "unsafe": boolean, **_STYLE},
    ),
    "user": fields({"user_id": string(32, least=1)}, _STYLE),
    "usergroup": fields({"usergroup_id": string(32, least=1)}, _STYLE),
    "channel": fields({"channel_id": string(32, least=1)}, _STYLE),
    "team": fields({"team_id": string(32, least=1)}, _STYLE),
    "emoji": fields(
        {"name": string(100, least=1)}, {"unicode": string(100), "skin_tone": number(1, 6), **_STYLE}
    ),
    "date": fields(
        {"timestamp": number(0, 10**11), "format": string(200, least=1)},
        {"url": string(limits.BUTTON_URL_CHARS), "fallback": string(3_000), **_STYLE},
    ),
    "broadcast": fields({"range": one_of("here", "channel", "everyone")}, _STYLE),
    "color": fields({"value": string(16, least=1)}, _STYLE),
}
_PARTS = array(by_type(_RICH_TEXT_PARTS))
_LITERAL_PARTS = array(by_type({name: _RICH_TEXT_PARTS[name] for name in ("text", "link")}))
_SECTION = fields({"elements": _PARTS}, {})
_RICH_TEXT = {
    "rich_text_section": _SECTION,
    "rich_text_preformatted": fields(
        {"elements": _LITERAL_PARTS}, {"border": number(0, 1), "language": string(32)}
    ),
    "rich_text_quote": fields({"elements": _PARTS}, {"border": number(0, 1)}),
    "rich_text_list": fields(
        {"elements": array(by_type({"rich_text_section": _SECTION})), "style": one_of("bullet", "ordered")},
        {"indent": number(0, 8), "offset": number(0, 10**6), "border": number(0, 1)},
    ),
}
_RICH_TEXT_BLOCK = _block({"elements": array(by_type(_RICH_TEXT))}, {})
_CELL = by_type(
    {
        "raw_text": fields({"text": string(limits.TEXT_CHARS, least=1)}, {}),
        "raw_number": fields({"value": anything}, {"text": string(limits.TEXT_CHARS)}),
        "rich_text": fields({"elements": array(by_type(_RICH_TEXT))}, {}),
    }
)
_COLUMN = fields({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean})


def _column(value: Any, at: str, out: Findings) -> None:
    """Settings of a column; null keeps the default."""
    if value is not None:
        _COLUMN(value, at, out)


_CONTEXT_PART = by_type(
    {
        "plain_text": any_text(limits.TEXT_CHARS),
        "mrkdwn": any_text(limits.TEXT_CHARS),
        "image": ELEMENTS["image"],
    }
)

BLOCKS: dict[str, Check] = {
    "section": _block(
        {},
        {
            "text": any_text(limits.SECTION_TEXT_CHARS),
            "fields": array(any_text(limits.SECTION_FIELD_CHARS), least=1, most=limits.SECTION_FIELDS),
            "accessory": among(AS_ACCESSORY),
            "expand": boolean,
        },
        at_least_one("text", "fields"),
    ),
    "header": _block({"text": plain(limits.HEADER_CHARS)}, {}),
    "divider": _block({}, {}),
    "context": _block(
        {"elements": array(_CONTEXT_PART, least=1, most=limits.CONTEXT_ELEMENTS)},
        {},
    ),
    "actions": _block({"elements": array(among(IN_ACTIONS), least=1, most=limits.ACTIONS_ELEMENTS)}, {}),
    "context_actions": _block(
        {"elements": array(among(IN_CONTEXT_ACTIONS), least=1, most=limits.CONTEXT_ACTIONS_ELEMENTS)}, {}
    ),
    "image": _block(
        IMAGE,
        {**IMAGE_SOURCE, "title": plain(limits.IMAGE_TITLE_CHARS)},
        exactly_one("image_url", "slack_file"),
    ),
    "input": _block(
        {"label": plain(limits.INPUT_LABEL_CHARS), "element": among(IN_INPUT)},
        {"hint": plain(limits.INPUT_HINT_CHARS), "optional": boolean, "dispatch_action": boolean},
        _counts_input,
    ),
    "rich_text": _RICH_TEXT_BLOCK,
    "markdown": _block({"text": string(limits.MARKDOWN_CHARS, least=1)}, {}, _counts_markdown),
    "table": _block(
        {"rows": array(array(_CELL, least=1, most=limits.TABLE_CELLS), least=1, most=limits.TABLE_ROWS)},
        {"column_settings": array(_column, most=limits.TABLE_CELLS)},
        _counts_table,
    ),
}

MESSAGE_ONLY = {"markdown", "table", "context_actions"}
_IN_MESSAGES = array(by_type(BLOCKS), most=limits.MESSAGE_BLOCKS)
_IN_VIEWS = array(
    by_type({name: shape for name, shape in BLOCKS.items() if name not in MESSAGE_ONLY}),
    most=limits.VIEW_BLOCKS,
)

_ANY_VIEW: dict[str, Check] = {
    "private_metadata": string(limits.PRIVATE_METADATA_CHARS),
    "callback_id": string(limits.CALLBACK_ID_CHARS),
    "external_id": string(limits.EXTERNAL_ID_CHARS),
}


def _submit_where_inputs(view: Json, at: str, out: Findings) -> None:
    if out.inputs and "submit" not in view:
        out.add("submit is required when an input block is within blocks array", at)


_VIEWS: dict[str, Check] = {
    "modal": fields(
        {"title": plain(limits.VIEW_TITLE_CHARS), "blocks": _IN_VIEWS},
        {
            **_ANY_VIEW,
            "submit": plain(limits.VIEW_BUTTON_CHARS),
            "close": plain(limits.VIEW_BUTTON_CHARS),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
        _submit_where_inputs,
    ),
    "home": fields({"blocks": _IN_VIEWS}, _ANY_VIEW),
}


def problems_of_blocks(blocks: Any, *, surface: Surface = "message", at: str = "/blocks") -> list[str]:
    """Everything that Slack would find wrong, worded as it does."""
    out = Findings(surface)
    (_IN_MESSAGES if surface == "message" else _IN_VIEWS)(blocks, at, out)
    return out.problems


def problems_of_view(view: Any, *, types: tuple[str, ...] = ("modal", "home")) -> list[str]:
    out = Findings("home" if isinstance(view, dict) and view.get("type") == "home" else "modal")
    by_type({name: _VIEWS[name] for name in types})(view, "/view", out)
    return out.problems


def require_message_blocks(blocks: Any) -> None:
    """Raises: SlackError, as the chat methods answer."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    if problems := problems_of_blocks(blocks):
        raise SlackError("invalid_blocks", errors=problems, **_metadata(problems))
    if len(json.dumps(blocks, separators=(",", ":"), ensure_ascii=False)) > limits.MESSAGE_BLOCKS_CHARS:
        raise SlackError("msg_blocks_too_long")


def require_view(view: Any, *, types: tuple[str, ...]) -> Json:
    """Raises: SlackError, as the views methods answer."""
    problems = problems_of_view(view, types=types)
    if problems:
        raise SlackError("invalid_arguments", **_metadata(problems))
    if (
        len(json.dumps(view, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass"))
        > limits.VIEW_BYTES
    ):
        raise SlackError("view_too_large")
    checked: Json = view
    return checked


def _metadata(problems: list[str]) -> Json:
    return {"response_metadata": {"messages": [f"[ERROR] {problem}" for problem in problems]}}
