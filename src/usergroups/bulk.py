"""One call for each of many keys, so many at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from reprlib import Repr
from typing import Any, Generic, Literal, TypeVar

import attrs

from . import _settings
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
    """
    concurrency = _settings.count("concurrency", concurrency)
    yields = _yields(on_error)
    if not callable(call):
        raise ConfigurationError("call must be a function of one key that can be awaited")
    _settings.instance("keys", keys, Iterable, AsyncIterable)
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
    source = _each(keys)
    news = asyncio.Event()
    calls: dict[asyncio.Task[T], K] = {}  # begun, and their outcomes not yet taken
    ended: deque[asyncio.Task[T]] = deque()
    pulling: asyncio.Task[tuple[K] | None] | None = None
    more = True

    async def pull() -> tuple[K] | None:
        return await anext(source, None)

    async def made(key: K) -> T:
        return await call(key)

    def end(task: asyncio.Task[T]) -> None:
        ended.append(task)
        news.set()

    try:
        while more or calls:
            if more and pulling is None and len(calls) < concurrency:
                pulling = asyncio.create_task(pull())
                pulling.add_done_callback(lambda _: news.set())
            if pulling is not None and pulling.done():
                pulled, pulling = pulling.result(), None
                more = pulled is not None
                if pulled is not None:
                    task = asyncio.create_task(made(*pulled))
                    calls[task] = pulled[0]
                    task.add_done_callback(end)
            elif ended:
                task = ended.popleft()
                yield _outcome(calls.pop(task), task, yields)
            else:
                news.clear()
                await news.wait()
    finally:
        left: list[asyncio.Task[Any]] = [*calls, *([pulling] if pulling else [])]
        for one in left:
            one.cancel()
        try:
            await asyncio.gather(*left, return_exceptions=True)
        finally:
            await source.aclose()


def _outcome(key: K, task: asyncio.Task[T], yields: bool) -> Outcome[K, T]:
    try:
        return Outcome(key, value=task.result())
    except BaseException as error:
        if yields and isinstance(error, UserGroupsError):
            return Outcome(key, error=error)
        error.add_note(f"in the sweep, at the key {_shown(key)}")
        raise


def _shown(key: object) -> str:
    """
    Give the repr of *key*, shortened, or its type's name where there is none.
    """
    try:
        return _REPR.repr(key)
    except Exception:  # noqa: BLE001  # an int may be too long for one, and reprlib knows classes by their names alone
        return f"<{type(key).__name__}>"


async def _each(keys: Iterable[K] | AsyncIterable[K]) -> AsyncGenerator[tuple[K], None]:
    """
    Give each key in a tuple of its own, for it may be anything; close an iterator that was opened here.
    """
    if not isinstance(keys, AsyncIterable):
        for key in keys:
            yield (key,)
        return
    later = aiter(keys)
    try:
        async for key in later:
            yield (key,)
    finally:
        if later is not keys and isinstance(later, AsyncGenerator):
            await later.aclose()
