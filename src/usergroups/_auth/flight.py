"""One fetch of an access token, whose outcome all waiting callers share, token or error."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import attrs

from usergroups._http.retry import RetryPolicy
from usergroups.errors import UserGroupsError

from .token import Token

_WOKEN_AT_ONCE = 100  # waiters woken per turn of the event loop


@attrs.frozen(kw_only=True)
class Grant:
    """
    An access token to use. *fresh*: it was fetched for this very call.
    """

    token: Token
    fresh: bool


Outcome = Grant | UserGroupsError | AssertionError | None
"""What a fetch came to: a token, an error, or None if those who wait may wait for another fetch."""


class Fetch(Protocol):
    """
    A fetch of a token from the endpoint, with retries by *policy*.

    *deadline* returns the moment until which there is time, and moves as callers join.
    """

    def __call__(self, *, policy: RetryPolicy, deadline: Callable[[], float]) -> Awaitable[tuple[Token, float]]:
        """
        Return the token, and the moment, on the client's clock, of its request. Raises the errors of a call.
        """
        ...


class Flight:
    """
    One fetch of an access token, and the callers that wait for it, each with a future of its own.

    It has *seconds* from *begins_at* on the *clock*, and goes on after that while any caller waits.
    """

    def __init__(self, clock: Callable[[], float], *, begins_at: float, seconds: float, background: bool) -> None:
        self.background = background
        self.loop = asyncio.get_running_loop()
        self.is_over = False  # no caller may join
        self._clock = clock
        self._ends_at = begins_at + seconds
        self._time_is_up = False
        self._scope = asyncio.timeout(None)
        self._outcome: Outcome = None
        self._waiters: dict[asyncio.Future[Outcome], float] = {}

    def deadline(self) -> float:
        """
        Return the moment until which there is time: the latest of its own and the waiting callers' deadlines.
        """
        return max(self._ends_at, max(self._waiters.values(), default=-math.inf))

    @asynccontextmanager
    async def in_time(self) -> AsyncGenerator[None, None]:
        """
        Run a block until the time is up and no caller waits; raise `TimeoutError` then.
        """
        async with self._scope:
            timer = self.loop.call_later(self._ends_at - self._clock(), self._on_time_up)
            try:
                yield
            finally:
                timer.cancel()

    async def wait(self, deadline: float) -> Outcome:
        """
        Wait for the outcome and return it. A caller that is cancelled does not affect the others.

        *deadline* extends the time of the fetch's retries; the caller itself must give up at it.
        """
        if self.is_over:  # an eager task may have landed before its first caller waits
            return self._outcome
        waiter: asyncio.Future[Outcome] = self.loop.create_future()
        self._waiters[waiter] = deadline
        try:
            return await waiter
        finally:
            del self._waiters[waiter]
            self._stop_if_unwanted()

    def land(self, outcome: Outcome) -> None:
        """
        End with *outcome*, and wake the callers, 100 per turn of the event loop.
        """
        self.is_over = True
        self._outcome = outcome
        waiters = iter(list(self._waiters))

        def wake() -> None:
            for woken, waiter in enumerate(waiters, start=1):
                if not waiter.done():
                    waiter.set_result(outcome)
                if woken == _WOKEN_AT_ONCE:
                    self.loop.call_soon(wake)
                    return

        wake()

    def _on_time_up(self) -> None:
        self._time_is_up = True
        self._stop_if_unwanted()

    def _stop_if_unwanted(self) -> None:
        if self._time_is_up and not self.is_over and not self._waiters:
            self.is_over = True
            self._scope.reschedule(self.loop.time())
