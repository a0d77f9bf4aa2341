"""The rig's smaller tools: heartbeat, goes, tally, step-cancel explorer, storms, and the look into a client."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from random import Random

import httpx
import pytest

from rig.cancel import Cut, explore
from rig.clock import FakeClock
from rig.goes import goes
from rig.heartbeat import Heartbeat
from rig.inspect import idle_connections, in_flight, pool_slots, waiting
from rig.script import answer, drip, head
from rig.server import FaultServer
from rig.storm import storm
from rig.tally import Tally


async def test_heartbeat_notices_a_stuck_loop() -> None:
    """What blocks the loop shows as a gap, to the end of the block; a loop that only waits has none."""
    async with Heartbeat() as calm:
        await asyncio.sleep(0.1)
    async with Heartbeat() as stuck:
        await asyncio.sleep(0.02)
        time.sleep(0.15)  # noqa: ASYNC251  # this is the fault

    assert calm.beats > 3
    assert 0.005 <= calm.largest_gap < 0.1
    assert 0.15 <= stuck.largest_gap < 0.3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells for how long a thread stood in line")
async def test_heartbeat_leaves_out_what_the_machine_gave_to_others() -> None:
    """A thread that has to share its processor is not a stuck loop."""
    everywhere = os.sched_getaffinity(0)
    alone = min(everywhere)
    code = f"import os; os.sched_setaffinity(0, [{alone}]); print(flush=True)\nwhile True: pass"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert other.stdout is not None
    await other.stdout.readline()
    os.sched_setaffinity(0, {alone})
    try:
        async with Heartbeat() as heartbeat:
            begun, used = time.perf_counter(), time.thread_time()
            while time.thread_time() - used < 0.1:
                pass
            took = time.perf_counter() - begun
    finally:
        os.sched_setaffinity(0, everywhere)
        other.kill()
        await other.communicate()

    assert took > 0.13  # 0.2, if both get the same
    assert 0.1 <= heartbeat.largest_gap < took - 0.02


def test_one_go_in_time_is_enough() -> None:
    """There are goes until each part of one was in time, and then no more."""
    times = iter([(0.1, 0.3), (0.3, 0.1), (0.2, 0.2), (0.0, 0.0)])
    made = 0

    for go in goes():
        made += 1
        for seconds in next(times):
            go.took(seconds, at_most=0.2)

    assert made == 3


def test_late_in_each_go_is_a_failure() -> None:
    """Where no go was in time, all their times are told; a loop of goes that bounds nothing does not pass either."""
    times = iter([0.5, 0.4])

    def late() -> None:
        for go in goes(2):
            go.took(next(times), at_most=0.2)

    with pytest.raises(AssertionError, match=r"late in each of 2 goes: 0\.500 s of at most 0\.2 s; 0\.400 s of"):
        late()
    with pytest.raises(AssertionError, match="a go says how long it took"):
        list(goes())


def test_tally_outlives_the_loops_that_waited() -> None:
    """A waiter whose loop was closed under it is no trouble to the one who counts."""
    tally = Tally()
    loop = asyncio.new_event_loop()
    task = loop.create_task(tally.until(lambda number: number > 0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    tally.add(1)

    assert tally.value == 1
    task.get_coro().close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # that is what is tested


async def test_explorer_cancels_at_every_turn() -> None:
    """Every await of the call is cut once, also when its answer is there already, and the last run is not cut."""
    reached: list[int] = []
    lost: list[bool] = []

    async def call() -> str:
        done = 0
        try:
            for done in range(1, 4):  # noqa: B007  # the one that was reached
                arriving = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(lambda one=arriving: one.done() or one.set_result(None))
                try:
                    await arriving
                except asyncio.CancelledError:
                    lost.append(not arriving.cancelled())
                    raise
            done = 4
        finally:
            reached.append(done)
        return "whole"

    cuts = [cut async for cut in explore(call)]

    assert [cut.k for cut in cuts] == list(range(1, len(cuts) + 1))
    assert [cut.cancelled for cut in cuts] == [True] * (len(cuts) - 1) + [False]
    assert all(isinstance(cut.error, asyncio.CancelledError) for cut in cuts[:-1])
    assert cuts[-1] == Cut(len(cuts), cancelled=False, value="whole")
    assert sorted(set(reached)) == [1, 2, 3, 4]
    assert True in lost
    assert [cut.k async for cut in explore(call, step=2)][:3] == [1, 3, 5]


async def test_explorer_shows_what_becomes_of_a_cancel() -> None:
    """A call that goes on in spite of a cancel, or turns it into another error, is seen to do so."""

    async def swallow() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return "as if nothing had happened"

    async def turn() -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise LookupError from None

    assert any([cut.cancelled and cut.value async for cut in explore(swallow)])
    assert [type(cut.error) async for cut in explore(turn) if cut.cancelled] == [asyncio.CancelledError, LookupError]


async def test_explorer_can_cancel_again() -> None:
    """The second cancel strikes while the call cleans up after the first."""
    broken: list[bool] = []

    async def call() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                broken.append(True)
                raise

    once = len([cut async for cut in explore(call)])
    broken_once = len(broken)
    twice = [cut async for cut in explore(call, times=2)]

    assert len(twice) >= once
    assert len(broken) > 2 * broken_once


async def test_explorer_gives_up_on_a_call_without_end() -> None:
    """A call that needs thousands of turns is a mistake of the test."""

    async def call() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="turns of the event loop"):
        async for _ in explore(call, step=1_666):
            pass


async def test_storm_counts_outcomes_and_can_be_seen_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Calls are counted by how they ended; the seed is printed, and decides what every call does."""

    async def thrown(seed: int | None) -> list[float]:
        values: list[float] = []

        async def call(dice: Random) -> None:
            values.append(dice.random())
            if values[-1] < 0.25:
                raise LookupError

        outcomes = await storm(call, calls=100, callers=3, seed=seed)
        bad = sum(value < 0.25 for value in values)
        assert outcomes == {"ok": 100 - bad, "LookupError": bad}
        return sorted(values)

    first, again, other = await thrown(7), await thrown(7), await thrown(8)
    await thrown(None)

    assert first == again != other
    assert "STORM_SEED=7" in capsys.readouterr().out


async def test_storm_cancels() -> None:
    """The share of calls that was asked for is cancelled, some more than once."""
    FakeClock(rules_loop=True).watch()  # on a busy machine the two cancels of a call may come in one turn, and be one
    cancels = 0

    async def call(dice: Random) -> None:
        nonlocal cancels
        for _ in range(2):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                cancels += 1
        raise asyncio.CancelledError

    outcomes = await storm(call, calls=50, callers=50, cancel=1.0, within=0.01, seed=3)

    assert outcomes == {"CancelledError": 50}
    assert cancels > 50


async def test_pools_and_gates_are_found() -> None:
    """From any object the pools and gates that it stands on are found; idle connections are no slots in use."""

    class Pacer:  # known by the name of its class
        in_flight = 2
        waiting = 1

    with FaultServer() as server:
        server.once("/held", (head(200, length=1), drip(b"x", every=0.05)))
        server.always("*", answer(b"x"))
        async with httpx.AsyncClient(base_url=server.url) as client:
            holder = {"somewhere": [lambda: client, Pacer()]}
            await client.get("/x")
            at_rest = (pool_slots(holder), idle_connections(holder))
            async with client.stream("GET", "/held"):
                under_way = pool_slots(holder)

    assert at_rest == ([], 1)
    assert len(under_way) == 2
    assert "a request that has a connection" in under_way
    assert (in_flight(holder), waiting(holder), in_flight(object())) == (2, 1, 0)
