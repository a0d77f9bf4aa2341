"""Rows 85, 86 and 102 of the fault table: tasks that begin at once, cancels that come again, loops that end."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import anyio
import attrs
import httpx
import pytest

from rig.cancel import explore
from rig.eager import begin_tasks_eagerly
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.script import Gate, Script, head, hold, json_answer, token_answer
from rig.server import FaultServer, Request
from usergroups import sweep

pytest_plugins = ("faults.kinds",)  # clients on either transport

TOKEN = "/oauth/token"
LIST = "/organizations/*"
GROUP = "550e8400-e29b-41d4-a716-446655440000"
GOOD_GROUP = json_answer({"id": GROUP, "name": "Operators", "users": []})

ON_ALL = pytest.mark.parametrize("transport", ["httpcore", "aiohttp", "pool"], indirect=True)
AGAIN = pytest.mark.parametrize("again", ["anyio", "by hand"])

Work = Callable[[], Awaitable[None]]


def listing(request: Request, n: int) -> Script:
    """Return a page of three of a user's groups, each named after the user and the page."""
    number = int(dict(request.query).get("nextToken", "1"))
    user = request.path.split("/")[4]
    return json_answer({"data": [{"id": f"{user}-{number}"}], "nextToken": str(number + 1) if number < 3 else None})


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


def others() -> set["asyncio.Task[object]"]:
    """Return the tasks that there are beside this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


async def cancel(work: Work, when: Callable[[], Awaitable[object]], again: str) -> None:
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


def end_in_a_pool(transport: httpx.AsyncBaseTransport | None, server: FaultServer) -> None:
    """End what goes on without its caller: in a pool of the user's own, nothing is cancelled."""
    if isinstance(transport, httpx.AsyncHTTPTransport):
        server.hang_up()


@ON_ALL
@AGAIN
@pytest.mark.parametrize("part", ["headers", "body"])
async def test_f86_call_that_is_cancelled_again(
    smartpm: MakeSmartPM,
    server: FaultServer,
    watch: Watch,
    part: str,
    again: str,
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    """A call that is cancelled in each turn of the loop until it has ended leaves nothing, and the next one works."""
    gate = Gate()
    half = head(200, length=len(GOOD_GROUP)) + b"{" if part == "body" else b""
    server.once("*", (half, hold(gate)))
    server.always("*", GOOD_GROUP)
    client = smartpm(server, max_in_flight=1)

    async def call() -> None:
        await client.get_user_group(GROUP)

    await cancel(call, gate.arrived, again)
    end_in_a_pool(transport, server)

    assert await watch.at_rest() == []
    assert (await client.get_user_group(GROUP)).name == "Operators"


@pytest.mark.usefixtures("quiet")
@ON_ALL
async def test_f86_call_that_is_cancelled_again_at_every_step(
    smartpm: MakeSmartPM, server: FaultServer, watch: Watch
) -> None:
    """Whenever the cancels of a call begin, and however many follow, nothing is left behind."""
    server.always("*", GOOD_GROUP)
    client = smartpm(server, max_in_flight=1)

    async def call() -> str | None:
        return (await client.get_user_group(GROUP)).name

    async for cut in explore(call, times=100):
        assert isinstance(cut.error, asyncio.CancelledError) if cut.cancelled else cut.value == "Operators"
        assert await watch.at_rest() == [], cut.k
        server.hang_up()
        await server.all_closed()


@ON_ALL
@AGAIN
async def test_f86_sweep_that_is_cancelled_again(
    m3ter: MakeM3ter,
    server: FaultServer,
    watch: Watch,
    again: str,
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    """A sweep's reader that is cancelled again while the source closes leaves no task, and the source closed."""
    gate = Gate()
    server.always(TOKEN, token_answer())
    server.once(LIST, *[listing] * 4)
    server.always(LIST, (hold(gate), json_answer({})))
    client = m3ter(server)
    users = Users(100)

    async def read() -> None:
        try:
            calls = sweep(lambda user: client.list_user_groups(user).collect(), users, concurrency=4)
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
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    """A reader that is cancelled again while the page ahead is given up leaves nothing of it."""
    gate = Gate()
    server.always(TOKEN, token_answer())
    server.once(LIST, listing)
    server.always(LIST, (hold(gate), json_answer({})))
    client = m3ter(server, max_in_flight=1)

    async def read() -> None:
        async with aclosing(client.list_user_groups("u", prefetch=True).pages()) as pages:
            async for _ in pages:
                await asyncio.Event().wait()

    await cancel(read, gate.arrived, again)
    end_in_a_pool(transport, server)

    assert await watch.at_rest() == []
    assert server.count(LIST) == 2


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("times", [1, 2, 100], ids=["once", "twice", "again and again"])
async def test_f86_sweep_at_every_step(m3ter: MakeM3ter, server: FaultServer, watch: Watch, times: int) -> None:
    """Whenever the cancels of a sweep's reader begin, nothing is left behind, and its source is closed."""
    server.always(TOKEN, token_answer())
    server.always(LIST, listing)
    client = m3ter(server, max_in_flight=2)
    users = Users(3)

    async def groups_of(user: str) -> int:
        return len([group async for group in client.list_user_groups(user, prefetch=True)])

    async def read() -> int:
        return sum([outcome.value or 0 async for outcome in sweep(groups_of, users, concurrency=2)])

    await client.authenticate()
    async for cut in explore(read, times=times, step=3):
        assert isinstance(cut.error, asyncio.CancelledError) if cut.cancelled else cut.value == 9
        assert users.closed == users.begun, cut.k
        assert await watch.at_rest() == [], cut.k


async def test_f86_timeout_inside_a_failing_group(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """A sweep under a time-out of its own, in a group that fails at the same time, leaves nothing."""
    gate = Gate()
    server.always(TOKEN, token_answer())
    server.always(LIST, (hold(gate), json_answer({})))
    client = m3ter(server)
    users = Users(100)

    async def read() -> None:
        async with asyncio.timeout(60) as scope:
            scopes.append(scope)
            async for _ in sweep(lambda user: client.list_user_groups(user).collect(), users, concurrency=4):
                pass

    async def fail() -> None:
        await gate.arrived(4)
        scopes[0].reschedule(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        raise LookupError

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(fail())

    scopes: list[asyncio.Timeout] = []
    with pytest.raises(ExceptionGroup):
        await run()

    assert users.closed == 1
    assert await watch.at_rest() == []


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
async def test_f85_sweep_of_listings_with_eager_tasks(m3ter: MakeM3ter, server: FaultServer, prefetch: bool) -> None:
    """Where tasks begin at once, a sweep gives the same, and asks for no more."""
    begin_tasks_eagerly()
    server.always(TOKEN, token_answer())
    server.always(LIST, listing)
    client = m3ter(server)
    given: dict[str, list[str] | None] = {}

    async def groups_of(user: str) -> list[str]:
        return [group.id async for group in client.list_user_groups(user, prefetch=prefetch)]

    async with asyncio.timeout(20):
        async for outcome in sweep(groups_of, Users(20), concurrency=5):
            given[outcome.key] = outcome.value

    assert given == {f"u{number}": [f"u{number}-{page}" for page in (1, 2, 3)] for number in range(20)}
    assert server.count(LIST) == 60
    assert server.count(TOKEN) == 1
    assert not others()


async def test_f85_leaving_a_prefetch_with_eager_tasks(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """Where tasks begin at once, a page ahead that nobody waits for is given up as without."""
    begin_tasks_eagerly()
    gate = Gate()
    server.always(TOKEN, token_answer())
    server.once(LIST, listing)
    server.always(LIST, (hold(gate), json_answer({})))
    client = m3ter(server)

    async with aclosing(client.list_user_groups("u", prefetch=True).pages()) as pages:
        await anext(pages)
        await gate.arrived()

    assert await watch.at_rest() == []


KEEPING = """
import asyncio, sys
from usergroups import M3terClient, sweep

kept = []

async def main(url, kind, what):
    asyncio.get_running_loop().slow_callback_duration = 60.0  # how fast this machine is does not matter
    transport = None
    if kind == "aiohttp":
        from usergroups.transports import aiohttp_transport
        transport = aiohttp_transport()
    client = M3terClient(
        org_id="org-1", api_key="CANARY-key", api_secret="CANARY-secret", base_url=url, transport=transport
    )
    pager = client.list_user_groups("u", prefetch=True)
    begin = {
        "items": lambda: aiter(pager),
        "pages": pager.pages,
        "sweep": lambda: sweep(lambda group: asyncio.sleep(0), pager),
    }
    kept.append(begin[what]())
    await anext(kept[0])
    await asyncio.to_thread(sys.stdin.readline)
    if transport is not None:
        await transport.aclose()

asyncio.run(main(*sys.argv[1:]))
print("ended")
"""


@pytest.mark.parametrize("kind", ["httpcore", "aiohttp"])
@pytest.mark.parametrize("ahead", ["on its way", "there"])
@pytest.mark.parametrize("what", ["items", "pages", "sweep"])
async def test_f102_loop_that_ends_with_an_iterator_kept(server: FaultServer, what: str, ahead: str, kind: str) -> None:
    """A program that ends with a listing half read, and nothing closed, hears of nothing but open sockets."""
    gate = Gate()
    server.always(TOKEN, token_answer())
    server.once(LIST, listing)
    server.always(LIST, (hold(gate), json_answer({})) if ahead == "on its way" else listing)
    command = [sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c", KEEPING, server.url, kind, what]

    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await (gate.arrived(timeout=20) if ahead == "on its way" else server.got(4 if what == "sweep" else 3, timeout=20))
    printed, complaints = await process.communicate(b"\n")

    assert complaints.decode() == ""
    assert (printed, process.returncode) == (b"ended\n", 0)
