"""Ending tasks together with the code that started them."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

_CLOSING_TIME = 5.0  # seconds before further cancels reach a closing task


async def end(tasks: Collection[asyncio.Future[Any]], *, closing: Collection[asyncio.Future[Any]] = ()) -> None:
    """
    Cancel *tasks* and *closing*, and wait until all have ended, however often the caller is cancelled meanwhile.

    Each further cancel of the caller is passed on to *tasks*, and after 5 s to *closing* too, which may need that time
    to close something. What the tasks raise is not raised here, nor logged as never retrieved.
    """
    cancelled: asyncio.CancelledError | None = None
    closing_until = asyncio.get_running_loop().time() + _CLOSING_TIME
    for task in (*tasks, *closing):
        task.cancel()
    while running := [task for task in (*tasks, *closing) if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
            closing_time_is_up = asyncio.get_running_loop().time() >= closing_until
            for task in (*tasks, *(closing if closing_time_is_up else ())):
                task.cancel()
    for task in (*tasks, *closing):
        if not task.cancelled():
            task.exception()
    if cancelled is not None:
        raise cancelled


async def together(*coroutines: Coroutine[Any, Any, object]) -> None:
    """
    Run *coroutines* as tasks, and end the others when one raises.
    """
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end(tasks)
