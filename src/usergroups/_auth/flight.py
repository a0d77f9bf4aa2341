"""One fetch of a token, and those who wait for it: they share what it comes to, success or failure."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import Protocol

import attrs

from usergroups.errors import UserGroupsError

from .token import Token

_WOKEN_AT_ONCE = 100  # waiters per turn of the event loop


@attrs.frozen(kw_only=True)
class Grant:
    """
    A token to use; *fresh* if it was fetched for this very call.
    """

    token: Token
    fresh: bool


@attrs.frozen(kw_only=True)
class NoToken:
    """
    Why there is no token: an *error*, and whether it will last.

    *refused* tells that the credentials were refused; *asked* is the server's Retry-After in seconds.
    """

    error: UserGroupsError
    refused: bool = False
    asked: float | None = None

    def for_a_caller(self) -> UserGroupsError:
        """
        Give the error; thousands may have waited for it, and each raises one of its own.
        """
        return copy(self.error)


@attrs.frozen(kw_only=True)
class Fetched:
    """
    A token, and the moment on the client's clock at which it was asked for.
    """

    token: Token
    sent_at: float


class Fetch(Protocol):
    """
    Ask the token endpoint: once if *background*, else as often as the retry policy allows.

    *deadline* tells until when there is time, and moves as callers come. *on_asked* hears when the
    endpoint asks to wait, and how long that will be.
    """

    def __call__(
        self, *, background: bool, deadline: Callable[[], float], on_asked: Callable[[NoToken, float], None]
    ) -> Awaitable[Fetched | NoToken]: ...


class Flight:
    """
    One fetch of a token, and those who wait for it, each with a future of its own.

    It has *seconds* from *begins_at* on the *clock*, and then goes on for as long as somebody waits.
    """

    def __init__(self, clock: Callable[[], float], *, begins_at: float, seconds: float, background: bool) -> None:
        self.background = background
        self.loop = asyncio.get_running_loop()
        self.is_over = False  # without an outcome: nobody waits, and nobody may join
        self._clock = clock
        self._ends_at = begins_at + seconds
        self._paused = 0.0
        self._is_due = False
        self._scope = asyncio.timeout(None)
        self._outcome: Grant | NoToken | None = None
        self._waiters: dict[asyncio.Future[Grant | NoToken], float] = {}

    def deadline(self) -> float:
        """
        Return the moment until which there is time, as things stand.
        """
        return max(self._ends_at, max(self._waiters.values(), default=-math.inf))

    @asynccontextmanager
    async def in_time(self) -> AsyncGenerator[None, None]:
        """
        Bound this block by the time there is; raise `TimeoutError` when that is over.
        """
        async with self._scope:
            self._timer = self.loop.call_later(self._ends_at - self._clock(), self._fall_due)
            try:
                yield
            finally:
                self._timer.cancel()

    async def wait(self, deadline: float) -> Grant | NoToken:
        """
        Return what the fetch comes to; a caller who is cancelled takes it from nobody.

        It is the caller's to leave at *deadline*.
        """
        if self._outcome is not None:  # it landed as it began: tasks may be eager
            return self._outcome
        waiter: asyncio.Future[Grant | NoToken] = self.loop.create_future()
        self._waiters[waiter] = deadline
        try:
            return await waiter
        finally:
            del self._waiters[waiter]
            self._stop_if_in_vain()

    def pause(self, seconds: float) -> None:
        """
        Wait for so many *seconds*, which are no part of the time for the fetch.
        """
        self._ends_at += seconds
        self._paused += seconds

    def turn_away(self, failure: NoToken, until: float) -> None:
        """
        Let those go who cannot wait until *until*.
        """
        for waiter, deadline in self._waiters.items():
            if deadline < until and not waiter.done():
                waiter.set_result(failure)

    def land(self, outcome: Grant | NoToken) -> None:
        """
        End with *outcome*, and wake the waiters, some at a time, so that the loop can breathe between them.
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

    def _fall_due(self) -> None:
        if self._paused:
            self._timer = self.loop.call_later(self._paused, self._fall_due)
            self._paused = 0.0
        else:
            self._is_due = True
            self._stop_if_in_vain()

    def _stop_if_in_vain(self) -> None:
        if self._is_due and self._outcome is None and not self._waiters:
            self.is_over = True
            self._scope.reschedule(self.loop.time())
