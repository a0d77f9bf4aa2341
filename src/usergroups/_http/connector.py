"""Connections of a client's own, made with httpcore: imported late, because httpcore is slow to import."""

import ssl
from contextlib import suppress

import httpcore
import httpx

from usergroups.errors import ConfigurationError

from .connections import Connect, HTTPConnection
from .environment import UNUSABLE, ChooseProxy
from .network import Backend


def connector(base_url: str, context: ssl.SSLContext, choose_proxy: ChooseProxy) -> tuple[Connect, str]:
    """
    Return a maker of connections to *base_url*, and the host of the proxy they go through, or "".

    Raises `ConfigurationError` for a proxy that cannot be used.
    """
    chosen = choose_proxy(base_url)
    proxy = None if chosen is None else _for_httpcore(chosen, context)
    origin = _url(httpx.URL(base_url)).origin

    def connect() -> HTTPConnection:
        backend = Backend()
        pool = httpcore.AsyncConnectionPool(ssl_context=context, proxy=proxy, network_backend=backend)
        return HTTPConnection(pool.create_connection(origin), backend)

    with suppress(ImportError):
        connect()  # also runs httpcore's late imports before the first call
        return connect, "" if chosen is None else chosen.url.netloc.decode("ascii")
    raise ConfigurationError(
        f"{UNUSABLE}: its scheme is not supported, or needs a package that is not installed"
        " (for socks: pip install 'httpx[socks]')"
    )


def _for_httpcore(proxy: httpx.Proxy, context: ssl.SSLContext) -> httpcore.Proxy:
    return httpcore.Proxy(
        _url(proxy.url),
        auth=proxy.raw_auth,
        headers=proxy.headers.raw,
        ssl_context=context if proxy.url.scheme == "https" else None,
    )


def _url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
