"""What a storm has left behind: counted in the client, and by the server."""

import asyncio
from time import monotonic
from typing import Protocol

import aiohttp
import attrs

from rig.inspect import _within, idle_connections, in_flight, pool_slots, waiting

from .server import Site

_SETTLING = 5.0  # seconds in which what callers have left behind must come to its end


class Client(Protocol):
    """
    A client, or a transport.
    """

    async def aclose(self) -> None: ...


@attrs.frozen(kw_only=True)
class Losses:
    """
    What was lost; all 0 where all is well.

    *slots* are places of the gate, callers before it and connections in use; *tasks* are those that
    go on; *sockets* those that the server sees beyond what the client keeps for later.
    """

    slots: int
    tasks: int
    sockets: int

    def __str__(self) -> str:
        return f"{self.slots}/{self.tasks}/{self.sockets}"

    def __bool__(self) -> bool:
        return bool(self.slots or self.tasks or self.sockets)


async def losses(client: Client, site: Site | None, before: set[asyncio.Task[object]]) -> Losses:
    """
    Count what *client* has lost, once it has had the time to settle; *before* are the tasks that are not its.
    Sockets are counted where there is a *site*.
    """
    tasks = asyncio.all_tasks() - before
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=_SETTLING)
    await asyncio.sleep(0)  # a task that has just ended says so in the next turn
    sockets = 0 if site is None else await _sockets(site, idle_connections(client) + kept(client))
    return Losses(
        slots=in_flight(client) + waiting(client) + len(pool_slots(client)) + busy(client),
        tasks=len(tasks),
        sockets=sockets,
    )


async def _sockets(site: Site, kept: int) -> int:
    until = monotonic() + _SETTLING
    while (found := int(site.figures()["open"]) - kept) > 0 and monotonic() < until:  # noqa: ASYNC110  # another process
        await asyncio.sleep(0.05)
    return max(found, 0)


def busy(client: object) -> int:
    """
    Count the connections of aiohttp within *client* that are in use: none, when no call is under way.
    """
    return sum(len(one._acquired) for one in _connectors(client))  # noqa: SLF001  # aiohttp does not publish it


def kept(client: object) -> int:
    """
    Count the connections of aiohttp within *client* that are kept for later.
    """
    return sum(len(idle) for one in _connectors(client) for idle in one._conns.values())  # noqa: SLF001  # as above


def _connectors(client: object) -> list[aiohttp.BaseConnector]:
    return [one for one in _within(client) if isinstance(one, aiohttp.BaseConnector)]
