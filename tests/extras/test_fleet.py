"""A fleet: several processes that share one rate by a Redis server, which may go, as they may themselves."""

from collections.abc import Iterator

import pytest

from rig.redis import RedisServer, needs_redis
from storms.fleet import Fleet, Worker
from storms.fleet_worker import Work

pytestmark = needs_redis

STUBBORN = 20  # attempts: a machine that is busy lets requests arrive together, and some are refused


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis server."""
    with RedisServer() as server:
        yield server


def all_served(workers: list[Worker]) -> bool:
    """Return whether each of *workers* has answered all of its users, once."""
    return all(sorted(worker.answered) == sorted(worker.users) for worker in workers)


def said(worker: Worker) -> list[str]:
    """Return what the SDK said in a process that has ended by itself."""
    assert worker.summary is not None
    return worker.summary.said


def test_processes_share_one_rate(redis_server: RedisServer) -> None:
    """Four processes have the rate of one, and each a fair part of it; the requests for tokens count too."""
    work = Work(users=240, processes=4, per_second=100.0, attempts=STUBBORN)

    with Fleet(work, limit=100, redis=redis_server) as fleet:
        fleet.until(work.users * 2)  # or the first one has ended
        parts = [len(worker.answered) for worker in fleet.workers]
        fleet.until_the_end()

    assert all_served(fleet.workers)
    assert min(parts) >= max(parts) / 3
    assert [said(worker) for worker in fleet.workers] == [[]] * 4
    assert max(worker.summary.seconds for worker in fleet.workers if worker.summary) >= 243 / 100.0


def test_redis_that_goes_and_comes_back(redis_server: RedisServer) -> None:
    """No call is lost, and at no time do the processes start twice the rate."""
    work = Work(users=280, processes=4, per_second=60.0, attempts=STUBBORN)

    with Fleet(work, limit=120, redis=redis_server) as fleet:
        fleet.until(40)
        redis_server.stop()
        fleet.until(100)
        redis_server.start()
        fleet.until_the_end()

    assert all_served(fleet.workers)
    assert fleet.counts.rate_limited < 0.05 * fleet.counts.requests
    for worker in fleet.workers:
        fails, works = said(worker)
        assert fails.endswith("going on alone at 15 requests/s")
        assert works == "the shared rate works again"


def test_processes_that_are_killed(redis_server: RedisServer) -> None:
    """The others go on."""
    work = Work(users=160, processes=4, per_second=100.0, attempts=STUBBORN)

    with Fleet(work, limit=100, redis=redis_server) as fleet:
        fleet.until(60)
        for worker in fleet.workers[:2]:
            worker.kill()
        fleet.until_the_end()

    assert not any(all_served([worker]) for worker in fleet.workers[:2])
    assert all_served(fleet.workers[2:])
    assert [said(worker) for worker in fleet.workers[2:]] == [[]] * 2
