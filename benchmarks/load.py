"""The load: so many callers, each asking again as soon as it was answered."""

import asyncio
import gc
import itertools
import sys
import time
from collections.abc import Iterator

import attrs

from benchmarks.bodies import GROUPS
from benchmarks.peers import PEERS, Call

_USERS = 10_000  # asked for in turn, so that no client profits from asking the same again


@attrs.frozen(kw_only=True)
class Cell:
    """
    What one peer did in one round under one number of callers: *rate* in calls per second.

    *cpu* is the process's time in microseconds per call that was answered, *p50* and *p99* are in
    milliseconds.
    """

    rate: float
    cpu: float
    p50: float
    p99: float
    pool_timeouts: int
    errors: int


async def measure(
    peer: str, url: str, callers: int, seconds: float, warm_up: float, folder: str | None = None
) -> dict[str, object]:
    """
    Return the `Cell` of *peer*, as JSON; *folder* holds what was generated for the occasion.
    """
    if folder is not None:
        sys.path.insert(0, folder)
    async with PEERS[peer].opening(url) as call:
        got = len(await call("user-000000"))
        if got != GROUPS:
            raise ValueError(f"{peer} gives {got} groups, not {GROUPS}")
        users = itertools.cycle([f"user-{number:06}" for number in range(_USERS)])
        await _run(call, users, callers, warm_up)
        gc.collect()
        return attrs.asdict(await _run(call, users, callers, seconds))


async def _run(call: Call, users: Iterator[str], callers: int, seconds: float) -> Cell:
    """
    Let *callers* ask for *seconds*, and wait for the answers still under way then.
    """
    latencies: list[float] = []
    pool_timeouts = errors = 0
    begin, cpu_before = time.perf_counter(), time.process_time()
    end = begin + seconds

    async def ask() -> None:
        nonlocal pool_timeouts, errors
        asked = time.perf_counter()
        while True:  # once at least, however late this begins
            try:
                await call(next(users))
            except Exception as error:  # whatever it is, it is counted
                if _is_pool_timeout(error):
                    pool_timeouts += 1
                else:
                    errors += 1
            answered = time.perf_counter()
            latencies.append(answered - asked)
            if answered >= end:
                return
            asked = answered

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(ask())
    cpu, elapsed = time.process_time() - cpu_before, time.perf_counter() - begin
    good = len(latencies) - pool_timeouts - errors
    latencies.sort()
    return Cell(
        rate=good / elapsed,
        cpu=cpu / max(good, 1) * 1e6,
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        pool_timeouts=pool_timeouts,
        errors=errors,
    )


def _is_pool_timeout(error: BaseException | None) -> bool:
    while error is not None:
        if type(error).__name__ == "PoolTimeout" or "connection became free" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
