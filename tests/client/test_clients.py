"""What both clients have in common: they are opened, used, bounded, retried and closed in the same way."""

import asyncio
import copy
import gc
import logging
import pickle
import platform
import threading
from collections.abc import Callable
from typing import Any

import attrs
import httpx
import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import COMPANY_ID, ORG_ID, MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.surroundings import surroundings
from usergroups import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    M3terClient,
    NotFoundError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    SmartPMClient,
    Token,
    UnexpectedResponseError,
    UserGroupsError,
    __version__,
)

GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
M3TER_PATH = f"/organizations/{ORG_ID}/users/u-1/usergroups"
SMARTPM_PATH = f"/public/v1/user-groups/{GROUP_ID}"

Client = M3terClient | SmartPMClient
Make = Callable[..., Any]


@attrs.frozen
class Provider:
    """One provider: how its client is made, what a call of it is, and a good answer to that."""

    make: Make
    construct: Callable[..., Client]
    path: str
    answer: dict[str, Any]

    async def call(self, client: Any, **arguments: Any) -> str:
        """Make one call, and give the name of the group that it comes to."""
        if isinstance(client, SmartPMClient):
            return (await client.get_user_group(GROUP_ID, **arguments)).name
        (group,) = await client.list_user_groups("u-1", **arguments).collect()
        return str(group.name)


@pytest.fixture(params=["m3ter", "smartpm"])
def provider(request: pytest.FixtureRequest, make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM) -> Provider:
    """Return each provider in turn."""
    if request.param == "m3ter":
        m3ter = {"org_id": ORG_ID, "api_key": canary.API_KEY_ID, "api_secret": canary.API_SECRET}
        answer: dict[str, Any] = {"data": [{"id": "g", "name": "Planners"}]}
        return Provider(make_m3ter, lambda **more: M3terClient(**m3ter | more), M3TER_PATH, answer)
    smartpm = {"api_key": canary.SMARTPM_API_KEY, "company_id": COMPANY_ID}
    answer = {"id": GROUP_ID, "name": "Planners", "users": []}
    return Provider(make_smartpm, lambda **more: SmartPMClient(**smartpm | more), SMARTPM_PATH, answer)


@pytest.fixture
def client(provider: Provider, clock: FakeClock) -> Any:
    """Return a client of the provider, on the fake clock."""
    return provider.make(clock=clock, roll=0.5)


class API(httpx.AsyncBaseTransport):
    """A transport of the test's own: gives a token to whoever asks for one, and else what *answer* gives."""

    def __init__(self, provider: Provider, clock: FakeClock | None = None, *, takes: float = 0.0) -> None:
        self.requests: list[httpx.Request] = []
        self.under_way = 0
        self.most = 0
        self.closed = 0
        self.goes = asyncio.Event()
        self.goes.set()
        self._provider = provider
        self._clock = clock
        self._takes = takes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000})
        self.requests.append(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self._clock is not None and self._takes:
                await self._clock.sleep(self._takes)
            await self.goes.wait()
        finally:
            self.under_way -= 1
        return httpx.Response(200, json=self._provider.answer)

    async def aclose(self) -> None:
        """Count the closing."""
        self.closed += 1


def answer_all(httpx_mock: HTTPXMock, provider: Provider) -> None:
    """Let pytest-httpx answer every call well."""
    httpx_mock.add_response(
        method="POST", json={"access_token": canary.ACCESS_TOKEN}, is_reusable=True, is_optional=True
    )
    httpx_mock.add_response(method="GET", json=provider.answer, is_reusable=True)


def refuse_all(httpx_mock: HTTPXMock, status_code: int, **answer: Any) -> None:
    """Let pytest-httpx give a token, and *answer* every call with *status_code*."""
    httpx_mock.add_response(
        method="POST", json={"access_token": canary.ACCESS_TOKEN}, is_reusable=True, is_optional=True
    )
    httpx_mock.add_response(method="GET", status_code=status_code, is_reusable=True, **answer)


class TestOpenAndClose:
    """A client's own life."""

    async def test_context(self, provider: Provider, httpx_mock: HTTPXMock) -> None:
        """`async with` gives the client, and closes it at its end."""
        answer_all(httpx_mock, provider)
        made = provider.construct()

        async with made as client:
            name = await provider.call(client)

        assert client is made
        assert name == "Planners"
        with pytest.raises(APIConnectionError):
            await provider.call(client)

    async def test_f67_closed_client_says_so(self, provider: Provider, client: Any, watch: Watch) -> None:
        """A call of a closed client is an error that says what was asked and why nothing came back."""
        await client.aclose()

        with watch.raises(APIConnectionError) as caught:
            await provider.call(client)

        assert type(caught.value) is APIConnectionError
        assert str(caught.value) == f"GET {provider.path} failed: the client is closed"

    async def test_f67_closing_again_does_nothing(self, client: Any) -> None:
        """`aclose()` may be called as often as one likes, before and after anything else."""
        for _ in range(3):
            await client.aclose()

    async def test_f67_calls_in_flight_end_when_the_client_is_closed(
        self, provider: Provider, watch: Watch, clock: FakeClock
    ) -> None:
        """A hundred calls under way, on the wire or before it, get an error and are never cancelled."""
        api = API(provider)
        api.goes.clear()
        client = provider.make(transport=api, clock=clock)
        calls = [asyncio.create_task(provider.call(client)) for _ in range(100)]
        await clock.settle()

        await client.aclose()
        errors = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(error) for error in errors} == {APIConnectionError}
        assert {str(error) for error in errors} == {f"GET {provider.path} failed: the client is closed"}
        assert api.under_way == 0

    async def test_f67_client_closed_while_a_token_is_fetched(
        self, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch
    ) -> None:
        """Callers who wait for a token hear that the client is closed, and the fetch ends with it."""

        class Silent(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                await asyncio.Event().wait()
                raise AssertionError

        m3ter = make_m3ter(transport=Silent(), clock=clock)
        calls = [asyncio.create_task(m3ter.list_user_groups("u-1").first()) for _ in range(10)]
        sure = asyncio.create_task(m3ter.authenticate())
        await clock.settle()

        await m3ter.aclose()
        errors = await asyncio.gather(*calls, sure, return_exceptions=True)

        assert {type(error) for error in errors} == {APIConnectionError}
        with watch.raises(APIConnectionError, match="POST /oauth/token failed: the client is closed"):
            await m3ter.authenticate()

    async def test_f67_fetch_of_a_token_ends_though_the_closing_is_cancelled(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """A caller who is cancelled while it closes a client does not leave a fetch behind that waits to be retried."""
        httpx_mock.add_response(method="POST", status_code=429, headers={"retry-after": "50"})
        clock.autopilot = False
        m3ter = make_m3ter(clock=clock)
        waiting = asyncio.create_task(m3ter.authenticate())
        await clock.settle()
        closing = asyncio.create_task(m3ter.aclose())
        await asyncio.sleep(0)

        closing.cancel()
        await clock.settle()

        assert closing.cancelled()
        assert isinstance(waiting.exception(), APIConnectionError)
        assert clock.sleepers == 0

    async def test_transport_of_ones_own_is_not_closed(self, provider: Provider) -> None:
        """A transport that was passed in is used as it is, and left open."""
        api = API(provider)

        async with provider.construct(transport=api) as client:
            name = await provider.call(client)

        assert name == "Planners"
        assert api.closed == 0

    async def test_f67_closing_does_not_wait_for_a_place_in_the_pool_of_another(self, provider: Provider) -> None:
        """Closing has a bound, also while a request waits in the pool of a transport that others use as well."""
        clock = FakeClock(rules_loop=True)
        clock.watch()

        api = API(provider)

        class Pool(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                return await api.handle_async_request(request)

        api.goes.clear()
        client = provider.make(transport=Pool(), clock=clock, timeout=None)
        call = asyncio.create_task(provider.call(client))
        await clock.settle()
        begun = clock()

        await asyncio.wait({asyncio.create_task(client.aclose())}, timeout=60.0)

        took = clock() - begun
        api.goes.set()
        assert took == pytest.approx(5.0)
        with pytest.raises(APIConnectionError, match="the client is closed"):
            await call

    @pytest.mark.parametrize("kind", [httpx.AsyncBaseTransport, httpx.AsyncHTTPTransport])
    async def test_f96_transport_that_cancels_itself(self, provider: Provider, kind: type[Any], watch: Watch) -> None:
        """A transport that ends with a `CancelledError` of its own cancels nobody: no answer arrived."""

        async def give_up(self: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
            raise asyncio.CancelledError

        transport = type("Cancelling", (kind,), {"handle_async_request": give_up})()

        with watch.raises(APIConnectionError, match="the transport gave up"):
            await provider.call(provider.make(transport=transport))

    async def test_transport_of_the_clients_own_is_closed(self, provider: Provider, clock: FakeClock) -> None:
        """A transport that the client made is closed with it, once."""
        api = API(provider)
        client = provider.make(make_transport=lambda: api, clock=clock)
        await provider.call(client)

        await client.aclose()
        await client.aclose()

        assert api.closed == 1

    @pytest.mark.parametrize("turns", range(20))
    async def test_f67_place_freed_while_closing(self, provider: Provider, clock: FakeClock, turns: int) -> None:
        """Whoever is let in at the gate in the very moment of closing opens nothing, and is told that it is closed."""
        api = API(provider)
        made = 0

        def make() -> API:
            nonlocal made
            made += 1
            return api

        client = provider.make(make_transport=make, clock=clock, max_in_flight=1, max_rate=None)
        await provider.call(client)
        api.goes.clear()
        calls = [asyncio.create_task(provider.call(client)) for _ in range(2)]
        await clock.settle()
        api.goes.set()
        for _ in range(turns):
            await asyncio.sleep(0)

        await client.aclose()
        asked = len(api.requests)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

        assert len(api.requests) == asked
        assert (api.under_way, api.closed) == (0, made)
        errors = [outcome for outcome in outcomes if outcome != "Planners"]
        assert {type(error) for error in errors} <= {APIConnectionError}
        assert {str(error) for error in errors} <= {f"GET {provider.path} failed: the client is closed"}

    async def test_f101_connection_that_was_idle_for_long_is_closed(self, provider: Provider) -> None:
        """Of the connections of a busy time, those that nobody has used for 30 s are closed, without a call."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        apis: list[API] = []

        def make() -> API:
            apis.append(API(provider))
            apis[-1].goes.clear()
            return apis[-1]

        client = provider.make(make_transport=make, clock=clock)
        calls = [asyncio.create_task(provider.call(client)) for _ in range(2)]
        await clock.settle()
        for api in apis:
            api.goes.set()
        await asyncio.gather(*calls)

        await clock.advance(29.0)
        await provider.call(client)
        used_lately = [api.closed for api in apis]
        await clock.advance(1.5)
        unused = [api.closed for api in apis]
        await clock.advance(29.0)

        assert used_lately == [0, 0]
        assert unused == [1, 0]
        assert [api.closed for api in apis] == [1, 1]

    def test_client_is_not_pickled_or_copied(self, client: Any) -> None:
        """A client holds secrets and connections, neither of which goes into a pickle or a copy."""
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds secrets and connections: it is not pickled"):
                attempt(client)

    def test_token_is_not_pickled(self) -> None:
        """A token does not get into a pickle by accident; a copy of it is itself."""
        token = Token(canary.ACCESS_TOKEN, 60.0)

        with pytest.raises(TypeError, match="a Token is not pickled"):
            pickle.dumps(token)
        assert copy.copy(token) is token
        assert copy.deepcopy(token) is token
        assert repr(token) == "Token(expires_in=60.0)"


class TestLoops:
    """A client in one event loop after another."""

    def test_f68_two_loops(self, provider: Provider, httpx_mock: HTTPXMock) -> None:
        """A client made outside of any loop works in one, and then in the next, with the same token."""
        answer_all(httpx_mock, provider)
        client = provider.construct()

        async def use() -> list[str]:
            return await asyncio.gather(*(provider.call(client) for _ in range(20)))

        names = [asyncio.run(use()) for _ in range(2)]
        asyncio.run(client.aclose())

        assert names == [["Planners"] * 20] * 2
        assert len(httpx_mock.get_requests(method="POST")) <= 1

    def test_f68_each_loop_has_a_transport_of_its_own(self, provider: Provider) -> None:
        """Connections of one loop are never used in another."""
        made: list[API] = []

        def make() -> API:
            made.append(API(provider))
            return made[-1]

        with surroundings(make_transport=make):
            client = provider.construct()

        for _ in range(2):
            asyncio.run(provider.call(client))

        assert [len(api.requests) for api in made] == [1, 1]

    def test_f68_second_thread(self, provider: Provider, httpx_mock: HTTPXMock) -> None:
        """A client works in the loop of another thread while it is used in this one."""
        answer_all(httpx_mock, provider)
        client = provider.construct()
        names: list[str] = []

        async def use() -> None:
            names.append(await provider.call(client))
            thread = threading.Thread(target=lambda: names.append(asyncio.run(provider.call(client))))
            thread.start()
            await asyncio.to_thread(thread.join)
            names.append(await provider.call(client))
            await client.aclose()

        asyncio.run(use())

        assert names == ["Planners"] * 3

    def test_f67_closing_ends_calls_in_the_loop_of_another_thread(self, provider: Provider) -> None:
        """A client that is closed in one thread ends its calls in another."""
        begun = threading.Event()

        class Silent(API):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.method == "POST":
                    return await super().handle_async_request(request)
                begun.set()
                await asyncio.Event().wait()
                raise AssertionError

        with surroundings(make_transport=lambda: Silent(provider)):
            client = provider.construct()
        ended: list[BaseException | str] = []

        async def use() -> None:
            ended.extend(await asyncio.gather(provider.call(client), return_exceptions=True))

        thread = threading.Thread(target=lambda: asyncio.run(use()))
        thread.start()
        begun.wait()
        asyncio.run(client.aclose())
        thread.join()

        assert [str(error) for error in ended] == [f"GET {provider.path} failed: the client is closed"]

    def test_f67_closing_ends_calls_in_a_loop_that_is_paused(self, provider: Provider, clock: FakeClock) -> None:
        """A client that is closed in one loop ends its calls in another, and its connections there, once that runs."""
        api = API(provider)
        client = provider.make(make_transport=lambda: api, clock=clock)
        paused = asyncio.new_event_loop()

        async def begin() -> asyncio.Task[str]:
            await provider.call(client)
            api.goes.clear()
            call = asyncio.create_task(provider.call(client))
            await clock.settle()
            return call

        call = paused.run_until_complete(begin())
        asyncio.run(client.aclose())
        paused.run_until_complete(clock.settle())
        paused.close()

        assert str(call.exception()) == f"GET {provider.path} failed: the client is closed"
        assert (api.under_way, api.closed) == (0, 1)

    @pytest.mark.filterwarnings("error")
    def test_f67_closing_after_a_loop_that_has_ended(self, provider: Provider) -> None:
        """A client that was used in a loop that has ended, or ends without running again, is closed quietly."""
        with surroundings(make_transport=lambda: API(provider)):
            client = provider.construct()
        asyncio.run(provider.call(client))
        paused = asyncio.new_event_loop()
        paused.run_until_complete(provider.call(client))

        asyncio.run(client.aclose())
        paused.close()
        asyncio.run(client.aclose())
        gc.collect()

        with pytest.raises(APIConnectionError, match="the client is closed"):
            asyncio.run(provider.call(client))


class TestTimeouts:
    """How long a call may take."""

    @pytest.fixture
    async def clock(self) -> FakeClock:
        """Return a clock that the event loop goes by too."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        return clock

    @pytest.mark.parametrize(
        ("of_client", "of_call", "seconds"),
        [
            pytest.param(7.0, {}, 7.0, id="the client's"),
            pytest.param(7.0, {"timeout": 3.0}, 3.0, id="the call's own"),
            pytest.param(None, {"timeout": 3}, 3.0, id="the call's own, of a client without"),
        ],
    )
    async def test_call_is_bounded(
        self,
        provider: Provider,
        clock: FakeClock,
        watch: Watch,
        of_client: float | None,
        of_call: dict[str, float],
        seconds: float,
    ) -> None:
        """A call that takes too long ends with an error at its timeout."""
        api = API(provider, clock)
        client = provider.make(transport=api, clock=clock, timeout=of_client)
        if isinstance(client, M3terClient):
            await client.authenticate()
        api.goes.clear()
        began = clock()

        with watch.raises(APITimeoutError) as caught:
            await provider.call(client, **of_call)

        assert clock() - began == pytest.approx(seconds)
        assert isinstance(caught.value, TimeoutError)
        assert str(caught.value) == f"GET {provider.path} failed: no answer within {seconds:g} s"

    @pytest.mark.parametrize("of_call", [{}, {"timeout": None}], ids=["the client's", "the call's own"])
    async def test_no_bound(self, provider: Provider, clock: FakeClock, of_call: dict[str, None]) -> None:
        """Without a timeout a call may take for ever."""
        api = API(provider, clock, takes=1e6)
        client = provider.make(transport=api, clock=clock, timeout=5.0 if of_call else None)
        if isinstance(client, M3terClient):
            await client.authenticate()

        assert await provider.call(client, **of_call) == "Planners"

    async def test_attempt_is_bounded_by_what_is_left(self, provider: Provider, clock: FakeClock) -> None:
        """Each attempt is told its time: 5 s to connect, 30 s to read, or what is left; none for a pool not ours."""
        api = API(provider, clock)
        client = provider.make(transport=api, clock=clock, max_rate=None)

        await provider.call(client)
        await provider.call(client, timeout=20.0)
        await provider.call(client, timeout=2.0)

        told = [request.extensions["timeout"] for request in api.requests]
        assert told == [
            {"connect": pytest.approx(5.0), "read": pytest.approx(30.0), "write": 30.0, "pool": None},
            {"connect": 5.0, "read": pytest.approx(20.0), "write": pytest.approx(20.0), "pool": None},
            {**{name: pytest.approx(2.0) for name in ("connect", "read", "write")}, "pool": None},
        ]

    async def test_f66_cancel_from_outside_is_a_cancel(self, provider: Provider, clock: FakeClock) -> None:
        """A caller who is cancelled is cancelled, also in the moment in which its time runs out."""
        clock.autopilot = False
        api = API(provider, clock)
        api.goes.clear()
        client = provider.make(transport=api, clock=clock, timeout=5.0)
        early, late = asyncio.create_task(provider.call(client)), asyncio.create_task(provider.call(client))
        await clock.settle()

        early.cancel()
        asyncio.get_running_loop().call_later(5.0, late.cancel)
        await clock.advance(5.0)
        clock.autopilot = True

        assert early.cancelled()
        assert late.cancelled()

    async def test_retry_that_would_end_too_late_is_not_begun(
        self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch
    ) -> None:
        """A wait that would end after the timeout is not begun: the error comes at once."""
        refuse_all(httpx_mock, 503, headers={"retry-after": "10"})
        client = provider.make(clock=clock, roll=0.5)

        with watch.raises(ServerError) as caught:
            await provider.call(client, timeout=10.0)

        assert caught.value.retry_after == 10.0
        assert clock.slept == []


class TestRetries:
    """What is tried again."""

    @pytest.mark.parametrize("status_code", [408, 425, 429, 500, 502, 503, 504])
    async def test_f39_passing_failures_are_tried_again(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch, status_code: int
    ) -> None:
        """Three attempts with growing waits in between, and then the last answer's error."""
        refuse_all(httpx_mock, status_code)

        with watch.raises(UserGroupsError):
            await provider.call(client)

        assert len(httpx_mock.get_requests(method="GET")) == 3
        assert clock.slept == [0.25, 0.5]

    @pytest.mark.parametrize("status_code", [400, 404, 409, 413, 422, 501])
    async def test_f39_final_failures_are_not(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch, status_code: int
    ) -> None:
        """What would fail again is not tried again."""
        refuse_all(httpx_mock, status_code)

        with watch.raises(UserGroupsError):
            await provider.call(client)

        assert len(httpx_mock.get_requests(method="GET")) == 1

    async def test_f36_retry_after_is_obeyed(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, clock: FakeClock
    ) -> None:
        """A wait that the server asked for is kept, with a little on top."""
        httpx_mock.add_response(method="GET", status_code=429, headers={"retry-after": "2"})
        answer_all(httpx_mock, provider)

        assert await provider.call(client) == "Planners"
        assert clock.slept == [2.25]

    async def test_f36_retry_after_that_is_too_long_is_not_begun(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch
    ) -> None:
        """A wait of hours is the caller's to decide on."""
        refuse_all(httpx_mock, 429, headers={"retry-after": "7200"})

        with watch.raises(RateLimitedError) as caught:
            await provider.call(client)

        assert caught.value.retry_after == 7200.0
        assert clock.slept == []

    async def test_faults_are_tried_again(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch
    ) -> None:
        """A connection that could not be made is tried again, and then named in our own words."""
        httpx_mock.add_response(
            method="POST", json={"access_token": canary.ACCESS_TOKEN}, is_reusable=True, is_optional=True
        )
        httpx_mock.add_exception(httpx.ConnectError("CANARY"), method="GET", is_reusable=True)

        with watch.raises(APIConnectionError) as caught:
            await provider.call(client)

        assert str(caught.value) == f"GET {provider.path} failed: no connection could be made (rig.invalid)"
        assert len(httpx_mock.get_requests(method="GET")) == 3

    async def test_policy(self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch) -> None:
        """Attempts and waits are the caller's to set."""
        refuse_all(httpx_mock, 503)
        retry = RetryPolicy(attempts=5, backoff_initial=2.0, backoff_max=6.0)
        client = provider.make(clock=clock, roll=0.5, retry=retry)

        with watch.raises(ServerError):
            await provider.call(client)

        assert clock.slept == [1.0, 2.0, 3.0, 3.0]

    async def test_f71_budget(self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch) -> None:
        """When everything fails, retries end after 200 for the whole client; token requests are outside of that."""
        refuse_all(httpx_mock, 503)
        client = provider.make(clock=clock, max_rate=None)
        watch.collects_errors = False

        for _ in range(300):
            with pytest.raises(ServerError):
                await provider.call(client)

        assert len(httpx_mock.get_requests(method="GET")) == 500


class TestPacing:
    """How many requests there are at once, and in a second."""

    async def test_f69_requests_in_flight(self, provider: Provider, clock: FakeClock) -> None:
        """However many calls are made at once, no more requests than allowed are under way."""
        api = API(provider, clock, takes=0.02)
        client = provider.make(transport=api, clock=clock, max_in_flight=5, max_rate=None)

        names = await asyncio.gather(*(provider.call(client) for _ in range(100)))

        assert names == ["Planners"] * 100
        assert api.most == 5

    async def test_sixteen_by_default(self, provider: Provider, clock: FakeClock) -> None:
        """Without a setting there are 16."""
        api = API(provider, clock, takes=0.02)
        client = provider.make(transport=api, clock=clock, max_rate=None)

        await asyncio.gather(*(provider.call(client) for _ in range(100)))

        assert api.most == 16

    async def test_rate(self, provider: Provider, clock: FakeClock) -> None:
        """No more requests than allowed start in a second, those for tokens too."""
        api = API(provider, clock)
        client = provider.make(transport=api, clock=clock, max_rate=10.0)
        began = clock()

        await asyncio.gather(*(provider.call(client) for _ in range(30)))

        tokens = isinstance(client, M3terClient)
        assert clock() - began == pytest.approx((29 + tokens) / 10 * 1.01, abs=0.06)


class TestSettings:
    """What both clients are told in the same way."""

    async def test_user_agent(self, provider: Provider, client: Any, httpx_mock: HTTPXMock) -> None:
        """Every request says which SDK it comes from."""
        answer_all(httpx_mock, provider)

        await provider.call(client)

        ours = f"usergroups/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"
        assert {request.headers["user-agent"] for request in httpx_mock.get_requests()} == {ours}

    async def test_user_agent_of_ones_own(self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock) -> None:
        """An application's name comes before the SDK's."""
        answer_all(httpx_mock, provider)
        client = provider.make(clock=clock, user_agent="jml/1.0 (ops@example.com)")

        await provider.call(client)

        for request in httpx_mock.get_requests():
            assert request.headers["user-agent"].startswith("jml/1.0 (ops@example.com) usergroups/")

    @pytest.mark.parametrize(
        ("base_url", "sent"),
        [
            pytest.param("https://gate.invalid", "https://gate.invalid", id="host"),
            pytest.param("https://gate.invalid/", "https://gate.invalid", id="slash at the end"),
            pytest.param("https://gate.invalid:8443", "https://gate.invalid:8443", id="port"),
            pytest.param("https://gate.invalid/a/b/", "https://gate.invalid/a/b", id="path"),
            pytest.param("http://127.0.0.1:8080", "http://127.0.0.1:8080", id="loopback"),
            pytest.param("http://[::1]:8080", "http://[::1]:8080", id="loopback in IPv6"),
            pytest.param("http://localhost", "http://localhost", id="localhost"),
        ],
    )
    async def test_f81_base_url(
        self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock, base_url: str, sent: str
    ) -> None:
        """Requests go below the base URL, whatever its form."""
        answer_all(httpx_mock, provider)

        await provider.call(provider.make(base_url, clock=clock))

        assert str(httpx_mock.get_requests(method="GET")[0].url) == f"{sent}{provider.path}"

    async def test_path_of_the_base_url_is_in_every_error(
        self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch
    ) -> None:
        """Whether an answer arrived or not, the path of an error is the one that was asked for."""
        httpx_mock.add_response(
            method="POST", json={"access_token": canary.ACCESS_TOKEN}, is_reusable=True, is_optional=True
        )
        httpx_mock.add_response(method="GET", status_code=404)
        httpx_mock.add_response(method="GET", text="x")
        httpx_mock.add_exception(httpx.UnsupportedProtocol(""), method="GET")
        client = provider.make("https://gate.invalid/a", clock=clock)

        paths = []
        for kind in (NotFoundError, UnexpectedResponseError, APIConnectionError):
            with watch.raises(kind) as caught:
                await provider.call(client)
            paths.append(caught.value.path)
        await client.aclose()
        with watch.raises(APIConnectionError) as closed:
            await provider.call(client)

        assert {*paths, closed.value.path} == {f"/a{provider.path}"}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("timeout", value) for value in (0, -1, float("nan"), float("inf"), "5", True)),
            *(("max_in_flight", value) for value in (0, -1, float("nan"), float("inf"), "5", True, 1.5, None)),
            *(("max_rate", value) for value in (0, -1, float("nan"), float("inf"), "5", True)),
            *(("retry", value) for value in (None, 3, {})),
            *(("transport", value) for value in (5, "https://proxy.invalid", httpx.HTTPTransport)),
            *(("user_agent", value) for value in ("", " ", "x\r\nX-Evil: 1", "\u00e9", 5)),
            *(
                ("base_url", value)
                for value in ("gate.invalid", "http://gate.invalid", "https://u:CANARY@gate.invalid")
            ),
            *(("base_url", value) for value in ("https://gate.invalid?x=1", "https://gate.invalid/../", "ftp://gate")),
        ],
    )
    def test_f78_f81_f82_bad_settings(self, provider: Provider, name: str, value: object, watch: Watch) -> None:
        """A bad setting is an error when the client is made, which names it and not its value."""
        with watch.raises(ConfigurationError, match=f"^{name} ") as caught:
            provider.construct(**{name: value})

        assert isinstance(caught.value, ValueError)
        assert "CANARY" not in str(caught.value)

    @pytest.mark.parametrize("value", [" CANARY", "CANARY\n", "CANARY\r\nX: y", "CANARY\x00", "CANARY\u00e9"])
    def test_f77_secret_that_no_header_can_carry(self, provider: Provider, watch: Watch, value: str) -> None:
        """A secret with characters that a header cannot carry is refused, and not shown."""
        with watch.raises(ConfigurationError, match="^api_key ") as caught:
            provider.construct(api_key=value)

        assert "CANARY" not in str(caught.value)


class TestSecrets:
    """Where secrets do not show. `watch` looks into all errors and log records of every test besides."""

    async def test_f74_nothing_of_a_client_shows_a_secret(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock
    ) -> None:
        """Neither a client nor anything that hangs on it shows a secret in its repr."""
        answer_all(httpx_mock, provider)
        await provider.call(client)

        seen: set[int] = set()
        pending: list[object] = [client]
        shown = []
        while pending:
            one = pending.pop()
            if id(one) in seen or not type(one).__module__.startswith("usergroups"):
                continue
            seen.add(id(one))
            if canary.has_canary(repr(one)):
                shown.append(type(one).__name__)
            pending += getattr(one, "__dict__", {}).values()

        assert len(seen) > 3
        assert shown == []

    async def test_f74_failures_of_every_kind(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever goes wrong, no secret is in the error, in what hangs on it, in its frames, or in the log."""
        caplog.set_level(logging.DEBUG)
        httpx_mock.add_response(
            method="POST", json={"access_token": canary.ACCESS_TOKEN}, is_reusable=True, is_optional=True
        )
        for status_code in (302, 400, 404, 409, 418, 501):
            httpx_mock.add_response(method="GET", status_code=status_code)
        for text in ("", "null", "[[[", '{"data": [{}]}'):
            httpx_mock.add_response(method="GET", text=text)
        for error in (httpx.UnsupportedProtocol("CANARY"), RuntimeError("CANARY"), httpx.LocalProtocolError("CANARY")):
            httpx_mock.add_exception(error, method="GET")

        for _ in range(13):
            with watch.raises(UserGroupsError) as caught:
                await provider.call(client)
            assert canary.sweep_exception(caught.value) == []
            assert canary.foreign(caught.value) == []

        assert not any(canary.has_canary(record.getMessage()) for record in caplog.records)
