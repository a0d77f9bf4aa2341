"""
Write who is in which group, in both systems, as one CSV file: columns system, group, user.

`python examples/access_review.py review.csv users.txt groups.txt`: the ids of m3ter users, and of SmartPM groups, an
id a line. What could not be answered is said on stderr, and the exit status is 1: the review is not complete.
"""

import asyncio
import csv
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from usergroups import M3terClient, SmartPMClient, UserGroupsError, sweep

Row = tuple[str, str, str]


async def m3ter_rows(user_ids: Iterable[str]) -> AsyncIterator[Row | UserGroupsError]:
    """Yield a row for each group of each user, and the errors."""
    async with M3terClient() as m3ter:
        groups_of = lambda user_id: m3ter.list_user_groups(user_id, inherited=True).collect()  # noqa: E731
        async for outcome in sweep(groups_of, user_ids, on_error="yield"):
            if outcome.error is not None:
                yield outcome.error
                continue
            for group in outcome.result():
                yield "m3ter", group.name or group.id, outcome.key


async def smartpm_rows(group_ids: Iterable[str]) -> AsyncIterator[Row | UserGroupsError]:
    """Yield a row for each user of each group, and the errors."""
    async with SmartPMClient() as smartpm:
        async for outcome in sweep(smartpm.get_user_group, group_ids, on_error="yield"):
            if outcome.error is not None:
                yield outcome.error
                continue
            group = outcome.result()
            for user in group.users:
                yield "smartpm", group.name or str(group.id), user.email


async def review(output: Path, user_ids: Iterable[str], group_ids: Iterable[str]) -> int:
    """Write the review, ask both systems at the same time, and return how many calls failed."""
    rows: list[Row] = []
    errors: list[UserGroupsError] = []

    async def take(found: AsyncIterator[Row | UserGroupsError]) -> None:
        async for one in found:
            if isinstance(one, UserGroupsError):
                errors.append(one)
            else:
                rows.append(one)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take(m3ter_rows(user_ids)))
        tasks.create_task(take(smartpm_rows(group_ids)))
    with output.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["system", "group", "user"])
        table.writerows(sorted(rows))
    for error in errors:
        print(error, file=sys.stderr)
    return len(errors)


def main(output: str, users: str, groups: str) -> int:
    """Read the ids, write the review, and return the exit status."""
    user_ids, group_ids = (Path(name).read_text(encoding="utf-8").split() for name in (users, groups))
    return 1 if asyncio.run(review(Path(output), user_ids, group_ids)) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
