"""The check finds what Slack would refuse, and names the place."""

from collections.abc import Callable
from typing import Any

import pytest

from blocks.check import LimitBroken, check_message, check_view
from blocks.dialogs import reject_view
from blocks.request import card
from tests.blocks.scenes import scene
from tests.builders import T0

Spoil = Callable[[list[dict[str, Any]]], object]


@pytest.mark.parametrize(
    ("place", "spoil"),
    [
        ("blocks[0].text", lambda blocks: blocks[0]["text"].update(text="x" * 151)),
        ("blocks[0].text", lambda blocks: blocks[0]["text"].update(text="&" * 31)),
        ("blocks[0].text", lambda blocks: blocks[0]["text"].update(emoji=True)),
        ("blocks[1].elements[1]", lambda blocks: blocks[1]["elements"][1].update(verbatim=False)),
        ("blocks[1]", lambda blocks: blocks[1].update(elements=[])),
        (
            "blocks[2].elements[0].elements[0]",
            lambda blocks: blocks[2]["elements"][0]["elements"][0].update(text=""),
        ),
        ("blocks[5].elements[0].value", lambda blocks: blocks[5]["elements"][0].update(value="x" * 2001)),
        (
            "blocks[5] has an action_id twice",
            lambda blocks: blocks[5]["elements"][1].update(action_id="approve"),
        ),
        (
            "blocks[5].elements[3].options",
            lambda blocks: blocks[5]["elements"][3]["options"].extend([{}, {}, {}]),
        ),
        ("blocks[6] is a 'markdown'", lambda blocks: blocks.append({"type": "markdown", "text": "x"})),
        ("blocks are 56", lambda blocks: blocks.extend([{"type": "divider"}] * 50)),
        ("blocks is not JSON", lambda blocks: blocks[0].update(more=float("nan"))),
    ],
)
def test_a_message_that_slack_would_refuse_is_found(place: str, spoil: Spoil) -> None:
    drawn = card(scene("pending"), T0)
    check_message(drawn.text, drawn.blocks)
    spoil(drawn.blocks)
    with pytest.raises(LimitBroken) as found:
        check_message(drawn.text, drawn.blocks)
    assert str(found.value).startswith(place)


@pytest.mark.parametrize("text", ["", " ", "x" * 4001])
def test_a_message_needs_a_text_of_the_right_length(text: str) -> None:
    with pytest.raises(LimitBroken, match=r"^text "):
        check_message(text, card(scene("pending"), T0).blocks)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("title", {"title": {"type": "plain_text", "text": "x" * 25, "emoji": False}}),
        ("private_metadata", {"private_metadata": "x" * 3001}),
        ("callback_id", {"callback_id": ""}),
        ("view", {"type": "message"}),
        ("view is a Home tab", {"type": "home"}),
        ("view has", {"more": "x" * 250_000}),
    ],
)
def test_a_dialog_that_slack_would_refuse_is_found(place: str, change: dict[str, Any]) -> None:
    check_view(reject_view(scene("pending")))
    with pytest.raises(LimitBroken, match=f"^{place}"):
        check_view({**reject_view(scene("pending")), **change})


def test_a_dialog_with_fields_needs_a_way_to_submit_them() -> None:
    view = reject_view(scene("pending"))
    del view["submit"]
    with pytest.raises(LimitBroken, match=r"^submit is missing"):
        check_view(view)
