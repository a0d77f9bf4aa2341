"""Rows 55 to 62 of the fault table: lists that arrive a page at a time."""

import asyncio
import tracemalloc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from itertools import count
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from rig.clock import FakeClock
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from rig.script import Gate, Script, hold, json_answer, token_answer
from rig.server import FaultServer, Request
from usergroups import AsyncPager, NotFoundError, Page, PaginationError, UnexpectedResponseError
from usergroups.m3ter import UserGroup

pytest_plugins = ("faults.kinds",)  # clients on either transport

Pager = AsyncPager[UserGroup]
Ready = Callable[[], Awaitable[None]]

TOKEN = "/oauth/token"
LIST = "/organizations/*"


def asked_for(request: Request) -> str | None:
    """Return the page token that *request* asks with."""
    (token,) = [value for name, value in request.query if name == "nextToken"] or [None]
    return token


def page(next_token: object = None, *ids: object) -> bytes:
    """Return a page with the groups *ids*, and a token for the next one."""
    return json_answer({"data": [{"id": str(one)} for one in ids], "nextToken": next_token})


def chain(pages: int, start: int = 1) -> Callable[[Request, int], Script]:
    """Serve pages *start* to *pages*, each with one group that is named after its number; "7" asks for page 7."""

    def answer(request: Request, n: int) -> Script:
        number = int(asked_for(request) or start)
        return page(str(number + 1) if number < pages else None, number)

    return answer


def listing(server: FaultServer, answer: Script | Callable[[Request, int], Script]) -> None:
    """Let *server* give tokens, and answer listings with *answer*."""
    server.always(TOKEN, token_answer())
    server.always(LIST, answer)


async def ids_of(pager: Pager) -> list[str]:
    """Return the ids of all groups of *pager*."""
    return [group.id for group in await pager.collect()]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
async def test_f55_empty_pages_are_not_the_end(m3ter: MakeM3ter, server: FaultServer, prefetch: bool) -> None:
    """After 97 empty pages that carry a token, the rows of the last two pages still arrive."""

    def answer(request: Request, n: int) -> Script:
        return page(str(n)) if n <= 97 else page("98", "a", "b") if n == 98 else page(None, "c")

    listing(server, answer)

    assert await ids_of(m3ter(server).list_user_groups("u", prefetch=prefetch)) == ["a", "b", "c"]
    assert server.count(LIST) == 99


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
@pytest.mark.parametrize(
    ("resumed", "tokens"),
    [
        pytest.param(None, ["A", "A"], id="A-A"),
        pytest.param(None, ["A", "B", "A"], id="A-B-A"),
        pytest.param(None, [*map(str, range(100)), "0"], id="a cycle of 100"),
        pytest.param("A", ["A"], id="A after being resumed with A"),
        pytest.param("A", ["B", "C", "A"], id="B-C-A after being resumed with A"),
    ],
)
async def test_f56_repeated_token_ends_in_an_error(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch, resumed: str | None, tokens: list[str], prefetch: bool
) -> None:
    """The page that carries a token again is delivered, and then comes the error, without another request."""
    listing(server, lambda request, n: page(tokens[n - 1], n))
    items: list[str] = []

    with watch.raises(PaginationError, match="used before") as caught:
        async for group in m3ter(server).list_user_groups("u", next_token=resumed, prefetch=prefetch):
            items.append(group.id)  # noqa: PERF401  # what came before the error is kept

    assert items == [str(number + 1) for number in range(len(tokens))]
    assert server.count(LIST) == len(tokens)
    assert caught.value.json_path == "$.nextToken"
    assert caught.value.path == "/organizations/org-1/users/u/usergroups"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("transport", ["aiohttp"], indirect=True)  # the quicker one: here it is the length that counts
async def test_f56_long_cycle_ends_in_an_error(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """A cycle of 1,000 pages is walked through once."""
    listing(server, lambda request, n: page(str(n % 1000), n))
    items: list[str] = []

    with watch.raises(PaginationError):
        async for group in m3ter(server).list_user_groups("u", next_token="0"):
            items.append(group.id)  # noqa: PERF401  # as above

    assert items == [str(number) for number in range(1, 1001)]
    assert server.count(LIST) == 1000


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"data": [{"id": "a"}], "nextToken": None}, id="null"),
        pytest.param({"data": [{"id": "a"}]}, id="absent"),
        pytest.param({"data": [{"id": "a"}], "nextToken": ""}, id="empty"),
    ],
)
async def test_f57_no_token_is_the_end(m3ter: MakeM3ter, server: FaultServer, document: object) -> None:
    """A page whose token is null, absent or empty is the last one."""
    listing(server, json_answer(document))

    assert await ids_of(m3ter(server).list_user_groups("u")) == ["a"]
    assert server.count(LIST) == 1


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(7, id="a number"),
        pytest.param(0, id="zero"),
        pytest.param(False, id="false"),
        pytest.param(["A"], id="a list"),
        pytest.param([], id="an empty list"),
        pytest.param({"token": "A"}, id="an object"),
        pytest.param("A" * 1024 * 1024, id="1 MiB"),
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
async def test_f57_odd_token_is_an_error(m3ter: MakeM3ter, server: FaultServer, watch: Watch, token: object) -> None:
    """A token that is no text, or too long for a URL, is an error that says where, and not a silent end."""
    listing(server, json_answer({"data": [{"id": "a"}], "nextToken": token}))

    with watch.raises(UnexpectedResponseError) as caught:
        await m3ter(server).list_user_groups("u").collect()

    assert caught.value.json_path == "$.nextToken"
    assert server.count(LIST) == 1


ODD = "a&b=c#d+e/f%2Fg%h i;j?k'l\"<m>\\n^`{|}~é漢😀\u00a0\t"


@pytest.mark.parametrize(
    "token",
    [pytest.param(one, id=one) for one in "&#+/% ?=;~"]
    + [pytest.param("%2F", id="escape"), pytest.param("é漢😀", id="unicode"), pytest.param(ODD, id="all of them")],
)
async def test_f58_token_arrives_byte_for_byte(m3ter: MakeM3ter, server: FaultServer, token: str) -> None:
    """Whatever a token holds, the server gets it back as it was, from a page and from the caller alike."""
    listing(server, lambda request, n: page(token if n == 1 else None, n))
    client = m3ter(server)

    (first, _) = [one async for one in client.list_user_groups("u").pages()]
    await client.list_user_groups("u", next_token=first.next_token).collect()

    for request in server.asked(LIST)[1:]:
        path, _, query = request.target.partition(b"?")
        name, _, value = query.partition(b"=")
        assert path == b"/organizations/org-1/users/u/usergroups"
        assert (name, unquote_to_bytes(value)) == (b"nextToken", token.encode())
        assert not set(value) & set(b"&#+=/ ")
        assert asked_for(request) == token


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
async def test_f59_page_that_fails_is_retried(m3ter: MakeM3ter, server: FaultServer, prefetch: bool) -> None:
    """A 503 on page 50 costs that page a second request, and the caller nothing."""
    server.once(f"{LIST}", *[chain(60)] * 49, json_answer({}, 503))
    listing(server, chain(60))

    items = await ids_of(m3ter(server, roll=0.0).list_user_groups("u", prefetch=prefetch))

    assert items == [str(number) for number in range(1, 61)]
    assert [asked_for(request) for request in server.asked(LIST)].count("50") == 2
    assert server.count(LIST) == 61


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
async def test_f59_listing_can_be_resumed(m3ter: MakeM3ter, server: FaultServer, watch: Watch, prefetch: bool) -> None:
    """After a fatal error on page 50, the last page's token gives exactly the rest."""
    server.once(f"{LIST}", *[chain(60)] * 49, json_answer({"message": "gone"}, 404))
    listing(server, chain(60))
    client = m3ter(server)
    pages: list[Page[UserGroup]] = []

    with watch.raises(NotFoundError):
        async for one in client.list_user_groups("u", prefetch=prefetch).pages():
            pages.append(one)  # noqa: PERF401  # as above
    rest = await ids_of(client.list_user_groups("u", next_token=pages[-1].next_token, prefetch=prefetch))

    before = [group.id for one in pages for group in one.items]
    assert before == [str(number) for number in range(1, 50)]
    assert rest == [str(number) for number in range(50, 61)]


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
@pytest.mark.parametrize("refusal", [401, 403])
async def test_f60_refused_token_between_pages_is_replaced(
    m3ter: MakeM3ter, server: FaultServer, refusal: int, prefetch: bool
) -> None:
    """A token that the server no longer takes on page 4 and on page 8 is replaced, and the listing goes on."""
    given = count(1)
    uses: dict[str | None, int] = {}

    def guarded(request: Request, n: int) -> Script:
        presented = request.header("Authorization")
        uses[presented] = uses.get(presented, 0) + 1
        return chain(10)(request, n) if uses[presented] <= 3 else json_answer({"message": "expired"}, refusal)

    server.always(TOKEN, lambda request, n: token_answer(f"CANARY-{next(given)}"))
    server.always(LIST, guarded)

    items = await ids_of(m3ter(server).list_user_groups("u", prefetch=prefetch))

    assert items == [str(number) for number in range(1, 11)]
    assert server.count(TOKEN) == 4
    assert server.count(LIST) == 13


async def test_f60_token_that_ends_between_pages_is_renewed(m3ter: MakeM3ter, server: FaultServer) -> None:
    """A token whose life ends while the caller works on a page is renewed before the next request."""
    clock = FakeClock(autopilot=False)
    server.always(TOKEN, lambda request, n: token_answer(f"CANARY-{n}", expires_in=600))
    server.always(LIST, chain(4))
    items: list[str] = []

    async for group in m3ter(server, clock=clock).list_user_groups("u"):
        items.append(group.id)
        await clock.advance(600)

    assert items == ["1", "2", "3", "4"]
    presented = [request.header("Authorization") for request in server.asked(LIST)]
    assert presented == [f"Bearer CANARY-{number}" for number in (1, 2, 3, 4)]


async def leave_by_break(pager: Pager, ready: Ready) -> None:
    """Leave the loop by `break`."""
    async for _ in pager:
        await ready()
        break


async def leave_by_exception(pager: Pager, ready: Ready) -> None:
    """Leave the loop by an exception of the caller's own."""

    async def work() -> None:
        async for _ in pager:
            await ready()
            raise LookupError

    with pytest.raises(LookupError):
        await work()


async def leave_by_cancel(pager: Pager, ready: Ready) -> None:
    """Leave the loop by being cancelled in its body."""
    inside = asyncio.Event()

    async def work() -> None:
        async for _ in pager:
            await ready()
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_pages(pager: Pager, ready: Ready) -> None:
    """Leave the loop over the pages, closing it on purpose."""
    async with aclosing(pager.pages()) as pages:
        async for _ in pages:
            await ready()
            break


async def leave_first(pager: Pager, ready: Ready) -> None:
    """Ask for no more than the first item."""
    await pager.first()
    await ready()


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(leave_by_break, id="break"),
        pytest.param(leave_by_exception, id="exception"),
        pytest.param(leave_by_cancel, id="cancel"),
        pytest.param(leave_pages, id="break over pages"),
    ],
)
async def test_f61_leaving_a_loop_leaves_nothing(
    m3ter: MakeM3ter, server: FaultServer, leave: Callable[[Pager, Ready], Awaitable[None]], prefetch: bool
) -> None:
    """Whoever leaves a loop leaves no task and no socket in use, and at most one page was fetched in vain."""
    gate = Gate()
    server.once(LIST, chain(3))
    listing(server, (hold(gate), page(None, "in vain")))
    before = asyncio.all_tasks()
    client = m3ter(server)

    async def ready() -> None:
        if prefetch:
            await gate.arrived()

    await leave(client.list_user_groups("u", prefetch=prefetch), ready)

    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=1)
    assert not left
    if prefetch:  # the page that is held was asked for on the only connection
        await server.all_closed(1)
    assert server.count(LIST) == (2 if prefetch else 1)


@pytest.mark.parametrize("answer", [json_answer({}, 404), json_answer({}, 500)], ids=["404", "500"])
async def test_f61_failure_of_a_page_that_nobody_wants_is_silent(
    m3ter: MakeM3ter, server: FaultServer, answer: bytes
) -> None:
    """A page that is fetched ahead, fails, and is then not wanted, makes no noise."""
    server.once(LIST, chain(3))
    listing(server, answer)

    async for _ in m3ter(server, roll=0.0).list_user_groups("u", prefetch=True):
        await server.got(3)
        await asyncio.sleep(0.05)  # for the answer to be read, and to become an error
        break

    assert server.count(LIST) >= 2


@pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])
async def test_f61_cancel_while_a_page_is_waited_for(m3ter: MakeM3ter, server: FaultServer, prefetch: bool) -> None:
    """A caller who is cancelled while the next page is under way leaves no task and no socket in use."""
    gate = Gate()
    server.once(LIST, chain(3))
    listing(server, (hold(gate), page(None, "in vain")))
    before = asyncio.all_tasks()

    task = asyncio.create_task(m3ter(server).list_user_groups("u", prefetch=prefetch).collect())
    await gate.arrived()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=1)
    assert not left
    await server.all_closed(1)
    assert server.count(LIST) == 2


async def test_f62_items_of_earlier_pages_are_not_kept(m3ter: MakeM3ter, server: FaultServer) -> None:
    """While a long listing is read, the items of no more than the last two pages are in memory."""
    listing(server, lambda request, n: page(str(n) if n < 60 else None, *range(3)))
    groups: list[weakref.ref[object]] = []
    most_alive = 0

    async for one in m3ter(server).list_user_groups("u", prefetch=True).pages():
        groups += [weakref.ref(group) for group in one.items]
        most_alive = max(most_alive, sum(group() is not None for group in groups))

    assert len(groups) == 3 * 60
    assert most_alive <= 3 * 2


async def test_f62_tokens_of_100_000_pages_take_little_memory() -> None:
    """What is remembered of 100,000 page tokens, however long they are, takes less than 10 MiB."""
    numbers = iter(range(99_999))
    page = SimpleNamespace(items=(1,), next_token=None)  # one for all: it is the tokens that count

    async def fetch(token: str | None) -> Any:
        number = next(numbers, None)
        page.next_token = None if number is None else f"{'opaque' * 20}{number}"
        return page, PaginationError

    pages = 0
    tracemalloc.start()
    async for one in AsyncPager(fetch).pages():
        pages += len(one.items)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert pages == 100_000
    assert peak < 10 * 1024 * 1024
