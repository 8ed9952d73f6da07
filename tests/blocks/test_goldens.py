"""Cards and dialogs as a person sees them; with GOLDENS=write in the environment, drawn anew for review."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from approvals.model import (
    Actor,
    AgentName,
    Freeze,
    Person,
    PersonId,
    Principal,
    Reach,
    Request,
    RequestId,
)
from approvals.preferences import Preferences, Where
from approvals.quorum import called_of
from blocks import delays, dialogs, grants, home, replies
from blocks.agents import AgentState, freeze_view
from blocks.check import check_message, check_view
from blocks.edit import Edited, edit_view, redirect_view
from blocks.overrides import override_told, override_view
from blocks.pieces import Card, View
from blocks.pings import ping
from blocks.preferences import settings_view
from blocks.replies import Commands
from blocks.request import card, moved, trail
from blocks.unseen import unseen_list
from tests.blocks.drawn import card_text, view_text
from tests.blocks.scenes import DIRECTOR, SCENES, now_for, scene
from tests.builders import terms

GOLDENS = Path(__file__).parent / "goldens"
KIM = Preferences(person=PersonId("U0KIM"), name="Kim Lee")


def is_as_before(name: str, drawn: str) -> None:
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("GOLDENS") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn)
    assert drawn == path.read_text()


@pytest.mark.parametrize("name", SCENES)
def test_a_card_looks_as_before(name: str) -> None:
    request = scene(name)
    called = called_of(request) if name == "pending_named_approvers" else ()
    drawn = card(request, now_for(request), called=called)
    check_message(drawn.text, drawn.blocks)
    is_as_before(f"cards/{name}", card_text(drawn))


def test_a_card_that_is_frozen_or_elsewhere_by_now_looks_as_before() -> None:
    request = scene("pending")
    by = Actor(id="slack:U0KIM", name="Kim Lee")
    freeze = Freeze(reach=Reach.AGENT, name="billing", by=by, at=now_for(request), why="it refunds twice")
    for name, drawn in (
        ("frozen", card(request, now_for(request), freeze=freeze)),
        ("moved", moved(scene("pending_named_approvers"), "C0FINANCE")),
    ):
        check_message(drawn.text, drawn.blocks)
        is_as_before(f"cards/{name}", card_text(drawn))


@pytest.mark.parametrize("name", ["approved_quorum", "executed", "expired", "revised"])
def test_a_trail_looks_as_before(name: str) -> None:
    drawn = trail(scene(name))
    check_message(drawn.text, drawn.blocks)
    is_as_before(f"trails/{name}", card_text(drawn))


def a_view(name: str) -> View:
    request, long = scene("pending"), scene("pending_long")
    now = now_for(request)
    views = {
        "read": lambda: dialogs.read_view(long, now),
        "read_high_risk": lambda: dialogs.read_view(scene("pending_high_risk"), now),
        "details": lambda: dialogs.details_view(request, now, can_act=True),
        "details_executed": lambda: dialogs.details_view(scene("executed"), now),
        "reject": lambda: dialogs.reject_view(request),
        "respond": lambda: dialogs.respond_view(request),
        "changes": lambda: dialogs.changes_view(request),
        "read_own": lambda: dialogs.read_view(scene("pending_own"), now, is_own=True),
        "details_extend": lambda: dialogs.details_view(scene("pending_escalated"), now, can_act=True),
        "extend": lambda: delays.extend_view(scene("pending_escalated")),
        "snooze": lambda: delays.snooze_view(scene("pending_two_days"), now, now + timedelta(hours=18)),
        "similar": lambda: grants.grant_view(request),
        "override": lambda: override_view(request, now, "The site is down."),
        "answer": lambda: dialogs.answer_view(scene("question_free")),
        "answer_many": lambda: dialogs.answer_view(scene("question_many")),
        "edit": lambda: edit_view(request),
        "edit_email": lambda: edit_view(scene("pending_email")),
        "edit_deploy": lambda: edit_view(scene("pending_deploy")),
        "edit_long": lambda: edit_view(long),
        "edit_redirect": lambda: _redirected(request, DIRECTOR),
        "edit_redirect_others": lambda: _redirected(request, None),
        "home": lambda: a_home(now),
        "home_empty": lambda: home.home_view(home.Tab(now=now, preferences=KIM)),
        "settings": lambda: settings_view(replace(KIM, quiet=(time(18), time(8)), days_off=(5, 6))),
        "freeze": lambda: freeze_view("agent:billing"),
    }
    return views[name]()


def a_home(now: datetime) -> View:
    """Everything that a Home tab can show, of an owner of freezes."""
    freeze = Freeze(
        reach=Reach.AGENT, name="billing", by=Actor(id="slack:U0KIM", name="Kim Lee"), at=now, why="twice"
    )
    long = replace(scene("pending_long"), id=RequestId("R-1"))
    return home.home_view(
        home.Tab(
            now=now,
            mine=[scene("pending"), long, scene("pending_high_risk")],
            others=[scene("question")],
            decided=[scene("executed"), scene("rejected"), scene("pending_quorum_one")],
            unseen=[scene("expired")],
            deputy="<@U0LEE> stands in for you.",
            preferences=replace(KIM, where=Where.BOTH, quiet=(time(18), time(8)), days_off=(5,)),
            agents=[
                AgentState(name=AgentName("billing"), waiting=3, running=2, heard_at=now, freeze=freeze),
                AgentState(name=AgentName("deployer")),
            ],
            can_freeze=True,
        )
    )


def _redirected(request: Request, voter: Person | None) -> View:
    edited = Edited(args={**request.args, "amount": 6000}, note="As we agreed.")
    directors = (Principal("S0DIRECTORS"),)
    strict = terms(approvers=directors, quorum=2, because="Refunds over $5,000 need two directors.")
    return redirect_view(request, edited, strict, "0123456789abcdef", voter=voter)


VIEWS = (
    *("read", "read_high_risk", "details", "details_executed", "reject", "respond", "changes", "answer"),
    *("read_own", "details_extend", "extend", "snooze", "override", "similar"),
    *(
        "answer_many",
        "edit",
        "edit_email",
        "edit_deploy",
        "edit_long",
        "edit_redirect",
        "edit_redirect_others",
        "home",
        "home_empty",
        "settings",
        "freeze",
    ),
)


@pytest.mark.parametrize("name", VIEWS)
def test_a_dialog_looks_as_before(name: str) -> None:
    view = a_view(name)
    check_view(view)
    is_as_before(f"views/{name}", view_text(view))


def test_a_list_of_what_waits_looks_as_before() -> None:
    drawn: Card = replies.pending_list(
        [scene("pending"), scene("pending_email")], now_for(scene("pending")), mine=True, commands=Commands()
    )
    check_message(drawn.text, drawn.blocks)
    is_as_before("replies/pending_list", card_text(drawn))


def test_a_list_of_what_nobody_has_looked_at_looks_as_before() -> None:
    other = replace(scene("overridden"), id=RequestId("R-9QX1ABCDEFGHJKMNPQRSTVWXYZ"), short="R-9QX1")
    drawn = unseen_list([scene("expired"), other])
    check_message(drawn.text, drawn.blocks)
    is_as_before("replies/unseen_list", card_text(drawn))


@pytest.mark.parametrize("is_in_thread", [True, False], ids=["thread", "elsewhere"])
def test_what_is_said_once_looks_as_before(is_in_thread: bool) -> None:
    waiting = scene("pending_escalated")
    step = waiting.terms.ladder[1]
    said = {
        "ping": ping(waiting, step, [Principal("U0KIM"), *step.add], is_in_thread=is_in_thread),
        "override": override_told(scene("overridden"), is_in_thread=is_in_thread),
    }
    for name, drawn in said.items():
        check_message(drawn.text, drawn.blocks)
        is_as_before(f"said/{name}_{'thread' if is_in_thread else 'elsewhere'}", card_text(drawn))


def test_the_help_looks_as_before() -> None:
    is_as_before("replies/help", replies.help_text(Commands()) + "\n")
