"""sweep: one call for each of many keys, so many at a time."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.clock import FakeClock
from usergroups import (
    AsyncPager,
    ConfigurationError,
    NotFoundError,
    Outcome,
    Page,
    PaginationError,
    UserGroupsError,
    sweep,
)
from usergroups.pagination import Fetched


class Calls:
    """Calls that end when a test says so."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.cancelled: list[int] = []
        self._under_way: dict[int, asyncio.Future[str]] = {}

    async def __call__(self, key: int) -> str:
        """Wait for the end of the call for *key*, and give its value."""
        self.begun.append(key)
        end = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            return await end
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        finally:
            del self._under_way[key]

    def end(self, key: int, error: Exception | None = None) -> None:
        """End the call for *key*, by *error* if there is one."""
        if error is None:
            self._under_way[key].set_result(f"value of {key}")
        else:
            self._under_way[key].set_exception(error)


class Keys:
    """The keys 0, 1, 2, ...: counts how many were pulled."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pulled = 0

    def __iter__(self) -> Iterator[int]:
        """Give the keys."""
        for key in range(self.count):
            self.pulled += 1
            yield key


class LaterKeys(Keys):
    """The same keys, each a little later."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[int]:
        """Give the keys."""
        try:
            for key in range(self.count):
                await asyncio.sleep(0)
                self.pulled += 1
                yield key
        finally:
            self.closed = True


class Shy:
    """A key with a bug."""

    def __repr__(self) -> str:
        raise LookupError("a bug of the key's")


class Odd:
    """A value that cannot be compared, as the arrays of some packages cannot."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


async def double(key: int) -> int:
    """Answer a key with its double."""
    return key * 2


def others() -> set["asyncio.Task[object]"]:
    """Give the tasks that there are beside this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


kinds = pytest.mark.parametrize("kind", [Keys, LaterKeys], ids=["iterable", "async iterable"])


class TestOutcomes:
    """What a sweep gives."""

    @kinds
    @pytest.mark.parametrize("count", [0, 1, 16, 100], ids=["none", "one", "as many as at once", "many"])
    async def test_outcome_for_every_key(self, kind: type[Keys], count: int) -> None:
        """Every key gets its call and its outcome, exactly once."""
        outcomes = [outcome async for outcome in sweep(double, kind(count))]

        assert sorted(outcome.key for outcome in outcomes) == [*range(count)]
        assert all(outcome == Outcome(outcome.key, outcome.key * 2) for outcome in outcomes)

    async def test_as_they_complete(self, clock: FakeClock) -> None:
        """What is ready first comes first."""
        calls = Calls()
        outcomes = sweep(calls, range(3))
        first = asyncio.ensure_future(anext(outcomes))
        await clock.settle()

        for key in (2, 0, 1):
            calls.end(key)

        assert [(await first).key, (await anext(outcomes)).key, (await anext(outcomes)).key] == [2, 0, 1]
        await outcomes.aclose()

    async def test_same_key_twice(self) -> None:
        """A key that comes twice is asked for twice."""
        outcomes = [outcome async for outcome in sweep(double, [7, 7])]

        assert outcomes == [Outcome(7, 14), Outcome(7, 14)]

    async def test_keys_from_a_pager(self) -> None:
        """A pager is an async iterable of keys like any other, and is closed when the sweep ends early."""

        async def fetch(token: str | None) -> Fetched[int]:
            return Page((1, 2, 3), None), PaginationError

        async with aclosing(sweep(double, AsyncPager(fetch, prefetch=True), concurrency=1)) as outcomes:
            first = await anext(outcomes)

        assert first == Outcome(1, 2)
        assert not others()

    async def test_call_that_gives_no_coroutine(self) -> None:
        """A call may give anything that can be awaited."""

        def call(key: int) -> Awaitable[int]:
            future = asyncio.get_running_loop().create_future()
            future.set_result(key + 1)
            return future

        assert [outcome.value async for outcome in sweep(call, [1])] == [2]

    async def test_none_is_a_key_and_a_value(self) -> None:
        """None is nothing special, neither as key nor as value."""

        async def call(key: None) -> None:
            return None

        assert [outcome async for outcome in sweep(call, [None, None])] == [Outcome(None), Outcome(None)]


class TestConcurrency:
    """How far a sweep runs ahead of its reader."""

    @kinds
    async def test_so_many_at_once(self, clock: FakeClock, kind: type[Keys]) -> None:
        """As many calls as allowed are under way at once, and no more."""
        calls = Calls()
        outcomes = sweep(calls, kind(10), concurrency=4)

        first = asyncio.ensure_future(anext(outcomes))
        await clock.settle()

        assert calls.begun == [0, 1, 2, 3]
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first

    @kinds
    @pytest.mark.parametrize("concurrency", [1, 3])
    async def test_keys_pulled_beyond_the_outcomes_taken(
        self, clock: FakeClock, kind: type[Keys], concurrency: int
    ) -> None:
        """A reader who takes its time is not overrun: at most `concurrency` keys are pulled beyond what it took."""
        keys = kind(20)
        taken = 0
        beyond: list[int] = []

        async for _ in sweep(double, keys, concurrency=concurrency):
            taken += 1
            await clock.settle()
            beyond.append(keys.pulled - taken)

        assert taken == 20
        assert max(beyond) == concurrency - 1  # nothing is pulled while the reader works on an outcome
        assert keys.pulled == 20

    async def test_slow_keys_do_not_hold_outcomes_back(self, clock: FakeClock) -> None:
        """An outcome that is there is given while the next key is still awaited."""
        more = asyncio.Event()

        async def keys() -> AsyncIterator[int]:
            yield 1
            await more.wait()
            yield 2

        outcomes = sweep(double, keys())

        first = await anext(outcomes)
        more.set()
        second = await anext(outcomes)

        assert (first, second) == (Outcome(1, 2), Outcome(2, 4))
        await outcomes.aclose()

    @settings(max_examples=60, derandomize=True, deadline=None)
    @given(
        turns=st.lists(st.integers(0, 5), max_size=30),
        concurrency=st.integers(1, 6),
        reader=st.integers(0, 3),
        later=st.booleans(),
    )
    def test_any_pace(self, turns: list[int], concurrency: int, reader: int, later: bool) -> None:
        """However long calls, keys and the reader take, every key has one outcome and the bound holds."""
        keys = (LaterKeys if later else Keys)(len(turns))
        under_way = most = 0

        async def call(key: int) -> int:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(turns[key]):
                await asyncio.sleep(0)
            under_way -= 1
            return key

        async def run() -> list[int | None]:
            taken: list[int | None] = []
            async for outcome in sweep(call, keys, concurrency=concurrency):
                assert keys.pulled - len(taken) <= concurrency
                taken.append(outcome.value)
                for _ in range(reader):
                    await asyncio.sleep(0)
            return taken

        assert sorted(asyncio.run(run()), key=str) == sorted(range(len(turns)), key=str)
        assert most <= concurrency


class TestErrors:
    """What becomes of an error, under "raise" and under "yield"."""

    async def test_yielded(self) -> None:
        """Under "yield" an error of the SDK is the outcome of its key, and the sweep goes on."""
        gone = NotFoundError("no such user", status_code=404)

        async def call(key: int) -> int:
            if key == 1:
                raise gone
            return key

        outcomes = [outcome async for outcome in sweep(call, range(3), on_error="yield")]

        assert sorted(outcomes, key=lambda outcome: outcome.key) == [
            Outcome(0, 0),
            Outcome(1, error=gone),
            Outcome(2, 2),
        ]

    @pytest.mark.parametrize(
        ("on_error", "error"),
        [
            pytest.param("raise", NotFoundError("no such user"), id="of the SDK, under raise"),
            pytest.param("raise", LookupError("a bug"), id="of another kind, under raise"),
            pytest.param("yield", LookupError("a bug"), id="of another kind, under yield"),
        ],
    )
    async def test_raised(self, clock: FakeClock, on_error: str, error: Exception) -> None:
        """An error that ends the sweep names its key in a note, and the other calls are cancelled before it is out."""
        calls = Calls()
        outcomes = sweep(calls, Keys(100), concurrency=3, on_error=on_error)  # type: ignore[arg-type]
        first = asyncio.ensure_future(anext(outcomes))
        await clock.settle()

        calls.end(1, error)
        with pytest.raises(type(error)) as caught:
            await first

        assert caught.value is error
        assert error.__notes__ == ["in the sweep, at the key 1"]
        assert calls.cancelled == [0, 2]
        assert not others()

    @pytest.mark.parametrize(
        ("key", "shown"),
        [
            pytest.param(Shy(), "<Shy instance at ", id="its repr fails"),
            pytest.param(10**5000, "<int>", id="a number of more digits than Python writes"),
            pytest.param([10**5000], "<list>", id="a list of such a number"),
            pytest.param(type("deque", (), {})(), "<deque>", id="a class with the name of another"),
            pytest.param("k" * 10_000, "'kkk", id="very long"),
        ],
    )
    async def test_key_that_cannot_be_shown(self, key: object, shown: str) -> None:
        """A key whose repr fails does not hide the error, and a very long one does not bury it."""

        async def call(key: object) -> None:
            raise NotFoundError("no")

        with pytest.raises(NotFoundError) as caught:
            await anext(sweep(call, [key]))

        (note,) = caught.value.__notes__
        assert note.startswith(f"in the sweep, at the key {shown}")
        assert len(note) < 400

    async def test_nothing_comes_after_an_error(self, clock: FakeClock) -> None:
        """A sweep that was ended by an error is at its end."""
        calls = Calls()
        outcomes = sweep(calls, range(3))
        first = asyncio.ensure_future(anext(outcomes))
        await clock.settle()
        calls.end(0, LookupError())

        with pytest.raises(LookupError):
            await first

        assert [outcome async for outcome in outcomes] == []

    async def test_error_before_the_call_is_awaited(self) -> None:
        """A call that raises instead of giving something to await is a call that failed."""

        def call(key: int) -> Awaitable[int]:
            raise ConfigurationError("user_id must not be blank")

        outcomes = [outcome async for outcome in sweep(call, [1], on_error="yield")]

        assert [str(outcome.error) for outcome in outcomes] == ["user_id must not be blank"]

    async def test_call_that_cancels_itself(self) -> None:
        """A call that ends by a cancel of its own ends the sweep, and the note names the key."""

        async def call(key: int) -> int:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError) as caught:
            await anext(sweep(call, [1], on_error="yield"))

        assert caught.value.__notes__ == ["in the sweep, at the key 1"]

    async def test_errors_that_came_too_late_are_quiet(self, clock: FakeClock) -> None:
        """Of several calls that fail at once, the first one's error is raised and nobody complains of the others."""
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        calls = Calls()
        first = asyncio.ensure_future(anext(sweep(calls, range(3))))
        await clock.settle()

        for key in range(3):
            calls.end(key, UserGroupsError(f"error of {key}"))
        with pytest.raises(UserGroupsError, match="error of 0"):
            await first
        gc.collect()

        assert complaints == []

    @pytest.mark.parametrize("later", [False, True], ids=["iterable", "async iterable"])
    async def test_keys_that_fail(self, clock: FakeClock, later: bool) -> None:
        """An error of the keys themselves ends the sweep as it is, and the calls under way with it."""
        calls = Calls()

        def keys() -> Iterator[int]:
            yield 1
            raise LookupError("no more keys")

        async def later_keys() -> AsyncIterator[int]:
            for key in keys():
                yield key

        with pytest.raises(LookupError, match="no more keys") as caught:
            await anext(sweep(calls, later_keys() if later else keys(), on_error="yield"))

        assert not hasattr(caught.value, "__notes__")
        assert calls.cancelled == [1]
        assert not others()


class TestLeaving:
    """Leaving a sweep early leaves nothing behind."""

    @kinds
    async def test_break(self, clock: FakeClock, kind: type[Keys]) -> None:
        """A reader who breaks off ends the calls under way."""
        calls = Calls()
        asyncio.get_running_loop().call_later(1.0, lambda: calls.end(0))
        clock.autopilot = True

        async for _ in sweep(calls, kind(10), concurrency=4):
            break
        await clock.settle()

        assert calls.cancelled == [1, 2, 3]
        assert not others()

    @kinds
    async def test_close(self, clock: FakeClock, kind: type[Keys]) -> None:
        """Once a sweep is closed, no call of it is under way, and its keys are closed too."""
        calls = Calls()
        keys = kind(10)
        outcomes = sweep(calls, keys, concurrency=4)
        first = asyncio.ensure_future(anext(outcomes))
        await clock.settle()
        calls.end(0)
        await first

        await outcomes.aclose()

        assert sorted(calls.cancelled) == [1, 2, 3]
        assert not others()
        assert getattr(keys, "closed", True)

    async def test_cancel(self, clock: FakeClock) -> None:
        """A reader who is cancelled takes the calls along."""
        calls = Calls()

        async def read() -> None:
            async for _ in sweep(calls, range(10), concurrency=4):
                pass

        task = asyncio.create_task(read())
        await clock.settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert sorted(calls.cancelled) == [0, 1, 2, 3]
        assert not others()

    async def test_cancel_while_a_key_is_awaited(self, clock: FakeClock) -> None:
        """A reader who is cancelled while the next key is on its way does not wait for it."""
        keys_closed = asyncio.Event()

        async def keys() -> AsyncIterator[int]:
            try:
                await asyncio.Event().wait()
                yield 1
            finally:
                keys_closed.set()

        waiting = asyncio.ensure_future(anext(sweep(double, keys())))
        await clock.settle()

        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert keys_closed.is_set()
        assert not others()

    async def test_cancelled_again_while_calls_end(self, clock: FakeClock) -> None:
        """A second cancel, while the calls are still ending, does not keep the keys from being closed."""
        ended = asyncio.Event()
        keys = LaterKeys(10)

        async def call(key: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await ended.wait()

        async def read() -> None:
            async for _ in sweep(call, keys, concurrency=2):
                pass

        task = asyncio.create_task(read())
        await clock.settle()
        task.cancel()
        await clock.settle()
        task.cancel()
        await clock.settle()

        assert task.cancelled()
        assert keys.closed
        assert not others()

    async def test_generator_of_the_callers_own_is_not_closed(self) -> None:
        """Keys that are an iterator already belong to the caller, who may go on with them."""

        async def some() -> AsyncIterator[int]:
            for key in range(5):
                yield key

        keys = some()
        async with aclosing(sweep(double, keys, concurrency=1)) as outcomes:
            await anext(outcomes)

        assert [key async for key in keys] == [1, 2, 3, 4]

    async def test_iterator_that_cannot_be_closed(self) -> None:
        """Async keys need not be a generator."""

        class Counter:
            def __init__(self) -> None:
                self.next = 0

            def __aiter__(self) -> "Counter":
                return Counter()

            async def __anext__(self) -> int:
                self.next += 1
                return self.next

        async with aclosing(sweep(double, Counter(), concurrency=1)) as outcomes:
            assert await anext(outcomes) == Outcome(1, 2)

    async def test_sweep_that_is_never_read_does_nothing(self) -> None:
        """Making a sweep pulls no key and makes no call."""
        keys = Keys(10)

        sweep(double, keys)
        await asyncio.sleep(0)

        assert keys.pulled == 0


class TestArguments:
    """Bad arguments are errors of the call to `sweep` itself."""

    @pytest.mark.parametrize("concurrency", [0, -1, 1.0, True, "5", float("nan"), float("inf"), None])
    def test_f82_bad_concurrency(self, concurrency: int) -> None:
        """The number of calls at once is a whole number from 1 on."""
        with pytest.raises(ConfigurationError, match="concurrency must be"):
            sweep(double, [1], concurrency=concurrency)

    @pytest.mark.parametrize("on_error", ["ignore", "", None, True, ["raise"], Odd()])
    def test_bad_on_error(self, on_error: object) -> None:
        """Errors are raised or yielded."""
        with pytest.raises(ConfigurationError, match="on_error must be 'raise' or 'yield'"):
            sweep(double, [1], on_error=on_error)  # type: ignore[call-overload]

    @pytest.mark.parametrize("keys", [None, 5, double], ids=["None", "a number", "a function"])
    def test_bad_keys(self, keys: object) -> None:
        """Keys are an iterable or an async iterable."""
        with pytest.raises(ConfigurationError, match="keys must be of type Iterable or AsyncIterable"):
            sweep(double, keys)  # type: ignore[call-overload]

    def test_bad_call(self) -> None:
        """What is called for each key can be called."""
        with pytest.raises(ConfigurationError, match="call must be a function"):
            sweep("double", [1])  # type: ignore[arg-type]
