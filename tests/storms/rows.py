"""The storms, row by row of the fault table. Each is given its size: short ones are tests, long ones take minutes."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

import attrs

from rig.clock import FakeClock
from rig.heartbeat import Heartbeat
from rig.inspect import in_flight, waiting
from rig.storm import storm
from usergroups import M3terClient, SmartPMClient, UserGroupsError

from .losses import Losses, losses
from .server import Site
from .weather import GOOD, HELD, LIFE, NOBODY, QUICK, WEATHER

GROUP = "550e8400-e29b-41d4-a716-446655440000"


@attrs.frozen(kw_only=True)
class Report:
    """
    What came of a storm. *outcomes* counts the calls by the name of what they raised, "ok" for nothing; *wrong* says
    in words what is not as it must be. *largest_gap* is that of a heartbeat, in seconds, where the row speaks of one.
    """

    calls: int
    outcomes: Counter[str]
    lost: Losses
    wrong: tuple[str, ...] = ()
    largest_gap: float = 0.0


async def crowd(client: SmartPMClient, site: Site, *, callers: int, seconds: float) -> Report:
    """
    Row 63: let *callers* ask again and again for so many *seconds*, most of them in vain; then three more, one by one.
    """
    outcomes: Counter[str] = Counter()
    end = monotonic() + seconds

    async def caller() -> None:
        while monotonic() < end:
            outcomes[await _outcome(client.get_user_group(GROUP))] += 1

    return await _report(client, site, outcomes, [caller() for _ in range(callers)])


async def groups(client: SmartPMClient, site: Site, *, members: int, seconds: float) -> Report:
    """
    Row 63: let *members* ask in a TaskGroup in which one fails, so that the others are cancelled; again and again.
    """
    outcomes: Counter[str] = Counter()

    async def member(group_id: str) -> None:
        try:
            await client.get_user_group(group_id)
        except BaseException as error:
            outcomes[type(error).__name__] += 1
            raise
        outcomes["ok"] += 1

    async def rounds() -> None:
        end = monotonic() + seconds
        while monotonic() < end:
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(members):
                        group.create_task(member(NOBODY if number == members // 2 else GROUP))
            except* UserGroupsError:  # the one that fails, or several whose time ran out
                pass

    return await _report(client, site, outcomes, [rounds()])


async def _report(client: SmartPMClient, site: Site, outcomes: Counter[str], work: list[Awaitable[None]]) -> Report:
    before = asyncio.all_tasks()
    await asyncio.gather(*work)
    lost = await losses(client, site, before)
    after = [await _outcome(client.get_user_group(GROUP, timeout=2.0)) for _ in range(3)]
    wrong = [] if after == ["ok"] * 3 else [f"the next calls: {after}"]
    return Report(calls=outcomes.total(), outcomes=outcomes, lost=lost, wrong=tuple(wrong))


async def squall(client: M3terClient, site: Site, *, calls: int, seed: int, callers: int = 24) -> Report:
    """
    Row 64: *calls* calls in all weathers, half of them cancelled once, twice or thrice.
    """
    before = asyncio.all_tasks()

    async def call(dice: random.Random) -> None:
        weather = dice.choice(GOOD if dice.random() < 0.4 else WEATHER)
        await client.list_user_groups(f"{weather}.{dice.random()}", prefetch=dice.random() < 0.5).collect()

    came = await storm(call, calls=calls, callers=callers, seed=seed, cancel=0.5, within=0.1)
    lost = await losses(client, site, before)
    wrong = sorted(set(came) - _ALLOWED)
    if (after := await _outcome(client.list_user_groups("good", timeout=2.0).collect())) != "ok":
        wrong.append(f"the next call: {after}")
    return Report(calls=came.total(), outcomes=came, lost=lost, wrong=tuple(wrong))


_ALLOWED = {
    "ok",
    "CancelledError",
    "APIConnectionError",
    "APITimeoutError",
    "AuthenticationError",  # a token may be refused in the very call that fetched it
    "NotFoundError",
    "RateLimitedError",
    "ServerError",
    "UnexpectedResponseError",
}


async def burst(client: SmartPMClient, site: Site, *, calls: int, most_open: int) -> Report:
    """
    Row 69: make *calls* calls at once, over at most *most_open* sockets, with a heartbeat meanwhile.

    They begin 200 in each turn of the loop, and without the garbage collector: more in one turn, or
    its walk over a crowd of tasks, make a long turn without any SDK. One call goes before them, and
    pays for what a process does once: imports below the SDK, and reading the certificates.
    """
    assert await _outcome(client.get_user_group(QUICK)) == "ok"
    before = asyncio.all_tasks()
    tasks: list[asyncio.Task[str]] = []
    gc.disable()
    try:
        async with Heartbeat() as heartbeat:
            for start in range(0, calls, 200):
                tasks += [
                    asyncio.create_task(_outcome(client.get_user_group(QUICK))) for _ in range(min(200, calls - start))
                ]
                await asyncio.sleep(0)
            outcomes = Counter(await asyncio.gather(*tasks))
    finally:
        gc.enable()
    wrong = []
    if (opened := site.figures()["most_open"]) > most_open:
        wrong.append(f"{opened} sockets")
    if outcomes["ok"] != calls:
        wrong.append("not all calls were served")
    lost = await losses(client, site, before)
    return Report(calls=calls, outcomes=outcomes, lost=lost, wrong=tuple(wrong), largest_gap=heartbeat.largest_gap)


LARGEST_GAP = 0.05  # seconds


async def queue(client: SmartPMClient, site: Site, *, waiters: int, staying: int, seed: int) -> Report:
    """
    Row 70: let *waiters* come, and cancel all but *staying* of them, in any order: these are served, and in turn.
    """
    dice = random.Random(seed)
    before = asyncio.all_tasks()
    names = [f"{HELD}-0000-0000-0000-{number:012}" for number in range(waiters)]
    tasks = [asyncio.create_task(_outcome(client.get_user_group(name, timeout=None))) for name in names]
    await asyncio.sleep(0)  # by then each has come to the gate
    assert in_flight(client) + waiting(client) == waiters
    inside = in_flight(client)
    stay = sorted(dice.sample(range(inside, waiters), staying))
    leave = sorted(set(range(waiters)) - set(stay), key=lambda number: dice.random())
    for number in leave:
        tasks[number].cancel()
    site.open_gate()
    await asyncio.wait(tasks)
    outcomes = Counter("CancelledError" if task.cancelled() else task.result() for task in tasks)
    lost = await losses(client, site, before)
    came = [name for name in site.figures()["held"] if name not in names[:inside]]
    wrong = []
    if outcomes["ok"] != staying:
        wrong.append(f"{outcomes['ok']} of {staying} were served")
    if inside == 1 and came != [names[number] for number in stay]:  # else they overtake each other on the way
        wrong.append("not first come, first served")
    return Report(calls=waiters, outcomes=outcomes, lost=lost, wrong=tuple(wrong))


async def rotation(
    client: M3terClient,
    clock: FakeClock,
    figures: Callable[[], Mapping[str, int]],
    *,
    calls: int,
    every: float,
    memory: Callable[[], int],
) -> Report:
    """
    Row 72: make *calls* calls, one in *every* seconds of the clock, so that a token ends now and then.

    *memory* is asked after a tenth of them, and at the end.
    """
    outcomes: Counter[str] = Counter()
    before, begun, at_first, passed = asyncio.all_tasks(), clock(), 0, 0.0
    for number in range(1, calls + 1):
        outcomes[await _outcome(client.list_user_groups("good").collect())] += 1
        passed += every
        if passed >= _STEP:
            await clock.advance(passed)
            passed = 0.0
        if number == calls // 10:
            gc.collect()
            at_first = memory()
    gc.collect()
    grown = memory() - at_first
    after, elapsed = figures(), clock() - begun
    fewest, most = elapsed / LIFE, elapsed / (LIFE - _AHEAD) + 1
    wrong = []
    if grown > _MOST_GROWN:
        wrong.append(f"memory grew by {grown:,} bytes")
    if not (fewest <= after["tokens"] == after["used"] <= most):
        wrong.append(f"{after['tokens']} token requests for {after['used']} tokens used in {elapsed:.0f} s")
    if outcomes["ok"] != calls:
        wrong.append("not all calls were served")
    return Report(calls=calls, outcomes=outcomes, lost=await losses(client, None, before), wrong=tuple(wrong))


_STEP = 5.0  # seconds by which the clock is moved at once
_AHEAD = 65 + _STEP  # seconds before its end, at most, in which a token of that life is renewed
_MOST_GROWN = 5 * 1024 * 1024  # bytes


async def _outcome(call: Awaitable[object]) -> str:
    try:
        await call
    except Exception as error:  # noqa: BLE001  # whatever it is, it is counted
        return type(error).__name__
    return "ok"
