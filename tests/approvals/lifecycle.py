"""Draws the life of a request from the machine itself: what is generated in `docs/requests.md`.

`python -m tests.approvals.lifecycle` writes it into the page; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from approvals.commands import (
    Answer,
    Approve,
    AskUndo,
    Cancel,
    Claim,
    Climb,
    Command,
    Confirm,
    Expire,
    Extend,
    Flag,
    Follow,
    GiveUp,
    Hold,
    Join,
    Lapse,
    LookAt,
    Override,
    Part,
    RecordRefusal,
    Redirect,
    Reject,
    Release,
    Report,
    ReportUndo,
    RequestChanges,
    Revise,
    Snooze,
    TakeBack,
    Void,
)
from approvals.errors import Refusal
from approvals.evolution import evolve
from approvals.ids import new_id
from approvals.machine import begin, decide
from approvals.model import (
    CHANNEL,
    Action,
    Decision,
    Freeze,
    Kind,
    OnDeadline,
    PersonId,
    Reach,
    Receipt,
    Remind,
    Request,
    Status,
    Step,
)
from tests.builders import REFUND, T0, a_person, a_question, a_request, terms

PAGE = Path(__file__).parents[2] / "docs" / "requests.md"
DURING, LATE = T0 + timedelta(minutes=1), T0 + timedelta(hours=3)
LESS = REFUND | {"amount": 900}
ANA = a_person()
OTHER = a_person(id=PersonId("U0KIM"))
FREEZE = Freeze(reach=Reach.ALL, by=OTHER.actor, at=T0)
GENEROUS = {
    "override": (CHANNEL,),
    "extend_s": 3600,
    "ladder": (Step(after_s=30, remind=Remind.THREAD), Step(after_s=45, add=(CHANNEL,))),
}
FRESH = a_request(created_at=T0, terms=terms(**GENEROUS))
YES = Decision(word="approved", by=ANA.actor, at=DURING)

WAITING: dict[str, Command] = {
    "Approve": Approve(by=ANA, seen=FRESH.fingerprint),
    "Approve, edited": Approve(by=ANA, seen=FRESH.fingerprint, edited=LESS),
    "Redirect": Redirect(by=ANA, voter=ANA, seen=FRESH.fingerprint, edited=LESS, terms=terms(quorum=2)),
    "Reject": Reject(by=ANA),
    "Answer": Answer(by=ANA, text="eu"),
    "RequestChanges": RequestChanges(by=ANA, feedback="less"),
    "Override": Override(by=ANA, seen=FRESH.fingerprint, reason="the site is down"),
    "Extend": Extend(by=ANA, seconds=60),
    "Snooze": Snooze(by=ANA, seconds=60),
    "Climb": Climb(),
    "Expire": Expire(was_shown=True),
    "Revise": Revise(args=LESS),
    "Revise, denied": Revise(args=LESS, terms=terms(action=Action.DENY)),
    "Cancel": Cancel(),
    "GiveUp": GiveUp(reason="nobody can be reached"),
    "Join": Join(twin=new_id()),
    "Follow": Follow(decision=YES, args=REFUND),
    "Part": Part(),
}
DECIDED: dict[str, Command] = {
    "Claim": Claim(),
    "Report, ok": Report(ok=True),
    "Report, failed": Report(ok=False),
    "TakeBack": TakeBack(by=ANA),
    "Hold": Hold(freeze=FREEZE),
    "Release": Release(),
    "Lapse": Lapse(),
    "LookAt": LookAt(by=OTHER),
    "Confirm": Confirm(by=ANA),
    "Flag": Flag(by=ANA, text="not this one"),
    "AskUndo": AskUndo(by=ANA, text="not this one"),
    "ReportUndo, ok": ReportUndo(ok=True),
    "ReportUndo, failed": ReportUndo(ok=False),
}
ALWAYS: dict[str, Command] = {
    "Void": Void(by=OTHER.actor, reason="Redis was restored"),
    "RecordRefusal": RecordRefusal(by=ANA.actor, attempted="approve", reason="a guest"),
}
COMMANDS = WAITING | DECIDED | ALWAYS


# -- the diagram --------------------------------------------------------------------------------------


def diagram() -> str:
    """Every step from one status to another that the machine can make, as Mermaid draws it."""
    words = _words((before, after, word) for before, after, word in _walked() if before != after)
    lines = [f"    {before} --> {after}: {', '.join(told)}" for (before, after), told in words.items()]
    ends = {after for _, after in words} - {before for before, _ in words}
    lines += [f"    {end} --> [*]" for end in Status if end in ends]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def stays() -> str:
    """What happens without another status, a line each."""
    words = _words((before, after, word) for before, after, word in _walked() if before == after)
    return "\n".join(f"- **{status}**: {', '.join(told)}" for (status, _), told in words.items())


def _walked() -> Iterator[tuple[str, str, str]]:
    yield from (("[*]", after, word) for after, word in _beginnings())
    yield from ((before, after, word) for before, after, word in _steps() if word != "refused")


def _words(steps: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    """The events by their arrow, in the order of life."""
    words: dict[tuple[str, str], list[str]] = {}
    for before, after, word in sorted(set(steps)):
        words.setdefault((before, after), []).append(word)
    order = ["[*]", *Status]
    return dict(sorted(words.items(), key=lambda each: (order.index(each[0][0]), order.index(each[0][1]))))


def _beginnings() -> Iterator[tuple[str, str]]:
    ran = a_request(kind=Kind.REVIEW, created_at=T0, receipt=Receipt(ok=True, at=T0))
    failed = replace(ran, receipt=Receipt(ok=False, at=T0))
    for request in (*(a_request(terms=terms(action=action)) for action in Action), ran, failed):
        answer = begin(request)[1]
        yield evolve(request, answer).status, answer.word


def _steps() -> Iterator[tuple[str, str, str]]:
    """Walk from every beginning through every command, early and late, until nothing new comes."""
    open_ = [
        make(created_at=T0, terms=terms(quorum=many, rejections=many, on_deadline=on_deadline, **GENEROUS))
        for make in (a_request, a_question)
        for many in (1, 2)
        for on_deadline in OnDeadline
    ]
    open_ += [_a_twin(), _reviewed()]
    seen: set[str] = set()
    while open_:
        request = open_.pop()
        if (state := _state(request)) in seen:
            continue
        seen.add(state)
        for command in COMMANDS.values():
            for now in (DURING, LATE):
                try:
                    event = decide(request, command, now=now)
                except Refusal:
                    continue
                after = evolve(request, event)
                yield request.status, after.status, event.word
                open_.append(after)


def _state(request: Request) -> str:
    """All that makes a difference to what may follow."""
    review, end = request.review, request.decision and request.decision.word
    undo = review.undo and review.undo.ok if review else "none"
    votes = f"{len(request.votes)} {len(request.objections)} {request.terms.quorum} {request.climbed}"
    flags = f"{request.sent_back is not None} {request.twin_of is not None} {len(request.twins)}"
    after = f"{request.hold is not None} {request.looked_at is not None} {review and review.state} {undo}"
    return f"{request.status} {request.kind} {request.terms.on_deadline} {end} {votes} {flags} {after}"


# -- the tables ---------------------------------------------------------------------------------------


def waiting() -> str:
    """What each command leads to while it waits."""
    sent_back = _then(FRESH, "RequestChanges")
    columns = {
        "an action": _at(FRESH, DURING),
        "a question": _at(a_question(created_at=T0), DURING),
        "sent back": _at(sent_back, DURING),
        "on another's card": _at(_a_twin(), DURING),
        "frozen": _at(FRESH, DURING, FREEZE),
        "too late": _at(FRESH, LATE),
    }
    return _table(WAITING | ALWAYS, columns)


def decided() -> str:
    """What each command leads to once it is decided."""
    approved, ran = _then(FRESH, "Approve"), _then(_reviewed(), "Claim", "Report, ok")
    columns = {
        "approved": _at(approved, DURING),
        "approved, held": _at(_then(approved, "Hold"), DURING),
        "approved, not used in time": _at(approved, LATE),
        "lapsed": _at(_then(approved, "Lapse", now=LATE), LATE),
        "executing": _at(_then(approved, "Claim"), DURING),
        "executed, up for a look": _at(ran, DURING),
        "to be undone": _at(_then(ran, "AskUndo"), DURING),
        "expired": _at(_then(FRESH, "Expire", now=LATE), LATE),
        "every other": _at(_then(FRESH, "Reject"), DURING),
    }
    return _table(DECIDED | ALWAYS, columns)


def _table(commands: dict[str, Command], columns: dict[str, Callable[[Command], str]]) -> str:
    lines = [["command", *columns], ["---"] * (len(columns) + 1)]
    lines += [
        [f"`{name}`", *(cell(command) for cell in columns.values())] for name, command in commands.items()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _at(request: Request, now: datetime, freeze: Freeze | None = None) -> Callable[[Command], str]:
    def cell(command: Command) -> str:
        if isinstance(command, Approve | Override | Redirect):
            command = replace(command, seen=request.fingerprint)
        try:
            return decide(request, command, now=now, freeze=freeze).word
        except Refusal as refusal:
            return f"*{type(refusal).__name__}*"

    return cell


def _then(request: Request, *names: str, now: datetime = DURING) -> Request:
    for name in names:
        request = evolve(request, decide(request, COMMANDS[name], now=now))
    return request


def _a_twin() -> Request:
    return replace(FRESH, twin_of=new_id())


def _reviewed() -> Request:
    """One that a rule let through, to be looked at once it has run."""
    request = a_request(created_at=T0, terms=terms(action=Action.REVIEW, **GENEROUS))
    return evolve(request, begin(request)[1])


# -- the page -----------------------------------------------------------------------------------------


def written() -> str:
    """The page, with what is generated in it made anew."""
    page = PAGE.read_text()
    for part in (diagram, stays, waiting, decided):
        before, rest = page.split(f"<!-- {part.__name__}: generated -->\n")
        _, after = rest.split("<!-- end -->\n", maxsplit=1)
        page = f"{before}<!-- {part.__name__}: generated -->\n{part()}\n<!-- end -->\n{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written())
