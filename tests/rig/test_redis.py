"""The rig's Redis server: it starts, stops, and starts again."""

import socket
from collections.abc import Iterator

import pytest
import redis

from .redis import RedisServer, needs_redis

pytestmark = needs_redis


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis server."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """Return a client of the server."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def test_stopped_server_refuses_and_starts_again_empty(redis_server: RedisServer, client: redis.Redis) -> None:
    """What was stored is gone after a stop, in which nobody is served; the address stays."""
    client.set("key", "value")
    assert client.get("key") == b"value"

    redis_server.stop()
    redis_server.stop()
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(OSError, match=r"refused|No such file"):
        connection.connect(str(redis_server.path))
    redis_server.start()

    assert client.get("key") is None


def test_server_of_another_test_is_another(redis_server: RedisServer, client: redis.Redis) -> None:
    """Two servers at the same time share nothing."""
    client.set("key", "value")

    with RedisServer() as other, redis.Redis.from_url(other.url) as others_client:
        assert others_client.get("key") is None


def test_server_leaves_no_file(redis_server: RedisServer) -> None:
    """Its folder goes with it."""
    with RedisServer() as other:
        assert other.path.exists()

    assert not other.path.parent.exists()


def test_failed_start_says_why(redis_server: RedisServer) -> None:
    """What redis-server says before it ends is in the error."""
    redis_server.stop()
    redis_server.path.mkdir()

    with pytest.raises(RuntimeError, match="did not start"):
        redis_server.start()
