"""Those who may decide, as Slack names them: called in a first post, told everywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from approvals.model import CHANNEL, Principal
from blocks.text import escape, name

_PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
_GROUP = re.compile(r"S[A-Z0-9]{2,20}")
MENTIONS = 20


def mention(principals: Iterable[Principal]) -> str:
    """Whom a first post calls: the people and groups that the terms name, and nobody for a whole channel."""
    called = []
    for principal in principals:
        if _PERSON.fullmatch(principal):
            called.append(f"<@{principal}>")
        elif _GROUP.fullmatch(principal):
            called.append(f"<!subteam^{principal}>")
    return " ".join(called[:MENTIONS])


def deciders(principals: Iterable[Principal]) -> str:
    """Who may decide, in mrkdwn: for private answers and dialogs, where a mention calls nobody."""
    told = [_decider(principal) for principal in principals][:MENTIONS]
    return " or ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told) or "nobody"


def _decider(principal: Principal) -> str:
    if principal == CHANNEL:
        return "the members of its channel"
    return mention([principal]) or escape(name(principal))
