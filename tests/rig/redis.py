"""A Redis server of a test's own, which the test may stop and start again."""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import pytest

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not on the PATH: apt-get install redis-server"
)

_READY = re.compile("ready to accept connections", re.IGNORECASE)
_IN_MEMORY = ("--save", "", "--appendonly", "no")
_STOPS_WITHIN = 10.0  # seconds


class RedisServer:
    """
    A redis-server on a Unix socket, running from `with` or `start` until `stop`.

        with RedisServer() as redis_server:
            redis.Redis.from_url(redis_server.url)

    It keeps its data in memory alone: one that is stopped and started again is at the same *url*, and empty.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="redis-")  # a test's own folder has too long a path for a socket
        self._process: subprocess.Popen[str] | None = None
        self.path = Path(self._folder.name) / "redis.sock"
        self.url = f"unix://{self.path}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """
        Start it, and wait until it takes connections.
        """
        assert self._process is None, "it runs"
        place = ("--port", "0", "--unixsocket", str(self.path), "--dir", self._folder.name)
        self._process = subprocess.Popen(
            ["redis-server", *place, *_IN_MEMORY], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )
        assert self._process.stdout is not None
        said = ""
        while not _READY.search(said):
            line = self._process.stdout.readline()
            if not line:
                self.stop()
                raise RuntimeError(f"redis-server did not start:\n{said}")
            said += line

    def stop(self) -> None:
        """
        Stop it: its connections are closed, and new ones refused. Doing it again does nothing.
        """
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=_STOPS_WITHIN)
            self._process = None
