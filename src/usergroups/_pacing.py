"""How many requests may be on the wire at once, and how many may start in a second."""

import asyncio
from collections import OrderedDict
from itertools import islice

from ._ambient import Ambient

_CROWD = 100  # calls that begin in one turn of the event loop, and that stand in line prepared
_CATCH_UP = 0.05  # seconds of missed starts that may be made up for; more would break the rate


class Rate:
    """
    The next free moment of a rate limit, on the client's clock.

    It is shared by all loops of a client, and holds nothing that belongs to one.
    """

    def __init__(self, per_second: float | None, ambient: Ambient) -> None:
        self._interval = 0.0 if per_second is None else 1.0 / per_second
        self._clock = ambient.clock
        self._next = 0.0

    def wait(self) -> float:
        """
        Give the seconds until the next free moment; 0 or less where it has come.
        """
        return self._next - self._clock()

    def take(self) -> None:
        """
        Use the free moment up.
        """
        self._next = max(self._next, self._clock() - _CATCH_UP) + self._interval


class Pacer:
    """
    The gate before the wire, in one loop: first come, first served, at most *limit* inside.

    A call begins in the lobby, where waiting costs next to nothing: of thousands that come at once, no
    more go on in one turn of the event loop than it can bear, and none while the line is long. One
    caller at a time stands at the head, and waits there for a place and for the rate's next free
    moment; the others stand in line. Whoever leaves the lobby, the line or the head, costs nobody
    anything.
    """

    def __init__(self, limit: int, rate: Rate, ambient: Ambient) -> None:
        self._limit = limit
        self._rate = rate
        self._sleep = ambient.sleep
        self._lobby: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._begun = 0  # calls that begin in this turn
        self._line: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._head_taken = False
        self._place_freed: asyncio.Future[None] | None = None
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """
        Count those who stand in the lobby, in line or at the head.
        """
        return len(self._lobby) + len(self._line) + self._head_taken

    async def begin(self) -> None:
        """
        Wait in the lobby until a call may begin.
        """
        if self._lobby or self._begun >= _CROWD or len(self._line) >= _CROWD:
            turn = asyncio.get_running_loop().create_future()
            self._lobby[turn] = None
            try:
                await turn
            finally:
                self._lobby.pop(turn, None)
        else:
            self._begun += 1
            if self._begun == 1:
                asyncio.get_running_loop().call_soon(self._let_begin)

    async def enter(self, *, first: bool = False) -> None:
        """
        Wait for a place and a free moment, *first* before all others; `leave` gives the place back.
        """
        if self._head_taken:
            await self._stand_in_line(first=first)
        self._head_taken = True
        try:
            while self.in_flight >= self._limit:
                self._place_freed = asyncio.get_running_loop().create_future()
                await self._place_freed
            while (wait := self._rate.wait()) > 0:
                await self._sleep(wait)
            self._rate.take()
            self.in_flight += 1
        finally:
            self._call_next()

    def leave(self) -> None:
        """
        Give a place back.
        """
        self.in_flight -= 1
        if self._place_freed is not None and not self._place_freed.done():
            self._place_freed.set_result(None)

    async def _stand_in_line(self, *, first: bool) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._line[turn] = None
        self._line.move_to_end(turn, last=not first)
        try:
            await turn
        except asyncio.CancelledError:
            self._line.pop(turn, None)
            if not turn.cancelled():  # called to the head in the very moment of the cancel
                self._call_next()
            raise

    def _let_begin(self) -> None:
        called = list(islice(self._lobby, max(0, _CROWD - len(self._line))))
        for turn in called:  # each leaves the lobby itself: until then, nobody who comes overtakes it
            if not turn.done():
                turn.set_result(None)
        self._begun = len(called)
        if called:
            asyncio.get_running_loop().call_soon(self._let_begin)

    def _call_next(self) -> None:
        self._head_taken = False
        while self._line and not self._head_taken:
            turn, _ = self._line.popitem(last=False)
            if not turn.done():  # else its caller has left, and is about to notice
                turn.set_result(None)
                self._head_taken = True
        if self._lobby and not self._begun and len(self._line) <= _CROWD // 2:
            self._let_begin()
