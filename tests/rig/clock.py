"""A fake clock that wakes sleepers in order, so that no test naps."""

import asyncio
import heapq
import math
from itertools import count

from .turns import Turns, timers


class FakeClock:
    """
    Time for clients under test: `clock()` tells it, `await clock.sleep(s)` waits for it to pass.

    | who moves it                  | when                                                          |
    | ----------------------------- | ------------------------------------------------------------- |
    | it itself, if *autopilot*     | to the next sleeper, whenever the event loop has nothing to do |
    | the test, `advance(seconds)`  | past every sleeper on the way, each in its turn               |

    *grace* is how many seconds of real time the loop must have nothing to do before autopilot moves
    on: 0 where all that happens happens in this loop, about 0.02 where a server in a thread answers.
    With *rules_loop*, the timers of the event loop follow this clock too (`asyncio.timeout`,
    `asyncio.sleep`, `loop.call_later`): the clock must then be used first in a loop without timers,
    which `watch` insists on: they would go off at once, or never.

    `slept` holds the length of every sleep that was asked for, in order.
    """

    def __init__(
        self, now: float = 1_000.0, *, autopilot: bool = True, grace: float = 0.0, rules_loop: bool = False
    ) -> None:
        self.autopilot = autopilot
        self.grace = grace
        self.rules_loop = rules_loop
        self.slept: list[float] = []
        self._now = now
        self._next_timer = math.inf
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._settling: list[asyncio.Future[None]] = []

    def __call__(self) -> float:
        return self._now

    @property
    def sleepers(self) -> int:
        """
        Count those who sleep now.
        """
        return sum(not sleeper.done() for _, _, sleeper in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """
        Wait until the clock shows *seconds* more. A sleeper that is cancelled is forgotten.
        """
        self.watch()
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), sleeper))
        await sleeper

    async def advance(self, seconds: float) -> None:
        """
        Let *seconds* pass: each sleeper on the way wakes at its moment, and what it does then is
        done before the next one wakes.
        """
        target = self._now + seconds
        await self.settle()
        while self._jump(target):
            await self.settle()
        self._now = target
        await self.settle()

    def skip(self, seconds: float) -> None:
        """
        Let *seconds* pass at once, as if something held the loop up: all of its timers that are due by
        then go off in one turn, the next. Sleepers wake when the clock moves on.
        """
        self._now += seconds

    async def settle(self) -> None:
        """
        Wait until the event loop has nothing left to do but to wait.
        """
        self.watch()
        settled = asyncio.get_running_loop().create_future()
        self._settling.append(settled)
        await settled

    def watch(self) -> None:
        """
        Follow the running loop. `sleep`, `advance` and `settle` see to it themselves.
        """
        loop = asyncio.get_running_loop()
        Turns.of(loop).add_idler(self)
        if self.rules_loop and loop.time is not self:
            if timers(loop):
                raise RuntimeError("the loop already has timers, by another clock: call watch() before")
            loop.time = self  # type: ignore[method-assign]

    def on_idle(self, timeout: float | None) -> bool:
        """
        Hear from `Turns` that the loop has nothing to do for *timeout* seconds.
        """
        self._next_timer = self._now + timeout if self.rules_loop and timeout is not None else math.inf
        if self._settling:
            settling, self._settling = self._settling, []
            _wake(settling)
            return True
        return self.autopilot and self._jump()

    def _jump(self, target: float = math.inf) -> bool:
        """
        Go to the next moment at which something is due, unless it lies after *target*.
        """
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        due = min(self._sleepers[0][0] if self._sleepers else math.inf, self._next_timer)
        if math.isinf(due) or due > target:
            return False
        moment = due if due > self._now else math.nextafter(self._now, math.inf)
        self._now, self._next_timer = moment, math.inf
        woken = []
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken.append(heapq.heappop(self._sleepers)[2])
        _wake(woken)
        return True


def _wake(sleepers: list[asyncio.Future[None]]) -> None:
    for sleeper in sleepers:
        if not sleeper.done():
            sleeper.set_result(None)
