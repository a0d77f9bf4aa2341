"""The command `usergroups`, against the sandbox."""

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

from usergroups import __version__
from usergroups.cli import main
from usergroups.sandbox import Sandbox, Server, serve, smartpm_user

MANAGERS = "550e8400-e29b-41d4-a716-446655440000"
HOSTILE = "[red]Ops[/red] \x1b[2J\x07 :skull:\nlast"
NAMES = [
    "👩‍👩‍👧‍👦 Families 👩‍💻",
    "می‌خواهم",  # with a zero-width non-joiner
    "שלום עולם (א)",
    "\u200fمجموعة المديرين\u200f",
    "山田\u3000太郎",
    "two  spaces and\u00a0one",
    "long " * 100 + "end",
]
RICH = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE")  # what rich reads of its surroundings
CODE = "import sys; from usergroups.cli import main; sys.exit(main())"

NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a sandbox that the command finds in its environment."""
    with serve(Sandbox()) as server:
        for name, value in (server.env | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).items():
            monkeypatch.setenv(name, value)
        yield server


def test_m3ter_prints_a_line_for_each_group(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """All pages of a listing are printed, with the id first, so that a shell can cut it out."""
    status = main(["m3ter", "grace"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [line.split(maxsplit=1) for line in lines] == [
        [group_id, server.sandbox.data.m3ter_groups[group_id]["name"]]
        for group_id in server.sandbox.data.m3ter_users["grace"]
    ]


def test_options_of_a_listing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """`--inherited` adds the groups above; `--page-size 5` gets the twelve in three requests."""
    main(["m3ter", "grace", "--inherited", "--page-size", "5"])

    assert len(capsys.readouterr().out.splitlines()) == 12
    assert server.sandbox.counts.pages == 3


def test_json_is_an_object_a_line(server: Server) -> None:
    """`--json` gives all that is known, for another program; a program may call `main` and keep what it prints."""
    data = server.sandbox.data
    data.add_m3ter_user("zoe", [data.add_m3ter_group(HOSTILE, colour="red", createdBy=None)])

    with redirect_stdout(io.StringIO()) as printed:
        statuses = main(["m3ter", "zoe", "--json"]), main(["smartpm", MANAGERS, "--json"])

    group, managers = map(json.loads, printed.getvalue().splitlines())
    assert statuses == (0, 0)
    assert (group["name"], group["colour"], "createdBy" in group) == (HOSTILE, "red", False)
    assert (managers["id"], len(managers["users"])) == (MANAGERS, 5)


def test_smartpm_prints_the_group_and_its_users(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A SmartPM group is its name and then a line for each user, a dash for what is not known."""
    status = main(["smartpm", MANAGERS])

    name, *users = capsys.readouterr().out.splitlines()
    assert (status, name) == (0, "Project Managers")
    assert users[:2] == [
        "  kirby.smart@blah.com  Kirby Smart  Admin  2024-01-01 12:00+00:00",
        "  nell.null@blah.com  Nell Null  Admin  -",
    ]


@pytest.mark.parametrize("terminal", ["0", "1"], ids=["file", "terminal"])
def test_what_a_provider_says_is_text_and_nothing_else(
    server: Server, terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is neither markup nor a terminal's codes, and stays on its line, however long."""
    monkeypatch.setenv("FORCE_COLOR", terminal) if terminal == "1" else monkeypatch.delenv("FORCE_COLOR", False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    data = server.sandbox.data
    name = HOSTILE + " long" * 100
    data.add_m3ter_user("zoe", [data.add_m3ter_group(name, id="7")])

    run = subprocess.run([sys.executable, "-c", CODE, "m3ter", "zoe"], capture_output=True, text=True, check=True)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)
    assert plain == "7  [red]Ops[/red] [2J :skull: last" + " long" * 100 + "\n"
    assert "\x1b[2J" not in run.stdout


SURROUNDINGS = pytest.mark.parametrize(
    "around",
    [
        pytest.param({"COLUMNS": "0"}, id="no columns"),
        pytest.param({"COLUMNS": "1"}, id="one column"),
        pytest.param({"COLUMNS": "x"}, id="columns that are no number"),
        pytest.param({"TERM": "dumb"}, id="dumb terminal"),
        pytest.param({"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "COLUMNS": "0"}, id="forced colour"),
    ],
)


def piped(*arguments: str, **around: str) -> bytes:
    """Run the command into a pipe, without a terminal anywhere, and give what it prints."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | around,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        start_new_session=True,
    ).stdout


def on_a_terminal(*arguments: str, **around: str) -> bytes:
    """Run the command on a terminal, and give what that gets, with its line ends as they are in a file."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, its = pty.openpty()
    environment = {"TERM": "xterm", "PYTHONIOENCODING": "utf-8", **around}
    environment |= {name: value for name, value in os.environ.items() if name not in {*RICH, *environment}}
    with subprocess.Popen([sys.executable, "-c", CODE, *arguments], stdout=its, env=environment):
        os.close(its)
        printed = b""
        with suppress(OSError):  # that is how it ends
            while part := os.read(ours, 65536):
                printed += part
    os.close(ours)
    return printed.replace(b"\r\n", b"\n")


@SURROUNDINGS
def test_f94_into_a_pipe_goes_all_there_is_and_no_codes(server: Server, around: dict[str, str]) -> None:
    """Whatever the environment says of a terminal, a pipe gets every group, whole, and none of a terminal's codes."""
    data = server.sandbox.data
    data.add_m3ter_user("zoe", [data.add_m3ter_group(name, id=str(n)) for n, name in enumerate(NAMES)])

    printed = piped("m3ter", "zoe", **around)

    assert printed.decode() == "".join(f"{n}  {name}\n" for n, name in enumerate(NAMES))


@SURROUNDINGS
def test_f94_a_terminal_gets_all_there_is(server: Server, around: dict[str, str]) -> None:
    """However wide a terminal says that it is, it gets every group, whole; bold, unless it is a dumb one."""
    data = server.sandbox.data
    data.add_m3ter_user("zoe", [data.add_m3ter_group(name, id=str(n)) for n, name in enumerate(NAMES)])

    printed = on_a_terminal("m3ter", "zoe", **around).decode()

    assert re.sub(r"\x1b\[[0-9;]*m", "", printed) == "".join(f"{n}  {name}\n" for n, name in enumerate(NAMES))
    assert ("\x1b[1m0\x1b[0m" in printed) == ("TERM" not in around)


@pytest.mark.parametrize("columns", ["0", "1", "80"])
def test_f94_users_of_a_group_come_whole(server: Server, columns: str) -> None:
    """A group's users have their indent, and all that is known of them, at any width."""
    user = smartpm_user("Zoë " + "Zulu" * 50)
    group_id = server.sandbox.data.add_smartpm_group("👩‍💻 Makers", [user])

    name, line = piped("smartpm", group_id, COLUMNS=columns).decode().splitlines()

    assert name == "👩‍💻 Makers"
    assert line.startswith(f"  {user['email']}  Zoë {'Zulu' * 50}  ")


def test_f94_no_name_turns_a_terminals_line_around(server: Server) -> None:
    """A name that would have a terminal show the rest of its line backwards cannot; a pipe gets it as it is."""
    data = server.sandbox.data
    data.add_m3ter_user("zoe", [data.add_m3ter_group("ops \u202enimda", id="7")])

    assert on_a_terminal("m3ter", "zoe").decode() == "\x1b[1m7\x1b[0m  ops nimda\n"
    assert piped("m3ter", "zoe").decode() == "7  ops \u202enimda\n"


def test_a_name_that_the_terminal_cannot_show_is_spelt_out(server: Server) -> None:
    """An output that knows ASCII only gets an escape, not a traceback."""
    group_id = server.sandbox.data.add_smartpm_group("Zoë", [smartpm_user("Zoë Zulu")])
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}

    run = subprocess.run(
        [sys.executable, "-c", CODE, "smartpm", group_id],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.splitlines()[0] == r"Zo\xeb"


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


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["lines", "json"])
def test_reader_that_leaves_early_ends_the_command_in_silence(server: Server, option: list[str]) -> None:
    """`usergroups m3ter linus | head -1` prints one line and no traceback."""
    command = [sys.executable, "-c", CODE, "m3ter", "linus", *option]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert process.stderr.read() == b""

    assert process.returncode == 1


def test_module_is_the_command(server: Server) -> None:
    """`python -m usergroups` does what `usergroups` does."""
    command = [sys.executable, "-m", "usergroups"]

    run = subprocess.run([*command, "m3ter", "ada"], capture_output=True, text=True, check=True)
    wrong = subprocess.run([*command, "nope"], capture_output=True, text=True, check=False)

    assert len(run.stdout.splitlines()) == 3
    assert (wrong.returncode, wrong.stderr.startswith("usergroups: ")) == (2, True)


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


def test_interrupt_is_status_130(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the command as a shell expects, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("M3TER_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CODE}"
        command = [sys.executable, "-c", code, "m3ter", "ada"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()  # the command waits for an answer now
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
            connection.close()

    assert (process.returncode, said) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["m3ter", "who?"], 1, "users/who%3F/usergroups answered 404 Not Found: No such user"),
        (["smartpm", "550e8400-e29b-41d4-a716-44665544ffff"], 1, "answered 404 Not Found"),
        ([], 2, "a command is missing"),
        (["m3ter"], 2, "USER_ID"),
        (["m3ter", "ada", "more"], 2, "more"),
        (["m3ter", "ada", "--page-size", "x"], 2, "--page-size"),
        (["m3ter", "ada", "--page-size", "201"], 2, "page_size must be from 1 to 200"),
        (["m3ter", ""], 2, "user_id must not be blank"),
        (["smartpm", "no-uuid"], 2, "user_group_id must be a UUID"),
        (["smartpm", "--nope"], 2, "--nope"),
        (["nope"], 2, "nope"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_went_wrong_is_one_sentence_and_the_status(
    server: Server, arguments: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that failed, and one that is wrong in itself and asks nobody, are told apart, on stderr alone."""
    assert main(arguments) == status

    printed = capsys.readouterr()
    assert (printed.out, server.sandbox.counts.requests > 0) == ("", status == 1)
    assert printed.err.startswith("usergroups: ")
    assert printed.err.count("\n") == 1
    assert sentence in printed.err


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        (["m3ter", "ada"], {}, "not set in the environment: M3TER_ORG_ID, M3TER_API_KEY, M3TER_API_SECRET\n"),
        (["smartpm", MANAGERS], {}, "not set in the environment: SMARTPM_API_KEY, SMARTPM_COMPANY_ID\n"),
        (["m3ter", "ada"], {"M3TER_ORG_ID": "o", "M3TER_API_KEY": " ", "M3TER_API_SECRET": "s"}, "M3TER_API_KEY"),
    ],
    ids=["m3ter", "smartpm", "blank"],
)
def test_settings_that_are_missing_or_wrong_are_named(
    arguments: list[str],
    settings: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without good credentials the command says which variables to set, all of them, and speaks of no argument."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert main(arguments) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("usergroups: ")
    assert sentence in printed.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--help"], ["Who is in which user group?", "m3ter", "smartpm", "Exit status: 0"]),
        (["m3ter", "--help"], ["a line each.", "M3TER_ORG_ID", "M3TER_API_KEY", "M3TER_API_SECRET", "M3TER_BASE_URL"]),
        (["smartpm", "--help"], ["SMARTPM_API_KEY", "SMARTPM_COMPANY_ID", "SMARTPM_BASE_URL"]),
        (["--version"], [__version__]),
    ],
    ids=" ".join,
)
def test_f94_help_names_commands_settings_and_statuses(arguments: list[str], says: list[str]) -> None:
    """The help of a command names its settings, at a width in which it can be read, and without codes in a pipe."""
    printed = piped(*arguments, COLUMNS="0", FORCE_COLOR="1").decode()

    said = " ".join(printed.replace("│", " ").replace("--no-json", "").split())
    assert "\x1b" not in printed
    assert [one for one in says if one not in said] == []
    assert ("Print JSON, an object a line, with all that is known." in said) == (len(arguments) == 2)


@pytest.mark.parametrize(
    ("arguments", "status"), [(["m3ter", "ada", "--json"], 1), ([], 2)], ids=["output", "complaint"]
)
def test_pipe_that_breaks_is_no_traceback(server: Server, arguments: list[str], status: int) -> None:
    """What is left in the buffer when the reader has gone is thrown away, at the interpreter's exit too."""
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w", encoding="utf-8") as broken, redirect_stdout(broken), redirect_stderr(broken):
        assert main(arguments) == status


@pytest.mark.parametrize(
    ("arguments", "redirection", "status", "said"),
    [
        *(
            pytest.param(one, "> /dev/full", 1, "cannot write to stdout: no space left on device", marks=NEEDS_FULL)
            for one in (["m3ter", "linus"], ["m3ter", "ada", "--json"], ["smartpm", MANAGERS], ["--help"])
        ),
        (["m3ter", "ada"], ">&-", 1, "cannot write to stdout: it is closed"),
        (["nope"], "2>&-", 2, ""),
        pytest.param(["nope"], "2> /dev/full", 2, "", marks=NEEDS_FULL),
    ],
)
def test_output_that_cannot_be_written(
    server: Server, arguments: list[str], redirection: str, status: int, said: str
) -> None:
    """It is told in one line on stderr, without a traceback; a complaint goes nowhere else, and the status stays."""
    line = f"{shlex.join([sys.executable, '-c', CODE, *arguments])} {redirection}"

    run = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout) == (status, "")
    assert run.stderr == (f"usergroups: {said}\n" if said else "")
    assert redirection != ">&-" or server.sandbox.counts.requests == 0
