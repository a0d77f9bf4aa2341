"""What it takes to begin: the import, and a client."""

import subprocess
import sys
import time
from statistics import median

from benchmarks.processes import ROOT, environment

_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
_IMPORTS = {
    "httpx, attrs": "import httpx, attrs",
    "httpx, attrs, asyncio": "import httpx, attrs, asyncio",
    "usergroups": "from usergroups import M3terClient, SmartPMClient",  # names are imported once they are asked for
}
_CLIENTS = 50


def imports(times: int) -> dict[str, float]:
    """
    Return the seconds of `import httpx, attrs`, of that with asyncio, and of importing both clients, each afresh.

    All are compiled beforehand, as pip leaves them, whatever this environment says about that. What
    one takes more than the first is the median of what it was in each turn.
    """
    compiled = {name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    seconds: dict[str, list[float]] = {names: [] for names in _IMPORTS}
    for _ in range(times + 1):  # the first turn compiles, and fills the caches of the file system
        for names, taken in seconds.items():
            code = _TIMED.format(_IMPORTS[names])
            run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=compiled, capture_output=True, check=True)
            taken.append(float(run.stdout))
    bases = seconds["httpx, attrs"][1:]
    return {
        names: median(bases) + median(one - base for one, base in zip(taken[1:], bases, strict=True))
        for names, taken in seconds.items()
    }


async def measure() -> dict[str, float]:
    """
    Return the seconds that the *first* client of a process takes to be made, and a *later* one.
    """
    from usergroups import M3terClient  # `imports` must not pay for it

    taken: list[float] = []
    for _ in range(_CLIENTS):
        begin = time.perf_counter()
        M3terClient(org_id="org", api_key="key", api_secret="secret")  # made up
        taken.append(time.perf_counter() - begin)
    return {"first": taken[0], "later": median(taken[1:])}
