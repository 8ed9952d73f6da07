"""The steps of one request's walk as spans of a trace, where this process has loaded OpenTelemetry.

Nothing of it is imported: an agent that traces has it loaded, and so has a service that is told where traces
go (bot/traces.py). Everywhere else a step is a look into a dictionary. What joins the steps is a
`traceparent` (https://www.w3.org/TR/trace-context/) that goes with the request. Spans name the request, its
tenant and what happened: never the call, a person or a token.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from datetime import datetime, timedelta
from typing import Any

from approvals.audit import DECISIONS, Entry
from approvals.model import Request

_log = logging.getLogger(__name__)

_WRITTEN = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_STEPS = dict.fromkeys((*DECISIONS, "voted"), "decide") | {
    "claimed": "claim",
    "executed": "run",
    "failed": "run",
}


def step(
    name: str,
    tenant: str,
    request: str,
    *,
    parent: str | None = None,
    began: datetime | None = None,
    **told: str,
) -> str | None:
    """Tell of a step that ends now; returns the `traceparent` of it, for the steps that follow.

    Without `parent` it belongs to what this process is at. Where nobody traces, `parent` is returned.
    """
    found = _WRITTEN.fullmatch(parent or "")
    given = found and found[0]
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return given
    told |= {"request": request, "tenant": tenant}
    try:
        return _told(api, name, found, began, told) or given
    except Exception:  # it is others' code, and what is traced must go on
        _log.warning("a step could not be traced", extra={"request_id": request}, exc_info=True)
        return given


def logged(entry: Entry, request: Request | None) -> None:
    """Tell of what the log says, as far as it is a step."""
    name = _STEPS.get(entry.event)
    if request is None or name is None:
        return
    lasted_ms = request.receipt.duration_ms if name == "run" and request.receipt else None
    step(
        name,
        request.tenant,
        request.id,
        parent=request.trace,
        began=entry.at - timedelta(milliseconds=lasted_ms or 0),
        event=entry.event,
        via=entry.via,
    )


def _told(
    api: Any, name: str, parent: re.Match[str] | None, began: datetime | None, told: dict[str, str]
) -> str | None:
    now = time.time_ns()
    span = api.get_tracer("countersign").start_span(
        f"countersign {name}",
        context=parent and _after(api, parent),
        start_time=now if began is None else min(now, round(began.timestamp() * 1_000_000) * 1000),
        attributes={f"countersign.{key}": value for key, value in told.items()},
    )
    span.end(now)
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _after(api: Any, parent: re.Match[str]) -> Any:
    """The context in which what follows `parent` belongs."""
    trace, span, flags = (int(each, 16) for each in parent.groups())
    context = api.SpanContext(trace, span, is_remote=True, trace_flags=api.TraceFlags(flags))
    return api.set_span_in_context(api.NonRecordingSpan(context))
