"""
The token of a fleet: processes that share it by Redis, against a sandbox that counts the requests for tokens.

`python -m storms.fleet_tokens`, from the folder `tests`, prints what it comes to at full size. The exit status is 1 if
a goal is missed.
"""

import asyncio
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import attrs
from redis.asyncio import Redis

from rig.redis import RedisServer
from usergroups import M3terClient, UserGroupsError
from usergroups.sandbox import Counts, Sandbox, serve
from usergroups.stores import RedisTokenStore

_TICK = 0.02  # seconds
_WITHIN = 60.0  # seconds; mostly it is one or two
_PAUSE = 0.05  # seconds from one call of a steady process to the next

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["usergroups.m3ter", "usergroups.stores"])  # what takes long


@attrs.frozen
class Summary:
    """What became of the calls of a process, how many of each, and what the SDK *said* that is a warning."""

    outcomes: Counter[str]
    said: list[str]


class _Said(logging.Handler):
    """The warnings of the SDK."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def work(parent: Connection, url: str, environment: dict[str, str]) -> None:
    """
    Do what *parent* says, with a client whose token is in the Redis at *url*.

    A number stands for so many calls at once; "steady" for one call after another, until it says "end".
    """
    os.environ.update(environment)
    asyncio.run(_work(parent, url))


async def _work(parent: Connection, url: str) -> None:
    said = _Said()
    logging.getLogger("usergroups").addHandler(said)
    redis = Redis.from_url(url)
    outcomes: Counter[str] = Counter()
    async with M3terClient(token_store=RedisTokenStore(redis, key="m3ter:fleet"), max_rate=None) as client:

        async def call() -> None:
            try:
                outcomes[str(len(await client.list_user_groups("ada").collect()))] += 1
            except UserGroupsError as error:
                outcomes[type(error).__name__] += 1

        parent.send("ready")
        asked = await asyncio.to_thread(parent.recv)
        if asked == "steady":
            end = asyncio.create_task(asyncio.to_thread(parent.recv))
            while not end.done():
                await call()
                await asyncio.sleep(_PAUSE)
        else:
            await asyncio.gather(*(call() for _ in range(asked)))
    await redis.connection_pool.disconnect()
    parent.send(Summary(outcomes, said.messages))


class Worker:
    """
    A process of a fleet, which is ready.
    """

    def __init__(self, url: str, environment: dict[str, str]) -> None:
        self._pipe, other_end = _processes.Pipe()
        self._process = _processes.Process(target=work, args=(other_end, url, environment))
        self._process.start()
        other_end.close()

    def wait_until_ready(self) -> None:
        """
        Wait until it has a client.
        """
        assert self._pipe.recv() == "ready"

    def ask(self, what: int | str) -> None:
        """
        Tell it what to do.
        """
        self._pipe.send(what)

    def summary(self) -> Summary:
        """
        Wait until it has ended by itself.
        """
        summary: Summary = self._pipe.recv()
        return summary

    def kill(self) -> None:
        """
        End it in the middle of whatever it does.
        """
        self._process.kill()
        self._process.join()


class TokenFleet:
    """
    The *workers* that share the token of a *sandbox*. They run from `with` on, and are killed at its end.
    """

    def __init__(self, sandbox: Sandbox, *, processes: int) -> None:
        self.counts: Counts = sandbox.counts
        self.workers: list[Worker] = []
        self._sandbox = sandbox
        self._size = processes

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            url = opened.enter_context(RedisServer()).url
            environment = opened.enter_context(serve(self._sandbox)).env | {
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
            }
            for _ in range(self._size):
                worker = Worker(url, environment)
                self.workers.append(worker)
                opened.callback(worker.kill)
            for worker in self.workers:
                worker.wait_until_ready()
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def until(self, holds: Callable[[Counts], bool]) -> None:
        """
        Wait until *holds* is true of what the server has counted.
        """
        end = time.monotonic() + _WITHIN
        while not holds(self.counts):
            assert time.monotonic() < end, self.counts
            time.sleep(_TICK)


def burst(fleet: TokenFleet, calls: int) -> list[Summary]:
    """
    Let each process of *fleet* make so many first *calls* at once.
    """
    for worker in fleet.workers:
        worker.ask(calls)
    return [worker.summary() for worker in fleet.workers]


def burst_with_a_death(fleet: TokenFleet, calls: int) -> tuple[list[Summary], float]:
    """
    Do as `burst`, but kill the process that fetches the token.

    Return the summaries of the others, and the seconds until the first of them was served.
    """
    fetching, *others = fleet.workers
    fetching.ask(calls)
    fleet.until(lambda counts: counts.requests > 0)  # for a token: it holds the lock, and waits for the answer
    for worker in others:
        worker.ask(calls)
    fetching.kill()
    killed_at = time.monotonic()
    fleet.until(lambda counts: counts.pages > 0)
    seconds = time.monotonic() - killed_at
    return [worker.summary() for worker in others], seconds


def steady(fleet: TokenFleet, meanwhile: Callable[[], None]) -> list[Summary]:
    """
    Let each process of *fleet* call steadily until *meanwhile* has ended.
    """
    for worker in fleet.workers:
        worker.ask("steady")
    meanwhile()
    for worker in fleet.workers:
        worker.ask("end")
    return [worker.summary() for worker in fleet.workers]


def main() -> int:
    """
    Let eight processes share a token in each of the ways, and tell what came of it.
    """
    logging.getLogger("uvicorn.error").addHandler(
        logging.NullHandler()
    )  # the process that is killed leaves it a request
    good = [_burst(), _death(), _rotation(life=3.0, lives=10.0), _rotation(life=8.0, lives=4.8), _revoked()]
    _say("all goals are met" if all(good) else "a goal is missed")
    return 0 if all(good) else 1


def _burst() -> bool:
    with TokenFleet(Sandbox(), processes=8) as fleet:
        served = _tell("8 processes, 200 first calls each at once", fleet, burst(fleet, 200))
    return served and fleet.counts.token_requests == 1


def _death() -> bool:
    with TokenFleet(Sandbox(latency=0.5), processes=8) as fleet:
        summaries, seconds = burst_with_a_death(fleet, 200)
    served = _tell("the same, and the one that fetches is killed", fleet, summaries)
    _say(f"    the others were served after {seconds:.1f} s")
    return served and fleet.counts.token_requests <= 2


def _rotation(life: float, lives: float) -> bool:
    """Let tokens of so many seconds rotate; none may be replaced before its last fifth, whoever looks at it."""
    good = True
    for processes in (1, 8):
        moments: list[float] = []
        with TokenFleet(Sandbox(token_lifetime=life), processes=processes) as fleet:
            summaries = steady(fleet, partial(_watch, fleet, life * lives, moments))
        closest = min(later - one for one, later in pairwise(moments))
        name = f"{life * lives:.0f} s of tokens that live {life:.0f} s, {processes} processes"
        good &= _tell(name, fleet, summaries) and closest >= 0.7 * life  # it is refreshed at three quarters
        _say(f"    from one to the next: {closest:.2f} s at least")
    return good


def _watch(fleet: TokenFleet, seconds: float, moments: list[float]) -> None:
    """Add the moment of each request for a token to *moments*, for so many *seconds*."""
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        moments += [now] * (fleet.counts.token_requests - len(moments))
        time.sleep(_TICK)


def _revoked() -> bool:
    sandbox = Sandbox()
    with TokenFleet(sandbox, processes=8) as fleet:

        def revoke() -> None:
            fleet.until(lambda counts: counts.pages >= 400)
            sandbox.revoke_tokens()
            fleet.until(lambda counts: counts.pages >= 800)

        served = _tell("8 processes, and the token is revoked in the middle", fleet, steady(fleet, revoke))
    return served and fleet.counts.token_requests == 2


def _tell(name: str, fleet: TokenFleet, summaries: list[Summary]) -> bool:
    """Say what *fleet* came to, and return whether all calls were served."""
    outcomes = sum((summary.outcomes for summary in summaries), Counter[str]())
    said = Counter(message for summary in summaries for message in summary.said)
    errors = {outcome: count for outcome, count in outcomes.items() if not outcome.isdigit()}
    _say(f"{name}: {outcomes.total():,} calls, errors: {errors or 'none'}")
    _say(f"    token requests: {fleet.counts.token_requests}; warnings: {dict(said) or 'none'}")
    return not errors


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
