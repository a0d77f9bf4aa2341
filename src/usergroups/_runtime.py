"""A client's runtime: its clock, sleep, random numbers and connections, which tests replace."""

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
    The runtime of one client, read once, when the client is made.

    *clock* returns monotonic seconds; *sleep* waits for so many seconds; *random* returns a number in
    [0, 1); *connect*, if given, makes each connection in place of the client's own.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    connect: Callable[[], Any] | None = None  # returns a `Connection` of `_http`, a layer above this one


RUNTIME: ContextVar[Runtime] = ContextVar("usergroups_runtime", default=Runtime())  # noqa: B039  # it is frozen
