"""What most fault tests are about: one call of one client, which gives the id of a group."""

import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from rig.script import json_answer

GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
TOKEN = "/oauth/token"
PAGE = "/organizations/org-1/users/ada/usergroups"  # of m3ter's user groups
GROUP = f"/public/v1/user-groups/{GROUP_ID}"  # of SmartPM
MIB = 1024 * 1024

Options = Callable[..., dict[str, Any]]
Ask = Callable[[], Awaitable[str]]


@attrs.frozen
class Provider:
    """
    One of the two, and the one call that is made of it: for the group whose id is `GROUP_ID`.

    *of* makes a client of a server, and gives the call.
    """

    name: str
    path: str
    document: object
    of: Callable[..., Ask]

    @property
    def good(self) -> bytes:
        """A good answer to the call."""
        return json_answer(self.document)


class Meanwhile:
    """A clock whose sleepers never nap: something is done instead of each wait."""

    def __init__(self, deed: Callable[[], object] = lambda: None) -> None:
        self.waits: list[float] = []
        self._deed = deed

    def __call__(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Do it."""
        self.waits.append(seconds)
        self._deed()


@contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """Return what tells the most bytes that were in use at once, so far in this block."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
