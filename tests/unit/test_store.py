"""TokenStore: clients that share one token, and the care that is taken with a store that fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rig.clock import FakeClock
from unit.endpoint import END, FOREVER, LIFE, Endpoint, Shelf, failing, name, source_of
from usergroups import RateLimitedError, Token, TokenStore
from usergroups._auth.flight import Grant
from usergroups._auth.source import TokenSource


class Broken(Shelf):
    """A store whose *deeds* fail."""

    def __init__(self, clock: FakeClock, *deeds: str) -> None:
        super().__init__(clock)
        self._deeds = deeds

    def _fail(self, deed: str) -> None:
        if deed in self._deeds:
            raise OSError(f"CANARY: cannot {deed}")

    async def load(self) -> Token | None:
        """Load, or fail."""
        self._fail("load")
        return await super().load()

    async def save(self, token: Token) -> None:
        """Save, or fail."""
        self._fail("save")
        await super().save(token)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Lock and unlock, or fail in one of them."""
        self._fail("lock")
        yield
        self._fail("unlock")


@pytest.fixture
def shelf(clock: FakeClock) -> Shelf:
    """Return a store that is well, and empty."""
    return Shelf(clock)


@pytest.fixture
def two(clock: FakeClock, endpoint: Endpoint, shelf: Shelf) -> tuple[TokenSource, TokenSource]:
    """Return two sources that share a store."""
    return source_of(endpoint, clock, store=shelf), source_of(endpoint, clock, store=shelf)


async def test_two_sources_make_one_request(two: tuple[TokenSource, TokenSource], endpoint: Endpoint) -> None:
    """What one client fetched, another one takes from the store."""
    given = [await name(source.get(FOREVER)) for source in two]

    assert given == ["token-1", "token-1"]
    assert endpoint.requests == 1


async def test_two_sources_that_need_a_token_at_once_make_one_request(
    two: tuple[TokenSource, TokenSource], clock: FakeClock, endpoint: Endpoint
) -> None:
    """While one client fetches, the others who share the store wait for it."""
    endpoint.takes = 5.0
    waiting = [asyncio.create_task(name(source.get(FOREVER))) for source in two for _ in range(10)]

    await clock.advance(5.0)

    assert {await one for one in waiting} == {"token-1"}
    assert endpoint.requests == 1


async def test_refresh_by_one_source_serves_the_other(
    two: tuple[TokenSource, TokenSource], clock: FakeClock, endpoint: Endpoint
) -> None:
    """A refresh ahead is made once for all who share the store."""
    one, other = two
    for source in two:
        await source.get(FOREVER)
    await clock.advance(END - 10.0)
    await one.get(FOREVER)
    await clock.settle()

    await other.get(FOREVER)
    await clock.settle()

    assert await name(other.get(FOREVER)) == "token-2"
    assert endpoint.requests == 2


async def test_loaded_token_ends_when_it_ends(
    two: tuple[TokenSource, TokenSource], clock: FakeClock, endpoint: Endpoint
) -> None:
    """A token that is taken from the store late is not thought to have its whole life before it."""
    one, other = two
    await one.get(FOREVER)
    await clock.advance(LIFE - 100.0)
    await other.get(FOREVER)
    endpoint.failure = failing()

    await clock.advance(95.0)

    assert await name(other.get(FOREVER)) == "ServerError"


async def test_saved_token_has_the_seconds_that_are_left(
    two: tuple[TokenSource, TokenSource], clock: FakeClock, endpoint: Endpoint, shelf: Shelf
) -> None:
    """What the token's answer took on its way is not added to the life that others read."""
    endpoint.takes = 40.0
    waiting = asyncio.create_task(name(two[0].get(FOREVER)))

    await clock.advance(40.0)

    assert await waiting == "token-1"
    assert shelf.token == Token("token-1", LIFE - 40.0)


async def test_token_that_ended_on_its_way_is_not_saved(
    two: tuple[TokenSource, TokenSource], clock: FakeClock, endpoint: Endpoint, shelf: Shelf
) -> None:
    """A token without any seconds left is of no use to others."""
    endpoint.life, endpoint.takes = 30.0, 30.0
    waiting = asyncio.create_task(name(two[0].get(FOREVER)))

    await clock.advance(30.0)

    assert await waiting == "token-1"
    assert shelf.saves == 0


async def test_loaded_token_is_fresh_for_nobody(two: tuple[TokenSource, TokenSource]) -> None:
    """A token from the store was not fetched for this call: it may be refused, and is replaced then."""
    await two[0].get(FOREVER)

    loaded = await two[1].get(FOREVER)

    assert isinstance(loaded, Grant)
    assert not loaded.fresh


async def test_refused_token_is_not_loaded_again(two: tuple[TokenSource, TokenSource], endpoint: Endpoint) -> None:
    """Where the store still holds the token that the API refused, a new one is fetched, and shared."""
    one, other = two
    await one.get(FOREVER)
    loaded = await other.get(FOREVER)
    assert isinstance(loaded, Grant)

    mine = await name(other.replace(loaded.token, FOREVER))
    theirs = await name(one.replace(loaded.token, FOREVER))

    assert (mine, theirs) == ("token-2", "token-2")
    assert endpoint.requests == 2


async def test_refused_token_that_is_no_longer_held_is_not_loaded_again(
    clock: FakeClock, endpoint: Endpoint, shelf: Shelf
) -> None:
    """A refusal that arrives after the token's end in this client does not bring it back from the store."""
    source = source_of(endpoint, clock, store=shelf)
    first = await source.get(FOREVER)
    assert isinstance(first, Grant)
    await clock.advance(END)

    replacement = await name(source.replace(first.token, FOREVER))

    assert replacement == "token-2"


async def test_refused_token_is_not_loaded_when_its_replacement_has_ended(clock: FakeClock, endpoint: Endpoint) -> None:
    """A refusal that arrives after the replacement too has ended does not bring the refused token back."""
    shelf = Broken(clock, "save")
    await Shelf.save(shelf, Token("first", 1000.0))
    endpoint.life = 10.0
    source = source_of(endpoint, clock, store=shelf)
    first = await source.get(FOREVER)
    assert first == Grant(token=Token("first", 1000.0), fresh=False)
    second = await name(source.replace(first.token, FOREVER))
    await clock.advance(9.5)

    third = await name(source.replace(first.token, FOREVER))

    assert (second, third) == ("token-1", "token-2")


async def test_token_that_was_replaced_is_not_taken_again(clock: FakeClock, endpoint: Endpoint) -> None:
    """A store that failed to save, and holds a token that the API refused before, does not take clients back to it."""
    shelf = Broken(clock, "save")
    source = source_of(endpoint, clock, store=shelf)
    await Shelf.save(shelf, Token("older", 10_000.0))
    loaded = await source.get(FOREVER)
    assert isinstance(loaded, Grant)
    newer = await source.replace(loaded.token, FOREVER)
    assert isinstance(newer, Grant)
    source.judge_replacement(newer.token, helped=True)

    newest = await name(source.replace(newer.token, FOREVER))

    assert loaded.token.access_token == "older"
    assert newest == "token-2"


async def test_newer_token_that_ends_earlier_replaces_a_refused_one(
    clock: FakeClock, endpoint: Endpoint, shelf: Shelf
) -> None:
    """What another client has fetched in the place of a refused token is taken, however short it lives."""
    source = source_of(endpoint, clock, store=shelf)
    refused = await source.get(FOREVER)
    assert isinstance(refused, Grant)
    await shelf.save(Token("of-another", 10.0))

    assert await name(source.replace(refused.token, FOREVER)) == "of-another"
    assert endpoint.requests == 1


class Pausing(Shelf):
    """A shelf whose clients share a pause."""

    ends_at = 0.0

    async def pause(self, seconds: float) -> None:
        """Begin a pause."""
        self.ends_at = self._clock() + seconds

    async def paused(self) -> float:
        """Return what is left of it."""
        return max(0.0, self.ends_at - self._clock())


async def test_replacement_of_no_use_is_made_once_for_all_clients_of_a_store(
    clock: FakeClock, endpoint: Endpoint
) -> None:
    """Where replacing was of no use, none of the clients fetches another token for a minute, nor does a new one."""
    shelf = Pausing(clock)
    first, second, late = (source_of(endpoint, clock, store=shelf) for _ in range(3))
    refused = await first.get(FOREVER)
    assert isinstance(refused, Grant)
    assert await second.get(FOREVER) == Grant(token=refused.token, fresh=False)
    replacement = await first.replace(refused.token, FOREVER)
    assert isinstance(replacement, Grant)
    first.judge_replacement(replacement.token, helped=False)
    first.judge_replacement(replacement.token, helped=False)
    await first.aclose()

    taken = await name(second.replace(refused.token, FOREVER))
    await late.get(FOREVER)
    await clock.advance(20.0)
    none = await name(late.replace(replacement.token, FOREVER))
    await clock.advance(39.99)
    still_none = await name(late.replace(replacement.token, FOREVER))
    await clock.advance(0.01)
    another = await name(late.replace(replacement.token, FOREVER))

    assert (taken, none, still_none, another) == ("token-2", "nothing", "nothing", "token-3")
    assert endpoint.requests == 3


async def test_token_that_has_ended_is_replaced_in_a_pause(clock: FakeClock, endpoint: Endpoint) -> None:
    """The pause is for tokens that are refused before their end: one that has ended is fetched anew."""
    shelf = Pausing(clock)
    source = source_of(endpoint, clock, store=shelf)
    refused = await source.get(FOREVER)
    assert isinstance(refused, Grant)
    await shelf.pause(10_000.0)
    await clock.advance(refused.token.expires_in)

    assert await name(source.replace(refused.token, FOREVER)) == "token-2"


class Slow(Pausing):
    """One whose pause takes a while to begin."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.begins = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        """Begin when the test says so."""
        await self.begins.wait()
        await super().pause(seconds)


async def test_pause_that_takes_a_while_keeps_no_call(clock: FakeClock, endpoint: Endpoint) -> None:
    """Who finds out that replacing is of no use does not wait until the others know; closing does."""
    shelf = Slow(clock)
    source = source_of(endpoint, clock, store=shelf)
    refused = await source.get(FOREVER)
    assert isinstance(refused, Grant)
    replacement = await source.replace(refused.token, FOREVER)
    assert isinstance(replacement, Grant)

    source.judge_replacement(replacement.token, helped=False)
    none = await name(source.replace(replacement.token, FOREVER))
    before = await shelf.paused()
    shelf.begins.set()
    await source.aclose()

    assert (none, before, await shelf.paused()) == ("nothing", 0.0, 60.0)


async def test_f10_store_is_not_locked_while_one_waits_for_the_endpoint(
    clock: FakeClock, endpoint: Endpoint, shelf: Shelf
) -> None:
    """Who waits out a Retry-After keeps nobody else from the store, and then takes what was put there meanwhile."""
    source = source_of(endpoint, clock, store=shelf)
    endpoint.failure = failing(RateLimitedError, asked=20.0)
    waiting = asyncio.create_task(name(source.get(FOREVER)))
    await clock.advance(10.0)

    async with shelf.exclusive():
        await shelf.save(Token("of-another", 100.0))
    await clock.advance(10.0)

    assert await waiting == "of-another"
    assert endpoint.requests == 1


async def test_f21_token_of_the_store_is_on_trial_too(clock: FakeClock, endpoint: Endpoint, shelf: Shelf) -> None:
    """A refused token that was replaced from the store is not replaced again before it is known whether it helped."""
    source = source_of(endpoint, clock, store=shelf)
    first = await source.get(FOREVER)
    assert isinstance(first, Grant)
    await shelf.save(Token("of-another", LIFE + 1.0))
    second = await source.replace(first.token, FOREVER)
    assert isinstance(second, Grant)

    assert second.token.access_token == "of-another"
    assert await name(source.replace(second.token, FOREVER)) == "nothing"
    assert endpoint.requests == 1


async def test_token_of_less_than_a_second_is_saved(clock: FakeClock, endpoint: Endpoint, shelf: Shelf) -> None:
    """However short a token lives, others may use what is left of it."""
    endpoint.life = 0.5

    await source_of(endpoint, clock, store=shelf).get(FOREVER)
    await clock.settle()

    assert shelf.token == Token("token-1", 0.5)


async def test_f89_good_token_is_taken_without_the_lock(clock: FakeClock, endpoint: Endpoint, shelf: Shelf) -> None:
    """Where a good token lies in the store, nobody waits for the lock, and be its holder dead."""
    sources = [source_of(endpoint, clock, store=shelf) for _ in range(100)]
    await shelf.save(Token("of-another", 1000.0))

    async with shelf.exclusive():
        waiting = [asyncio.create_task(name(source.get(FOREVER))) for source in sources]
        await clock.settle()
        served = [one.done() for one in waiting]

    assert all(served)
    assert {await one for one in waiting} == {"of-another"}
    assert endpoint.requests == 0


async def test_f89_replacement_is_taken_without_the_lock(clock: FakeClock, endpoint: Endpoint, shelf: Shelf) -> None:
    """Who was refused, and finds another's newer token in the store, does not wait for the lock either."""
    source = source_of(endpoint, clock, store=shelf)
    first = await source.get(FOREVER)
    assert isinstance(first, Grant)
    await shelf.save(Token("of-another", LIFE + 1.0))

    async with shelf.exclusive():
        replacement = asyncio.create_task(name(source.replace(first.token, FOREVER)))
        await clock.settle()
        served = replacement.done()

    assert served
    assert await replacement == "of-another"
    assert endpoint.requests == 1


async def test_f89_store_is_looked_into_again_after_the_lock(
    clock: FakeClock, endpoint: Endpoint, shelf: Shelf
) -> None:
    """Who had to wait for the lock takes what its holder has saved, and asks nobody."""
    source = source_of(endpoint, clock, store=shelf)

    async with shelf.exclusive():
        waiting = asyncio.create_task(name(source.get(FOREVER)))
        await clock.advance(5.0)
        waited = not waiting.done()
        await shelf.save(Token("of-another", 1000.0))
    await clock.settle()

    assert waited
    assert await waiting == "of-another"
    assert endpoint.requests == 0


@pytest.mark.parametrize(
    ("timeout", "patience"),
    [
        pytest.param(60.0, 10.0, id="much time"),
        pytest.param(8.0, 2.0, id="little time"),
        pytest.param(None, 10.0, id="no bound"),
    ],
)
async def test_f89_lock_whose_holder_has_died(
    clock: FakeClock, endpoint: Endpoint, shelf: Shelf, timeout: float | None, patience: float
) -> None:
    """A lock that nobody will ever give back keeps those who need a fetch for a while, and not for all their time."""
    source = source_of(endpoint, clock, timeout=timeout, store=shelf)
    lock = shelf.exclusive()
    await lock.__aenter__()
    waiting = asyncio.create_task(name(source.get(FOREVER)))

    await clock.advance(patience - 0.01)
    waited = not waiting.done()
    await clock.advance(0.01)

    assert waited
    assert await waiting == "token-1"
    assert shelf.token == Token("token-1", LIFE)
    await lock.__aexit__(None, None, None)


async def test_nobody_waits_for_a_store_that_saves(clock: FakeClock, endpoint: Endpoint) -> None:
    """A store that takes its time to save delays neither callers nor the replacement of a token meanwhile."""

    class Slow(Shelf):
        async def save(self, token: Token) -> None:
            await clock.sleep(30.0)
            await super().save(token)

        @asynccontextmanager
        async def exclusive(self) -> AsyncIterator[None]:
            yield

    source = source_of(endpoint, clock, store=Slow(clock))
    first = await source.get(FOREVER)
    assert isinstance(first, Grant)

    second = await name(source.replace(first.token, FOREVER))

    closing = asyncio.create_task(source.aclose())
    await clock.advance(30.0)
    await closing
    assert second == "token-2"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_store_that_hangs_in_saving_is_left_after_a_while(clock: FakeClock, endpoint: Endpoint) -> None:
    """A save that never ends is ended with the time for a fetch, and the token is used all the same."""

    class Stuck(Shelf):
        async def save(self, token: Token) -> None:
            await asyncio.Event().wait()

    source = source_of(endpoint, clock, store=Stuck(clock))
    first = await name(source.get(FOREVER))

    await clock.advance(60.0)

    assert [first, await name(source.get(FOREVER))] == ["token-1", "token-1"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("deed", ["lock", "load", "save", "unlock"])
async def test_store_that_fails_does_not_fail_the_call(
    clock: FakeClock, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, deed: str
) -> None:
    """Whatever a store fails to do, calls get their token, and the log says what failed but not with which words."""
    source = source_of(endpoint, clock, store=Broken(clock, deed))

    given = await name(source.get(FOREVER))
    await clock.settle()

    assert given == "token-1"
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"the token store failed to {deed} (OSError); going on without it"
    ]


async def test_lock_that_was_not_had_is_not_given_back(clock: FakeClock, endpoint: Endpoint) -> None:
    """A lock that could not be taken belongs to someone else, who keeps it."""
    given_back: list[str] = []

    class Taken:
        async def __aenter__(self) -> None:
            raise TimeoutError

        async def __aexit__(self, *error: object) -> None:
            given_back.append("lock")

    class Busy(Shelf):
        def exclusive(self) -> Taken:  # type: ignore[override]
            return Taken()

    source = source_of(endpoint, clock, store=Busy(clock))

    assert await name(source.get(FOREVER)) == "token-1"
    assert given_back == []


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param("token", id="text"),
        pytest.param({"access_token": "token", "expires_in": 60.0}, id="a dict"),
        pytest.param(Token("token", 0.0), id="no seconds left"),
        pytest.param(Token("token", -1.0), id="an ended token"),
    ],
)
async def test_rubbish_from_a_store_is_not_used(
    clock: FakeClock, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, rubbish: object
) -> None:
    """What a store gives is checked like what the endpoint gives: rubbish is as good as nothing."""

    class Careless(Shelf):
        async def load(self) -> Token | None:
            return rubbish  # type: ignore[return-value]

    source = source_of(endpoint, clock, store=Careless(clock))

    given = await name(source.get(FOREVER))

    assert given == "token-1"
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "the token store gave something that is no usable token"
    ]


@pytest.mark.parametrize(("deed", "gets_in"), [("load", 10.0), ("save", 0.0), ("unlock", 0.0)])
async def test_store_that_hangs_is_done_without(
    clock: FakeClock, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, deed: str, gets_in: float
) -> None:
    """A store that takes longer than 10 s for one thing has failed: nobody waits for it any longer."""

    class Hanging(Shelf):
        async def load(self) -> Token | None:
            return await self._hang("load")

        async def save(self, token: Token) -> None:
            await self._hang("save")

        @asynccontextmanager
        async def exclusive(self) -> AsyncIterator[None]:
            yield
            await self._hang("unlock")

        async def _hang(self, doing: str) -> None:
            if doing == deed:
                await asyncio.Event().wait()

    source = source_of(endpoint, clock, store=Hanging(clock))
    waiting = asyncio.create_task(name(source.get(FOREVER)))
    await clock.advance(gets_in)
    given = waiting.done()
    closing = asyncio.create_task(source.aclose())
    await clock.advance(10.0 - gets_in)

    assert given
    assert await waiting == "token-1"
    assert closing.done()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"the token store failed to {deed} (TimeoutError); going on without it"
    ]


async def test_lock_is_given_back_when_the_fetch_is_ended(clock: FakeClock, endpoint: Endpoint, shelf: Shelf) -> None:
    """A client that is closed in the middle of a fetch keeps nobody else from theirs."""
    closed, other = source_of(endpoint, clock, store=shelf), source_of(endpoint, clock, store=shelf)
    endpoint.takes = 5.0
    waiting = asyncio.create_task(name(closed.get(FOREVER)))
    await clock.settle()

    await closed.aclose()
    endpoint.takes = 0.0

    assert await waiting == "APIConnectionError"
    assert await name(other.get(FOREVER)) == "token-2"


async def test_loading_is_logged_as_loading(
    two: tuple[TokenSource, TokenSource], caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells a token that was loaded from one that was fetched."""
    with caplog.at_level(logging.DEBUG, logger="usergroups"):
        for source in two:
            await source.get(FOREVER)

    assert [record.getMessage() for record in caplog.records] == [
        "access token fetched; it lives 18000 s",
        "access token loaded; it lives 18000 s",
    ]


def test_store_is_recognised_by_its_methods(clock: FakeClock) -> None:
    """Whatever has the three methods is a token store; it need not inherit anything."""
    assert isinstance(Shelf(clock), TokenStore)
    assert not isinstance(object(), TokenStore)
