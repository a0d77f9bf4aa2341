"""
The network backend of httpcore: sockets that are always read, so that bytes between requests are seen.

httpcore's own backend stops reading between two requests. Surplus bytes from a server then stay in
the kernel, in asyncio or in a TLS buffer, until they are taken for the response to the next request.
"""

import asyncio
import selectors
import ssl
from collections.abc import Callable, Iterable, Sequence
from socket import AI_NUMERICHOST, SOCK_STREAM, AddressFamily, SocketKind, gaierror, getaddrinfo
from typing import Any, cast

import httpcore
from aiohappyeyeballs import (
    start_connection,  # pyright: ignore[reportUnknownVariableType]  # its type of an address is a bare tuple
)

_Poll: Callable[[], selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
_MOST_UNREAD = 256 * 1024  # bytes that may wait for the reader; beyond that, the socket is not read
_NEXT_ADDRESS = 0.25  # seconds until the next address of a host is tried in parallel (RFC 8305)
_Address = tuple[
    AddressFamily, SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]  # as getaddrinfo returns it
_EXTRA_INFO = {"client_addr": "sockname", "server_addr": "peername"}  # httpcore's names, and asyncio's


class Unread:
    """
    A look at the socket of *transport*, past the event loop.
    """

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._poll = _Poll()
        self._poll.register(transport.get_extra_info("socket"), selectors.EVENT_READ)

    def is_there(self) -> bool:
        """
        Return whether the socket has bytes, or its end, that the event loop has not read yet.
        """
        return bool(self._poll.select(0))


class Stream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """
    A TCP connection, with or without TLS. Closing it never waits, so a caller may be cancelled anywhere.
    """

    def __init__(self) -> None:
        self.received = 0  # bytes, without those that an idle connection received
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._is_full = False  # too many bytes wait for the peer
        self._readable: asyncio.Future[None] | None = None  # what `read` waits for
        self._writable: asyncio.Future[None] | None = None  # what `write` waits for
        self._has_ended = False
        self._error: Exception | None = None
        self._is_idle = True
        self._is_checked = True  # whether anything has arrived, before a request is sent
        self._socket_unread: Unread | None = None

    @property
    def is_idle(self) -> bool:
        """
        Whether the connection is open, without a request in flight, and no unrequested bytes have arrived.
        """
        return self._is_idle and not self._is_closing()

    def rest(self) -> bool:
        """
        Become idle until the next write, unless unread bytes are left; return whether it is idle.

        Bytes that arrive while it is idle close the connection.
        """
        self._is_idle = not (self._unread or self._has_ended)
        return self.is_idle

    def close(self) -> None:
        """
        Close the socket in the next turn of the event loop.
        """
        if self._transport is not None:
            self._transport.abort()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """
        Return up to *max_bytes* that have arrived, waiting for the first if need be; b"" at the end.
        """
        if not self._unread and not self._has_ended:
            self._readable = self._loop.create_future()
            await self._wait(self._readable, timeout, httpcore.ReadTimeout)
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._transport is not None and not self._unread and not self._transport.is_reading():
            self._transport.resume_reading()
        if not data and self._error is not None:
            raise httpcore.ReadError from self._error
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """
        Send *buffer*, waiting only if the peer is slow to receive it.
        """
        if self._is_idle and self._is_checked and not self._is_closing() and self._has_unread():
            self.close()  # httpcore goes on to read, and finds the end
        if self._transport is None or self._is_closing():
            raise httpcore.WriteError from self._error
        self._is_idle, self._is_checked = False, True
        self._transport.write(buffer)
        if self._is_full:
            self._writable = self._loop.create_future()
            await self._wait(self._writable, timeout, httpcore.WriteTimeout)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """
        Start TLS. Unread bytes that arrived before it in plain text are discarded.
        """
        plain = self._transport
        if plain is None:
            raise httpcore.ConnectError from self._error
        self._unread.clear()
        self._is_idle, self._is_checked = True, False  # the first bytes to arrive are TLS's own: session tickets
        try:
            async with asyncio.timeout(timeout):
                self._transport = await self._loop.start_tls(plain, self, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:  # ssl.SSLError is one
            raise httpcore.ConnectError from error
        finally:
            if self._transport is plain:  # the handshake failed, or was cancelled
                plain.abort()
        return self

    async def aclose(self) -> None:
        """
        Close the socket.
        """
        self.close()

    def get_extra_info(self, info: str) -> Any:
        """
        Return asyncio's extra info *info* on the connection, by httpcore's name for it.
        """
        return None if self._transport is None else self._transport.get_extra_info(_EXTRA_INFO.get(info, info))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Keep *transport*, the TCP connection.
        """
        self._transport = cast("asyncio.Transport", transport)
        self._socket_unread = Unread(transport)

    def data_received(self, data: bytes) -> None:
        """
        Keep *data* for `read`; close the connection if it is idle.
        """
        if self._is_idle:
            self.close()
            return
        self.received += len(data)
        self._unread += data
        if len(self._unread) > _MOST_UNREAD and self._transport is not None:
            self._transport.pause_reading()
        _resolve(self._readable)

    def eof_received(self) -> None:
        """
        Record that no more bytes will arrive.
        """
        self._has_ended = True
        if self._is_idle:
            self.close()
        _resolve(self._readable)

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Record that the socket is closed.
        """
        self._has_ended, self._error, self._transport = True, exc, None
        _resolve(self._readable)
        _resolve(self._writable)

    def pause_writing(self) -> None:
        """
        Record that too many bytes wait for the peer.
        """
        self._is_full = True

    def resume_writing(self) -> None:
        """
        Record that the peer has caught up.
        """
        self._is_full = False
        _resolve(self._writable)

    def _has_unread(self) -> bool:
        return self._socket_unread is not None and self._socket_unread.is_there()

    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def _wait(
        self, event: "asyncio.Future[None]", timeout: float | None, late: type[httpcore.TimeoutException]
    ) -> None:
        timer = None if timeout is None else self._loop.call_later(timeout, _resolve, event, late)
        try:
            await event
        finally:
            if timer is not None:
                timer.cancel()


def _resolve(event: "asyncio.Future[None] | None", error: type[Exception] | None = None) -> None:
    if event is None or event.done():
        return
    if error is None:
        event.set_result(None)
    else:
        event.set_exception(error())


class Backend(httpcore.AsyncNetworkBackend):
    """
    The network backend of one httpcore connection. It keeps the `Stream` that it makes.
    """

    def __init__(self) -> None:
        self.stream: Stream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  # httpcore passes none here
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.AsyncNetworkStream:
        """
        Connect to the first address of *host* that accepts.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                socket = await start_connection(
                    await _addresses(loop, host, port), happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop
                )
                _, self.stream = await loop.create_connection(Stream, sock=socket)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError from error
        return self.stream


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> Sequence[_Address]:
    try:
        return getaddrinfo(host, port, type=SOCK_STREAM, flags=AI_NUMERICHOST)
    except gaierror:  # a name: resolving it may block, so a thread does it
        return await loop.getaddrinfo(host, port, type=SOCK_STREAM)
