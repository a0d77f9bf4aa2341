"""What the command prints: rows in each format, whatever is in the names and around the command."""

import csv
import json
import re
from io import StringIO

import pytest

from extras.shell import MANAGERS, on_a_terminal, piped
from usergroups.cli import main
from usergroups.sandbox import Server, smartpm_user

NAMES = [
    "[red]Ops[/red] \x1b[2J\x07 :skull:\nlast\r\n",
    "👩‍👩‍👧‍👦 Families 👩‍💻",
    "می‌خواهم",  # with a zero-width non-joiner
    "\u200fمجموعة المديرين\u200f",
    "ops \u202enimda",
    "one\x85line\u2028more\u2029or\x9b2J less",
    '=1+1, "quoted"',
    "'=1",
    "@home",
    "long " * 100 + "end",
]
UNKNOWN = "550e8400-e29b-41d4-a716-44665544ffff"


def add_users(server: Server) -> list[str]:
    """Add zoe, who is in a group of each name, and return the ids of the groups."""
    data = server.sandbox.data
    groups = [data.add_m3ter_group(name, id=str(number)) for number, name in enumerate(NAMES)]
    data.add_m3ter_user("zoe", groups)
    return groups


@pytest.mark.parametrize("form", [[], ["--format", "json"]], ids=["jsonl", "json"])
def test_f94_json_has_all_there_is(server: Server, form: list[str]) -> None:
    """JSON is UTF-8, an object for each id, whatever the locale is; and no code of a terminal is in it as it is."""
    add_users(server)

    run = piped("m3ter", "zoe", "nobody", "..", "--concurrency", "1", *form, PYTHONIOENCODING="ascii", LC_ALL="C")

    text = run.stdout.decode("utf-8")
    assert len(text.splitlines()) == (5 if form else 3)
    zoe, nobody, dots = json.loads(text) if form else map(json.loads, text.splitlines())
    assert run.returncode == 1
    assert [group["name"] for group in zoe["groups"]] == NAMES
    assert nobody == {"user_id": "nobody", "groups": []}
    assert dots == {"user_id": "..", "error": "the id must not be '.' or '..', or have spaces around it"}
    assert "👩‍👩‍👧‍👦" in text
    assert not re.search(r"[\x1b\x80-\x9f]", text)


def test_f94_csv_has_all_there_is(server: Server) -> None:
    """CSV is UTF-8, a row a membership with a header, and no cell is a formula of a spreadsheet."""
    groups = add_users(server)

    run = piped("m3ter", "zoe", "nobody", "..", "--concurrency", "1", "--format", "csv", LC_ALL="C")

    header, *rows, nobody, dots = csv.reader(StringIO(run.stdout.decode("utf-8"), newline=""))
    assert header == ["user_id", "group_id", "group_name", "error"]
    assert [row[:2] for row in rows] == [["zoe", group] for group in groups]
    assert [row[2] for row in rows] == ["'" + name if name[0] in "=@" else name for name in NAMES]
    assert nobody == ["nobody", "", "", ""]
    assert dots == ["..", "", "", "the id must not be '.' or '..', or have spaces around it"]
    assert run.stdout.startswith(b"user_id,group_id,group_name,error\r\n")


def test_smartpm_in_each_format(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A group comes with its users, one that is empty with none, and one that cannot be asked about with a reason."""
    empty = server.sandbox.data.add_smartpm_group("Nobody", [])
    ids = [MANAGERS, empty, "no-uuid", "--concurrency", "1", "--format"]

    statuses = [main(["smartpm", *ids, "jsonl"]), main(["smartpm", *ids, "csv"])]

    lines = capsys.readouterr().out.splitlines()
    managers, nobody, wrong = map(json.loads, lines[:3])
    assert statuses == [1, 1]
    assert (managers["group_id"], managers["group"]["id"], len(managers["group"]["users"])) == (MANAGERS, MANAGERS, 5)
    assert (nobody["group"]["name"], nobody["group"]["users"]) == ("Nobody", [])
    assert wrong == {"group_id": "no-uuid", "error": "the id must be a UUID"}
    assert lines[3] == "group_id,group_name,user_id,user_email,error"
    assert lines[4] == f"{MANAGERS},Project Managers,{managers['group']['users'][0]['id']},kirby.smart@blah.com,"
    assert lines[9:] == [f"{empty},Nobody,,,", "no-uuid,,,,the id must be a UUID"]


def test_error_of_a_provider_is_a_row(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """What failed is a row, and a line on stderr; the rest is answered."""
    status = main(["smartpm", UNKNOWN, MANAGERS])

    printed = capsys.readouterr()
    errors = {row["group_id"]: row.get("error") for row in map(json.loads, printed.out.splitlines())}
    said, summary = printed.err.splitlines()
    assert (status, errors[MANAGERS]) == (1, None)
    assert f"{UNKNOWN} answered 404 Not Found" in errors[UNKNOWN]
    assert said.startswith(f"usergroups: {UNKNOWN}: GET /")
    assert re.fullmatch(r"usergroups: 2 asked, 1 answered, 1 failed, rows: 6, \d+\.\d s", summary)


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("jsonl", ""),
        ("json", "[]\n"),
        ("csv", "user_id,group_id,group_name,error\r\n"),
        ("table", f"{'USER_ID':36}  {'GROUP_ID':36}  GROUP_NAME  ERROR\n"),
    ],
)
def test_nothing_asked_is_no_failure(form: str, printed: str) -> None:
    """Without ids there are no rows, in each format."""
    around = {"M3TER_ORG_ID": "1", "M3TER_API_KEY": "2", "M3TER_API_SECRET": "3"}

    run = piped("m3ter", "--from", "-", "--format", form, "--quiet", stdin=b"# none\n", **around)

    assert (run.returncode, run.stdout.decode(), run.stderr) == (0, printed, b"")


SURROUNDINGS = pytest.mark.parametrize(
    "around",
    [
        pytest.param({}, id="none"),
        pytest.param({"COLUMNS": "0"}, id="no columns"),
        pytest.param({"COLUMNS": "1"}, id="one column"),
        pytest.param({"COLUMNS": "x"}, id="columns that are no number"),
        pytest.param({"TERM": "dumb"}, id="dumb terminal"),
        pytest.param({"NO_COLOR": "1", "LC_ALL": "C"}, id="no colour"),
        pytest.param({"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "COLUMNS": "0"}, id="forced colour"),
    ],
)


def as_cells(table: str) -> list[str]:
    """Return the names in *table*, which is all that there is of them."""
    header, *lines = table.splitlines()
    assert header.split() == ["USER_ID", "GROUP_ID", "GROUP_NAME", "ERROR"]
    assert [line[:39].split() for line in lines] == [["zoe", str(number)] for number in range(len(NAMES))]
    return [line[76:] for line in lines]


SHOWN = [
    "[red]Ops[/red] [2J :skull: last",
    *NAMES[1:5],
    "one line more or 2J less",
    *NAMES[6:],
]


@SURROUNDINGS
def test_f94_into_a_pipe_goes_all_there_is_and_no_codes(server: Server, around: dict[str, str]) -> None:
    """Whatever the environment says of a terminal, a pipe gets every group, whole, and none of a terminal's codes."""
    add_users(server)

    run = piped("m3ter", "zoe", "--format", "table", **around)

    assert as_cells(run.stdout.decode()) == SHOWN


@SURROUNDINGS
def test_f94_a_terminal_gets_all_there_is(server: Server, around: dict[str, str]) -> None:
    """However wide a terminal says that it is, it gets every group, whole. No name turns its line around there."""
    add_users(server)

    printed = on_a_terminal("m3ter", "zoe", **around)

    assert as_cells(printed) == [name.replace("\u202e", "") for name in SHOWN]


def test_f94_columns_are_as_wide_as_their_cells_look(server: Server) -> None:
    """The cells of a column begin below each other, also behind characters that are two columns wide."""
    data = server.sandbox.data
    group_id = data.add_smartpm_group("山田 👩", [smartpm_user("Zoë Zulu"), smartpm_user("Al Alpha")])

    _, *lines = piped("smartpm", group_id, "no-uuid", "--format", "table").stdout.decode().splitlines()

    rows = [line.split("  ") for line in lines if "山田" in line]
    assert [row[0] for row in rows] == [group_id, group_id]
    assert all("山田 👩" in row[1] for row in rows)
    assert len({line.index("山田") for line in lines if "山田" in line}) == 1


def test_a_name_that_the_terminal_cannot_show_is_spelt_out(server: Server) -> None:
    """A table for an output that knows ASCII only has an escape, not a traceback."""
    group_id = server.sandbox.data.add_smartpm_group("Zoë", [])

    run = piped("smartpm", group_id, "--format", "table", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert rb"Zo\xeb" in run.stdout
