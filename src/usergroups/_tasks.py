"""Tasks that end with whoever began them."""

import asyncio
from collections.abc import Collection
from typing import Any

_MOMENT = 5.0  # seconds that a task may take to close what it has, however often its owner is cancelled


async def end(tasks: Collection[asyncio.Future[Any]], *, closing: Collection[asyncio.Future[Any]] = ()) -> None:
    """
    Cancel *tasks* and *closing*, and wait until all have ended, however often the caller is cancelled meanwhile.

    Each further cancel goes on to *tasks*. Those that are *closing* something have a moment for it first. What either
    raise is not raised here, and not logged as an error that nobody saw.
    """
    cancelled: asyncio.CancelledError | None = None
    patient_until = asyncio.get_running_loop().time() + _MOMENT
    for task in (*tasks, *closing):
        task.cancel()
    while left := [task for task in (*tasks, *closing) if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            out_of_patience = asyncio.get_running_loop().time() >= patient_until
            for task in (*tasks, *(closing if out_of_patience else ())):
                task.cancel()
    for task in (*tasks, *closing):
        if not task.cancelled():
            task.exception()
    if cancelled is not None:
        raise cancelled
