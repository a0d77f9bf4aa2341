"""What an answer that says no is to the caller: which error, and in whose words."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from functools import cache

import httpx

from ._decode import MismatchError, is_array, is_object
from ._exchange import Answer
from ._retry import retry_after
from .errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnexpectedResponseError,
    one_line,
    reason_phrase,
)

_ERRORS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitedError,
}
_MOST_READ = 256 * 1024  # bytes of a body in which the provider's words are looked for
_LONGEST_BODY = 4096  # characters of a body that an error keeps
_LONGEST_MESSAGE = 1000  # characters of a provider's words that an error keeps

# Where the providers, OAuth (RFC 6749, 5.2) and problem details (RFC 9457) put their words.
_WORDS = ("message", "error_description", "detail", "title", "error")
_REQUEST_IDS = (
    "x-request-id",
    "x-amzn-requestid",
    "x-amz-apigw-id",
    "apigw-requestid",
    "x-amz-cf-id",
    "x-correlation-id",
)
_SHORTEST_SECRET = 8  # characters; hiding anything shorter would hide ordinary words
_HIDDEN = "***"
_HTML_NAMES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot"}


def error_class(status_code: int) -> type[APIStatusError]:
    """
    Give the error that *status_code* means.
    """
    usual = ServerError if 500 <= status_code <= 599 else APIStatusError
    return _ERRORS.get(status_code, usual)


def status_error(
    answer: Answer, *, kind: type[APIStatusError] | None = None, hint: str = "", body: bool = True
) -> APIStatusError:
    """
    Make the error of an answer that says no: a *kind*, or what its status means.

    Without *body*, nothing of the answer's body is kept: it may hold a secret that nobody knows yet.
    """
    if 300 <= answer.status_code <= 399:
        hint = hint or "redirects are not followed: check base_url"
    hide = _hider(answer.request)
    text = hide(_text(answer)) if body else ""
    words = one_line(hide(_words(text))[:_LONGEST_BODY], _LONGEST_MESSAGE)
    if answer.status_code == 404 and not words:  # not even the API itself may have said so
        hint = hint or "check the id, and base_url"
    return (kind or error_class(answer.status_code))(
        words or reason_phrase(answer.status_code),
        status_code=answer.status_code,
        body=text[:_LONGEST_BODY],
        request_id=_request_id(answer, hide),
        method=answer.request.method,
        path=path_of(answer.request),
        headers={name: hide(value) for name, value in answer.headers.items() if name != "set-cookie"},
        retry_after=retry_after(answer.headers),
        hint=hint,
    )


def unexpected(
    answer: Answer, mismatch: MismatchError, kind: type[UnexpectedResponseError] = UnexpectedResponseError
) -> UnexpectedResponseError:
    """
    Make the error of an answer that is not what the specification allows: a *kind*.
    """
    hide = _hider(answer.request)
    return kind(
        mismatch.reason,
        json_path=mismatch.json_path,
        status_code=answer.status_code,
        body=hide(_text(answer))[:_LONGEST_BODY],
        request_id=_request_id(answer, hide),
        method=answer.request.method,
        path=path_of(answer.request),
    )


def path_of(request: httpx.Request) -> str:
    """
    Give the percent-encoded path that *request* asks for, without its query.
    """
    return request.url.raw_path.decode("ascii").partition("?")[0]


def _text(answer: Answer) -> str:
    return answer.body[:_MOST_READ].decode("utf-8-sig", "replace")


def _request_id(answer: Answer, hide: "_Hider") -> str | None:
    found = (answer.headers[name] for name in _REQUEST_IDS if name in answer.headers)
    request_id = next(found, None)
    return None if request_id is None else one_line(hide(request_id), _LONGEST_MESSAGE)


def _words(text: str) -> str:
    """
    Find what the provider says in *text*; markup is not words.
    """
    try:
        document: object = json.loads(text)
        found = [document.get(name) for name in _WORDS] if is_object(document) else [document]
        words = next((words for words in found if isinstance(words, str) and words.strip()), "")
        return words or (text if _holds_words(document) else "")
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text


def _holds_words(document: object) -> bool:
    if isinstance(document, str):
        return bool(document.strip())
    inner = document.values() if is_object(document) else document if is_array(document) else ()
    return any(map(_holds_words, inner))


class _Hider:
    """
    Takes out of a text what the request proved itself with, should the provider repeat it.
    """

    def __init__(self, secrets: list[str]) -> None:
        long = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        first = sorted(long, key=len, reverse=True)  # for one may be the beginning of another
        spelt = ("".join(map(_spellings, secret)) for secret in first)
        self._pattern = re.compile("|".join(spelt)) if first else None

    def __repr__(self) -> str:
        return "_Hider()"

    def __call__(self, text: str) -> str:
        return self._pattern.sub(_HIDDEN, text) if self._pattern else text


@cache
def _spellings(character: str) -> str:
    """
    Give the pattern of *character* as it is, and as JSON, a URL or HTML may have it.
    """
    if character.isalnum():
        return character
    code, plain = ord(character), re.escape(character)
    name = _HTML_NAMES.get(character, "apos")
    return rf"(?:\\?{plain}|(?i:\\u00{code:02x}|%{code:02x}|&(?:#0*{code}|#x0*{code:x}|{name});))"


def _hider(request: httpx.Request) -> _Hider:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    secrets = [request.headers.get("x-api-key", ""), credentials]
    if scheme == "Basic":
        secrets += b64decode(credentials).decode().split(":", 1)
    return _Hider(secrets)
