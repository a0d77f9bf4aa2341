"""How many requests may be on the wire at once, and how many may start in a second."""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice

from usergroups._runtime import Runtime

_CROWD = 100  # calls that begin in one turn of the event loop, and that stand in line prepared
_CATCH_UP = 0.05  # seconds of missed starts that may be made up for, within what a full window leaves
_LEEWAY = 1.01  # of a window: so much closer together may its requests arrive than they started
_MOST_STARTS = 10_000  # that are remembered; a higher rate has shorter windows


class RateLimiter:
    """
    The next free moment of a rate limit, on the client's clock.

    Starts are spread evenly, and no window of a second holds more of them than the rate, be it one
    in which missed ones are made up for. It is shared by all loops of a client, and holds nothing
    that belongs to one.
    """

    def __init__(self, per_second: float | None, runtime: Runtime, *, refused_for: float = 0.0) -> None:
        self._clock = runtime.clock
        self._refused_for = refused_for
        self._answered = True  # since the last hold
        self.is_limited = per_second is not None
        self._interval = 0.0 if per_second is None else 1.0 / per_second
        most = 0 if per_second is None else min(math.ceil(per_second), _MOST_STARTS)
        self._window = most * self._interval * _LEEWAY
        self._starts: deque[float] = deque(maxlen=most)  # those of the last window
        self._next = -math.inf

    def wait(self) -> float:
        """
        Give the seconds until the next free moment; 0 or less where it has come.
        """
        return self._next - self._clock()

    def take(self) -> None:
        """
        Use the free moment up.
        """
        if self.is_limited:
            now = self._clock()
            self._next = max(self._next, now - _CATCH_UP) + self._interval
            self._starts.append(now)
            if len(self._starts) == self._starts.maxlen:
                self._next = max(self._next, self._starts[0] + self._window)

    def answered(self) -> None:
        """
        Hear that the server answered a request, in whatever way but to put it off.
        """
        self._answered = True

    def is_full(self) -> bool:
        """
        Tell whether a refusal means that the server's second is full: no more, if a hold was of no use.
        """
        return self._refused_for > 0 and (self._answered or self.wait() > 0)

    def hold(self) -> None:
        """
        Have nothing start until that second is over.
        """
        if self._answered:
            self._next = max(self._next, self._clock() + self._refused_for)
            self._answered = False


class Pacer:
    """
    The gate before the wire, in one loop: first come, first served, at most *limit* inside.

    A call begins in the lobby, where waiting costs next to nothing: of thousands that come at once, no
    more go on in one turn of the event loop than it can bear, and none while the line is long. Those
    in line are called to the gate by whoever leaves it, and there wait for the rate's next free moment:
    one at a time where there is a rate. Whoever leaves the lobby, the line or the gate costs nobody
    anything; whose turn came too early stands in line again, before those who have not had theirs.
    """

    def __init__(self, limit: int, rate: RateLimiter, runtime: Runtime) -> None:
        self._limit = limit
        self._rate = rate
        self._sleep = runtime.sleep
        self._lobby: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._begun = 0  # calls that begin in this turn
        self._front: OrderedDict[asyncio.Future[None], None] = OrderedDict()  # of the line
        self._line: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._at_gate = 0  # who have a place, and have not started yet
        self._most_at_gate = 1 if rate.is_limited else limit
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """
        Count those who stand in the lobby or in line.
        """
        return len(self._lobby) + self._in_line

    async def begin(self) -> None:
        """
        Wait in the lobby until a call may begin.
        """
        if self._lobby or self._begun >= _CROWD or self._in_line >= _CROWD:
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

    async def enter(
        self, *, first: bool = False, again: bool = False, is_ready: Callable[[], bool] = lambda: True
    ) -> bool:
        """
        Wait for a place and a free moment; `leave` gives the place back.

        *first* is before all others, *again* before those who have not had their turn yet. Who is not
        ready then (*is_ready*) leaves both to others, and gets False.
        """
        if self._in_line or self._at_gate or self.in_flight >= self._limit:
            await self._stand_in_line(first=first, again=again)
        else:
            self._take_place()
        enters = False
        try:
            while (wait := self._rate.wait()) > 0:
                await self._sleep(wait)
            enters = is_ready()
            if enters:
                self._rate.take()
        finally:
            self._at_gate -= 1
            self.in_flight -= not enters
            self._call()
        return enters

    def leave(self) -> None:
        """
        Give a place back.
        """
        self.in_flight -= 1
        self._call()

    @property
    def _in_line(self) -> int:
        return len(self._front) + len(self._line)

    async def _stand_in_line(self, *, first: bool, again: bool) -> None:
        turn = asyncio.get_running_loop().create_future()
        line = self._front if first or again else self._line
        line[turn] = None
        line.move_to_end(turn, last=not first)
        try:
            await turn
        except asyncio.CancelledError:
            line.pop(turn, None)
            if not turn.cancelled():  # called in the very moment of the cancel
                self.in_flight -= 1
                self._at_gate -= 1
            self._call()
            raise

    def _take_place(self) -> None:
        self.in_flight += 1
        self._at_gate += 1

    def _call(self) -> None:
        """
        Call whoever has a place now from the line, and others from the lobby into it.
        """
        while self._in_line and self.in_flight < self._limit and self._at_gate < self._most_at_gate:
            turn, _ = (self._front or self._line).popitem(last=False)
            if not turn.done():  # else its caller has left, and is about to notice
                self._take_place()
                turn.set_result(None)
        if self._lobby and not self._begun and self._in_line <= _CROWD // 2:
            self._let_begin()

    def _let_begin(self) -> None:
        called = list(islice(self._lobby, max(0, _CROWD - self._in_line)))
        for turn in called:  # each leaves the lobby itself: until then, nobody who comes overtakes it
            if not turn.done():
                turn.set_result(None)
        self._begun = len(called)
        if called:
            asyncio.get_running_loop().call_soon(self._let_begin)
