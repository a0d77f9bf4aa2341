"""What went wrong where no usable answer arrived, in our own words: other libraries' errors end here."""

import os
import socket
import ssl
import zlib
from collections.abc import Iterator
from typing import cast

import attrs
import httpx


@attrs.frozen(kw_only=True)
class Fault:
    """
    The reason why no usable answer arrived.

    *disconnected* tells that the peer closed the connection; *stale* that it had been idle before,
    so that the request was never looked at; *pool_exhausted* that a transport had no room although
    the gate had let the request through.
    """

    reason: str
    timed_out: bool = False
    retryable: bool = True
    disconnected: bool = False
    stale: bool = False
    pool_exhausted: bool = False


# The first row that fits is taken. Every public exception of httpx that a transport may raise falls
# under one of them; a test walks through them all.
_TABLE: tuple[tuple[type[Exception], Fault], ...] = (
    (httpx.ConnectTimeout, Fault(reason="connecting took too long", timed_out=True)),
    (httpx.ReadTimeout, Fault(reason="the answer took too long", timed_out=True)),
    (httpx.WriteTimeout, Fault(reason="sending took too long", timed_out=True)),
    (
        httpx.PoolTimeout,
        Fault(reason="no connection became free", timed_out=True, pool_exhausted=True),
    ),
    (httpx.TimeoutException, Fault(reason="it took too long", timed_out=True)),
    (httpx.ProxyError, Fault(reason="the proxy refused")),
    (httpx.ConnectError, Fault(reason="no connection could be made")),
    (httpx.ReadError, Fault(reason="the connection was lost", disconnected=True)),
    (httpx.WriteError, Fault(reason="the connection was lost", disconnected=True)),
    (httpx.NetworkError, Fault(reason="the connection was lost", disconnected=True)),
    (httpx.LocalProtocolError, Fault(reason="the request is not valid HTTP", retryable=False)),
    (httpx.ProtocolError, Fault(reason="the answer is not valid HTTP, or was cut off")),
    (httpx.UnsupportedProtocol, Fault(reason="the transport cannot do this", retryable=False)),
    (httpx.DecodingError, Fault(reason="the answer's body is damaged")),
    (httpx.HTTPError, Fault(reason="the transport failed")),
    (zlib.error, Fault(reason="the answer's compressed body is damaged")),
    (EOFError, Fault(reason="the answer's compressed body was cut off")),
    (TimeoutError, Fault(reason="it took too long", timed_out=True)),
    (OSError, Fault(reason="the connection was lost", disconnected=True)),
)


def fault_of(error: Exception) -> Fault:
    """
    Say in our words what *error*, raised by a transport, means.
    """
    unknown = Fault(reason=f"the transport failed ({type(error).__name__})", retryable=False)
    fault = next((fault for kind, fault in _TABLE if isinstance(error, kind)), unknown)
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error):
        fault = Fault(reason="the server closed the connection", disconnected=True)
    return _with_cause(fault, error)


def _with_cause(fault: Fault, error: BaseException) -> Fault:
    """
    Add what the operating system or the TLS library said, where they said anything.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"certificate verify failed: {cause.verify_message}"
            return attrs.evolve(fault, reason=reason, retryable=False)
        if isinstance(cause, ssl.SSLError):
            return attrs.evolve(fault, reason=f"TLS failed: {cause.reason or 'no reason given'}")
        if isinstance(cause, socket.gaierror):
            return attrs.evolve(fault, reason=f"the host name was not found: {cause.strerror}")
        if isinstance(cause, OSError) and cause.errno and not fault.timed_out:
            return attrs.evolve(fault, reason=f"{fault.reason}: {os.strerror(cause.errno)}")
    return fault


def _causes(error: BaseException) -> Iterator[BaseException]:
    """
    Give *error* and what led to it; of a group, one for each address that was tried, the first.
    """
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            cause = cast("BaseExceptionGroup[BaseException]", cause).exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__
