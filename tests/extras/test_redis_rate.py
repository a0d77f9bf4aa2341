"""RedisRateLimit: the clients of several processes share one rate, and Redis may fail them."""

import asyncio
import logging
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
import redis
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from rig.clock import FakeClock
from rig.fixtures import MakeSmartPM
from rig.redis import RedisServer, needs_redis
from rig.sentinel import SentinelServers, needs_sentinel
from usergroups import ConfigurationError, RateLimit, SmartPMClient
from usergroups.stores import RedisRateLimit

KEY = "m3ter:org-1"
GROUP = "550e8400-e29b-41d4-a716-446655440000"
NOBODY = 1  # a port on which nobody listens
ALONE = "going on alone at 10 requests/s"
WORKS = "the shared rate works again"

RUNS = """
import asyncio, sys
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from usergroups.stores import RedisRateLimit

place, name = sys.argv[1:]
redis = Sentinel([("127.0.0.1", int(place))]).master_for(name) if name else Redis.from_url(place)
limit = RedisRateLimit(redis, key="key", per_second=0.101, processes=2)
for _ in range(4):
    print(round(asyncio.run(limit.reserve())))
"""

Act = Callable[[RedisServer, Redis], Awaitable[object]]


class Silent(FakeAsyncRedis):
    """A Redis that takes commands and answers none."""

    async def execute_command(self, *args: object, **options: object) -> object:
        await asyncio.Event().wait()
        return None


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis server."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def process(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Return the Redis client of one process."""
    client = Redis.from_url(redis_server.url)
    yield client
    await client.connection_pool.disconnect()  # which all versions of redis-py have


@pytest.fixture(params=["fake", pytest.param("real", marks=needs_redis)])
async def processes(request: pytest.FixtureRequest) -> AsyncIterator[list[Redis]]:
    """Return the Redis clients of two processes, the second one of which wants text for bytes."""
    if request.param == "fake":
        server = FakeServer()
        clients = [FakeAsyncRedis(server=server), FakeAsyncRedis(server=server, decode_responses=True)]
    else:
        url = request.getfixturevalue("redis_server").url
        clients = [Redis.from_url(url), Redis.from_url(url, decode_responses=True)]
    yield clients
    for client in clients:
        await client.connection_pool.disconnect()


async def starts(limits: list[RedisRateLimit], count: int) -> list[tuple[float, float]]:
    """Reserve *count* starts at once, in turn, and return the moments between which each of them is."""
    found = []
    for number in range(count):
        before = time.monotonic()
        wait = await limits[number % len(limits)].reserve()
        found.append((before + wait, time.monotonic() + wait))
    return found


class TestStarts:
    """When requests start."""

    @pytest.mark.parametrize("per_second", [0.5, 2.5, 50.0, 333.3])
    async def test_processes_have_one_rate(self, processes: list[Redis], per_second: float) -> None:
        """Their starts are in even steps, but for the first 10 ms: no second has more of them than the rate."""
        limits = [RedisRateLimit(one, key=KEY, per_second=per_second, processes=2) for one in processes]

        found = await starts(limits, 120)
        took = time.monotonic() - found[0][0]
        first, last = found[0], found[-1]
        steps = 119 / per_second * 1.01

        assert last[1] - first[0] >= steps - (0.05 if isinstance(processes[0], FakeAsyncRedis) else 0.01)
        assert last[0] - first[1] <= steps + took

    async def test_other_keys_have_rates_of_their_own(self, processes: list[Redis]) -> None:
        """What one organization's clients start is nothing to those of another."""
        limits = [RedisRateLimit(processes[0], key=key, per_second=0.1, processes=2) for key in (KEY, "other")]

        assert await limits[0].reserve() == 0.0
        assert await limits[1].reserve() == 0.0
        assert await limits[1].reserve() > 9.0

    async def test_redis_forgets_what_no_longer_counts(self, processes: list[Redis]) -> None:
        """The key lives until the next start is free, and no longer."""
        limit = RedisRateLimit(processes[0], key=KEY, per_second=0.1, processes=2)
        await limit.reserve()

        assert 9_000 < await processes[0].pttl(KEY) <= 10_200

    async def test_redis_whose_clock_was_put_back(self, processes: list[Redis]) -> None:
        """Nobody waits until Redis's clock is where it was."""
        limit = RedisRateLimit(processes[0], key=KEY, per_second=1.0, processes=2)
        await limit.reserve()
        for field in ("asked", "free"):
            await processes[0].hincrby(KEY, field, 3_600_000_000)

        assert await limit.reserve() == 0.0
        assert 0.9 < await limit.reserve() < 1.1


def client_of(make_smartpm: MakeSmartPM, clock: FakeClock, limit: RateLimit) -> SmartPMClient:
    """Make a client whose requests are answered at once."""
    answer = {"id": GROUP, "name": "Planners", "users": []}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    return make_smartpm(clock=clock, transport=transport, max_rate=limit)


async def call_until(client: SmartPMClient, caplog: pytest.LogCaptureFixture, said: str) -> None:
    """Call again and again until *said* is in the log."""
    while said not in caplog.text:
        assert (await client.get_user_group(GROUP)).name == "Planners"


async def stop(server: RedisServer, _: Redis) -> None:
    """Stop it."""
    server.stop()


async def start(server: RedisServer, _: Redis) -> None:
    """Start it again, empty, and without the script."""
    server.start()


def command(*words: str) -> Act:
    """Return what sends a command."""

    async def send(_: RedisServer, client: Redis) -> None:
        await client.execute_command(*words)

    return send


FAULTS = [
    pytest.param(stop, start, "(Connection|Timeout)Error", id="stopped"),
    pytest.param(
        command("CLIENT", "PAUSE", "60000", "WRITE"), command("CLIENT", "UNPAUSE"), "TimeoutError", id="silent"
    ),
    pytest.param(
        command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE"), "ReadOnlyError", id="read-only"
    ),
    pytest.param(
        command("CONFIG", "SET", "maxmemory", "1"),
        command("CONFIG", "SET", "maxmemory", "0"),
        "OutOfMemoryError",
        id="full",
    ),
    pytest.param(command("SET", KEY, "text"), command("DEL", KEY), "ResponseError", id="another's key"),
]


class TestFailing:
    """A Redis that fails."""

    @needs_redis
    @pytest.mark.parametrize(("breaks", "mends", "reason"), FAULTS)
    async def test_calls_go_on(
        self,
        make_smartpm: MakeSmartPM,
        clock: FakeClock,
        redis_server: RedisServer,
        process: Redis,
        caplog: pytest.LogCaptureFixture,
        breaks: Act,
        mends: Act,
        reason: str,
    ) -> None:
        """Each client goes on at its part of the rate, says so once, and shares again when Redis is well."""
        caplog.set_level(logging.INFO, "usergroups")
        client = client_of(make_smartpm, clock, RedisRateLimit(process, key=KEY, per_second=50.0, processes=5))
        await client.get_user_group(GROUP)
        shared = caplog.messages.copy()

        await breaks(redis_server, process)
        await call_until(client, caplog, ALONE)
        began = clock()
        for _ in range(10):
            await client.get_user_group(GROUP)
        took = clock() - began
        await mends(redis_server, process)
        await call_until(client, caplog, WORKS)

        assert shared == []
        assert took == pytest.approx(1.0, abs=0.1)
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        assert re.fullmatch(rf"the shared rate fails \({reason}\); {ALONE}", caplog.messages[0])

    @needs_redis
    async def test_script_that_redis_has_forgotten(self, process: Redis, caplog: pytest.LogCaptureFixture) -> None:
        """A Redis that lost the script is given it again."""
        limit = RedisRateLimit(process, key=KEY, per_second=1.0, processes=5)
        await limit.reserve()

        await process.script_flush()

        assert await limit.reserve() > 0.9

    async def test_silence_costs_half_a_second_once(
        self, make_smartpm: MakeSmartPM, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A Redis that never answers delays the first call, and no other."""
        clock = FakeClock(rules_loop=True)
        clock.watch()
        limit = RedisRateLimit(Silent(), key=KEY, per_second=5000.0, processes=1)
        client = client_of(make_smartpm, clock, limit)
        moments = [clock()]

        for _ in range(100):
            await client.get_user_group(GROUP)
            moments.append(clock())

        assert moments[1] - moments[0] == pytest.approx(0.5)
        assert moments[-1] - moments[1] < 0.1
        assert [one.levelname for one in caplog.records if one.levelno > logging.DEBUG] == ["WARNING"]

    @needs_sentinel
    async def test_master_that_dies(
        self, make_smartpm: MakeSmartPM, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Calls go on while Sentinel chooses another master, and then they share by that one."""
        caplog.set_level(logging.INFO, "usergroups")
        with SentinelServers() as servers:
            sentinel = Sentinel([("127.0.0.1", servers.port)])
            process = sentinel.master_for(servers.name)
            client = client_of(make_smartpm, clock, RedisRateLimit(process, key=KEY, per_second=50.0, processes=5))
            await client.get_user_group(GROUP)

            servers.kill_master()
            await call_until(client, caplog, ALONE)
            await call_until(client, caplog, WORKS)

            for one in (process, *sentinel.sentinels):
                await one.connection_pool.disconnect()


def in_runs(place: str, name: str = "") -> list[str]:
    """Reserve starts in event loops one after another, in a process of its own, and return the seconds until each."""
    run = subprocess.run([sys.executable, "-c", RUNS, place, name], capture_output=True, encoding="utf-8", check=True)
    return run.stdout.split()


class TestLoops:
    """Where each call has an event loop of its own."""

    @needs_redis
    def test_loop_after_another(self, redis_server: RedisServer) -> None:
        """Each takes its turn, by a connection of its own."""
        assert in_runs(redis_server.url) == ["0", "10", "20", "30"]

    @pytest.mark.parametrize("by_sentinel", [False, True], ids=["redis", "sentinel"])
    def test_loop_after_another_finds_nobody(self, *, by_sentinel: bool) -> None:
        """Where no Redis is, each hears of that alone."""
        once = {"retry": Retry(NoBackoff(), 0)}
        sentinel = Sentinel([("127.0.0.1", NOBODY)], sentinel_kwargs=once)
        client = sentinel.master_for("fleet", **once) if by_sentinel else Redis(port=NOBODY, **once)
        limit = RedisRateLimit(client, key=KEY, per_second=50.0, processes=2)

        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                asyncio.run(limit.reserve())

    @needs_sentinel
    def test_loop_after_another_asks_sentinel(self) -> None:
        """So it is with the connections to Sentinel."""
        with SentinelServers() as servers:
            assert in_runs(str(servers.port), servers.name) == ["0", "10", "20", "30"]


class TestArguments:
    """What a limit is made from."""

    def test_limit_is_one(self) -> None:
        """It has what a `RateLimit` has, and says what it shares but not by which Redis."""
        limit = RedisRateLimit(FakeAsyncRedis(), key=KEY, per_second=50, processes=20)

        assert isinstance(limit, RateLimit)
        assert limit.share == 2.5
        assert repr(limit) == f"RedisRateLimit(key='{KEY}', per_second=50, processes=20)"

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            pytest.param({"redis": redis.Redis()}, "redis must be of type redis.asyncio.Redis", id="blocking client"),
            pytest.param({"redis": "redis://localhost"}, "redis must be of type redis.asyncio.Redis", id="URL"),
            pytest.param({"key": ""}, "key must be text that is not empty", id="no key"),
            pytest.param({"key": b"key"}, "key must be text that is not empty", id="key of bytes"),
            pytest.param({"per_second": 0}, "per_second must be greater than 0 and finite", id="no rate"),
            pytest.param({"per_second": "50"}, "per_second must be a number, not str", id="rate that is text"),
            pytest.param({"processes": 0}, "processes must be at least 1", id="no process"),
            pytest.param({"processes": 2.0}, "processes must be a whole number, not float", id="parts of processes"),
        ],
    )
    def test_bad_argument(self, changed: dict[str, object], problem: str) -> None:
        """An argument that cannot be meant is refused, by its name."""
        settings = {"redis": FakeAsyncRedis(), "key": KEY, "per_second": 50.0, "processes": 20, **changed}

        with pytest.raises(ConfigurationError, match=f"^{problem}"):
            RedisRateLimit(settings.pop("redis"), **settings)
