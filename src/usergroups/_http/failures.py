"""Failures: why no usable response arrived. The errors of other libraries become one of these."""

import os
import re
import socket
import ssl
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from errno import errorcode
from pathlib import Path
from traceback import extract_tb
from typing import cast

import attrs
import httpx

from usergroups.errors import status_line

_PROXY_HINTS = {403: "it does not let this host through", 407: "check the proxy's user and password"}
_UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})  # OpenSSL's verify codes, X509_V_ERR_...


class StaleError(httpx.ReadError):
    """
    Raised by the SDK's own transports: an idle connection was closed before a byte of the response arrived.
    """


@attrs.frozen(kw_only=True)
class Failure:
    """
    The reason why no usable response arrived.

    *disconnected*: the peer closed the connection. *stale*: it had been idle before, so that the peer
    never saw the request. *hint* is a likely remedy, or empty. *said* is what a transport said that is not
    the SDK's own, with any secrets in it.
    """

    reason: str
    hint: str = ""
    timed_out: bool = False
    retryable: bool = True
    disconnected: bool = False
    stale: bool = False
    said: str = attrs.field(default="", repr=False)


# The first row that matches is taken. Every public exception of httpx that a transport may raise
# matches one; a test checks them all.
_TABLE: tuple[tuple[type[Exception], Failure], ...] = (
    (httpx.ConnectTimeout, Failure(reason="connecting took too long", timed_out=True)),
    (httpx.ReadTimeout, Failure(reason="the answer took too long", timed_out=True)),
    (httpx.WriteTimeout, Failure(reason="sending took too long", timed_out=True)),
    (httpx.PoolTimeout, Failure(reason="no connection became free", timed_out=True)),
    (httpx.TimeoutException, Failure(reason="it took too long", timed_out=True)),
    (httpx.ProxyError, Failure(reason="the proxy refused")),
    (httpx.ConnectError, Failure(reason="no connection could be made")),
    (StaleError, Failure(reason="the connection was lost", disconnected=True, stale=True)),
    (httpx.NetworkError, Failure(reason="the connection was lost", disconnected=True)),
    (httpx.LocalProtocolError, Failure(reason="the request is not valid HTTP", retryable=False)),
    (httpx.ProtocolError, Failure(reason="the answer is not valid HTTP, or was cut off")),
    (httpx.UnsupportedProtocol, Failure(reason="the transport cannot do this", retryable=False)),
    (httpx.DecodingError, Failure(reason="the answer's body is damaged")),
    (httpx.HTTPError, Failure(reason="the transport failed")),
    (zlib.error, Failure(reason="the answer's compressed body is damaged")),
    (EOFError, Failure(reason="the answer's compressed body was cut off")),
    (TimeoutError, Failure(reason="it took too long", timed_out=True)),
    (OSError, Failure(reason="the connection was lost", disconnected=True)),
)


def failure_of(error: Exception) -> Failure:
    """
    Return the failure that *error*, raised by a transport, means.
    """
    if isinstance(error, httpx.ProxyError) and (status := re.match(r"[1-9][0-9]{2}\b", str(error))):
        return _refused_connect(int(status[0]), getattr(error, "proxy", ""))
    unknown = Failure(reason=f"the transport failed ({type(error).__name__}{_where_raised(error)})", retryable=False)
    failure = next((failure for kind, failure in _TABLE if isinstance(error, kind)), unknown)
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error):
        failure = Failure(reason="the server closed the connection", disconnected=True)
    if failure is unknown or (_is_bare(error) and error.__cause__ is None):
        with suppress(Exception):  # a foreign class may have any `__str__`
            failure = attrs.evolve(failure, said=str(error))
    return _with_cause(failure, error)


def _is_bare(error: Exception) -> bool:
    """Return whether *error* is one that no library or system call made: of a transport that was passed in, a mock."""
    return isinstance(error, httpx.HTTPError) or (isinstance(error, OSError) and error.errno is None)


class ProxyAnswerError(httpx.ProxyError):
    """
    Raised by the SDK's own transports: *proxy* refused a CONNECT with *status*.
    """

    def __init__(self, status: int, proxy: str) -> None:
        super().__init__(str(status))
        self.proxy = proxy


def _refused_connect(status: int, proxy: str) -> Failure:
    name = f"the proxy {proxy}" if proxy else "the proxy"
    return Failure(
        reason=f"{name} answered CONNECT with {status_line(status)}",
        hint=_PROXY_HINTS.get(status, ""),
        retryable=status >= 500 or status in (408, 425, 429),
    )


def _where_raised(error: Exception) -> str:
    """Return where *error* was raised."""
    frames = extract_tb(error.__traceback__)
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def _with_cause(failure: Failure, error: BaseException) -> Failure:
    """Return *failure* with the reason that the operating system or the TLS library gave, if any."""
    causes = list(_causes(error))
    if certificate := _said(ssl.SSLCertVerificationError, "verify_message", causes):
        unknown = any(getattr(cause, "verify_code", 0) in _UNKNOWN_ISSUER for cause in causes)
        hint = "SSL_CERT_FILE names certificates to trust" if unknown else ""
        return attrs.evolve(failure, reason=f"certificate verify failed: {certificate}", retryable=False, hint=hint)
    if failure.timed_out:  # its context may be an SSLWantReadError, or the system's own word for it
        return failure
    if tls := _said(ssl.SSLError, "reason", causes):
        return attrs.evolve(failure, reason=f"TLS failed: {tls}")
    if name := _said(socket.gaierror, "strerror", causes):
        return attrs.evolve(failure, reason=f"the host name was not found: {name}", hint="check base_url")
    numbers = (cause.errno for cause in causes if isinstance(cause, OSError))
    known = next((number for number in numbers if isinstance(number, int) and number in errorcode), None)
    return attrs.evolve(failure, reason=f"{failure.reason}: {os.strerror(known)}") if known else failure


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and its causes. Of a group, which has one error per address tried, follow the first."""
    seen: set[int] = set()  # `raise error from error` makes a cycle
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        if isinstance(cause, BaseExceptionGroup):
            cause = cast("BaseExceptionGroup[BaseException]", cause).exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__


def _said(kind: type[BaseException], name: str, causes: Sequence[BaseException]) -> str:
    """Return the first attribute *name* of those of *causes* that are a *kind*, or nothing if none is."""
    said = [getattr(cause, name, None) for cause in causes if isinstance(cause, kind)]
    return str(next(filter(None, said), "no reason given")) if said else ""
