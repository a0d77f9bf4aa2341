"""
Tasks of Celery: `pip install 'celery[redis]'`, then `celery --workdir examples --app celery_tasks worker`.

Each process of the worker has one client. CELERY_BROKER_URL and CELERY_RESULT_BACKEND say where Redis is.
"""

import asyncio
from functools import cache
from random import uniform

from celery import Celery, Task

from usergroups import M3terClient, NotFoundError, UserGroupsError

app = Celery("celery_tasks")
app.conf.update(
    task_acks_late=True,  # a task is done when it has ended: one whose worker is killed is run again
    task_reject_on_worker_lost=True,  # the same where one process of the worker is killed
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 3600},  # seconds, above the longest task or wait for a retry
)


@cache
def m3ter() -> M3terClient:
    """Return the client of this process, which all its tasks share."""
    return M3terClient()


async def list_names(user_id: str) -> list[str | None]:
    """Return the names of the groups of a user."""
    return [group.name async for group in m3ter().list_user_groups(user_id)]


@app.task(bind=True, max_retries=10, throws=(NotFoundError,))
def group_names(self: Task, user_id: str) -> list[str | None]:
    """Return the names of the groups of a user; try again later where that may help."""
    try:
        return asyncio.run(list_names(user_id))
    except UserGroupsError as error:
        if not error.retryable:
            raise
        backoff = uniform(0, min(600, 2**self.request.retries))
        raise self.retry(exc=error, countdown=error.retry_after or backoff) from error
