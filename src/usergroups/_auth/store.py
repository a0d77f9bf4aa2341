"""A place where several clients keep one token, and the care that is taken with it."""

from asyncio import timeout
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from logging import getLogger
from typing import Protocol, TypeGuard, runtime_checkable

from usergroups._arguments import positive
from usergroups.errors import ConfigurationError

from .token import TOO_LONG, Token

_log = getLogger("usergroups")

_PATIENCE = 10.0  # seconds for a store to do one thing ...
_SHARE = 0.25  # ... and at most this share of the time for a fetch: before it come two looks and the lock


@runtime_checkable
class TokenStore(Protocol):
    """
    A place where several clients keep one token. Provisional until the SDK serves fleets.

    A store that fails does not fail the call: the client says so in its log and asks for a token.
    """

    async def load(self) -> Token | None:
        """
        Give the token that is kept, with the seconds it has left, or None.
        """
        ...

    async def save(self, token: Token) -> None:
        """
        Keep *token* for all who share the store.
        """
        ...

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """
        Let one in at a time among those who share the store: held while a token is fetched.
        """
        ...


class CarefulStore:
    """
    A `TokenStore`, or none, that never fails, and keeps nobody waiting for long.

    What goes wrong in it is logged, and then it is as if there were none: also a lock whose holder has died, or takes
    long over a fetch. *timeout* is the seconds that a fetch has in all.
    """

    def __init__(self, store: TokenStore | None, timeout: float) -> None:
        self._store = store
        self._patience = min(_PATIENCE, _SHARE * timeout)

    @asynccontextmanager
    async def turn(self, is_news: Callable[[Token], bool]) -> AsyncGenerator[Token | None, None]:
        """
        Return the token that is kept, if it *is_news*. Otherwise hold the store's lock, if it can be had.

        The store is looked into before the lock is waited for, and again after: another client may have saved.
        """
        async with AsyncExitStack() as held:
            found = None
            if self._store is not None:
                works, found = await self._look(self._store, is_news)
                if found is None:
                    async with self._care("lock"):
                        lock = self._store.exclusive()
                        await lock.__aenter__()
                        held.push_async_callback(self._unlock, lock)
                    if works:
                        _, found = await self._look(self._store, is_news)
            yield found

    async def _look(self, store: TokenStore, is_news: Callable[[Token], bool]) -> tuple[bool, Token | None]:
        """
        Return whether *store* can be used, and the token that it keeps, if it *is_news*.
        """
        token: object = None
        works = False
        async with self._care("load"):
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
        Keep *token*, if that can be done.
        """
        if self._store is not None:
            async with self._care("save"):
                await self._store.save(token)

    async def _unlock(self, lock: AbstractAsyncContextManager[None]) -> None:
        async with self._care("unlock"):
            await lock.__aexit__(None, None, None)

    @asynccontextmanager
    async def _care(self, deed: str) -> AsyncGenerator[None, None]:
        """
        Let the store do *deed* while patience lasts, and log that it failed if it did.
        """
        try:
            async with timeout(self._patience):
                yield
        except Exception as error:  # noqa: BLE001  # it is the user's code
            too_long = isinstance(error, ConfigurationError) and error.message == TOO_LONG
            reason = TOO_LONG if too_long else type(error).__name__  # other words may hold the token
            _log.warning("the token store failed to %s (%s); going on without it", deed, reason)


def _is_good(token: object) -> TypeGuard[Token]:
    return isinstance(token, Token) and positive(token.expires_in)
