"""The surroundings that a client reads when it is made: replaced for as long as a block lasts."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import httpx

from usergroups._runtime import RUNTIME

from .clock import FakeClock


@contextmanager
def surroundings(
    *,
    clock: FakeClock | None = None,
    roll: float | random.Random | None = None,
    make_transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
) -> Iterator[None]:
    """
    Return clients that are made in this block these surroundings; what is None stays as it is.

    *roll* is what the dice always show (0 to 1; a back-off wait of 0 s for 0), or a seeded
    `random.Random` to throw them with. *make_transport* makes what stands in for each of
    the client's connections.
    """
    changes: dict[str, Any] = {}
    if clock is not None:
        changes.update(clock=clock, sleep=clock.sleep)
    if roll is not None:
        changes.update(random=roll.random if isinstance(roll, random.Random) else lambda: roll)
    if make_transport is not None:
        changes.update(connect=lambda: _StandIn(make_transport()))
    before = RUNTIME.set(attrs.evolve(RUNTIME.get(), **changes))
    try:
        yield
    finally:
        RUNTIME.reset(before)


class _StandIn:
    """
    A transport in the place of a client's connection: good for another request until one goes wrong.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self._closing: asyncio.Task[None] | None = None

    def rest(self) -> bool:
        return True

    def take(self) -> bool:
        return True

    def was_silent(self) -> bool:
        return False

    def close(self) -> None:
        self._closing = self._closing or asyncio.create_task(self.transport.aclose())
