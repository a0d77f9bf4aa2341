"""Lists that arrive a page at a time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

import attrs

from . import _settings
from .errors import UnexpectedResponseError

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """
    One page of a list; *next_token* asks for the next one, and is None on the last.
    """

    items: tuple[T, ...]
    next_token: str | None = None


Fetched = tuple[Page[T], Callable[[], UnexpectedResponseError]]
"""A page, and what makes the `PaginationError` to raise if its token has been used before."""


class AsyncPager(Generic[T]):
    """
    A list that is fetched as it is read: `async for item in pager`.

    Lazy: nothing is asked for until it is iterated, and iterating again starts again. With
    *prefetch* the next page is fetched while the caller works on this one. Leaving the loop early
    leaves nothing behind.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Awaitable[Fetched[T]]],
        *,
        next_token: str | None = None,
        prefetch: bool = False,
    ) -> None:
        self._fetch = fetch
        self._next_token = next_token
        self._prefetch = prefetch

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def pages(self) -> AsyncGenerator[Page[T], None]:
        """
        Give the list page by page.

        Raises `PaginationError` after a page whose token has been used before in this listing.
        """
        seen: set[int] = set()  # hashes: a listing may be long, and a token too
        token = self._next_token
        coming: asyncio.Future[Fetched[T]] | None = None
        try:
            while True:
                if token is not None:
                    seen.add(hash(token))
                page, token_repeats = await (coming or self._fetch(token))
                token, coming = page.next_token, None
                repeated = token is not None and hash(token) in seen
                if self._prefetch and token is not None and not repeated:
                    coming = asyncio.ensure_future(self._fetch(token))
                    coming.add_done_callback(_notice)
                yield page
                if token is None:
                    return
                if repeated:
                    raise token_repeats()
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])

    async def collect(self, limit: int | None = None) -> list[T]:
        """
        Give the items as a list: all of them, or the first *limit*.
        """
        items: list[T] = []
        if limit is not None and _settings.count("limit", limit, least=0) == 0:
            return items
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    return items[:limit]
        return items

    async def first(self) -> T | None:
        """
        Give the first item, or None if the list is empty.
        """
        items = await self.collect(limit=1)
        return items[0] if items else None


def _notice(page: asyncio.Future[Fetched[T]]) -> None:
    """
    Look at how a prefetch ended, for the caller may have left, and then nobody else does.
    """
    if not page.cancelled():
        page.exception()
