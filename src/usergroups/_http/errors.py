"""An error response as a public exception, with the provider's message."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

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
_MOST_VALUES = 20_000  # of a JSON body that is parsed for it: more would only take time
_LONGEST_BODY = 4096  # characters of a body that an error keeps
_LONGEST_HEADERS = 32 * 1024  # characters of headers that an error keeps; usual servers send up to 8 KiB
_LONGEST_MESSAGE = 1000  # characters of a provider's message that an error keeps
_LONGEST_TITLE = 64 * 1024  # characters, before entities are decoded
_TITLE = re.compile(r"(?>.*?<title(?=[\s>]))[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)  # atomic: in linear time

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
    text = _text(response) if body else ""
    is_markup = text.lstrip().startswith("<")
    message = line(_title(text) if is_markup else _message(text), redactor)
    proxy = f"the proxy {response.proxy}" if response.proxy else "a proxy"
    if 300 <= status <= 399:
        hint = hint or "redirects are not followed: check base_url"
    elif status == 407:  # which only a proxy returns (RFC 9110, 15.5.8)
        hint = f"it was {proxy} that answered: check the proxy's user and password"
    elif response.proxy and status == 403:
        hint = f"it was {proxy} that answered" + ("" if is_markup else ", or the provider through it")
    elif is_markup and not (status == 413 and hint):
        hint = "something in front of the provider answered: a proxy, gateway or firewall"
    elif status == 404 and not message:  # it may not even come from the API itself
        hint = hint or "check the id, and base_url"
    return (kind or error_class(status))(
        message or reason_phrase(status),
        **_facts(response, text, redactor),
        headers=_headers(response, redactor),
        retry_after=retry_after(response.headers),
        hint=line(hint, redactor),
    )


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
        line(mismatch.reason, redactor),
        json_path=mismatch.json_path,
        **_facts(response, _text(response), redactor),
    )


def request_id(response: Response, redactor: Redactor) -> str | None:
    """
    Return the provider's id of the request that *response* answers, or None.
    """
    found = next((response.headers[name] for name in _REQUEST_IDS if name in response.headers), None)
    return None if found is None else line(found, redactor)


def _facts(response: Response, text: str, redactor: Redactor) -> dict[str, Any]:
    """Return what any error of *response*, whose body is *text*, tells of it and of its request."""
    return {
        **response.asked,
        "status_code": response.status_code,
        "body": redactor.excerpt(text, _LONGEST_BODY),
        "request_id": request_id(response, redactor),
    }


def _text(response: Response) -> str:
    body = response.body[:_MOST_READ]
    text = body.decode(json.detect_encoding(body), "replace")
    return text if text.lstrip().startswith(("{", "[", '"', "<")) else body.decode("utf-8-sig", "replace")


def line(text: str, redactor: Redactor) -> str:
    """
    Return the beginning of *text* on one line, without secrets.
    """
    joined = redactor.clean(one_line(redactor.excerpt(text, _LONGEST_BODY)))  # again: a join may complete a secret
    return one_line(joined, _LONGEST_MESSAGE)


def _headers(response: Response, redactor: Redactor) -> dict[str, str]:
    """Return the headers of *response*, up to a bound, with the secrets removed from names and values."""
    texts: list[str] = []
    size = 0
    for name, value in response.headers.items():
        size += len(name) + len(value)
        if name != "set-cookie" and size <= _LONGEST_HEADERS:
            texts += name, value.replace("\n", " ")
    cleaned = iter(redactor.clean("\n".join(texts)).split("\n"))  # in one pass: they may be many
    return dict(zip(cleaned, cleaned, strict=False))


def _title(page: str) -> str:
    """Return the text of the first title element of *page*, an HTML page, or nothing."""
    found = _TITLE.match(page)
    title = found[1][:_LONGEST_TITLE] if found else ""
    try:
        return html.unescape(title)
    except ValueError:  # an entity with more digits than Python parses
        return title


def _message(text: str) -> str:
    """Return the provider's message in *text*, which is not markup."""
    if sum(map(text.count, ",[{")) > _MOST_VALUES:
        return text
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
