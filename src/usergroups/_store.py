"""A place where several clients keep one token, and the care that is taken with it."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from logging import getLogger
from typing import Protocol, runtime_checkable

from ._oauth import Token, is_usable
from ._settings import positive

_log = getLogger("usergroups")


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
    A `TokenStore`, or none, that never fails.

    What goes wrong in it is logged, and then it is as if there were none.
    """

    def __init__(self, store: TokenStore | None) -> None:
        self._store = store

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None, None]:
        """
        Hold the store's lock, if it can be had.
        """
        lock = None
        if self._store is not None:
            try:
                lock = self._store.exclusive()
                await lock.__aenter__()
            except Exception as error:  # noqa: BLE001  # it is the user's code
                _complain("lock", error)
                lock = None
        try:
            yield
        finally:
            if lock is not None:
                try:
                    await lock.__aexit__(None, None, None)
                except Exception as error:  # noqa: BLE001  # it is the user's code
                    _complain("unlock", error)

    async def load(self) -> Token | None:
        """
        Give the token that is kept, if it is one that can be used.
        """
        if self._store is None:
            return None
        try:
            token = await self._store.load()
        except Exception as error:  # noqa: BLE001  # it is the user's code
            _complain("load", error)
            return None
        if token is not None and not _is_good(token):
            _log.warning("the token store gave something that is no usable token")
            return None
        return token

    async def save(self, token: Token) -> None:
        """
        Keep *token*, if that can be done.
        """
        if self._store is not None:
            try:
                await self._store.save(token)
            except Exception as error:  # noqa: BLE001  # it is the user's code
                _complain("save", error)


def _complain(deed: str, error: Exception) -> None:
    _log.warning("the token store failed to %s (%s); going on without it", deed, type(error).__name__)


def _is_good(token: object) -> bool:
    return isinstance(token, Token) and is_usable(token.access_token) and positive(token.expires_in)
