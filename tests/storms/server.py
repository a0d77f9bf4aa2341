"""
The server of a storm in a process of its own, so that it takes no turn of the client's interpreter.

`python -m storms.server` prints its URL, answers each line of its input with a line of its figures
(after it has opened the gate, if the line says "open"), and ends with its input.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rig.server import FaultServer

from .weather import GROUPS, HELD, Weather

_TESTS = Path(__file__).parents[1]


class ServerProcess:
    """
    A process with a server in it; it ends with the `with` block.
    """

    def __enter__(self) -> Self:
        path = os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "storms.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.url = self._answer()["url"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    def figures(self) -> dict[str, Any]:
        """
        Return how many sockets are *open* and were at *most_open*, how many requests were *received*, the
        last *held* groups in the order in which they were asked for, how many *tokens* were given, and
        how many were *used*.
        """
        return self._ask("figures")

    def open_gate(self) -> None:
        """
        Let those go who wait at the gate.
        """
        self._ask("open")

    def _ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise RuntimeError("the server's process has ended")
        document: dict[str, Any] = json.loads(line)
        return document


class ServerThread:
    """
    A server of this process, spoken to in the same way.
    """

    def __init__(self, server: FaultServer) -> None:
        self.url = server.url
        self._server = server
        self._weather = Weather(server)

    def figures(self) -> dict[str, Any]:
        """
        Return the figures; see `ServerProcess`.
        """
        return _figures(self._server, self._weather)

    def open_gate(self) -> None:
        """
        Let those go who wait at the gate.
        """
        self._weather.gate.open()


Site = ServerProcess | ServerThread


def _figures(server: FaultServer, weather: Weather) -> dict[str, Any]:
    paths = [request.path.removeprefix(GROUPS) for request in server.asked(f"{GROUPS}{HELD}*")]
    return {
        "open": server.open.value,
        "most_open": server.open.most,
        "received": server.received.value,
        "held": paths,
        "tokens": weather.tokens.hits,
        "used": len(weather.used),
    }


def main() -> None:
    """
    Serve until the input ends.
    """
    with FaultServer(keep=1000) as server:
        weather = Weather(server)
        print(json.dumps({"url": server.url}), flush=True)  # noqa: T201  # it is read by the other process
        for line in sys.stdin:
            if line.strip() == "open":
                weather.gate.open()
            print(json.dumps(_figures(server, weather)), flush=True)  # noqa: T201  # as above


if __name__ == "__main__":
    main()
