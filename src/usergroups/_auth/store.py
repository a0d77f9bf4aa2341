"""A token store, which several clients share, and a wrapper that survives its failures."""

from asyncio import timeout
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from logging import getLogger
from typing import Protocol, TypeGuard, runtime_checkable

from usergroups._arguments import positive
from usergroups.errors import ConfigurationError

from .token import TOO_LONG, Token

_log = getLogger("usergroups")

_TIMEOUT = 10.0  # seconds for one call to the store ...
_SHARE = 0.25  # ... and at most this share of the time for a fetch, which two loads and the lock come before


@runtime_checkable
class TokenStore(Protocol):
    """
    A store in which several clients share one access token. Provisional: a minor version may change it.

    A store that fails does not fail the call: the client logs a warning and fetches a token.
    """

    async def load(self) -> Token | None:
        """
        Return the stored token, with the seconds it has left, or None.
        """
        ...

    async def save(self, token: Token) -> None:
        """
        Store *token* for all clients that share the store.
        """
        ...

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """
        Return a lock that all clients of the store share: it is held while a token is fetched.
        """
        ...


@runtime_checkable
class PausingTokenStore(TokenStore, Protocol):
    """
    A `TokenStore` whose clients also share a pause: for so long, none of them replaces a token that the API refuses.
    """

    async def pause(self, seconds: float) -> None:
        """
        Begin a pause of so many *seconds*.
        """
        ...

    async def paused(self) -> float:
        """
        Return the seconds that are left of the pause, or 0.
        """
        ...


class CarefulStore:
    """
    A wrapper of a `TokenStore`, or of none: it logs failures, limits each call's time, and goes on without the store.

    That includes a lock whose holder has died, or takes long over a fetch. *timeout* is the seconds for a whole fetch.
    """

    def __init__(self, store: TokenStore | None, timeout: float) -> None:
        self._store = store
        self._timeout = min(_TIMEOUT, _SHARE * timeout)

    @asynccontextmanager
    async def turn(self, is_news: Callable[[Token], bool]) -> AsyncGenerator[Token | None, None]:
        """
        Yield the stored token if it *is_news*; otherwise yield None, and hold the store's lock if possible.

        The token is loaded before waiting for the lock, and again with the lock: another client may have saved one.
        """
        async with AsyncExitStack() as held:
            found = None
            if self._store is not None:
                works, found = await self._load(self._store, is_news)
                if found is None:
                    async with self._guarded("lock"):
                        lock = self._store.exclusive()
                        await lock.__aenter__()
                        held.push_async_callback(self._unlock, lock)
                    if works:
                        _, found = await self._load(self._store, is_news)
            yield found

    async def _load(self, store: TokenStore, is_news: Callable[[Token], bool]) -> tuple[bool, Token | None]:
        """Return whether *store* works, and its token if that *is_news*."""
        token: object = None
        works = False
        async with self._guarded("load"):
            token = await store.load()
            works = True
        if token is None:
            return works, None
        if not _is_good(token):
            _log.warning("the token store gave something that is no usable token")
            return False, None
        return True, token if is_news(token) else None

    async def save(self, token: Token) -> None:
        """
        Store *token*, if possible.
        """
        if self._store is not None:
            async with self._guarded("save"):
                await self._store.save(token)

    async def pause(self, seconds: float) -> None:
        """
        Let no client of the store replace a token for so many *seconds*, if the store can do that.
        """
        if isinstance(self._store, PausingTokenStore):
            async with self._guarded("pause"):
                await self._store.pause(seconds)

    async def paused(self) -> float:
        """
        Return the seconds that are left of such a pause.
        """
        if isinstance(self._store, PausingTokenStore):
            async with self._guarded("pause"):
                return await self._store.paused()
        return 0.0

    async def _unlock(self, lock: AbstractAsyncContextManager[None]) -> None:
        async with self._guarded("unlock"):
            await lock.__aexit__(None, None, None)

    @asynccontextmanager
    async def _guarded(self, action: str) -> AsyncGenerator[None, None]:
        """Run a block that does *action* with a timeout, and log its failure."""
        try:
            async with timeout(self._timeout):
                yield
        except Exception as error:  # noqa: BLE001  # the store is the user's code
            too_long = isinstance(error, ConfigurationError) and error.message == TOO_LONG
            reason = TOO_LONG if too_long else type(error).__name__  # another message may hold the token
            _log.warning("the token store failed to %s (%s); going on without it", action, reason)


def _is_good(token: object) -> TypeGuard[Token]:
    return isinstance(token, Token) and positive(token.expires_in)
