"""Load. The long versions of rows 70 and 72 are among the storms."""

import asyncio
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from faults.calls import GOOD_GROUP, GROUP_ID, memory
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.goes import goes
from rig.script import Gate, hold, json_answer
from rig.server import FaultServer
from storms import rows
from storms.server import ServerThread
from usergroups import ServerError

pytestmark = pytest.mark.usefixtures("quiet")

OUTAGE = json_answer({"message": "outage"}, 503)
SEED = 70


TESTS = Path(__file__).parents[1]


def check(report: rows.Report) -> None:
    """Check that a storm did no harm."""
    assert str(report.lost) == "0/0/0"
    assert report.wrong == ()


@pytest.mark.parametrize("transport", ["httpcore", "aiohttp"])
def test_f69_crowd_is_served(transport: str) -> None:
    """2,000 calls at once, with the default settings, are all served, over few sockets, and the loop stays free."""
    command = [sys.executable, "-m", "storms", "--row", "69", "--seed", "1", "--transport", transport]
    # In a process that nothing traces: what coverage adds to each line is no part of the row.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}

    for go in goes():
        run = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, text=True, check=False)

        assert run.stderr == ""
        assert "2,000 calls" in run.stdout
        assert "(2,000 ok)" in run.stdout
        assert "lost: 0/0/0 " in run.stdout
        assert "wrong: " not in run.stdout
        gap = re.search(r"largest gap of the loop: (\d+\.\d+) s", run.stdout)
        assert gap is not None
        go.took(float(gap[1]), at_most=rows.LARGEST_GAP)


@pytest.mark.parametrize("max_in_flight", [1, 16])
async def test_f70_cancelled_waiters_leave_the_gate_as_it_was(
    smartpm: MakeSmartPM, make_server: MakeServer, max_in_flight: int
) -> None:
    """When nearly all of 2,000 callers are cancelled, the others are served in turn, and nothing is lost."""
    site = ServerThread(make_server(keep=100))
    client = smartpm(site.url, max_in_flight=max_in_flight)

    report = await rows.queue(client, site, waiters=2000, staying=20, seed=SEED)

    check(report)
    assert report.outcomes == {"CancelledError": 1980, "ok": 20}


async def test_f70_gate_is_at_its_full_value_afterwards(smartpm: MakeSmartPM, server: FaultServer) -> None:
    """After a crowd before the gate was cancelled, as many calls as before may be on the wire at once, and no more."""
    first, second = Gate(), Gate()
    held = server.always("*", (hold(first), GOOD_GROUP))
    client = smartpm(server, max_in_flight=5)
    crowd = [asyncio.create_task(client.get_user_group(GROUP_ID)) for _ in range(500)]
    await first.arrived(5)
    for task in crowd:
        task.cancel()
    await asyncio.wait(crowd)

    held.answer = (hold(second), GOOD_GROUP)
    others = [asyncio.create_task(client.get_user_group(GROUP_ID)) for _ in range(20)]
    await second.arrived(5)
    await asyncio.sleep(0.05)  # in which a sixth would arrive

    assert second.arrivals.value == 5
    second.open()
    assert len(await asyncio.gather(*others)) == 20


async def test_f71_outage_is_not_made_worse(smartpm: MakeSmartPM, server: FaultServer) -> None:
    """When every answer is 503, all calls together make no more retries than the budget; it comes back with success."""
    route = server.always("*", OUTAGE)
    client = smartpm(server, roll=0.0)

    async def failing(calls: int) -> int:
        before = server.received.value
        for _ in range(calls):
            with pytest.raises(ServerError):
                await client.get_user_group(GROUP_ID)
        return server.received.value - before

    assert await failing(200) == 200 + 200
    assert await failing(50) == 50

    route.answer = GOOD_GROUP
    for _ in range(100):
        await client.get_user_group(GROUP_ID)

    route.answer = OUTAGE
    assert await failing(20) == 20 + 10


async def test_f71_budget_is_of_one_client(smartpm: MakeSmartPM, server: FaultServer) -> None:
    """What one client has used up is not taken from another."""
    server.always("*", OUTAGE)
    one, other = smartpm(server, roll=0.0), smartpm(server, roll=0.0)
    for _ in range(101):
        with pytest.raises(ServerError):
            await one.get_user_group(GROUP_ID)
    before = server.received.value

    with pytest.raises(ServerError):
        await other.get_user_group(GROUP_ID)

    assert server.received.value - before == 3


async def test_f72_tokens_rotate_and_nothing_grows(m3ter: MakeM3ter, make_server: MakeServer) -> None:
    """Over many lives of tokens each is asked for once and used, and the client does not grow."""
    site = ServerThread(make_server(keep=10))
    clock = FakeClock(autopilot=False)
    client = m3ter(site.url, clock=clock)

    with memory():
        report = await rows.rotation(
            client, clock, site.figures, calls=200, every=20.0, memory=lambda: tracemalloc.get_traced_memory()[0]
        )

    check(report)
    assert site.figures()["tokens"] >= 4000 / 300
