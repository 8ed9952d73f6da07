"""Whatever agents and people write, all that is drawn keeps Slack's limits, is JSON, and hides nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from approvals.canonical import fingerprint
from approvals.grants import may_be_granted
from approvals.homes import Look
from approvals.model import (
    CHANNEL,
    Actor,
    AgentName,
    Args,
    Decision,
    Kind,
    OnDeadline,
    PersonId,
    Receipt,
    Request,
    RequestId,
    Risk,
    SentBack,
    Status,
    TrailLine,
    Vote,
)
from approvals.preferences import Preferences
from approvals.quorum import called_of
from blocks import dialogs, home, queue, replies
from blocks.agents import AgentState
from blocks.check import check_message, check_view
from blocks.edit import edit_view, read_edit
from blocks.form import has_fields
from blocks.grants import grant_view
from blocks.pieces import View
from blocks.replies import Commands
from blocks.request import Offer, call_file, card, offer_for, trail
from tests.builders import T0, a_request, terms

NASTY = (
    "<!channel> <@U0ANA> <https://evil.example|x>",
    "``` ` *bold* _it_ ~no~ :white_check_mark:",
    "ok\n• approved\namount   1",
    "c_\u202e42\u202c \u2066x\u2069",
    "pay\u200b\u200c\u200d\ufeff\u00adpal",
    "x\U000e0041\U000e007f",
    "z" + "\u0301" * 50,
    "a\r\nb\rc\x0b\x00\x1b[31m\u2028\u2029",
    "⟨nothing⟩ … 3 more characters …",
    "👩‍💻❤️1️⃣🏳️‍🌈",
    "&<>" * 40,
    "\n" * 200,
    " " * 200,
    "𝔘" * 100,
    '"\\' * 60,
    "",
)
text = st.one_of(
    st.text(max_size=60), st.sampled_from(NASTY), st.sampled_from(NASTY).map(lambda one: one * 60)
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)
names = st.one_of(
    st.sampled_from(["amount", "to", "currency", "customer", "body", "question", "options"]), text
)
some_args = st.dictionaries(names, values, max_size=8)
schemas = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["string", "number", "integer", "boolean", "array", "object", "null", 7, ["string", "null"]]
            ),
            "enum": st.one_of(st.lists(scalars, max_size=120), text),
            "const": values,
            "format": st.sampled_from(["date", "date-time", "uri", 4]),
            "minimum": st.one_of(st.integers(-5, 5), text),
            "maximum": st.floats(allow_nan=False),
            "maxLength": st.integers(-1, 10),
            "minItems": st.integers(0, 3),
            "description": st.one_of(text, st.integers()),
            "default": values,
            "$ref": st.sampled_from(
                ["#", "#/$defs/a", "#/properties/amount", "https://evil.example/schema", "#/$defs/none"]
            ),
        },
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"anyOf": st.lists(st.one_of(inner, st.just({"type": "null"})), max_size=2)}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries(
            {"properties": st.dictionaries(names, inner, max_size=6), "required": st.lists(names, max_size=3)}
        ),
    ),
    max_leaves=6,
)
roots = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"properties": st.dictionaries(names, schemas, max_size=6)},
        optional={
            "required": st.one_of(st.lists(names, max_size=3), text),
            "$defs": st.fixed_dictionaries({"a": schemas}),
        },
    ),
    schemas,
)
tools = text.filter(lambda one: 0 < len(one) <= 200 and one.isprintable())
said = st.one_of(st.none(), text)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any request that approvals lets through, as far as what is drawn of it goes, in any state."""
    args: Args = draw(some_args)
    tool = draw(st.one_of(st.sampled_from(["refund", "send_email", "ask"]), tools))
    by = Actor(id="slack:U0ANA", name=draw(text))
    at = T0 + timedelta(minutes=draw(st.integers(0, 10_000)))
    status = draw(st.sampled_from(list(Status)))
    words = [
        "approved",
        "edited",
        "rejected",
        "answered",
        "expired",
        "cancelled",
        "undeliverable",
        "allowed",
        "denied",
    ]
    decision = Decision(word=draw(st.sampled_from(words)), by=by, at=at, text=draw(said))
    line = TrailLine(
        at=at, word=draw(st.sampled_from([*words, "voted", "claimed", "unheard_of"])), by=by, text=draw(said)
    )
    quorum = draw(st.integers(1, 3))
    vote = Vote(person="U0KIM", name=draw(text), at=at, note=draw(said))  # type: ignore[arg-type]  # a NewType
    return a_request(
        kind=draw(st.sampled_from(list(Kind))),
        tool=tool,
        args=args,
        fingerprint=fingerprint(tool, args),
        agent=draw(text),
        created_at=T0,
        reason=draw(said),
        schema=draw(roots),
        tags=tuple(draw(st.lists(text, max_size=3))),
        confidence=draw(st.one_of(st.none(), st.floats(0, 1))),
        batch=draw(said),
        on_behalf_of=draw(st.sampled_from([None, "U0BOB"])),
        status=status,
        decision=None if status is Status.PENDING else decision,
        votes=(vote,) * draw(st.integers(0, quorum)),
        asked_args=draw(st.one_of(st.none(), some_args)),
        sent_back=draw(st.sampled_from([None, SentBack(by=by, at=at, feedback=draw(text))])),
        claimed_at=at,
        receipt=draw(
            st.one_of(
                st.none(), st.just(Receipt(ok=draw(st.booleans()), at=at, result=draw(said), duration_ms=12))
            )
        ),
        trail=(line,) * draw(st.sampled_from([0, 1, 50])),
        terms=terms(
            rule=draw(text),
            because=draw(text),
            policy=draw(text),
            quorum=quorum,
            risk=draw(st.sampled_from(list(Risk))),
            deadline_s=draw(st.sampled_from([None, 60, 10**6])),
            on_deadline=draw(st.sampled_from(list(OnDeadline))),
            approvers=draw(st.sampled_from([(CHANNEL,), ("U0CFO", "S0DIRS", "@<!here>", "U<!x>"), ()])),
        ),
    )


def everything(request: Request) -> Iterator[Any]:
    """All messages and views of a request."""
    yield card(request, T0, called=called_of(request))
    if offer_for(request) is Offer.WHOLE:
        yield card(request, T0, offer=Offer.READ)
    yield trail(request)
    yield dialogs.read_view(request, T0)
    yield dialogs.read_view(request, T0, file_url="https://files.example/R-1.txt")
    yield dialogs.details_view(request, T0, can_act=True)
    yield dialogs.reject_view(request)
    yield dialogs.respond_view(request)
    yield dialogs.changes_view(request)
    yield dialogs.answer_view(request)
    if offer_for(request) is not Offer.FILE:
        yield edit_view(request)
    if offer_for(request) is Offer.WHOLE and may_be_granted(request):
        yield grant_view(request)


def lists(request: Request) -> Iterator[Any]:
    """All lists, of many such requests."""
    many = [replace(request, id=RequestId(f"R-{number}")) for number in range(40)]
    yield replies.pending_list(many, T0, mine=True, commands=Commands())
    yield a_home(many)
    yield queue.queue_view(many)
    for number in range(3):
        yield queue.queue_view(many[:number])


def a_home(many: list[Request]) -> View:
    """A Home tab as full as it gets."""
    agents = [AgentState(name=AgentName(f"{number}{'a' * 60}"), waiting=10**6) for number in range(20)]
    everything = home.Tab(
        now=T0,
        look=Look(page=3),
        mine=many,
        others=many,
        decided=many,
        unseen=many,
        deputy="<@U0KIM> stands in for you.",
        preferences=Preferences(person=PersonId("U0ANA"), name=many[0].agent),
        agents=agents,
        can_freeze=True,
    )
    return home.home_view(everything)


def held(drawn: Any) -> None:
    if isinstance(drawn, dict):
        check_view(drawn)
    else:
        check_message(drawn.text, drawn.blocks)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(requests())
def test_everything_drawn_keeps_slacks_limits(request: Request) -> None:
    for drawn in (*everything(request), *lists(request), card(request, T0 + timedelta(days=30))):
        held(drawn)


FLOODS: dict[str, Args] = {
    "a line of a megabyte": {"body": "x" * 250_000},
    "quotes": {"body": '"\\' * 60_000},
    "newlines": {"body": "\n" * 10_000},
    "lines": {"body": "a\n" * 80_000},
    "tags": {"body": "\U000e0041\U000e0042" * 20_000},
    "brackets": {"body": "⟨" * 50_000},
    "closing brackets": {"body": "⟩" * 50_000},
    "emoji": {"body": "👩" * 60_000},
    "escapes": {"body": "&" * 100_000},
    "marks": {"body": "z" + "\u0301\u0302" * 50_000},
    "just too long for a card": {f"k{n}": "v" * 100 for n in range(26)},
    "just too long for a dialog": {"body": '"' * 14_000},
    "many short args": {f"k{n}": n for n in range(15_000)},
    "many texts": {f"k{n}": "v" * 200 for n in range(110)},
    "long names": {"n" * 5_000 + str(n): n for n in range(5)},
    "deep": {"deep": json.loads("[" * 60 + "1" + "]" * 60)},
    "wide": {"wide": [[n] for n in range(20_000)]},
    "question": {"question": "?" * 200_000, "options": ["o" * 200] * 200, "free_text": False},
    "options": {
        "question": "Which?",
        "options": [f"<!channel> {n}\u202e" for n in range(150)],
        "context": "c" * 5000,
    },
}


@pytest.mark.attack("F81")
@pytest.mark.long
@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("kind", Kind)
def test_a_flood_keeps_the_limits_too(flood: str, kind: Kind) -> None:
    args = FLOODS[flood]
    request = a_request(
        args=args, kind=kind, reason="r\n" * 8_000, created_at=T0, asked_args={**args, "new": "y" * 5000}
    )
    for drawn in everything(request):
        held(drawn)
    over = replace(request, status=Status.REJECTED, decision=_rejected("w" * 3000))
    for drawn in (card(over, T0), *lists(request)):
        held(drawn)


def test_many_long_words_keep_the_limits_too() -> None:
    votes = tuple(
        Vote(person=PersonId(f"U{number}"), name="n" * 90, at=T0, note='"\n' * 1500) for number in range(12)
    )
    full = {f"k{number}": '"' * 50 for number in range(25)}
    usual = terms(
        quorum=20, risk=Risk.CRITICAL, because='"' * 900, approvers=[f"U0{number}" for number in range(40)]
    )
    request = a_request(
        args=full, asked_args={}, votes=votes, terms=usual, reason='"' * 16_000, created_at=T0
    )
    for drawn in everything(request):
        held(drawn)
    held(card(replace(request, status=Status.REJECTED, decision=_rejected('"' * 3000)), T0))


def _rejected(words: str) -> Decision:
    return Decision(word="rejected", by=Actor(id="slack:U0ANA", name="n" * 500), at=T0, text=words)


UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


@pytest.mark.attack("F79", "F80")
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(requests())
@example(a_request(args={"a": NASTY[3]}, created_at=T0))
def test_nothing_hides_and_nothing_is_markup(request: Request) -> None:
    hides_nothing(request)


def hides_nothing(request: Request) -> None:
    for drawn in everything(request):
        is_form = isinstance(drawn, dict) and drawn["callback_id"] == "edit"
        blocks = drawn["blocks"] if isinstance(drawn, dict) else drawn.blocks
        if not isinstance(drawn, dict):
            assert not UNSEEN.search(drawn.text)
            assert ours_only(drawn.text)
        for markup in mrkdwn_in(blocks):
            assert ours_only(markup) and not UNSEEN.search(markup)
        for shown in [] if is_form else texts_in(blocks):
            assert not UNSEEN.search(shown)


def ours_only(markup: str) -> bool:
    """Whether all that Slack would act on is a date, or the name of a person or a group by id."""
    rest = re.sub(r"<!date\^\d+\^[^|<>]*\|[^|<>]*>|<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>", "", markup)
    return not re.search("[<>]", rest)


def mrkdwn_in(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if item.get("type") == "mrkdwn":
            yield item["text"]
        for inner in item.values():
            yield from mrkdwn_in(inner)
    if isinstance(item, list):
        for inner in item:
            yield from mrkdwn_in(inner)


def texts_in(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if isinstance(item.get("text"), str):
            yield item["text"]
        for inner in item.values():
            yield from texts_in(inner)
    if isinstance(item, list):
        for inner in item:
            yield from texts_in(inner)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(requests())
def test_a_form_that_nobody_touched_changes_nothing(request: Request) -> None:
    if offer_for(request) is Offer.FILE or not has_fields(request):
        return
    read = read_edit(request, untouched(edit_view(request)))
    if isinstance(read, dict):  # only what was missing from the start may be asked for
        assert all(error.endswith("is needed") for error in read.values())
    else:
        assert read.args == request.args
        assert fingerprint(request.tool, read.args) == request.fingerprint


def untouched(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What Slack sends of a form on which only Submit was clicked."""
    state = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            state[block["block_id"]] = {element["action_id"]: _state(element)}
    return state


def _state(element: dict[str, Any]) -> dict[str, Any]:
    match element["type"]:
        case "radio_buttons" | "static_select":
            return {"type": element["type"], "selected_option": element.get("initial_option")}
        case "datepicker":
            return {"type": "datepicker", "selected_date": element.get("initial_date")}
        case kind:
            return {"type": kind, "value": element.get("initial_value")}


def test_a_file_holds_all_of_a_call() -> None:
    name, content = call_file(a_request(args={"query": "SELECT 1;\n" * 9_000, "last": "the end"}))
    assert name.endswith(".txt") and content.count("SELECT 1;") == 9_000 and "the end" in content
