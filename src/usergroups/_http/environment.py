"""TLS and proxies of the environment, for the connections that a client makes itself."""

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # public in CPython; typeshed has it for one platform only
    getproxies,
    getproxies_environment,
    proxy_bypass,
    proxy_bypass_environment,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # as above
)

import httpcore
import httpx

from usergroups._arguments import host_of
from usergroups._secrets import Secret, hide
from usergroups.errors import ConfigurationError

from .connections import Connect
from .network import Backend

_UNUSABLE = "the proxy cannot be used"


ChooseProxy = Callable[[str], httpx.Proxy | None]
"""A function that chooses the proxy for a base URL, or none."""


def connector(base_url: str, context: ssl.SSLContext, choose_proxy: ChooseProxy) -> tuple[Connect, str]:
    """
    Return a maker of connections to *base_url*, and the host of the proxy they go through, or "".

    Raises `ConfigurationError` for a proxy that cannot be used.
    """
    chosen = choose_proxy(base_url)
    proxy = None if chosen is None else _for_httpcore(chosen, context)
    origin = _url(httpx.URL(base_url)).origin

    def connect(backend: httpcore.AsyncNetworkBackend) -> httpcore.AsyncConnectionInterface:
        pool = httpcore.AsyncConnectionPool(ssl_context=context, proxy=proxy, network_backend=backend)
        return pool.create_connection(origin)

    with suppress(ImportError):
        connect(Backend())  # also runs httpcore's late imports before the first call
        return connect, "" if chosen is None else chosen.url.netloc.decode("ascii")
    raise ConfigurationError(
        f"{_UNUSABLE}: its scheme is not supported, or needs a package that is not installed"
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


def environment_proxies() -> ChooseProxy:
    """
    Read the environment's proxies now, by the rules of `urllib.request`, and return what chooses among them.
    """
    proxies = {scheme: hide(address) for scheme, address in getproxies().items()}  # an address may hold a password
    excepted = {"no": proxies["no"].reveal()} if "no" in proxies else {}
    from_variables = bool(getproxies_environment())

    @cache
    def choose(base_url: str) -> httpx.Proxy | None:
        parts = urlsplit(base_url)
        address = proxies.get(parts.scheme)
        if address is None or not address.reveal():
            return None
        if proxy_bypass_environment(parts.netloc, excepted) if from_variables else proxy_bypass(parts.netloc):
            return None
        return read_proxy(f"{_UNUSABLE}: {parts.scheme.upper()}_PROXY of the environment", address)

    return choose


def read_proxy(name: str, address: Secret) -> httpx.Proxy:
    """
    Return the proxy with the URL *address*. Raises `ConfigurationError`, about *name*, if there is no such proxy.
    """
    with suppress(ValueError, httpx.InvalidURL):
        scheme = "" if "://" in address.reveal() else "http://"
        unquote(address.reveal(), errors="strict")  # a password is sent in UTF-8
        proxy = httpx.Proxy(scheme + address.reveal().removeprefix("//"))
        if host_of(proxy.url.netloc.decode("ascii")):
            return proxy
    raise ConfigurationError(f"{name} is no URL of a proxy that is known")


def tls_context() -> ssl.SSLContext:
    """
    Return a TLS context with the certificates that the environment names, else with certifi's.

    Making one is slow: clients share it until the environment names others, or these change.
    """
    places = [os.environ.get(name) or None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
    try:
        return _context(*places, *[place and Path(place).stat().st_mtime_ns for place in places])
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "no certificates in it"
    raise ConfigurationError(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {reason}")


@lru_cache(maxsize=2)
def _context(file: str | None, folder: str | None, *_changed_at: object) -> ssl.SSLContext:
    if file or folder:
        return ssl.create_default_context(cafile=file, capath=folder)
    return httpx.create_ssl_context()
