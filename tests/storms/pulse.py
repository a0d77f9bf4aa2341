"""A heartbeat that tells a loop that is busy from one whose thread waits for the processor."""

import asyncio
from contextlib import suppress
from time import perf_counter, thread_time
from types import TracebackType
from typing import Self

PERIOD = 0.005  # seconds


class Pulse:
    """
    Beats while its `async with` lasts.

    *longest* is the longest time in seconds between two beats; *busiest* the longest for which the
    loop's thread had the processor meanwhile. Where a machine has other work, only that is the loop's.
    """

    def __init__(self) -> None:
        self.longest = self.busiest = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        last, busy = perf_counter(), thread_time()
        while True:
            try:
                await asyncio.sleep(PERIOD)
            finally:
                now, used = perf_counter(), thread_time()
                self.longest, self.busiest = max(self.longest, now - last), max(self.busiest, used - busy)
                last, busy = now, used
