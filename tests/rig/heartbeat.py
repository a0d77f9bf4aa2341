"""A task that beats every 5 ms: the largest gap between two beats is how long the loop was stuck."""

import asyncio
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Self

PERIOD = 0.005  # seconds


class Heartbeat:
    """
    Beats while its `async with` lasts.

    `largest_gap` is in seconds, from one beat to the next: never below the period, by design.
    """

    def __init__(self, period: float = PERIOD) -> None:
        self.largest_gap = 0.0
        self.beats = 0
        self._period = period
        self._last = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._last = perf_counter()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._beat()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            self._beat()

    def _beat(self) -> None:
        now = perf_counter()
        self.largest_gap = max(self.largest_gap, now - self._last)
        self._last = now
        self.beats += 1
