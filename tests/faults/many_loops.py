"""A program with one client that it uses in many event loops, in so many threads, and never closes."""

import asyncio
import logging
import sys
from collections.abc import Callable
from threading import Thread

import anyio
import uvloop

from usergroups import SmartPMClient

LOOPS = 5  # in each thread
CALLS = 3  # at once, in each loop
GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"

logging.getLogger("asyncio").setLevel(logging.ERROR)  # below it says what took long

client = SmartPMClient(api_key="key", company_id="company-1", base_url=sys.argv[1])
names: list[str] = []


async def ask() -> None:
    """Make some calls at once."""
    groups = await asyncio.gather(*(client.get_user_group(GROUP_ID) for _ in range(CALLS)))
    names.extend(group.name for group in groups)


def with_a_runner() -> None:
    """Make them in a loop of asyncio's Runner."""
    with asyncio.Runner() as runner:
        runner.run(ask())


RUN: dict[str, Callable[[], None]] = {
    "asyncio.run": lambda: asyncio.run(ask()),
    "asyncio.Runner": with_a_runner,
    "anyio.run": lambda: anyio.run(ask),
    "uvloop.run": lambda: uvloop.run(ask()),
}


def work() -> None:
    """Use one loop after another."""
    for _ in range(LOOPS):
        RUN[sys.argv[2]]()


threads = [Thread(target=work) for _ in range(int(sys.argv[3]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(names), *set(names))  # noqa: T201  # it is run by a test
