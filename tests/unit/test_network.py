"""Streams: what has arrived and was not read is known, and closing waits for nothing."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import httpcore
import pytest

from rig.fixtures import MakeServer
from rig.script import Gate, close, flood, hold, reset, silence
from rig.server import FaultServer, unused_port
from usergroups._http.network import Backend, Stream

PIECE = 64 * 1024


async def connected(server: FaultServer) -> Stream:
    """Connect to *server*."""
    stream = await Backend().connect_tcp("127.0.0.1", server.port)
    assert isinstance(stream, Stream)
    return stream


async def asked(server: FaultServer) -> Stream:
    """Connect to *server* and send a request."""
    stream = await connected(server)
    await stream.write(b"GET / HTTP/1.1\r\n\r\n")
    return stream


async def until(happened: Callable[[], bool]) -> None:
    """Wait until it has."""
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110  # nobody tells of it
            await asyncio.sleep(0.001)


async def test_what_arrives_is_read(server: FaultServer) -> None:
    """Reading gives what is there, at most as much as is asked for, and nothing at the end."""
    server.always("/", (b"abcdef", close))
    stream = await asked(server)

    read = [await stream.read(4), await stream.read(4), await stream.read(4)]

    assert read == [b"abcd", b"ef", b""]
    assert stream.received == 6
    await stream.aclose()


async def test_name_of_several_addresses(make_server: MakeServer) -> None:
    """A host is found by its name; one that none of whose addresses answers is an error with the system's number."""
    server = make_server()

    stream = await Backend().connect_tcp("localhost", server.port)
    with pytest.raises(httpcore.ConnectError) as caught:
        await Backend().connect_tcp("localhost", unused_port())

    assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ECONNREFUSED
    await stream.aclose()


async def test_connecting_has_an_end() -> None:
    """A host that does not answer in time is an error."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(httpcore.ConnectTimeout):
        await Backend().connect_tcp(*listener.getsockname(), timeout=0)


async def test_peer_that_takes_nothing_is_a_timeout(server: FaultServer) -> None:
    """A write waits only where the peer is slow, and has an end; it goes on once there is room, or nobody to read."""
    server.on_connect = lambda _: (silence,)
    stream = await connected(server)
    await stream.write(bytes(8 * 1024 * 1024), timeout=5)

    with pytest.raises(httpcore.WriteTimeout):
        await stream.write(bytes(64 * 1024 * 1024), timeout=0.01)
    writing = asyncio.create_task(stream.write(b"more"))
    await asyncio.sleep(0)
    waits = not writing.done()
    stream.close()
    await writing
    assert waits

    with pytest.raises(httpcore.WriteError):
        await stream.write(b"x")


async def test_slow_reader_keeps_the_sender_waiting(server: FaultServer) -> None:
    """No more than a bound is kept for a reader who is slow, and none of it is lost."""
    server.always("/", (flood(bytes(PIECE), 64), close))
    stream = await asked(server)
    await until(lambda: stream.received > 4 * PIECE)
    for _ in range(20):
        await asyncio.sleep(0.001)
    kept = stream.received

    read = 0
    while data := await stream.read(PIECE):
        read += len(data)

    assert kept < 16 * PIECE
    assert read == 64 * PIECE
    stream.close()


async def test_lost_connection_is_an_error(server: FaultServer) -> None:
    """What arrived before a reset is read, then the reset is an error; there is nothing more to do with the stream."""
    gate = Gate()
    server.always("/", (b"half", hold(gate), reset))
    stream = await asked(server)
    context = ssl.create_default_context()

    read = [await stream.read(9)]
    gate.open()
    with pytest.raises(httpcore.ReadError):
        read.append(await stream.read(9))
    with pytest.raises(httpcore.WriteError):
        await stream.write(b"x")
    with pytest.raises(httpcore.ConnectError):
        await stream.start_tls(context)

    assert read == [b"half"]
    assert stream.get_extra_info("socket") is None
    stream.close()


class TestIdle:
    """Between two requests, whatever comes ends the connection."""

    async def test_new_stream_is_idle(self, server: FaultServer) -> None:
        """A stream is idle until something is written to it, and again after all that came was read."""
        server.always("/", b"abc")
        stream = await connected(server)

        before = stream.is_idle
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        during = stream.is_idle
        await stream.read(9)

        assert (before, during, stream.rest(), stream.is_idle) == (True, False, True, True)
        stream.close()
        assert not stream.is_idle

    async def test_f83_stream_with_something_left_does_not_rest(self, server: FaultServer) -> None:
        """What was not read is not for the next request."""
        server.always("/", b"abcdef")
        stream = await asked(server)
        await stream.read(3)

        assert not stream.rest()

        stream.close()

    @pytest.mark.parametrize("greeting", [b"HTTP/1.1 200 OK\r\n\r\n", (close,)], ids=["an answer", "the end"])
    async def test_f83_what_comes_unasked_closes_the_stream(self, server: FaultServer, greeting: object) -> None:
        """An answer that comes before its request is never read."""
        server.on_connect = lambda _: greeting  # type: ignore[assignment,return-value]
        stream = await connected(server)

        await until(lambda: not stream.is_idle)

        with pytest.raises(httpcore.WriteError):
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await stream.read(99) == b""
        await server.all_closed()


async def test_handshake_that_is_cancelled_leaves_no_socket(server: FaultServer) -> None:
    """A caller may leave in the middle of a handshake; so may time."""
    server.on_connect = lambda _: (silence,)
    context = ssl.create_default_context()
    left, late = await connected(server), await connected(server)

    with pytest.raises(httpcore.ConnectTimeout):
        await late.start_tls(context, "localhost", timeout=0.01)
    waiting = asyncio.create_task(left.start_tls(context, "localhost"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await server.all_closed()
