"""A place where several clients keep one token, and the care that is taken with it."""

from asyncio import timeout
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from logging import getLogger
from typing import Protocol, TypeGuard, runtime_checkable

from ._oauth import Token
from ._settings import positive

_log = getLogger("usergroups")

_PATIENCE = 10.0  # seconds for a store to do one thing, but for its lock


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
    A `TokenStore`, or none, that never fails, and keeps nobody waiting for long but by its lock.

    What goes wrong in it is logged, and then it is as if there were none.
    """

    def __init__(self, store: TokenStore | None) -> None:
        self._store = store

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None, None]:
        """
        Hold the store's lock, if it can be had.
        """
        async with AsyncExitStack() as held:
            if self._store is not None:
                async with _care("lock", patience=None):  # another fetch, which has its own time, may hold it
                    lock = self._store.exclusive()
                    await lock.__aenter__()
                    held.push_async_callback(_unlock, lock)
            yield

    async def load(self) -> Token | None:
        """
        Give the token that is kept, if it is one that can be used.
        """
        token: object = None
        if self._store is not None:
            async with _care("load"):
                token = await self._store.load()
        if token is None or _is_good(token):
            return token
        _log.warning("the token store gave something that is no usable token")
        return None

    async def save(self, token: Token) -> None:
        """
        Keep *token*, if that can be done.
        """
        if self._store is not None:
            async with _care("save"):
                await self._store.save(token)


async def _unlock(lock: AbstractAsyncContextManager[None]) -> None:
    async with _care("unlock"):
        await lock.__aexit__(None, None, None)


@asynccontextmanager
async def _care(deed: str, *, patience: float | None = _PATIENCE) -> AsyncGenerator[None, None]:
    """
    Let the store do *deed* within *patience* seconds, and log that it failed if it did.
    """
    try:
        async with timeout(patience):
            yield
    except Exception as error:  # noqa: BLE001  # it is the user's code
        _log.warning("the token store failed to %s (%s); going on without it", deed, type(error).__name__)


def _is_good(token: object) -> TypeGuard[Token]:
    return isinstance(token, Token) and positive(token.expires_in)
