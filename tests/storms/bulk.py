"""
A bulk job over several machines: `examples/fleet_export.py`, one process of which is killed in the middle.

`python -m storms.bulk`, from the folder `tests`, prints what it comes to at full size. The exit status is 1 if a goal
is missed. The machine should have nothing else to do.
"""

import csv
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self
from unittest.mock import patch

import attrs

from extras.program import Program
from rig.redis import RedisServer
from usergroups.sandbox import Counts, Sandbox, serve

_TICK = 0.02  # seconds
_WITHIN = 120.0  # seconds; of the long ones, half a minute
_CELERY = ("-m", "celery", "--app", "fleet_export", "worker", "--loglevel", "INFO", "--pool", "prefork")
_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # looking for other workers takes a second
_INSPECT = """
import json
from fleet_export import app

[tasks] = app.control.inspect(["worker-0@here"], limit=1, timeout=30).active().values()
print(json.dumps([task["worker_pid"] for task in tasks]))
"""


@attrs.define
class Clock:
    """A clock that keeps the *first* and the *last* moment for which it was asked."""

    first: float = 0.0
    last: float = 0.0

    def __call__(self) -> float:
        self.last = time.monotonic()
        self.first = self.first or self.last
        return self.last


class Job:
    """
    The export of the *users* of a *sandbox* by some *machines*: workers, with so many *processes* each.

    They run from `with` on, and are killed at its end. Their logs and files are in *folder*.
    """

    def __init__(
        self, sandbox: Sandbox, folder: Path, *, users: int, machines: int, processes: int, per_second: float
    ) -> None:
        sandbox.data.add_many(users=users)
        self.counts: Counts = sandbox.counts
        self.workers: list[Program] = []
        self._users = [f"user-{n}" for n in range(1, users + 1)]
        self._sandbox = sandbox
        self._folder = folder
        self._machines = machines
        self._processes = processes
        self._per_second = per_second

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            redis = opened.enter_context(RedisServer())
            server = opened.enter_context(serve(self._sandbox))
            celery = dict.fromkeys(("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"), f"redis+socket://{redis.path}")
            fleet = {
                "REDIS_URL": redis.url,
                "EXPORT_RATE": str(self._per_second),
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
            }
            opened.enter_context(patch.dict(os.environ, server.env | celery | fleet))
            for number in range(self._machines):
                how = ("--concurrency", str(self._processes), "--hostname", f"worker-{number}@here", *_ALONE)
                log = self._folder / f"worker-{number}.log"
                self.workers.append(opened.enter_context(Program(log, *_CELERY, *how)))
            for worker in self.workers:
                worker.says(" ready")
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def begin(self) -> Program:
        """
        Start the export; the program ends with it.
        """
        ids, parts, output = (self._folder / name for name in ("ids.txt", "parts", "groups.csv"))
        ids.write_text("\n".join(self._users), encoding="utf-8")
        parts.mkdir(exist_ok=True)
        program = Program(self._folder / "export.log", "fleet_export.py", str(ids), str(parts), str(output))
        return self._opened.enter_context(program)

    def until(self, requests: int) -> None:
        """
        Wait until the server has had so many *requests*.
        """
        end = time.monotonic() + _WITHIN
        while self.counts.requests < requests:
            assert time.monotonic() < end, self.counts
            time.sleep(_TICK)

    def kill_a_process(self) -> None:
        """
        Kill a process of the first worker that is in the middle of a part, and wait until the worker has noticed.
        """
        with Program(self._folder / "inspect.log", "-c", _INSPECT) as program:
            assert program.wait() == 0, program.log
        victim, *_ = json.loads(program.log)
        os.kill(victim, signal.SIGKILL)
        self.workers[0].says("exited with .signal 9")

    def found(self) -> list[tuple[str, ...]]:
        """
        Return the rows of the result.
        """
        with (self._folder / "groups.csv").open(encoding="utf-8", newline="") as file:
            return [tuple(row) for row in csv.reader(file)]

    def right(self) -> list[tuple[str, ...]]:
        """
        Return the rows that it should have.
        """
        rows = [("user_id", "group_id", "group_name", "error")]
        for user in self._users:
            groups = self._sandbox.data.groups_of(user, inherited=False)
            rows += [(user, str(group["id"]), str(group["name"]), "") for group in groups]
        return rows


def main() -> int:
    """
    Export 10,000 users by two workers of four processes, kill one process in the middle, and tell what came of it.
    """
    clock, limit, users = Clock(), 400, 10_000
    sandbox = Sandbox(rate_limit=limit, clock=clock)
    with TemporaryDirectory() as folder:
        job = Job(sandbox, Path(folder), users=users, machines=2, processes=4, per_second=limit)
        with job:
            program = job.begin()
            job.until(users // 2)
            job.kill_a_process()
            status = program.wait(within=_WITHIN)
        right, found = Counter(job.right()), Counter(job.found())
    counts, seconds = job.counts, clock.last - clock.first
    rate = (counts.requests - counts.rate_limited) / seconds
    lost, twice = (right - found).total(), (found - right).total()
    _say(f"{users:,} users by 8 processes, one of them killed in the middle: {seconds:.1f} s; exit status {status}")
    _say(f"    rows lost: {lost}; twice, or wrong: {twice}; users asked for twice: {counts.pages - users}")
    _say(f"    served: {rate:.1f}/s, {rate / limit:.1%} of the limit")
    _say(f"    answers of 429: {counts.rate_limited:,} of {counts.requests:,}")
    _say(f"    token requests: {counts.token_requests}")
    good = status == 0 and not lost and not twice and rate >= 0.9 * limit and counts.token_requests == 1
    _say("all goals are met" if good else "a goal is missed")
    return 0 if good else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
