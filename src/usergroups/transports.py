"""Another transport than the usual one: aiohttp's, which takes less of the event loop's time."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager

import httpx

from . import _settings
from ._connections import KEPT_ALIVE
from ._transports import environment_proxies, tls_context
from .errors import ConfigurationError

try:
    import aiohttp
    from yarl import URL
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"this transport needs {error.name}: install usergroups with its extra 'aiohttp'"
        " (pip install '.[aiohttp]' in a checkout)"
    ) from None

__all__ = ["aiohttp_transport"]

_LARGEST_HEADER = 100 * 1024  # bytes, as in the usual transport
_LOOK = 0.25  # seconds of waiting for more of a body, between two looks at its connection

# The first row that fits is taken.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.ReadError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientConnectionError, httpx.NetworkError),
)


def aiohttp_transport(*, verify: ssl.SSLContext | None = None) -> httpx.AsyncBaseTransport:
    """
    Make a transport on aiohttp, to be passed to a client as `transport=`.

    Proxies are the environment's, and so are certificates where *verify* is None; both are read now.
    It may serve many clients and one loop after another; whoever made it closes it, with `aclose()`
    or `async with`.

    Raises `ConfigurationError` for a proxy or certificates that cannot be used.
    """
    if verify is not None:
        _settings.instance("verify", verify, ssl.SSLContext)
    choose = environment_proxies()
    _usable(choose("https://"))  # no host, so that none is excepted, unless all are
    return _AiohttpTransport(verify or tls_context(), choose)


def _usable(proxy: httpx.Proxy | None) -> httpx.Proxy | None:
    if proxy is None or proxy.url.scheme in ("http", "https"):
        return proxy
    raise ConfigurationError("the proxy of the environment cannot be used: aiohttp knows http and https proxies only")


def _address(proxy: httpx.Proxy | None) -> URL | None:
    """
    Give the URL of *proxy* with its user and password, which aiohttp takes from there.
    """
    if proxy is None or proxy.auth is None:
        return None if proxy is None else URL(str(proxy.url))
    return URL(str(proxy.url)).with_user(proxy.auth[0]).with_password(proxy.auth[1])


class _AiohttpTransport(httpx.AsyncBaseTransport):
    cancel_safe = True  # an exchange may be cancelled at any moment and takes no connection along

    def __init__(self, context: ssl.SSLContext, choose_proxy: Callable[[str], httpx.Proxy | None]) -> None:
        self._context = context
        self._choose_proxy = choose_proxy
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._proxies: dict[tuple[str, bytes], httpx.Proxy | None] = {}  # whose repr hides the password

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send *request*, and give the answer with its body still to be read.
        """
        timeout = request.extensions.get("timeout", {})
        body = b"".join(request.stream) if isinstance(request.stream, httpx.ByteStream) else await request.aread()
        with _as_httpx():
            response = await self._session().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw],
                data=body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=timeout.get("connect"), sock_read=timeout.get("read")
                ),
                proxy=_address(self._proxy(request.url)),
            )
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """
        Close the connections of this loop.
        """
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            self._sessions = {other: kept for other, kept in self._sessions.items() if not other.is_closed()}
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._context,
                    limit=0,  # the client's gate is the limit
                    keepalive_timeout=KEPT_ALIVE,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_field_size=_LARGEST_HEADER,
                max_line_size=_LARGEST_HEADER,
            )
        return session

    def _proxy(self, url: httpx.URL) -> httpx.Proxy | None:
        origin = url.scheme, url.netloc
        if origin not in self._proxies:
            self._proxies[origin] = _usable(self._choose_proxy(f"{url.scheme}://{url.netloc.decode('ascii')}"))
        return self._proxies[origin]


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        content = self._response.content
        with _as_httpx():
            while not content.at_eof():
                if chunk := content.read_nowait():
                    yield chunk
                    continue
                look = asyncio.timeout(_LOOK)
                try:
                    async with look:
                        chunk = await content.readany()
                except TimeoutError:
                    if not look.expired():
                        raise
                    if self._is_cut_off():
                        raise aiohttp.ClientPayloadError from None
                else:
                    yield chunk

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def _is_cut_off(self) -> bool:
        """
        Tell whether the connection has gone before the body was complete.

        aiohttp 3.14 closes it over chunks that are wrong, and wakes nobody who waits for more.
        """
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        return not self._response.content.is_eof() and (transport is None or transport.is_closing())


@contextmanager
def _as_httpx() -> Generator[None, None, None]:
    """
    Raise what aiohttp raises as what httpx calls it.
    """
    try:
        yield
    except aiohttp.ClientError as error:
        kind = next((kind for theirs, kind in _ERRORS if isinstance(error, theirs)), httpx.TransportError)
        raise kind(type(error).__name__) from error
