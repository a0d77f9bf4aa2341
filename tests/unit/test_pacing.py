"""Pacing: the gate before the wire, first come first served, and the rate at which requests start."""

import asyncio
import math
import random
from itertools import pairwise

import pytest

from rig.clock import FakeClock
from usergroups._http.limits import Pacer
from usergroups._http.rate import RateLimiter
from usergroups._runtime import Runtime


def pacer(
    clock: FakeClock, *, limit: int = 1, per_second: float | None = None, rate: RateLimiter | None = None
) -> Pacer:
    """Make a gate for *limit* requests at once, and *per_second* of them."""
    runtime = Runtime(clock=clock, sleep=clock.sleep)
    return Pacer(limit, rate or RateLimiter(per_second, runtime))


async def fill(gate: Pacer, places: int) -> None:
    """Take *places* of the gate's places."""
    for _ in range(places):
        await gate.enter()


class TestTurnstile:
    """Where calls wait before they begin."""

    @pytest.mark.parametrize("goes_through", [False, True])
    async def test_crowd_begins_some_at_a_time(self, clock: FakeClock, *, goes_through: bool) -> None:
        """
        Of calls that come at once, a hundred begin in each turn of the loop, in the order in which they came.

        So it is where each gets a place, and gives it back, in that same turn.
        """
        gate = pacer(clock)
        begun: list[int] = []

        async def call(number: int) -> None:
            await gate.begin()
            begun.append(number)
            if goes_through:
                await gate.enter()
                gate.leave()

        calls = [asyncio.create_task(call(number)) for number in range(350)]
        in_turns = []
        while len(begun) < 350:
            await asyncio.sleep(0)
            in_turns.append(len(begun))
        await asyncio.gather(*calls)

        assert max(later - earlier for earlier, later in pairwise([0, *in_turns])) == 100
        assert begun == [*range(350)]
        assert gate.waiting == 0

    async def test_none_begins_while_the_queue_is_long(self, clock: FakeClock) -> None:
        """While a hundred are in the queue, the others wait before it: one begins for each that leaves it, in order."""
        gate = pacer(clock)
        await gate.enter()
        begun: list[int] = []
        entered: list[int] = []

        async def call(number: int) -> None:
            await gate.begin()
            begun.append(number)
            await gate.enter()
            entered.append(number)

        calls = [asyncio.create_task(call(number)) for number in range(250)]
        counts = []
        for _ in range(250):
            await clock.settle()
            counts.append((len(entered), len(begun), gate.waiting))
            gate.leave()
        await asyncio.gather(*calls)

        assert counts == [(number, min(100 + number, 250), 250 - number) for number in range(250)]
        assert begun == entered == [*range(250)]

    async def test_whoever_leaves_keeps_nobody_waiting(self, clock: FakeClock) -> None:
        """Cancelled before the turnstile, also in the moment of being called, a caller is forgotten."""
        gate = pacer(clock)
        calls = [asyncio.create_task(gate.begin()) for _ in range(400)]
        if gate.waiting < 300:  # else tasks begin eagerly
            await asyncio.sleep(0)

        for call in calls[100:150]:
            call.cancel()  # before their turn
        await asyncio.sleep(0)
        for call in calls[150:200]:
            call.cancel()  # in it
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

        assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) == 100
        assert gate.waiting == 0
        await gate.begin()

    async def test_nobody_is_forgotten_when_all_who_stand_in_line_leave_at_once(self, clock: FakeClock) -> None:
        """Those at the turnstile begin although nobody is left in line who would call them."""
        gate = pacer(clock)
        await gate.enter()

        async def call() -> None:
            await gate.begin()
            await gate.enter()
            gate.leave()

        crowd = [asyncio.create_task(call()) for _ in range(101)]  # one at the head, a hundred in line
        await clock.settle()
        others = [asyncio.create_task(call()) for _ in range(3)]
        await clock.settle()
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd)
        gate.leave()

        await asyncio.gather(*others)
        assert (gate.in_flight, gate.waiting) == (0, 0)

    async def test_whoever_comes_later_begins_later(self, clock: FakeClock) -> None:
        """Not even a caller who comes while others are being let through begins before them."""
        gate = pacer(clock)
        begun: list[int] = []

        async def call(number: int) -> None:
            await gate.begin()
            begun.append(number)

        calls = [asyncio.create_task(call(number)) for number in range(150)]
        await asyncio.sleep(0)  # in which a hundred begin, and the others wait
        await asyncio.gather(*calls, call(150))

        assert begun == [*range(151)]


class TestGate:
    """At most so many requests at once."""

    async def test_f104_who_is_not_ready_leaves_place_and_moment_to_the_next(self, clock: FakeClock) -> None:
        """Whose token has ended in line costs nobody anything: the next one starts in that moment."""
        gate = pacer(clock, per_second=1.0)
        await gate.enter()
        asked: list[float] = []

        def never() -> bool:
            asked.append(clock())
            return False

        early = [asyncio.create_task(gate.enter(is_ready=never)) for _ in range(3)]
        ready = asyncio.create_task(gate.enter())
        await clock.advance(2.0)
        waits_for_the_place = not any(one.done() for one in early)
        gate.leave()
        await clock.settle()

        assert waits_for_the_place
        assert [await one for one in (*early, ready)] == [False] * 3 + [True]
        assert asked == [clock()] * 3
        assert (gate.in_flight, gate.waiting) == (1, 0)

    async def test_f104_who_had_his_turn_already_comes_before_the_others(self, clock: FakeClock) -> None:
        """Those who come again are before all in line but those who go first, each in the order in which they came."""
        gate = pacer(clock)
        await gate.enter()
        entered: list[str] = []

        async def caller(name: str, *, first: bool = False, again: bool = False) -> None:
            await gate.enter(first=first, again=again)
            entered.append(name)
            gate.leave()

        callers = [asyncio.create_task(caller("new"))]
        callers += [asyncio.create_task(caller(name, again=True)) for name in ("again", "again too", "leaves")]
        callers.append(asyncio.create_task(caller("urgent", first=True)))
        await clock.settle()
        waiting = [gate.waiting]
        callers[3].cancel()
        await clock.settle()
        waiting.append(gate.waiting)
        gate.leave()
        await asyncio.wait(callers)

        assert waiting == [5, 4]
        assert entered == ["urgent", "again", "again too", "new"]

    async def test_f104_error_in_a_callers_own_code_costs_no_place(self, clock: FakeClock) -> None:
        """Whatever keeps a caller from going on, his place is another's."""
        gate = pacer(clock)

        def fails() -> bool:
            raise LookupError

        with pytest.raises(LookupError):
            await gate.enter(is_ready=fails)

        assert gate.in_flight == 0
        assert await gate.enter()

    async def test_places_that_come_free_together_are_taken_together(self, clock: FakeClock) -> None:
        """Without a rate, those who have been called enter in the same turn, not one after another."""
        gate = pacer(clock, limit=3)
        await fill(gate, 3)
        callers = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await clock.settle()

        for _ in range(3):
            gate.leave()
        await asyncio.sleep(0)

        assert all(one.done() for one in callers)

    @pytest.mark.parametrize("cancelled", [False, True])
    async def test_first_waits_for_one_start_at_most(self, clock: FakeClock, *, cancelled: bool) -> None:
        """Of those who wait for the rate's next free moment, one alone is before whoever goes first."""
        gate = pacer(clock, limit=10, per_second=1.0)
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(4)]
        await clock.advance(1.02)
        if cancelled:
            waiting[1].cancel()  # at the gate
            await asyncio.sleep(0)
            waiting[2].cancel()  # in the moment of being called to it
            await clock.settle()
        waiting.append(asyncio.create_task(gate.enter()))
        await clock.settle()
        first = asyncio.create_task(gate.enter(first=True))

        await clock.advance(2.03)

        assert first.done()
        assert sum(one.done() and not one.cancelled() for one in waiting) == 2
        for one in waiting:
            one.cancel()

    async def test_newcomer_does_not_overtake(self, clock: FakeClock) -> None:
        """Not even where a place is free does a newcomer enter before those who have been called, and not yet woken."""
        gate = pacer(clock, limit=3)
        await fill(gate, 3)
        entered: list[str] = []

        async def caller(name: str) -> None:
            await gate.enter()
            entered.append(name)

        waiting = asyncio.create_task(caller("waiting"))
        await clock.settle()
        gate.leave()
        gate.leave()
        await asyncio.gather(caller("newcomer"), waiting)

        assert entered == ["waiting", "newcomer"]
        assert gate.in_flight == 3

    async def test_f70_cancelled_waiters_cost_nothing(self, clock: FakeClock) -> None:
        """Of 100,000 waiters all but ten are cancelled: those ten enter in their order, and no place is lost."""
        gate = pacer(clock)
        await gate.enter()
        entered: list[asyncio.Task[None]] = []
        callers = [asyncio.create_task(gate.enter()) for _ in range(100_000)]
        await asyncio.sleep(0)
        stay = callers[7::10_000]
        for one in stay:
            one.add_done_callback(entered.append)

        for one in set(callers).difference(stay):
            one.cancel()
        for _ in stay:
            await clock.settle()
            gate.leave()
        await clock.settle()
        gate.leave()

        assert entered == stay
        assert (gate.in_flight, gate.waiting) == (0, 0)

    @pytest.mark.parametrize("who", [0, 1], ids=["the next one", "the one after"])
    @pytest.mark.parametrize("turns", range(4))
    async def test_cancel_in_the_moment_of_being_called(self, clock: FakeClock, turns: int, who: int) -> None:
        """A caller that is cancelled as its turn comes passes it on, whichever comes first."""
        gate = pacer(clock)
        await gate.enter()
        callers = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await clock.settle()

        gate.leave()
        for _ in range(turns):
            await asyncio.sleep(0)
        callers[who].cancel()
        for one in callers[:2]:
            await asyncio.wait([one])
            if not one.cancelled():
                gate.leave()
        await callers[2]

        assert (gate.in_flight, gate.waiting) == (1, 0)

    @pytest.mark.parametrize("seed", range(20))
    async def test_storm(self, clock: FakeClock, seed: int) -> None:
        """Whoever comes, works, and is cancelled at random: the gate keeps its places and its order."""
        clock.autopilot = True
        dice = random.Random(seed)
        gate = pacer(clock, limit=3, per_second=dice.choice([None, 1000.0]))
        entered: list[int] = []

        async def caller(number: int) -> None:
            await gate.begin()
            await gate.enter()
            entered.append(number)
            assert gate.in_flight <= 3
            try:
                await clock.sleep(dice.random() / 100)
            finally:
                gate.leave()

        callers: list[asyncio.Task[None]] = []
        for _ in range(300):
            come = dice.choice([0, 1, 1, 1, 150])
            callers += [asyncio.create_task(caller(number)) for number in range(len(callers), len(callers) + come)]
            for one in dice.choices(callers, k=dice.choice([0, 1, len(callers)]) if callers else 0):
                one.cancel()
            for _ in range(dice.randrange(3)):
                await asyncio.sleep(0)
        await asyncio.wait(callers)

        assert entered == sorted(entered)
        assert (gate.in_flight, gate.waiting) == (0, 0)


class TestRate:
    """At most so many starts a second."""

    async def starts(self, gate: Pacer, clock: FakeClock, count: int) -> list[float]:
        """Return the seconds, from now on, at which *count* callers that come at once start."""
        clock.autopilot = True
        began = clock()
        at: list[float] = []

        async def caller() -> None:
            await gate.enter()
            at.append(clock() - began)
            gate.leave()

        await asyncio.gather(*(caller() for _ in range(count)))
        return at

    @pytest.mark.parametrize(
        ("per_second", "at"),
        [pytest.param(None, [0.0] * 4, id="no rate"), pytest.param(50.0, [0.0, 0.02, 0.04, 0.06], id="a rate")],
    )
    async def test_hold(self, clock: FakeClock, per_second: float | None, at: list[float]) -> None:
        """Nobody starts during a hold, which a shorter one does not end; then they go on as before."""
        rate = RateLimiter(per_second, Runtime(clock=clock, sleep=clock.sleep))
        gate = pacer(clock, limit=2, rate=rate)
        rate.hold(1.0)
        rate.hold(0.5)
        held = rate.wait()

        assert held == 1.0
        assert await self.starts(gate, clock, 4) == pytest.approx([held + one for one in at])

    async def test_hold_that_begins_when_callers_already_wait(self, clock: FakeClock) -> None:
        """Whoever waits at the gate for a free moment waits on when that is put off."""
        rate = RateLimiter(4.0, Runtime(clock=clock, sleep=clock.sleep))
        gate = pacer(clock, limit=10, rate=rate)
        await gate.enter()
        waiting = asyncio.create_task(gate.enter())
        await clock.advance(0.1)

        rate.hold(1.0)
        await clock.advance(0.99)
        held = not waiting.done()
        await clock.advance(0.02)

        assert held
        assert waiting.done()

    async def test_starts_are_spread(self, clock: FakeClock) -> None:
        """A thousand callers at once start in even steps, after a first few that make up for 50 ms."""
        gate = pacer(clock, limit=1000, per_second=50.0)

        at = await self.starts(gate, clock, 1000)
        steps = [later - earlier for earlier, later in pairwise(at)]

        assert at[:3] == pytest.approx([0.0, 0.0, 0.0])
        assert steps[2:49] == pytest.approx([0.01] + [0.02] * 46)
        assert at[-1] == pytest.approx(1000 / 50 * 1.01, abs=0.1)

    @pytest.mark.parametrize("per_second", [0.5, 1.0, 2.5, 50.0, 333.3, 20_000.0])
    async def test_no_second_holds_more_than_the_rate(self, clock: FakeClock, per_second: float) -> None:
        """No window of a second holds more starts than the rate, in spite of bursts and stalls, nor many fewer."""
        dice = random.Random(per_second)

        async def sleep_late(seconds: float) -> None:
            await clock.sleep(seconds + dice.choice([0.0, 0.0, 0.001, 0.04]))

        runtime = Runtime(clock=clock, sleep=sleep_late)
        gate = Pacer(1000, RateLimiter(per_second, runtime))
        count = math.ceil(min(per_second, 700.0)) * 3

        at = await self.starts(gate, clock, count)
        await clock.advance(7.0)
        at += [at[-1] + 7.0 + one for one in await self.starts(gate, clock, count)]

        assert max(sum(begin <= one < begin + 1.0 for one in at) for begin in at[::97]) <= math.ceil(per_second)
        assert at[count - 1] <= (count / per_second) * 1.02 + 0.2

    @pytest.mark.parametrize(
        ("factor", "late", "at_least", "at_most"),
        [
            pytest.param(1.0, 0.015, 1.9, 2.1, id="late, as in a busy event loop, and the rate is kept"),
            pytest.param(0.9, 0.0, 1.95, 2.1, id="early, and the rest is slept too"),
        ],
    )
    async def test_sleeps_that_end(
        self, clock: FakeClock, factor: float, late: float, at_least: float, at_most: float
    ) -> None:
        """The rate depends on the clock alone, whenever sleeps end."""

        async def sleep(seconds: float) -> None:
            await clock.sleep((seconds * factor if seconds > 0.001 else seconds) + late)

        runtime = Runtime(clock=clock, sleep=sleep)
        gate = Pacer(1000, RateLimiter(500.0, runtime))

        at = await self.starts(gate, clock, 1000)

        assert at_least <= at[-1] <= at_most

    async def test_rate_is_shared_by_the_loops_of_a_client(self, clock: FakeClock) -> None:
        """Two gates with one rate start no more than one would."""
        runtime = Runtime(clock=clock, sleep=clock.sleep)
        rate = RateLimiter(10.0, runtime)
        one, other = pacer(clock, limit=100, rate=rate), pacer(clock, limit=100, rate=rate)
        began = clock()

        await asyncio.gather(self.starts(one, clock, 50), self.starts(other, clock, 50))

        assert clock() - began == pytest.approx(10.0, abs=0.15)

    async def test_cancel_before_the_free_moment_does_not_use_it_up(self, clock: FakeClock) -> None:
        """A caller that is cancelled while it waits for its moment leaves it to the next one."""
        gate = pacer(clock, limit=10, per_second=1.0)
        await gate.enter()
        one, next_one = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
        await clock.settle()

        one.cancel()
        await clock.advance(1.01)

        assert next_one.done()
        assert (gate.in_flight, gate.waiting) == (2, 0)
