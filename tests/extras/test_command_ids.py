"""The ids that the command asks about: arguments, a file, a pipe."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from extras.shell import COMMAND, Terminal, piped
from usergroups.cli import main
from usergroups.sandbox import Server

LINES = b"\xef\xbb\xbf# users\r\nada\r\n\r\n  grace \t\n\xc3\xa9l\xc3\xa9a\n#nobody\nada\nbad\xff\nlast"


def asked(printed: bytes | str) -> list[str]:
    """Return the ids in lines of JSON, in the order of the answers."""
    return [json.loads(line)["user_id"] for line in printed.splitlines()]


@pytest.mark.parametrize("kind", ["file", "file as stdin", "pipe"])
def test_ids_are_lines(server: Server, tmp_path: Path, kind: str) -> None:
    """Blank lines, comments and spaces do not count, and an id that comes twice is asked about once."""
    file = tmp_path / "ids"
    file.write_bytes(LINES)
    arguments = ["m3ter", "first", "ada", "--concurrency", "1", "--from"]

    if kind == "pipe":
        printed = piped(*arguments, "-", stdin=LINES).stdout
    elif kind == "file":
        printed = piped(*arguments, str(file)).stdout
    else:
        with file.open("rb") as stdin:
            printed = subprocess.run([*COMMAND, *arguments, "-"], stdin=stdin, capture_output=True, check=False).stdout

    assert asked(printed) == ["first", "ada", "grace", "éléa", "bad\udcff", "last"]
    assert "valid Unicode" in json.loads(printed.splitlines()[4])["error"]


def test_first_ids_are_asked_before_the_last_are_there(server: Server) -> None:
    """A pipe is read as a stream, so that rows come while another program still writes ids."""
    with subprocess.Popen(
        [*COMMAND, "m3ter", "--from", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ada\nno")
        process.stdin.flush()
        first = process.stdout.readline()
        process.stdin.write(b"body\n")
        process.stdin.close()
        rest = process.stdout.read()

    assert (asked(first), asked(rest), process.returncode) == (["ada"], ["nobody"], 0)


def test_long_pipe(server: Server) -> None:
    """Ids may come in more pieces than one."""
    ids = [f"unknown-{number:05}" for number in range(60)]
    padding = b"# " + b"-" * 5000 + b"\n"

    run = piped("m3ter", "--from", "-", "--max-rate", "1000", stdin=padding.join(f"{one}\n".encode() for one in ids))

    assert sorted(asked(run.stdout)) == ids


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere", "--from: cannot read nowhere: no such file or directory"),
        (".", "--from: cannot read .: is a directory"),
    ],
    ids=["missing", "folder"],
)
def test_file_that_cannot_be_read_is_status_2(
    server: Server, source: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the ids cannot be read, nobody is asked."""
    status = main(["m3ter", "--from", source])

    assert (status, capsys.readouterr().err) == (2, f"usergroups: {sentence}\n")
    assert server.sandbox.counts.requests == 0


def test_closed_stdin_is_status_2(server: Server) -> None:
    """A stdin that is closed holds no ids."""
    code = f"import os; os.close(0); os.execv({sys.executable!r}, {[*COMMAND, 'm3ter', '--from', '-']!r})"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (2, "usergroups: cannot read stdin: it is closed\n")


def test_pipe_that_fails_is_status_1(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A pipe that cannot be read to its end is no end: what was asked about is out, and the reason is told."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)  # so that reading it fails, as nothing is there
    with os.fdopen(reading) as stdin, os.fdopen(writing, "wb"):
        monkeypatch.setattr(sys, "stdin", stdin)
        status = main(["m3ter", "ada", "--from", "-", "--concurrency", "1"])

    printed = capfd.readouterr()
    assert (status, asked(printed.out)) == (1, ["ada"])
    assert printed.err == "usergroups: cannot read stdin: resource temporarily unavailable\n"


def test_terminal_shows_how_far_it_is(server: Server, tmp_path: Path) -> None:
    """A terminal gets a bar with a count and a rate, out of all where that is known, and then a summary."""
    file = tmp_path / "ids"
    file.write_text("ada\nnobody\n..\n", encoding="utf-8")
    with (tmp_path / "rows").open("wb") as rows:
        shown = Terminal("m3ter", "--from", str(file), stdout=rows.fileno()).read()
        uncounted = Terminal("m3ter", "ada", "--from", "-", stdout=rows.fileno()).read()

    assert "3/3" in shown
    assert "/s" in shown
    assert shown.splitlines()[-1].endswith(" s")
    assert "usergroups: 3 asked, 2 answered, 1 failed, rows: 5, " in shown
    assert "usergroups: 1 asked, 1 answered, 0 failed, rows: 3, " in uncounted
    assert "1/?" in uncounted


def test_terminal_shows_rows_above_the_bar(server: Server) -> None:
    """Rows and bar on one terminal do not mix: each row has its line."""
    shown = Terminal("m3ter", "ada", "nobody").read()

    assert "2/2" in shown
    assert "\n" + "nobody".ljust(36) + "  " + "-".ljust(36) + "  -\n" in shown.replace("\r", "\n").replace(
        "\x1b[2K", "\n"
    )


@pytest.mark.parametrize(
    ("arguments", "around"),
    [(["--quiet"], {}), (["--verbose"], {}), ([], {"TERM": "dumb"}), ([], {"TTY_INTERACTIVE": "0"})],
    ids=["quiet", "verbose", "dumb terminal", "not interactive"],
)
def test_no_bar_where_none_is_wanted(server: Server, arguments: list[str], around: dict[str, str]) -> None:
    """There is no bar if it is not wanted, could not be drawn, or would be mixed with a log."""
    shown = Terminal("m3ter", "ada", *arguments, **around).read()

    assert "1/1" not in shown
    assert "\x1b" not in shown
    assert ("1 asked" in shown) == ("--quiet" not in arguments)
