"""
A fleet: processes that share one rate by Redis, against a sandbox that counts the requests of each second.

`python -m storms.fleet`, from the folder `tests`, prints what it comes to at full size, beside a rate that is divided
by the processes. The exit status is 1 if a goal is missed. The machine should have nothing else to do.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from random import Random
from threading import Thread
from types import TracebackType
from typing import Self

from rig.redis import RedisServer
from usergroups.sandbox import Counts, Sandbox, serve

from .fleet_worker import Summary, Work, work

_TICK = 0.02  # seconds
_NO_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["usergroups.m3ter", "usergroups.bulk", "usergroups.stores"])  # what takes long


class Worker:
    """
    A process of a fleet: the users whom it has *answered* so far, and, once it has ended by itself, its *summary*.
    """

    def __init__(self, part: Work, number: int, url: str | None, environment: dict[str, str]) -> None:
        self.users = set(part.part(number))
        self.answered: list[str] = []
        self.summary: Summary | None = None
        self._pipe, other_end = _processes.Pipe()
        self._process = _processes.Process(target=work, args=(other_end, part, number, url, environment))
        self._process.start()
        other_end.close()
        self._reader = Thread(target=self._read)

    @property
    def is_alive(self) -> bool:
        """
        Whether it has not ended.
        """
        return self._process.is_alive()

    def wait_until_ready(self) -> None:
        """
        Wait until it has a client.
        """
        assert self._pipe.recv() == "ready"

    def begin(self) -> None:
        """
        Let it begin.
        """
        self._reader.start()
        self._pipe.send("begin")

    def kill(self) -> None:
        """
        End it in the middle of whatever it does.
        """
        self._process.kill()

    def wait(self) -> None:
        """
        Wait until it has ended, and all that it said is read.
        """
        self._process.join()
        if self._reader.ident is not None:
            self._reader.join()
        self._pipe.close()

    def _read(self) -> None:
        try:
            while self.summary is None:
                said = self._pipe.recv()
                if isinstance(said, Summary):
                    self.summary = said
                else:
                    self.answered.append(said)
        except (EOFError, ConnectionError):
            pass  # it was killed


class Fleet:
    """
    The *workers* that do some work, sharing a rate by *redis*, against a sandbox that allows *limit* requests a second.

    They run from `with` on, and are killed at its end. *counts* is what the server has counted, and *seen* how many
    requests there had been at which moments.
    """

    def __init__(self, part: Work, *, limit: int, redis: RedisServer | None) -> None:
        self._work = part
        self._url = None if redis is None else redis.url
        self._sandbox = Sandbox(rate_limit=limit)
        self._sandbox.data.add_many(users=part.users)
        self.counts: Counts = self._sandbox.counts
        self.seen: list[tuple[float, int]] = []
        self.workers: list[Worker] = []

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            environment = opened.enter_context(serve(self._sandbox)).env | _NO_PROXY
            for number in range(self._work.processes):
                worker = Worker(self._work, number, self._url, environment)
                self.workers.append(worker)
                opened.callback(worker.wait)
                opened.callback(worker.kill)
            for worker in self.workers:
                worker.wait_until_ready()
            for worker in self.workers:
                worker.begin()
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def until(self, requests: int) -> None:
        """
        Wait until the server has had so many *requests*, or the first worker has ended.
        """
        self._watch(lambda: self.counts.requests >= requests or not all(one.is_alive for one in self.workers))

    def until_the_end(self) -> None:
        """
        Wait until all workers have ended.
        """
        self._watch(lambda: not any(one.is_alive for one in self.workers))
        for worker in self.workers:
            worker.wait()

    def _watch(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            time.sleep(_TICK)
            self.seen.append((time.monotonic(), self.counts.requests))


def main() -> int:
    """
    Run a fleet of eight processes in each of the ways, and tell what came of it.
    """
    whole = Work(users=4000, processes=8, per_second=200.0)
    half = Work(users=2000, processes=8, per_second=200.0)
    with RedisServer() as redis:
        good = [_shared(whole, redis), _divided(whole), _restarted(half, redis), _killed(half, redis)]
    _say("all goals are met" if all(good) else "a goal is missed")
    return 0 if all(good) else 1


def _shared(part: Work, redis: RedisServer) -> bool:
    with Fleet(part, limit=200, redis=redis) as fleet:
        fleet.until_the_end()
    rate, refused, parts, lost = _tell("shared by Redis", part, fleet)
    return rate >= 0.95 * part.per_second and refused < 0.005 and parts >= 0.5 and not lost


def _divided(part: Work) -> bool:
    with Fleet(part, limit=200, redis=None) as fleet:
        fleet.until_the_end()
    *_, lost = _tell("divided by the processes", part, fleet)
    return not lost


def _restarted(part: Work, redis: RedisServer) -> bool:
    with Fleet(part, limit=200, redis=redis) as fleet:
        fleet.until(part.users // 4)
        redis.stop()
        before = len(fleet.seen)
        fleet.until(part.users // 2)
        redis.start()
        after = len(fleet.seen)
        fleet.until_the_end()
    *_, lost = _tell("Redis stopped and started in the middle", part, fleet)
    most = _most_in_a_second(fleet.seen[before - round(1 / _TICK) : after + round(1 / _TICK)])
    _say(f"    requests in any second around the gap: {most} at most")
    return most <= 2 * part.per_second and not lost


def _killed(part: Work, redis: RedisServer) -> bool:
    victims = Random(1).sample(range(part.processes), 3)
    with Fleet(part, limit=200, redis=redis) as fleet:
        for count, number in enumerate(victims, 1):
            fleet.until(count * part.users // 8)
            fleet.workers[number].kill()
        fleet.until_the_end()
    left = [worker for number, worker in enumerate(fleet.workers) if number not in victims]
    lost = sum(len(worker.users.difference(worker.answered)) for worker in left)
    seconds = max(worker.summary.seconds for worker in left if worker.summary)
    served = (fleet.counts.requests - fleet.counts.rate_limited) / seconds
    _say(f"3 of {part.processes} killed: the others were served at {served:.1f}/s to the end; lost: {lost}")
    return not lost


def _tell(name: str, part: Work, fleet: Fleet) -> tuple[float, float, float, int]:
    """Say what *fleet* came to, and return its rate, the share of refusals, slowest to fastest, and the lost."""
    ended = [worker.summary for worker in fleet.workers if worker.summary]
    counts, seconds = fleet.counts, max(one.seconds for one in ended)
    rate = (counts.requests - counts.rate_limited) / seconds
    refused = counts.rate_limited / counts.requests
    speeds = [len(worker.answered) / worker.summary.seconds for worker in fleet.workers if worker.summary]
    lost = part.users - len({user for worker in fleet.workers for user in worker.answered})
    _say(f"{name}: {part.users:,} users by {part.processes} processes in {seconds:.1f} s")
    _say(f"    served: {rate:.1f}/s, {rate / part.per_second:.1%} of the limit; users lost: {lost}")
    _say(f"    answers of 429: {counts.rate_limited:,} of {counts.requests:,}, {refused:.2%}")
    _say(f"    slowest to fastest process: {min(speeds) / max(speeds):.1%}")
    _say(f"    CPU of a client, for each user: {sum(one.cpu for one in ended) / part.users * 1e6:,.0f} µs")
    _say(f"    said: {sorted({message for one in ended for message in one.said})}")
    return rate, refused, min(speeds) / max(speeds), lost


def _most_in_a_second(seen: list[tuple[float, int]]) -> int:
    spans = ((now - then, after - before) for now, after in seen for then, before in seen if now > then)
    return max(count for seconds, count in spans if seconds <= 1.0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
