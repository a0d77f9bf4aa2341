"""The fault server: each of its faults really happens on the wire, and what it counts is right."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rig.goes import goes
from rig.script import (
    Gate,
    answer,
    chunked_answer,
    close,
    drip,
    flood,
    gzip_answer,
    head,
    hold,
    json_answer,
    pause,
    reset,
    silence,
    token_answer,
)
from rig.server import FaultServer, Request, unused_port
from rig.tls import Authority

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    """Return a server without scripts."""
    with FaultServer() as faults:
        yield faults


async def ask(server: FaultServer, data: bytes = GET) -> bytes:
    """Send *data* on a new connection and give all that comes until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_answers_in_order_and_keeps_the_connection(faults: FaultServer) -> None:
    """Each script is used once, in order; then the next route that fits is asked."""
    faults.once("/x", json_answer({"n": 1}), json_answer({"n": 2}, 503))
    faults.always("*", json_answer({"n": "rest"}))

    async with httpx.AsyncClient(base_url=faults.url) as client:
        answers = [await client.get("/x") for _ in range(3)]

    assert [(one.status_code, one.json()["n"]) for one in answers] == [(200, 1), (503, 2), (200, "rest")]
    assert [(one.connection, one.nth) for one in faults.requests] == [(1, 1), (1, 2), (1, 3)]
    assert len(faults.connections) == 1


async def test_callable_answers_see_the_request_and_its_number(faults: FaultServer) -> None:
    """A callable decides per request, and a route's answer may be changed on the way."""

    def echo(request: Request, n: int) -> bytes:
        return json_answer({"n": n, "query": request.query, "body": request.body.decode()})

    route = faults.always("/a/*", echo, method="POST")

    async with httpx.AsyncClient(base_url=faults.url) as client:
        first = await client.post("/a/b?c=d%20e", content=b"hello")
        route.answer = answer(b"changed", 202)
        second = await client.post("/a/b")

    assert first.json() == {"n": 1, "query": [["c", "d e"]], "body": "hello"}
    assert (second.status_code, second.text) == (202, "changed")
    assert route.hits == 2


async def test_records_every_request_byte_for_byte(faults: FaultServer) -> None:
    """Method, raw target, headers and time of each request can be read afterwards."""
    faults.always("*", (answer(b""), close))
    before = time.monotonic()

    await ask(faults, b"PUT /a%2Fb/../c?d=%26 HTTP/1.1\r\nX-One: 1\r\nx-one:  2 \r\nContent-Length: 3\r\n\r\nabc")

    (request,) = faults.asked("/a%2Fb/*", method="PUT")
    assert request.target == b"/a%2Fb/../c?d=%26"
    assert request.headers == [("x-one", "1"), ("x-one", "2"), ("content-length", "3")]
    assert request.header("X-One") == "1"
    assert request.header("x-two") is None
    assert request.body == b"abc"
    assert before <= request.at <= time.monotonic()
    assert faults.count("/elsewhere") == 0


async def test_request_in_pieces_is_one_request(faults: FaultServer) -> None:
    """A head and body that arrive byte by byte are waited for; two that arrive at once are two."""
    faults.once("*", answer(b"first"), (answer(b"second"), close))
    reader, writer = await asyncio.open_connection("127.0.0.1", faults.port)

    for byte in b"POST /x HTTP/1.1\r\ncontent-length: 2\r\n\r\nok":
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    await reader.readuntil(b"first")
    writer.write(GET)
    rest = await reader.read()
    writer.close()

    assert rest.endswith(b"second")
    assert faults.requests[0].body == b"ok"


async def test_reset_is_a_reset(faults: FaultServer) -> None:
    """What was sent before arrives; then the connection is broken off, not closed."""
    faults.always("*", (b"HTTP/1.1 200 OK\r\nConte", reset))
    reader, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)

    assert await reader.readexactly(22) == b"HTTP/1.1 200 OK\r\nConte"
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_close_is_a_close(faults: FaultServer) -> None:
    """A closed connection ends cleanly, wherever in the answer it is closed."""
    faults.always("*", (head(200, length=100), b"only this", close))

    assert (await ask(faults)).endswith(b"\r\n\r\nonly this")


async def test_connect_script_comes_before_any_request(faults: FaultServer) -> None:
    """A server can break a connection off as soon as it is there."""
    faults.on_connect = lambda number: (reset,)

    with pytest.raises(ConnectionResetError):
        await ask(faults, b"")

    assert faults.requests == []
    assert len(faults.connections) == 1


async def test_drip_takes_its_time(faults: FaultServer) -> None:
    """Bytes come one by one, at the pace that was asked for."""
    faults.always("*", (head(200, length=5), drip(b"12345", every=0.02), close))
    begun = time.monotonic()

    assert (await ask(faults)).endswith(b"12345")

    assert time.monotonic() - begun >= 0.1


async def test_drip_ends_when_the_client_leaves(faults: FaultServer) -> None:
    """A script does not outlive its connection, and the record says when that was closed."""
    faults.always("*", (head(200, length=500), drip(b"x" * 500, every=0.02)))
    _, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)
    await faults.got(1)

    writer.close()
    await faults.all_closed(1)

    (connection,) = faults.connections
    assert connection.closed_at is not None
    assert connection.closed_at - connection.opened_at < 5


async def test_held_answers_wait_for_the_test(faults: FaultServer) -> None:
    """Held requests are counted as they arrive, and answered when the gate is opened."""
    gate = Gate()
    faults.always("*", (hold(gate), json_answer({})))

    async with httpx.AsyncClient(base_url=faults.url) as client:
        tasks = [asyncio.create_task(client.get("/x")) for _ in range(3)]
        await gate.arrived(3)
        assert not any(task.done() for task in tasks)
        gate.open()
        answers = await asyncio.gather(*tasks)

    assert [one.status_code for one in answers] == [200, 200, 200]
    assert faults.open.most == 3


async def test_barrier_opens_by_itself(faults: FaultServer) -> None:
    """A gate with a number lets all go when so many have come."""
    faults.always("*", (hold(Gate(opens_at=3)), json_answer({})))

    async with httpx.AsyncClient(base_url=faults.url) as client:
        answers = await asyncio.gather(*(client.get("/x") for _ in range(3)))

    assert len(answers) == 3


async def test_silence_lasts_until_the_client_leaves(faults: FaultServer) -> None:
    """A server that accepts and never answers keeps its socket exactly as long as the client does."""
    faults.always("*", (silence,))

    async with httpx.AsyncClient(base_url=faults.url, timeout=0.1) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/x")

    await faults.all_closed(1)


async def test_flood_stops_with_the_client(faults: FaultServer) -> None:
    """An endless answer is sent no faster than it is read, and ends when the client leaves."""
    faults.always("*", (flood(b"HTTP/1.1 100 Continue\r\n\r\n"),))
    reader, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)

    assert (await reader.readexactly(250_000)).startswith(b"HTTP/1.1 100 Continue")
    writer.close()

    await faults.all_closed()


async def test_pause_makes_an_endpoint_slow(faults: FaultServer) -> None:
    """A pause delays the answer, and no other connection's."""
    faults.always("*", (pause(0.1), answer(b"slow"), close))

    for go in goes():
        begun = time.monotonic()
        await asyncio.gather(*(ask(faults) for _ in range(5)))
        took = time.monotonic() - begun
        assert took >= 0.1
        go.took(took, at_most=0.4)


async def test_answers_have_the_form_they_promise(faults: FaultServer) -> None:
    """The helpers' answers are what a real client reads from them, and the broken ones break it."""
    faults.once("/gzip", gzip_answer(b"packed" * 100))
    faults.once("/cut-gzip", gzip_answer(b"packed" * 100, cut=8))
    faults.once("/chunked", chunked_answer(b"0123456789" * 300, size=1000))
    faults.once("/cut-chunks", (chunked_answer(b"0123456789", ended=False), close))
    faults.once("/short", (answer(b"short", length=10), close))
    faults.once("/token", token_answer(scope=None))
    faults.once("/odd", answer(b"", 599, [("Retry-After", "1"), ("Retry-After", "2")]))

    async with httpx.AsyncClient(base_url=faults.url) as client:
        assert (await client.get("/gzip")).text == "packed" * 100
        assert (await client.get("/chunked")).text == "0123456789" * 300
        assert (await client.get("/token")).json()["scope"] is None
        odd = await client.get("/odd")
        assert (odd.status_code, odd.headers.get_list("retry-after")) == (599, ["1", "2"])
        for path in ("/cut-chunks", "/short"):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(path)
        async with client.stream("GET", "/cut-gzip") as cut:
            raw = b"".join([chunk async for chunk in cut.aiter_raw()])

    assert len(raw) == int(cut.headers["content-length"])


async def test_server_can_refuse_and_hang_up(faults: FaultServer) -> None:
    """A server can go away, with its connections or without, and come back on the same port."""
    faults.always("*", answer(b"here"))
    async with httpx.AsyncClient(base_url=faults.url) as client:
        await client.get("/x")

        faults.refuse()
        faults.hang_up()
        await faults.all_closed()
        with pytest.raises(httpx.ConnectError):
            await client.get("/x")

        faults.accept()
        assert (await client.get("/x")).text == "here"


async def test_server_that_refuses_can_be_stopped(faults: FaultServer) -> None:
    """Refusing, or accepting, twice changes nothing, and a server that refuses stops like any other."""
    faults.accept()
    faults.refuse()
    faults.refuse()

    faults.stop()

    assert faults.errors == []
    assert faults.open.value == 0


async def test_rude_hang_up_is_a_reset(faults: FaultServer) -> None:
    """Hanging up rudely resets the connections that are open."""
    faults.always("*", (silence,))
    reader, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)
    await faults.got(1)

    faults.hang_up(rudely=True)

    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_unscripted_requests_are_noted(faults: FaultServer) -> None:
    """A request that no script is for gets 418 and is kept for the leak check; so is a script that fails."""

    def wrong(request: Request, n: int) -> bytes:
        raise KeyError("x")

    faults.always("/fails", wrong)

    async with httpx.AsyncClient(base_url=faults.url) as client:
        codes = [(await client.get(path)).status_code for path in ("/unknown", "/fails")]

    assert codes == [418, 418]
    assert [one.path for one in faults.unscripted] == ["/unknown"]
    assert [type(one) for one in faults.errors] == [KeyError]


async def test_step_that_fails_ends_the_connection(faults: FaultServer) -> None:
    """A step of a test's own that fails is noted, and its connection is broken off."""

    async def wrong(wire: object) -> None:
        raise LookupError("a mistake in the test")

    faults.always("*", (wrong,))

    assert await ask(faults) == b""
    assert [type(one) for one in faults.errors] == [LookupError]


async def test_forgotten_routes_and_records(faults: FaultServer) -> None:
    """Routes can be dropped; a server that keeps few records still counts all."""
    with FaultServer(keep=2) as short:
        short.always("*", answer(b"a"))
        async with httpx.AsyncClient(base_url=short.url) as client:
            for _ in range(5):
                await client.get("/x")
            short.forget()
            assert (await client.get("/x")).status_code == 418

        assert len(short.requests) == 2
        assert short.received.value == 6


async def test_waiting_in_vain_ends(faults: FaultServer) -> None:
    """Waits for the server's figures are bounded, in a loop and in a thread."""
    with pytest.raises(TimeoutError):
        await faults.got(1, timeout=0.01)
    with pytest.raises(TimeoutError):
        faults.received.wait(lambda number: number > 0, timeout=0.01)


async def test_stop_leaves_nothing(faults: FaultServer) -> None:
    """Stopping ends held scripts, closes all sockets and joins the thread; stopping again is harmless."""
    faults.always("*", (hold(Gate()),))
    reader, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)
    await faults.got(1)

    faults.stop()
    faults.stop()

    assert await reader.read() == b""
    assert faults.open.value == 0
    writer.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", faults.port)):
        pass


def test_unused_port_refuses() -> None:
    """Nobody listens on an unused port, and nobody can: not a server of another test that runs beside this one."""
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", unused_port())):
        pass
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", unused_port()))


def test_port_is_kept_while_connections_are_refused(faults: FaultServer) -> None:
    """A server that refuses for a while keeps its port from others, and listens there again."""
    faults.refuse()

    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", faults.port))
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", faults.port)):
        pass

    faults.accept()
    with socket.create_connection(("127.0.0.1", faults.port)):
        faults.open.wait(lambda number: number == 1)
    faults.open.wait(lambda number: number == 0)


async def test_crowd_is_served(faults: FaultServer) -> None:
    """A thousand connections at once are all answered, and their number is known."""
    faults.always("*", (hold(Gate(opens_at=1000)), answer(b"you too"), close))

    answers = await asyncio.gather(*(ask(faults) for _ in range(1000)))

    assert all(one.endswith(b"you too") for one in answers)
    assert len(faults.connections) == faults.open.most == 1000
    await faults.all_closed()


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return the authority that signs for this file."""
    return Authority()


async def test_good_certificate_is_trusted(authority: Authority, tmp_path: Path) -> None:
    """A client that trusts the authority reaches a server with a good certificate, by name and address."""
    trust = ssl.create_default_context(cafile=authority.cert_file(tmp_path))
    with FaultServer(tls=authority.server_context()) as server:
        server.always("*", json_answer({}))
        async with httpx.AsyncClient(verify=trust) as client:
            answers = [await client.get(url) for url in (server.url, f"https://localhost:{server.port}")]

        assert [one.status_code for one in answers] == [200, 200]
        await server.all_closed()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("wrong host", "IP address mismatch"),
        ("unknown authority", "unable to get local issuer certificate"),
    ],
)
async def test_bad_certificates_are_bad(authority: Authority, tmp_path: Path, kind: str, words: str) -> None:
    """Each bad certificate fails for its own reason; the connection is counted though no request came."""
    trust = ssl.create_default_context(cafile=authority.cert_file(tmp_path))
    with FaultServer(tls=authority.server_context(kind)) as server:  # type: ignore[arg-type]  # from the table
        async with httpx.AsyncClient(verify=trust) as client:
            with pytest.raises(httpx.ConnectError, match=words):
                await client.get(server.url)

        await server.all_closed()
        assert len(server.connections) == 1
        assert server.requests == []


async def test_tls_server_survives_those_who_speak_none(authority: Authority) -> None:
    """A client without TLS is turned away, and counted."""
    with FaultServer(tls=authority.server_context()) as server:
        assert await ask(server) in (b"", b"\x15\x03\x01\x00\x02\x02F")

        await server.all_closed()
        assert len(server.connections) == 1
