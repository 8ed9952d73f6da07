"""Grants: leave for calls like one that a person approved, for a time, a number of uses, and a sum.

Pure: whether a grant covers a request is said here; how often it was used is counted in Redis, by the
script that lets the call through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import TypeGuard

from approvals.canonical import encode
from approvals.model import (
    Action,
    Actor,
    AgentName,
    Assurance,
    Json,
    Kind,
    Principal,
    Request,
    RequestId,
    Risk,
    Terms,
)

LONGEST_S = 7 * 24 * 3600
MOST_USES = 1000
MOST_ARGS = 15  # a call with more can't be bounded in one dialog
MOST_AMOUNT = 10**9  # in millionths it is still exact in Redis


class Bound(StrEnum):
    """What a grant says of one argument."""

    SAME = "same"
    UP_TO = "up_to"  # from nought to the value
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    arg: str
    bound: Bound
    value: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Lets a call through if every arg is within its limit, and the rule would have asked the same people."""

    id: str
    agent: AgentName
    tool: str
    limits: tuple[Limit, ...]  # one for each arg; a call with other args is another call
    rule: str
    approvers: tuple[Principal, ...]
    channel: str
    risk: Risk
    uses: int
    until: datetime
    total_of: str | None = None  # an arg whose values are summed up
    total: float = 0
    by: Actor
    at: datetime
    request: RequestId  # that it was made from


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one call takes of a grant, and what there is in all."""

    grant: str
    version: str  # of all grants, as the caller knew them
    uses: int
    micros: int = 0
    limit_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was used of a grant."""

    count: int = 0
    total: float = 0


def may_be_granted(request: Request) -> bool:
    """Whether one person's yes to it may stand for others like it."""
    terms = request.terms
    is_plain = request.kind is Kind.ACTION and terms.quorum == 1 and not terms.groups
    is_plain = is_plain and terms.assurance is Assurance.CLICK  # else each call wants its own sign-in
    is_plain = is_plain and not request.masks  # else it would be for a value that nobody has seen
    return is_plain and terms.risk is not Risk.CRITICAL and len(request.args) <= MOST_ARGS


def covers(grant: Grant, request: Request, now: datetime) -> bool:
    """Whether it may go through by `grant`: never what its giver could not have approved alone."""
    terms = request.terms
    is_like = (grant.agent, grant.tool, grant.rule) == (request.agent, request.tool, terms.rule)
    is_theirs = grant.approvers == terms.approvers and grant.channel == terms.channel
    is_own = grant.by.id == f"slack:{request.on_behalf_of}" and not terms.self_approval
    if terms.action is not Action.ASK or not (is_like and is_theirs and may_be_granted(request)) or is_own:
        return False
    if now >= grant.until or not grant.risk.is_at_least(terms.risk):
        return False
    limits = {limit.arg: limit for limit in grant.limits}
    return limits.keys() == request.args.keys() and all(
        _is_within(limits[arg], value) for arg, value in request.args.items()
    )


def use_of(grant: Grant, request: Request, version: str) -> Use | None:
    """What the request would take of it; None: the sum can't be told."""
    if grant.total_of is None:
        return Use(grant=grant.id, version=version, uses=grant.uses)
    amount = request.args.get(grant.total_of)
    if not is_amount(amount):
        return None
    return Use(
        grant=grant.id,
        version=version,
        uses=grant.uses,
        micros=ceil(amount * 1_000_000),
        limit_micros=ceil(grant.total * 1_000_000),
    )


def granted(terms: Terms, grant: Grant) -> Terms:
    """The terms of a request that goes through by `grant`."""
    because = f"grant {grant.id} by {grant.by.name} lets it through"
    return replace(terms, action=Action.ALLOW, grant=grant.id, because=because)


def is_amount(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_AMOUNT


def _is_within(limit: Limit, value: Json) -> bool:
    match limit.bound:
        case Bound.ANY:
            return True
        case Bound.SAME:
            return encode(value) == encode(limit.value)
        case Bound.UP_TO:
            return is_amount(value) and is_amount(limit.value) and value <= limit.value
