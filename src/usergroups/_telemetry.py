"""Spans and metrics of OpenTelemetry, in an application that has set it up; in any other nothing is even imported."""

import sys
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING

from ._http.sender import Call, Sender
from ._version import __version__

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

_SCOPE = "usergroups"
_API = "opentelemetry.context"  # all of the API imports it
_STAND_INS = (
    "opentelemetry.trace",
    "opentelemetry.metrics",
)  # the modules of the API's own providers, which do nothing
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)  # as of HTTP's conventions

_OFF = nullcontext()

Attributes = dict[str, str | int]


def observe(name: str, call: Call, sender: Sender) -> AbstractContextManager[None]:
    """
    Return a context for *call* of *sender*, of the operation *name*: a span around it, or its listing, and its metrics.
    """
    recorder = _recorder()
    return _OFF if recorder is None else _Observation(recorder, name, call, sender)


def observe_fetch() -> AbstractContextManager[None]:
    """
    Return a context for one fetch of an access token, which is counted.
    """
    recorder = _recorder()
    return _OFF if recorder is None else _ObservedFetch(recorder)


class Listing:
    """
    One listing: a context for each of its pages, whose calls are under one span. `end` ends it.
    """

    def __init__(self) -> None:
        self.span: _Span | None = None  # begun by the call of the first page
        self.pages = 0

    def __enter__(self) -> None:
        _LISTING.set(self)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        _LISTING.set(None)
        if error is None:
            self.pages += 1
        elif self.span is not None:
            self.span.fail(error)

    def end(self) -> None:
        """
        End the span, if there is one.
        """
        if self.span is not None:
            self.span.end({"usergroups.pages": self.pages})


_LISTING: ContextVar[Listing | None] = ContextVar("usergroups_listing", default=None)


class _Recorder:
    """
    The tracer and the instruments of this SDK, of two providers.
    """

    def __init__(self, tracers: "TracerProvider", meters: "MeterProvider") -> None:
        self.tracer = tracers.get_tracer(_SCOPE, __version__)
        meter = meters.get_meter(_SCOPE, __version__)
        self.duration = meter.create_histogram(
            "usergroups.call.duration",
            "s",
            "How long calls take, waits and retries included; each page of a listing is one.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.queued = meter.create_histogram(
            "usergroups.call.queue.duration",
            "s",
            "How long calls wait for a place, and for the rate limit.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.attempts = meter.create_counter("usergroups.call.attempts", "{attempt}", "Requests that calls have sent.")
        self.fetches = meter.create_counter("usergroups.token.fetches", "{fetch}", "Fetches of an access token.")


def _recorder() -> _Recorder | None:
    """Return the recorder of the providers that are set now, or None if there are none."""
    if _API not in sys.modules:
        return None  # nobody has imported it, so nobody has set it up
    from opentelemetry import metrics, trace  # noqa: PLC0415  # only now known to be there

    return _recorder_of(trace.get_tracer_provider(), metrics.get_meter_provider())


@lru_cache(maxsize=1)
def _recorder_of(tracers: "TracerProvider", meters: "MeterProvider") -> _Recorder | None:
    if all(type(provider).__module__.startswith(_STAND_INS) for provider in (tracers, meters)):
        return None
    return _Recorder(tracers, meters)


class _Span:
    """
    The span of what a user has called once. It has no secret, and no message of an error.
    """

    def __init__(self, recorder: _Recorder, name: str, call: Call, path: str) -> None:
        from opentelemetry import trace  # noqa: PLC0415

        asked: Attributes = {"http.request.method": call.request.method, "url.path": path}
        self._span = recorder.tracer.start_span(name, attributes=asked)
        self.context: Context = trace.set_span_in_context(self._span)
        self._attempts = 0

    def add(self, call: Call) -> None:
        """Add what *call*, which has ended, came to."""
        self._attempts += call.attempts
        if call.status_code:
            self._span.set_attribute("http.response.status_code", call.status_code)

    def fail(self, error: BaseException) -> None:
        """Record that it ends with *error*; a cancel is the caller's wish, and no failure."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        self._span.set_attribute("error.type", _type_of(error))
        if isinstance(error, Exception):
            self._span.set_status(Status(StatusCode.ERROR))

    def end(self, more: Attributes) -> None:
        """End it, with *more* attributes."""
        self._span.set_attributes({"usergroups.attempts": self._attempts, **more})
        self._span.end()


class _Observation:
    """
    The context of one call.
    """

    _token: "Token[Context]"

    def __init__(self, recorder: _Recorder, name: str, call: Call, sender: Sender) -> None:
        self._recorder = recorder
        self._name = name
        self._call = call
        self._clock = sender.runtime.clock
        self._listing = _LISTING.get()
        self._span = (self._listing and self._listing.span) or _Span(recorder, name, call, sender.path(call.request))
        if self._listing is not None:
            self._listing.span = self._span

    def __enter__(self) -> None:
        from opentelemetry.context import attach  # noqa: PLC0415

        self._token = attach(self._span.context)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        from opentelemetry.context import detach  # noqa: PLC0415

        detach(self._token)
        call = self._call
        attributes: Attributes = {"usergroups.operation": self._name}
        if call.status_code:
            attributes["http.response.status_code"] = call.status_code
        if error is not None:
            attributes["error.type"] = _type_of(error)
        self._recorder.duration.record(self._clock() - call.began_at, attributes)
        self._recorder.queued.record(call.queued, attributes)
        self._recorder.attempts.add(call.attempts, attributes)
        self._span.add(call)
        if self._listing is None:
            if error is not None:
                self._span.fail(error)
            self._span.end({})


class _ObservedFetch:
    """
    The context of one fetch of an access token.
    """

    def __init__(self, recorder: _Recorder) -> None:
        self._fetches = recorder.fetches

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._fetches.add(1, {} if error is None else {"error.type": _type_of(error)})


def _type_of(error: BaseException) -> str:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
