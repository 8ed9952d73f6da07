"""Tests of agents, without Redis and without Slack: say who decides what, and run the agent.

`from approvals.testing import approvals_script` in a conftest.py gives tests the fixture. While it is in use,
every client of the process asks the script; what the script doesn't say fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from approvals.commands import (
    Answer,
    Approve,
    AskUndo,
    Command,
    Expire,
    GiveUp,
    Lapse,
    Reject,
    RequestChanges,
    TakeBack,
)
from approvals.doors import standing_in
from approvals.fitting import misfit
from approvals.model import (
    ESCALATION_TOOL,
    I_TAKE_OVER,
    QUESTION_TOOL,
    Action,
    Json,
    Request,
)
from approvals.scripted import ANY, SOMEBODY, Deciding, House, Line, Unscripted
from approvals.scripted_doors import session

__all__ = ["ANY", "Script", "Unscripted", "approvals_script", "scripted"]


class Script:
    """What people, the policy and the clock do. Of the lines that fit a request the first is followed."""

    def __init__(self, house: House | None = None, *, is_once: bool = False) -> None:
        self._house, self._is_once = house or House(), is_once

    @property
    def once(self) -> Script:
        """The next line is for one request: `script.once.rejects("refund", "why").approves("refund")`."""
        return Script(self._house, is_once=True)

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, and what became of it, in order."""
        return list(self._house.requests.values())

    def request(self, tool: str) -> Request:
        """The newest request for a tool.

        Raises:
            Unscripted: there is none.
        """
        for request in reversed(self.requests):
            if request.tool == tool:
                return request
        raise Unscripted(f"nobody has asked for {tool}; asked were: {[each.tool for each in self.requests]}")

    # -- people ---------------------------------------------------------------------------------------

    def approves(self, tool: str = ANY, /, *, note: str | None = None) -> Script:
        return self._line(tool, lambda request: _yes(request, note))

    def edits(self, tool: str, /, **changes: Json) -> Script:
        """Approve it with other args, as far as the form that people get lets them be changed so."""
        return self._line(tool, lambda request: _edit(request, changes))

    def rejects(self, tool: str = ANY, feedback: str | None = None, /) -> Script:
        return self._line(tool, lambda _: Reject(by=SOMEBODY, feedback=feedback))

    def answers(self, answer: Json, /, *, to: str = QUESTION_TOOL) -> Script:
        """Answer questions, any or the one with these words; or answer in the place of a tool."""
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        return self._line(to, lambda _: Answer(by=SOMEBODY, text=text))

    def guides(self, words: str, /) -> Script:
        """Help a run that is stuck."""
        return self.answers(words, to=ESCALATION_TOOL)

    def takes_over(self) -> Script:
        """Take over a run that is stuck."""
        return self.answers(I_TAKE_OVER, to=ESCALATION_TOOL)

    def sends_back(self, tool: str, feedback: str, /) -> Script:
        """Want changes; the revised request follows the lines anew."""
        return self._line(tool, lambda _: RequestChanges(by=SOMEBODY, feedback=feedback))

    def takes_back(self, tool: str = ANY, /) -> Script:
        """Approve it, and take that back before it is claimed."""
        return self._line(tool, _yes, lambda _: TakeBack(by=SOMEBODY))

    def leaves(self, tool: str = ANY, /) -> Script:
        """Decide nothing: waits with a timeout end at once, as if that time had passed."""
        return self._line(tool)

    def wants_undone(self, tool: str, why: str, /) -> Script:
        """It runs without asking; who looks at it afterwards wants it undone."""
        line = Line(
            tool=tool,
            action=Action.REVIEW,
            afterwards=lambda _: AskUndo(by=SOMEBODY, text=why),
            is_once=self._is_once,
        )
        return self._add(line)

    # -- the clock, the policy, the world ---------------------------------------------------------------

    def expires(self, tool: str = ANY, /) -> Script:
        return self._line(tool, lambda _: Expire())

    def lapses(self, tool: str = ANY, /) -> Script:
        """Approve it, and let the time go by in which that could be used."""
        return self._line(tool, _yes, lambda _: Lapse())

    def allows(self, tool: str = ANY, /) -> Script:
        """A rule lets it through without asking."""
        return self._add(Line(tool=tool, action=Action.ALLOW, is_once=self._is_once))

    def denies(self, tool: str = ANY, because: str = "a rule denies it", /) -> Script:
        return self._add(Line(tool=tool, action=Action.DENY, because=because, is_once=self._is_once))

    def reaches_nobody(self, tool: str = ANY, /) -> Script:
        return self._line(tool, lambda _: GiveUp(reason="nobody who may decide can be reached"))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Redis is away."""
        self._house.is_away = True
        try:
            yield
        finally:
            self._house.is_away = False

    def follow(self, other: Script) -> Script:
        """Take over the lines of another script."""
        self._house.lines += other._house.lines
        return self

    def command(self, request: Request) -> Command | None:
        """What is done first about a request; None: nothing."""
        steps = self._house.line_for(request).steps
        return steps[0](request) if steps else None

    def _line(self, tool: str, *steps: Deciding) -> Script:
        return self._add(Line(tool=tool, steps=steps, is_once=self._is_once))

    def _add(self, line: Line) -> Script:
        self._house.lines.append(line)
        return Script(self._house)


@contextmanager
def scripted() -> Iterator[Script]:
    """While this is open, every client of this process asks the script instead of Redis."""
    house = House()
    with standing_in(partial(session, house)):
        yield Script(house)


@pytest.fixture
def approvals_script() -> Iterator[Script]:
    """People who decide by script, for this test."""
    with scripted() as script:
        yield script


def _yes(request: Request, note: str | None = None) -> Command:
    return Approve(by=SOMEBODY, seen=request.fingerprint, note=note)


def _edit(request: Request, changes: dict[str, Json]) -> Command:
    edited = {**request.args, **changes}
    if request.schema is not None and (found := misfit(edited, request.schema)):
        raise Unscripted(f"the form for {request.tool} doesn't take this edit: {found}")
    if request.schema is None and (unknown := changes.keys() - request.args.keys()):
        raise Unscripted(f"{request.tool} has no {', '.join(sorted(unknown))} that could be edited")
    return Approve(by=SOMEBODY, seen=request.fingerprint, edited=edited)
