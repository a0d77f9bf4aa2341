"""
Every error that this SDK raises.

::

    UserGroupsError
    ├── ConfigurationError          a bad or missing argument or setting; also a ValueError
    ├── APIConnectionError          no usable response arrived
    │   └── APITimeoutError         time ran out; also a TimeoutError
    ├── APIStatusError              an error response arrived
    │   ├── BadRequestError         400, 413, 422
    │   ├── AuthenticationError     401, or the token endpoint refused
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404
    │   ├── RateLimitedError        429
    │   └── ServerError             5xx
    └── UnexpectedResponseError     a response arrived that the specification does not allow
        └── PaginationError         a page token came round again
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "NotFoundError",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitedError",
    "ServerError",
    "UnexpectedResponseError",
    "UserGroupsError",
]

_LONGEST_PATH_SHOWN = 300  # characters of a path in `str(error)`; `.path` has all of it


def one_line(text: str, limit: int | None = None) -> str:
    """
    Return *text* as one printable line of at most *limit* characters.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def reason_phrase(status_code: int) -> str:
    """
    Return the name of *status_code* in RFC 9110, or "status 520" for one that no standard names.
    """
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return f"status {status_code}"


def status_line(status_code: int) -> str:
    """
    Return *status_code* with its name, as in "404 Not Found".
    """
    phrase = reason_phrase(status_code)
    return phrase if phrase.startswith("status ") else f"{status_code} {phrase}"


class UserGroupsError(Exception):
    """
    The base of every error of this SDK: catch this one to catch all.

    *message* is the sentence itself; `str(error)` adds the request, on one printable line.
    """

    attempts: int | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return one_line(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message,), self.__dict__


class ConfigurationError(UserGroupsError, ValueError):
    """
    An argument or setting is bad or missing. No request was sent.
    """


class _CallError(UserGroupsError):
    """
    The base of the errors of a call: the request that failed.

    *method* and *path* (percent-encoded, without the query) are empty if they were not given.
    """

    def __init__(self, message: str = "", *, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.method = method
        self.path = path

    def __str__(self) -> str:
        path = one_line(self.path, _LONGEST_PATH_SHOWN)
        return one_line(" ".join(part for part in (self.method, path, self._description()) if part))

    def _description(self) -> str:
        return f"failed: {self.message}" if self.method or self.path else self.message


class APIConnectionError(_CallError):
    """
    No usable response arrived (DNS, refused, reset, TLS, truncated body, client closed).
    """


class APITimeoutError(APIConnectionError, TimeoutError):
    """
    Time ran out: the call's `timeout`, or the timeout of one attempt.
    """


class _ResponseError(_CallError):
    """
    The base of the errors that a response caused.

    *body* is text, at most 4,096 characters, undecodable bytes replaced; *request_id* is the
    provider's id of the request, which its support may ask for, or None.
    """

    _usual_status: ClassVar[int] = 0

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        body: str = "",
        request_id: str | None = None,
        method: str = "",
        path: str = "",
    ) -> None:
        super().__init__(message, method=method, path=path)
        self.status_code = self._usual_status if status_code is None else status_code
        self.body = body
        self.request_id = request_id

    def _status(self) -> str:
        """Return "answered 404 Not Found", or nothing if no status is known."""
        return f"answered {status_line(self.status_code)}" if self.status_code else ""


class APIStatusError(_ResponseError):
    """
    An error response arrived.

    *message* is the provider's own message (or the status's reason phrase), *hint* a likely remedy if
    there is one, *headers* the response's headers by lower-case name, *retry_after* the seconds that
    the provider asked to wait (RFC 9110, 10.2.3), or None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        body: str = "",
        request_id: str | None = None,
        method: str = "",
        path: str = "",
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(
            message,
            status_code=status_code,
            body=body,
            request_id=request_id,
            method=method,
            path=path,
        )
        self.headers: Mapping[str, str] = dict(headers or {})
        self.retry_after = retry_after
        self.hint = hint

    def _description(self) -> str:
        phrase = reason_phrase(self.status_code)
        message = "" if self.message in (phrase, f"{self.status_code} {phrase}") else self.message
        line = ": ".join(part for part in (self._status(), message) if part)
        return f"{line}; {self.hint}" if self.hint else line


class BadRequestError(APIStatusError):
    """
    The provider did not accept the request: 400, 413, 422.
    """

    _usual_status = 400


class AuthenticationError(APIStatusError):
    """
    The credentials were refused: 401, or the token endpoint returned no usable token.
    """

    _usual_status = 401


class PermissionDeniedError(APIStatusError):
    """
    The credentials are valid but not permitted to do this: 403.
    """

    _usual_status = 403


class NotFoundError(APIStatusError):
    """
    The requested object does not exist: 404.
    """

    _usual_status = 404


class RateLimitedError(APIStatusError):
    """
    The provider's rate limit was exceeded: 429. See `retry_after`.
    """

    _usual_status = 429


class ServerError(APIStatusError):
    """
    The provider failed: 5xx.
    """

    _usual_status = 500


class UnexpectedResponseError(_ResponseError):
    """
    A response arrived that the specification does not allow.

    *json_path* is the place in the body ("$.users[3].email"; "$" if the body is not JSON at all).
    """

    _usual_status = 200

    def __init__(
        self,
        message: str = "",
        *,
        json_path: str = "$",
        status_code: int | None = None,
        body: str = "",
        request_id: str | None = None,
        method: str = "",
        path: str = "",
    ) -> None:
        super().__init__(
            message,
            status_code=status_code,
            body=body,
            request_id=request_id,
            method=method,
            path=path,
        )
        self.json_path = json_path

    def _description(self) -> str:
        return f"{self._status() or 'answered'}, but not as specified: {self.message} (at {self.json_path})"


class PaginationError(UnexpectedResponseError):
    """
    A page token came round again: the listing would never end.
    """
