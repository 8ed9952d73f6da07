"""Decided requests, for tests of what is signed."""

from typing import Any

from approvals.commands import Approve
from approvals.events import Event
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.model import Request
from tests.builders import T0, a_person, a_request


def an_approval(**changes: Any) -> tuple[Request, Event]:
    """A request that Ana has approved, and by which event."""
    request = a_request(created_at=T0, **changes)
    event = decide(request, Approve(by=a_person(), seen=request.fingerprint), now=T0)
    return evolve(request, event), event
