"""The path of a call: errors(auth(retry(pacing(exchange))))."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from usergroups import _arguments
from usergroups._auth.bearer import Auth, Authorization
from usergroups._auth.flight import NoToken
from usergroups._models import MismatchError
from usergroups._runtime import RUNTIME, Runtime
from usergroups._secrets import Redactor
from usergroups.errors import APIConnectionError, APITimeoutError, UserGroupsError

from . import errors
from .connections import Connections, HTTPConnection, Shared
from .environment import connector
from .exchange import Response
from .failures import Failure
from .limits import Pacer, RateLimiter
from .request import Request, timeouts, usual_headers
from .retry import FOREVER, MOST_STALE, NO_RETRIES, RetryBudget, RetryPolicy, retrying

_CLOSED = "the client is closed"
LARGEST_BODY = 32 * 1024 * 1024  # bytes, after decompression

T = TypeVar("T")


class InLoop:
    """
    What a client has in one event loop: its gate, its connections, and the calls that are under way.
    """

    def __init__(self, pacer: Pacer, connections: Connections | Shared) -> None:
        self.process = os.getpid()
        self.pacer = pacer
        self.connections = connections
        self.calls: set[asyncio.Timeout] = set()
        self._closing: asyncio.Task[None] | None = None
        # A loop closes the asynchronous generators that were begun in it before it ends.
        self._end = _close_at_the_end(connections)
        with suppress(StopIteration):
            self._end.__anext__().send(None)

    def close(self) -> "asyncio.Task[None]":
        """
        End its calls, and return the task in which its connections are closed. For its own loop.
        """
        if self._closing is None:
            now = asyncio.get_running_loop().time()
            for call in self.calls:
                if not call.expired():
                    call.reschedule(now)
            self._closing = asyncio.create_task(self._end.aclose())
        return self._closing


async def _close_at_the_end(connections: Connections | Shared) -> AsyncGenerator[None, None]:
    process = os.getpid()
    try:
        yield
    finally:
        if process == os.getpid():
            await connections.aclose()


class Sender:
    """
    The way of one client to one provider: every request goes through here.

    It may be used in one loop after another: each gets a gate and a transport of its own. *hints*
    say, for a status, what the way out is; *redactor* takes the client's secrets out of errors. Where
    the limit is to be found by being refused, such refusals last *refused_for* seconds.
    """

    def __init__(
        self,
        *,
        base_url: str,
        timeout: float | None,
        retry: RetryPolicy,
        max_in_flight: int,
        max_rate: float | None,
        refused_for: float = 0.0,
        transport: httpx.AsyncBaseTransport | None,
        user_agent: str | None,
        hints: Mapping[int, str],
        redactor: Redactor,
    ) -> None:
        _arguments.instance("retry", retry, RetryPolicy)
        if transport is not None:
            _arguments.instance("transport", transport, httpx.AsyncBaseTransport)
        self.base_url = base_url
        self.timeout = _arguments.optional_seconds("timeout", timeout)
        self.retry = retry
        self.redactor = redactor
        self.runtime: Runtime = RUNTIME.get()
        self._most = _arguments.count("max_in_flight", max_in_flight)
        self._rate = RateLimiter(
            _arguments.optional_seconds("max_rate", max_rate), self.runtime, refused_for=refused_for
        )
        self._headers = usual_headers(base_url, user_agent)
        self._may_cancel = not isinstance(transport, httpx.AsyncHTTPTransport)
        self._peer = urlsplit(base_url).netloc
        self._proxy = ""  # that sees requests and may answer them: a tunnel through one does not
        self._connections = self._choose_connections(transport)
        self._hints = hints
        self._budget = RetryBudget()
        self._loops: dict[asyncio.AbstractEventLoop, InLoop] = {}
        self._closed = False

    async def call(
        self,
        request: Callable[[], Request],
        read: Callable[[Response], Awaitable[T]],
        *,
        auth: Auth,
        timeout: float | None,
    ) -> T:
        """
        Send *request* with *auth* and give what *read* makes of the answer, all within *timeout*.

        Raises the error that the outcome means. *read* may raise `MismatchError`. *request* is made
        when it is about to be sent: waiting for a token, or at the gate, costs next to nothing.
        """

        async def work(deadline: float) -> "T | UserGroupsError":  # in quotes: else made anew for every call
            await self._here().pacer.begin()
            outcome = await auth(lambda shown: self.send(request, shown=shown, deadline=lambda: deadline), deadline)
            if not isinstance(outcome, Response) or not outcome.is_success:
                return self.error_of(outcome, request())
            if outcome.status_code != 200:  # 202 and 204 hold no list, 206 a part of one
                mismatch = MismatchError("$", f"its status is {outcome.status_code}, not 200")
            elif outcome.flaw:
                mismatch = MismatchError("$", outcome.flaw)
            else:
                try:
                    return await read(outcome)
                except MismatchError as caught:
                    mismatch = caught
            return errors.unexpected(outcome, mismatch, self.redactor)

        result = await self.within(timeout, work, request)
        if isinstance(result, UserGroupsError):
            raise result
        return result

    async def within(
        self, timeout: float | None, work: Callable[[float], Awaitable[T]], request: Callable[[], Request]
    ) -> T:
        """
        Give what *work* comes to; it is told the moment, on the client's clock, when time runs out.

        Raises `APITimeoutError` then, and `APIConnectionError` when the client is closed: both say
        that it was *request* that was asked.
        """
        if not self._closed:
            here = self._here()
            deadline = FOREVER if timeout is None else self.runtime.clock() + timeout
            scope = asyncio.timeout(timeout)
            try:
                async with scope:
                    here.calls.add(scope)
                    return await work(deadline)
            except TimeoutError:
                pass  # all others were turned into values on the way
            finally:
                here.calls.discard(scope)
        asked = self.asked(request())
        if self._closed:
            raise APIConnectionError(_CLOSED, **asked)
        raise APITimeoutError(f"no answer within {timeout:g} s", **asked)

    async def send(
        self,
        request: Callable[[], Request],
        *,
        shown: Authorization,
        deadline: Callable[[], float],
        once: bool = False,
        limit: int = LARGEST_BODY,
        urgent: bool = False,
        on_asked: Callable[[Response, float], None] | None = None,
    ) -> Response | Failure | NoToken:
        """
        Return what comes of *request* after retries (none if *once*), each attempt through the gate.

        What it shows is decided for each attempt as it goes out; whose token has ended in line waits for
        another in no place, and is then before the others. An *urgent* one, which others wait for, is
        first in the line, takes nothing of the retry budget, and has an attempt's full time, as who
        joins them may have longer; but not where nothing else than its timeouts ends it.
        """

        async def attempt() -> Response | Failure | NoToken:
            here = self._here()
            enters = again = False
            while not enters:
                if (failure := await shown.prepare(deadline())) is not None:
                    return failure
                enters = await here.pacer.enter(first=urgent, again=again, is_ready=shown.authorize)
                again = True
            if self._closed:
                here.pacer.leave()
                return Failure(reason="closed", retryable=False)  # what it is called below
            left = FOREVER if urgent and self._may_cancel else deadline() - self.runtime.clock()
            built = request().to(self.base_url, self._headers, shown.headers)  # not before its turn
            built.extensions = {"timeout": timeouts(left), "proxy": self._proxy}
            return await here.connections.exchange(built, limit=limit, done=here.pacer.leave)

        return await retrying(
            attempt,
            policy=NO_RETRIES if once else self.retry,
            budget=None if urgent else self._budget,
            rate=self._rate,
            deadline=deadline,
            runtime=self.runtime,
            on_asked=on_asked,
            most_stale=0 if once else MOST_STALE,
        )

    def asked(self, request: Request) -> dict[str, str]:
        """
        Give *method* and *path* as an error tells them.
        """
        return {"method": request.method, "path": urlsplit(self.base_url).path + request.path}

    def error_of(self, outcome: Response | Failure | NoToken, request: Request) -> UserGroupsError:
        """
        Make the error that *outcome* means.
        """
        if isinstance(outcome, NoToken):
            return outcome.for_a_caller()
        if isinstance(outcome, Failure):
            asked = self.asked(request)
            if self._closed:
                return APIConnectionError(_CLOSED, **asked)
            kind = APITimeoutError if outcome.timed_out else APIConnectionError
            return kind("; ".join(filter(None, [f"{outcome.reason} ({self._peer})", outcome.hint])), **asked)
        return errors.status_error(outcome, self.redactor, hint=self._hints.get(outcome.status_code, ""))

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

    def _here(self) -> InLoop:
        """
        Give the here of the running loop. Another process's is never used.
        """
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None or here.process != os.getpid():
            for ended in [other for other in list(self._loops) if other.is_closed()]:
                self._loops.pop(ended, None)
            pacer = Pacer(self._most, self._rate, self.runtime)
            here = self._loops[loop] = InLoop(pacer, self._connections())
        return here

    def _choose_connections(self, transport: httpx.AsyncBaseTransport | None) -> Callable[[], Connections | Shared]:
        clock = self.runtime.clock
        if transport is not None:
            return lambda: Shared(transport, clock)
        if (stand_in := self.runtime.connect) is not None:
            return lambda: Connections(stand_in, clock)
        connect, proxy = connector(self.base_url)
        self._peer += proxy and f" through the proxy {proxy}"
        self._proxy = proxy if self.base_url.startswith("http:") else ""
        return lambda: Connections(lambda: HTTPConnection(connect), clock)
