"""The command `usergroups`, against the sandbox: what may be said to it, and how it ends."""

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from extras.shell import CODE, COMMAND, MANAGERS, left_early, piped
from usergroups import __version__
from usergroups.cli import main
from usergroups.sandbox import Server

NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")


def test_inherited_asks_for_the_groups_above_too(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """`--inherited` adds the groups that the user's groups are nested in."""
    main(["m3ter", "grace", "--inherited", "--format", "jsonl"])

    assert len(json.loads(capsys.readouterr().out)["groups"]) == 12


def test_page_size_says_how_many_come_at_once(server: Server) -> None:
    """`--page-size 3` gets nine groups in three requests."""
    main(["m3ter", "grace", "--page-size", "3"])

    assert server.sandbox.counts.pages == 3


def test_timeout_is_that_of_a_call(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--timeout` ends a call, and the row of its id says so."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("M3TER_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        status = main(["m3ter", "ada", "--timeout", "0.05", "--max-rate", "500"])

    assert status == 1
    assert json.loads(capsys.readouterr().out)["error"].endswith("failed: no answer within 0.05 s")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--help"], ["Who is in which user group?", "Exit status: 0", "m3ter", "--install-completion"]),
        (["m3ter", "--help"], ["USER_ID", "M3TER_API_SECRET", "M3TER_BASE_URL", "--page-size", "--resume"]),
        (["smartpm", "--help"], ["GROUP_ID", "SMARTPM_COMPANY_ID", "SMARTPM_BASE_URL", "--from", "--env-file"]),
        (["check", "--help"], ["SYSTEM", "--timeout"]),
        (["--version"], [__version__]),
    ],
    ids=["help", "help of m3ter", "help of smartpm", "help of check", "version"],
)
def test_f94_help_can_be_read_in_a_pipe(arguments: list[str], says: list[str]) -> None:
    """The help has a width in which it can be read, and no codes in a pipe."""
    run = piped(*arguments, COLUMNS="0", FORCE_COLOR="1")

    printed = run.stdout.decode()
    assert (run.returncode, run.stderr) == (0, b"")
    assert "\x1b" not in printed
    assert all(one in printed for one in says)


@pytest.mark.parametrize("arguments", [["--help"], ["m3ter", "--help"], ["m3ter", "--nope"]])
def test_help_and_complaints_are_quick(arguments: list[str]) -> None:
    """What asks nobody does not wait for the import of what asks."""
    code = f"import sys; from usergroups.cli import main; main({arguments!r}); sys.exit('httpx' in sys.modules)"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert run.returncode == 0


@pytest.mark.parametrize("command", ["m3ter", "smartpm", "check"])
def test_no_option_takes_a_secret(command: str) -> None:
    """What is typed is in the shell's history, and in the list of processes."""
    said = piped(command, "--help").stdout.decode()

    assert "--api" not in said
    assert "--secret" not in said


def test_completion_is_installed(tmp_path: Path) -> None:
    """`--install-completion` writes what a shell needs to complete commands and options."""
    script = tmp_path / "completion"

    run = piped("--install-completion", "--shell", "bash", "--output", str(script), HOME=str(tmp_path))

    assert run.returncode == 0
    assert {"m3ter", "--page-size"} <= set(script.read_text(encoding="utf-8").replace("'", " ").split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "a command is missing; usergroups --help lists them"),
        (["nope"], 'Unknown command "nope".'),
        (["m3ter"], "USER_ID is missing: name one or more, or --from FILE (- for stdin)"),
        (["smartpm"], "GROUP_ID is missing: name one or more, or --from FILE (- for stdin)"),
        (["m3ter", "ada", "--page-size", "x"], '--page-size|: unable to convert "x" into int.'),
        (["m3ter", "ada", "--page-size", "0"], "--page-size must be from 1 to 200"),
        (["m3ter", "ada", "--concurrency", "0"], "--concurrency must be at least 1"),
        (["m3ter", "ada", "--timeout", "nan"], "--timeout must be greater than 0 and finite"),
        (["smartpm", MANAGERS, "--max-rate", "0"], "--max-rate must be greater than 0 and finite"),
        (["smartpm", "--nope"], "Unknown option|--nope"),
        (["m3ter", "ada", "--format", "xml"], "Invalid value|--format"),
        (["m3ter", "ada", "--output"], "--output|requires an argument."),
        (["check", "m3ter", "ada"], "unexpected argument: ada"),
        (["check", "okta"], "Invalid value|SYSTEM"),
    ],
    ids=[
        "nothing",
        "unknown command",
        "no user",
        "no group",
        "no number",
        "page too small",
        "nothing at once",
        "no time",
        "no rate",
        "unknown option",
        "unknown format",
        "no file",
        "too much",
        "unknown system",
    ],
)
def test_wrong_usage_is_status_2(
    server: Server, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that is wrong in itself asks nobody, and is told in a line that names what is wrong."""
    status = main(arguments)

    printed = capsys.readouterr()
    assert (status, printed.out, server.sandbox.counts.requests) == (2, "", 0)
    assert printed.err.startswith("usergroups: ")
    assert printed.err.count("\n") == 1
    assert all(words in printed.err for words in sentence.split("|"))  # what cyclopts says has changed over time


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["m3ter", "ada"], ["M3TER_ORG_ID", "M3TER_API_KEY", "M3TER_API_SECRET"]),
        (["smartpm", MANAGERS], ["SMARTPM_API_KEY", "SMARTPM_COMPANY_ID"]),
    ],
    ids=["m3ter", "smartpm"],
)
def test_missing_settings_are_named_at_once(
    arguments: list[str], missing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without credentials the command says which variables to set, all of them, and speaks of no argument."""
    status = main(arguments)

    printed = capsys.readouterr()
    assert (status, printed.out) == (2, "")
    assert printed.err == (
        f"usergroups: not set: {', '.join(missing)}; set them in the environment, or in a file for --env-file\n"
    )


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("M3TER_API_KEY", " ", "M3TER_API_KEY is blank"),
        ("M3TER_BASE_URL", "http://m3ter.invalid", "M3TER_BASE_URL must be https://"),
        ("HTTP_PROXY", "gopher://127.0.0.1:1", "the proxy cannot be used: HTTP_PROXY"),
    ],
)
def test_bad_setting_is_status_2(
    server: Server,
    variable: str,
    value: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A setting that cannot be right is as wrong as the command itself would be."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv(variable, value)

    status = main(["m3ter", "ada"])

    printed = capsys.readouterr()
    assert (status, printed.out, server.sandbox.counts.requests) == (2, "", 0)
    assert printed.err.startswith(f"usergroups: {sentence}")
    assert printed.err.count("\n") == 1


def test_hint_names_variables(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an error advises is told in the words of a shell."""
    monkeypatch.setenv("SMARTPM_API_KEY", "another")

    main(["smartpm", MANAGERS])

    assert (
        json.loads(capsys.readouterr().out)["error"]
        .partition(" (")[0]
        .endswith("; check SMARTPM_API_KEY and SMARTPM_COMPANY_ID")
    )


def test_names_in_a_path_stay(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that happens to be the name of an argument is shown as it is."""
    main(["m3ter", "api_key"])

    assert "/users/api_key/usergroups answered 404" in json.loads(capsys.readouterr().out)["error"]


def test_env_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--env-file` has the settings that the environment lacks, written as in a shell."""
    env = server.env
    for name in env:
        monkeypatch.delenv(name)
    monkeypatch.setenv("M3TER_BASE_URL", env["M3TER_BASE_URL"])
    file = tmp_path / "settings"
    file.write_text(
        f"\ufeff# of the sandbox\n\nexport M3TER_ORG_ID={env['M3TER_ORG_ID']}\r\n"
        f"  M3TER_API_KEY = '{env['M3TER_API_KEY']}'\n"
        f'M3TER_API_SECRET="{env["M3TER_API_SECRET"]}"\nM3TER_BASE_URL=https://elsewhere.invalid\n',
        encoding="utf-8",
    )

    status = main(["m3ter", "ada", "--env-file", str(file)])

    assert (status, len(json.loads(capsys.readouterr().out)["groups"])) == (0, 3)
    assert "M3TER_ORG_ID" not in os.environ


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "--env-file: cannot read {}: no such file or directory"),
        (b"A=1\nsecret", "--env-file: line 2 of {} is not NAME=value"),
        (b"A=\xff", "--env-file: {} is not UTF-8"),
    ],
    ids=["missing", "no setting", "no text"],
)
def test_env_file_that_is_wrong_is_status_2(
    content: bytes | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with the file is told, and nothing that it holds."""
    file = tmp_path / "settings"
    if content is not None:
        file.write_bytes(content)

    status = main(["m3ter", "ada", "--env-file", str(file)])

    assert (status, capsys.readouterr().err) == (2, f"usergroups: {sentence.format(file)}\n")


def test_verbose_is_the_log(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """`-v` prints the SDK's log to stderr."""
    main(["m3ter", "ada", "-qv"])
    said = capsys.readouterr().err
    main(["m3ter", "ada", "-q"])

    assert "page fetched: 3 items" in said
    assert capsys.readouterr().err == ""


def test_sandbox_is_that_of_the_module() -> None:
    """`usergroups sandbox` takes the options of `python -m usergroups.sandbox`, and answers as that does."""
    helped = piped("sandbox", "--help")
    refused = piped("sandbox", "--host", "192.0.2.1")
    wrong = piped("sandbox", "--nope")

    assert b"--rate-limit" in helped.stdout
    assert (helped.returncode, refused.returncode, wrong.returncode) == (0, 1, 2)
    assert b"192.0.2.1 is not a loopback address" in refused.stderr


@pytest.mark.parametrize("package", ["cyclopts", "rich"])
def test_missing_extra_is_named(package: str) -> None:
    """Without the extra `cli` the command says how to install it."""
    code = CODE.replace("import sys;", f"import sys; sys.modules[{package!r}] = None;")

    run = subprocess.run([sys.executable, "-c", code, "m3ter", "ada"], capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert run.stderr == (
        f"usergroups: the command needs {package}: install usergroups with its extra 'cli'"
        " (pip install '.[cli]' in a checkout)\n"
    )


def test_module_is_the_command(server: Server) -> None:
    """`python -m usergroups` does what `usergroups` does."""
    command = [sys.executable, "-m", "usergroups"]

    run = subprocess.run([*command, "m3ter", "ada"], capture_output=True, text=True, check=True)
    wrong = subprocess.run([*command, "nope"], capture_output=True, text=True, check=False)

    assert json.loads(run.stdout)["user_id"] == "ada"
    assert (wrong.returncode, wrong.stderr.startswith("usergroups: ")) == (2, True)


def test_output_need_not_be_a_file(server: Server) -> None:
    """A program may call `main`, in any of its threads, and keep what it prints."""
    with redirect_stdout(io.StringIO()) as printed:
        thread = threading.Thread(target=main, args=[["m3ter", "ada", "--format", "table"]])
        thread.start()
        thread.join()

    assert len(printed.getvalue().splitlines()) == 4


# Output that cannot be written


@pytest.mark.parametrize("form", ["table", "jsonl", "json", "csv"])
def test_reader_that_leaves_early_ends_the_command_in_silence(server: Server, form: str) -> None:
    """`usergroups m3ter linus | head -1` prints one line and no traceback."""
    assert left_early("m3ter", "linus", "--page-size", "200", "--format", form) == (1, b"")


def test_pipe_that_breaks_is_no_traceback() -> None:
    """What is left in the buffer when the reader has gone is thrown away, at the interpreter's exit too."""
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w", encoding="utf-8") as broken, redirect_stdout(broken):
        status = main(["check"])

    assert status == 1


def test_complaint_that_nobody_reads_is_no_traceback() -> None:
    """`usergroups 2>&1 | true` ends in silence, too."""
    reading, writing = os.pipe()
    os.close(reading)

    with (
        os.fdopen(writing, "w", encoding="utf-8", buffering=1) as broken,
        redirect_stdout(broken),
        redirect_stderr(broken),
    ):
        status = main([])

    assert status == 2


def without_output(*arguments: str, redirection: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a shell that leads its output elsewhere."""
    line = f"{shlex.join([*COMMAND, *arguments])} {redirection}"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)


@NEEDS_FULL
@pytest.mark.parametrize(
    "arguments",
    [
        ["m3ter", "linus", "--page-size", "200"],
        ["m3ter", "ada", "--format", "table"],
        ["smartpm", MANAGERS],
        ["check"],
        ["--help"],
    ],
    ids=["long listing", "table", "group", "check", "help"],
)
def test_output_that_cannot_be_written_is_one_sentence_and_status_1(server: Server, arguments: list[str]) -> None:
    """A disk that is full is told in one line on stderr, without a traceback."""
    run = without_output(*arguments, redirection="> /dev/full")

    assert (run.returncode, run.stderr) == (1, "usergroups: cannot write to stdout: no space left on device\n")


@pytest.mark.parametrize("form", ["jsonl", "table"])
def test_missing_output_is_one_sentence_and_status_1(server: Server, form: str) -> None:
    """Where stdout is closed, the command says so and asks nobody."""
    run = without_output("m3ter", "ada", "--format", form, redirection=">&-")

    assert (run.returncode, run.stderr) == (1, "usergroups: cannot write to stdout: it is closed\n")
    assert server.sandbox.counts.requests == 0


def test_help_without_output_is_no_traceback() -> None:
    """Where stdout is closed, what would be printed there is lost."""
    run = without_output("--help", redirection=">&-")

    assert (run.returncode, run.stderr) == (0, "")


def test_complaint_without_stderr_is_not_printed_elsewhere() -> None:
    """Where stderr is closed, a complaint is no part of the output, and the exit status stays what it is."""
    run = without_output("nope", redirection="2>&-")

    assert (run.returncode, run.stdout) == (2, "")


def test_rows_without_stderr_come_all_the_same(server: Server) -> None:
    """Where stderr is closed, there is no bar and no summary."""
    run = without_output("m3ter", "ada", redirection="2>&-")

    assert (run.returncode, len(run.stdout.splitlines())) == (0, 1)


@NEEDS_FULL
def test_full_stderr_leaves_the_exit_status() -> None:
    """A complaint that cannot be written is left out, and the exit status stays what it is."""
    assert without_output("nope", redirection="2> /dev/full").returncode == 2


# Signals


class Interrupting(io.StringIO):
    """An output in the middle of which Ctrl-C is pressed."""

    def write(self, text: str) -> int:
        signal.raise_signal(signal.SIGINT)
        return len(text)


def test_interrupt_of_the_help_is_status_130() -> None:
    """Ctrl-C ends the command in the same way where it asks nobody."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with redirect_stdout(Interrupting()):
            status = main(["--help"])
    finally:
        signal.signal(signal.SIGINT, before)

    assert status == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("arguments", [["m3ter", "ada"], ["check"]], ids=["rows", "check"])
def test_signal_ends_the_command(
    server: Server, monkeypatch: pytest.MonkeyPatch, arguments: list[str], number: signal.Signals, status: int
) -> None:
    """A signal ends the command as a shell expects, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("M3TER_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CODE}"
        command = [sys.executable, "-c", code, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()  # the command waits for an answer now
            process.send_signal(number)
            printed, said = process.communicate()
            connection.close()

    assert (process.returncode, printed) == (status, ""), said
    assert said.startswith("usergroups: 0 asked, 0 answered, 0 failed, rows: 0") or not said
    assert said.count("\n") <= 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_signal_ends_a_command_that_nobody_reads(server: Server, number: signal.Signals, status: int) -> None:
    """A pipe that is full holds up neither the event loop nor the end of the command."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CODE}"
    command = [sys.executable, "-c", code, "m3ter", "linus", "--page-size", "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        process.stdout.read(1)  # the rest does not fit into the pipe
        process.send_signal(number)
        process.wait()

    assert process.returncode == status
