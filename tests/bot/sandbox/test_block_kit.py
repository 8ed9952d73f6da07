"""Every limit of Block Kit is enforced, in Slack's words, and what Slack takes is taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox import limits
from bot.sandbox.block_elements import ELEMENTS
from bot.sandbox.block_kit import BLOCKS, problems_of_blocks, problems_of_view, require_message_blocks
from bot.sandbox.wire import SlackError

Json = dict[str, Any]


def plain(text: str = "x") -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "x") -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain(), **more}


def input_(element: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain(), "element": element, **more}


def text_input(**more: Any) -> Json:
    return {"type": "plain_text_input", **more}


def option(value: str = "v", text: str = "x", **more: Any) -> Json:
    return {"text": plain(text), "value": value, **more}


def select(**more: Any) -> Json:
    return {"type": "static_select", **more}


def confirm(**more: Any) -> Json:
    return {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain(), **more}


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain(), "blocks": list(blocks), **more}


def rich(*parts: Json) -> Json:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(parts)}]}


TOO_LONG = [
    (section(text=mrkdwn("x" * 3_001)), "/blocks/0/text/text", 3_001),
    (section(fields=[plain("x" * 2_001)]), "/blocks/0/fields/0/text", 2_001),
    ({"type": "header", "text": plain("x" * 151)}, "/blocks/0/text/text", 151),
    (actions(button(text=plain("x" * 76))), "/blocks/0/elements/0/text/text", 76),
    (actions(button(value="x" * 2_001)), "/blocks/0/elements/0/value", 2_001),
    (actions(button(url="https://" + "x" * 3_000)), "/blocks/0/elements/0/url", 3_001),
    (actions(button(action_id="x" * 256)), "/blocks/0/elements/0/action_id", 256),
    (actions(button(accessibility_label="x" * 76)), "/blocks/0/elements/0/accessibility_label", 76),
    (
        actions(button(confirm=confirm(title=plain("x" * 101)))),
        "/blocks/0/elements/0/confirm/title/text",
        101,
    ),
    (actions(button(confirm=confirm(text=plain("x" * 301)))), "/blocks/0/elements/0/confirm/text/text", 301),
    (
        actions(button(confirm=confirm(confirm=plain("x" * 31)))),
        "/blocks/0/elements/0/confirm/confirm/text",
        31,
    ),
    (
        actions(select(options=[option(text="x" * 76)])),
        "/blocks/0/elements/0/options/0/text/text",
        76,
    ),
    (actions(select(options=[option("x" * 76)])), "/blocks/0/elements/0/options/0/value", 76),
    (
        actions(select(options=[option()], placeholder=plain("x" * 151))),
        "/blocks/0/elements/0/placeholder/text",
        151,
    ),
    (input_(text_input(), label=plain("x" * 2_001)), "/blocks/0/label/text", 2_001),
    (input_(text_input(), hint=plain("x" * 2_001)), "/blocks/0/hint/text", 2_001),
    (input_(text_input(initial_value="x" * 3_001)), "/blocks/0/element/initial_value", 3_001),
    ({"type": "divider", "block_id": "x" * 256}, "/blocks/0/block_id", 256),
    (
        {"type": "image", "image_url": "https://x.example/i.png", "alt_text": "x" * 2_001},
        "/blocks/0/alt_text",
        2_001,
    ),
    ({"type": "markdown", "text": "x" * 12_001}, "/blocks/0/text", 12_001),
]


@pytest.mark.parametrize(("block", "pointer", "limit"), TOO_LONG, ids=[pointer for _, pointer, _ in TOO_LONG])
def test_a_text_over_its_limit_is_refused_with_its_place(block: Json, pointer: str, limit: int) -> None:
    assert f"must be less than {limit} characters [json-pointer:{pointer}]" in problems_of_blocks([block])


def test_length_is_counted_as_unkindly_as_slack_might() -> None:
    """UTF-16 units, and plain text as it is once escaped."""
    assert problems_of_blocks([actions(button(text=plain("😀" * 38)))])
    assert not problems_of_blocks([actions(button(text=plain("😀" * 37)))])
    assert problems_of_blocks([actions(button(text=plain("&" * 16)))])
    assert not problems_of_blocks([actions(button(text=plain("&" * 15)))])


TOO_MANY = [
    ([section()] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    ([section(fields=[plain()] * 11)], "no more than 10 items allowed [json-pointer:/blocks/0/fields]"),
    (
        [actions(*[button()] * 26)],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [{"type": "context", "elements": [mrkdwn()] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [actions({"type": "overflow", "options": [option()] * 6})],
        "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    (
        [actions({"type": "checkboxes", "options": [option()] * 11})],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    (
        [actions(select(options=[option()] * 101))],
        "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    ([actions()], "no less than 1 items allowed [json-pointer:/blocks/0/elements]"),
    (
        [{"type": "markdown", "text": "x" * 6_001}, {"type": "markdown", "text": "x" * 6_000}],
        "must be less than 12001 characters [json-pointer:/blocks/1/text]",
    ),
    (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2,
        "only_one_table_allowed [json-pointer:/blocks/1]",
    ),
]


@pytest.mark.parametrize(("blocks", "problem"), TOO_MANY, ids=[problem[:60] for _, problem in TOO_MANY])
def test_too_many_or_too_few_are_refused(blocks: list[Json], problem: str) -> None:
    assert problem in problems_of_blocks(blocks)


WRONG = [
    ({"type": "sparkle"}, "unsupported type: sparkle [json-pointer:/blocks/0/type]"),
    ({}, "missing required field: type [json-pointer:/blocks/0]"),
    ("text", "must provide an object [json-pointer:/blocks/0]"),
    ({"type": "section"}, "must define either `text` or `fields` [json-pointer:/blocks/0]"),
    (section(colour="red"), "invalid additional property: colour [json-pointer:/blocks/0]"),
    (section(text=plain("")), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ({"type": "header", "text": mrkdwn()}, "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
    (
        actions(button(style="loud")),
        "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]",
    ),
    (actions(text_input()), "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]"),
    (input_(button()), "unsupported type: button [json-pointer:/blocks/0/element/type]"),
    (
        section(accessory=text_input()),
        "unsupported type: plain_text_input [json-pointer:/blocks/0/accessory/type]",
    ),
    (
        actions(select()),
        "must define either `options` or `option_groups`, but not both [json-pointer:/blocks/0/elements/0]",
    ),
    (
        actions(select(options=[option("a")], initial_option=option("b"))),
        "initial option must be one of the options [json-pointer:/blocks/0/elements/0]",
    ),
    (
        {"type": "image", "alt_text": "x"},
        "must define either `image_url` or `slack_file`, but not both [json-pointer:/blocks/0]",
    ),
    (
        input_(text_input(min_length=5, max_length=2)),
        "`min_length` must be less than or equal to `max_length` [json-pointer:/blocks/0/element]",
    ),
    (
        input_(text_input(max_length=3_001)),
        "must be less than or equal to 3000 [json-pointer:/blocks/0/element/max_length]",
    ),
    (input_({"type": "file_input"}), "unsupported type: file_input [json-pointer:/blocks/0/element/type]"),
    (
        rich({"type": "text", "text": ""}),
        "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]",
    ),
]


@pytest.mark.parametrize(("block", "problem"), WRONG, ids=[problem[:60] for _, problem in WRONG])
def test_what_is_no_block_is_refused(block: Any, problem: str) -> None:
    assert problem in problems_of_blocks([block])


def test_ids_are_unique_blocks_in_a_payload_and_actions_in_a_block() -> None:
    twice = [{"type": "divider", "block_id": "b"}, {"type": "divider", "block_id": "b"}]
    assert problems_of_blocks(twice) == ["`block_id` already exists: b [json-pointer:/blocks/1/block_id]"]
    (problem,) = problems_of_blocks([actions(button(action_id="a"), button(action_id="a"))])
    assert "`action_id` a already exists" in problem
    assert not problems_of_blocks([actions(button(action_id="a")), actions(button(action_id="a"))])


def test_everything_an_approval_card_needs_is_taken() -> None:
    blocks = [
        {"type": "header", "text": plain("Refund $940.00")},
        section(
            fields=[mrkdwn(), plain()],
            accessory={"type": "overflow", "options": [option(url="https://x.example")]},
        ),
        rich(
            {"type": "text", "text": "amount", "style": {"bold": True}}, {"type": "user", "user_id": "U0ANA"}
        ),
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x"}], "border": 0},
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
                },
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "x"}]},
            ],
        },
        {"type": "context", "elements": [mrkdwn(), plain()]},
        actions(
            button(style="primary", confirm=confirm(), visible_to_user_ids=["U0ANA"]),
            select(option_groups=[{"label": plain(), "options": [option()]}]),
            {"type": "datepicker", "initial_date": "2026-01-31"},
            {"type": "users_select"},
            {"type": "radio_buttons", "options": [option()], "initial_option": option()},
        ),
        {"type": "context_actions", "elements": [{"type": "icon_button", "icon": "trash", "text": plain()}]},
        {"type": "markdown", "text": "**all**"},
        {"type": "divider"},
    ]
    assert problems_of_blocks(blocks) == []


VIEW_PROBLEMS = [
    (modal(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
    (modal(submit=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/submit/text]"),
    (modal(close=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/close/text]"),
    (
        modal(private_metadata="x" * 3_001),
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    ),
    (modal(callback_id="x" * 256), "must be less than 256 characters [json-pointer:/view/callback_id]"),
    (modal(*[section()] * 101), "no more than 100 items allowed [json-pointer:/view/blocks]"),
    (
        modal(input_(text_input())),
        "submit is required when an input block is within blocks array [json-pointer:/view]",
    ),
    (
        modal({"type": "markdown", "text": "x"}),
        "unsupported type: markdown [json-pointer:/view/blocks/0/type]",
    ),
    ({"type": "modal", "blocks": []}, "missing required field: title [json-pointer:/view]"),
    (
        {"type": "home", "blocks": [], "submit": plain()},
        "invalid additional property: submit [json-pointer:/view]",
    ),
    ({"type": "page", "blocks": []}, "unsupported type: page [json-pointer:/view/type]"),
]


@pytest.mark.parametrize(
    ("view", "problem"), VIEW_PROBLEMS, ids=[problem[:60] for _, problem in VIEW_PROBLEMS]
)
def test_what_is_no_view_is_refused(view: Json, problem: str) -> None:
    assert problem in problems_of_view(view)


def test_a_hundred_blocks_with_inputs_make_a_view() -> None:
    blocks = [input_(text_input(), block_id=str(number)) for number in range(limits.VIEW_BLOCKS)]
    assert problems_of_view(modal(*blocks, submit=plain("Save"))) == []
    assert problems_of_view({"type": "home", "blocks": blocks}) == []


def test_a_message_whose_blocks_are_each_fine_may_be_too_long_together() -> None:
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        require_message_blocks([section(text=mrkdwn("x" * 3_000)) for _ in range(5)])


WORDS = [
    "type", "text", "blocks", "elements", "options", "option_groups", "initial_option",
    "initial_options", "element", "accessory", "label", "value", "action_id", "block_id", "rows",
    "title", "confirm", "min_length", "max_length", "initial_value", "fields", "style",
]  # fmt: skip
TYPES = [*BLOCKS, *ELEMENTS, "plain_text", "mrkdwn", "modal", "home", "rich_text_section"]
SCALARS = st.none() | st.booleans() | st.integers(-1, 3_001) | st.sampled_from([*TYPES, "", "x" * 3_001])
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
        | st.builds(
            lambda kind, rest: {**rest, "type": kind},
            st.sampled_from(TYPES),
            st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
        )
    ),
    max_leaves=20,
)


@given(OBJECTS)
@settings(max_examples=100, deadline=None)
def test_no_json_breaks_the_checks(anything: Any) -> None:
    assert isinstance(problems_of_blocks([anything]), list)
    assert isinstance(problems_of_view(anything), list)
