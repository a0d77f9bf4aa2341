"""The transport on aiohttp."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, cast

import httpx

from ._http.connections import KEPT_ALIVE
from ._http.environment import ChooseProxy
from ._http.exchange import MessageTransport
from ._http.failures import ProxyAnswerError, StaleError
from ._http.network import Unread
from ._http.request import Message
from .errors import ConfigurationError

try:
    import aiohttp
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.http_exceptions import HttpProcessingError
    from yarl import URL
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"this transport needs {error.name}: install usergroups with its extra 'aiohttp'"
        " (pip install '.[aiohttp]' in a checkout)"
    ) from None

_LARGEST_HEADER = 100 * 1024  # bytes, as in the client's own transport
_FACTORY = "_factory"  # the attribute of aiohttp's connector that makes the protocol of a connection


class DisconnectedError(aiohttp.ClientConnectionError):
    """
    The server closed the connection. It is none of the errors after which aiohttp itself sends a request again.
    """


class IdleDisconnectedError(DisconnectedError):
    """
    The connection had been idle, and was closed before a byte of the response arrived.
    """


# The first row that matches is taken.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (IdleDisconnectedError, StaleError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientConnectionError, httpx.ReadError),
)


def _address(proxy: httpx.Proxy | None) -> URL | None:
    """Return the URL of *proxy* for aiohttp. Raises `ConfigurationError` if it is no HTTP proxy."""
    if proxy is not None and proxy.url.scheme not in ("http", "https"):
        raise ConfigurationError("the proxy cannot be used: aiohttp knows http and https proxies only")
    return None if proxy is None else URL(str(proxy.url))


def _credentials(proxy: httpx.Proxy | None) -> list[tuple[str, str]]:
    """Return the header with the credentials for *proxy* (RFC 7617) in UTF-8, if it has any."""
    if proxy is None or proxy.raw_auth is None:
        return []
    return [("Proxy-Authorization", f"Basic {b64encode(b':'.join(proxy.raw_auth)).decode('ascii')}")]


class AiohttpTransport(MessageTransport):
    """
    A transport with a session of aiohttp for each event loop.

    A loop that ends closes the asynchronous generators begun in it; one of them closes its session.
    """

    def __init__(self, context: ssl.SSLContext, choose_proxy: ChooseProxy) -> None:
        for scheme in ("https", "http"):
            _address(choose_proxy(f"{scheme}://"))  # without a host, so that only `no_proxy=*` excepts it
        self._context = cast(ssl.SSLContext, _Context(context))
        self._choose_proxy = choose_proxy
        self._sessions: dict[asyncio.AbstractEventLoop, _Session] = {}  # shared by threads, so each access is atomic

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*, and return the response, with its body still to be read."""
        message = Message(
            method=request.method,
            origin=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
            target=request.url.raw_path.decode("ascii"),
            headers=request.headers.raw,
            content=await request.aread(),
            timeouts=request.extensions.get("timeout", {}),
        )
        response = await self.send(message)
        request.extensions = {**request.extensions, "proxy": message.proxy}
        return response

    async def send(self, message: Message) -> httpx.Response:
        """Send *message*, and return the response, with its body still to be read."""
        proxy = self._choose_proxy(message.origin)
        in_tunnel = message.origin.startswith("https:")  # the proxy gets its credentials with CONNECT, sees no request
        name = "" if proxy is None else proxy.url.netloc.decode("ascii")
        message.proxy = "" if in_tunnel else name
        # Else aiohttp names a type for the content, and even for a POST without any.
        skipped = ["Content-Type"] if message.content or message.method != "GET" else None
        session = await self._session()
        try:
            response = await session.request(
                message.method,
                URL(message.origin + message.target, encoded=True),
                headers=[(name.decode("ascii"), value.decode("ascii")) for name, value in message.headers]
                + ([] if in_tunnel else _credentials(proxy)),
                skip_auto_headers=skipped,
                data=message.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=message.timeouts.get("connect"),
                    sock_read=message.timeouts.get("read"),
                ),
                proxy=_address(proxy),
                proxy_headers=_credentials(proxy) if in_tunnel else None,
            )
        except aiohttp.ClientError as error:
            raise _as_httpx(error, name) from error
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close the connections of this loop."""
        _, ending = self._sessions.pop(asyncio.get_running_loop(), (None, None))
        if ending is not None:
            await ending.aclose()

    async def _session(self) -> aiohttp.ClientSession:
        """Return the session of the running loop, without letting any other task run."""
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            for other in list(self._sessions):
                if other.is_closed():
                    self._sessions.pop(other, None)
            ending = _session(self._context)
            self._sessions[loop] = await anext(ending), ending
        return self._sessions[loop][0]


_Session = tuple[aiohttp.ClientSession, AsyncGenerator[aiohttp.ClientSession, None]]
"""A session, and the generator that closes it."""


async def _session(context: ssl.SSLContext) -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with aiohttp.ClientSession(
        connector=_connector(context),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_field_size=_LARGEST_HEADER,
        max_line_size=_LARGEST_HEADER,
    ) as session:
        yield session


def _connector(context: ssl.SSLContext) -> aiohttp.TCPConnector:
    """Return a connector of `_Connection`s; if aiohttp does not take them, one that uses no connection twice."""
    make = partial(aiohttp.TCPConnector, ssl=context, limit=0)  # the client limits its requests itself
    connector = make(keepalive_timeout=KEPT_ALIVE)
    usual = getattr(connector, _FACTORY, None)
    if not isinstance(usual, partial) or usual.func is not ResponseHandler:
        return make(force_close=True)
    setattr(connector, _FACTORY, partial(_Connection, *usual.args, **usual.keywords))
    return connector


class _Connection(ResponseHandler):
    """
    aiohttp's connection, which is not used again once the server has sent more than the response.

    aiohttp does not check for surplus bytes, and takes them for the next response. So the last byte of what arrives
    while a response is awaited is passed on by itself: if the response is complete without it, there is surplus.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.__requests = 0
        self.__silent = True  # nothing has arrived since the last request
        self.__put_aside = False  # aiohttp may have put aside some of what has arrived
        self.__retired = False
        self.__body: aiohttp.StreamReader | None = aiohttp.EMPTY_PAYLOAD  # of its response, None until that begins

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Record the connection's *transport*."""
        super().connection_made(transport)
        if transport.get_extra_info("socket") is not None:
            self.__unread = Unread(transport)

    def set_response_params(self, **params: Any) -> None:
        """Begin to wait for a response: a request is about to be sent."""
        self.__requests += 1
        self.__silent = True
        self.__body = None
        super().set_response_params(**params)

    @property
    def should_close(self) -> bool:
        """Whether to close the connection, rather than keep it, when the response has been read."""
        return self.__retired or super().should_close

    def is_connected(self) -> bool:
        """Return whether an idle connection can take a request: its socket is open, without unread bytes."""
        return super().is_connected() and not self.__unread.is_there()

    def data_received(self, data: bytes) -> None:
        """Parse *data* that has arrived, or b"" when aiohttp resumes with what it has put aside."""
        if data:
            self.__silent = False
        if len(data) > 1 and self.__is_waiting():
            super().data_received(data[:-1])
        if not self.__is_waiting():
            if data:
                self.__retire()
        elif self.exception() is None:
            in_doubt, self.__put_aside = self.__put_aside, False
            super().data_received(data[-1:])
            if in_doubt and not self.__is_waiting():
                self.__retire()

    def pause_reading(self) -> None:
        """Stop reading for now. What has arrived already is put aside, surplus or not."""
        self.__put_aside = True
        super().pause_reading()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Record the body of the response that begins, which may still be arriving."""
        message, body = data
        if self.__body is None and not 100 <= message.code < 200:
            self.__body = body
        super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *args: Any, **kwargs: Any) -> None:
        """
        Fail the wait for a response, and for its body. A lost connection becomes a `DisconnectedError`.

        aiohttp 3.14 closes the connection if the chunked coding is invalid, without waking a waiting reader.
        """
        if isinstance(exc, HttpProcessingError) and self.__body is not None and not self.__body.is_eof():
            self.__body.set_exception(aiohttp.ClientPayloadError())
        if isinstance(exc, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            lost = IdleDisconnectedError() if self.__requests > 1 and self.__silent else DisconnectedError()
            lost.__cause__ = exc
            exc = lost
        super().set_exception(exc, *args, **kwargs)

    def __is_waiting(self) -> bool:
        return self.__body is None or not self.__body.is_eof()

    def __retire(self) -> None:
        self.__retired = True
        if self.transport is not None:
            self.transport.close()


class _Context:
    """
    A TLS context that is an instance of whatever class `ssl.SSLContext` names at the moment.

    A context made before truststore replaced that class is not, and aiohttp would then verify nothing.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]  # read-only
        return ssl.SSLContext

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            while chunk := await self._response.content.readany():
                yield chunk
        except aiohttp.ClientError as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _as_httpx(error: aiohttp.ClientError, proxy: str = "") -> httpx.TransportError:
    """Return aiohttp's *error* as one of httpx. *proxy* is the host of the proxy, if there is one."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ProxyAnswerError(error.status, proxy)
    kind = next((kind for theirs, kind in _ERRORS if isinstance(error, theirs)), httpx.TransportError)
    return kind(type(error).__name__)
