"""
Every error that this SDK raises.

::

    UserGroupsError
    ├── ConfigurationError          a bad or missing argument or setting; also a ValueError
    │   └── InvalidArgumentError    an argument of a call
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
from operator import attrgetter
from typing import Any, ClassVar

import attrs

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "InvalidArgumentError",
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


def _copied(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    return dict(headers or {})


def _of_class(name: str) -> Any:
    """Return the default of a field: what an error's class has under *name*."""
    return attrs.Factory(attrgetter(name), takes_self=True)


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class UserGroupsError(Exception):
    """
    The base of every error of this SDK: catch this one to catch all.

    *message* is the sentence itself; `str(error)` adds the rest, on one printable line. What does not
    apply, or is not known, is None:

    - *method* and *path* (percent-encoded, without the query) of the request;
    - *status_code* of the response;
    - *request_id*, the provider's id of the request, which its support may ask for;
    - *retry_after*, the seconds that the provider asked to wait (RFC 9110, 10.2.3);
    - *attempts*, how often the request was sent, and *elapsed*, the seconds since the call began;
    - *argument*, the name of the argument that is bad;
    - *json_path*, the place in the body that is not as specified.

    Of a response there are also *headers* (by lower-case name) and *body* (text, at most 4,096 characters,
    undecodable bytes replaced), which are empty if there is none; *hint* is a likely remedy, or empty.
    *retryable* says whether the same call may well succeed later: after 408, 425, 429 and 5xx, after a
    time-out, and after most failures of a connection.
    """

    message: str = ""
    method: str | None = attrs.field(default=_of_class("_usual_request"), kw_only=True)
    path: str | None = attrs.field(default=_of_class("_usual_request"), kw_only=True)
    status_code: int | None = attrs.field(default=None, kw_only=True)
    request_id: str | None = attrs.field(default=None, kw_only=True)
    retry_after: float | None = attrs.field(default=None, kw_only=True)
    attempts: int | None = attrs.field(default=None, kw_only=True)
    elapsed: float | None = attrs.field(default=None, kw_only=True)
    retryable: bool = attrs.field(default=_of_class("_may_pass"), kw_only=True)
    argument: str | None = attrs.field(default=None, kw_only=True)
    headers: Mapping[str, str] = attrs.field(default=None, converter=_copied, kw_only=True)
    body: str = attrs.field(default="", kw_only=True)
    hint: str = attrs.field(default="", kw_only=True)
    json_path: str | None = attrs.field(default=_of_class("_usual_json_path"), kw_only=True)

    _usual_request: ClassVar[str | None] = None
    _usual_status: ClassVar[int | None] = None
    _usual_json_path: ClassVar[str | None] = None

    def __attrs_post_init__(self) -> None:
        super().__init__(self.message)
        if self.status_code is None:
            self.status_code = self._usual_status

    def __str__(self) -> str:
        path = one_line(self.path or "", _LONGEST_PATH_SHOWN)
        facts = ", ".join(filter(None, [self._tries(), f"request id {self.request_id}" if self.request_id else ""]))
        return one_line(f"{self.method or ''} {path} {self._outcome()}{facts and f' ({facts})'}")

    @property
    def _may_pass(self) -> bool:
        """Whether the same call may well succeed later."""
        return False

    def _tries(self) -> str:
        """Return how often the request was sent, if that is known, and in how much time."""
        if not self.attempts:
            return ""
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return times if self.elapsed is None else f"{times} in {self.elapsed:.1f} s"

    def _outcome(self) -> str:
        """Return what came of the request."""
        return f"failed: {self.message}" if self.method or self.path else self.message


class ConfigurationError(UserGroupsError, ValueError):
    """
    An argument or setting is bad or missing. No request was sent.
    """


class InvalidArgumentError(ConfigurationError):
    """
    An argument of a call is bad: *argument* is its name. A web backend answers 400 to it, not 500.
    """


class _CallError(UserGroupsError):
    """
    The base of the errors of a call that was made.
    """

    method: str  # pyright: ignore[reportIncompatibleVariableOverride]  # empty if none is given
    path: str  # pyright: ignore[reportIncompatibleVariableOverride]  # as above

    _usual_request = ""


class APIConnectionError(_CallError):
    """
    No usable response arrived (DNS, refused, reset, TLS, truncated body, client closed).
    """

    @property
    def _may_pass(self) -> bool:
        return True


class APITimeoutError(APIConnectionError, TimeoutError):
    """
    Time ran out: the call's `timeout`, or the timeout of one attempt.
    """


class _ResponseError(_CallError):
    """
    The base of the errors that a response caused.
    """

    status_code: int  # pyright: ignore[reportIncompatibleVariableOverride]  # that of the class if none is given

    _usual_status = 0

    def _answered(self) -> str:
        """Return "answered 404 Not Found", or nothing if no status is known."""
        return f"answered {status_line(self.status_code)}" if self.status_code else ""


class APIStatusError(_ResponseError):
    """
    An error response arrived.

    *message* is the provider's own message, or the status's reason phrase.
    """

    @property
    def _may_pass(self) -> bool:
        status = self.status_code or self._usual_status or 0
        return status in (408, 425, 429) or 500 <= status <= 599

    def _outcome(self) -> str:
        phrase = reason_phrase(self.status_code)
        message = "" if self.message in (phrase, f"{self.status_code} {phrase}") else self.message
        line = ": ".join(part for part in (self._answered(), message) if part)
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

    json_path: str  # pyright: ignore[reportIncompatibleVariableOverride]  # that of the class if none is given

    _usual_status = 200
    _usual_json_path = "$"

    def _outcome(self) -> str:
        return f"{self._answered() or 'answered'}, but not as specified: {self.message} (at {self.json_path})"


class PaginationError(UnexpectedResponseError):
    """
    A page token came round again: the listing would never end.
    """
