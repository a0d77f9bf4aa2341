"""Lists that arrive a page at a time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

import attrs

from . import _arguments
from ._tasks import end
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
        async with self._begin() as listing:
            while (page := await listing.next()) is not None:
                for item in page.items:
                    yield item

    async def pages(self) -> AsyncGenerator[Page[T], None]:
        """
        Give the list page by page.

        Raises `PaginationError` after a page whose token has been used before in this listing.
        """
        async with self._begin() as listing:
            while (page := await listing.next()) is not None:
                yield page

    async def collect(self, limit: int | None = None) -> list[T]:
        """
        Give the items as a list: all of them, or the first *limit*.
        """
        items: list[T] = []
        if limit is not None and _arguments.count("limit", limit, least=0) == 0:
            return items
        async with self._begin() as listing:
            while (page := await listing.next()) is not None:
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

    def _begin(self) -> "aclosing[_Listing[T]]":
        return aclosing(_Listing(self._fetch, self._next_token, self._prefetch))


class _Listing(Generic[T]):
    """
    A list that is being read, page by page.

    It is no generator: a loop that ends closes all generators at once, those that stand inside another too.
    """

    def __init__(
        self, fetch: Callable[[str | None], Awaitable[Fetched[T]]], next_token: str | None, prefetch: bool
    ) -> None:
        self._fetch = fetch
        self._token = next_token
        self._prefetch = prefetch
        self._seen: set[int] = set()  # hashes: a listing may be long, and a token too
        self._coming: asyncio.Future[Fetched[T]] | None = None
        self._at_end = False
        self._repeats: Callable[[], UnexpectedResponseError] | None = None

    async def next(self) -> Page[T] | None:
        """
        Return the next page, or None after the last. Raises `PaginationError` where a token came round again.
        """
        if self._repeats is not None:
            error, self._repeats, self._at_end = self._repeats(), None, True  # what makes it holds the answer
            raise error
        if self._at_end:
            return None
        if self._token is not None:
            self._seen.add(hash(self._token))
        page, repeats = await (self._coming or self._fetch(self._token))
        self._token, self._coming = page.next_token, None
        if page.next_token is None:
            self._at_end = True
        elif hash(page.next_token) in self._seen:
            self._repeats = repeats
        elif self._prefetch:
            self._coming = asyncio.ensure_future(self._fetch(page.next_token))
        return page

    async def aclose(self) -> None:
        """
        End the fetch of the page that nobody will read.
        """
        if self._coming is not None:
            await end([self._coming])
