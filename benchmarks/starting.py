"""What it takes to begin: the import, and a client."""

import subprocess
import sys
import time
from statistics import median

import attrs

from benchmarks.processes import ROOT, environment

_CLIENTS = 50


@attrs.frozen
class Beginning:
    """
    What is timed in a fresh interpreter: *code*, once it has run what comes *before*.
    """

    code: str
    before: str = "pass"


_OURS = "from usergroups import M3terClient, SmartPMClient"  # names are imported once they are asked for
BASE = Beginning("import httpx, attrs")
IMPORT = Beginning(_OURS)
CONTEXT = Beginning("httpx.create_ssl_context()", f"{_OURS}; import httpx")
CLIENT = Beginning("M3terClient(org_id='org', api_key='key', api_secret='secret')", _OURS)


def pairs(one: Beginning, other: Beginning, times: int) -> list[tuple[float, float]]:
    """
    Return the seconds of the *one* and of the *other*, so many times, each in a fresh interpreter.

    The two take turns in who begins. All is compiled beforehand, as pip leaves it, whatever this
    environment says about that.
    """
    found: list[tuple[float, float]] = []
    for number in range(times + 1):  # the first turn compiles, and fills the caches of the file system
        order = (one, other) if number % 2 else (other, one)
        seconds = {beginning: _seconds(beginning) for beginning in order}
        found.append((seconds[one], seconds[other]))
    return found[1:]


def _seconds(beginning: Beginning) -> float:
    compiled = {name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    code = f"import time; {beginning.before}; t = time.perf_counter(); {beginning.code}; print(time.perf_counter() - t)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=compiled, capture_output=True, check=True)
    return float(run.stdout)


async def measure() -> dict[str, float]:
    """
    Return the seconds that a client takes to be made where there has been one.
    """
    from usergroups import M3terClient

    taken: list[float] = []
    for _ in range(_CLIENTS):
        begin = time.perf_counter()
        M3terClient(org_id="org", api_key="key", api_secret="secret")  # made up
        taken.append(time.perf_counter() - begin)
    return {"later": median(taken[1:])}
