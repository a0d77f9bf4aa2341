"""The body of an answer: read to its end or to a bound, decompressed on the way."""

import asyncio
import gzip
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups._http.body import read_body

LIMIT = 1024 * 1024

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


class Stream(httpx.AsyncByteStream):
    """A body in chunks. It counts those that were read, and knows when it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks
        self.read = 0
        self.closed = False
        self.generator_closed = False

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Return the chunks."""
        try:
            for chunk in self.chunks:
                self.read += 1
                yield chunk
        finally:
            self.generator_closed = True

    async def aclose(self) -> None:
        """Return the connection back."""
        assert self.generator_closed or not self.read
        self.closed = True


class PlainStream(httpx.AsyncByteStream):
    """A body whose iterator is no generator, as other transports have it."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = iter(chunks)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the iterator, which is this."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk."""
        for chunk in self.chunks:
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Return the connection back."""
        self.closed = True


def response(stream: httpx.AsyncByteStream, coding: str | None = None) -> httpx.Response:
    """Return an answer with the body *stream* in *coding*."""
    return httpx.Response(200, headers={} if coding is None else {"content-encoding": coding}, stream=stream)


def in_pieces(data: bytes, size: int) -> list[bytes]:
    """Cut *data* into pieces of *size* bytes."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("coding", [None, "", "identity", "IDENTITY "])
async def test_plain_body(coding: str | None) -> None:
    """A body that is not compressed is given as it came, and the connection is free."""
    stream = Stream([b"ab", b"", b"c"])

    body = await read_body(response(stream, coding), LIMIT)

    assert body == (b"abc", "")
    assert stream.closed


@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("chunks", [[], [b""]], ids=["no chunk", "an empty chunk"])
async def test_empty_body(coding: str | None, chunks: list[bytes]) -> None:
    """An answer without a body has an empty one, whatever its headers say of its coding."""
    body = await read_body(response(Stream(chunks), coding), LIMIT)

    assert body == (b"", "")


@pytest.mark.parametrize("size", [1, 20, 100_000])
async def test_f31_gzip_of_several_members(size: int) -> None:
    """All members of a compressed body are read, also behind the zeros that one may be padded with."""
    members = [b"first", b"", b"second" * 50_000, b"third"]
    stream = Stream(in_pieces(b"".join(gzip.compress(one) + b"\0" * 50 for one in members), size))

    body = await read_body(response(stream, "gzip"), LIMIT)

    assert body == (b"".join(members), "")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(gzip.compress(b"x") + gzip.compress(b"y")[:-1], EOFError, id="cut in its second member"),
        pytest.param(gzip.compress(b"x" * 5000)[:-8] + b"\0" * 8, zlib.error, id="another checksum"),
        pytest.param(gzip.compress(b"x") + b"trash", zlib.error, id="trash after it"),
        pytest.param(zlib.compress(b"x"), zlib.error, id="another compression"),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
async def test_f31_damaged_gzip(data: bytes, error: type[Exception], size: int) -> None:
    """A compressed body that was cut off or damaged is no body, and the connection is free."""
    stream = Stream(in_pieces(data, size))

    with pytest.raises(error):
        await read_body(response(stream, "gzip"), LIMIT)

    assert stream.closed


@pytest.mark.parametrize(
    "coding",
    ["gzip,identity", "identity, identity", ", ".join(["gzip"] * 200), "x" * 40, "x" * 41],
    ids=lambda coding: repr(coding)[:20],
)
async def test_f50_coding_that_was_not_asked_for(coding: str) -> None:
    """A body in a coding that nobody asked for is not read at all, and the connection is free."""
    stream = Stream([b"x"])

    body, flaw = await read_body(response(stream, coding), LIMIT)

    assert body == b""
    name = repr(coding) if len(coding) <= 40 else f"of {len(coding):,} characters"
    assert flaw == f"its content coding {name} is not one that was asked for"
    assert (stream.read, stream.closed) == (0, True)


@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize(
    ("size", "flaw"),
    [
        pytest.param(LIMIT, "", id="just short enough"),
        pytest.param(LIMIT + 1, "its body is longer than 1,048,576 bytes", id="a byte too long"),
    ],
)
async def test_f50_longest_body(coding: str | None, size: int, flaw: str) -> None:
    """A body may be as long as the bound, counted after decompression, and no longer."""
    data = b"x" * size
    stream = Stream(in_pieces(gzip.compress(data) if coding else data, 1000))

    body, found = await read_body(response(stream, coding), LIMIT)

    assert found == flaw
    assert data.startswith(body)
    assert len(body) == LIMIT or flaw
    assert stream.closed


async def test_f50_reading_ends_at_the_bound() -> None:
    """Of a body without end, no more is read than allowed."""

    def endless() -> Iterable[bytes]:
        while True:
            yield b"x" * 1000

    stream = Stream(endless())

    _, flaw = await read_body(response(stream), 10_500)

    assert flaw == "its body is longer than 10,500 bytes"
    assert (stream.read, stream.closed) == (11, True)


@pytest.mark.parametrize("padding", [gzip.compress(b""), b"\0"], ids=["members without content", "zeros"])
async def test_f50_body_that_never_begins_is_stopped(padding: bytes) -> None:
    """Of a compressed body that goes on and on and comes to nothing, no more is read than allowed."""
    stream = Stream([gzip.compress(b"x"), *[padding * (1000 // len(padding))] * 100])

    body = await read_body(response(stream, "gzip"), 10_500)

    assert body == (b"x", "its body is longer than 10,500 bytes")
    assert (stream.read, stream.closed) == (12, True)


async def test_f50_many_members_in_one_chunk_take_little_time() -> None:
    """A chunk of very many members takes time in proportion to its length."""
    member = gzip.compress(b"")
    took = []

    for size in (LIMIT // 8, LIMIT):
        stream = Stream([member * (size // len(member))])
        begun = time.process_time()
        assert await read_body(response(stream, "gzip"), LIMIT) == (b"", "")
        took.append(time.process_time() - begun)

    assert took[1] < 24 * took[0]  # 8 times as much; 64 times as much where all the rest is copied for each


async def test_other_iterators() -> None:
    """A body whose iterator cannot be closed is read and closed itself."""
    stream = PlainStream(b"a", b"b")

    body = await read_body(response(stream), LIMIT)

    assert body == (b"ab", "")
    assert stream.closed


async def test_stream_that_is_not_asynchronous_is_refused() -> None:
    """A transport that answers with a stream for threads is not one that can be used."""

    class Blocking(httpx.SyncByteStream):
        pass

    with pytest.raises(TypeError):
        await read_body(httpx.Response(200, stream=Blocking()), LIMIT)


@unhurried
@given(
    members=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    repeats=st.integers(1, 700),
    level=st.integers(0, 9),
    size=st.integers(1, 5000),
)
async def test_f31_whatever_is_compressed_comes_out(members: list[bytes], repeats: int, level: int, size: int) -> None:
    """Any bytes, in any number of members, cut anywhere, come out as they went in."""
    datas = [member * repeats for member in members]
    stream = Stream(in_pieces(b"".join(gzip.compress(data, level) for data in datas), size))

    body = await read_body(response(stream, "gzip"), LIMIT)

    assert body == (b"".join(datas), "")


@unhurried
@given(data=st.binary(min_size=1, max_size=200), cut=st.integers(1, 10_000), size=st.integers(1, 50))
async def test_f31_whatever_is_cut_off_is_noticed(data: bytes, cut: int, size: int) -> None:
    """A compressed body that lacks any of its last bytes is never taken for a whole one."""
    whole = gzip.compress(data)
    stream = Stream(in_pieces(whole[: -(cut % (len(whole) - 1) + 1)], size))

    with pytest.raises(EOFError):
        await read_body(response(stream, "gzip"), LIMIT)


async def test_nobody_waits_for_the_rest() -> None:
    """Once its caller has left, a body is read to its next piece only."""
    abandoned, stream = asyncio.Event(), Stream([b"0"] * 9)
    abandoned.set()

    body, flaw = await read_body(response(stream), LIMIT, abandoned=abandoned)

    assert (body, flaw, stream.read, stream.closed) == (b"", "nobody waited for its end", 1, True)
