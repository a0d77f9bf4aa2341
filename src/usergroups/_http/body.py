"""The body of a response: read to its end or to a limit, and decompressed on the way."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from io import BytesIO

import httpx

_PIECE = 64 * 1024  # bytes that zlib takes or returns at once
_PLAIN, _GZIPPED = ("", "identity"), ("gzip", "x-gzip")  # the content codings that are read (RFC 9110, 8.4.1)
_LONGEST_CODING = 40  # characters of a content coding that an error names
_GZIP = 16 + zlib.MAX_WBITS  # zlib's code for gzip's header and trailer


async def read_body(
    response: httpx.Response, limit: int, *, abandoned: asyncio.Event | None = None
) -> tuple[bytes, str]:
    """
    Return the body, decompressed, and its flaw, or "" if it has none. The connection is free afterwards.

    At most *limit* bytes are read, counted after decompression. Reading also ends once *abandoned* is
    set. A damaged body raises whatever error reading it does; unless the status is 2xx, it is a flaw, and
    what could be read is returned.
    """
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError
    chunks = aiter(response.stream)
    body = BytesIO()  # joining parts would take twice the memory
    try:
        try:
            flaw = await _read(response, chunks, body, limit, abandoned)
        finally:
            try:
                if isinstance(chunks, AsyncGenerator):
                    await chunks.aclose()
            finally:
                await response.stream.aclose()
    except Exception:
        if 200 <= response.status_code <= 299:
            raise
        flaw = "it is damaged"
    return body.getvalue(), flaw


async def _read(
    response: httpx.Response, chunks: AsyncIterator[bytes], body: BytesIO, limit: int, abandoned: asyncio.Event | None
) -> str:
    """Write *chunks*, decompressed, into *body*, and return its flaw, or "" if it has none."""
    codings = [value for name, value in response.headers.raw if name.lower() == b"content-encoding"]
    coding = b", ".join(codings).decode("ascii", "replace").strip().lower()
    if coding not in _PLAIN + _GZIPPED:
        # Whole or not at all: it may repeat a secret, and a part of a secret is not recognized.
        name = repr(coding) if len(coding) <= _LONGEST_CODING else f"of {len(coding):,} characters"
        return f"its content coding {name} is not one that was asked for"
    gzip = _Gzip() if coding in _GZIPPED else None
    read = 0
    async for chunk in chunks:
        read += len(chunk)
        if abandoned is not None and abandoned.is_set():
            return "nobody waited for its end"
        if read > limit:  # empty members of gzip add up to no output, however many
            return _too_long(limit)
        for part in (chunk,) if gzip is None else gzip.feed(chunk):
            if body.tell() + len(part) > limit:
                return _too_long(limit)
            body.write(part)
    if read and gzip is not None and not gzip.is_complete:
        raise EOFError
    return ""


def _too_long(limit: int) -> str:
    return f"its body is longer than {limit:,} bytes"


class _Gzip:
    """A decoder of gzip (RFC 1952), one member or several, in pieces of bounded size."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    @property
    def is_complete(self) -> bool:
        return self._member.eof

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), _PIECE):  # zlib copies the unread rest for each member
            piece = chunk[start : start + _PIECE]
            while piece:
                if self._member.eof:
                    piece = piece.lstrip(b"\0")  # members may be padded with zeros
                    if not piece:
                        break
                    self._member = zlib.decompressobj(_GZIP)
                yield self._member.decompress(piece, _PIECE)
                piece = self._member.unconsumed_tail or self._member.unused_data
