"""Rows 69 to 72 of the fault table: load. The long versions of 70 and 72 are among the storms."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.heartbeat import Heartbeat
from rig.script import Gate, hold, json_answer
from rig.server import FaultServer
from storms import rows
from storms.server import ServerProcess, ServerThread
from storms.weather import GROUPS
from usergroups import ServerError, SmartPMClient

pytest_plugins = ("wire.kinds",)  # clients on either transport

GROUP = "550e8400-e29b-41d4-a716-446655440000"
GOOD_GROUP = json_answer({"id": GROUP, "name": "Operators", "users": []})
OUTAGE = json_answer({"message": "outage"}, 503)
SEED = 70


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    """Give a server that does not share the interpreter with the client."""
    with ServerProcess() as process:
        yield process


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep the interpreter from walking over the crowd: that stops the loop, whatever the SDK does."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.usefixtures("quiet")
async def test_f69_crowd_is_served(smartpm: MakeSmartPM, process: ServerProcess) -> None:
    """2,000 calls at once, with the default settings, are all served, over few sockets, and the loop stays free."""
    client = smartpm(process.url)
    tasks = []

    with no_garbage_collection():
        async with Heartbeat() as heartbeat:
            for _ in range(40):
                tasks += [asyncio.create_task(client.get_user_group(GROUP)) for _ in range(50)]
                await asyncio.sleep(0)  # 50 in each turn of the loop, as they come in life
            groups = await asyncio.gather(*tasks)

    assert {group.name for group in groups} == {"Operators"}
    assert len(groups) == 2000
    print(heartbeat.largest_gap, process.figures())
    assert process.figures()["most_open"] <= 16
    assert heartbeat.largest_gap < 0.05
