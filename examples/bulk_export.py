"""
Write the m3ter groups of many users to a CSV file: `python examples/bulk_export.py ids.txt groups.csv`.

Run it again after an interruption: it goes on where it stopped, and asks again about users whose call failed.
"""

import asyncio
import csv
import io
import sys
from pathlib import Path

import attrs

from usergroups import M3terClient, sweep
from usergroups.m3ter import UserGroup

PLAIN = attrs.filters.exclude("additional_properties")
FIELDS = [field.name for field in attrs.fields(UserGroup) if PLAIN(field, None)]


def whole_rows(output: Path) -> list[dict[str, str]]:
    """Return the rows in *output*, without those of its last user, which may be cut off."""
    text = output.read_bytes().decode(errors="replace") if output.exists() else ""
    rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline="")))
    return [row for row in rows if row["user_id"] != rows[-1]["user_id"]]


async def export(user_ids: list[str], output: Path) -> int:
    """Write a row for each group of each user, and return how many calls failed."""
    rows, failed, part = whole_rows(output), 0, output.with_name(f"{output.name}.part")
    known = {row["user_id"] for row in rows}
    waiting = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in known]
    with part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["user_id", *FIELDS])
        table.writeheader()
        table.writerows(rows)
        file.flush()
        part.replace(output)  # from here on, rows are added to it
        done = 0
        async with M3terClient() as m3ter:
            async for outcome in sweep(m3ter.list_user_groups, waiting, on_error="yield"):
                done += 1
                print(f"{done} of {len(waiting)}", end="\r", file=sys.stderr)
                if outcome.error is None:
                    groups = [attrs.asdict(group, filter=PLAIN) for group in outcome.result()]
                    table.writerows({"user_id": outcome.key} | group for group in groups or [{}])
                    file.flush()
                else:
                    failed += 1
                    print(f"{outcome.key}: {outcome.error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    failed = asyncio.run(export(Path(sys.argv[1]).read_text(encoding="utf-8").split(), Path(sys.argv[2])))
    sys.exit(f"{failed} calls failed: run this again" if failed else 0)
