"""Transports to pass to a client as `transport=`: with TLS settings and a proxy of one's own, or on aiohttp."""

import ssl

import httpx

from ._arguments import of_client
from ._http.default import DefaultTransport
from ._http.environment import ChooseProxy, environment_proxies, read_proxy, tls_context
from ._secrets import NoText, Secret, hide

__all__ = ["aiohttp_transport", "default_transport"]


def default_transport(*, verify: ssl.SSLContext | None = None, proxy: str | None = None) -> httpx.AsyncBaseTransport:
    """
    Return the transport that a client has by default, with TLS settings or a proxy of one's own.

    *verify* is the TLS context; if it is None, the certificates are those of `SSL_CERT_FILE` and
    `SSL_CERT_DIR`, else certifi's. *proxy* is the URL of a proxy for all requests; if it is None, the
    environment's proxies are used by the rules of `urllib.request`. Both are read now.

    It may serve many clients, in any number of event loops and threads. Outside of a client, it makes a new
    connection for each request.

    Raises `ConfigurationError` for a proxy or certificates that cannot be used.
    """
    given: object = proxy
    address = hide(given)
    del proxy, given  # it may hold a password, and a traceback may show arguments
    transport = DefaultTransport(*_settings(verify, address))
    if address is not None:
        transport.connector("https://localhost")  # a proxy that needs a package is refused now
    return transport


def aiohttp_transport(*, verify: ssl.SSLContext | None = None, proxy: str | None = None) -> httpx.AsyncBaseTransport:
    """
    Return a transport on aiohttp, which takes less of the event loop's time. It needs the extra `aiohttp`.

    *verify* and *proxy* are as in `default_transport`. It may serve many clients, in any number of event
    loops and threads. Its connections in a loop are closed when that loop ends, or before, with `aclose()`
    or `async with`.

    Raises `ConfigurationError` for a proxy or certificates that cannot be used.
    """
    given: object = proxy
    address = hide(given)
    del proxy, given  # as above
    from ._aiohttp import AiohttpTransport  # noqa: PLC0415  # an extra

    return AiohttpTransport(*_settings(verify, address))


def _settings(verify: ssl.SSLContext | None, proxy: Secret | NoText | None) -> tuple[ssl.SSLContext, ChooseProxy]:
    """Return the TLS context, and what chooses the proxy for a base URL."""
    context = tls_context() if verify is None else verify
    if not _is_context(context):
        kind = type(context).__name__
        raise of_client.error(
            "verify", f"must be of type SSLContext, not {kind}: such as ssl.create_default_context(cafile=...)"
        )
    if proxy is None:
        return context, environment_proxies()
    chosen = read_proxy("proxy", of_client.text("proxy", proxy))
    return context, lambda _: chosen


def _is_context(value: object) -> bool:
    """Return whether *value* has what asyncio needs of a TLS context."""
    return not isinstance(value, type) and callable(getattr(value, "wrap_bio", None))
