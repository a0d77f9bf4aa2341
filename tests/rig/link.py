"""One connection, at the server's end: takes requests apart, and does one script after another."""

import asyncio
import re
import socket
import struct
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from .routes import Connection, Request
from .script import Script, Step

if TYPE_CHECKING:
    from .server import FaultServer

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


class Link(asyncio.Protocol):
    """
    A connection as an asyncio protocol, and as what steps see: a step is cancelled when it is lost.
    """

    def __init__(self, server: "FaultServer", connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._inbox = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()
        self._came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)  # it goes out now
        self._server.opened(self)
        self._do(self._server.greeting(self._connection.number))

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        self._came.set()
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.set()
        if self._task is not None:
            self._task.cancel()
        asyncio.get_running_loop().call_soon(self.note_closed)  # the transport closes the socket when this returns

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def note_closed(self) -> None:
        if self._connection.closed_at is None:
            self._connection.closed_at = monotonic()
            self._server.closed(self)

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        await asyncio.sleep(0)
        await self._writable.wait()

    def close(self) -> None:
        self._transport.close()

    def half_close(self) -> None:
        self._transport.write_eof()

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

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            self.abort()
        self._go_on()
