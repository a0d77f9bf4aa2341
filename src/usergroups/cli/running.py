"""The event loop of a command, which signals end at once, whatever a pipe is waiting for."""

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, TypeVar

from usergroups._tasks import end

from .words import TERMINATED, CommandError

_AT_ONCE = 1000  # items: as many as are kept while a pipe is full

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """
    Run *work* and return its result. Raises `CommandError` at SIGTERM, and `KeyboardInterrupt` at SIGINT.
    """
    hears_signals = threading.current_thread() is threading.main_thread()

    async def until_terminated() -> T:
        task = asyncio.create_task(work)
        if hears_signals:
            loop = asyncio.get_running_loop()

            def terminate(*_: object) -> None:
                loop.call_soon_threadsafe(task.cancel)

            signal.signal(signal.SIGTERM, terminate)
        return await task

    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(until_terminated())
    except asyncio.CancelledError as error:
        raise CommandError("", TERMINATED) from error
    finally:
        if hears_signals:
            signal.signal(signal.SIGTERM, before)


async def in_bursts(items: AsyncGenerator[T, None]) -> AsyncGenerator[list[T], None]:
    """
    Yield *items* in lists: those that come without a wait in between together, as they are written at once.
    """
    came: list[T] = []
    news, room = asyncio.Event(), asyncio.Event()

    async def collect() -> None:
        async with aclosing(items):
            async for item in items:
                came.append(item)
                news.set()
                if len(came) >= _AT_ONCE:
                    room.clear()
                    await room.wait()

    collecting = asyncio.create_task(collect())
    collecting.add_done_callback(lambda _: news.set())
    try:
        while came or not collecting.done():
            await news.wait()
            news.clear()
            room.set()
            burst, came[:] = came.copy(), []
            yield burst
        await collecting
    finally:
        await end([collecting])


async def in_thread(call: Callable[[], T]) -> T:
    """
    Return what *call* returns, or raise what it raises.

    Unlike in `asyncio.to_thread`, nobody waits for *call* once this is cancelled, or at the program's exit: a pipe may
    stay silent, or full, for ever.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run_there() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # it is raised where the result is waited for
            future.set_exception(error)

    threading.Thread(target=run_there, daemon=True).start()
    return await asyncio.wrap_future(future)
