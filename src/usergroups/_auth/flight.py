"""One fetch of an access token, whose outcome all waiting callers share, token or error."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import Protocol

import attrs

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


@attrs.frozen(kw_only=True)
class NoToken:
    """
    The reason why there is no access token: the *error* to raise.

    *refused*: the credentials were refused. *asked* is the server's Retry-After in seconds, or None.
    """

    error: UserGroupsError
    refused: bool = False
    asked: float | None = None

    def for_a_caller(self) -> UserGroupsError:
        """
        Return a copy of the error: many callers may share it, and each raises its own.
        """
        return copy(self.error)


@attrs.frozen(kw_only=True)
class Fetched:
    """
    A fetched access token. *sent_at* is the moment, on the client's clock, of its request.
    """

    token: Token
    sent_at: float


class Fetch(Protocol):
    """
    A fetch of a token from the endpoint: one attempt if *background*, else as the retry policy allows.

    *deadline* returns the moment until which there is time, and moves as callers join. *on_asked* is
    called with the error and the seconds to wait when the endpoint asks to wait.
    """

    def __call__(
        self, *, background: bool, deadline: Callable[[], float], on_asked: Callable[[NoToken, float], None]
    ) -> Awaitable[Fetched | NoToken]: ...


class Flight:
    """
    One fetch of an access token, and the callers that wait for it, each with a future of its own.

    It has *seconds* from *begins_at* on the *clock*, and goes on after that while any caller waits.
    """

    def __init__(self, clock: Callable[[], float], *, begins_at: float, seconds: float, background: bool) -> None:
        self.background = background
        self.loop = asyncio.get_running_loop()
        self.is_over = False  # ended without an outcome: no caller may join
        self._clock = clock
        self._ends_at = begins_at + seconds
        self._paused = 0.0
        self._time_is_up = False
        self._scope = asyncio.timeout(None)
        self._outcome: Grant | NoToken | None = None
        self._waiters: dict[asyncio.Future[Grant | NoToken], float] = {}

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
            self._timer = self.loop.call_later(self._ends_at - self._clock(), self._on_time_up)
            try:
                yield
            finally:
                self._timer.cancel()

    async def wait(self, deadline: float) -> Grant | NoToken:
        """
        Wait for the outcome and return it. A caller that is cancelled does not affect the others.

        *deadline* extends the time of the fetch's retries; the caller itself must give up at it.
        """
        if self._outcome is not None:  # an eager task may have landed before its first caller waits
            return self._outcome
        waiter: asyncio.Future[Grant | NoToken] = self.loop.create_future()
        self._waiters[waiter] = deadline
        try:
            return await waiter
        finally:
            del self._waiters[waiter]
            self._stop_if_unwanted()

    def pause(self, seconds: float) -> None:
        """
        Extend the time by *seconds*, which the endpoint asked to wait.
        """
        self._ends_at += seconds
        self._paused += seconds

    def turn_away(self, failure: NoToken, until: float) -> None:
        """
        Wake the callers whose deadline is before *until*, with *failure*.
        """
        for waiter, deadline in self._waiters.items():
            if deadline < until and not waiter.done():
                waiter.set_result(failure)

    def land(self, outcome: Grant | NoToken) -> None:
        """
        End with *outcome*, and wake the callers, 100 per turn of the event loop.
        """
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
        if self._paused:
            self._timer = self.loop.call_later(self._paused, self._on_time_up)
            self._paused = 0.0
        else:
            self._time_is_up = True
            self._stop_if_unwanted()

    def _stop_if_unwanted(self) -> None:
        if self._time_is_up and self._outcome is None and not self._waiters:
            self.is_over = True
            self._scope.reschedule(self.loop.time())
