"""`examples/fleet_export.py`, run by a real worker with four processes, one of which is killed in the middle."""

import importlib.util
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from extras.outage import Outage
from extras.program import WITHIN
from rig.redis import needs_redis
from storms.bulk import Job
from usergroups.sandbox import Sandbox

NO_CELERY = "Celery is not installed, or needs a newer redis: pip install 'celery[redis]'"
HAS_CELERY = importlib.util.find_spec("celery") is not None and int(version("redis").partition(".")[0]) >= 6
pytestmark = [
    needs_redis,
    pytest.mark.skipif(not HAS_CELERY, reason=NO_CELERY),
    pytest.mark.skipif(sys.platform == "win32", reason="there, Celery has no prefork pool"),
]


async def test_killed_process_loses_nothing(tmp_path: Path) -> None:
    """Each row is in the result once, in the order of the users, and all processes share one token request."""
    sandbox = Sandbox()
    outage = Outage(sandbox)
    with Job(sandbox, tmp_path, users=400, machines=1, processes=4, per_second=150.0) as job:
        export = job.begin()
        job.workers[0].says("succeeded")
        outage.hold()
        await outage.held.until(lambda held: held > 0, WITHIN)
        job.kill_a_process()
        outage.release()

        assert export.wait() == 0, export.log
        assert job.found() == job.right()
        assert sandbox.counts.token_requests == 1
        assert not re.search("the token store failed|going on alone|ResourceWarning", job.workers[0].log)


async def test_users_who_failed_are_asked_again(tmp_path: Path) -> None:
    """A user who cannot be asked has the error in the result; the next run asks for that part alone, and is whole."""
    sandbox = Sandbox()
    outage = Outage(sandbox)
    outage.fail("user-60", 503, times=3)
    with Job(sandbox, tmp_path, users=120, machines=1, processes=2, per_second=500.0) as job:
        export = job.begin()

        assert export.wait() == 1
        assert re.fullmatch(r"user-60: .*503.*\nrun this again\n", export.log)
        assert [row[0] for row in job.found() if row[-1]] == ["user_id", "user-60"]

        before = len(outage.asked)
        assert job.begin().wait() == 0
        assert len(outage.asked) - before == 50
        assert job.found() == job.right()
