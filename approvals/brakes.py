"""What stops an agent whatever the rules say: which freeze reaches a call, and what is still allowed then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from approvals.model import Action, AgentName, Freeze, Reach, Terms
from approvals.policy.globs import matches


def reaches(freeze: Freeze, agent: AgentName, tool: str) -> bool:
    match freeze.reach:
        case Reach.ALL:
            return True
        case Reach.AGENT:
            return freeze.name == agent
        case Reach.TOOL:
            return matches((freeze.name,), tool)


def freeze_on(freezes: Iterable[Freeze], agent: AgentName, tool: str) -> Freeze | None:
    """The freeze that stops calls of `tool` by `agent`; of several the oldest."""
    reaching = (freeze for freeze in freezes if reaches(freeze, agent, tool))
    return min(reaching, key=lambda freeze: (freeze.at, freeze.words), default=None)


def stopped(terms: Terms, freeze: Freeze) -> Terms:
    """What the policy lets through by itself waits for people while it is frozen."""
    if not terms.action.lets_through:
        return terms
    because = f"{terms.because}; but {freeze.by.name} froze {freeze.words}, so it waits for people"
    return replace(terms, action=Action.ASK, grant=None, because=because)
