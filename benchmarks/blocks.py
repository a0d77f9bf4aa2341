"""How long a SmartPM group keeps the event loop busy, and how much memory it takes, whatever was answered."""

import asyncio
import gc
import time
from statistics import median

from benchmarks.heartbeat import Heartbeat
from benchmarks.memory import peak
from usergroups import SmartPMClient, UserGroupsError
from usergroups.smartpm import UserGroup

_GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"


async def measure(url: str, times: int) -> dict[str, object]:
    """
    Return the longest *blocks* of the event loop in so many calls, and that without a call, all in seconds.

    *memory* is how many bytes the process grew by in the first call, at its peak, and *outcome* is what
    that call came to: the number of users, or the name of an error.
    """
    blocks: list[float] = []
    seconds: list[float] = []
    outcome, memory = "", 0.0
    async with SmartPMClient(api_key="key", company_id="company", base_url=url) as client:
        await asyncio.sleep(0)
        with Heartbeat() as heartbeat:
            await asyncio.sleep(0.1)
        idle, before = heartbeat.longest, peak()
        for _ in range(times):
            gc.collect()
            begin = time.perf_counter()
            with Heartbeat() as heartbeat:
                found = await _ask(client)  # kept until the beat has ended: giving it up takes time too
            seconds.append(time.perf_counter() - begin)
            blocks.append(heartbeat.longest)
            if not outcome:
                memory = peak() - before
                outcome = type(found).__name__ if isinstance(found, Exception) else f"{len(found.users):,} users"
            del found
    return {"blocks": blocks, "idle": idle, "memory": memory, "outcome": outcome, "seconds": median(seconds)}


async def _ask(client: SmartPMClient) -> UserGroup | UserGroupsError:
    try:
        return await client.get_user_group(_GROUP_ID)
    except UserGroupsError as error:
        return error
