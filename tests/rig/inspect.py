"""
What a client holds on to: its gate and its connections. The only place that looks inside of one.

Nothing here knows an attribute of a client: what can be reached from it is searched for gates (a
class called `Pacer`), for connections (`Connections`), and for pools of httpcore, of a transport that was passed in.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextvars import Context
from types import BuiltinFunctionType, CodeType, CoroutineType, FrameType, FunctionType, ModuleType
from typing import Any

import httpcore

# Behind these lies the rest of the world: other clients, the test, the interpreter.
_BORDERS = (
    asyncio.AbstractEventLoop,
    asyncio.Future,
    BuiltinFunctionType,
    CodeType,
    Context,
    CoroutineType,
    FrameType,
    ModuleType,
    type,
)


def in_flight(client: object) -> int:
    """
    Count the requests that *client* has let through its gates and not yet seen the end of.
    """
    return sum(gate.in_flight for gate in _called("Pacer", client))


def waiting(client: object) -> int:
    """
    Count the callers that stand before the gates of *client*.
    """
    return sum(gate.waiting for gate in _called("Pacer", client))


def pool_slots(client: object) -> list[str]:
    """
    Describe what of *client* is in use, in pools or out of them: nothing, when no call is under way.
    """
    used = [f"one out of no pool: {one!r}" for thing in _called("Connections", client) for one in thing.in_use]
    for pool in _pools(client):
        requests: list[Any] = pool._requests  # noqa: SLF001  # httpcore does not publish it
        used += [f"a request that {'has' if one.connection else 'waits for'} a connection" for one in requests]
        used += [one.info() for one in pool.connections if not (one.is_idle() or one.is_closed())]
    return used


def idle_connections(client: object) -> int:
    """
    Count the connections that *client* keeps for later.
    """
    pooled = sum(one.is_idle() for pool in _pools(client) for one in pool.connections)
    return pooled + sum(len(thing.idle) for thing in _called("Connections", client))


def _pools(client: object) -> list[httpcore.AsyncConnectionPool]:
    return [thing for thing in _within(client) if isinstance(thing, httpcore.AsyncConnectionPool)]


def _called(name: str, client: object) -> list[Any]:
    return [thing for thing in _within(client) if type(thing).__name__ == name]


def _within(thing: object) -> Iterator[Any]:
    """
    Return all that can be reached from *thing*.
    """
    pending, seen = [thing], {id(thing)}
    while pending:
        one = pending.pop()
        yield one
        inner = [one.__closure__] if isinstance(one, FunctionType) else gc.get_referents(one)
        for other in inner:
            if other is not None and id(other) not in seen and not isinstance(other, _BORDERS):
                seen.add(id(other))
                pending.append(other)
