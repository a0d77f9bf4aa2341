"""M3terClient as a whole: requests as they go out, answers as they come in, and the life of its token."""

import asyncio
import logging
import random
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.bodies import least
from rig.clock import FakeClock
from rig.fixtures import ORG_ID, MakeM3ter
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.sentence import sentence
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
    RetryPolicy,
    ServerError,
    UnexpectedResponseError,
    sweep,
)
from usergroups.m3ter import UserGroup

BASE = "https://rig.invalid"
TOKEN_URL = f"{BASE}/oauth/token"
PATH = f"/organizations/{ORG_ID}/users/u-1/usergroups"
PAGE_URL = f"{BASE}{PATH}"

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
    answer = {"data": [least("m3ter", "UserGroup", id=one) for one in ids], "nextToken": next_token}
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

    async def test_large_array_does_not_stop_the_loop(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """An array of 30,000 groups comes whole and in its order, and others get their turns while it is read."""
        httpx_mock.add_response(
            method="GET", json=[least("m3ter", "UserGroup", id=str(number)) for number in range(30_000)]
        )

        async with Heartbeat(period=0) as heartbeat:
            groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == [str(number) for number in range(30_000)]
        assert heartbeat.beats > 5

    @pytest.mark.parametrize(
        ("answer", "json_path", "reason"),
        [
            pytest.param('"text"', "$", "it is neither an object nor an array", id="text"),
            pytest.param('{"data": [', "$", "it is not JSON", id="half of it"),
            pytest.param('{"nextToken": "t"}', "$.data", "it is missing", id="token alone"),
            pytest.param('{"data": false}', "$.data", "it is not an array", id="false as data"),
            pytest.param('{"data": [{"id": 5}]}', "$.data[0].id", "it is a number, not text", id="number as id"),
            pytest.param('[{"id": "1"}, 5]', "$[1]", "it is a number, not an object", id="number in an array"),
            pytest.param(
                '{"data": [], "nextToken": 5}', "$.nextToken", "it is not text that fits into a URL", id="bad token"
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
        assert sentence(error) == f"GET {PATH} answered 200 OK, but not as specified: {reason} (at {json_path})"
        assert error.body == answer

    async def test_f56_repeated_token(self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch) -> None:
        """A token that comes round again ends the listing with an error that says what was asked."""
        give_page(httpx_mock, "1", next_token="A")
        httpx_mock.add_response(
            method="GET", json={"data": [{"id": "2"}], "nextToken": "A"}, headers={"x-request-id": "r-2"}
        )

        with watch.raises(PaginationError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        error = caught.value
        assert sentence(error) == (
            f"GET {PATH} answered 200 OK, but not as specified:"
            " the page token has been used before in this listing (at $.nextToken)"
        )
        assert (error.json_path, error.status_code, error.request_id) == ("$.nextToken", 200, "r-2")
        assert error.body == '{"data":[{"id":"2"}],"nextToken":"A"}'
        assert requests(httpx_mock, "GET") == 2

    async def test_listing_that_is_awaited(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A listing may be awaited, which gives the groups of all pages."""
        give_page(httpx_mock, "1", next_token="two")
        give_page(httpx_mock, "2")

        groups = await m3ter.list_user_groups("u-1")

        assert groups == [UserGroup(id="1"), UserGroup(id="2")]

    async def test_sweep_over_a_list_method(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """The method itself is what a sweep calls: each outcome has the groups of one user."""
        for user in ("u-1", "u-2"):
            give_page(httpx_mock, user, url=PAGE_URL.replace("u-1", user))
        refuse(httpx_mock, 404, url=PAGE_URL.replace("u-1", "u-3"))

        swept = sweep(m3ter.list_user_groups, ["u-1", "u-2", "u-3"], on_error="yield")
        outcomes = {outcome.key: outcome async for outcome in swept}

        assert {user: outcomes[user].result() for user in ("u-1", "u-2")} == {
            user: [UserGroup(id=user)] for user in ("u-1", "u-2")
        }
        with pytest.raises(NotFoundError):
            outcomes["u-3"].result()

    async def test_listing_shows_its_call(self, m3ter: M3terClient) -> None:
        """A listing shows the operation and the arguments that it was given."""
        usual = m3ter.list_user_groups("u-1")
        other = m3ter.list_user_groups("u", inherited=False, page_size=5, next_token="t", org_id="o", prefetch=True)

        assert repr(usual) == "<AsyncPager list_user_groups(user_id='u-1')>"
        assert repr(other) == (
            "<AsyncPager list_user_groups(user_id='u', inherited=False, page_size=5, org_id='o',"
            " next_token='t', prefetch=True)>"
        )

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

    async def test_authenticate_makes_sure_of_a_token(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """`authenticate()` fetches a token if there is none, and asks for nothing if there is one."""
        give_token(httpx_mock)

        await m3ter.authenticate()
        await m3ter.authenticate()

        assert requests(httpx_mock, "POST") == 1
        assert requests(httpx_mock, "GET") == 0

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

    async def test_this_very_call_is_one_page(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A token that was fetched for the first page may be replaced on the second."""
        give_token(httpx_mock, "CANARY-1")
        give_token(httpx_mock, "CANARY-2")
        give_page(httpx_mock, "1", next_token="two")
        refuse(httpx_mock, 403, match_headers=bearer("CANARY-1"))
        give_page(httpx_mock, "2", match_headers=bearer("CANARY-2"))

        groups = await m3ter.list_user_groups("u-1").collect()

        assert [group.id for group in groups] == ["1", "2"]

    async def test_attempts_with_a_token_that_was_replaced(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """The attempts before and after a token was replaced are counted together; requests for tokens are not."""
        give_token(httpx_mock, "CANARY-1")
        give_token(httpx_mock, "CANARY-2")
        await m3ter.authenticate()
        httpx_mock.add_response(method="GET", status_code=503)
        refuse(httpx_mock, 401, match_headers=bearer("CANARY-1"))
        refuse(httpx_mock, 404, match_headers=bearer("CANARY-2"))

        with watch.raises(NotFoundError) as caught:
            await m3ter.list_user_groups("u-1").collect()

        assert (caught.value.attempts, caught.value.elapsed) == (3, pytest.approx(0.25, abs=0.1))

    async def test_f09_refused_credentials(self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch) -> None:
        """Refused credentials are an error with the way out, which is remembered for 30 s."""
        httpx_mock.add_response(method="POST", status_code=401, json={"error": "invalid_client"})

        said = []
        for _ in range(2):
            with watch.raises(AuthenticationError) as caught:
                await m3ter.list_user_groups("u-1").collect()
            said.append(sentence(caught.value))

        told = "POST /oauth/token answered 401 Unauthorized: invalid_client; check api_key and api_secret"
        assert said == [told, f"{told}; it is not asked again for 30 s"]
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

    @pytest.mark.parametrize(
        ("fault", "error", "reason"),
        [
            (httpx.ConnectError, APIConnectionError, "no connection could be made"),
            (httpx.ReadTimeout, APITimeoutError, "the answer took too long"),
        ],
    )
    async def test_fault_of_the_token_endpoint(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        fault: type[httpx.TransportError],
        error: type[APIConnectionError],
        reason: str,
    ) -> None:
        """A token endpoint that cannot be reached, or is silent, is an error that names it."""
        httpx_mock.add_exception(fault(f"no route for {canary.API_SECRET}"), is_reusable=True)

        with watch.raises(error) as caught:
            await m3ter.list_user_groups("u-1").collect()

        assert sentence(caught.value) == f"POST /oauth/token failed: {reason} (rig.invalid): no route for ***"
        assert caught.value.attempts == 3
        assert requests(httpx_mock, "POST") == 3

    async def test_f14_answer_without_a_usable_token(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """A 2xx without a usable token is an error that says why, and keeps nothing of the answer's body."""
        httpx_mock.add_response(method="POST", text='{"access_token": "CANARY", "expires_in": 0}')

        with watch.raises(AuthenticationError) as caught:
            await m3ter.authenticate()

        assert caught.value.body == ""
        assert sentence(caught.value) == (
            "POST /oauth/token answered 200 OK; it holds no usable token:"
            " it is not a positive number of seconds (at $.expires_in)"
        )

    @pytest.mark.parametrize(
        ("of_client", "of_call", "seconds"),
        [
            pytest.param(5.0, {}, 5.0, id="the client's"),
            pytest.param(5.0, {"timeout": ...}, 5.0, id="the client's, asked for"),
            pytest.param(5.0, {"timeout": 2.0}, 2.0, id="its own"),
            pytest.param(None, {"timeout": 70}, 70.0, id="its own, which is longer than a fetch usually has"),
        ],
    )
    async def test_timeout_of_authenticate(
        self,
        make_m3ter: MakeM3ter,
        httpx_mock: HTTPXMock,
        watch: Watch,
        of_client: float | None,
        of_call: dict[str, Any],
        seconds: float,
    ) -> None:
        """`authenticate()` gives up when its timeout is over, or the client's if it has none."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        m3ter = make_m3ter(clock=clock, timeout=of_client)
        began = clock()

        async def never(request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        httpx_mock.add_callback(never)

        with watch.raises(
            APITimeoutError, match=rf"^POST /oauth/token failed: no (answer|token) within {seconds:g} s$"
        ):
            await m3ter.authenticate(**of_call)

        assert clock() - began == pytest.approx(seconds)
        await m3ter.aclose()


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
        return self.judge(len(self.shown)) or httpx.Response(200, json={"data": [least("m3ter", "UserGroup", id="1")]})


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

    def test_class_of_stores_is_no_store(self) -> None:
        """Forgetting to make the store is found out at once."""
        with pytest.raises(ConfigurationError, match="token_store must be a TokenStore, not a class"):
            M3terClient(org_id="o", api_key="k", api_secret="s", token_store=Shelf)  # type: ignore[arg-type]


@pytest.mark.usefixtures("token")
class TestErrors:
    """What the API says no with."""

    @pytest.mark.parametrize(
        ("status_code", "kind", "way_out"),
        [
            (400, BadRequestError, ""),
            (401, AuthenticationError, "; check api_key and api_secret"),
            (403, PermissionDeniedError, "; check org_id, and that the service user may read user groups"),
            (404, NotFoundError, ""),
            (409, APIStatusError, ""),
            (413, BadRequestError, "; ask for less at a time, with a smaller page_size"),
            (501, ServerError, ""),
        ],
    )
    async def test_f47_status(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        status_code: int,
        kind: type[APIStatusError],
        way_out: str,
    ) -> None:
        """An error says what was asked, what came back, the provider's words, and where there is one the way out."""
        refuse(httpx_mock, status_code)

        with watch.raises(kind) as caught:
            await m3ter.list_user_groups("u-1", next_token="a-page-token").collect()

        error = caught.value
        assert type(error) is kind
        assert sentence(error) == f"GET {PATH} answered {status_code} {HTTPStatus(status_code).phrase}: no{way_out}"
        assert error.message == "no"
        assert (error.status_code, error.method, error.path) == (status_code, "GET", PATH)


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
        """At DEBUG the log tells of every attempt and retry, of the token's lifetime, and how many items a page had."""
        give_token(httpx_mock)
        give_page(httpx_mock, "1", "2", next_token="two")
        httpx_mock.add_response(method="GET", status_code=503, headers={"retry-after": "2", "x-request-id": "r-1"})
        give_page(httpx_mock)

        with caplog.at_level(logging.DEBUG, logger="usergroups"):
            await m3ter.list_user_groups("u-1").collect()

        assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
            ("usergroups", logging.DEBUG, line)
            for line in [
                "POST /oauth/token: 200 OK in 0 ms (attempt 1)",
                "access token fetched; it lives 18000 s",
                f"GET {PATH}: 200 OK in 0 ms (attempt 1)",
                "page fetched: 2 items",
                f"GET {PATH}: 503 Service Unavailable in 0 ms (attempt 1, request id r-1)",
                "attempt 1 failed (status 503); the next one is in 2.250 s",
                f"GET {PATH}: 200 OK in 0 ms (attempt 2)",
                "page fetched: 0 items",
            ]
        ]

    async def test_line_of_an_attempt(
        self, make_m3ter: MakeM3ter, caplog: pytest.LogCaptureFixture, watch: Watch
    ) -> None:
        """A final refusal, a failure and an attempt that was cut off have their line too, with no secret in it."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        site = Site(clock, life=18_000.0, takes=0.25)
        m3ter = make_m3ter("https://gate.invalid/a", transport=site, clock=clock, retry=RetryPolicy(attempts=1))
        caplog.set_level(logging.DEBUG, logger="usergroups")
        path = f"/a{PATH}"

        def fail(_: int) -> httpx.Response:
            raise httpx.ConnectError(f"no route for {canary.ACCESS_TOKEN}")

        await m3ter.authenticate()
        site.judge = lambda _: httpx.Response(404, headers={"x-request-id": f"r-1 {canary.API_SECRET}"})
        with watch.raises(NotFoundError):
            await m3ter.list_user_groups("u-1", next_token="two").collect()
        site.judge = fail
        with watch.raises(APIConnectionError):
            await m3ter.list_user_groups("u-1").collect()
        with watch.raises(APITimeoutError):
            await m3ter.list_user_groups("u-1", timeout=0.125).collect()

        assert [record.getMessage() for record in caplog.records] == [
            "POST /a/oauth/token: 200 OK in 250 ms (attempt 1)",
            "access token fetched; it lives 18000 s",
            f"GET {path}: 404 Not Found in 250 ms (attempt 1, request id r-1 ***)",
            f"GET {path}: no connection could be made in 250 ms (attempt 1)",
            f"GET {path}: given up in 125 ms (attempt 1)",
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

    @pytest.mark.parametrize(
        ("environment", "arguments", "base_url", "of"),
        [
            pytest.param(ENVIRONMENT, {}, "https://env.invalid", "env", id="environment"),
            pytest.param(ENVIRONMENT, ARGUMENTS, "https://arg.invalid", "arg", id="arguments win"),
            pytest.param({}, ARGUMENTS | {"base_url": None}, "https://api.m3ter.com", "arg", id="no base URL"),
        ],
    )
    async def test_origin(
        self,
        httpx_mock: HTTPXMock,
        monkeypatch: pytest.MonkeyPatch,
        environment: dict[str, str],
        arguments: dict[str, Any],
        base_url: str,
        of: str,
    ) -> None:
        """An argument wins over the environment; without a base URL anywhere, requests go to m3ter's own."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        httpx_mock.add_response(method="POST", json={"access_token": "t"})
        httpx_mock.add_response(method="GET", json=[])

        async with M3terClient(**arguments) as m3ter:
            await m3ter.list_user_groups("u-1").collect()

        token_request, page_request = httpx_mock.get_requests()
        basic = b64encode(f"key-of-{of}:CANARY-secret-of-{of}".encode()).decode()
        assert str(token_request.url) == f"{base_url}/oauth/token"
        assert str(page_request.url) == f"{base_url}/organizations/org-of-{of}/users/u-1/usergroups"
        assert token_request.headers["authorization"] == f"Basic {basic}"

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
