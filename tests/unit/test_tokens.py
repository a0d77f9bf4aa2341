"""TokenSource: its state table line by line, and the faults of a token's life, on a fake clock."""

import asyncio
import gc
import logging
import random
import threading
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from rig.clock import FakeClock
from rig.eager import begin_tasks_eagerly
from unit.endpoint import ASKED, END, FOREVER, LAST_PART, LIFE, Endpoint, Shelf, error, failing, name, source_of
from usergroups import (
    APIConnectionError,
    AuthenticationError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    Token,
)
from usergroups._auth.flight import Flight, Grant
from usergroups._auth.source import TokenSource
from usergroups._runtime import Runtime


async def callers(count: int, source: TokenSource) -> list["asyncio.Task[str]"]:
    """Start *count* callers, and give them when all of them wait."""
    tasks = [asyncio.create_task(name(source.get(FOREVER))) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


class TestFirstPart:
    """The token held is in its first part: it is given."""

    async def test_is_given_without_another_request(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A token serves every call until the last part of its life begins."""
        await source.get(FOREVER)

        await clock.advance(LAST_PART - 0.001)

        assert await name(source.get(FOREVER)) == "token-1"
        await clock.settle()
        assert endpoint.requests == 1

    async def test_is_fresh_only_for_whom_it_was_fetched(self, source: TokenSource) -> None:
        """Whoever waited for the fetch is told so; whoever comes later is not."""
        first = await source.get(FOREVER)
        second = await source.get(FOREVER)

        assert isinstance(first, Grant)
        assert isinstance(second, Grant)
        assert (first.fresh, second.fresh) == (True, False)

    async def test_f72_memory_does_not_grow_with_calls(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A client that runs for months makes one token request per token, and needs no more memory."""
        endpoint.life = 300.0
        source = source_of(endpoint, clock)
        await source.get(FOREVER)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()

        for _ in range(100):
            for _ in range(200):
                await source.get(FOREVER)
            await clock.advance(235.0)  # where the last part begins
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert endpoint.requests == 100
        assert after - before < 1024 * 1024

    async def test_f23_wall_clock_does_not_matter(self, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint) -> None:
        """A day more or less on the wall clock costs no token request."""
        import time

        source = TokenSource(endpoint, asked=ASKED, runtime=Runtime(), timeout=60.0, retry=RetryPolicy())
        endpoint.life = 1e9
        await source.get(FOREVER)
        now = time.time()

        for jump in (-86_400.0, 86_400.0):
            monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
            await source.get(FOREVER)

        assert endpoint.requests == 1


class TestLastPart:
    """The token held is in its last part: it is given, and one background fetch is started."""

    @pytest.mark.parametrize(
        ("life", "begins"),
        [
            pytest.param(18_000.0, 17_695.0, id="five minutes of a long life"),
            pytest.param(1_500.0, 1_195.0, id="five minutes are a fifth"),
            pytest.param(100.0, 75.0, id="a fifth of a short life"),
            pytest.param(2.0, 1.5, id="a fifth of the shortest life that has a last part"),
        ],
    )
    async def test_begins(self, clock: FakeClock, endpoint: Endpoint, life: float, begins: float) -> None:
        """The last part is the lesser of five minutes and a fifth of the life."""
        endpoint.life = life
        source = source_of(endpoint, clock)
        await source.get(FOREVER)

        await clock.advance(begins - 0.01)
        await source.get(FOREVER)
        await clock.settle()
        before = endpoint.requests
        await clock.advance(0.01)
        await source.get(FOREVER)
        await clock.settle()

        assert (before, endpoint.requests) == (1, 2)

    async def test_f06_nobody_waits_for_the_refresh(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Callers go on with the old token while one background request gets the new one."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        endpoint.takes = 10.0

        during = [await name(source.get(FOREVER)) for _ in range(1000)]
        await clock.advance(10.0)
        after = await name(source.get(FOREVER))

        assert set(during) == {"token-1"}
        assert after == "token-2"
        assert endpoint.background == [False, True]

    async def test_f06_refresh_that_takes_long_is_not_made_twice(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """While a background request is under way there is no other one, however long it takes."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        endpoint.takes = 30.0

        for _ in range(25):
            assert await name(source.get(FOREVER)) == "token-1"
            await clock.advance(1.0)

        assert endpoint.background == [False, True]

    async def test_f12_life_below_two_seconds_has_no_last_part(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A token that lives for a second or so is used to its end, and costs no background request."""
        endpoint.life = 1.5
        source = source_of(endpoint, clock)
        await source.get(FOREVER)

        await clock.advance(1.4)
        given = await name(source.get(FOREVER))
        await clock.settle()

        assert given == "token-1"
        assert endpoint.requests == 1

    async def test_f07_refresh_that_fails_is_tried_every_five_seconds(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """While the endpoint is down the old token serves to its end, and the endpoint is asked every 5 s at most."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        endpoint.failure = failing()

        given = []
        for _ in range(2399):
            given.append(await name(source.get(FOREVER)))
            await clock.advance(0.125)

        tries = endpoint.asked_at[1:]
        gaps = [later - earlier for earlier, later in pairwise(tries)]
        assert set(given) == {"token-1"}
        assert len(tries) == 60
        assert min(gaps) >= 5.0
        assert all(endpoint.background[1:])

    async def test_f07_error_comes_when_the_old_token_has_ended(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """No caller sees that the endpoint is down until the old token has really ended."""
        await source.get(FOREVER)
        endpoint.failure = failing()

        await clock.advance(END - 0.001)
        before = await name(source.get(FOREVER))
        await clock.advance(0.001)
        after = await name(source.get(FOREVER))

        assert (before, after) == ("token-1", "ServerError")

    async def test_pause_of_the_background_delays_nobody_without_a_token(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A background try just before the end does not keep callers from a token after it."""
        await source.get(FOREVER)
        endpoint.failure = failing()
        await clock.advance(END - 0.001)
        await source.get(FOREVER)
        await clock.settle()
        endpoint.failure = None

        await clock.advance(0.001)

        assert await name(source.get(FOREVER)) == "token-3"

    async def test_caller_without_a_token_joins_the_background_fetch(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Where the old token ends during its refresh, callers wait for that refresh."""
        await source.get(FOREVER)
        await clock.advance(END - 1.0)
        endpoint.takes = 5.0
        await source.get(FOREVER)
        await clock.advance(1.0)

        waiting = await callers(3, source)
        await clock.advance(4.0)

        assert [await one for one in waiting] == ["token-2"] * 3
        assert endpoint.requests == 2

    async def test_caller_without_a_token_outlives_a_background_fetch_that_fails(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A background refresh is not retried, so its failure is not that of a caller who needs a token."""
        await source.get(FOREVER)
        await clock.advance(END - 1.0)
        endpoint.takes, endpoint.failure = 5.0, failing()
        await source.get(FOREVER)
        await clock.advance(1.0)

        waiting = await callers(3, source)
        await clock.advance(4.0)
        endpoint.failure = None
        await clock.advance(5.0)

        assert [await one for one in waiting] == ["token-3"] * 3
        assert endpoint.background == [False, True, False]

    async def test_refused_refresh_leaves_the_old_token_in_use(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Credentials that are taken away end nothing before the token ends, and are not tried again for 30 s."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        endpoint.failure = failing(AuthenticationError, refused=True)

        given = []
        for _ in range(239):
            given.append(await name(source.get(FOREVER)))
            await clock.advance(0.125)

        assert set(given) == {"token-1"}
        assert endpoint.requests == 2

    @pytest.mark.parametrize(
        ("life", "seconds", "most"),
        [
            pytest.param(5.0, 100, 100, id="5 s"),
            pytest.param(2.0, 100, 100, id="2 s"),
            pytest.param(1.0, 100, 106, id="1 s"),
        ],
    )
    async def test_f12_short_life_is_used(
        self, clock: FakeClock, endpoint: Endpoint, life: float, seconds: int, most: int
    ) -> None:
        """A token that lives for seconds costs one request a second at most, or one per life if it is shorter."""
        endpoint.life = life
        source = source_of(endpoint, clock)

        for _ in range(seconds * 20):
            outcome = await source.get(FOREVER)
            assert isinstance(outcome, Grant)
            number = int(outcome.token.access_token.removeprefix("token-"))
            assert clock() < endpoint.asked_at[number - 1] + life
            await clock.advance(0.05)

        assert endpoint.requests <= most

    @pytest.mark.parametrize("life", [LIFE, 10.0], ids=["of hours", "of seconds"])
    async def test_f13_same_token_again_makes_no_tight_loop(
        self, clock: FakeClock, endpoint: Endpoint, life: float
    ) -> None:
        """An endpoint that hands out one token until it dies is asked every 5 s at most."""
        endpoint.same_token = True
        endpoint.life = life
        source = source_of(endpoint, clock)
        ends = clock() + life

        while clock() < ends - 0.5:
            await source.get(FOREVER)
            await clock.advance(min(0.5, life / 1000) if ends - clock() < 400 else 30.0)
            endpoint.life = ends - clock()

        gaps = [later - earlier for earlier, later in pairwise(endpoint.asked_at)]
        assert min(gaps) >= (5.0 if life == LIFE else 1.0)


class TestNone:
    """The token held is at its end, or there is none: callers wait for the one fetch."""

    @pytest.mark.parametrize(
        ("life", "end"),
        [
            pytest.param(18_000.0, 17_995.0, id="5 s of a long life"),
            pytest.param(100.0, 95.0, id="5 s are a twentieth"),
            pytest.param(10.0, 9.5, id="a twentieth of a short life"),
            pytest.param(1.0, 0.95, id="a twentieth of a life without a last part"),
        ],
    )
    async def test_end_leaves_a_margin(self, clock: FakeClock, endpoint: Endpoint, life: float, end: float) -> None:
        """A twentieth of a life, at most 5 s of it, is not used."""
        endpoint.life = life
        source = source_of(endpoint, clock)
        await source.get(FOREVER)
        endpoint.failure = failing()

        await clock.advance(end - 0.01)
        before = await name(source.get(FOREVER))
        await clock.advance(0.01)
        after = await name(source.get(FOREVER))

        assert (before, after) == ("token-1", "ServerError")

    async def test_life_counts_from_the_moment_of_the_request(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """What an answer took on its way is not added to the token's life."""
        endpoint.takes = 40.0
        (first,) = await callers(1, source)
        await clock.advance(40.0)
        endpoint.takes, endpoint.failure = 0.0, failing()

        await clock.advance(END - 40.0)

        assert await first == "token-1"
        assert await name(source.get(FOREVER)) == "ServerError"

    async def test_f01_callers_share_one_fetch(self, clock: FakeClock, endpoint: Endpoint, source: TokenSource) -> None:
        """However many callers need a token at once, the endpoint is asked once."""
        endpoint.takes = 0.05

        waiting = await callers(1000, source)
        await clock.advance(0.05)

        assert {await one for one in waiting} == {"token-1"}
        assert endpoint.requests == 1

    async def test_f02_cancelled_caller_takes_the_fetch_from_nobody(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """The first caller's leaving does not end the fetch that it began."""
        endpoint.takes = 0.05
        waiting = await callers(100, source)

        waiting[0].cancel()
        await clock.advance(0.05)

        assert {await one for one in waiting[1:]} == {"token-1"}
        assert endpoint.requests == 1

    async def test_callers_who_left_are_forgotten(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A fetch that takes long does not gather those who gave up on it."""
        endpoint.takes = 0.05
        await callers(1, source)
        before = sum(isinstance(one, asyncio.Future) for one in gc.get_objects())

        for one in await callers(1000, source):
            one.cancel()
        await clock.settle()
        del one
        gc.collect()

        assert sum(isinstance(one, asyncio.Future) for one in gc.get_objects()) < before + 100
        await clock.advance(0.05)

    async def test_f03_fetch_that_all_callers_left_is_kept(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A token that nobody waited for serves the next call."""
        endpoint.takes = 0.05
        for one in await callers(100, source):
            one.cancel()

        await clock.advance(0.05)

        assert await name(source.get(FOREVER)) == "token-1"
        assert endpoint.requests == 1

    async def test_f04_callers_share_a_failure_each_with_an_error_of_its_own(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A fetch that fails fails for all who waited, and no two of them get the same exception object."""
        endpoint.takes, endpoint.failure = 0.05, failing()

        waiting = [asyncio.create_task(error(source.get(FOREVER))) for _ in range(100)]
        await clock.advance(0.05)
        errors = [await one for one in waiting]

        assert {type(one) for one in errors} == {ServerError}
        assert len(set(map(id, errors))) == 100
        assert endpoint.requests == 1

    async def test_f05_callers_who_cannot_wait_cost_no_requests(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Callers that give up after 50 ms, again and again, still get a token that takes 60 ms."""
        endpoint.takes = 0.0625
        began = clock()

        async def caller() -> tuple[float, bool]:
            at = clock() - began
            try:
                async with asyncio.timeout(0.05):
                    await source.get(FOREVER)
            except TimeoutError:
                return at, False
            return at, True

        tasks = []
        for _ in range(128):
            tasks.append(asyncio.create_task(caller()))
            await clock.advance(0.0078125)
        served = dict(await asyncio.gather(*tasks))

        assert endpoint.requests == 1
        assert served == {at: at + 0.05 > 0.0625 for at in served}

    async def test_f08_first_call_after_recovery_works(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """When the endpoint is up again, the next call is served, without a restart."""
        await source.get(FOREVER)
        await clock.advance(END)
        endpoint.failure = failing()
        while_down = [await name(source.get(FOREVER)) for _ in range(3)]

        endpoint.failure = None

        assert while_down == ["ServerError"] * 3
        assert await name(source.get(FOREVER)) == "token-5"

    @pytest.mark.parametrize(
        ("timeout", "seconds"), [pytest.param(7.0, 7.0, id="the client's"), pytest.param(None, 60.0, id="none")]
    )
    async def test_fetch_has_the_timeout_of_the_client_at_least(
        self, clock: FakeClock, endpoint: Endpoint, timeout: float | None, seconds: float
    ) -> None:
        """A fetch that nobody waits for any more has the client's `timeout`, or 60 s where that is None."""
        endpoint.takes = 1e6
        source = source_of(endpoint, clock, timeout=timeout)
        (hurried,) = await callers(1, source)
        await clock.advance(1.0)
        hurried.cancel()

        await clock.advance(seconds - 1.01)
        (joins,) = await callers(1, source)
        joins.cancel()
        await clock.settle()
        before = endpoint.requests
        await clock.advance(0.01)
        (starts_anew,) = await callers(1, source)
        await clock.settle()
        starts_anew.cancel()

        assert (before, endpoint.requests) == (1, 2)

    async def test_f106_fetch_goes_on_for_who_has_more_time(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A caller with more time than the client's is served with it, and so is one who joined in the last moment."""
        endpoint.takes = 25.0
        source = source_of(endpoint, clock, timeout=1.0)

        patient = asyncio.create_task(name(source.get(clock() + 30.0)))
        await clock.advance(24.0)
        late = asyncio.create_task(name(source.get(clock() + 1.5)))
        await clock.advance(1.0)

        assert [await patient, await late] == ["token-1", "token-1"]
        assert endpoint.requests == 1

    async def test_f106_retries_of_a_fetch_are_told_of_who_has_joined(self, clock: FakeClock) -> None:
        """How long there is time for another attempt is asked anew for each, for callers come and go."""
        told: list[float] = []
        began = clock()

        async def fetch(*, policy: RetryPolicy, deadline: Callable[[], float]) -> tuple[Token, float]:
            for _ in range(3):
                told.append(deadline() - began)
                await clock.sleep(3.0)
            raise failing()

        runtime = Runtime(clock=clock, sleep=clock.sleep)
        source = TokenSource(fetch, asked=ASKED, runtime=runtime, timeout=10.0, retry=RetryPolicy())
        first = asyncio.create_task(name(source.get(began + 5.0)))
        await clock.advance(1.0)
        second = asyncio.create_task(name(source.get(began + 50.0)))
        await clock.advance(4.0)
        second.cancel()
        await clock.advance(7.0)

        assert await first == "ServerError"
        assert told == [10.0, 50.0, 10.0]

    async def test_f106_fetch_ends_when_the_last_who_waits_has_left(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """When those who had more time have left, a fetch that came to nothing is in nobody's way, not for a moment."""
        endpoint.takes = 1e6
        patient = await callers(2, source)
        await clock.advance(600.0)
        patient[0].cancel()
        await clock.advance(600.0)
        endpoint.takes = 0.0

        (joins,) = await callers(1, source)
        joins.cancel()
        patient[1].cancel()
        await asyncio.sleep(0)
        starts_anew = await name(source.get(FOREVER))

        assert starts_anew == "token-2"
        assert [one.cancelled() for one in patient] == [True, True]

    async def test_waiters_are_woken_in_several_turns(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Thousands of waiters do not stop the event loop when their token comes: others get their turns between."""
        endpoint.takes = 0.05
        woken: list[int] = []
        waiting = await callers(1000, source)

        def look() -> None:
            done = sum(one.done() for one in waiting)
            woken.append(done)
            if done < 1000:
                asyncio.get_running_loop().call_soon(look)

        clock.autopilot = True
        await waiting[0]
        look()
        await asyncio.gather(*waiting)

        assert 5 < len(woken) < 50

    async def test_shuffled_cancels_and_fetches(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """Whoever is not cancelled gets a token, in whatever order callers come, leave, and fetches end."""
        dice = random.Random(8)
        endpoint.life = 3.0
        source = source_of(endpoint, clock)
        waiting: list[asyncio.Task[str]] = []
        for _ in range(500):
            endpoint.takes = dice.choice([0.0, 0.2, 0.5])
            waiting += await callers(dice.randrange(5), source)
            for one in dice.sample(waiting, k=min(2, len(waiting))):
                one.cancel()
            await clock.advance(dice.random() / 2)

        await clock.advance(1.0)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)

        names = {one for one in outcomes if isinstance(one, str)}
        assert all(isinstance(one, str | asyncio.CancelledError) for one in outcomes)
        assert all(one.startswith("token-") for one in names)


class TestAtHand:
    """A request goes out now: it is given the token that is held, and waits for nothing."""

    async def test_f104_nothing_before_the_first(self, source: TokenSource) -> None:
        """Where there has been no token yet, there is none."""
        assert source.at_hand() is None

    async def test_f104_token_at_its_end_goes_out_no_more(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """In the moment of its end a token is good no more."""
        await source.get(FOREVER)
        endpoint.failure = failing()
        first = source.at_hand()
        await clock.advance(END - 0.001)
        before = source.at_hand()
        await clock.advance(0.001)

        assert first is not None
        assert (before, source.at_hand()) == (first, None)

    async def test_f104_token_in_its_last_part_is_refreshed(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A crowd that came long ago, and stands in line, gets its next token before the old one ends, too."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        endpoint.takes = 1.0

        old = [source.at_hand() for _ in range(3)]
        await clock.advance(1.0)
        new = source.at_hand()

        assert [token.access_token for token in (*old, new) if token] == ["token-1"] * 3 + ["token-2"]
        assert endpoint.background == [False, True]

    async def test_f104_each_is_given_once(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A token that has ended before anyone's turn came goes out once, and not again."""
        endpoint.life = 1.0
        source = source_of(endpoint, clock)
        await source.get(FOREVER)
        await clock.advance(2.0)

        given = [source.at_hand() for _ in range(2)]

        assert [token and token.access_token for token in given] == ["token-1", None]


class TestRefused:
    """There is no token, and the credentials were refused: callers fail at once, for 30 s."""

    async def test_f09_refusal_is_remembered(self, clock: FakeClock, endpoint: Endpoint, source: TokenSource) -> None:
        """A thousand calls with a wrong secret, within 30 s, ask the endpoint once."""
        endpoint.failure = failing(AuthenticationError, refused=True)

        outcomes = []
        for _ in range(1000):
            outcomes.append(await name(source.get(FOREVER)))
            await clock.advance(0.0299)

        assert set(outcomes) == {"AuthenticationError"}
        assert endpoint.requests == 1

    async def test_f09_refusal_is_forgotten_after_thirty_seconds(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Half a minute after a refusal the credentials are tried again: someone may have mended them."""
        endpoint.failure = failing(AuthenticationError, refused=True)
        await error(source.get(FOREVER))
        endpoint.failure = None

        await clock.advance(29.99)
        before = await name(source.get(FOREVER))
        await clock.advance(0.01)
        after = await name(source.get(FOREVER))

        assert (before, after) == ("AuthenticationError", "token-2")

    async def test_each_caller_gets_an_error_of_its_own(self, endpoint: Endpoint, source: TokenSource) -> None:
        """A remembered refusal is no shared exception object."""
        endpoint.failure = failing(AuthenticationError, refused=True)
        await error(source.get(FOREVER))

        one, other = await error(source.get(FOREVER)), await error(source.get(FOREVER))

        assert one is not other

    async def test_failure_that_is_no_refusal_is_not_remembered(self, endpoint: Endpoint, source: TokenSource) -> None:
        """Only refused credentials are remembered: the next call after another failure tries again."""
        endpoint.failure = failing(AuthenticationError)

        await error(source.get(FOREVER))
        await error(source.get(FOREVER))

        assert endpoint.requests == 2


class TestPaused:
    """There is no token, and the endpoint asked to wait: callers wait for that, or fail at once."""

    async def test_f10_caller_with_time_waits(self, clock: FakeClock, endpoint: Endpoint, source: TokenSource) -> None:
        """A caller whose timeout reaches past the Retry-After gets a token right after it."""
        endpoint.failure = failing(RateLimitedError, asked=20.0)
        await error(source.get(clock()))
        endpoint.failure = None

        waiting = asyncio.create_task(name(source.get(clock() + 20.0)))
        await clock.advance(19.99)
        early = endpoint.requests
        await clock.advance(0.01)

        assert early == 1
        assert await waiting == "token-2"

    async def test_f10_caller_without_time_fails_at_once(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A caller whose timeout ends before the Retry-After hears at once how long it is to wait."""
        endpoint.failure = failing(RateLimitedError, asked=20.0)
        await error(source.get(clock()))
        await clock.advance(5.0)

        caught = await error(source.get(clock() + 14.99))

        assert isinstance(caught, RateLimitedError)
        assert caught.retry_after == pytest.approx(15.0)
        assert endpoint.requests == 1

    async def test_f10_wait_that_is_too_long_is_not_begun(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Nobody waits for a Retry-After above `max_retry_after`, whatever time there is."""
        endpoint.failure = failing(RateLimitedError, asked=61.0)
        await error(source.get(clock()))
        endpoint.failure = None

        at_once = await name(source.get(FOREVER))
        await clock.advance(1.0)
        waiting = asyncio.create_task(name(source.get(FOREVER)))
        await clock.advance(60.0)

        assert at_once == "RateLimitedError"
        assert await waiting == "token-2"

    async def test_f10_wait_without_end_is_forgotten_after_a_day(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A Retry-After that must be a mistake does not keep a client from tokens until it is restarted."""
        endpoint.failure = failing(RateLimitedError, asked=1e9)
        await error(source.get(clock()))
        endpoint.failure = None

        await clock.advance(86_400.0 - 61.0)
        before = await name(source.get(FOREVER))
        await clock.advance(61.0)
        after = await name(source.get(FOREVER))

        assert (before, after) == ("RateLimitedError", "token-2")

    async def test_f10_wait_is_not_part_of_the_fetch(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """Where a call has more time than the client's timeout, waiting for the endpoint does not use that up."""
        endpoint.failure = failing(RateLimitedError, asked=20.0)
        source = source_of(endpoint, clock, timeout=10.0)
        await error(source.get(clock()))
        endpoint.failure, endpoint.takes = None, 9.0

        waiting = asyncio.create_task(name(source.get(clock() + 30.0)))
        await clock.advance(29.0)

        assert await waiting == "token-2"

    async def test_f10_asked_in_the_middle_of_a_fetch(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """When the endpoint asks to wait, the waiters without time fail at once and the others are served later."""
        endpoint.retry_after = 20.0
        patient = asyncio.create_task(name(source.get(clock() + 20.0)))
        hurried = asyncio.create_task(error(source.get(clock() + 19.9)))

        await clock.settle()
        too_late = await error(source.get(clock() + 19.9))
        in_time = asyncio.create_task(name(source.get(FOREVER)))
        await clock.advance(20.0)

        assert isinstance(await hurried, RateLimitedError)
        assert isinstance(too_late, RateLimitedError)
        assert [await patient, await in_time] == ["token-2", "token-2"]
        assert [policy.attempts for policy in endpoint.policies] == [3, 2]

    async def test_f10_asked_for_longer_than_the_fetch_may_take(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A Retry-After in the middle of a fetch is no part of its own time: who can wait is served afterwards."""
        endpoint.retry_after, endpoint.takes = 20.0, 9.0
        source = source_of(endpoint, clock, timeout=10.0)

        waiting = asyncio.create_task(name(source.get(clock() + 30.0)))
        await clock.advance(29.0)

        assert await waiting == "token-2"

    async def test_f10_wait_that_was_in_vain_is_over(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Where the endpoint fails after the wait that it asked for, the next caller asks it again at once."""
        endpoint.failure = failing(RateLimitedError, asked=20.0)
        await error(source.get(clock()))
        endpoint.failure = failing()
        waiting = asyncio.create_task(name(source.get(FOREVER)))
        await clock.advance(20.0)
        endpoint.failure = None

        assert await waiting == "ServerError"
        assert await name(source.get(FOREVER)) == "token-3"

    async def test_f10_wait_is_spread(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """Many clients that were asked to wait do not come back as one: up to half a second is added at random."""
        endpoint.retry_after = 60.0  # the longest that is waited for
        source = source_of(endpoint, clock, timeout=100.0, roll=0.5)
        waiting = [asyncio.create_task(name(source.get(FOREVER)))]
        await clock.settle()

        waiting.append(asyncio.create_task(name(source.get(FOREVER))))
        await clock.advance(60.24)
        early = endpoint.requests
        await clock.advance(0.01)

        assert early == 1
        assert [await one for one in waiting] == ["token-2", "token-2"]

    async def test_f10_attempts_are_bounded_whatever_the_time(self, clock: FakeClock) -> None:
        """An endpoint that asks to wait, again and again, is asked as often as the retry policy says, then it fails."""
        policies: list[RetryPolicy] = []

        async def fetch(*, policy: RetryPolicy, deadline: Callable[[], float]) -> tuple[Token, float]:
            policies.append(policy)
            raise failing(RateLimitedError, asked=20.0)

        source = source_of(fetch, clock)
        patient = [asyncio.create_task(error(source.get(FOREVER))) for _ in range(10)]
        await clock.advance(40.0)
        errors = [await one for one in patient]

        assert [policy.attempts for policy in policies] == [3, 2, 1]
        assert [one.retry_after for one in errors if isinstance(one, RateLimitedError)] == [20.0] * 10

    async def test_f10_attempts_before_the_wait_count(self, clock: FakeClock) -> None:
        """What a fetch has tried before the endpoint asked to wait is not tried anew after it."""
        policies: list[RetryPolicy] = []

        async def fetch(*, policy: RetryPolicy, deadline: Callable[[], float]) -> tuple[Token, float]:
            policies.append(policy)
            error = failing(RateLimitedError, asked=20.0)
            error.attempts = 2
            raise error

        source = source_of(fetch, clock)
        patient = asyncio.create_task(name(source.get(FOREVER)))
        await clock.advance(20.0)
        first = await patient
        later = asyncio.create_task(name(source.get(FOREVER)))
        await clock.advance(40.0)

        assert (first, await later) == ("RateLimitedError", "RateLimitedError")
        assert [policy.attempts for policy in policies] == [3, 1, 3, 1]

    async def test_f10_those_turned_away_hear_for_how_long(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """The error says that the endpoint is left alone, and for how long."""
        endpoint.failure = failing(RateLimitedError, asked=20.0)
        await error(source.get(clock()))
        await clock.advance(5.0)

        caught = await error(source.get(clock() + 1.0))

        assert str(caught).endswith("it is not asked again for 15 s")

    async def test_f09_refusal_that_is_remembered_says_for_how_long(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Who is told of a refusal that others have met hears so, after the way out that it has."""
        refusal = AuthenticationError("no", status_code=401, hint="check the key")
        endpoint.failure = refusal
        await error(source.get(FOREVER))
        await clock.advance(10.0)

        caught = await error(source.get(FOREVER))

        assert isinstance(caught, AuthenticationError)
        assert caught.hint == "check the key; it is not asked again for 20 s"
        assert (refusal.hint, caught.retry_after) == ("check the key", None)

    async def test_f09_f10_refusal_that_asks_for_more_is_remembered_for_as_long(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """Refused credentials with a Retry-After above 30 s are not tried again before its end."""
        endpoint.failure = failing(AuthenticationError, refused=True, asked=120.0)
        await error(source.get(FOREVER))
        endpoint.failure = None

        await clock.advance(119.9)
        before = await name(source.get(FOREVER))
        await clock.advance(0.1)
        after = await name(source.get(FOREVER))

        assert (before, after) == ("AuthenticationError", "token-2")

    async def test_f10_turned_away_caller_may_leave_in_the_same_moment(
        self, clock: FakeClock, endpoint: Endpoint
    ) -> None:
        """A caller who is cancelled in the moment in which it is turned away is cancelled, and disturbs nobody."""
        goes = asyncio.Event()

        async def ask(**how: Any) -> tuple[Token, float]:
            await goes.wait()
            return await endpoint(**how)

        endpoint.retry_after = 20.0
        source = source_of(ask, clock)
        patient = asyncio.create_task(name(source.get(FOREVER)))
        hurried = asyncio.create_task(name(source.get(clock() + 1.0)))
        await clock.settle()

        goes.set()
        hurried.cancel()
        await clock.advance(20.0)

        assert hurried.cancelled()
        assert await patient == "token-2"

    async def test_f10_old_token_serves_during_the_wait(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource
    ) -> None:
        """A valid old token serves, and no background try is made, while the endpoint wants to be left alone."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        endpoint.failure = failing(RateLimitedError, asked=20.0)

        given = []
        for _ in range(159):
            given.append(await name(source.get(FOREVER)))
            await clock.advance(0.125)
        requests = endpoint.requests
        await clock.advance(0.125)
        await source.get(FOREVER)
        await clock.settle()

        assert set(given) == {"token-1"}
        assert (requests, endpoint.requests) == (2, 3)


class TestReplace:
    """The API refused a token: it is replaced once, by whoever comes first."""

    @pytest.fixture
    async def refused(self, source: TokenSource) -> Token:
        """Return the token that the source holds, and the API refuses."""
        grant = await source.get(FOREVER)
        assert isinstance(grant, Grant)
        return grant.token

    async def test_token_is_replaced(self, endpoint: Endpoint, source: TokenSource, refused: Token) -> None:
        """Another token than the refused one is given, and kept."""
        replacement = await name(source.replace(refused, FOREVER))

        assert replacement == "token-2"
        assert await name(source.get(FOREVER)) == "token-2"
        assert endpoint.requests == 2

    async def test_f20_token_that_is_there_is_not_fresh(self, source: TokenSource, refused: Token) -> None:
        """Who comes late is given what others have fetched, and may yet replace it."""
        await source.replace(refused, FOREVER)

        assert await source.replace(refused, FOREVER) == Grant(token=Token("token-2", LIFE), fresh=False)

    async def test_f10_replacement_is_waited_for_no_longer_than_the_caller_has(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource, refused: Token
    ) -> None:
        """A caller whose timeout ends before the endpoint may be asked again hears so, also about a replacement."""
        endpoint.failure = failing(RateLimitedError, asked=20.0)
        await error(source.replace(refused, clock()))

        assert await name(source.replace(refused, clock() + 19.9)) == "RateLimitedError"
        assert endpoint.requests == 2

    async def test_f20_stragglers_share_the_replacement(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource, refused: Token
    ) -> None:
        """Refusals of one token, at once or late, cost one token request."""
        endpoint.takes = 0.05
        at_once = [asyncio.create_task(name(source.replace(refused, FOREVER))) for _ in range(500)]
        await clock.advance(0.05)

        late = [await name(source.replace(refused, FOREVER)) for _ in range(500)]

        assert {await one for one in at_once} | set(late) == {"token-2"}
        assert endpoint.requests == 2

    async def test_replacement_that_fails_is_the_callers_failure(
        self, endpoint: Endpoint, source: TokenSource, refused: Token
    ) -> None:
        """Where no new token can be had, that is what the caller hears."""
        endpoint.failure = failing()

        assert await name(source.replace(refused, FOREVER)) == "ServerError"

    async def test_f105_fresh_token_is_replaced_once_it_has_been_of_use(
        self, source: TokenSource, refused: Token
    ) -> None:
        """Whose token was fetched for this very call replaces it only after it has served anyone."""
        before = await name(source.replace(refused, FOREVER, fresh=True))
        source.was_of_use(Token("another", LIFE))
        still = await name(source.replace(refused, FOREVER, fresh=True))
        source.was_of_use(refused)
        after = await name(source.replace(refused, FOREVER, fresh=True))

        assert (before, still, after) == ("nothing", "nothing", "token-2")

    async def test_f21_no_replacement_for_a_minute_after_one_of_no_use(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource, refused: Token
    ) -> None:
        """A new token that is refused too means that tokens are not the matter: none is replaced for 60 s."""
        second = await source.replace(refused, FOREVER)
        assert isinstance(second, Grant)
        await clock.advance(10.0)
        source.judge_replacement(second.token, helped=False)

        await clock.advance(59.99)
        before = await name(source.replace(second.token, FOREVER))
        await clock.advance(0.01)
        after = await name(source.replace(second.token, FOREVER))

        assert (before, after) == ("nothing", "token-3")

    async def test_replacement_that_helped_does_not_count(self, source: TokenSource, refused: Token) -> None:
        """A token that is taken away soon after another one is replaced as well."""
        second = await source.replace(refused, FOREVER)
        assert isinstance(second, Grant)
        source.judge_replacement(refused, helped=True)
        before = await name(source.replace(second.token, FOREVER))
        source.judge_replacement(second.token, helped=True)

        assert before == "nothing"
        assert await name(source.replace(second.token, FOREVER)) == "token-3"

    async def test_f21_replacement_that_comes_to_nothing_is_not_made_again_for_a_minute(
        self, clock: FakeClock, source: TokenSource, refused: Token
    ) -> None:
        """As long as it is not known whether replacing was of use, the new token is replaced once a minute at most."""
        second = await source.replace(refused, FOREVER)
        assert isinstance(second, Grant)

        await clock.advance(59.99)
        before = await name(source.replace(second.token, FOREVER))
        await clock.advance(0.01)
        after = await name(source.replace(second.token, FOREVER))

        assert (before, after) == ("nothing", "token-3")

    async def test_refusal_of_an_older_token_says_nothing_of_the_new_one(
        self, source: TokenSource, refused: Token
    ) -> None:
        """Only the token that is held can turn out to be of no use."""
        second = await source.replace(refused, FOREVER)
        assert isinstance(second, Grant)
        source.judge_replacement(refused, helped=False)
        source.judge_replacement(second.token, helped=True)

        assert await name(source.replace(second.token, FOREVER)) == "token-3"

    async def test_token_that_has_ended_is_fetched_anew_whatever_was_refused(
        self, clock: FakeClock, endpoint: Endpoint, source: TokenSource, refused: Token
    ) -> None:
        """A token that ended on its way was refused for that: a new one is due anyway, and the caller gets it."""
        await clock.advance(END - 30.0)
        source.judge_replacement(refused, helped=False)
        await clock.advance(30.0)

        assert await name(source.replace(refused, FOREVER)) == "token-2"


class TestClose:
    """A source ends with its client, or with its event loop."""

    async def test_fetch_is_ended(self, clock: FakeClock, endpoint: Endpoint, source: TokenSource) -> None:
        """Those who wait for a token when the client is closed hear so."""
        endpoint.takes = 10.0
        waiting = asyncio.create_task(error(source.get(FOREVER)))
        await clock.settle()

        await source.aclose()

        caught = await waiting
        assert type(caught) is APIConnectionError
        assert str(caught) == "POST /oauth/token failed: the client or its event loop was closed"
        assert len(asyncio.all_tasks()) == 1

    async def test_token_that_came_is_still_saved(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """Closing right after a token has come leaves the store the time to keep it for the others."""

        class SlowShelf(Shelf):
            async def save(self, token: Token) -> None:
                await clock.sleep(1.0)
                await super().save(token)

        shelf = SlowShelf(clock)
        source = source_of(endpoint, clock, store=shelf)
        waiting = asyncio.create_task(name(source.get(FOREVER)))
        await clock.settle()
        came = await waiting

        closing = asyncio.create_task(source.aclose())
        await clock.advance(1.0)
        await closing

        assert (came, shelf.saves) == ("token-1", 1)

    async def test_store_is_left_unlocked(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A fetch that fails as the client is closed, once or twice, gives the store's lock back to the others."""
        held = 0

        class Locker(Shelf):
            @asynccontextmanager
            async def exclusive(self) -> AsyncIterator[None]:
                nonlocal held
                held += 1
                yield
                await clock.sleep(1.0)
                held -= 1

        endpoint.failure = failing(AuthenticationError)
        source = source_of(endpoint, clock, store=Locker(clock))
        told = await name(source.get(FOREVER))  # at once: nobody waits for the lock to be given back

        closing = [asyncio.create_task(source.aclose()) for _ in range(2)]
        await clock.advance(1.0)
        await asyncio.gather(*closing)

        assert (told, held) == ("AuthenticationError", 0)

    async def test_closing_without_a_fetch_does_nothing(self, endpoint: Endpoint, source: TokenSource) -> None:
        """A source that was never used, or has its token, is closed at once."""
        await source.aclose()
        await source.get(FOREVER)

        await source.aclose()

        assert await name(source.get(FOREVER)) == "token-1"

    def test_fetch_in_another_threads_loop_is_ended(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """Closing from one thread ends what is under way in another's loop, soon."""
        endpoint.takes = 1_000.0
        source = source_of(endpoint, clock)
        begun = threading.Event()

        async def wait() -> str:
            clock.watch()
            asked = asyncio.create_task(name(source.get(FOREVER)))
            await asyncio.sleep(0)
            begun.set()
            return await asked

        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(asyncio.run, wait())
            begun.wait()
            asyncio.run(source.aclose())

            assert waiting.result(timeout=10) == "APIConnectionError"

    def test_token_that_came_in_another_threads_loop_is_still_saved(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """Closing from one thread leaves a save that is under way in another's loop its time, too."""
        saving, closed = threading.Event(), threading.Event()

        class SlowShelf(Shelf):
            async def save(self, token: Token) -> None:
                saving.set()
                await asyncio.to_thread(closed.wait)
                await super().save(token)

        shelf = SlowShelf(clock)
        source = source_of(endpoint, clock, store=shelf)

        async def fetch() -> str:
            came = await name(source.get(FOREVER))
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
            return came

        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(asyncio.run, fetch())
            saving.wait()
            asyncio.run(source.aclose())
            closed.set()

            assert waiting.result(timeout=10) == "token-1"
        assert shelf.saves == 1


class TestLoops:
    """A source is used in one event loop after another: the token is shared, a fetch is not."""

    def test_token_is_shared(self) -> None:
        """A token fetched in one loop serves in the next."""
        clock = FakeClock()
        endpoint = Endpoint(clock)
        source = source_of(endpoint, clock)

        given = [asyncio.run(name(source.get(FOREVER))) for _ in range(2)]

        assert given == ["token-1", "token-1"]

    def test_fetch_of_a_loop_that_ended_is_nobodys(self) -> None:
        """A fetch that was under way when its loop ended does not hang callers in the next loop."""
        clock = FakeClock(autopilot=False)
        endpoint = Endpoint(clock, takes=10.0)
        source = source_of(endpoint, clock)

        async def leave_early() -> None:
            asyncio.create_task(name(source.get(FOREVER)))  # noqa: RUF006  # asyncio.run ends it
            await clock.settle()

        asyncio.run(leave_early())
        endpoint.takes = 0.0

        assert asyncio.run(name(source.get(FOREVER))) == "token-2"

    def test_fetches_of_loops_that_were_closed_are_forgotten(self) -> None:
        """Loops that are closed under a fetch, time and again, leave nothing behind in the source."""
        answers = False

        async def fetch(**asked: object) -> tuple[Token, float]:
            if not answers:
                await asyncio.get_running_loop().create_future()
            return Token("token", LIFE), 0.0

        source = TokenSource(fetch, asked=ASKED, runtime=Runtime(clock=lambda: 0.0), timeout=60.0, retry=RetryPolicy())
        loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

        def begin_and_close() -> None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(asyncio.wait([loop.create_task(name(source.get(FOREVER)))], timeout=0))
            for task in asyncio.all_tasks(loop):
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # it is meant to be
            loop.close()
            loops.append(weakref.ref(loop))

        for _ in range(3):
            begin_and_close()
        answers = True
        given = asyncio.run(name(source.get(FOREVER)))
        gc.collect()

        assert given == "token"
        assert [one() for one in loops] == [None] * 3

    def test_fetch_of_a_loop_that_stands_still_is_nobodys(self) -> None:
        """Not even a loop that was neither ended nor closed keeps others waiting, and its fetch harms nobody later."""
        clock = FakeClock()
        endpoint = Endpoint(clock, takes=10.0)
        source = source_of(endpoint, clock)
        still = asyncio.new_event_loop()
        asked = still.create_task(name(source.get(FOREVER)))
        still.run_until_complete(asyncio.wait([asked], timeout=0))
        endpoint.takes = 0.0

        elsewhere = asyncio.run(name(source.get(FOREVER)))
        asyncio.run(source.aclose())  # nor can it be told to end
        here = still.run_until_complete(asked)
        still.close()

        assert (elsewhere, here) == ("token-2", "token-1")


async def test_log_tells_the_lifetime_only(source: TokenSource, caplog: pytest.LogCaptureFixture) -> None:
    """A fetched token leaves one line at DEBUG, with its lifetime and nothing else of it."""
    with caplog.at_level(logging.DEBUG, logger="usergroups"):
        await source.get(FOREVER)

    assert caplog.record_tuples == [("usergroups", logging.DEBUG, "access token fetched; it lives 18000 s")]


async def test_f85_flight_that_has_landed_keeps_its_outcome(clock: FakeClock) -> None:
    """Whoever comes to wait for a fetch that is over already is given what came of it."""
    flight = Flight(clock, begins_at=clock(), seconds=60.0, background=False)
    grant = Grant(token=Token("token-1", LIFE), fresh=True)

    flight.land(grant)

    assert await flight.wait(FOREVER) == grant


class TestEagerTasks:
    """Tasks that begin at once (`asyncio.eager_task_factory`): a fetch may have landed before anyone waits."""

    @pytest.fixture(autouse=True)
    async def eager(self) -> None:
        """Have this test's loop begin its tasks at once."""
        begin_tasks_eagerly()

    async def test_f85_token_that_is_there_at_once(self, endpoint: Endpoint, source: TokenSource) -> None:
        """A fetch that never waits serves whoever began it."""
        assert await name(source.get(FOREVER)) == "token-1"
        assert await name(source.get(FOREVER)) == "token-1"
        assert endpoint.requests == 1

    async def test_f85_failure_that_is_there_at_once(self, endpoint: Endpoint, source: TokenSource) -> None:
        """So does one that fails, and the next one is another."""
        endpoint.failure = failing()

        assert await name(source.get(FOREVER)) == "ServerError"
        endpoint.failure = None
        assert await name(source.get(FOREVER)) == "token-2"

    async def test_f85_token_of_the_store(self, clock: FakeClock, endpoint: Endpoint) -> None:
        """A token that lies in the store is taken from there, without a request."""
        shelf = Shelf(clock)
        await shelf.save(Token("kept", 1000.0))
        source = source_of(endpoint, clock, store=shelf)

        given = await asyncio.gather(*(name(source.get(FOREVER)) for _ in range(10)))

        assert given == ["kept"] * 10
        assert endpoint.requests == 0

    async def test_f85_refresh_and_replacement(self, clock: FakeClock, endpoint: Endpoint, source: TokenSource) -> None:
        """A background refresh delays nobody, and a refused token is replaced, as with other tasks."""
        await source.get(FOREVER)
        await clock.advance(LAST_PART)
        during = await source.get(FOREVER)
        after = await source.get(FOREVER)
        assert isinstance(during, Grant)
        assert isinstance(after, Grant)

        assert (during.token.access_token, after.token.access_token) == ("token-1", "token-2")
        assert await name(source.replace(after.token, FOREVER)) == "token-3"
        assert endpoint.background == [False, True, False]

    async def test_f85_crowd_shares_one_fetch(self, clock: FakeClock, endpoint: Endpoint, source: TokenSource) -> None:
        """Where the fetch takes its time, all wait for it, and those who leave take it from nobody."""
        endpoint.takes = 0.05
        waiting = [asyncio.create_task(name(source.get(FOREVER))) for _ in range(500)]

        for one in waiting[::2]:
            one.cancel()
        await clock.advance(0.05)

        assert {await one for one in waiting[1::2]} == {"token-1"}
        assert endpoint.requests == 1
