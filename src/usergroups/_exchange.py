"""
One request on one httpx transport: safe to leave at any moment, and bounded in what it reads.

httpcore loses a pool slot for good when a request is cancelled while it waits for a connection, sets
one up, or puts one back (httpcore issues 658, 830 and 1093). So an exchange is a task that the
client owns. Its caller only waits for it, and may leave at any time; the exchange of a caller who
left is cancelled at most once, and only while httpcore is sending the request or reading the answer,
where it closes the connection properly. Before that, and after it, it is let finish.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
import httpx

from ._body import read_body
from ._faults import Fault, fault_of


def _events(*names: str) -> frozenset[str]:
    """
    Give the trace events of httpcore with these *names*, in either version of HTTP.
    """
    return frozenset(f"{version}.{name}" for version in ("http11", "http2") for name in names)


_OPENS = _events("send_request_headers.started")
_SHUTS = _events(
    "receive_response_body.complete",
    "receive_response_body.failed",
    "receive_response_headers.failed",
    "response_closed.started",
)
_ANSWERS = _events("receive_response_headers.complete")
_CONNECTS = frozenset(
    {"connection.connect_tcp.started", "connection.connect_unix_socket.started", "socks.connect_tcp.started"}
)

_LARGEST_HEADERS = 100 * 1024  # bytes; httpcore bounds only what has not arrived whole


@attrs.frozen(kw_only=True)
class Answer:
    """
    An answer that arrived: *headers* by names in lower case, *body* decompressed.

    *flaw* says why the body cannot be used (too long, a coding that nobody asked for), or is empty.
    *sent_at* is the moment, on the client's clock, at which the request went out.
    """

    status_code: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    flaw: str = ""
    sent_at: float = 0.0
    request: httpx.Request = attrs.field(repr=False)

    @property
    def is_success(self) -> bool:
        """
        Tell whether the status is a 2xx.
        """
        return 200 <= self.status_code < 300


@attrs.define(eq=False)
class Line:
    """
    A transport; *traced* if httpcore is known to be below it. One with no use since *idle_since* is idle.
    """

    transport: httpx.AsyncBaseTransport
    traced: bool
    idle_since: float = 0.0

    @classmethod
    def on(cls, transport: httpx.AsyncBaseTransport) -> "Line":
        """
        Give a line on *transport*.
        """
        return cls(transport, traced=isinstance(transport, httpx.AsyncHTTPTransport))


class Exchange:
    """
    *request* on its way over *line*, for a caller who may leave.

    | state              | httpcore is                         | leave()                        |
    | ------------------ | ----------------------------------- | ------------------------------ |
    | before the window  | waiting, connecting, in a handshake | cancels when the window opens  |
    | in the window      | sending or reading                  | cancels now                    |
    | after the window   | putting the connection back         | does nothing: it ends by itself |

    A transport that has never told of such events has no such pool: its exchanges are cancelled at once.
    """

    def __init__(self, line: Line, request: httpx.Request) -> None:
        self._line = line
        self._request = request
        self._task: asyncio.Task[Answer | Fault] | None = None
        self._connected = self._sent = self._answered = False
        self._in_window = False
        self._left = False

    async def run(self, limit: int, sent_at: float) -> Answer | Fault:
        """
        Give what comes of the request; of a body, at most *limit* bytes after decompression.
        """
        try:
            response = await self._line.transport.handle_async_request(self._request)
            if sum(len(name) + len(value) for name, value in response.headers.raw) > _LARGEST_HEADERS:
                await response.aclose()
                return Fault(reason=f"the answer's headers are longer than {_LARGEST_HEADERS:,} bytes")
            body, flaw = await read_body(response, limit)
        except Exception as error:  # noqa: BLE001  # a transport may raise anything: no usable answer arrived
            fault = fault_of(error)
            idle_before = self._sent and not self._connected and not self._answered
            return attrs.evolve(fault, stale=True) if fault.disconnected and idle_before else fault
        finally:
            self._task = None  # and no longer a cycle that keeps the answer alive
            self._request.extensions.pop("trace", None)
        return Answer(
            status_code=response.status_code,
            headers=response.headers,
            body=body,
            flaw=flaw,
            sent_at=sent_at,
            request=self._request,
        )

    async def wait_for(self, task: asyncio.Task[Answer | Fault]) -> Answer | Fault:
        """
        Wait for *task*, which runs this exchange, and leave it when the caller is cancelled.
        """
        self._task = task
        ended = asyncio.get_running_loop().create_future()

        def end(_: asyncio.Task[Answer | Fault]) -> None:
            if not ended.done():
                ended.set_result(None)

        task.add_done_callback(end)
        try:
            await ended
        except asyncio.CancelledError:
            self.leave()
            raise
        return Fault(reason="the transport gave up", retryable=False) if task.cancelled() else task.result()

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """
        Hear from httpcore (its "trace" extension) where the exchange is.
        """
        self._line.traced = True
        if event in _OPENS:
            if getattr(info.get("request"), "method", b"") == b"CONNECT":
                return  # to a proxy: the connection is still being set up
            self._in_window = self._sent = True
            if self._left:
                self._cancel()
        elif event in _SHUTS:
            self._in_window = False
        elif event in _CONNECTS:
            self._connected = True
        elif event in _ANSWERS:
            self._answered = True

    def leave(self) -> None:
        """
        Let go of the exchange: nobody waits for it any more.
        """
        self._left = True
        if self._in_window or not self._line.traced:
            self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
