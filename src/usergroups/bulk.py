"""One call for each of many keys, so many at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Collection, Generator, Iterable
from functools import partial
from reprlib import Repr
from typing import Generic, Literal, TypeVar, cast

import attrs

from . import _arguments
from ._tasks import end
from .errors import ConfigurationError, UserGroupsError

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 300  # characters of a key that a note shows

K = TypeVar("K")
T = TypeVar("T")


@attrs.frozen
class Outcome(Generic[K, T]):
    """
    What the call for *key* came to: its *value*, or the *error* that it raised.
    """

    key: K
    value: T | None = None
    error: UserGroupsError | None = None


def sweep(
    call: Callable[[K], Awaitable[T]],
    keys: Iterable[K] | AsyncIterable[K],
    *,
    concurrency: int = 16,
    on_error: Literal["raise", "yield"] = "raise",
) -> AsyncGenerator[Outcome[K, T], None]:
    """
    Make *call* for each of *keys*, and give the outcomes as they complete.

    At most *concurrency* keys are pulled beyond the outcomes taken. With "yield" a
    `UserGroupsError` becomes an outcome; every other error, and any under "raise", ends the sweep:
    the other calls are cancelled first, and a note on the error names the key.

    One task runs *keys* from first to last. Where they are a generator, it is closed when the sweep
    ends. A call that ends by a cancel of its own is a `UserGroupsError`.
    """
    concurrency = _arguments.count("concurrency", concurrency)
    yields = _yields(on_error)
    if not callable(call):
        raise ConfigurationError("call must be a function of one key that can be awaited")
    _arguments.instance("keys", keys, Iterable, AsyncIterable)
    if isinstance(keys, str | bytes):
        raise ConfigurationError("keys must be several keys, not one text")
    return _sweep(call, keys, concurrency, yields)


def _yields(on_error: object) -> bool:
    if not isinstance(on_error, str) or on_error not in ("raise", "yield"):
        raise ConfigurationError("on_error must be 'raise' or 'yield'")
    return on_error == "yield"


async def _sweep(
    call: Callable[[K], Awaitable[T]],
    keys: Iterable[K] | AsyncIterable[K],
    concurrency: int,
    yields: bool,
) -> AsyncGenerator[Outcome[K, T], None]:
    news = asyncio.Event()
    source = _Source(keys, news)
    calls: dict[asyncio.Task[T], K] = {}  # begun, and their outcomes not yet taken
    ended: deque[asyncio.Task[T]] = deque()
    asked = False

    async def made(key: K) -> T:
        return await call(key)

    def end_of(task: asyncio.Task[T]) -> None:
        ended.append(task)
        news.set()

    try:
        while not source.is_dry() or calls:
            if not asked and len(calls) < concurrency:
                source.asked.set()
                asked = True
            if source.pulled:
                key = source.pulled.popleft()
                asked = False
                task = asyncio.create_task(made(key))
                calls[task] = key
                task.add_done_callback(end_of)
            elif ended:
                task = ended.popleft()
                yield _outcome(calls.pop(task), task, yields)
            else:
                news.clear()
                await news.wait()
    finally:
        await source.leave(calls)


class _Source(Generic[K]):
    """
    The keys of a sweep, pulled by one task from their first step to their last, closing included.

    Scopes around a `yield` (`asyncio.timeout`, anyio's) and tokens of context variables belong to a task. One key is
    pulled each time that `asked` is set, and *news* is set when it is there, or when no more will come.
    """

    def __init__(self, keys: Iterable[K] | AsyncIterable[K], news: asyncio.Event) -> None:
        self.asked = asyncio.Event()
        self.pulled: deque[K] = deque()
        self._news = news
        self._left = False
        self._task = asyncio.create_task(self._run(keys))
        self._task.add_done_callback(lambda _: news.set())

    def is_dry(self) -> bool:
        """
        Return whether no more keys will come. Raises what the source raised.
        """
        if self.pulled or not self._task.done():
            return False
        if self._task.cancelled():
            raise UserGroupsError("the sweep's keys ended with a cancel that is not the sweep's")
        self._task.result()
        return True

    async def leave(self, calls: Collection[asyncio.Future[T]]) -> None:
        """
        Close the keys and end *calls*. Raises what closing raised.
        """
        self._left = True
        has_ended = self._task.done()
        await end(calls, closing=[self._task])
        if not has_ended and not self._task.cancelled():
            self._task.result()

    async def _run(self, keys: Iterable[K] | AsyncIterable[K]) -> None:
        iterator = aiter(keys) if isinstance(keys, AsyncIterable) else _each(keys)
        generator = cast("AsyncGenerator[K, None] | None", iterator if isinstance(iterator, AsyncGenerator) else None)
        try:
            while not self._left:  # else it went on over the cancel
                step = iterator.__anext__
                try:
                    await self.asked.wait()
                except asyncio.CancelledError as cancel:
                    if generator is None:
                        raise
                    step = partial(generator.athrow, cancel)  # the sweep's own, or that of a scope around a `yield`
                self.asked.clear()
                try:
                    self.pulled.append(await step())
                except StopAsyncIteration:
                    return
                self._news.set()
        finally:
            if generator is not None:
                await generator.aclose()


async def _each(keys: Iterable[K]) -> AsyncGenerator[K, None]:
    iterator = iter(keys)
    try:
        for key in iterator:
            yield key
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _outcome(key: K, task: asyncio.Task[T], yields: bool) -> Outcome[K, T]:
    try:
        return Outcome(key, value=_result(key, task))
    except BaseException as error:
        if yields and isinstance(error, UserGroupsError):
            return Outcome(key, error=error)
        error.add_note(f"in the sweep, at the key {_shown(key)}")
        raise


def _result(key: object, task: asyncio.Task[T]) -> T:
    if task.cancelled():  # its `CancelledError` would look like a cancel of whoever reads the sweep
        raise UserGroupsError(f"the call for {_shown(key)} ended with a cancel that is not the sweep's")
    return task.result()


def _shown(key: object) -> str:
    """
    Give the repr of *key*, shortened, or its type's name where there is none.
    """
    try:
        return _REPR.repr(key)
    except Exception:  # noqa: BLE001  # an int may be too long for one, and reprlib knows classes by their names alone
        return f"<{type(key).__name__}>"
