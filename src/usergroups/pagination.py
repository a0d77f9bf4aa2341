"""Lists that are fetched page by page."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Generic, TypeVar

import attrs

from ._arguments import of_call, short_repr
from ._tasks import end
from ._telemetry import Listing
from .errors import UnexpectedResponseError

_LONGEST_ARGUMENT = 80  # characters of an argument in a pager's repr

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Page(Generic[T_co]):
    """
    One page of a list. *next_token* requests the next page, and is None on the last one.
    """

    items: tuple[T_co, ...]
    next_token: str | None = None


Fetched = tuple[Page[T], Callable[[], UnexpectedResponseError]]
"""A page, and a function that makes the `PaginationError` to raise if its next token has been used before."""

Fetch = Callable[[str | None], Awaitable[Fetched[T]]]
"""A function that fetches the page that a token requests, or the first one if it is None."""


class AsyncPager(Generic[T_co]):
    """
    A list that is fetched as it is read: `async for item in pager`, or all of it at once: `await pager`.

    Lazy: nothing is requested until it is iterated or awaited, and each iteration starts over. With
    *prefetch* the next page is fetched while the caller works on this one. Leaving the loop early leaves
    no task and no request behind.
    """

    def __init__(
        self,
        fetch: Fetch[T_co],
        *,
        next_token: str | None = None,
        prefetch: bool = False,
        call: tuple[str, Mapping[str, object]] = ("of", {}),
    ) -> None:
        if next_token is not None:
            next_token = of_call.parameter("next_token", next_token)
        of_call.instance("prefetch", prefetch, bool)
        self._listing: Callable[[], _Listing[T_co]] = partial(_Listing, fetch, next_token, prefetch)
        name, given = call
        self._call = name, {**given, "next_token": next_token, "prefetch": prefetch or None}

    @staticmethod
    def of(items: Iterable[T]) -> "AsyncPager[T]":
        """
        Return a pager of *items*, in one page and without any request: for fakes of a client.
        """
        page = Page(tuple(items))

        async def fetch(_: str | None) -> Fetched[T]:
            return page, UnexpectedResponseError

        return AsyncPager(fetch, call=("of", {"items": page.items}))

    def __repr__(self) -> str:
        name, given = self._call
        told = {key: short_repr(value, _LONGEST_ARGUMENT) for key, value in given.items() if value is not None}
        return f"<AsyncPager {name}({', '.join(f'{key}={text}' for key, text in told.items())})>"

    def __await__(self) -> Generator[Any, Any, list[T_co]]:
        return self.collect().__await__()

    async def __aiter__(self) -> AsyncGenerator[T_co, None]:
        async with aclosing(self._listing()) as listing:
            while (page := await listing.next()) is not None:
                for item in page.items:
                    yield item

    async def pages(self) -> AsyncGenerator[Page[T_co], None]:
        """
        Yield the list page by page.

        Raises `PaginationError` after a page whose next token has been used before in this listing.
        """
        async with aclosing(self._listing()) as listing:
            while (page := await listing.next()) is not None:
                yield page

    async def collect(self, limit: int | None = None) -> list[T_co]:
        """
        Return the items as a list: all of them, as `await pager` does, or the first *limit*.
        """
        if limit is not None:
            of_call.count("limit", limit, least=0)
        items: list[T_co] = []
        async with aclosing(self._listing()) as listing:
            while (limit is None or len(items) < limit) and (page := await listing.next()) is not None:
                items += page.items
        return items[:limit]

    async def first(self) -> T_co | None:
        """
        Return the first item, or None if the list is empty.
        """
        items = await self.collect(limit=1)
        return items[0] if items else None


@attrs.define
class _Listing(Generic[T]):
    """
    One iteration over a list, page by page, from the page that *token* requests.

    It is not a generator: an event loop that ends closes all generators at once, including one inside another.
    """

    fetch: Fetch[T]
    token: str | None
    prefetch: bool
    seen: set[int] = attrs.field(factory=set[int])  # hashes: a listing may be long, and a token too
    prefetched: asyncio.Future[Fetched[T]] | None = None
    at_end: bool = False
    repeat_error: Callable[[], UnexpectedResponseError] | None = None
    observed: Listing = attrs.field(factory=Listing)

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last. Raises `PaginationError` if a token came round again."""
        if self.at_end:
            return None
        with self.observed:
            if self.repeat_error is not None:
                error, self.repeat_error = self.repeat_error(), None  # frees the response
                raise error
            if self.token is not None:
                self.seen.add(hash(self.token))
            page, repeat_error = await (self.prefetched or self.fetch(self.token))
            self.token, self.prefetched = page.next_token, None
            if page.next_token is None:
                self.at_end = True
            elif hash(page.next_token) in self.seen:
                self.repeat_error = repeat_error
            elif self.prefetch:
                self.prefetched = asyncio.ensure_future(self.fetch(page.next_token))
            return page

    async def aclose(self) -> None:
        """Cancel the prefetch, if there is one, and wait for its end."""
        try:
            if self.prefetched is not None:
                await end([self.prefetched])
        finally:
            self.observed.end()
