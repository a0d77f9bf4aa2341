"""The fake clock: sleepers wake in order, and nobody naps."""

import asyncio
import threading
import time

import pytest

from rig.clock import FakeClock
from rig.surroundings import fake_clock, surroundings
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
    """Time does not pass while any task has something to do, however many turns that takes."""
    worked_at: list[float] = []

    async def worker() -> None:
        for _ in range(500):
            await asyncio.sleep(0)
        worked_at.append(clock())

    await asyncio.gather(clock.sleep(10), worker())

    assert worked_at == [1000.0]
    assert clock() == 1010.0


async def test_autopilot_passes_by_tasks_that_wait_for_each_other(clock: FakeClock) -> None:
    """A task that waits for a future does not stop time: a sleeper may be the one who sets it."""
    arrived = asyncio.get_running_loop().create_future()

    async def sleeper() -> None:
        await clock.sleep(5)
        arrived.set_result(clock())

    task = asyncio.create_task(sleeper())

    assert await arrived == 1005.0
    await task


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
    assert woken == []
    assert clock.sleepers == 1

    await clock.advance(2.5)
    assert woken == [1001.0, 1002.0]
    assert clock() == 1002.5

    await clock.advance(0.5)
    assert woken == [1001.0, 1002.0, 1003.0]
    await task


async def test_cancelled_sleepers_vanish(clock: FakeClock) -> None:
    """A sleeper that was cancelled neither counts nor moves the time."""
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait([task])
    await clock.sleep(5)

    assert clock.sleepers == 0
    assert clock() == 1005.0


async def test_sleeping_for_nothing_lets_others_run(clock: FakeClock) -> None:
    """A sleep of 0 or less takes one turn of the loop and no time."""
    ran: list[str] = []
    task = asyncio.create_task(asyncio.to_thread(ran.append, "x"))
    other = asyncio.create_task(asyncio.sleep(0))

    await clock.sleep(0)
    await clock.sleep(-1)

    assert clock() == 1000.0
    await asyncio.gather(task, other)


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


async def test_timers_of_a_loop_that_was_held_up_go_off_together() -> None:
    """What comes due while the loop is held up is due in its next turn, in its order."""
    clock = FakeClock(autopilot=False, rules_loop=True)
    clock.watch()
    loop = asyncio.get_running_loop()
    order: list[str] = []
    loop.call_later(2, order.append, "second")
    loop.call_later(1, order.append, "first")
    loop.call_later(3, order.append, "third")

    clock.skip(2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert order == ["first", "second"]
    assert clock() == 1002.0


async def test_loop_timers_follow_advance() -> None:
    """Advancing by hand wakes sleepers and timers of the loop in one order."""
    clock = FakeClock(autopilot=False, rules_loop=True)
    clock.watch()
    order: list[str] = []
    asyncio.get_running_loop().call_later(2, order.append, "timer")

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        order.append(f"sleeper {seconds:g}")

    tasks = [asyncio.create_task(sleeper(1)), asyncio.create_task(sleeper(3))]
    await clock.advance(2)
    assert order == ["sleeper 1", "timer"]

    await clock.advance(1)
    assert order == ["sleeper 1", "timer", "sleeper 3"]
    await asyncio.gather(*tasks)


async def test_clock_does_not_take_over_running_timers() -> None:
    """A loop's timers that were set by another clock would go off at once, or never: that is an error."""
    timer = asyncio.get_running_loop().call_later(60, print)

    with pytest.raises(RuntimeError, match="already has timers"):
        FakeClock(rules_loop=True).watch()
    timer.cancel()

    FakeClock(rules_loop=True).watch()


async def test_many_sleepers_are_cheap(clock: FakeClock) -> None:
    """Ten thousand naps take well under a few real seconds."""
    await asyncio.gather(*(clock.sleep(i / 10) for i in range(10_000)))

    assert clock() == pytest.approx(1999.9)


def test_clients_made_in_the_block_get_the_fake_clock() -> None:
    """The surroundings hold in the block only; what is not given stays as it is."""
    before = RUNTIME.get()

    with fake_clock(5.0, roll=0.25) as clock:
        inside = RUNTIME.get()
        with surroundings(roll=0.75):
            innermost = RUNTIME.get()

    assert (inside.clock(), inside.random()) == (5.0, 0.25)
    assert inside.sleep == clock.sleep
    assert (innermost.clock(), innermost.random()) == (5.0, 0.75)
    assert RUNTIME.get() is before
    assert isinstance(before, Runtime)
