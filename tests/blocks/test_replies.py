"""Every refusal has a sentence of its own, which says what to do next and gives nothing away."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from approvals import errors
from approvals.commands import Approve, Claim, Flag, Reject, Report
from approvals.errors import Refusal, RequestRefusal
from approvals.model import Action, Barred, Freeze, PersonId, Principal, Reach
from blocks import replies
from blocks.replies import Commands
from tests.blocks.scenes import ANA, KIM, SCENES, after, asked, now_for, scene, yes
from tests.builders import T0, a_question

REQUEST = scene("pending")
FLAGGED = (Claim(), Report(ok=True), Flag(by=ANA, text="too much"))
EXAMPLES: dict[type[Refusal], Refusal] = {
    errors.RequestNotFound: errors.RequestNotFound("R-<!here>"),
    errors.AmbiguousId: errors.AmbiguousId("R-7", ("R-7K", "R-7X")),
    errors.AlreadyResolved: errors.AlreadyResolved(scene("approved")),
    errors.DeadlinePassed: errors.DeadlinePassed(REQUEST),
    errors.ArgumentsChanged: errors.ArgumentsChanged(REQUEST),
    errors.NotQualified: errors.NotQualified(REQUEST, ANA),
    errors.OwnRequest: errors.OwnRequest(REQUEST, ANA),
    errors.AlreadyVoted: errors.AlreadyVoted(scene("pending_quorum_one"), ANA),
    errors.NeedsAssurance: errors.NeedsAssurance(REQUEST, ANA),
    errors.NeverGiven: errors.NeverGiven(REQUEST, "no key of ours has signed it"),
    errors.WithAgent: errors.WithAgent(scene("with_agent")),
    errors.WrongKind: errors.WrongKind(scene("question"), "approve"),
    errors.NotAnOption: errors.NotAnOption(scene("question"), "mars"),
    errors.NothingSaid: errors.NothingSaid(REQUEST),
    errors.DigestNotFound: errors.DigestNotFound("D-1"),
    errors.NotDue: errors.NotDue(REQUEST),
    errors.AlreadyObjected: errors.AlreadyObjected(REQUEST, ANA),
    errors.TooMuch: errors.TooMuch(REQUEST, 600),
    errors.NotYours: errors.NotYours(scene("approved"), KIM),
    errors.AlreadyUsed: errors.AlreadyUsed(scene("approved")),
    errors.NoOverrider: errors.NoOverrider(REQUEST, ANA),
    errors.OwnOverride: errors.OwnOverride(scene("approved"), ANA),
    errors.NothingToSee: errors.NothingToSee(scene("approved")),
    errors.Frozen: errors.Frozen(REQUEST, Freeze(reach=Reach.AGENT, name="billing", by=KIM.actor, at=T0)),
    errors.NotClaimable: errors.NotClaimable(REQUEST),
    errors.NothingToReview: errors.NothingToReview(REQUEST),
    errors.AlreadyReviewed: errors.AlreadyReviewed(after(asked(action=Action.REVIEW), *FLAGGED)),
    errors.NoUndoAsked: errors.NoUndoAsked(REQUEST),
}


def refusals(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for one in kind.__subclasses__():
        yield one
        yield from refusals(one)


def test_every_refusal_has_an_example_here() -> None:
    told_in_slack = {one for one in refusals(Refusal) if one.__module__ == errors.__name__}
    assert told_in_slack - {RequestRefusal} == EXAMPLES.keys()


@pytest.mark.parametrize("refusal", EXAMPLES.values(), ids=lambda one: type(one).__name__)
def test_every_refusal_has_a_sentence(refusal: Refusal) -> None:
    said = replies.refused(refusal, now_for(REQUEST))
    assert "The rules don't allow this" not in said, "it fell through to the sentence for the unheard-of"
    assert not said[0].islower() and said.endswith(".")
    assert "Error" not in said and "sorry" not in said.lower() and REQUEST.id not in said
    assert not re.search(r"<(?!!date\^|@U|!subteam\^S)", said)


def test_no_two_refusals_sound_alike() -> None:
    said = [replies.refused(one, now_for(REQUEST)) for one in EXAMPLES.values()]
    assert len(set(said)) == len(said)


def test_an_unheard_of_refusal_is_still_a_sentence() -> None:
    assert replies.refused(Refusal("later"), T0).endswith(".")
    assert replies.refused(RequestRefusal(REQUEST, "later"), T0).endswith(".")


@pytest.mark.parametrize("barred", Barred)
def test_who_is_barred_learns_why(barred: Barred) -> None:
    said = replies.refused(errors.NotQualified(REQUEST, ANA, barred), T0)
    assert said.startswith("You can't decide R-7K2M: ")


def test_who_may_not_decide_learns_who_can() -> None:
    request = asked(approvers=(Principal("U0CFO"), Principal("S0DIRS"), Principal("@oncall")))
    said = replies.refused(errors.NotQualified(request, ANA), T0)
    assert said == "You can't decide R-7K2M: it is for <@U0CFO>, <!subteam^S0DIRS> or @oncall."


def test_the_loser_of_a_race_learns_who_won() -> None:
    request = scene("approved")
    assert request.decision is not None
    said = replies.refused(
        errors.AlreadyResolved(request), request.decision.at + timedelta(seconds=1), by=KIM.id
    )
    assert said.startswith("Ana Duarte approved R-7K2M at <!date^") and said.endswith(
        ", a moment before you."
    )


def test_a_click_whose_answer_was_lost_is_told_as_done() -> None:
    request = scene("approved")
    said = replies.refused(errors.AlreadyResolved(request), now_for(request), by=PersonId("U0ANA"))
    assert said.startswith("You approved R-7K2M at ") and said.endswith("It is recorded.")


def test_a_late_click_learns_that_silence_was_no_no() -> None:
    said = replies.refused(errors.AlreadyResolved(scene("expired")), now_for(scene("expired")))
    assert "expired at" in said and "billing was told nobody answered. It can ask again." in said


@pytest.mark.parametrize("name", SCENES)
def test_being_too_late_is_a_sentence_in_every_state(name: str) -> None:
    request = scene(name)
    said = replies.refused(errors.AlreadyResolved(request), now_for(request))
    assert said.endswith(".") and "None" not in said


def test_what_was_recorded_is_told() -> None:
    request = asked()
    assert replies.recorded(after(request, yes(request))) == "You approved R-7K2M. billing may run it once."
    rejected = after(request, Reject(by=ANA, feedback="No invoice."))
    assert replies.recorded(rejected) == "You rejected R-7K2M. billing was told, with your words."
    two = asked(quorum=2)
    voted = after(two, Approve(by=ANA, seen=two.fingerprint))
    assert replies.recorded(voted) == "Your approval of R-7K2M counts. It needs 1 person more."


@pytest.mark.parametrize("name", SCENES)
def test_every_state_has_a_word_for_what_was_recorded(name: str) -> None:
    assert replies.recorded(scene(name)).endswith(".")


def test_commands_are_named_as_they_are_configured() -> None:
    named = Commands(approve="ja", reject="nein", approvals="fragen")
    for said in (replies.help_text(named), replies.usage_approve(named), replies.usage_reject(named)):
        assert "/fragen" in said and "/approve" not in said
    assert "/fragen ID" in replies.older_button(named)


def test_the_most_urgent_is_listed_first() -> None:
    soon, late, never = asked(deadline_s=60), asked(deadline_s=600), asked(deadline_s=None)
    assert replies.by_urgency([never, late, soon]) == [soon, late, never]


def test_options_are_told_to_who_wrote_another() -> None:
    request = a_question(args={"question": "Which?", "options": ["eu", "<!here>"]})
    assert replies.refused(errors.NotAnOption(request, "x"), T0).endswith("“eu”, “&lt;!here&gt;”.")


def test_what_a_rule_decided_names_nobody() -> None:
    said = replies.refused(errors.AlreadyResolved(asked(action=Action.DENY)), T0)
    assert "was denied by a rule" in said
