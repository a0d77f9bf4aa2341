"""When to try again: decided in pure code, done by one loop."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from logging import getLogger
from sys import float_info

import attrs

from usergroups._arguments import of_client

from .exchange import Response
from .failures import Failure
from .rate import RateLimiter

_log = getLogger("usergroups")

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
MOST_STALE = 3  # repeats at once, per call, after an idle connection turned out to be closed
MOST_SPREAD = 0.5  # seconds added at random to a Retry-After, so that callers do not come back as one


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """
    How often a call is tried, and how long it waits in between.

    *attempts* counts the first one too. Waits are drawn from 0 up to *backoff_initial* seconds,
    doubled after each attempt up to *backoff_max* (full jitter). A Retry-After up to
    *max_retry_after* seconds is obeyed; a longer one makes the error final.
    """

    attempts: int = 3
    backoff_initial: float = 0.5
    backoff_max: float = 8.0
    max_retry_after: float = 60.0

    def __attrs_post_init__(self) -> None:
        of_client.count("attempts", self.attempts)
        for name in ("backoff_initial", "backoff_max", "max_retry_after"):
            of_client.seconds(name, getattr(self, name))

    def delay(self, attempt: int, *, asked: float | None, roll: float) -> float | None:
        """
        Return the seconds to wait after failed *attempt* (counted from 1), or None to give up.

        *asked* is the server's Retry-After: obeyed or given up on, never undercut. *roll* is a
        random number in [0, 1).
        """
        if attempt >= self.attempts:
            return None
        if asked is None or asked <= 0:
            ceiling = self.backoff_initial * 2.0 ** min(attempt - 1, 60)
            return min(self.backoff_max, ceiling) * roll
        if asked > self.max_retry_after:
            return None
        return asked + roll * min(MOST_SPREAD, self.backoff_initial)


class RetryBudget:
    """
    A budget of 200 retries, so that they never become the load: each takes 1, each successful call gives 0.1 back.
    """

    _FULL = 2000  # tenths of a retry
    _COST = 10
    _GAIN = 1

    def __init__(self) -> None:
        self._left = self._FULL

    def take(self) -> bool:
        """
        Take one retry out; return False if there is none left.
        """
        if self._left < self._COST:
            return False
        self._left -= self._COST
        return True

    def give(self) -> None:
        """
        Put back what one successful call is worth.
        """
        self._left = min(self._FULL, self._left + self._GAIN)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """
    Read the seconds of a Retry-After (RFC 9110, 10.2.3).

    None where it is absent, or is neither digits nor a date. A date counts from the answer's own
    `Date`, else from *now*.
    """
    value = headers.get("retry-after", "").strip(" \t")
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value), float_info.max)  # so many digits are infinite otherwise
    until = _http_date(value)
    if until is None:
        return None
    since = _http_date(headers.get("date", "")) or now or datetime.now(UTC)
    return max(0.0, (until - since).total_seconds())


def _http_date(value: str) -> datetime | None:
    """
    Read an HTTP date in any of its three forms (RFC 9110, 5.6.7); without a zone it is UTC.
    """
    if not re.fullmatch(r"[A-Za-z]{3,9},? [0-9A-Za-z: -]{10,40}", value):
        return None
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def worth_retrying(outcome: Response | Failure) -> bool:
    """
    Return whether the same request may well succeed if it is sent again.
    """
    return outcome.retryable if isinstance(outcome, Failure) else outcome.status_code in _RETRIED


@attrs.define(kw_only=True)
class Attempts:
    """
    The attempts of one call, and what follows each of them. It does no input or output.

    Retries take from *budget*, if any. A request that went out on a stale connection is repeated at once,
    as long as there is *stale_left*. *refused_for* is the seconds for which the provider refuses what is
    above its limit, without a Retry-After; 0 where the limit is not to be found by being refused.
    """

    policy: RetryPolicy
    budget: RetryBudget | None
    rate: RateLimiter
    refused_for: float
    stale_left: int = MOST_STALE
    _made: int = attrs.field(default=0, init=False)
    _refused: bool = attrs.field(default=False, init=False)  # the last attempt was above the limit

    def repeats(self, outcome: Response | Failure) -> bool:
        """
        Return whether the request goes out again at once, for the server never saw it: that is no attempt.
        """
        if isinstance(outcome, Response) or not outcome.stale or self.stale_left == 0:
            return False
        self.stale_left -= 1
        return True

    def wait_after(self, outcome: Response | Failure, *, left: float, roll: float) -> float | None:
        """
        Return the seconds to wait after *outcome* before the next attempt, or None if it is final.

        The wait ends within *left* seconds. *roll* is a random number in [0, 1). The second refusal above
        the limit in a row holds all requests back; retries after such a one take nothing from the budget.
        """
        self._made += 1
        if not worth_retrying(outcome):
            if self.budget is not None and isinstance(outcome, Response) and outcome.is_success:
                self.budget.give()
            return None
        if isinstance(outcome, Failure):
            asked, reason, refused = None, outcome.reason, False
        else:
            asked, reason = retry_after(outcome.headers), f"status {outcome.status_code}"
            refused = self.refused_for > 0 and outcome.status_code == 429 and asked is None
        if refused and self._refused:
            self.rate.hold(self.refused_for)
        self._refused = refused
        wait = self.policy.delay(self._made, asked=asked, roll=roll)
        if wait is not None and refused:
            wait = max(wait, self.rate.wait())
        if wait is None or wait >= left or not (refused or self.budget is None or self.budget.take()):
            return None
        _log.debug("attempt %d failed (%s); the next one is in %.3f s", self._made, reason, wait)
        return wait


NO_RETRIES = RetryPolicy(attempts=1)
FOREVER = math.inf  # a deadline that never comes
