"""A program of Python beside the examples: what it says, and its end."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHIN = 30.0  # seconds; mostly it is one or two


class Program:
    """
    A program that imports from the examples. It writes a *log*, with its ResourceWarnings; it is killed after `with`.
    """

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=EXAMPLES,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "always::ResourceWarning"},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """
        What it has said.
        """
        return self._log.read_text(encoding="utf-8")

    def says(self, pattern: str) -> re.Match[str]:
        """
        Wait until it has said what *pattern* fits, and return that.
        """
        end = time.monotonic() + WITHIN
        while not (found := re.search(pattern, self.log)):
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return found

    def send(self, number: signal.Signals) -> None:
        """
        Send it a signal, as a terminal or a supervisor does.
        """
        self._process.send_signal(number)

    def wait(self, within: float = WITHIN) -> int:
        """
        Wait until it has ended, and return its exit status.
        """
        return self._process.wait(within)

    def kill(self) -> None:
        """
        End it, with the processes that it has started, at once and however they are.
        """
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
