"""
The sockets below httpcore: asyncio's, read without a pause, so that nothing that arrives goes unseen.

httpcore's own backend stops reading between two requests. What a server sends then, or sends too
much of, lies unseen in the kernel, in asyncio or in a TLS buffer, until it is taken for the answer
to the next request.
"""

import asyncio
import selectors
import ssl
from collections.abc import Callable, Iterable, Sequence
from socket import AI_NUMERICHOST, SOCK_STREAM, AddressFamily, SocketKind, gaierror, getaddrinfo
from typing import Any, cast

import httpcore
from aiohappyeyeballs import (
    start_connection,  # pyright: ignore[reportUnknownVariableType]  # it says of an address that it is a tuple
)

Poll: Callable[[], selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
_MOST_UNREAD = 256 * 1024  # bytes that wait to be read before the sender has to wait
_NEXT_ADDRESS = 0.25  # seconds until the next address of a host is tried beside the first (RFC 8305)
_Address = tuple[
    AddressFamily, SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]  # as getaddrinfo gives it
_EXTRA_INFO = {"client_addr": "sockname", "server_addr": "peername"}  # httpcore's names, and asyncio's


class Stream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """
    A TCP connection, with or without TLS. Closing it waits for nothing, so a caller may be cancelled anywhere.
    """

    def __init__(self) -> None:
        self.received = 0  # bytes, but for those that came to an idle connection
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._is_full = False  # of what the peer has not taken yet
        self._arrival: asyncio.Future[None] | None = None  # for who waits for something to read
        self._room: asyncio.Future[None] | None = None  # for who waits to write
        self._has_ended = False
        self._error: Exception | None = None
        self._is_idle = True
        self._is_checked = True  # whether anything has arrived, before a request is sent
        self._poll: selectors.BaseSelector | None = None

    @property
    def is_idle(self) -> bool:
        """
        Whether it is open, no request is under way, and nothing has come that nobody asked for.
        """
        return self._is_idle and not self._is_closing()

    def rest(self) -> bool:
        """
        Begin to be idle until the next write, unless something was left over; return whether it is.

        Whatever arrives meanwhile closes the connection.
        """
        self._is_idle = not (self._unread or self._has_ended)
        return self.is_idle

    def close(self) -> None:
        """
        Close the socket, in the next turn of the event loop.
        """
        if self._transport is not None:
            self._transport.abort()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """
        Return what has arrived, waiting for it if need be; nothing at the end.
        """
        if not self._unread and not self._has_ended:
            self._arrival = self._loop.create_future()
            await self._wait(self._arrival, timeout, httpcore.ReadTimeout)
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._transport is not None and not self._unread and not self._transport.is_reading():
            self._transport.resume_reading()
        if not data and self._error is not None:
            raise httpcore.ReadError from self._error
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """
        Send *buffer*, waiting only where the peer is slow to take it.
        """
        if self._is_idle and self._is_checked and not self._is_closing() and self._is_readable():
            self.close()  # httpcore goes on to read, and finds the end
        if self._transport is None or self._is_closing():
            raise httpcore.WriteError from self._error
        self._is_idle, self._is_checked = False, True
        self._transport.write(buffer)
        if self._is_full:
            self._room = self._loop.create_future()
            await self._wait(self._room, timeout, httpcore.WriteTimeout)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """
        Go on in TLS. What came before it in plain text is thrown away.
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
            if self._transport is plain:  # no handshake, whyever
                plain.abort()
        return self

    async def aclose(self) -> None:
        """
        Close the socket.
        """
        self.close()

    def get_extra_info(self, info: str) -> Any:
        """
        Return what asyncio knows of the connection.
        """
        return None if self._transport is None else self._transport.get_extra_info(_EXTRA_INFO.get(info, info))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Begin: there is a TCP connection.
        """
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """
        Keep *data* for the reader.
        """
        if self._is_idle:
            self.close()
            return
        self.received += len(data)
        self._unread += data
        if len(self._unread) > _MOST_UNREAD and self._transport is not None:
            self._transport.pause_reading()
        _resolve(self._arrival)

    def eof_received(self) -> None:
        """
        Note that no more will come.
        """
        self._has_ended = True
        if self._is_idle:
            self.close()
        _resolve(self._arrival)

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Note that the socket is closed.
        """
        self._has_ended, self._error, self._transport = True, exc, None
        _resolve(self._arrival)
        _resolve(self._room)

    def pause_writing(self) -> None:
        """
        Note that the peer takes no more for now.
        """
        self._is_full = True

    def resume_writing(self) -> None:
        """
        Note that the peer takes more.
        """
        self._is_full = False
        _resolve(self._room)

    def _is_readable(self) -> bool:
        """
        Return whether the socket holds something that the event loop has not looked at yet.
        """
        if self._poll is None:
            self._poll = Poll()
            self._poll.register(self.get_extra_info("socket"), selectors.EVENT_READ)
        return bool(self._poll.select(0))

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
    Makes the `Stream` of one connection of httpcore, and remembers it.
    """

    def __init__(self) -> None:
        self.stream: Stream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  # none is ever asked for
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.AsyncNetworkStream:
        """
        Connect to the first address of *host* that answers.
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
    except gaierror:  # it is a name, for which the system may have to ask
        return await loop.getaddrinfo(host, port, type=SOCK_STREAM)
