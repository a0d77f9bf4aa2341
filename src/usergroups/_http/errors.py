"""An error response as a public exception, with the provider's message."""

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
_MOST_READ = 256 * 1024  # bytes of a body in which the provider's message is looked for
_LONGEST_BODY = 4096  # characters of a body that an error keeps
_LONGEST_HEADERS = 32 * 1024  # characters of headers that an error keeps; usual servers send up to 8 KiB
_LONGEST_MESSAGE = 1000  # characters of a provider's message that an error keeps
_TITLE, _TITLE_ENDS = re.compile(r"<title[\s>]", re.IGNORECASE), re.compile("</title", re.IGNORECASE)
_LONGEST_TITLE = 64 * 1024  # characters, before entities are decoded

# Where the providers, OAuth (RFC 6749, 5.2) and problem details (RFC 9457) put their message.
_MESSAGE_FIELDS = ("message", "error_description", "detail", "title", "error")
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
    Return the error class for *status_code*.
    """
    usual = ServerError if 500 <= status_code <= 599 else APIStatusError
    return _ERRORS.get(status_code, usual)


def status_error(
    response: Response,
    redactor: Redactor,
    *,
    kind: type[APIStatusError] | None = None,
    hint: str = "",
    body: bool = True,
) -> APIStatusError:
    """
    Return the exception for an error response: of class *kind*, else of its status's class.

    Without *body*, nothing of the body is kept: it may hold a secret that the redactor does not know.
    """
    status = response.status_code
    text, message, is_markup = _body_and_message(response, redactor) if body else ("", "", False)
    if 300 <= status <= 399:
        hint = hint or "redirects are not followed: check base_url"
    elif status == 407:  # which only a proxy returns (RFC 9110, 15.5.8)
        hint = f"it was {_proxy(response)} that answered: {_OF_A_PROXY}"
    elif response.proxy and status == 403:
        hint = f"it was {_proxy(response)} that answered" + ("" if is_markup else ", or the provider through it")
    elif is_markup and not (status == 413 and hint):
        hint = _NOT_THE_PROVIDER
    elif status == 404 and not message:  # it may not even come from the API itself
        hint = hint or "check the id, and base_url"
    return (kind or error_class(status))(
        message or reason_phrase(status),
        status_code=status,
        body=text,
        request_id=_request_id(response, redactor),
        method=response.request.method,
        path=path_of(response.request),
        headers=_headers(response, redactor),
        retry_after=retry_after(response.headers),
        hint=one_line(redactor.clean(hint), _LONGEST_MESSAGE),
    )


def _proxy(response: Response) -> str:
    return f"the proxy {response.proxy}" if response.proxy else "a proxy"


def unexpected(
    response: Response,
    mismatch: MismatchError,
    redactor: Redactor,
    kind: type[UnexpectedResponseError] = UnexpectedResponseError,
) -> UnexpectedResponseError:
    """
    Return the exception, of class *kind*, for a response that the specification does not allow.
    """
    return kind(
        one_line(redactor.clean(mismatch.reason), _LONGEST_MESSAGE),
        json_path=mismatch.json_path,
        status_code=response.status_code,
        body=redactor.excerpt(_text(response), _LONGEST_BODY),
        request_id=_request_id(response, redactor),
        method=response.request.method,
        path=path_of(response.request),
    )


def path_of(request: httpx.Request) -> str:
    """
    Return the percent-encoded path of *request*, without its query.
    """
    return request.url.raw_path.decode("ascii").partition("?")[0]


def _text(response: Response) -> str:
    body = response.body[:_MOST_READ]
    text = body.decode(json.detect_encoding(body), "replace")
    return text if text.lstrip().startswith(("{", "[", '"', "<")) else body.decode("utf-8-sig", "replace")


def _request_id(response: Response, redactor: Redactor) -> str | None:
    found = (response.headers[name] for name in _REQUEST_IDS if name in response.headers)
    request_id = next(found, None)
    return None if request_id is None else one_line(redactor.excerpt(request_id, _LONGEST_BODY), _LONGEST_MESSAGE)


def _headers(response: Response, redactor: Redactor) -> dict[str, str]:
    """Return the headers of *response*, up to a bound, with the secrets removed from names and values."""
    headers: list[tuple[str, str]] = []
    left = _LONGEST_HEADERS
    for name, value in response.headers.items():
        left -= len(name) + len(value)
        if name != "set-cookie" and left >= 0:
            headers.append((name, value))
    lines = "\n".join(text.replace("\n", " ") for header in headers for text in header)  # in one pass: they may be many
    cleaned = iter(redactor.clean(lines).split("\n") if headers else ())
    return dict(zip(cleaned, cleaned, strict=True))


def _body_and_message(response: Response, redactor: Redactor) -> tuple[str, str, bool]:
    """Return the body to keep, the provider's message on one line, and whether the body is markup."""
    text = _text(response)
    is_markup = text.lstrip().startswith("<")
    message = redactor.excerpt(_title(text) if is_markup else _message(text), _LONGEST_BODY)
    line = redactor.clean(one_line(message))  # again: joining lines may complete a secret with a space
    return redactor.excerpt(text, _LONGEST_BODY), one_line(line, _LONGEST_MESSAGE), is_markup


def _title(page: str) -> str:
    """Return the text of the first title element of *page*, an HTML page, or nothing."""
    opened = _TITLE.search(page)
    start = 0 if opened is None else page.find(">", opened.end() - 1) + 1
    ended = _TITLE_ENDS.search(page, start) if start else None
    title = "" if ended is None else page[start : ended.start()][:_LONGEST_TITLE]
    try:
        return html.unescape(title)
    except ValueError:  # an entity with more digits than Python parses
        return title


def _message(text: str) -> str:
    """Return the provider's message in *text*, which is not markup."""
    try:
        document: object = json.loads(text)
        found = [document.get(name) for name in _MESSAGE_FIELDS] if is_object(document) else [document]
        message = next((one for one in found if isinstance(one, str) and one.strip()), "")
        return message or (text if _has_text(document) else "")
    except (ValueError, RecursionError):
        return text


def _has_text(document: object) -> bool:
    if isinstance(document, str):
        return bool(document.strip())
    inner = document.values() if is_object(document) else document if is_array(document) else ()
    return any(map(_has_text, inner))
