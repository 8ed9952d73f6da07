"""The protocol of deciding, as a model: letters, clicks, two workers, the clock, the agent, and faults.

The rules are the real ones (model_rules); around them is what scripts, desk, intake, clock and the agent's
door do, step by step. Wider than life where that costs nothing: letters and clicks are delivered in any order
and as often as anybody likes, and people click on calls that no card has shown yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from approvals.model import OnDeadline, Status
from tests.proof.model_rules import (
    ANA,
    KEEPS,
    MUST_BE_THERE,
    OUT,
    PEOPLE,
    Answer,
    Decides,
    Evolves,
    Rules,
    terms_of,
)
from tests.proof.search import Model, Step

NONE = -1  # no request yet; no permit
SUBMIT, REVISE, CANCEL, CLAIM, RECEIPT = 1, 2, 4, 8, 16  # letters, in the order in which an agent writes them
LETTERS = {REVISE: "revise", CANCEL: "cancel", CLAIM: "claim", RECEIPT: "receipt"}
SAID_YES, SAID_YES_TO_REVISED, SAID_NO = 1, 2, 4  # what some person was told is recorded, and how it ended
REFUSED_TOO_EARLY, ENDED_TWICE, GIVEN_WHILE_FROZEN, UNAUDITED = 1, 2, 4, 8

# A worker has read and is about to commit; lost the reply to its commit; is about to acknowledge.
READ, LOST, DONE, HALF = "read", "lost", "done", "half"
FRESH = -1  # instead of a number in `seen`: as it is now


class Job(NamedTuple):
    """What a worker is at."""

    verb: str
    person: int = ANA
    letter: int = 0  # that it came by; a click and the clock come by none


class Worker(NamedTuple):
    job: Job
    stage: str
    seen: int  # FRESH, or for a mutant the number of the request that it decides from
    phase: int  # by the clock that it read
    freeze: int  # the version of what is frozen that it read


class State(NamedTuple):
    phase: int = 0
    freeze: int = 0  # 0: never; 1: frozen; 2: thawed
    request: int = NONE
    permit: int = NONE
    inbox: int = 0  # letters that lie in it
    sent: int = 0  # letters that were ever sent
    clicks: frozenset[tuple[int, str]] = frozenset()  # of whom, which; delivered for ever
    workers: tuple[Worker, ...] = ()  # those at work, in any order
    agents: tuple[str, ...] = ()  # processes of the agent, in any order
    told: int = 0
    wrongs: int = 0
    disk: tuple[int, ...] | None = (
        None  # what a power cut leaves; None: all of it, since each write is on disk
    )


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What may happen in one model: small enough to be explored whole."""

    name: str
    quorum: int = 1
    silence: OnDeadline = OnDeadline.EXPIRE
    people: int = 2
    clicks: tuple[str, ...] = ("approve", "reject")
    clicks_each: int = 1
    has_outsider: bool = False  # somebody whom no rule names clicks too
    letters: int = SUBMIT
    submits_again: bool = False
    agents: int = 1
    workers: int = 2
    freezes: bool = False
    phases: int = 3
    mutant: str = ""
    decides: Decides | None = None
    evolves: Evolves | None = None
    cuts_power: bool = False
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        terms = terms_of(quorum=self.quorum, on_deadline=self.silence)
        rules = Rules(terms, self.decides, *((self.evolves,) if self.evolves else ()))
        object.__setattr__(self, "rules", rules)

    def but(self, **changes: object) -> Scope:
        return replace(self, **changes)  # type: ignore[arg-type]  # its own fields, named by mutants


Then: TypeAlias = Iterator[Step[State]]
Become: TypeAlias = Callable[..., State]


def model_of(scope: Scope) -> Model[State]:
    protocol = Protocol(scope)
    first = State(agents=("idle",) * scope.agents, disk=(NONE, NONE, 0) if scope.cuts_power else None)
    return Model(
        name=scope.name, first=first, steps=protocol.steps, wrong=protocol.wrong, is_end=protocol.is_end
    )


class Protocol:
    """What may happen next, what must not be, and where it may end."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._rules, self._mutant = scope, scope.rules, scope.mutant

    def steps(self, state: State) -> Then:
        yield from self._agent_writes(state)
        yield from self._people_click(state)
        yield from self._time_passes(state)
        if len(state.workers) < self._scope.workers:
            yield from self._worker_begins(state)
        for index in range(len(state.workers)):
            yield from self._worker_goes_on(state, index)
        for index in range(len(state.agents)):
            yield from self._agent_goes_on(state, index)
        if state.disk is not None:
            yield from self._power(state)

    # -- the world ------------------------------------------------------------------------------------

    def _agent_writes(self, state: State) -> Then:
        if not state.sent & SUBMIT:
            yield Step(label="the agent submits", after=_with_letter(state, SUBMIT))
            return
        if (
            self._scope.submits_again and state.request != NONE and not state.inbox & SUBMIT
        ):  # its reply was lost, so it submits again
            again = state._replace(inbox=state.inbox | SUBMIT)
            yield Step(label="the agent submits the same again", after=again, is_fault=True)
        for letter in (REVISE, CANCEL):
            if letter & self._scope.letters and not letter & state.sent:
                yield Step(label=f"the agent sends: {LETTERS[letter]}", after=_with_letter(state, letter))

    def _people_click(self, state: State) -> Then:
        if state.request == NONE:
            return
        offered = [(person, verb) for person in range(self._scope.people) for verb in self._scope.clicks]
        if self._scope.has_outsider:
            offered.append((OUT, "approve"))
        for click in offered:
            has_left = sum(person == click[0] for person, _ in state.clicks) < self._scope.clicks_each
            if has_left and click not in state.clicks:
                after = state._replace(clicks=state.clicks | {click})
                yield Step(label=f"{PEOPLE[click[0]].name} clicks: {click[1]}", after=after)

    def _time_passes(self, state: State) -> Then:
        if state.request == NONE:
            return
        if state.phase + 1 < self._scope.phases:
            is_gone = self._rules.known[state.request].gone_in <= state.phase + 1
            after = state._replace(phase=state.phase + 1, permit=NONE if is_gone else state.permit)
            yield Step(label="time passes", after=_touched(after) if is_gone else after)
        if self._scope.freezes and state.freeze < 2:
            word = ("everything is frozen", "it is thawed")[state.freeze]
            yield Step(label=word, after=state._replace(freeze=state.freeze + 1))

    # -- the service ----------------------------------------------------------------------------------

    def _worker_begins(self, state: State) -> Then:
        if state.inbox & SUBMIT:
            yield from self._create(state)
        if state.request == NONE:
            yield from self._refuse_early(state)
            return
        for job in self._jobs(state):
            worker = Worker(job, READ, FRESH, state.phase, state.freeze)
            label = f"a worker reads, for: {_told(job)}"
            if self._mutant == "acknowledges first":
                foreseen = self._rules.answer(state.request, job.verb, job.person, state.phase)
                told = self._acknowledged(state, job, foreseen.after)
                yield Step(label=f"{label}, and acknowledges", after=_at_work(told, worker))
            else:
                yield Step(label=label, after=_at_work(state, worker))

    def _create(self, state: State) -> Then:
        """One script, which takes the letter out as well; a second letter of the same id finds it there."""
        if self._mutant == "takes letters out first":
            lost = state._replace(inbox=state.inbox & ~SUBMIT)
            yield Step(label="a worker takes the submission out, and dies", after=lost, is_fault=True)
        made = state.request if state.request != NONE else self._rules.first
        after = state._replace(request=made, inbox=state.inbox & ~SUBMIT)
        yield Step(label="a worker creates the request", after=after)

    def _refuse_early(self, state: State) -> Then:
        """A letter about a request that isn't there; unless an earlier letter is still being dealt with."""
        for letter in _letters(state.inbox & ~SUBMIT):
            if state.inbox & (letter - 1) and self._mutant != "overtakes":
                continue
            wrongs = state.wrongs | REFUSED_TOO_EARLY
            after = state._replace(inbox=state.inbox & ~letter, wrongs=wrongs)
            yield Step(label=f"a worker refuses, as about no request: {LETTERS[letter]}", after=after)

    def _jobs(self, state: State) -> Iterator[Job]:
        for person, verb in sorted(state.clicks):
            yield Job(verb, person)
        for letter in _letters(state.inbox & ~SUBMIT):
            yield Job(LETTERS[letter], ANA, letter)
        if (due := self._rules.due(state.request, state.phase)) is not None:
            yield Job(due)
        status = self._rules.known[state.request].status
        if self._scope.freezes and status is Status.APPROVED and state.freeze:
            yield Job("hold" if state.freeze == 1 else "release")

    def _worker_goes_on(self, state: State, index: int) -> Then:
        worker = state.workers[index]
        free = state._replace(workers=(*state.workers[:index], *state.workers[index + 1 :]))
        label = f"worker, for {_told(worker.job)}"
        killed = free
        if worker.stage == HALF:
            killed = killed._replace(wrongs=killed.wrongs | UNAUDITED)
        yield Step(label=f"{label}: is killed", after=killed, is_fault=True)
        if worker.stage == HALF:
            yield Step(label=f"{label}: writes what goes with it", after=_at_work(free, _done(worker)))
        elif worker.stage == DONE:
            yield Step(label=f"{label}: acknowledges", after=self._done(free, worker))
        elif worker.stage == LOST:  # the same commit again finds what it has written
            yield Step(label=f"{label}: finds its commit", after=_at_work(free, _done(worker)))
        else:
            yield from self._commit(state, free, worker, label)

    def _commit(self, state: State, free: State, worker: Worker, label: str) -> Then:
        """Decide from what was read, and write it if nothing has changed since: commit.lua."""
        base = state.request if worker.seen == FRESH else worker.seen
        job = worker.job
        answer = self._rules.answer(base, job.verb, job.person, worker.phase, worker.freeze == 1)
        if answer.word is None:
            yield from self._refuse(free, worker, answer, label)
            return
        is_given = answer.permit >= 0
        if is_given and worker.freeze != state.freeze and self._mutant != "no look at the freeze":
            yield Step(label=f"{label}: the freeze has changed, so it begins anew", after=free)
            return
        if answer.permit == MUST_BE_THERE and state.permit == NONE and self._mutant != "no ! on the permit":
            yield Step(label=f"{label}: the agent was faster", after=self._noted(free, worker))
            return
        written = self._written(free, worker, answer)
        label = f"{label}: commits {answer.word}"
        if self._mutant == "writes in two steps":
            yield Step(label=label, after=_at_work(written, Worker(job, HALF, FRESH, 0, 0)))
        elif job.letter or job.verb in VOTES:
            yield Step(label=label, after=_at_work(written, _done(worker)))
            lost = _at_work(written, Worker(job, LOST, FRESH, 0, 0))
            yield Step(label=f"{label}, the reply is lost", after=lost, is_fault=True)
        else:
            yield Step(label=label, after=written)  # nobody waits for an acknowledgement

    def _written(self, free: State, worker: Worker, answer: Answer) -> State:
        known, wrongs = self._rules.known, free.wrongs
        if answer.is_end and known[free.request].status is not Status.PENDING:
            wrongs |= ENDED_TWICE
        if answer.permit >= 0 and free.freeze == 1:
            wrongs |= GIVEN_WHILE_FROZEN
        after = _others_are_stale(free, self._is_checked)._replace(request=answer.after, wrongs=wrongs)
        if answer.permit == KEEPS:
            return after
        return _touched(after._replace(permit=answer.permit if answer.permit >= 0 else NONE))

    def _is_checked(self, job: Job) -> bool:
        """Whether a commit for it is compared with what it was decided from."""
        is_timers = job.verb in ("expire", "lapse")
        return not (self._mutant == "no compare" or (self._mutant == "timer without compare" and is_timers))

    def _refuse(self, free: State, worker: Worker, answer: Answer, label: str) -> Then:
        earlier = worker.job.letter and free.inbox & (worker.job.letter - 1)
        if earlier and self._mutant != "overtakes":
            yield Step(label=f"{label}: leaves it until earlier letters are dealt with", after=free)
        elif answer.is_same:
            yield Step(label=f"{label}: had been recorded", after=_at_work(free, _done(worker)))
        else:
            yield Step(label=f"{label}: is refused", after=self._noted(free, worker))

    def _noted(self, free: State, worker: Worker) -> State:
        """The refusal is logged, which is a version too; and a letter is taken out."""
        return _others_are_stale(free, self._is_checked)._replace(inbox=free.inbox & ~worker.job.letter)

    def _done(self, free: State, worker: Worker) -> State:
        if worker.job.letter:
            return free._replace(inbox=free.inbox & ~worker.job.letter)
        return self._acknowledged(free, worker.job, free.request)

    def _acknowledged(self, state: State, job: Job, request: int) -> State:
        """Somebody is told that what they clicked is recorded; if it ended the request, how is remembered."""
        known = self._rules.known[request]
        if job.verb not in VOTES or known.decided_by != PEOPLE[job.person].actor.id:
            return state
        said = SAID_NO if known.status is Status.REJECTED else (SAID_YES, SAID_YES_TO_REVISED)[known.call]
        return state._replace(told=state.told | said)

    # -- the agent ------------------------------------------------------------------------------------

    def _agent_goes_on(self, state: State, index: int) -> Then:
        agent = state.agents[index]

        def become(word: str, before: State = state) -> State:
            return before._replace(
                agents=tuple(sorted((*before.agents[:index], word, *before.agents[index + 1 :])))
            )

        kind, _, call = agent.partition(" ")
        if kind == "idle" and state.permit != NONE:
            yield Step(label="the agent reads the permit", after=become(f"watching {state.permit}"))
        elif kind == "watching":
            yield from self._take(state, call, become)
        elif kind == "overtaken" and self._mutant == "permit is taken without a watch":
            yield Step(label="the agent deletes what is gone", after=become(f"holding {call}"))
        elif kind == "overtaken":
            yield Step(label="the agent's EXEC finds the permit changed", after=become("idle"))
        elif kind == "holding":
            yield Step(label="the agent runs the call", after=become(f"ran {call}"))
        elif kind == "ran":
            yield Step(label="the agent sends a receipt", after=_with_letter(become(f"told {call}"), RECEIPT))
        if kind == "holding":
            yield Step(label="the agent dies before it runs", after=become("dead"), is_fault=True)
        if kind == "ran":
            yield Step(label="the agent dies after it ran", after=become(f"silent {call}"), is_fault=True)

    def _take(self, state: State, call: str, become: Become) -> Then:
        """WATCH, GET; MULTI, GETDEL, XADD, EXEC: all or nothing; nothing if somebody else was at the key."""
        left = state.permit if self._mutant == "permit is read only" else NONE
        taken = _with_letter(_touched(state._replace(permit=left)), CLAIM)
        yield Step(label="the agent takes the permit", after=become(f"holding {call}", taken))
        word = f"holding {call}" if self._mutant == "runs on a lost reply" else "unsure"
        lost = become(word, taken)
        yield Step(label="the agent takes the permit, the reply is lost", after=lost, is_fault=True)
        yield Step(label="the agent's EXEC never arrives", after=become(word), is_fault=True)

    # -- power ----------------------------------------------------------------------------------------

    def _power(self, state: State) -> Then:
        assert state.disk is not None
        now = (state.request, state.permit, state.inbox)
        if now != state.disk:
            yield Step(label="Redis syncs", after=state._replace(disk=now))
            request, permit, inbox = state.disk
            after = state._replace(request=request, permit=permit, inbox=inbox, workers=())
            yield Step(label="the power is cut, Redis comes back", after=after, is_fault=True)

    # -- what must not be -----------------------------------------------------------------------------

    def wrong(self, state: State) -> str | None:
        if state.wrongs:
            return next(words for bit, words in WRONGS.items() if state.wrongs & bit)
        if state.request == NONE:
            lost = state.sent & SUBMIT and not state.inbox & SUBMIT
            return "I10: an accepted submission is nowhere" if lost or state.told else None
        return self._wrong_told(state) or self._wrong_votes(state) or self._wrong_runs(state)

    def _wrong_told(self, state: State) -> str | None:
        known = self._rules.known[state.request]
        said = SAID_NO if known.status is Status.REJECTED else 0
        if known.status in APPROVED:
            said = (SAID_YES, SAID_YES_TO_REVISED)[known.call]
        return "I1: what a person was told is recorded is not how it ended" if state.told & ~said else None

    def _wrong_votes(self, state: State) -> str | None:
        known = self._rules.known[state.request]
        mine = {person for person, verb in state.clicks if person != OUT and verb in YES[known.call]}
        if known.word in ("approved", "edited") and known.decided_by.startswith("slack:"):
            if len(mine) < self._scope.quorum:
                return "I7, I9: approved by fewer people than it takes, or for another call than they saw"
            if not known.decided_early:
                return "I8: approved by people after the deadline"
        if not known.voters <= mine:
            return "I9: a vote counts for another call than its person saw"
        noes = {person for person, verb in state.clicks if person != OUT and verb == "reject"}
        return "I7: rejected by nobody" if known.status is Status.REJECTED and not noes else None

    def _wrong_runs(self, state: State) -> str | None:
        known = self._rules.known[state.request]
        runs = [agent.partition(" ")[2] for agent in state.agents if agent.split(" ")[0] in RAN]
        if len(runs) > 1:
            return "I4: one approval, two executions"
        if runs and (known.status not in APPROVED - {Status.WITHDRAWN} or runs != [str(known.call)]):
            return "I3: what ran is not what stands approved"
        if state.sent & CLAIM and not state.inbox & CLAIM and not known.was_claimed:
            return "I11: a permit was taken, and nobody will know"
        if state.sent & RECEIPT and not state.inbox & RECEIPT and not known.has_receipt:
            return "I11: a receipt was sent, and is lost"
        return None

    def is_end(self, state: State) -> bool:
        """Everything is dealt with, and the request is where nothing more comes of it."""
        if state.request == NONE or state.inbox or state.workers:
            return False
        is_running = any(agent.startswith(("holding", "ran")) for agent in state.agents)
        known = self._rules.known[state.request]
        is_waiting = (
            known.status is Status.APPROVED and known.gone_in < self._scope.phases
        )  # or there is no later
        return not is_running and not is_waiting and known.status is not Status.PENDING


def _with_letter(state: State, letter: int) -> State:
    return state._replace(inbox=state.inbox | letter, sent=state.sent | letter)


def _letters(inbox: int) -> Iterator[int]:
    return (letter for letter in LETTERS if inbox & letter)


def _at_work(state: State, worker: Worker) -> State:
    return state._replace(workers=tuple(sorted((*state.workers, worker))))


def _done(worker: Worker) -> Worker:
    """It has only to acknowledge; nothing that it read matters any more."""
    return Worker(worker.job, DONE, FRESH, 0, 0)


def _others_are_stale(state: State, is_checked: Callable[[Job], bool]) -> State:
    """There is a new version. Whose commit is compared with what they read has to read again, and so is where
    they were before they had begun: what they are at is still to be done. The others decide from the old one.
    """
    now = [
        worker._replace(seen=state.request) if worker.stage == READ and worker.seen == FRESH else worker
        for worker in state.workers
        if worker.stage in (DONE, HALF) or not is_checked(worker.job)
    ]
    return state._replace(workers=tuple(sorted(now)))


def _touched(state: State) -> State:
    """The permit's key was written: whoever watches it will be told so."""
    agents = tuple(sorted(each.replace("watching", "overtaken") for each in state.agents))
    return state._replace(agents=agents)


def _told(job: Job) -> str:
    return f"{PEOPLE[job.person].name}'s {job.verb}" if job.verb in CLICKS else job.verb


CLICKS = ("approve", "approve the revised", "edit", "reject", "take back")
VOTES = ("approve", "approve the revised", "edit", "reject")
YES = (("approve",), ("approve the revised", "edit"))  # by the call that they let run
RAN = ("ran", "told", "silent")
APPROVED = {
    *(Status.APPROVED, Status.EXECUTING, Status.EXECUTED, Status.FAILED),
    *(Status.LAPSED, Status.WITHDRAWN),
}
WRONGS = {
    REFUSED_TOO_EARLY: "I10: the agent is told that there is no such request, and then there is one",
    ENDED_TWICE: "I2, I6: it ended twice",
    GIVEN_WHILE_FROZEN: "a permit was given while everything was frozen",
    UNAUDITED: "I11: a change without its audit entry and its permit",
}
