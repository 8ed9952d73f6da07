"""One process of the service, whose parts are the service's own, joined as `bot/loops.py` joins them.

Only the loops around them are the harness's: *take one, do one, tick it off*, a step at a time, so that the
k-th command, call or await is the same each time.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal, TypeAlias, TypeVar

from approvals.bulks import Bulks
from approvals.callback_secrets import CallbackSecrets
from approvals.callbacks import Callbacks
from approvals.grant_book import GrantBook
from approvals.inbox import Inboxes
from approvals.stages import Stages
from bot import app, settings
from bot.bulk import Job
from bot.intake import Intake
from bot.levers.freezing import Freezing
from bot.loops import deadlines, digesting, posting, webhooks
from bot.webhooks import callback_check
from tests.proof.relay import CommandLine
from tests.proof.sweep_faults import Died, Fault, lived

T = TypeVar("T")
Loop: TypeAlias = Literal["deadlines", "digests", "freezing", "bulk", "webhooks"]
TAKEN = 16


class Life:
    """One process of the service, from its start to its end."""

    def __init__(
        self,
        service: app.Service,
        line: CommandLine,
        fault: Fault,
        loops: Sequence[Loop],
        open_: AsyncExitStack,
    ) -> None:
        assert service.slack is not None
        assert service.slack.bolt is not None
        self.line, self.bolt, self.is_over = line, service.slack.bolt, False
        self._service, self._slack, self._fault, self._open = service, service.slack, fault, open_
        redis, tenant = service.redis, service.settings.tenant
        self._posting = posting(service, service.slack)
        self._deadlines, self._digesting = deadlines(service), digesting(service)
        self._freezing = Freezing(service.store, service.cards)
        self._callbacks, self._bulks = Callbacks(redis, tenant), Bulks(redis, tenant)
        self._frozen = "0"
        stages, signing = Stages(redis, tenant), CallbackSecrets(redis, tenant)
        self._intake = Intake(
            service.store,
            Inboxes(redis, tenant, "unused"),
            app.judge_of(service.settings, redis, service.policy_file, stages),
            GrantBook(redis, tenant),
            stages,
            environment="default",
            check_callback=callback_check(service.settings.callbacks, signing),
        )
        known: dict[Loop, Callable[[], Awaitable[bool]]] = {
            "deadlines": self._due,
            "digests": self._gathered,
            "freezing": self._frozen_anew,
            "bulk": self._many_rows,
            "webhooks": self._called_back,
        }
        self._loops = [known[name] for name in loops]
        self.look_around()

    @classmethod
    async def begin(
        cls, env: dict[str, str], redis_url: str, fault: Fault, loops: Sequence[Loop], ahead_s: int
    ) -> Life:
        async with AsyncExitStack() as open_:
            line = await open_.enter_async_context(CommandLine(redis_url, fault.of_command))
            line.ahead_s = ahead_s
            read = settings.read({**env, "REDIS_URL": line.url}, needs="workspace")
            service = await open_.enter_async_context(app.built(read))
            return cls(service, line, fault, loops, open_.pop_all())
        raise AssertionError  # for the type checker: nothing above suppresses

    async def end(self) -> None:
        self.is_over = self.line.is_dead = True
        self.line.drop()
        await self._open.aclose()

    def look_around(self) -> None:
        """See who is an agent, and what was abandoned, when letters are taken next."""
        tenant = self._service.settings.tenant
        self._inboxes = Inboxes(self._service.redis, tenant, f"bot-{secrets.token_hex(3)}")

    async def lived(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, unless we die of it."""
        try:
            return await lived(work, self._fault)
        except Died:
            await self.end()
            raise

    async def once_around(self) -> bool:
        """Let each loop do what it finds; False: none found anything."""
        found = await self._letters()
        for loop in self._loops:
            found |= await loop()
        for id in await self._service.cards.claim(TAKEN, 10.0):
            await self._posting.draw(id)
            found = True
        return found

    async def _letters(self) -> bool:
        taken = await self._inboxes.take(block_ms=1)
        for letter in taken:
            await self._intake.deal(letter)
        return bool(taken)

    async def _due(self) -> bool:
        due = await self._service.store.due(TAKEN)
        for id in due:
            await self._deadlines.settle(id)
        return bool(due)

    async def _gathered(self) -> bool:
        queues = await self._service.digests.due(TAKEN)
        for queue in queues:
            await self._digesting.gather(queue)
        return bool(queues)

    async def _called_back(self) -> bool:
        made = webhooks(self._service, self._slack)
        callbacks = await self._callbacks.claim(TAKEN)
        for callback in callbacks:
            await made.call(callback)
        return bool(callbacks)

    async def _many_rows(self) -> bool:
        """Carry out the clicks on many rows that were begun here, or left undone by a life before."""
        bulking, jobs = self._slack.bulking, []
        while not bulking._begun.empty():
            jobs.append(bulking._begun.get_nowait())
        jobs += [Job(id, None) for id in await self._bulks.claim(TAKEN)]
        for job in jobs:
            await bulking._carry_out_safely(job)
        return bool(jobs)

    async def _frozen_anew(self) -> bool:
        frozen = await self._service.store.freezes.now()
        if frozen.version == self._frozen:
            return False
        await self._freezing.sweep(frozen)
        self._frozen = frozen.version
        return True
