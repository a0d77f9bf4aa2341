"""Cancels, deadlines and shutdown; and loops that end, or have their tasks begin at once."""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from itertools import count
from threading import Barrier, Event, Thread

import anyio
import attrs
import httpx
import pytest

from faults.calls import (
    BOTH_WAYS,
    GOOD_GROUP,
    GOOD_PAGE,
    GROUP_ID,
    LIST,
    ON_ALL,
    TOKEN,
    good_tokens,
    listed,
    serve,
)
from rig.bodies import least
from rig.cancel import explore
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.goes import goes
from rig.leaks import Watch
from rig.script import Gate, Script, hold, json_answer, pause, silence, token_answer
from rig.sentence import sentence
from rig.server import FaultServer, Request
from storms import rows
from storms.losses import busy
from storms.server import ServerThread
from usergroups import APIConnectionError, APITimeoutError, M3terClient, RetryPolicy, sweep

SEED = 63

AGAIN = pytest.mark.parametrize("again", ["anyio", "by hand"])
TIMES = pytest.mark.parametrize("times", [1, 2, 100], ids=["once", "twice", "again and again"])

Transport = httpx.AsyncBaseTransport | None
Call = Callable[[], Awaitable[object]]


def listing(request: Request, n: int) -> Script:
    """Return a page of three of a user's groups, each named after the user and the page."""
    number = int(dict(request.query).get("nextToken", "1"))
    user = request.path.split("/")[4]
    group = least("m3ter", "UserGroup", id=f"{user}-{number}")
    return json_answer({"data": [group], "nextToken": str(number + 1) if number < 3 else None})


@pytest.fixture
def site(make_server: MakeServer) -> ServerThread:
    """Return a server with the weather of storms."""
    return ServerThread(make_server(keep=1000))


# 63 and 64: crowds and storms


def check(report: rows.Report) -> None:
    """Check that a storm did no harm."""
    assert str(report.lost) == "0/0/0"
    assert report.wrong == ()


@pytest.mark.usefixtures("quiet")
@ON_ALL
@pytest.mark.parametrize(
    ("callers", "max_in_flight", "timeout"),
    [pytest.param(100, 10, 0.1, id="100 callers"), pytest.param(150, 100, 0.3, id="150 callers")],
)
async def test_f63_deadlines_of_a_crowd_lose_no_slot(
    smartpm: MakeSmartPM, site: ServerThread, callers: int, max_in_flight: int, timeout: float
) -> None:
    """Callers whose time runs out, more of them than can be served, take no place and no connection along."""
    client = smartpm(site.url, max_in_flight=max_in_flight, timeout=timeout)

    for seconds in (0.6, 3.0, 15.0):  # more where the machine has other work, so that something happens
        report = await rows.crowd(client, site, callers=callers, seconds=seconds)
        check(report)
        assert set(report.outcomes) <= {"ok", "APITimeoutError"}
        if report.calls > callers and (report.outcomes["APITimeoutError"] or max_in_flight == 100):
            return  # those hundred may be served in time, if all is quick
    pytest.fail(f"nothing much happened: {report}")


@pytest.mark.usefixtures("quiet")
@ON_ALL
async def test_f63_failing_task_groups_lose_no_slot(smartpm: MakeSmartPM, site: ServerThread) -> None:
    """When one of 31 calls in a TaskGroup fails and the others are cancelled, nothing is lost."""
    report = await rows.groups(smartpm(site.url), site, members=31, seconds=0.6)

    check(report)
    assert report.outcomes["NotFoundError"] > 0
    assert report.outcomes["CancelledError"] > 0


@pytest.mark.usefixtures("quiet")
@ON_ALL
async def test_f64_storm_loses_nothing(m3ter: MakeM3ter, site: ServerThread) -> None:
    """Calls in all weathers, half of them cancelled up to three times, leave no slot, task or socket behind."""
    client = m3ter(site.url, timeout=1.0, retry=RetryPolicy(attempts=2, backoff_initial=0.005))

    report = await rows.squall(client, site, calls=300, seed=SEED)

    check(report)
    assert report.outcomes["ok"] > 10
    assert report.outcomes["CancelledError"] > 50


# 65 and 86: cancelled at every step


async def no_harm(
    watch: Watch, client: object, call: Call, value: object, *, times: int, step: int = 1, between: Call | None = None
) -> int:
    """
    Cancel *call* at every *step*th step that it takes, so many *times*, and check after each that nothing is lost.

    *between* is done after each check. The number of steps is given.
    """
    async for cut in explore(call, times=times, step=step):
        if cut.cancelled:
            assert isinstance(cut.error, asyncio.CancelledError), cut
        else:
            assert (cut.value, cut.error) == (value, None)
        assert (await watch.at_rest(), busy(client)) == ([], 0), cut.k
        if between is not None:
            await between()
    assert await call() == value
    return cut.k


@pytest.mark.usefixtures("quiet")
@ON_ALL
@TIMES
@pytest.mark.parametrize("connection", ["new", "kept"])
async def test_f65_f86_one_call_at_every_step(
    smartpm: MakeSmartPM, server: FaultServer, watch: Watch, connection: str, times: int
) -> None:
    """A call that is cancelled at any step ends with the cancel and leaves nothing behind."""
    server.always("*", GOOD_GROUP)
    client = smartpm(server, max_in_flight=1)

    async def call() -> str | None:
        return (await client.get_user_group(GROUP_ID)).name

    async def hang_up() -> None:
        server.hang_up()
        await server.all_closed()

    between = hang_up if connection == "new" else call
    assert await no_harm(watch, client, call, "Operators", times=times, between=between) > 3


@pytest.mark.usefixtures("quiet")
@ON_ALL
@TIMES
async def test_f65_token_fetch_at_every_step(m3ter: MakeM3ter, server: FaultServer, watch: Watch, times: int) -> None:
    """A call that has to fetch a token first may be cancelled at any step; what it fetched serves the next one."""
    clock = FakeClock(autopilot=False)
    serve(server, tokens=good_tokens(expires_in=600))
    client = m3ter(server, clock=clock, max_in_flight=1)

    async def end_of_the_token() -> None:
        await clock.advance(600)

    steps = await no_harm(watch, client, lambda: listed(client), ["group-1"], times=times, between=end_of_the_token)

    assert steps > 6
    assert server.count(TOKEN) <= steps + 1


@pytest.mark.usefixtures("quiet")
@ON_ALL
@TIMES
async def test_f65_retry_at_every_step(m3ter: MakeM3ter, server: FaultServer, watch: Watch, times: int) -> None:
    """A call whose first attempt fails may be cancelled at any step of either attempt, and in between."""
    seen: set[str] = set()
    runs = count()

    def answer(request: Request, n: int) -> Script:
        first = request.path not in seen
        seen.add(request.path)
        return json_answer({}, 503) if first else GOOD_PAGE

    serve(server, answer)
    client = m3ter(server, retry=RetryPolicy(backoff_initial=0.002, backoff_max=0.002), max_in_flight=1)
    await client.authenticate()

    steps = await no_harm(watch, client, lambda: listed(client, f"u{next(runs)}"), ["group-1"], times=times)

    assert steps > 6


@pytest.mark.usefixtures("quiet")
@ON_ALL
@TIMES
@BOTH_WAYS
async def test_f65_pager_at_every_step(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch, prefetch: bool, times: int
) -> None:
    """A listing of three pages may be cancelled at any step, while pages are fetched and while they are read."""
    serve(server, listing)
    client = m3ter(server, max_in_flight=1)

    async def call() -> int:
        items = 0
        async for _ in client.list_user_groups("u", prefetch=prefetch):
            items += 1
            await asyncio.sleep(0)
        return items

    await call()
    assert await no_harm(watch, client, call, 3, times=times) > 6


@attrs.define
class Users:
    """Users in a source that needs a moment for each, and to end when it is left before its end."""

    count: int
    begun: int = 0
    closed: int = 0

    async def __aiter__(self) -> AsyncIterator[str]:
        """Return the users."""
        self.begun += 1
        try:
            for number in range(self.count):
                await asyncio.sleep(0)
                yield f"u{number}"
        except BaseException:
            for _ in range(10):
                await asyncio.sleep(0)
            self.closed += 1
            raise
        self.closed += 1


@pytest.mark.usefixtures("quiet")
@TIMES
async def test_f86_sweep_at_every_step(m3ter: MakeM3ter, server: FaultServer, watch: Watch, times: int) -> None:
    """Whenever the cancels of a sweep's reader begin, nothing is left behind, and its source is closed."""
    serve(server, listing)
    client = m3ter(server, max_in_flight=2)
    users = Users(3)

    async def read() -> int:
        calls = sweep(lambda user: listed(client, user, prefetch=True), users, concurrency=2)
        return sum([len(outcome.value or ()) async for outcome in calls])

    async def closed() -> None:
        assert users.closed == users.begun

    await client.authenticate()
    await no_harm(watch, client, read, 9, times=times, step=3, between=closed)


# 86: cancelled until it has ended


async def cancel(work: Call, when: Callable[[], Awaitable[object]], again: str) -> None:
    """Cancel *work* when it is time, and again in each turn of the loop until it has ended."""
    if again == "anyio":
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(work)
                await when()
                scope.cancel()
        return
    task = asyncio.ensure_future(work())
    await when()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()


def end_in_a_pool(transport: Transport, server: FaultServer) -> None:
    """End what goes on without its caller: in a pool of the user's own, nothing is cancelled."""
    if isinstance(transport, httpx.AsyncHTTPTransport):
        server.hang_up()


@ON_ALL
@AGAIN
async def test_f86_sweep_that_is_cancelled_again(
    m3ter: MakeM3ter,
    server: FaultServer,
    watch: Watch,
    again: str,
    transport: Transport,
) -> None:
    """A sweep's reader that is cancelled again while the source closes leaves no task, and the source closed."""
    gate = Gate()
    server.once(LIST, *[listing] * 4)
    serve(server, (hold(gate), GOOD_PAGE))
    client = m3ter(server)
    users = Users(100)

    async def read() -> None:
        try:
            calls = sweep(lambda user: listed(client, user), users, concurrency=4)
            async with aclosing(calls) as outcomes:
                async for _ in outcomes:
                    pass
        finally:
            assert (users.begun, users.closed) == (1, 1)

    await cancel(read, lambda: gate.arrived(4), again)
    end_in_a_pool(transport, server)

    assert await watch.at_rest() == []


@ON_ALL
@AGAIN
async def test_f86_pager_that_is_cancelled_again(
    m3ter: MakeM3ter,
    server: FaultServer,
    watch: Watch,
    again: str,
    transport: Transport,
) -> None:
    """A reader that is cancelled again while the page ahead is given up leaves nothing of it."""
    gate = Gate()
    server.once(LIST, listing)
    serve(server, (hold(gate), GOOD_PAGE))
    client = m3ter(server, max_in_flight=1)

    async def read() -> None:
        async with aclosing(client.list_user_groups("u", prefetch=True).pages()) as pages:
            async for _ in pages:
                await asyncio.Event().wait()

    await cancel(read, gate.arrived, again)
    end_in_a_pool(transport, server)

    assert await watch.at_rest() == []
    assert server.count(LIST) == 2


# 66: cancels and deadlines


@pytest.mark.parametrize("moment", ["waiting for an answer", "before the gate", "waiting for a token"])
async def test_f66_cancel_from_outside_is_a_cancel(m3ter: MakeM3ter, server: FaultServer, moment: str) -> None:
    """Whoever cancels a call gets `CancelledError`, wherever the call is."""
    gate = Gate()
    serve(server, (hold(gate), GOOD_PAGE), tokens=(hold(gate), token_answer()) if "token" in moment else token_answer())
    client = m3ter(server, max_in_flight=1)
    first = asyncio.create_task(listed(client, "first"))
    await gate.arrived()
    task = asyncio.create_task(listed(client)) if "gate" in moment else first
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    gate.open()
    if task is not first:
        assert len(await first) == 1


@pytest.mark.parametrize("where", ["the client", "the call"])
async def test_f66_own_deadline_is_a_timeout(
    smartpm: MakeSmartPM, server: FaultServer, watch: Watch, where: str
) -> None:
    """When the time of a call runs out, `APITimeoutError` says so, and nobody is cancelled."""
    server.always("*", (silence,))
    client = smartpm(server, timeout=0.05 if where == "the client" else 60.0)
    options = {} if where == "the client" else {"timeout": 0.05}

    for go in goes():
        begun = time.monotonic()
        with watch.raises(APITimeoutError, match=r"no answer within 0\.05 s") as caught:
            await client.get_user_group(GROUP_ID, **options)
        go.took(time.monotonic() - begun, at_most=0.1)
        assert isinstance(caught.value, TimeoutError)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


@pytest.mark.parametrize("first", ["the cancel", "the deadline"])
async def test_f66_cancel_wins_over_a_deadline(smartpm: MakeSmartPM, server: FaultServer, first: str) -> None:
    """Where a cancel and the call's deadline fall into one turn of the loop, in either order, it was cancelled."""
    server.always("*", (silence,))
    clock = FakeClock(autopilot=False, rules_loop=True)
    clock.watch()
    client = smartpm(server, timeout=0.2, clock=clock)
    task = asyncio.create_task(client.get_user_group(GROUP_ID))
    await asyncio.sleep(0)  # the deadline's timer is set here
    if first == "the deadline":
        asyncio.get_running_loop().call_later(0.205, task.cancel)
    await server.got(1)

    clock.skip(0.21)
    if first == "the cancel":
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_f66_outer_deadline_is_its_owners(smartpm: MakeSmartPM, server: FaultServer) -> None:
    """`asyncio.timeout` around a call gives its owner a plain `TimeoutError`, not one of ours."""
    server.always("*", (silence,))
    client = smartpm(server, timeout=60.0)

    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.05):
            await client.get_user_group(GROUP_ID)

    assert type(caught.value) is TimeoutError


# 67: closing


async def test_f67_close_ends_calls_in_flight(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """`aclose()` with 100 calls in flight, and 50 before the gate, ends each of them with a clear error at once."""
    gate = Gate()
    serve(server, (hold(gate), GOOD_PAGE))
    client = m3ter(server, max_in_flight=100)
    calls = [asyncio.create_task(listed(client)) for _ in range(150)]
    await gate.arrived(100)
    begun = time.monotonic()

    await client.aclose()
    await asyncio.wait(calls, timeout=1)

    assert time.monotonic() - begun < 1
    errors = [task.exception() for task in calls]
    assert {type(error) for error in errors} == {APIConnectionError}
    assert {sentence(error) for error in errors} == {
        "GET /organizations/org-1/users/user-1/usergroups failed: the client is closed"
    }
    watch.saw(errors[0])
    assert server.count(LIST) == 100


@pytest.mark.parametrize("turns", [0, 1], ids=["before", "after"])
async def test_f67_close_as_the_time_of_a_call_runs_out(smartpm: MakeSmartPM, server: FaultServer, turns: int) -> None:
    """A call whose time runs out in the very moment in which the client is closed is told that it is closed."""

    async def close() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.aclose()

    server.always("*", (silence,))
    clock = FakeClock(autopilot=False, rules_loop=True)
    clock.watch()
    client = smartpm(server, clock=clock)
    call = asyncio.create_task(client.get_user_group(GROUP_ID, timeout=0.3))
    await server.got(1)
    closing = asyncio.create_task(close())

    clock.skip(0.3)  # the call's time is up before the closing has its first turn

    await closing
    with pytest.raises(APIConnectionError, match=r"failed: the client is closed \("):
        await call


async def test_f67_closing_several_times_at_once(m3ter: MakeM3ter, server: FaultServer) -> None:
    """Several `aclose()` at the same time, one of which is cancelled half-way, leave no call that does not end."""
    gate = Gate()
    serve(server, (hold(gate), GOOD_PAGE))
    client = m3ter(server)
    calls = [asyncio.create_task(listed(client)) for _ in range(16)]
    await gate.arrived(16)
    cancelled, *others = [asyncio.create_task(client.aclose()) for _ in range(3)]
    await asyncio.sleep(0)

    cancelled.cancel()
    async with asyncio.timeout(1):
        await asyncio.gather(client.aclose(), *others)
        await asyncio.wait([cancelled, *calls])

    assert {type(task.exception()) for task in calls} == {APIConnectionError}


# What the programs of these tests begin with: a client on one of the transports, and a loop to use it in.
BEGINNING = """
import asyncio, os, sys
from usergroups import M3terClient, sweep
from usergroups.transports import aiohttp_transport

url, kind, *more = sys.argv[1:]
transport = aiohttp_transport() if kind == "aiohttp" else None
client = M3terClient(
    org_id="org-1", api_key="CANARY-key", api_secret="CANARY-secret", base_url=url,
    max_in_flight=100, max_rate=None, transport=transport,
)

def run(main):
    with asyncio.Runner() as runner:
        runner.get_loop().slow_callback_duration = 60.0  # how fast this machine is does not matter
        runner.run(main)
"""


async def started(code: str, *arguments: str, warnings: str = "error") -> asyncio.subprocess.Process:
    """Start the program *code* in Python's development mode, for so many *warnings*."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-W", warnings, "-c", BEGINNING + code, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


CLOSING = """
async def main():
    calls = [asyncio.create_task(client.list_user_groups("u").collect()) for _ in range(100)]
    await asyncio.to_thread(sys.stdin.readline)
    await client.aclose()
    await client.aclose()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    outcomes += await asyncio.gather(client.list_user_groups("u").collect(), return_exceptions=True)
    print(len(outcomes), *{str(outcome).partition(" (1 attempt")[0] for outcome in outcomes})
    if transport is not None:
        await transport.aclose()

run(main())
"""


@pytest.mark.parametrize("kind", ["httpcore", "aiohttp"])
async def test_f67_closing_is_quiet(server: FaultServer, kind: str) -> None:
    """In Python's development mode, with warnings as errors, closing with 100 calls in flight says nothing."""
    gate = Gate()
    serve(server, (hold(gate), GOOD_PAGE))

    process = await started(CLOSING, server.url, kind)
    await gate.arrived(100, timeout=20)
    printed, complaints = await process.communicate(b"\n")

    assert complaints.decode() == ""
    assert process.returncode == 0
    assert printed.decode() == "101 GET /organizations/org-1/users/u/usergroups failed: the client is closed\n"


# 68: loops, threads and processes


def serve_groups_by_user(server: FaultServer, wait: float = 0.0) -> None:
    """Let *server* answer with a group that is named after the user."""
    serve(
        server,
        lambda request, n: (
            pause(wait),
            json_answer({"data": [least("m3ter", "UserGroup", id=request.path.split("/")[4])]}),
        ),
    )


async def ask(client: M3terClient, names: list[str]) -> list[str]:
    """Return the ids of the groups of the users *names*, asked for all at once."""
    return [one for (one,) in await asyncio.gather(*(listed(client, name) for name in names))]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of a loop that ended without `aclose()`, as documented
def test_f68_one_loop_after_another(m3ter: MakeM3ter, server: FaultServer, transport: Transport) -> None:
    """A client works in one `asyncio.run` after another, with new connections and the same token."""
    serve_groups_by_user(server)
    client = m3ter(server)
    names = [f"u{number}" for number in range(20)]

    async def main(*, last: bool) -> list[str]:
        try:
            return await ask(client, names)
        finally:
            if last:
                await client.aclose()
            if transport is not None:
                await transport.aclose()

    answers = [asyncio.run(main(last=last)) for last in (False, False, True)]
    gc.collect()  # the first loops' connections

    assert answers == [names] * 3
    assert server.count(TOKEN) == 1


def test_f68_two_threads_at_once(m3ter: MakeM3ter, server: FaultServer, transport: Transport) -> None:
    """A client that two threads use at the same time, each in a loop of its own, gives each its own answers."""
    serve_groups_by_user(server, wait=0.005)
    client = m3ter(server, max_in_flight=8)
    together = Barrier(2)
    answers: dict[str, list[str]] = {}

    async def main(thread: str) -> None:
        together.wait()
        for _ in range(3):
            answers[thread] = await ask(client, [f"{thread}{number}" for number in range(20)])
        if transport is not None:
            await transport.aclose()
        await asyncio.to_thread(together.wait)
        if thread == "a":
            await client.aclose()
        await server.all_closed()  # the other thread's connections, too

    threads = [Thread(target=lambda name=name: asyncio.run(main(name)), daemon=True) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)
    assert answers == {name: [f"{name}{number}" for number in range(20)] for name in "ab"}
    assert server.count(TOKEN) <= 2


FORKING = """
def tell(*words):  # a line at once: two processes write to one pipe
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

async def ask(process):
    names = [f"{process}{number}" for number in range(20)]
    pages = await asyncio.gather(*(client.list_user_groups(name).collect() for name in names))
    tell(process, [group.id for (group,) in pages] == names)

async def main():
    await ask("before")  # leaves connections that are kept alive
    under_way = asyncio.create_task(ask("parent"))
    await asyncio.sleep(0.01)
    if os.fork() == 0:
        asyncio.run(ask("child"))
        os._exit(0)
    await under_way
    await ask("after")
    _, status = await asyncio.to_thread(os.wait)
    tell("status", status)
    await client.aclose()

run(main())
"""


@pytest.mark.parametrize("kind", ["httpcore", "aiohttp"])
async def test_f68_forked_process_gets_its_own_answers(server: FaultServer, kind: str) -> None:
    """A process that is forked while calls are under way uses the client too, and neither sees the other's answers."""
    serve_groups_by_user(server, wait=0.02)

    process = await started(FORKING, server.url, kind, warnings="ignore::DeprecationWarning")
    printed, complaints = await asyncio.wait_for(process.communicate(), 20)

    assert sorted(printed.decode().splitlines()) == sorted(
        ["before True", "parent True", "child True", "after True", "status 0"]
    ), complaints.decode()
    assert server.count(TOKEN) == 1


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of a loop that ended without `aclose()`, as documented
@pytest.mark.parametrize("moment", ["waiting for a token", "waiting for an answer"])
def test_f68_loop_that_ends_in_the_middle(
    m3ter: MakeM3ter, server: FaultServer, transport: Transport, moment: str
) -> None:
    """When a loop ends while a call is under way, the client works in the next one and waits for nothing of the old."""
    gate = Gate()
    server.once(TOKEN if "token" in moment else LIST, (hold(gate), json_answer({})))
    serve_groups_by_user(server)
    client = m3ter(server)
    kept: list[object] = []

    async def first() -> None:
        kept.append(asyncio.create_task(listed(client, "first")))
        await gate.arrived()
        if transport is not None:
            await transport.aclose()

    async def second() -> list[str]:
        try:
            return await ask(client, ["second"])
        finally:
            await client.aclose()
            if transport is not None:
                await transport.aclose()

    asyncio.run(first())
    answers = asyncio.run(second())
    kept.clear()
    gc.collect()  # the first loop's connections

    assert answers == ["second"]


def test_f68_two_threads_may_close(make_smartpm: MakeSmartPM) -> None:
    """A client that one thread is just closing may be closed by another: each comes back."""
    asked, closing, released = Event(), Event(), Event()

    class Slow(httpx.AsyncBaseTransport):
        """Takes its time to end."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.set()
            try:
                return await asyncio.get_running_loop().create_future()
            finally:
                closing.set()
                await asyncio.to_thread(released.wait, 5)

    client = make_smartpm(transport=Slow())

    async def first() -> None:
        call = asyncio.create_task(client.get_user_group(GROUP_ID))
        await asyncio.to_thread(asked.wait, 5)
        await client.aclose()
        with pytest.raises(APIConnectionError, match="the client is closed"):
            await call

    thread = Thread(target=lambda: asyncio.run(first()), daemon=True)
    thread.start()
    assert closing.wait(5)

    asyncio.run(client.aclose())

    assert thread.is_alive()
    released.set()
    thread.join(5)
    assert not thread.is_alive()


# 102: iterators that are kept


KEEPING = """
kept = []

async def main():
    pager = client.list_user_groups("u", prefetch=True)
    begin = {
        "items": lambda: aiter(pager),
        "pages": pager.pages,
        "sweep": lambda: sweep(lambda group: asyncio.sleep(0), pager),
    }
    kept.append(begin[more[0]]())
    await anext(kept[0])
    await asyncio.to_thread(sys.stdin.readline)
    if transport is not None:
        await transport.aclose()

run(main())
print("ended")
"""


@pytest.mark.parametrize("kind", ["httpcore", "aiohttp"])
@pytest.mark.parametrize("ahead", ["on its way", "there"])
@pytest.mark.parametrize("what", ["items", "pages", "sweep"])
async def test_f102_loop_that_ends_with_an_iterator_kept(server: FaultServer, what: str, ahead: str, kind: str) -> None:
    """A program that ends with a listing half read, and nothing closed, hears of nothing but open sockets."""
    gate = Gate()
    server.once(LIST, listing)
    serve(server, (hold(gate), GOOD_PAGE) if ahead == "on its way" else listing)

    process = await started(KEEPING, server.url, kind, what, warnings="ignore::ResourceWarning")
    await (gate.arrived(timeout=20) if ahead == "on its way" else server.got(4 if what == "sweep" else 3, timeout=20))
    printed, complaints = await process.communicate(b"\n")

    assert complaints.decode() == ""
    assert (printed, process.returncode) == (b"ended\n", 0)
