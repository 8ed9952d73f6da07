"""The same calls without async, for threads: `from approvals.sync import Approvals`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, Unpack, overload

from approvals import batch, client
from approvals.client import PATIENCE
from approvals.gate import GateOptions, gated
from approvals.messages import Outcome, Permit, Ticket, UndoAsk
from approvals.model import Args, Json, RequestId
from approvals.placeholders import batched, collect
from approvals.submitting import About, Options, Span

P = ParamSpec("P")
R = TypeVar("R")


class Approvals:
    """An agent's connection for threads: every call blocks its own, and one thread behind works for all."""

    def __init__(self, approvals: client.Approvals) -> None:
        self._async = approvals
        self._run = approvals.background.run

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        agent: str | None = None,
        tenant: str | None = None,
        patience: Span = PATIENCE,
        replicas: int | None = None,
        public_keys: Sequence[str] | None = None,
    ) -> Self:
        told = client.Approvals.connect(
            url,
            agent=agent,
            tenant=tenant,
            patience=patience,
            replicas=replicas,
            public_keys=public_keys,
        )
        return cls(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._async.close()

    def submit(self, tool: str, args: Args, **options: Unpack[Options]) -> Ticket:
        return self._run(self._async.submit(tool, args, **options))

    def request(
        self, tool: str, args: Args, *, timeout: Span | None = None, **options: Unpack[Options]
    ) -> Outcome:
        return self._run(self._async.request(tool, args, timeout=timeout, **options))

    @overload
    def ask(  # type: ignore[overload-overlap]  # the last is for options that come from elsewhere
        self,
        question: str,
        *,
        context: str | None = None,
        schema: dict[str, Json],
        timeout: Span | None = None,
        **about: Unpack[About],
    ) -> dict[str, Json]: ...
    @overload
    def ask(
        self,
        question: str,
        options: Sequence[str],
        context: str | None = None,
        *,
        many: Literal[True],
        timeout: Span | None = None,
        **about: Unpack[About],
    ) -> list[str]: ...
    @overload
    def ask(
        self,
        question: str,
        options: Sequence[str] | None = None,
        context: str | None = None,
        free_text: bool | None = None,
        *,
        timeout: Span | None = None,
        **about: Unpack[Options],
    ) -> str: ...
    def ask(self, question: str, *options: Any, **about: Any) -> object:
        return self._run(self._async.ask(question, *options, **about))

    def answer(self, request_id: str, timeout: Span | None = None) -> str:
        return self._run(self._async.answer(request_id, timeout))

    def reply(self, request_id: str, text: str) -> None:
        self._run(self._async.reply(request_id, text))

    def escalate(
        self,
        summary: str,
        context: str | None = None,
        transcript_url: str | None = None,
        *,
        timeout: Span | None = None,
        **about: Unpack[Options],
    ) -> str:
        return self._run(self._async.escalate(summary, context, transcript_url, timeout=timeout, **about))

    def review(
        self,
        tool: str,
        args: Args,
        *,
        result: object = None,
        ok: bool = True,
        **options: Unpack[Options],
    ) -> Ticket:
        return self._run(self._async.review(tool, args, result=result, ok=ok, **options))

    def batch(self, reason: str | None = None) -> Batch:
        return Batch(self._async, reason)

    def review_and_execute(
        self,
        calls: Sequence[Callable[[], object]],
        *,
        reason: str | None = None,
        timeout: Span | None = None,
    ) -> list[object]:
        with self.batch(reason) as batch:
            returned = [call() for call in calls]
        return batched(returned, batch.wait_for_approvals(timeout))

    def wait(self, request_id: str, timeout: Span | None = None) -> Outcome:
        return self._run(self._async.wait(request_id, timeout))

    def get(self, request_id: str) -> Outcome | None:
        return self._run(self._async.get(request_id))

    def claim(self, request_id: str) -> Permit:
        return self._run(self._async.claim(request_id))

    def receipt(
        self, request_id: str, ok: bool, result: str | None = None, duration_ms: int | None = None
    ) -> None:
        self._run(self._async.receipt(request_id, ok, result, duration_ms))

    def revise(self, request_id: str, args: Args, reason: str | None = None) -> None:
        self._run(self._async.revise(request_id, args, reason))

    def cancel(self, request_id: str, reason: str | None = None) -> None:
        self._run(self._async.cancel(request_id, reason))

    def run_undos(self) -> None:
        """Undo what people want undone, in a thread of your own, until this is closed."""
        with suppress(CancelledError):
            self._run(self._async.run_undos())

    def undos(self, timeout: Span | None = None) -> list[UndoAsk]:
        return self._run(self._async.undos(timeout))

    def report_undone(self, request_id: str, ok: bool, text: str | None = None) -> None:
        self._run(self._async.report_undone(request_id, ok, text))

    @overload
    def required(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def required(
        self, function: None = None, /, **options: Unpack[GateOptions]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def required(
        self, function: Callable[P, R] | None = None, /, **options: Unpack[GateOptions]
    ) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
        if function is not None:
            return gated(function, self._async, **options)
        return lambda function: gated(function, self._async, **options)


class Batch:
    """Collects requests while its `with` is open, and sends them when it ends without an error."""

    def __init__(self, approvals: client.Approvals, reason: str | None = None) -> None:
        self._batch = batch.Batch(approvals, reason)
        self._run = approvals.background.run
        self.submit = self._batch.submit

    def wait(self, timeout: Span | None = None) -> dict[RequestId, Outcome]:
        return self._run(self._batch.wait(timeout))

    def wait_for_approvals(self, timeout: Span | None = None) -> dict[int, object]:
        """As that of the other face; functions that aren't async run in another thread, one at a time."""
        return self._run(self._batch.wait_for_approvals(timeout))

    def __enter__(self) -> Self:
        self._outer = collect(self._batch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        collect(self._outer)
        if error is None:
            self._run(self._batch.send())
