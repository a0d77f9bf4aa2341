"""FAULTS 83, 92, 97, 100 and 103: connections that are not what they seem, and what a transport is made with."""

import asyncio
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from faults.calls import GROUP_ID, TOKEN, Meanwhile, Options, Provider
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.leaks import Watch
from rig.script import (
    Gate,
    Script,
    answer,
    chunked_answer,
    close,
    head,
    hold,
    json_answer,
    reset,
    token_answer,
    tunnel,
)
from rig.server import FaultServer
from rig.tls import Authority
from usergroups import APIConnectionError, ConfigurationError, M3terClient, RetryPolicy, UserGroupsError
from usergroups.transports import aiohttp_transport

pytest_plugins = ("faults.kinds", "faults.providers")  # clients on either transport

USERS = "/organizations/org-1/users/"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Sign certificates."""
    return Authority()


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Trust the authority by the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert_file(tmp_path)))
    return authority


def page_of(user: str, size: int = 0) -> bytes:
    """Return the page that holds the group of *user* and no other's, and is longer than *size*."""
    return json_answer({"data": [{"id": f"group of {user}", "description": "-" * size}]})


def body_of(user: str) -> bytes:
    """Return that page without its head."""
    return page_of(user).partition(b"\r\n\r\n")[2]


def serve_pages(server: FaultServer) -> None:
    """Let *server* answer every user with the group of that user."""
    server.always(TOKEN, token_answer())
    server.always(f"{USERS}*", lambda request, number: page_of(request.path.split("/")[4]))


async def groups_of(client: M3terClient, user: str) -> list[str]:
    """Ask for the groups of *user*."""
    return [group.id for group in await client.list_user_groups(user).collect()]


# 83: more than the answer


@attrs.frozen
class Surplus:
    """What comes in answer to the first request, and what comes when its connection is idle."""

    first: bytes
    later: bytes = b""


OWN, STRAY = page_of("first"), page_of("nobody")
HALF, REST = STRAY[:40], STRAY[40:]
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
JUNK = b"\0\1\2 this is no HTTP\r\n\r\n"
CHUNKED = chunked_answer(body_of("first"))
TRAILERS = CHUNKED[:-2] + b"Checksum: 1\r\n\r\n"
LONG = page_of("first", 400_000)

SURPLUS = {
    "a second answer": Surplus(OWN + STRAY),
    "two more answers": Surplus(OWN + STRAY + STRAY),
    "half an answer": Surplus(OWN + HALF),
    "bytes after Content-Length": Surplus(OWN + body_of("nobody")),
    "a line end": Surplus(OWN + b"\r\n"),
    "an answer after the last chunk": Surplus(CHUNKED + STRAY),
    "bytes after the last chunk": Surplus(CHUNKED + body_of("nobody")),
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
    "an answer after chunks, later": Surplus(CHUNKED, STRAY),
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
        assert await groups_of(client, "first") == ["group of first"]
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
        assert await groups_of(client, user) == [f"group of {user}"]
    together = [f"user-{number}" for number in range(5)]
    assert await asyncio.gather(*(groups_of(client, user) for user in together)) == [
        [f"group of {user}"] for user in together
    ]
    assert connection.requests == spoilt.nth


@pytest.mark.parametrize(
    "good",
    [OWN, CHUNKED, TRAILERS, HINTS + OWN, page_of("first", 50_000)],
    ids=["Content-Length", "chunks", "trailers", "an interim answer before", "longer than a segment"],
)
async def test_f83_connection_of_a_clean_answer_is_used_again(
    server: FaultServer, m3ter: MakeM3ter, good: bytes
) -> None:
    """Where nothing came but the answer, the next call goes out on the same connection."""
    server.always(TOKEN, token_answer())
    server.always(f"{USERS}*", good)
    client = m3ter(server, retry=ONCE)

    for _ in range(5):
        assert await groups_of(client, "first") == ["group of first"]

    assert len(server.connections) == 1


async def test_f83_connection_over_tls(trusted: Authority, make_server: MakeServer, m3ter: MakeM3ter) -> None:
    """Over TLS too, a connection is used again, and no more once something came that nobody asked for."""
    server = make_server(tls=trusted.server_context())
    idle, sent = Gate(), Gate()
    server.once(f"{USERS}third/usergroups", (page_of("third"), hold(idle), STRAY, hold(sent)))
    serve_pages(server)
    client = m3ter(server, retry=ONCE)

    for user in ("first", "second", "third"):
        assert await groups_of(client, user) == [f"group of {user}"]
    idle.open()
    while not sent.arrivals.value:
        time.sleep(0.001)  # noqa: ASYNC251  # so that the loop does not look
    assert await groups_of(client, "fourth") == ["group of fourth"]

    assert [one.requests for one in server.connections] == [4, 1]


@pytest.mark.parametrize("piece", [1, 7])
async def test_f83_answer_that_comes_byte_by_byte_is_whole(server: FaultServer, m3ter: MakeM3ter, piece: int) -> None:
    """However an answer is cut into segments, nothing of it is taken for surplus."""
    pieces: list[Any] = []
    for start in range(0, len(OWN), piece):
        pieces += [OWN[start : start + piece], lambda wire: asyncio.sleep(0.001)]
    server.always(TOKEN, token_answer())
    server.always(f"{USERS}*", tuple(pieces))
    client = m3ter(server, retry=ONCE)

    assert [await groups_of(client, "first") for _ in range(2)] == [["group of first"]] * 2

    assert len(server.connections) == 1


async def test_f31_chunk_that_goes_wrong_while_the_body_is_read(server: FaultServer, watch: Watch) -> None:
    """A reader who waits for more of a body hears of it when aiohttp has closed the connection over a wrong chunk."""
    reading = Gate()
    server.always("/", (head(200, {"Transfer-Encoding": "chunked"}), hold(reading), b"zz\r\n{}\r\n0\r\n\r\n"))
    transport = aiohttp_transport()
    watch.add_client(transport)
    response = await transport.handle_async_request(httpx.Request("GET", f"{server.url}/"))
    reading.open()

    with pytest.raises(httpx.RemoteProtocolError):
        await response.aread()
    await response.aclose()


# 92: idle connections


@pytest.mark.parametrize("ending", [close, reset], ids=["closed", "reset"])
async def test_f92_idle_connections_that_close_one_after_another_are_invisible(
    server: FaultServer, provider: Provider, ending: Any
) -> None:
    """A GET that meets the end of one kept-alive connection, then of the next, is no attempt of the policy."""
    gate = Gate(opens_at=3)
    old: set[int] = set()

    def script(request: Any, number: int) -> Script:
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
@pytest.mark.parametrize("ending", [close, reset], ids=["closed", "reset"])
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


# 97: many loops


LOOPS = """
import asyncio, gc, sys, threading
from usergroups import M3terClient, RetryPolicy
from usergroups.transports import aiohttp_transport

url, threads, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
transport = aiohttp_transport()
client = M3terClient(
    org_id="org-1", api_key="CANARY-key", api_secret="CANARY-secret", base_url=url,
    max_rate=None, transport=transport, retry=RetryPolicy(attempts=1),
)
together = threading.Barrier(threads)
wrong = []

async def ask(user):
    asyncio.get_running_loop().slow_callback_duration = 60.0  # how fast this machine is does not matter
    async def one(user):
        return [group.id for group in await client.list_user_groups(user).collect()]
    users = [f"{user}-{number}" for number in range(3)]
    return [*zip(users, await asyncio.gather(*map(one, users)))]

def work(thread):
    together.wait()
    for run in range(runs):
        try:
            wrong.extend(user for user, groups in asyncio.run(ask(f"{thread}-{run}")) if groups != [f"group of {user}"])
        except Exception as error:
            wrong.append(repr(error))

workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print("wrong:", wrong)
del client, transport
gc.collect()
print("collected")
sys.stdout.flush()
sys.stdin.readline()
"""


@pytest.mark.parametrize(("threads", "runs"), [(1, 40), (8, 20)])
async def test_f97_loops_that_come_and_go_leave_nothing(server: FaultServer, threads: int, runs: int) -> None:
    """One transport in many `asyncio.run`, never closed: no call fails, nothing complains, no connection is left."""
    serve_pages(server)
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", LOOPS, server.url, str(threads), str(runs)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"wrong: []\n"
    await server.all_closed()
    printed, complaints = await process.communicate(b"\n")

    assert complaints.decode() == ""
    assert (process.returncode, printed) == (0, b"collected\n")
    assert server.count(f"{USERS}*") == threads * runs * 3


async def test_f97_closing_in_one_loop_leaves_the_others(
    server: FaultServer, make_m3ter: MakeM3ter, watch: Watch
) -> None:
    """`aclose()` closes what the transport has in the loop that it is called in, and nothing of another's."""
    serve_pages(server)
    transport = aiohttp_transport()
    watch.add_client(transport)
    client = make_m3ter(server, transport=transport, retry=ONCE, max_rate=None)
    assert await groups_of(client, "first") == ["group of first"]

    async def elsewhere() -> list[str]:
        found = await groups_of(client, "second")
        await transport.aclose()
        return found

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == ["group of second"]
    assert await groups_of(client, "third") == ["group of third"]
    assert len(server.connections) == 2


# 100: proxies


@pytest.mark.parametrize("tunnelled", [True, False], ids=["https", "http"])
@pytest.mark.parametrize(
    "userinfo",
    ["us\xe9r:CANARY-p\xe4\u20ac\u5bc6", "us%C3%A9r:CANARY-p%C3%A4%E2%82%AC%E5%AF%86"],
    ids=["raw", "percent-encoded"],
)
async def test_f100_proxy_is_told_the_password_in_utf8(
    trusted: Authority,
    make_server: MakeServer,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    userinfo: str,
    *,
    tunnelled: bool,
) -> None:
    """User and password of a proxy may be of any letters: they go to the proxy in UTF-8, and nowhere else."""
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

    expected = "Basic " + b64encode("us\xe9r:CANARY-p\xe4\u20ac\u5bc6".encode()).decode()
    assert {one.header("proxy-authorization") for one in proxy.requests} == {expected}
    assert {one.header("proxy-authorization") for one in origin.requests} <= {None}
    assert bool(origin.requests) is tunnelled


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize(
    "address",
    [
        "socks5://user:CANARY@127.0.0.1:1",
        "ftp://user:CANARY@127.0.0.1:1",
        "http://user:CANARY@127.0.0.1:port",
        "http://user:CANARY@127.0.0.1:65536",
        "http://user:CANARY@127.0.0.1:0",
        "http://user:CANARY@",
        "http://user:CANARY@[::1",
        "http://user:CANARY%E9@127.0.0.1:1",
        "http://user:CANARY\udce9@127.0.0.1:1",
    ],
)
def test_f100_proxy_that_cannot_be_used(
    options: Options,
    make_smartpm: MakeSmartPM,
    monkeypatch: pytest.MonkeyPatch,
    watch: Watch,
    scheme: str,
    address: str,
) -> None:
    """A proxy that no request can go through, or a password that is not UTF-8, is an error before the first call."""
    monkeypatch.setenv(f"{scheme}_proxy", address)

    with watch.raises(ConfigurationError, match="the proxy of the environment cannot be used"):
        make_smartpm(f"{scheme}://localhost", **options())


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
        one.always("*", json_answer({"id": GROUP_ID, "name": "Operators", "users": []}))
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
