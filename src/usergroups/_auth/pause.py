"""The pause after a token endpoint asked to wait, or refused the credentials."""

import math
from copy import copy

from usergroups._http.retry import MOST_SPREAD, RetryPolicy
from usergroups._runtime import Runtime
from usergroups.errors import APIStatusError, RateLimitedError

REFUSALS = frozenset({400, 401, 403})
"""The statuses by which a token endpoint refuses the credentials."""

_REFUSAL_REMEMBERED = 30.0  # seconds in which refused credentials are not tried again
_LONGEST = 86_400.0  # seconds for which a Retry-After is remembered, lest a wrong one be for ever


class Pause:
    """
    Until when the token endpoint is not asked, and why: a Retry-After, or refused credentials.

    Callers wait for the end of a Retry-After if they have the time. They do not wait for more than the
    *policy*'s `max_retry_after`, nor where the credentials were refused.
    """

    def __init__(self, policy: RetryPolicy, runtime: Runtime) -> None:
        self._policy = policy
        self._runtime = runtime
        self._error: APIStatusError | None = None
        self._refused = False
        self._until = self._open_at = -math.inf
        self._attempts = policy.attempts  # of the fetch after it

    def left(self) -> float:
        """
        Return the seconds that are left of it, or 0.
        """
        return 0.0 if self._error is None else max(0.0, self._until - self._runtime.clock())

    def check(self, deadline: float) -> None:
        """
        Raise the error that caused the pause, if it is no use to wait for its end until *deadline*.
        """
        left, now = self.left(), self._runtime.clock()
        if self._error is None or not left or (now >= self._open_at and deadline >= self._until):
            return
        error = (type(self._error) if self._refused else RateLimitedError)(self._error.message)
        vars(error).update(vars(self._error))
        error.hint = "; ".join(filter(None, [error.hint, f"it is not asked again for {left:.0f} s"]))
        if not self._refused:
            error.retry_after = left
        raise error

    async def over(self) -> int:
        """
        Wait for the end of the pause, and return how many attempts the fetch after it may make.

        A little is added at random, so that many clients do not come back as one.
        """
        if not (left := self.left()):
            return self._policy.attempts
        spread = self._runtime.random() * min(MOST_SPREAD, self._policy.backoff_initial)
        await self._runtime.sleep(left + spread)
        self.end()
        return self._attempts

    def begin(self, error: Exception, attempts: int) -> bool:
        """
        Begin the pause that *error* asks for, if any; return whether there may be another fetch after it.

        That fetch may make *attempts* attempts. If these are used up, the error is final, and later callers start anew.
        """
        if not isinstance(error, APIStatusError):
            return False
        now, asked = self._runtime.clock(), min(error.retry_after or 0.0, _LONGEST)
        self._refused = error.status_code in REFUSALS
        if not (self._refused or asked):
            return False
        self._error = copy(error)
        again = attempts > 0 and not self._refused
        self._attempts = attempts if again else self._policy.attempts
        if self._refused:
            self._until, self._open_at = now + max(asked, _REFUSAL_REMEMBERED), math.inf
        else:
            self._until, self._open_at = now + asked, now + max(0.0, asked - self._policy.max_retry_after)
        return again

    def end(self) -> None:
        """
        End it: there is a token, or it is over.
        """
        self._error = None
