"""Sends traces to where OpenTelemetry's own variables say; without them there are none."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

EXPORT_S = 3  # for a receiver that does not answer: the process is not to end later for that


@contextmanager
def exported() -> Iterator[None]:
    """While it lasts, the steps of `approvals.tracing` are sent, in the background."""
    if not any(os.environ.get(f"OTEL_EXPORTER_OTLP_{each}ENDPOINT") for each in ("", "TRACES_")):
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        logger.warning("no traces: OTEL_EXPORTER_OTLP_ENDPOINT is set, and the extra otel is not installed")
        yield
        return
    name = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "countersign")}
    provider = TracerProvider(resource=Resource.create(name))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_S)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
