"""Requests: what a generated `_get_kwargs()` describes goes out whole, or is refused."""

from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups._http.request import Message, Request

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


def request(**kwargs: Any) -> Request:
    """Return the request of an operation with *kwargs*."""
    return Request.of({"method": "post", "url": "/things"} | kwargs)


def sent(one: Request) -> dict[str, str]:
    """Return the headers that *one* is sent with, beside the usual and the secret ones, by lower-case name."""
    return {name.decode().lower(): value.decode() for name, value in one.headers_with((), {})}


def message(origin: str, target: str) -> Message:
    """Return a message to *origin*."""
    return Message(method="GET", origin=origin, target=target, headers=[(b"A", b"b")], content=b"c", timeouts={})


@pytest.mark.parametrize(
    ("params", "query"),
    [
        pytest.param({"tag": ["a", "b&c"]}, "tag=a&tag=b%26c", id="an array"),
        pytest.param({"tag": [], "n": 1}, "n=1", id="an empty array"),
        pytest.param({"n": [1, 0.5], "on": [True, False]}, "n=1&n=0.5&on=true&on=false", id="numbers and booleans"),
        pytest.param({"on": True, "at": "2024-01-01T12:00:00+00:00"}, "on=true&at=2024-01-01T12%3A00%3A00%2B00%3A00"),
        pytest.param({"a/b": "ü /~"}, "a%2Fb=%C3%BC%20%2F~", id="what a query has no room for"),
        pytest.param({}, "", id="nothing"),
    ],
)
def test_query(params: dict[str, object], query: str) -> None:
    """Each value, and each item of an array, is a pair of its own, percent-encoded."""
    assert request(params=params).query == query


def test_query_is_added_to() -> None:
    """One more parameter goes to the end of a query."""
    first = request(params={"tag": ["a", "b"]})

    assert first.with_query("next", "c&d").query == "tag=a&tag=b&next=c%26d"
    assert request().with_query("next", "=").query == "next=%3D"


def test_form() -> None:
    """A form spells values as a query does, but for a space."""
    form = {"grant": "a b", "tag": ["x", "y&z"], "on": True}

    assert request(data=form).content == b"grant=a+b&tag=x&tag=y%26z&on=true"


@pytest.mark.parametrize(
    ("document", "content"),
    [
        pytest.param({"a": "ü", "b": [1, None, True]}, '{"a":"ü","b":[1,null,true]}', id="an object"),
        pytest.param([{"a": 1}], '[{"a":1}]', id="an array"),
        pytest.param("x", '"x"', id="text"),
        pytest.param(None, "null", id="null"),
    ],
)
def test_json(document: object, content: str) -> None:
    """A JSON body goes out as compact UTF-8, with its length, under the content type that the operation says."""
    made = request(json=document, headers={"Content-Type": "application/json"})

    assert made.content == content.encode()
    assert sent(made)["content-type"] == "application/json"
    assert sent(made)["content-length"] == str(len(content.encode()))


def test_number_that_json_has_no_room_for_is_refused() -> None:
    """An infinite number is no JSON."""
    with pytest.raises(ValueError, match="JSON"):
        request(json={"a": float("inf")})


@pytest.mark.parametrize(("method", "length"), [("post", "0"), ("put", "0"), ("patch", "0"), ("get", None)])
def test_request_without_a_body_says_so(method: str, length: str | None) -> None:
    """A method that usually has a body says that there is none: some servers insist (RFC 9110, 8.6)."""
    assert sent(request(method=method)).get("content-length") == length


def test_headers_are_text() -> None:
    """Headers are spelled as values of a query are."""
    assert request(headers={"X-A": "a", "X-B": True, "X-C": 5}).headers == {"X-A": "a", "X-B": "true", "X-C": "5"}


@pytest.mark.parametrize(
    ("kwargs", "what"),
    [
        pytest.param({"cookies": {}}, "cookies", id="cookies"),
        pytest.param({"files": [], "headers": {}}, "files", id="files"),
        pytest.param({"content": b"x"}, "content", id="other content"),
        pytest.param({"files": [], "cookies": {}}, "cookies, files", id="several"),
        pytest.param({"json": {}, "data": {}}, "two bodies", id="two bodies"),
        pytest.param({"params": {"tag": {"a": "b"}}}, "tag", id="an object in a query"),
        pytest.param({"params": {"tag": ["a", None]}}, "tag", id="null in an array"),
        pytest.param({"params": {"tag": [["a"]]}}, "tag", id="an array in an array"),
        pytest.param({"data": {"tag": {"a": "b"}}}, "tag", id="an object in a form"),
        pytest.param({"headers": {"tag": ["a"]}}, "tag", id="an array in a header"),
    ],
)
def test_what_cannot_be_sent_is_refused(kwargs: dict[str, object], what: str) -> None:
    """A request never goes out with a hole: what it cannot hold is named."""
    with pytest.raises(TypeError, match=what):
        request(**kwargs)


class TestMessage:
    """A request as it goes out, and what it is in terms of httpx."""

    @unhurried
    @given(
        origin=st.sampled_from(["https://api.m3ter.com", "http://127.0.0.1:8000", "https://[::1]:8443"]),
        prefix=st.sampled_from(["", "/prefix", "/a/%20b"]),
        segment=st.text(min_size=1),
        queries=st.lists(st.text(), max_size=2),
    )
    def test_its_url_is_what_httpx_parses(self, origin: str, prefix: str, segment: str, queries: list[str]) -> None:
        """The URL for httpx is made of parts, and is the one that httpx reads from text."""
        hypothesis.assume(segment not in (".", ".."))
        kwargs: dict[str, object] = {"url": f"/things/{quote(segment, safe='')}", "params": {"q": queries}}
        target = prefix + request(**kwargs).target

        url = message(origin, target).as_httpx().url

        parsed = httpx.URL(origin + target)
        assert url == parsed
        assert (str(url), url.raw_path, url.netloc) == (str(parsed), parsed.raw_path, parsed.netloc)

    def test_as_httpx(self) -> None:
        """The request of httpx has the same headers and content, and the timeouts where transports look for them."""
        made = message("https://example.com", "/").as_httpx()

        assert made.headers.raw == [(b"A", b"b")]
        assert made.read() == b"c"
        assert made.extensions == {"timeout": {}, "proxy": ""}

    def test_its_headers_are_in_no_repr(self) -> None:
        """They hold a secret."""
        assert "headers" not in repr(message("https://example.com", "/"))
