"""Countersign: people approve what AI agents want to do, in Slack, before it happens."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.client import Approvals
    from approvals.errors import (
        Answered,
        ApprovalsError,
        Cancelled,
        ChangesRequested,
        Expired,
        Forged,
        InvalidCall,
        KeyReused,
        NotApproved,
        NotClaimed,
        Rejected,
        StillPending,
        TakenOver,
        Unavailable,
        Undeliverable,
    )
    from approvals.messages import Outcome, Permit, Ticket, UndoAsk

__all__ = [
    "Answered",
    "Approvals",
    "ApprovalsError",
    "Cancelled",
    "ChangesRequested",
    "Expired",
    "Forged",
    "InvalidCall",
    "KeyReused",
    "NotApproved",
    "NotClaimed",
    "Outcome",
    "Permit",
    "Rejected",
    "StillPending",
    "TakenOver",
    "Ticket",
    "Unavailable",
    "Undeliverable",
    "UndoAsk",
]

_ELSEWHERE = {"Approvals": "client", **dict.fromkeys(("Outcome", "Permit", "Ticket", "UndoAsk"), "messages")}


def __getattr__(name: str) -> object:
    """Load a name when it is first used: the pure modules in here must not bring Redis along."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'errors')}"), name)
    globals()[name] = value
    return value
