"""One call of a tool as a hook sees it: heard before it runs, and once more after it has run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Unpack
from uuid import uuid4

from approvals.adapters import words
from approvals.adapters.asking import approved, claimed, misfits, submitted
from approvals.canonical import fingerprint
from approvals.client import Approvals
from approvals.errors import (
    ApprovalsError,
    InvalidCall,
    KeyReused,
    NotApproved,
    NotClaimed,
    StillPending,
)
from approvals.model import Args, RequestId
from approvals.submitting import Options, Span, submission

_log = logging.getLogger(__name__)

HOOK = "hook"  # under which what is put by here is kept
SAID_CHARS = 9_000  # Claude Code takes 10,000: https://code.claude.com/docs/en/hooks

PENDING = (
    "The call did not run: nobody has decided yet, and {id} stays open. That is not a no. "
    "Make exactly the same call again later to go on waiting, or say that it is still to do."
)
AWAY = "The call did not run: approvals can't be asked for now. That is not a no. Stop, and say so. ({error})"
CUT = "a person took {names} away from it, which can't be told to the tool from here."


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that is about to run, or has run."""

    session: str
    tool: str
    args: Args
    id: str | None = None  # None: whoever calls the hook doesn't say


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a hook answers. `args` are those to run it with: nothing else was approved."""

    words: str
    args: Args | None = None  # None: it must not run
    edited: bool = False


class ToolHooks:
    """Asks people about the calls that hooks see. An approval is claimed before the hook says yes.

    Hooks don't live long. The request of one that was ended is found again by the next call that is the same,
    in the same session.
    """

    def __init__(
        self, approvals: Approvals, timeout: Span | None, *, merges: bool = False, **options: Unpack[Options]
    ) -> None:
        submission("tool", {}, **options)  # for its checks: what is wrong shows when the program starts
        self.approvals, self._timeout, self._options = approvals, timeout, options
        self._merges = merges  # what we answer is laid over what was asked, so nothing can be taken away

    async def ask(self, call: ToolCall) -> Verdict:
        """Ask, wait and claim; whatever goes wrong is told as a no, with its reason."""
        try:
            return await self._joined_or_asked(call)
        except StillPending as pending:
            return _no(PENDING.format(id=pending.request_id))
        except NotApproved as no:
            return _no(words.instead(no))
        except (InvalidCall, KeyReused) as fault:
            return _no(words.unaskable(InvalidCall(str(fault))))
        except ApprovalsError as error:
            return _no(AWAY.format(error=error))

    async def ran(self, call: ToolCall, ok: bool, result: str | None, duration_ms: int | None = None) -> None:
        """Report how a call went, if it is one that was claimed here. It has run, so nothing is raised."""
        try:
            for name in (call.id, fingerprint(call.tool, call.args)):
                slot = f"{call.session}/ran/{name}"
                if name and (id := await self.approvals.runs.state(slot, HOOK)):
                    await self.approvals.runs.forget(slot)
                    await self.approvals.receipt(id, ok, result, duration_ms)
                    return
        except ApprovalsError:
            _log.warning("the receipt could not be sent", exc_info=True)

    async def _joined_or_asked(self, call: ToolCall) -> Verdict:
        slot = f"{call.session}/open/{fingerprint(call.tool, call.args)}"
        earlier = await self.approvals.runs.state(slot, HOOK)
        if earlier is not None:
            try:
                return await self._decided(call, RequestId(earlier), slot)
            except NotClaimed:  # another call that is the same has used it, or it has lapsed: ask anew
                await self.approvals.runs.forget(slot)
        id = await submitted(
            self.approvals, call.session, call.id or uuid4().hex, call.tool, call.args, **self._options
        )
        await self.approvals.runs.put_by(slot, HOOK, id)
        return await self._decided(call, id, slot)

    async def _decided(self, call: ToolCall, id: RequestId, slot: str) -> Verdict:
        """Wait for people, and claim last of all: what fails before that uses nothing up."""
        try:
            outcome = await approved(self.approvals, id, self._timeout)
        except NotApproved:
            await self.approvals.runs.forget(slot)  # this one hears it; the next is another
            raise
        args = outcome.args or {}
        await self.approvals.runs.forget(slot)
        if unfit := misfits(call.args, args):
            raise NotApproved(words.MISTYPED.format(names=", ".join(unfit)))
        if self._merges and (gone := sorted(call.args.keys() - args.keys())):
            raise NotApproved(CUT.format(names=", ".join(gone)))
        ran = call.id or fingerprint(call.tool, args)
        await self.approvals.runs.put_by(f"{call.session}/ran/{ran}", HOOK, id)
        permit, _ = await claimed(self.approvals, id, call.tool)
        by = outcome.decided_by_name or outcome.decided_by
        said = words.edited(permit.args) if outcome.edited else f"Approved by {by}."
        return Verdict(words=said[:SAID_CHARS], args=permit.args, edited=outcome.edited)


def _no(said: str) -> Verdict:
    return Verdict(words=said[:SAID_CHARS])
