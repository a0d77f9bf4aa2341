"""How a review goes on: what is still to be asked, what has been found, and how far it has come."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Generic, TypeVar

from .rows import Membership

_AHEAD = 16  # groups and users whose rows are found before they are taken

K = TypeVar("K")

Progress = Callable[[int, int | None], object]
"""Called with how many have been asked about, and how many there are, None as long as that is not known."""


class Feed:
    """
    The rows that the systems of a review have found, on their way to its caller, and its *progress*.

    The count is complete once all *systems* have said what they begin with.
    """

    def __init__(self, systems: int, progress: Progress | None) -> None:
        self._found: asyncio.Queue[Iterable[Membership] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._progress = progress
        self._unknown = systems
        self._total = 0
        self._done = 0

    async def put(self, rows: Iterable[Membership]) -> None:
        """
        Pass *rows* on, as soon as few others are on the way. They are made as they are read.
        """
        await self._room.acquire()
        self._found.put_nowait(rows)

    def end(self) -> None:
        """
        Say that no more rows will come.
        """
        self._found.put_nowait(None)

    async def take(self) -> Iterable[Membership] | None:
        """
        Return the next rows, or None after the last.
        """
        rows = await self._found.get()
        self._room.release()
        return rows

    def begin(self, count: int) -> None:
        """
        Count the *count* that one system begins with.
        """
        self._unknown -= 1
        self._total += count
        self._tell()

    def more(self) -> None:
        """
        Count one more to ask about.
        """
        self._total += 1

    def done(self) -> None:
        """
        Count one that was asked about.
        """
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, None if self._unknown else self._total)


class Frontier(Generic[K]):
    """
    The keys of a sweep, of which its calls find more. Each key comes once; what was found comes first.
    """

    def __init__(self, keys: Iterable[K], feed: Feed) -> None:
        self._waiting = deque(keys)
        self._seen = set(self._waiting)
        self._asked = 0  # and without an outcome
        self._news = asyncio.Event()
        self._feed = feed
        feed.begin(len(self._waiting))

    def add(self, key: K) -> None:
        """
        Add *key*, unless it has been there.
        """
        if key not in self._seen:
            self._seen.add(key)
            self._waiting.appendleft(key)
            self._feed.more()

    def done(self) -> None:
        """
        Record that the outcome of one key has been taken, and what it led to was added.
        """
        self._asked -= 1
        self._feed.done()
        self._news.set()

    async def __aiter__(self) -> AsyncGenerator[K, None]:
        while self._waiting or self._asked:
            if self._waiting:
                self._asked += 1
                yield self._waiting.popleft()
            else:
                self._news.clear()
                await self._news.wait()
