"""The connections of one client in one event loop: taken for one request, then kept or closed."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs
import httpcore
import httpx

from .exchange import Response, exchange
from .failures import Failure, failure_of
from .network import Backend
from .request import Message

KEPT_ALIVE = 30.0  # seconds that an idle connection is kept; common gateways keep theirs for 60 or more
_CLOSING_TIMEOUT = 5.0  # seconds that closing waits for exchanges on a transport that was passed in
_CLOSING_TURNS = 3  # turns of the event loop that closing the socket below a TLS connection takes


class Connection(Protocol):
    """
    A connection for one request at a time, kept while it can be used for another.
    """

    transport: httpx.AsyncBaseTransport

    def rest(self) -> bool:
        """
        Become idle; return False if it cannot be used for another request.
        """
        ...

    def take(self) -> bool:
        """
        Prepare for the next request; return False if it was closed meanwhile, or unrequested bytes arrived.
        """
        ...

    def was_silent(self) -> bool:
        """
        Return whether nothing has arrived since `take`: the server may have closed it before it saw the request.
        """
        ...

    def close(self) -> None:
        """
        Close the connection, without waiting.
        """
        ...


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport on one connection instead of a pool. What patches httpx's transport patches this one too."""

    def __init__(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._pool = connection  # type: ignore[assignment]  # it has the one method that the transport calls


class HTTPConnection:
    """
    A connection of httpcore's outside of any pool.

    httpcore's pools lose a place for good when a request is cancelled at the wrong moment (issues 658,
    830 and 1093), and return surplus bytes from a server as the response to the next request. *connect*
    makes a connection that takes its sockets from a backend.
    """

    def __init__(self, connect: "Connect") -> None:
        self._backend = Backend()
        self._connection = connect(self._backend)
        self._received = 0
        self.transport: httpx.AsyncBaseTransport = _Transport(self._connection)

    def rest(self) -> bool:
        """
        Become idle; return False if more than one response has arrived, or it is closed.
        """
        stream = self._backend.stream
        return self._connection.is_idle() and not has_more(self._connection) and stream is not None and stream.rest()

    def take(self) -> bool:
        """
        Prepare for the next request; return False if it was closed meanwhile, or unrequested bytes arrived.
        """
        stream = self._backend.stream
        self._received = 0 if stream is None else stream.received
        return stream is not None and stream.is_idle

    def was_silent(self) -> bool:
        """
        Return whether nothing has arrived since `take`.
        """
        stream = self._backend.stream
        return stream is not None and stream.received == self._received

    def close(self) -> None:
        """
        Close the connection in the next turns of the event loop.
        """
        if self._backend.stream is not None:
            self._backend.stream.close()


Connect = Callable[[httpcore.AsyncNetworkBackend], httpcore.AsyncConnectionInterface]


def has_more(connection: object) -> bool:
    """
    Return whether *connection*, which is idle, has bytes that arrived after the last response.

    httpcore has no public way to find out, so this reads private attributes. It returns True if they
    are not as in httpcore 1.0.
    """
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    return getattr(getattr(connection, "_h11_state", None), "trailing_data", None) != (b"", False)


class Connections:
    """
    The connections of one event loop: one for each request in flight. The one used last is used next.
    """

    def __init__(self, connect: Callable[[], Connection], clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._expiry: asyncio.TimerHandle | None = None
        self.in_use: set[Connection] = set()
        self.idle: deque[tuple[Connection, float]] = deque()  # idle since when, on the loop's clock

    async def exchange(self, message: Message, *, limit: int, done: Callable[[], None]) -> Response | Failure:
        """
        Send *message* and return the response or failure; *done* is called when the connection is free.

        At most *limit* bytes of body are read, counted after decompression.
        """
        reused = self._take()
        connection = reused or self._connect()
        self.in_use.add(connection)
        is_reusable = False
        try:
            outcome = await exchange(connection.transport, message, limit=limit, sent_at=self._clock())
            is_reusable = isinstance(outcome, Response)
        except AssertionError as error:
            outcome = failure_of(error)
        finally:
            self.in_use.discard(connection)
            self._give_back(connection, is_reusable=is_reusable)
            done()
        if isinstance(outcome, Failure) and outcome.disconnected and reused is not None and reused.was_silent():
            return attrs.evolve(outcome, stale=True)
        return outcome

    async def aclose(self) -> None:
        """
        Close all connections, including those in use.
        """
        if self._expiry is not None:
            self._expiry.cancel()
        for connection in [*self.in_use, *(each for each, _ in self.idle)]:
            connection.close()
        self.idle.clear()
        for _ in range(_CLOSING_TURNS):
            await asyncio.sleep(0)

    def _take(self) -> Connection | None:
        while self.idle:
            connection, _ = self.idle.pop()
            if connection.take():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection, *, is_reusable: bool) -> None:
        if not (is_reusable and connection.rest()):
            connection.close()
            return
        self.idle.append((connection, self._loop.time()))
        if self._expiry is None:
            self._expiry = self._loop.call_later(KEPT_ALIVE, self._expire)

    def _expire(self) -> None:
        """Close the connections that have been idle for 30 s, and schedule the next look."""
        now = self._loop.time()
        while self.idle and self.idle[0][1] + KEPT_ALIVE <= now:
            self.idle.popleft()[0].close()
        delay = self.idle[0][1] + KEPT_ALIVE - now if self.idle else None
        self._expiry = None if delay is None else self._loop.call_later(delay, self._expire)


class Shared:
    """
    A transport that the user of the SDK passed in. It serves all requests, and is never closed here.

    httpx's own transport has one of httpcore's pools, in which a request must not be cancelled. So an
    exchange on it is a task that ends by its timeouts, or at the next piece of its body once its caller
    was cancelled.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._clock = clock
        self._in_flight: dict[asyncio.Task[Response | Failure], asyncio.Event] = {}  # set once its caller was cancelled

    async def exchange(self, message: Message, *, limit: int, done: Callable[[], None]) -> Response | Failure:
        """
        Send *message* and return the response or failure, as `Connections.exchange` does.
        """
        if not isinstance(self._transport, httpx.AsyncHTTPTransport):
            try:
                return await exchange(self._transport, message, limit=limit, sent_at=self._clock())
            finally:
                done()
        abandoned = asyncio.Event()

        async def run() -> Response | Failure:
            try:
                return await exchange(self._transport, message, limit=limit, sent_at=self._clock(), abandoned=abandoned)
            finally:
                done()

        task = asyncio.create_task(run())
        self._in_flight[task] = abandoned
        task.add_done_callback(self._in_flight.pop)
        try:
            return await asyncio.shield(task)
        finally:
            abandoned.set()

    async def aclose(self) -> None:
        """
        Wait up to 5 s for the exchanges in flight to end; any left over end by themselves later.
        """
        for abandoned in self._in_flight.values():
            abandoned.set()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=_CLOSING_TIMEOUT)
