"""What tests of the review share: organizations, what a review of them must say, and the files that say it."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from usergroups.sandbox import Data, Sandbox, Server, serve, smartpm_user

COLUMNS = ("system", "group_id", "group_name", "user_id", "user_email", "inherited", "error")
HEADER = ",".join(COLUMNS) + "\r\n"

Row = tuple[str, ...]


@contextmanager
def served(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve *sandbox*, where the command finds it in its environment."""
    with serve(sandbox) as server:
        for name, value in (server.env | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).items():
            monkeypatch.setenv(name, value)
        yield server


def small() -> Data:
    """Make a few groups, nested ones too, with names that are hard to cut at the right place."""
    data = Data()
    names = ['two\r\n"lines"', "a, b", "=1\n", "Zoë 👩‍💻", "Empty"]
    tops = [data.add_m3ter_group(name, id=f"g{number}") for number, name in enumerate(names)]
    nested = data.add_m3ter_group("Nested", id="nested", parents=tops[:2])
    data.add_m3ter_user("=ada", tops[:2])
    data.add_m3ter_user("grace", [tops[0], nested])
    data.add_m3ter_user("linus", [nested], email='"quoted", too\n')
    data.add_m3ter_user("zoe", tops[1:4])
    data.add_m3ter_user("nobody")
    data.add_smartpm_group("Managers", [smartpm_user("Kirby Smart"), smartpm_user("Zoë Zulu")])
    data.add_smartpm_group("Site", [smartpm_user("Kirby Smart")])
    data.add_smartpm_user(smartpm_user("Al Alone"))
    return data


def memberships(data: Data) -> set[Row]:
    """Return the rows of a whole review of *data* as a CSV file has them, but for the apostrophes before formulas."""
    rows = set[Row]()
    for user_id in data.m3ter_users:
        user = (user_id, str(data.m3ter_user(user_id)["email"]))
        direct = [group["id"] for group in data.groups_of(user_id, inherited=False)]
        for group in data.groups_of(user_id, inherited=True):
            inherited = "false" if group["id"] in direct else "true"
            rows.add(("m3ter", str(group["id"]), str(group["name"]), *user, inherited, ""))
        if not direct:
            rows.add(("m3ter", "", "", *user, "", ""))
    used = {row[1] for row in rows}
    unused = [group for group in data.m3ter_groups.values() if group["id"] not in used]
    rows.update(("m3ter", str(group["id"]), str(group["name"]), "", "", "", "") for group in unused)
    for smartpm_group in data.smartpm_groups.values():
        users: Any = smartpm_group["users"]
        group = ("smartpm", str(smartpm_group["id"]), str(smartpm_group["name"]))
        rows.update((*group, str(one["id"]), str(one["email"]), "false", "") for one in users)
    alone = data.smartpm_users
    rows.update(("smartpm", "", "", str(user["id"]), str(user["email"]), "", "") for user in alone)
    return rows


def rows_of(text: str, form: str) -> list[Row]:
    """Return the rows of a file in CSV or JSON lines, as `memberships` has them."""
    if form == "csv":
        assert text.startswith(HEADER)
        cells = list(csv.reader(StringIO(text.removeprefix(HEADER), newline="")))
        return [tuple(cell[1:] if cell[:2] in ("'=", "'+") else cell for cell in row) for row in cells]
    objects = [json.loads(line) for line in text.splitlines()]
    assert all(tuple(one) == COLUMNS for one in objects)
    spelt = {True: "true", False: "false", None: ""}
    return [tuple(spelt.get(value, value) for value in one.values()) for one in objects]


def rows_in(path: Path) -> set[Row]:
    """Return the rows of a file, of which none comes twice."""
    counted = Counter(rows_of(path.read_bytes().decode(), path.suffix[1:]))
    assert counted.total() == len(counted)
    return set(counted)
