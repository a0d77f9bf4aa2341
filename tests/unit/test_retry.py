"""When a call is tried again: the policy, Retry-After, the budget, and the loop that obeys them."""

import logging
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups import ConfigurationError, RetryPolicy
from usergroups._http.exchange import Response
from usergroups._http.failures import Failure
from usergroups._http.limits import RateLimiter
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
    request = httpx.Request("GET", "https://api.example/x")
    return Response(status_code=status, headers=lower, body=b"", request=request)


def imf_fixdate(moment: datetime) -> str:
    """Write *moment* as HTTP does today."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def rfc_850_date(moment: datetime) -> str:
    """Write *moment* as some still did in 1999."""
    return moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")


def asctime_date(moment: datetime) -> str:
    """Write *moment* as C does."""
    return f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S %Y}"


class TestPolicy:
    """How often a call is tried, and how long it waits in between."""

    def test_defaults(self) -> None:
        """A call is tried three times, with short waits, and obeys a server for a minute."""
        assert RetryPolicy() == RetryPolicy(attempts=3, backoff_initial=0.5, backoff_max=8.0, max_retry_after=60.0)

    def test_it_is_a_value(self) -> None:
        """A policy can be shared, compared and put into sets, and nobody can change it."""
        policy = RetryPolicy(attempts=5)

        assert len({policy, RetryPolicy(attempts=5)}) == 1
        with pytest.raises(AttributeError):
            policy.attempts = 6  # type: ignore[misc]

    @pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "5", True, None, 1.5], ids=repr)
    def test_f82_bad_attempts(self, value: object) -> None:
        """The number of attempts is a whole number from one."""
        with pytest.raises(ConfigurationError, match=r"^attempts must be "):
            RetryPolicy(attempts=value)  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["backoff_initial", "backoff_max", "max_retry_after"])
    @pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "5", True, None], ids=repr)
    def test_f82_bad_seconds(self, name: str, value: object) -> None:
        """Waits are positive, finite numbers of seconds."""
        with pytest.raises(ConfigurationError, match=f"^{name} must be "):
            RetryPolicy(**{name: value})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("attempt", "roll", "wait"),
        [
            pytest.param(1, 0.0, 0.0, id="nothing at least"),
            pytest.param(1, 0.5, 0.25, id="half of the first ceiling"),
            pytest.param(2, 0.5, 0.5, id="half of twice that"),
            pytest.param(5, 0.5, 4.0, id="half of the highest ceiling"),
            pytest.param(6, 0.5, 4.0, id="the ceiling grows no further"),
            pytest.param(9_999, 0.5, 4.0, id="after very many attempts"),
        ],
    )
    def test_f39_full_jitter(self, attempt: int, roll: float, wait: float) -> None:
        """A wait is drawn from zero up to a ceiling, which doubles until it is `backoff_max`."""
        policy = RetryPolicy(attempts=10_000)

        assert policy.delay(attempt, asked=None, roll=roll) == wait

    @pytest.mark.parametrize("attempt", [3, 4])
    @pytest.mark.parametrize("asked", [None, 0.0, 1.0])
    def test_f39_gives_up_after_the_last_attempt(self, attempt: int, asked: float | None) -> None:
        """No wait follows the last attempt, whatever the server asks for."""
        assert RetryPolicy(attempts=3).delay(attempt, asked=asked, roll=0.0) is None

    @pytest.mark.parametrize("asked", [0.0, -5.0], ids=["zero", "in the past"])
    def test_f37_nothing_asked_for_is_the_usual_wait(self, asked: float) -> None:
        """A Retry-After that is over already does not make the client come back at once."""
        assert RetryPolicy().delay(1, asked=asked, roll=0.5) == 0.25

    @pytest.mark.parametrize(
        ("asked", "roll", "wait"),
        [
            pytest.param(0.5, 0.0, 0.5, id="half a second"),
            pytest.param(2.0, 0.0, 2.0, id="just what is asked for"),
            pytest.param(2.0, 0.5, 2.25, id="a little more, so that not all come back at once"),
            pytest.param(60.0, 0.0, 60.0, id="the longest that is obeyed"),
            pytest.param(60.001, 0.0, None, id="longer than that"),
            pytest.param(7200.0, 0.0, None, id="two hours"),
            pytest.param(math.inf, 0.0, None, id="for ever"),
        ],
    )
    def test_f36_retry_after_is_obeyed_or_given_up_on(self, asked: float, roll: float, wait: float | None) -> None:
        """What the server asks for is waited for, or is the end; the client never comes back too early."""
        assert RetryPolicy().delay(1, asked=asked, roll=roll) == wait

    def test_spread_is_no_longer_than_the_first_backoff(self) -> None:
        """Short waits in a policy mean a short spread on top of a Retry-After, too."""
        assert RetryPolicy(backoff_initial=0.01).delay(1, asked=2.0, roll=0.5) == 2.005

    def test_spread_is_no_longer_than_half_a_second(self) -> None:
        """Long waits in a policy do not mean a long spread."""
        assert RetryPolicy(backoff_initial=5.0).delay(1, asked=2.0, roll=0.5) == 2.25

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

    def test_no_retries(self) -> None:
        """Where nothing is to be repeated, the first failure is the last."""
        assert NO_RETRIES.delay(1, asked=None, roll=0.0) is None


class TestRetryAfter:
    """What a server asks for with Retry-After."""

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            pytest.param("0", 0.0, id="zero"),
            pytest.param("2", 2.0, id="two seconds"),
            pytest.param(" 2\t", 2.0, id="white space around it"),
            pytest.param("007200", 7200.0, id="zeros before it"),
            pytest.param("9" * 20, 1e20, id="twenty digits"),
            pytest.param("9" * 21, 1e21, id="more digits than that"),
            pytest.param("9" * 5000, sys.float_info.max, id="more digits than Python reads as a whole number"),
            pytest.param("-5", None, id="negative"),
            pytest.param("+5", None, id="a sign"),
            pytest.param("nan", None, id="not a number"),
            pytest.param("inf", None, id="infinity"),
            pytest.param("1e3", None, id="an exponent"),
            pytest.param("1_0", None, id="an underscore"),
            pytest.param("\uff11\uff12", None, id="full-width digits"),
            pytest.param("\u0663", None, id="an Arabic digit"),
            pytest.param("5.5", None, id="a fraction"),
            pytest.param("soon", None, id="a word"),
            pytest.param("", None, id="empty"),
            pytest.param("2, 3", None, id="two headers"),
            pytest.param("2\n", None, id="a line end after it"),
        ],
    )
    def test_f37_seconds(self, value: str, seconds: float | None) -> None:
        """Digits are seconds; anything that is neither digits nor a date is as if it were absent."""
        assert retry_after({"retry-after": value}, NOW) == seconds

    def test_f37_absent(self) -> None:
        """Where nothing is asked for, nothing is found."""
        assert retry_after({"date": imf_fixdate(NOW)}, NOW) is None

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            pytest.param("Thu, 29 Feb 2024 12:00:30 GMT", 30.0, id="the usual form"),
            pytest.param("Thursday, 29-Feb-24 12:00:30 GMT", 30.0, id="the form of RFC 850"),
            pytest.param("Thu Feb 29 12:00:30 2024", 30.0, id="the form of C"),
            pytest.param("Fri Mar  1 12:00:00 2024", 86_400.0, id="the form of C, with a one-digit day"),
            pytest.param("Thu, 29 Feb 2024 12:00:30", 30.0, id="no zone"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 -0000", 30.0, id="a zone that is unknown"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 -0100", 3630.0, id="another zone"),
            pytest.param("Thu, 29 Feb 2024 11:59:30 GMT", 0.0, id="past"),
            pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", 0.0, id="long past"),
            pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 251_693_092_799.0, id="year 9999"),
            pytest.param("Thu, 30 Feb 2024 12:00:30 GMT", None, id="a day that does not exist"),
            pytest.param("Thu, 29 Feb 2024 25:00:00 GMT", None, id="an hour that does not exist"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 -9999", None, id="a zone that does not exist"),
            pytest.param("Thu, 29 Feb 99999999999999999999 12:00:30 GMT", None, id="a year that is too long"),
            pytest.param("Thu, 29 Feb 2024 12:00:30 GMT, Thu, 29 Feb 2024 12:00:30 GMT", None, id="two headers"),
            pytest.param("Thursday 1 2 3 4 5", None, id="a word and numbers"),
            pytest.param("2024-02-29T12:00:30Z", None, id="another form of date"),
        ],
    )
    def test_f37_dates(self, value: str, seconds: float | None) -> None:
        """A date in any of HTTP's three forms is a wait from now; one that is past is none."""
        assert retry_after({"retry-after": value}, NOW) == seconds

    @pytest.mark.parametrize("write", [imf_fixdate, rfc_850_date, asctime_date])
    @pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["slow", "fast"])
    def test_f38_counts_from_the_servers_own_clock(self, write: Callable[[datetime], str], off: timedelta) -> None:
        """A server whose clock is an hour off is waited for as long as it meant."""
        headers = {"retry-after": write(NOW + off + timedelta(seconds=7)), "date": write(NOW + off)}

        assert retry_after(headers, NOW) == 7.0

    @pytest.mark.parametrize("date", ["", "soon", "5", "Thu, 30 Feb 2024 12:00:30 GMT"])
    def test_f38_bad_date_is_as_if_absent(self, date: str) -> None:
        """Where the server's own clock cannot be read, ours is used."""
        assert retry_after({"retry-after": "Thu, 29 Feb 2024 12:00:30 GMT", "date": date}, NOW) == 30.0

    def test_f38_without_a_moment_it_is_now(self) -> None:
        """A date counts from the present where nothing else is said."""
        until = datetime.now(UTC) + HOUR

        seconds = retry_after({"retry-after": imf_fixdate(until)})

        assert seconds == pytest.approx(3600, abs=60)

    @unhurried
    @given(st.text() | st.from_regex(r"[A-Za-z]{3,9},? [0-9A-Za-z: -]{10,40}"), st.none() | st.text(), moments)
    def test_f37_anything(self, value: str, date: str | None, now: datetime) -> None:
        """No text in these headers raises anything, or makes a negative wait."""
        headers = {"retry-after": value} | ({} if date is None else {"date": date})

        seconds = retry_after(headers, now)

        assert seconds is None or seconds >= 0

    @unhurried
    @given(st.integers(0, 2**53), st.integers(0, 30))
    def test_f37_any_digits(self, seconds: int, zeros: int) -> None:
        """Digits are the seconds that they say."""
        value = "0" * zeros + str(seconds)

        assert retry_after({"retry-after": value}, NOW) == seconds

    @unhurried
    @given(moments, moments, st.sampled_from([imf_fixdate, asctime_date]), moments)
    def test_f38_any_dates(
        self, until: datetime, date: datetime, write: Callable[[datetime], str], now: datetime
    ) -> None:
        """The wait is from the server's date to the one it asks for, whatever the time is here."""
        headers = {"retry-after": write(until), "date": write(date)}

        seconds = retry_after(headers, now)

        whole = until.replace(microsecond=0) - date.replace(microsecond=0)
        assert seconds == max(0.0, whole.total_seconds())


class TestBudget:
    """What keeps retries from becoming the load."""

    def test_f71_two_hundred_retries(self) -> None:
        """A client that only fails retries two hundred times, and then no more."""
        budget = RetryBudget()

        taken = sum(budget.take() for _ in range(1000))

        assert taken == 200

    def test_f71_refills_with_good_calls(self) -> None:
        """Ten good calls are worth one retry."""
        budget = RetryBudget()
        while budget.take():
            pass

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

        assert sum(budget.take() for _ in range(1000)) == 200

    @unhurried
    @given(st.lists(st.booleans(), max_size=3000))
    def test_f71_retries_are_at_most_a_tenth_of_the_calls_and_two_hundred(self, turns: list[bool]) -> None:
        """However good and bad calls follow each other, retries stay within the budget."""
        budget = RetryBudget()
        good = taken = 0
        for is_good in turns:
            if is_good:
                budget.give()
                good += 1
            else:
                taken += budget.take()

        assert taken <= 200 + good / 10


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


class Surroundings:
    """A clock that sleeping moves on, dice that always show a half, and attempts that end as told."""

    def __init__(self, *outcomes: Response | Failure, rate: RateLimiter | None = None) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.made = 0
        self.deadline = FOREVER
        self.on_sleep: Callable[[], None] = lambda: None
        self._outcomes = outcomes
        self.runtime = Runtime(clock=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)
        self.rate = rate or RateLimiter(None, self.runtime, refused_for=1.0)

    async def attempt(self) -> Response | Failure:
        """End as the next of the outcomes, or as the last one for ever."""
        outcome = self._outcomes[min(self.made, len(self._outcomes) - 1)]
        self.made += 1
        return outcome

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.on_sleep()
        self.now += seconds

    async def retry(
        self,
        policy: RetryPolicy | None = None,
        *,
        budget: RetryBudget | None = None,
        deadline: float = FOREVER,
    ) -> Response | Failure:
        """Make the attempts, as a sender does."""
        self.deadline = deadline
        attempts = Attempts(policy or RetryPolicy(), budget, self.rate)
        while True:
            outcome = await self.attempt()
            wait = attempts.wait_after(outcome, roll=0.5)
            if wait is None:
                return outcome
            if not attempts.may_wait(wait, left=self.deadline - self.now):
                return outcome
            if not attempts.at_once:
                await self.sleep(wait)


LOST = Failure(reason="the connection was lost", disconnected=True)
STALE = Failure(reason="the connection was lost", disconnected=True, stale=True)


def empty_budget() -> RetryBudget:
    """Return a budget with no retry left."""
    budget = RetryBudget()
    while budget.take():
        pass
    return budget


class TestRetrying:
    """The loop: attempts, waits, and the end of both."""

    async def test_good_answer_is_the_end(self) -> None:
        """What succeeds at once is asked once."""
        around = Surroundings(answer(200))

        outcome = await around.retry()

        assert isinstance(outcome, Response)
        assert outcome.is_success
        assert (around.made, around.slept) == (1, [])

    @pytest.mark.parametrize("first", [answer(503), LOST], ids=["a bad answer", "a fault"])
    async def test_f39_tried_again_until_it_succeeds(self, first: Response | Failure) -> None:
        """What fails and then succeeds is a success, after one wait."""
        around = Surroundings(first, answer(200))

        outcome = await around.retry()

        assert isinstance(outcome, Response)
        assert outcome.is_success
        assert (around.made, around.slept) == (2, [0.25])

    async def test_f39_last_outcome_is_given(self) -> None:
        """After the last attempt, what it came to is what the call comes to."""
        around = Surroundings(LOST, answer(500), answer(503))

        outcome = await around.retry()

        assert isinstance(outcome, Response)
        assert outcome.status_code == 503
        assert (around.made, around.slept) == (3, [0.25, 0.5])

    @pytest.mark.parametrize("status", [304, 400, 404, 501])
    async def test_f39_other_statuses_are_final(self, status: int) -> None:
        """What another attempt would not change is asked once."""
        around = Surroundings(answer(status))

        await around.retry()

        assert around.made == 1

    async def test_fault_that_stays_is_final(self) -> None:
        """A certificate does not get better by asking again."""
        around = Surroundings(Failure(reason="certificate verify failed", retryable=False))

        await around.retry()

        assert around.made == 1

    async def test_f36_retry_after_is_waited_for(self) -> None:
        """A server that asks for two seconds gets them, and a little more."""
        around = Surroundings(answer(429, retry_after="2"), answer(200))

        await around.retry()

        assert around.slept == [2.25]

    @pytest.mark.parametrize(
        ("outcomes", "slept", "held"),
        [
            pytest.param([answer(429), answer(200)], [0.25], 0.0, id="once"),
            pytest.param([answer(429), answer(429), answer(200)], [0.25, 1.0], 1.0, id="twice in a row"),
            pytest.param([answer(429, retry_after="soon")] * 2 + [answer(200)], [0.25, 1.0], 1.0, id="unreadable"),
            pytest.param(
                [answer(429), STALE, answer(429), answer(200)], [0.25, 1.0], 1.0, id="but for an idle connection"
            ),
            pytest.param([answer(429)] * 5 + [answer(200)], [0.25, 1.0, 1.0, 2.0, 4.0], 1.0, id="for long"),
            pytest.param([answer(429), answer(503), answer(429), answer(200)], [0.25, 0.5, 1.0], 0.0, id="by turns"),
            pytest.param([answer(429, retry_after="0")] * 2 + [answer(200)], [0.25, 0.5], 0.0, id="it may come back"),
            pytest.param([answer(503), answer(503), answer(200)], [0.25, 0.5], 0.0, id="another reason"),
            pytest.param([answer(429), LOST, answer(429), answer(200)], [0.25, 0.5, 1.0], 0.0, id="or none"),
        ],
    )
    async def test_refused_for_want_of_room_again(
        self, outcomes: list[Response], slept: list[float], held: float
    ) -> None:
        """A second 429 in a row that names no time has the client wait for as long as such refusals last."""
        around = Surroundings(*outcomes)
        others_wait: list[float] = []
        around.on_sleep = lambda: others_wait.append(max(0.0, around.rate.wait()))

        outcome = await around.retry(RetryPolicy(attempts=9))

        assert isinstance(outcome, Response)
        assert outcome.is_success
        assert around.slept == slept
        assert max(others_wait) == held

    @pytest.mark.parametrize(
        ("refused_for", "outcome", "made"),
        [
            pytest.param(1.0, answer(429), 3, id="it is known for how long"),
            pytest.param(0.0, answer(429), 1, id="it is not known"),
            pytest.param(1.0, answer(429, retry_after="0"), 1, id="it is said"),
            pytest.param(1.0, answer(503), 1, id="it is another failure"),
        ],
    )
    async def test_refusals_that_are_waited_out_take_nothing_from_the_budget(
        self, refused_for: float, outcome: Response, made: int
    ) -> None:
        """Retries that have the whole client wait need no other bound."""
        around = Surroundings(outcome)
        around.rate = RateLimiter(None, around.runtime, refused_for=refused_for)

        await around.retry(budget=empty_budget())

        assert around.made == made

    async def test_refusals_that_outlast_a_hold_are_failures_like_others(self) -> None:
        """Where a hold was of no use, there is no other until the server answers, and retries take from the budget."""
        around = Surroundings(answer(429))
        await around.retry()
        around.slept.clear()
        around.now += 1.0

        await around.retry(budget=empty_budget())
        in_vain = [*around.slept]
        await Surroundings(answer(404), rate=around.rate).retry()
        await around.retry(budget=empty_budget())

        assert in_vain == []
        assert around.slept == [0.25, 1.0]

    async def test_other_failure_after_a_refusal_takes_from_the_budget(self) -> None:
        """What is exempt is the retry after a refusal, not the call."""
        around = Surroundings(answer(429), answer(503))

        await around.retry(budget=empty_budget())

        assert around.made == 2

    async def test_refusal_waits_for_a_hold_that_another_call_brought_about(self) -> None:
        """Whoever is refused for the first time while all wait waits with them, or gives up where that is too late."""
        around = Surroundings(answer(429), answer(503))
        around.rate.hold()

        await around.retry(deadline=around.now + 1.4)

        late = Surroundings(answer(429))
        late.rate.hold()
        await late.retry(deadline=late.now + 0.9)

        assert (around.made, around.slept) == (2, [1.0])
        assert (late.made, late.slept) == (1, [])

    async def test_rate_alone_is_no_reason_to_wait(self) -> None:
        """The next free moment of a rate is waited for at the gate, by whoever is next."""
        around = Surroundings(answer(429, retry_after="2"), answer(503), answer(429), answer(200))
        around.rate = RateLimiter(0.01, around.runtime)
        around.rate.take()

        await around.retry(RetryPolicy(attempts=4))

        assert around.slept == [2.25, 0.5, 1.0]

    async def test_last_refusal_has_the_others_wait_too(self) -> None:
        """A call that gives up after two refusals leaves word of them."""
        around = Surroundings(answer(429))

        await around.retry(RetryPolicy(attempts=2))

        assert (around.made, around.slept, around.rate.wait()) == (2, [0.25], 1.0)

    async def test_hold_beyond_the_deadline_is_not_waited_for(self) -> None:
        """A call that cannot see the end of a hold is refused at once."""
        around = Surroundings(answer(429))

        outcome = await around.retry(deadline=around.now + 1.25)

        assert isinstance(outcome, Response)
        assert (around.made, around.slept) == (2, [0.25])

    async def test_f36_long_retry_after_ends_the_call_at_once(self) -> None:
        """A server that asks for two hours is not asked again, and nobody waits."""
        around = Surroundings(answer(429, retry_after="7200"))

        outcome = await around.retry()

        assert isinstance(outcome, Response)
        assert (around.made, around.slept) == (1, [])

    @pytest.mark.parametrize(
        ("left", "made"),
        [
            pytest.param(2.2, 1, id="it would end too late"),
            pytest.param(2.25, 1, id="it would end at that moment"),
            pytest.param(2.3, 2, id="it ends in time"),
        ],
    )
    async def test_wait_beyond_the_deadline_is_not_begun(self, left: float, made: int) -> None:
        """Nobody waits for an attempt that could not be made any more."""
        around = Surroundings(answer(429, retry_after="2"), answer(200))

        await around.retry(deadline=around.now + left)

        assert around.made == made

    async def test_backoff_beyond_the_deadline_is_not_begun_either(self) -> None:
        """Our own waits end in time, as those that are asked for do."""
        around = Surroundings(answer(503))

        await around.retry(RetryPolicy(attempts=9), deadline=around.now + 1.0)

        assert (around.made, around.slept) == (3, [0.25, 0.5])

    async def test_f71_first_failure_is_final_without_budget(self) -> None:
        """A client whose budget is used up does not retry."""
        around = Surroundings(answer(503))

        await around.retry(budget=empty_budget())

        assert (around.made, around.slept) == (1, [])

    async def test_f71_retry_takes_from_the_budget(self) -> None:
        """Each retry takes one, and what is not a retry takes nothing."""
        budget = RetryBudget()

        await Surroundings(answer(503)).retry(budget=budget)
        await Surroundings(answer(404)).retry(budget=budget)

        assert sum(budget.take() for _ in range(1000)) == 198

    async def test_f71_wait_that_is_not_begun_takes_nothing(self) -> None:
        """A retry that is not made is not paid for."""
        budget = RetryBudget()

        await Surroundings(answer(503)).retry(budget=budget, deadline=1000.0)
        await Surroundings(answer(429, retry_after="7200")).retry(budget=budget)

        assert sum(budget.take() for _ in range(1000)) == 200

    async def test_f71_good_calls_give_back(self) -> None:
        """Ten calls that succeed are worth one retry, and calls that fail are worth nothing."""
        budget = empty_budget()

        for _ in range(10):
            await Surroundings(answer(200)).retry(budget=budget)
            await Surroundings(answer(404)).retry(budget=budget)
            await Surroundings(Failure(reason="no", retryable=False)).retry(budget=budget)

        assert (budget.take(), budget.take()) == (True, False)

    async def test_f27_idle_connection_that_was_closed_costs_nothing(self) -> None:
        """A request that was never looked at goes out again at once, and is no attempt."""
        around = Surroundings(STALE, STALE, STALE, answer(200))

        outcome = await around.retry(NO_RETRIES, budget=empty_budget())

        assert isinstance(outcome, Response)
        assert (around.made, around.slept) == (4, [])

    async def test_f27_server_that_always_closes_is_not_asked_for_ever(self) -> None:
        """After three repeats at once, a closed connection is a failure like another."""
        around = Surroundings(STALE)

        outcome = await around.retry(RetryPolicy(attempts=2))

        assert outcome is STALE
        assert (around.made, around.slept) == (5, [0.25])

    async def test_log_has_attempt_wait_and_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each retry is one line at DEBUG, which says why, and when the next attempt is made."""
        caplog.set_level(logging.DEBUG, logger="usergroups")

        await Surroundings(LOST, answer(429, retry_after="2"), answer(200)).retry()

        assert [record.getMessage() for record in caplog.records] == [
            "attempt 1 failed (the connection was lost); the next one is in 0.250 s",
            "attempt 2 failed (status 429); the next one is in 2.250 s",
        ]
        assert {record.levelno for record in caplog.records} == {logging.DEBUG}

    @unhurried
    @given(
        outcomes=st.lists(
            st.sampled_from([429, 500, 503]).flatmap(
                lambda status: st.integers(0, 90).map(lambda asked: answer(status, retry_after=str(asked)))
            )
            | st.just(LOST)
            | st.just(STALE)
            | st.just(answer(200))
            | st.just(answer(404)),
            min_size=1,
            max_size=12,
        ),
        attempts=st.integers(1, 6),
        timeout=st.floats(0, 200),
    )
    async def test_every_call_ends(self, outcomes: list[Response | Failure], attempts: int, timeout: float) -> None:
        """Whatever happens, a call makes no more attempts than allowed, and its waits end before its time does."""
        around = Surroundings(*outcomes)
        deadline = around.now + timeout

        await around.retry(RetryPolicy(attempts=attempts), deadline=deadline)

        assert around.made <= attempts + 3
        assert len(around.slept) < attempts
        assert around.now < deadline or not around.slept
