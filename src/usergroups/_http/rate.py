"""How many requests may start per second: by a limit in memory, or by one that other clients share."""

import asyncio
import math
from collections import deque
from logging import getLogger
from typing import Protocol, runtime_checkable

from usergroups._arguments import of_client
from usergroups._runtime import Runtime
from usergroups.errors import ConfigurationError

_log = getLogger("usergroups")

_CATCH_UP = 0.05  # seconds of missed starts that may be caught up on, within the limit of a window
_LEEWAY = 1.01  # times a window: its requests may arrive closer together than they started
_MOST_STARTS = 10_000  # starts that are remembered; a higher rate has shorter windows

_TIMEOUT = 0.5  # seconds for one reservation
_PAUSE = 1.0  # seconds after a failure, until the shared limit is asked again
_LONGEST = 3600.0  # seconds until a start; more is no answer


class RateLimiter:
    """
    A rate limit: the next moment, on the client's clock, at which a request may start.

    Starts are spread evenly. No window of a second has more of them than the rate, even while missed
    ones are caught up on. All event loops of a client share it, so it holds nothing of any one loop.
    """

    def __init__(self, per_second: float | None, runtime: Runtime) -> None:
        self._runtime = runtime
        self._clock = runtime.clock
        self.is_limited = per_second is not None
        rate = math.inf if per_second is None else per_second
        self._interval = 1.0 / rate
        most = math.ceil(min(rate, _MOST_STARTS))
        self._window = most * self._interval * _LEEWAY
        self._starts: deque[float] = deque(maxlen=most)  # the moments of the last window
        self._next = -math.inf

    def wait(self) -> float:
        """
        Return the seconds until a request may start; 0 or less if it may start now.
        """
        return self._next - self._clock()

    async def until_free(self) -> None:
        """
        Wait until a request may start.
        """
        while (wait := self.wait()) > 0:
            await self._runtime.sleep(wait)

    def take(self) -> None:
        """
        Record a start, which moves the next one.
        """
        if self.is_limited:
            now = self._clock()
            self._next = max(self._next, now - _CATCH_UP) + self._interval
            self._starts.append(now)
            if len(self._starts) == self._starts.maxlen:
                self._next = max(self._next, self._starts[0] + self._window)

    def hold(self, seconds: float) -> None:
        """
        Let no request start for so many *seconds*.
        """
        self._next = max(self._next, self._clock() + seconds)


@runtime_checkable
class RateLimit(Protocol):
    """
    A rate that several clients share. Provisional, like `TokenStore`.

    A limit that fails, or takes longer than 0.5 s, does not fail the call: the client logs a warning, and keeps to
    its share of the rate by itself until the limit works again.
    """

    @property
    def share(self) -> float:
        """
        The requests per second that one client may start while the limit fails.
        """
        ...

    async def reserve(self) -> float:
        """
        Reserve the next start of a request, and return the seconds until it.
        """
        ...


class SharedRate(RateLimiter):
    """
    A `RateLimit`, and the rate limiter of a client that keeps to its *share* while the other *fails*.

    Each reservation has half a second. A failure is logged, and for a second nothing is asked.
    """

    def __init__(self, limit: RateLimit, share: float, runtime: Runtime) -> None:
        super().__init__(share, runtime)
        self.fails = False
        self._limit = limit
        self._share = share
        self._paused_until = -math.inf

    @property
    def is_paused(self) -> bool:
        """
        Whether the limit has just failed, and is not asked.
        """
        return self._clock() < self._paused_until

    async def reserve(self) -> float | None:
        """
        Reserve a start, and return its moment on the client's clock, or None if the limit fails.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                wait = _seconds(await self._limit.reserve())
        except Exception as error:  # noqa: BLE001  # the limit is the user's code
            self._paused_until = self._clock() + _PAUSE
            if not self.fails:
                reason = type(error).__name__  # its message may hold a secret
                _log.warning("the shared rate fails (%s); going on alone at %g requests/s", reason, self._share)
            self.fails = True
            return None
        if self.fails:
            _log.info("the shared rate works again")
        self.fails = False
        return self._clock() + wait


class Reservations:
    """
    The starts of one event loop that a `SharedRate` has reserved: one at a time, asked for when it is needed.

    A task of its own asks: a caller that is cancelled meanwhile leaves the start to the next one, and nobody waits
    for a limit that fails.
    """

    is_limited = True

    def __init__(self, rate: SharedRate, runtime: Runtime) -> None:
        self._rate = rate
        self._clock = runtime.clock
        self._sleep = runtime.sleep
        self._reserved: float | None = None  # a start that nobody has taken yet, on the client's clock
        self._asking: asyncio.Task[None] | None = None

    async def until_free(self) -> None:
        """
        Wait until a request may start.
        """
        if self._reserved is not None and self._reserved < self._clock() - _CATCH_UP:
            self._reserved = None  # a cancelled caller has left it, and it has passed
        if self._reserved is None and not self._rate.is_paused:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            if not self._rate.fails:
                await asyncio.wait([self._asking])
        while (wait := self._wait()) > 0:
            await self._sleep(wait)

    def take(self) -> None:
        """
        Record a start, which uses up what is reserved.
        """
        if self._reserved is None:
            self._rate.take()
        self._reserved = None

    async def aclose(self) -> None:
        """
        End what is being asked.
        """
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking], timeout=_TIMEOUT)

    async def _ask(self) -> None:
        self._reserved = await self._rate.reserve()

    def _wait(self) -> float:
        return self._rate.wait() if self._reserved is None else self._reserved - self._clock()


def _seconds(wait: float) -> float:
    if not 0 <= wait <= _LONGEST:
        raise ValueError
    return wait


def rate_limiter(max_rate: float | RateLimit | None, runtime: Runtime) -> RateLimiter:
    """
    Check *max_rate*, the argument of a client, and return its rate limiter.
    """
    if not isinstance(max_rate, RateLimit):
        return RateLimiter(of_client.optional_seconds("max_rate", max_rate), runtime)
    if isinstance(max_rate, type):  # a class has the protocol's members, too
        raise ConfigurationError("max_rate must be a RateLimit, not a class of them")
    return SharedRate(max_rate, of_client.seconds("the share of max_rate", max_rate.share), runtime)
