"""The protocol of drawing, as a model: two posters, a request that changes, one place, and Slack.

What changes the request is the other model; here it does so at any moment. That clicks do no harm on whatever
a card happens to show is the other model's too: there people click on everything, whether it is shown or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tests.proof.search import Model, Step

UNKNOWN = -1
MUTANTS = ("commits don't mark", "posts before it says so", "posts again blindly", "ticks off blindly")
OFF, DUE, LEASED = "off", "due", "leased"  # whether it is to be drawn, and somebody is at it


class Record(NamedTuple):
    """What Redis knows of the card: nothing, an attempt to post it, or which message shows which version."""

    attempt: int = UNKNOWN
    message: int = UNKNOWN
    version: int = UNKNOWN


class Poster(NamedTuple):
    """What one of them is about to do, with what it has read."""

    next: str  # look, intend, post, update, record, tick
    version: int
    record: Record
    message: int = UNKNOWN


class Message(NamedTuple):
    number: int  # of the attempt that posted it
    version: int  # that it shows


class State(NamedTuple):
    version: int = 0
    draw: str = DUE
    record: Record = Record()
    posters: tuple[Poster, ...] = ()  # those at work, in any order
    slack: tuple[Message, ...] = ()
    late: tuple[Message, ...] = ()  # posts that are still on their way, though nobody waits for them
    attempts: int = 0


@dataclass(frozen=True, kw_only=True)
class Scope:
    name: str
    versions: int = 3
    attempts: int = 3
    kills: bool = False
    loses_replies: bool = False
    delays: bool = False  # posts arrive after their sender gave up
    stalls: bool = False  # a poster is stopped for longer than its lease, and then goes on
    mutant: str = ""


Then: TypeAlias = Iterator[Step[State]]


def model_of(scope: Scope) -> Model[State]:
    protocol = Protocol(scope)
    return Model(
        name=scope.name, first=State(), steps=protocol.steps, wrong=protocol.wrong, is_end=protocol.is_end
    )


class Protocol:
    def __init__(self, scope: Scope) -> None:
        self._scope, self._mutant = scope, scope.mutant

    def steps(self, state: State) -> Then:
        if state.version + 1 < self._scope.versions:
            is_marked = state.draw == OFF and self._mutant != "commits don't mark"
            draw = DUE if is_marked else state.draw
            yield Step(
                label="the request changes", after=state._replace(version=state.version + 1, draw=draw)
            )
        for message in state.late:
            rest = tuple(each for each in state.late if each != message)
            after = state._replace(late=rest, slack=tuple(sorted((*state.slack, message))))
            yield Step(label=f"late post {message.number} arrives", after=after)
        if state.draw == DUE and len(state.posters) < 2:
            poster = Poster("look", state.version, state.record)
            yield Step(label="a poster takes it", after=_busy(state._replace(draw=LEASED), poster))
        if state.draw == LEASED and (self._scope.stalls or not state.posters):
            after = state._replace(draw=DUE)
            yield Step(label="the lease ends", after=after, is_fault=bool(state.posters))
        for index, poster in enumerate(state.posters):
            free = state._replace(posters=(*state.posters[:index], *state.posters[index + 1 :]))
            yield from self._poster_goes_on(free, poster)
            if self._scope.kills:
                yield Step(label=f"the poster is killed before: {poster.next}", after=free, is_fault=True)

    def _poster_goes_on(self, free: State, poster: Poster) -> Then:
        match poster.next:
            case "look":
                yield self._look(free, poster)
            case "intend" if free.attempts < self._scope.attempts:
                intended = Record(attempt=free.attempts)
                after = free._replace(attempts=free.attempts + 1)
                if self._mutant != "posts before it says so":
                    after = after._replace(record=intended)
                then = poster._replace(next="post", record=intended)
                yield Step(label="it writes that it will post", after=_busy(after, then))
            case "post":
                yield from self._post(free, poster)
            case "update":
                yield from self._update(free, poster)
            case "record":
                record = Record(message=poster.message, version=poster.version)
                after = _busy(free._replace(record=record), poster._replace(next="tick"))
                yield Step(label=f"it records message {poster.message}", after=after)
            case "tick":
                yield self._tick(free, poster)

    def _look(self, free: State, poster: Poster) -> Step[State]:
        """Where an attempt has no answer, Slack is asked for its message first."""
        record, label = poster.record, f"it reads version {poster.version}"
        message = record.message
        if record.attempt != UNKNOWN and self._mutant != "posts again blindly":
            numbers = [each.number for each in free.slack]
            message = record.attempt if record.attempt in numbers else UNKNOWN
            label += ", and asks Slack for the lost post"
        if message == UNKNOWN:
            then = poster._replace(next="intend")
        elif record.version == poster.version:
            then = poster._replace(next="tick")
        else:
            then = poster._replace(next="update", message=message)
        return Step(label=label, after=_busy(free, then))

    def _post(self, free: State, poster: Poster) -> Then:
        message = Message(poster.record.attempt, poster.version)
        posted = free._replace(slack=tuple(sorted((*free.slack, message))))
        done = _busy(posted, poster._replace(next="record", message=message.number))
        yield Step(label=f"it posts message {message.number}", after=done)
        if self._scope.loses_replies:  # then it comes again, when the wait in place of the lease has ended
            label = f"it posts message {message.number}, the reply is lost"
            yield Step(label=label, after=posted, is_fault=True)
            yield Step(label=f"post {message.number} never arrives", after=free, is_fault=True)
        if self._scope.delays:
            late = free._replace(late=tuple(sorted((*free.late, message))))
            yield Step(label=f"it gives up on post {message.number}", after=late, is_fault=True)

    def _update(self, free: State, poster: Poster) -> Then:
        others = [each for each in free.slack if each.number != poster.message]
        updated = free._replace(slack=tuple(sorted((*others, Message(poster.message, poster.version)))))
        label = f"it updates message {poster.message} to version {poster.version}"
        yield Step(label=label, after=_busy(updated, poster._replace(next="record")))
        if self._scope.loses_replies:
            yield Step(label=f"{label}, the reply is lost", after=updated, is_fault=True)

    def _tick(self, free: State, poster: Poster) -> Step[State]:
        """done.lua: ticked off if nothing has changed and it is shown; else it is due again, now."""
        is_same = free.version == poster.version or self._mutant == "ticks off blindly"
        is_shown = free.record.message != UNKNOWN
        draw = OFF if is_same and is_shown else DUE
        return Step(
            label="it ticks it off" if draw == OFF else "there is more to it", after=free._replace(draw=draw)
        )

    # -- what must not be -----------------------------------------------------------------------------

    def wrong(self, state: State) -> str | None:
        """I5. What nobody has recorded is a twin: a click on it is judged like any other."""
        cards = {each.number: each.version for each in state.slack}
        known = state.record.message
        if known != UNKNOWN and known not in cards:
            return "I5: the recorded card is no message"
        is_old = (
            state.draw == OFF and not state.posters and (known == UNKNOWN or cards[known] != state.version)
        )
        if (
            is_old and not self._scope.stalls
        ):  # who is stopped in the midst of it may send what is old by then
            return "I5: ticked off, and the card shows something else"
        may_be_two = self._scope.delays or self._scope.stalls
        return "I5: a second card, though no post came late" if len(cards) > 1 and not may_be_two else None

    def is_end(self, state: State) -> bool:
        """It is shown as it is; or there have been as many attempts as are counted."""
        is_over = state.attempts == self._scope.attempts
        return is_over or (state.draw == OFF and not state.posters and not state.late)


def _busy(state: State, poster: Poster) -> State:
    return state._replace(posters=tuple(sorted((*state.posters, poster))))
