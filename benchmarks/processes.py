"""Processes of their own: for the server, and for each measurement."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.server import Options

ROOT = Path(__file__).resolve().parent.parent
_LONGEST = 300.0  # seconds for one measurement


Run = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Makes the measurement of a module of this package, with options."""


class MeasurementError(Exception):
    """
    A measurement failed; the text says which, and what it printed last.
    """


@attrs.frozen
class Server:
    """
    A server that is running at *url*.
    """

    url: str

    def counts(self) -> dict[str, int]:
        """
        Ask how many requests it got, how many it refused, and how many were for a token.
        """
        with urllib.request.urlopen(f"{self.url}/counts", timeout=10) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts


@contextmanager
def serving(options: Options) -> Generator[Server, None, None]:
    """
    Run a server with *options* for as long as the context lasts.
    """
    command = [sys.executable, "-m", "benchmarks.server", json.dumps(attrs.asdict(options))]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        if not port:
            raise MeasurementError("the server did not start")
        yield Server(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.communicate()


def alone(module: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what `benchmarks.<module>.measure(**options)` comes to in a process of its own.
    """
    command = [sys.executable, "-m", "benchmarks.alone", module, json.dumps(options)]
    run = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, encoding="utf-8", timeout=_LONGEST, check=False
    )
    if run.returncode != 0:
        last = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise MeasurementError(f"{module} {dict(options)}: {last}")
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def environment() -> dict[str, str]:
    """
    Return this process's environment, without a proxy between here and the server.
    """
    return os.environ | {"NO_PROXY": "*", "no_proxy": "*"}
