"""Very many calls at once, some of them cancelled at random, and the count of what was lost."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs

from .inspect import idle_connections, in_flight, pool_slots, waiting
from .server import FaultServer

SEED = os.environ.get("STORM_SEED")  # to see a storm again
SCALE = float(os.environ.get("STORM_SCALE", "1"))  # how many times as many calls


@attrs.frozen(kw_only=True)
class Losses:
    """
    What a storm has left behind; all 0 where all is well.

    *places* of the gate, *callers* before it, *slots* of the pools, *tasks* that go on, and
    *sockets* that the server sees beyond those that the client keeps for later.
    """

    places: int = 0
    callers: int = 0
    slots: int = 0
    tasks: int = 0
    sockets: int = 0


@attrs.frozen(kw_only=True)
class Storm:
    """
    What came of *calls* calls. *outcomes* counts them by the name of the exception's class, "ok"
    for none; *errors* holds the first ones of each class.
    """

    seed: int
    calls: int
    outcomes: Counter[str]
    errors: list[BaseException] = attrs.field(repr=False)
    losses: Losses


async def storm(
    client: object,
    call: Callable[[random.Random], Awaitable[object]],
    *,
    calls: int,
    callers: int,
    server: FaultServer | None = None,
    seed: int | None = None,
    cancel: float = 0.0,
    within: float = 0.05,
    times: int = 3,
    settling: float = 5.0,
) -> Storm:
    """
    Make *calls* (times `STORM_SCALE`) calls of *client*, *callers* at once, and count what is lost.

    Each *call* is given dice of its own, seeded by *seed* and its number. A share of *cancel* of
    them is cancelled, at a random moment *within* so many seconds, up to *times* times. What
    callers leave behind has *settling* seconds to end. The seed is printed; `STORM_SEED` sets it.
    """
    if seed is None:
        seed = int(SEED) if SEED else random.randrange(2**32)
    calls = round(calls * SCALE)
    print(f"storm: {calls} calls, {callers} at once, STORM_SEED={seed}")  # noqa: T201  # pytest shows it on failure
    before = asyncio.all_tasks()
    numbers = iter(range(calls))
    outcomes: Counter[str] = Counter()
    errors: list[BaseException] = []

    async def caller() -> None:
        for number in numbers:
            dice = random.Random(f"{seed}:{number}")
            error = await _one(call, dice, cancel, within, times)
            name = "ok" if error is None else type(error).__name__
            outcomes[name] += 1
            if error is not None and outcomes[name] <= 3:
                errors.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    losses = await _losses(client, server, before, settling)
    return Storm(seed=seed, calls=calls, outcomes=outcomes, errors=errors, losses=losses)


async def _one(
    call: Callable[[random.Random], Awaitable[object]],
    dice: random.Random,
    cancel: float,
    within: float,
    times: int,
) -> BaseException | None:
    async def work() -> object:
        return await call(dice)

    task = asyncio.create_task(work())
    loop = asyncio.get_running_loop()
    timers = []
    if dice.random() < cancel:
        moments = [dice.uniform(0, within) for _ in range(dice.randint(1, times))]
        timers = [loop.call_later(moment, task.cancel) for moment in moments]
    await asyncio.wait([task])
    for timer in timers:
        timer.cancel()
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def _losses(
    client: object, server: FaultServer | None, before: set[asyncio.Task[object]], settling: float
) -> Losses:
    tasks = asyncio.all_tasks() - before
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=settling)
    sockets = 0
    if server is not None:
        kept = idle_connections(client)
        with suppress(TimeoutError):
            await server.open.until(lambda number: number <= kept, settling)
        sockets = max(server.open.value - kept, 0)
    return Losses(
        places=in_flight(client),
        callers=waiting(client),
        slots=len(pool_slots(client)),
        tasks=len(tasks),
        sockets=sockets,
    )
