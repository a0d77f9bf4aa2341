"""API keys: the same headers on every request. And what authentication is to a client."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

from usergroups._http.request import Headers
from usergroups._http.sender import Authorization, Call, Outcome

Send = Callable[[Call, Authorization], Awaitable[Outcome]]
"""`Sender.send`: sends a call with an authorization, within limits and with retries."""


class Auth(Protocol):
    """
    Sends calls with credentials; more than once, if a token has to be replaced.
    """

    async def __call__(self, call: Call, send: Send) -> Outcome:
        """
        Return the outcome of *call*. Raises the error of a token that cannot be had.
        """
        ...


@attrs.frozen
class Fixed:
    """
    The same *headers* for every request.
    """

    headers: Headers = attrs.field(repr=False)

    async def prepare(self, deadline: float) -> None:
        """
        Do nothing: the headers are always there.
        """

    def authorize(self) -> bool:
        """
        Return True.
        """
        return True


class KeyAuth:
    """
    Authentication by *headers* that hold an API key.
    """

    def __init__(self, headers: Headers) -> None:
        self._authorization = Fixed(headers)

    async def __call__(self, call: Call, send: Send) -> Outcome:
        """
        Return the outcome of *call*.
        """
        return await send(call, self._authorization)
