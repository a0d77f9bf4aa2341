"""Time for clients under test: a wait takes none, but whoever waits less comes first."""

import asyncio
import heapq
from itertools import count

import attrs

_TURNS = 20  # of the event loop, in which those that run come to their own waits


@attrs.define(order=True)
class _Wait:
    ends_at: float
    number: int
    end: asyncio.Future[None] = attrs.field(order=False)


class Clock:
    """
    Seconds that only pass where somebody sleeps: as many at once as the shortest sleep takes.
    """

    def __init__(self) -> None:
        self.slept = 0.0  # seconds, of all sleeps, those at the same time counted once
        self._numbers = count()
        self._waits: dict[asyncio.AbstractEventLoop, list[_Wait]] = {}

    def __call__(self) -> float:
        return 1_000.0 + self.slept

    async def sleep(self, seconds: float) -> None:
        """Wait, for a few turns of the event loop, until *seconds* have passed on this clock."""
        loop = asyncio.get_running_loop()
        waits = self._waits.setdefault(loop, [])
        wait = _Wait(self.slept + seconds, next(self._numbers), loop.create_future())
        heapq.heappush(waits, wait)
        if len(waits) == 1:
            self._pass(loop, waits, _TURNS)
        await wait.end

    def _pass(self, loop: asyncio.AbstractEventLoop, waits: list[_Wait], turns: int) -> None:
        """End the shortest wait in so many turns of *loop*, and then the next one."""
        if turns == 0:
            wait = heapq.heappop(waits)
            if not wait.end.done():  # else it was cancelled
                self.slept = max(self.slept, wait.ends_at)
                wait.end.set_result(None)
        if waits:
            loop.call_soon(self._pass, loop, waits, turns - 1 if turns else _TURNS)
