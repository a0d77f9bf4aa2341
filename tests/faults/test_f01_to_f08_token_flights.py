"""Rows 1 to 8 of the fault table: one fetch of a token for all who need it, and a new one ahead of time."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import httpx
import pytest

from faults.token_endpoint import DOWN, LIST, PAGE, TOKEN, listed, presented, token
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer
from rig.goes import goes
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.script import Gate, Script, head, hold, pause, reset, silence, token_answer
from rig.server import FaultServer, Request
from usergroups import APIConnectionError, APITimeoutError, M3terClient, ServerError, UserGroupsError

pytest_plugins = ("faults.kinds",)  # clients on either transport

ENDPOINT_TAKES = 0.05  # seconds
LIFE = 100  # seconds, of tokens on a fake clock: they end 5 s early, and are refreshed in the 20 s before that
LAST_PART, END = 75, 95


@pytest.fixture
def crowd(transport: httpx.AsyncBaseTransport | None) -> int:
    """Return the number of callers: whom a fetch serves is nothing to the transport, so the second has fewer."""
    return 10_000 if transport is None else 1_000


async def arrive(count: int, call: Callable[[], Awaitable[object]]) -> list["asyncio.Task[object]"]:
    """
    Start *count* callers, 50 in each turn of the event loop, as they come in life.

    All of them in one turn would be one long turn, whatever the SDK does.
    """

    async def caller() -> object:
        return await call()

    tasks = []
    for start in range(0, count, 50):
        tasks += [asyncio.create_task(caller()) for _ in range(min(50, count - start))]
        await asyncio.sleep(0)
    return tasks


async def outcomes(tasks: list["asyncio.Task[object]"]) -> list[BaseException | None]:
    """Return what each of *tasks* raised, or None."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [one if isinstance(one, BaseException) else None for one in results]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """
    Keep the interpreter from walking over the crowd.

    10,000 tasks that do nothing but wait make it stop the loop for up to 0.1 s, without any SDK.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def test_f01_ten_thousand_callers_share_one_fetch(
    make_server: MakeServer, m3ter: MakeM3ter, crowd: int, quiet: None
) -> None:
    """Any number of callers without a token cost one token request, and the event loop stays free."""
    for go in goes():
        gate, server = Gate(), make_server()
        server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), token_answer(token(1))))
        server.always(LIST, PAGE)
        client = m3ter(server)

        with no_garbage_collection():
            async with Heartbeat() as heartbeat:
                lists = await arrive(50, partial(listed, client))  # each costs a request, so only some are lists
                callers = await arrive(crowd - 50, client.authenticate)
                gate.open()
                assert await outcomes([*lists, *callers]) == [None] * crowd

        assert server.count(TOKEN) == 1
        assert presented(server) == [token(1)] * 50
        go.took(heartbeat.largest_gap, at_most=0.1)


async def test_f02_first_caller_may_leave(server: FaultServer, m3ter: MakeM3ter, crowd: int) -> None:
    """The caller whose call started the fetch is cancelled, and nobody else notices."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), token_answer()))
    client = m3ter(server)

    first, *_ = await arrive(1, client.authenticate)
    asyncio.get_running_loop().call_later(0.01, first.cancel)
    others = await arrive(crowd - 1, client.authenticate)
    await gate.arrived()
    left, *_ = await outcomes([first])
    gate.open()

    assert isinstance(left, asyncio.CancelledError)
    assert await outcomes(others) == [None] * (crowd - 1)
    assert server.count(TOKEN) == 1


async def test_f03_fetch_outlives_its_callers(server: FaultServer, m3ter: MakeM3ter, crowd: int) -> None:
    """A fetch that nobody waits for any more is finished, and its token serves the next call."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), token_answer(token(1))))
    server.always(LIST, PAGE)
    client = m3ter(server)

    callers = await arrive(crowd, client.authenticate)
    await gate.arrived()
    for caller in callers:
        caller.cancel()
    left = await outcomes(callers)
    gate.open()
    await FakeClock(grace=4 * ENDPOINT_TAKES).settle()  # the answer has come, with nobody there

    assert all(isinstance(one, asyncio.CancelledError) for one in left)
    assert await listed(client) == ["group-1"]
    assert (server.count(TOKEN), presented(server)) == (1, [token(1)])


async def test_f04_failure_is_shared_too(server: FaultServer, m3ter: MakeM3ter, crowd: int) -> None:
    """An endpoint that is down is asked as often as the policy says, and each caller gets an error of its own."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), DOWN))
    server.always(TOKEN, DOWN)
    client = m3ter(server, roll=0.0)

    callers = await arrive(crowd, client.authenticate)
    gate.open()
    errors = await outcomes(callers)

    assert server.count(TOKEN) == 3
    assert {type(error) for error in errors} == {ServerError}
    assert len({id(error) for error in errors}) == crowd


async def test_f05_impatient_callers_do_not_start_anew(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, quiet: None
) -> None:
    """An endpoint that takes longer than any caller waits is asked once, and then all are served."""
    clock = FakeClock(autopilot=False, rules_loop=True)  # the timeouts go by it, too: no noise can use them up
    clock.watch()
    gates: list[tuple[float, Gate]] = []

    def endpoint(request: Request, n: int) -> Script:
        gates.append((clock() + 0.06, gate := Gate()))
        return (hold(gate), token_answer(token(n)))

    async def pass_10_ms() -> None:
        clock.autopilot, clock.grace = False, 0.0
        await clock.advance(0.01)
        for opens_at, gate in gates:
            if clock() >= opens_at - 1e-6:
                gate.open()
        clock.autopilot, clock.grace = True, 0.5  # who is not served now is to hear it by its timeout

    server.always(TOKEN, endpoint)
    server.always(LIST, PAGE)
    client = m3ter(server, clock=clock)

    early = [asyncio.create_task(listed(client, timeout=0.05))]
    await server.got(1)
    for _ in range(5):
        await pass_10_ms()
        early.append(asyncio.create_task(listed(client, timeout=0.05)))
    late = []
    for _ in range(94):  # until a second is over
        await pass_10_ms()
        late.append(await listed(client, timeout=0.05))

    first, *_ = await outcomes(early)
    assert isinstance(first, APITimeoutError)
    watch.saw(first)
    assert late == [["group-1"]] * 94
    assert server.count(TOKEN) <= 2


async def test_f06_refresh_ahead_delays_nobody(server: FaultServer, make_m3ter: MakeM3ter) -> None:
    """A token in the last part of its life is replaced by one request, while callers go on with it."""
    clock = FakeClock(autopilot=False)
    gate = Gate()
    server.once(TOKEN, token_answer(token(1), LIFE), (hold(gate), token_answer(token(2), LIFE)))
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None)
    await client.authenticate()

    await clock.advance(LAST_PART + 1)
    old = await asyncio.gather(*(listed(client) for _ in range(20)))  # while the refresh is held up
    await gate.arrived()
    await clock.advance(6)  # longer than the pause between two tries
    old += await asyncio.gather(*(listed(client) for _ in range(20)))
    gate.open()
    await until_presented(client, server, token(2))
    new = await asyncio.gather(*(listed(client) for _ in range(20)))

    assert old + new == [["group-1"]] * 60
    assert presented(server)[:40] == [token(1)] * 40
    assert presented(server)[-20:] == [token(2)] * 20
    assert server.count(TOKEN) == 2


async def until_presented(client: M3terClient, server: FaultServer, wanted: str) -> None:
    """Call until a call presents *wanted*."""
    for _ in range(500):
        await listed(client)
        if presented(server)[-1] == wanted:
            return
    raise AssertionError(f"no call presented {wanted}")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(DOWN, ServerError, id="503"),
        pytest.param((head(200, length=100), reset), APIConnectionError, id="cut off"),
        pytest.param((reset,), APIConnectionError, id="reset"),
    ],
)
async def test_f07_old_token_serves_while_the_endpoint_is_down(
    server: FaultServer, make_m3ter: MakeM3ter, watch: Watch, fault: Script, error: type[UserGroupsError]
) -> None:
    """A refresh that fails is tried again every 5 s, and nobody sees it until the token has really ended."""
    clock = FakeClock(autopilot=False, grace=0.01)
    tries: list[float] = []

    def endpoint(request: Request, n: int) -> Script:
        tries.append(clock())
        return token_answer(token(1), LIFE) if n == 1 else fault

    server.always(TOKEN, endpoint)
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None, roll=0.0)
    await client.authenticate()
    fetched_at = clock()

    await clock.advance(LAST_PART - 0.5)
    seen = []
    while clock() < fetched_at + END - 1:
        seen.append(await listed(client))
        await clock.advance(1.0)
    background = tries[1:]

    assert seen == [["group-1"]] * 20
    assert 3 <= len(background) <= 4
    assert min(after - before for before, after in pairwise(background)) >= 5.0
    await clock.advance(1.0)
    with watch.raises(error):
        await listed(client)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(DOWN, ServerError, id="503"),
        pytest.param((reset,), APIConnectionError, id="reset"),
        pytest.param((silence,), APITimeoutError, id="silence"),
    ],
)
async def test_f08_expired_token_and_endpoint_recover(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, fault: Script, error: type[UserGroupsError]
) -> None:
    """Without a token and an endpoint there is a typed error in time, and the first call after recovery works."""
    clock = FakeClock(autopilot=False, grace=0.05)
    server.once(TOKEN, token_answer(token(1), LIFE))
    endpoint = server.always(TOKEN, fault)
    server.always(LIST, PAGE)
    client = m3ter(server, clock=clock, roll=0.0, timeout=0.2)
    await listed(client)

    await clock.advance(LIFE)
    for go in goes():
        for _ in range(2):
            began = time.monotonic()
            with watch.raises(error):
                await listed(client)
            go.took(time.monotonic() - began, at_most=0.25)
    await clock.settle()  # the fetch has the same 0.2 s, from a moment later
    endpoint.answer = token_answer(token(2), LIFE)

    assert await listed(client) == ["group-1"]
    assert presented(server) == [token(1), token(2)]
