"""One process of a fleet: it asks for the groups of some users, at a rate that it shares."""

import asyncio
import logging
import os
import time
from collections import Counter
from multiprocessing.connection import Connection

import attrs
from redis.asyncio import Redis

from usergroups import M3terClient, RetryPolicy, sweep
from usergroups.m3ter import UserGroup
from usergroups.stores import RedisRateLimit

KEY = "m3ter:fleet"


@attrs.frozen(kw_only=True)
class Work:
    """What a fleet does: its *processes* ask for the groups of so many *users*, *per_second* of them together."""

    users: int
    processes: int
    per_second: float
    attempts: int = 3

    def part(self, number: int) -> list[str]:
        """Return the users of one process; they are numbered from 0."""
        return [f"user-{user}" for user in range(number + 1, self.users + 1, self.processes)]


@attrs.frozen
class Summary:
    """What a process came to: *seconds* of the clock and of the *cpu*, *errors* by kind, and what the SDK *said*."""

    seconds: float
    cpu: float
    errors: dict[str, int]
    said: list[str]


class _Said(logging.Handler):
    """What the SDK said."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def work(parent: Connection, work: Work, number: int, url: str | None, environment: dict[str, str]) -> None:
    """
    Do the part of process *number*, once *parent* says so.

    It is told when all is ready, of each user who is answered, and at the end the summary. The rate is shared by the
    Redis at *url*, or divided by the processes if that is None.
    """
    os.environ.update(environment)
    asyncio.run(_work(parent, work, number, url))


async def _work(parent: Connection, work: Work, number: int, url: str | None) -> None:
    said = _Said()
    logging.getLogger("usergroups").addHandler(said)
    logging.getLogger("usergroups").setLevel(logging.INFO)
    redis = None if url is None else Redis.from_url(url)
    limit: float | RedisRateLimit = work.per_second / work.processes
    if redis is not None:
        limit = RedisRateLimit(redis, key=KEY, per_second=work.per_second, processes=work.processes)
    errors: Counter[str] = Counter()
    async with M3terClient(max_rate=limit, timeout=None, retry=RetryPolicy(attempts=work.attempts)) as client:

        async def groups(user_id: str) -> list[UserGroup]:
            return await client.list_user_groups(user_id, page_size=200).collect()

        parent.send("ready")
        parent.recv()
        begun, cpu = time.monotonic(), time.process_time()
        async for outcome in sweep(groups, work.part(number), on_error="yield"):
            if outcome.error is None:
                parent.send(outcome.key)
            else:
                errors[type(outcome.error).__name__] += 1
        seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    if redis is not None:
        await redis.connection_pool.disconnect()
    parent.send(Summary(seconds, cpu, dict(errors), said.messages))
