"""The card's promises: all of the call or a way to it, no button that can't work, no ping but the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.commands import Claim
from approvals.model import CHANNEL, Fingerprint, Kind, Principal, Request, Risk
from approvals.quorum import called_of
from blocks import dialogs, ids
from blocks.action import headline
from blocks.people import deciders, mention
from blocks.question import answer_at
from blocks.request import CARD_CALL_CHARS, DIALOG_CALL_CHARS, Offer, card, offer_for, trail
from tests.blocks.scenes import SCENES, a_question_asked, after, asked, now_for, scene
from tests.builders import T0, a_question, a_request

OVER = (
    "approved_at_deadline",
    "withdrawn",
    "rejected",
    "expired",
    "cancelled",
    "executing",
    "executed",
    "lapsed",
    "denied",
)


def elements(drawn: Any) -> dict[str, dict[str, Any]]:
    """The buttons and menus of a card or a dialog, by action id."""
    blocks = drawn["blocks"] if isinstance(drawn, dict) else drawn.blocks
    return {
        one["action_id"]: one for block in blocks if block["type"] == "actions" for one in block["elements"]
    }


def words(drawn: Any) -> str:
    return json.dumps(drawn["blocks"] if isinstance(drawn, dict) else drawn.blocks, ensure_ascii=False)


def test_the_buttons_name_the_request_and_the_call_it_shows() -> None:
    request = scene("pending")
    shown = elements(card(request, T0))
    assert list(shown) == ["approve", "edit", "reject", "more"]
    for name in ("approve", "edit", "reject"):
        assert ids.unpack(shown[name]["value"]).fits(request)
    picks = [ids.unpack_pick(one["value"]) for one in shown["more"]["options"]]
    assert [pick.verb for pick in picks] == ["details", "respond", "changes", "similar"]
    assert all(pick.fits(request) for pick in picks)


@pytest.mark.attack("F85")
def test_every_argument_is_on_the_card_and_in_its_text() -> None:
    request = a_request(args={f"key{number}": f"value{number}" for number in range(30)})
    drawn = card(request, T0)
    assert "approve" in elements(drawn)
    for number in range(30):
        assert f"value{number}" in words(drawn) and f"value{number}" in drawn.text


@pytest.mark.parametrize(
    "chars", [100, CARD_CALL_CHARS, CARD_CALL_CHARS + 1, 10_000, DIALOG_CALL_CHARS + 1, 200_000]
)
def test_approve_is_offered_only_beside_the_whole_call(chars: int) -> None:
    body = "".join(f"{number:06}." for number in range(chars // 7))
    request = a_request(args={"body": body, "amount": 1})
    offer, drawn = offer_for(request), card(request, T0)
    assert ("approve" in elements(drawn)) == (body in words(drawn)) == (offer is Offer.WHOLE)
    assert ("read_all" in elements(drawn)) == (offer is not Offer.WHOLE)
    read, with_file = (
        dialogs.read_view(request, T0),
        dialogs.read_view(request, T0, file_url="https://x.example/f"),
    )
    assert ("submit" in read) == (offer is not Offer.FILE) and "submit" in with_file
    assert ("https://x.example/f" in words(with_file)) == (offer is Offer.FILE)
    details = dialogs.details_view(request, T0, can_act=True)
    assert ("approve" in elements(details)) == (offer is not Offer.FILE)
    if offer is Offer.READ:
        shown = "".join(node["text"] for node in nodes(read["blocks"]))
        assert body in shown, "the dialog left something out"


def nodes(item: Any) -> Iterator[Any]:
    if isinstance(item, dict):
        if item.get("type") == "text":
            yield item
        for inner in item.values():
            yield from nodes(inner)
    if isinstance(item, list):
        for inner in item:
            yield from nodes(inner)


def test_many_short_lines_are_too_long_for_a_card_as_well() -> None:
    assert offer_for(a_request(args={"body": "x\n" * 60})) is Offer.READ


@pytest.mark.attack("F81")
def test_what_is_left_out_is_counted_and_all_names_stay() -> None:
    drawn = words(card(a_request(args={"to": "x", "body": "y" * 9000, "last": "z"}), T0))
    assert "⟨… 8,400 more characters …⟩" in drawn and "last" in drawn


@pytest.mark.parametrize("risk", Risk)
def test_high_risk_asks_twice_and_names_the_action(risk: Risk) -> None:
    approve = elements(card(asked(risk=risk), T0))["approve"]
    assert ("confirm" in approve) == (risk in (Risk.HIGH, Risk.CRITICAL))
    if "confirm" in approve:
        assert (
            "Refund 940 USD" in approve["confirm"]["text"]["text"]
            and risk in approve["confirm"]["title"]["text"]
        )


@pytest.mark.parametrize("name", ["approved", "edited", "approved_quorum", "overridden"])
def test_what_people_let_through_can_be_taken_back_until_it_runs(name: str) -> None:
    request = scene(name)
    assert list(elements(card(request, now_for(request)))) == ["take_back", "details"]
    begun = after(request, Claim())
    assert list(elements(card(begun, now_for(begun)))) == ["details"]


def test_there_is_something_to_snooze_only_while_reminders_are_to_come() -> None:
    def verbs(name: str) -> list[str]:
        options = elements(card(scene(name), T0))["more"]["options"]
        return [ids.unpack_pick(one["value"]).verb for one in options]

    assert verbs("pending_ladder") == ["details", "respond", "changes", "similar", "snooze"]
    assert "snooze" not in verbs("pending_escalated") + verbs("pending")


@pytest.mark.parametrize("name", OVER)
def test_what_is_over_can_only_be_looked_at(name: str) -> None:
    request = scene(name)
    assert list(elements(card(request, now_for(request)))) == ["details"]
    assert elements(dialogs.details_view(request, now_for(request), can_act=True)) == {}
    assert "submit" not in dialogs.read_view(request, now_for(request))


def test_past_its_deadline_nothing_is_offered_even_before_the_timer_knows() -> None:
    request = scene("pending")
    late = card(request, T0 + timedelta(hours=2))
    assert list(elements(late)) == ["details"] and "deadline has passed" in late.text


def test_with_its_agent_it_can_only_be_rejected() -> None:
    assert list(elements(card(scene("with_agent"), T0))) == ["reject", "details"]


def test_details_offer_decisions_only_to_who_may_decide() -> None:
    request = scene("pending")
    assert elements(dialogs.details_view(request, T0)) == {}
    assert "approve" in elements(dialogs.details_view(request, T0, can_act=True))


def test_only_a_first_post_calls_people() -> None:
    request = scene("pending_named_approvers")
    first, update = card(request, T0, called=called_of(request)), card(request, T0)
    assert "<@U0CFO> <!subteam^S0DIRS>" in first.text and "<@U0CFO>" in words(first)
    assert "<@" not in update.text + words(update) and "<!sub" not in update.text + words(update)
    over = card(scene("approved"), T0, called=called_of(request))
    assert "<@" not in over.text + words(over)


def test_nobody_is_called_for_a_whole_channel_or_by_a_made_up_name() -> None:
    assert mention([CHANNEL, Principal("@oncall"), Principal("<!here>"), Principal("U0CFO><!here>")]) == ""
    assert deciders([Principal("@<!here>"), CHANNEL]) == "@&lt;!here&gt; or the members of its channel"


def test_a_redrawn_card_has_a_new_block_id() -> None:
    first = card(scene("pending"), T0).blocks[-1]["block_id"]
    assert card(replace(scene("pending"), version=99), T0).blocks[-1]["block_id"] != first


@pytest.mark.attack("F85")
@pytest.mark.parametrize("name", SCENES)
def test_the_text_alone_tells_what_who_and_how_it_stands(name: str) -> None:
    request = scene(name)
    text = card(request, now_for(request)).text
    assert headline(request).split(" · ")[0] in text and request.agent in text and "R-7K2M" in text
    if request.decision is not None and request.decision.by.id.startswith("slack:"):
        assert "Ana Duarte" in text


@pytest.mark.parametrize("name", SCENES)
def test_a_card_drawn_twice_is_the_same(name: str) -> None:
    request = scene(name)
    assert card(request, now_for(request)) == card(request, now_for(request))
    assert trail(request) == trail(request)


# -- the action in words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "args", "told"),
    [
        ("refund", {"customer": "c_42", "amount": 940, "currency": "USD"}, "Refund 940 USD · customer c_42"),
        (
            "send_email",
            {"body": "Hi\nyou", "to": "a@b.c", "subject": "Re: it"},
            "Send email to a@b.c · subject “Re: it”",
        ),
        (
            "delete_branch",
            {"repo": "shop", "branch": "main", "force": True},
            "Delete branch · repo shop · branch main · force true",
        ),
        ("deployAPI", {}, "Deploy API"),
        ("github.create-issue", {"title": "a”b · c"}, "Github create issue · title “a'b · c”"),
        ("x", {"a": 1, "b": 2, "c": 3, "d": 4}, "X · a 1 · b 2 · c 3"),
        ("pay", {"amount": "940", "secret": {"deep": 1}}, "Pay · amount 940"),
        ("绩效", {}, "绩效"),
        ("!!", {}, "!!"),
    ],
)
def test_a_headline_is_made_from_the_call(tool: str, args: dict[str, Any], told: str) -> None:
    assert headline(a_request(tool=tool, args=args, reason="Harmless.")) == told


@pytest.mark.attack("J14")
def test_a_value_cannot_pass_itself_off_as_another_argument() -> None:
    drawn = words(card(a_request(args={"memo": "x\namount   1", "amount": 940}), T0))
    assert "│ amount   1" in drawn
    assert headline(a_request(tool="t", args={"memo": "x · amount 1"})) == "T · memo “x · amount 1”"


# -- questions ----------------------------------------------------------------------------------------


def test_a_question_has_a_button_for_each_option() -> None:
    request = a_question_asked()
    shown = elements(card(request, T0))
    assert list(shown) == ["option:0", "option:1", "more"]
    assert answer_at(request, ids.option_index("option:1")) == "us"
    assert answer_at(request, 2) is None


def test_many_options_are_a_menu_and_free_text_has_its_button() -> None:
    shown = elements(card(scene("question_many"), T0))
    assert list(shown) == ["choose", "answer", "more"]
    pick = ids.unpack_pick(shown["choose"]["options"][3]["value"])
    assert answer_at(scene("question_many"), pick.index) == "Stockholm"


def test_an_option_too_long_for_its_button_is_told_in_full_above() -> None:
    long = "o" * 120
    drawn = card(a_question(args={"question": "Which?", "options": [long, "b"]}), T0)
    assert long in words(drawn) and "choose" in elements(drawn)


def test_a_question_too_long_for_the_card_is_read_before_it_is_answered() -> None:
    request = a_question(args={"question": "?" * 9000, "options": ["eu", "us"]})
    assert list(elements(card(request, T0))) == ["read_all", "more"]
    view = dialogs.read_view(request, T0)
    assert view["callback_id"] == "answer" and view["submit"]["text"] == "Answer"


def answered(
    request: Request, *, option: str | None = None, words: str | None = None
) -> str | dict[str, str]:
    state: dict[str, dict[str, Any]] = {"words": {"words": {"value": words}}}
    if option is not None:
        state["choice"] = {"choice": {"selected_option": {"value": option}}}
    return dialogs.read_answer(request, state)


def test_an_answer_is_read_back_letter_by_letter() -> None:
    request = scene("question_many")
    assert answered(request, option=ids.pack_pick(5, request)) == "Zürich"
    assert answered(request, words=" both \n") == " both \n"
    assert answered(request, option=ids.pack_pick(5, request), words="neither") == "neither"
    assert answered(request) == {"choice": "Choose or write an answer."}
    assert answered(scene("question_free")) == {"words": "Choose or write an answer."}


def test_an_answer_to_a_question_that_changed_is_stale() -> None:
    request = scene("question_many")
    other = replace(request, fingerprint=Fingerprint("0" * 64))
    with pytest.raises(ids.Stale):
        answered(request, option=ids.pack_pick(1, other))


@pytest.mark.parametrize(
    "args", [{}, {"options": "eu"}, {"question": 7, "options": [1, None, "eu"]}, {"question": None, "x": 1}]
)
def test_a_question_that_is_none_is_still_a_card(args: dict[str, Any]) -> None:
    request = a_request(kind=Kind.QUESTION, tool="ask", args=args)
    assert card(request, T0).text and dialogs.answer_view(request)["blocks"]
