"""A scripted HTTP server in a thread and event loop of its own, as rude as a test needs it."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache, partial
from threading import Event, Thread
from types import TracebackType
from typing import Self

from .link import Link
from .routes import Answer, Connection, Request, Route, path_fits
from .script import Script, answer
from .tally import Tally

__all__ = ["Answer", "Connection", "FaultServer", "Request", "Route", "path_fits", "unused_port"]


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
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._place = _bound(host, 0)  # the port is nobody else's while nobody listens on it, too
        self._address: tuple[str, int] = self._place.getsockname()[:2]
        self._listener = _listening(*self._address)
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
            self._place.close()

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
        host = self._address[0]
        return f"{'http' if self._tls is None else 'https'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def once(self, path: str, *answers: Answer, method: str | None = None) -> None:
        """
        Return each of *answers* once, in order, to requests for *path* (a `*` at its end: any rest).
        """
        self._routes += [Route(method, path, one, left=1) for one in answers]

    def always(self, path: str, answer: Answer, *, method: str | None = None) -> Route:
        """
        Return *answer* to requests for *path*; where it is callable, what it gives for the request
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
        Return the requests for *path* so far.
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
        Stop listening, so that new connections are refused; those that are open stay.
        """
        self._in_thread(self._stop_listening)

    def accept(self) -> None:
        """
        Listen again after `refuse`, on the same port.
        """
        self._in_thread(self._listen_again)

    def hang_up(self) -> None:
        """
        Close all connections now.
        """
        self._with_links(Link.close)

    def say_no_more(self) -> None:
        """
        Close this side of all connections: each is open until the client closes its own.
        """
        self._with_links(Link.half_close)

    def send_to_all(self, data: bytes) -> None:
        """
        Send *data* on all connections, though nobody asked.
        """
        self._with_links(lambda link: link.send(data))

    def _with_links(self, deed: Callable[[Link], object]) -> None:
        self._in_thread(lambda: [deed(link) for link in list(self._links)])

    def _in_thread(self, deed: Callable[[], object]) -> None:
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
        for link in list(self._links):
            link.abort()
        await self.all_closed()

    def _stop_listening(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def _listen_again(self) -> None:
        if self._listener.fileno() < 0:
            self._listener = _listening(*self._address)
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(64):  # at most, before the connections that are there get their turn
            try:
                accepted, _ = self._listener.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            connection = Connection(len(self._connections) + 1)
            self._connections.append(connection)
            self.open.add(1)
            link = Link(self, connection)
            self.spawn(self._welcome(accepted, link)).add_done_callback(partial(self._part, accepted, link))

    async def _welcome(self, accepted: socket.socket, link: Link) -> None:
        with suppress(OSError):  # the TLS handshake failed, or the client is gone already
            await self._loop.connect_accepted_socket(lambda: link, accepted, ssl=self._tls)

    def _part(self, accepted: socket.socket, link: Link, welcome: asyncio.Task[None]) -> None:
        """
        Close what was *accepted* if it did not come to a connection; the server may have stopped before.
        """
        if link not in self._links:
            accepted.close()
            link.note_closed()

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """
        Do *work* in a task that ends with the server.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)

    def script_for(self, request: Request) -> Script:
        """
        Return the script of the first route that fits *request*, once it is in the records.
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

    def greeting(self, connection: int) -> Script:
        """
        Return the script that *connection* begins with.
        """
        return () if self.on_connect is None else self.on_connect(connection)

    def opened(self, link: Link) -> None:
        """
        Take note that *link* can be written to.
        """
        self._links.add(link)

    def closed(self, link: Link) -> None:
        """
        Take note that *link*'s socket is closed.
        """
        self._links.discard(link)
        self.open.add(-1)


def _bound(host: str, port: int) -> socket.socket:
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind((host, port))
    return place


def _listening(host: str, port: int) -> socket.socket:
    listener = _bound(host, port)
    listener.listen(4096)
    listener.setblocking(False)
    return listener


@cache
def unused_port() -> int:
    """
    Return a port that nobody listens on, nor will before this process ends: connections to it are refused.
    """
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    port: int = place.getsockname()[1]
    _KEPT.append(place)
    return port


_KEPT: list[socket.socket] = []
