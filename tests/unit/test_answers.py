"""What an answer that says no, or is not as specified, becomes for the caller."""

import html
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnexpectedResponseError,
    UserGroupsError,
)
from usergroups._http import errors as answers
from usergroups._http.errors import error_class
from usergroups._http.exchange import Response
from usergroups._models import MismatchError
from usergroups._secrets import Redactor, Secret

URL = "https://api.example/organizations/o%2F1/users/u/usergroups?nextToken=canary"
PATH = "/organizations/o%2F1/users/u/usergroups"

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


def answer(
    status: int = 400,
    body: bytes | str | object = b"",
    *,
    headers: dict[str, str] | None = None,
    sent: dict[str, str] | None = None,
) -> Response:
    """Return an answer with *headers* to a request that was sent with *sent*; a body that is neither is JSON."""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    request = httpx.Request("GET", URL, headers=sent)
    return Response(status_code=status, headers=headers or {}, body=body, request=request)


def basic(user: str, password: str) -> str:
    """Return the credentials of HTTP Basic."""
    return b64encode(f"{user}:{password}".encode()).decode()


def redactor(came: Response) -> Redactor:
    """Return the redactor of a client with the secrets that it has sent for *came*."""
    scheme, _, credentials = came.request.headers.get("authorization", "").partition(" ")
    secrets = [came.request.headers.get("x-api-key", ""), credentials]
    if scheme == "Basic":
        secrets += b64decode(credentials).decode().split(":", 1)
    return Redactor(*map(Secret, secrets))


def status_error(came: Response, **options: Any) -> APIStatusError:
    """Make the error of *came* for a client that hides what it has sent."""
    return answers.status_error(came, redactor(came), **options)


def unexpected(came: Response, mismatch: MismatchError, *kind: Any) -> UnexpectedResponseError:
    """Make the error of *came*, which is not as specified, for a client that hides what it has sent."""
    return answers.unexpected(came, mismatch, redactor(came), *kind)


STATUSES: dict[int, type[APIStatusError]] = {
    300: APIStatusError,
    301: APIStatusError,
    304: APIStatusError,
    307: APIStatusError,
    400: BadRequestError,
    401: AuthenticationError,
    402: APIStatusError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: APIStatusError,
    408: APIStatusError,
    409: APIStatusError,
    413: BadRequestError,
    418: APIStatusError,
    422: BadRequestError,
    429: RateLimitedError,
    451: APIStatusError,
    499: APIStatusError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
    520: ServerError,
    599: ServerError,
    600: APIStatusError,
    999: APIStatusError,
    100: APIStatusError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items(), ids=lambda value: getattr(value, "__name__", str(value)))
def test_f42_class_of_a_status(status: int, kind: type[APIStatusError]) -> None:
    """Every status has its error, also those that no standard knows."""
    error = status_error(answer(status))

    assert error_class(status) is kind
    assert type(error) is kind
    assert error.status_code == status


@pytest.mark.parametrize(
    ("status", "good"), [(199, False), (200, True), (204, True), (299, True), (300, False), (520, False)]
)
def test_f42_what_is_no_error(status: int, good: bool) -> None:
    """Any 2xx is an answer that says yes, and nothing else is."""
    assert answer(status).is_success is good


def test_error_says_what_was_asked_and_what_came_back() -> None:
    """An error has the request's method and path, and the answer's status, headers and body."""
    headers = {"content-type": "application/json", "retry-after": "7", "x-request-id": "r-1"}

    error = status_error(answer(429, {"message": "Too fast"}, headers=headers))

    assert (error.method, error.path, error.status_code) == ("GET", PATH, 429)
    assert (error.message, error.body) == ("Too fast", '{"message": "Too fast"}')
    assert (error.headers, error.retry_after, error.request_id) == (headers, 7.0, "r-1")
    assert str(error) == f"GET {PATH} answered 429 Too Many Requests: Too fast"


def test_query_is_not_shown() -> None:
    """What stands in the query, a page token perhaps, is in no error."""
    error = status_error(answer(400, "no"))

    assert "canary" not in f"{error} {error!r} {vars(error)}"
    assert error.path == PATH


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        pytest.param(502, "<html><h1>Bad Gateway</h1></html>", ServerError, "Bad Gateway", id="502 with HTML"),
        pytest.param(502, " \n<!DOCTYPE html>\n<p>no", ServerError, "Bad Gateway", id="502 with HTML after a line"),
        pytest.param(502, b"\xef\xbb\xbf<html>", ServerError, "Bad Gateway", id="502 with HTML after a mark"),
        pytest.param(413, "too\nlarge\x00", BadRequestError, "too large", id="413 with text"),
        pytest.param(500, b"", ServerError, "Internal Server Error", id="500 with nothing"),
        pytest.param(500, b" \n", ServerError, "Internal Server Error", id="500 with white space"),
        pytest.param(400, '{"message": "cut o', BadRequestError, '{"message": "cut o', id="400 with cut JSON"),
        pytest.param(400, ["no"], BadRequestError, '["no"]', id="400 with a list"),
        pytest.param(400, [[], [None]], BadRequestError, "Bad Request", id="400 with a list of nothing"),
        pytest.param(
            400,
            {"error": {"message": "no"}},
            BadRequestError,
            '{"error": {"message": "no"}}',
            id="400 with words within",
        ),
        pytest.param(400, None, BadRequestError, "Bad Request", id="400 with null"),
        pytest.param(400, {"code": 5}, BadRequestError, "Bad Request", id="400 without words"),
        pytest.param(400, b'"no such thing"', BadRequestError, "no such thing", id="400 with JSON text"),
        pytest.param(503, '<?xml version="1.0"?><e/>', ServerError, "Service Unavailable", id="503 with XML"),
        pytest.param(500, b"\xff\xfe", ServerError, "\ufffd\ufffd", id="500 with bytes"),
        pytest.param(500, b"[" * 200_000, ServerError, "[" * 999 + "…", id="500 with deep JSON"),
        pytest.param(520, "", ServerError, "status 520", id="520 with nothing"),
        pytest.param(404, {"message": "no\r\nuser"}, NotFoundError, "no user", id="404 with two lines"),
        pytest.param(404, {"message": "\x00"}, NotFoundError, "Not Found", id="404 with nothing to print"),
        pytest.param(404, b'\xef\xbb\xbf{"message": "no"}', NotFoundError, "no", id="404 with JSON after a mark"),
        pytest.param(404, rb'{"message": "a\ud800b"}', NotFoundError, "a b", id="404 with a lone surrogate"),
    ],
)
def test_f47_words(status: int, body: object, kind: type[APIStatusError], message: str) -> None:
    """The message is the provider's words on one short line, or the status's own name."""
    error = status_error(answer(status, body))

    assert type(error) is kind
    assert error.message == message
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param({"message": "m", "error_description": "d", "error": "e"}, "m", id="m3ter's message"),
        pytest.param({"error": "invalid_client", "error_description": "wrong"}, "wrong", id="OAuth's description"),
        pytest.param({"error": "invalid_client"}, "invalid_client", id="OAuth's code"),
        pytest.param({"message": None, "error": "e"}, "e", id="a message that is null"),
        pytest.param({"message": " ", "error": "e"}, "e", id="a message that is blank"),
        pytest.param({"message": {"a": 1}, "error": "e"}, "e", id="a message that is no text"),
        pytest.param({"message": ["m"]}, '{"message": ["m"]}', id="only text within"),
        pytest.param({"message": [1], "error": " "}, "Bad Request", id="no text at all"),
    ],
)
def test_f47_first_words_are_taken(document: object, message: str) -> None:
    """Of all that a provider says, the first field with words is its message."""
    assert status_error(answer(400, document)).message == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(
            {"type": "about:blank", "title": "Broken", "detail": "The disk is full."}, "The disk is full.", id="detail"
        ),
        pytest.param({"title": "Broken", "status": 200}, "Broken", id="title"),
        pytest.param({"status": 200}, "Internal Server Error", id="neither"),
    ],
)
def test_f48_problem_details(document: dict[str, object], message: str) -> None:
    """Problem details are read, and the status in them does not change what happened."""
    headers = {"content-type": "application/problem+json"}

    error = status_error(answer(500, document | {"status": 200}, headers=headers))

    assert type(error) is ServerError
    assert (error.status_code, error.message) == (500, message)


def test_f47_hint_is_no_part_of_the_message() -> None:
    """The way out is in the error's text; its message is the provider's alone."""
    error = status_error(answer(413, {"message": "Too large"}), hint="ask for less at a time, with a smaller page_size")

    assert error.message == "Too large"
    assert "page_size" in str(error)


def test_message_is_at_most_1000_characters() -> None:
    """A provider that says very much is quoted in part."""
    error = status_error(answer(400, {"message": "x" * 100_000}))

    assert error.message == "x" * 999 + "…"


def test_message_of_a_long_body_is_found() -> None:
    """Words are found beside a stack trace that is longer than what is kept of the body."""
    error = status_error(answer(500, {"trace": "x" * 100_000, "message": "The disk is full."}))

    assert error.message == "The disk is full."
    assert len(error.body) == 4096


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_very_long_body_is_not_read_to_its_end(size: int) -> None:
    """Of a body of many pages, the first characters are kept."""
    error = status_error(answer(500, b"x" * size))

    assert error.body == "x" * 4096
    assert error.message == "x" * 999 + "…"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param("é" * 5000, "é" * 4096, id="two bytes each"),
        pytest.param("😀" * 5000, "😀" * 4096, id="four bytes each"),
        pytest.param(b"a\xffb", "a\ufffdb", id="undecodable bytes"),
        pytest.param("a\n\x00", "a\n\x00", id="as it came"),
    ],
)
def test_body_is_at_most_4096_characters(body: bytes | str, text: str) -> None:
    """The body is kept as text, and not more of it than helps."""
    assert status_error(answer(500, body)).body == text
    assert unexpected(answer(200, body), MismatchError("$", "no")).body == text


def test_body_can_be_left_out() -> None:
    """Where a body may hold a new secret, nothing of it is kept."""
    error = status_error(answer(200, {"message": "canary"}), kind=AuthenticationError, hint="no token", body=False)

    assert type(error) is AuthenticationError
    assert (error.message, error.body) == (HTTPStatus.OK.phrase, "")
    assert str(error) == f"GET {PATH} answered 200 OK; no token"


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"x-request-id": "a", "x-amz-cf-id": "b"}, "a"),
        ({"x-amzn-requestid": "a", "x-amz-apigw-id": "b"}, "a"),
        ({"x-amz-apigw-id": "a", "apigw-requestid": "b"}, "a"),
        ({"apigw-requestid": "a", "x-amz-cf-id": "b"}, "a"),
        ({"x-amz-cf-id": "a", "x-correlation-id": "b"}, "a"),
        ({"x-correlation-id": "a"}, "a"),
        ({"x-correlation-id": "a\x00b\u2028c" + "d" * 2000}, "a b c" + "d" * 994 + "…"),
        ({"date": "today"}, None),
        ({}, None),
    ],
    ids=["first", "amzn", "apigw id", "apigw", "cf", "correlation", "odd characters", "another header", "no header"],
)
def test_request_id(headers: dict[str, str], request_id: str | None) -> None:
    """The provider's name for the request is found under the first of its usual names."""
    assert status_error(answer(500, headers=headers)).request_id == request_id
    assert unexpected(answer(200, headers=headers), MismatchError("$", "no")).request_id == request_id


def test_f44_cookies_are_not_kept() -> None:
    """What a provider would have a browser keep to itself is in no error."""
    error = status_error(answer(403, headers={"set-cookie": "session=canary", "x-other": "kept"}))

    assert error.headers == {"x-other": "kept"}


def test_f41_way_out_of_a_redirect() -> None:
    """A redirect, which is not followed, most likely means another base URL."""
    assert str(status_error(answer(302))).endswith("302 Found; redirects are not followed: check base_url")


class TestUnexpected:
    """Answers that say yes, and are not as specified."""

    def test_error_says_where_and_how(self) -> None:
        """An error has the place, the reason, and what was asked and came back."""
        error = unexpected(answer(200, "{}", headers={"x-request-id": "r"}), MismatchError("$.id", "it is missing"))

        assert type(error) is UnexpectedResponseError
        assert (error.json_path, error.message, error.body) == ("$.id", "it is missing", "{}")
        assert (error.status_code, error.request_id, error.method, error.path) == (200, "r", "GET", PATH)
        assert str(error) == f"GET {PATH} answered 200 OK, but not as specified: it is missing (at $.id)"

    def test_error_of_another_kind(self) -> None:
        """The caller may ask for a kind of its own."""
        error = unexpected(answer(200, "{}"), MismatchError("$.nextToken", "again"), PaginationError)

        assert type(error) is PaginationError


SECRET_SENT = [
    pytest.param({"authorization": "Bearer canary-token"}, "canary-token", id="an access token"),
    pytest.param({"x-api-key": "canary-key"}, "canary-key", id="an API key"),
    pytest.param({"x-api-key": "canary key with spaces"}, "canary key with spaces", id="an API key with spaces"),
    pytest.param({"x-api-key": r'canary"/\key'}, r'canary"/\key', id="an API key with signs"),
    pytest.param({"x-api-key": "canary<&>'%+/=key"}, "canary<&>'%+/=key", id="an API key with more signs"),
    pytest.param({"authorization": f"Basic {basic('user', 'canary-secret')}"}, "canary-secret", id="an API secret"),
    pytest.param({"authorization": f"Basic {basic('user', 'canary:secret')}"}, "canary:secret", id="one with a colon"),
    pytest.param({"authorization": f"Basic {basic('canary-user', 'x')}"}, "canary-user", id="a key's id"),
    pytest.param(
        {"authorization": f"Basic {basic('canary-1', 'canary-1-and-more')}"},
        "canary-1-and-more",
        id="one within another",
    ),
    pytest.param(
        {"authorization": f"Basic {basic('user', 'canary-secret')}"},
        basic("user", "canary-secret"),
        id="the Basic value",
    ),
]


@pytest.mark.parametrize(("sent", "secret"), SECRET_SENT)
@pytest.mark.parametrize("status", [200, 401])
def test_f74_what_the_provider_repeats_is_hidden(sent: dict[str, str], secret: str, status: int) -> None:
    """A provider that repeats a secret, in its words, its body or a header, does not put it into an error."""
    document = {"message": f"Unknown key {secret}!", "sent": secret}
    headers = {"x-request-id": f"r-{secret}", "x-echo": secret}
    came = answer(status, document, headers=headers, sent=sent)
    error: UserGroupsError = unexpected(came, MismatchError("$", "no")) if status == 200 else status_error(came)

    everything = f"{error} {vars(error)}"
    assert secret not in everything
    assert "and-more" not in everything
    assert "canary" not in everything
    if isinstance(error, APIStatusError):
        assert error.message == "Unknown key ***!"
        assert error.headers == {"x-request-id": "r-***", "x-echo": "***"}


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(json.dumps, id="as Python writes it"),
        pytest.param(lambda document: json.dumps(document).replace("/", r"\/"), id="as PHP writes it"),
    ],
)
def test_f74_secret_in_json_is_hidden_however_it_is_written(write: object) -> None:
    """A secret that JSON has to escape is hidden in the body as it came, and in the words."""
    secret = 'canary"with\\many/signs'
    body = write({"message": f"Unknown key {secret}"})  # type: ignore[operator]

    error = status_error(answer(401, body, sent={"x-api-key": secret}))

    assert error.message == "Unknown key ***"
    assert error.body == '{"message": "Unknown key ***"}'


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(html.escape, id="HTML"),
        pytest.param(
            lambda text: "".join(f"&#{ord(c):03};" if c in "<>&'+/" else c for c in text), id="HTML's numbers"
        ),
        pytest.param(lambda text: text.replace("'", "&apos;").replace("/", "&#x2F;"), id="HTML's names"),
        pytest.param(lambda text: quote(text, safe=""), id="a URL"),
        pytest.param(lambda text: quote(text, safe="").lower(), id="a URL in lower case"),
        pytest.param(lambda text: "".join(rf"\u00{ord(c):02X}" if c in "<>&'+" else c for c in text), id="JSON"),
    ],
)
@pytest.mark.parametrize("document", ["<p>no {}</p>", '{{"trace": ["no {}"]}}', "no {}"], ids=["page", "json", "text"])
def test_f74_secret_is_hidden_however_it_is_encoded(write: Callable[[str], str], document: str) -> None:
    """A secret with signs in it is hidden wherever the provider puts it, as HTML, URLs and JSON spell such signs."""
    secret = "canary<1>&'2'+/3"

    error = status_error(answer(401, document.format(write(secret)), sent={"x-api-key": secret}))

    assert error.body == document.format("***")
    assert "canary" not in f"{error} {vars(error)}"


def test_f74_secret_in_words_is_hidden_however_it_is_escaped() -> None:
    """A secret whose letters JSON spells in numbers is hidden in the words that come out of it."""
    body = rb'{"message": "Unknown key \u0063anary-key"}'

    error = status_error(answer(401, body, sent={"x-api-key": "canary-key"}))

    assert error.message == "Unknown key ***"


def test_f74_secret_at_the_edge_of_the_body_is_hidden_whole() -> None:
    """A secret that stands where the body is cut off does not show its beginning."""
    error = status_error(answer(401, "x" * 4090 + "canary-key", sent={"x-api-key": "canary-key"}))

    assert error.body == "x" * 4090 + "***"


def in_json(character: str) -> str:
    """Return JSON's number of *character*."""
    return f"\\u{ord(character):04x}"


def in_a_url(character: str) -> str:
    """Return a URL's number of *character*."""
    return f"%{ord(character):02X}"


def in_html(character: str) -> str:
    """Return HTML's number of *character*."""
    return f"&#{ord(character)};"


# Without what begins a spelling: which characters of it were spelt, and which stood there before, cannot be told.
visible = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\%&"), min_size=8, max_size=60
)


@unhurried
@given(secret=visible, data=st.data(), before=st.text(max_size=20), after=st.text(max_size=20))
def test_f88_secret_spelt_as_it_may_be(secret: str, data: st.DataObject, before: str, after: str) -> None:
    """However each of its characters is spelt, once or twice, a secret is hidden, and the text around it stays."""
    ways = st.lists(st.sampled_from([str, in_json, in_a_url, in_html]), min_size=len(secret), max_size=len(secret))
    said = "".join(how(c) for how, c in zip(data.draw(ways), secret, strict=True))
    if data.draw(st.booleans()):
        said = "".join(map(data.draw(st.sampled_from([in_json, in_a_url, in_html])), said))

    plain = Redactor(Secret(secret)).clean(f"{before}\n{said}\n{after}")

    assert said not in plain
    assert "***" in plain
    assert secret not in plain


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_f88_secret_is_hidden_in_every_encoding_of_json(encoding: str) -> None:
    """JSON may be in UTF-16 and UTF-32, and a secret in it is one all the same."""
    body = json.dumps({"message": "no canary-key, sir"}).encode(encoding)
    response = Response(status_code=400, headers={}, body=body, request=httpx.Request("GET", "https://api.invalid/x"))

    error = answers.status_error(response, Redactor(Secret("canary-key")))

    assert (error.message, error.body) == ("no ***, sir", '{"message": "no ***, sir"}')


@unhurried
@given(st.text())
def test_f88_text_without_secrets_stays(text: str) -> None:
    """Where no secret is, nothing is changed."""
    assert Redactor(Secret("\x7f" * 8)).clean(text) == text.replace("\x7f" * 8, "***")


def test_f88_last_tokens_are_remembered() -> None:
    """The token before the last one is hidden as well, and one that comes again is no other."""
    tokens = [f"{number}-canary-token-{number}" for number in range(9)]
    redactor = Redactor(Secret("canary-key"))
    for token in [*tokens, *tokens[-2:] * 9]:
        redactor.learn(Secret(token))

    assert redactor.clean("/".join(tokens[-5:])) == "/".join(["***"] * 5)
    assert redactor.clean("a canary-key") == "a ***"
    assert redactor.clean(f"{tokens[-1][:20]}, {tokens[-1][:9]}, {tokens[-1][:7]}") == f"***, ***, {tokens[-1][:7]}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("no canary-k", "no ***", id="a piece at the end"),
        pytest.param("no canary-", "no canary-", id="a short piece at the end"),
        pytest.param("no canary-k, sir", "no ***, sir", id="a piece amid"),
        pytest.param("no canary-, sir", "no canary-, sir", id="a short piece amid"),
        pytest.param(r"no canary-\u006b\u00", "no ***", id="a piece, and half a character"),
        pytest.param("no canary-k&#x", "no ***", id="a piece, and half a reference"),
        pytest.param("no CANARY-KEY WITH mo...", "no ***...", id="much of it amid"),
        pytest.param("no canary-key+with+more-of-it", "no ***", id="with signs for spaces"),
        pytest.param("&canary-key with more-of-it", "&***", id="after a sign"),
        pytest.param(r"\canary-key with more-of-it", r"\***", id="after a backslash"),
        pytest.param("%4canary-key with more-of-it;", "%4***;", id="after half a character"),
    ],
)
def test_f88_pieces_of_a_secret(text: str, told: str) -> None:
    """A piece of a secret is hidden where it is long, or where the text ends as if it had been cut."""
    redactor = Redactor(Secret("canary-key with more-of-it"))

    assert redactor.clean(text) == told


def test_f88_piece_of_a_secret_that_repeats_itself() -> None:
    """A piece at the end is hidden from its beginning on, though it could begin later."""
    assert Redactor(Secret("-" * 40)).clean("x" + "-" * 9) == "x***"


def test_f88_secret_that_reads_as_spelling() -> None:
    """A secret that holds what could be a spelling is found as it is, and spelt itself."""
    secret = r"canary%41\u0042&#67;\\x"

    for said in (
        secret,
        json.dumps(secret),
        quote(secret, safe=""),
        html.escape(secret),
        json.dumps(json.dumps(secret)),
    ):
        assert "anary" not in Redactor(Secret(secret)).clean(f"no {said}")


def test_f88_header_of_a_mock_may_hold_lines() -> None:
    """What no wire carries may be in the header of a transport that is made up: it is one line in an error."""
    error = status_error(answer(500, headers={"x-one": "a\nb", "canary-key": "c"}, sent={"x-api-key": "canary-key"}))

    assert error.headers == {"x-one": "a b", "***": "c"}


def test_short_secrets_do_not_hide_words() -> None:
    """What is too short to be a secret in earnest is not looked for, so that words stay whole."""
    error = status_error(answer(401, {"message": "no key"}, sent={"x-api-key": "no", "authorization": "Bearer key"}))

    assert error.message == "no key"


def test_hiding_shows_nothing_itself() -> None:
    """A traceback through the making of an error shows no secret either."""
    came = answer(401, sent={"x-api-key": "canary-key"})

    class Curious(dict[str, str]):
        def items(self) -> object:  # type: ignore[override]
            raise LookupError

    with pytest.raises(LookupError) as caught:
        status_error(Response(status_code=401, headers=Curious(), body=b"", request=came.request))

    frames = [entry.frame.f_locals for entry in caught.traceback[1:]]
    assert "canary" not in repr(frames)


@unhurried
@given(
    status=st.integers(100, 999),
    body=st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(st.characters()),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["message", "error", "detail", "title", "x"]), inner)
        ),
        max_leaves=5,
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(st.sampled_from(["x-request-id", "retry-after", "date", "content-type"]), st.text()),
)
def test_f47_anything(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Whatever a provider answers, it is an error of its status that prints as one line."""
    error = status_error(answer(status, body, headers=headers))

    assert type(error) is error_class(status)
    assert 0 < len(error.message) <= 1000
    assert error.message.isprintable()
    assert str(error).isprintable()
    assert len(error.body) <= 4096
    assert error.retry_after is None or error.retry_after >= 0
