"""A number that any thread counts up or down, and that event loops can wait for."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

Reached = Callable[[int], bool]


class Tally:
    """
    A number to wait for, without polling, in any event loop.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._value = 0
        self._most = 0
        self._waiters: list[tuple[Reached, asyncio.Future[None]]] = []

    @property
    def value(self) -> int:
        """
        The number now.
        """
        return self._value

    @property
    def most(self) -> int:
        """
        The largest number that there has been.
        """
        return self._most

    def add(self, more: int) -> None:
        """
        Add *more*, which may be negative, and tell those who wait.
        """
        with self._lock:
            self._value += more
            self._most = max(self._most, self._value)
            for reached, waiter in self._waiters or ():
                if reached(self._value):
                    with suppress(RuntimeError):  # its loop has been closed: nobody waits any more
                        waiter.get_loop().call_soon_threadsafe(_resolve, waiter)

    async def until(self, reached: Reached, timeout: float = 5.0) -> None:
        """
        Wait until *reached* says that the number will do. Raises `TimeoutError` after *timeout*
        seconds.
        """
        waiter = asyncio.get_running_loop().create_future()
        entry = (reached, waiter)
        with self._lock:
            if reached(self._value):
                return
            self._waiters.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        finally:
            with self._lock:
                self._waiters.remove(entry)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
