"""Files that the command writes: named once they are whole, and resumed where they are not."""

import csv
import json
import signal
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import pytest

from extras.shell import CODE, COMMAND
from usergroups.cli import main
from usergroups.cli.resume import resume
from usergroups.cli.rows import Csv, Format, JsonLines
from usergroups.sandbox import Server

COLUMNS = ("user_id", "group_id", "group_name", "error")
HEADER = ",".join(COLUMNS) + "\r\n"


@pytest.fixture
def users(server: Server) -> list[str]:
    """Add users whose groups have names that are hard to cut at the right place."""
    data = server.sandbox.data
    groups = [
        data.add_m3ter_group(name, id=str(n)) for n, name in enumerate(['two\r\n"lines"', "a, b", "=1\n", "Zoë 👩‍💻"])
    ]
    ids = ["=one", "two", "three, or 3", '"four"', "none"]
    for user_id in ids:
        data.add_m3ter_user(user_id, groups if user_id != "none" else [])
    return ids


def rows_of(path: Path) -> list[object]:
    """Return the rows of a file, in an order of their own."""
    text = path.read_bytes().decode()
    if path.suffix == ".csv":
        assert text.startswith(HEADER)
        return sorted(csv.reader(text.removeprefix(HEADER).splitlines(keepends=True)))
    return sorted(text.splitlines())


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("rows.csv", HEADER),
        ("rows.JSON", "[\n{"),
        ("rows.jsonl", '{"user_id": '),
        ("rows.txt", '{"user_id": '),
        ("rows", '{"user_id": '),
    ],
)
def test_suffix_names_the_format(
    server: Server, tmp_path: Path, name: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--output` writes what its suffix says, and stdout stays empty."""
    path = tmp_path / name

    status = main(["m3ter", "ada", "--output", str(path)])

    assert (status, capsys.readouterr().out) == (0, "")
    assert path.read_bytes().decode().startswith(begins)
    assert list(tmp_path.iterdir()) == [path]


def test_format_goes_before_the_suffix(server: Server, tmp_path: Path) -> None:
    """`--format` says what a file is where its suffix says something else."""
    path = tmp_path / "rows.csv"

    main(["m3ter", "ada", "-o", str(path), "--format", "table"])

    assert path.read_text(encoding="utf-8").startswith("USER_ID ")


def test_file_is_replaced_once_everything_was_asked(server: Server, tmp_path: Path) -> None:
    """Whoever looks into the file meanwhile sees what was there before; a row that failed does not hold it up."""
    path = tmp_path / "rows.jsonl"
    path.write_text("before", encoding="utf-8")

    with subprocess.Popen(
        [*COMMAND, "m3ter", "ada", "..", "--from", "-", "-o", str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.readline()  # the id that cannot be asked about has been told of
        meanwhile = path.read_text(encoding="utf-8"), (tmp_path / "rows.jsonl.part").exists()
        process.stdin.close()

    assert (meanwhile, process.returncode) == (("before", True), 1)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_signal_leaves_the_part(server: Server, tmp_path: Path, number: signal.Signals, status: int) -> None:
    """What was answered by then is in FILE.part, in whole lines, and there is no FILE."""
    path = tmp_path / "rows.jsonl"
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CODE}"
    command = [sys.executable, "-c", code, "m3ter", "ada", "..", "--from", "-", "-o", str(path), "--concurrency", "1"]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.readline()  # both are answered now
        process.send_signal(number)
        said = process.stderr.read()

    part = tmp_path / "rows.jsonl.part"
    assert process.returncode == status
    assert said.startswith("usergroups: 2 asked, 1 answered, 1 failed, rows: 4, ")
    assert said.count("\n") == 1
    assert [json.loads(line)["user_id"] for line in part.read_bytes().splitlines()] == ["ada", ".."]
    assert not path.exists()


@pytest.mark.parametrize(
    ("output", "status", "sentence"),
    [
        ("{}", 2, "--output: {} is not a regular file"),
        ("{}/nowhere/rows", 1, "cannot write to {}/nowhere/rows: no such file or directory"),
    ],
    ids=["folder", "in no folder"],
)
def test_file_that_cannot_be_written(
    server: Server, tmp_path: Path, output: str, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the rows cannot go where they should, nobody is asked."""
    ended = main(["m3ter", "ada", "--output", output.format(tmp_path)])

    assert (ended, capsys.readouterr().err) == (status, f"usergroups: {sentence.format(tmp_path)}\n")
    assert server.sandbox.counts.requests == 0


def test_file_that_cannot_get_its_name(server: Server, tmp_path: Path) -> None:
    """Rows that cannot be given their name are no success, and stay in FILE.part."""
    path = tmp_path / "rows.jsonl"

    with subprocess.Popen(
        [*COMMAND, "m3ter", "..", "--from", "-", "-o", str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.readline()
        path.mkdir()
        process.stdin.close()
        said = process.stderr.read().decode()

    assert (process.returncode, said) == (1, f"usergroups: cannot write to {path}: is a directory\n")
    assert (tmp_path / "rows.jsonl.part").exists()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("cut", [1, 30, 100, 400, None], ids=["first", "header", "early", "late", "whole"])
def test_resumed_file_is_that_of_one_run(
    server: Server, users: list[str], tmp_path: Path, suffix: str, cut: int | None
) -> None:
    """Wherever FILE.part was cut off, the rest is asked for, and the file is what one run would have written."""
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"rows.{suffix}"
    command = ["m3ter", *users, "--quiet", "--output"]
    main([*command, str(whole)])
    path.with_name(f"{path.name}.part").write_bytes(whole.read_bytes()[:cut])
    before = server.sandbox.counts.pages

    assert main([*command, str(path), "--resume"]) == 0

    assert rows_of(path) == rows_of(whole)
    assert sorted(tmp_path.iterdir()) == [path, whole]
    if cut is None:  # an id whose rows may lack some is asked about once more
        assert server.sandbox.counts.pages - before == (1 if suffix == "csv" else 0)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_part_that_was_cut_off_answers_what_is_whole(users: list[str], tmp_path: Path, suffix: str) -> None:
    """Wherever FILE.part was cut off, an id is answered by all of its rows: all ids are but the last one's, at most."""
    form: Format = Csv(COLUMNS) if suffix == "csv" else JsonLines()
    path, part = tmp_path / "rows", tmp_path / "rows.part"
    blocks: list[bytes] = []
    for user_id in users:
        main(["m3ter", user_id, "--quiet", "--output", str(path), "--format", suffix])
        blocks.append(path.read_bytes().removeprefix(form.begin().encode()))
    written = form.begin().encode() + b"".join(blocks)
    ends = list(accumulate(map(len, blocks), initial=len(form.begin())))[1:]
    for cut in range(len(written) + 1):
        part.write_bytes(written[:cut])

        answered = resume(path, form, COLUMNS)

        assert answered is not None
        count = sum(end <= cut for end in ends)
        assert len(answered) in ((count - 1, count) if suffix == "csv" and count else (count,))
        assert answered == set(users[: len(answered)])
        assert part.read_bytes() == written[: ends[len(answered) - 1] if answered else len(form.begin())]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_resume_keeps_what_is_answered_and_asks_the_rest(
    server: Server, users: list[str], tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What FILE answers is not asked again, what failed is, and its error is gone; the summary counts what is kept."""
    path = tmp_path / f"rows.{suffix}"
    command = ["m3ter", *users, "late", "--output", str(path)]
    assert main(command) == 1
    server.sandbox.data.add_m3ter_user("late", [])
    before = server.sandbox.counts.pages
    capsys.readouterr()

    assert main([*command, "--resume"]) == 0

    assert capsys.readouterr().err.startswith(f"usergroups: {len(users)} kept, 1 asked, 1 answered, 0 failed, ")
    assert server.sandbox.counts.pages == before + 1
    assert "late" in path.read_text(encoding="utf-8")
    assert "404" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_resume_where_nothing_is_begins(server: Server, tmp_path: Path, suffix: str) -> None:
    """`--resume` may stand in a script that runs for the first time."""
    path = tmp_path / f"rows.{suffix}"

    assert main(["m3ter", "ada", "--resume", "--output", str(path)]) == 0

    assert len(rows_of(path)) == (3 if suffix == "csv" else 1)


def test_part_of_an_earlier_run_is_not_replaced_in_silence(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who forgets `--resume` is told that there was something to resume."""
    (tmp_path / "rows.csv.part").write_text("user_id,group_id,group_name,error\r\n")

    assert main(["m3ter", "ada", "--output", str(tmp_path / "rows.csv")]) == 0

    assert "rows.csv.part of an earlier run is replaced; --resume would go on with it" in capsys.readouterr().err


def test_killed_run_is_resumed(server: Server, users: list[str], tmp_path: Path) -> None:
    """After SIGKILL, the rest comes to what there is."""
    whole, path = tmp_path / "whole.csv", tmp_path / "rows.csv"
    ids = "".join(f"{one}\n" for one in users)
    command = ["m3ter", "--from", "-", "--concurrency", "1", "--output"]
    with subprocess.Popen([*COMMAND, *command, str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(f"{users[0]}\n{users[1]}\n..\n".encode())
        process.stdin.flush()
        process.stderr.readline()
        process.kill()

    for target, more in ((whole, []), (path, ["--resume"])):
        subprocess.run([*COMMAND, *command, str(target), *more], input=ids.encode(), capture_output=True, check=True)

    assert rows_of(path) == rows_of(whole)
    assert sorted(tmp_path.iterdir()) == [path, whole]


@pytest.mark.parametrize(
    "options",
    [[], ["--format", "jsonl"], ["--output", "rows.json"], ["--output", "rows.csv", "--format", "table"]],
    ids=["no file", "only a format", "json", "table"],
)
def test_resume_needs_a_file_of_lines(options: list[str], server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be continued is not."""
    status = main(["m3ter", "ada", "--resume", *options])

    assert (status, server.sandbox.counts.requests) == (2, 0)
    assert capsys.readouterr().err == "usergroups: --resume needs --output, and jsonl or csv as the format\n"


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("csv", "group_id,group_name,user_id,user_email,error\r\n"),
        ("csv", HEADER + "ada\r\n"),
        ("csv", HEADER + "\r\n"),
        ("jsonl", '{"group_id": "1"}\n'),
        ("jsonl", "text\n"),
        ("jsonl", "[]\n"),
        ("jsonl", '{"user_id": {}}\n'),
    ],
)
def test_file_of_something_else_is_not_resumed(
    server: Server, tmp_path: Path, suffix: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not of this command stays as it is."""
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(content.encode())

    status = main(["m3ter", "ada", "--resume", "--output", str(path)])

    assert (status, server.sandbox.counts.requests) == (2, 0)
    assert capsys.readouterr().err == f"usergroups: --resume: {path} holds something else than rows of this command\n"
    assert path.read_bytes() == content.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_cannot_be_resumed_is_told(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A FILE.part that cannot be read is an output that cannot be written."""
    path = tmp_path / "rows.csv"
    (tmp_path / "rows.csv.part").mkdir()

    status = main(["m3ter", "ada", "--resume", "--output", str(path)])

    assert (status, capsys.readouterr().err) == (1, f"usergroups: cannot write to {path}: is a directory\n")
