"""What the server can do at most: a raw client that only counts bytes."""

import asyncio
import time
from urllib.parse import urlsplit

_REQUEST = (
    b"GET /organizations/org/users/user-000000/usergroups HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
    b"authorization: Bearer " + b"t" * 600 + b"\r\n\r\n"
)


class _Counter(asyncio.Protocol):
    """
    Keeps *depth* requests under way on one connection.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._length = 0
        self._got = 0
        self.answers = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            transport.write(_REQUEST)  # the first answer tells how long one is

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._length:
            self._length = len(data)
            self._transport.write(_REQUEST * self._depth)
            return
        self._got += len(data)
        complete, self._got = divmod(self._got, self._length)
        self.answers += complete
        self._transport.write(_REQUEST * complete)

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def measure(url: str, connections: int, depth: int, seconds: float) -> dict[str, float]:
    """
    Return the requests per second over *connections* with *depth* requests under way on each.
    """
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    loop = asyncio.get_running_loop()
    counters: list[_Counter] = []
    for _ in range(connections):
        _, counter = await loop.create_connection(lambda: _Counter(depth), host, port)
        counters.append(counter)
    await asyncio.sleep(seconds / 4)
    before, begin = sum(counter.answers for counter in counters), time.perf_counter()
    await asyncio.sleep(seconds)
    answers = sum(counter.answers for counter in counters) - before
    rate = answers / (time.perf_counter() - begin)
    for counter in counters:
        counter.stop()
    return {"rate": rate}
