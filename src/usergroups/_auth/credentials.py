"""The fetch of a token with client credentials (RFC 6749, 4.4), through a client's own sender."""

from collections.abc import Callable

from usergroups._http.errors import error_class, status_error
from usergroups._http.exchange import Response
from usergroups._http.request import Request
from usergroups._http.retry import RetryPolicy
from usergroups._http.sender import Call, Sender
from usergroups._models import MismatchError
from usergroups._secrets import Secret
from usergroups.errors import APIStatusError, AuthenticationError

from .key import Fixed
from .pause import REFUSALS
from .token import Token, basic_header, read_token

_LARGEST_BODY = 1024 * 1024  # bytes, after decompression


class ClientCredentials:
    """
    The fetch of a token: *request*, sent with HTTP Basic. *hint* names the way out of a refusal.
    """

    def __init__(self, sender: Sender, request: Request, user: Secret, password: Secret, *, hint: str) -> None:
        self._sender = sender
        self._request = request
        self._hint = hint
        self._authorization = Fixed({"Authorization": basic_header(user, password)})

    async def __call__(self, *, policy: RetryPolicy, deadline: Callable[[], float]) -> tuple[Token, float]:
        """
        Return the token, and the moment, on the client's clock, of its request. Raises the errors of a call.
        """
        call = Call(
            request=self._request,
            deadline=deadline,
            began_at=self._sender.runtime.clock(),
            policy=policy,
            limit=_LARGEST_BODY,
            urgent=True,
        )
        outcome = await self._sender.send(call, self._authorization)
        if not isinstance(outcome, Response):
            raise self._sender.error(outcome, call)
        flaw = outcome.flaw if outcome.is_success else ""
        if outcome.is_success and not flaw:
            try:
                return read_token(outcome.body), outcome.sent_at
            except MismatchError as caught:
                flaw = f"{caught.reason} (at {caught.json_path})"
        raise self._error(outcome, flaw)

    def _error(self, response: Response, flaw: str) -> APIStatusError:
        """
        Return why there is no token. Any 4xx but 429 refuses the credentials, and so does a 2xx with a *flaw*.

        Nothing of the body of a 2xx is kept, for it may hold a token.
        """
        status = response.status_code
        refused = 400 <= status < 500 and status != 429
        kind = AuthenticationError if refused or flaw else error_class(status)
        hint = self._hint if status in REFUSALS else "check base_url" if status == 404 else ""
        if flaw:
            hint = f"it holds no usable token: {flaw}"
        return status_error(response, self._sender.redactor, kind=kind, hint=hint, body=not flaw)
