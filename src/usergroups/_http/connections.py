"""The connections of one client in one event loop: taken for one request, given back, thrown away."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs
import httpcore
import httpx

from .exchange import Response, exchange
from .failures import Failure
from .network import Backend

KEPT_ALIVE = 30.0  # seconds that an idle connection is kept; the usual gateways keep it for 60 or more
_LEAVING = 5.0  # seconds that closing waits for exchanges on a transport that is not ours
_CLOSING_TURNS = 3  # turns of the event loop until the socket below a TLS connection is closed


class Connection(Protocol):
    """
    A transport for one request at a time, which is kept while it is good for another.
    """

    transport: httpx.AsyncBaseTransport

    def rest(self) -> bool:
        """
        Begin to be idle; False if another request cannot go out on it.
        """
        ...

    def take(self) -> bool:
        """
        Be taken for the next request; False if it was closed meanwhile, or something came that nobody asked for.
        """
        ...

    def was_silent(self) -> bool:
        """
        Whether nothing has come since it was taken: the server may have closed it before it saw the request.
        """
        ...

    def close(self) -> None:
        """
        Close it, without waiting.
        """
        ...


class _Transport(httpx.AsyncHTTPTransport):
    """
    httpx's transport with a single connection in the place of its pool: what patches httpx's sees this one too.
    """

    def __init__(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._pool = connection  # type: ignore[assignment]  # which is all that the transport asks of it


class HTTPConnection:
    """
    A connection of httpcore's that is in no pool.

    httpcore's pools lose a place for good when a request is cancelled at the wrong moment (issues 658,
    830 and 1093), and give what a server sent too much of as the answer to the next request. *connect*
    makes a connection that takes its sockets from a backend.
    """

    def __init__(self, connect: "Connect") -> None:
        self._backend = Backend()
        self._connection = connect(self._backend)
        self._received = 0
        self.transport: httpx.AsyncBaseTransport = _Transport(self._connection)

    def rest(self) -> bool:
        """
        Begin to be idle; False if more has come than one answer, or it is closed.
        """
        stream = self._backend.stream
        return self._connection.is_idle() and not has_more(self._connection) and stream is not None and stream.rest()

    def take(self) -> bool:
        """
        Be taken for the next request; False if it was closed meanwhile, or something came that nobody asked for.
        """
        stream = self._backend.stream
        self._received = 0 if stream is None else stream.received
        return stream is not None and stream.is_idle

    def was_silent(self) -> bool:
        """
        Whether nothing has come since it was taken.
        """
        stream = self._backend.stream
        return stream is not None and stream.received == self._received

    def close(self) -> None:
        """
        Close it in the next turns of the event loop.
        """
        if self._backend.stream is not None:
            self._backend.stream.close()


Connect = Callable[[httpcore.AsyncNetworkBackend], httpcore.AsyncConnectionInterface]


def has_more(connection: object) -> bool:
    """
    Return whether *connection*, which is idle, has bytes that came after the last answer.

    httpcore publishes no way to tell, so this looks at private attributes; where they are not as they
    are in httpcore 1.0, the answer is yes.
    """
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    return getattr(getattr(connection, "_h11_state", None), "trailing_data", None) != (b"", False)


class Connections:
    """
    One connection for each request that is on the wire at once; the one used last is used next.
    """

    def __init__(self, connect: Callable[[], Connection], clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._expiry: asyncio.TimerHandle | None = None
        self.in_use: set[Connection] = set()
        self.idle: deque[tuple[Connection, float]] = deque()  # and since when, on the loop's clock

    async def exchange(self, request: httpx.Request, *, limit: int, done: Callable[[], None]) -> Response | Failure:
        """
        Send *request* and return what came of it; *done* is called when its place is free again.

        At most *limit* bytes of body are read, counted after decompression.
        """
        reused = self._take()
        connection = reused or self._connect()
        self.in_use.add(connection)
        good = False
        try:
            outcome = await exchange(connection.transport, request, limit=limit, sent_at=self._clock())
            good = isinstance(outcome, Response)
        finally:
            self.in_use.discard(connection)
            self._give_back(connection, good=good)
            done()
        if isinstance(outcome, Failure) and outcome.disconnected and reused is not None and reused.was_silent():
            return attrs.evolve(outcome, stale=True)
        return outcome

    async def aclose(self) -> None:
        """
        Close all connections, with what is under way on them.
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

    def _give_back(self, connection: Connection, *, good: bool) -> None:
        if not (good and connection.rest()):
            connection.close()
            return
        self.idle.append((connection, self._loop.time()))
        if self._expiry is None:
            self._expiry = self._loop.call_later(KEPT_ALIVE, self._expire)

    def _expire(self) -> None:
        """
        Close what has been idle for too long, and come back for the next.
        """
        now = self._loop.time()
        while self.idle and self.idle[0][1] + KEPT_ALIVE <= now:
            self.idle.popleft()[0].close()
        left = self.idle[0][1] + KEPT_ALIVE - now if self.idle else None
        self._expiry = None if left is None else self._loop.call_later(left, self._expire)


class Shared:
    """
    A transport that the user of the SDK passed in: it serves all requests at once, and is never closed.

    httpx's own has a pool of httpcore's below it, which must not be cancelled: an exchange on it is a
    task that ends by its timeouts, or once nobody wants the next piece of its body.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._clock = clock
        self._under_way: dict[asyncio.Task[Response | Failure], asyncio.Event] = {}  # set: nobody wants it any more

    async def exchange(self, request: httpx.Request, *, limit: int, done: Callable[[], None]) -> Response | Failure:
        """
        Do as `Connections.exchange`.
        """
        if not isinstance(self._transport, httpx.AsyncHTTPTransport):
            try:
                return await exchange(self._transport, request, limit=limit, sent_at=self._clock())
            finally:
                done()
        left = asyncio.Event()

        async def run() -> Response | Failure:
            try:
                return await exchange(self._transport, request, limit=limit, sent_at=self._clock(), left=left)
            finally:
                done()

        task = asyncio.create_task(run())
        self._under_way[task] = left
        task.add_done_callback(self._under_way.pop)
        try:
            return await asyncio.shield(task)
        finally:
            left.set()

    async def aclose(self) -> None:
        """
        Let the exchanges end, if need be after this.
        """
        for left in self._under_way.values():
            left.set()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_LEAVING)
