"""One fetch of a token, and those who wait for it: they share what it comes to, success or failure."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Protocol, cast

import attrs

from ._oauth import Token
from .errors import UserGroupsError

_WOKEN_AT_ONCE = 100  # waiters per turn of the event loop


@attrs.frozen(kw_only=True)
class Grant:
    """
    A token to use; *fresh* if it was fetched for this very call.
    """

    token: Token
    fresh: bool


@attrs.frozen(kw_only=True)
class Failure:
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

    *on_asked* hears when the endpoint asks to wait, and how long that will be: no part of the time
    until *deadline*.
    """

    def __call__(
        self, *, background: bool, deadline: float, on_asked: Callable[[Failure, float], None]
    ) -> Awaitable[Fetched | Failure]: ...


class Flight:
    """
    One fetch under way. Each of its waiters has a future of its own.
    """

    def __init__(self, *, background: bool) -> None:
        self.background = background
        self.scope = asyncio.timeout(None)
        self.loop = asyncio.get_running_loop()
        self._waiters: dict[asyncio.Future[Grant | Failure], float] = {}

    async def wait(self, deadline: float) -> Grant | Failure:
        """
        Give what the fetch comes to; a caller who is cancelled takes it from nobody.
        """
        waiter: asyncio.Future[Grant | Failure] = self.loop.create_future()
        self._waiters[waiter] = deadline
        try:
            return await waiter
        finally:
            self._waiters.pop(waiter, None)

    def pause(self, seconds: float) -> None:
        """
        Wait for so many *seconds*, which are no part of the time for the fetch.
        """
        self.scope.reschedule(cast("float", self.scope.when()) + seconds)  # whoever flies gives it an end

    def turn_away(self, failure: Failure, until: float) -> None:
        """
        Let those go who cannot wait until *until*.
        """
        for waiter, deadline in self._waiters.items():
            if deadline < until and not waiter.done():
                waiter.set_result(failure)

    def land(self, outcome: Grant | Failure) -> None:
        """
        Wake the waiters, some at a time, so that the loop can breathe between them.
        """
        waiters = iter(list(self._waiters))

        def wake() -> None:
            for woken, waiter in enumerate(waiters, start=1):
                if not waiter.done():
                    waiter.set_result(outcome)
                if woken == _WOKEN_AT_ONCE:
                    self.loop.call_soon(wake)
                    return

        wake()
