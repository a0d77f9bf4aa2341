"""Very many calls at once, some of them cancelled at random, from a seed."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable

SEED = os.environ.get("STORM_SEED")  # to see a storm again
SCALE = float(os.environ.get("STORM_SCALE", "1"))  # how many times as many calls

Call = Callable[[random.Random], Awaitable[object]]


async def storm(
    call: Call, *, calls: int, callers: int, seed: int | None = None, cancel: float = 0.0, within: float = 0.05
) -> Counter[str]:
    """
    Make *calls* (times `STORM_SCALE`) calls, *callers* at once; count them by the name of what they raised, or "ok".

    Each *call* is given dice of its own, seeded by *seed* and its number. A share of *cancel* of them is cancelled,
    at random moments *within* so many seconds, up to three times. The seed is printed; `STORM_SEED` sets it.
    """
    if seed is None:
        seed = int(SEED) if SEED else random.randrange(2**32)
    calls = round(calls * SCALE)
    print(f"storm: {calls} calls, {callers} at once, STORM_SEED={seed}")  # noqa: T201  # pytest shows it on failure
    numbers = iter(range(calls))
    outcomes: Counter[str] = Counter()

    async def caller() -> None:
        for number in numbers:
            outcomes[await _one(call, random.Random(f"{seed}:{number}"), cancel, within)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return outcomes


async def _one(call: Call, dice: random.Random, cancel: float, within: float) -> str:
    async def work() -> object:
        return await call(dice)

    task = asyncio.create_task(work())
    timers = []
    if dice.random() < cancel:
        loop = asyncio.get_running_loop()
        moments = [dice.uniform(0, within) for _ in range(dice.randint(1, 3))]
        timers = [loop.call_later(moment, task.cancel) for moment in moments]
    await asyncio.wait([task])
    for timer in timers:
        timer.cancel()
    if task.cancelled():
        return "CancelledError"
    return "ok" if (error := task.exception()) is None else type(error).__name__
