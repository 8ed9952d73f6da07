"""Every sentence that we say to a person who clicked or typed: mrkdwn, for them alone.

Each names the thing and the next step. Mentions are names here: in a private answer they call nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from approvals.durations import tell_duration
from approvals.errors import (
    AlreadyObjected,
    AlreadyResolved,
    AlreadyReviewed,
    AlreadyUsed,
    AlreadyVoted,
    AmbiguousId,
    ArgumentsChanged,
    DeadlinePassed,
    DigestNotFound,
    Frozen,
    NeedsAssurance,
    NeverGiven,
    NoOverrider,
    NotAnOption,
    NotClaimable,
    NotDue,
    NothingSaid,
    NothingToReview,
    NothingToSee,
    NotQualified,
    NotYours,
    NoUndoAsked,
    OwnOverride,
    OwnRequest,
    Refusal,
    RequestNotFound,
    RequestRefusal,
    TooMuch,
    WithAgent,
    WrongKind,
)
from approvals.model import Assurance, Barred, Kind, PersonId, Request, ReviewState
from approvals.quorum import missing
from blocks import ids
from blocks.action import headline
from blocks.digest_replies import NO_DIGEST
from blocks.people import deciders
from blocks.pieces import Block, Card, Moment, actions, aside, button, header, notice, plain
from blocks.question import question_of
from blocks.request import about, label
from blocks.text import MESSAGE_CHARS, escape, json_size, name, one_line

TYPED_CHARS = 40


@dataclass(frozen=True, slots=True)
class Commands:
    """The names of the slash commands, without their slash."""

    approve: str = "approve"
    reject: str = "reject"
    approvals: str = "approvals"


def refused(
    refusal: Refusal, now: datetime, *, by: PersonId | None = None, commands: Commands | None = None
) -> str:
    """Why it was not let through, and what to do instead. `by` is the person who tried."""
    match refusal:
        case DigestNotFound():
            return NO_DIGEST
        case RequestNotFound(typed=typed):
            lists = (commands or Commands()).approvals
            return f"There is no request {_typed(typed)} here. `/{lists}` lists what waits."
        case AmbiguousId(typed=typed, shorts=shorts):
            listed = ", ".join(_typed(short) for short in shorts[:10])
            return f"{_typed(typed)} fits several requests: {listed}. Type one letter more."
        case RequestRefusal():
            return _refused(refusal, now, by)
        case _:
            return "The rules don't allow this now. Nothing was recorded as a decision."


def _refused(refusal: RequestRefusal, now: datetime, by: PersonId | None) -> str:  # noqa: C901  # a table
    request = refusal.request
    what, agent = _what(request), _agent(request)
    match refusal:
        case AlreadyResolved():
            return _too_late(request, now, by)
        case DeadlinePassed():
            return f"{what} had to be decided by {_when(request.deadline, now)}. Its deadline has passed."
        case ArgumentsChanged():
            return (
                f"{what} changed after your card was drawn, so nothing was decided. Look again, then decide."
            )
        case NotQualified(barred=None):
            return f"You can't decide {what}: it is for {_deciders(request)}."
        case NotQualified(barred=Barred() as barred):
            return f"You can't decide {what}: {_barred(barred)} It is for {_deciders(request)}."
        case OwnRequest():
            return f"You can't decide {what}: {agent} asks on your behalf. It is for {_deciders(request)}."
        case NeedsAssurance():
            takes = _takes(request)
            return (
                f"{what} takes {takes}, so nothing was decided."
                " Press Approve on its card in Slack, which leads there."
            )
        case NeverGiven():
            return (
                f"What is kept of the approval of {what} is not what was signed, so it can't be used again."
                f" {agent} has to ask anew, and those who run this should look into it."
            )
        case AlreadyVoted():
            return f"You have approved {what} already. It needs {_still_needed(request)}."
        case AlreadyObjected():
            left = request.terms.rejections - len(request.objections)
            return f"You have rejected {what} already. It ends when {_people(left)} more do."
        case TooMuch(at_most_s=at_most_s):
            more = f"at most {tell_duration(at_most_s)} more" if at_most_s > 0 else "no more time"
            return f"{what} takes {more}; its rule says so."
        case NotYours():
            return f"Only who approved {what} can take it back."
        case AlreadyUsed():
            return f"It is too late to take {what} back: {agent} has begun."
        case NoOverrider():
            who = deciders(request.terms.override) if request.terms.override else "nobody here"
            return f"Letting {what} through past its normal path is for {who}; the policy says so."
        case OwnOverride():
            return f"You let {what} through yourself, so somebody else has to look at it."
        case NothingToSee():
            return f"There is nothing left to look at in {what}."
        case NothingToReview():
            return f"{what} is not up for a look: it was asked for, or has not run."
        case AlreadyReviewed():
            return _looked_at(request, now)
        case NoUndoAsked():
            return f"Nobody waits to hear whether {what} was undone."
        case WithAgent():
            return f"{what} was sent back to {agent} for changes. You can decide when {agent} has revised it."
        case WrongKind(verb=verb):
            return f"{what} is a question: it can't be met with {_typed(verb)}. Answer it instead."
        case NotAnOption() if question_of(request).in_dialog:
            return f"{what} is answered in its dialog: press Answer… on its card."
        case NotAnOption():
            return f"{what} takes one of its options only: {_options(request)}."
        case NothingSaid():
            return f"{what} needs your words. Write what {agent} should know, and send it again."
        case Frozen(freeze=freeze):
            who, at = escape(name(freeze.by.name)), _when(freeze.at, now)
            return f"You can't decide {what} now: {who} froze {escape(freeze.words)} at {at}."
        case NotDue():
            return f"It is not time for that yet: {what} can still be decided."
        case NotClaimable():
            return f"{what} is {request.status}, so nothing is left to take back, to run or to report."
        case _:
            return f"The rules don't allow this for {what} now. Open its card to see how it stands."


def to_confirm(request: Request, verb: str, link: str) -> str:
    """Where a yes that takes more than a click is to be given."""
    did = {"edit": "approve it with your changes", "override": "let it through"}.get(verb, "approve it")
    return f"{_not_yet(request)} <{link}|{_sign(request)} to {did}>, within five minutes."


def link_to_confirm(request: Request, link: str) -> list[Block]:
    """The same with a button, where there is room for one."""
    words: Block = {"type": "mrkdwn", "text": f"{_not_yet(request)} The link is good for five minutes."}
    sign = _sign(request)
    opener = button(sign, ids.SIGN_IN, style="primary", described=f"{sign} to approve it", url=link)
    return [{"type": "section", "text": {**words, "verbatim": True}}, actions("sign-in", opener)]


def _not_yet(request: Request) -> str:
    return f"{_what(request)} takes {_takes(request)}, so nothing was decided yet."


def _takes(request: Request) -> str:
    is_signed = request.terms.assurance is Assurance.KEY
    return "a signature with a key of your own" if is_signed else "a sign-in of your own"


def _sign(request: Request) -> str:
    return "Sign" if request.terms.assurance is Assurance.KEY else "Sign in"


def _too_late(request: Request, now: datetime, by: PersonId | None) -> str:
    """To the loser of a race, to a late click, and to a click whose first answer was lost."""
    what, agent, decision = _what(request), _agent(request), request.decision
    if decision is None:
        return f"{what} is {request.status} already."
    at, who = _when(decision.at, now), escape(name(decision.by.name))
    if by is not None and decision.by.id == f"slack:{by}":
        return f"You {_did(request)} {what} at {at}. It is recorded."
    match decision.word:
        case "expired":
            return f"{what} expired at {at}; {agent} was told nobody answered. It can ask again."
        case "allowed" | "denied":
            return f"{what} was {decision.word} by a rule at {at}. There is nothing to decide."
        case "undeliverable":
            return (
                f"{what} was cancelled at {at}: nobody who may decide could be reached. {agent} was told so."
            )
        case "cancelled":
            return f"{who} cancelled {what} at {at}. There is nothing left to decide."
        case "approved" if decision.by.id == "timer":
            return f"{what} was approved by its rule at {at}, when nobody had objected."
    moment = ", a moment before you" if (now - decision.at).total_seconds() < 60 else ""
    return f"{who} {_did(request)} {what} at {at}{moment}."


def _looked_at(request: Request, now: datetime) -> str:
    """To whoever looks at what somebody has looked at before."""
    what, agent, review = _what(request), _agent(request), request.review
    if review is None or review.by is None:
        return f"{what} has been looked at already."
    if review.state is ReviewState.UNDONE:
        return f"{agent} has undone {what} already."
    if review.undo is not None and review.undo.ok is None:
        who, at = escape(name(review.undo.by.name)), _when(review.undo.at, now)
        return f"{who} asked {agent} at {at} to undo {what}. It has not answered yet."
    who, at = escape(name(review.by.name)), _when(review.at, now)
    if review.state is ReviewState.CONFIRMED:
        return f"{who} looked at {what} at {at}: it is right."
    return f"{who} flagged {what} at {at}. It can still be undone."


def _did(request: Request) -> str:
    word = request.decision.word if request.decision else str(request.status)
    told = {"edited": "approved (with changes)", "overridden": "let through"}.get(word)
    return told or escape(one_line(word.replace("_", " "), TYPED_CHARS))


def _barred(barred: Barred) -> str:
    match barred:
        case Barred.GUEST:
            return "guests may not decide."
        case Barred.EXTERNAL:
            return "people of other organisations may not decide."
        case Barred.BOT:
            return "a bot may not decide."
        case Barred.DEACTIVATED:
            return "your account is deactivated."
        case Barred.UNKNOWN:
            return "Slack couldn't tell who you are just now. Try again in a minute."
        case _:
            assert_never(barred)


def _deciders(request: Request) -> str:
    return deciders((*request.terms.approvers, *request.added))


def _options(request: Request) -> str:
    options = question_of(request).options
    listed = ", ".join(f"“{escape(one_line(words, TYPED_CHARS))}”" for _, words in options[:10])
    return listed + (f" and {len(options) - 10} more" if len(options) > 10 else "")


def _still_needed(request: Request) -> str:
    """Whose yes is missing, such as "1 person more" or "1 more of directors"."""
    wanted = missing(request.terms, request.votes)
    if "" in wanted:
        return f"{_people(wanted[''])} more"
    return " and ".join(f"{count} more of {escape(name(group))}" for group, count in wanted.items())


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _what(request: Request) -> str:
    return escape(label(request))


def _agent(request: Request) -> str:
    return escape(name(request.agent))


def _when(at: datetime | None, now: datetime) -> str:
    return Moment(at, near=now).token if at else "its deadline"


def _typed(typed: str) -> str:
    return f"“{escape(one_line(typed, TYPED_CHARS))}”"


# -- it worked ----------------------------------------------------------------------------------------


def recorded(request: Request) -> str:  # noqa: C901  # a table
    """What a typed command or a dialog has just done; the card tells everybody else."""
    what, agent = _what(request), _agent(request)
    word = request.trail[-1].word if request.trail else ""
    match word:
        case "voted":
            return f"Your approval of {what} counts. It needs {_still_needed(request)}."
        case "approved":
            return f"You approved {what}. {agent} may run it once."
        case "edited":
            return f"You approved {what} with your changes. {agent} may run it once, as you changed it."
        case "redirected":
            needed = _still_needed(request)
            return f"You changed {what}, so it is for {_deciders(request)} now. It needs {needed}."
        case "rejected":
            return f"You rejected {what}. {agent} was told{_with_words(request)}."
        case "answered":
            return f"You answered {what}. {agent} has your words."
        case "changes_requested":
            return f"You sent {what} back. {agent} has your words, and {what} stays open until it is revised."
        case "objected":
            left = request.terms.rejections - len(request.objections)
            return f"Your rejection of {what} counts. It ends when {_people(left)} more reject it."
        case "overridden":
            return (
                f"You let {what} through past its normal path, and everybody was told so. "
                f"It stays listed until somebody else has looked at it."
            )
        case "withdrawn":
            return f"You took {what} back in time: {agent} had not begun, and was told."
        case "looked_at":
            return f"You have looked at {what}; it is off the list."
        case "confirmed":
            return f"You looked at {what}: it is right. It is off the list."
        case "flagged":
            return f"You flagged {what}. Your words are in the log."
        case "undo_asked":
            return f"{agent} is asked to undo {what}, and has your words."
        case "expired":
            return f"{what} expired before you decided; {agent} was told nobody answered. It can ask again."
        case _:
            return f"{what} is {request.status}."


def _with_words(request: Request) -> str:
    return ", with your words" if request.decision and request.decision.text else ""


# -- it could not be done -----------------------------------------------------------------------------

OLDER = "This button is from an older version of this card. Bring the card up again with `/{approvals} ID`."
UNREADABLE = (
    "Slack sent something that can't be read here, so nothing was recorded. Try it from the card itself."
)
REDIS_AWAY = "Redis is away, so nothing was recorded. Click again in a minute."
REDIS_IS_OLDER = (
    "Redis has lost what it knew, or is an older copy, so nothing was recorded, and nothing can be decided"
    " now. Those who run this have been told."
)
OUR_FAULT = "Something went wrong on our side, so nothing was recorded. Its log says what; try again."
NO_SUCH_MESSAGE = "No request belongs to this message."
NOT_OPENED = "The dialog could not be opened, so nothing was decided. Try it again."


def older_button(commands: Commands) -> str:
    """To a click on something that an older version drew, or that nobody knows."""
    return OLDER.format(approvals=commands.approvals)


def elsewhere(request: Request, commands: Commands) -> str:
    """To who mentions us where not everybody may see the request."""
    what = _what(request)
    return f"{what} is shown in its own channel only. Type `/{commands.approvals} {what}` to see it here."


# -- how it is used -----------------------------------------------------------------------------------


def usage_approve(commands: Commands) -> str:
    return f"Type `/{commands.approve} ID`, and a note if you like. `/{commands.approvals}` lists the ids."


def usage_reject(commands: Commands) -> str:
    return f"Type `/{commands.reject} ID reason`. `/{commands.approvals}` lists the ids."


def usage_override(commands: Commands) -> str:
    return (
        f"Type `/{commands.approvals} override ID reason` to let a request through past its normal path. "
        "Everybody is told, and somebody else looks at it afterwards."
    )


def help_text(commands: Commands) -> str:
    """What can be typed, a line each."""
    return "\n".join(
        (
            "Agents ask here before they act. Decide on the card, or type:",
            f"• `/{commands.approvals}` or `/{commands.approvals} mine`: what waits for you",
            f"• `/{commands.approvals} all`: everything that waits; `digest`: this channel's digest",
            f"• `/{commands.approvals} ID`: one request, with its buttons",
            f"• `/{commands.approve} ID [note]`: approve it",
            f"• `/{commands.reject} ID reason`: reject it; the agent gets your reason",
            f"• `/{commands.approvals} expired`: what ended unanswered, and nobody has looked at yet",
            f"• `/{commands.approvals} reviews`: what ran without asking, and is up for a look",
            f"• `/{commands.approvals} override ID reason`: let it through past its normal path, aloud",
            f"• `/{commands.approvals} stats 7d`: what was asked and decided, in numbers and a picture",
            f"• `/{commands.approvals} away until friday @deputy`, `back`: who decides in your place",
            f"• `/{commands.approvals} grants`; for owners `freeze`, `thaw`, `stage`: what agents may do",
            f"• `/{commands.approvals} suggest`: rules for what people keep approving",
            "An id's first letters are enough, such as `R-7K2M`. In a thread, where Slack takes no commands, "
            "mention this app with the id, and it brings up the card.",
        )
    )


# -- what waits ---------------------------------------------------------------------------------------

QUESTION_CHARS = 120
LISTED = 15  # rows, if they are no longer than usual
LIST_SPARE_CHARS = 700  # of JSON, for what is around the rows


def pending_list(requests: Sequence[Request], now: datetime, *, mine: bool, commands: Commands) -> Card:
    """The answer to `/approvals mine` and `/approvals all`: what waits, the most urgent first."""
    if not requests:
        nothing = "Nothing waits for you." if mine else "Nothing waits."
        return Card(nothing, [notice(nothing)])
    title = f"{_requests(len(requests))} for you" if mine else _requests(len(requests))
    text, blocks = [f"{title}:"], [header(title)]
    room, listed = MESSAGE_CHARS - LIST_SPARE_CHARS, 0
    for one in by_urgency(requests)[:LISTED]:
        told, drawn = f"{escape(label(one))}: {escape(headline(one))}", row(one)
        room -= json_size(told) + json_size(drawn)
        if room < 0:
            break
        text, blocks, listed = [*text, told], [*blocks, *drawn], listed + 1
    if len(requests) > listed:
        more = f"… and {len(requests) - listed:,} more. /{commands.approvals} ID brings up any of them."
        text, blocks = [*text, more], [*blocks, aside(more)]
    return Card("\n".join(text), blocks)


def by_urgency(requests: Sequence[Request]) -> list[Request]:
    """The first deadline first; without one, the oldest."""
    return sorted(requests, key=lambda one: (one.deadline is None, one.deadline or one.created_at, one.id))


def row(request: Request) -> list[Block]:
    """One request in a list: what, and the way to it; then who, how risky, until when."""
    what = headline(request)
    opener = button("Open", ids.OPEN, ids.pack(request), described=f"Open {what}")
    if request.kind is Kind.QUESTION:
        what = f"{what}: “{one_line(question_of(request).text, QUESTION_CHARS)}”"
    return [{"type": "section", "text": plain(what), "accessory": opener}, about(request)]


def _requests(count: int) -> str:
    return "1 request waits" if count == 1 else f"{count:,} requests wait"
