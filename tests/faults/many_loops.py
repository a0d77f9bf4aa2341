"""A program with one client that it uses in many event loops, in so many threads, and never closes."""

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Coroutine
from threading import Barrier, Thread
from typing import Any

import anyio
import uvloop

from usergroups import M3terClient, RetryPolicy
from usergroups.transports import aiohttp_transport

url, kind, run = sys.argv[1:4]
threads, loops = map(int, sys.argv[4:])

logging.getLogger("asyncio").setLevel(logging.ERROR)  # below it says what took long

clients = [
    M3terClient(
        org_id="org-1",
        api_key="CANARY-key",
        api_secret="CANARY-secret",
        base_url=url,
        max_rate=None,
        transport=aiohttp_transport() if kind == "aiohttp" else None,
        retry=RetryPolicy(attempts=1),
    )
]
together = Barrier(threads)
wrong: list[str] = []


async def ask(name: str) -> None:
    """Make some calls at once."""
    users = [f"{name}-{number}" for number in range(3)]
    found = await asyncio.gather(*(clients[0].list_user_groups(user).collect() for user in users))
    wrong.extend(
        user for user, groups in zip(users, found, strict=True) if [one.id for one in groups] != [f"group of {user}"]
    )


def with_a_runner(main: Coroutine[Any, Any, None]) -> None:
    """Run *main* in a loop of asyncio's Runner."""
    with asyncio.Runner() as runner:
        runner.run(main)


RUN: dict[str, Callable[[str], None]] = {
    "asyncio.run": lambda name: asyncio.run(ask(name)),
    "asyncio.Runner": lambda name: with_a_runner(ask(name)),
    "anyio.run": lambda name: anyio.run(ask, name),
    "uvloop.run": lambda name: uvloop.run(ask(name)),
}


def work(thread: int) -> None:
    """Use one loop after another."""
    together.wait()
    for number in range(loops):
        try:
            RUN[run](f"{thread}-{number}")
        except Exception as error:  # noqa: BLE001  # whatever it is, the test is to see it
            wrong.append(repr(error))


workers = [Thread(target=work, args=(number,)) for number in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print("wrong:", wrong, flush=True)  # noqa: T201  # it is run by a test
sys.stdin.readline()
clients.clear()
gc.collect()
