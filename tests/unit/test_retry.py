"""When a call is tried again: the policy, Retry-After, the budget, and what follows each attempt."""

import logging
import math
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups import ConfigurationError, RetryPolicy
from usergroups._http.exchange import Response
from usergroups._http.failures import Failure
from usergroups._http.rate import RateLimiter
from usergroups._http.retry import FOREVER, NO_RETRIES, Attempts, RetryBudget, retry_after, worth_retrying
from usergroups._runtime import Runtime

NOW = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # bounds
rolls = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 2000),
    backoff_initial=st.floats(1e-6, 1e300),
    backoff_max=st.floats(1e-6, 1e300),
    max_retry_after=st.floats(1e-6, 1e300),
)


def answer(status: int = 200, **headers: str) -> Response:
    """Return an answer; `retry_after="1"` is its Retry-After."""
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status_code=status, headers=lower, body=b"")


def imf_fixdate(moment: datetime) -> str:
    """Write *moment* as HTTP does today."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def asctime_date(moment: datetime) -> str:
    """Write *moment* as C does."""
    return f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S %Y}"


class TestPolicy:
    """How often a call is tried, and how long it waits in between."""

    def test_defaults(self) -> None:
        """A call is tried three times, with short waits, and obeys a server for a minute."""
        assert RetryPolicy() == RetryPolicy(attempts=3, backoff_initial=0.5, backoff_max=8.0, max_retry_after=60.0)

    @pytest.mark.parametrize("name", ["attempts", "backoff_initial", "backoff_max", "max_retry_after"])
    @pytest.mark.parametrize("value", [0, math.nan, "5", True, None], ids=repr)
    def test_f82_bad_numbers(self, name: str, value: object) -> None:
        """Attempts and waits are positive, finite numbers; the error names the argument."""
        with pytest.raises(ConfigurationError, match=f"^{name} must be "):
            RetryPolicy(**{name: value})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("attempt", "asked", "roll", "wait"),
        [
            pytest.param(1, None, 0.0, 0.0, id="nothing at least"),
            pytest.param(1, None, 0.5, 0.25, id="half of the first ceiling"),
            pytest.param(2, None, 0.5, 0.5, id="half of twice that"),
            pytest.param(5, None, 0.5, 4.0, id="half of the highest ceiling"),
            pytest.param(6, None, 0.5, 4.0, id="the ceiling grows no further"),
            pytest.param(9_999, None, 0.5, 4.0, id="after very many attempts"),
            pytest.param(10_000, None, 0.5, None, id="none after the last attempt"),
            pytest.param(10_000, 1.0, 0.5, None, id="whatever is asked for"),
            pytest.param(10_001, None, 0.5, None, id="nor later"),
            pytest.param(1, 0.0, 0.5, 0.25, id="the usual one where zero is asked for"),
            pytest.param(1, -5.0, 0.5, 0.25, id="or a moment in the past"),
            pytest.param(1, 0.5, 0.0, 0.5, id="half a second, as asked for"),
            pytest.param(1, 2.0, 0.5, 2.25, id="a little more, so that not all come back at once"),
            pytest.param(1, 60.0, 0.0, 60.0, id="the longest that is obeyed"),
            pytest.param(1, 60.001, 0.0, None, id="longer than that"),
            pytest.param(1, math.inf, 0.0, None, id="for ever"),
        ],
    )
    def test_f36_f37_f39_wait(self, attempt: int, asked: float | None, roll: float, wait: float | None) -> None:
        """Our own waits are jittered and grow; the server's are obeyed or given up on; the last attempt has none."""
        assert RetryPolicy(attempts=10_000).delay(attempt, asked=asked, roll=roll) == wait

    @pytest.mark.parametrize(("backoff", "wait"), [(0.01, 2.005), (5.0, 2.25)])
    def test_spread_on_top_of_a_retry_after(self, backoff: float, wait: float) -> None:
        """It is no longer than the first back-off, and than half a second."""
        assert RetryPolicy(backoff_initial=backoff).delay(1, asked=2.0, roll=0.5) == wait

    @unhurried
    @given(policies, st.integers(1, 10_000), st.none() | st.floats(allow_nan=False), rolls)
    def test_f37_never_undercut(self, policy: RetryPolicy, attempt: int, asked: float | None, roll: float) -> None:
        """Whatever the policy, a wait is finite, not negative, and not shorter than what the server asked for."""
        wait = policy.delay(attempt, asked=asked, roll=roll)

        if wait is None:
            assert attempt >= policy.attempts or (asked is not None and asked > policy.max_retry_after)
        elif asked is None or asked <= 0:
            assert 0 <= wait <= policy.backoff_max
        else:
            assert asked <= wait <= asked + 0.5


class TestRetryAfter:
    """What a server asks for with Retry-After."""

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            pytest.param("0", 0.0, id="zero"),
            pytest.param(" 2\t", 2.0, id="white space around it"),
            pytest.param("007200", 7200.0, id="zeros before it"),
            pytest.param("9" * 5000, sys.float_info.max, id="more digits than Python reads as a whole number"),
            pytest.param("-5", None, id="negative"),
            pytest.param("inf", None, id="infinity"),
            pytest.param("1_0", None, id="an underscore"),
            pytest.param("\u0663", None, id="an Arabic digit"),
            pytest.param("5.5", None, id="a fraction"),
            pytest.param("", None, id="empty"),
            pytest.param("2\n", None, id="a line end after it"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 GMT", 30.0, id="a date in the usual form"),
            pytest.param("Thursday, 29-Feb-24 12:00:30 GMT", 30.0, id="in the form of RFC 850"),
            pytest.param("Fri Mar  1 12:00:00 2024", 86_400.0, id="in the form of C, with a one-digit day"),
            pytest.param("Thu, 29 Feb 2024 12:00:30", 30.0, id="without a zone"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 -0100", 3630.0, id="in another zone"),
            pytest.param("Thu, 29 Feb 2024 11:59:30 GMT", 0.0, id="past"),
            pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 251_693_092_799.0, id="year 9999"),
            pytest.param("Thu, 30 Feb 2024 12:00:30 GMT", None, id="a day that does not exist"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 -9999", None, id="a zone that does not exist"),
            pytest.param("Thu, 29 Feb 99999999999999999999 12:00:30 GMT", None, id="a year that is too long"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 GMT, Thu, 29 Feb 2024 12:00:30 GMT", None, id="two headers"),
            pytest.param("Thursday 1 2 3 4 5", None, id="a word and numbers"),
            pytest.param("2024-02-29T12:00:30Z", None, id="another form of date"),
        ],
    )
    def test_f37_seconds_or_a_date(self, value: str, seconds: float | None) -> None:
        """Digits are seconds, a date in any of HTTP's three forms a wait from now; all else is as if absent."""
        assert retry_after({"retry-after": value}, NOW) == seconds

    def test_f37_absent(self) -> None:
        """Where nothing is asked for, nothing is found."""
        assert retry_after({"date": imf_fixdate(NOW)}, NOW) is None

    @pytest.mark.parametrize("date", ["", "soon", "5", "Thu, 30 Feb 2024 12:00:30 GMT"])
    def test_f38_bad_date_is_as_if_absent(self, date: str) -> None:
        """Where the server's own clock cannot be read, ours is used."""
        assert retry_after({"retry-after": "Thu, 29 Feb 2024 12:00:30 GMT", "date": date}, NOW) == 30.0

    def test_f38_without_a_moment_it_is_now(self) -> None:
        """A date counts from the present where nothing else is said."""
        seconds = retry_after({"retry-after": imf_fixdate(datetime.now(UTC) + HOUR)})

        assert seconds == pytest.approx(3600, abs=60)

    @unhurried
    @given(st.text() | st.from_regex(r"[A-Za-z]{3,9},? [0-9A-Za-z: -]{10,40}"), st.none() | st.text(), moments)
    def test_f37_anything(self, value: str, date: str | None, now: datetime) -> None:
        """No text in these headers raises anything, or makes a negative wait."""
        headers = {"retry-after": value} | ({} if date is None else {"date": date})

        seconds = retry_after(headers, now)

        assert seconds is None or seconds >= 0

    @unhurried
    @given(moments, moments, st.sampled_from([imf_fixdate, asctime_date]), moments)
    def test_f38_any_dates(
        self, until: datetime, date: datetime, write: Callable[[datetime], str], now: datetime
    ) -> None:
        """The wait is from the server's date to the one it asks for, whatever the time is here."""
        seconds = retry_after({"retry-after": write(until), "date": write(date)}, now)

        whole = until.replace(microsecond=0) - date.replace(microsecond=0)
        assert seconds == max(0.0, whole.total_seconds())


def left_in(budget: RetryBudget) -> int:
    """Return how many retries *budget* has left; it is empty then."""
    return sum(budget.take() for _ in range(1000))


class TestBudget:
    """What keeps retries from becoming the load."""

    def test_f71_two_hundred_retries(self) -> None:
        """A client that only fails retries two hundred times, and then no more."""
        assert left_in(RetryBudget()) == 200

    def test_f71_refills_with_good_calls(self) -> None:
        """Ten good calls are worth one retry."""
        budget = empty_budget()

        for _ in range(9):
            budget.give()
        early = budget.take()
        budget.give()

        assert (early, budget.take(), budget.take()) == (False, True, False)

    def test_f71_holds_no_more_than_at_first(self) -> None:
        """Years of good calls do not buy a storm of retries."""
        budget = RetryBudget()

        for _ in range(10_000):
            budget.give()

        assert left_in(budget) == 200


def empty_budget() -> RetryBudget:
    """Return a budget with no retry left."""
    budget = RetryBudget()
    left_in(budget)
    return budget


@pytest.mark.parametrize(
    ("outcome", "worth"),
    [
        *(pytest.param(answer(status), True, id=str(status)) for status in (408, 425, 429, 500, 502, 503, 504)),
        *(
            pytest.param(answer(status), False, id=str(status))
            for status in (200, 204, 301, 304, 400, 401, 403, 404, 409, 413, 422, 499, 501, 505, 520, 599)
        ),
        pytest.param(Failure(reason="the connection was lost"), True, id="a fault that may pass"),
        pytest.param(Failure(reason="certificate verify failed", retryable=False), False, id="a fault that stays"),
    ],
)
def test_f39_what_is_worth_retrying(outcome: Response | Failure, worth: bool) -> None:
    """Overload, failures that pass and lost connections are tried again, and nothing else."""
    assert worth_retrying(outcome) is worth


AT_ONCE = "at once"
LOST = Failure(reason="the connection was lost", disconnected=True)
STALE = Failure(reason="the connection was lost", disconnected=True, stale=True)


class Caller:
    """One that makes the attempts of calls, on a clock that its waits move on; its dice always show a half."""

    def __init__(self, per_second: float | None = None, refused_for: float = 1.0) -> None:
        self.now = 1000.0
        self.refused_for = refused_for
        self.rate = RateLimiter(per_second, Runtime(clock=lambda: self.now))
        self.held: list[float] = []  # how long others had to wait, after each attempt

    def call(
        self,
        *outcomes: Response | Failure,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        budget: RetryBudget | None = None,
        time: float = FOREVER,
    ) -> list[float | str]:
        """Return the waits of a call whose attempts end as *outcomes*, and in the last one for ever."""
        return list(
            self._waits(
                Attempts(policy=policy, budget=budget, rate=self.rate, refused_for=self.refused_for),
                outcomes,
                self.now + time,
            )
        )

    def _waits(
        self, attempts: Attempts, outcomes: tuple[Response | Failure, ...], deadline: float
    ) -> Iterator[float | str]:
        for number in count():
            outcome = outcomes[min(number, len(outcomes) - 1)]
            if attempts.repeats(outcome):
                yield AT_ONCE
                continue
            wait = attempts.wait_after(outcome, left=deadline - self.now, roll=0.5)
            self.held.append(max(0.0, self.rate.wait()))
            if wait is None:
                return
            yield wait
            self.now += wait


class TestAttempts:
    """What follows each attempt of a call: a wait, or nothing."""

    @pytest.mark.parametrize(
        ("outcomes", "waits"),
        [
            pytest.param([answer(200)], [], id="a good answer is the end"),
            pytest.param([answer(404)], [], id="as is one that another attempt would not change"),
            pytest.param([Failure(reason="certificate verify failed", retryable=False)], [], id="a failure that stays"),
            pytest.param([answer(503), answer(200)], [0.25], id="a bad answer"),
            pytest.param([LOST, answer(200)], [0.25], id="a failure that may pass"),
            pytest.param([LOST, answer(500), answer(503)], [0.25, 0.5], id="three attempts at most"),
            pytest.param([answer(429, retry_after="2"), answer(200)], [2.25], id="what the server asks for"),
            pytest.param([answer(429, retry_after="7200")], [], id="but not for hours"),
            pytest.param([STALE, STALE, STALE, answer(200)], [AT_ONCE] * 3, id="an idle connection was closed"),
            pytest.param([STALE], [AT_ONCE] * 3 + [0.25, 0.5], id="always"),
        ],
    )
    def test_f27_f36_f39_what_follows(self, outcomes: list[Response | Failure], waits: list[float | str]) -> None:
        """Failures that may pass are tried again after a wait, and at once where the server never saw the request."""
        assert Caller().call(*outcomes) == waits

    def test_f27_idle_connection_that_was_closed_costs_nothing(self) -> None:
        """A request that the server never saw goes out again even where there are no retries, or none left."""
        assert Caller().call(STALE, answer(503), policy=NO_RETRIES) == [AT_ONCE]
        assert Caller().call(STALE, answer(503), budget=empty_budget()) == [AT_ONCE]

    @pytest.mark.parametrize(
        ("outcomes", "waits", "held"),
        [
            pytest.param([answer(429), answer(200)], [0.25], 0.0, id="once"),
            pytest.param([answer(429), answer(429), answer(200)], [0.25, 1.0], 1.0, id="twice in a row"),
            pytest.param([answer(429, retry_after="soon")] * 2 + [answer(200)], [0.25, 1.0], 1.0, id="unreadable"),
            pytest.param(
                [answer(429), STALE, answer(429), answer(200)], [0.25, AT_ONCE, 1.0], 1.0, id="but for a stale one"
            ),
            pytest.param([answer(429)] * 5 + [answer(200)], [0.25, 1.0, 1.0, 2.0, 4.0], 1.0, id="for long"),
            pytest.param([answer(429), answer(503), answer(429), answer(200)], [0.25, 0.5, 1.0], 0.0, id="by turns"),
            pytest.param([answer(429, retry_after="0")] * 2 + [answer(200)], [0.25, 0.5], 0.0, id="it may come back"),
            pytest.param([answer(503), answer(503), answer(200)], [0.25, 0.5], 0.0, id="another reason"),
            pytest.param([answer(429), LOST, answer(429), answer(200)], [0.25, 0.5, 1.0], 0.0, id="or none"),
        ],
    )
    def test_refused_again(self, outcomes: list[Response | Failure], waits: list[float | str], held: float) -> None:
        """A second 429 in a row that names no time has all requests wait for as long as such refusals last."""
        caller = Caller()

        assert caller.call(*outcomes, policy=RetryPolicy(attempts=9)) == waits
        assert max(caller.held) == held

    def test_refused_for_ever(self) -> None:
        """A server that always refuses is asked as often as the policy says: no more, and without any budget."""
        caller = Caller()

        calls = [caller.call(answer(429), budget=empty_budget()) for _ in range(3)]

        assert calls == [[0.25, 1.0], [1.0, 1.0], [1.0, 1.0]]
        assert caller.held == [0.0] + [1.0] * 8

    @pytest.mark.parametrize(
        ("refused_for", "outcome"),
        [
            pytest.param(0.0, answer(429), id="it is not known for how long"),
            pytest.param(1.0, answer(429, retry_after="0"), id="the server says for how long"),
            pytest.param(1.0, answer(503), id="another failure"),
        ],
    )
    def test_f71_no_retry_without_budget(self, refused_for: float, outcome: Response) -> None:
        """Where not the whole client waits, retries take from the budget, and nobody is held back."""
        caller = Caller(refused_for=refused_for)

        assert caller.call(outcome, budget=empty_budget()) == []
        assert caller.call(outcome) == [0.25, 0.5]
        assert max(caller.held) == 0.0

    def test_f71_other_failure_after_a_refusal_takes_from_the_budget(self) -> None:
        """What is exempt is the retry after a refusal, not the call."""
        assert Caller().call(answer(429), answer(503), budget=empty_budget()) == [0.25]

    def test_hold_that_another_call_brought_about(self) -> None:
        """Whoever is refused for the first time while all wait waits with them, or gives up where that is too late."""
        caller = Caller()
        caller.rate.hold(1.0)

        assert caller.call(answer(429), time=1.0) == []
        assert caller.call(answer(429), answer(200), time=1.01) == [1.0]

    def test_hold_beyond_the_deadline_is_not_waited_for(self) -> None:
        """A call that cannot see the end of a hold, or has no attempt left for it, leaves word of it to the others."""
        late, last = Caller(), Caller()

        assert late.call(answer(429), time=1.25) == last.call(answer(429), policy=RetryPolicy(attempts=2)) == [0.25]
        assert late.held == last.held == [0.0, 1.0]

    def test_rate_alone_is_no_reason_to_wait(self) -> None:
        """The next free moment of a rate is waited for at the gate, by whoever is next."""
        caller = Caller(per_second=0.01, refused_for=0.0)
        caller.rate.take()

        assert caller.call(answer(503), answer(429)) == [0.25, 0.5]

    @pytest.mark.parametrize(
        ("outcome", "time", "waits"),
        [
            pytest.param(answer(429, retry_after="2"), 2.25, [], id="it would end at that moment"),
            pytest.param(answer(429, retry_after="2"), 2.3, [2.25], id="it ends in time"),
            pytest.param(answer(503), 0.7, [0.25], id="our own"),
        ],
    )
    def test_wait_beyond_the_deadline_is_not_begun(
        self, outcome: Response, time: float, waits: list[float | str]
    ) -> None:
        """Nobody waits for an attempt that could not be made any more."""
        assert Caller().call(outcome, time=time) == waits

    @pytest.mark.parametrize(
        ("outcome", "time", "left"),
        [
            pytest.param(answer(503), FOREVER, 198, id="each retry takes one"),
            pytest.param(answer(503), 0.1, 200, id="one that is not made takes nothing"),
            pytest.param(answer(429, retry_after="7200"), FOREVER, 200, id="nor one that the server puts off too long"),
            pytest.param(answer(404), FOREVER, 200, id="nor what is final"),
        ],
    )
    def test_f71_retries_take_from_the_budget(self, outcome: Response, time: float, left: int) -> None:
        """What is left of the budget of a client after one call."""
        budget = RetryBudget()

        Caller().call(outcome, budget=budget, time=time)

        assert left_in(budget) == left

    def test_f71_good_calls_give_back(self) -> None:
        """Ten calls that succeed are worth one retry, and calls that fail are worth nothing."""
        budget = empty_budget()

        for _ in range(10):
            for outcome in (answer(200), answer(404), Failure(reason="no", retryable=False)):
                Caller().call(outcome, budget=budget)

        assert left_in(budget) == 1

    def test_log_has_attempt_wait_and_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each retry is one line at DEBUG, which says why, and when the next attempt is made."""
        caplog.set_level(logging.DEBUG, logger="usergroups")

        Caller().call(STALE, LOST, answer(429, retry_after="2"), answer(200))

        assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
            (logging.DEBUG, "attempt 1 failed (the connection was lost); the next one is in 0.250 s"),
            (logging.DEBUG, "attempt 2 failed (status 429); the next one is in 2.250 s"),
        ]

    @unhurried
    @given(
        outcomes=st.lists(
            st.builds(answer, st.sampled_from([429, 500, 503]), retry_after=st.integers(0, 90).map(str))
            | st.sampled_from([answer(429), LOST, STALE, answer(200), answer(404)]),
            min_size=1,
            max_size=12,
        ),
        attempts=st.integers(1, 6),
        time=st.floats(0, 200),
    )
    def test_every_call_ends(self, outcomes: list[Response | Failure], attempts: int, time: float) -> None:
        """Whatever happens, a call makes no more attempts than allowed, and its waits end before its time does."""
        waits = Caller().call(*outcomes, policy=RetryPolicy(attempts=attempts), time=time)

        slept = [wait for wait in waits if not isinstance(wait, str)]
        assert len(slept) < attempts
        assert len(waits) - len(slept) <= 3
        assert sum(slept) < time or not slept
