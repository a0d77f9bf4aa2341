"""The fetch of a token with client credentials (RFC 6749, 4.4), through a client's own sender."""

from collections.abc import Callable

from usergroups._http.errors import error_class, status_error
from usergroups._http.exchange import Response
from usergroups._http.request import Request
from usergroups._http.retry import NO_RETRIES
from usergroups._http.sender import Call, Sender
from usergroups._models import MismatchError
from usergroups._secrets import Secret
from usergroups.errors import AuthenticationError, UserGroupsError

from .flight import Fetched, NoToken
from .key import Fixed
from .token import basic_header, read_token

_LARGEST_BODY = 1024 * 1024  # bytes, after decompression
_REFUSALS = frozenset({400, 401, 403})


class ClientCredentials:
    """
    The fetch of a token: *request*, sent with HTTP Basic. *hint* names the way out of a refusal.
    """

    def __init__(self, sender: Sender, request: Request, user: Secret, password: Secret, *, hint: str) -> None:
        self._sender = sender
        self._request = request
        self._hint = hint
        self._authorization = Fixed({"Authorization": basic_header(user, password)})

    async def __call__(
        self, *, background: bool, deadline: Callable[[], float], on_asked: Callable[[NoToken, float], None]
    ) -> Fetched | NoToken:
        call = Call(
            request=self._request,
            deadline=deadline,
            policy=NO_RETRIES if background else None,
            limit=_LARGEST_BODY,
            urgent=True,
            on_asked=lambda response, wait: on_asked(self._failure(response), wait),
        )
        outcome = await self._sender.send(call, self._authorization)
        if not isinstance(outcome, Response):
            return NoToken(
                error=outcome if isinstance(outcome, UserGroupsError) else self._sender.error(outcome, self._request)
            )
        if not outcome.is_success:
            return self._failure(outcome)
        if outcome.flaw:
            return self._failure(outcome, f"it holds no usable token: {outcome.flaw}")
        try:
            return Fetched(token=read_token(outcome.body), sent_at=outcome.sent_at)
        except MismatchError as caught:
            reason = f"it holds no usable token: {caught.reason} (at {caught.json_path})"
        return self._failure(outcome, reason)

    def _failure(self, answer: Response, unusable: str = "") -> NoToken:
        """
        Return why there is no token. Any 4xx but 429 refuses the credentials.

        So does an *unusable* 2xx; nothing of its body is kept, for it may hold a token.
        """
        status = answer.status_code
        refused = 400 <= status < 500 and status != 429
        kind = AuthenticationError if refused or unusable else error_class(status)
        hint = unusable or (self._hint if status in _REFUSALS else "check base_url" if status == 404 else "")
        error = status_error(answer, self._sender.redactor, kind=kind, hint=hint, body=not unusable)
        return NoToken(error=error, refused=status in _REFUSALS, asked=error.retry_after)
