"""A bearer token (RFC 6750), replaced once when it is refused."""

from usergroups._http.exchange import Response
from usergroups._http.request import Headers
from usergroups._http.sender import Call, Outcome

from .key import Send
from .source import TokenSource
from .token import Token, bearer_header


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

    async def prepare(self, deadline: float) -> None:
        grant = await self._source.get(deadline)
        if grant.fresh:
            self._waited_for = grant.token

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

    async def __call__(self, call: Call, send: Send) -> Outcome:
        """
        Return the outcome of *call*: of its second try, if the first one's token was replaced.
        """
        bearer = _Bearer(self._source)
        outcome = await send(call, bearer)
        if not self._is_refused(outcome, bearer):
            return outcome
        other = await self._source.replace(bearer.token, call.deadline(), fresh=bearer.is_fresh)
        if other is None:
            return outcome
        outcome = await send(call, bearer)
        is_refused = self._is_refused(outcome, bearer)
        if is_refused or (isinstance(outcome, Response) and outcome.is_success):
            self._source.judge_replacement(bearer.token, helped=not is_refused)
        return outcome

    def _is_refused(self, outcome: Outcome, bearer: _Bearer) -> bool:
        """
        Return whether *outcome* refuses the token. Any other response shows that it is of use.
        """
        if not isinstance(outcome, Response):
            return False
        if outcome.status_code in self._refusals:
            return True
        self._source.was_of_use(bearer.token)
        return False
