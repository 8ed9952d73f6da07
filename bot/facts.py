"""What a policy looks at in a request that is there already."""

from __future__ import annotations

from datetime import datetime

from approvals.model import Args, Request
from approvals.policy import Facts


def facts_of(request: Request, args: Args, *, environment: str, now: datetime) -> Facts:
    """The facts of its call, as if it came now with these args."""
    return Facts(
        kind=request.kind,
        tool=request.tool,
        args=args,
        agent=request.agent,
        risk=request.wished_risk,
        on_behalf_of=request.on_behalf_of,
        deadline_s=request.wished_deadline_s,
        confidence=request.confidence,
        tags=request.tags,
        environment=environment,
        now=now,
    )
