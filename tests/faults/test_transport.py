"""Below HTTP: connections that fail, break off, drip, end or bring too much; proxies, certificates and many loops."""

import asyncio
import gzip
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trustme

from faults.calls import (
    CHUNKED,
    DAMAGED,
    GOOD_GROUP,
    GROUP,
    GROUP_ID,
    MIB,
    TOKEN,
    Ask,
    Meanwhile,
    Provider,
    cases,
    listed,
    memory,
    serve,
)
from rig.bodies import least
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.goes import goes
from rig.leaks import Watch
from rig.script import (
    Gate,
    Script,
    answer,
    chunked_answer,
    close,
    drip,
    flood,
    head,
    hold,
    json_answer,
    reset,
    silence,
    token_answer,
    tunnel,
)
from rig.sentence import sentence
from rig.server import FaultServer, Request, unused_port
from rig.tls import Authority
from usergroups import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    M3terClient,
    RetryPolicy,
    UserGroupsError,
)
from usergroups.transports import aiohttp_transport, default_transport

USERS = "/organizations/org-1/users/"
MANY_LOOPS = Path(__file__).with_name("many_loops.py")
RUNNERS = ("asyncio.run", "asyncio.Runner", "anyio.run", "uvloop.run")
BURST = 10
ONCE = RetryPolicy(attempts=1)
LATE = 0.05  # seconds after its timeout in which a call must have ended
CLOSED = 0.1  # seconds after that in which the server must have seen its socket closed

ENDINGS = pytest.mark.parametrize("ending", [close, reset], ids=["closed", "reset"])


# 26: no connection


async def test_f26_refused_connection_is_tried_again(server: FaultServer, provider: Provider) -> None:
    """A server that is back before the attempts are used up is reached."""
    server.always(provider.path, provider.good)
    clock = Meanwhile(lambda: len(clock.waits) == 2 and server.accept())
    ask = provider.of(server, clock=clock)
    server.refuse()

    assert await ask() == GROUP_ID

    assert len(clock.waits) == 2


async def test_f26_refused_connection_is_named(server: FaultServer, provider: Provider, watch: Watch) -> None:
    """A server that stays away is said to refuse, after all attempts; nothing is said of the query."""
    server.always(provider.path, provider.good)
    clock = Meanwhile()
    ask = provider.of(server, clock=clock)
    await ask()
    server.refuse()
    server.hang_up()
    await server.all_closed()

    with watch.raises(APIConnectionError) as caught:
        await ask()

    assert sentence(caught.value) == (
        f"GET {provider.path} failed: no connection could be made: Connection refused (127.0.0.1:{server.port})"
    )
    assert (caught.value.method, caught.value.path) == ("GET", provider.path)
    assert not isinstance(caught.value, APITimeoutError)
    assert len(clock.waits) == 2


async def test_f26_refused_connection_is_tried_again_within_timeout(provider: Provider, watch: Watch) -> None:
    """However many attempts there may be, `timeout` ends them."""
    retry = RetryPolicy(attempts=1_000_000, backoff_initial=0.05, backoff_max=0.05)
    ask = provider.of(f"http://127.0.0.1:{unused_port()}", timeout=0.3, retry=retry, roll=0.9)

    for go in goes():
        begun = time.monotonic()
        with watch.raises(APIConnectionError):
            await ask()
        took = time.monotonic() - begun
        assert took >= 0.2
        go.took(took, at_most=0.3 + LATE)


async def test_f26_unknown_host_is_named(provider: Provider, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that no name server knows is said to be unknown, after all attempts."""
    looked_up = []

    async def nobody(host: str | bytes, *args: object, **kwargs: object) -> None:
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    ask = provider.of("https://nobody.invalid")

    with watch.raises(
        APIConnectionError,
        match=r"failed: the host name was not found: Name or service not known \(nobody.invalid\);"
        r" check base_url \(3 attempts in",
    ):
        await ask()

    assert len(looked_up) == 3


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("wrong host", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        ("unknown authority", "unable to get local issuer certificate"),
    ],
)
async def test_f26_certificate_that_cannot_be_trusted_is_final(
    trusted: Authority, make_server: MakeServer, provider: Provider, watch: Watch, kind: Any, reason: str
) -> None:
    """A bad certificate is named and not tried again, now or later; nothing was sent to its holder."""
    server = make_server(tls=trusted.server_context(kind))

    with watch.raises(APIConnectionError) as caught:
        await provider.of(server)()

    host = server.url.partition("//")[2]
    way_out = "; SSL_CERT_FILE names certificates to trust" if kind in ("self-signed", "unknown authority") else ""
    assert sentence(caught.value).endswith(f"failed: certificate verify failed: {reason} ({host}){way_out}")
    assert (caught.value.retryable, caught.value.attempts) == (False, 1)
    assert len(server.connections) == 1
    assert server.requests == []


async def test_f26_other_tls_failure_is_tried_again(
    trusted: Authority, make_server: MakeServer, provider: Provider, watch: Watch
) -> None:
    """A server that does not speak TLS just now is asked again, and said to fail at TLS."""
    server = make_server()
    server.on_connect = lambda number: (b"HTTP/1.1 400 Bad Request\r\n\r\n", close)

    with watch.raises(APIConnectionError, match="failed: TLS failed: [A-Z_]+ [(]127.0.0.1:[0-9]+[)] [(]3 attempts in"):
        await provider.of(f"https://127.0.0.1:{server.port}")()

    assert len(server.connections) == 3


# 27, 28 and 92: connections that end


@ENDINGS
async def test_f27_closed_idle_connection_is_invisible(server: FaultServer, provider: Provider, ending: Any) -> None:
    """A GET that meets the end of a kept-alive connection is sent again at once, and is no attempt of the policy."""
    server.always(
        provider.path,
        lambda request, number: (ending,) if number == 2 else provider.good,
    )
    clock = Meanwhile()
    ask = provider.of(server, retry=RetryPolicy(attempts=1), clock=clock)

    assert [await ask(), await ask()] == [GROUP_ID, GROUP_ID]

    first, second, third = server.asked(provider.path)
    assert first.connection == second.connection != third.connection
    assert clock.waits == []


async def test_f27_hang_up_between_calls_is_invisible(server: FaultServer, provider: Provider) -> None:
    """A server that closes as the next request goes out, whichever is first, costs nothing."""
    server.always(provider.path, provider.good)
    ask = provider.of(server, retry=RetryPolicy(attempts=1))

    for _ in range(20):
        assert await ask() == GROUP_ID
        server.hang_up()

    assert len(server.connections) >= 20


@ENDINGS
async def test_f92_idle_connections_that_close_one_after_another_are_invisible(
    server: FaultServer, provider: Provider, ending: Any
) -> None:
    """A GET that meets the end of one kept-alive connection, then of the next, is no attempt of the policy."""
    gate = Gate(opens_at=3)
    old: set[int] = set()

    def script(request: Request, number: int) -> Script:
        if number <= 3:
            return (hold(gate), provider.good)
        return (ending,) if request.connection in old else provider.good

    server.always(provider.path, script)
    clock = Meanwhile()
    ask = provider.of(server, retry=ONCE, clock=clock)
    await asyncio.gather(*(ask() for _ in range(3)))
    old.update(one.connection for one in server.asked(provider.path))

    assert [await ask() for _ in range(3)] == [GROUP_ID] * 3

    assert len(old) == 3
    assert server.count(provider.path) > 6
    assert clock.waits == []


@pytest.mark.parametrize("reused", [False, True], ids=["new", "kept alive"])
@ENDINGS
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_f92_transport_sends_nothing_again_by_itself(
    server: FaultServer, watch: Watch, method: str, ending: Any, *, reused: bool
) -> None:
    """Whether a request that got no answer goes out again is decided above aiohttp, which sends each once."""
    server.always("/good", answer(b"{}"))
    server.always("/lost", (ending,))
    transport = aiohttp_transport()
    watch.add_client(transport)
    if reused:
        await _read(transport, "GET", f"{server.url}/good")

    with pytest.raises(httpx.ReadError):
        await _read(transport, method, f"{server.url}/lost")

    assert server.count("/lost") == 1
    assert len(server.connections) == 1


async def _read(transport: httpx.AsyncBaseTransport, method: str, url: str) -> bytes:
    content = b"{}" if method == "POST" else None
    response = await transport.handle_async_request(httpx.Request(method, url, content=content))
    try:
        return await response.aread()
    finally:
        await response.aclose()


@ENDINGS
@cases(
    "begin",
    {
        "before the answer": b"",
        "status line": b"HTTP/1.1 2",
        "headers": b"HTTP/1.1 200 OK\r\nContent-Type: application/js",
        "before the body": head(200, length=100),
        "body": head(200, length=100) + b'{"id": ',
        "chunk": head(200, [CHUNKED]) + b"7\r\n{",
    },
)
async def test_f28_broken_answer_is_asked_for_again(
    server: FaultServer, provider: Provider, begin: bytes, ending: Any
) -> None:
    """A GET whose answer breaks off is sent again, on another connection."""
    server.once(provider.path, (begin, ending))
    server.always(provider.path, provider.good)
    ask = provider.of(server)

    assert await ask() == GROUP_ID

    broken, repeated = server.asked(provider.path)
    assert broken.connection != repeated.connection
    assert [one.requests for one in server.connections if one.number == broken.connection] == [broken.nth]


async def test_f28_answers_that_always_break_off_are_an_error(
    server: FaultServer, provider: Provider, watch: Watch
) -> None:
    """After all attempts the error says that the connection was lost."""
    server.always(provider.path, (head(200, length=100), b"{", reset))
    ask = provider.of(server)

    with watch.raises(APIConnectionError, match="failed: the (connection was lost|answer is not valid HTTP)"):
        await ask()

    assert server.count(provider.path) == 3
    assert len({one.connection for one in server.asked(provider.path)}) == 3


# 29 and 30: silence and drips


async def assert_times_out(watch: Watch, ask: Ask, timeout: float, server: FaultServer) -> None:
    """
    Expect `APITimeoutError` after *timeout*, and all sockets of *server* closed soon after it.
    """
    for go in goes():
        begun = time.monotonic()
        with watch.raises(APITimeoutError):
            await ask()
        ended = time.monotonic()
        assert ended - begun >= timeout - 0.005
        go.took(ended - begun, at_most=timeout + LATE)
        await server.all_closed(1)
        go.took(max(one.closed_at or 0.0 for one in server.connections) - ended, at_most=CLOSED)


@pytest.mark.parametrize("where", ["the answer", "whatever is asked", "the handshake", "the proxy"])
async def test_f29_f79_silence_is_a_timeout(
    server: FaultServer, provider: Provider, watch: Watch, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """An API, a token endpoint, a TLS server or a proxy that never says a word costs `timeout`, and no more."""
    server.always(provider.path if where == "the answer" else "*", (silence,))
    if where == "the proxy":
        monkeypatch.setenv("HTTPS_PROXY", server.url)
    asked = {"the handshake": f"https://127.0.0.1:{server.port}", "the proxy": "https://api.invalid"}.get(where, server)

    await assert_times_out(watch, provider.of(asked, timeout=0.4), 0.4, server)


@cases(
    "script",
    {
        "headers": (drip(head(200, length=100), every=0.2),),
        "body": (head(200, length=100), drip(b"{" * 100, every=0.2)),
        "chunks": (head(200, [CHUNKED]), drip(b"1\r\n{\r\n" * 100, every=0.2)),
        "gzip": (head(200, {"Content-Encoding": "gzip"}, length=100), drip(gzip.compress(b"{" * 99), every=0.2)),
    },
)
async def test_f30_drip_is_a_timeout(server: FaultServer, provider: Provider, watch: Watch, script: Script) -> None:
    """An answer that drips in ends with `timeout`, and its socket is closed then."""
    server.always(provider.path, script)
    ask = provider.of(server, timeout=0.5)

    await assert_times_out(watch, ask, 0.5, server)


@pytest.mark.parametrize("kind", ["httpcore", "aiohttp"])
async def test_f30_attempt_whose_body_stops_is_tried_again(
    server: FaultServer, make_smartpm: MakeSmartPM, watch: Watch, kind: str
) -> None:
    """A body that stops coming costs the attempt its own time for a read, not the call all of its `timeout`."""
    server.once(GROUP, (head(200, length=100), b"{", silence))
    server.always(GROUP, GOOD_GROUP)
    transport = Impatient(aiohttp_transport() if kind == "aiohttp" else httpx.AsyncHTTPTransport())
    watch.add_client(transport)
    client = make_smartpm(server, transport=transport, roll=0.0)

    assert (await client.get_user_group(GROUP_ID)).name == "Operators"

    assert server.count(GROUP) == 2


class Impatient(httpx.AsyncBaseTransport):
    """A transport that gives each read a tenth of a second, where the SDK gives it 30."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["timeout"]["read"] = 0.1
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


# 31 and 32: damaged bodies, and what is no HTTP


@pytest.mark.parametrize("kind", DAMAGED)
async def test_f31_damaged_body_is_asked_for_again_and_then_an_error(
    server: FaultServer, provider: Provider, watch: Watch, kind: str
) -> None:
    """A body that is cut or damaged is never taken for the answer: it is asked for again, then an error."""
    script = DAMAGED[kind](200, [])
    server.once(provider.path, script, script, provider.good)
    server.always(provider.path, script)
    ask = provider.of(server)

    assert await ask() == GROUP_ID
    assert server.count(provider.path) == 3

    with watch.raises(APIConnectionError) as caught:
        await ask()

    assert not isinstance(caught.value, APITimeoutError)
    assert server.count(provider.path) == 6


@pytest.mark.parametrize("size", [1, 7, 10_000], ids=["in bytes", "in pieces", "at once"])
async def test_f31_all_members_of_gzip_are_read(server: FaultServer, provider: Provider, size: int) -> None:
    """A gzip body of several members, an empty one among them, is all of their data, however it is cut up."""
    plain = provider.good.partition(b"\r\n\r\n")[2]
    third = len(plain) // 3
    members = [plain[:third], plain[third : 2 * third], b"", plain[2 * third :]]
    packed = b"".join(gzip.compress(member, mtime=0) for member in members)
    server.always(provider.path, chunked_answer(packed, headers={"Content-Encoding": "gzip"}, size=size))

    assert await provider.of(server)() == GROUP_ID


async def test_f31_chunk_that_goes_wrong_while_the_body_is_read(server: FaultServer, watch: Watch) -> None:
    """A reader who waits for more of a body hears of it when aiohttp has closed the connection over a wrong chunk."""
    reading = Gate()
    server.always("/", (head(200, [CHUNKED]), hold(reading), b"zz\r\n{}\r\n0\r\n\r\n"))
    transport = aiohttp_transport()
    watch.add_client(transport)
    response = await transport.handle_async_request(httpx.Request("GET", f"{server.url}/"))
    reading.open()

    with pytest.raises(httpx.RemoteProtocolError):
        await response.aread()
    await response.aclose()


@cases(
    "script",
    {
        "bad status line": (b"HTP/1.1 200 OK\r\n\r\n{}", close),
        "no status": (b"HTTP/1.1 OK\r\n\r\n{}", close),
        "status of one digit": (b"HTTP/1.1 2 OK\r\n\r\n{}", close),
        "status of bytes": (b"HTTP/1.1 \xff\x00 OK\r\n\r\n{}", close),
        "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", close),
        "NUL in a header": answer(b"{}", headers={"X-Odd": "a\0b"}),
        "NUL in a header's name": answer(b"{}", headers={"X-\0dd": "ab"}),
        "long header": answer(b"{}", headers={"X-Long": "a" * 101 * 1024}),
        "long headers": answer(b"{}", headers=[(f"X-{number}", "a" * 2048) for number in range(51)]),
        "endless headers": (b"HTTP/1.1 200 OK\r\n", flood(b"X-Header: and so on\r\n" * 100)),
        "endless header": (b"HTTP/1.1 200 OK\r\nX-Header: ", flood(b"and so on " * 100)),
        "endless status line": (b"HTTP/1.1 ", flood(b"and so on " * 100)),
    },
)
async def test_f32_what_is_no_http_is_an_error(
    server: FaultServer, provider: Provider, watch: Watch, script: Script
) -> None:
    """An answer that is not HTTP, or will not come to its body, is given up early, in little memory."""
    server.always(provider.path, script)
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(APIConnectionError) as caught:
            await ask()
        assert peak() < 8 * MIB

    assert not isinstance(caught.value, APITimeoutError)
    assert server.count(provider.path) == 3


async def test_f32_endless_interim_answers_end_with_the_timeout(
    server: FaultServer, provider: Provider, watch: Watch
) -> None:
    """A server that says 100 Continue for ever is left at `timeout`, in little memory."""
    server.always(provider.path, (flood(b"HTTP/1.1 100 Continue\r\n\r\n"),))
    ask = provider.of(server, timeout=0.5)

    with memory() as peak:
        with watch.raises(APIConnectionError):
            await ask()
        assert peak() < 8 * MIB
    await server.all_closed(0.5)


# 79, 90 and 100: proxies and certificates of the environment


@pytest.fixture
def origin(trusted: Authority, make_server: MakeServer) -> FaultServer:
    """Serve what is behind the proxy, over TLS."""
    return make_server(tls=trusted.server_context())


@pytest.fixture
def proxy(make_server: MakeServer, origin: FaultServer) -> FaultServer:
    """Serve a proxy that connects to the origin, whatever it is asked for."""
    return tunnelling(make_server(), origin)


def tunnelling(proxy: FaultServer, origin: FaultServer) -> FaultServer:
    """Let *proxy* connect to *origin*."""
    proxy.always("*", (b"HTTP/1.1 200 Connection established\r\n\r\n", tunnel(origin.port)), method="CONNECT")
    return proxy


def set_environment(monkeypatch: pytest.MonkeyPatch, proxy: FaultServer, **variables: str) -> None:
    """Set *variables*, in which PROXY stands for the proxy's address."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("PROXY", f"127.0.0.1:{proxy.port}"))


async def test_f79_proxy_gets_no_secret(
    origin: FaultServer, proxy: FaultServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request over https goes through the proxy, which sees host and port and nothing else of it."""
    set_environment(monkeypatch, proxy, HTTPS_PROXY="http://PROXY")
    origin.always(provider.path, provider.good)
    origin.always(TOKEN, token_answer())

    assert await provider.of(f"https://localhost:{origin.port}")() == GROUP_ID

    assert {(one.method, one.path) for one in proxy.requests} == {("CONNECT", f"localhost:{origin.port}")}
    assert not {"authorization", "x-api-key"} & {name for one in proxy.requests for name, _ in one.headers}
    assert origin.count(provider.path) == 1
    assert origin.asked(provider.path)[0].target.startswith(b"/")


async def test_f79_environment_is_read_when_the_client_is_made(
    origin: FaultServer, proxy: FaultServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes in the environment afterwards changes nothing, not even before the first call."""
    origin.always(provider.path, provider.good)
    origin.always(TOKEN, token_answer())
    direct = provider.of(f"https://localhost:{origin.port}")
    set_environment(monkeypatch, proxy, HTTPS_PROXY="http://PROXY")
    proxied = provider.of(f"https://localhost:{origin.port}")
    set_environment(monkeypatch, proxy, HTTPS_PROXY="http://127.0.0.1:1", NO_PROXY="*", SSL_CERT_FILE="/nowhere")

    assert await direct() == GROUP_ID
    assert proxy.requests == []
    assert await proxied() == GROUP_ID
    assert proxy.count(method="CONNECT") >= 1


@pytest.mark.parametrize("tunnelled", [True, False], ids=["https", "http"])
@cases(
    "userinfo password",
    {
        "raw": ("us\xe9r:CANARY-p\xe4\u20ac\u5bc6", "us\xe9r:CANARY-p\xe4\u20ac\u5bc6"),
        "encoded UTF-8": ("us%C3%A9r:CANARY-p%C3%A4%E2%82%AC", "us\xe9r:CANARY-p\xe4\u20ac"),
        "encoded ASCII": ("us%65r:CANARY%2Fpassword", "user:CANARY/password"),
    },
)
async def test_f79_f100_proxy_is_told_the_password_in_utf8(
    trusted: Authority,
    make_server: MakeServer,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    userinfo: str,
    password: str,
    *,
    tunnelled: bool,
) -> None:
    """User and password of a proxy may be of any letters: they go to it in UTF-8, with requests or tunnels only."""
    origin = make_server(tls=trusted.server_context() if tunnelled else None)
    origin.always(provider.path, provider.good)
    origin.always(TOKEN, token_answer())
    proxy = make_server()
    proxy.always("*", (b"HTTP/1.1 200 Connection established\r\n\r\n", tunnel(origin.port)), method="CONNECT")
    proxy.always(f"{origin.url}{provider.path}", provider.good)
    proxy.always(f"{origin.url}{TOKEN}", token_answer())
    monkeypatch.setenv("HTTPS_PROXY" if tunnelled else "HTTP_PROXY", f"http://{userinfo}@127.0.0.1:{proxy.port}")
    ask = provider.of(f"https://localhost:{origin.port}" if tunnelled else origin)

    assert [await ask() for _ in range(2)] == [GROUP_ID] * 2

    expected = "Basic " + b64encode(password.encode()).decode()
    assert {one.header("proxy-authorization") for one in proxy.requests} == {expected}
    assert {one.header("proxy-authorization") for one in origin.requests} <= {None}
    assert bool(origin.requests) is tunnelled


@pytest.mark.parametrize(
    ("status", "tries", "said"),
    [
        (403, 1, "answered CONNECT with 403 Forbidden"),
        (407, 1, "answered CONNECT with 407 Proxy Authentication Required"),
        (502, 3, "answered CONNECT with 502 Bad Gateway"),
    ],
)
async def test_f79_f90_proxy_that_refuses_is_named(
    make_server: MakeServer,
    provider: Provider,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    tries: int,
    said: str,
) -> None:
    """What a proxy answers to CONNECT is not taken for the provider's answer, and is final unless it may pass."""
    proxy = make_server()
    proxy.always("*", answer(b'{"message": "not the provider\'s words"}', status), method="CONNECT")
    set_environment(monkeypatch, proxy, HTTPS_PROXY="http://CANARY-user:CANARY-password@PROXY")

    with watch.raises(APIConnectionError) as caught:
        await provider.of("https://api.invalid")()

    text = str(caught.value)
    assert said in text
    assert f"the proxy 127.0.0.1:{proxy.port}" in text
    assert "api.invalid" in text
    assert "api_key" not in text
    assert proxy.count(method="CONNECT") == tries


@pytest.mark.parametrize("body", [b"<html><title>Access denied</title></html>", b"denied", b'{"message": "denied"}'])
@pytest.mark.parametrize("status", [403, 407])
async def test_f90_proxy_that_answers_a_request_is_named(
    make_server: MakeServer,
    provider: Provider,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
) -> None:
    """A proxy that answers a plain request by itself is told from the provider, with its address and its status."""
    proxy = make_server()
    proxy.always("*", answer(body, status))
    set_environment(monkeypatch, proxy, HTTP_PROXY="http://CANARY-user:CANARY-password@PROXY")

    with watch.raises(APIStatusError) as caught:
        await provider.of("http://127.0.0.2:9")()

    text = str(caught.value)
    assert f"it was the proxy 127.0.0.1:{proxy.port} that answered" in text
    assert str(status) in text
    assert "denied" in text
    assert "check api_key" not in text
    assert proxy.count() == 1


async def test_f79_proxy_that_is_away_is_named(
    provider: Provider, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the proxy that could not be reached, and not the password to it; nobody is asked without it."""
    proxy = f"127.0.0.1:{unused_port()}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://CANARY-user:CANARY-password@{proxy}")
    clock = Meanwhile()

    said = (
        rf"Connection refused \(api.invalid through the proxy {proxy}\) \(3 att|: the proxy refused: Connection refused"
    )
    with watch.raises(APIConnectionError, match=said):
        await provider.of("https://api.invalid", clock=clock)()

    assert len(clock.waits) == 2


async def test_f79_proxy_behind_tls_is_trusted_by_the_same_certificates(
    trusted: Authority,
    origin: FaultServer,
    make_server: MakeServer,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy that is itself spoken to over TLS is trusted by `SSL_CERT_FILE` too."""
    proxy = tunnelling(make_server(tls=trusted.server_context()), origin)
    set_environment(monkeypatch, proxy, HTTPS_PROXY="https://PROXY")
    origin.always(provider.path, provider.good)
    origin.always(TOKEN, token_answer())

    assert await provider.of(f"https://localhost:{origin.port}")() == GROUP_ID

    assert proxy.count(method="CONNECT") >= 1


# 26, 79 and 97: certificates and proxy of one's own


@pytest.fixture(params=[default_transport, aiohttp_transport], ids=["httpcore", "aiohttp"])
def make(request: pytest.FixtureRequest) -> Callable[..., httpx.AsyncBaseTransport]:
    """Make either transport."""
    return request.param  # type: ignore[no-any-return]


def trusting(authority: Authority, folder: Path) -> ssl.SSLContext:
    """Return a context that trusts *authority* alone."""
    return ssl.create_default_context(cafile=authority.cert_file(folder))


async def test_f79_certificates_and_proxy_of_ones_own(
    authority: Authority,
    tmp_path: Path,
    make_server: MakeServer,
    make_m3ter: MakeM3ter,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., httpx.AsyncBaseTransport],
) -> None:
    """A client goes by the proxy and the certificates that its transport was told, not by the environment's."""
    origin = make_server(tls=authority.server_context())
    serve_pages(origin)
    proxy = tunnelling(make_server(), origin)
    set_environment(monkeypatch, proxy, HTTPS_PROXY="http://127.0.0.1:1", NO_PROXY="localhost")
    address = f"http://CANARY-user:CANARY-password@127.0.0.1:{proxy.port}"
    transport = make(verify=trusting(authority, tmp_path), proxy=address)
    watch.add_client(transport)
    client = make_m3ter(f"https://localhost:{origin.port}", transport=transport, retry=ONCE)

    assert [await listed(client, user) for user in ("first", "second")] == [["group of first"], ["group of second"]]

    password = b64encode(b"CANARY-user:CANARY-password").decode()
    assert {one.header("proxy-authorization") for one in proxy.requests} == {f"Basic {password}"}
    assert [one.requests for one in origin.connections] == [3]


async def test_f79_proxy_of_ones_own_that_refuses_is_named(
    make_server: MakeServer, make_smartpm: MakeSmartPM, watch: Watch, make: Callable[..., httpx.AsyncBaseTransport]
) -> None:
    """A proxy that a transport was told is named in errors as the environment's is, without its password."""
    proxy = make_server()
    proxy.always("*", answer(b"", 403), method="CONNECT")
    transport = make(proxy=f"CANARY-user:CANARY-password@127.0.0.1:{proxy.port}")
    watch.add_client(transport)

    with watch.raises(APIConnectionError, match=r"the proxy.* answered CONNECT with 403") as caught:
        await make_smartpm("https://api.invalid", transport=transport).get_user_group(GROUP_ID)

    assert f"the proxy 127.0.0.1:{proxy.port}" in str(caught.value)
    assert (caught.value.retryable, proxy.count(method="CONNECT")) == (False, 1)


async def test_f26_certificates_of_ones_own_are_the_only_ones(
    trusted: Authority, make_server: MakeServer, make_smartpm: MakeSmartPM, watch: Watch, make: Any
) -> None:
    """A transport that was told whom to trust does not trust whom the environment names."""
    server = make_server(tls=trusted.server_context())
    transport = make(verify=ssl.create_default_context(cadata=trustme.CA().cert_pem.bytes().decode()))
    watch.add_client(transport)

    with watch.raises(APIConnectionError, match="certificate verify failed") as caught:
        await make_smartpm(server, transport=transport).get_user_group(GROUP_ID)

    assert (caught.value.retryable, caught.value.attempts) == (False, 1)
    assert server.requests == []


def test_f97_transport_of_ones_own_in_two_loops(
    authority: Authority, tmp_path: Path, make_server: MakeServer, make_m3ter: MakeM3ter
) -> None:
    """Clients may share a transport in one loop after another; it is good after the end of one of them."""
    server = make_server(tls=authority.server_context())
    serve_pages(server)
    transport = default_transport(verify=trusting(authority, tmp_path))
    client, other = (make_m3ter(server, transport=transport, retry=ONCE) for _ in range(2))

    async def twice(client: M3terClient) -> None:
        assert await asyncio.gather(listed(client, "a"), listed(client, "b")) == [["group of a"], ["group of b"]]
        assert await listed(client, "c") == ["group of c"]

    for one in (client, client):
        asyncio.run(twice(one))
    asyncio.run(client.aclose())
    asyncio.run(twice(other))

    assert server.count(f"{USERS}*") == 9
    assert server.count(TOKEN) == 2
    assert max(one.requests for one in server.connections) > 1


async def test_default_transport_by_itself(authority: Authority, tmp_path: Path, make_server: MakeServer) -> None:
    """Outside of a client of ours, the default transport makes a connection for each request, and closes it after."""
    server = make_server(tls=authority.server_context())
    server.always("/", answer(b"x" * MIB))

    async with httpx.AsyncClient(transport=default_transport(verify=trusting(authority, tmp_path))) as client:
        whole = [await client.get(f"{server.url}/") for _ in range(2)]
        async with client.stream("GET", f"{server.url}/") as left:
            assert await anext(left.aiter_bytes())
        await server.all_closed()

    assert [len(response.content) for response in whole] == [MIB] * 2
    assert [one.requests for one in server.connections] == [1, 1, 1]


@pytest.mark.parametrize("script", [(close,), (silence,)], ids=["closed", "silence"])
async def test_default_transport_by_itself_that_fails(server: FaultServer, script: Script) -> None:
    """Outside of a client of ours, its errors are httpx's own, and a connection that fails is closed."""
    server.always("/", script)

    async with httpx.AsyncClient(transport=default_transport(), timeout=0.2) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"{server.url}/")
        await server.all_closed()


# 83: more than the answer


def page_of(user: str, size: int = 0) -> bytes:
    """Return the page that holds the group of *user* and no other's, and is longer than *size*."""
    return json_answer({"data": [least("m3ter", "UserGroup", id=f"group of {user}", description="-" * size)]})


def body_of(user: str) -> bytes:
    """Return that page without its head."""
    return page_of(user).partition(b"\r\n\r\n")[2]


def serve_pages(server: FaultServer) -> None:
    """Let *server* answer every user with the group of that user."""
    serve(server, lambda request, number: page_of(request.path.split("/")[4]))


@attrs.frozen
class Surplus:
    """What comes in answer to the first request, and what comes when its connection is idle."""

    first: bytes
    later: bytes = b""


OWN, STRAY = page_of("first"), page_of("nobody")
HALF, REST = STRAY[:40], STRAY[40:]
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
JUNK = b"\0\1\2 this is no HTTP\r\n\r\n"
IN_CHUNKS = chunked_answer(body_of("first"))
TRAILERS = IN_CHUNKS[:-2] + b"Checksum: 1\r\n\r\n"
LONG = page_of("first", 400_000)

SURPLUS = {
    "a second answer": Surplus(OWN + STRAY),
    "two more answers": Surplus(OWN + STRAY + STRAY),
    "half an answer": Surplus(OWN + HALF),
    "bytes after Content-Length": Surplus(OWN + body_of("nobody")),
    "a line end": Surplus(OWN + b"\r\n"),
    "an answer after the last chunk": Surplus(IN_CHUNKS + STRAY),
    "bytes after the last chunk": Surplus(IN_CHUNKS + body_of("nobody")),
    "an answer after trailers": Surplus(TRAILERS + STRAY),
    "an interim answer and two more": Surplus(HINTS + OWN + STRAY),
    "an answer after a long one": Surplus(LONG + STRAY),
    "half an answer after a long one": Surplus(LONG + HALF),
    "half an answer after a long one, and half later": Surplus(LONG + HALF, REST),
    "an answer after 204": Surplus(head(204) + STRAY),
    "bytes after 204": Surplus(answer(body_of("nobody"), 204)),
    "an answer after 304": Surplus(head(304) + STRAY),
    "an answer after 404": Surplus(json_answer({"message": "no"}, 404) + STRAY),
    "an answer after 500": Surplus(json_answer({"message": "no"}, 500) + STRAY),
    "junk": Surplus(OWN + JUNK),
    "an answer later": Surplus(OWN, STRAY),
    "an answer after chunks, later": Surplus(IN_CHUNKS, STRAY),
    "an answer after 404, later": Surplus(json_answer({"message": "no"}, 404), STRAY),
    "half an answer later": Surplus(OWN, HALF),
    "half an answer, and half later": Surplus(OWN + HALF, REST),
    "half an answer after 204, and half later": Surplus(head(204) + HALF, REST),
    "an interim answer later": Surplus(OWN, HINTS),
    "junk later": Surplus(OWN, JUNK),
    "one byte later": Surplus(OWN, b"H"),
}


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
@pytest.mark.parametrize("surplus", SURPLUS.values(), ids=SURPLUS)
async def test_f83_what_nobody_asked_for_answers_nobody(
    server: FaultServer, m3ter: MakeM3ter, surplus: Surplus, *, seen: bool
) -> None:
    """What arrived before a request was sent is not its answer, whether or not the loop has had time to look at it."""
    idle, sent = Gate(), Gate()
    server.once(f"{USERS}first/usergroups", (surplus.first, hold(idle), surplus.later, hold(sent)))
    serve_pages(server)
    client = m3ter(server, retry=ONCE, timeout=5.0)
    await client.authenticate()

    with suppress(UserGroupsError):  # an answer of another kind, or the whole of it is taken for junk
        assert await listed(client, "first") == ["group of first"]
    idle.open()
    (spoilt,) = server.asked(f"{USERS}first/usergroups")
    connection = server.connections[spoilt.connection - 1]
    while not (sent.arrivals.value or connection.closed_at):
        if seen:
            await asyncio.sleep(0.001)
        else:
            time.sleep(0.001)  # noqa: ASYNC251  # so that the loop does not look
    if seen:
        await asyncio.sleep(0.02)

    for user in ("second", "third", "fourth"):
        assert await listed(client, user) == [f"group of {user}"]
    together = [f"user-{number}" for number in range(5)]
    assert await asyncio.gather(*(listed(client, user) for user in together)) == [
        [f"group of {user}"] for user in together
    ]
    assert connection.requests == spoilt.nth


@pytest.mark.parametrize("piece", [1, 7, 1_000_000])
@cases(
    "good",
    {
        "Content-Length": OWN,
        "chunks": IN_CHUNKS,
        "trailers": TRAILERS,
        "an interim answer before": HINTS + OWN,
    },
)
async def test_f83_connection_of_a_clean_answer_is_used_again(
    server: FaultServer, m3ter: MakeM3ter, good: bytes, piece: int
) -> None:
    """Where nothing came but the answer, in however many pieces, the next call goes out on the same connection."""
    pieces: list[Any] = []
    for start in range(0, len(good), piece):
        pieces += [good[start : start + piece], lambda wire: asyncio.sleep(0.001)]
    serve(server, pieces)
    client = m3ter(server, retry=ONCE)

    assert [await listed(client, "first") for _ in range(3)] == [["group of first"]] * 3

    assert len(server.connections) == 1


async def test_f83_connection_over_tls(trusted: Authority, make_server: MakeServer, m3ter: MakeM3ter) -> None:
    """Over TLS too, a connection is used again, and no more once something came that nobody asked for."""
    server = make_server(tls=trusted.server_context())
    idle, sent = Gate(), Gate()
    server.once(f"{USERS}third/usergroups", (page_of("third"), hold(idle), STRAY, hold(sent)))
    serve_pages(server)
    client = m3ter(server, retry=ONCE)

    for user in ("first", "second", "third"):
        assert await listed(client, user) == [f"group of {user}"]
    idle.open()
    while not sent.arrivals.value:
        time.sleep(0.001)  # noqa: ASYNC251  # so that the loop does not look
    assert await listed(client, "fourth") == ["group of fourth"]

    assert [one.requests for one in server.connections] == [4, 1]


@pytest.mark.parametrize("turns", range(10))
@pytest.mark.parametrize("first", ["the call", "the server"])
async def test_f83_surplus_that_comes_while_a_call_begins(
    m3ter: MakeM3ter, server: FaultServer, first: str, turns: int
) -> None:
    """What the server sends in the very turns in which a request is about to go out does not answer it."""
    serve_pages(server)
    client = m3ter(server)
    await listed(client, "before")
    asked = server.received.value
    violated = False

    async def send_junk() -> None:
        nonlocal violated
        for _ in range(turns):
            await asyncio.sleep(0)
        server.send_to_all(STRAY)
        time.sleep(0.01)  # noqa: ASYNC251  # so that it has arrived, and the loop has not looked
        violated = server.received.value == asked  # else the request was faster

    work = [listed(client, "now"), send_junk()]
    outcomes = await asyncio.gather(*(work if first == "the call" else reversed(work)))

    assert not violated or ["group of now"] in outcomes


# 97, 101 and 108: idle connections, and loops that end


async def test_f101_idle_connections_that_the_server_closes_are_closed(
    smartpm: MakeSmartPM, server: FaultServer
) -> None:
    """After a burst nobody calls; the server closes its side of the connections, and the client closes its own."""
    together = Gate(opens_at=BURST)
    server.always(GROUP, (hold(together), GOOD_GROUP))
    client = smartpm(server)
    await asyncio.gather(*(client.get_user_group(GROUP_ID) for _ in range(BURST)))

    server.say_no_more()

    await server.all_closed()
    assert len(server.connections) == BURST


@pytest.mark.parametrize(
    ("kind", "run", "threads", "loops"),
    [
        *(
            ("httpcore", run, threads, 5)
            for run in ("asyncio.run", "asyncio.Runner", "anyio.run")
            for threads in (1, 8)
        ),
        *(("httpcore", "uvloop.run", threads, 5) for threads in (1, 8)),
        ("aiohttp", "asyncio.run", 1, 40),
        ("aiohttp", "asyncio.run", 8, 20),
    ],
)
async def test_f97_f108_loops_that_come_and_go_leave_nothing(
    server: FaultServer, kind: str, run: str, threads: int, loops: int
) -> None:
    """One client in many loops, never closed: no call fails, nothing complains, no connection outlives its loop."""
    serve_pages(server)
    command = [sys.executable, "-X", "dev", "-W", "error", MANY_LOOPS, server.url, kind, run, str(threads), str(loops)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    printed = await asyncio.wait_for(process.stdout.readline(), 60)
    await server.all_closed()
    _, complaints = await process.communicate(b"\n")

    assert (printed, complaints.decode(), process.returncode) == (b"wrong: []\n", "", 0)
    assert server.count(f"{USERS}*") == threads * loops * 3


async def test_f97_closing_in_one_loop_leaves_the_others(
    server: FaultServer, make_m3ter: MakeM3ter, watch: Watch
) -> None:
    """`aclose()` closes what the transport has in the loop that it is called in, and nothing of another's."""
    serve_pages(server)
    transport = aiohttp_transport()
    watch.add_client(transport)
    client = make_m3ter(server, transport=transport, retry=ONCE, max_rate=None)
    assert await listed(client, "first") == ["group of first"]

    async def elsewhere() -> list[str]:
        found = await listed(client, "second")
        await transport.aclose()
        return found

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == ["group of second"]
    assert await listed(client, "third") == ["group of third"]
    assert len(server.connections) == 2


def test_f108_client_may_be_closed_as_its_loop_ends(make_smartpm: MakeSmartPM, server: FaultServer) -> None:
    """Where the loop closes the connections and the client does so too, each comes to its end."""
    server.always(GROUP, GOOD_GROUP)
    client = make_smartpm(server)

    async def main() -> None:
        await client.get_user_group(GROUP_ID)
        await asyncio.gather(asyncio.get_running_loop().shutdown_asyncgens(), client.aclose())

    asyncio.run(main())


# 103: TLS contexts


class _Replacing(ssl.SSLContext):
    """What takes the place of `ssl.SSLContext` where truststore is injected: a class of which the old are none."""


class _Around:
    """A context by what it does, and not by its class."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.wrapped = 0
        self._context = context

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        self.wrapped += 1
        return self._context.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return self._context.wrap_socket(*args, **kwargs)


@pytest.mark.parametrize("replaced", ["never", "before the transport is made", "before the call"])
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("around", [False, True], ids=["context", "duck"])
async def test_f103_context_of_any_class_is_used(
    authority: Authority,
    make_server: MakeServer,
    make_smartpm: MakeSmartPM,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    replaced: str,
    *,
    proxied: bool,
    around: bool,
) -> None:
    """A context is trusted by what it does, and is the one that verifies, whatever `ssl.SSLContext` is by then."""
    good, bad = (make_server(tls=authority.server_context(kind)) for kind in ("good", "unknown authority"))
    for one in (good, bad):
        one.always("*", GOOD_GROUP)
    proxy = make_server()
    proxy.always("*", lambda request, number: _tunnel(request.path), method="CONNECT")
    if proxied:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    context: Any = ssl.create_default_context(cafile=str(authority.cert_file(tmp_path)))
    if around:
        context = _Around(context)
    if replaced == "before the transport is made":
        monkeypatch.setattr(ssl, "SSLContext", _Replacing)
    transport = aiohttp_transport(verify=context)
    watch.add_client(transport)
    if replaced == "before the call":
        monkeypatch.setattr(ssl, "SSLContext", _Replacing)

    client = make_smartpm(f"https://localhost:{good.port}", transport=transport, retry=ONCE)
    assert (await client.get_user_group(GROUP_ID)).name == "Operators"
    with watch.raises(APIConnectionError, match="certificate verify failed"):
        await make_smartpm(f"https://localhost:{bad.port}", transport=transport, retry=ONCE).get_user_group(GROUP_ID)

    assert bad.requests == []
    assert proxy.count() == (2 if proxied else 0)
    if around:
        assert context.wrapped == 2


def _tunnel(target: str) -> Script:
    return (b"HTTP/1.1 200 Connection established\r\n\r\n", tunnel(int(target.rpartition(":")[2])))


async def test_f103_certificates_of_the_environment_verify_too(
    trusted: Authority,
    make_server: MakeServer,
    make_smartpm: MakeSmartPM,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A class that is replaced leaves no server unverified where the environment names the certificates."""
    server = make_server(tls=trusted.server_context("unknown authority"))
    transport = aiohttp_transport()
    watch.add_client(transport)
    monkeypatch.setattr(ssl, "SSLContext", _Replacing)

    with watch.raises(APIConnectionError, match="certificate verify failed"):
        await make_smartpm(f"https://localhost:{server.port}", transport=transport, retry=ONCE).get_user_group(GROUP_ID)

    assert server.requests == []
