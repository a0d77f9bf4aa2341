"""
The server of the benchmarks: answers made beforehand, over keep-alive connections, as fast as Python can.

It is run in a process of its own, `python -m benchmarks.server '{"latency": 0.1}'`, prints its port, and
ends with its standard input.
"""

import asyncio
import importlib
import importlib.util
import json
import os
import re
import sys
import threading
import time
from typing import cast

import attrs

from benchmarks import bodies

_PAGE_TOKEN = re.compile(rb"[?&]nextToken=page-(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD = (
    "HTTP/1.1 {status}\r\nserver: benchmark\r\ndate: Mon, 03 Jun 2024 10:00:00 GMT\r\n"
    "content-type: application/json\r\ncontent-length: {length}\r\n"
    "connection: keep-alive\r\nx-request-id: 5f0c6d1e-benchmark\r\n\r\n"
)


@attrs.frozen(kw_only=True)
class Options:
    """
    What the server does beside answering.

    A listing has so many *pages* of so many *groups*; a SmartPM group has so many *users*, or is of one
    of the kinds of `bodies`, *kind*, and has *size* bytes; an answer takes *latency* seconds; above
    *rate_limit* requests in a second of the clock, the rest of that second is answered 429, as m3ter
    documents it.
    """

    pages: int = 1
    groups: int = bodies.GROUPS
    users: int = 0
    kind: str = ""
    size: int = bodies.LARGEST
    latency: float = 0.0
    rate_limit: int | None = None


class Site:
    """
    What is answered to which request, and how much of it.
    """

    def __init__(self, options: Options) -> None:
        self._limit = options.rate_limit
        self._second = self._in_second = 0
        self.counts = {"requests": 0, "refused": 0, "tokens": 0}
        self._pages = [
            answer(bodies.page(options.groups, f"page-{number + 1}" if number + 1 < options.pages else None, number))
            for number in range(options.pages)
        ]
        group = bodies.of_size(options.kind, options.size) if options.kind else bodies.user_group(options.users)
        self._group = answer(group, "400 Bad Request" if options.kind == bodies.ERROR else "200 OK")
        self._token = answer(bodies.TOKEN)
        self._refusal = answer(b'{"message": "Too many requests"}', "429 Too Many Requests")
        self._nothing = answer(b'{"message": "Not found"}', "404 Not Found")

    def answer(self, head: bytes) -> bytes:
        """
        Return the whole answer to the request with this *head*.
        """
        target = head.split(b" ", 2)[1]
        if target == b"/counts":
            return answer(json.dumps(self.counts).encode())
        self.counts["requests"] += 1
        if self._limit is not None and self._is_one_too_many(self._limit):
            self.counts["refused"] += 1
            return self._refusal
        if target.startswith(b"/organizations/"):
            token = _PAGE_TOKEN.search(target) if b"?" in target else None
            return self._pages[int(token[1]) if token else 0]
        if target.startswith(b"/public/v1/user-groups/"):
            return self._group
        if target == b"/oauth/token":
            self.counts["tokens"] += 1
            return self._token
        return self._nothing

    def _is_one_too_many(self, limit: int) -> bool:
        second = int(time.monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        return self._in_second > limit


def answer(body: bytes, status: str = "200 OK") -> bytes:
    """
    Return an HTTP answer with *body*.
    """
    return _HEAD.format(status=status, length=len(body)).encode() + body


class Wire(asyncio.Protocol):
    """
    One connection. Requests may be pipelined.
    """

    def __init__(self, site: Site, latency: float) -> None:
        self._site = site
        self._latency = latency
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Keep the way back.
        """
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour alone

    def data_received(self, data: bytes) -> None:
        """
        Answer every request that is complete.
        """
        data = self._rest + data
        answers: list[bytes] = []
        begin = 0
        while (end := data.find(b"\r\n\r\n", begin)) >= 0:
            head = data[begin:end]
            after = end + 4
            if head.startswith(b"POST"):
                length = _LENGTH.search(head)
                after += int(length[1]) if length else 0
                if after > len(data):
                    break
            answers.append(self._site.answer(head))
            begin = after
        self._rest = data[begin:]
        if answers and self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._write, answers)
        elif answers:
            self._write(answers)

    def _write(self, answers: list[bytes]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(answers) if len(answers) > 1 else answers[0])


async def serve(options: Options) -> None:
    """
    Serve on a free port of the loopback interface, and print it.
    """
    site = Site(options)
    server = await asyncio.get_running_loop().create_server(
        lambda: Wire(site, options.latency), "127.0.0.1", 0, backlog=2048
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """
    Serve as the first argument says, until standard input ends.
    """
    options = Options(**json.loads(sys.argv[1]))
    threading.Thread(target=_end_with_input, daemon=True).start()
    if importlib.util.find_spec("uvloop") is not None:  # it makes the server faster
        importlib.import_module("uvloop").run(serve(options))
    else:
        asyncio.run(serve(options))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
