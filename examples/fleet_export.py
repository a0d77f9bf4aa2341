"""
Export the m3ter groups of many users over several machines, by tasks of Celery: `pip install 'celery[redis]'`.

    celery --workdir examples --app fleet_export worker --concurrency 4      # on each machine
    python examples/fleet_export.py ids.txt parts groups.csv                 # on one of them

CELERY_BROKER_URL, CELERY_RESULT_BACKEND and REDIS_URL say where Redis is; all machines see the folder of the parts.
Run the second command again if it says so: it asks for the parts that are missing.
"""

import asyncio
import csv
import os
import sys
from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path
from uuid import uuid4
from zlib import crc32

from celery import Celery
from redis.asyncio import Redis

from usergroups import M3terClient, sweep
from usergroups.stores import RedisRateLimit, RedisTokenStore

PER_SECOND = float(os.environ.get("EXPORT_RATE", "50"))  # requests of all processes together
PROCESSES = 8  # of all machines together
USERS = 50  # of one part

app = Celery("fleet_export")
app.conf.update(
    task_acks_late=True,  # a part is done when its task has ended: that of a dead process is made by another
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 600},  # seconds until the parts of a dead machine are made
)


@cache
def runner() -> asyncio.Runner:
    """Return the event loop of this process, which its connections to Redis belong to."""
    return asyncio.Runner()


@cache
def m3ter() -> M3terClient:
    """Return the client of this process, which shares its token and its rate with all others."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    rate = RedisRateLimit(redis, key="m3ter-rate", per_second=PER_SECOND, processes=PROCESSES)
    return M3terClient(token_store=RedisTokenStore(redis, key="m3ter-token"), max_rate=rate)


async def rows_of(user_ids: list[str]) -> list[list[str | None]]:
    """Return a row for each group of each user, in the order of the users; also for one in no group, or who failed."""
    rows: dict[str, list[list[str | None]]] = {}
    async for outcome in sweep(m3ter().list_user_groups, user_ids, on_error="yield"):
        user_id, error = outcome.key, outcome.error
        if error is None:
            groups = [[user_id, group.id, group.name, ""] for group in outcome.result()]
            rows[user_id] = groups or [[user_id, "", "", ""]]
        else:
            rows[user_id] = [[user_id, "", "", str(error)]]
    return [row for user_id in user_ids for row in rows[user_id]]


def write(path: Path, rows: Iterable[list[str | None]]) -> None:
    """Write *rows* to *path*: all of them, or nothing. Who does it again, or at the same time, does no harm."""
    new = path.with_name(f"{path.name}.{uuid4()}")
    with new.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
        file.flush()
        os.fsync(file.fileno())  # before the new name, where the machine dies
    new.replace(path)


def read(path: Path) -> list[list[str]]:
    """Return the rows of *path*."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@app.task
def export(user_ids: list[str], part: str) -> None:
    """Write the groups of the users to the file *part*, unless that is done."""
    if not Path(part).exists():
        write(Path(part), runner().run(rows_of(user_ids)))


def parts_of(ids: Path, folder: Path) -> dict[Path, list[str]]:
    """Return the users of each part. Its name has a sum of their ids: another list of users has other parts."""
    user_ids = list(dict.fromkeys(ids.read_text(encoding="utf-8").split()))
    chunks = [user_ids[start : start + USERS] for start in range(0, len(user_ids), USERS)]
    sums = [crc32(" ".join(chunk).encode()) for chunk in chunks]
    return {folder.resolve() / f"part-{n:05}-{sums[n]:08x}.csv": chunk for n, chunk in enumerate(chunks)}


def main(ids: Path, folder: Path, output: Path) -> str | None:
    """Have all parts made that are missing, put them together, and return what went wrong."""
    parts = parts_of(ids, folder)
    for result in [export.delay(chunk, str(part)) for part, chunk in parts.items() if not part.exists()]:
        result.get(propagate=False)
    if missing := sum(not part.exists() for part in parts):
        return f"{missing} of {len(parts)} parts are missing, as the logs of the workers say: run this again"
    rows = {part: read(part) for part in parts}
    write(output, [["user_id", "group_id", "group_name", "error"], *chain(*rows.values())])
    failed = [(part, row) for part in parts for row in rows[part] if row[-1]]
    for part, _ in failed:
        part.unlink(missing_ok=True)  # it is made anew
    return "\n".join([*(f"{row[0]}: {row[-1]}" for _, row in failed), "run this again"]) if failed else None


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
