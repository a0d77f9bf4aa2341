"""
Every error that leaves this SDK.

::

    UserGroupsError
    ├── ConfigurationError          a bad or missing argument or setting; also a ValueError
    ├── APIConnectionError          no usable answer arrived
    │   └── APITimeoutError         time ran out; also a TimeoutError
    ├── APIStatusError              an answer arrived, and it says no
    │   ├── BadRequestError         400, 413, 422
    │   ├── AuthenticationError     401, or the token endpoint refused
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404
    │   ├── RateLimitedError        429
    │   └── ServerError             5xx
    └── UnexpectedResponseError     an answer arrived that the specification does not allow
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

_LONGEST_PATH_SHOWN = 300  # characters of a path that one line shows; `.path` has all of it


def one_line(text: str, limit: int | None = None) -> str:
    """
    Give *text* as one printable line of at most *limit* characters.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def reason_phrase(status_code: int) -> str:
    """
    Name *status_code* as RFC 9110 does, or as "status 520" where no standard names it.
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
    Catch this one to catch all: every error of this SDK is one.

    *message* is the sentence itself; `str(error)` adds what was asked, on one printable line.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return one_line(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message,), self.__dict__


class ConfigurationError(UserGroupsError, ValueError):
    """
    Say which argument or setting is bad or missing, before any request is made.
    """


class _CallError(UserGroupsError):
    """
    What is common to the errors of a call: what was asked.

    *method* and *path* (percent-encoded, without the query) are empty where nobody said.
    """

    def __init__(self, message: str = "", *, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.method = method
        self.path = path

    def __str__(self) -> str:
        path = one_line(self.path, _LONGEST_PATH_SHOWN)
        return one_line(" ".join(part for part in (self.method, path, self._came_back()) if part))

    def _came_back(self) -> str:
        return f"failed: {self.message}" if self.method or self.path else self.message


class APIConnectionError(_CallError):
    """
    Report that no usable answer arrived: DNS, refused, reset, TLS, a cut body, a closed client.
    """


class APITimeoutError(APIConnectionError, TimeoutError):
    """
    Report that time ran out: the call's `timeout`, or an attempt's own.
    """


class _ResponseError(_CallError):
    """
    What is common to the errors that an answer caused.

    *body* is text, at most 4,096 characters, undecodable bytes replaced; *request_id* is the
    provider's name for the request, for its support, or None.
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

    def _answered(self) -> str:
        """
        Give "answered 404 Not Found", or nothing where no status is known.
        """
        return f"answered {status_line(self.status_code)}" if self.status_code else ""


class APIStatusError(_ResponseError):
    """
    Report an answer that says no.

    *message* is the provider's own words (or the status's reason phrase), *hint* the way out where
    there is one, *headers* the answer's headers in lower case, *retry_after* the seconds that the
    provider asked to wait (RFC 9110, 10.2.3), or None.
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

    def _came_back(self) -> str:
        phrase = reason_phrase(self.status_code)
        said = "" if self.message in (phrase, f"{self.status_code} {phrase}") else self.message
        line = ": ".join(part for part in (self._answered(), said) if part)
        return f"{line}; {self.hint}" if self.hint else line


class BadRequestError(APIStatusError):
    """
    Report that the provider could not accept the request: 400, 413, 422.
    """

    _usual_status = 400


class AuthenticationError(APIStatusError):
    """
    Report that the credentials were refused: 401, or the token endpoint gave no usable token.
    """

    _usual_status = 401


class PermissionDeniedError(APIStatusError):
    """
    Report that the credentials are known and may not do this: 403.
    """

    _usual_status = 403


class NotFoundError(APIStatusError):
    """
    Report that there is no such thing: 404.
    """

    _usual_status = 404


class RateLimitedError(APIStatusError):
    """
    Report that the provider's rate limit was met: 429. See `retry_after`.
    """

    _usual_status = 429


class ServerError(APIStatusError):
    """
    Report that the provider failed: 5xx.
    """

    _usual_status = 500


class UnexpectedResponseError(_ResponseError):
    """
    Report an answer that the specification does not allow.

    *json_path* says where ("$.users[3].email"; "$" where the body is no JSON at all).
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

    def _came_back(self) -> str:
        return f"{self._answered() or 'answered'}, but not as specified: {self.message} (at {self.json_path})"


class PaginationError(UnexpectedResponseError):
    """
    Report that a page token came round again: going on would never end.
    """
