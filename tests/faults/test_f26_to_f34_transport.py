"""FAULTS 26 to 34: what goes wrong below HTTP, on each transport; and 79: proxies and certificates."""

import asyncio
import gzip
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.calls import GROUP, GROUP_ID, MIB, PAGE, TOKEN, Ask, Meanwhile, Options, Provider, memory
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
    gzip_answer,
    head,
    hold,
    json_answer,
    reset,
    silence,
    token_answer,
    tunnel,
)
from rig.server import FaultServer, unused_port
from rig.tls import Authority
from usergroups import APIConnectionError, APIStatusError, APITimeoutError, ConfigurationError, RetryPolicy
from usergroups.transports import aiohttp_transport

pytest_plugins = ("faults.kinds", "faults.providers")  # clients on either transport

LATE = 0.05  # seconds after its timeout in which a call must have ended
CLOSED = 0.1  # seconds after that in which the server must have seen its socket closed


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


# 26: no connection


async def test_f26_refused_connection_is_tried_again(server: FaultServer, provider: Provider) -> None:
    """A server that is back before the attempts are used up is reached."""
    server.always(provider.path, provider.good)
    clock = Meanwhile(lambda: len(clock.waits) == 2 and server.accept())
    ask = provider.of(server, clock=clock)
    server.refuse()

    assert await ask() == GROUP_ID

    assert len(clock.waits) == 2


async def test_f26_refused_connection_is_named(provider: Provider, watch: Watch) -> None:
    """A server that stays away is said to refuse, after all attempts."""
    clock = Meanwhile()
    address = f"127.0.0.1:{unused_port()}"
    ask = provider.of(f"http://{address}", clock=clock)

    with watch.raises(APIConnectionError) as caught:
        await ask()

    assert str(caught.value).endswith(f"failed: no connection could be made: Connection refused ({address})")

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


async def test_f26_message_has_no_query(
    server: FaultServer, options: Options, make_m3ter: MakeM3ter, watch: Watch
) -> None:
    """The error says which path was asked for, and nothing of the query."""
    server.always(TOKEN, token_answer())
    client = make_m3ter(server, **options())
    await client.authenticate()
    server.refuse()
    server.hang_up()

    with watch.raises(APIConnectionError) as caught:
        await client.list_user_groups("ada", page_size=77, next_token="token-of-a-page").first()

    assert (caught.value.method, caught.value.path) == ("GET", PAGE)
    assert (
        str(caught.value)
        == f"GET {PAGE} failed: no connection could be made: Connection refused ({server.url.partition('//')[2]})"
    )


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
        match="failed: the host name was not found: Name or service not known [(]nobody.invalid[)]; check base_url$",
    ):
        await ask()

    assert len(looked_up) == 3


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Sign certificates."""
    return Authority()


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Trust the authority by the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert_file(tmp_path)))
    return authority


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
    """A bad certificate is named and not tried again; nothing was sent to its holder."""
    server = make_server(tls=trusted.server_context(kind))

    with watch.raises(APIConnectionError) as caught:
        await provider.of(server)()

    host = server.url.partition("//")[2]
    way_out = "; SSL_CERT_FILE names certificates to trust" if kind in ("self-signed", "unknown authority") else ""
    assert str(caught.value).endswith(f"failed: certificate verify failed: {reason} ({host}){way_out}")
    assert len(server.connections) == 1
    assert server.requests == []


async def test_f26_other_tls_failure_is_tried_again(
    trusted: Authority, make_server: MakeServer, provider: Provider, watch: Watch
) -> None:
    """A server that does not speak TLS just now is asked again, and said to fail at TLS."""
    server = make_server()
    server.on_connect = lambda number: (b"HTTP/1.1 400 Bad Request\r\n\r\n", close)

    with watch.raises(APIConnectionError, match="failed: TLS failed: [A-Z_]+ [(]127.0.0.1:[0-9]+[)]$"):
        await provider.of(f"https://127.0.0.1:{server.port}")()

    assert len(server.connections) == 3


# 27: idle connections


@pytest.mark.parametrize("ending", [close, reset], ids=["closed", "reset"])
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


async def test_f27_several_closed_connections_cost_one_attempt_at_most(server: FaultServer, provider: Provider) -> None:
    """Where many idle connections turn out to be closed one after another, the retries still come through."""
    gate = Gate(opens_at=8)
    server.always(
        provider.path,
        lambda request, number: (
            (hold(gate), provider.good) if number <= 8 else ((close,) if request.connection in old else provider.good)
        ),
    )
    ask = provider.of(server)
    await asyncio.gather(*(ask() for _ in range(8)))
    old = {one.connection for one in server.asked(provider.path)}

    assert await asyncio.gather(*(ask() for _ in range(8))) == [GROUP_ID] * 8


# 28: a reset in the middle


@pytest.mark.parametrize("ending", [close, reset], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/js",
        head(200, length=100),
        head(200, length=100) + b'{"id": ',
        head(200, {"Transfer-Encoding": "chunked"}) + b"7\r\n{",
    ],
    ids=["before the answer", "status line", "headers", "before the body", "body", "chunk"],
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


# 29: silence


async def test_f29_silent_server_is_a_timeout(server: FaultServer, provider: Provider, watch: Watch) -> None:
    """A server that takes the request and never answers costs `timeout`, and no more."""
    server.always(provider.path, (silence,))
    ask = provider.of(server, timeout=0.4)

    await assert_times_out(watch, ask, 0.4, server)


async def test_f29_silent_token_endpoint_is_a_timeout(
    server: FaultServer, options: Options, make_m3ter: MakeM3ter, watch: Watch
) -> None:
    """A token endpoint that never answers costs `timeout` too."""
    server.always(TOKEN, (silence,))
    client = make_m3ter(server, **options(timeout=0.4))

    await assert_times_out(watch, lambda: client.list_user_groups("ada").first(), 0.4, server)


async def test_f29_silent_handshake_is_a_timeout(
    trusted: Authority, server: FaultServer, provider: Provider, watch: Watch
) -> None:
    """A server that accepts the connection and never says a word of TLS costs `timeout`, and no more."""
    ask = provider.of(f"https://127.0.0.1:{server.port}", timeout=0.4)

    await assert_times_out(watch, ask, 0.4, server)


# 30: drips


@pytest.mark.parametrize(
    "script",
    [
        (drip(head(200, length=100), every=0.2),),
        (head(200, length=100), drip(b"{" * 100, every=0.2)),
        (head(200, {"Transfer-Encoding": "chunked"}), drip(b"1\r\n{\r\n" * 100, every=0.2)),
        (head(200, {"Content-Encoding": "gzip"}, length=100), drip(gzip.compress(b"{" * 99), every=0.2)),
    ],
    ids=["headers", "body", "chunks", "gzip"],
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
    server.always(GROUP, json_answer({"id": GROUP_ID, "name": "Operators", "users": []}))
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


# 31: bodies that are cut or damaged


def damaged(provider: Provider) -> dict[str, Script]:
    """Return answers whose bodies have not all of the data, or the wrong."""
    packed = gzip.compress(provider.good, mtime=0)
    wrong_crc = bytearray(packed)
    wrong_crc[-5] ^= 0x40
    wrong_middle = bytearray(packed)
    wrong_middle[len(packed) // 2] ^= 0xFF
    coded = {"Content-Encoding": "gzip"}
    return {
        "short Content-Length": (answer(b"{}", length=10), close),
        "no last chunk": (chunked_answer(b'{"data": []}', ended=False), close),
        "cut chunk": (head(200, {"Transfer-Encoding": "chunked"}), b"20\r\n{}", close),
        "bad chunk size": (head(200, {"Transfer-Encoding": "chunked"}), b"zz\r\n{}\r\n0\r\n\r\n"),
        "cut gzip": gzip_answer(b'{"data": []}', cut=1),
        "cut gzip in chunks": chunked_answer(packed[:-12], headers=coded),
        "gzip cut in its header": answer(packed[:7], headers=coded),
        "bad CRC": answer(bytes(wrong_crc), headers=coded),
        "bad length": answer(packed[:-1] + b"\x7f", headers=coded),
        "damaged gzip": answer(bytes(wrong_middle), headers=coded),
        "no gzip at all": answer(b'{"data": []}', headers=coded),
        "rubbish after gzip": answer(packed + b"rubbish", headers=coded),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "short Content-Length",
        "no last chunk",
        "cut chunk",
        "bad chunk size",
        "cut gzip",
        "cut gzip in chunks",
        "gzip cut in its header",
        "bad CRC",
        "bad length",
        "damaged gzip",
        "no gzip at all",
        "rubbish after gzip",
    ],
)
async def test_f31_damaged_body_is_asked_for_again_and_then_an_error(
    server: FaultServer, provider: Provider, watch: Watch, kind: str
) -> None:
    """A body that is cut or damaged is never taken for the answer: it is asked for again, then an error."""
    script = damaged(provider)[kind]
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


# 32: what is no HTTP


@pytest.mark.parametrize(
    "script",
    [
        (b"HTP/1.1 200 OK\r\n\r\n{}", close),
        (b"HTTP/1.1 OK\r\n\r\n{}", close),
        (b"HTTP/1.1 2 OK\r\n\r\n{}", close),
        (b"HTTP/1.1 \xff\x00 OK\r\n\r\n{}", close),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", close),
        answer(b"{}", headers={"X-Odd": "a\0b"}),
        answer(b"{}", headers={"X-\0dd": "ab"}),
        answer(b"{}", headers={"X-Long": "a" * 101 * 1024}),
        answer(b"{}", headers=[(f"X-{number}", "a" * 2048) for number in range(51)]),
        (b"HTTP/1.1 200 OK\r\n", flood(b"X-Header: and so on\r\n" * 100)),
        (b"HTTP/1.1 200 OK\r\nX-Header: ", flood(b"and so on " * 100)),
        (b"HTTP/1.1 ", flood(b"and so on " * 100)),
    ],
    ids=[
        "bad status line",
        "no status",
        "status of one digit",
        "status of bytes",
        "another protocol",
        "NUL in a header",
        "NUL in a header's name",
        "long header",
        "long headers",
        "endless headers",
        "endless header",
        "endless status line",
    ],
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


# 79: proxies and certificates of the environment


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


async def test_f79_ssl_cert_file_is_trusted(origin: FaultServer, provider: Provider) -> None:
    """A server whose certificate is signed by an authority in `SSL_CERT_FILE` is asked."""
    origin.always(provider.path, provider.good)

    assert await provider.of(origin)() == GROUP_ID


async def test_f79_without_ssl_cert_file_it_is_not_trusted(
    authority: Authority, make_server: MakeServer, provider: Provider, watch: Watch
) -> None:
    """The same server is not trusted by a client that was made without it."""
    server = make_server(tls=authority.server_context())

    with watch.raises(APIConnectionError, match="unable to get local issuer certificate [(]"):
        await provider.of(server)()


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


@pytest.mark.parametrize(
    ("variables", "proxied"),
    [
        ({"HTTPS_PROXY": "http://PROXY"}, True),
        ({"https_proxy": "http://PROXY"}, True),
        ({"HTTPS_PROXY": "PROXY"}, True),
        ({"HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://PROXY"}, True),
        ({"HTTPS_PROXY": "http://PROXY", "https_proxy": ""}, False),
        ({"HTTP_PROXY": "http://PROXY"}, False),
        ({"ALL_PROXY": "http://PROXY"}, False),
        ({"HTTPS_PROXY": "http://PROXY", "NO_PROXY": "elsewhere.invalid"}, True),
        ({"HTTPS_PROXY": "http://PROXY", "NO_PROXY": "localhost:1"}, True),
        ({"HTTPS_PROXY": "http://PROXY", "NO_PROXY": "alhost"}, True),
        ({"HTTPS_PROXY": "http://PROXY", "NO_PROXY": "elsewhere.invalid, localhost"}, False),
        ({"HTTPS_PROXY": "http://PROXY", "no_proxy": ".localhost"}, False),
        ({"HTTPS_PROXY": "http://PROXY", "NO_PROXY": "LOCALHOST:ORIGIN"}, False),
        ({"HTTPS_PROXY": "http://PROXY", "NO_PROXY": "*"}, False),
    ],
    ids=lambda value: " ".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
async def test_f79_environment_chooses_the_proxy(
    origin: FaultServer,
    proxy: FaultServer,
    options: Options,
    make_smartpm: MakeSmartPM,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    proxied: bool,
) -> None:
    """The variables mean to a client what they mean to `urllib.request`."""
    variables = {name: value.replace("ORIGIN", str(origin.port)) for name, value in variables.items()}
    set_environment(monkeypatch, proxy, **variables)
    origin.always(GROUP, json_answer({"id": GROUP_ID, "name": "Operators", "users": []}))

    await make_smartpm(f"https://localhost:{origin.port}", **options()).get_user_group(GROUP_ID)

    assert (proxy.count(method="CONNECT"), origin.count(GROUP)) == (int(proxied), 1)


async def test_f79_plain_request_is_handed_to_the_proxy(
    server: FaultServer, provider: Provider, monkeypatch: pytest.MonkeyPatch, make_server: MakeServer
) -> None:
    """A request over http, which is for loopback hosts only, is given to `HTTP_PROXY` as a whole."""
    proxy = make_server()
    set_environment(monkeypatch, proxy, HTTP_PROXY="http://PROXY")
    proxy.always(f"{server.url}{provider.path}", provider.good)
    proxy.always(f"{server.url}{TOKEN}", token_answer())

    assert await provider.of(server)() == GROUP_ID

    assert proxy.count(f"{server.url}{provider.path}") == 1
    assert server.connections == []


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


async def test_f79_proxy_may_ask_for_a_password(
    origin: FaultServer, proxy: FaultServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User and password in the proxy's URL go to the proxy and nowhere else."""
    set_environment(monkeypatch, proxy, HTTPS_PROXY="http://us%65r:CANARY%2Fpassword@PROXY")
    origin.always(provider.path, provider.good)
    origin.always(TOKEN, token_answer())

    assert await provider.of(f"https://localhost:{origin.port}")() == GROUP_ID

    expected = httpx.BasicAuth("user", "CANARY/password")._auth_header  # noqa: SLF001  # its sum, not its doing
    assert {one.header("proxy-authorization") for one in proxy.requests} == {expected}
    assert {one.header("proxy-authorization") for one in origin.requests} == {None}


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

    sentence = str(caught.value)
    assert said in sentence
    assert f"the proxy 127.0.0.1:{proxy.port}" in sentence
    assert "api.invalid" in sentence
    assert "api_key" not in sentence
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

    sentence = str(caught.value)
    assert f"it was the proxy 127.0.0.1:{proxy.port} that answered" in sentence
    assert str(status) in sentence
    assert "denied" in sentence
    assert "check api_key" not in sentence
    assert proxy.count() == 1


async def test_f79_proxy_that_is_away_is_an_error(
    provider: Provider, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that cannot be reached is tried again, and then an error; nobody is asked without it."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_port()}")

    with watch.raises(APIConnectionError, match="Connection refused [(]api.invalid"):
        await provider.of("https://api.invalid")()


async def test_f79_proxy_that_is_away_is_named(
    make_smartpm: MakeSmartPM, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the proxy that could not be reached, and not the password to it."""
    proxy = f"127.0.0.1:{unused_port()}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://CANARY-user:CANARY-password@{proxy}")

    with watch.raises(APIConnectionError) as caught:
        await make_smartpm("https://api.invalid", retry=RetryPolicy(attempts=1)).get_user_group(GROUP_ID)

    assert str(caught.value).endswith(f"Connection refused (api.invalid through the proxy {proxy})")


async def test_f79_silent_proxy_is_a_timeout(
    server: FaultServer, provider: Provider, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that never answers to CONNECT costs `timeout`, and no more."""
    server.always("*", (silence,), method="CONNECT")
    set_environment(monkeypatch, server, HTTPS_PROXY="http://PROXY")
    ask = provider.of("https://api.invalid", timeout=0.4)

    await assert_times_out(watch, ask, 0.4, server)


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


@pytest.mark.parametrize(
    "address",
    ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://", "http://[::1", "http://host:port"],
    ids=["socks without its package", "unknown scheme", "no host", "half a bracket", "port in words"],
)
def test_f79_proxy_that_cannot_be_used(
    options: Options,
    make_smartpm: MakeSmartPM,
    monkeypatch: pytest.MonkeyPatch,
    watch: Watch,
    address: str,
) -> None:
    """A proxy that no request can go through is an error before any request is made."""
    monkeypatch.setenv("HTTPS_PROXY", address)

    with watch.raises(ConfigurationError, match="the proxy of the environment cannot be used"):
        make_smartpm("https://api.invalid", **options())


@pytest.mark.parametrize("content", [None, "", "rubbish"], ids=["absent", "empty", "rubbish"])
def test_f79_ssl_cert_file_that_cannot_be_used(
    options: Options,
    make_smartpm: MakeSmartPM,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    watch: Watch,
    content: str | None,
) -> None:
    """Certificates that cannot be read are an error before any request is made."""
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    with watch.raises(ConfigurationError, match="SSL_CERT_FILE"):
        make_smartpm("https://api.invalid", **options())
