"""A token endpoint, and a place to share its tokens, for tests of what asks it: no HTTP, a fake clock."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from rig.clock import FakeClock
from usergroups import APIStatusError, RateLimitedError, RetryPolicy, ServerError, Token, TokenStore, UserGroupsError
from usergroups._auth.flight import Fetch, Grant
from usergroups._auth.source import TokenSource
from usergroups._http.retry import NO_RETRIES
from usergroups._runtime import Runtime

FOREVER = math.inf  # a deadline that never comes
LIFE = 18_000.0  # seconds, what m3ter gives
END = 17_995.0  # seconds from the request, at which a token of that life ends
LAST_PART = 17_695.0  # seconds from the request, at which its last part begins
ASKED = {"method": "POST", "path": "/oauth/token"}


def failing(
    kind: type[APIStatusError] = ServerError, *, refused: bool = False, asked: float | None = None
) -> APIStatusError:
    """Make the error of a fetch that fails with *kind*."""
    return kind("no", status_code=401 if refused else 500, retry_after=asked)


class Endpoint:
    """A token endpoint: gives token-1, token-2, ... after *takes* seconds, or what `failure` says."""

    def __init__(self, clock: FakeClock, *, life: float = LIFE, takes: float = 0.0) -> None:
        self.life = life
        self.takes = takes
        self.failure: UserGroupsError | None = None
        self.same_token = False
        self.retry_after: float | None = None
        self.asked_at: list[float] = []
        self.deadlines: list[float] = []
        self.policies: list[RetryPolicy] = []
        self._clock = clock

    @property
    def requests(self) -> int:
        """Count the requests."""
        return len(self.asked_at)

    @property
    def background(self) -> list[bool]:
        """Return which of the fetches were made in the background: those without retries."""
        return [policy is NO_RETRIES for policy in self.policies]

    async def __call__(self, *, policy: RetryPolicy, deadline: Callable[[], float]) -> tuple[Token, float]:
        """Answer one fetch."""
        self.policies.append(policy)
        self.deadlines.append(deadline())
        sent_at = self._clock()
        self.asked_at.append(sent_at)
        if self.retry_after is not None:
            asked, self.retry_after = self.retry_after, None
            raise failing(RateLimitedError, asked=asked)
        name = "token-1" if self.same_token else f"token-{self.requests}"
        if self.takes:
            await self._clock.sleep(self.takes)
        if self.failure is not None:
            raise self.failure
        return Token(name, self.life), sent_at


class Shelf:
    """A token store in memory, which keeps the moment at which its token ends."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.token: Token | None = None
        self.saves = 0
        self._clock = clock
        self._ends_at = 0.0
        self._lock = asyncio.Lock()

    async def load(self) -> Token | None:
        """Return the token with the seconds it has left now."""
        left = self._ends_at - self._clock()
        return Token(self.token.access_token, left) if self.token and left > 0 else None

    async def save(self, token: Token) -> None:
        """Keep *token*."""
        self.saves += 1
        self.token, self._ends_at = token, self._clock() + token.expires_in

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Let one in at a time."""
        async with self._lock:
            yield


def source_of(
    endpoint: Fetch,
    clock: FakeClock,
    *,
    timeout: float | None = 60.0,
    store: TokenStore | None = None,
    roll: float = 0.0,
) -> TokenSource:
    """Make a source that asks *endpoint* and gives it *timeout* seconds."""
    runtime = Runtime(clock=clock, sleep=clock.sleep, random=lambda: roll)
    return TokenSource(endpoint, asked=ASKED, runtime=runtime, timeout=timeout, retry=RetryPolicy(), store=store)


async def name(asked: Awaitable[Grant | None]) -> str:
    """Return the name of the token that *asked* comes to, or of the error that it fails with."""
    try:
        grant = await asked
    except UserGroupsError as error:
        return type(error).__name__
    return "nothing" if grant is None else str(grant.token.access_token)


async def error(asked: Awaitable[Grant | None]) -> UserGroupsError:
    """Return the error that *asked* fails with."""
    with pytest.raises(UserGroupsError) as caught:
        await asked
    return caught.value
