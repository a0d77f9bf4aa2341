"""What a client takes from its surroundings: the time, a way to wait, the dice, and its transports."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import attrs


@attrs.frozen
class Runtime:
    """
    The surroundings of one client, read once, when it is made.

    *clock* gives seconds that only ever grow; *sleep* waits that long; *random* gives a number in
    [0, 1); *connect*, if any, makes each connection in place of the client's own.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    connect: Callable[[], Any] | None = None  # a `Connection`, of which nothing is known here


RUNTIME: ContextVar[Runtime] = ContextVar("usergroups_ambient", default=Runtime())  # noqa: B039  # it is frozen
