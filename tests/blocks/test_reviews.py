"""What ran without asking, as people see it: rows that turn into what was said of them, in any message."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.commands import AskUndo, Claim, Command, Confirm, Flag, Report, ReportUndo
from approvals.model import Action, Kind, Receipt, Request, RequestId
from approvals.reviewing import UNDO_PATIENCE
from blocks import ids
from blocks.check import check_message, check_view
from blocks.dialogs import details_view, flag_view, undo_view
from blocks.pieces import Block, line_text
from blocks.reviews import review_line, review_rows, review_text, reviews_list
from blocks.status import story, trail_lines
from tests.blocks.drawn import card_text
from tests.blocks.scenes import ANA, KIM, after, asked
from tests.blocks.test_goldens import is_as_before
from tests.builders import T0

NOW = T0 + timedelta(hours=1)
UNDO = AskUndo(by=KIM, text="It was the wrong customer.")


def a_run(*commands: Command, letter: str = "7", ok: bool = True) -> Request:
    because = "rule “refunds” lets it run, and has it looked at afterwards"
    request = asked(action=Action.REVIEW, rule="refunds", because=because)
    ran = after(request, Claim(), Report(ok=ok, result="re_81f", duration_ms=800), *commands)
    return replace(ran, id=RequestId(f"R-{letter}K2MABCDEFGHJKMNPQRSTVWXYZ"), short=f"R-{letter}K2M")


EVERY = {
    "open": a_run(),
    "failed": a_run(letter="8", ok=False),
    "confirmed": a_run(Confirm(by=ANA), letter="9"),
    "flagged": a_run(Flag(by=ANA, text="*Too* much <!channel>"), letter="A"),
    "undo asked": a_run(UNDO, letter="B"),
    "undone": a_run(UNDO, ReportUndo(ok=True, text="charged again"), letter="C"),
    "not undone": a_run(UNDO, ReportUndo(ok=False, text="the bank is closed"), letter="D"),
}


def labels(request: Request, now: timedelta = timedelta()) -> list[str]:
    rows: list[Block] = review_rows([request], NOW + now)
    return [one["text"]["text"] for block in rows if block["type"] == "actions" for one in block["elements"]]


def test_a_list_looks_as_before() -> None:
    drawn = reviews_list(list(EVERY.values()), NOW)
    check_message(drawn.text, drawn.blocks)
    is_as_before("replies/reviews_list", card_text(drawn))


@pytest.mark.parametrize(
    ("name", "buttons"),
    [
        ("open", ["Looks right", "Flag…", "Undo…", "Open"]),
        ("confirmed", ["Open"]),
        ("flagged", ["Undo…", "Open"]),
        ("undo asked", ["Open"]),
        ("not undone", ["Undo…", "Open"]),
        ("undone", ["Open"]),
    ],
)
def test_a_row_offers_what_can_still_be_said_of_it(name: str, buttons: list[str]) -> None:
    assert labels(EVERY[name]) == buttons


def test_an_agent_that_has_been_silent_for_a_day_may_be_asked_again() -> None:
    assert labels(EVERY["undo asked"], UNDO_PATIENCE) == ["Undo…", "Open"]


def test_what_was_looked_at_a_moment_ago_tops_the_list_once() -> None:
    flagged, opened = EVERY["flagged"], EVERY["open"]
    for rest in ([opened], [opened, flagged]):
        drawn = reviews_list(rest, NOW, just=flagged)
        assert drawn.text.index("R-AK2M") < drawn.text.index("R-7K2M")
        assert drawn.text.count("R-AK2M") == 1
    assert reviews_list([], NOW).text == "Nothing that ran without asking waits for you to look at it."


def test_a_long_list_says_how_many_more_there_are() -> None:
    drawn = reviews_list([a_run(letter=letter) for letter in "ABCDEFGHJKMN"], NOW)
    check_message(drawn.text, drawn.blocks)
    listed = drawn.text.count("Refund 940")
    assert f"… and {12 - listed} more" in drawn.text


def test_what_an_agent_told_of_says_why_it_is_there() -> None:
    because = "rule “never” does not allow it; but it has run already, so it is up for a look"
    told = asked(
        kind=Kind.REVIEW,
        action=Action.REVIEW,
        because=because,
        receipt=Receipt(ok=True, at=T0, result="re_81f"),
    )
    assert because in review_text(told)
    assert line_text(story(told, NOW)[0].line).startswith("billing ran it")
    assert "told of it" in line_text(trail_lines(told)[0].line)


@pytest.mark.parametrize("request_", EVERY.values(), ids=EVERY)
def test_nothing_an_agent_or_a_person_says_is_markup(request_: Request) -> None:
    assert "<!channel>" not in review_text(request_)
    assert line_text(review_line(request_).line)


def test_details_tell_what_became_of_it_and_what_can_still_be_said() -> None:
    for name, buttons in {"open": 3, "flagged": 1, "not undone": 1, "undone": 0}.items():
        view = details_view(EVERY[name], NOW)
        check_view(view)
        rows = [block for block in view["blocks"] if block["type"] == "actions"]
        assert sum(len(block["elements"]) for block in rows) == buttons


def test_the_dialogs_say_what_happens_and_remember_where_they_came_from() -> None:
    back = "https://hooks.slack.com/actions/T1/2/abc"
    for view in (flag_view(EVERY["open"], back), undo_view(EVERY["open"], back)):
        check_view(view)
        seen, where = ids.unpack_agreed(view["private_metadata"])
        assert (seen.request_id, where) == (EVERY["open"].id, back)
