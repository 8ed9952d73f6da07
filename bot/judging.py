"""Which terms a submission gets: from the policy in force, its budgets, and the mode of the service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from approvals.budgets import Budgets
from approvals.canonical import fingerprint
from approvals.model import Action, Args, Kind, Request, RequestId, Terms
from approvals.policy import (
    DEFAULT,
    Facts,
    Match,
    Policy,
    Spend,
    Stage,
    candidates,
    is_stricter,
    rate_spend,
    shadowed,
    terms_for,
    too_fast,
)
from bot.facts import facts_of
from bot.levers.staging import SELF
from bot.settings import Mode

logger = logging.getLogger(__name__)

NO_OVERLAY: Mapping[str, Stage] = {}


class Judge:
    """Asks the policy that is in force at that moment, and takes from budgets what its answer costs."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        budgets: Budgets,
        *,
        channel: str,
        mode: Mode = "enforce",
        environment: str = "default",
        stages: Callable[[], Mapping[str, Stage]] = lambda: NO_OVERLAY,
    ) -> None:
        self._policy, self._budgets, self._stages = policy, budgets, stages
        self._channel, self._mode, self._environment = channel, mode, environment

    @property
    def collapses(self) -> bool:
        """Whether identical calls that wait share a card."""
        return self._policy().collapse

    async def terms(self, facts: Facts, request_id: RequestId) -> Terms:
        """The terms of a request. To judge it again is harmless: it takes from each budget once.

        Raises:
            Unavailable: Redis was away.
        """
        match self._mode:
            case "enforce":
                return await self._enforced(facts, request_id)
            case "shadow":
                return await self._beside(facts, request_id)
            case "off":
                return self._let_through(facts, request_id)

    def again(self, request: Request, args: Args, now: datetime) -> Terms | None:
        """What the policy says of a request's call with other args; None where it has no say.

        Nothing is taken from budgets, so what only a budget lets through is not let through here.
        """
        if self._mode != "enforce" or request.agent == SELF:
            return None
        facts = facts_of(request, args, environment=self._environment, now=now)
        found = [match.terms for match in self._candidates(self._policy(), facts)]
        return next((terms for terms in found if terms.action is Action.ASK), found[-1])

    def of_edit(self, request: Request, args: Args, now: datetime) -> Terms | None:
        """What the policy wants of a call that a person changes, if who approves it can't give that."""
        if fingerprint(request.tool, args) == request.fingerprint:
            return None
        terms = self.again(request, args, now)
        if terms is None or terms.action.lets_through:
            return None
        return terms if terms.action is Action.DENY or is_stricter(request, terms) else None

    async def _enforced(self, facts: Facts, request_id: RequestId) -> Terms:
        policy = self._policy()
        terms = await self._affordable(self._candidates(policy, facts), request_id)
        rate = rate_spend(policy, facts) if terms.action is Action.ASK else None
        if rate is not None and not await self._budgets.take(rate, request_id):
            return too_fast(policy, terms)
        return terms

    async def _beside(self, facts: Facts, request_id: RequestId) -> Terms:
        """Ask for everything as without a file, and record what the file would have said."""
        asked = terms_for(DEFAULT, facts, channel=self._channel)
        matches = self._candidates(self._policy(), facts)
        would = await self._affordable(matches, request_id, as_taken=shadowed)
        told = f"policy {would.policy} would {would.action} it: {would.because}"
        logger.info("shadow: %s", told, extra={"request_id": request_id})
        return replace(asked, because=f"APPROVALS_MODE=shadow asks for everything; {told}")

    def _let_through(self, facts: Facts, request_id: RequestId) -> Terms:
        terms = terms_for(DEFAULT, facts, channel=self._channel)
        if facts.kind is Kind.QUESTION:
            return terms  # nobody but a person can answer it
        logger.warning("APPROVALS_MODE=off lets a call through unseen", extra={"request_id": request_id})
        because = "APPROVALS_MODE=off lets everything through, and nobody was asked"
        return replace(terms, rule="off", action=Action.ALLOW, because=because)

    def _candidates(self, policy: Policy, facts: Facts) -> Iterator[Match]:
        return candidates(policy, facts, channel=self._channel, stages=self._stages())

    async def _affordable(
        self,
        matches: Iterator[Match],
        request_id: RequestId,
        *,
        as_taken: Callable[[Spend], Spend] = lambda spend: spend,
    ) -> Terms:
        """The first whose budget has enough left. The last has none, so there always is one."""
        for match in matches:
            if match.spend is None or await self._budgets.take(as_taken(match.spend), request_id):
                return match.terms
        raise AssertionError("a policy has an answer to every call")
