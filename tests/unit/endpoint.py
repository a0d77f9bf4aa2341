"""A token endpoint, and a place to share its tokens, for tests of what asks it: no HTTP, a fake clock."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from rig.clock import FakeClock
from usergroups import RateLimitedError, ServerError, Token, TokenStore, UserGroupsError
from usergroups._auth.flight import Fetched, Grant, NoToken
from usergroups._auth.source import TokenSource
from usergroups._runtime import Runtime

FOREVER = math.inf  # a deadline that never comes
LIFE = 18_000.0  # seconds, what m3ter gives
END = 17_995.0  # seconds from the request, at which a token of that life ends
LAST_PART = 17_695.0  # seconds from the request, at which its last part begins
ASKED = {"method": "POST", "path": "/oauth/token"}


def failing(kind: type[UserGroupsError] = ServerError, *, refused: bool = False, asked: float | None = None) -> NoToken:
    """Make the outcome of a fetch that fails with *kind*."""
    return NoToken(error=kind("no"), refused=refused, asked=asked)


class Endpoint:
    """A token endpoint: gives token-1, token-2, ... after *takes* seconds, or what `failure` says."""

    def __init__(self, clock: FakeClock, *, life: float = LIFE, takes: float = 0.0) -> None:
        self.life = life
        self.takes = takes
        self.failure: NoToken | None = None
        self.same_token = False
        self.retry_after: float | None = None
        self.spread = 0.0
        self.asked_at: list[float] = []
        self.deadlines: list[float] = []
        self.background: list[bool] = []
        self._clock = clock

    @property
    def requests(self) -> int:
        """Count the requests."""
        return len(self.asked_at)

    async def __call__(
        self, *, background: bool, deadline: Callable[[], float], on_asked: Callable[[NoToken, float], None]
    ) -> Fetched | NoToken:
        """Answer one fetch, as a retrying client does: a Retry-After that is not final is waited for."""
        self.background.append(background)
        self.deadlines.append(deadline())
        if self.retry_after is not None:
            self.asked_at.append(self._clock())
            on_asked(failing(RateLimitedError, asked=self.retry_after), self.retry_after + self.spread)
            await self._clock.sleep(self.retry_after + self.spread)
            self.retry_after = None
        sent_at = self._clock()
        self.asked_at.append(sent_at)
        name = "token-1" if self.same_token else f"token-{self.requests}"
        if self.takes:
            await self._clock.sleep(self.takes)
        return self.failure or Fetched(token=Token(name, self.life), sent_at=sent_at)


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
    endpoint: Endpoint, clock: FakeClock, *, timeout: float | None = 60.0, store: TokenStore | None = None
) -> TokenSource:
    """Make a source that asks *endpoint* and gives it *timeout* seconds."""
    runtime = Runtime(clock=clock, sleep=clock.sleep)
    return TokenSource(endpoint, asked=ASKED, runtime=runtime, timeout=timeout, longest_wait=60.0, store=store)


async def name(asked: Awaitable[Grant | NoToken | None]) -> str:
    """Return the name of the token that *asked* comes to, or of the error that it fails with."""
    outcome = await asked
    if isinstance(outcome, NoToken):
        return type(outcome.error).__name__
    return "nothing" if outcome is None else str(outcome.token.access_token)


async def error(asked: Awaitable[Grant | NoToken | None]) -> UserGroupsError:
    """Return the error that *asked* fails with."""
    outcome = await asked
    assert isinstance(outcome, NoToken)
    return outcome.for_a_caller()
