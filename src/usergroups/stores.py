"""What the clients of several processes share through Redis: an access token, and a rate."""

from asyncio import AbstractEventLoop, get_running_loop, timeout
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from math import ceil
from random import uniform
from typing import TYPE_CHECKING, cast, overload

from ._arguments import of_client
from ._auth.token import Token
from ._secrets import Secret, hide
from .errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

try:
    from redis.asyncio import Redis
    from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"this store needs {error.name}: install usergroups with its extra 'redis'"
        " (pip install '.[redis]' in a checkout)"
    ) from None

__all__ = ["RedisRateLimit", "RedisTokenStore"]

_LOCK_LIFE = 5.0  # seconds until the lock of a dead or slow holder expires
_RETRY_LOCK = (
    0.03,
    0.1,
)  # seconds until a held lock is tried again, drawn at random so that clients do not retry in step
_NO_KEY = "encryption_key must be a Fernet key, 32 bytes in URL-safe base64, or several of them"
_TIMEOUT = 10.0  # seconds for one command to Redis; redis-py by itself tries for a minute

# Returns the milliseconds that are left of the token, and the token: as one, for another may be saved in between.
_LOAD = "return {redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[1])}"

# Starts are an interval apart. One that was missed is caught up on within 10 ms, and the interval is 1 % longer than
# the rate asks for: so no window of a second has more of them than the rate, and they may arrive a little late.
_CATCH_UP = 0.01  # seconds
_LEEWAY = 1.01  # times the interval

# Reserves the next start, and returns the microseconds until it. The hash under the key holds the moment of this
# reservation, and that from which the next start is free: a clock that was put back since then makes both void. It
# lives for as long as they count.
_RESERVE = """
local interval, catch_up = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local asked, free = unpack(redis.call('HMGET', KEYS[1], 'asked', 'free'))
if not asked or tonumber(asked) > now then free = 0 end
free = math.max(tonumber(free), now - catch_up)
redis.call('HSET', KEYS[1], 'asked', now, 'free', free + interval)
redis.call('PEXPIRE', KEYS[1], math.ceil((free + interval + catch_up - now) / 1000))
return math.max(free - now, 0)
"""


class RedisTokenStore:
    """
    A `TokenStore` in Redis; pass it to clients as `token_store=`. Provisional, like `TokenStore`.

    The token is stored under *key* until it expires, beside `{key}:lock`, and `{key}:pause` while no client
    replaces a token that the API refuses. Use another key for other credentials. *redis* is the caller's, and
    is never closed here.

    The token is plain text, unless there is an *encryption_key*: a Fernet key, as `Fernet.generate_key()` of
    `cryptography` makes it (extra `encryption`). Of several, the first encrypts, and all decrypt.

    It may be used in one event loop after another; in several at the same time, clients may find it failing.

    Raises `ConfigurationError` if *redis* is not an asyncio client of Redis, *key* is not text, or
    *encryption_key* is no such key.
    """

    def __init__(
        self, redis: Redis, *, key: str, encryption_key: str | bytes | Sequence[str | bytes] | None = None
    ) -> None:
        keys = None if encryption_key is None else _hidden_keys(encryption_key)
        del encryption_key  # a traceback may show arguments
        self._redis = _OneLoopAfterAnother(redis)
        self._load = redis.register_script(_LOAD)
        self._key = of_client.parameter("key", key)
        self._cipher = None if keys is None else _cipher(keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key={self._key!r})"

    async def load(self) -> Token | None:
        """
        Return the stored token, with the seconds it has left, or None.
        """
        async with timeout(_TIMEOUT):
            await self._redis.here()
            left, found = await self._load(keys=[self._key])
        found = _hidden(found)
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
            redis = await self._redis.here()
            await redis.set(self._key, self._stored(token), px=max(1, int(token.expires_in * 1000)))

    def _stored(self, token: Token) -> str | bytes:
        if self._cipher is None:
            return token.access_token
        return self._cipher.encrypt(token.access_token.encode())

    async def pause(self, seconds: float) -> None:
        """
        Let no client replace a token that the API refuses for so many *seconds*: the last replacement was no help.
        """
        async with timeout(_TIMEOUT):
            redis = await self._redis.here()
            await redis.set(f"{self._key}:pause", 1, px=max(1, int(seconds * 1000)))

    async def paused(self) -> float:
        """
        Return the seconds that are left of the pause, or 0.
        """
        async with timeout(_TIMEOUT):
            redis = await self._redis.here()
            return max(0.0, await redis.pttl(f"{self._key}:pause") / 1000)

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None, None]:
        """
        Hold the lock that all processes share. It expires after 5 s, even if it is still held.
        """
        async with timeout(_TIMEOUT):
            redis = await self._redis.here()
            lock = redis.lock(f"{self._key}:lock", timeout=_LOCK_LIFE, sleep=uniform(*_RETRY_LOCK))  # noqa: S311
            await lock.acquire()
        try:
            yield
        finally:
            async with timeout(_TIMEOUT):
                await lock.release()


class RedisRateLimit:
    """
    A `RateLimit` in Redis; pass it to clients as `max_rate=`. Provisional, like `RateLimit`.

    All clients with the same *key* together start *per_second* requests a second, by Redis's clock. While Redis
    fails, each of the *processes* that share the rate starts `per_second / processes`. A client starts at most one
    request per round trip to Redis. *redis* is the caller's, and is never closed here. It may be used in one event
    loop after another; in several at the same time, clients may find it failing.

    Raises `ConfigurationError` if *redis* is not an asyncio client of Redis, *key* is not text, *per_second* is not
    a positive number, or *processes* not a whole one.
    """

    def __init__(self, redis: Redis, *, key: str, per_second: float, processes: int) -> None:
        self._redis = _OneLoopAfterAnother(redis)
        self._reserve = redis.register_script(_RESERVE)
        self._key = of_client.parameter("key", key)
        self._per_second = of_client.seconds("per_second", per_second)
        self._processes = of_client.count("processes", processes)
        self._args = [ceil(1e6 / self._per_second * _LEEWAY), int(1e6 * _CATCH_UP)]

    def __repr__(self) -> str:
        shared = f"per_second={self._per_second:g}, processes={self._processes}"
        return f"{type(self).__name__}(key={self._key!r}, {shared})"

    @property
    def share(self) -> float:
        """
        The requests per second of one process by itself.
        """
        return self._per_second / self._processes

    async def reserve(self) -> float:
        """
        Reserve the next start of a request, and return the seconds until it.
        """
        await self._redis.here()
        microseconds: int = await self._reserve(keys=[self._key], args=self._args)
        return microseconds / 1e6


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


class _OneLoopAfterAnother:
    """A client of Redis, whose connections belong to one event loop: the next one gets its own."""

    def __init__(self, redis: Redis) -> None:
        self._redis = _asynchronous(redis)
        self._loop: AbstractEventLoop | None = None  # that of the connections

    async def here(self) -> Redis:
        """Return the client, for use in the running event loop."""
        loop = get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                await _drop_connections(self._redis)
            self._loop = loop
        return self._redis


async def _drop_connections(redis: Redis) -> None:
    """Drop the idle connections of *redis*, which only the event loop that made them can use."""
    pool = redis.connection_pool
    pools = [pool]
    if isinstance(pool, SentinelConnectionPool):
        asked = cast("Sentinel", pool.sentinel_manager)  # pyright: ignore[reportUnknownMemberType]  # it has no type
        pools += [sentinel.connection_pool for sentinel in asked.sentinels]
    for each in pools:
        with suppress(RuntimeError):  # that loop has ended, and cannot close them
            await each.disconnect(inuse_connections=False)


def _asynchronous(redis: object) -> Redis:
    if isinstance(redis, Redis):
        return redis
    kind = type(redis)
    raise ConfigurationError(f"redis must be of type redis.asyncio.Redis, not {kind.__module__}.{kind.__qualname__}")
