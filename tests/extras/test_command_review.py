"""`usergroups review`: every membership, in each format, to the end and after every interruption."""

import asyncio
import csv
import json
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from io import StringIO
from pathlib import Path

import pytest

from extras.reviews import COLUMNS, HEADER, Row, memberships, rows_in, rows_of, served, small
from extras.shell import CODE, COMMAND, Terminal, left_early, piped
from usergroups.cli import main
from usergroups.cli.earlier import resume_review
from usergroups.cli.options import By
from usergroups.cli.rows import Csv, Format, JsonLines
from usergroups.cli.running import in_bursts
from usergroups.sandbox import Data, Sandbox, Server, smartpm_user

M3TER = ["M3TER_ORG_ID", "M3TER_API_KEY", "M3TER_API_SECRET"]
SMARTPM = ["SMARTPM_API_KEY", "SMARTPM_COMPANY_ID"]
SUMMARY = r"usergroups: {} asked, {} answered, {} failed, rows: {}, \d+\.\d s\n"
FAST = ["--max-rate", "10000"]


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a sandbox with few groups, which the command finds in its environment."""
    with served(Sandbox(data=small()), monkeypatch) as server:
        yield server


def put_odd_item(data: Data, group_id: str = "g3") -> None:
    """Let the group have an item that no review by groups can read."""
    data.add_m3ter_item(group_id, id="odd", targetType="ROBOT", targetId="r2")


# What comes out


@pytest.mark.parametrize("by", [[], ["--by", "groups"], ["--by", "users"]], ids=["either", "groups", "users"])
def test_every_membership_comes_out_once(company: Server, by: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever way it goes, a review has each membership, users in no group, and groups without users."""
    status = main(["review", *by])

    printed = capsys.readouterr()
    rows = rows_of(printed.out, "jsonl")
    assert (status, len(rows)) == (0, len(set(rows)))
    assert set(rows) == memberships(company.sandbox.data)
    assert re.fullmatch(SUMMARY.format(r"\d+", r"\d+", 0, len(rows)), printed.err)


def test_each_row_is_an_object_with_all_columns(company: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """In JSON, `inherited` is true, false or null, and what is not there is an empty text."""
    main(["review", "--system", "m3ter"])
    lines = capsys.readouterr().out.splitlines()
    main(["review", "--system", "m3ter", "--format", "json"])
    array = json.loads(capsys.readouterr().out)

    objects = {(one["group_id"], one["user_id"]): one for one in map(json.loads, lines)}
    assert all(tuple(one) == COLUMNS for one in array)
    assert {(one["group_id"], one["user_id"]): one for one in array} == objects
    assert objects["g1", "grace"]["inherited"] is True
    assert objects["g0", "grace"]["inherited"] is False
    assert objects["", "nobody"] == {
        "system": "m3ter",
        "group_id": "",
        "group_name": "",
        "user_id": "nobody",
        "user_email": "nobody@example.com",
        "inherited": None,
        "error": "",
    }


def test_csv_has_a_header_and_no_formulas(company: Server) -> None:
    """In CSV, `inherited` is true, false or empty, and a cell that a spreadsheet would calculate has an apostrophe."""
    run = piped("review", "--format", "csv", LC_ALL="C")

    text = run.stdout.decode("utf-8")
    cells = list(csv.reader(StringIO(text, newline="")))
    assert run.returncode == 0
    assert text.startswith(HEADER)
    assert set(rows_of(text, "csv")) == memberships(company.sandbox.data)
    assert ["m3ter", "g0", 'two\r\n"lines"', "'=ada", "'=ada@example.com", "false", ""] in cells
    assert {row[5] for row in cells[1:]} == {"true", "false", ""}


def test_table_shows_what_is_not_there_as_a_dash(company: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A table has a line for each row under the names of the columns."""
    main(["review", "--format", "table", "--quiet"])

    printed = capsys.readouterr()
    header, *lines = printed.out.splitlines()
    assert (header.split(), printed.err) == ([column.upper() for column in COLUMNS], "")
    assert len(lines) == len(memberships(company.sandbox.data))
    assert ["m3ter", "-", "-", "nobody", "nobody@example.com", "-"] in [line.split() for line in lines]


@pytest.mark.parametrize("system", ["m3ter", "smartpm"])
def test_one_system_needs_its_settings_alone(
    company: Server, system: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--system` reviews one system, wherever the settings of the other are."""
    for name in SMARTPM if system == "m3ter" else M3TER:
        monkeypatch.delenv(name)

    status = main(["review", "--system", system])

    rows = set(rows_of(capsys.readouterr().out, "jsonl"))
    assert (status, rows) == (0, {row for row in memberships(company.sandbox.data) if row[0] == system})


@pytest.mark.parametrize(
    ("arguments", "missing", "way_out"),
    [
        ([], [*M3TER, *SMARTPM], ", or name one system with --system"),
        (["--system", "m3ter"], M3TER, ""),
        (["--system", "smartpm"], SMARTPM, ""),
    ],
    ids=["both", "m3ter", "smartpm"],
)
def test_missing_settings_are_named_at_once(
    arguments: list[str], missing: list[str], way_out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where settings are missing, all of them are named, and the way to do without some."""
    status = main(["review", *arguments])

    printed = capsys.readouterr()
    ways_out = f"set them in the environment, or in a file for --env-file{way_out}"
    assert (status, printed.out) == (2, "")
    assert printed.err == f"usergroups: not set: {', '.join(missing)}; {ways_out}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "ids"], "--from"),
        (["ada"], "ada"),
        (["--by", "roles"], "--by"),
        (["--system", "okta"], "--system"),
        (["--format", "xml"], "--format"),
        (["--concurrency", "0"], "--concurrency must be at least 1"),
        (["--max-rate", "0", "--system", "smartpm"], "--max-rate must be greater than 0 and finite"),
        (["--timeout", "nan"], "--timeout must be greater than 0 and finite"),
    ],
    ids=["ids", "an id", "no such way", "no such system", "no such format", "none at once", "no rate", "no time"],
)
def test_wrong_usage_is_status_2(
    company: Server, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A review that is asked for in the wrong way asks nobody."""
    status = main(["review", *arguments])

    printed = capsys.readouterr()
    assert (status, printed.out, company.sandbox.counts.requests) == (2, "", 0)
    assert sentence in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", ["review", "diff"])
def test_help_is_quick(command: str) -> None:
    """The help waits for the import of nothing that asks, or makes a page."""
    late = {"httpx", "jinja2", "usergroups._review"}
    code = (
        f"from usergroups.cli import main; main([{command!r}, '--help']); sys.exit(bool({late!r} & sys.modules.keys()))"
    )

    run = subprocess.run([sys.executable, "-c", f"import sys; {code}"], capture_output=True, text=True, check=False)

    assert run.returncode == 0
    assert ("--by" if command == "review" else "OLD") in run.stdout


# What fails


def test_what_fails_is_a_row_and_a_line(company: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be asked has a row, is told on stderr with what it is, and the rest goes on."""
    put_odd_item(company.sandbox.data)
    company.sandbox.data.add_smartpm_user(smartpm_user("No Id", id=...))

    status = main(["review", "--by", "groups"])

    printed = capsys.readouterr()
    failed = {row for row in rows_of(printed.out, "jsonl") if row[-1]}
    *said, summary = printed.err.splitlines(keepends=True)
    odd = "it holds an item that is no user and no group: odd"
    no_id = "the user has no id, and cannot be asked for groups"
    assert status == 1
    assert failed >= {
        ("m3ter", "g3", "Zoë 👩‍💻", "", "", "", odd),
        ("smartpm", "", "", "", "no.id@blah.com", "", no_id),
    }
    assert f"usergroups: m3ter group g3: {odd}\n" in said
    assert f"usergroups: smartpm user no.id@blah.com: {no_id}\n" in said
    assert len(said) == len(failed)
    assert re.fullmatch(SUMMARY.format(r"\d+", r"\d+", len(failed), r"\d+"), summary)


def test_failure_names_what_a_shell_has(
    company: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows and stderr advise in the words of a shell: variables and options, no arguments of the SDK."""
    monkeypatch.setenv("SMARTPM_API_KEY", "another")

    status = main(["review", "--system", "smartpm"])

    printed = capsys.readouterr()
    [row] = rows_of(printed.out, "jsonl")
    said, summary = printed.err.splitlines(keepends=True)
    assert (status, row[:-1]) == (1, ("smartpm", "", "", "", "", ""))
    assert "; check SMARTPM_API_KEY and SMARTPM_COMPANY_ID" in row[-1]
    assert said == f"usergroups: smartpm: {row[-1]}\n"
    assert re.fullmatch(SUMMARY.format(0, 0, 1, 1), summary)


def test_user_that_fails_is_told_by_its_id(
    company: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who cannot be asked about is named, too."""
    company.sandbox.data.add_m3ter_user("..")

    status = main(["review", "--by", "users", "--system", "m3ter"])

    sentence = "the id must not be '.' or '..', or have spaces around it"
    printed = capsys.readouterr()
    assert status == 1
    assert ("m3ter", "", "", "..", "..@example.com", "", sentence) in rows_of(printed.out, "jsonl")
    assert printed.err.startswith(f"usergroups: m3ter user ..: {sentence}\n")


# Files, and what is resumed


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("by", ["groups", "users"])
def test_killed_review_is_resumed_to_the_exact_union(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str, suffix: str
) -> None:
    """A review that is killed five times, at any moment, and resumed each time has what one run would have."""
    chance = random.Random(f"{by} {suffix}")
    path = tmp_path / f"rows.{suffix}"
    command = [*COMMAND, "review", "--by", by, "-v", *FAST, "--output", str(path), "--resume"]
    sandbox = Sandbox(data=Data())
    sandbox.data.add_many(users=100, groups=25)
    with served(sandbox, monkeypatch):
        for _ in range(5):
            with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
                assert process.stderr is not None
                for _ in range(chance.randint(20, 90)):  # lines of the log: one or two for a request
                    process.stderr.readline()
                process.kill()
        done = subprocess.run(command, capture_output=True, check=False)

    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == [path]
    assert rows_in(path) == memberships(sandbox.data)


@pytest.mark.parametrize("by", ["groups", "users"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_what_is_kept_of_a_part_are_whole_groups_or_users(company: Server, tmp_path: Path, by: By, suffix: str) -> None:
    """Wherever FILE.part ends, within a cell of two lines too, no group or user is kept without all of its rows."""
    whole, path, part = (tmp_path / name for name in (f"whole.{suffix}", "rows", "rows.part"))
    assert main(["review", "--by", by, "--output", str(whole)]) == 0
    written = whole.read_bytes()
    rows = [row for row in rows_of(written.decode(), suffix) if row[1] and row[3]]
    form: Format = Csv(COLUMNS) if suffix == "csv" else JsonLines()
    keys = set[tuple[str, str]]()
    for cut in range(0, len(written) + 1, 1 if suffix == "csv" else 9):
        part.write_bytes(written[:cut])

        assert resume_review(path, form, ["m3ter", "smartpm"], by) is not None

        kept = rows_of(part.read_bytes().decode(), suffix)
        keys = {key(row, by) for row in kept}
        assert sorted(kept) == sorted(row for row in rows if key(row, by) in keys)
    assert len(keys) >= len({key(row, by) for row in rows}) - 2  # but the last of each system


def key(row: Row, by: By) -> tuple[str, str]:
    """Return what was asked to find *row*."""
    return row[0], row[1] if by == "groups" or row[0] == "smartpm" else row[3]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("cut", [0, 30, 200, 600, None], ids=["nothing", "header", "early", "late", "whole"])
@pytest.mark.parametrize("by", [[], ["--by", "groups"], ["--by", "users"]], ids=["either", "groups", "users"])
def test_resumed_file_is_that_of_one_run(
    company: Server, tmp_path: Path, by: list[str], suffix: str, cut: int | None
) -> None:
    """Wherever FILE.part was cut off, the file that comes of it is what one run would have written."""
    path, part = tmp_path / f"rows.{suffix}", tmp_path / f"rows.{suffix}.part"
    command = ["review", *by, "--quiet", "--output", str(path)]
    main(command)
    part.write_bytes(path.read_bytes()[:cut])
    path.unlink()

    assert main([*command, "--resume"]) == 0

    assert list(tmp_path.iterdir()) == [path]
    assert rows_in(path) == memberships(company.sandbox.data)


@pytest.mark.parametrize("by", ["groups", "users"])
def test_resume_asks_for_little_of_what_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What FILE answers is not asked again, but for the last group or user. The summary counts the rows kept."""
    path = tmp_path / "rows.csv"
    command = ["review", "--by", by, "--system", "m3ter", "--output", str(path), *FAST]
    sandbox = Sandbox(data=Data())
    sandbox.data.add_many(users=60)
    with served(sandbox, monkeypatch):
        main(command)
        capsys.readouterr()
        rows, pages = rows_in(path), sandbox.counts.pages

        assert main([*command, "--resume"]) == 0

    lists, again = 2, {"groups": 1, "users": 2}[by]
    assert sandbox.counts.pages - pages <= lists + again
    assert rows_in(path) == rows
    assert re.match(r"usergroups: [1-9]\d+ kept, ([01]) asked, \1 answered, 0 failed, ", capsys.readouterr().err)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("by", ["groups", "users"])
def test_review_that_fails_in_part_is_resumed_until_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str, suffix: str
) -> None:
    """What failed is asked again, its error goes, and so does what was concluded from it."""
    path = tmp_path / f"rows.{suffix}"
    command = ["review", "--by", by, "--quiet", "--output", str(path), "--resume"]
    with served(Sandbox(data=small(), fail=(418, 0.2), seed=3), monkeypatch) as server:
        statuses = [main(command)]
        while statuses[-1] == 1 and len(statuses) < 30:
            statuses.append(main(command))

    assert set(statuses[:-1]) == {1}
    assert statuses[-1] == 0
    assert rows_in(path) == memberships(server.sandbox.data)


@pytest.mark.parametrize("by", ["groups", "users"])
def test_resume_goes_the_way_of_the_file(
    company: Server, tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--by`, a review goes on as it began; with the other one nobody is asked, and the file stays as it is."""
    path = tmp_path / "rows.csv"
    main(["review", "--by", by, "--output", str(path)])
    written, requests = path.read_bytes(), company.sandbox.counts.requests
    capsys.readouterr()

    other = "users" if by == "groups" else "groups"
    refused = main(["review", "--by", other, "--output", str(path), "--resume"])
    said, asked = capsys.readouterr().err, company.sandbox.counts.requests - requests
    resumed = main(["review", "--output", str(path), "--resume"])

    assert (refused, asked, resumed) == (2, 0, 0)
    assert said == f"usergroups: --resume: the rows of m3ter were found by {by}: go on with --by {by}\n"
    assert len(path.read_bytes()) == len(written)
    assert rows_in(path) == memberships(company.sandbox.data)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("rows", "by"),
    [
        (["g1,,u1,,false,", "g2,,u2,,false,", "g1,,u3,,false,"], "users"),
        (["g1,,u1,,false,", "g1,,u2,,false,", "g2,,u1,,false,"], "groups"),
        ([",,u1,,,", "g1,,u2,,false,"], "users"),
        (["g1,,,,,", "g2,,u2,,false,"], "groups"),
        (["g1,,u1,,false,", ",,u2,,,it failed"], "users"),
        (["g1,,u1,,false,", "g2,,,,,it failed"], "groups"),
    ],
    ids=[
        "group that comes twice",
        "user who comes twice",
        "user in no group",
        "group without users",
        "user who failed",
        "group that failed",
    ],
)
def test_rows_tell_their_way(
    company: Server, tmp_path: Path, rows: list[str], by: By, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the rows can only have been found in one way, the other one is refused."""
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + "".join(f"m3ter,{row}\r\n" for row in [",,,,,no list", *rows]), newline="")

    status = main(["review", "--resume", "--output", str(path), "--by", "users" if by == "groups" else "groups"])

    assert (status, company.sandbox.counts.requests) == (2, 0)
    assert capsys.readouterr().err.endswith(f"were found by {by}: go on with --by {by}\n")


def test_rows_that_do_not_tell_their_way_are_asked_for_again(
    company: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it cannot be known whether groups or users are complete, none is taken for complete."""
    path, part = tmp_path / "rows.csv", tmp_path / "rows.csv.part"
    rows = ["g0,,grace,,false", "g1,,grace,,true", "nested,,grace,,false", "g3,,zoe,,false", "g2,,zoe,,false"]
    part.write_text(HEADER + "".join(f"m3ter,{row},\r\n" for row in rows), newline="")

    status = main(["review", "--output", str(path), "--resume"])

    assert (status, rows_in(path)) == (0, memberships(company.sandbox.data))
    said, _ = capsys.readouterr().err.splitlines()
    assert said.startswith("usergroups: --resume: the rows of m3ter do not tell whether --by was groups or users, and")


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("csv", "user_id,group_id,group_name,error\r\n"),
        ("csv", HEADER + "m3ter,1\r\n"),
        ("csv", HEADER + "okta,1,,2,,false,\r\n"),
        ("csv", HEADER + "smartpm,1,,2,,false,\r\n"),
        ("csv", HEADER + "m3ter,1,,2,,maybe,\r\n"),
        ("csv", HEADER + "".join(f"m3ter,{ids},,false,\r\n" for ids in ("1,,1", "2,,2", "1,,2", "2,,1"))),
        ("jsonl", '{"system": "m3ter"}\n'),
        ("jsonl", "text\n"),
        ("jsonl", "[]\n"),
        ("jsonl", "[" * 100_000 + "\n"),
        ("jsonl", json.dumps(dict.fromkeys(COLUMNS, None)) + "\n"),
        ("jsonl", json.dumps(dict.fromkeys(COLUMNS, "") | {"system": "m3ter", "inherited": []}) + "\n"),
    ],
    ids=[
        "other columns",
        "too few cells",
        "unknown system",
        "system that is not asked",
        "odd inherited",
        "neither way",
        "too few keys",
        "no JSON",
        "no object",
        "too deep",
        "no text",
        "inherited that is a list",
    ],
)
def test_file_of_something_else_is_not_resumed(
    company: Server, tmp_path: Path, suffix: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not of this command stays as it is."""
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(content.encode())

    status = main(["review", "--system", "m3ter", "--resume", "--output", str(path)])

    assert (status, company.sandbox.counts.requests) == (2, 0)
    assert capsys.readouterr().err == f"usergroups: --resume: {path} holds something else than rows of this command\n"
    assert path.read_bytes() == content.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_smartpm_rows_that_are_mixed_up_are_not_resumed(
    company: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SmartPM is reviewed by groups: rows of a group that do not follow each other are of no review."""
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + "".join(f"smartpm,{ids},,false,\r\n" for ids in ("1,,1", "2,,2", "1,,2")), newline="")

    assert main(["review", "--resume", "--output", str(path)]) == 2


def test_resume_needs_a_file_of_lines(company: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A page cannot be continued."""
    status = main(["review", "--resume", "--output", "rows.html"])

    assert (status, company.sandbox.counts.requests) == (2, 0)
    assert capsys.readouterr().err == "usergroups: --resume needs --output, and jsonl or csv as the format\n"


def test_part_of_an_earlier_run_is_not_replaced_in_silence(
    company: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who forgets `--resume` is told that there was something to resume."""
    (tmp_path / "rows.csv.part").write_text(HEADER)

    assert main(["review", "-o", str(tmp_path / "rows.csv")]) == 0

    assert "rows.csv.part of an earlier run is replaced; --resume would go on with it" in capsys.readouterr().err


# How it ends


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_signal_leaves_the_part(
    company: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    """What was answered by then is in FILE.part, in whole lines, and there is no FILE, and no traceback."""
    path, part = tmp_path / "rows.csv", tmp_path / "rows.csv.part"
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CODE}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("M3TER_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        put_no_id_last(company.sandbox.data)
        command = [sys.executable, "-c", code, "review", "--output", str(path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            process.stderr.readline()  # of SmartPM's failure; m3ter does not answer
            process.send_signal(number)
            said = process.stderr.read()

    assert process.returncode == status
    assert re.fullmatch(SUMMARY.format(r"\d+", r"\d+", 1, r"\d+"), said)
    assert not path.exists()
    text = part.read_bytes().decode()
    assert text.endswith("\r\n")
    assert len(rows_of(text, "csv")) >= 1


def put_no_id_last(data: Data) -> None:
    """Let SmartPM have a user without an id, so that there is a failure to wait for."""
    data.add_smartpm_user(smartpm_user("No Id", id=...))


@pytest.mark.parametrize("form", ["table", "jsonl", "json", "csv"])
def test_reader_that_leaves_early_ends_the_review_in_silence(company: Server, form: str) -> None:
    """`usergroups review | head -1` prints one line and no traceback."""
    assert left_early("review", "--format", form) == (1, b"")


def test_terminal_shows_how_far_it_is(company: Server, tmp_path: Path) -> None:
    """A terminal gets a bar with a count, and then the summary; rows and bar do not mix."""
    with (tmp_path / "rows").open("wb") as rows:
        shown = Terminal("review", "--by", "groups", "--system", "m3ter", stdout=rows.fileno()).read()
    both = Terminal("review", "--by", "groups", "--system", "m3ter").read()
    quiet = Terminal("review", "--quiet").read()

    assert "6/6" in shown
    assert re.search(SUMMARY.format(6, 6, 0, r"\d+"), shown)
    assert "nobody@example.com" in both
    assert "\x1b" not in quiet


# What comes together is written together


async def test_items_that_come_without_a_wait_come_together() -> None:
    """A burst ends where the next item has to be waited for, and an error comes after all items."""
    more = asyncio.Event()

    async def items() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        await more.wait()
        yield 3
        raise EOFError

    bursts = list[list[int]]()

    async def take() -> None:
        async for burst in in_bursts(items()):
            bursts.extend([burst] if burst else [])
            more.set()

    with pytest.raises(EOFError):
        await take()

    assert bursts == [[1, 2], [3]]


async def test_items_wait_while_nobody_takes_them() -> None:
    """Where what came is not taken, few more are fetched; and all are closed with the one who takes them."""
    made = list[int]()
    closed = asyncio.Event()

    async def items() -> AsyncGenerator[int, None]:
        try:
            for number in range(5000):
                made.append(number)
                yield number
        finally:
            closed.set()

    async with aclosing(in_bursts(items())) as bursts:
        first = await anext(bursts)
        for _ in range(10):
            await asyncio.sleep(0)

    assert (first, len(made)) == (list(range(1000)), 2000)
    assert closed.is_set()
