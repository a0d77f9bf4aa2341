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
import trustme
from hypothesis import given
from hypothesis import strategies as st

from usergroups._http.failures import _TABLE, Failure, failure_of

TRUST = "SSL_CERT_FILE names certificates to trust"  # the way out

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

# All that httpx can raise, and what it means where it comes from a transport.
HTTPX: dict[type[Exception], Failure] = {
    httpx.ConnectTimeout: Failure(reason="connecting took too long", timed_out=True),
    httpx.ReadTimeout: Failure(reason="the answer took too long", timed_out=True),
    httpx.WriteTimeout: Failure(reason="sending took too long", timed_out=True),
    httpx.PoolTimeout: Failure(reason="no connection became free", timed_out=True),
    httpx.TimeoutException: Failure(reason="it took too long", timed_out=True),
    httpx.ProxyError: Failure(reason="the proxy refused"),
    httpx.ConnectError: Failure(reason="no connection could be made"),
    httpx.ReadError: Failure(reason="the connection was lost", disconnected=True),
    httpx.WriteError: Failure(reason="the connection was lost", disconnected=True),
    httpx.CloseError: Failure(reason="the connection was lost", disconnected=True),
    httpx.NetworkError: Failure(reason="the connection was lost", disconnected=True),
    httpx.LocalProtocolError: Failure(reason="the request is not valid HTTP", retryable=False),
    httpx.RemoteProtocolError: Failure(reason="the answer is not valid HTTP, or was cut off"),
    httpx.ProtocolError: Failure(reason="the answer is not valid HTTP, or was cut off"),
    httpx.UnsupportedProtocol: Failure(reason="the transport cannot do this", retryable=False),
    httpx.DecodingError: Failure(reason="the answer's body is damaged"),
    httpx.TooManyRedirects: Failure(reason="the transport failed"),
    httpx.TransportError: Failure(reason="the transport failed"),
    httpx.RequestError: Failure(reason="the transport failed"),
    httpx.HTTPStatusError: Failure(reason="the transport failed"),
    httpx.HTTPError: Failure(reason="the transport failed"),
    **{
        kind: Failure(reason=f"the transport failed ({kind.__name__})", retryable=False)
        for kind in (
            httpx.CookieConflict,
            httpx.InvalidURL,
            httpx.RequestNotRead,
            httpx.ResponseNotRead,
            httpx.StreamClosed,
            httpx.StreamConsumed,
            httpx.StreamError,
        )
    },
}

OTHERS: dict[type[Exception], Failure] = {
    zlib.error: Failure(reason="the answer's compressed body is damaged"),
    EOFError: Failure(reason="the answer's compressed body was cut off"),
    asyncio.IncompleteReadError: Failure(reason="the answer's compressed body was cut off"),
    TimeoutError: Failure(reason="it took too long", timed_out=True),
    OSError: Failure(reason="the connection was lost", disconnected=True),
    ConnectionResetError: Failure(reason="the connection was lost", disconnected=True),
    RuntimeError: Failure(reason="the transport failed (RuntimeError)", retryable=False),
    UnicodeError: Failure(reason="the transport failed (UnicodeError)", retryable=False),
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


@pytest.mark.parametrize(("kind", "fault"), (HTTPX | OTHERS).items(), ids=lambda value: getattr(value, "__name__", ""))
def test_fault_of(kind: type[Exception], fault: Failure) -> None:
    """Each exception is said in our own words, and tells whether trying again may help."""
    assert failure_of(raised(kind)) == fault


def test_fault_is_worth_another_try_unless_it_says_otherwise() -> None:
    """What is not said of a fault is that it may pass, and that nothing else is known of it."""
    assert attrs.asdict(Failure(reason="no")) == {
        "reason": "no",
        "hint": "",
        "timed_out": False,
        "retryable": True,
        "disconnected": False,
        "stale": False,
        "attempts": 1,
    }


@pytest.mark.parametrize("row", _TABLE, ids=lambda row: row[0].__name__)
def test_no_row_hides_another(row: tuple[type[Exception], Failure]) -> None:
    """Each row of the table is the first that fits its own exception."""
    kind, fault = row

    assert failure_of(raised(kind)) == fault


@pytest.mark.parametrize(
    "text", ["Server disconnected without sending a response.", "server disconnected"], ids=["httpcore", "aiohttp"]
)
def test_f27_server_that_closes_before_it_answers(text: str) -> None:
    """A server that closes the connection before it answers is told from one that answers badly."""
    fault = failure_of(httpx.RemoteProtocolError(text))

    assert fault == Failure(reason="the server closed the connection", disconnected=True)


def test_f27_other_errors_are_not_read() -> None:
    """Only an error of the peer's protocol can tell that the peer closed the connection."""
    assert failure_of(httpx.ProxyError("disconnected")) == Failure(reason="the proxy refused")


@pytest.mark.parametrize(
    "causes",
    [
        pytest.param([ConnectionRefusedError(errno.ECONNREFUSED, "canary")], id="at once"),
        pytest.param([OSError("canary"), ConnectionRefusedError(errno.ECONNREFUSED, "canary")], id="further down"),
        pytest.param(
            [
                OSError("canary"),
                ExceptionGroup("canary", [ConnectionRefusedError(errno.ECONNREFUSED, "x"), OSError(errno.EPERM, "y")]),
            ],
            id="for each address",
        ),
        pytest.param([OSError("ca", "nary"), OSError(errno.ECONNREFUSED, "canary")], id="after one of another form"),
        pytest.param([OSError(-99, "canary"), OSError(errno.ECONNREFUSED, "canary")], id="after an unknown number"),
    ],
)
def test_f26_reason_of_the_system(causes: list[BaseException]) -> None:
    """What the operating system says is a part of the reason, wherever it stands."""
    fault = failure_of(caused(httpx.ConnectError("canary"), *causes))

    assert fault == Failure(reason=f"no connection could be made: {os.strerror(errno.ECONNREFUSED)}")


def test_reason_in_the_context() -> None:
    """What was being handled when the error came is looked at where no cause is named."""
    error = httpx.ReadError("canary")
    error.__context__ = ConnectionResetError(errno.ECONNRESET, "canary")

    assert failure_of(error).reason == f"the connection was lost: {os.strerror(errno.ECONNRESET)}"


def test_time_that_ran_out_is_all_that_is_said() -> None:
    """A timeout says that it is one, and not what the system calls it."""
    fault = failure_of(caused(httpx.ConnectTimeout("canary"), TimeoutError(errno.ETIMEDOUT, "canary")))

    assert fault == HTTPX[httpx.ConnectTimeout]


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

    fault = failure_of(caused(httpx.ConnectError("canary"), wrapped, cause))

    assert fault == Failure(reason=f"the host name was not found: {reason}", hint="check base_url")


def test_bug_of_a_transport_is_told_by_its_place() -> None:
    """An error that no transport should raise names the line that it came from, and shows nothing else of it."""
    with pytest.raises(ZeroDivisionError) as caught:
        httpx.MockTransport(lambda _: httpx.Response(1 // 0)).handle_request(httpx.Request("GET", "https://a.invalid"))

    fault = failure_of(caught.value)

    line = caught.value.__traceback__ and extract_tb(caught.value.__traceback__)[-1].lineno
    assert fault == Failure(
        reason=f"the transport failed (ZeroDivisionError in test_faults.py, line {line})", retryable=False
    )


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """Shake hands in memory, as far as it goes."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
    for end in ends * 4:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> ssl.SSLContext:
    """Return a server with a certificate of that authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.example").configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("trusted", "name", "reason", "hint"),
    [
        pytest.param(False, "api.example", "unable to get local issuer certificate", TRUST, id="an unknown authority"),
        pytest.param(
            True, "other.example", "Hostname mismatch, certificate is not valid for 'other.example'.", "", id="host"
        ),
    ],
)
def test_f26_certificates(
    authority: trustme.CA, server: ssl.SSLContext, trusted: bool, name: str, reason: str, hint: str
) -> None:
    """A certificate that is not trusted is named as the reason, with the way out where there is one: no other try."""
    client = ssl.create_default_context()
    if trusted:
        authority.configure_trust(client)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(client, server, name)

    fault = failure_of(caused(httpx.ConnectError("canary"), caught.value))

    assert fault == Failure(reason=f"certificate verify failed: {reason}", retryable=False, hint=hint)


def test_f26_tls_that_fails_otherwise() -> None:
    """Another failure of TLS is named, and may pass."""
    client = ssl.create_default_context()
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    old = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError) as caught:
        handshake(client, old, "api.example")

    fault = failure_of(caused(httpx.ConnectError("canary"), caught.value))

    assert fault == Failure(reason=f"TLS failed: {caught.value.reason}")


def test_f29_time_that_runs_out_over_tls_is_no_failure_of_tls() -> None:
    """Whoever waits for more over TLS does so because TLS wants to read: that is no reason for anything."""
    fault = failure_of(caused(httpx.ReadTimeout("canary"), ssl.SSLWantReadError(2, "canary")))

    assert fault == failure_of(httpx.ReadTimeout("canary"))
    assert fault.timed_out


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        pytest.param(
            ssl.SSLCertVerificationError("canary"),
            Failure(reason="certificate verify failed: no reason given", retryable=False),
            id="a certificate",
        ),
        pytest.param(ssl.SSLError("canary"), Failure(reason="TLS failed: no reason given"), id="anything else"),
    ],
)
def test_f26_tls_errors_that_others_made(cause: Exception, fault: Failure) -> None:
    """An error of TLS that a library made itself has no reason to tell, and is one all the same."""
    assert failure_of(caused(httpx.ConnectError("canary"), cause)) == fault


def test_f26_reason_of_a_certificate_is_looked_for_further_down() -> None:
    """Where a library made its own error of a certificate, the reason stands in the one below."""
    original = ssl.SSLCertVerificationError("canary")
    original.verify_message = "certificate has expired"

    fault = failure_of(caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("wrapped"), original))

    assert fault == Failure(reason="certificate verify failed: certificate has expired", retryable=False)


@pytest.mark.parametrize("loop", [1, 2, 3])
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

    fault = failure_of(caused(OddError(1), OddError(1), ConnectionResetError(errno.ECONNRESET, "x")))

    assert fault.reason == f"the transport failed (OddError): {os.strerror(errno.ECONNRESET)}"


@unhurried
@given(
    st.lists(
        st.sampled_from([*HTTPX, *OTHERS, ssl.SSLError, socket.gaierror]).map(raised)
        | st.builds(OSError, st.integers() | st.text() | st.lists(st.none()), st.text())
        | st.builds(
            lambda error: ExceptionGroup("canary", [error]), st.builds(OSError, st.integers(0, 200), st.just("x"))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_anything(errors: list[Exception]) -> None:
    """Whatever a transport raises, for whatever reasons, is a fault with words of ours."""
    fault = failure_of(caused(*errors))

    assert fault.reason
    assert "canary" not in fault.reason
