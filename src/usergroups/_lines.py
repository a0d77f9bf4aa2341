"""The transports of one client in one event loop, and the exchanges that are under way on them."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import httpx

from ._exchange import Answer, Exchange, Line
from ._faults import Fault

KEPT_ALIVE = 30.0  # seconds that an idle connection is kept; the usual gateways keep it for 60 or more
_LEAVING = 5.0  # seconds: as long as connecting may take; a place in the pool of another's transport may take for ever


class Lines:
    """
    One transport, with one connection, for each request that is on the wire at once.

    The one used last is used next. Where many requests choose among the connections of one pool,
    httpcore's choosing costs more than all the rest of a call. A transport that is not *ours*, but
    was given by the user of the SDK, serves all requests at once and is never closed.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport], clock: Callable[[], float], *, ours: bool) -> None:
        self._make = make
        self._clock = clock
        self._shared = None if ours else Line.on(make())
        self._lines: set[Line] = set()
        self._idle: deque[Line] = deque()
        self._under_way: dict[asyncio.Task[Answer | Fault], Exchange] = {}

    async def exchange(self, request: httpx.Request, *, limit: int, done: Callable[[], None]) -> Answer | Fault:
        """
        Send *request* and give what came of it; *done* is called when its place is free again.

        At most *limit* bytes of body are read, counted after decompression.
        """
        line = self._shared or self._take()
        exchange = Exchange(line, request)
        if getattr(line.transport, "cancel_safe", False):
            try:
                return await exchange.run(limit, self._clock())
            finally:
                done()
        request.extensions["trace"] = exchange.trace
        task = asyncio.create_task(self._run(line, exchange, limit))
        self._under_way[task] = exchange

        def finish(task: asyncio.Task[Answer | Fault]) -> None:
            del self._under_way[task]
            if line in self._lines:
                line.idle_since = self._clock()
                self._idle.append(line)
            done()

        task.add_done_callback(finish)
        return await exchange.wait_for(task)

    async def aclose(self) -> None:
        """
        End all exchanges and close the transports.

        Ours go with all that is on them. On one that is not, an exchange ends where it may, if need be
        after this.
        """
        for task, exchange in self._under_way.items():
            if self._shared is None:
                task.cancel()
            else:
                exchange.leave()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=None if self._shared is None else _LEAVING)
        self._idle.clear()
        for line in list(self._lines):
            await self._close(line)

    async def _run(self, line: Line, exchange: Exchange, limit: int) -> Answer | Fault:
        outcome = await exchange.run(limit, self._clock())
        if isinstance(outcome, Fault) and outcome.pool_exhausted and line in self._lines:
            await self._close(line)  # it had no room although nobody else was on it
        while self._idle and self._idle[0].idle_since < self._clock() - KEPT_ALIVE:
            await self._close(self._idle.popleft())
        return outcome

    def _take(self) -> Line:
        if self._idle:
            return self._idle.pop()
        line = Line.on(self._make())
        self._lines.add(line)
        return line

    async def _close(self, line: Line) -> None:
        self._lines.discard(line)
        with suppress(Exception):  # it is of no use to anyone that closing failed
            await line.transport.aclose()
