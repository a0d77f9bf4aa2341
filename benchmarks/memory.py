"""Whether a listing of a million items takes more memory than a short one."""

import resource
import sys
import time

import httpx

from benchmarks import bodies
from usergroups import M3terClient

_PAGE = 200  # user groups, the most that m3ter gives
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in which the system tells the peak


class _Listing(httpx.AsyncBaseTransport):
    """
    Gives a token, and then so many *pages* without a wire.
    """

    def __init__(self, pages: int) -> None:
        self._page = bodies.page(_PAGE, "page-0000000")
        self._last = bodies.page(_PAGE)
        self._pages = pages
        self._given = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, content=bodies.TOKEN)
        self._given += 1
        if self._given == self._pages:
            return httpx.Response(200, content=self._last)
        return httpx.Response(200, content=self._page.replace(b"page-0000000", b"page-%07d" % self._given))


async def measure(items: int) -> dict[str, float]:
    """
    Return the peak memory in bytes after a tenth of the *items* and after all, and the seconds it took.
    """
    async with M3terClient(
        org_id="org",
        api_key="key",
        api_secret="secret",  # made up
        base_url="http://localhost",
        max_rate=None,
        transport=_Listing(items // _PAGE),
    ) as client:
        begin = time.perf_counter()
        seen, tenth = 0, 0.0
        async for _ in client.list_user_groups("user"):
            seen += 1
            if seen == items // 10:
                tenth = peak()
        return {"items": seen, "tenth": tenth, "all": peak(), "seconds": time.perf_counter() - begin}


def peak() -> float:
    """
    Return the most memory that this process ever had, in bytes.
    """
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT)
