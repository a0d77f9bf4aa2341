"""A sweep of many users against a server that allows so many requests a second."""

import time
from collections import Counter

from usergroups import M3terClient, sweep


async def measure(url: str, users: int, max_rate: float | None) -> dict[str, object]:
    """
    Return the *seconds* of the sweep, how many users were *answered*, and the *errors* of the others.
    """
    async with M3terClient(
        org_id="org",
        api_key="key",
        api_secret="secret",  # made up
        base_url=url,
        max_rate=max_rate,
    ) as client:
        await client.authenticate()

        async def groups(user_id: str) -> int:
            return len(await client.list_user_groups(user_id).collect())

        begin = time.perf_counter()
        answered: set[str] = set()
        errors: Counter[str] = Counter()
        async for outcome in sweep(groups, (f"user-{number:06}" for number in range(users)), on_error="yield"):
            if outcome.error is None:
                answered.add(outcome.key)
            else:
                errors[type(outcome.error).__name__] += 1
        return {"seconds": time.perf_counter() - begin, "answered": len(answered), "errors": dict(errors)}
