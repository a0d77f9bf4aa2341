"""What tests of the command share: a sandbox in the environment, and the command in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from usergroups.sandbox import Sandbox, Server, serve

CODE = "import sys; from usergroups.cli import main; sys.exit(main())"
COMMAND = (sys.executable, "-c", CODE)
MANAGERS = "550e8400-e29b-41d4-a716-446655440000"
RICH = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE")  # what rich reads of its surroundings


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a sandbox that the command finds in its environment."""
    with serve(Sandbox()) as server:
        for name, value in (server.env | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).items():
            monkeypatch.setenv(name, value)
        yield server


def piped(*arguments: str, stdin: bytes = b"", **around: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the command into pipes, without a terminal anywhere."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=os.environ | around,
        input=stdin,
        capture_output=True,
        check=False,
        start_new_session=True,
    )


def left_early(*arguments: str) -> tuple[int, bytes]:
    """Run the command into a pipe that nobody reads, and return its exit status and what it says on stderr."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    return process.returncode, said


class Terminal:
    """A command whose stderr, and stdout unless that is given, is a terminal."""

    def __init__(self, *arguments: str, stdout: int | None = None, **around: str) -> None:
        pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
        self._ours, its = pty.openpty()
        environment = {"TERM": "xterm", **around}
        environment |= {name: value for name, value in os.environ.items() if name not in {*RICH, *environment}}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=its if stdout is None else stdout,
            stderr=its,
            env=environment,
        )
        os.close(its)

    def read(self) -> str:
        """Return all that the terminal gets until the command ends, with line ends as in a file."""
        printed = b""
        with suppress(OSError):  # that is how it ends
            while part := os.read(self._ours, 65536):
                printed += part
        os.close(self._ours)
        self.process.wait()
        return printed.replace(b"\r\n", b"\n").decode()


def on_a_terminal(*arguments: str, **around: str) -> str:
    """Run the command on a terminal, quietly, and return what that gets."""
    return Terminal(*arguments, "--quiet", **around).read()
