"""Lists that are fetched page by page."""

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
    One page of a list. *next_token* requests the next page, and is None on the last one.
    """

    items: tuple[T, ...]
    next_token: str | None = None


Fetched = tuple[Page[T], Callable[[], UnexpectedResponseError]]
"""A page, and a function that makes the `PaginationError` to raise if its next token has been used before."""


class AsyncPager(Generic[T]):
    """
    A list that is fetched as it is read: `async for item in pager`.

    Lazy: nothing is requested until it is iterated, and each iteration starts over. With *prefetch*
    the next page is fetched while the caller works on this one. Leaving the loop early leaves no task
    and no request behind.
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
        Yield the list page by page.

        Raises `PaginationError` after a page whose next token has been used before in this listing.
        """
        async with self._begin() as listing:
            while (page := await listing.next()) is not None:
                yield page

    async def collect(self, limit: int | None = None) -> list[T]:
        """
        Return the items as a list: all of them, or the first *limit*.
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
        Return the first item, or None if the list is empty.
        """
        items = await self.collect(limit=1)
        return items[0] if items else None

    def _begin(self) -> "aclosing[_Listing[T]]":
        return aclosing(_Listing(self._fetch, self._next_token, self._prefetch))


class _Listing(Generic[T]):
    """
    One iteration over a list, page by page.

    It is not a generator: an event loop that ends closes all generators at once, including one inside another.
    """

    def __init__(
        self, fetch: Callable[[str | None], Awaitable[Fetched[T]]], next_token: str | None, prefetch: bool
    ) -> None:
        self._fetch = fetch
        self._token = next_token
        self._prefetch = prefetch
        self._seen: set[int] = set()  # hashes: a listing may be long, and a token too
        self._prefetched: asyncio.Future[Fetched[T]] | None = None
        self._at_end = False
        self._repeat_error: Callable[[], UnexpectedResponseError] | None = None

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last. Raises `PaginationError` if a token came round again."""
        if self._repeat_error is not None:
            error, self._repeat_error, self._at_end = self._repeat_error(), None, True  # frees the response
            raise error
        if self._at_end:
            return None
        if self._token is not None:
            self._seen.add(hash(self._token))
        page, repeat_error = await (self._prefetched or self._fetch(self._token))
        self._token, self._prefetched = page.next_token, None
        if page.next_token is None:
            self._at_end = True
        elif hash(page.next_token) in self._seen:
            self._repeat_error = repeat_error
        elif self._prefetch:
            self._prefetched = asyncio.ensure_future(self._fetch(page.next_token))
        return page

    async def aclose(self) -> None:
        """Cancel the prefetch, if there is one, and wait for its end."""
        if self._prefetched is not None:
            await end([self._prefetched])
