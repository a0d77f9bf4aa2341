"""One call, run again and again, and cancelled at every turn of the event loop that it takes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

import attrs

from .turns import Turns

T = TypeVar("T")

MOST_TURNS = 5_000  # more means that the call never ends by itself


@attrs.frozen
class Cut(Generic[T]):
    """
    What came of the call that was cancelled at turn *k*.

    *cancelled* tells whether the cancel came in time: only that of the last cut did not. *error* is
    what the call raised (a `CancelledError` is one), *value* what it gave.
    """

    k: int
    cancelled: bool
    value: T | None = None
    error: BaseException | None = None


async def explore(call: Callable[[], Awaitable[T]], *, times: int = 1, step: int = 1) -> AsyncGenerator[Cut[T], None]:
    """
    Return what comes of *call* cancelled at turn 1, 1 + *step*, ..., until it ends first.

    The cancel comes at the start of a turn, before anything else in it: in one of them the task
    waits, in another what it waited for has just arrived and it does not know yet. With *times* 2
    or 3 it is cancelled again in the turns that follow. Turn 1 is before the call has begun.
    """
    for k in range(1, MOST_TURNS, step):
        cut = await _run(call, k, times)
        yield cut
        if not cut.cancelled:
            return
    raise AssertionError(f"the call took more than {MOST_TURNS} turns of the event loop")


async def _run(call: Callable[[], Awaitable[T]], k: int, times: int) -> Cut[T]:
    async def work() -> T:
        return await call()

    turn = 0
    cancelled = False
    task = asyncio.Task(work())  # by itself it begins in the next turn, whatever the loop makes of new tasks

    def begin() -> None:
        nonlocal turn, cancelled
        turn += 1
        if k <= turn < k + times and not task.done():
            task.cancel()
            cancelled = True

    turns = Turns.of()
    turns.add_begin(begin)
    try:
        await asyncio.wait([task])
    finally:
        turns.remove_begin(begin)
    if task.cancelled():
        return Cut(k, cancelled, error=asyncio.CancelledError())
    if (error := task.exception()) is not None:
        return Cut(k, cancelled, error=error)
    return Cut(k, cancelled, value=task.result())
