"""The event loop of a command, which signals end at once, whatever a pipe is waiting for."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from .words import TERMINATED, CommandError

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
