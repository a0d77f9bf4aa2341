"""AsyncPager: lists that arrive a page at a time, from a fake server of pages."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rig.cancel import explore
from rig.clock import FakeClock
from rig.eager import begin_tasks_eagerly
from usergroups import AsyncPager, Page, PaginationError, ServerError, UserGroupsError
from usergroups.pagination import Fetched

Pages = Mapping[str | None, Page[int]]


def again() -> PaginationError:
    """Return the error for a page token that came round again."""
    return PaginationError("again", json_path="$.nextToken", request_id="r-1")


class Server:
    """A server of *pages*, by the token that asks for each: counts what it is asked, and fails on demand."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.asked: list[str | None] = []
        self.fails_in = 0  # requests, the failing one included; 0 means never
        self.goes = asyncio.Event()
        self.goes.set()

    async def __call__(self, token: str | None) -> Fetched[int]:
        """Return the page that *token* asks for."""
        self.asked.append(token)
        self.fails_in -= 1
        if self.fails_in == 0:
            raise ServerError("try later", status_code=503)
        await self.goes.wait()
        await asyncio.sleep(0)
        return self.pages[token], again

    def pager(self, *, next_token: str | None = None, prefetch: bool = False) -> AsyncPager[int]:
        """Make a pager over these pages."""
        return AsyncPager(self, next_token=next_token, prefetch=prefetch)


def pages_of(*sizes: int, back_to: int | None = None) -> dict[str | None, Page[int]]:
    """Make pages of these *sizes* with items 0, 1, 2, ...; the token of the last leads *back_to* one, or nowhere."""
    numbers = iter(range(sum(sizes)))
    names = [None, *(f"token-{n}" for n in range(1, len(sizes)))]
    last = None if back_to is None else f"token-{back_to}"
    return {
        name: Page(tuple(next(numbers) for _ in range(size)), following)
        for name, size, following in zip(names, sizes, [*names[1:], last], strict=True)
    }


async def read(pager: AsyncPager[int]) -> tuple[list[int], Exception | None]:
    """Read *pager* to its end, and give the items and the error that it ended with."""
    items: list[int] = []
    try:
        async for item in pager:
            items.append(item)  # noqa: PERF401  # an error must not take the items along
    except UserGroupsError as error:
        return items, error
    return items, None


def others() -> set["asyncio.Task[object]"]:
    """Return the tasks that there are beside this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


both = pytest.mark.parametrize("prefetch", [False, True], ids=["plain", "prefetch"])


class TestReading:
    """What a reader gets."""

    @both
    async def test_items_of_all_pages_in_order(self, prefetch: bool) -> None:
        """Reading a pager gives the items of all pages in their order, and asks for each page once."""
        server = Server(pages_of(2, 1, 3))

        items = [item async for item in server.pager(prefetch=prefetch)]

        assert items == [0, 1, 2, 3, 4, 5]
        assert server.asked == [None, "token-1", "token-2"]

    @both
    async def test_awaited_pager_is_all_items(self, prefetch: bool) -> None:
        """Awaiting a pager gives the list of all items, and awaiting it again reads it again."""
        server = Server(pages_of(2, 1, 3))
        pager = server.pager(prefetch=prefetch)

        items = [await pager, await pager]

        assert items == [[0, 1, 2, 3, 4, 5]] * 2
        assert server.asked == [None, "token-1", "token-2"] * 2

    async def test_awaited_pager_raises_what_ends_it(self) -> None:
        """An error ends an awaited pager as it ends `collect()`, and no part of the list is given."""
        server = Server(pages_of(1, 1))
        server.fails_in = 2

        with pytest.raises(ServerError, match="try later"):
            await server.pager()

    async def test_pager_of_items(self) -> None:
        """A fake's pager gives its items in every way that a pager has, as often as it is read."""
        pager = AsyncPager.of(iter("abc"))

        assert [await pager, await pager.collect(), [item async for item in pager]] == [["a", "b", "c"]] * 3
        assert (await pager.first(), await pager.collect(limit=2)) == ("a", ["a", "b"])
        assert [page async for page in pager.pages()] == [Page(("a", "b", "c"))]
        assert (await AsyncPager.of([]), await AsyncPager.of([]).first()) == ([], None)

    @pytest.mark.parametrize(
        ("pager", "shown"),
        [
            (AsyncPager.of([1, 2]), "<AsyncPager of(items=(1, 2))>"),
            (AsyncPager.of(range(1000)), "<AsyncPager of(items=(0, 1, 2, 3, 4, 5, ...))>"),
            (
                AsyncPager(Server({}), next_token="t", prefetch=True, call=("list", {"of": "a", "size": None})),
                "<AsyncPager list(of='a', next_token='t', prefetch=True)>",
            ),
        ],
        ids=["of items", "of many items", "of a call"],
    )
    def test_repr(self, pager: AsyncPager[int], shown: str) -> None:
        """A pager shows the call that made it, with the arguments that were given, each at no great length."""
        assert repr(pager) == shown
        assert len(repr(AsyncPager(Server({}), next_token="t" * 16_000))) < 150
        assert repr(AsyncPager.of([10**5000])) == "<AsyncPager of(items=<tuple>)>"  # which has no repr of its own

    async def test_nothing_is_fetched_ahead_unless_it_is_asked_for(self, clock: FakeClock) -> None:
        """A pager of itself fetches no page before its time."""
        server = Server(pages_of(1, 1))

        async with aclosing(AsyncPager(server).pages()) as pages:
            await anext(pages)
            await clock.settle()

        assert server.asked == [None]

    @both
    async def test_nothing_is_asked_for_before_it_is_read(self, prefetch: bool) -> None:
        """Making a pager costs no request, nor do its `pages()` before the first one is read."""
        server = Server(pages_of(1))

        server.pager(prefetch=prefetch).pages()
        await asyncio.sleep(0)

        assert server.asked == []

    @both
    async def test_reading_again_starts_again(self, prefetch: bool) -> None:
        """A pager can be read more than once, each time from its beginning."""
        pager = Server(pages_of(2, 2)).pager(prefetch=prefetch)

        twice = [[item async for item in pager] for _ in range(2)]

        assert twice == [[0, 1, 2, 3]] * 2

    async def test_two_readers_do_not_disturb_each_other(self) -> None:
        """A pager that is read twice at once gives each reader everything."""
        pager = Server(pages_of(2, 2, 2)).pager(prefetch=True)

        both_read = await asyncio.gather(pager.collect(), pager.collect())

        assert both_read == [[0, 1, 2, 3, 4, 5]] * 2

    async def test_pages(self) -> None:
        """`pages()` gives each page with the token that asks for the next one, None on the last."""
        pager = Server(pages_of(2, 0, 1)).pager()

        pages = [page async for page in pager.pages()]

        assert pages == [Page((0, 1), "token-1"), Page((), "token-2"), Page((2,), None)]

    async def test_f62_long_listing_takes_little_memory(self) -> None:
        """A listing of 100,000 pages remembers its tokens in less than 10 MiB, and keeps no earlier page."""
        last = 99_999

        async def fetch(token: str | None) -> Fetched[bytes]:
            number = int(token or 0)
            return Page((bytes(1000),), None if number == last else f"{number + 1:0200}"), again

        tracemalloc.start()
        count = 0
        async for _ in AsyncPager(fetch).pages():
            count += 1
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert count == 100_000
        assert peak < 10 * 1024 * 1024


class TestRepeatedToken:
    """A token that comes round again would make a listing endless."""

    @settings(max_examples=100, derandomize=True, deadline=None)
    @given(sizes=st.lists(st.integers(0, 3), min_size=2, max_size=30), data=st.data(), prefetch=st.booleans())
    def test_f56_any_cycle(self, sizes: list[int], data: st.DataObject, prefetch: bool) -> None:
        """Whatever the pages hold and wherever the last one leads back to, every item comes once, then the error."""
        server = Server(pages_of(*sizes, back_to=data.draw(st.integers(1, len(sizes) - 1))))

        items, error = asyncio.run(read(server.pager(prefetch=prefetch)))

        assert isinstance(error, PaginationError)
        assert items == [*range(sum(sizes))]
        assert len(server.asked) == len(sizes)


class TestPrefetch:
    """The next page is fetched while the caller works on this one."""

    async def test_one_page_ahead_at_most(self, clock: FakeClock) -> None:
        """A caller who takes its time does not find the whole list fetched."""
        server = Server(pages_of(*[1] * 10))
        pages = server.pager(prefetch=True).pages()

        await anext(pages)
        await clock.settle()

        assert len(server.asked) == 2
        await pages.aclose()

    async def test_failure_comes_in_its_place(self, clock: FakeClock) -> None:
        """A failure of the next page is raised after this page's items, not in the middle of them."""
        server = Server(pages_of(3, 3))
        server.fails_in = 2
        pages = server.pager(prefetch=True).pages()

        first = await anext(pages)
        await clock.settle()
        with pytest.raises(ServerError):
            await anext(pages)

        assert first.items == (0, 1, 2)

    async def test_failure_that_nobody_waits_for_is_quiet(self, clock: FakeClock) -> None:
        """A caller who leaves before the failed page hears nothing of it, and neither does the log."""
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        server = Server(pages_of(3, 3))
        server.fails_in = 2

        async with aclosing(server.pager(prefetch=True).pages()) as pages:
            await anext(pages)
            await clock.settle()
        gc.collect()

        assert complaints == []

    async def test_failure_of_a_cancelled_prefetch_is_quiet(self, clock: FakeClock) -> None:
        """A page that fails because it was given up is nobody's concern."""
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

        async def fetch(token: str | None) -> Fetched[int]:
            if token is not None:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise ServerError("closed") from None
            return Page((1,), "two"), again

        async with aclosing(AsyncPager(fetch, prefetch=True).pages()) as pages:
            await anext(pages)
            await clock.settle()
        gc.collect()

        assert complaints == []


async def first_alone(server: Server, pages: AsyncGenerator[Page[int], None], clock: FakeClock) -> None:
    """Read the first of *pages*; the server answers nothing more, not even what is asked for at once."""
    server.goes.clear()
    first = asyncio.ensure_future(anext(pages))
    await clock.settle()
    server.goes.set()  # for those who wait now
    server.goes.clear()
    await first


class TestLeaving:
    """Leaving the loop early leaves nothing behind."""

    async def test_closing_waits_for_the_prefetch_to_end(self, clock: FakeClock) -> None:
        """Once `pages()` is closed, the page that was on its way is so no more."""
        server = Server(pages_of(1, 1))
        pages = server.pager(prefetch=True).pages()
        await first_alone(server, pages, clock)
        await clock.settle()

        await pages.aclose()

        assert not others()

    @pytest.mark.parametrize("times", [1, 2, 100], ids=["once", "twice", "again and again"])
    @both
    async def test_f86_cancelled_again_at_every_step(self, prefetch: bool, times: int) -> None:
        """Whenever, and however often, a reader is cancelled, it leaves no task, though a page takes time to end."""

        async def fetch(token: str | None) -> Fetched[int]:
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                raise
            number = int(token or 0) + 1
            return Page((number,), str(number) if number < 4 else None), again

        async def read_all() -> int:
            items = 0
            async with aclosing(aiter(AsyncPager(fetch, prefetch=prefetch))) as some:
                async for _ in some:
                    items += 1
                    await asyncio.sleep(0)
            return items

        async for cut in explore(read_all, times=times):
            assert isinstance(cut.error, asyncio.CancelledError) if cut.cancelled else cut.value == 4
            assert not others(), cut.k


class TestEagerTasks:
    """A loop whose tasks begin at once: the page ahead may be there before the caller works on this one."""

    @pytest.fixture(autouse=True)
    async def eager(self) -> None:
        """Let the loop have Python's own factory of such tasks."""
        begin_tasks_eagerly()

    @pytest.mark.parametrize("at_once", [False, True], ids=["pages take a turn", "pages are there at once"])
    async def test_f85_items_of_all_pages_in_order(self, at_once: bool) -> None:
        """A pager that fetches ahead gives the items of all pages in their order, and asks for each page once."""
        server = Server(pages_of(2, 1, 3))

        async def fetch(token: str | None) -> Fetched[int]:
            server.asked.append(token)
            return server.pages[token], again

        pager = AsyncPager(fetch, prefetch=True) if at_once else server.pager(prefetch=True)
        items = [item async for item in pager]

        assert items == [0, 1, 2, 3, 4, 5]
        assert server.asked == [None, "token-1", "token-2"]

    async def test_f85_failure_comes_in_its_place(self) -> None:
        """A page that fails before anyone waits for it fails after the items of the page before."""
        server = Server(pages_of(3, 3))
        server.fails_in = 2

        items, error = await read(server.pager(prefetch=True))

        assert items == [0, 1, 2]
        assert isinstance(error, ServerError)


class TestCollect:
    """`collect()` and `first()`: a list, or its beginning, in one call."""

    @pytest.mark.parametrize(
        ("limit", "items", "requests"),
        [
            pytest.param(None, [0, 1, 2, 3, 4], 3, id="all"),
            pytest.param(0, [], 0, id="nothing"),
            pytest.param(1, [0], 1, id="a part of a page"),
            pytest.param(2, [0, 1], 1, id="a page"),
            pytest.param(3, [0, 1, 2], 2, id="more than a page"),
            pytest.param(5, [0, 1, 2, 3, 4], 3, id="as many as there are"),
            pytest.param(100, [0, 1, 2, 3, 4], 3, id="more than there are"),
        ],
    )
    async def test_limit(self, limit: int | None, items: list[int], requests: int) -> None:
        """`collect(limit)` gives at most so many items, and asks for no page that it does not need."""
        server = Server(pages_of(2, 2, 1))

        assert await server.pager().collect(limit=limit) == items
        assert len(server.asked) == requests

    @pytest.mark.parametrize(("sizes", "item"), [((0, 0, 2, 2), 0), ((0, 0), None)], ids=["an item", "none"])
    async def test_first(self, sizes: tuple[int, ...], item: int | None) -> None:
        """`first()` gives the first item, wherever its page is, or None; it asks for no page after that."""
        server = Server(pages_of(*sizes))

        assert await server.pager().first() == item
        assert len(server.asked) == min(3, len(sizes))

    async def test_f61_limit_leaves_no_page_under_way(self, clock: FakeClock) -> None:
        """A page that was fetched ahead, beyond the limit, is given up."""
        server = Server(pages_of(*[2] * 10))

        await server.pager(prefetch=True).collect(limit=1)

        assert not others()
        assert len(server.asked) <= 2


@settings(max_examples=60, stateful_step_count=20, derandomize=True, deadline=None)
class Listing(RuleBasedStateMachine):
    """A reader of pages who meets failures, leaves, is cancelled and resumes: it gets every item exactly once."""

    @initialize(sizes=st.lists(st.integers(0, 3), min_size=1, max_size=12), prefetch=st.booleans())
    def begin(self, sizes: list[int], prefetch: bool) -> None:
        """Make a server of pages, some of them empty, and begin to read."""
        self.loop = asyncio.new_event_loop()
        self.server = Server(pages_of(*sizes))
        self.prefetch = prefetch
        self.everything = [*range(sum(sizes))]
        self.read: list[int] = []
        self.next_token: str | None = None
        self.ended = False
        self.pages = self.begun()

    def begun(self) -> AsyncGenerator[Page[int], None]:
        """Begin a listing where the last one that was delivered ends."""
        pager = self.server.pager(next_token=self.next_token, prefetch=self.prefetch)
        return pager.pages()

    async def take(self) -> None:
        """Take the next page, or find out that there is none; begin anew after a failure."""
        try:
            page = await anext(self.pages)
        except StopAsyncIteration:
            self.ended = True
        except ServerError:
            self.pages = self.begun()
        else:
            self.read += page.items
            self.next_token = page.next_token
            self.ended = page.next_token is None

    @precondition(lambda self: not self.ended)
    @rule()
    def next_page(self) -> None:
        """Take a page."""
        self.loop.run_until_complete(self.take())

    @rule(requests=st.integers(1, 3))
    def fail_soon(self, requests: int) -> None:
        """Let one of the next requests fail."""
        self.server.fails_in = requests

    @precondition(lambda self: not self.ended)
    @rule(prefetch=st.booleans())
    def leave_and_resume(self, prefetch: bool) -> None:
        """Close the listing, and go on with another one, from the last token."""
        self.loop.run_until_complete(self.pages.aclose())
        self.prefetch = prefetch
        self.pages = self.begun()

    @precondition(lambda self: not self.ended)
    @rule(turns=st.integers(0, 4))
    def cancel_and_resume(self, turns: int) -> None:
        """Be cancelled at some turn of taking a page; what was not delivered is still to come."""

        async def cancelled() -> None:
            task = asyncio.create_task(self.take())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if task.cancelled():
                await self.pages.aclose()
                self.pages = self.begun()

        self.loop.run_until_complete(cancelled())

    @precondition(lambda self: not self.ended)
    @rule(turns=st.integers(0, 5))
    def work(self, turns: int) -> None:
        """Work on the page for a while, as a prefetch goes on."""

        async def working() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(working())

    @invariant()
    def in_order_and_once(self) -> None:
        """Find that what was read is the beginning of everything."""
        assert self.read == self.everything[: len(self.read)]

    @invariant()
    def one_request_at_most_is_under_way(self) -> None:
        """Find nothing but one prefetch beside the reader."""
        assert len(asyncio.all_tasks(self.loop)) <= self.prefetch

    def teardown(self) -> None:
        """Read to the end: everything has come, and nothing is left."""
        self.server.fails_in = 0
        while not self.ended:
            self.loop.run_until_complete(self.take())
        self.loop.run_until_complete(self.pages.aclose())
        tasks = asyncio.all_tasks(self.loop)
        self.loop.close()

        assert self.read == self.everything
        assert not tasks


TestListing = Listing.TestCase
