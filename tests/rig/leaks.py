"""What must be true after every test: nothing left, nothing lost, and no secret anywhere."""

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import pytest

from usergroups.errors import UserGroupsError

from . import canary
from .inspect import in_flight, pool_slots, waiting
from .server import FaultServer

E = TypeVar("E", bound=BaseException)

SETTLING = 2.0  # seconds in which what callers have left behind must come to its end
_AFTERMATH = 0.25  # seconds in which tasks must have ended once all clients are closed
_ERRORS_KEPT = 64  # of those that nobody named; all of them would keep too much alive in a storm


class Closable(Protocol):
    """
    A client.
    """

    async def aclose(self) -> None: ...


class Watch:
    """
    Watches over one test, from `with` to `finish`.

    It looks at the clients and servers that it was given, at every log record, at the last errors
    of the SDK that were made, and at those that went through `raises` or `saw`. *settling* is how
    many seconds exchanges of callers who left may take to end.
    """

    def __init__(self, *, settling: float = SETTLING) -> None:
        self.log = canary.LogSweep()
        self.collects_errors = True
        self._settling = settling
        self._clients: list[Closable] = []
        self._servers: list[FaultServer] = []
        self._named: list[BaseException] = []
        self._made: deque[BaseException] = deque(maxlen=_ERRORS_KEPT)

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self.log)
        self._init_before = UserGroupsError.__init__
        UserGroupsError.__init__ = _collecting(self)  # type: ignore[method-assign]
        gc.freeze()  # what was there before the test need not be searched after it: that takes long
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        UserGroupsError.__init__ = self._init_before  # type: ignore[method-assign]
        gc.unfreeze()
        root = logging.getLogger()
        root.removeHandler(self.log)
        root.setLevel(self._level_before)

    def add_client(self, client: Closable) -> None:
        """
        Look after *client*: it is closed at the end.
        """
        self._clients.append(client)

    def add_server(self, server: FaultServer) -> None:
        """
        Look after *server*: it is stopped at the end, and must have no socket open then.
        """
        self._servers.append(server)

    def saw(self, error: BaseException) -> None:
        """
        Look into *error* at the end.
        """
        self._named.append(error)

    def made(self, error: BaseException) -> None:
        """
        Hear of an SDK's error that was made just now. Only the last ones are kept.
        """
        if self.collects_errors:
            self._made.append(error)

    @contextmanager
    def raises(self, kind: type[E], *, match: str | None = None) -> Iterator[pytest.ExceptionInfo[E]]:
        """
        Do as `pytest.raises`, and look into what was raised.
        """
        with pytest.raises(kind, match=match) as caught:
            yield caught
        self.saw(caught.value)

    async def finish(self) -> list[str]:
        """
        Close what was given, and say what is wrong.
        """
        found = await self.at_rest()
        for client in self._clients:
            await client.aclose()
        found += await _tasks_left(_AFTERMATH)
        found += await self._servers_at_rest()
        found += self._secrets()
        self._named.clear()
        self._made.clear()
        gc.collect()  # tasks and sockets that nobody knows any more complain now
        return found + self.log.found

    async def at_rest(self) -> list[str]:
        """
        Say what is wrong with the clients now that no call should be under way: tasks that do not
        end, places of the gate and pool slots that are lost, secrets that show.
        """
        if not self._clients:
            return []
        found = await _tasks_left(self._settling)
        for client in self._clients:
            name = type(client).__name__
            if (number := in_flight(client)) != 0:
                found.append(f"{name}: {number} place(s) of the gate lost")
            if (number := waiting(client)) != 0:
                found.append(f"{name}: {number} caller(s) still before the gate")
            found += [f"{name}: a connection is in use: {slot}" for slot in pool_slots(client)]
            found += [f"a secret in {place}" for place in canary.sweep_object(client)]
        return found

    async def _servers_at_rest(self) -> list[str]:
        found = []
        for server in self._servers:
            try:
                await server.all_closed(self._settling)
            except TimeoutError:
                found.append(f"{server.open.value} socket(s) open on the server")
            server.stop()
            found += [f"the server's script failed: {error!r}" for error in server.errors]
            found += [f"no script for {one.method} {one.path}" for one in server.unscripted[:5]]
        return found

    def _secrets(self) -> list[str]:
        found = []
        errors: dict[int, BaseException] = {id(error): error for error in (*self._named, *self._made)}
        for error in errors.values():
            found += [f"a secret in {place}" for place in canary.sweep_exception(error)]
            if isinstance(error, UserGroupsError):
                found += canary.foreign(error)
        return found


def _collecting(watch: Watch) -> Any:
    original: Any = UserGroupsError.__init__

    def collect(self: UserGroupsError, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)
        watch.made(self)

    return collect


async def _tasks_left(seconds: float) -> list[str]:
    """
    Describe the tasks of this loop that do not end within *seconds*.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, others = await asyncio.wait(others, timeout=seconds)
    await asyncio.sleep(0)  # whom a task calls back when it ends hears of it in the next turn
    return [f"a task is left: {task.get_name()} {task.get_coro()!r}" for task in others]
