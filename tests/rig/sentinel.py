"""A Redis master, its replica, and the Sentinel that watches over both: for tests, which may kill the master."""

import re
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import pytest

needs_sentinel = pytest.mark.skipif(
    not (shutil.which("redis-server") and shutil.which("redis-sentinel")),
    reason="redis-server and redis-sentinel are not on the PATH: apt-get install redis-server redis-sentinel",
)

_STOPS_WITHIN = 10.0  # seconds
_SENTINEL = """
sentinel monitor {name} 127.0.0.1 {master} 1
sentinel down-after-milliseconds {name} 500
sentinel failover-timeout {name} 3000
"""


class SentinelServers:
    """
    The servers, while the block lasts: Sentinel is at *port* of 127.0.0.1, and calls the master *name*.
    """

    name = "fleet"

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            folder = opened.enter_context(TemporaryDirectory(prefix="redis-"))
            master, replica, self.port = _free_ports(3)
            place = ("--bind", "127.0.0.1", "--dir", folder, "--save", "", "--repl-diskless-sync-delay", "0")
            self._master = _start(opened, "Ready to accept", "redis-server", "--port", f"{master}", *place)
            follows = ("--replicaof", f"127.0.0.1 {master}")
            _start(opened, "sync: Finished", "redis-server", "--port", f"{replica}", *place, *follows)
            settings = Path(folder) / "sentinel.conf"
            settings.write_text(_SENTINEL.format(name=self.name, master=master), encoding="utf-8")
            watches = ("--port", f"{self.port}", "--bind", "127.0.0.1", "--dir", folder)
            _start(opened, r"\+slave", "redis-sentinel", str(settings), *watches)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def kill_master(self) -> None:
        """
        Kill the master, which Sentinel finds down after half a second.
        """
        self._master.kill()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _start(opened: ExitStack, ready: str, *command: str) -> "subprocess.Popen[str]":
    """Start *command*, and wait until it says that it is *ready*; it is stopped when *opened* is closed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    opened.callback(_stop, process)
    assert process.stdout is not None
    said = ""
    while not re.search(ready, said):
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} did not start:\n{said}")
        said += line
    return process


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.communicate(timeout=_STOPS_WITHIN)
