"""Everything that can go wrong, in one tree.

`Refusal`: the rules say no; show it, don't retry. `Unavailable`: something was away; retry. `NotApproved`: an
agent's call may not go on; the SDK raises it. Bugs are none of these and are not caught.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only for the annotations: messages builds on canonical, and canonical on these errors
    from approvals.messages import Outcome
    from approvals.model import Barred, Freeze, Person, Request


class ApprovalsError(Exception):
    """The root of all errors of this package."""


class Unavailable(ApprovalsError):
    """Something that is needed was away or did not answer in time. Nothing was decided; try again."""


class InvalidCall(ApprovalsError):
    """The call cannot be asked for as it is: its message says what is wrong, and where."""


class KeyReused(ApprovalsError):
    """The same key came earlier from the same agent with another tool or other args."""

    def __init__(self, key: str, request_id: str) -> None:
        super().__init__(f"key {key!r} was already used for {request_id}, which asks for something else")
        self.key, self.request_id = key, request_id


class GrantSpent(ApprovalsError):
    """A grant has changed, or has too little left for this call: it is asked for like any other."""


class NotSigned(ApprovalsError):
    """A statement that no trusted key has signed as it stands; the message says what is wrong with it."""


# -- the rules say no ---------------------------------------------------------------------------------


class Refusal(ApprovalsError):
    """The rules forbid it at this point."""


class DigestNotFound(Refusal):
    """There is no such digest, or it has been forgotten."""

    def __init__(self, digest_id: str) -> None:
        super().__init__(f"there is no digest {digest_id[:64]!r}, or it has been forgotten")
        self.digest_id = digest_id


class RequestNotFound(Refusal):
    """There is no such request here, or it has been forgotten."""

    def __init__(self, typed: str) -> None:
        super().__init__(f"no request {typed!r}")
        self.typed = typed


class AmbiguousId(Refusal):
    """A typed prefix fits several requests."""

    def __init__(self, typed: str, shorts: tuple[str, ...]) -> None:
        super().__init__(f"{typed!r} fits several requests: {', '.join(shorts)}")
        self.typed, self.shorts = typed, shorts


class RequestRefusal(Refusal):
    """A refusal about one request, as it was at that moment."""

    def __init__(self, request: Request, why: str) -> None:
        super().__init__(f"{request.id}: {why}")
        self.request = request
        self.why = why


class AlreadyResolved(RequestRefusal):
    def __init__(self, request: Request) -> None:
        super().__init__(request, f"already {request.status}")


class DeadlinePassed(RequestRefusal):
    """The deadline has come; its default is about to be carried out."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "it came after the deadline")


class ArgumentsChanged(RequestRefusal):
    """The call is no longer the one that the person was looking at."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "the call changed after the card was drawn")


class NotQualified(RequestRefusal):
    """This person may not decide this request; `barred` says so when no rule could change it."""

    def __init__(self, request: Request, person: Person, barred: Barred | None = None) -> None:
        super().__init__(request, f"{person.id} is {barred}" if barred else f"{person.id} is not an approver")
        self.person, self.barred = person, barred


class OwnRequest(RequestRefusal):
    """The agent asks on behalf of the very person who tries to decide."""

    def __init__(self, request: Request, person: Person) -> None:
        super().__init__(request, f"{person.id} is the one it is asked for")
        self.person = person


class NeedsAssurance(RequestRefusal):
    """A yes to this call counts only from who has signed in for it, or signed it with their own key."""

    def __init__(self, request: Request, person: Person) -> None:
        wanted = request.terms.assurance
        super().__init__(request, f"a yes takes {wanted}, and this was {person.assurance}")
        self.person, self.wanted = person, wanted


class AlreadyVoted(RequestRefusal):
    def __init__(self, request: Request, person: Person) -> None:
        super().__init__(request, f"{person.id} has already voted")
        self.person = person


class WithAgent(RequestRefusal):
    """Changes were requested; until the agent revises it there is nothing to approve."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "it was sent back to the agent")


class WrongKind(RequestRefusal):
    """A question cannot be approved or edited."""

    def __init__(self, request: Request, verb: str) -> None:
        super().__init__(request, f"a {request.kind} can't be met with {verb!r}")
        self.verb = verb


class AlreadyObjected(RequestRefusal):
    def __init__(self, request: Request, person: Person) -> None:
        super().__init__(request, f"{person.id} has already rejected it")
        self.person = person


class TooMuch(RequestRefusal):
    """More time than the rule lets people add, or a snooze beyond the deadline."""

    def __init__(self, request: Request, at_most_s: int) -> None:
        super().__init__(request, f"at most {at_most_s} more seconds are allowed")
        self.at_most_s = at_most_s


class NotYours(RequestRefusal):
    """Only who decided may take an approval back."""

    def __init__(self, request: Request, person: Person) -> None:
        super().__init__(request, f"{person.id} has not approved it")
        self.person = person


class AlreadyUsed(RequestRefusal):
    """The agent has taken its leave to run the call: it is too late to take the approval back."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "the agent has already begun")


class NeverGiven(RequestRefusal):
    """The approval that we keep is not one that we signed, so its leave is not given again."""

    def __init__(self, request: Request, why: str) -> None:
        super().__init__(request, f"its approval can't be given back: {why}")


class NothingToSee(RequestRefusal):
    """It ended in the regular way, or somebody has looked at it already."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "there is nothing left to look at")


class NothingToReview(RequestRefusal):
    """It was asked for, or has not run, or is not among those that people are shown."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "it is not up for review")


class AlreadyReviewed(RequestRefusal):
    """Somebody has looked at it before."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "somebody has reviewed it already")


class NoUndoAsked(RequestRefusal):
    """An agent tells of an undo that nobody waits for."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "nobody waits to hear whether it was undone")


class Frozen(RequestRefusal):
    """Somebody has stopped everything that this request belongs to."""

    def __init__(self, request: Request, freeze: Freeze) -> None:
        super().__init__(request, f"{freeze.words} is frozen by {freeze.by.id}")
        self.freeze = freeze


class NoOverrider(RequestRefusal):
    """Only those whom the policy names may let something through past its normal path."""

    def __init__(self, request: Request, person: Person) -> None:
        super().__init__(request, f"{person.id} may not let anything through past its normal path")
        self.person = person


class OwnOverride(RequestRefusal):
    """Who let it through past its normal path isn't the one to look at that."""

    def __init__(self, request: Request, person: Person) -> None:
        super().__init__(request, f"{person.id} is the one who let it through")
        self.person = person


class NotAnOption(RequestRefusal):
    """The question has fixed options, and this is none of them."""

    def __init__(self, request: Request, text: str) -> None:
        super().__init__(request, "the answer is not one of the options")
        self.text = text


class NothingSaid(RequestRefusal):
    """An answer, or feedback that asks for changes, needs words."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, "no words were given")


class NotDue(RequestRefusal):
    def __init__(self, request: Request) -> None:
        super().__init__(request, "it is not time yet")


class NotClaimable(RequestRefusal):
    def __init__(self, request: Request) -> None:
        super().__init__(request, f"{request.status}, so there is nothing to claim or report")


# -- what an agent gets instead of its yes ------------------------------------------------------------


class NotApproved(ApprovalsError):
    """The call must not run. `outcome` tells what people, the policy or the clock said."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome

    @property
    def feedback(self) -> str | None:
        """The deciding person's or rule's words, to be shown to the model."""
        return self.outcome.text if self.outcome else None


class Rejected(NotApproved):
    """A person, or a rule of the policy, said no."""


class Expired(NotApproved):
    """Nobody answered in time. That is not a no: it may be asked again."""


class Cancelled(NotApproved):
    """The agent took the request back."""


class Undeliverable(NotApproved):
    """Nobody who may decide could be reached; the operator has been told."""


class Answered(NotApproved):
    """A person answered instead of letting the tool run; `feedback` is the answer."""


class NotClaimed(NotApproved):
    """The approval can't be used: it was used already, was taken back, or has lapsed."""


class Forged(NotApproved):
    """What says that it is approved is not what the service signed, or nobody trusted signed it."""


class TakenOver(NotApproved):
    """A person has taken the run over: stop, and leave the rest to them."""


class ChangesRequested(NotApproved):
    """A person wants changes; `feedback` says which. Revise the request or cancel it."""


class StillPending(ApprovalsError):
    """Nobody has decided yet; the request stays open, and can be waited for again by its id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"{request_id} is still pending")
        self.request_id = request_id
