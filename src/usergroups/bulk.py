"""One call for each of many keys, with bounded concurrency."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Collection, Generator, Iterable
from contextlib import aclosing
from typing import Generic, Literal, TypeVar, cast

import attrs

from ._arguments import of_call, short_repr
from ._tasks import end
from .errors import UserGroupsError

_LONGEST_KEY = 300  # characters of a key in an error's note

K = TypeVar("K")
K_co = TypeVar("K_co", covariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Keys = Iterable[K] | AsyncIterable[K]


@attrs.frozen
class Outcome(Generic[K_co, T_co]):
    """
    The outcome of the call for *key*: its *value*, or the *error* that it raised.
    """

    key: K_co
    value: T_co | None = None
    error: UserGroupsError | None = None

    def result(self) -> T_co:
        """
        Return the value, or raise the error.
        """
        if self.error is not None:
            raise self.error
        return cast(T_co, self.value)


def sweep(
    call: Callable[[K], Awaitable[T]],
    keys: Iterable[K] | AsyncIterable[K],
    *,
    concurrency: int = 16,
    on_error: Literal["raise", "yield"] = "raise",
) -> AsyncGenerator[Outcome[K, T], None]:
    """
    Make *call* for each of *keys*, and yield the outcomes as they complete.

    At most *concurrency* keys are pulled ahead of the outcomes taken. With "yield" a
    `UserGroupsError` becomes an outcome. Every other error, and any error with "raise", ends the
    sweep: the other calls are cancelled first, and a note on the error names the key.

    One task iterates *keys* from first to last. If *keys* is a generator, it is closed when the sweep
    ends. A call that cancels itself is a `UserGroupsError`.

    Raises `InvalidArgumentError` for a bad argument.
    """
    concurrency = of_call.count("concurrency", concurrency)
    yields = _yields(on_error)
    if not callable(call):
        raise of_call.error("call", "must be a function of one key that can be awaited")
    of_call.instance("keys", keys, Iterable, AsyncIterable)
    if isinstance(keys, str | bytes):
        raise of_call.error("keys", "must be several keys, not one text")
    return _sweep(call, keys, concurrency, yields)


def _yields(on_error: object) -> bool:
    if not isinstance(on_error, str) or on_error not in ("raise", "yield"):
        raise of_call.error("on_error", "must be 'raise' or 'yield'")
    return on_error == "yield"


async def _sweep(
    call: Callable[[K], Awaitable[T]], keys: Keys[K], concurrency: int, yields: bool
) -> AsyncGenerator[Outcome[K, T], None]:
    calls: dict[asyncio.Task[T], K] = {}  # started, with outcomes that are not yet taken
    news: asyncio.Queue[asyncio.Task[T] | None] = asyncio.Queue()  # a call that has ended; None: see the source
    source = _Source(keys, lambda: news.put_nowait(None))

    async def call_with(key: K) -> T:  # a task needs a coroutine, and *call* may return any awaitable
        return await call(key)

    try:
        while not source.is_exhausted() or calls:
            if len(calls) + len(source.pulled) < concurrency:
                source.wanted.set()
            if source.pulled:
                key = source.pulled.popleft()
                task = asyncio.create_task(call_with(key))
                calls[task] = key
                task.add_done_callback(news.put_nowait)
            elif (ended := await news.get()) is not None:
                yield _outcome(calls.pop(ended), ended, yields)
    finally:
        await source.close(calls)


class _Source(Generic[K]):
    """
    The keys of a sweep, iterated and closed by one task of their own.

    A single task is needed because scopes around a `yield` (`asyncio.timeout`, anyio's) and tokens of context variables
    belong to a task. One key is pulled each time that `wanted` is set. *tell* is called when the key is in `pulled`,
    and when no more will come.
    """

    def __init__(self, keys: Keys[K], tell: Callable[[], None]) -> None:
        self.wanted = asyncio.Event()
        self.pulled: deque[K] = deque()
        self._tell = tell
        self._is_closing = False
        self._task = asyncio.create_task(self._run(keys))
        self._task.add_done_callback(lambda _: tell())

    def is_exhausted(self) -> bool:
        """Return whether no more keys will come. Raises what iterating the keys raised."""
        if self.pulled or not self._task.done():
            return False
        if self._task.cancelled():
            raise UserGroupsError("the sweep's keys ended with a cancel that is not the sweep's")
        self._task.result()
        return True

    async def close(self, calls: Collection[asyncio.Future[T]]) -> None:
        """Close the keys and end *calls*. Raises what closing the keys raised."""
        self._is_closing = True
        has_ended = self._task.done()
        await end(calls, closing=[self._task])
        if not has_ended and not self._task.cancelled():
            self._task.result()

    async def _run(self, keys: Keys[K]) -> None:
        async with aclosing(_generator(keys)) as generator:
            while not self._is_closing:  # a generator may have suppressed the cancel
                try:
                    await self.wanted.wait()
                    step = anext(generator)
                except asyncio.CancelledError as cancel:
                    step = generator.athrow(cancel)  # the sweep's own, or that of a scope around a `yield`
                try:
                    self.pulled.append(await step)
                except StopAsyncIteration:
                    return
                self.wanted.clear()
                self._tell()


def _generator(keys: Keys[K]) -> AsyncGenerator[K, None]:
    """Return *keys* as an async generator, which can be told of a cancel, and closed."""
    iterator = aiter(keys) if isinstance(keys, AsyncIterable) else iter(keys)
    return cast("AsyncGenerator[K, None]", iterator) if isinstance(iterator, AsyncGenerator) else _each(iterator)


async def _each(iterator: Keys[K]) -> AsyncGenerator[K, None]:
    if isinstance(iterator, AsyncIterable):
        async for key in iterator:
            yield key
        return
    try:
        for key in iterator:
            yield key
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _outcome(key: K, task: asyncio.Task[T], yields: bool) -> Outcome[K, T]:
    """Return the outcome of *task*, the call for *key*, or raise its error if that ends the sweep."""
    if task.cancelled():  # raised as it is, it would look like a cancel of the sweep's caller
        text = f"the call for {short_repr(key, _LONGEST_KEY)} ended with a cancel that is not the sweep's"
        error: BaseException | None = UserGroupsError(text)
    else:
        error = task.exception()
    if error is None:
        return Outcome(key, value=task.result())
    if yields and isinstance(error, UserGroupsError):
        return Outcome(key, error=error)
    error.add_note(f"in the sweep, at the key {short_repr(key, _LONGEST_KEY)}")
    raise error
