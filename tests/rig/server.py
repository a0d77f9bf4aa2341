"""A scripted HTTP server in a thread and event loop of its own, as rude as a test needs it."""

import asyncio
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

import attrs

from .script import Script, Step, answer
from .tally import Tally

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


@attrs.frozen(slots=False)
class Request:
    """
    A request that arrived whole, at monotonic time *at*: the *nth* (from 1) on its *connection*.
    """

    head: bytes
    body: bytes
    at: float
    connection: int
    nth: int

    @cached_property
    def method(self) -> str:
        """
        The method.
        """
        return self.head.partition(b" ")[0].decode("latin-1")

    @cached_property
    def target(self) -> bytes:
        """
        What is asked for, byte for byte: path and query.
        """
        return self.head.split(b" ", 2)[1]

    @cached_property
    def path(self) -> str:
        """
        The path, still percent-encoded, without the query.
        """
        return self.target.partition(b"?")[0].decode("latin-1")

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """
        The names and values of the query, decoded.
        """
        return parse_qsl(self.target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """
        The headers in order, their names in lower case.
        """
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        """
        Give the first header called *name*, or None.
        """
        return next((value for other, value in self.headers if other == name.lower()), None)


@attrs.define
class Connection:
    """
    One connection in figures: monotonic times, and how many requests came on it.
    """

    number: int
    opened_at: float
    closed_at: float | None = None
    requests: int = 0


Answer = Script | Callable[[Request, int], Script]


@attrs.define
class Route:
    """
    What is answered to some requests; *answer* may be changed at any time, *hits* counts them.
    """

    method: str | None
    path: str
    answer: Answer
    left: int | None = None
    hits: int = 0

    def fits(self, request: Request) -> bool:
        """
        Tell whether this route is for *request*, and not used up.
        """
        return (
            self.left != 0
            and (self.method is None or self.method == request.method)
            and path_fits(self.path, request.path)
        )

    def take(self, request: Request) -> Script:
        """
        Give the script for *request*.
        """
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        return self.answer(request, self.hits) if callable(self.answer) else self.answer


def path_fits(pattern: str, path: str) -> bool:
    """
    Tell whether *path* is *pattern*, or begins with it where that ends in `*`.
    """
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


class FaultServer:
    """
    Answers by scripts (see script.py), and remembers what was asked.

        server.once("/oauth/token", answer(b"", 503), token_answer())    # in this order, each once
        server.always("/organizations/*", lambda request, n: json_answer({"data": []}))

    Routes are tried in the order in which they were added; one that is used up is passed by. A
    request that none fits gets 418, and is noted in `unscripted`. Connections are kept alive.

    The figures and records may be read from any thread: a request is in them before it is answered.
    Only the last *keep* requests are remembered (None: all), but all are counted.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, keep: int | None = None, host: str = "127.0.0.1") -> None:
        self.open = Tally()
        self.received = Tally()
        self.unscripted: list[Request] = []
        self.errors: list[BaseException] = []
        self.on_connect: Callable[[int], Script] | None = None
        self._tls = tls
        self._routes: list[Route] = []
        self._requests: deque[Request] = deque(maxlen=keep)
        self._connections: list[Connection] = []
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._listener = _listen(host, 0)
        self._address: tuple[str, int] = self._listener.getsockname()[:2]
        self._running = Event()
        self._thread = Thread(target=self._work, name="fault-server", daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """
        Begin to listen.
        """
        self._thread.start()
        self._running.wait()
        return self

    def stop(self) -> None:
        """
        Close all sockets and join the thread. Doing it again does nothing.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._halt.set)
            self._thread.join()

    @property
    def port(self) -> int:
        """
        The port that it listens on.
        """
        return self._address[1]

    @property
    def url(self) -> str:
        """
        The base URL, without a slash at its end.
        """
        return f"{'http' if self._tls is None else 'https'}://{self._address[0]}:{self.port}"

    def once(self, path: str, *answers: Answer, method: str | None = None) -> None:
        """
        Give each of *answers* once, in order, to requests for *path* (a `*` at its end: any rest).
        """
        self._routes += [Route(method, path, one, left=1) for one in answers]

    def always(self, path: str, answer: Answer, *, method: str | None = None) -> Route:
        """
        Give *answer* to requests for *path*; where it is callable, what it gives for the request
        and its number at this route, from 1.
        """
        route = Route(method, path, answer)
        self._routes.append(route)
        return route

    def forget(self) -> None:
        """
        Drop all routes.
        """
        self._routes = []

    @property
    def requests(self) -> list[Request]:
        """
        The requests so far.
        """
        return list(self._requests)

    def asked(self, path: str = "*", *, method: str | None = None) -> list[Request]:
        """
        Give the requests for *path* so far.
        """
        return [
            request for request in self.requests if path_fits(path, request.path) and method in (None, request.method)
        ]

    def count(self, path: str = "*", *, method: str | None = None) -> int:
        """
        Count the requests for *path* so far.
        """
        return len(self.asked(path, method=method))

    @property
    def connections(self) -> list[Connection]:
        """
        All connections that there ever were.
        """
        return list(self._connections)

    async def got(self, requests: int, timeout: float = 5.0) -> None:
        """
        Wait until so many *requests* have come in all. Raises `TimeoutError`.
        """
        await self.received.until(lambda number: number >= requests, timeout)

    async def all_closed(self, timeout: float = 5.0) -> None:
        """
        Wait until no socket is open. Raises `TimeoutError`.
        """
        await self.open.until(lambda number: number == 0, timeout)

    def refuse(self) -> None:
        """
        Stop to listen, so that new connections are refused; those that are open stay.
        """
        self._in_thread(self._stop_listening)

    def accept(self) -> None:
        """
        Listen again after `refuse`, on the same port.
        """
        self._in_thread(self._listen_again)

    def hang_up(self, *, rudely: bool = False) -> None:
        """
        Close all connections now, or reset them.
        """

        def deed() -> None:
            for wire in list(self._wires):
                if rudely:
                    wire.reset()
                else:
                    wire.close()

        self._in_thread(deed)

    def _in_thread(self, deed: Callable[[], None]) -> None:
        done = Event()

        def do() -> None:
            try:
                deed()
            finally:
                done.set()

        self._loop.call_soon_threadsafe(do)
        done.wait()

    def _work(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._halt = asyncio.Event()
        self._loop.add_reader(self._listener, self._accept)
        self._running.set()
        await self._halt.wait()
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        for wire in list(self._wires):
            wire.abort()
        await self.all_closed()

    def _stop_listening(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _listen_again(self) -> None:
        self._listener = _listen(*self._address)
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(64):  # at most, before the connections that are there get their turn
            try:
                accepted, _ = self._listener.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            connection = Connection(len(self._connections) + 1, monotonic())
            self._connections.append(connection)
            self.open.add(1)
            self.spawn(self._welcome(accepted, connection))

    async def _welcome(self, accepted: socket.socket, connection: Connection) -> None:
        wire = _Wire(self, connection)
        try:
            await self._loop.connect_accepted_socket(lambda: wire, accepted, ssl=self._tls)
        except OSError:  # the TLS handshake failed, or the client is gone already
            wire.note_closed()
        except asyncio.CancelledError:
            wire.note_closed()
            raise

    def spawn(self, work: "asyncio._CoroutineLike[object]") -> asyncio.Task[object]:
        """
        Do *work* in a task that ends with the server.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)

    def script_for(self, request: Request) -> Script:
        """
        Give the script of the first route that fits *request*, once it is in the records.
        """
        self._requests.append(request)
        self.received.add(1)
        try:
            for route in self._routes:
                if route.fits(request):
                    return route.take(request)
        except Exception as error:  # noqa: BLE001  # the test's own callable failed: the leak check says so
            self.errors.append(error)
            return answer(b"the rig's script failed", 418)
        self.unscripted.append(request)
        return answer(b"the rig has no script for this request", 418)

    def add_wire(self, wire: "_Wire") -> None:
        """
        Take note that *wire* can be written to.
        """
        self._wires.add(wire)

    def drop_wire(self, wire: "_Wire") -> None:
        """
        Take note that *wire*'s socket is closed.
        """
        self._wires.discard(wire)
        self.open.add(-1)


class _Wire(asyncio.Protocol):
    """
    One connection: takes requests apart, and does one script after another.
    """

    def __init__(self, server: FaultServer, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._inbox = bytearray()
        self._task: asyncio.Task[object] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()
        self._came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.add_wire(self)
        if self._server.on_connect is not None:
            self._do(self._server.on_connect(self._connection.number))

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        self._came.set()
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.set()
        if self._task is not None:
            self._task.cancel()
        self.note_closed()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def note_closed(self) -> None:
        self._connection.closed_at = monotonic()
        self._server.drop_wire(self)

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        await asyncio.sleep(0)
        await self._writable.wait()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    async def lost(self) -> None:
        await self._lost.wait()

    async def receive(self) -> bytes:
        while not self._inbox:
            self._came.clear()
            await self._came.wait()
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    def _go_on(self) -> None:
        while self._task is None and not self._transport.is_closing():
            request = self._next_request()
            if request is None:
                return
            self._do(self._server.script_for(request))

    def _next_request(self) -> Request | None:
        end = self._inbox.find(_END_OF_HEAD)
        if end < 0:
            return None
        found = _CONTENT_LENGTH.search(self._inbox, 0, end)
        start = end + len(_END_OF_HEAD)
        length = int(found[1]) if found else 0
        if len(self._inbox) < start + length:
            return None
        self._connection.requests += 1
        request = Request(
            head=bytes(self._inbox[:end]),
            body=bytes(self._inbox[start : start + length]),
            at=monotonic(),
            connection=self._connection.number,
            nth=self._connection.requests,
        )
        del self._inbox[: start + length]
        return request

    def _do(self, script: Script) -> None:
        """
        Send what *script* begins with at once, and do the rest of it in a task.
        """
        parts = (script,) if isinstance(script, bytes) else tuple(script)
        for done, part in enumerate(parts):
            if not isinstance(part, bytes):
                self._task = self._server.spawn(self._run(parts[done:]))
                self._task.add_done_callback(self._done)
                return
            self.send(part)

    async def _run(self, parts: Sequence[bytes | Step]) -> None:
        for part in parts:
            if isinstance(part, bytes):
                self.send(part)
            else:
                await part(self)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            self.abort()
        self._go_on()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=4096)
    listener.setblocking(False)
    return listener


def unused_port() -> int:
    """
    Give a port that nobody listens on: connections to it are refused.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
