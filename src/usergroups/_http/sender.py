"""The way of a request: retry(limits(exchange)), in whichever event loop the client is used."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import attrs
import httpx

from usergroups._arguments import of_client
from usergroups._runtime import RUNTIME, Runtime
from usergroups._secrets import Redactor
from usergroups.errors import APIConnectionError, APITimeoutError, UserGroupsError, status_line

from . import errors
from .connections import Connections, HTTPConnection, Shared
from .default import DefaultTransport
from .environment import environment_proxies, tls_context
from .exchange import Response
from .failures import Failure
from .in_loop import InLoop
from .limits import Pacer
from .rate import RateLimit, Reservations, SharedRate, rate_limiter
from .request import Headers, Message, Request, timeouts, usual_headers
from .retry import FOREVER, MOST_STALE, NO_RETRIES, Attempts, RetryBudget, RetryPolicy

_log = logging.getLogger("usergroups")

CLOSED = "the client is closed"
LARGEST_BODY = 32 * 1024 * 1024  # bytes, after decompression

Outcome = Response | Failure
"""What came of a call."""

_GIVEN_UP = Failure(reason="given up")  # by a caller who is cancelled, or out of time


class Authorization(Protocol):
    """
    What the requests of one call carry as proof, decided for each of them as it goes out.
    """

    async def prepare(self, deadline: float) -> None:
        """
        Wait until *deadline* for something to carry, before the request joins the line.

        Raises the error of a token that cannot be had.
        """
        ...

    def authorize(self) -> bool:
        """
        Decide what *headers* are, without waiting; return False if `prepare` is needed again.
        """
        ...

    @property
    def headers(self) -> Headers:
        """
        The headers to send.
        """
        ...


@attrs.define(kw_only=True)
class Call:
    """
    A request, and what bounds it.

    *deadline* returns the moment, on the client's clock, until which there is time; it may move. *policy* is
    the sender's if it is None, *limit* the bytes of a response's body. An *urgent* call, which others wait
    for, is first in the line and takes nothing from the retry budget. *attempts* counts the requests that
    were sent since *began_at*, *queued* the seconds in line; *status_code* is that of the last response.
    *hints* say, for a status, what the way out is.
    """

    request: Request
    deadline: Callable[[], float]
    began_at: float
    attempts: int = 0
    queued: float = 0.0
    status_code: int | None = None
    policy: RetryPolicy | None = None
    limit: int = LARGEST_BODY
    urgent: bool = False
    hints: Mapping[int, str] = attrs.field(factory=dict[int, str])


class Sender:
    """
    The way of one client to one provider: every request goes through here.

    It may be used in one loop after another: each gets a pacer and connections of its own. *redactor*
    takes the client's secrets out of errors. Where the limit is to be found by being refused, such
    refusals last *refused_for* seconds.
    """

    def __init__(
        self,
        *,
        base_url: str,
        timeout: float | None,
        retry: RetryPolicy,
        max_in_flight: int,
        max_rate: float | RateLimit | None,
        refused_for: float = 0.0,
        transport: httpx.AsyncBaseTransport | None,
        user_agent: str | None,
        redactor: Redactor,
    ) -> None:
        of_client.instance("retry", retry, RetryPolicy)
        if transport is not None:
            of_client.instance("transport", transport, httpx.AsyncBaseTransport)
        self.base_url = base_url
        self.timeout = of_client.optional_seconds("timeout", timeout)
        self.retry = retry
        self.redactor = redactor
        self.runtime: Runtime = RUNTIME.get()
        self._most = of_client.count("max_in_flight", max_in_flight)
        self._rate = rate_limiter(max_rate, self.runtime)
        self._refused_for = refused_for
        self._headers = usual_headers(base_url, user_agent)
        self._may_cancel = not isinstance(transport, httpx.AsyncHTTPTransport)
        self._peer = urlsplit(base_url).netloc
        url = httpx.URL(base_url)
        self._origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        self._prefix = url.raw_path.decode("ascii").rstrip("/")
        self._proxy = ""  # that sees requests and may answer them: a tunnel through one does not
        self._connections = self._choose_connections(transport)
        self._budget = RetryBudget()
        self._loops: dict[asyncio.AbstractEventLoop, InLoop] = {}
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """
        Whether it was closed.
        """
        return self._closed

    def here(self) -> InLoop:
        """
        Return what there is for the running loop. Another process's is never used.
        """
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None or here.process != os.getpid():
            for ended in [other for other in list(self._loops) if other.is_closed()]:
                self._loops.pop(ended, None)
            rate = Reservations(self._rate, self.runtime) if isinstance(self._rate, SharedRate) else self._rate
            here = self._loops[loop] = InLoop(Pacer(self._most, rate), self._connections())
        return here

    async def send(self, call: Call, authorization: Authorization) -> Outcome:
        """
        Return the outcome of *call*: retries within limits, and each attempt an exchange on a connection.
        """
        attempts = Attempts(
            policy=call.policy or self.retry,
            budget=None if call.urgent else self._budget,
            rate=self._rate,
            refused_for=self._refused_for,
            stale_left=0 if call.policy is NO_RETRIES else MOST_STALE,
        )
        while True:
            outcome = await self._attempt(call, authorization)
            if attempts.repeats(outcome):
                call.attempts -= 1
                continue
            left = call.deadline() - self.runtime.clock()
            wait = attempts.wait_after(outcome, left=left, roll=self.runtime.random())
            if wait is None:
                return outcome
            await self.runtime.sleep(wait)

    async def _attempt(self, call: Call, authorization: Authorization) -> Outcome:
        """
        Send the request once, as soon as there is a place for it and a free moment of the rate.

        A call whose token ended in line gives its place back, waits for another token, and is then before
        those who have not had their turn.
        """
        here = self.here()
        enters = again = False
        while not enters:
            await authorization.prepare(call.deadline())
            queued_at = self.runtime.clock()
            try:
                enters = await here.pacer.enter(first=call.urgent, again=again, is_ready=authorization.authorize)
            finally:
                call.queued += self.runtime.clock() - queued_at
            again = True
        if self._closed:
            here.pacer.leave()
            return Failure(reason="closed", retryable=False)  # `error` says what it is called
        # Callers with later deadlines may join those that wait for an urgent call: each of its attempts has full
        # timeouts, unless these are all that ends it.
        left = FOREVER if call.urgent and self._may_cancel else call.deadline() - self.runtime.clock()
        message = Message(
            method=call.request.method,
            origin=self._origin,
            target=self._prefix + call.request.target,
            headers=call.request.headers_with(self._headers, authorization.headers),
            content=call.request.content,
            timeouts=timeouts(left),
            proxy=self._proxy,
        )
        call.attempts += 1
        began_at = self.runtime.clock()
        outcome: Outcome = _GIVEN_UP
        try:
            outcome = await here.connections.exchange(message, limit=call.limit, done=here.pacer.leave)
        finally:
            if _log.isEnabledFor(logging.DEBUG):
                self._log_attempt(call, outcome, self.runtime.clock() - began_at)
        if isinstance(outcome, Response):
            outcome.asked = self.asked(call)
            call.status_code = outcome.status_code
        return outcome

    def path(self, request: Request) -> str:
        """
        Return the whole path of *request*, without its query.
        """
        return self._prefix + request.path

    def asked(self, call: Call) -> dict[str, Any]:
        """
        Return what an error tells of the request of *call*.
        """
        return {
            "method": call.request.method,
            "path": self.path(call.request),
            "attempts": call.attempts or None,
            "elapsed": self.runtime.clock() - call.began_at if call.attempts else None,
        }

    def _log_attempt(self, call: Call, outcome: Outcome, seconds: float) -> None:
        request_id = errors.request_id(outcome, self.redactor) if isinstance(outcome, Response) else None
        _log.debug(
            "%s %s: %s in %.0f ms (attempt %d%s)",
            call.request.method,
            self.path(call.request),
            status_line(outcome.status_code) if isinstance(outcome, Response) else outcome.reason,
            seconds * 1000,
            call.attempts,
            f", request id {request_id}" if request_id else "",
        )

    def error(self, outcome: Response | Failure, call: Call) -> UserGroupsError:
        """
        Return the error that *outcome* of *call* means.
        """
        if isinstance(outcome, Response):
            return errors.status_error(outcome, self.redactor, hint=call.hints.get(outcome.status_code, ""))
        if self._closed:
            return APIConnectionError(CLOSED, **self.asked(call), retryable=False)
        kind = APITimeoutError if outcome.timed_out else APIConnectionError
        said = errors.line(outcome.said, self.redactor)
        reason = f"{outcome.reason} ({self._peer})" + (said and f": {said}")
        parts = filter(None, [reason, outcome.hint])
        return kind("; ".join(parts), **self.asked(call), retryable=outcome.retryable)

    async def aclose(self) -> None:
        """
        End all calls and close all transports that are ours; in another loop, as soon as it runs. Final.
        """
        self._closed = True
        loops = list(self._loops.items())
        for loop, here in [each for each in loops if each[1].process == os.getpid()]:
            if loop is asyncio.get_running_loop():
                await asyncio.shield(here.close())  # who is cancelled here leaves no socket behind
            else:
                with suppress(RuntimeError):  # it has ended
                    loop.call_soon_threadsafe(here.close)

    def _choose_connections(self, transport: httpx.AsyncBaseTransport | None) -> Callable[[], Connections | Shared]:
        clock = self.runtime.clock
        if transport is None and (stand_in := self.runtime.connect) is not None:
            return lambda: Connections(stand_in, clock)
        if transport is None:
            transport = DefaultTransport(tls_context(), environment_proxies())
        if not isinstance(transport, DefaultTransport):
            return lambda: Shared(transport, clock)
        connect, proxy = transport.connector(self.base_url)
        self._peer += proxy and f" through the proxy {proxy}"
        self._proxy = proxy if self.base_url.startswith("http:") else ""
        return lambda: Connections(lambda: HTTPConnection(connect), clock)
