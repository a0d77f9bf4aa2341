"""The base of both clients: opened, used in one event loop or several, and closed. A call begins here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import EllipsisType
from typing import NoReturn, Self, TypeVar

from ._arguments import of_call
from ._auth.key import Auth
from ._http.errors import unexpected
from ._http.exchange import Response
from ._http.request import Request
from ._http.retry import FOREVER
from ._http.sender import CLOSED, Call, Sender
from ._models import MismatchError, Reader
from ._telemetry import observe
from .errors import APIConnectionError, APITimeoutError, UserGroupsError

T = TypeVar("T")

Timeout = float | EllipsisType | None
"""The timeout of a call in seconds, as a method takes it: None is no limit, `...` is the client's own."""


class Client:
    """
    A client of one provider. It can be made outside of an event loop.
    """

    _shown = ""  # the settings in the repr; none yet while the arguments are checked

    def __init__(self, sender: Sender, auth: Auth, shown: str) -> None:
        self._sender = sender
        self._auth = auth
        self._reader = Reader()
        self._shown = f"{shown}, base_url={sender.base_url!r}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """
        Close the client for good: calls in flight, and later ones, raise `APIConnectionError`.

        Closing again does nothing. A transport that was passed in stays open.
        """
        await self._sender.aclose()

    def _seconds(self, timeout: Timeout) -> float | None:
        """
        Check the *timeout* that a method takes, and return it in seconds.
        """
        return of_call.call_timeout(timeout, self._sender.timeout)

    async def _call(
        self,
        name: str,
        request: Request,
        read: Callable[[Response], Awaitable[T]],
        *,
        timeout: float | None,
        hints: Mapping[int, str],
    ) -> T:
        """
        Send *request*, of the operation *name*, and return what *read* makes of the response, within *timeout* seconds.

        *hints* say, for a status, what the way out is. *read* may raise `MismatchError`. Raises the error that the
        outcome means.
        """

        async def work(call: Call) -> "T | UserGroupsError":  # in quotes: else made anew for every call
            call.hints = hints
            await self._sender.here().pacer.begin()
            call.queued = self._sender.runtime.clock() - call.began_at
            outcome = await self._auth(call, self._sender.send)
            if not isinstance(outcome, Response) or not outcome.is_success:
                return self._sender.error(outcome, call)
            try:
                _check(outcome)
                return await read(outcome)
            except MismatchError as caught:
                mismatch = caught
            return unexpected(outcome, mismatch, self._sender.redactor)

        return await self._within(name, request, work, timeout=timeout)

    async def _within(
        self,
        name: str,
        request: Request,
        work: Callable[[Call], Awaitable[T | UserGroupsError]],
        *,
        timeout: float | None,
    ) -> T:
        """
        Return what *work* comes to, with the call of *request* as its argument, or raise it if it is an error.

        Raises `APITimeoutError` when time runs out, and `APIConnectionError` when the client is closed.
        """
        now = self._sender.runtime.clock()
        ends_at = FOREVER if timeout is None else now + timeout
        call = Call(request=request, deadline=lambda: ends_at, began_at=now)
        with observe(name, call, self._sender):
            result = await self._in_time(call, work, timeout)
            if isinstance(result, UserGroupsError):
                raise result
            return result

    async def _in_time(
        self, call: Call, work: Callable[[Call], Awaitable[T]], timeout: float | None
    ) -> T | UserGroupsError:
        """
        Return what *work* comes to, or the error of a call that is out of time or whose client is closed.
        """
        sender = self._sender
        if not sender.is_closed:
            calls = sender.here().calls
            scope = asyncio.timeout(timeout)
            try:
                async with scope:
                    calls.add(scope)
                    return await work(call)
            except TimeoutError:
                if not scope.expired():  # an `APITimeoutError` of the token's fetch
                    raise
            finally:
                calls.discard(scope)
        asked = sender.asked(call)
        if sender.is_closed:
            return APIConnectionError(CLOSED, **asked, retryable=False)
        return APITimeoutError(f"no answer within {timeout:g} s", **asked)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and connections: it is not pickled")


def _check(response: Response) -> None:
    """Raise `MismatchError` unless *response* is a whole 200: a 202 or 204 holds no list, a 206 a part of one."""
    if response.status_code != 200:
        raise MismatchError("$", f"its status is {response.status_code}, not 200")
    if response.flaw:
        raise MismatchError("$", response.flaw)
