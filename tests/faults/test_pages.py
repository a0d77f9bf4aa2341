"""Lists that arrive a page at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from urllib.parse import unquote_to_bytes

import pytest

from faults.calls import BOTH_WAYS, LIST, TOKEN, cases, good_tokens, presented, serve, token
from rig.bodies import least
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from rig.script import Gate, Script, hold, json_answer
from rig.server import FaultServer, Request
from usergroups import AsyncPager, NotFoundError, Page, PaginationError
from usergroups.m3ter import UserGroup

Pager = AsyncPager[UserGroup]
Ready = Callable[[], Awaitable[None]]


def asked_for(request: Request) -> str | None:
    """Return the page token that *request* asks with."""
    (token,) = [value for name, value in request.query if name == "nextToken"] or [None]
    return token


def page(next_token: object = None, *ids: object) -> bytes:
    """Return a page with the groups *ids*, and a token for the next one."""
    groups = [least("m3ter", "UserGroup", id=str(one)) for one in ids]
    return json_answer({"data": groups, "nextToken": next_token})


def chain(pages: int, start: int = 1) -> Callable[[Request, int], Script]:
    """Serve pages *start* to *pages*, each with one group that is named after its number; "7" asks for page 7."""

    def answer(request: Request, n: int) -> Script:
        number = int(asked_for(request) or start)
        return page(str(number + 1) if number < pages else None, number)

    return answer


async def ids_of(pager: Pager) -> list[str]:
    """Return the ids of all groups of *pager*."""
    return [group.id for group in await pager.collect()]


@pytest.mark.usefixtures("quiet")
@BOTH_WAYS
async def test_f55_empty_pages_are_not_the_end(m3ter: MakeM3ter, server: FaultServer, prefetch: bool) -> None:
    """After 97 empty pages that carry a token, the rows of the last two pages still arrive."""

    def answer(request: Request, n: int) -> Script:
        return page(str(n)) if n <= 97 else page("98", "a", "b") if n == 98 else page(None, "c")

    serve(server, answer)

    assert await ids_of(m3ter(server).list_user_groups("u", prefetch=prefetch)) == ["a", "b", "c"]
    assert server.count(LIST) == 99


@pytest.mark.usefixtures("quiet")
@BOTH_WAYS
@cases(
    "resumed tokens",
    {
        "A-A": (None, ["A", "A"]),
        "A-B-A": (None, ["A", "B", "A"]),
        "a cycle of 100": (None, [*map(str, range(100)), "0"]),
        "A after being resumed with A": ("A", ["A"]),
        "B-C-A after being resumed with A": ("A", ["B", "C", "A"]),
    },
)
async def test_f56_repeated_token_ends_in_an_error(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch, resumed: str | None, tokens: list[str], prefetch: bool
) -> None:
    """The page that carries a token again is delivered, and then comes the error, without another request."""
    serve(server, lambda request, n: page(tokens[n - 1], n))
    items: list[str] = []

    with watch.raises(PaginationError, match="used before") as caught:
        async for group in m3ter(server).list_user_groups("u", next_token=resumed, prefetch=prefetch):
            items.append(group.id)  # noqa: PERF401  # what came before the error is kept

    assert items == [str(number + 1) for number in range(len(tokens))]
    assert server.count(LIST) == len(tokens)
    assert caught.value.json_path == "$.nextToken"
    assert caught.value.path == "/organizations/org-1/users/u/usergroups"


@pytest.mark.parametrize(
    "next_token", [*"&#+/% ?=;~", "%2F", "é漢😀", "a&b=c#d+e/f%2Fg%h i;j?k'l\"<m>\\n^`{|}~\u00a0\t"]
)
async def test_f58_token_arrives_byte_for_byte(m3ter: MakeM3ter, server: FaultServer, next_token: str) -> None:
    """Whatever a token holds, the server gets it back as it was, from a page and from the caller alike."""
    serve(server, lambda request, n: page(next_token if n == 1 else None, n))
    client = m3ter(server)

    (first, _) = [one async for one in client.list_user_groups("u").pages()]
    await client.list_user_groups("u", next_token=first.next_token).collect()

    for request in server.asked(LIST)[1:]:
        path, _, query = request.target.partition(b"?")
        name, _, value = query.partition(b"=")
        assert path == b"/organizations/org-1/users/u/usergroups"
        assert (name, unquote_to_bytes(value)) == (b"nextToken", next_token.encode())
        assert not set(value) & set(b"&#+=/ ")
        assert asked_for(request) == next_token


@BOTH_WAYS
async def test_f59_page_that_fails_is_retried(m3ter: MakeM3ter, server: FaultServer, prefetch: bool) -> None:
    """A 503 on page 50 costs that page a second request, and the caller nothing."""
    server.once(LIST, *[chain(60)] * 49, json_answer({}, 503))
    serve(server, chain(60))

    items = await ids_of(m3ter(server, roll=0.0).list_user_groups("u", prefetch=prefetch))

    assert items == [str(number) for number in range(1, 61)]
    assert [asked_for(request) for request in server.asked(LIST)].count("50") == 2
    assert server.count(LIST) == 61


@BOTH_WAYS
async def test_f59_listing_can_be_resumed(m3ter: MakeM3ter, server: FaultServer, watch: Watch, prefetch: bool) -> None:
    """After a fatal error on page 50, the last page's token gives exactly the rest."""
    server.once(LIST, *[chain(60)] * 49, json_answer({"message": "gone"}, 404))
    serve(server, chain(60))
    client = m3ter(server)
    pages: list[Page[UserGroup]] = []

    with watch.raises(NotFoundError):
        async for one in client.list_user_groups("u", prefetch=prefetch).pages():
            pages.append(one)  # noqa: PERF401  # as above
    rest = await ids_of(client.list_user_groups("u", next_token=pages[-1].next_token, prefetch=prefetch))

    before = [group.id for one in pages for group in one.items]
    assert before == [str(number) for number in range(1, 50)]
    assert rest == [str(number) for number in range(50, 61)]


@BOTH_WAYS
@pytest.mark.parametrize("refusal", [401, 403])
async def test_f60_refused_token_between_pages_is_replaced(
    m3ter: MakeM3ter, server: FaultServer, refusal: int, prefetch: bool
) -> None:
    """A token that the server no longer takes on page 4 and on page 8 is replaced, and the listing goes on."""
    uses: dict[str | None, int] = {}

    def guarded(request: Request, n: int) -> Script:
        presented = request.header("Authorization")
        uses[presented] = uses.get(presented, 0) + 1
        return chain(10)(request, n) if uses[presented] <= 3 else json_answer({"message": "expired"}, refusal)

    serve(server, guarded)

    items = await ids_of(m3ter(server).list_user_groups("u", prefetch=prefetch))

    assert items == [str(number) for number in range(1, 11)]
    assert server.count(TOKEN) == 4
    assert server.count(LIST) == 13


async def test_f60_token_that_ends_between_pages_is_renewed(m3ter: MakeM3ter, server: FaultServer) -> None:
    """A token whose life ends while the caller works on a page is renewed before the next request."""
    clock = FakeClock(autopilot=False)
    serve(server, chain(4), tokens=good_tokens(expires_in=600))
    items: list[str] = []

    async for group in m3ter(server, clock=clock).list_user_groups("u"):
        items.append(group.id)
        await clock.advance(600)

    assert items == ["1", "2", "3", "4"]
    assert presented(server) == [token(number) for number in (1, 2, 3, 4)]


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


@BOTH_WAYS
@pytest.mark.parametrize("leave", [leave_by_break, leave_by_exception, leave_by_cancel, leave_pages])
async def test_f61_leaving_a_loop_leaves_nothing(
    m3ter: MakeM3ter,
    server: FaultServer,
    watch: Watch,
    leave: Callable[[Pager, Ready], Awaitable[None]],
    prefetch: bool,
) -> None:
    """Whoever leaves a loop leaves no task and no socket in use, and at most one page was fetched in vain."""
    gate = Gate()
    server.once(LIST, chain(3))
    serve(server, (hold(gate), page(None, "in vain")))
    client = m3ter(server)

    async def ready() -> None:
        if prefetch:
            await gate.arrived()

    await leave(client.list_user_groups("u", prefetch=prefetch), ready)

    assert await watch.at_rest() == []
    if prefetch:  # the page that is held was asked for on the only connection
        await server.all_closed(1)
    assert server.count(LIST) == (2 if prefetch else 1)


@BOTH_WAYS
async def test_f61_cancel_while_a_page_is_waited_for(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch, prefetch: bool
) -> None:
    """A caller who is cancelled while the next page is under way leaves no task and no socket in use."""
    gate = Gate()
    server.once(LIST, chain(3))
    serve(server, (hold(gate), page(None, "in vain")))

    task = asyncio.create_task(m3ter(server).list_user_groups("u", prefetch=prefetch).collect())
    await gate.arrived()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await watch.at_rest() == []
    await server.all_closed(1)
    assert server.count(LIST) == 2
