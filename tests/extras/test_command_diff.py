"""`usergroups diff`: what changed between two reviews, and what cannot be known."""

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest

from extras.reviews import COLUMNS, HEADER, Row, served
from extras.shell import left_early, piped
from usergroups.cli import main
from usergroups.sandbox import Data, Sandbox, smartpm_group_id, smartpm_user

OLD: Sequence[Row] = [
    ("m3ter", "g1", "Billing", "ada", "ada@example.com", "false", ""),
    ("m3ter", "g1", "Billing", "grace", "grace@example.com", "true", ""),
    ("m3ter", "g2", "Finance", "ada", "ada@example.com", "false", ""),
    ("m3ter", "", "", "nobody", "nobody@example.com", "", ""),
    ("m3ter", "g3", "Empty", "", "", "", ""),
    ("smartpm", "s1", "Site", "kirby", "kirby@blah.com", "false", ""),
]
LISTS = ("m3ter", "", "", "", "", "", "not all groups could be listed")


def as_csv(rows: Sequence[Row]) -> str:
    """Return *rows* as a review in CSV."""
    text = StringIO()
    csv.writer(text).writerows([COLUMNS, *rows])
    return text.getvalue()


def as_jsonl(rows: Sequence[Row]) -> str:
    """Return *rows* as a review in JSON lines."""
    inherited = {"true": True, "false": False, "": None}
    objects = [dict(zip(COLUMNS, row, strict=True)) | {"inherited": inherited[row[5]]} for row in rows]
    return "".join(f"{json.dumps(one)}\n" for one in objects)


def changes(tmp_path: Path, old: Sequence[Row], new: Sequence[Row], capsys: pytest.CaptureFixture[str]) -> list[Row]:
    """Return the rows of the difference, after those of the exit status have been looked at."""
    files = tmp_path / "old.csv", tmp_path / "new.jsonl"
    files[0].write_text(as_csv(old), encoding="utf-8", newline="")
    files[1].write_text(as_jsonl(new), encoding="utf-8")
    status = main(["diff", *map(str, files), "--format", "csv"])
    printed = capsys.readouterr()
    header, *rows = csv.reader(StringIO(printed.out, newline=""))
    assert header == ["change", *COLUMNS]
    left_out = sorted({row[0] for row in old} - {row[0] for row in new})
    sentences = [f"usergroups: {files[1]} has no row of {one}: was that left out?\n" for one in left_out]
    assert printed.err == "".join(sentences)
    assert status == (1 if rows else 0)
    return [tuple(row) for row in rows]


def test_same_reviews_are_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In whichever order and format they are, the same memberships are no difference: nothing is printed."""
    assert changes(tmp_path, OLD, OLD[::-1], capsys) == []


def test_names_addresses_and_who_is_alone_are_no_access(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another name, another address, and a user or group that is in no membership, are no difference."""
    renamed = [(*row[:2], "New", row[3], "new@example.com", *row[5:]) for row in OLD if row[1] and row[3]]
    new = [*renamed, ("m3ter", "g4", "Also empty", "", "", "", "")]

    assert changes(tmp_path, OLD, new, capsys) == []


def test_each_change_is_a_row_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was added, removed, or is inherited otherwise is named; that a whole system is gone is said, too."""
    direct = (*OLD[1][:5], "false", "")
    added = ("m3ter", "g2", "Finance", "zoe", "zoe@example.com", "true", "")
    first = ("m3ter", "g0", "Alpha", "zoe", "zoe@example.com", "false", "")

    found = changes(tmp_path, OLD, [added, OLD[0], direct, first, OLD[2]], capsys)

    assert found == [("added", *first), ("changed", *direct), ("added", *added), ("removed", *OLD[5])]


@pytest.mark.parametrize("failed_in", ["old", "new", "both"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (("m3ter", "g1", "Billing", "", "", "", "it failed"), ["g2 ada", "s1 kirby"]),
        (("m3ter", "", "", "ada", "ada@example.com", "", "it failed"), ["g1 grace", "s1 kirby"]),
        (("m3ter", "g1", "Billing", "ada", "ada@example.com", "", "it failed"), ["g1 grace", "g2 ada", "s1 kirby"]),
        (LISTS, ["s1 kirby"]),
        (("m3ter", "", "", "", "no@id.com", "", "it has no id"), ["g1 ada", "g1 grace", "g2 ada", "s1 kirby"]),
    ],
    ids=["group", "user", "membership", "list", "user without an id"],
)
@pytest.mark.parametrize("change", ["added", "removed"])
def test_what_failed_in_either_review_is_unknown(
    tmp_path: Path, error: Row, told: list[str], failed_in: str, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What failed is one row, and what it would have told is neither added nor removed; all else is."""
    full, empty = (list(OLD), []) if change == "removed" else ([], list(OLD))
    old = full + [error] * (failed_in != "new")
    new = empty + [error] * (failed_in != "old")

    found = changes(tmp_path, old, new, capsys)

    assert [row for row in found if row[0] == "unknown"] == [("unknown", *error)]
    assert [f"{row[2]} {row[4]}" for row in found if row[0] != "unknown"] == told
    assert {row[0] for row in found} == {"unknown", change}


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (("m3ter", "g1", "", "", "", "", "it failed"), False),
        (("m3ter", "", "", "grace", "", "", "it failed"), False),
        (("m3ter", "g2", "", "", "", "", "it failed"), True),
        (LISTS, True),
    ],
    ids=["its group", "its user", "another group", "list"],
)
def test_change_is_told_unless_its_group_or_user_failed(
    tmp_path: Path, error: Row, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A membership that is in both reviews is compared, also where a list was not read to its end."""
    direct = (*OLD[1][:5], "false", "")

    found = changes(tmp_path, [OLD[1], error], [direct], capsys)

    assert found == sorted([("unknown", *error)] + [("changed", *direct)] * is_told, key=lambda row: row[1:4])


def test_newer_failure_is_the_one_that_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the same failed in both reviews, there is one row."""
    assert changes(tmp_path, [LISTS], [(*LISTS[:-1], "another reason")], capsys) == [
        ("unknown", *LISTS[:-1], "another reason")
    ]


def change_ten(data: Data) -> set[tuple[str, str, str]]:
    """Change ten memberships of `add_many`, and return how each has changed, its group's name and its user."""
    crew, department = (key for key, one in data.m3ter_groups.items() if one["name"] in ("Crew 1", "Department 2"))
    if data.m3ter_groups[crew]["name"] != "Crew 1":
        crew, department = department, crew
    auditors = data.add_m3ter_group("Auditors")
    for user_id in ("user-3", "user-6"):  # they are in the crew, which is nested in the department
        data.add_m3ter_member(department, user_id)
    for user_id in ("user-3", "user-6", "user-9"):
        data.add_m3ter_member(auditors, user_id)
    data.m3ter_users["user-9"].remove(crew)
    four, five = (smartpm_group_id(number) for number in (4, 5))
    gone = [data.smartpm_groups[site]["users"].pop() for site in (four, five)]
    new = smartpm_user("New Here")
    data.add_smartpm_member(five, new)
    return {
        ("changed", "Department 2", "user-3"),
        ("changed", "Department 2", "user-6"),
        ("added", "Auditors", "user-3"),
        ("added", "Auditors", "user-6"),
        ("added", "Auditors", "user-9"),
        ("removed", "Crew 1", "user-9"),
        ("removed", "Department 2", "user-9"),
        ("removed", "Site 4", gone[0]["id"]),
        ("removed", "Site 5", gone[1]["id"]),
        ("added", "Site 5", str(new["id"])),
    }


@pytest.mark.parametrize("by", ["groups", "users"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_ten_changed_memberships_are_named_exactly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two reviews of an organization in which ten memberships have changed, these ten come out."""
    old, new, data = tmp_path / f"old.{suffix}", tmp_path / f"new.{suffix}", Data()
    data.add_many(users=60, groups=5)
    with served(Sandbox(data=data), monkeypatch):
        reviewed = [main(["review", "-q", "--max-rate", "1000", "-o", str(old)])]
        expected = change_ten(data)
        reviewed += [main(["review", "-q", "--max-rate", "1000", "-o", str(new), "--by", by])]

    status = main(["diff", str(old), str(new)])

    found = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert (reviewed, status, len(found)) == ([0, 0], 1, 10)
    assert {(row["change"], row["group_name"], row["user_id"]) for row in found} == expected
    assert found == sorted(found, key=lambda row: (row["system"], row["group_id"], row["user_id"]))


def test_group_that_fails_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one group could not be read, that is the one difference, whatever is in it."""
    old, new, data = tmp_path / "old.csv", tmp_path / "new.csv", Data()
    data.add_many(users=60)
    department = next(key for key, one in data.m3ter_groups.items() if one["name"] == "Department 1")
    command = ["review", "-q", "--system", "m3ter", "--by", "groups", "-o"]
    with served(Sandbox(data=data), monkeypatch):
        main([*command, str(old)])
        data.add_m3ter_item(department, id="odd", targetType="ROBOT", targetId="r2")
        data.add_m3ter_member(department, "user-1")
        main([*command, str(new)])
    capsys.readouterr()

    status = main(["diff", str(old), str(new)])

    [row] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (status, row["change"], row["group_id"], row["user_id"]) == (1, "unknown", department, "")
    assert row["error"] == "it holds an item that is no user and no group: odd"


# How it comes out


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write two reviews that differ in one membership."""
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(as_csv(OLD), newline="")
    new.write_text(as_csv(OLD[1:]), newline="")
    return str(old), str(new)


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_each_format(files: tuple[str, str], form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A difference comes in the formats that all rows come in."""
    status = main(["diff", *files, "--format", form])

    out = capsys.readouterr().out
    removed = {"change": "removed", **dict(zip(COLUMNS, OLD[0], strict=True)), "inherited": False}
    assert status == 1
    if form == "table":
        header, line = out.splitlines()
        assert header.split() == ["CHANGE", *(column.upper() for column in COLUMNS)]
        assert line.split() == ["removed", *OLD[0][:-1]]
    elif form == "csv":
        assert out == f"change,{HEADER}".strip() + "\r\nremoved," + ",".join(OLD[0]) + "\r\n"
    else:
        assert json.loads(out) == ([removed] if form == "json" else removed)


def test_terminal_is_not_needed(files: tuple[str, str]) -> None:
    """In a pipe, a difference is JSON lines, and stderr stays empty."""
    run = piped("diff", *files)

    assert (run.returncode, run.stderr, json.loads(run.stdout)["change"]) == (1, b"", "removed")


def test_output_is_a_file_once_it_is_whole(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-o` writes what its suffix says, and nothing to stdout."""
    path = tmp_path / "diff.csv"

    status = main(["diff", *files, "-o", str(path)])

    assert (status, capsys.readouterr().out) == (1, "")
    assert path.read_bytes().decode().startswith(f"change,{HEADER}removed,m3ter,")
    assert len(list(tmp_path.iterdir())) == 3


def test_long_difference_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However many rows there are, each comes out once."""
    old = [("m3ter", "g", "", f"user-{number:04}", "", "false", "") for number in range(2500)]

    assert changes(tmp_path, old, [], capsys) == [("removed", *row) for row in old]


def test_file_saved_by_a_spreadsheet_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A byte order mark, cells in quotes and line ends without a carriage return are no difference, nor is a name."""
    old, new = tmp_path / "old", tmp_path / "new"
    rows = [("m3ter", "=g", 'two\r\n"lines"', "+u", "@x", "false", "")]
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([COLUMNS, *rows])
    old.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    new.write_text(HEADER + "m3ter,'=g,name,'+u,'@x,false,\r\n", encoding="utf-8", newline="")

    assert main(["diff", str(old), str(new)]) == 0


def test_files_are_told_apart_by_what_is_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file need not have a suffix, and one of JSON lines may be empty: there was nothing to review."""
    (tmp_path / "old").write_text(as_jsonl(OLD))
    (tmp_path / "new").write_text("")

    status = main(["diff", str(tmp_path / "old"), str(tmp_path / "new"), "--format", "csv"])

    assert (status, len(capsys.readouterr().out.splitlines())) == (1, 5)


def test_part_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part of a review is compared, and not in silence."""
    (tmp_path / "old.csv").write_text(as_csv(OLD), newline="")
    part = tmp_path / "new.csv.part"
    part.write_text(as_csv([*OLD[:2], *OLD[3:]]), newline="")

    status = main(["diff", str(tmp_path / "old.csv"), str(part), "-o", str(tmp_path / "diff")])

    sentence = f"{part} is of a review that has not ended: it may lack what the other one has"
    assert (status, capsys.readouterr().err) == (1, f"usergroups: {sentence}\n")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("nowhere", None, "cannot read {}: no such file or directory"),
        ("new.csv", "", "{} is no review in CSV or JSON lines"),
        ("new.csv", "user_id,group_id,group_name,error\r\n", "{} is no review in CSV or JSON lines"),
        ("new.csv", HEADER + "m3ter,1\r\n", "{} is no review in CSV or JSON lines"),
        ("new.csv", HEADER + "okta,1,,2,,false,\r\n", "{} is no review in CSV or JSON lines"),
        ("new.json", "[\n" + as_jsonl(OLD[:1]) + "]\n", "{} is no review in CSV or JSON lines"),
        ("new.jsonl", '{"user_id": "ada", "groups": []}\n', "{} is no review in CSV or JSON lines"),
        ("new.jsonl", "{text\n", "{} is no review in CSV or JSON lines"),
        ("new.csv", b"\xff\n", "{} is no review in CSV or JSON lines"),
        ("new.csv.part", as_csv(OLD)[:-2], "{} ends in half a line: its review has not ended"),
        ("new.csv.part", as_csv(OLD) + 'm3ter,g9,"two\r\n', "{} ends in half a line: its review has not ended"),
        ("new.jsonl.part", as_jsonl(OLD)[:-1], "{} ends in half a line: its review has not ended"),
        ("new.jsonl.part", as_jsonl(OLD)[:-20], "{} ends in half a line: its review has not ended"),
    ],
    ids=[
        "missing",
        "empty CSV",
        "other columns",
        "too few cells",
        "unknown system",
        "JSON array",
        "other rows",
        "no JSON",
        "no text",
        "line without an end",
        "half a row in quotes",
        "object without an end of line",
        "half an object",
    ],
)
def test_file_that_cannot_be_compared_is_status_2(
    files: tuple[str, str],
    tmp_path: Path,
    name: str,
    content: str | bytes | None,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is no review, or not all of one that was being written, is trouble, whichever of the two files it is."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    statuses = [main(["diff", files[0], str(path)]), main(["diff", str(path), files[0]])]

    printed = capsys.readouterr()
    assert (statuses, printed.out) == ([2, 2], "")
    assert printed.err == f"usergroups: {sentence.format(path)}\n" * 2


def test_folder_cannot_be_compared(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is no review."""
    assert main(["diff", files[0], str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"usergroups: cannot read {tmp_path}: is a directory\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["OLD"],
        ["OLD", "NEW", "more"],
        ["OLD", "NEW", "--format", "html"],
        ["OLD", "NEW", "-o", "/nowhere/rows"],
    ],
    ids=["no file", "one file", "three files", "page", "output in no folder"],
)
def test_trouble_is_status_2(files: tuple[str, str], arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As with diff(1), status 1 says that there are differences, and nothing else."""
    named = dict(zip(("OLD", "NEW"), files, strict=True))

    status = main(["diff", *(named.get(argument, argument) for argument in arguments)])

    assert (status, capsys.readouterr().err.count("\n")) == (2, 1)


def test_reader_that_leaves_early_ends_the_command_in_silence(files: tuple[str, str]) -> None:
    """`usergroups diff OLD NEW | true` says nothing."""
    assert left_early("diff", *files) == (1, b"")
