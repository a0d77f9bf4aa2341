"""`examples/celery_tasks.py`, run by a real worker with two processes: its client, its retries, and its deaths."""

import importlib.util
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from extras.outage import Outage
from extras.program import WITHIN, Program
from rig.redis import RedisServer, needs_redis
from usergroups.sandbox import Server

NO_CELERY = "Celery is not installed, or needs a newer redis: pip install 'celery[redis]'"
HAS_CELERY = importlib.util.find_spec("celery") is not None and int(version("redis").partition(".")[0]) >= 6
pytestmark = [
    needs_redis,
    pytest.mark.skipif(not HAS_CELERY, reason=NO_CELERY),
    pytest.mark.skipif(sys.platform == "win32", reason="there, Celery has no prefork pool"),
]

ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # looking for other workers takes a second
PROCESSES = 2
ADA = ["Billing", "Finance", "Reporting"]
GRACE = [f"Team {n}" for n in range(1, 10)]

SEND = """
import json, sys
from celery_tasks import group_names

results = [group_names.delay(user_id) for user_id in sys.argv[1:]]
for result in results:
    try:
        print(json.dumps(result.get(timeout=30)))
    except Exception as error:
        print(json.dumps(repr(error)))
"""
INSPECT = """
from celery_tasks import app

[tasks] = app.control.inspect(limit=1, timeout=30).active().values()
print(tasks[0]["worker_pid"])
"""
IMPATIENT = """
import sys
from celery_tasks import app

app.conf.broker_transport_options = {
    "visibility_timeout": 1, "unacked_restore_interval": 0.1, "unacked_restore_throttle": 1, "unacked_mutex_expire": 1
}
app.worker_main(sys.argv[1:])
"""


class Celery:
    """Workers with the tasks of the example, and applications that send them."""

    def __init__(self, folder: Path, programs: ExitStack) -> None:
        self._logs = (folder / f"{number}.log" for number in count())
        self._programs = programs

    def worker(self, *program: str) -> Program:
        """Start a worker with two processes, by the command of Celery or by another *program*."""
        how = ("--pool", "prefork", "--concurrency", str(PROCESSES), "--loglevel", "INFO", *ALONE)
        return self._start(*(program or ("-m", "celery", "--app", "celery_tasks")), "worker", *how)

    def send(self, *user_ids: str) -> Program:
        """Ask for the groups of users; the program ends when it has all answers."""
        return self._start("-c", SEND, *user_ids)

    def active_process(self) -> int:
        """Return the id of a process that is in the middle of a task."""
        [process] = answers(self._start("-c", INSPECT))
        return process

    def _start(self, *arguments: str) -> Program:
        return self._programs.enter_context(Program(next(self._logs), *arguments))


def answers(program: Program) -> list[Any]:
    """Return what *program* prints until its end, a value a line."""
    assert program.wait() == 0, program.log
    return [json.loads(line) for line in program.log.splitlines()]


@pytest.fixture
def outage(server: Server) -> Iterator[Outage]:
    """Return what can go wrong with the sandbox."""
    outage = Outage(server.sandbox)
    yield outage
    outage.release()


@pytest.fixture
def celery(outage: Outage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Celery]:
    """Run Redis where workers and applications look for it."""
    with RedisServer() as redis, ExitStack() as programs:
        for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
            monkeypatch.setenv(name, f"redis+socket://{redis.path}")
        yield Celery(tmp_path, programs)


def test_many_tasks_are_answered(celery: Celery, outage: Outage, server: Server) -> None:
    """Each of many tasks has the right answer, or the SDK's error; each process of the worker fetches one token."""
    worker = celery.worker()

    sender = celery.send(*["ada", "grace"] * 60, "who?")

    assert answers(sender) == [*[ADA, GRACE] * 60, "NotFoundError('No such user')"]
    assert outage.asked.count("who?") == 1
    assert server.sandbox.counts.token_requests <= PROCESSES
    assert not re.search("Retry in|Traceback", worker.log)


def test_outage_is_waited_out(celery: Celery, outage: Outage) -> None:
    """Where the SDK's own retries were too few, a task is tried again: after some seconds, or as many as asked for."""
    outage.fail("ada", 503, times=3)
    outage.fail("grace", 429, **{"Retry-After": "3600"})
    worker = celery.worker()

    celery.send("grace")
    sender = celery.send("ada")

    assert answers(sender) == [ADA]
    assert outage.asked.count("ada") == 4
    worker.says("Retry in 3600.0s: RateLimitedError")
    assert len(re.findall("Retry in .*ServerError", worker.log)) == 1


async def test_tasks_of_a_killed_process_are_answered(celery: Celery, outage: Outage) -> None:
    """One process is killed in the middle of its task: another takes its place, and the task has its answer."""
    outage.hold()
    worker = celery.worker()
    sender = celery.send(*["ada", "grace"] * 3)
    await outage.held.until(lambda held: held == PROCESSES, WITHIN)

    os.kill(celery.active_process(), signal.SIGKILL)
    worker.says("exited with .signal 9")
    outage.release()

    assert answers(sender) == [ADA, GRACE] * 3


async def test_tasks_of_a_killed_worker_are_answered(celery: Celery, outage: Outage, server: Server) -> None:
    """A worker is killed in the middle of its tasks: the next one answers them, and all that waited."""
    outage.hold()
    worker = celery.worker("-c", IMPATIENT)
    sender = celery.send(*["ada", "grace"] * 3)
    await outage.held.until(lambda held: held == PROCESSES, WITHIN)

    worker.kill()
    outage.release()
    celery.worker("-c", IMPATIENT)

    assert answers(sender) == [ADA, GRACE] * 3
    assert server.sandbox.counts.token_requests <= 2 * PROCESSES


async def test_end_waits_for_the_tasks(celery: Celery, outage: Outage) -> None:
    """On SIGTERM, a worker finishes what it has begun, and ends without a word of complaint."""
    outage.hold()
    worker = celery.worker()
    sender = celery.send("ada", "grace")
    await outage.held.until(lambda held: held == PROCESSES, WITHIN)

    worker.send(signal.SIGTERM)
    worker.says("Warm shutdown")
    outage.release()

    assert answers(sender) == [ADA, GRACE]
    assert worker.wait() == 0
    assert not re.search("Traceback|ResourceWarning|ERROR|CRITICAL", worker.log)
