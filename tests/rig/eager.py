"""Tasks that begin at once, as those of `asyncio.eager_task_factory`, on every Python."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def begin_tasks_eagerly(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """
    Let the tasks of *loop*, or of the running one, run up to where they first wait as soon as they are made.
    """
    factory = getattr(asyncio, "eager_task_factory", _eager_task)  # Python has them from 3.12 on
    (loop or asyncio.get_running_loop()).set_task_factory(factory)


def _eager_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> "asyncio.Task[Any]":
    """
    Make a task, and take its first step, which is the last thing that the loop was given to do.
    """
    task = asyncio.Task(coroutine, loop=loop, **options)
    if loop.is_running():
        internal: Any = loop
        step = internal._ready.pop()  # noqa: SLF001  # in Python 3.11 alone
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio.tasks._leave_task(loop, outer)  # noqa: SLF001
        step._run()  # noqa: SLF001
        if outer is not None:
            asyncio.tasks._enter_task(loop, outer)  # noqa: SLF001
    return task
