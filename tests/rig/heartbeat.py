"""A task that beats every 5 ms: the largest gap between two beats is how long the loop was stuck."""

import asyncio
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

PERIOD = 0.005  # seconds
_SCHEDULER = Path("/proc/thread-self/schedstat")  # of Linux: nanoseconds on a processor, and in line for one


class Heartbeat:
    """
    Beats while its `async with` lasts.

    `largest_gap` is in seconds, from one beat to the next: never much below the period, by design.
    The time for which the loop's thread could have run, and the machine gave its processors to
    others, is no part of it, where the system tells that time: the loop was not stuck then.
    """

    def __init__(self, period: float = PERIOD) -> None:
        self.largest_gap = 0.0
        self.beats = 0
        self._period = period
        self._last = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._last = _own_time()
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
        now = _own_time()
        self.largest_gap = max(self.largest_gap, now - self._last)
        self._last = now
        self.beats += 1


def _own_time() -> float:
    """
    Return the seconds of a clock that stands still while this thread stands in line for a processor.
    """
    while True:
        waited, now = _waited(), perf_counter()
        if _waited() == waited:  # else the thread stood in line between the two
            return now - waited / 1e9


def _waited() -> int:
    """
    Return the nanoseconds for which this thread has stood in line, or 0 where nobody tells.
    """
    try:
        return int(_SCHEDULER.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
