"""
One request on one httpx transport: safe to leave at any moment, and bounded in what it reads.

httpcore loses a pool slot for good when a request is cancelled while it waits for a connection, sets
one up, or puts one back (httpcore issues 658, 830 and 1093). So an exchange is a task that the
client owns. Its caller only waits for it, and may leave at any time; the exchange of a caller who
left is cancelled at most once, and only while httpcore is sending the request or reading the answer,
where it closes the connection properly. Before that, and after it, it is let finish.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
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
_CONNECTS = "connection.connect_tcp.started"

_LARGEST_HEADERS = 100 * 1024  # bytes; httpcore bounds only what has not arrived whole


@attrs.frozen(kw_only=True)
class Answer:
    """
    An answer that arrived: *headers* in lower case, *body* decompressed.

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


class Line:
    """
    One transport in one loop, and the exchanges that are under way on it.

    *ours* is False for a transport that the caller of the SDK made: it is never closed here.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, ours: bool) -> None:
        self.transport = transport
        self.follows_httpcore = isinstance(transport, httpx.AsyncHTTPTransport)
        self._cancel_safe = getattr(transport, "cancel_safe", False)
        self._ours = ours
        self._retired = False
        self._exchanges: set[asyncio.Task[Answer | Fault]] = set()

    async def exchange(
        self,
        request: httpx.Request,
        *,
        limit: int,
        clock: Callable[[], float],
        done: Callable[[], None],
    ) -> Answer | Fault:
        """
        Send *request* and give what came of it; *done* is called when the transport is free again.

        At most *limit* bytes of body are read, counted after decompression.
        """
        if self._cancel_safe:
            try:
                return await self._run(request, limit, clock())
            finally:
                done()
        leaver = _Leaver(self)
        request.extensions["trace"] = leaver.trace
        task = asyncio.create_task(self._run(request, limit, clock()))
        leaver.task = task
        self._exchanges.add(task)
        ended = asyncio.get_running_loop().create_future()

        def finish(task: asyncio.Task[Answer | Fault]) -> None:
            self._exchanges.discard(task)
            done()
            if not ended.done():
                ended.set_result(None)

        task.add_done_callback(finish)
        try:
            await ended
        except asyncio.CancelledError:
            leaver.leave()
            raise
        if task.cancelled():
            return Fault(reason="the client was closed", retryable=False)
        outcome = task.result()
        if isinstance(outcome, Fault) and outcome.disconnected and leaver.on_idle_connection:
            return attrs.evolve(outcome, stale=True)
        return outcome

    async def _run(self, request: httpx.Request, limit: int, sent_at: float) -> Answer | Fault:
        try:
            response = await self.transport.handle_async_request(request)
            if sum(len(name) + len(value) for name, value in response.headers.raw) > _LARGEST_HEADERS:
                await response.aclose()
                return Fault(reason=f"the answer's headers are longer than {_LARGEST_HEADERS:,} bytes")
            body, flaw = await read_body(response, limit)
        except Exception as error:  # noqa: BLE001  # a transport may raise anything: no usable answer arrived
            return fault_of(error)
        finally:
            if self._retired and len(self._exchanges) <= 1:
                await self._close()
        return Answer(
            status_code=response.status_code,
            headers=_headers(response),
            body=body,
            flaw=flaw,
            sent_at=sent_at,
            request=request,
        )

    async def retire(self) -> None:
        """
        Close the transport as soon as the exchanges under way on it have ended.
        """
        self._retired = True
        if not self._exchanges:
            await self._close()

    async def aclose(self) -> None:
        """
        End all exchanges and close the transport.
        """
        for task in self._exchanges:
            task.cancel()
        if self._exchanges:
            await asyncio.wait(self._exchanges)
        await self._close()

    async def _close(self) -> None:
        if self._ours:
            self._ours = False
            with suppress(Exception):  # it is of no use to anyone that closing failed
                await self.transport.aclose()


class _Leaver:
    """
    Knows when the exchange of a caller who left may be cancelled.

    | state              | httpcore is                         | leave()                        |
    | ------------------ | ----------------------------------- | ------------------------------ |
    | before the window  | waiting, connecting, in a handshake | cancels when the window opens  |
    | in the window      | sending or reading                  | cancels now                    |
    | after the window   | putting the connection back         | does nothing: it ends by itself |

    A transport that has never told of such events has no such pool: cancelled at once.
    """

    def __init__(self, line: Line) -> None:
        self.task: asyncio.Task[Answer | Fault] | None = None
        self._line = line
        self._connected = self._sent = self._answered = False
        self._in_window = False
        self._left = False

    @property
    def on_idle_connection(self) -> bool:
        """
        Tell that the request went out on a kept-alive connection and no answer had begun.
        """
        return self._sent and not self._connected and not self._answered

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """
        Hear from httpcore (its "trace" extension) where the exchange is.
        """
        self._line.follows_httpcore = True
        if event in _OPENS:
            if getattr(info.get("request"), "method", b"") == b"CONNECT":
                return  # to a proxy: the connection is still being set up
            self._in_window = self._sent = True
            if self._left:
                self._cancel()
        elif event in _SHUTS:
            self._in_window = False
        elif event == _CONNECTS:
            self._connected = True
        elif event in _ANSWERS:
            self._answered = True

    def leave(self) -> None:
        """
        Let go of the exchange: nobody waits for it any more.
        """
        self._left = True
        if self._in_window or not self._line.follows_httpcore:
            self._cancel()

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
