"""For how long an event loop is busy without a break."""

import asyncio
from typing import Self

_BEAT = 0.001  # seconds


class Heartbeat:
    """
    A timer that is due every ms: how late it was at most is the *longest* block of the event loop, in seconds.

    It sees callbacks that are long, and threads that keep the interpreter to themselves.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._timer = self._loop.call_at(self._due, self._beat)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.cancel()

    def _beat(self) -> None:
        now = self._loop.time()
        self.longest = max(self.longest, now - self._due)
        self._due = now + _BEAT
        self._timer.cancel()
        self._timer = self._loop.call_at(self._due, self._beat)
