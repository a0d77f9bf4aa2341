"""What the SDK itself tells OpenTelemetry: a span for each call, over all of its requests, and metrics; no secret."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport, HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from faults.calls import GOOD_GROUP, GROUP, GROUP_ID, PAGE, TOKEN
from rig import canary
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.script import answer, json_answer, reset, token_answer
from rig.server import FaultServer
from usergroups import (
    APIConnectionError,
    AuthenticationError,
    NotFoundError,
    PaginationError,
    RetryPolicy,
    __version__,
)
from usergroups.transports import aiohttp_transport, default_transport

BODY = {"id": GROUP_ID, "name": "Operators", "users": []}
PAGES = [json_answer({"data": [{"id": f"group-{n}"}], "nextToken": token}) for n, token in enumerate("ab")]
PAGES.append(json_answer({"data": [{"id": "group-2"}]}))

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Told:
    """What was told: spans, and the points of metrics."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader])

    def spans(self, scope: str = "usergroups") -> list[ReadableSpan]:
        """Return the spans that have ended, of *scope*."""
        ended = self._spans.get_finished_spans()
        return [span for span in ended if span.instrumentation_scope and span.instrumentation_scope.name == scope]

    def points(self) -> dict[str, list[Any]]:
        """Return the points of each metric of the SDK."""
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else []
        return {
            metric.name: list(metric.data.data_points)
            for resource in resources
            for scope in resource.scope_metrics
            if scope.scope.name == "usergroups"
            for metric in scope.metrics
        }

    def texts(self) -> list[str]:
        """Return all that was told, as text."""
        data = self._reader.get_metrics_data()
        return [*(span.to_json() for span in self._spans.get_finished_spans()), data.to_json() if data else ""]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Set OpenTelemetry up for one test, where otherwise it is set up once per process; no secret may come out."""
    told = Told()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", told.tracers)
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", told.meters)  # noqa: SLF001  # nothing else undoes it
    yield told
    assert not [text for text in told.texts() if canary.has_canary(text)]


@pytest.fixture
def server(make_server: MakeServer) -> FaultServer:
    """Return a server that has no scripts yet."""
    return make_server()


def attributes(span: ReadableSpan) -> dict[str, object]:
    """Return what *span* tells, without what it was asked."""
    asked = ("http.request.method", "url.path")
    return {name: value for name, value in (span.attributes or {}).items() if name not in asked}


def parent(span: ReadableSpan) -> int | None:
    """Return the id of the span above *span*."""
    return span.parent and span.parent.span_id


def transport(handler: Handler) -> httpx.AsyncBaseTransport:
    """Return a transport that *handler* answers."""
    return httpx.MockTransport(handler)


async def group(request: httpx.Request) -> httpx.Response:
    """Answer with the group."""
    return httpx.Response(200, json=BODY)


@pytest.mark.parametrize("make", [default_transport, aiohttp_transport], ids=["httpcore", "aiohttp"])
async def test_call_is_one_span_above_its_attempts(
    server: FaultServer, make_smartpm: MakeSmartPM, told: Told, make: Callable[[], httpx.AsyncBaseTransport]
) -> None:
    """A call is a span below the caller's, which tells method, path, attempts and status; each attempt is below it."""
    server.once(GROUP, answer(status=503))
    server.always(GROUP, GOOD_GROUP)

    async with AsyncOpenTelemetryTransport(make()) as transport:
        client = make_smartpm(server, transport=transport, retry=RetryPolicy(backoff_initial=0.001))
        with told.tracers.get_tracer("app").start_as_current_span("review") as review:
            await client.get_user_group(GROUP_ID)
            assert trace.get_current_span() is review

    [span] = told.spans()
    assert span.name == "smartpm.get_user_group"
    assert span.kind is SpanKind.INTERNAL
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.version == __version__
    assert span.attributes == {
        "http.request.method": "GET",
        "url.path": GROUP,
        "usergroups.attempts": 2,
        "http.response.status_code": 200,
    }
    assert span.status.status_code is StatusCode.UNSET
    assert parent(span) == review.get_span_context().span_id
    attempts = told.spans("opentelemetry.instrumentation.httpx")
    assert [parent(attempt) for attempt in attempts] == [span.context and span.context.span_id] * 2


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
async def test_listing_is_one_span_over_its_pages(
    server: FaultServer, make_m3ter: MakeM3ter, told: Told, *, prefetch: bool
) -> None:
    """A listing is one span, above all of its requests and that for a token, and not above the reader's own spans."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    for page in PAGES:
        server.once(PAGE, page)
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=told.tracers)
    try:
        async for _ in make_m3ter(server).list_user_groups("ada", prefetch=prefetch):
            assert trace.get_current_span() is trace.INVALID_SPAN
    finally:
        instrumentor.uninstrument()

    [span] = told.spans()
    assert span.name == "m3ter.list_user_groups"
    assert attributes(span) == {"usergroups.attempts": 3, "usergroups.pages": 3, "http.response.status_code": 200}
    attempts = told.spans("opentelemetry.instrumentation.httpx")
    assert [parent(attempt) for attempt in attempts] == [span.context and span.context.span_id] * 4


async def test_listing_that_is_left_early_ends_its_span(server: FaultServer, make_m3ter: MakeM3ter, told: Told) -> None:
    """Who has read enough sees a span of what was read, without an error; another iteration is another span."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    server.always(PAGE, PAGES[0])
    pager = make_m3ter(server).list_user_groups("ada")

    for _ in range(2):
        async with aclosing(aiter(pager)) as groups:
            await anext(groups)

    read = {"usergroups.attempts": 1, "usergroups.pages": 1, "http.response.status_code": 200}
    assert [attributes(span) for span in told.spans()] == [read, read]


async def test_error_is_named_by_its_type(server: FaultServer, make_smartpm: MakeSmartPM, told: Told) -> None:
    """A call that fails tells the error's class and the status, and not the provider's words."""
    server.always(GROUP, answer(canary.SMARTPM_API_KEY.encode(), 404))

    with pytest.raises(NotFoundError):
        await make_smartpm(server).get_user_group(GROUP_ID)

    [span] = told.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert not span.status.description
    assert span.events == ()
    assert attributes(span) == {
        "usergroups.attempts": 1,
        "http.response.status_code": 404,
        "error.type": "usergroups.errors.NotFoundError",
    }


async def test_call_without_a_response_has_no_status(
    server: FaultServer, make_smartpm: MakeSmartPM, told: Told
) -> None:
    """Where no response arrived, nothing is made up."""
    server.always(GROUP, (reset,))

    with pytest.raises(APIConnectionError):
        await make_smartpm(server, retry=RetryPolicy(attempts=1)).get_user_group(GROUP_ID)

    [span] = told.spans()
    assert attributes(span) == {"usergroups.attempts": 1, "error.type": "usergroups.errors.APIConnectionError"}


async def test_listing_that_comes_round_again_fails(server: FaultServer, make_m3ter: MakeM3ter, told: Told) -> None:
    """An error of the listing itself is its span's too."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    server.always(PAGE, PAGES[0])

    with pytest.raises(PaginationError):
        await make_m3ter(server).list_user_groups("ada").collect()

    [span] = told.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "usergroups.errors.PaginationError"
    assert attributes(span)["usergroups.pages"] == 2


async def test_cancelled_call_is_no_failure(make_smartpm: MakeSmartPM, told: Told) -> None:
    """A call that its caller cancels ends its span, which says so, and has no error's status."""
    begun = asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    call = asyncio.create_task(make_smartpm(transport=transport(never)).get_user_group(GROUP_ID))
    await begun.wait()
    call.cancel()
    await asyncio.wait([call])

    [span] = told.spans()
    assert attributes(span) == {"usergroups.attempts": 1, "error.type": "asyncio.exceptions.CancelledError"}
    assert span.status.status_code is StatusCode.UNSET


async def test_authentication_is_a_span(server: FaultServer, make_m3ter: MakeM3ter, told: Told) -> None:
    """A readiness check is a call as well; it sends nothing but the token's request."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))

    await make_m3ter(server).authenticate()

    [span] = told.spans()
    assert span.name == "m3ter.authenticate"
    assert span.attributes == {"http.request.method": "POST", "url.path": TOKEN, "usergroups.attempts": 0}


async def test_metrics_of_calls(make_smartpm: MakeSmartPM, clock: FakeClock, told: Told) -> None:
    """Durations, times in the queue and attempts are told, by operation and outcome."""
    answers = [httpx.Response(200, json=BODY)] * 3 + [httpx.Response(404)]

    async def answer(request: httpx.Request) -> httpx.Response:
        return answers.pop(0)

    client = make_smartpm(transport=transport(answer), clock=clock, max_rate=0.5)

    for _ in range(3):
        await client.get_user_group(GROUP_ID)
    with pytest.raises(NotFoundError):
        await client.get_user_group(GROUP_ID)

    points = told.points()
    well = {"usergroups.operation": "smartpm.get_user_group", "http.response.status_code": 200}
    missing = {**well, "http.response.status_code": 404, "error.type": "usergroups.errors.NotFoundError"}
    assert [point.attributes for point in points["usergroups.call.duration"]] == [well, missing]
    assert [point.value for point in points["usergroups.call.attempts"]] == [3, 1]
    for name in ("usergroups.call.duration", "usergroups.call.queue.duration"):
        seconds: list[HistogramDataPoint] = points[name]
        assert [point.count for point in seconds] == [3, 1]
        assert [point.sum for point in seconds] == pytest.approx([4.0, 2.0], rel=0.05)


async def test_each_page_is_a_call_of_the_metrics(server: FaultServer, make_m3ter: MakeM3ter, told: Told) -> None:
    """What the reader of a listing does between two pages is not counted as the SDK's time."""
    server.always(TOKEN, token_answer(canary.ACCESS_TOKEN))
    for page in PAGES:
        server.once(PAGE, page)

    await make_m3ter(server).list_user_groups("ada").collect()

    [duration] = told.points()["usergroups.call.duration"]
    assert duration.count == 3


async def test_fetches_of_tokens_are_counted(server: FaultServer, make_m3ter: MakeM3ter, told: Told) -> None:
    """One that failed is told apart."""
    server.once(TOKEN, token_answer(canary.ACCESS_TOKEN))
    server.always(TOKEN, answer(status=401))
    await make_m3ter(server).authenticate()
    with pytest.raises(AuthenticationError):
        await make_m3ter(server).authenticate()

    fetches = {point.attributes.get("error.type"): point.value for point in told.points()["usergroups.token.fetches"]}
    assert fetches == {None: 1, "usergroups.errors.AuthenticationError": 1}


async def test_nothing_is_made_where_nothing_is_set_up(make_smartpm: MakeSmartPM) -> None:
    """In an application that has OpenTelemetry, and has not set it up, a call has no span."""
    seen = []

    async def look(request: httpx.Request) -> httpx.Response:
        seen.append(trace.get_current_span())
        return await group(request)

    await make_smartpm(transport=transport(look)).get_user_group(GROUP_ID)

    assert seen == [trace.INVALID_SPAN]


def test_nothing_is_imported_where_nobody_uses_it() -> None:
    """A client and its calls do not import OpenTelemetry, also where it is installed."""
    code = f"""
import asyncio, httpx, sys
from usergroups import SmartPMClient

async def main():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={BODY!r}))
    async with SmartPMClient(api_key="key", company_id="company", transport=transport) as client:
        await client.get_user_group({GROUP_ID!r})
    print([name for name in sys.modules if name.startswith("opentelemetry")])

asyncio.run(main())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
