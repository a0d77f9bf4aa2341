"""OpenTelemetry's instrumentation of httpx, which the usual transport is: spans without secrets, and nothing lost."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport, HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from faults.calls import GOOD_GROUP, GOOD_PAGE, GROUP, GROUP_ID, PAGE, TOKEN
from rig import canary
from rig.cancel import explore
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.leaks import Watch
from rig.script import answer, reset, token_answer
from rig.server import FaultServer
from usergroups import APIConnectionError, RetryPolicy
from usergroups.transports import aiohttp_transport

CAPTURE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST"
SANITIZE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"


@pytest.fixture
def server(make_server: MakeServer) -> FaultServer:
    """Return a server that has no scripts yet."""
    return make_server()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Return the place that spans go to."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> TracerProvider:
    """Return what makes them."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


@pytest.fixture
def instrumented(provider: TracerProvider) -> Iterator[None]:
    """Instrument httpx for one test."""
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield
    instrumentor.uninstrument()


def told(span: ReadableSpan) -> tuple[Any, ...]:
    """Return what a span tells of a request."""
    said = span.attributes or {}
    return said.get("http.method"), said.get("http.status_code"), said.get("http.url")


def secrets(spans: InMemorySpanExporter) -> list[str]:
    """Return the spans that show a secret anywhere: in a name, an attribute or an event."""
    return [span.to_json() for span in spans.get_finished_spans() if canary.has_canary(span.to_json())]


@pytest.mark.usefixtures("instrumented")
async def test_each_request_is_a_span_of_the_caller(
    server: FaultServer, make_m3ter: MakeM3ter, provider: TracerProvider, spans: InMemorySpanExporter
) -> None:
    """A call makes a client span with method, status and URL, below the caller's, and so does its token request."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    server.always(PAGE, GOOD_PAGE)
    client = make_m3ter(server)

    with provider.get_tracer("app").start_as_current_span("review"):
        await client.list_user_groups("ada", next_token="AB==").collect()

    *made, review = spans.get_finished_spans()
    assert [told(span) for span in made] == [
        ("POST", 200, f"{server.url}{TOKEN}"),
        ("GET", 200, f"{server.url}{PAGE}?nextToken=AB%3D%3D"),
    ]
    assert {span.kind for span in made} == {SpanKind.CLIENT}
    assert {span.parent and span.parent.span_id for span in made} == {review.context and review.context.span_id}
    assert secrets(spans) == []


@pytest.mark.usefixtures("instrumented")
async def test_trace_goes_on_at_the_provider(
    server: FaultServer, make_smartpm: MakeSmartPM, spans: InMemorySpanExporter
) -> None:
    """A request carries its span's id, and nothing else that it would not carry anyway."""
    server.always(GROUP, GOOD_GROUP)

    await make_smartpm(server).get_user_group(GROUP_ID)

    [request], [span] = server.requests, spans.get_finished_spans()
    assert span.context is not None
    assert trace.format_span_id(span.context.span_id) in (request.header("traceparent") or "")
    assert request.header("x-api-key") == canary.SMARTPM_API_KEY
    assert secrets(spans) == []


@pytest.mark.usefixtures("instrumented")
async def test_attempts_that_fail_are_spans_without_secrets(
    server: FaultServer, make_m3ter: MakeM3ter, watch: Watch, spans: InMemorySpanExporter
) -> None:
    """Each attempt is a span of its own, a refused or broken one too, and none shows a secret."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    server.once(PAGE, answer(status=503))
    server.always(PAGE, (reset,))
    client = make_m3ter(server, retry=RetryPolicy(backoff_initial=0.001))

    with watch.raises(APIConnectionError):
        await client.list_user_groups("ada").collect()

    made = [told(span)[:2] for span in spans.get_finished_spans()]
    assert made[:2] == [("POST", 200), ("GET", 503)]
    assert set(made[2:]) == {("GET", None)}
    assert len(made) == len(server.requests)
    assert secrets(spans) == []


async def test_captured_headers_can_be_sanitized(
    server: FaultServer,
    make_m3ter: MakeM3ter,
    make_smartpm: MakeSmartPM,
    provider: TracerProvider,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who has headers captured keeps the secret ones out with the names that docs/transports.md gives."""
    monkeypatch.setenv(CAPTURE, ".*")
    monkeypatch.setenv(SANITIZE, "authorization,x-api-key")
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    server.always(PAGE, GOOD_PAGE)
    server.always(GROUP, GOOD_GROUP)
    instrumentor = HTTPXClientInstrumentor()

    instrumentor.instrument(tracer_provider=provider)
    await make_m3ter(server).list_user_groups("ada").collect()
    await make_smartpm(server).get_user_group(GROUP_ID)
    instrumentor.uninstrument()

    made = spans.get_finished_spans()
    assert len(made) == 3
    assert all("http.request.header.user_agent" in (span.attributes or {}) for span in made)
    assert secrets(spans) == []


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_cancelled_call_loses_nothing(
    server: FaultServer, make_smartpm: MakeSmartPM, watch: Watch, spans: InMemorySpanExporter, times: int
) -> None:
    """A call that is cancelled at any step leaves no place, no pool slot and no open span."""
    server.always(GROUP, GOOD_GROUP)
    client = make_smartpm(server, max_in_flight=1)
    begun = 0

    async def call() -> str | None:
        return (await client.get_user_group(GROUP_ID)).name

    async for cut in explore(call, times=times):
        if cut.cancelled:
            assert isinstance(cut.error, asyncio.CancelledError)
        assert await watch.at_rest() == []
        begun += 1

    assert cut.value == "Operators"
    assert begun > 3
    assert len(spans.get_finished_spans()) >= len(server.requests) > 0


async def test_other_transport_is_traced_from_outside(
    server: FaultServer, make_smartpm: MakeSmartPM, provider: TracerProvider, spans: InMemorySpanExporter
) -> None:
    """A transport that is not httpx's own is traced when it is wrapped."""
    server.always(GROUP, GOOD_GROUP)

    async with AsyncOpenTelemetryTransport(aiohttp_transport(), tracer_provider=provider) as transport:
        await make_smartpm(server, transport=transport).get_user_group(GROUP_ID)

    assert [told(span)[:2] for span in spans.get_finished_spans()] == [("GET", 200)]
    assert secrets(spans) == []
