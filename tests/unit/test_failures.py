"""What transports raise, in our own words."""

import asyncio
import errno
import os
import socket
import ssl
import zlib
from traceback import extract_tb

import attrs
import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups._http.failures import Failure, StaleError, failure_of

LOST = Failure(reason="the connection was lost", disconnected=True)
INVALID = Failure(reason="the answer is not valid HTTP, or was cut off")
FAILED = Failure(reason="the transport failed")
CUT = Failure(reason="the answer's compressed body was cut off")
LATE = Failure(reason="it took too long", timed_out=True)

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


def unknown(kind: type[Exception]) -> Failure:
    """Return the failure of a *kind* of error that no transport should raise."""
    return Failure(reason=f"the transport failed ({kind.__name__})", retryable=False)


# All that httpx can raise, and what it means where it comes from a transport.
HTTPX: dict[type[Exception], Failure] = {
    httpx.ConnectTimeout: Failure(reason="connecting took too long", timed_out=True),
    httpx.ReadTimeout: Failure(reason="the answer took too long", timed_out=True),
    httpx.WriteTimeout: Failure(reason="sending took too long", timed_out=True),
    httpx.PoolTimeout: Failure(reason="no connection became free", timed_out=True),
    httpx.TimeoutException: LATE,
    httpx.ProxyError: Failure(reason="the proxy refused"),
    httpx.ConnectError: Failure(reason="no connection could be made"),
    httpx.LocalProtocolError: Failure(reason="the request is not valid HTTP", retryable=False),
    httpx.UnsupportedProtocol: Failure(reason="the transport cannot do this", retryable=False),
    httpx.DecodingError: Failure(reason="the answer's body is damaged"),
    **dict.fromkeys((httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.NetworkError), LOST),
    **dict.fromkeys((httpx.RemoteProtocolError, httpx.ProtocolError), INVALID),
    **dict.fromkeys((httpx.TooManyRedirects, httpx.TransportError, httpx.RequestError), FAILED),
    **dict.fromkeys((httpx.HTTPStatusError, httpx.HTTPError), FAILED),
    **{kind: unknown(kind) for kind in (httpx.CookieConflict, httpx.InvalidURL, httpx.StreamError)},
    **{kind: unknown(kind) for kind in (httpx.RequestNotRead, httpx.ResponseNotRead)},
    **{kind: unknown(kind) for kind in (httpx.StreamClosed, httpx.StreamConsumed)},
}
OTHERS: dict[type[Exception], Failure] = {
    StaleError: attrs.evolve(LOST, stale=True),
    zlib.error: Failure(reason="the answer's compressed body is damaged"),
    EOFError: CUT,
    asyncio.IncompleteReadError: CUT,
    TimeoutError: LATE,
    OSError: LOST,
    ConnectionResetError: LOST,
    UnicodeError: unknown(UnicodeError),
}


def raised(kind: type[Exception]) -> Exception:
    """Return a *kind* of exception with words of its own, as bare as its constructor allows."""
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", "https://api.example")
        return httpx.HTTPStatusError("canary", request=request, response=httpx.Response(500))
    if kind is asyncio.IncompleteReadError:
        return asyncio.IncompleteReadError(b"canary", 9)
    if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError:
        return kind()
    return kind("canary")


def caused(error: Exception, *causes: BaseException) -> Exception:
    """Return *error* as it is when *causes*, the nearest first, led to it."""
    last: BaseException = error
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return error


def test_table_of_httpx_is_complete() -> None:
    """Every exception that httpx has is told apart here, so that a new one is noticed."""
    public = {getattr(httpx, name) for name in httpx.__all__}

    assert {kind for kind in public if isinstance(kind, type) and issubclass(kind, Exception)} == set(HTTPX)


@pytest.mark.parametrize(
    ("kind", "failure"), (HTTPX | OTHERS).items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_failure_of(kind: type[Exception], failure: Failure) -> None:
    """Each exception is said in our own words, and tells whether trying again may help."""
    assert attrs.evolve(failure_of(raised(kind)), said="") == failure


def test_failure_is_worth_another_try_unless_it_says_otherwise() -> None:
    """What is not said of a failure is that it may pass, and that nothing else is known of it."""
    nothing_else = {"hint": "", "timed_out": False, "disconnected": False, "stale": False, "said": ""}

    assert attrs.asdict(Failure(reason="no")) == {"reason": "no", "retryable": True, **nothing_else}


def test_f27_server_that_closes_before_it_answers() -> None:
    """A server that closes the connection before it answers is told from one that answers badly."""
    said = "Server disconnected without sending a response."
    failure = failure_of(httpx.RemoteProtocolError(said))

    assert failure == Failure(reason="the server closed the connection", disconnected=True, said=said)
    assert failure_of(httpx.ProxyError("disconnected")).reason == "the proxy refused"


def test_what_a_mock_says_is_kept() -> None:
    """What an exception says that no network caused is kept for the error's sentence, and shown by no repr."""
    by_a_mock = failure_of(httpx.TimeoutException("canary"))
    by_httpx = httpx.ReadTimeout("canary")
    by_httpx.__cause__ = OSError()

    assert (by_a_mock.said, failure_of(by_httpx).said) == ("canary", "")
    assert "canary" not in repr(by_a_mock)


class UnspeakableError(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("canary"), "'canary'"),
        (TimeoutError("canary"), "canary"),
        (OSError("canary"), "canary"),
        (OSError(errno.ECONNREFUSED, "canary"), ""),  # the sentence has the system's own words
        (EOFError("canary"), ""),
        (UnspeakableError("canary"), ""),
    ],
    ids=["any", "time-out", "OSError", "of a system call", "of decompression", "without a text"],
)
def test_what_exceptions_of_python_say(error: Exception, said: str) -> None:
    """What any exception of a transport says is kept, unless the sentence says it already."""
    assert failure_of(error).said == said


REFUSED = OSError(errno.ECONNREFUSED, "canary")


@pytest.mark.parametrize(
    "causes",
    [
        pytest.param([OSError("canary"), REFUSED], id="further down"),
        pytest.param([ExceptionGroup("canary", [REFUSED, OSError(errno.EPERM, "y")])], id="for each address"),
        pytest.param([OSError("ca", "nary"), REFUSED], id="after one of another form"),
        pytest.param([OSError(-99, "canary"), REFUSED], id="after an unknown number"),
    ],
)
def test_f26_reason_of_the_system(causes: list[BaseException]) -> None:
    """What the operating system says is a part of the reason, wherever it stands."""
    failure = failure_of(caused(httpx.ConnectError("canary"), *causes))

    assert failure == Failure(reason=f"no connection could be made: {os.strerror(errno.ECONNREFUSED)}")


def test_reason_in_the_context() -> None:
    """What was being handled when the error came is looked at where no cause is named."""
    error = httpx.ReadError("canary")
    error.__context__ = ConnectionResetError(errno.ECONNRESET, "canary")

    assert failure_of(error).reason == f"the connection was lost: {os.strerror(errno.ECONNRESET)}"


@pytest.mark.parametrize(
    "cause", [TimeoutError(errno.ETIMEDOUT, "canary"), ssl.SSLWantReadError(2, "canary")], ids=["system", "TLS"]
)
def test_f29_time_that_ran_out_is_all_that_is_said(cause: Exception) -> None:
    """A timeout says that it is one, and not what the system calls it, or that TLS wanted to read."""
    assert failure_of(caused(httpx.ConnectTimeout("canary"), cause)) == HTTPX[httpx.ConnectTimeout]


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        pytest.param(socket.gaierror(socket.EAI_NONAME, "Name not known"), "Name not known", id="in words"),
        pytest.param(socket.gaierror("canary"), "no reason given", id="without words"),
    ],
)
def test_f26_unknown_host(cause: Exception, reason: str) -> None:
    """A host that is not found is said to be, also where another library wrapped its number."""
    wrapped = OSError(errno.ENOEXEC, "canary")  # on some systems this is the number of an unknown name

    failure = failure_of(caused(httpx.ConnectError("canary"), wrapped, cause))

    assert failure == Failure(reason=f"the host name was not found: {reason}", hint="check base_url")


def test_bug_of_a_transport_is_told_by_its_place() -> None:
    """An error that no transport should raise names the line that it came from; what it says is kept."""
    with pytest.raises(ZeroDivisionError) as caught:
        httpx.MockTransport(lambda _: httpx.Response(1 // 0)).handle_request(httpx.Request("GET", "https://a.invalid"))

    failure = failure_of(caught.value)

    line = caught.value.__traceback__ and extract_tb(caught.value.__traceback__)[-1].lineno
    reason = f"the transport failed (ZeroDivisionError in test_failures.py, line {line})"
    assert failure == Failure(reason=reason, retryable=False, said="integer division or modulo by zero")


@pytest.mark.parametrize("code", [*range(17, 23), 62, None])
def test_f26_certificates(code: int | None) -> None:
    """A certificate is not tried again; what is said of it may stand further down; the way out is that of its code."""
    original = ssl.SSLCertVerificationError("canary")
    original.verify_message = "certificate has expired"
    if code is not None:
        original.verify_code = code

    failure = failure_of(caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("canary"), original))

    assert failure.reason == "certificate verify failed: certificate has expired"
    assert failure.hint == ("SSL_CERT_FILE names certificates to trust" if code in {18, 19, 20, 21} else "")
    assert not failure.retryable


def test_f26_tls_that_fails_otherwise() -> None:
    """Another failure of TLS is named, and may pass; one that a library made itself has no reason to tell."""
    error = ssl.SSLError(1, "canary")

    assert failure_of(caused(httpx.ConnectError("x"), error)) == Failure(reason="TLS failed: no reason given")
    error.reason = "UNSUPPORTED_PROTOCOL"
    assert failure_of(caused(httpx.ConnectError("x"), error)) == Failure(reason="TLS failed: UNSUPPORTED_PROTOCOL")


@pytest.mark.parametrize("loop", [1, 2])
def test_causes_that_go_round(loop: int) -> None:
    """An error that is among its own causes is looked at once."""
    errors: list[Exception] = [httpx.ConnectError("canary"), *(RuntimeError("canary") for _ in range(loop - 1))]

    caused(*errors, errors[0])

    assert failure_of(errors[0]) == HTTPX[httpx.ConnectError]


def test_errors_that_cannot_be_hashed() -> None:
    """An error with an equality of its own is looked at like any other."""

    @attrs.define
    class OddError(Exception):
        """An exception that is a value."""

        number: int

    failure = failure_of(caused(OddError(1), OddError(1), ConnectionResetError(errno.ECONNRESET, "x")))

    assert failure.reason == f"the transport failed (OddError): {os.strerror(errno.ECONNRESET)}"


@unhurried
@given(
    st.lists(
        st.sampled_from([*HTTPX, *OTHERS, ssl.SSLError, socket.gaierror]).map(raised)
        | st.builds(OSError, st.integers() | st.text() | st.lists(st.none()), st.text()),
        min_size=1,
        max_size=5,
    )
)
def test_anything(errors: list[Exception]) -> None:
    """Whatever a transport raises, for whatever reasons, is a failure with words of ours."""
    failure = failure_of(caused(*errors))

    assert failure.reason
    assert "canary" not in failure.reason
