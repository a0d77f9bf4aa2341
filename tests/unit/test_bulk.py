"""sweep: one call for each of many keys, so many at a time."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, closing, suppress
from contextvars import ContextVar
from typing import TypeVar

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.cancel import explore
from rig.clock import FakeClock
from rig.eager import begin_tasks_eagerly
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

T = TypeVar("T")


class TestOutcome:
    """What a sweep says of one key."""

    @pytest.mark.parametrize("value", ["value", None], ids=repr)
    def test_result_is_the_value(self, value: str | None) -> None:
        """The result of a call that went well is what it returned, also if that is None."""
        assert Outcome("a", value).result() == value

    def test_result_raises_the_error(self) -> None:
        """The result of a call that failed is its error, raised as it is, as often as it is asked for."""
        error = NotFoundError("no such user")
        outcome: Outcome[str, str] = Outcome("a", error=error)

        for _ in range(2):
            with pytest.raises(NotFoundError) as caught:
                outcome.result()
            assert caught.value is error


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
        """Return the keys."""
        for key in range(self.count):
            self.pulled += 1
            yield key


class LaterKeys(Keys):
    """The same keys, each a little later, of a source that takes *turns* to end when it is left before its end."""

    def __init__(self, count: int, turns: int = 5) -> None:
        super().__init__(count)
        self.turns = turns
        self.begun = 0
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        """Return the keys."""
        self.begun += 1
        try:
            for key in range(self.count):
                await asyncio.sleep(0)
                self.pulled += 1
                yield key
        except BaseException:
            for _ in range(self.turns):
                await asyncio.sleep(0)
            raise
        finally:
            self.closed += 1


class Shy:
    """A key with a bug."""

    def __repr__(self) -> str:
        raise LookupError("a bug of the key's")


async def double(key: int) -> int:
    """Answer a key with its double."""
    return key * 2


def others() -> set["asyncio.Task[object]"]:
    """Return the tasks that there are beside this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


async def begin(outcomes: AsyncIterator[T], clock: FakeClock) -> "asyncio.Future[T]":
    """Let a reader wait for the first of *outcomes*, and everything else go as far as it can."""
    first = asyncio.ensure_future(anext(outcomes))
    await clock.settle()
    return first


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="nothing")
Scope = Callable[[], AbstractAsyncContextManager[object]]

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
        first = await begin(outcomes, clock)

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
    @pytest.mark.parametrize("concurrency", [1, 3])
    async def test_keys_pulled_beyond_the_outcomes_taken(
        self, clock: FakeClock, kind: type[Keys], concurrency: int
    ) -> None:
        """A reader who takes its time is not overrun: at most `concurrency` keys are pulled beyond what it took."""

        async def call(key: int) -> None:
            await asyncio.sleep(0)  # as a call does: none is over as soon as it begins

        keys = kind(20)
        taken = 0
        beyond: list[int] = []

        async for _ in sweep(call, keys, concurrency=concurrency):
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
        first = await begin(outcomes, clock)

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
            pytest.param("k" * 10_000, "'" + "k" * 100, id="very long"),
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

    async def test_error_before_the_call_is_awaited(self) -> None:
        """A call that raises instead of giving something to await is a call that failed."""

        def call(key: int) -> Awaitable[int]:
            raise ConfigurationError("user_id must not be blank")

        outcomes = [outcome async for outcome in sweep(call, [1], on_error="yield")]

        assert [str(outcome.error) for outcome in outcomes] == ["user_id must not be blank"]

    async def test_f96_call_that_is_cancelled_by_itself_is_an_error(self) -> None:
        """A call that ends by a cancel of its own is an error that names the key; under "yield" the sweep goes on."""
        said = "the call for 'grace' ended with a cancel that is not the sweep's"

        async def call(key: str) -> None:
            if key == "grace":
                raise asyncio.CancelledError

        async with asyncio.timeout(60), asyncio.TaskGroup():  # which take the cancels that are theirs
            outcomes = [outcome async for outcome in sweep(call, ["ada", "grace"], on_error="yield")]
            with pytest.raises(UserGroupsError) as caught:
                [outcome async for outcome in sweep(call, ["grace"])]

        assert {outcome.key: str(outcome.error or "") for outcome in outcomes} == {"ada": "", "grace": said}
        assert str(caught.value) == said
        assert caught.value.__notes__ == ["in the sweep, at the key 'grace'"]
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    async def test_f96_keys_that_are_cancelled_by_themselves_are_an_error(self) -> None:
        """A source of keys that ends by a cancel of its own has not come to its end."""

        async def keys() -> AsyncIterator[int]:
            yield 1
            raise asyncio.CancelledError

        async with aclosing(sweep(double, keys())) as outcomes:
            with pytest.raises(
                UserGroupsError, match=r"^the sweep's keys ended with a cancel that is not the sweep's$"
            ):
                [outcome async for outcome in outcomes]

        assert not others()

    async def test_errors_that_came_too_late_are_quiet(self, clock: FakeClock) -> None:
        """Of several calls that fail at once, the first one's error is raised and nobody complains of the others."""
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        calls = Calls()
        first = await begin(sweep(calls, range(3)), clock)

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
        first = await begin(outcomes, clock)
        calls.end(0)
        await first

        await outcomes.aclose()

        assert sorted(calls.cancelled) == [1, 2, 3]
        assert not others()
        assert getattr(keys, "closed", 1) == 1

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
        assert keys.closed == 1
        assert not others()

    @pytest.mark.parametrize("later", [False, True], ids=["generator", "async generator"])
    async def test_f96_generator_is_closed(self, later: bool) -> None:
        """Whoever leaves a sweep early leaves its keys closed: nobody but its own task can close them rightly."""
        closed: list[object] = []

        def keys() -> Iterator[int]:
            try:
                yield from range(5)
            finally:
                closed.append(asyncio.current_task())

        async def later_keys() -> AsyncIterator[int]:
            with closing(keys()) as some:
                for key in some:
                    yield key

        source = later_keys() if later else keys()
        async with aclosing(sweep(double, source, concurrency=1)) as outcomes:
            await anext(outcomes)
            pulling = others()

        assert closed
        assert set(closed) == pulling
        assert not others()

    async def test_iterator_that_cannot_be_closed(self) -> None:
        """Async keys need not be a generator, whether a sweep comes to their end or is left before it."""

        class Counter:
            def __init__(self) -> None:
                self.next = 0

            def __aiter__(self) -> "Counter":
                return Counter()

            async def __anext__(self) -> int:
                self.next += 1
                if self.next > 3:
                    raise StopAsyncIteration
                return self.next

        outcomes = [outcome async for outcome in sweep(double, Counter())]
        async with aclosing(sweep(double, Counter(), concurrency=1)) as left_early:
            first = await anext(left_early)

        assert sorted(outcome.key for outcome in outcomes) == [1, 2, 3]
        assert first == Outcome(1, 2)
        assert not others()

    async def test_sweep_that_is_never_read_does_nothing(self) -> None:
        """Making a sweep pulls no key and makes no call."""
        keys = Keys(10)

        sweep(double, keys)
        await asyncio.sleep(0)

        assert keys.pulled == 0


@asynccontextmanager
async def context_variable() -> AsyncIterator[None]:
    """Set a context variable, and set it back: only possible in one task."""
    token = VARIABLE.set("in the source")
    try:
        yield
    finally:
        VARIABLE.reset(token)


@asynccontextmanager
async def anyio_scope(seconds: float = 60) -> AsyncIterator[None]:
    """Be in a scope of anyio's, which one task must enter and leave."""
    with anyio.fail_after(seconds):
        yield


@asynccontextmanager
async def task_group() -> AsyncIterator[None]:
    """Have tasks in the background, which one task must begin and await."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(asyncio.Event().wait())
        try:
            yield
        finally:
            waiting.cancel()


scopes = pytest.mark.parametrize(
    "scope",
    [context_variable, anyio_scope, task_group, lambda: asyncio.timeout(60)],
    ids=["context variable", "anyio.fail_after", "asyncio.TaskGroup", "asyncio.timeout"],
)

deadlines = pytest.mark.parametrize(
    "deadline", [asyncio.timeout, anyio_scope], ids=["asyncio.timeout", "anyio.fail_after"]
)


class TestScopes:
    """One task runs a source of keys, from its first step to its last."""

    @scopes
    @pytest.mark.parametrize("leaves", ["at the end", "by break", "by error", "by cancel"])
    async def test_f96_source_with_a_scope_around_its_keys(self, clock: FakeClock, scope: Scope, leaves: str) -> None:
        """However a sweep is left, what its source holds is given back by the task that took it."""
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        tasks: list[object] = []

        async def keys() -> AsyncIterator[int]:
            tasks.append(asyncio.current_task())
            try:
                async with scope():
                    for key in range(40):
                        await asyncio.sleep(0)
                        yield key
            finally:
                tasks.append(asyncio.current_task())

        async def read() -> None:
            async with aclosing(sweep(double, keys(), concurrency=3)) as outcomes:
                async for outcome in outcomes:
                    if outcome.key == 10 and leaves != "at the end":
                        break
                if leaves == "by error":
                    raise LookupError
                if leaves == "by cancel":
                    await asyncio.Event().wait()

        reader = asyncio.create_task(read())
        await clock.settle()
        reader.cancel()
        await asyncio.wait([reader])
        gc.collect()

        assert reader.cancelled() is (leaves == "by cancel")
        assert reader.cancelled() or isinstance(reader.exception(), LookupError) is (leaves == "by error")
        assert len(tasks) == 2
        assert len(set(tasks)) == 1
        assert not others()
        assert complaints == []

    @deadlines
    @pytest.mark.parametrize("slow", ["keys", "reader"])
    async def test_f96_time_of_the_source_runs_out(
        self, clock: FakeClock, deadline: Callable[[float], AbstractAsyncContextManager[object]], slow: str
    ) -> None:
        """A source whose own time runs out ends the sweep with its error, also if it is the reader who takes long."""

        async def keys() -> AsyncIterator[int]:
            async with deadline(5.0):
                for key in range(40):
                    if slow == "keys" and key == 3:
                        await asyncio.Event().wait()
                    yield key

        async def read() -> list[int]:
            taken = []
            async for outcome in sweep(double, keys(), concurrency=3):
                taken.append(outcome.key)
                if slow == "reader" and outcome.key == 3:
                    await asyncio.sleep(10.0)
            return taken

        reader = asyncio.create_task(read())
        await clock.advance(20.0)

        assert type(reader.exception()) is TimeoutError
        assert not others()

    async def test_f96_source_that_goes_on_after_its_time(self, clock: FakeClock) -> None:
        """A source that takes the end of its time for the end of a part of its keys goes on with the rest."""

        async def keys() -> AsyncIterator[int]:
            with anyio.move_on_after(5.0):
                for key in range(40):
                    yield key
            yield 100

        async def read() -> list[int]:
            taken = []
            async for outcome in sweep(double, keys(), concurrency=1):
                taken.append(outcome.key)
                if outcome.key == 3:
                    await asyncio.sleep(10.0)
            return taken

        reader = asyncio.create_task(read())
        await clock.advance(20.0)

        assert await reader == [0, 1, 2, 3, 100]

    async def test_f96_calls_do_not_see_what_the_source_sets(self) -> None:
        """What a source sets in its context is no matter of the calls, which have the reader's."""
        seen: set[str] = set()

        async def call(key: int) -> None:
            seen.add(VARIABLE.get())

        async def keys() -> AsyncIterator[int]:
            async with context_variable():
                for key in range(5):
                    yield key

        VARIABLE.set("of the reader")
        async for _ in sweep(call, keys()):
            pass

        assert seen == {"of the reader"}

    async def test_error_in_closing_the_keys_is_raised(self, clock: FakeClock) -> None:
        """A source that fails as it is closed is not passed over in silence."""

        async def keys() -> AsyncIterator[int]:
            try:
                for key in range(5):
                    yield key
            finally:
                raise LookupError("cannot close")

        outcomes = sweep(double, keys(), concurrency=1)
        await anext(outcomes)

        with pytest.raises(LookupError, match="cannot close"):
            await outcomes.aclose()

    async def test_source_that_goes_on_over_the_cancel_is_closed(self, clock: FakeClock) -> None:
        """A source that takes no notice of being cancelled is closed at its next key."""
        closed: list[str] = []

        async def keys() -> AsyncIterator[int]:
            try:
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                await asyncio.sleep(0)
                yield 1
            finally:
                closed.append("keys")

        first = await begin(sweep(double, keys()), clock)
        first.cancel()
        await asyncio.wait([first])

        assert first.cancelled()
        assert closed == ["keys"]
        assert not others()


class TestCancelledAgain:
    """A reader that is cancelled again while the sweep is cleaning up."""

    @pytest.mark.parametrize("times", [1, 2, 3, 100], ids=["once", "twice", "thrice", "again and again"])
    async def test_f86_at_every_step(self, times: int) -> None:
        """Whenever, and however often, a reader is cancelled, it leaves no task, and its keys closed."""
        keys = LaterKeys(6)
        cuts = 0

        async def call(key: int) -> int:
            for _ in range(key % 3):
                await asyncio.sleep(0)
            return key

        async def read() -> int:
            return len([outcome async for outcome in sweep(call, keys, concurrency=2)])

        async for cut in explore(read, times=times):
            assert isinstance(cut.error, asyncio.CancelledError) if cut.cancelled else cut.value == 6
            assert keys.closed == keys.begun, cut.k
            assert not others(), cut.k
            cuts += 1

        assert cuts > 20

    async def test_f86_source_that_never_ends(self, clock: FakeClock) -> None:
        """A source that does not come to its end has a moment for it, and then a reader's next cancel goes on to it."""

        async def keys() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.Event().wait()

        async def read() -> None:
            async with aclosing(sweep(double, keys(), concurrency=1)) as outcomes:
                async for _ in outcomes:
                    await asyncio.Event().wait()

        reader = asyncio.create_task(read())
        await clock.settle()
        reader.cancel()
        await clock.settle()
        reader.cancel()
        await clock.advance(5.0)
        waits = not reader.done()
        reader.cancel()
        await clock.settle()

        assert waits
        assert reader.cancelled()
        assert not others()


class TestEagerTasks:
    """A loop whose tasks begin at once, and may be done before anyone waits for them."""

    @pytest.fixture(autouse=True)
    async def eager(self) -> None:
        """Let the loop have Python's own factory of such tasks."""
        begin_tasks_eagerly()

    @kinds
    @pytest.mark.parametrize("turns", [0, 1, 3], ids=["done at once", "one turn", "three turns"])
    @pytest.mark.parametrize("concurrency", [1, 4, 100])
    async def test_f85_outcome_for_every_key(self, kind: type[Keys], turns: int, concurrency: int) -> None:
        """Every key has its outcome, once, and no more are pulled than otherwise."""
        keys = kind(20)
        taken: list[int] = []

        async def call(key: int) -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            return key

        async for outcome in sweep(call, keys, concurrency=concurrency):
            assert keys.pulled - len(taken) <= concurrency
            taken.append(outcome.key)

        assert sorted(taken) == [*range(20)]
        assert not others()

    async def test_f85_error_of_a_call_that_is_done_at_once(self) -> None:
        """A call that fails before anyone waits for it fails the sweep, which closes its keys."""
        keys = LaterKeys(6)

        async def call(key: int) -> int:
            raise LookupError("no")

        with pytest.raises(LookupError, match="no") as caught:
            await anext(sweep(call, keys))

        assert caught.value.__notes__ == ["in the sweep, at the key 0"]
        assert keys.closed == 1
        assert not others()

    async def test_f85_f86_at_every_step(self) -> None:
        """Whenever a reader is cancelled, again and again, it leaves no task, and its keys closed."""
        keys = LaterKeys(6)

        async def read() -> int:
            return len([outcome async for outcome in sweep(double, keys, concurrency=2)])

        async for cut in explore(read, times=100):
            assert keys.closed == keys.begun, cut.k
            assert not others(), cut.k


def test_on_error_that_cannot_be_compared() -> None:
    """A value that cannot be compared, as the arrays of some packages cannot, is refused like any other."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(ConfigurationError, match="on_error must be 'raise' or 'yield'"):
        sweep(double, [1], on_error=Odd())  # type: ignore[call-overload]
