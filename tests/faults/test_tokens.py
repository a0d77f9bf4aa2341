"""Rows 85, 86 and 104 to 106 of the fault table: which token a request carries, and for how long one is waited for."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import pytest

from faults.token_endpoint import (
    DOWN,
    FORBIDDEN,
    LIST,
    PAGE,
    TOKEN,
    WRONG,
    bearer,
    good_tokens,
    listed,
    presented,
    token,
)
from rig.cancel import explore
from rig.clock import FakeClock
from rig.eager import begin_tasks_eagerly
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from rig.script import Gate, Script, answer, hold, silence, token_answer
from rig.server import FaultServer, Request
from rig.tally import Tally
from unit.endpoint import Shelf
from usergroups import APITimeoutError, M3terClient, RetryPolicy, Token, sweep

pytest_plugins = ("faults.kinds",)  # clients on either transport

A, B = token(1), token(2)
GROUPS = ["group-1"]

Ask = Callable[[M3terClient], Awaitable[object]]


# 104: a token ends while requests stand in line


class Lives:
    """A server whose tokens live for *life* seconds of the test's clock; it looks at that as each request comes."""

    def __init__(self, server: FaultServer, clock: FakeClock, life: float) -> None:
        self.came = Tally()
        self.refused = 0
        self._clock = clock
        self._life = life
        self._ends_at: dict[str, float] = {}
        server.always(TOKEN, self.issue)
        server.always(LIST, self.serve)

    def issue(self, request: Request, n: int) -> Script:
        """Hand out a token."""
        self._ends_at[token(n)] = self._clock() + self._life
        self.came.add(1)
        return token_answer(token(n), self._life)

    def serve(self, request: Request, n: int) -> Script:
        """Return the list to whoever presents a token that has not ended."""
        good = self._clock() < self._ends_at[bearer(request)]
        self.refused += not good
        self.came.add(1)
        return PAGE if good else FORBIDDEN


@pytest.mark.parametrize("life", [1.9, 10.0], ids=["no refresh ahead", "refresh ahead"])
async def test_f104_no_request_carries_an_ended_token(server: FaultServer, m3ter: MakeM3ter, life: float) -> None:
    """A crowd that stands in line for longer than a token lives is served with one after another; nobody fails."""
    clock = FakeClock(autopilot=False, grace=0.01)
    site = Lives(server, clock, life)
    client = m3ter(server, clock=clock, max_rate=2.0, timeout=None)
    crowd = [asyncio.create_task(listed(client, f"user-{number}")) for number in range(30)]

    starts = 1
    await site.came.until(lambda number: number >= 1)
    while not all(one.done() for one in crowd):
        await clock.advance(0.51)  # to the next start
        starts += 1
        if site.came.value < starts and not all(one.done() for one in crowd):
            await site.came.until(lambda number: number >= starts)  # noqa: B023  # it is waited for here

    await clock.advance(0.51)  # for a refresh that may have begun with the last one

    assert [await one for one in crowd] == [GROUPS] * 30
    assert (site.refused, server.count(LIST)) == (0, 30)
    assert server.count(TOKEN) <= (11 if life < 2.0 else 4)


async def test_f104_next_attempt_carries_the_token_that_is_good_then(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A request that is tried again after a long `Retry-After` shows another token than before, if that has ended."""
    clock = FakeClock(grace=0.05)
    server.always(TOKEN, good_tokens(expires_in=60))
    server.once(LIST, answer(b"", 503, {"Retry-After": "59"}))
    server.always(LIST, PAGE)
    client = m3ter(server, clock=clock, timeout=None)

    assert await listed(client) == GROUPS
    assert presented(server) == [A, B]


async def test_f104_only_place_is_free_for_the_fetch(server: FaultServer, m3ter: MakeM3ter) -> None:
    """With one request on the wire at a time, whoever waits for another token does so beside the line."""
    clock = FakeClock(autopilot=False, grace=0.01)
    gate = Gate()
    server.always(TOKEN, good_tokens(expires_in=60))
    server.once(LIST, (hold(gate), PAGE))
    server.always(LIST, PAGE)
    client = m3ter(server, clock=clock, max_in_flight=1, timeout=None)
    crowd = [asyncio.create_task(listed(client, f"user-{number}")) for number in range(5)]
    await gate.arrived()

    await clock.advance(60)
    gate.open()

    assert await asyncio.gather(*crowd) == [GROUPS] * 5
    assert Counter(presented(server)) == {A: 1, B: 4}


# 105: a token is revoked while those who waited for it stand in line


async def test_f105_token_that_was_of_use_is_replaced_for_all(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A crowd's first token is revoked when some have used it: one replacement, one repeat each, and nobody fails."""
    server.always(TOKEN, good_tokens())
    server.always(LIST, lambda request, n: PAGE if n <= 4 or bearer(request) == B else WRONG)
    client = m3ter(server, max_in_flight=2)

    given = await asyncio.gather(*(listed(client, f"user-{number}") for number in range(30)))

    paths = Counter(request.path for request in server.asked(LIST))
    assert given == [GROUPS] * 30
    assert server.count(TOKEN) == 2
    assert max(paths.values()) == 2


# 106: no call ends with a time-out before its own time is over


@pytest.mark.parametrize("attempts", [1, 3])
async def test_f106_call_with_more_time_than_the_client_has_it(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, attempts: int
) -> None:
    """A call whose `timeout` is longer than the client's is served, though the endpoint takes longer than that."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), token_answer()))
    server.always(LIST, PAGE)
    client = m3ter(server, timeout=0.2, retry=RetryPolicy(attempts=attempts))

    patient = asyncio.create_task(listed(client, timeout=30.0))
    await gate.arrived()
    for _ in range(3):  # each of them joins that fetch
        with watch.raises(APITimeoutError, match=r"no answer within 0\.2 s"):
            await listed(client)
    gate.open()

    assert await patient == GROUPS
    assert server.count(TOKEN) == 1


@pytest.mark.parametrize("ask", [listed, M3terClient.authenticate], ids=["a list", "authenticate"])
async def test_f106_who_joins_a_fetch_has_its_own_time(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, ask: Ask
) -> None:
    """A caller who joins a fetch that began earlier times out at its own end, not at that of the one who began it."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), token_answer()))
    client = m3ter(server, timeout=0.3)
    loop = asyncio.get_running_loop()

    async def late() -> float:
        began = loop.time()
        with watch.raises(APITimeoutError):
            await ask(client)
        return loop.time() - began

    first = asyncio.create_task(late())
    await gate.arrived()
    await asyncio.sleep(0.15)
    joiner = await late()

    assert joiner >= 0.3
    assert await first >= 0.3
    assert server.count(TOKEN) == 1


async def test_f106_who_joins_a_fetch_is_served(server: FaultServer, m3ter: MakeM3ter, watch: Watch) -> None:
    """A caller who joins a fetch when the time of the one who began it is nearly over is served within its own."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), token_answer()))
    server.always(LIST, PAGE)
    client = m3ter(server, timeout=0.3)

    first = asyncio.create_task(listed(client))
    await gate.arrived()
    joiner = asyncio.create_task(listed(client, timeout=20.0))
    with watch.raises(APITimeoutError):
        await first
    gate.open()

    assert await joiner == GROUPS
    assert server.count(TOKEN) == 1


async def test_f106_fetch_is_tried_again_for_whoever_has_the_time(server: FaultServer, m3ter: MakeM3ter) -> None:
    """How long an endpoint that fails is tried again goes by the caller who has most time, not by the client's."""
    server.once(TOKEN, DOWN)
    server.always(TOKEN, good_tokens())
    server.always(LIST, PAGE)
    client = m3ter(server, timeout=0.1, roll=0.9, retry=RetryPolicy(backoff_initial=0.3))

    assert await listed(client, timeout=30.0) == GROUPS
    assert server.count(TOKEN) == 2


@pytest.mark.parametrize("transport", ["httpcore", "aiohttp", "pool"], indirect=True)
async def test_f106_fetch_that_nobody_waits_for_holds_no_place(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch
) -> None:
    """An endpoint that is silent costs those who wait their time, and those who come later nothing."""
    server.once(TOKEN, (silence,))
    server.always(TOKEN, good_tokens())
    server.always(LIST, PAGE)
    client = m3ter(server, timeout=0.2, max_in_flight=1)

    with watch.raises(APITimeoutError, match=r"no answer within 0\.2 s"):
        await listed(client)
    await asyncio.sleep(0.2)  # the fetch began a moment after the call

    assert await listed(client, timeout=5.0) == GROUPS
    assert server.count(TOKEN) == 2


# 85: tasks that begin at once


@pytest.fixture
async def eager_loop() -> None:
    """Have this test's loop begin its tasks at once."""
    begin_tasks_eagerly()


@pytest.mark.usefixtures("eager_loop")
@pytest.mark.parametrize("store", ["none", "empty", "filled"])
async def test_f85_eager_tasks(server: FaultServer, m3ter: MakeM3ter, store: str) -> None:
    """With eager tasks, and a store that holds a token or not, one after another and all at once, calls are served."""
    server.always(TOKEN, good_tokens())
    server.always(LIST, PAGE)
    shelf = Shelf(asyncio.get_running_loop().time)
    if store == "filled":
        await shelf.save(Token(A, 600.0))
    client = m3ter(server, timeout=5.0, token_store=None if store == "none" else shelf)

    await client.authenticate()
    given = [await listed(client)]
    given += [one.value async for one in sweep(lambda user: listed(client, user), ["user-1"] * 20) if one.value]
    ahead = [group.id async for group in client.list_user_groups("user-1", prefetch=True)]

    assert given == [GROUPS] * 21
    assert ahead == GROUPS
    assert set(presented(server)) == {A}
    assert server.count(TOKEN) == (store != "filled")


@pytest.mark.usefixtures("eager_loop")
async def test_f85_eager_refresh_and_replacement(server: FaultServer, m3ter: MakeM3ter) -> None:
    """With eager tasks, a token is refreshed ahead of its end, and replaced when it is refused."""
    clock = FakeClock(autopilot=False, grace=0.05)
    server.always(TOKEN, good_tokens(expires_in=100))
    good = {A, B}
    server.always(LIST, lambda request, n: PAGE if bearer(request) in good else WRONG)
    client = m3ter(server, clock=clock)
    await client.authenticate()

    await clock.advance(76)
    during = await listed(client)
    await clock.settle()
    after = await listed(client)
    good.clear()
    good.add(token(3))
    replaced = await listed(client)

    assert during == after == replaced == GROUPS
    assert presented(server) == [A, B, B, token(3)]


# 86: callers who are cancelled again and again


@pytest.mark.usefixtures("quiet")
async def test_f86_wait_for_a_token_that_is_cancelled_until_it_ends(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A caller who is cancelled in every turn, from whatever step of a call on, takes the token from nobody."""
    clock = FakeClock(autopilot=False)
    server.always(TOKEN, good_tokens(expires_in=60))
    server.always(LIST, PAGE)
    client = m3ter(server, clock=clock, max_in_flight=1)
    others: list[asyncio.Task[list[str]]] = []

    async def call() -> list[str]:
        others.append(asyncio.create_task(listed(client, "other")))  # who joins the fetch
        return await listed(client)

    steps = 0
    async for cut in explore(call, times=100):
        steps += 1
        if cut.cancelled and cut.value is None:
            assert isinstance(cut.error, asyncio.CancelledError)
        else:
            assert cut.value == GROUPS
        assert await asyncio.gather(*others) == [GROUPS] * len(others)
        await clock.advance(60)  # the next one needs a new token

    assert steps > 6
    assert server.count(TOKEN) <= steps


async def test_f86_crowd_in_a_cancel_scope(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A scope of anyio, which cancels in every turn, ends a crowd that waits for a token, and nobody else."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), token_answer()))
    server.always(LIST, PAGE)
    client = m3ter(server)
    other = asyncio.create_task(listed(client))
    await gate.arrived()

    with anyio.move_on_after(0.05) as scope:
        async with anyio.create_task_group() as crowd:
            for number in range(50):
                crowd.start_soon(listed, client, f"user-{number}")
    gate.open()

    assert scope.cancelled_caught
    assert await other == GROUPS
    assert (server.count(TOKEN), server.count(LIST)) == (1, 1)
