"""M3terClient as a whole: requests as they go out, answers as they come in, and the life of its token."""

import asyncio
import logging
import random
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import ORG_ID, MakeM3ter
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.surroundings import surroundings
from unit.endpoint import Shelf
from usergroups import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    M3terClient,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnexpectedResponseError,
    UserGroupsError,
    sweep,
)
from usergroups.m3ter import UserGroup

BASE = "https://rig.invalid"
TOKEN_URL = f"{BASE}/oauth/token"
PATH = f"/organizations/{ORG_ID}/users/u-1/usergroups"
PAGE_URL = f"{BASE}{PATH}"
NO_URL_TEXT = "it is not text that fits into a URL"

ENVIRONMENT = {
    "M3TER_ORG_ID": "org-of-env",
    "M3TER_API_KEY": "key-of-env",
    "M3TER_API_SECRET": "CANARY-secret-of-env",
    "M3TER_BASE_URL": "https://env.invalid",
}
ARGUMENTS = {
    "org_id": "org-of-arg",
    "api_key": "key-of-arg",
    "api_secret": "CANARY-secret-of-arg",
    "base_url": "https://arg.invalid",
}

Json = dict[str, Any] | list[Any] | str | int | None


def give_token(httpx_mock: HTTPXMock, name: str = canary.ACCESS_TOKEN, *, life: float = 18_000.0) -> None:
    """Let the token endpoint give the token *name*, once."""
    httpx_mock.add_response(method="POST", url=TOKEN_URL, json={"access_token": name, "expires_in": life})


def give_page(httpx_mock: HTTPXMock, *ids: str, next_token: str | None = None, **matchers: Any) -> None:
    """Let the API give a page with the groups *ids*, once."""
    answer = {"data": [{"id": one} for one in ids], "nextToken": next_token}
    httpx_mock.add_response(method="GET", json=answer, **matchers)


def refuse(httpx_mock: HTTPXMock, status_code: int, **matchers: Any) -> None:
    """Let the API refuse a request, once."""
    httpx_mock.add_response(method="GET", status_code=status_code, json={"message": "no"}, **matchers)


def bearer(name: str) -> dict[str, str]:
    """Return the headers that show the token *name*."""
    return {"Authorization": f"Bearer {name}"}


def requests(httpx_mock: HTTPXMock, method: str) -> int:
    """Count the requests that went out with *method*: POST is the token endpoint's."""
    return len(httpx_mock.get_requests(method=method))


class TestRequests:
    """What goes out."""

    async def test_token_request(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A token is asked for by a form, and HTTP Basic with the key as user and the secret as password."""
        give_token(httpx_mock)

        await m3ter.authenticate()

        (request,) = httpx_mock.get_requests()
        assert (request.method, str(request.url)) == ("POST", TOKEN_URL)
        assert request.content == b"grant_type=client_credentials"
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert request.headers["accept"] == "application/json"
        assert request.headers["authorization"] == f"Basic {canary.BASIC}"

    @pytest.mark.usefixtures("token")
    async def test_page_request(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A page is asked for with the token, and with nothing that the caller did not ask for."""
        give_page(httpx_mock)

        await m3ter.list_user_groups("u-1").collect()

        request = httpx_mock.get_requests()[-1]
        assert (request.method, str(request.url)) == ("GET", PAGE_URL)
        assert request.content == b""
        assert request.headers["authorization"] == f"Bearer {canary.ACCESS_TOKEN}"
        assert request.headers["accept"] == "application/json"
        assert request.headers["accept-encoding"] == "gzip"
        assert "content-type" not in request.headers
        assert "cookie" not in request.headers

    @pytest.mark.usefixtures("token")
    @pytest.mark.parametrize(
        ("arguments", "query"),
        [
            pytest.param({"inherited": True}, "inherited=true", id="inherited"),
            pytest.param({"inherited": False}, "inherited=false", id="not inherited"),
            pytest.param({"page_size": 1}, "pageSize=1", id="smallest page"),
            pytest.param({"page_size": 200}, "pageSize=200", id="largest page"),
            pytest.param({"next_token": "abc"}, "nextToken=abc", id="next token"),
            pytest.param({"next_token": "a&b=c#d"}, "nextToken=a%26b%3Dc%23d", id="next token with delimiters"),
            pytest.param({"next_token": "+/=%"}, "nextToken=%2B%2F%3D%25", id="next token in base64"),
            pytest.param({"next_token": "a b\u00e9"}, "nextToken=a%20b%C3%A9", id="next token with a space"),
            pytest.param({"next_token": "True"}, "nextToken=True", id="next token that reads like a boolean"),
            pytest.param(
                {"inherited": True, "page_size": 50, "next_token": "t"},
                "inherited=true&pageSize=50&nextToken=t",
                id="all of them",
            ),
        ],
    )
    async def test_f58_query(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, arguments: dict[str, Any], query: str
    ) -> None:
        """What the caller asked for is in the query, byte for byte, and booleans are in lower case."""
        give_page(httpx_mock)

        await m3ter.list_user_groups("u-1", **arguments).collect()

        sent = httpx_mock.get_requests(method="GET")[-1].url.query.decode()
        assert sorted(sent.split("&")) == sorted(query.split("&"))

    @pytest.mark.usefixtures("token")
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("u-1", "u-1"),
            ("a/b", "a%2Fb"),
            ("../x", "..%2Fx"),
            ("a?x=1", "a%3Fx%3D1"),
            ("a#f", "a%23f"),
            ("a%2Fb", "a%252Fb"),
            ("%2e%2e", "%252e%252e"),
            ("a;b", "a%3Bb"),
            ("a b", "a%20b"),
            ("\u00e9", "%C3%A9"),
        ],
    )
    @pytest.mark.parametrize("name", ["user_id", "org_id"])
    async def test_f75_identifiers_are_one_segment(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, name: str, given: str, sent: str
    ) -> None:
        """Whatever an identifier holds, it is one segment of the path, and decodes to what was given."""
        give_page(httpx_mock)
        ids = {"user_id": "u-1", "org_id": ORG_ID} | {name: given}

        await m3ter.list_user_groups(**ids).collect()

        path = httpx_mock.get_requests()[-1].url.raw_path.decode()
        expected = {"user_id": "u-1", "org_id": ORG_ID} | {name: sent}
        assert path == f"/organizations/{expected['org_id']}/users/{expected['user_id']}/usergroups"

    @pytest.mark.usefixtures("token")
    async def test_next_page_is_asked_for_with_the_same_query(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """Each page is asked for as the first one was, and with the token of the page before."""
        give_page(httpx_mock, "1", next_token="t/2")
        give_page(httpx_mock, "2", next_token="t/3")
        give_page(httpx_mock, "3")

        groups = await m3ter.list_user_groups("u-1", inherited=True, page_size=1).collect()

        sent = [dict(request.url.params) for request in httpx_mock.get_requests(method="GET")]
        same = {"inherited": "true", "pageSize": "1"}
        assert [group.id for group in groups] == ["1", "2", "3"]
        assert sent == [same, same | {"nextToken": "t/2"}, same | {"nextToken": "t/3"}]

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param({"user_id": ""}, id="empty user_id"),
            pytest.param({"user_id": " "}, id="blank user_id"),
            pytest.param({"user_id": "."}, id="dot as user_id"),
            pytest.param({"user_id": ".."}, id="two dots as user_id"),
            pytest.param({"user_id": "u\ud800"}, id="lone surrogate in user_id"),
            pytest.param({"user_id": "u" * 20_000}, id="user_id of 20 KiB"),
            pytest.param({"user_id": None}, id="None as user_id"),
            pytest.param({"user_id": 1.0}, id="number as user_id"),
            pytest.param({"org_id": ""}, id="empty org_id"),
            pytest.param({"org_id": ".."}, id="two dots as org_id"),
            pytest.param({"org_id": 1}, id="number as org_id"),
            pytest.param({"inherited": "true"}, id="text as inherited"),
            pytest.param({"inherited": 1}, id="number as inherited"),
            pytest.param({"page_size": 0}, id="page_size of 0"),
            pytest.param({"page_size": 201}, id="page_size of 201"),
            pytest.param({"page_size": -1}, id="page_size of -1"),
            pytest.param({"page_size": True}, id="boolean as page_size"),
            pytest.param({"page_size": "5"}, id="text as page_size"),
            pytest.param({"page_size": 5.0}, id="fraction as page_size"),
            pytest.param({"next_token": ""}, id="empty next_token"),
            pytest.param({"next_token": 5}, id="number as next_token"),
            pytest.param({"next_token": "\ud800"}, id="lone surrogate as next_token"),
            pytest.param({"next_token": "t" * 20_000}, id="next_token of 20 KiB"),
            pytest.param({"prefetch": None}, id="None as prefetch"),
            pytest.param({"prefetch": 1}, id="number as prefetch"),
            pytest.param({"timeout": 0}, id="timeout of 0"),
            pytest.param({"timeout": -1.0}, id="timeout of -1"),
            pytest.param({"timeout": float("nan")}, id="timeout that is no number"),
            pytest.param({"timeout": float("inf")}, id="timeout without end"),
            pytest.param({"timeout": True}, id="boolean as timeout"),
            pytest.param({"timeout": "5"}, id="text as timeout"),
        ],
    )
    async def test_f75_f82_bad_arguments(self, m3ter: M3terClient, arguments: dict[str, Any]) -> None:
        """A bad argument is an error of `list_user_groups` itself, which names it, before any request."""
        (name,) = arguments

        with pytest.raises(ConfigurationError, match=f"^{name} must"):
            m3ter.list_user_groups(**{"user_id": "u-1"} | arguments)


@pytest.mark.usefixtures("token")
class TestAnswers:
    """What comes in."""

    async def test_user_group(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A group arrives as a model with aware date-times, and keeps the fields that nobody knows."""
        raw = {
            "id": "g-1",
            "version": 3,
            "name": "Finance",
            "dtCreated": "2024-05-01T10:00:00.123Z",
            "dtLastModified": "2024-06-01T12:00:00+02:00",
            "createdBy": "u-7",
            "lastModifiedBy": None,
            "colour": "blue",
        }
        httpx_mock.add_response(json={"data": [raw]})

        group = await m3ter.list_user_groups("u-1").first()

        assert isinstance(group, UserGroup)
        assert (group.id, group.version, group.name) == ("g-1", 3, "Finance")
        assert group.dt_created == datetime(2024, 5, 1, 10, 0, 0, 123_000, tzinfo=UTC)
        assert group.dt_last_modified == datetime(2024, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
        assert (group.created_by, group.last_modified_by) == ("u-7", None)
        assert group.additional_properties == {"colour": "blue"}
        assert group.to_dict() == {
            "id": "g-1",
            "version": 3,
            "name": "Finance",
            "dtCreated": "2024-05-01T10:00:00.123000+00:00",
            "dtLastModified": "2024-06-01T12:00:00+02:00",
            "createdBy": "u-7",
            "colour": "blue",
        }

    async def test_absent_and_null_are_none(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """Absent and null are the same to the caller, and neither is in the JSON form."""
        absent = {"id": "g-1"}
        null = dict.fromkeys(["version", "name", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy"])
        httpx_mock.add_response(json={"data": [absent, absent | null]})

        one, other = await m3ter.list_user_groups("u-1").collect()

        assert one == other
        assert (one.version, one.name, one.dt_created) == (None, None, None)
        assert other.to_dict() == {"id": "g-1"}

    @pytest.mark.parametrize(
        ("answer", "ids"),
        [
            pytest.param({"data": [{"id": "1"}, {"id": "2"}], "nextToken": None}, ["1", "2"], id="envelope"),
            pytest.param({"data": [{"id": "1"}]}, ["1"], id="envelope without a token"),
            pytest.param({"data": [{"id": "1"}], "nextToken": ""}, ["1"], id="envelope with an empty token"),
            pytest.param({"data": [{"id": "1"}], "more": True}, ["1"], id="envelope with another field"),
            pytest.param({"data": [{"id": "1"}], "id": "x"}, ["1"], id="envelope with an id"),
            pytest.param({"data": []}, [], id="empty envelope"),
            pytest.param([{"id": "1"}, {"id": "2"}], ["1", "2"], id="array"),
            pytest.param([], [], id="empty array"),
            pytest.param({"id": "1", "name": "Finance"}, ["1"], id="one group"),
            pytest.param({"id": "1", "data": None}, ["1"], id="one group beside null"),
            pytest.param({}, [], id="empty object"),
            pytest.param({"data": None}, [], id="null"),
            pytest.param({"data": None, "nextToken": None}, [], id="null and no token"),
        ],
    )
    async def test_f53_f57_shapes_of_a_page(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, answer: Json, ids: list[str]
    ) -> None:
        """A last page is understood in each of the shapes that it may come in."""
        httpx_mock.add_response(method="GET", json=answer)

        groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == ids
        assert requests(httpx_mock, "GET") == 1

    async def test_f53_page_of_null_with_a_token_goes_on(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A page without data may still lead to the next."""
        httpx_mock.add_response(method="GET", json={"data": None, "nextToken": "2"})
        give_page(httpx_mock, "1")

        groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == ["1"]

    async def test_large_array_does_not_stop_the_loop(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """An array of 30,000 groups comes whole and in its order, and others get their turns while it is read."""
        httpx_mock.add_response(method="GET", json=[{"id": str(number)} for number in range(30_000)])

        async with Heartbeat() as heartbeat:
            groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == [str(number) for number in range(30_000)]
        assert heartbeat.beats > 5

    @pytest.mark.parametrize(
        ("answer", "json_path", "reason"),
        [
            pytest.param('"text"', "$", "it is neither an object nor an array", id="text"),
            pytest.param("5", "$", "it is neither an object nor an array", id="number"),
            pytest.param("null", "$", "it is neither an object nor an array", id="null"),
            pytest.param("", "$", "it is empty", id="nothing"),
            pytest.param("<html></html>", "$", "it is markup, not JSON: check base_url", id="HTML"),
            pytest.param('{"data": [', "$", "it is not JSON", id="half of it"),
            pytest.param('{"nextToken": "t"}', "$.data", "it is missing", id="token alone"),
            pytest.param('{"error": "no"}', "$.data", "it is missing", id="another object"),
            pytest.param('{"data": {}}', "$.data", "it is not an array", id="object as data"),
            pytest.param('{"data": "x", "id": "1"}', "$.data", "it is not an array", id="text as data"),
            pytest.param('{"data": false}', "$.data", "it is not an array", id="false as data"),
            pytest.param('{"data": [{"id": "1"}, null]}', "$.data[1]", "it is null, not an object", id="null as group"),
            pytest.param('{"data": [{"id": "1"}, {}]}', "$.data[1].id", "it is missing", id="group without id"),
            pytest.param('{"data": [{"id": null}]}', "$.data[0].id", "it is null", id="null as id"),
            pytest.param('{"data": [{"id": 5}]}', "$.data[0].id", "it is a number, not text", id="number as id"),
            pytest.param('[{"id": "1"}, 5]', "$[1]", "it is a number, not an object", id="number in an array"),
            pytest.param('{"id": 5}', "$.id", "it is a number, not text", id="one group with a number as id"),
            pytest.param(
                '{"data": [], "nextToken": 5}',
                "$.nextToken",
                NO_URL_TEXT,
                id="number as token",
            ),
            pytest.param(
                '{"data": [], "nextToken": []}',
                "$.nextToken",
                NO_URL_TEXT,
                id="list as token",
            ),
            pytest.param(
                '{"data": [], "nextToken": "' + "t" * 1024 * 1024 + '"}',
                "$.nextToken",
                NO_URL_TEXT,
                id="token of 1 MiB",
            ),
            pytest.param(
                '{"data": [], "nextToken": "\\ud800"}',
                "$.nextToken",
                NO_URL_TEXT,
                id="lone surrogate as token",
            ),
        ],
    )
    async def test_f49_f52_f57_anything_else_is_an_error(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch, answer: str, json_path: str, reason: str
    ) -> None:
        """An answer that cannot be a page is an error that says where and how, and no part of it is given."""
        httpx_mock.add_response(method="GET", text=answer, headers={"x-request-id": "r-1"})

        with pytest.raises(UnexpectedResponseError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        error = caught.value
        assert (error.json_path, error.message) == (json_path, reason)
        assert (error.status_code, error.request_id, error.method, error.path) == (200, "r-1", "GET", PATH)
        assert str(error) == f"GET {PATH} answered 200 OK, but not as specified: {reason} (at {json_path})"
        assert error.body == answer[:4096]

    async def test_f109_date_that_is_none_costs_no_group(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A date-time that is not one is None, and is there as it came."""
        raw = {"id": "1", "dtCreated": "yesterday"}
        httpx_mock.add_response(method="GET", json={"data": [raw]})

        (group,) = await m3ter.list_user_groups("u-1").collect()

        assert (group.id, group.dt_created) == ("1", None)
        assert group.to_dict() == raw

    async def test_f49_json_under_another_content_type_is_json(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """What the answer calls itself does not matter."""
        httpx_mock.add_response(method="GET", text='{"data": [{"id": "1"}]}', headers={"content-type": "text/plain"})

        assert await m3ter.list_user_groups("u-1").first() == UserGroup(id="1")

    async def test_f55_empty_pages(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """Empty pages with a token are gone over."""
        for number in range(97):
            give_page(httpx_mock, next_token=str(number))
        give_page(httpx_mock, "1", "2")

        assert len(await m3ter.list_user_groups("u-1").collect()) == 2

    async def test_f56_repeated_token(self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch) -> None:
        """A token that comes round again ends the listing with an error that says what was asked."""
        give_page(httpx_mock, "1", next_token="A")
        httpx_mock.add_response(
            method="GET", json={"data": [{"id": "2"}], "nextToken": "A"}, headers={"x-request-id": "r-2"}
        )

        with watch.raises(PaginationError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        error = caught.value
        assert str(error) == (
            f"GET {PATH} answered 200 OK, but not as specified:"
            " the page token has been used before in this listing (at $.nextToken)"
        )
        assert (error.json_path, error.status_code, error.request_id) == ("$.nextToken", 200, "r-2")
        assert error.body == '{"data":[{"id":"2"}],"nextToken":"A"}'
        assert requests(httpx_mock, "GET") == 2

    async def test_f59_resuming(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A listing goes on where another one ended, by the token of its last page."""
        give_page(httpx_mock, "1", "2", next_token="two")
        give_page(httpx_mock, "3", url=f"{PAGE_URL}?nextToken=two")
        page = await anext(m3ter.list_user_groups("u-1").pages())

        rest = await m3ter.list_user_groups("u-1", next_token=page.next_token).collect()

        assert [group.id for group in page.items] == ["1", "2"]
        assert [group.id for group in rest] == ["3"]

    async def test_prefetch(self, m3ter: M3terClient, httpx_mock: HTTPXMock, clock: FakeClock) -> None:
        """With `prefetch`, the next page is asked for while the caller works on this one."""
        give_page(httpx_mock, "1", next_token="two")
        give_page(httpx_mock, "2")
        ids = []

        async for group in m3ter.list_user_groups("u-1", prefetch=True):
            ids.append(group.id)
            await clock.settle()
            assert requests(httpx_mock, "GET") == 2

        assert ids == ["1", "2"]


class TestToken:
    """The life of the token, as the provider sees it."""

    async def test_one_token_for_many_calls(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """Calls one after another, and at once, share one token."""
        give_token(httpx_mock)
        httpx_mock.add_response(method="GET", json=[], is_reusable=True)

        await m3ter.list_user_groups("u-1").collect()
        await asyncio.gather(*(m3ter.list_user_groups("u-1").collect() for _ in range(50)))

        assert requests(httpx_mock, "POST") == 1
        assert requests(httpx_mock, "GET") == 51

    async def test_authenticate_makes_sure_of_a_token(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """`authenticate()` fetches a token if there is none, and asks for nothing if there is one."""
        give_token(httpx_mock)

        await m3ter.authenticate()
        await m3ter.authenticate()

        assert requests(httpx_mock, "POST") == 1
        assert requests(httpx_mock, "GET") == 0

    async def test_f60_token_that_ends_between_pages(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """A long listing outlives its token."""
        give_token(httpx_mock, "CANARY-1", life=100.0)
        give_token(httpx_mock, "CANARY-2", life=100.0)
        give_page(httpx_mock, "1", next_token="two", match_headers=bearer("CANARY-1"))
        give_page(httpx_mock, "2", match_headers=bearer("CANARY-2"))
        groups = aiter(m3ter.list_user_groups("u-1"))

        first = await anext(groups)
        await clock.advance(95.0)
        second = await anext(groups)

        assert [first.id, second.id] == ["1", "2"]
        await groups.aclose()

    async def test_refresh_ahead(self, m3ter: M3terClient, httpx_mock: HTTPXMock, clock: FakeClock) -> None:
        """In the last part of a token's life a call uses the old one, and the next call the new one."""
        used = asyncio.Event()

        async def new_token(request: httpx.Request) -> httpx.Response:
            await used.wait()
            return httpx.Response(200, json={"access_token": "CANARY-2", "expires_in": 100.0})

        give_token(httpx_mock, "CANARY-1", life=100.0)
        httpx_mock.add_callback(new_token, method="POST", url=TOKEN_URL)
        give_page(httpx_mock, match_headers=bearer("CANARY-1"))
        give_page(httpx_mock, match_headers=bearer("CANARY-2"))
        await m3ter.authenticate()
        await clock.advance(75.0)

        await m3ter.list_user_groups("u-1").collect()
        used.set()
        await clock.settle()
        await m3ter.list_user_groups("u-1").collect()

        assert requests(httpx_mock, "POST") == 2

    async def test_refresh_ahead_is_one_request_without_retries(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """A refresh ahead that fails is not retried, and the call does not notice."""
        give_token(httpx_mock, life=100.0)
        httpx_mock.add_response(method="POST", status_code=503)
        httpx_mock.add_response(method="GET", json=[], is_reusable=True)
        await m3ter.authenticate()
        await clock.advance(75.0)

        await m3ter.list_user_groups("u-1").collect()
        await clock.advance(4.0)

        assert requests(httpx_mock, "POST") == 2

    @pytest.mark.parametrize("status_code", [401, 403])
    async def test_f19_f22_refused_token_is_replaced_once(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, status_code: int
    ) -> None:
        """A 401 or 403 on a token from an earlier call costs one new token and one repeat; the caller never notices."""
        give_token(httpx_mock, "CANARY-1")
        give_token(httpx_mock, "CANARY-2")
        refuse(httpx_mock, status_code, match_headers=bearer("CANARY-1"))
        give_page(httpx_mock, "1", match_headers=bearer("CANARY-2"))
        await m3ter.authenticate()

        assert await m3ter.list_user_groups("u-1").first() == UserGroup(id="1")
        assert requests(httpx_mock, "POST") == 2

    @pytest.mark.parametrize(("status_code", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
    async def test_f19_f22_second_refusal_is_the_callers(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        status_code: int,
        kind: type[UserGroupsError],
    ) -> None:
        """Where the repeat is refused too, that is the call's error, and it tells the way out."""
        give_token(httpx_mock, "CANARY-1")
        give_token(httpx_mock, "CANARY-2")
        refuse(httpx_mock, status_code, match_headers=bearer("CANARY-1"))
        refuse(httpx_mock, status_code, match_headers=bearer("CANARY-2"))
        await m3ter.authenticate()

        with watch.raises(kind, match="; check "):
            await m3ter.list_user_groups("u-1").collect()

        assert requests(httpx_mock, "POST") == 2

    @pytest.mark.parametrize(("status_code", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
    async def test_refusal_of_a_token_fetched_for_this_call_is_final(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        status_code: int,
        kind: type[UserGroupsError],
    ) -> None:
        """A token that was fetched for this very call is not replaced."""
        give_token(httpx_mock)
        refuse(httpx_mock, status_code)

        with watch.raises(kind):
            await m3ter.list_user_groups("u-1").collect()

        assert requests(httpx_mock, "POST") == 1

    async def test_this_very_call_is_one_page(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A token that was fetched for the first page may be replaced on the second."""
        give_token(httpx_mock, "CANARY-1")
        give_token(httpx_mock, "CANARY-2")
        give_page(httpx_mock, "1", next_token="two")
        refuse(httpx_mock, 403, match_headers=bearer("CANARY-1"))
        give_page(httpx_mock, "2", match_headers=bearer("CANARY-2"))

        groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == ["1", "2"]

    @pytest.mark.parametrize("status_code", [400, 401, 403])
    async def test_f09_refused_credentials(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch, status_code: int
    ) -> None:
        """Refused credentials are an error with the provider's words, not retried, and remembered for 30 s."""
        httpx_mock.add_response(
            method="POST",
            status_code=status_code,
            json={"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"},
        )

        errors = []
        for _ in range(3):
            with watch.raises(AuthenticationError) as caught:
                await m3ter.list_user_groups("u-1").collect()
            errors.append(caught.value)

        for error in errors:
            assert error.message == "Invalid client or Invalid client credentials"
            assert (error.status_code, error.method, error.path) == (status_code, "POST", "/oauth/token")
        assert str(errors[0]).endswith("credentials; check api_key and api_secret")
        assert str(errors[2]).endswith("; check api_key and api_secret; it is not asked again for 30 s")
        assert requests(httpx_mock, "POST") == 1

    @pytest.mark.parametrize(
        ("status_code", "kind", "attempts"),
        [
            pytest.param(302, APIStatusError, 1, id="redirect"),
            pytest.param(404, AuthenticationError, 1, id="not found"),
            pytest.param(415, AuthenticationError, 1, id="another 4xx"),
            pytest.param(429, RateLimitedError, 3, id="too many requests"),
            pytest.param(500, ServerError, 3, id="server error"),
            pytest.param(501, ServerError, 1, id="not implemented"),
            pytest.param(503, ServerError, 3, id="unavailable"),
        ],
    )
    async def test_f17_other_answers_of_the_token_endpoint(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        status_code: int,
        kind: type[APIStatusError],
        attempts: int,
    ) -> None:
        """Each status of the token endpoint is its error, after as many attempts as the policy has for it."""
        httpx_mock.add_response(
            method="POST", status_code=status_code, headers={"location": "https://evil.invalid/"}, is_reusable=True
        )

        with watch.raises(kind) as caught:
            await m3ter.authenticate()

        assert type(caught.value) is kind
        assert caught.value.hint.endswith("check base_url") == (status_code <= 404)
        assert requests(httpx_mock, "POST") == len(httpx_mock.get_requests()) == attempts

    async def test_f10_retry_after_of_the_token_endpoint(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """While the token endpoint wants to be left alone, a call without time fails at once, others wait."""
        httpx_mock.add_response(method="POST", status_code=429, headers={"retry-after": "20"})
        give_token(httpx_mock)
        httpx_mock.add_response(method="GET", json=[])
        clock.autopilot = False
        patient = asyncio.create_task(m3ter.list_user_groups("u-1").collect())
        await clock.settle()

        with pytest.raises(RateLimitedError) as caught:
            await m3ter.list_user_groups("u-1", timeout=19.0).collect()
        await clock.advance(20.5)

        assert caught.value.retry_after == pytest.approx(20.0)
        assert await patient == []
        assert requests(httpx_mock, "POST") == 2

    async def test_authenticate_does_not_stand_behind_a_crowd(self, clock: FakeClock, make_m3ter: MakeM3ter) -> None:
        """A readiness check with a good token is answered at once, whatever is going on."""
        stays = asyncio.Event()

        async def api(request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                return httpx.Response(200, json={"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000})
            await stays.wait()
            return httpx.Response(200, json=[])

        client = make_m3ter(transport=httpx.MockTransport(api), clock=clock)
        await client.authenticate()
        crowd = [asyncio.create_task(client.list_user_groups("u-1").collect()) for _ in range(300)]
        await clock.settle()

        await asyncio.wait_for(client.authenticate(), 1)

        stays.set()
        assert await asyncio.gather(*crowd) == [[]] * 300

    async def test_fault_of_the_token_endpoint(self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch) -> None:
        """A token endpoint that cannot be reached is a connection error that names it."""
        httpx_mock.add_exception(httpx.ConnectError("CANARY"), is_reusable=True)

        with watch.raises(APIConnectionError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        assert str(caught.value) == "POST /oauth/token failed: no connection could be made (rig.invalid)"
        assert requests(httpx_mock, "POST") == 3

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            pytest.param("{}", "it is missing, or no text that a header can carry (at $.access_token)", id="no token"),
            pytest.param(
                '{"access_token": "CANARY", "expires_in": 0}',
                "it is not a positive number of seconds (at $.expires_in)",
                id="no life",
            ),
            pytest.param(
                '{"access_token": "CANARY", "token_type": "mac"}',
                "it is not Bearer (at $.token_type)",
                id="another type",
            ),
            pytest.param("<html>CANARY</html>", "it is markup, not JSON: check base_url (at $)", id="HTML"),
            pytest.param("", "it is empty (at $)", id="nothing"),
        ],
    )
    async def test_f11_f14_f15_f16_answer_without_a_usable_token(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch, answer: str, reason: str
    ) -> None:
        """A 2xx without a usable token is an error that says why, and keeps nothing of the answer's body."""
        httpx_mock.add_response(method="POST", text=answer)

        with watch.raises(AuthenticationError) as caught:
            await m3ter.authenticate()

        assert caught.value.body == ""
        assert str(caught.value) == f"POST /oauth/token answered 200 OK; it holds no usable token: {reason}"

    async def test_f18_token_answer_that_is_too_long(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """An answer of the token endpoint is read up to 1 MiB."""
        httpx_mock.add_response(method="POST", text='{"access_token": "CANARY' + "x" * 1024 * 1024)

        with watch.raises(AuthenticationError, match="its body is longer than 1,048,576 bytes"):
            await m3ter.authenticate()

    async def test_authenticate_has_the_timeout_of_the_client(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """`authenticate()` gives up when the client's timeout is over."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        m3ter = make_m3ter(clock=clock, timeout=5.0)
        began = clock()

        async def never(request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        httpx_mock.add_callback(never)

        with watch.raises(APITimeoutError, match=r"^POST /oauth/token failed: no (answer|token) within 5 s$"):
            await m3ter.authenticate()

        assert clock() - began == pytest.approx(5.0)
        await m3ter.aclose()

    async def test_f05_call_that_cannot_wait_does_not_end_the_fetch(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """A call whose own time ends before there is a token says so, and the next one finds the token."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        m3ter = make_m3ter(clock=clock)

        async def slow(request: httpx.Request) -> httpx.Response:
            await clock.sleep(10.0)
            return httpx.Response(200, json={"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000})

        httpx_mock.add_callback(slow, method="POST")
        give_page(httpx_mock, "1")

        with watch.raises(APITimeoutError, match=f"^GET {PATH} failed: no answer within 3 s$"):
            await m3ter.list_user_groups("u-1", timeout=3.0).collect()
        groups = await m3ter.list_user_groups("u-1", timeout=8.0).collect()

        assert groups == [UserGroup(id="1")]
        assert requests(httpx_mock, "POST") == 1


class Site(httpx.AsyncBaseTransport):
    """
    m3ter in this process, on the test's clock: its tokens live for *life* seconds, and each answer takes *takes*.

    *judge*, if any, says what is answered to the nth request with a good token.
    """

    def __init__(
        self,
        clock: FakeClock,
        *,
        life: float,
        takes: float = 0.0,
        judge: Callable[[int], httpx.Response | None] = lambda _: None,
    ) -> None:
        self.clock = clock
        self.life = life
        self.takes = takes
        self.judge = judge
        self.tokens = 0
        self.shown: list[str] = []
        self.ended = 0
        self._ends_at: dict[str, float] = {}

    def revoke(self) -> None:
        """End all tokens."""
        self._ends_at.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        came_at = self.clock()
        if self.takes:
            await self.clock.sleep(self.takes)
        if request.method == "POST":
            self.tokens += 1
            self._ends_at[f"CANARY-{self.tokens}"] = came_at + self.life
            return httpx.Response(200, json={"access_token": f"CANARY-{self.tokens}", "expires_in": self.life})
        name = request.headers["authorization"].removeprefix("Bearer ")
        self.shown.append(name)
        if came_at >= self._ends_at.get(name, 0.0):
            self.ended += 1
            return httpx.Response(403)
        return self.judge(len(self.shown)) or httpx.Response(200, json={"data": [{"id": "1"}]})


class TestTokenInLine:
    """A token ends while requests stand in line, or wait to be tried again."""

    @pytest.mark.parametrize(
        ("calls", "life", "takes"),
        [
            pytest.param(calls, life, takes, id=f"{calls} calls, {life:g} s, answers in {takes:g} s")
            for calls, life, slowest in ((600, 60.0, 3.0), (1200, 300.0, 3.0), (200, 10.0, 0.25))
            for takes in (0.0, 0.25, 3.0)
            if takes <= slowest  # a longer fetch does not fit into the last part of the old token's life
        ],
    )
    async def test_f104_no_request_carries_an_ended_token(
        self, make_m3ter: MakeM3ter, clock: FakeClock, calls: int, life: float, takes: float
    ) -> None:
        """At one request a second, with a hundred in line, no call fails, and all take as long as the rate allows."""
        site = Site(clock, life=life, takes=takes)
        client = make_m3ter(transport=site, clock=clock, max_rate=1.0, timeout=None)
        began = clock()

        outcomes = [
            outcome
            async for outcome in sweep(
                lambda user: client.list_user_groups(user).collect(),
                [f"u-{number}" for number in range(calls)],
                concurrency=100,
                on_error="yield",
            )
        ]

        assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert (site.ended, len(site.shown)) == (0, calls)
        assert site.tokens <= 1 + 1.5 * calls / (life * 0.75)
        assert clock() - began <= (calls + site.tokens) * 1.01 + 2 * takes

    async def test_f104_crowd_that_began_with_one_token(self, make_m3ter: MakeM3ter, clock: FakeClock) -> None:
        """A crowd that all waited for the same token, and outlives it in line, is served with one after another."""
        site = Site(clock, life=20.0, takes=3.0)  # a fetch takes longer than from one start to the next
        client = make_m3ter(transport=site, clock=clock, max_rate=1.0, timeout=None)
        began = clock()

        given = await asyncio.gather(*(client.list_user_groups(f"u-{number}").collect() for number in range(90)))

        assert given == [[UserGroup(id="1")]] * 90
        assert (site.ended, len(site.shown)) == (0, 90)
        assert clock() - began <= 90 * 1.01 + site.tokens * (1.01 + 3.0)

    async def test_f104_token_that_ends_before_the_next_attempt(self, make_m3ter: MakeM3ter, clock: FakeClock) -> None:
        """A request that is tried again after a long wait shows the token that is good then."""
        busy = httpx.Response(429, headers={"retry-after": "58"})
        site = Site(clock, life=60.0, judge=lambda number: busy if number == 1 else None)
        client = make_m3ter(transport=site, clock=clock, timeout=None)

        groups = await client.list_user_groups("u-1").collect()

        assert groups == [UserGroup(id="1")]
        assert site.shown == ["CANARY-1", "CANARY-2"]

    async def test_f104_only_place_is_free_for_the_fetch(self, make_m3ter: MakeM3ter, clock: FakeClock) -> None:
        """With one place on the wire, those whose token has ended in line do not keep another from coming."""
        site = Site(clock, life=10.0, takes=4.0)
        client = make_m3ter(transport=site, clock=clock, max_rate=None, max_in_flight=1, timeout=None)

        given = await asyncio.gather(*(client.list_user_groups(f"u-{number}").collect() for number in range(10)))

        assert given == [[UserGroup(id="1")]] * 10
        assert (site.ended, len(site.shown)) == (0, 10)

    async def test_f104_where_there_is_no_other_token(
        self, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch
    ) -> None:
        """Whose token has ended in line, and who can have no other, hears why; nothing is sent for it."""
        site = Site(clock, life=10.0)
        client = make_m3ter(transport=site, clock=clock, max_rate=None, max_in_flight=1, timeout=None)
        await client.authenticate()
        site.takes, site.life = 12.0, -1.0  # which no token can live for

        first, second = (asyncio.create_task(client.list_user_groups(user).collect()) for user in ("u-1", "u-2"))

        assert await first == [UserGroup(id="1")]
        with watch.raises(AuthenticationError, match="not a positive number of seconds"):
            await second
        assert site.shown == ["CANARY-1"]

    async def test_f12_f104_lives_too_short_for_the_line_are_no_reason_to_fetch_for_ever(
        self, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch
    ) -> None:
        """Tokens that end before the next request may start are shown all the same, and cost one request each."""
        site = Site(clock, life=1.0)
        client = make_m3ter(transport=site, clock=clock, max_rate=0.5, timeout=None)

        with watch.raises(PermissionDeniedError):
            await client.list_user_groups("u-1").collect()

        assert site.shown == ["CANARY-1", "CANARY-2"]

    async def test_f105_token_that_is_revoked_while_a_crowd_stands_in_line(
        self, make_m3ter: MakeM3ter, clock: FakeClock
    ) -> None:
        """A token that served some of those who waited for it is replaced for the others: once, and nobody fails."""
        site = Site(clock, life=18_000.0, takes=0.1)
        client = make_m3ter(transport=site, clock=clock, max_rate=50.0)
        calls = [asyncio.create_task(client.list_user_groups(f"u-{number}").collect()) for number in range(150)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)

        site.revoke()
        given = await asyncio.gather(*calls)

        assert given == [[UserGroup(id="1")]] * 150
        assert (site.tokens, len(site.shown)) == (2, 150 + site.ended)
        assert 0 < site.ended < 20


class TestTokenStore:
    """A token that is shared between clients."""

    async def test_two_clients_make_one_token_request(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """Clients with one store need one token in total."""
        give_token(httpx_mock)
        httpx_mock.add_response(method="GET", json=[], is_reusable=True)
        shelf = Shelf(clock)
        clients = [make_m3ter(clock=clock, token_store=shelf) for _ in range(2)]

        await asyncio.gather(*(client.list_user_groups("u-1").collect() for client in clients for _ in range(20)))

        assert requests(httpx_mock, "POST") == 1
        assert requests(httpx_mock, "GET") == 40

    async def test_refused_token_is_replaced_for_all(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """A shared token that the API refuses is replaced once, by whoever notices first."""
        give_token(httpx_mock, "CANARY-1")
        give_token(httpx_mock, "CANARY-2")
        shelf = Shelf(clock)
        clients = [make_m3ter(clock=clock, token_store=shelf) for _ in range(2)]
        for client in clients:
            await client.authenticate()
        for _ in clients:
            refuse(httpx_mock, 401, match_headers=bearer("CANARY-1"))
            give_page(httpx_mock, "1", match_headers=bearer("CANARY-2"))

        given = [await client.list_user_groups("u-1").first() for client in clients]

        assert given == [UserGroup(id="1")] * 2
        assert requests(httpx_mock, "POST") == 2

    async def test_stale_token_in_the_store_costs_one_repeat(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """A token that was revoked while it lay in the store fails nobody's call."""
        shelf = Shelf(clock)
        give_token(httpx_mock, "CANARY-1")
        await make_m3ter(clock=clock, token_store=shelf).authenticate()
        refuse(httpx_mock, 401, match_headers=bearer("CANARY-1"))
        give_token(httpx_mock, "CANARY-2")
        give_page(httpx_mock, "1", match_headers=bearer("CANARY-2"))

        assert await make_m3ter(clock=clock, token_store=shelf).list_user_groups("u-1").first() == UserGroup(id="1")

    async def test_store_that_fails_does_not_fail_the_call(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """Calls are served though the store is broken in every way."""

        class Broken(Shelf):
            async def load(self) -> None:
                raise ConnectionError("CANARY")

            async def save(self, token: object) -> None:
                raise ConnectionError("CANARY")

            def exclusive(self) -> Any:
                raise ConnectionError("CANARY")

        give_token(httpx_mock)
        give_page(httpx_mock, "1")

        groups = await make_m3ter(clock=clock, token_store=Broken(clock)).list_user_groups("u-1").collect()

        assert groups == [UserGroup(id="1")]

    @pytest.mark.parametrize("store", ["store", object(), {}], ids=["text", "object", "dict"])
    def test_bad_store(self, store: object) -> None:
        """What lacks the methods of a store is refused when the client is made."""
        with pytest.raises(ConfigurationError, match="token_store must be of type TokenStore"):
            M3terClient(org_id="o", api_key="k", api_secret="s", token_store=store)  # type: ignore[arg-type]

    def test_class_of_stores_is_no_store(self) -> None:
        """Forgetting to make the store is found out at once."""
        with pytest.raises(ConfigurationError, match="token_store must be a TokenStore, not a class"):
            M3terClient(org_id="o", api_key="k", api_secret="s", token_store=Shelf)  # type: ignore[arg-type]


@pytest.mark.usefixtures("token")
class TestErrors:
    """What the API says no with."""

    @pytest.mark.parametrize(
        ("status_code", "kind", "line"),
        [
            (400, BadRequestError, "answered 400 Bad Request: no"),
            (401, AuthenticationError, "answered 401 Unauthorized: no; check api_key and api_secret"),
            (
                403,
                PermissionDeniedError,
                "answered 403 Forbidden: no; check org_id, and that the service user may read user groups",
            ),
            (404, NotFoundError, "answered 404 Not Found: no"),
            (409, APIStatusError, "answered 409 Conflict: no"),
            (501, ServerError, "answered 501 Not Implemented: no"),
        ],
    )
    async def test_status(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        status_code: int,
        kind: type[APIStatusError],
        line: str,
    ) -> None:
        """An error says what was asked, what came back, the provider's words, and where there is one the way out."""
        refuse(httpx_mock, status_code)

        with watch.raises(kind) as caught:
            await m3ter.list_user_groups("u-1", next_token="a-page-token").collect()

        error = caught.value
        assert type(error) is kind
        assert str(error) == f"GET {PATH} {line}"
        assert error.message == "no"
        assert (error.status_code, error.method, error.path) == (status_code, "GET", PATH)

    async def test_f47_too_large_an_answer(self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch) -> None:
        """A 413 says to use a smaller `page_size`, and not in the provider's name."""
        httpx_mock.add_response(method="GET", status_code=413, text="Response too large")

        with watch.raises(BadRequestError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        assert caught.value.message == "Response too large"
        assert str(caught.value).endswith("Response too large; ask for less at a time, with a smaller page_size")

    async def test_503_on_a_page_is_retried(self, m3ter: M3terClient, httpx_mock: HTTPXMock, clock: FakeClock) -> None:
        """A page that fails for a moment is asked for again, and only that page."""
        give_page(httpx_mock, "1", next_token="two")
        httpx_mock.add_response(method="GET", status_code=503, headers={"retry-after": "7"})
        give_page(httpx_mock, "2")

        groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == ["1", "2"]
        assert requests(httpx_mock, "GET") == 3
        assert clock.slept == [7.25]

    async def test_f74_error_that_repeats_a_secret(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """A provider that sends the token back to us does not get it into our errors."""
        httpx_mock.add_response(
            method="GET",
            status_code=400,
            json={"message": f"bad header: Bearer {canary.ACCESS_TOKEN}"},
            headers={"x-echo": canary.ACCESS_TOKEN, "x-request-id": canary.ACCESS_TOKEN},
        )

        with watch.raises(BadRequestError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        assert caught.value.message == "bad header: Bearer ***"
        assert caught.value.headers["x-echo"] == "***"
        assert caught.value.request_id == "***"


class TestLimit:
    """What exceeds the organization's limit is refused until the second is over."""

    @pytest.mark.parametrize("seed", range(5))
    async def test_sweep_without_max_rate(self, make_m3ter: MakeM3ter, clock: FakeClock, seed: int) -> None:
        """A sweep that asks as fast as it can loses no user, however long it lasts, and is seldom in vain."""
        in_second: Counter[int] = Counter()

        async def answer(request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                return httpx.Response(200, json={"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000})
            await clock.sleep(0.004)
            in_second[int(clock())] += 1
            refused = in_second[int(clock())] > 50
            return httpx.Response(429) if refused else httpx.Response(200, json={"data": []})

        def transport() -> httpx.AsyncBaseTransport:
            return httpx.MockTransport(answer)

        m3ter = make_m3ter(make_transport=transport, clock=clock, roll=random.Random(seed), max_rate=None)
        users = [f"u-{number}" for number in range(2_000)]
        begun = clock()

        swept = sweep(lambda user: m3ter.list_user_groups(user).collect(), users, on_error="yield")
        errors = {outcome.key: outcome.error async for outcome in swept}

        assert errors == dict.fromkeys(users)
        assert clock() - begun < 60.0  # 39 would be the least
        assert sum(in_second.values()) < 2_000 + 20 * len(in_second)


class TestLog:
    """What the log tells."""

    async def test_debug_lines(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At DEBUG the log tells of the token's lifetime, of retries, and how many groups a page had."""
        give_token(httpx_mock)
        give_page(httpx_mock, "1", "2", next_token="two")
        httpx_mock.add_response(method="GET", status_code=503, headers={"retry-after": "2"})
        give_page(httpx_mock)

        with caplog.at_level(logging.DEBUG, logger="usergroups"):
            await m3ter.list_user_groups("u-1").collect()

        assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
            ("usergroups", logging.DEBUG, line)
            for line in [
                "access token fetched; it lives 18000 s",
                "page fetched: 2 items",
                "attempt 1 failed (status 503); the next one is in 2.250 s",
                "page fetched: 0 items",
            ]
        ]

    async def test_nothing_at_info(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture, watch: Watch
    ) -> None:
        """An application that logs at INFO hears nothing, not even of failures: those it has as errors."""
        httpx_mock.add_response(method="POST", status_code=503, is_reusable=True)

        with caplog.at_level(logging.INFO), watch.raises(ServerError):
            await m3ter.list_user_groups("u-1").collect()

        assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


class TestSettings:
    """Where org, key, secret and address come from."""

    @pytest.fixture
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set all variables."""
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)

    async def shown(self, httpx_mock: HTTPXMock, **arguments: Any) -> tuple[str, str, str]:
        """Return the address, the organization and the Basic header that a client shows to the provider."""
        httpx_mock.add_response(method="POST", json={"access_token": "t"})
        httpx_mock.add_response(method="GET", json=[])
        async with M3terClient(**arguments) as m3ter:
            await m3ter.list_user_groups("u-1").collect()
        token_request, page_request = httpx_mock.get_requests()
        origin = str(page_request.url.copy_with(path="/")).rstrip("/")
        assert str(token_request.url) == f"{origin}/oauth/token"
        return origin, page_request.url.path.split("/")[2], token_request.headers["authorization"]

    @pytest.mark.usefixtures("environment")
    async def test_environment(self, httpx_mock: HTTPXMock) -> None:
        """What is not given comes from the environment."""
        basic = b64encode(b"key-of-env:CANARY-secret-of-env").decode()

        assert await self.shown(httpx_mock) == ("https://env.invalid", "org-of-env", f"Basic {basic}")

    @pytest.mark.usefixtures("environment")
    async def test_arguments_win(self, httpx_mock: HTTPXMock) -> None:
        """An argument wins over the environment."""
        basic = b64encode(b"key-of-arg:CANARY-secret-of-arg").decode()

        assert await self.shown(httpx_mock, **ARGUMENTS) == (
            "https://arg.invalid",
            "org-of-arg",
            f"Basic {basic}",
        )

    async def test_default_address(self, httpx_mock: HTTPXMock) -> None:
        """Without a base URL anywhere, requests go to m3ter's own."""
        arguments = {name: value for name, value in ARGUMENTS.items() if name != "base_url"}

        origin, _, _ = await self.shown(httpx_mock, **arguments)

        assert origin == "https://api.m3ter.com"

    async def test_blank_address_in_the_environment_is_none(
        self, httpx_mock: HTTPXMock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A base URL's variable that is blank counts as unset."""
        monkeypatch.setenv("M3TER_BASE_URL", " ")
        arguments = {name: value for name, value in ARGUMENTS.items() if name != "base_url"}

        origin, _, _ = await self.shown(httpx_mock, **arguments)

        assert origin == "https://api.m3ter.com"

    async def test_organization_of_one_call(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A call may ask in another organization than the client's."""
        give_token(httpx_mock)
        give_page(httpx_mock, "1", url=f"{BASE}/organizations/other/users/u-1/usergroups")

        assert await m3ter.list_user_groups("u-1", org_id="other").first() == UserGroup(id="1")

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize("name", ["org_id", "api_key", "api_secret", "base_url"])
    @pytest.mark.parametrize("value", ["", "  ", "value\n", 5], ids=["empty", "blank", "with a line end", "a number"])
    def test_f80_bad_argument_is_an_error_whatever_the_environment_has(self, name: str, value: Any) -> None:
        """A bad argument is not made good by a variable; the error names both."""
        with pytest.raises(ConfigurationError, match=rf"^{name} \(the argument, or M3TER_{name.upper()} in the"):
            M3terClient(**{name: value})

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize("name", ["org_id", "api_key", "api_secret"])
    @pytest.mark.parametrize("value", ["", "  ", "value\n"], ids=["empty", "blank", "with a line end"])
    def test_f80_bad_variable_is_an_error(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        """A variable that is there and blank is a mistake, not an absence."""
        monkeypatch.setenv(f"M3TER_{name.upper()}", value)

        with pytest.raises(ConfigurationError, match=rf"^{name} \(the argument, or M3TER_{name.upper()} in the"):
            M3terClient()

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize("name", ["org_id", "api_key", "api_secret"])
    def test_f80_missing(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """What is given nowhere is named with both places."""
        monkeypatch.delenv(f"M3TER_{name.upper()}")

        with pytest.raises(ConfigurationError) as caught:
            M3terClient()

        assert str(caught.value) == f"{name} (the argument, or M3TER_{name.upper()} in the environment) is missing"

    def test_colon_in_the_key_is_refused(self) -> None:
        """HTTP Basic cannot carry a user name with a colon."""
        with pytest.raises(ConfigurationError, match="api_key must not hold a ':'"):
            M3terClient(org_id="o", api_key="a:b", api_secret="s")

    async def test_colon_in_the_secret_is_fine(self, httpx_mock: HTTPXMock) -> None:
        """A password may hold a colon."""
        arguments = ARGUMENTS | {"api_secret": "a:b"}

        _, _, authorization = await self.shown(httpx_mock, **arguments)

        assert authorization == "Basic " + b64encode(b"key-of-arg:a:b").decode()

    async def test_rate_is_the_documented_one(self, httpx_mock: HTTPXMock) -> None:
        """Without a setting, no more than 50 requests a second start, as m3ter's limit is."""
        give_token(httpx_mock)
        httpx_mock.add_response(method="GET", json=[], is_reusable=True)
        clock = FakeClock()
        with surroundings(clock=clock):
            m3ter = M3terClient(org_id=ORG_ID, api_key="k", api_secret="s", base_url=BASE, max_in_flight=1000)
        began = clock()

        await asyncio.gather(*(m3ter.list_user_groups("u-1").collect() for _ in range(499)))

        assert clock() - began == pytest.approx(499 / 50, abs=0.1)
        await m3ter.aclose()

    def test_repr_of_one_that_was_never_made(self) -> None:
        """What a debugger shows of a client whose arguments were refused is harmless."""
        assert repr(M3terClient.__new__(M3terClient)) == "M3terClient()"

    def test_repr(self, m3ter: M3terClient) -> None:
        """A client shows where it asks, and no secret."""
        assert repr(m3ter) == "M3terClient(org_id='org-1', base_url='https://rig.invalid')"
