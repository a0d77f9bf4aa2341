"""A token store in Redis: the clients of several processes share one access token."""

from asyncio import timeout
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import uniform

from ._arguments import of_client
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

_LOCK_LIFE = 5.0  # seconds until the lock of a dead or slow holder expires
_RETRY_LOCK = (
    0.03,
    0.1,
)  # seconds until a held lock is tried again, drawn at random so that clients do not retry in step
_TIMEOUT = 10.0  # seconds for one command to Redis; redis-py by itself tries for a minute


class RedisTokenStore:
    """
    A `TokenStore` in Redis; pass it to clients as `token_store=`. Provisional, like `TokenStore`.

    The token is stored under *key*, as plain text, until it expires, and a lock under `{key}:lock`. Use
    another key for other credentials. *redis* is the caller's, and is never closed here.

    Raises `ConfigurationError` if *redis* is not an asyncio client of Redis, or *key* is not text.
    """

    def __init__(self, redis: Redis, *, key: str) -> None:
        self._redis = _asynchronous(redis)
        self._key = of_client.parameter("key", key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key={self._key!r})"

    async def load(self) -> Token | None:
        """
        Return the stored token, with the seconds it has left, or None.
        """
        async with timeout(_TIMEOUT):
            left = await self._redis.pttl(self._key)  # first: never too long for a token saved in between
            found = _hidden(await self._redis.get(self._key))
        if found is None or left <= 0:
            return None
        return Token(found.reveal(), left / 1000)

    async def save(self, token: Token) -> None:
        """
        Store *token* until it expires.
        """
        async with timeout(_TIMEOUT):
            await self._redis.set(self._key, token.access_token, px=max(1, int(token.expires_in * 1000)))

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None, None]:
        """
        Hold the lock that all processes share. It expires after 5 s, even if it is still held.
        """
        lock = self._redis.lock(f"{self._key}:lock", timeout=_LOCK_LIFE, sleep=uniform(*_RETRY_LOCK))  # noqa: S311
        async with timeout(_TIMEOUT):
            await lock.acquire()
        try:
            yield
        finally:
            async with timeout(_TIMEOUT):
                await lock.release()


def _hidden(value: bytes | str | None) -> Secret | None:
    return hide(str(value, "ascii", "replace") if isinstance(value, bytes) else value)


def _asynchronous(redis: object) -> Redis:
    if isinstance(redis, Redis):
        return redis
    kind = type(redis)
    raise ConfigurationError(f"redis must be of type redis.asyncio.Redis, not {kind.__module__}.{kind.__qualname__}")
