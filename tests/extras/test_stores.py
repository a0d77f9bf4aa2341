"""RedisTokenStore: the clients of several processes share one token, and Redis may fail them."""

import asyncio
import logging
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import redis
from fakeredis import FakeAsyncRedis, FakeServer
from pytest_httpx import HTTPXMock

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter
from rig.redis import RedisServer, needs_redis
from rig.surroundings import surroundings
from usergroups import ConfigurationError, M3terClient, Token, TokenStore
from usergroups.m3ter import UserGroup
from usergroups.stores import RedisTokenStore

KEY = "tokens:m3ter"
LOCK = "tokens:m3ter:lock"
TOKEN = Token(canary.ACCESS_TOKEN, 60.0)
FERNET_KEYS = [urlsafe_b64encode(bytes([n]) * 32) for n in (1, 2)]

RUNS = """
import asyncio, sys
from redis.asyncio import Redis
from usergroups import Token
from usergroups.stores import RedisTokenStore

store = RedisTokenStore(Redis.from_url(sys.argv[1]), key="key")

async def hold():
    async with store.exclusive():
        print("held")

for _ in range(2):
    asyncio.run(store.save(Token("token", 60.0)))
    print(asyncio.run(store.load()).access_token)
    asyncio.run(store.pause(60.0))
    print(round(asyncio.run(store.paused())))
    asyncio.run(hold())
"""


class Silent(FakeAsyncRedis):
    """A Redis that takes commands and answers none."""

    async def execute_command(self, *args: object, **options: object) -> object:
        await asyncio.Event().wait()
        return None


@pytest.fixture
def redis_server() -> FakeServer:
    """Return a Redis server that is well, and empty."""
    return FakeServer()


@pytest.fixture
async def process(redis_server: FakeServer) -> AsyncIterator[FakeAsyncRedis]:
    """Return the Redis client of one process."""
    async with FakeAsyncRedis(server=redis_server) as client:
        yield client


@pytest.fixture
async def other_process(redis_server: FakeServer) -> AsyncIterator[FakeAsyncRedis]:
    """Return the Redis client of another process, one that wants text for bytes."""
    async with FakeAsyncRedis(server=redis_server, decode_responses=True) as client:
        yield client


@pytest.fixture
def store(process: FakeAsyncRedis) -> RedisTokenStore:
    """Return the store of one process."""
    return RedisTokenStore(process, key=KEY)


@pytest.fixture
def other(other_process: FakeAsyncRedis) -> RedisTokenStore:
    """Return the store of the other process."""
    return RedisTokenStore(other_process, key=KEY)


@pytest.fixture
def api(httpx_mock: HTTPXMock) -> None:
    """Let the API give a token, and one group, to whoever asks."""
    token = {"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000}
    httpx_mock.add_response(method="POST", json=token, is_reusable=True, is_optional=True)
    httpx_mock.add_response(method="GET", json={"data": [{"id": "1"}]}, is_reusable=True)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the SDK has warned of."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


class TestClients:
    """What callers notice."""

    @pytest.mark.usefixtures("api")
    async def test_two_processes_make_one_token_request(
        self, make_m3ter: MakeM3ter, httpx_mock: HTTPXMock, store: RedisTokenStore, other: RedisTokenStore
    ) -> None:
        """Of clients with one key, one asks for a token, and each of them closes without closing Redis."""
        clients = [make_m3ter(token_store=one) for one in (store, other)]

        given = await asyncio.gather(*(client.list_user_groups("u-1").first() for client in clients))
        for client in clients:
            await client.aclose()

        assert given == [UserGroup(id="1")] * 2
        assert len(httpx_mock.get_requests(method="POST")) == 1
        kept = await store.load()
        assert kept is not None
        assert kept.access_token == canary.ACCESS_TOKEN
        assert 17_900 < kept.expires_in <= 18_000

    @pytest.mark.usefixtures("api")
    async def test_redis_that_is_down_fails_no_call(
        self,
        make_m3ter: MakeM3ter,
        redis_server: FakeServer,
        store: RedisTokenStore,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Without Redis each client has its own token, and says so in the log."""
        redis_server.connected = False
        client = make_m3ter(token_store=store)

        given = await client.list_user_groups("u-1").first()
        await client.aclose()

        assert given == UserGroup(id="1")
        assert warnings(caplog) == [
            f"the token store failed to {deed} (ConnectionError); going on without it"
            for deed in ("load", "lock", "save")
        ]

    @pytest.mark.usefixtures("api")
    async def test_redis_that_is_silent_fails_no_call(
        self, make_m3ter: MakeM3ter, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A Redis that never answers is given up within the time that a call has."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        client = make_m3ter(clock=clock, token_store=RedisTokenStore(Silent(), key=KEY))
        begun = clock()

        given = await client.list_user_groups("u-1").first()
        took = clock() - begun
        await client.aclose()

        assert given == UserGroup(id="1")
        assert took == pytest.approx(20)
        assert warnings(caplog) == [
            f"the token store failed to {deed} (TimeoutError); going on without it" for deed in ("load", "lock", "save")
        ]


@asynccontextmanager
async def crowd(process: FakeAsyncRedis) -> AsyncIterator[list[M3terClient]]:
    """Return a hundred clients, as those of a hundred processes that share one key."""
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                M3terClient(
                    org_id="org-1",
                    api_key=canary.API_KEY_ID,
                    api_secret=canary.API_SECRET,
                    base_url="https://rig.invalid",
                    token_store=RedisTokenStore(process, key=KEY),
                )
            )
            for _ in range(100)
        ]


class TestCrowds:
    """A hundred clients that start at once."""

    @pytest.mark.usefixtures("api")
    @pytest.mark.parametrize("holder", ["none", "dead"])
    async def test_f89_good_token_is_there(
        self, httpx_mock: HTTPXMock, process: FakeAsyncRedis, store: RedisTokenStore, holder: str
    ) -> None:
        """Where a good token lies in Redis nobody waits, be it for the lock: the last is served when the first is."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        await store.save(TOKEN)
        if holder == "dead":
            await process.set(LOCK, "of one who has died")

        begun = clock()
        with surroundings(clock=clock):
            async with crowd(process) as clients:
                given = await asyncio.gather(*(client.list_user_groups("u-1").first() for client in clients))

        assert given == [UserGroup(id="1")] * 100
        assert clock() == begun
        assert httpx_mock.get_requests(method="POST") == []
        assert await process.get(LOCK) == (b"of one who has died" if holder == "dead" else None)

    @pytest.mark.usefixtures("api")
    async def test_f89_nothing_is_there(self, httpx_mock: HTTPXMock, process: FakeAsyncRedis) -> None:
        """Where nothing is in Redis one fetches, and the others do not meet at the lock again and again."""
        clock = FakeClock(rules_loop=True)
        clock.watch()

        with surroundings(clock=clock):
            async with crowd(process) as clients:
                begun = clock()
                given = await asyncio.gather(*(client.list_user_groups("u-1").first() for client in clients))
                took = clock() - begun

        assert given == [UserGroup(id="1")] * 100
        assert len(httpx_mock.get_requests(method="POST")) == 1
        assert took < 1  # they would take 4 s if they tried again at the same moments

    @pytest.mark.usefixtures("api")
    async def test_f89_dead_holder_keeps_nobody_for_ever(
        self, make_m3ter: MakeM3ter, process: FakeAsyncRedis, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Behind a lock that does not end, who needs a token waits as long as Redis may take for one thing."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        await process.set(LOCK, "of one who has died")
        client = make_m3ter(clock=clock, token_store=RedisTokenStore(process, key=KEY))
        begun = clock()

        given = await client.list_user_groups("u-1").first()

        assert given == UserGroup(id="1")
        assert clock() - begun == pytest.approx(10)
        assert warnings(caplog) == ["the token store failed to lock (TimeoutError); going on without it"]


class TestKeeping:
    """What lies in Redis, and how long."""

    async def test_token_is_loaded_elsewhere(
        self, store: RedisTokenStore, other: RedisTokenStore, other_process: FakeAsyncRedis
    ) -> None:
        """A token is kept under the key, and its age goes with it."""
        await store.save(TOKEN)
        await other_process.pexpire(KEY, 30_000)  # half of its life has gone

        loaded = await other.load()

        assert loaded is not None
        assert loaded.access_token == canary.ACCESS_TOKEN
        assert 29 < loaded.expires_in <= 30

    async def test_token_ends_in_redis(self, store: RedisTokenStore, process: FakeAsyncRedis) -> None:
        """Redis forgets the token at its end."""
        await store.save(TOKEN)

        assert 59_000 < await process.pttl(KEY) <= 60_000

    async def test_token_with_hardly_any_life_is_kept(self, store: RedisTokenStore, process: FakeAsyncRedis) -> None:
        """Less than a millisecond is one to Redis, which refuses none."""
        await store.save(Token(canary.ACCESS_TOKEN, 0.000_1))

        assert await process.pttl(KEY) <= 1

    async def test_token_has_its_own_end(self, store: RedisTokenStore, other: RedisTokenStore) -> None:
        """A token that is loaded while another is saved never has the end of that."""
        tokens = [Token("short", 60.0), Token("long", 600.0)]

        async def save_each() -> None:
            for _ in range(20):
                for token in tokens:
                    await other.save(token)

        await other.save(tokens[0])
        saving = asyncio.create_task(save_each())
        found = {await store.load() for _ in range(40)}
        await saving

        assert {(one.access_token, round(one.expires_in, -1)) for one in found if one} <= {("short", 60), ("long", 600)}

    async def test_nothing_is_kept(self, store: RedisTokenStore) -> None:
        """Where no token is, none is loaded."""
        assert await store.load() is None

    async def test_text_without_an_end_is_no_token(self, store: RedisTokenStore, process: FakeAsyncRedis) -> None:
        """What someone else put under the key for ever is left alone."""
        await process.set(KEY, "for ever")

        assert await store.load() is None

    @pytest.mark.usefixtures("api")
    async def test_rubbish_is_replaced(
        self,
        make_m3ter: MakeM3ter,
        store: RedisTokenStore,
        process: FakeAsyncRedis,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """What someone else put under the key for a while is not sent to the API."""
        await process.set(KEY, b"\xff\xfe", ex=60)
        client = make_m3ter(token_store=store)

        await client.list_user_groups("u-1").first()
        await client.aclose()

        assert warnings(caplog) == ["the token store failed to load (ConfigurationError); going on without it"]
        assert await process.get(KEY) == canary.ACCESS_TOKEN.encode()


class TestLock:
    """One at a time."""

    async def test_others_wait(self, store: RedisTokenStore, other: RedisTokenStore) -> None:
        """Nobody gets in while another process is in, and then somebody does."""
        clock = FakeClock(autopilot=False, rules_loop=True)
        clock.watch()

        async def enter() -> None:
            async with other.exclusive():
                pass

        async with store.exclusive():
            waiting = asyncio.create_task(enter())
            await clock.advance(3)
            waited = not waiting.done()
        await clock.advance(1)

        assert waited
        assert waiting.done()

    async def test_dead_holder_blocks_for_seconds(self, store: RedisTokenStore, process: FakeAsyncRedis) -> None:
        """A lock ends by itself, with nobody there to give it back."""
        async with store.exclusive():
            assert 0 < await process.pttl(LOCK) <= 5_000

    async def test_slow_holder_takes_nothing_from_the_next(
        self, store: RedisTokenStore, process: FakeAsyncRedis
    ) -> None:
        """A holder whose lock has ended does not end that of the next one."""
        late = store.exclusive()
        await late.__aenter__()
        await process.set(LOCK, "the next")

        with pytest.raises(redis.exceptions.LockNotOwnedError):
            await late.__aexit__(None, None, None)

        assert await process.get(LOCK) == b"the next"

    async def test_lock_is_given_back_after_an_error(self, store: RedisTokenStore, process: FakeAsyncRedis) -> None:
        """Whatever happens to the holder, the next one gets in."""
        with pytest.raises(KeyError):
            async with store.exclusive():
                raise KeyError

        assert await process.exists(LOCK) == 0


@needs_redis
def test_loop_after_another() -> None:
    """Each method works in an event loop of its own, as where each task of a queue has one."""
    with RedisServer() as server:
        run = subprocess.run(
            [sys.executable, "-c", RUNS, server.url], capture_output=True, encoding="utf-8", check=True
        )

    assert run.stdout.split() == ["token", "60", "held"] * 2


class TestArguments:
    """What a store is made from."""

    def test_store_is_one(self, store: RedisTokenStore) -> None:
        """It has what a `TokenStore` has, and says which key it is about but not which Redis."""
        assert isinstance(store, TokenStore)
        assert repr(store) == f"RedisTokenStore(key='{KEY}')"

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            pytest.param(redis.Redis(), "redis.client.Redis", id="the client that blocks"),
            pytest.param("redis://localhost", "builtins.str", id="a URL"),
            pytest.param(None, "builtins.NoneType", id="none"),
        ],
    )
    def test_redis_that_is_none(self, given: object, named: str) -> None:
        """Only a client of Redis for asyncio will do."""
        with pytest.raises(ConfigurationError, match=f"^redis must be of type redis.asyncio.Redis, not {named}$"):
            RedisTokenStore(given, key=KEY)  # type: ignore[arg-type]

    @pytest.mark.parametrize("key", ["", None, 7, b"key", "\ud800"])
    def test_key_that_is_none(self, process: FakeAsyncRedis, key: object) -> None:
        """A key is text."""
        with pytest.raises(ConfigurationError, match=r"^key must be "):
            RedisTokenStore(process, key=key)  # type: ignore[arg-type]

    def test_missing_package_is_named(self) -> None:
        """Where redis is not installed, the error says how to get it."""
        code = "import sys; sys.modules['redis'] = None; import usergroups.stores"

        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        assert "ModuleNotFoundError: this store needs redis" in run.stderr
        assert "(pip install '.[redis]' in a checkout)" in run.stderr


class TestEncryption:
    """With a key, whoever reads the Redis learns no token."""

    @pytest.mark.parametrize("keys", [FERNET_KEYS[0], FERNET_KEYS[0].decode(), FERNET_KEYS, FERNET_KEYS[::-1]])
    async def test_token_is_read_with_any_of_the_keys(
        self, process: FakeAsyncRedis, keys: str | bytes | list[str | bytes]
    ) -> None:
        """What one of the keys has encrypted is read with all of them; what lies in Redis does not show it."""
        await RedisTokenStore(process, key=KEY, encryption_key=FERNET_KEYS[0]).save(TOKEN)

        kept = await RedisTokenStore(process, key=KEY, encryption_key=keys).load()

        assert kept is not None
        assert kept.access_token == canary.ACCESS_TOKEN
        assert canary.ACCESS_TOKEN.encode() not in await process.get(KEY)

    @pytest.mark.usefixtures("api")
    @pytest.mark.parametrize("other", [None, FERNET_KEYS[1]], ids=["plain text", "another key"])
    async def test_token_that_cannot_be_read_is_replaced(
        self, make_m3ter: MakeM3ter, process: FakeAsyncRedis, caplog: pytest.LogCaptureFixture, other: bytes | None
    ) -> None:
        """Neither plain text nor what another key has encrypted is taken; the client says so and fetches a token."""
        await RedisTokenStore(process, key=KEY, encryption_key=other).save(Token("other-token", 60.0))
        store = RedisTokenStore(process, key=KEY, encryption_key=FERNET_KEYS[0])
        client = make_m3ter(token_store=store)

        given = await client.list_user_groups("u-1").first()
        await client.aclose()
        kept = await store.load()

        assert given == UserGroup(id="1")
        assert warnings(caplog) == ["the token store failed to load (InvalidToken); going on without it"]
        assert kept is not None
        assert kept.access_token == canary.ACCESS_TOKEN

    @pytest.mark.parametrize("key", ["", "short", b"short", [], [FERNET_KEYS[0], "short"], [1], 5, "\u00e9" * 44])
    def test_bad_key_is_refused(self, process: FakeAsyncRedis, key: Any) -> None:
        """What is no Fernet key is refused, and never shown."""
        with pytest.raises(ConfigurationError, match="encryption_key must be a Fernet key, 32") as raised:
            RedisTokenStore(process, key=KEY, encryption_key=key)

        assert "short" not in str(raised.value)

    def test_missing_library_is_named(self, process: FakeAsyncRedis, monkeypatch: pytest.MonkeyPatch) -> None:
        """The extra that brings cryptography is named where it is missing."""
        monkeypatch.setitem(sys.modules, "cryptography.fernet", None)

        with pytest.raises(ConfigurationError, match="its extra 'encryption'"):
            RedisTokenStore(process, key=KEY, encryption_key=FERNET_KEYS[0])


async def test_pause_is_shared(store: RedisTokenStore, other: RedisTokenStore) -> None:
    """A pause that one process begins is seen by the other, and ends by itself."""
    assert await other.paused() == 0.0

    await store.pause(30.0)

    assert 29.0 < await other.paused() <= 30.0
