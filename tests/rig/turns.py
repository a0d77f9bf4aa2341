"""The turns of an event loop: a place to stand between two of them, and to know that it is idle."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakKeyDictionary

_Ready = list[tuple[selectors.SelectorKey, int]]


class Idler(Protocol):
    """
    What may give an idle loop something to do.

    *grace* is how many seconds of real time the loop must have been idle first: 0 where everything
    happens in the loop, more where another thread or a socket may yet speak up. *rules_loop* tells
    that the loop's timers go by a clock that only this moves.
    """

    grace: float
    rules_loop: bool

    def on_idle(self, timeout: float | None) -> bool:
        """
        Hear that the loop would now wait *timeout* seconds (None: for ever) for the next timer or
        socket; tell whether there is something to do now instead.
        """


class Turns:
    """
    The turns of one event loop, from the one place where each of them begins: its `select`.

    `begin` is called at the start of every turn, before anything in it runs.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        selector: Any = loop._selector  # type: ignore[attr-defined]  # noqa: SLF001  # asyncio offers no such hook
        self._wait: Callable[[float | None], _Ready] = selector.select
        self._idlers: list[Idler] = []
        self._begin: list[Callable[[], None]] = []
        selector.select = self._select

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop | None = None) -> "Turns":
        """
        Return the turns of *loop*, or of the running one.
        """
        loop = loop or asyncio.get_running_loop()
        if loop not in _KNOWN:
            _KNOWN[loop] = cls(loop)
        return _KNOWN[loop]

    def add_idler(self, idler: Idler) -> None:
        """
        Ask *idler* whenever the loop is idle. Adding it again changes nothing.
        """
        if idler not in self._idlers:
            self._idlers.append(idler)

    def add_begin(self, begin: Callable[[], None]) -> None:
        """
        Call *begin* at the start of every turn from now on.
        """
        self._begin.append(begin)

    def remove_begin(self, begin: Callable[[], None]) -> None:
        """
        Call *begin* no more.
        """
        self._begin.remove(begin)

    def _select(self, timeout: float | None = None) -> _Ready:
        busy = timeout is not None and timeout <= 0
        ready = self._wait(timeout) if busy or not self._idlers else self._idle(timeout)
        for begin in tuple(self._begin):
            begin()
        return ready

    def _idle(self, timeout: float | None) -> _Ready:
        grace = max(idler.grace for idler in self._idlers)
        if timeout is not None and timeout <= grace and not any(idler.rules_loop for idler in self._idlers):
            return self._wait(timeout)  # a timer of the loop comes first
        ready = self._wait(grace)
        if ready or any(idler.on_idle(timeout) for idler in self._idlers):
            return ready
        return self._wait(None if timeout is None else max(timeout - grace, 0))


def timers(loop: asyncio.AbstractEventLoop) -> int:
    """
    Count the timers of *loop* that are yet to go off.
    """
    scheduled: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]  # noqa: SLF001  # no other way
    return sum(not timer.cancelled() for timer in scheduled)


_KNOWN: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()
