"""How long a listing takes while its reader works on each page, with and without prefetch."""

import asyncio
import time

from usergroups import M3terClient


async def measure(url: str, work: float, prefetch: bool) -> dict[str, float]:
    """
    Return the *seconds* of a listing, and its *pages*; the reader takes *work* seconds for each.
    """
    async with M3terClient(
        org_id="org",
        api_key="key",
        api_secret="secret",  # made up
        base_url=url,
        max_rate=None,
    ) as client:
        await client.authenticate()
        begin = time.perf_counter()
        pages = 0
        async for _ in client.list_user_groups("user", prefetch=prefetch).pages():
            await asyncio.sleep(work)
            pages += 1
        return {"seconds": time.perf_counter() - begin, "pages": pages}
