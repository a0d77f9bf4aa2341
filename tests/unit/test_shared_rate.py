"""A rate that clients share: starts are reserved one by one, and a limit that fails keeps nobody."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

import httpx
import pytest

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from usergroups import APITimeoutError, ConfigurationError, M3terClient, RateLimit, SmartPMClient
from usergroups._http.limits import Pacer
from usergroups._http.rate import Reservations, SharedRate, rate_limiter
from usergroups._runtime import Runtime

FAILS = "the shared rate fails (OSError); going on alone at 2 requests/s"
WORKS = "the shared rate works again"


class Limit:
    """A limit of 10 starts a second, of which a client alone has 2; each reservation first awaits *answer*."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.share = 2.0
        self.asked = 0
        self.answer: Callable[[], Awaitable[object]] = at_once
        self._clock = clock
        self._next = 0.0

    async def reserve(self) -> float:
        self.asked += 1
        await self.answer()
        start = max(self._clock(), self._next)
        self._next = start + 0.1
        return start - self._clock()


async def at_once() -> None:
    """Answer."""


async def fail() -> None:
    """Fail with what may hold a secret."""
    raise OSError("CANARY")


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()


@pytest.fixture
def limit(clock: FakeClock) -> Limit:
    """Return a limit that is well."""
    return Limit(clock)


@pytest.fixture
def shared(clock: FakeClock, limit: Limit, caplog: pytest.LogCaptureFixture) -> SharedRate:
    """Return the limit as one client has it."""
    caplog.set_level(logging.INFO, "usergroups")
    shared = rate_limiter(limit, Runtime(clock=clock, sleep=clock.sleep))
    assert isinstance(shared, SharedRate)
    return shared


@pytest.fixture
def gate(clock: FakeClock, shared: SharedRate) -> Pacer:
    """Return the gate of one of the client's event loops."""
    return gate_of(shared, clock)


def gate_of(shared: SharedRate, clock: FakeClock) -> Pacer:
    """Make a gate for many requests at once."""
    return Pacer(100, Reservations(shared, Runtime(clock=clock, sleep=clock.sleep)))


class Calls:
    """Calls that come at once, and the seconds, from then on, at which they start."""

    def __init__(self, gate: Pacer, clock: FakeClock, count: int) -> None:
        self.at: list[float] = []
        self.order: list[int] = []
        self._began = clock()
        self._clock = clock
        self.tasks = [asyncio.create_task(self._call(gate, number)) for number in range(count)]

    async def _call(self, gate: Pacer, number: int) -> None:
        await gate.enter()
        self.at.append(self._clock() - self._began)
        self.order.append(number)
        gate.leave()


class TestShared:
    """A limit that works."""

    async def test_calls_start_when_it_says(self, gate: Pacer, clock: FakeClock, limit: Limit) -> None:
        """Each start is reserved, in the order of the calls, and no more than one is reserved ahead."""
        calls = Calls(gate, clock, 5)

        await clock.advance(0.25)
        asked = limit.asked
        await clock.advance(1.0)

        assert calls.at == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
        assert calls.order == [*range(5)]
        assert (asked, limit.asked) == (4, 5)

    async def test_clients_start_in_turn(self, gate: Pacer, clock: FakeClock, limit: Limit) -> None:
        """Two clients have the rate of one, and each half of it."""
        other = gate_of(SharedRate(limit, 2.0, Runtime(clock=clock, sleep=clock.sleep)), clock)
        calls = [Calls(one, clock, 10) for one in (gate, other)]

        await clock.advance(0.95)

        assert [len(one.at) for one in calls] == [5, 5]

    @pytest.mark.parametrize("when", [0.02, 0.07], ids=["while it is reserved", "before it comes"])
    async def test_whoever_leaves_leaves_the_start_to_the_next(
        self, gate: Pacer, clock: FakeClock, limit: Limit, when: float
    ) -> None:
        """A call that is cancelled before its start costs nobody anything."""

        async def answer() -> None:
            await asyncio.sleep(0.05)

        limit.answer = answer
        first = Calls(gate, clock, 1)
        await clock.advance(0.06)
        calls = Calls(gate, clock, 3)
        await clock.advance(when)

        calls.tasks[0].cancel()
        await clock.advance(1.0)

        assert first.at == pytest.approx([0.05])
        assert calls.order == [1, 2]
        assert calls.at == pytest.approx([0.09, 0.19])
        assert limit.asked == 3

    async def test_start_that_nobody_took_has_passed(self, gate: Pacer, clock: FakeClock, limit: Limit) -> None:
        """Whoever comes later than 50 ms after a start that was left has one reserved anew."""
        calls = Calls(gate, clock, 2)
        await clock.advance(0.01)
        calls.tasks[1].cancel()
        await clock.advance(0.13)

        in_time = Calls(gate, clock, 1)
        await clock.advance(0.0)
        asked = limit.asked
        left = Calls(gate, clock, 1)
        await clock.advance(0.01)
        left.tasks[0].cancel()
        await clock.advance(1.0)
        late = Calls(gate, clock, 1)
        await clock.advance(0.0)

        assert (in_time.at, asked) == ([0.0], 2)
        assert (late.at, limit.asked) == ([0.0], 4)

    async def test_closing_ends_what_is_asked(self, gate: Pacer, clock: FakeClock, limit: Limit) -> None:
        """No task goes on after the gate's end, which may come twice, and before anything was asked."""
        await gate.aclose()
        limit.answer = hang
        calls = Calls(gate, clock, 1)
        await clock.settle()

        for _ in range(2):
            await gate.aclose()
        calls.tasks[0].cancel()
        await asyncio.wait(calls.tasks)

        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_closing_does_not_wait_for_a_limit_that_does_not_end(
        self, gate: Pacer, clock: FakeClock, limit: Limit
    ) -> None:
        """What a limit does when it is cancelled keeps the client for half a second."""
        ended = asyncio.Event()

        async def insist() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await ended.wait()

        limit.answer = insist
        calls = Calls(gate, clock, 1)
        await clock.settle()
        closing = asyncio.create_task(gate.aclose())

        await clock.advance(0.5)
        closed = closing.done()
        ended.set()
        await asyncio.wait(calls.tasks)

        assert closed


class TestFailing:
    """A limit that fails, and a client that goes on alone."""

    async def test_calls_go_on_alone(
        self, gate: Pacer, clock: FakeClock, limit: Limit, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A client keeps to its share, asks again once a second, and shares once that helps; each is said once."""
        limit.answer = fail
        alone = Calls(gate, clock, 7)
        await clock.advance(3.2)
        asked, said = limit.asked, caplog.messages.copy()

        limit.answer = at_once
        together = Calls(gate, clock, 20)
        await clock.advance(3.0)

        assert alone.at == pytest.approx([0.0, 0.45, 1.01, 1.51, 2.02, 2.52, 3.03], abs=0.02)
        assert (asked, said) == (3, [FAILS])
        assert caplog.messages == [FAILS, WORKS]
        assert together.at[0] < 0.5
        assert together.at[-1] - together.at[1] == pytest.approx(1.8)

    async def test_outage_is_one_for_all_loops(
        self, shared: SharedRate, gate: Pacer, clock: FakeClock, limit: Limit, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What one event loop found out, another one need not; together they keep to the client's share."""
        limit.answer = fail
        calls = [Calls(one, clock, 10) for one in (gate, gate_of(shared, clock))]

        await clock.advance(2.8)

        assert sum(len(one.at) for one in calls) == 6
        assert limit.asked <= 4
        assert caplog.messages == [FAILS]

    async def test_silence_costs_half_a_second(
        self, gate: Pacer, clock: FakeClock, limit: Limit, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A limit that does not answer is waited for once, also where each caller has less time than that."""
        limit.answer = hang
        hasty = Calls(gate, clock, 2)
        await clock.advance(0.2)
        hasty.tasks[0].cancel()
        await clock.advance(0.2)
        hasty.tasks[1].cancel()

        calls = Calls(gate, clock, 5)
        await clock.advance(2.5)

        assert calls.at[:4] == pytest.approx([0.1, 0.55, 1.11, 1.61], abs=0.02)
        assert limit.asked == 2
        assert caplog.messages == [FAILS.replace("OSError", "TimeoutError")]
        await gate.aclose()

    async def test_what_is_said_is_no_secret(
        self, gate: Pacer, clock: FakeClock, limit: Limit, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log has the kind of an error, and not its message."""
        limit.answer = fail

        await Calls(gate, clock, 1).tasks[0]

        assert "CANARY" not in caplog.text

    @pytest.mark.parametrize("wait", [math.nan, math.inf, 3600.1, -0.1, None, "1"])
    async def test_what_is_no_wait_is_a_failure(
        self, clock: FakeClock, wait: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody waits for seconds that are none."""

        class Odd:
            share = 2.0

            async def reserve(self) -> object:
                return wait

        shared = rate_limiter(Odd(), Runtime(clock=clock, sleep=clock.sleep))  # type: ignore[arg-type]
        assert isinstance(shared, SharedRate)

        await Calls(gate_of(shared, clock), clock, 1).tasks[0]

        reason = "ValueError" if isinstance(wait, float) else "TypeError"
        assert caplog.messages == [FAILS.replace("OSError", reason)]


def site(request: httpx.Request, statuses: list[int]) -> httpx.Response:
    """Answer with the next of *statuses*, a token or an empty page."""
    token = {"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000}
    return httpx.Response(statuses.pop() if statuses else 200, json=token if request.method == "POST" else {"data": []})


class TestClient:
    """A client that has such a rate."""

    async def test_every_attempt_counts(self, make_m3ter: MakeM3ter, clock: FakeClock, limit: Limit) -> None:
        """A start is reserved for each request: for the token, for a call, and for a repeat."""
        clock.autopilot = True
        requests: list[httpx.Request] = []
        statuses = [503, 200]

        def answer(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return site(request, statuses)

        client = make_m3ter(clock=clock, transport=httpx.MockTransport(answer), max_rate=limit)
        for user_id in ("ada", "grace"):
            await client.list_user_groups(user_id).collect()

        assert limit.asked == len(requests) == 4

    @pytest.mark.parametrize("answer", [at_once, fail, hang], ids=["shared", "alone", "silent"])
    async def test_deadline_holds_behind_a_long_queue(
        self,
        make_m3ter: MakeM3ter,
        clock: FakeClock,
        limit: Limit,
        watch: Watch,
        answer: Callable[[], Awaitable[object]],
    ) -> None:
        """A call that has no time to wait for its start ends in time, and the others start in their order."""
        limit.answer = answer
        order: list[str] = []

        def hear(request: httpx.Request) -> httpx.Response:
            order.append(request.url.path.split("/")[4] if request.method == "GET" else "token")
            return site(request, [])

        client = make_m3ter(clock=clock, transport=httpx.MockTransport(hear), max_rate=limit)
        calls = [asyncio.ensure_future(client.list_user_groups(f"user-{n}").collect()) for n in range(20)]
        await clock.settle()
        hasty = asyncio.ensure_future(client.list_user_groups("hasty", timeout=0.2).collect())
        await clock.advance(0.2)

        assert hasty.done()
        with watch.raises(APITimeoutError):
            await hasty
        await clock.advance(20.0)
        await asyncio.gather(*calls)
        assert order == ["token", *(f"user-{n}" for n in range(20))]


class TestArguments:
    """What a client takes as its rate."""

    def test_limit_is_one(self, limit: Limit) -> None:
        """Any object of that form will do."""
        assert isinstance(limit, RateLimit)

    @pytest.mark.parametrize("make", [M3terClient, SmartPMClient])
    @pytest.mark.parametrize(
        ("share", "is_class", "problem"),
        [
            pytest.param(0.0, False, "the share of max_rate must be greater than 0 and finite", id="no share"),
            pytest.param("1", False, "the share of max_rate must be a number, not str", id="share that is text"),
            pytest.param(1.0, True, "max_rate must be a RateLimit, not a class of them", id="class"),
        ],
    )
    def test_bad_limit(self, make: Callable[..., object], share: object, problem: str, *, is_class: bool) -> None:
        """A limit without a good share, or a class of limits, is refused."""

        class Bad(Limit):
            pass

        Bad.share = share  # type: ignore[assignment]
        bad = Bad if is_class else Bad(lambda: 0.0)
        if not is_class:
            bad.share = share  # type: ignore[assignment]
        settings = {"api_key": "k", "transport": httpx.MockTransport(lambda _: httpx.Response(200)), "max_rate": bad}
        settings |= {"org_id": "o", "api_secret": "s"} if make is M3terClient else {"company_id": "c"}

        with pytest.raises(ConfigurationError) as caught:
            make(**settings)

        assert str(caught.value) == problem
