"""The fake clock: sleepers wake in order, and nobody naps."""

import asyncio
import threading
import time

import pytest

from rig.clock import FakeClock
from rig.surroundings import surroundings
from usergroups._runtime import RUNTIME, Runtime


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock on autopilot."""
    return FakeClock()


async def test_sleepers_wake_in_the_order_of_their_moments(clock: FakeClock) -> None:
    """Whoever wants to wake first does, whenever he went to sleep, and sees the clock at his moment."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock()))

    await asyncio.gather(sleeper("late", 3600), sleeper("early", 0.5), sleeper("middle", 60), sleeper("too", 60))

    assert woken == [("early", 1000.5), ("middle", 1060.0), ("too", 1060.0), ("late", 4600.0)]
    assert clock.slept == [3600, 0.5, 60, 60]


async def test_autopilot_waits_until_nothing_else_can_happen(clock: FakeClock) -> None:
    """Time does not pass while any task has something to do; a task that waits for a sleeper does not stop it."""
    worked_at: list[float] = []
    arrived = asyncio.get_running_loop().create_future()

    async def worker() -> None:
        for _ in range(500):
            await asyncio.sleep(0)
        worked_at.append(clock())

    async def sleeper() -> None:
        await clock.sleep(10)
        arrived.set_result(clock())

    tasks = [asyncio.create_task(worker()), asyncio.create_task(sleeper())]

    assert await arrived == 1010.0
    assert worked_at == [1000.0]
    await asyncio.gather(*tasks)


async def test_grace_lets_another_thread_speak_first() -> None:
    """With grace, an answer that is on its way from elsewhere arrives before time passes."""
    clock = FakeClock(grace=0.5)
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    slept = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)

    speaker = threading.Timer(0.05, loop.call_soon_threadsafe, [answer.set_result, None])
    speaker.start()
    await answer

    assert clock() == 1000.0
    await slept
    speaker.join()


async def test_manual_time_stands_still() -> None:
    """Without autopilot nobody wakes until the test advances the clock, and then in turn."""
    clock = FakeClock(autopilot=False)
    woken: list[float] = []

    async def sleeper() -> None:
        for _ in range(3):
            await clock.sleep(1)
            woken.append(clock())

    task = asyncio.create_task(sleeper())

    await clock.settle()
    assert (woken, clock.sleepers) == ([], 1)

    await clock.advance(2.5)
    assert (woken, clock()) == ([1001.0, 1002.0], 1002.5)

    await clock.advance(0.5)
    assert woken == [1001.0, 1002.0, 1003.0]
    await task


async def test_cancelled_sleepers_vanish(clock: FakeClock) -> None:
    """A sleeper that was cancelled neither counts nor moves the time; a sleep of 0 or less takes none."""
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait([task])
    await clock.sleep(0)
    await clock.sleep(-1)

    assert (clock.sleepers, clock()) == (0, 1000.0)
    await clock.sleep(5)
    assert clock() == 1005.0


async def test_loop_timers_can_follow_the_clock() -> None:
    """With rules_loop an hour of asyncio.timeout, asyncio.sleep and the clock's own take no time at all."""
    clock = FakeClock(rules_loop=True)
    clock.watch()
    begun = time.monotonic()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await clock.sleep(7200)
    await asyncio.sleep(60)

    assert clock() == pytest.approx(1000 + 3660)
    assert time.monotonic() - begun < 5


async def test_loop_timers_follow_skip_and_advance() -> None:
    """What is due when time has skipped goes off in one turn; advancing wakes sleepers and timers in one order."""
    clock = FakeClock(autopilot=False, rules_loop=True)
    clock.watch()
    loop = asyncio.get_running_loop()
    order: list[str] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        order.append(f"sleeper {seconds:g}")

    for seconds in (2, 1, 3, 5):
        loop.call_later(seconds, order.append, f"timer {seconds}")
    clock.skip(2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (order, clock()) == (["timer 1", "timer 2"], 1002.0)

    tasks = [asyncio.create_task(sleeper(2)), asyncio.create_task(sleeper(4))]
    await clock.advance(3)
    assert order[2:] == ["timer 3", "sleeper 2", "timer 5"]
    await clock.advance(1)
    assert order[5:] == ["sleeper 4"]
    await asyncio.gather(*tasks)


async def test_clock_does_not_take_over_running_timers() -> None:
    """A loop's timers that were set by another clock would go off at once, or never: that is an error."""
    timer = asyncio.get_running_loop().call_later(60, print)

    with pytest.raises(RuntimeError, match="already has timers"):
        FakeClock(rules_loop=True).watch()
    timer.cancel()

    FakeClock(rules_loop=True).watch()


def test_clients_made_in_the_block_get_the_surroundings(clock: FakeClock) -> None:
    """The surroundings hold in the block only; what is not given stays as it is."""
    before = RUNTIME.get()

    with surroundings(clock=clock, roll=0.25):
        inside = RUNTIME.get()
        with surroundings(roll=0.75):
            innermost = RUNTIME.get()

    assert (inside.clock(), inside.random(), inside.sleep) == (1000.0, 0.25, clock.sleep)
    assert (innermost.clock(), innermost.random()) == (1000.0, 0.75)
    assert RUNTIME.get() is before
    assert isinstance(before, Runtime)
