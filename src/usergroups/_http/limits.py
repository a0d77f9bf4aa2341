"""The places for requests in flight: how many there may be at once, and who is next."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice

from .rate import RateLimiter, Reservations

_CROWD = 100  # calls that begin in one turn of the event loop; no more begin while as many are in the queue


class Turnstile:
    """
    Where crowds wait before they begin, in one event loop; waiting here is cheap.

    Of thousands of calls at once, at most 100 pass per turn of the loop, in the order in which they came,
    and none while 100 are *queued* behind it. Whose queue that is calls `open` when it gets shorter.
    """

    def __init__(self, queued: Callable[[], int]) -> None:
        self._queued = queued
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._passed = 0  # in this turn of the event loop

    def __len__(self) -> int:
        return len(self._waiting)

    async def enter(self) -> None:
        """
        Wait until a call may pass.
        """
        if self._waiting or self._passed >= _CROWD or self._queued() >= _CROWD:
            turn = asyncio.get_running_loop().create_future()
            self._waiting[turn] = None
            try:
                await turn
            finally:
                del self._waiting[turn]
        else:
            self._count(1)

    def open(self) -> None:
        """
        Let calls through, as many as there is room for in the queue.
        """
        if self._waiting and not self._passed:  # else the next turn of the loop does it
            passing = list(islice(self._waiting, max(0, _CROWD - self._queued())))
            for turn in passing:  # each removes itself: until then, no later call overtakes it
                if not turn.done():
                    turn.set_result(None)
            self._count(len(passing))

    def _count(self, passing: int) -> None:
        if passing and not self._passed:
            asyncio.get_running_loop().call_soon(self._begin_turn)
        self._passed += passing

    def _begin_turn(self) -> None:
        self._passed = 0
        self.open()


class Pacer:
    """
    The places for requests in flight, in one event loop: *limit* of them, first come, first served.

    A call first passes a turnstile (`begin`). It then waits in a queue for a place (`enter`), and in its
    place for the rate limit: one call at a time if there is a rate.

    A caller may be cancelled while it waits anywhere, and delays no other. A call that is not ready when
    its turn comes goes back into the queue, in front of those that have not had a turn.
    """

    def __init__(self, limit: int, rate: RateLimiter | Reservations) -> None:
        self._limit = limit
        self._rate = rate
        self._turnstile = Turnstile(lambda: self._queued)
        self._front: OrderedDict[asyncio.Future[None], None] = OrderedDict()  # served before the queue
        self._queue: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._starting = 0  # calls that have a place, and have not started yet
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """
        The number of calls that wait at the turnstile or in the queue.
        """
        return len(self._turnstile) + self._queued

    async def begin(self) -> None:
        """
        Wait at the turnstile until a call may begin.
        """
        await self._turnstile.enter()

    async def enter(
        self, *, first: bool = False, again: bool = False, is_ready: Callable[[], bool] = lambda: True
    ) -> bool:
        """
        Wait for a place and for the rate limit, and return True; `leave` gives the place back.

        *first* goes before all others, *again* before those that have not had a turn. If *is_ready* then
        returns False, the place goes to another call, and False is returned.
        """
        turn = asyncio.get_running_loop().create_future()
        queue = self._front if first or again else self._queue
        queue[turn] = None
        queue.move_to_end(turn, last=not first)
        if not self._starting:  # else it would overtake those who have been called
            self._admit()
        enters = False
        try:
            await turn
            await self._rate.until_free()
            enters = is_ready()
            if enters:
                self._rate.take()
        finally:
            queue.pop(turn, None)
            if turn.done() and not turn.cancelled():  # it had its place, perhaps in the moment of a cancel
                self._starting -= 1
                self.in_flight -= not enters
            self._admit()
        return enters

    def leave(self) -> None:
        """
        Free the place of a call.
        """
        self.in_flight -= 1
        self._admit()

    async def aclose(self) -> None:
        """
        End what is under way for the rate limit.
        """
        if isinstance(self._rate, Reservations):
            await self._rate.aclose()

    @property
    def _queued(self) -> int:
        return len(self._front) + len(self._queue)

    def _admit(self) -> None:
        """Give free places to calls from the queue, and let others through the turnstile into it."""
        while self._queued and self.in_flight < self._limit and not (self._starting and self._rate.is_limited):
            turn, _ = (self._front or self._queue).popitem(last=False)
            if not turn.done():  # else its caller was cancelled
                self._starting += 1
                self.in_flight += 1
                turn.set_result(None)
        self._turnstile.open()
