"""Where everything of a tenant lies in Redis; docs/redis.md tells each key's type, life, writer, readers."""

from __future__ import annotations

import re

from approvals.errors import InvalidCall

# Which parts follow the name in a key. None may hold a colon or a brace, so none reaches into another's key.
SHAPES: dict[str, tuple[str, ...]] = {
    "request": ("request id",),
    "ids": (),
    "shorts": (),
    "pending": (),
    "due": (),
    "draw": (),
    "unseen": (),
    "approved": (),
    "reviews": (),
    "freezes": (),
    "frozen": (),
    "signing": (),
    "signing:public": (),
    "approver:keys": (),
    "grants": (),
    "grants:used": (),
    "streaks": (),
    "twins": (),
    "absences": (),
    "daily": ("channel",),
    "daily:turn": (),
    "daily:seq": (),
    "stages": (),
    "proposals": (),
    "preferences": (),
    "homes": (),
    "homes:views": (),
    "homes:rate": (),
    "alike": ("agent name", "key hash"),
    "spent": ("key hash",),
    "spent:sums": ("key hash",),
    "cards": ("request id",),
    "digest": ("digest id",),
    "digest:cards": ("digest id",),
    "held": ("digest name", "channel"),
    "queues": (),
    "arrivals": ("channel",),
    "yours": (),
    "bulk": ("bulk id",),
    "bulks": (),
    "message": ("channel", "timestamp"),
    "replicated": (),
    "epoch": (),
    "pulse": (),
    "counts": (),
    "audit": (),
    "audit:seq": (),
    "audit:head": (),
    "audit:beside": (),
    "audit:tree": (),
    "audit:checkpoints": (),
    "audit:days": (),
    "audit:kept": (),
    "audit:turn": (),
    "asked": ("agent name",),
    "batch": ("agent name", "request id"),
    "tokens": (),
    "calls": ("agent name",),
    "agents": (),
    "bell": (),
    "callbacks": (),
    "callbacks:dead": (),
    "callbacks:told": (),
    "callbacks:secrets": (),
    "callback": ("callback id",),
    "confirm": ("key hash",),
    "inbox": ("agent name",),
    "outcome": ("agent name", "request id"),
    "permit": ("agent name", "request id"),
    "wake": ("agent name",),
    "undo": ("agent name",),
    "key": ("agent name", "key hash"),
    "run": ("agent name", "key hash"),
    # Of the tenant `workspaces` alone, under whose name lies what belongs to none.
    "installed": (),
    "installing": ("key hash",),
    "refreshing": ("tenant name",),
}

_PARTS = {
    "tenant name": (r"[a-zA-Z0-9_-]{1,64}", "letters, digits, _ and -, at most 64"),
    "agent name": (r"[a-z0-9][a-z0-9_.-]{0,62}", "lower-case letters, digits and _ . -, at most 63"),
    "person": (r"[UW][A-Z0-9]{2,20}", "a Slack id such as U0ANA: U or W, then capitals and digits"),
    "request id": (r"R-[0-9A-HJKMNP-TV-Z]{26}", "R- and 26 letters"),
    "digest id": (r"D-[0-9A-HJKMNP-TV-Z]{26}", "D- and 26 letters"),
    "bulk id": (r"B-[0-9A-HJKMNP-TV-Z]{26}", "B- and 26 letters"),
    "callback id": (r"R-[0-9A-HJKMNP-TV-Z]{26}-[0-9]{1,9}", "a request id, - and a number"),
    "digest name": (r"[a-z][a-z0-9_-]{0,39}", "lower-case letters, digits, - and _, at most 40"),
    "channel": (r"[A-Z0-9]{1,64}", "capitals and digits"),
    "timestamp": (r"[0-9]{1,20}\.[0-9]{1,10}", "digits, a dot and digits"),
    "key hash": (r"[0-9a-f]{64}", "64 hexadecimal digits"),
}
_PATTERNS = {kind: re.compile(pattern) for kind, (pattern, _) in _PARTS.items()}


def key(tenant: str, name: str, *parts: str) -> str:
    """Build the key `name` of `tenant`; the braces keep a tenant's keys in one slot of a Cluster.

    Raises:
        InvalidCall: the tenant's name or a part is not written as such things are.
    """
    check("tenant name", tenant)
    for kind, part in zip(SHAPES[name], parts, strict=True):
        check(kind, part)
    return ":".join((f"cs:{{{tenant}}}", name, *parts))


def check(kind: str, text: str) -> None:
    """Refuse what is not written as an `agent name`, a `tenant name`, … is.

    Raises:
        InvalidCall: with what it should look like.
    """
    if not is_written_as(kind, text):
        raise InvalidCall(f"{text[:80]!r} can't be the {kind}; it takes {_PARTS[kind][1]}")


def is_written_as(kind: str, text: str) -> bool:
    return _PATTERNS[kind].fullmatch(text) is not None
