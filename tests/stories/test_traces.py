"""One trace from an agent to the click and back, as a collector gets it; and none where nobody traces."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.util._once import Once

from approvals import Approvals, tracing
from bot import traces
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card

WALK = ["submit", "intake", "post", "decide", "wake", "claim", "run"]


class Receiver(ThreadingHTTPServer):
    """Takes OTLP over HTTP, in a thread of its own."""

    def __init__(self) -> None:
        self.raw, self.spans = b"", list[Span]()
        super().__init__(("127.0.0.1", 0), _Taking)

    def named(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """What this process traces to; OpenTelemetry itself lets nobody say that twice in one process."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_port}")
        thread = threading.Thread(target=receiver.serve_forever, args=(0.05,))
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


async def test_from_the_agent_to_the_click_and_back_it_is_one_trace(
    slack: Sandbox, receiver: Receiver, approvals: Approvals, bot: Service
) -> None:
    @approvals.required
    async def refund(customer: str, amount: float) -> str:
        return "re_81f"

    with traces.exported():
        async with asyncio.TaskGroup() as agent:
            with trace.get_tracer("shop").start_as_current_span("checkout"):
                agent.create_task(refund("c_42", 940))
            card = await the_card(slack)
            assert (await slack.person("U0ANA").press("Approve", card)).ok
        await redrawn(slack, card, "re_81f")
        id = (await bot.store.entries(1, 9))[-1].request
    checkout, walk = receiver.named("checkout"), [receiver.named(f"countersign {name}") for name in WALK]
    assert {span.trace_id for span in walk} == {checkout.trace_id}
    submit, intake, *others = walk
    assert (submit.parent_span_id, intake.parent_span_id) == (checkout.span_id, submit.span_id)
    assert {span.parent_span_id for span in others} == {intake.span_id}
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in walk)
    told = {a.key: a.value.string_value for a in receiver.named("countersign decide").attributes}
    assert told == {
        f"countersign.{name}": value
        for name, value in {
            "request": id,
            "tenant": bot.store.tenant,
            "event": "approved",
            "via": "slack",
        }.items()
    }
    for never in (b"c_42", b"refund", b"Ana", b"U0ANA", b"billing", b"re_81f"):
        assert never not in receiver.raw


def test_what_fails_at_tracing_stops_nothing_of_what_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider()
    provider.add_span_processor(_Broken())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    assert tracing.step("submit", "t", "R-1", parent=parent) == parent


class _Broken(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError


def test_where_nobody_traces_what_came_goes_on_and_nonsense_does_not() -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    assert tracing.step("submit", "t", "R-1", parent=parent) == parent
    for nonsense in (None, "", "x" * 10_000, f"00-{'0' * 32}-{'b' * 16}-01", f"{parent}\n"):
        assert tracing.step("submit", "t", "R-1", parent=nonsense) is None
