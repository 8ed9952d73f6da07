"""Draws the life of a request from the machine itself: the diagram and the table of `docs/requests.md`.

`python -m tests.approvals.lifecycle` writes them into the page; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Climb,
    Command,
    Expire,
    Extend,
    GiveUp,
    Lapse,
    LookAt,
    Override,
    RecordRefusal,
    Redirect,
    Reject,
    Report,
    RequestChanges,
    Revise,
    Snooze,
    TakeBack,
)
from approvals.errors import Refusal
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.model import CHANNEL, Action, OnDeadline, PersonId, Remind, Request, Status, Step
from tests.builders import REFUND, T0, a_person, a_question, a_request, terms

PAGE = Path(__file__).parents[2] / "docs" / "requests.md"
DURING, LATE = T0 + timedelta(minutes=1), T0 + timedelta(hours=3)
LESS = REFUND | {"amount": 900}
ANA = a_person()
OTHER = a_person(id=PersonId("U0KIM"))
GENEROUS = {
    "override": (CHANNEL,),
    "extend_s": 3600,
    "ladder": (Step(after_s=30, remind=Remind.THREAD), Step(after_s=45, add=(CHANNEL,))),
}
FRESH = a_request(created_at=T0, terms=terms(**GENEROUS))
COMMANDS: dict[str, Command] = {
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
    "Revise": Revise(args=LESS),
    "Revise, denied": Revise(args=LESS, terms=terms(action=Action.DENY)),
    "Cancel": Cancel(),
    "GiveUp": GiveUp(reason="nobody can be reached"),
    "Expire": Expire(was_shown=True),
    "Claim": Claim(),
    "Report, ok": Report(ok=True),
    "Report, failed": Report(ok=False),
    "Lapse": Lapse(),
    "TakeBack": TakeBack(by=ANA),
    "LookAt": LookAt(by=OTHER),
    "RecordRefusal": RecordRefusal(by=ANA.actor, attempted="approve", reason="a guest"),
}


def diagram() -> str:
    """Every step that the machine can make, as Mermaid draws it."""
    steps = {("[*]", after, word) for after, word in _beginnings()}
    for before, after, word in _steps():
        if word != "refused":
            steps.add((before, after, word))
    words: dict[tuple[str, str], list[str]] = {}
    for before, after, word in sorted(steps):
        words.setdefault((before, after), []).append(word)
    order = ["[*]", *Status]
    arrows = sorted(words, key=lambda arrow: (order.index(arrow[0]), order.index(arrow[1])))
    lines = [f"    {before} --> {after}: {', '.join(words[before, after])}" for before, after in arrows]
    ends = {after for _, after in arrows} - {before for before, after in arrows if before != after}
    lines += [f"    {end} --> [*]" for end in order if end in ends]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _beginnings() -> Iterator[tuple[str, str]]:
    for action in Action:
        request = a_request(created_at=T0, terms=terms(action=action))
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
    seen: set[str] = set()
    while open_:
        request = open_.pop()
        back, steps = request.sent_back is not None, request.climbed
        voices = f"{len(request.votes)} {len(request.objections)} {request.terms.quorum}"
        kind = f"{request.kind} {request.terms.on_deadline} {request.decision and request.decision.word}"
        state = f"{request.status} {kind} {voices} {back} {steps}"
        if state in seen:
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


def table() -> str:
    """What each command leads to in each state: an event, or a refusal."""
    columns = _columns()
    lines = [["command", *columns], ["---"] * (len(columns) + 1)]
    for name, command in COMMANDS.items():
        lines.append([f"`{name}`", *(_cell(request, command, now) for request, now in columns.values())])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _columns() -> dict[str, tuple[Request, datetime]]:
    def then(request: Request, *names: str, now: datetime = DURING) -> Request:
        for name in names:
            request = evolve(request, decide(request, COMMANDS[name], now=now))
        return request

    approved = then(FRESH, "Approve")
    return {
        "pending": (FRESH, DURING),
        "pending, a question": (a_question(created_at=T0), DURING),
        "pending, sent back": (then(FRESH, "RequestChanges"), DURING),
        "pending, too late": (FRESH, LATE),
        "approved": (approved, DURING),
        "approved, not used in time": (approved, LATE),
        "executing": (then(approved, "Claim"), DURING),
        "expired": (then(FRESH, "Expire", now=LATE), LATE),
        "lapsed": (then(approved, "Lapse", now=LATE), LATE),
        "every other": (then(FRESH, "Reject"), DURING),
    }


def _cell(request: Request, command: Command, now: datetime) -> str:
    if isinstance(command, Approve | Override | Redirect):
        command = replace(command, seen=request.fingerprint)
    try:
        return decide(request, command, now=now).word
    except Refusal as refusal:
        return f"*{type(refusal).__name__}*"


def written() -> str:
    """The page, with what is generated in it made anew."""
    page = PAGE.read_text()
    for name, content in (("diagram", diagram()), ("table", table())):
        before, rest = page.split(f"<!-- {name}: generated -->\n")
        _, after = rest.split("<!-- end -->\n", maxsplit=1)
        page = f"{before}<!-- {name}: generated -->\n{content}\n<!-- end -->\n{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written())
