"""A changed call goes through the policy again: it may be denied, or be for others to decide."""

from __future__ import annotations

from dataclasses import dataclass, replace

from approvals.commands import Redirect
from approvals.model import Action, Args, Person, Request, Terms, Via
from approvals.policy import why_unanswerable
from approvals.stages import Stages
from blocks.ids import Seen
from bot.desk import Desk, Verdict
from bot.judging import Judge
from bot.payloads import Who


@dataclass(frozen=True, slots=True)
class Redirecting:
    """What the policy wants of changed calls, and sending them there: the same at every door."""

    desk: Desk
    judge: Judge
    stages: Stages

    async def terms(self, request: Request, args: Args) -> Terms | None:
        """What it wants of the changed call, if that is more than who approves it can give."""
        await self.stages.refresh()
        return self.judge.of_edit(request, args, await self.desk.store.now())

    async def denied(self, who: Who, request: Request, terms: Terms, *, via: Via = Via.SLACK) -> str | None:
        """Why nobody can let it through like that, which goes into the log; None: others can."""
        why = why_unanswerable(terms, request.on_behalf_of)
        if terms.action is Action.DENY:
            why = f"Rule “{terms.rule}” denies this: {terms.because}"
        if why is not None:
            await self.desk.deny(who, request, "edit", why, via=via)
        return why

    async def redirect(
        self,
        who: Who,
        seen: Seen,
        request: Request,
        args: Args,
        terms: Terms,
        *,
        note: str | None = None,
        via: Via = Via.SLACK,
    ) -> Verdict:
        """Change the call: its new terms hold from then on; `who` counts as far as those let them."""
        voter = await self.desk.person(who, asked_anew(request, terms))

        def command(person: Person, _: Request) -> Redirect:
            return Redirect(
                by=person,
                voter=voter,
                seen=seen.fingerprint,
                alike=seen.alike,
                edited=args,
                terms=terms,
                note=note,
            )

        return await self.desk.decide(who, request.id, "edit", command, via=via)


def asked_anew(request: Request, terms: Terms) -> Request:
    """The request as its changed call would be asked for."""
    return replace(request, terms=terms, added=(), votes=(), objections=())
