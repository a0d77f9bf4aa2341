"""What an answer that says no is to the caller: which error, and in whose words."""

import html
import json
import re
from collections.abc import Mapping

import httpx

from usergroups._models import MismatchError, is_array, is_object
from usergroups._secrets import Redactor
from usergroups.errors import (
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

from .exchange import Response
from .retry import retry_after

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
_LONGEST_HEADERS = 32 * 1024  # characters of headers that an error keeps; usual servers send no more than 8 KiB
_LONGEST_MESSAGE = 1000  # characters of a provider's words that an error keeps
_TITLE, _TITLE_ENDS = re.compile(r"<title[\s>]", re.IGNORECASE), re.compile("</title", re.IGNORECASE)
_LONGEST_TITLE = 64 * 1024  # characters, entities and all

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
_NOT_THE_PROVIDER = "something in front of the provider answered: a proxy, gateway or firewall"
_OF_A_PROXY = "check the proxy's user and password"


def error_class(status_code: int) -> type[APIStatusError]:
    """
    Give the error that *status_code* means.
    """
    usual = ServerError if 500 <= status_code <= 599 else APIStatusError
    return _ERRORS.get(status_code, usual)


def status_error(
    answer: Response,
    redactor: Redactor,
    *,
    kind: type[APIStatusError] | None = None,
    hint: str = "",
    body: bool = True,
) -> APIStatusError:
    """
    Make the error of an answer that says no: a *kind*, or what its status means.

    Without *body*, nothing of the answer's body is kept: it may hold a secret that nobody knows yet.
    """
    status = answer.status_code
    text, words, is_markup = _said(answer, redactor) if body else ("", "", False)
    if 300 <= status <= 399:
        hint = hint or "redirects are not followed: check base_url"
    elif status == 407:  # which no provider answers (RFC 9110, 15.5.8)
        hint = f"it was {_proxy(answer)} that answered: {_OF_A_PROXY}"
    elif answer.proxy and status == 403:
        hint = f"it was {_proxy(answer)} that answered" + ("" if is_markup else ", or the provider through it")
    elif is_markup and not (status == 413 and hint):
        hint = _NOT_THE_PROVIDER
    elif status == 404 and not words:  # not even the API itself may have said so
        hint = hint or "check the id, and base_url"
    return (kind or error_class(status))(
        words or reason_phrase(status),
        status_code=status,
        body=text,
        request_id=_request_id(answer, redactor),
        method=answer.request.method,
        path=path_of(answer.request),
        headers=_headers(answer, redactor),
        retry_after=retry_after(answer.headers),
        hint=one_line(redactor.clean(hint), _LONGEST_MESSAGE),
    )


def _proxy(answer: Response) -> str:
    return f"the proxy {answer.proxy}" if answer.proxy else "a proxy"


def unexpected(
    answer: Response,
    mismatch: MismatchError,
    redactor: Redactor,
    kind: type[UnexpectedResponseError] = UnexpectedResponseError,
) -> UnexpectedResponseError:
    """
    Make the error of an answer that is not what the specification allows: a *kind*.
    """
    return kind(
        one_line(redactor.clean(mismatch.reason), _LONGEST_MESSAGE),
        json_path=mismatch.json_path,
        status_code=answer.status_code,
        body=redactor.excerpt(_text(answer), _LONGEST_BODY),
        request_id=_request_id(answer, redactor),
        method=answer.request.method,
        path=path_of(answer.request),
    )


def path_of(request: httpx.Request) -> str:
    """
    Give the percent-encoded path that *request* asks for, without its query.
    """
    return request.url.raw_path.decode("ascii").partition("?")[0]


def _text(answer: Response) -> str:
    body = answer.body[:_MOST_READ]
    return body.decode(json.detect_encoding(body), "replace")


def _request_id(answer: Response, redactor: Redactor) -> str | None:
    found = (answer.headers[name] for name in _REQUEST_IDS if name in answer.headers)
    request_id = next(found, None)
    return None if request_id is None else one_line(redactor.excerpt(request_id, _LONGEST_BODY), _LONGEST_MESSAGE)


def _headers(answer: Response, redactor: Redactor) -> dict[str, str]:
    """
    Return the headers of *answer* without secrets, be it in a name or in a value, up to a bound.
    """
    told: list[tuple[str, str]] = []
    left = _LONGEST_HEADERS
    for name, value in answer.headers.items():
        left -= len(name) + len(value)
        if name != "set-cookie" and left >= 0:
            told.append((name, value))
    lines = "\n".join(text.replace("\n", " ") for header in told for text in header)  # for they may be thousands
    cleaned = iter(redactor.clean(lines).split("\n") if told else ())
    return dict(zip(cleaned, cleaned, strict=True))


def _said(answer: Response, redactor: Redactor) -> tuple[str, str, bool]:
    """
    Return what is kept of the body, its words on one line, and whether it is markup.
    """
    text = _text(answer)
    is_markup = text.lstrip().startswith("<")
    words = redactor.excerpt(_title(text) if is_markup else _words(text), _LONGEST_BODY)
    line = redactor.clean(one_line(words))  # where a secret with a space in it may be whole again
    return redactor.excerpt(text, _LONGEST_BODY), one_line(line, _LONGEST_MESSAGE), is_markup


def _title(page: str) -> str:
    """
    Return the text of the first title element of *page*, if it has one.
    """
    opened = _TITLE.search(page)
    start = 0 if opened is None else page.find(">", opened.end() - 1) + 1
    ended = _TITLE_ENDS.search(page, start) if start else None
    title = "" if ended is None else page[start : ended.start()][:_LONGEST_TITLE]
    try:
        return html.unescape(title)
    except ValueError:  # a number of more digits than Python reads
        return title


def _words(text: str) -> str:
    """
    Find what the provider says in *text*, which is no markup.
    """
    try:
        document: object = json.loads(text)
        found = [document.get(name) for name in _WORDS] if is_object(document) else [document]
        words = next((words for words in found if isinstance(words, str) and words.strip()), "")
        return words or (text if _holds_words(document) else "")
    except (ValueError, RecursionError):
        return text


def _holds_words(document: object) -> bool:
    if isinstance(document, str):
        return bool(document.strip())
    inner = document.values() if is_object(document) else document if is_array(document) else ()
    return any(map(_holds_words, inner))
