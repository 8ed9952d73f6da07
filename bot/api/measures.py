"""What Prometheus may read: how the API fares, and how much the service has to do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from redis.asyncio import Redis

from approvals.backlog import backlog, risks
from approvals.counts import Counts
from approvals.errors import Unavailable
from bot.counting import COUNTED

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60)
PROBLEM = web.ResponseKey("problem", str)  # where an answer says of which kind it is


class _Added(Collector):
    """What all processes have counted."""

    def __init__(self) -> None:
        self.known: Mapping[str, Mapping[tuple[str, ...], int]] = {}

    def collect(self) -> Iterator[CounterMetricFamily]:
        for name, (words, labels) in COUNTED.items():
            family = CounterMetricFamily(f"countersign_{name}", words, labels=labels)
            for values, count in self.known.get(name, {}).items():
                family.add_metric(values, count)
            yield family


class Measures:
    """Of one process; what is read from Redis is the same whichever process is asked."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._counts = Counts(redis, tenant)
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "countersign_api_requests",
            "Calls of the HTTP API",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "countersign_api_seconds",
            "How long calls took, waits included",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._problems = Counter(
            "countersign_api_problems",
            "Calls that were answered with a problem, by its kind",
            ("route", "kind"),
            registry=self._registry,
        )
        self._open = Gauge(
            "countersign_api_open",
            "Calls that are not answered yet, waits and streams among them",
            ("route",),
            registry=self._registry,
        )
        self._queue = Gauge(
            "countersign_requests",
            "Requests that wait: for people, for their agent, to be drawn, …",
            ("queue",),
            registry=self._registry,
        )
        self._pending = Gauge(
            "countersign_pending",
            "Requests that wait for people, by risk",
            ("risk",),
            registry=self._registry,
        )
        self._entries = Gauge(
            "countersign_audit_entries", "Entries of the audit log: one a commit", registry=self._registry
        )
        self._oldest = Gauge(
            "countersign_oldest_seconds",
            "For how long the first of each queue has waited, or is overdue",
            ("queue",),
            registry=self._registry,
        )
        self._pulse = Gauge(
            "countersign_pulse_age_seconds",
            "Since when nobody has looked after Redis",
            registry=self._registry,
        )
        self._checkpoint = Gauge(
            "countersign_checkpoint_age_seconds",
            "Since when no checkpoint of the log was signed",
            registry=self._registry,
        )
        self._is_up = Gauge("countersign_redis_up", "Whether Redis answers", registry=self._registry)
        self._added = _Added()
        self._registry.register(self._added)

    async def timed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count and time one call."""
        resource = request.match_info.route.resource
        route = "other" if resource is None else resource.canonical
        began, status = time.perf_counter(), 500
        try:
            with self._open.labels(route).track_inprogress():
                response = await handler(request)
            status = response.status
            if kind := response.get(PROBLEM):
                self._problems.labels(route, kind).inc()
        finally:
            self._calls.labels(route, request.method, status).inc()
            self._seconds.labels(route).observe(time.perf_counter() - began)
        return response

    async def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        try:
            found = await backlog(self._redis, self._tenant)
            pending = await risks(self._redis, self._tenant)
            self._added.known = await self._counts.read()
        except Unavailable:
            self._is_up.set(0)
        else:
            self._is_up.set(1)
            self._entries.set(found.entries)
            self._pulse.set(found.pulse_s or 0)
            self._checkpoint.set(found.checkpoint_s or 0)
            for risk, count in pending.items():
                self._pending.labels(risk).set(count)
            for queue, length in found.lengths.items():
                self._queue.labels(queue).set(length)
                self._oldest.labels(queue).set(found.oldest_s[queue])
        return generate_latest(self._registry)
