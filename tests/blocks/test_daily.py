"""The daily thread as blocks: what it says, and that it keeps Slack's limits whatever it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from approvals.events import Flagged
from approvals.evolution import evolve
from approvals.model import Action, Actor, Args, PersonId, Receipt, Request, Review, Status
from approvals.stats import Counting, Counts, PersonTally, Tally
from blocks.check import check_message
from blocks.daily import Picture, Waiting, head, pages, reply, since_when
from blocks.pieces import Card
from blocks.replies import Commands
from tests.builders import T0, a_request, terms

LEE = Actor(id="slack:U0LEE", name="Lee Park")
HOSTILE = 'x"\\\n<@U0ANA> *bold* \u202e' * 300
NOTHING = Counting(since=T0 - timedelta(days=1), until=T0).tally
BUSY = replace(
    NOTHING,
    counts=Counts(asked=48, allowed=210, approved=39, rejected=3),
    tools={f"{number}{HOSTILE}": Counts(asked=8, approved=6) for number in range(40)},
    people=tuple(
        PersonTally(id=PersonId(f"U{number}"), name=HOSTILE, approved=20 + number, yes_seconds=(0.5,) * 20)
        for number in range(40)
    ),
    seconds=(1.0, 90.0),
)


def a_review(args: Args) -> Request:
    """A call that ran without asking."""
    made = a_request(terms=terms(action=Action.REVIEW), created_at=T0 - timedelta(hours=2), args=args)
    receipt = Receipt(ok=True, at=T0, result=HOSTILE)
    return replace(made, status=Status.EXECUTED, receipt=receipt, review=Review(opened_at=T0))


def a_head(tally: Tally, waiting: Waiting = Waiting(), *, look: int = 0) -> Card:  # noqa: B008 - a value
    picture = Picture(file="F0DAY", alt=HOSTILE)
    return head(
        tally,
        "Since yesterday 09:00",
        waiting,
        now=T0,
        up_for_a_look=look,
        picture=picture,
        commands=Commands(),
    )


def test_it_says_what_waits_since_when_and_until_when() -> None:
    waiting = Waiting(count=9, oldest=T0 - timedelta(hours=2), deadline=T0 + timedelta(minutes=50))
    told = a_head(NOTHING, waiting, look=12).text
    assert (
        "9 requests wait here now, the oldest since <!date^" in told and "the first deadline <!date^" in told
    )
    assert "12 calls ran without asking and are up for a look, in the thread." in told
    assert "1 request waits here now, the oldest since" in a_head(NOTHING, replace(waiting, count=1)).text
    assert "Nothing waits here now." in a_head(NOTHING).text


@pytest.mark.parametrize("tally", [NOTHING, BUSY], ids=["nothing", "busy"])
def test_the_head_keeps_slacks_limits_and_calls_nobody(tally: Tally) -> None:
    card = a_head(tally, Waiting(count=5000, oldest=T0, deadline=T0), look=400)
    check_message(card.text, card.blocks)
    assert "<@" not in card.text
    assert "Is a person needed here?" not in str(card.blocks)  # nobody is told off in front of others


@pytest.mark.parametrize("args", [{"service": "api"}, {"body": HOSTILE}], ids=["plain", "hostile"])
def test_rows_are_shared_out_over_messages_that_hold_them_now_and_once_looked_at(args: Args) -> None:
    requests = [a_review(args) for _ in range(40)]
    found = pages(requests, T0)
    assert [each for page in found for each in page] == requests
    for page in found:
        assert len(page) <= 10
        flagged = [evolve(each, Flagged(by=LEE, at=T0, text=HOSTILE)) for each in page]
        for shown in (page, flagged):
            card = reply(shown, now=T0, is_old=False, left_out=4960, commands=Commands())
            check_message(card.text, card.blocks)


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (datetime(2026, 11, 20, 8, 0, tzinfo=UTC), "Since today 09:00"),
        (datetime(2026, 11, 19, 23, 30, tzinfo=UTC), "Since today 00:30"),
        (datetime(2026, 11, 19, 8, 0, tzinfo=UTC), "Since yesterday 09:00"),
        (datetime(2026, 11, 17, 8, 0, tzinfo=UTC), "Since Tuesday 09:00"),
        (datetime(2026, 11, 13, 8, 0, tzinfo=UTC), "Since 13 November 09:00"),
    ],
)
def test_since_when_is_told_by_the_clock_on_the_wall_there(since: datetime, told: str) -> None:
    assert since_when(since, T0, "Europe/Berlin") == told
