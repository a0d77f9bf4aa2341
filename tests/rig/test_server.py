"""The fault server: each of its faults really happens on the wire, and what it counts is right."""

import asyncio
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from rig.script import (
    Gate,
    Script,
    answer,
    close,
    drip,
    flood,
    head,
    hold,
    json_answer,
    pause,
    reset,
    silence,
)
from rig.server import FaultServer, Request, unused_port

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


def refuses(port: int) -> bool:
    """Return whether nobody listens on *port*, and nobody else can."""
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


async def test_answers_in_order_and_keeps_the_connection(faults: FaultServer) -> None:
    """Each script is used once, in order; then the next route that fits is asked, with the request and its number."""
    faults.once("/x", json_answer({"n": 1}), json_answer({"n": 2}, 503))
    faults.always("*", lambda request, n: json_answer({"n": [n, request.query]}))

    async with httpx.AsyncClient(base_url=faults.url) as client:
        answers = [await client.get("/x?c=d%20e") for _ in range(3)]

    assert [(one.status_code, one.json()["n"]) for one in answers] == [(200, 1), (503, 2), (200, [1, [["c", "d e"]]])]
    assert [(one.connection, one.nth) for one in faults.requests] == [(1, 1), (1, 2), (1, 3)]
    assert len(faults.connections) == 1


async def test_records_every_request_byte_for_byte(faults: FaultServer) -> None:
    """Method, raw target, headers and time of each request can be read afterwards."""
    faults.always("*", (answer(b""), close))
    before = time.monotonic()

    await ask(faults, b"PUT /a%2Fb/../c?d=%26 HTTP/1.1\r\nX-One: 1\r\nx-one:  2 \r\nContent-Length: 3\r\n\r\nabc")

    (request,) = faults.asked("/a%2Fb/*", method="PUT")
    assert request.target == b"/a%2Fb/../c?d=%26"
    assert request.headers == [("x-one", "1"), ("x-one", "2"), ("content-length", "3")]
    assert (request.header("X-One"), request.header("x-two"), request.body) == ("1", None, b"abc")
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
    """What was sent before arrives; then the connection is broken off, not closed; so it is before any request."""
    faults.always("*", (b"HTTP/1.1 200 OK\r\nConte", reset))
    reader, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)

    assert await reader.readexactly(22) == b"HTTP/1.1 200 OK\r\nConte"
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()

    faults.on_connect = lambda number: (reset,)
    with pytest.raises(ConnectionResetError):
        await ask(faults, b"")
    assert (faults.count(), len(faults.connections)) == (1, 2)


async def test_close_is_a_close_and_drip_takes_its_time(faults: FaultServer) -> None:
    """A closed connection ends cleanly, wherever in the answer; what comes before comes at the pace asked for."""
    faults.always("*", (head(200, length=100), pause(0.05), drip(b"12345", every=0.02), close))
    begun = time.monotonic()

    assert (await ask(faults)).endswith(b"\r\n\r\n12345")
    assert time.monotonic() - begun >= 0.15


@pytest.mark.parametrize(
    "script",
    [(silence,), (head(200, length=500), drip(b"x" * 500, every=0.02)), (flood(b"HTTP/1.1 100 Continue\r\n\r\n"),)],
    ids=["silence", "drip", "flood"],
)
async def test_script_ends_when_the_client_leaves(faults: FaultServer, script: Script) -> None:
    """No script outlives its connection, nor sends faster than it is read; the record says when that was closed."""
    faults.always("*", script)
    _, writer = await asyncio.open_connection("127.0.0.1", faults.port)
    writer.write(GET)
    await faults.got(1)
    before = time.monotonic()

    writer.close()
    await faults.all_closed(1)

    (connection,) = faults.connections
    assert connection.closed_at is not None
    assert connection.closed_at >= before


async def test_server_can_refuse_and_hang_up(faults: FaultServer) -> None:
    """A server can go away, with its connections or without, keep its port meanwhile, and come back on it."""
    faults.accept()  # changes nothing
    faults.always("*", answer(b"here"))
    async with httpx.AsyncClient(base_url=faults.url) as client:
        await client.get("/x")

        faults.refuse()
        faults.refuse()
        faults.hang_up()
        await faults.all_closed()
        assert refuses(faults.port)

        faults.accept()
        assert (await client.get("/x")).text == "here"
    faults.refuse()
    faults.stop()

    assert faults.errors == []


async def test_mistakes_of_a_test_are_noted(faults: FaultServer) -> None:
    """A request that no script is for, a script that fails and a step that fails are kept for the leak check."""

    def wrong(request: Request, n: int) -> bytes:
        raise KeyError("x")

    async def wrong_step(wire: object) -> None:
        raise LookupError("a mistake in the test")

    faults.always("/fails", wrong)
    faults.always("/x", (wrong_step,))

    async with httpx.AsyncClient(base_url=faults.url) as client:
        codes = [(await client.get(path)).status_code for path in ("/unknown", "/fails")]
    assert await ask(faults) == b""

    assert codes == [418, 418]
    assert [one.path for one in faults.unscripted] == ["/unknown"]
    assert [type(one) for one in faults.errors] == [KeyError, LookupError]


async def test_forgotten_routes_and_records() -> None:
    """Routes can be dropped; a server that keeps few records still counts all; waiting for more ends."""
    with FaultServer(keep=2) as short:
        short.always("*", answer(b"a"))
        async with httpx.AsyncClient(base_url=short.url) as client:
            for _ in range(5):
                await client.get("/x")
            short.forget()
            assert (await client.get("/x")).status_code == 418

        assert len(short.requests) == 2
        assert short.received.value == 6
        with pytest.raises(TimeoutError):
            await short.got(7, timeout=0.01)


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
    assert refuses(unused_port())
