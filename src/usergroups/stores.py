"""A place where the clients of several processes keep one token: a key of Redis."""

from asyncio import timeout
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import uniform

from ._arguments import parameter
from ._auth.token import Token
from ._secrets import Secret, hide
from .errors import ConfigurationError

try:
    from redis.asyncio import Redis
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"this store needs {error.name}: install usergroups with its extra 'redis'"
        " (pip install '.[redis]' in a checkout)"
    ) from None

__all__ = ["RedisTokenStore"]

_LOCK_LIFE = 5.0  # seconds, after which a holder who is dead, or slow, keeps nobody out
_LOOK_AGAIN = (
    0.03,
    0.1,
)  # seconds until a held lock is tried again, drawn by each: who began at once must not meet there
_PATIENCE = 10.0  # seconds for Redis to do one thing; redis-py by itself tries for a minute


class RedisTokenStore:
    """
    A `TokenStore` in Redis, to be passed to clients as `token_store=`. Provisional, as that is.

    The token lies under *key*, as plain text, until it ends, and a lock beside it. Whose credentials
    are not the same takes another key. *redis* belongs to whoever made it, and is never closed here.

    Raises `ConfigurationError` for a client of Redis that is not asyncio's, and a key that is no text.
    """

    def __init__(self, redis: Redis, *, key: str) -> None:
        self._redis = _asynchronous(redis)
        self._key = parameter("key", key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key={self._key!r})"

    async def load(self) -> Token | None:
        """
        Give the token that is kept, with the seconds it has left, or None.
        """
        async with timeout(_PATIENCE):
            left = await self._redis.pttl(self._key)  # first: of a token that is saved meanwhile, it is too little
            found = _hidden(await self._redis.get(self._key))
        if found is None or left <= 0:
            return None
        return Token(found.reveal(), left / 1000)

    async def save(self, token: Token) -> None:
        """
        Keep *token* for as long as it lives.
        """
        async with timeout(_PATIENCE):
            await self._redis.set(self._key, token.access_token, px=max(1, int(token.expires_in * 1000)))

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None, None]:
        """
        Let one in at a time, of all processes; but a holder who takes longer than 5 s has lost it.
        """
        lock = self._redis.lock(f"{self._key}:lock", timeout=_LOCK_LIFE, sleep=uniform(*_LOOK_AGAIN))  # noqa: S311
        async with timeout(_PATIENCE):
            await lock.acquire()
        try:
            yield
        finally:
            async with timeout(_PATIENCE):
                await lock.release()


def _hidden(found: bytes | str | None) -> Secret | None:
    return hide(str(found, "ascii", "replace") if isinstance(found, bytes) else found)


def _asynchronous(redis: object) -> Redis:
    if isinstance(redis, Redis):
        return redis
    kind = type(redis)
    raise ConfigurationError(f"redis must be of type redis.asyncio.Redis, not {kind.__module__}.{kind.__qualname__}")
