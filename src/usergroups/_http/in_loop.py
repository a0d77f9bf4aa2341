"""What a client has in one event loop, which closes it as it ends."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import suppress

from .connections import Connections, Shared
from .limits import Pacer


class InLoop:
    """
    What a client has in one event loop: its pacer, its connections, and the calls that are under way.
    """

    def __init__(self, pacer: Pacer, connections: Connections | Shared) -> None:
        self.process = os.getpid()
        self.pacer = pacer
        self.connections = connections
        self.calls: set[asyncio.Timeout] = set()
        self._closing: asyncio.Task[None] | None = None
        # A loop closes the asynchronous generators that were begun in it before it ends.
        self._end = _close_at_the_end(pacer, connections)
        with suppress(StopIteration):
            self._end.__anext__().send(None)

    def close(self) -> "asyncio.Task[None]":
        """
        End its calls, and return the task in which its connections are closed. For its own loop.
        """
        if self._closing is None:
            now = asyncio.get_running_loop().time()
            for call in self.calls:
                if not call.expired():
                    call.reschedule(now)
            self._closing = asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        with suppress(RuntimeError):  # it is running already: the loop ends, and closes the connections itself
            await self._end.aclose()


async def _close_at_the_end(pacer: Pacer, connections: Connections | Shared) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await connections.aclose()
        await pacer.aclose()
