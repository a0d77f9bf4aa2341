"""How a request shows who asks: a key in headers, or an access token that is replaced when refused."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import attrs

from usergroups._http.exchange import Response
from usergroups._http.failures import Failure
from usergroups._secrets import Secret

from .flight import NoToken
from .source import TokenSource
from .token import Token, bearer_header

Headers = Mapping[str, Secret]


class Authorization(Protocol):
    """
    What the requests of one call show, decided for each of them as it goes out.
    """

    async def prepare(self, deadline: float) -> NoToken | None:
        """
        Wait until *deadline* for what can be shown, before the request stands in line.
        """
        ...

    def authorize(self) -> bool:
        """
        Decide what *headers* are to be, without waiting; return False if `prepare` is needed once more.
        """
        ...

    @property
    def headers(self) -> Headers:
        """
        The headers that show who asks.
        """
        ...


Send = Callable[[Authorization], Awaitable[Response | Failure | NoToken]]


Auth = Callable[[Send, float], Awaitable[Response | Failure | NoToken]]
"""Sends a request with what shows who asks, more than once if need be, until a deadline."""


@attrs.frozen
class Fixed:
    """
    The same *headers* for every request.
    """

    headers: Headers = attrs.field(repr=False)

    async def prepare(self, deadline: float) -> NoToken | None:
        """
        Do nothing: what is shown is always there.
        """

    def authorize(self) -> bool:
        """
        Return True.
        """
        return True


def key_auth(headers: Headers) -> Auth:
    """
    Return what shows the same *headers* every time.
    """
    fixed = Fixed(headers)
    return lambda send, _: send(fixed)


class _Bearer:
    """
    The access token of one call: whichever is good as its request goes out.
    """

    token: Token

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._waited_for: Token | None = None

    @property
    def is_fresh(self) -> bool:
        """
        Whether the token was fetched for this very call.
        """
        return self.token is self._waited_for

    @property
    def headers(self) -> Headers:
        return {"Authorization": bearer_header(self.token)}

    async def prepare(self, deadline: float) -> NoToken | None:
        grant = await self._source.get(deadline)
        if isinstance(grant, NoToken):
            return grant
        if grant.fresh:
            self._waited_for = grant.token
        return None

    def authorize(self) -> bool:
        token = self._source.at_hand()
        if token is None:
            return False
        self.token = token
        return True


class BearerAuth:
    """
    An access token, replaced once when it is refused.

    One that was fetched for this very call is not, as long as it has been of no use to anyone.
    *refusals* are the statuses that may mean that the token has ended.
    """

    def __init__(self, source: TokenSource, refusals: frozenset[int]) -> None:
        self._source = source
        self._refusals = refusals

    async def __call__(self, send: Send, deadline: float) -> Response | Failure | NoToken:
        bearer = _Bearer(self._source)
        outcome = await send(bearer)
        if not self._refused(outcome, bearer):
            return outcome
        other = await self._source.replace(bearer.token, deadline, fresh=bearer.is_fresh)
        if other is None:
            return outcome
        if isinstance(other, NoToken):
            return other
        outcome = await send(bearer)
        if self._refused(outcome, bearer):
            self._source.replacing_did_not_help(bearer.token)
        elif isinstance(outcome, Response) and outcome.is_success:
            self._source.replacing_helped(bearer.token)
        return outcome

    def _refused(self, outcome: Response | Failure | NoToken, bearer: _Bearer) -> bool:
        """
        Tell whether *outcome* refuses the token; any other answer means that it was of use.
        """
        if not isinstance(outcome, Response):
            return False
        if outcome.status_code in self._refusals:
            return True
        self._source.was_of_use(bearer.token)
        return False
