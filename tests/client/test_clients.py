"""What both clients have in common: they are opened, used, bounded, retried and closed in the same way."""

import asyncio
import copy
import gc
import logging
import pickle
import platform
import re
import ssl
import threading
from collections.abc import Callable
from typing import Any

import attrs
import httpx
import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.bodies import least
from rig.clock import FakeClock
from rig.fixtures import COMPANY_ID, ORG_ID, MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.sentence import sentence
from rig.surroundings import surroundings
from usergroups import (
    APIConnectionError,
    APITimeoutError,
    M3terClient,
    NotFoundError,
    ServerError,
    SmartPMClient,
    UnexpectedResponseError,
    UserGroupsError,
    __version__,
)
from usergroups._http.failures import StaleError

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
    secrets: tuple[str, ...]

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
        answer: dict[str, Any] = {"data": [least("m3ter", "UserGroup", id="g", name="Planners")]}
        secrets = (canary.API_SECRET, canary.BASIC, canary.ACCESS_TOKEN)
        return Provider(make_m3ter, lambda **more: M3terClient(**m3ter | more), M3TER_PATH, answer, secrets)
    smartpm = {"api_key": canary.SMARTPM_API_KEY, "company_id": COMPANY_ID}
    answer = least("smartpm", "UserGroup", id=GROUP_ID, name="Planners", users=[])
    secrets = (canary.SMARTPM_API_KEY,)
    return Provider(make_smartpm, lambda **more: SmartPMClient(**smartpm | more), SMARTPM_PATH, answer, secrets)


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
    httpx_mock.add_response(method="GET", json=provider.answer, is_reusable=True)


class TestOpenAndClose:
    """A client's own life."""

    @pytest.mark.usefixtures("token")
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
        assert {sentence(error) for error in errors} <= {f"GET {provider.path} failed: the client is closed"}

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


class TestLoops:
    """A client in one event loop after another."""

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

        assert [sentence(error) for error in ended] == [f"GET {provider.path} failed: the client is closed"]

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

        assert sentence(call.exception()) == f"GET {provider.path} failed: the client is closed"
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
        assert sentence(caught.value) == f"GET {provider.path} failed: no answer within {seconds:g} s"

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


@pytest.mark.usefixtures("token")
async def test_f39_usual_policy(
    provider: Provider, client: Any, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch
) -> None:
    """Without a setting there are three attempts, with growing waits in between."""
    httpx_mock.add_response(method="GET", status_code=503, is_reusable=True)

    with watch.raises(ServerError):
        await provider.call(client)

    assert len(httpx_mock.get_requests(method="GET")) == 3
    assert clock.slept == [0.25, 0.5]


class TestFacts:
    """What every error knows of the call that it ended."""

    async def test_attempts_over_retries(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch, token: None
    ) -> None:
        """An error counts the attempts and the seconds, waits included, and has the id of the last request."""
        for number in range(3):
            httpx_mock.add_response(method="GET", status_code=503, headers={"x-request-id": f"r-{number}"})

        with watch.raises(ServerError) as caught:
            await provider.call(client)

        error = caught.value
        assert (error.attempts, error.elapsed, error.request_id) == (3, pytest.approx(0.75, abs=0.02), "r-2")
        assert str(error).endswith("503 Service Unavailable (3 attempts in 0.8 s, request id r-2)")

    @pytest.mark.parametrize("answer", ["x", "not found"])
    async def test_stale_repeat_is_no_attempt(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch, token: None, answer: str
    ) -> None:
        """A request that the server never saw, for its idle connection had been closed, is not counted."""
        for _ in range(2):
            httpx_mock.add_exception(StaleError(""), method="GET")
        httpx_mock.add_response(method="GET", text="x", status_code=200 if answer == "x" else 404)

        with watch.raises(UserGroupsError) as caught:
            await provider.call(client)

        assert (caught.value.attempts, caught.value.retryable) == (1, False)
        assert len(httpx_mock.get_requests(method="GET")) == 3

    @pytest.mark.parametrize(
        ("fault", "retryable", "attempts"),
        [
            pytest.param(httpx.ConnectError(""), True, 3, id="no connection"),
            pytest.param(httpx.ReadTimeout(""), True, 3, id="time-out of an attempt"),
            pytest.param(httpx.RemoteProtocolError(""), True, 3, id="answer cut off"),
            pytest.param(httpx.UnsupportedProtocol(""), False, 1, id="what the transport cannot do"),
            pytest.param(RuntimeError(""), False, 1, id="bug of the transport"),
            pytest.param(ssl.SSLCertVerificationError(1, ""), False, 1, id="certificate"),
            *(pytest.param(status, False, 1, id=str(status)) for status in (302, 400, 401, 404)),
            *(pytest.param(status, True, 3, id=str(status)) for status in (408, 425, 429, 500, 503)),
            pytest.param(501, True, 1, id="501"),
            pytest.param(200, False, 1, id="200 with no answer"),
        ],
    )
    async def test_retryable(
        self,
        provider: Provider,
        client: Any,
        httpx_mock: HTTPXMock,
        watch: Watch,
        token: None,
        fault: int | Exception,
        retryable: bool,
        attempts: int,
    ) -> None:
        """An error says whether the same call may well succeed later, whatever the retries were."""
        if isinstance(fault, int):
            httpx_mock.add_response(method="GET", status_code=fault, is_reusable=True)
        else:
            httpx_mock.add_exception(fault, method="GET", is_reusable=True)

        with watch.raises(UserGroupsError) as caught:
            await provider.call(client)

        assert (caught.value.retryable, caught.value.attempts) == (retryable, attempts)

    async def test_error_of_a_closed_client(self, provider: Provider, client: Any, watch: Watch) -> None:
        """A call of a closed client is never sent, and will not succeed later either."""
        await client.aclose()

        with watch.raises(APIConnectionError) as caught:
            await provider.call(client)

        error = caught.value
        assert (error.retryable, error.attempts, error.elapsed) == (False, None, None)
        assert str(error) == f"GET {provider.path} failed: the client is closed"

    async def test_error_of_a_call_that_is_closed_on_its_way(self, provider: Provider, clock: FakeClock) -> None:
        """A call that a closing ends, or keeps from its place, will not succeed later either."""
        api = API(provider)
        client = provider.make(transport=api, clock=clock, max_in_flight=1, max_rate=None)
        await provider.call(client)
        api.goes.clear()
        calls = [asyncio.create_task(provider.call(client)) for _ in range(2)]
        await clock.settle()

        await client.aclose()

        errors: list[Any] = list(await asyncio.gather(*calls, return_exceptions=True))
        assert [(error.retryable, error.attempts) for error in errors] == [(False, 1), (False, None)]

    async def test_error_of_a_call_that_took_too_long(self, provider: Provider, watch: Watch) -> None:
        """A call whose time runs out in its attempt counts that one, and may well succeed later."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        api = API(provider)
        client = provider.make(transport=api, clock=clock)
        await provider.call(client)
        api.goes.clear()

        with watch.raises(APITimeoutError) as caught:
            await provider.call(client, timeout=1.5)

        error = caught.value
        assert (error.retryable, error.attempts, error.elapsed) == (True, 1, pytest.approx(1.5))
        assert str(error).endswith("no answer within 1.5 s (1 attempt in 1.5 s)")


class UnlikeOthersError(AssertionError):
    """A complaint that cannot be copied."""

    def __init__(self, request: httpx.Request, *, expected: str) -> None:
        super().__init__(f"{request.method} was not expected, but {expected}")


class TestMocks:
    """A transport that was passed in, or a mock, that complains."""

    @pytest.mark.parametrize("kind", [httpx.AsyncBaseTransport, httpx.AsyncHTTPTransport])
    async def test_complaint_goes_through(self, provider: Provider, kind: type[Any]) -> None:
        """An `AssertionError` of a transport that was passed in is raised at once, as it is; the client goes on."""
        asked: list[str] = []
        api = API(provider)

        async def complain(self: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
            asked.append(request.method)
            if len(asked) > 1:
                return await api.handle_async_request(request)
            raise UnlikeOthersError(request, expected="PUT")

        client = provider.make(transport=type("Complaining", (kind,), {"handle_async_request": complain})())

        with pytest.raises(UnlikeOthersError, match="was not expected, but PUT") as caught:
            await provider.call(client)

        assert (asked, caught.value.__cause__) == (["GET" if isinstance(client, SmartPMClient) else "POST"], None)
        assert await provider.call(client) == "Planners"

    async def test_complaint_about_a_request_with_a_token(self, provider: Provider) -> None:
        """A complaint about the request for a group goes through too, after that for a token went well."""
        api = API(provider)

        async def handle(request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                return await api.handle_async_request(request)
            raise UnlikeOthersError(request, expected="PUT")

        client = provider.make(transport=httpx.MockTransport(handle))

        with pytest.raises(UnlikeOthersError, match="GET was not expected"):
            await provider.call(client)

    async def test_complaint_reaches_all_who_wait_for_the_token(self, make_m3ter: MakeM3ter) -> None:
        """A complaint about the request for a token goes to all callers who share it, and is asked for once."""
        asked: list[str] = []

        async def handle(request: httpx.Request) -> httpx.Response:
            asked.append(request.method)
            await asyncio.sleep(0)
            raise UnlikeOthersError(request, expected="GET")

        client = make_m3ter(transport=httpx.MockTransport(handle))

        waiting = [client.authenticate(), *(client.list_user_groups("u-1").collect() for _ in range(2))]
        errors = await asyncio.gather(*waiting, return_exceptions=True)

        assert [type(error) for error in errors] == [UnlikeOthersError] * 3
        assert asked == ["POST"]

    async def test_words_of_another_exception(self, provider: Provider, watch: Watch) -> None:
        """What another exception of a transport says is in the error's sentence, without the client's secrets."""
        secret = provider.secrets[0]

        def handle(request: httpx.Request) -> httpx.Response:
            raise LookupError(f"no route\nfor {secret}")

        with watch.raises(APIConnectionError) as caught:
            await provider.call(provider.make(transport=httpx.MockTransport(handle)))

        assert re.search(
            r"failed: the transport failed \(LookupError in test_clients\.py, line \d+\) \(rig\.invalid\):"
            r" no route for \*\*\* \(1 attempt in 0\.0 s\)$",
            str(caught.value),
        )

    @pytest.mark.httpx_mock(assert_all_requests_were_expected=False)
    @pytest.mark.usefixtures("token")
    async def test_pytest_httpx_without_a_match(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """What pytest-httpx says of a request that no response was registered for is in the error's sentence."""
        with watch.raises(
            APITimeoutError, match=r"it took too long \(rig\.invalid\): No response can be found for GET"
        ):
            await provider.call(client)

    @pytest.mark.usefixtures("token")
    async def test_assertion_in_a_clients_own_transport(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """An `AssertionError` below a client that was passed no transport is an error of the SDK, as any other is."""

        def fail(request: httpx.Request) -> httpx.Response:
            raise AssertionError("at a loss")

        httpx_mock.add_callback(fail, method="GET")

        with watch.raises(APIConnectionError, match=r"AssertionError in test_clients\.py, line .*: at a loss \(1 att"):
            await provider.call(client)


class TestPacing:
    """How many requests there are at once, and in a second."""

    @pytest.mark.parametrize(("settings", "most"), [({"max_in_flight": 5}, 5), ({}, 16)], ids=["five", "usual"])
    async def test_f69_requests_in_flight(
        self, provider: Provider, clock: FakeClock, settings: dict[str, int], most: int
    ) -> None:
        """However many calls are made at once, no more requests than allowed are under way; usually 16."""
        api = API(provider, clock, takes=0.02)
        client = provider.make(transport=api, clock=clock, max_rate=None, **settings)

        names = await asyncio.gather(*(provider.call(client) for _ in range(100)))

        assert names == ["Planners"] * 100
        assert api.most == most

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

    @pytest.mark.usefixtures("token")
    async def test_user_agent(self, provider: Provider, client: Any, httpx_mock: HTTPXMock) -> None:
        """Every request says which SDK it comes from."""
        answer_all(httpx_mock, provider)

        await provider.call(client)

        ours = f"usergroups/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"
        assert {request.headers["user-agent"] for request in httpx_mock.get_requests()} == {ours}

    @pytest.mark.usefixtures("token")
    async def test_path_of_the_base_url_is_in_every_error(
        self, provider: Provider, httpx_mock: HTTPXMock, clock: FakeClock, watch: Watch
    ) -> None:
        """Whether an answer arrived or not, the path of an error is the one that was asked for."""
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


class TestSecrets:
    """Where secrets do not show. `watch` looks into all errors and log records of every test besides."""

    @pytest.mark.usefixtures("token")
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

    @pytest.mark.usefixtures("token")
    async def test_f74_failures_of_every_kind(
        self, provider: Provider, client: Any, httpx_mock: HTTPXMock, watch: Watch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever goes wrong, no secret is in the error, in what hangs on it, in its frames, or in the log."""
        caplog.set_level(logging.DEBUG)
        for status_code in (302, 400, 404, 409, 418, 501):
            httpx_mock.add_response(method="GET", status_code=status_code)
        for text in ("", "null", "[[[", '{"data": [{}]}'):
            httpx_mock.add_response(method="GET", text=text)
        for secret in provider.secrets:
            for kind in (httpx.UnsupportedProtocol, RuntimeError, httpx.LocalProtocolError):
                httpx_mock.add_exception(kind(f"a mock was sent {secret}"), method="GET")

        for _ in range(10 + 3 * len(provider.secrets)):
            with watch.raises(UserGroupsError) as caught:
                await provider.call(client)
            assert canary.sweep_exception(caught.value) == []
            assert canary.foreign(caught.value) == []

        assert not any(canary.has_canary(record.getMessage()) for record in caplog.records)
