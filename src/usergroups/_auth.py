"""How a request shows who asks: a key in headers, or an access token that is replaced when refused."""

from collections.abc import Awaitable, Callable, Mapping

from ._exchange import Answer
from ._faults import Fault
from ._flight import Failure
from ._oauth import bearer_header
from ._settings import Secret
from ._tokens import TokenSource

Headers = Mapping[str, Secret]
Send = Callable[[Headers], Awaitable[Answer | Fault]]


Auth = Callable[[Send, float], Awaitable[Answer | Fault | Failure]]
"""Sends a request with what shows who asks, more than once if need be, until a deadline."""


def key_auth(headers: Headers) -> Auth:
    """
    Show the same *headers* every time.
    """
    return lambda send, _: send(headers)


class BearerAuth:
    """
    An access token. One that is refused is replaced once, unless it was fetched for this very call.

    *refusals* are the statuses that may mean that the token has ended.
    """

    def __init__(self, source: TokenSource, refusals: frozenset[int]) -> None:
        self._source = source
        self._refusals = refusals

    async def __call__(self, send: Send, deadline: float) -> Answer | Fault | Failure:
        grant = await self._source.get(deadline)
        if isinstance(grant, Failure):
            return grant
        outcome = await send({"Authorization": bearer_header(grant.token)})
        if not self._refused(outcome) or (grant.fresh and self._source.is_good(grant.token)):
            return outcome
        other = await self._source.replace(grant.token, deadline)
        if other is None:
            return outcome
        if isinstance(other, Failure):
            return other
        outcome = await send({"Authorization": bearer_header(other.token)})
        if self._refused(outcome):
            self._source.replacing_did_not_help(other.token)
        elif isinstance(outcome, Answer) and outcome.is_success:
            self._source.replacing_helped(other.token)
        return outcome

    def _refused(self, outcome: Answer | Fault) -> bool:
        return isinstance(outcome, Answer) and outcome.status_code in self._refusals
