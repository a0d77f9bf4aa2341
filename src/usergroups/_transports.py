"""The transport that a client makes for itself: TLS and proxies as the environment says."""

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # public in CPython; typeshed has it for one platform only
    getproxies,
    getproxies_environment,
    proxy_bypass,
    proxy_bypass_environment,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # as above
)

import httpx

from ._lines import KEPT_ALIVE
from ._settings import hide, host_of
from .errors import ConfigurationError


def transport_maker(base_url: str) -> tuple[Callable[[], httpx.AsyncBaseTransport], str]:
    """
    Give what makes transports to *base_url* with one connection each, and the proxy's host, if any.

    The environment is read now: `HTTPS_PROXY` and its kin by the rules of `urllib.request`, and
    `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the certificates of certifi.
    """
    context = tls_context()
    proxy = environment_proxies()(base_url)
    if proxy is not None and proxy.url.scheme == "https":
        proxy.ssl_context = context
    limits = httpx.Limits(max_connections=1, keepalive_expiry=KEPT_ALIVE)

    def make() -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=context, proxy=proxy, limits=limits)

    if not _makes(make):  # and what httpx puts off importing is there before the first call
        raise ConfigurationError(
            "the proxy of the environment cannot be used: its scheme is not supported, or needs a"
            " package that is not installed (for socks: pip install 'httpx[socks]')"
        )
    return make, "" if proxy is None else proxy.url.netloc.decode("ascii")


def _makes(make: Callable[[], object]) -> bool:
    try:
        make()
    except (ImportError, ValueError):
        return False
    return True


def environment_proxies() -> Callable[[str], httpx.Proxy | None]:
    """
    Read the environment's proxies now, and give what chooses among them for a base URL.
    """
    proxies = {scheme: hide(address) for scheme, address in getproxies().items()}  # they may hold a password
    from_variables = bool(getproxies_environment())

    def choose(base_url: str) -> httpx.Proxy | None:
        parts = urlsplit(base_url)
        address = proxies.get(parts.scheme)
        if not address:
            return None
        if proxy_bypass_environment(parts.netloc, proxies) if from_variables else proxy_bypass(parts.netloc):
            return None
        proxy = None
        with suppress(ValueError, httpx.InvalidURL):
            proxy = httpx.Proxy(address if "://" in address else f"http://{address.removeprefix('//')}")
        if proxy is None or not host_of(proxy.url.netloc.decode("ascii")):
            raise ConfigurationError(
                "the proxy of the environment cannot be used: it is no URL of a proxy that is known"
            )
        return proxy

    return choose


def tls_context() -> ssl.SSLContext:
    """
    Give the TLS context for the certificates that the environment names, else for certifi's.
    """
    file, folder = os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
    return _context(file, folder, _version(file), _version(folder))


def _version(path: str) -> tuple[int, ...]:
    """
    Give what is another where *path* has been written to or replaced; nothing where it is not there.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  # a Path of an empty text is the working directory
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


@lru_cache(maxsize=8)
def _context(cert_file: str, cert_dir: str, *_versions: tuple[int, ...]) -> ssl.SSLContext:
    """
    Make the TLS context, which is costly: clients with the same certificates share one.
    """
    reason = ""
    try:
        if cert_file or cert_dir:
            return ssl.create_default_context(cafile=cert_file or None, capath=cert_dir or None)
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "no certificates in it"
    raise ConfigurationError(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {reason}")
