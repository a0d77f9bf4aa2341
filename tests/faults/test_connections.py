"""Connections: what becomes of those that are idle, and of those of an event loop that ends."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faults.calls import GROUP, GROUP_ID, TOKEN
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.script import Gate, hold, json_answer, token_answer
from rig.server import FaultServer, Request
from usergroups import sweep

pytest_plugins = ("faults.kinds",)

BURST = 10
GOOD = json_answer({"id": GROUP_ID, "name": "Operators", "users": []})
MANY_LOOPS = Path(__file__).with_name("many_loops.py")


async def test_f83_surplus_reaches_nobody(m3ter: MakeM3ter, server: FaultServer) -> None:
    """Of many callers at once, of whom every third is sent an answer too many, each gets his own groups."""

    def groups_of_the_user(request: Request, n: int) -> bytes:
        good = json_answer({"data": [{"id": request.path.split("/")[4]}]})
        return good if n % 3 else good + json_answer({"data": [{"id": "another's"}]})

    server.always(TOKEN, token_answer())
    server.always("/organizations/*", groups_of_the_user)
    client = m3ter(server)

    asked = [f"user-{number}" for number in range(600)]
    got = [outcome async for outcome in sweep(lambda user: client.list_user_groups(user).collect(), asked)]

    assert {outcome.key: [group.id for group in outcome.value or ()] for outcome in got} == {
        user: [user] for user in asked
    }


@pytest.mark.parametrize("turns", range(10))
@pytest.mark.parametrize("first", ["the call", "the server"])
async def test_f83_surplus_that_comes_while_a_call_begins(
    m3ter: MakeM3ter, server: FaultServer, first: str, turns: int
) -> None:
    """What the server sends in the very turns in which a request is about to go out does not answer it."""
    server.always(TOKEN, token_answer())
    server.always("/organizations/*", lambda request, n: json_answer({"data": [{"id": request.path.split("/")[4]}]}))
    client = m3ter(server)
    await client.list_user_groups("before").collect()
    asked = server.received.value
    violated = False

    async def send_junk() -> None:
        nonlocal violated
        for _ in range(turns):
            await asyncio.sleep(0)
        server.send_to_all(json_answer({"data": [{"id": "another's"}]}))
        time.sleep(0.01)  # noqa: ASYNC251  # so that it has arrived, and the loop has not looked
        violated = server.received.value == asked  # else the request was faster

    async def ask() -> str:
        (group,) = await client.list_user_groups("now").collect()
        return group.id

    work = [ask(), send_junk()] if first == "the call" else [send_junk(), ask()]
    outcomes = await asyncio.gather(*work)

    assert not violated or "now" in outcomes


async def test_f101_idle_connections_that_the_server_closes_are_closed(
    smartpm: MakeSmartPM, server: FaultServer
) -> None:
    """After a burst nobody calls; the server closes its side of the connections, and the client closes its own."""
    together = Gate(opens_at=BURST)
    server.always(GROUP, (hold(together), GOOD))
    client = smartpm(server)
    await asyncio.gather(*(client.get_user_group(GROUP_ID) for _ in range(BURST)))

    server.say_no_more()

    await server.all_closed()
    assert len(server.connections) == BURST


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("kind", ["asyncio.run", "asyncio.Runner", "anyio.run", "uvloop.run"])
async def test_f108_loops_that_end_close_their_connections(server: FaultServer, kind: str, threads: int) -> None:
    """A client that is never closed leaves nothing behind in the loops that it was used in, and says nothing."""
    server.always(GROUP, GOOD)
    python = [sys.executable, "-X", "dev", "-W", "error"]

    ran = await asyncio.create_subprocess_exec(
        *(*python, MANY_LOOPS, server.url, kind, str(threads)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await ran.communicate()

    assert (out.decode().split(), err.decode()) == ([str(15 * threads), "Operators"], "")
    await server.all_closed()


def test_f108_client_may_be_closed_as_its_loop_ends(make_smartpm: MakeSmartPM, server: FaultServer) -> None:
    """Where the loop closes the connections and the client does so too, each comes to its end."""
    server.always(GROUP, GOOD)
    client = make_smartpm(server)

    async def main() -> None:
        await client.get_user_group(GROUP_ID)
        await asyncio.gather(asyncio.get_running_loop().shutdown_asyncgens(), client.aclose())

    asyncio.run(main())
