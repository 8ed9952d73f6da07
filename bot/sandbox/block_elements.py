"""The shape of what stands inside blocks: texts, buttons, menus, inputs."""

from __future__ import annotations

from typing import Any

from bot.sandbox import limits
from bot.sandbox.schema import (
    Check,
    Findings,
    anything,
    array,
    boolean,
    by_type,
    exactly_one,
    fields,
    number,
    one_of,
    string,
)
from bot.sandbox.wire import Json


def plain(most: int, *, least: int = 1) -> Check:
    shape = fields({"text": string(most, least=least, escaped=True)}, {"emoji": boolean})
    return by_type({"plain_text": shape})


def any_text(most: int) -> Check:
    """Plain text or mrkdwn."""
    return by_type(
        {
            "plain_text": fields({"text": string(most, least=1, escaped=True)}, {"emoji": boolean}),
            "mrkdwn": fields({"text": string(most, least=1)}, {"verbatim": boolean}),
        }
    )


def _unique_action_id(value: Any, at: str, out: Findings) -> None:
    string(limits.ACTION_ID_CHARS, least=1)(value, at, out)
    if isinstance(value, str):
        if value in out.action_ids:
            out.add(f"`action_id` {value} already exists for another element of the block", at)
        out.action_ids.add(value)


def _focus_once(value: Any, at: str, out: Findings) -> None:
    boolean(value, at, out)
    out.focused += value is True
    if out.focused > 1:
        out.add("only one element can have `focus_on_load`", at)


URL = r"(?:https?|slack|mailto|tel):.+"
_CONFIRM_BUTTON = plain(limits.CONFIRM_BUTTON_CHARS)
CONFIRM = fields(
    {
        "title": plain(limits.CONFIRM_TITLE_CHARS),
        "text": any_text(limits.CONFIRM_TEXT_CHARS),
        "confirm": _CONFIRM_BUTTON,
        "deny": _CONFIRM_BUTTON,
    },
    {"style": one_of("primary", "danger")},
)
_ACTION = {"action_id": _unique_action_id}
_CONFIRMED = {**_ACTION, "confirm": CONFIRM}
_PLACEHOLDER = {"placeholder": plain(limits.PLACEHOLDER_CHARS)}
_FOCUS = {"focus_on_load": _focus_once}
_MENU = {**_CONFIRMED, **_PLACEHOLDER, **_FOCUS}
_MULTI = {**_MENU, "max_selected_items": number(1, limits.SELECT_OPTIONS)}
_DISPATCH = {
    "dispatch_action_config": fields(
        {}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), least=1, most=2)}
    )
}
_TYPED = {**_ACTION, **_PLACEHOLDER, **_FOCUS, **_DISPATCH}


def _option(*, rich: bool = False, with_url: bool = False) -> Check:
    text = any_text if rich else plain
    optional: dict[str, Check] = {"description": text(limits.OPTION_TEXT_CHARS)}
    if with_url:
        optional["url"] = string(limits.OPTION_URL_CHARS, least=1, pattern=URL)
    required = {
        "text": text(limits.OPTION_TEXT_CHARS),
        "value": string(limits.OPTION_VALUE_CHARS, least=1),
    }
    return fields(required, optional)


_OPTION, _RICH_OPTION = _option(), _option(rich=True)
_OPTIONS = array(_OPTION, least=1, most=limits.SELECT_OPTIONS)
_GROUPS = array(
    fields({"label": plain(limits.GROUP_LABEL_CHARS), "options": _OPTIONS}, {}),
    least=1,
    most=limits.SELECT_OPTIONS,
)


def offered(element: Json) -> list[Json]:
    """Every option of an element, those in groups too."""
    groups = element.get("option_groups")
    holders = [
        element,
        *(group for group in (groups if isinstance(groups, list) else []) if isinstance(group, dict)),
    ]
    lists = [holder.get("options") for holder in holders]
    return [option for options in lists if isinstance(options, list) for option in options]


def _initial_is_offered(element: Json, at: str, out: Findings) -> None:
    initial = element.get("initial_option")
    wanted = [initial] if initial is not None else element.get("initial_options") or []
    if not isinstance(wanted, list):
        return
    for option in wanted:
        if option not in offered(element):
            out.add("initial option must be one of the options", at)


def _primary_or_danger(value: Any, at: str, out: Findings) -> None:
    one_of("primary", "danger")(value, at, out)


_BUTTON = fields(
    {"text": plain(limits.BUTTON_TEXT_CHARS)},
    {
        **_CONFIRMED,
        "value": string(limits.BUTTON_VALUE_CHARS, least=1),
        "url": string(limits.BUTTON_URL_CHARS, least=1, pattern=URL),
        "style": _primary_or_danger,
        "accessibility_label": string(limits.ACCESSIBILITY_LABEL_CHARS, least=1),
        "visible_to_user_ids": array(string(32, least=1), most=limits.VISIBLE_TO_USERS),
        "agent_prompt": string(limits.AGENT_PROMPT_CHARS),
        "agent_prompt_display": anything,
    },
)
_ICON_BUTTON = fields(
    {"text": plain(limits.BUTTON_TEXT_CHARS), "icon": one_of("trash")},
    {
        **_CONFIRMED,
        "value": string(limits.BUTTON_VALUE_CHARS, least=1),
        "accessibility_label": string(limits.ACCESSIBILITY_LABEL_CHARS, least=1),
        "visible_to_user_ids": array(string(32, least=1), most=limits.VISIBLE_TO_USERS),
    },
)
_THUMB = fields(
    {"text": plain(limits.BUTTON_TEXT_CHARS), "value": string(limits.BUTTON_VALUE_CHARS, least=1)},
    {"accessibility_label": string(limits.ACCESSIBILITY_LABEL_CHARS, least=1)},
)
IMAGE = {
    "alt_text": string(limits.ALT_TEXT_CHARS, least=1),
}
IMAGE_SOURCE = {
    "image_url": string(limits.IMAGE_URL_CHARS, least=1, pattern=r"https?://.+"),
    "slack_file": fields({}, {"id": string(32), "url": string(limits.IMAGE_URL_CHARS)}),
}


def _choices(initial: str, shape: Check) -> Check:
    return fields(
        {"options": array(_RICH_OPTION, least=1, most=limits.CHOICES)},
        {**_CONFIRMED, **_FOCUS, initial: shape},
        _initial_is_offered,
    )


def _static(initial: dict[str, Check], menu: dict[str, Check]) -> Check:
    optional = {**menu, **initial, "options": _OPTIONS, "option_groups": _GROUPS}
    return fields({}, optional, exactly_one("options", "option_groups"), _initial_is_offered)


_ID = string(32, least=1)
_IDS = array(_ID)
_DATE = string(10, pattern=r"\d{4}-\d{2}-\d{2}")
_CONVERSATIONS = {"default_to_current_conversation": boolean, "filter": anything}


def _lengths_agree(element: Json, at: str, out: Findings) -> None:
    least, most = element.get("min_length", 0), element.get("max_length", limits.INPUT_CHARS)
    initial = element.get("initial_value", "")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        out.add("`min_length` must be less than or equal to `max_length`", at)
    if isinstance(initial, str) and isinstance(most, int) and limits.length(initial) > most:
        out.add(f"must be less than {most + 1} characters", f"{at}/initial_value")


_NUMBER = string(limits.NUMBER_CHARS, pattern=r"-?\d+(\.\d+)?")

ELEMENTS: dict[str, Check] = {
    "button": _BUTTON,
    "icon_button": _ICON_BUTTON,
    "feedback_buttons": fields({"positive_button": _THUMB, "negative_button": _THUMB}, _ACTION),
    "image": fields(IMAGE, IMAGE_SOURCE, exactly_one("image_url", "slack_file")),
    "overflow": fields(
        {"options": array(_option(with_url=True), least=1, most=limits.OVERFLOW_OPTIONS)}, _CONFIRMED
    ),
    "static_select": _static({"initial_option": _OPTION}, _MENU),
    "multi_static_select": _static({"initial_options": array(_OPTION, least=1)}, _MULTI),
    "users_select": fields({}, {**_MENU, "initial_user": _ID}),
    "multi_users_select": fields({}, {**_MULTI, "initial_users": _IDS}),
    "conversations_select": fields({}, {**_MENU, **_CONVERSATIONS, "initial_conversation": _ID}),
    "multi_conversations_select": fields({}, {**_MULTI, **_CONVERSATIONS, "initial_conversations": _IDS}),
    "channels_select": fields({}, {**_MENU, "initial_channel": _ID}),
    "multi_channels_select": fields({}, {**_MULTI, "initial_channels": _IDS}),
    "checkboxes": _choices("initial_options", array(_RICH_OPTION, least=1)),
    "radio_buttons": _choices("initial_option", _RICH_OPTION),
    "datepicker": fields({}, {**_MENU, "initial_date": _DATE}),
    "timepicker": fields(
        {}, {**_MENU, "initial_time": string(5, pattern=r"([01]\d|2[0-3]):[0-5]\d"), "timezone": string(64)}
    ),
    "datetimepicker": fields({}, {**_CONFIRMED, **_FOCUS, "initial_date_time": number(10**9, 10**10 - 1)}),
    "plain_text_input": fields(
        {},
        {
            **_TYPED,
            "initial_value": string(limits.INPUT_CHARS),
            "multiline": boolean,
            "min_length": number(0, limits.INPUT_CHARS),
            "max_length": number(1, limits.INPUT_CHARS),
        },
        _lengths_agree,
    ),
    "number_input": fields(
        {"is_decimal_allowed": boolean},
        {**_TYPED, "initial_value": _NUMBER, "min_value": _NUMBER, "max_value": _NUMBER},
    ),
    "email_text_input": fields({}, {**_TYPED, "initial_value": string(limits.INPUT_CHARS)}),
    "url_text_input": fields({}, {**_TYPED, "initial_value": string(limits.INPUT_CHARS)}),
    "file_input": fields(
        {},
        {**_ACTION, "filetypes": array(string(32), least=1), "max_files": number(1, limits.FILES_IN_INPUT)},
    ),
}

_SELECTS = {"static_select", "users_select", "conversations_select", "channels_select"}
_MULTI_SELECTS = {f"multi_{name}" for name in _SELECTS}
_PICKERS = {"checkboxes", "radio_buttons", "datepicker", "timepicker"}
IN_ACTIONS = {"button", "overflow", "datetimepicker"} | _SELECTS | _PICKERS
AS_ACCESSORY = {"button", "image", "overflow"} | _SELECTS | _MULTI_SELECTS | _PICKERS
IN_INPUT = (
    {"plain_text_input", "number_input", "email_text_input", "url_text_input", "file_input", "datetimepicker"}
    | _SELECTS
    | _MULTI_SELECTS
    | _PICKERS
)
IN_CONTEXT_ACTIONS = {"feedback_buttons", "icon_button"}


def among(names: set[str]) -> Check:
    """One of these elements."""
    return by_type({name: ELEMENTS[name] for name in names})
