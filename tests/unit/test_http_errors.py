"""What an answer that says no, or is not as specified, becomes for the caller."""

import html
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

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

PATH = "/organizations/o%2F1/users/u/usergroups"
ASKED = {"method": "GET", "path": PATH, "attempts": 3, "elapsed": 2.14}

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


def answer(status: int = 400, body: bytes | str | object = b"", *, headers: dict[str, str] | None = None) -> Response:
    """Return an answer; a *body* that is neither bytes nor text is JSON."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    content = body if isinstance(body, bytes) else body.encode()
    return Response(status_code=status, headers=headers or {}, body=content, asked=dict(ASKED))


def status_error(came: Response, *secrets: str, **options: Any) -> APIStatusError:
    """Make the error of *came* for a client that has *secrets*."""
    return answers.status_error(came, Redactor(*map(Secret, secrets)), **options)


def unexpected(came: Response, *secrets: str, **options: Any) -> UnexpectedResponseError:
    """Make the error of *came*, which has no id, for a client that has *secrets*."""
    return answers.unexpected(came, MismatchError("$.id", "it is missing"), Redactor(*map(Secret, secrets)), **options)


STATUSES: dict[type[APIStatusError], list[int]] = {
    APIStatusError: [100, 300, 304, 399, 402, 405, 408, 409, 418, 451, 499, 600, 999],
    BadRequestError: [400, 413, 422],
    AuthenticationError: [401],
    PermissionDeniedError: [403],
    NotFoundError: [404],
    RateLimitedError: [429],
    ServerError: [500, 501, 502, 503, 504, 520, 599],
}


@pytest.mark.parametrize("kind", STATUSES, ids=lambda kind: kind.__name__)
def test_f42_class_of_a_status(kind: type[APIStatusError]) -> None:
    """Every status has its error, also those that no standard knows."""
    errors = [status_error(answer(status)) for status in STATUSES[kind]]

    assert [(type(error), error.status_code) for error in errors] == [(kind, status) for status in STATUSES[kind]]


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
    assert (error.attempts, error.elapsed, error.retryable) == (3, 2.14, True)
    assert str(error) == f"GET {PATH} answered 429 Too Many Requests: Too fast (3 attempts in 2.1 s, request id r-1)"
    assert "canary" not in f"{error!r} {vars(error)}"  # it is in the query


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        pytest.param(502, "<html><h1>Bad Gateway</h1></html>", ServerError, "Bad Gateway", id="502 with HTML"),
        pytest.param(502, b"\xef\xbb\xbf<html>", ServerError, "Bad Gateway", id="502 with HTML after a mark"),
        pytest.param(413, "too\nlarge\x00", BadRequestError, "too large", id="413 with text"),
        pytest.param(500, b"", ServerError, "Internal Server Error", id="500 with nothing"),
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
        pytest.param(400, b'"no such thing"', BadRequestError, "no such thing", id="400 with JSON text"),
        pytest.param(500, b"\xff\xfe", ServerError, "\ufffd\ufffd", id="500 with bytes"),
        pytest.param(500, b"[" * 200_000, ServerError, "[" * 999 + "…", id="500 with deep JSON"),
        pytest.param(404, {"message": "no\r\nuser"}, NotFoundError, "no user", id="404 with two lines"),
        pytest.param(404, {"message": "\x00"}, NotFoundError, "Not Found", id="404 with nothing to print"),
        pytest.param(404, b'\xef\xbb\xbf{"message": "no"}', NotFoundError, "no", id="404 with JSON after a mark"),
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
        pytest.param({"message": " ", "error": "e"}, "e", id="a message that is blank"),
        pytest.param({"message": {"a": 1}, "error": "e"}, "e", id="a message that is no text"),
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


def test_message_of_a_long_body_is_found() -> None:
    """Words are found beside a stack trace that is longer than what is kept of the body."""
    error = status_error(answer(500, {"trace": "x" * 100_000, "message": "The disk is full."}))

    assert error.message == "The disk is full."
    assert len(error.body) == 4096


def test_f107_body_of_very_many_values_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tens of thousands of values are no error that anybody wrote: the body stands for itself, and costs nothing."""
    monkeypatch.delattr("json.loads")

    error = status_error(answer(500, "[" + "[]," * 10_000 + "[]]"))

    assert error.message.startswith("[[],[],[]")


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
    assert unexpected(answer(200, body)).body == text


def test_body_can_be_left_out() -> None:
    """Where a body may hold a new secret, nothing of it is kept."""
    error = status_error(answer(200, {"message": "canary"}), kind=AuthenticationError, hint="no token", body=False)

    assert type(error) is AuthenticationError
    assert (error.message, error.body) == (HTTPStatus.OK.phrase, "")
    assert str(error) == f"GET {PATH} answered 200 OK; no token (3 attempts in 2.1 s)"


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
    assert unexpected(answer(200, headers=headers)).request_id == request_id


def test_f44_cookies_are_not_kept() -> None:
    """What a provider would have a browser keep to itself is in no error."""
    error = status_error(answer(403, headers={"set-cookie": "session=canary", "x-other": "kept"}))

    assert error.headers == {"x-other": "kept"}


def test_f41_way_out_of_a_redirect() -> None:
    """A redirect, which is not followed, most likely means another base URL."""
    assert "302 Found; redirects are not followed: check base_url (" in str(status_error(answer(302)))


@pytest.mark.parametrize("kind", [UnexpectedResponseError, PaginationError])
def test_unexpected_says_where_and_how(kind: type[UnexpectedResponseError]) -> None:
    """An answer that says yes, and is not as specified, has the place, the reason, and what was asked and came back."""
    error = unexpected(answer(200, "{}", headers={"x-request-id": "r"}), kind=kind)

    assert type(error) is kind
    assert (error.json_path, error.message, error.body) == ("$.id", "it is missing", "{}")
    assert (error.status_code, error.request_id, error.method, error.path) == (200, "r", "GET", PATH)
    line = f"GET {PATH} answered 200 OK, but not as specified: it is missing (at $.id)"
    assert str(error) == f"{line} (3 attempts in 2.1 s, request id r)"


@pytest.mark.parametrize("make", [status_error, unexpected])
@pytest.mark.parametrize(
    "secrets",
    [["canary-key"], ["canary key with spaces"], ["canary<&>'\"%+/=\\key"], ["canary-1", "canary-1-and-more"]],
    ids=["a key", "spaces", "signs", "one within another"],
)
def test_f74_what_the_provider_repeats_is_hidden(make: Callable[..., UserGroupsError], secrets: list[str]) -> None:
    """A provider that repeats a secret, in its words, its body or a header, does not put it into an error."""
    said = secrets[-1]
    document = {"message": f"Unknown key {said}!", "sent": said}
    came = answer(401, document, headers={"x-request-id": f"r-{said}", "x-echo": said})

    error = make(came, *secrets)

    assert error.body == '{"message": "Unknown key ***!", "sent": "***"}'
    assert error.request_id == "r-***"
    if make is status_error:
        assert error.message == "Unknown key ***!"
        assert error.headers == {"x-request-id": "r-***", "x-echo": "***"}


def test_f74_hint_and_reason_are_cleaned() -> None:
    """What the SDK itself says may quote the provider, and is one line without secrets, too."""
    reason = MismatchError("$", "canary-key\nis no coding")

    error = answers.unexpected(answer(200), reason, Redactor(Secret("canary-key")))

    assert error.message == "*** is no coding"
    assert status_error(answer(401), "canary-key", hint="no\ncanary-key").hint == "no ***"


def test_f74_secret_at_the_edge_of_the_body_is_hidden_whole() -> None:
    """A secret that stands where the body is cut off does not show its beginning."""
    error = status_error(answer(401, "x" * 4090 + "canary-key"), "canary-key")

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

    error = status_error(answer(400, body), "canary-key")

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
    error = status_error(answer(500, headers={"x-one": "a\nb", "canary-key": "c"}), "canary-key")

    assert error.headers == {"x-one": "a b", "***": "c"}


@pytest.mark.parametrize(("size", "kept"), [(32_765, True), (32_766, False)])
def test_f88_headers_up_to_a_bound_are_kept(size: int, kept: bool) -> None:
    """Of very long headers, the first are kept, so that looking for secrets in them takes no time."""
    headers = {"a": "b", "c": "d" * size}  # 32 KiB are 32,768 characters

    assert status_error(answer(500, headers=headers)).headers == (headers if kept else {"a": "b"})


def test_short_secrets_do_not_hide_words() -> None:
    """What is too short to be a secret in earnest is not looked for, so that words stay whole."""
    assert status_error(answer(401, {"message": "no key"}), "no", "key").message == "no key"


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
