"""A token store in Redis: the clients of several processes share one access token."""

from asyncio import timeout
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from random import uniform
from typing import TYPE_CHECKING, overload

from ._arguments import of_client
from ._auth.token import Token
from ._secrets import Secret, hide
from .errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

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
_NO_KEY = "encryption_key must be a Fernet key, 32 bytes in URL-safe base64, or several of them"
_TIMEOUT = 10.0  # seconds for one command to Redis; redis-py by itself tries for a minute


class RedisTokenStore:
    """
    A `TokenStore` in Redis; pass it to clients as `token_store=`. Provisional, like `TokenStore`.

    The token is stored under *key* until it expires, beside `{key}:lock`, and `{key}:pause` while no client
    replaces a token that the API refuses. Use another key for other credentials. *redis* is the caller's, and
    is never closed here.

    The token is plain text, unless there is an *encryption_key*: a Fernet key, as `Fernet.generate_key()` of
    `cryptography` makes it (extra `encryption`). Of several, the first encrypts, and all decrypt.

    Raises `ConfigurationError` if *redis* is not an asyncio client of Redis, *key* is not text, or
    *encryption_key* is no such key.
    """

    def __init__(
        self, redis: Redis, *, key: str, encryption_key: str | bytes | Sequence[str | bytes] | None = None
    ) -> None:
        keys = None if encryption_key is None else _hidden_keys(encryption_key)
        del encryption_key  # a traceback may show arguments
        self._redis = _asynchronous(redis)
        self._key = of_client.parameter("key", key)
        self._cipher = None if keys is None else _cipher(keys)

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
        if self._cipher is not None:
            found = _hidden(self._cipher.decrypt(found.reveal()))
        return Token(found.reveal(), left / 1000)

    async def save(self, token: Token) -> None:
        """
        Store *token* until it expires.
        """
        async with timeout(_TIMEOUT):
            await self._redis.set(self._key, self._stored(token), px=max(1, int(token.expires_in * 1000)))

    def _stored(self, token: Token) -> str | bytes:
        if self._cipher is None:
            return token.access_token
        return self._cipher.encrypt(token.access_token.encode())

    async def pause(self, seconds: float) -> None:
        """
        Let no client replace a token that the API refuses for so many *seconds*: the last replacement was no help.
        """
        async with timeout(_TIMEOUT):
            await self._redis.set(f"{self._key}:pause", 1, px=max(1, int(seconds * 1000)))

    async def paused(self) -> float:
        """
        Return the seconds that are left of the pause, or 0.
        """
        async with timeout(_TIMEOUT):
            return max(0.0, await self._redis.pttl(f"{self._key}:pause") / 1000)

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


def _hidden_keys(given: str | bytes | Sequence[str | bytes]) -> list[Secret]:
    if not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]  # of an untyped caller
        raise ConfigurationError(_NO_KEY)
    return [_hidden(one) for one in ([given] if isinstance(given, str | bytes) else given)]


def _cipher(keys: Sequence[Secret]) -> "MultiFernet":
    try:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  # of an extra of its own
    except ModuleNotFoundError:
        raise ConfigurationError(
            "encryption_key needs cryptography: install usergroups with its extra 'encryption'"
            " (pip install '.[encryption]' in a checkout)"
        ) from None
    try:
        return MultiFernet([Fernet(key.reveal()) for key in keys])
    except (AttributeError, ValueError):
        pass  # the error may show the key
    raise ConfigurationError(_NO_KEY)


@overload
def _hidden(value: bytes | str) -> Secret: ...
@overload
def _hidden(value: bytes | str | None) -> Secret | None: ...
def _hidden(value: bytes | str | None) -> Secret | None:
    return hide(str(value, "ascii", "replace") if isinstance(value, bytes) else value)


def _asynchronous(redis: object) -> Redis:
    if isinstance(redis, Redis):
        return redis
    kind = type(redis)
    raise ConfigurationError(f"redis must be of type redis.asyncio.Redis, not {kind.__module__}.{kind.__qualname__}")
