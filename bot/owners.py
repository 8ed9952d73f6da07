"""Who may change what agents may do: the policy's [owners]. Whoever can't be looked up may nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from approvals.model import Actor, Principal, Via
from approvals.policy import Policy
from approvals.store import Store
from bot.payloads import Who
from bot.people import People

Matter: TypeAlias = Literal["freeze", "policy"]


class Owners:
    """Answers for the policy that is in force at that moment."""

    def __init__(self, policy: Callable[[], Policy], people: People, store: Store) -> None:
        self._policy, self._people, self._store = policy, people, store

    @property
    def policy(self) -> Policy:
        """The one in force at this moment."""
        return self._policy()

    def of(self, matter: Matter) -> tuple[Principal, ...]:
        owners = self._policy().owners
        return owners.freeze if matter == "freeze" else owners.policy

    async def admit(self, who: Who, matter: Matter, attempted: str) -> bool:
        """Whether `who` is one of them; if not, the log tells that they tried."""
        if await self._people.is_one_of(who.id, self.of(matter), team=who.team):
            return True
        await self.record(who, attempted, f"not one of the policy's owners of {matter}")
        return False

    async def record(self, who: Who, attempted: str, why: str) -> None:
        """Log that somebody tried what they may not."""
        await self._store.refuse("", await self.actor(who), attempted, why, Via.SLACK)

    async def actor(self, who: Who) -> Actor:
        return Actor(id=f"slack:{who.id}", name=await self._people.name_of(who.id))
