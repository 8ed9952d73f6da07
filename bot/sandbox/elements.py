"""What a person can do to the elements of blocks, and what Slack then tells the app about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.sandbox.block_elements import offered
from bot.sandbox.limits import length
from bot.sandbox.wire import Json, new_id, unescape

STATE_FIELD = {
    "plain_text_input": "value",
    "number_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "static_select": "selected_option",
    "multi_static_select": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "checkboxes": "selected_options",
    "radio_buttons": "selected_option",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "file_input": "files",
}
"""Where each element keeps what was chosen. Buttons and overflow menus keep nothing."""

_INITIAL_FIELD = {
    "value": "initial_value",
    **{f"selected_{name}": f"initial_{name}" for name in (
        "option", "options", "user", "users", "conversation", "conversations", "channel", "channels",
        "date", "time", "date_time",
    )},
}  # fmt: skip

_PRESSED = ("button", "icon_button", "feedback_buttons")


class NotPossible(Exception):
    """A person cannot do this to the element: it is not there, or does not offer the choice."""


def identified(blocks: list[Json]) -> list[Json]:
    """The blocks with the ids that Slack makes up where an app gave none."""
    done = []
    for block in blocks:
        block = block if block.get("block_id") else {**block, "block_id": new_id("")[:5]}
        for key in ("element", "accessory"):
            if isinstance(block.get(key), dict):
                block[key] = _with_action_id(block[key])
        if block["type"] in ("actions", "context_actions"):
            block["elements"] = [_with_action_id(element) for element in block["elements"]]
        done.append(block)
    return done


def _with_action_id(element: Json) -> Json:
    if element.get("action_id") or element["type"] == "image":
        return element
    return {**element, "action_id": new_id("")[:5]}


def interactive(blocks: list[Json] | None) -> Iterator[tuple[Json, Json]]:
    """Every element that can be acted on, with its block."""
    for block in blocks or []:
        candidates = [block.get("accessory"), block.get("element"), *_elements(block)]
        for element in candidates:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def _elements(block: Json) -> list[Json]:
    elements: list[Json] = block["elements"] if block["type"] in ("actions", "context_actions") else []
    return elements


def find(blocks: list[Json] | None, action_id: str, block_id: str | None = None) -> tuple[Json, Json]:
    for block, element in interactive(blocks):
        if element["action_id"] == action_id and block_id in (None, block["block_id"]):
            return block, element
    raise NotPossible(f"there is no {action_id!r} to act on")


def labels(blocks: list[Json] | None) -> list[str]:
    """The buttons and menu entries that a person can press, by what is written on them."""
    return [label for _, element in interactive(blocks) for label in _labels(element)]


def by_label(blocks: list[Json] | None, label: str) -> tuple[Json, Json, str | None]:
    """The block, the element, and the option's value when the label is that of a menu entry."""
    for block, element in interactive(blocks):
        if element["type"] in _PRESSED and label in _labels(element):
            return block, element, None
        for option in offered(element) if element["type"] not in _PRESSED else []:
            if unescape(option["text"]["text"]) == label:
                return block, element, option["value"]
    raise NotPossible(f"nothing is labelled {label!r}; there are {labels(blocks)}")


def _labels(element: Json) -> list[str]:
    if element["type"] == "feedback_buttons":
        return [unescape(element[side]["text"]["text"]) for side in ("positive_button", "negative_button")]
    if element["type"] in _PRESSED:
        return [unescape(element["text"]["text"])]
    return [unescape(option["text"]["text"]) for option in offered(element)]


def acted(block: Json, element: Json, value: Any, *, by: str, action_ts: str) -> Json:
    """The entry of `actions` for what `by` did to an element."""
    visible_to = element.get("visible_to_user_ids")
    if visible_to and by not in visible_to:
        raise NotPossible("this button is not shown to you")
    action: Json = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
    if element["type"] == "feedback_buttons":
        side = (
            "negative_button"
            if value in ("negative", element["negative_button"]["value"])
            else "positive_button"
        )
        action |= {key: element[side][key] for key in ("text", "value")}
    elif element["type"] in _PRESSED:
        action |= {key: element[key] for key in ("text", "value", "style", "url") if key in element}
    elif element["type"] == "overflow":
        action["selected_option"] = _option(element, value)
    else:
        action |= {key: element[key] for key in ("placeholder", "initial_option") if key in element}
        action |= chosen(element, value)
    return {**action, "action_ts": action_ts}


def chosen(element: Json, value: Any) -> Json:
    """The state of an element in which `value` was chosen or typed; None clears it."""
    kind = element["type"]
    if kind not in STATE_FIELD:
        raise NotPossible(f"a {kind} keeps no choice")
    name = STATE_FIELD[kind]
    if isinstance(value, dict) and value.get("type") == kind:
        value = value.get(name)
    if name == "selected_option":
        value = None if value is None else _option(element, value)
    elif name == "selected_options":
        value = [_option(element, one) for one in value or []]
    elif name.endswith("s") and name != "value":
        value = list(value or [])
    elif name == "selected_date_time":
        value = None if value in (None, "") else int(value)
    else:
        value = None if value in (None, "") else str(value)
    return {"type": kind, name: value}


def _option(element: Json, value: Any) -> Json:
    wanted = value.get("value") if isinstance(value, dict) else value
    for option in offered(element):
        if option["value"] == wanted:
            return option
    raise NotPossible(
        f"{wanted!r} is not offered; there are {[option['value'] for option in offered(element)]}"
    )


def initial(element: Json) -> Json:
    """The state of an element that nobody has touched."""
    name = STATE_FIELD[element["type"]]
    nothing: Any = [] if name.endswith("s") else None
    given = element.get(_INITIAL_FIELD[name], nothing) if name in _INITIAL_FIELD else nothing
    return {"type": element["type"], name: given}


def values(blocks: list[Json] | None, typed: Json) -> Json:
    """`state.values`: what was filled in, over what the app had put there."""
    state: Json = {}
    for block, element in interactive(blocks):
        if element["type"] not in STATE_FIELD:
            continue
        given = typed.get(block["block_id"], {}).get(element["action_id"])
        state.setdefault(block["block_id"], {})[element["action_id"]] = _state(element, given)
    return state


def _state(element: Json, given: Any) -> Json:
    """What was filled in, unless the app has put another element there since, or other options."""
    if not isinstance(given, dict) or given.get("type") != element["type"]:
        return initial(element)
    try:
        return chosen(element, given)
    except NotPossible:
        return initial(element)


def missing_or_wrong(blocks: list[Json], state: Json) -> dict[str, str]:
    """What Slack's own client says under the fields, before the app hears of the submission."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        value = state[block["block_id"]][element["action_id"]][STATE_FIELD[element["type"]]]
        if not value and not block.get("optional"):
            errors[block["block_id"]] = "Please complete this required field."
        elif value and (wrong := _wrong(element, value)):
            errors[block["block_id"]] = wrong
    return errors


def _wrong(element: Json, value: Any) -> str | None:
    match element["type"]:
        case "plain_text_input":
            return _wrong_length(element, value)
        case "number_input":
            return _wrong_number(element, value)
        case "email_text_input" if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            return "Enter a valid email address."
        case "url_text_input" if not re.fullmatch(r"https?://\S+", value):
            return "Enter a valid URL."
        case _:
            return _too_many(element, value)


def _wrong_length(element: Json, value: str) -> str | None:
    if length(value) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if length(value) > element.get("max_length", 3_000):
        return f"Please enter no more than {element.get('max_length', 3_000)} characters."
    return None


def _wrong_number(element: Json, value: str) -> str | None:
    pattern = r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if not re.fullmatch(pattern, value):
        return "Enter a number." if element["is_decimal_allowed"] else "Enter a whole number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Enter a number of at least {element['min_value']}."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Enter a number of at most {element['max_value']}."
    return None


def _too_many(element: Json, value: Any) -> str | None:
    most = element.get("max_selected_items") or element.get("max_files")
    if most and isinstance(value, list) and len(value) > most:
        return f"Choose no more than {most}."
    return None
