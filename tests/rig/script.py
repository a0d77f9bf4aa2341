r"""
What a server's scripts are made of.

A script is bytes, or a sequence of bytes (sent as they are) and steps (done one after another):

    answer(b"{}")                                   one good answer
    (b"HTTP/1.1 200 OK\r\nContent-", reset)         half a header, then a reset
    (hold(gate), json_answer({}))                   an answer that waits until the test opens the gate
    (head(200, length=9), drip(b"123456789", 0.2))  a body that comes a byte at a time
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING

from .canary import ACCESS_TOKEN
from .tally import Tally

if TYPE_CHECKING:
    from .link import Link

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


Step = Callable[["Link"], Awaitable[None]]
Script = bytes | Sequence[bytes | Step]


class Gate:
    """
    Where scripts wait (`hold`) until the test opens it, or until *opens_at* of them have arrived.
    """

    def __init__(self, opens_at: int | None = None) -> None:
        self.arrivals = Tally()
        self._open = Tally()
        self._opens_at = opens_at

    def open(self) -> None:
        """
        Let all pass, those to come too.
        """
        self._open.add(1)

    async def arrived(self, least: int = 1, timeout: float = 5.0) -> None:
        """
        Wait until *least* scripts have come to this gate. Raises `TimeoutError`.
        """
        await self.arrivals.until(lambda number: number >= least, timeout)

    async def pass_through(self) -> None:
        """
        Wait for the gate to open.
        """
        self.arrivals.add(1)
        if self._opens_at is not None and self.arrivals.value >= self._opens_at:
            self.open()
        await self._open.until(lambda number: number > 0, timeout=3600)


def hold(gate: Gate) -> Step:
    """
    Wait at *gate*; for ever if nobody opens it.
    """
    return lambda wire: gate.pass_through()


def drip(data: bytes, every: float, size: int = 1) -> Step:
    """
    Send *data*, *size* bytes at a time, with *every* seconds before each.
    """

    async def step(wire: "Link") -> None:
        for start in range(0, len(data), size):
            await asyncio.sleep(every)
            wire.send(data[start : start + size])

    return step


def flood(piece: bytes, times: int | None = None) -> Step:
    """
    Send *piece* as fast as the client reads, *times* times (None: until the client has had enough).
    """

    async def step(wire: "Link") -> None:
        for _ in count() if times is None else range(times):
            wire.send(piece)
            await wire.drain()

    return step


def pause(seconds: float) -> Step:
    """
    Take *seconds*: an endpoint that is slow.
    """
    return lambda wire: asyncio.sleep(seconds)


async def close(wire: "Link") -> None:
    """
    Close the connection in good order (FIN).
    """
    wire.close()


async def reset(wire: "Link") -> None:
    """
    Break the connection off (RST).
    """
    wire.reset()


async def silence(wire: "Link") -> None:
    """
    Say nothing until the client gives up.
    """
    await wire.lost()


def tunnel(port: int) -> Step:
    """
    Pass on to *port* of this machine what comes from now on, and what comes back: a proxy's part
    after CONNECT.
    """

    async def step(wire: "Link") -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def pass_on() -> None:
            while True:
                writer.write(await wire.receive())

        passing = asyncio.create_task(pass_on())
        try:
            while data := await reader.read(65536):
                wire.send(data)
            wire.close()
        finally:
            passing.cancel()
            writer.close()

    return step


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def head(status: int = 200, headers: Headers = (), *, length: int | None = None) -> bytes:
    """
    Return a status line and headers, with a Content-Length if *length* is given.
    """
    fields = _pairs(headers)
    if length is not None:
        fields.append(("Content-Length", str(length)))
    reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Odd"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode()


def answer(
    body: bytes = b"",
    status: int = 200,
    headers: Headers = (),
    *,
    content_type: str = "application/json",
    length: int | None = None,
) -> bytes:
    """
    Return an answer with *body*. Its Content-Length is right unless *length* says otherwise.
    """
    fields = _pairs(headers)
    if content_type:
        fields.append(("Content-Type", content_type))
    return head(status, fields, length=len(body) if length is None else length) + body


def json_answer(document: object, status: int = 200, headers: Headers = ()) -> bytes:
    """
    Return an answer whose body is *document* as JSON.
    """
    return answer(json.dumps(document).encode(), status, headers)


def token_answer(token: str = ACCESS_TOKEN, expires_in: object = 18_000, **more: object) -> bytes:
    """
    Return a token endpoint's answer; *more* are further fields of it.
    """
    document = {"access_token": token, "expires_in": expires_in, "token_type": "Bearer", **more}
    return json_answer(document, headers={"Cache-Control": "no-store"})


def gzip_answer(body: bytes, status: int = 200, headers: Headers = (), *, cut: int = 0) -> bytes:
    """
    Return an answer with *body* in gzip, of which the last *cut* bytes are missing.
    """
    packed = gzip.compress(body, mtime=0)
    return answer(packed[: len(packed) - cut], status, [*_pairs(headers), ("Content-Encoding", "gzip")])


def chunked_answer(
    body: bytes, status: int = 200, headers: Headers = (), *, size: int = 1024, ended: bool = True
) -> bytes:
    """
    Return an answer in chunks of *size* bytes (RFC 9112, 7.1), without the last chunk if not *ended*.
    """
    fields = [*_pairs(headers), ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head(status, fields) + chunks + (b"0\r\n\r\n" if ended else b"")
