"""`countersign watch`: what waits, live in a terminal, decided with single keys and checked as a click is."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import tempfile
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from approvals.cli import FINE
from approvals.commands import Answer, Approve, Reject
from approvals.errors import InvalidCall, Unavailable
from approvals.fitting import misfit
from approvals.masking import put_back, shown_args
from approvals.model import I_TAKE_OVER, Args, Person, Request, Terms, Via
from approvals.questions import is_form
from approvals.submitting import own_args
from blocks.action import headline
from blocks.ids import Seen
from blocks.request import label
from bot import app
from bot.desk import Decides, Desk, Verdict
from bot.payloads import Who
from bot.plain import plain
from bot.redirecting import Redirecting
from bot.terminal.watch_answers import form, listed, prompt, read
from bot.terminal.watch_screen import Deed, Screen, drawn, pressed

LOOK_S = 1.0  # between two looks at what waits
EDITOR = "vi"


class Watching:
    """One operator at one terminal. `who` says anew for each wish which Slack person that is."""

    def __init__(self, service: app.Service, desk: Desk, who: Callable[[], Who]) -> None:
        self._service, self._desk, self._who = service, desk, who
        self._redirecting = Redirecting(desk, *app.judging(service))
        self._console, self._keys = Console(), asyncio.Queue[str]()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._screen, self._now = Screen(), datetime.now(UTC)

    async def run(self) -> int:
        """Until they quit."""
        with self._in_terminal():
            await self._look()
            while True:
                self._live.update(drawn(self._screen, self._console, self._now), refresh=True)
                try:
                    async with asyncio.timeout(LOOK_S):
                        key = await self._keys.get()
                except TimeoutError:
                    await self._look()
                    continue
                self._screen, deed = pressed(self._screen, key, self._console)
                if deed == "quit":
                    return FINE
                if deed is not None and self._screen.chosen is not None:
                    await self._do(deed, self._screen.chosen)

    async def _look(self) -> None:
        try:
            queue = await self._desk.visible(self._who(), only_decidable=False)
        except Unavailable as error:
            self._screen = self._screen.told(str(error))
            return
        self._screen, self._now = self._screen.with_requests(queue.requests), queue.now

    async def _do(self, deed: Deed, request: Request) -> None:
        try:
            if deed == "approve":
                said = await self._decide(request, "approve", lambda by: _yes(by, request))
            elif deed == "reject":
                said = await self._reject(request)
            elif deed in ("answer", "take over"):
                said = await self._answer(
                    request, I_TAKE_OVER if deed == "take over" else self._screen.answer
                )
            else:
                said = await self._edit(request)
        except Unavailable as error:
            said = str(error)
        self._screen = self._screen.closed().told(said)
        await self._look()

    async def _reject(self, request: Request) -> str:
        with self._away():
            why = await asyncio.to_thread(_asked, f"Why is {label(request)} rejected? (empty: it is not) ")
        if not why.strip():
            return "Nothing was decided."
        return await self._decide(request, "reject", lambda by: Reject(by=by, feedback=why.strip()))

    async def _edit(self, request: Request) -> str:
        """Edit the args in $EDITOR; a changed call goes through the policy again."""
        try:
            with self._away():
                text = await _edited(json.dumps(shown_args(request), indent=2, ensure_ascii=False))
            args = _args(text, request)
        except InvalidCall as fault:
            return f"Nothing was decided: {fault}"
        if args == request.args:
            return "Nothing was changed, and nothing decided."
        terms = await self._redirecting.terms(request, args)
        if terms is not None:
            return await self._redirect(request, args, terms)
        return await self._decide(request, "edit", lambda by: _yes(by, request, args))

    async def _redirect(self, request: Request, args: Args, terms: Terms) -> str:
        """The policy denies the changed call, or leaves it to others, if it is meant so."""
        who = self._who()
        if why := await self._redirecting.denied(who, request, terms, via=Via.CLI):
            return f"Nothing was decided: {why}"
        with self._away():
            said = await asyncio.to_thread(
                _asked, f"{terms.because}\nSend it to those who decide that? [y/N] "
            )
        if said.strip().lower() not in ("y", "yes"):
            return "Nothing was decided."
        seen = Seen(request_id=request.id, fingerprint=request.fingerprint)
        verdict = await self._redirecting.redirect(who, seen, request, args, terms, via=Via.CLI)
        return plain(verdict.words)

    async def _answer(self, request: Request, answer: str | None) -> str:
        try:
            if answer is None:
                typed = await self._typed(request)
                if not typed.strip():
                    return "Nothing was answered."
                answer = read(request, typed)
        except InvalidCall as fault:
            return f"Nothing was answered: {fault}"
        text, seen = answer, request.fingerprint
        return await self._decide(request, "answer", lambda by: Answer(by=by, text=text, seen=seen))

    async def _typed(self, request: Request) -> str:
        with self._away():
            if is_form(request):
                return await _edited(form(request))
            return await asyncio.to_thread(_asked, f"{headline(request)}{listed(request)}\n{prompt(request)}")

    async def _decide(self, request: Request, verb: str, command: Callable[[Person], Decides]) -> str:
        verdict: Verdict = await self._desk.decide(
            self._who(), request.id, verb, lambda person, _: command(person), via=Via.CLI
        )
        return plain(verdict.words)

    # -- the terminal ---------------------------------------------------------------------------------

    @contextmanager
    def _in_terminal(self) -> Iterator[None]:
        before = termios.tcgetattr(sys.stdin)
        self._live.start()
        try:
            with self._hearing():
                yield
        finally:
            self._live.stop()
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        """Keys one by one, as they are pressed."""
        loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        tty.setcbreak(fd)
        loop.add_reader(fd, self._hear)
        try:
            yield
        finally:
            loop.remove_reader(fd)
            termios.tcsetattr(fd, termios.TCSADRAIN, before)

    def _hear(self) -> None:
        try:
            typed = os.read(sys.stdin.fileno(), 64).decode(errors="replace")
        except OSError:  # the terminal is gone
            typed = ""
        for key in [typed] if typed.startswith("\x1b") else typed or "q":
            self._keys.put_nowait(key)

    @contextmanager
    def _away(self) -> Iterator[None]:
        """The terminal is somebody else's for a while: a question's, or an editor's."""
        loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()
        loop.remove_reader(fd)
        mode = termios.tcgetattr(fd)
        self._live.stop()
        cooked = termios.tcgetattr(fd)
        cooked[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(fd, termios.TCSADRAIN, cooked)
        try:
            yield
        finally:
            termios.tcsetattr(fd, termios.TCSADRAIN, mode)
            self._live.start()
            loop.add_reader(fd, self._hear)


async def watch(service: app.Service, desk: Desk, who: Callable[[], Who]) -> int:
    """Show what waits until they quit; the policy file is followed meanwhile."""

    async def heard(_: str) -> None:
        """The service tells people of a changed policy."""

    async with asyncio.TaskGroup() as group:
        following = group.create_task(service.policy_file.watch(heard))
        try:
            return await Watching(service, desk, who).run()
        finally:
            following.cancel()


def _yes(by: Person, request: Request, edited: Args | None = None) -> Approve:
    return Approve(by=by, seen=request.fingerprint, edited=edited)


def _asked(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        return ""


async def _edited(text: str) -> str:
    """The text as the operator's editor leaves it."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or EDITOR)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "args.json"
        path.write_text(text)
        try:
            process = await asyncio.create_subprocess_exec(*command, str(path))
            code = await process.wait()
        except OSError as error:
            raise InvalidCall(f"{command[0]} can't be started: {error.strerror}") from error
        if code != 0:
            raise InvalidCall(f"{command[0]} ended with {code}")
        return path.read_text()


def _args(text: str, request: Request) -> Args:
    try:
        args = json.loads(text)
    except ValueError as error:
        raise InvalidCall(f"it is no JSON: {error}") from error
    if not isinstance(args, dict):
        raise InvalidCall("args are a JSON object")
    args = put_back(args, request)
    if request.schema is not None and (found := misfit(args, request.schema)):
        raise InvalidCall(str(found))
    return own_args(args)
