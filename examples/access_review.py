"""
Write who is in which group, in both systems, as one CSV file, from nothing but credentials.

`python examples/access_review.py review.csv`: a row for each membership. What could not be asked has a row with the
error, which is said on stderr too; the exit status is then 1, for the review is not complete.
"""

import asyncio
import csv
import sys
from pathlib import Path

import attrs

from usergroups import M3terClient, Membership, SmartPMClient, review


async def write_review(output: Path) -> int:
    """Write all memberships, and return how many groups, users and lists could not be asked."""
    failed = 0
    with output.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in attrs.fields(Membership)])
        table.writeheader()
        async with M3terClient() as m3ter, SmartPMClient() as smartpm:
            async for row in review(m3ter, smartpm):
                table.writerow(attrs.asdict(row))
                if row.error:
                    failed += 1
                    print(row.system, row.group_id, row.user_id, row.error, file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(write_review(Path(sys.argv[1]))) else 0)
