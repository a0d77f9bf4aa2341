"""Auth: how a request shows who asks, with a fake `send` in place of the wire."""

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest

from rig.clock import FakeClock
from unit.endpoint import ASKED, END, FOREVER, Endpoint, Shelf, failing, source_of
from usergroups import AuthenticationError, RetryPolicy, ServerError, Token
from usergroups._auth.bearer import BearerAuth
from usergroups._auth.key import KeyAuth
from usergroups._auth.source import TokenSource
from usergroups._http.exchange import Response
from usergroups._http.failures import Failure
from usergroups._http.request import Headers, Request
from usergroups._http.sender import Authorization, Call, Outcome
from usergroups._runtime import Runtime
from usergroups._secrets import Secret

REFUSALS = frozenset({401, 403})
REQUEST = httpx.Request("GET", "https://api.invalid")
CALL = Call(request=Request(method="GET", path="/"), deadline=lambda: FOREVER, began_at=0.0)


def answer(status_code: int) -> Response:
    """Make an answer of the API."""
    return Response(status_code=status_code, headers={}, body=b"")


async def decide(shown: Authorization) -> None:
    """Do as the wire does: wait for something to show until there is something good."""
    await shown.prepare(FOREVER)
    while not shown.authorize():
        await shown.prepare(FOREVER)


class API:
    """A fake `send`: keeps the tokens that it is shown, and answers as *judge* says."""

    def __init__(self, judge: Callable[[str], int] = lambda _: 200) -> None:
        self.judge = judge
        self.shown: list[str] = []

    async def __call__(self, call: Call, shown: Authorization) -> Outcome:
        """Answer one request."""
        await decide(shown)
        token = shown.headers["Authorization"].reveal().removeprefix("Bearer ")
        self.shown.append(token)
        return answer(self.judge(token))


def accepts(*tokens: str, refusal: int = 401) -> Callable[[str], int]:
    """Accept *tokens*, and answer *refusal* to all others."""
    return lambda token: 200 if token in tokens else refusal


@pytest.fixture
def auth(source: TokenSource) -> BearerAuth:
    """Return the auth of a client whose provider answers 401 or 403 to a token that has ended."""
    return BearerAuth(source, REFUSALS)


def status(outcome: Outcome) -> int:
    """Return the status that came back."""
    assert isinstance(outcome, Response)
    return outcome.status_code


async def test_key_is_shown_every_time() -> None:
    """A key goes out in its header with every request, and a refusal changes nothing."""
    headers: list[Headers] = []

    async def send(call: Call, shown: Authorization) -> Outcome:
        await decide(shown)
        headers.append(shown.headers)
        return answer(401)

    auth = KeyAuth({"X-API-KEY": Secret("key")})

    outcomes = [status(await auth(CALL, send)) for _ in range(2)]

    assert outcomes == [401, 401]
    assert headers == [{"X-API-KEY": Secret("key")}] * 2


async def test_token_is_shown(auth: BearerAuth) -> None:
    """A request carries the access token."""
    api = API()

    assert status(await auth(CALL, api)) == 200
    assert api.shown == ["token-1"]


async def test_no_request_without_a_token(auth: BearerAuth, endpoint: Endpoint) -> None:
    """Where there is no token nothing is sent, and the reason is raised."""
    endpoint.failure = failing(AuthenticationError, refused=True)
    api = API()

    with pytest.raises(AuthenticationError):
        await auth(CALL, api)

    assert api.shown == []


@pytest.mark.parametrize("refusal", [401, 403])
async def test_f19_f22_refused_token_is_replaced_once(auth: BearerAuth, endpoint: Endpoint, refusal: int) -> None:
    """A refusal of a token from an earlier call costs one new token and one repeat, and the caller never notices."""
    api = API()
    await auth(CALL, api)
    api.judge = accepts("token-2", refusal=refusal)

    assert status(await auth(CALL, api)) == 200
    assert api.shown == ["token-1", "token-1", "token-2"]
    assert endpoint.requests == 2


async def test_replacement_that_helped_does_not_keep_the_next_from_being_made(
    auth: BearerAuth, endpoint: Endpoint
) -> None:
    """Tokens that are taken away again and again are replaced again and again, as long as the repeats succeed."""
    api = API()
    await auth(CALL, api)

    for number in range(2, 10):
        api.judge = accepts(f"token-{number}")
        assert status(await auth(CALL, api)) == 200

    assert endpoint.requests == 9


@pytest.mark.parametrize("refusal", [401, 403])
async def test_f19_f22_second_refusal_is_final(auth: BearerAuth, endpoint: Endpoint, refusal: int) -> None:
    """Where the new token is refused too, that answer is the outcome."""
    api = API()
    await auth(CALL, api)
    api.judge = accepts(refusal=refusal)

    assert status(await auth(CALL, api)) == refusal
    assert api.shown == ["token-1", "token-1", "token-2"]
    assert endpoint.requests == 2


async def test_refusal_of_a_token_fetched_for_this_call_is_final(auth: BearerAuth, endpoint: Endpoint) -> None:
    """A token that is as new as can be is not replaced."""
    api = API(accepts())

    assert status(await auth(CALL, api)) == 401
    assert api.shown == ["token-1"]
    assert endpoint.requests == 1


async def test_fresh_token_that_ended_on_its_way_is_replaced(
    clock: FakeClock, auth: BearerAuth, endpoint: Endpoint
) -> None:
    """A token that was fetched for this call and ended before its request was answered is replaced."""
    endpoint.life = 10.0
    api = API(accepts("token-2"))

    async def send_late(call: Call, shown: Authorization) -> Outcome:
        outcome = await api(call, shown)
        if len(api.shown) == 1:
            await clock.sleep(10.0)
        return outcome

    call = asyncio.create_task(auth(CALL, send_late))
    await clock.advance(10.0)

    assert status(await call) == 200
    assert api.shown == ["token-1", "token-2"]


async def test_repeat_with_a_token_that_ended_on_its_way_does_not_count(
    clock: FakeClock, auth: BearerAuth, endpoint: Endpoint
) -> None:
    """A new token that was refused because it had ended says nothing against replacing tokens."""
    api = API()
    await auth(CALL, api)
    api.judge = accepts("token-4")
    endpoint.life = 10.0

    async def send_late(call: Call, shown: Authorization) -> Outcome:
        outcome = await api(call, shown)
        if api.shown[-1] == "token-2":
            await clock.sleep(10.0)
        return outcome

    call = asyncio.create_task(auth(CALL, send_late))
    await clock.advance(10.0)
    refused = status(await call)
    endpoint.life = 1000.0
    fresh = status(await auth(CALL, api))

    assert (refused, fresh) == (401, 401)
    assert status(await auth(CALL, api)) == 200
    assert api.shown == ["token-1", "token-1", "token-2", "token-3", "token-3", "token-4"]


@pytest.mark.parametrize("status_code", [400, 404, 429, 500, 200])
async def test_other_answers_replace_nothing(auth: BearerAuth, endpoint: Endpoint, status_code: int) -> None:
    """Only the statuses that may mean that a token has ended replace it."""
    api = API()
    await auth(CALL, api)
    api.judge = lambda _: status_code

    assert status(await auth(CALL, api)) == status_code
    assert endpoint.requests == 1


async def test_403_replaces_nothing_where_it_says_nothing_of_the_token(source: TokenSource, endpoint: Endpoint) -> None:
    """Which statuses may mean that a token has ended is the provider's to say."""
    auth = BearerAuth(source, frozenset({401}))
    api = API()
    await auth(CALL, api)
    api.judge = accepts(refusal=403)

    assert status(await auth(CALL, api)) == 403
    assert endpoint.requests == 1


async def test_fault_replaces_nothing(auth: BearerAuth, endpoint: Endpoint) -> None:
    """Where no answer arrived, nobody refused the token."""
    await auth(CALL, API())
    fault = Failure(reason="the connection was lost")

    async def send(call: Call, shown: Authorization) -> Outcome:
        return fault

    assert await auth(CALL, send) is fault
    assert endpoint.requests == 1


async def test_replacement_that_fails_is_raised(auth: BearerAuth, endpoint: Endpoint) -> None:
    """Where a refused token cannot be replaced, the caller hears why."""
    api = API()
    await auth(CALL, api)
    api.judge = accepts()
    endpoint.failure = failing()

    with pytest.raises(ServerError):
        await auth(CALL, api)


async def test_loaded_token_is_replaced_when_refused(clock: FakeClock, endpoint: Endpoint) -> None:
    """A token that another client has put into the store may have ended since: a refusal replaces it."""
    shelf = Shelf(clock)
    await shelf.save(Token("stale", 1000.0))
    auth = BearerAuth(source_of(endpoint, clock, store=shelf), REFUSALS)
    api = API(accepts("token-1"))

    assert status(await auth(CALL, api)) == 200
    assert api.shown == ["stale", "token-1"]


async def test_f20_stragglers_repeat_with_the_new_token(clock: FakeClock, auth: BearerAuth, endpoint: Endpoint) -> None:
    """A thousand refusals of the old token that arrive after the new one cost a repeat each, and no token request."""
    api, late = API(), API(accepts("token-2"))
    await auth(CALL, api)
    arrives = asyncio.Event()

    async def send_late(call: Call, shown: Authorization) -> Outcome:
        outcome = await late(call, shown)
        await arrives.wait()
        return outcome

    stragglers = [asyncio.create_task(auth(CALL, send_late)) for _ in range(1000)]
    await clock.settle()
    api.judge = accepts("token-2")
    await auth(CALL, api)
    arrives.set()
    outcomes = [status(await one) for one in stragglers]

    assert outcomes == [200] * 1000
    assert late.shown == ["token-1"] * 1000 + ["token-2"] * 1000
    assert endpoint.requests == 2


async def test_refusal_during_the_repeat_of_another_is_final(
    clock: FakeClock, auth: BearerAuth, endpoint: Endpoint
) -> None:
    """Whose token is refused while another's repeat with it is under way hears so at once, and waits for nobody."""
    api = API()
    await auth(CALL, api)
    api.judge = accepts("token-2")
    repeated = asyncio.Event()

    async def slow(call: Call, shown: Authorization) -> Outcome:
        outcome = await api(call, shown)
        if api.shown[-1] == "token-2":
            await repeated.wait()
        return outcome

    first = asyncio.create_task(auth(CALL, slow))
    await clock.settle()
    later = API(accepts("token-3"))
    second = status(await auth(CALL, later))
    repeated.set()

    assert (second, status(await first)) == (401, 200)
    assert (later.shown, endpoint.requests) == (["token-2"], 2)
    assert status(await auth(CALL, later)) == 200


class TestOneOperationAlwaysRefused:
    """One operation answers 401 or 403 for ever, to any token; others work."""

    async def test_f21_costs_one_refresh_a_minute(self, endpoint: Endpoint) -> None:
        """Ten calls a second for an hour make one replacement a minute at most."""
        now = 0.0
        runtime = Runtime(clock=lambda: now)
        source = TokenSource(endpoint, asked=ASKED, runtime=runtime, timeout=60.0, retry=RetryPolicy())
        auth = BearerAuth(source, REFUSALS)
        good, bad = API(), API(accepts(refusal=403))
        await auth(CALL, good)

        for call in range(36_000):
            now = call / 10
            assert status(await auth(CALL, bad)) == 403

        assert endpoint.requests == 61
        assert len(bad.shown) == 36_000 + 60

    @pytest.mark.parametrize("takes", [0.02, 0.1, 0.3, 1.0], ids=lambda takes: f"answers in about {takes} s")
    async def test_f21_costs_one_refresh_a_minute_however_answers_overlap(
        self, clock: FakeClock, auth: BearerAuth, source: TokenSource, endpoint: Endpoint, takes: float
    ) -> None:
        """While a repeat is on the wire, refusals of its token do not replace that token too."""
        clock.autopilot = True
        dice = random.Random(21)
        endpoint.takes = 0.05
        await source.get(FOREVER)

        async def send(call: Call, shown: Authorization) -> Outcome:
            await decide(shown)
            await clock.sleep(dice.expovariate(1 / takes))
            return answer(403)

        calls = []
        for _ in range(3_000):
            calls.append(asyncio.create_task(auth(CALL, send)))
            await clock.sleep(0.1)
        outcomes = [status(await call) for call in calls]

        assert outcomes == [403] * 3_000
        gaps = [later - earlier for earlier, later in pairwise(endpoint.asked_at[1:])]
        assert len(gaps) == 4
        assert min(gaps) >= 60.0

    @pytest.mark.parametrize("ends", ["cancelled", "no answer", "501"])
    async def test_f21_repeat_that_comes_to_nothing_costs_no_more(
        self, clock: FakeClock, auth: BearerAuth, endpoint: Endpoint, ends: str
    ) -> None:
        """One refresh a minute also where no caller waits for the answer to its repeat, or none says yes or no."""
        await auth(CALL, API())

        async def call() -> Outcome:
            repeats = iter([False])

            async def send(call: Call, shown: Authorization) -> Outcome:
                await decide(shown)
                if not next(repeats, True):
                    return answer(403)
                if ends == "cancelled":
                    await clock.sleep(1.0)
                return answer(501) if ends == "501" else Failure(reason="the connection was lost")

            return await auth(CALL, send)

        for _ in range(600):
            one = asyncio.create_task(call())
            await clock.advance(0.099)
            one.cancel()

        assert endpoint.requests == 2

    async def test_f21_others_are_served(self, clock: FakeClock, auth: BearerAuth) -> None:
        """The operations that work go on working, with whatever token there is."""
        good, bad = API(), API(accepts(refusal=401))
        await auth(CALL, good)

        for _ in range(600):
            assert status(await auth(CALL, bad)) == 401
            assert status(await auth(CALL, good)) == 200
            await clock.advance(0.25)

        assert len(good.shown) == 601

    async def test_f21_token_that_ends_meanwhile_is_fetched_anew(
        self, clock: FakeClock, auth: BearerAuth, endpoint: Endpoint
    ) -> None:
        """The minute without replacements keeps nobody from a token when the old one has ended."""
        good, bad = API(), API(accepts(refusal=401))
        await auth(CALL, good)
        await clock.advance(END - 30.0)
        await auth(CALL, bad)
        endpoint.life = 20.0
        await clock.advance(END)

        assert status(await auth(CALL, good)) == 200
