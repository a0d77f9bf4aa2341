"""
Where the time of a call goes, function by function, by cProfile.

    python -m benchmarks.profiling a0a687b    what benchmarks/earlier/profile.json holds, of that commit
"""

import asyncio
import cProfile
import gc
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from statistics import median
from types import CodeType
from typing import Any

from benchmarks import machine
from benchmarks.peers import OURS, PEERS, Call
from benchmarks.processes import Run, alone, serving
from benchmarks.server import Options

Times = Mapping[str, float]

CALLERS = 10
_FUNCTIONS = 20  # that are told
_WAIT = re.compile("'(?:poll|select|control)' of 'select")  # for the server: no work of a call
_METHOD = re.compile("<(?:method|slot wrapper) '(.+)' of '(.+)' objects>")
_SOCKETS = "sockets"
_BUILT_IN = "built-in functions"


async def measure(peer: str, url: str, calls: int, times: int) -> dict[str, Any]:
    """
    Return the microseconds per call in all, by function and by module: medians of runs of so many *calls*.

    The time of a built-in function is its own among functions, and that of the module that called it
    among modules.
    """
    runs: list[tuple[Times, Times]] = []
    async with PEERS[peer].opening(url) as call:
        await _ask(call, calls)  # warms up
        for _ in range(times):
            gc.collect()
            profile: Any = cProfile.Profile()
            profile.enable()
            await _ask(call, calls)
            profile.disable()
            runs.append(_times(profile.getstats(), calls))
    functions, modules = (_medians(times) for times in zip(*runs, strict=True))
    return {
        "total": round(sum(functions.values()), 2),
        "functions": dict(list(functions.items())[:_FUNCTIONS]),
        "modules": modules,
    }


def profiles(run: Run, calls: int, times: int) -> dict[str, Any]:
    """
    Return the profile of this SDK on each of its transports.
    """
    with serving(Options()) as server:
        options = {"url": server.url, "calls": calls, "times": times}
        return {peer: run("profiling", {"peer": peer, **options}) for peer in OURS if not PEERS[peer].missing()}


async def _ask(call: Call, calls: int) -> None:
    users = iter([f"user-{number:06}" for number in range(calls)])

    async def ask() -> None:
        for user in users:
            await call(user)

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(ask())


def _times(entries: Iterable[Any], calls: int) -> tuple[Times, Times]:
    """
    Return the microseconds per call of each function, and of each module.
    """
    functions, modules = defaultdict[str, float](float), defaultdict[str, float](float)
    for entry in entries:
        if isinstance(entry.code, str) and _WAIT.search(entry.code):
            continue
        own = entry.inlinetime / calls * 1e6
        functions[_function(entry.code)] += own
        modules[_module(entry.code)] += own
        if isinstance(entry.code, CodeType):
            for callee in entry.calls or ():
                if isinstance(callee.code, str) and _module(callee.code) == _BUILT_IN:
                    by_caller = 0.0 if _WAIT.search(callee.code) else callee.inlinetime / calls * 1e6
                    modules[_module(entry.code)] += by_caller
                    modules[_BUILT_IN] -= by_caller
    return functions, modules


def _medians(runs: Sequence[Times]) -> dict[str, float]:
    """
    Return the median of each name's time, the longest first.
    """
    times = {name: round(median(run.get(name, 0.0) for run in runs), 2) for name in set().union(*runs)}
    return dict(sorted(times.items(), key=lambda item: (-item[1], item[0])))


def _function(code: CodeType | str) -> str:
    if isinstance(code, CodeType):
        return f"{_file(code.co_filename)}: {code.co_qualname}"
    method = _METHOD.fullmatch(code)
    return f"{method[2]}.{method[1]}" if method else code.strip("<>").replace("built-in method ", "")


def _module(code: CodeType | str) -> str:
    if isinstance(code, str):
        return _SOCKETS if "_socket." in code or "_ssl." in code else _BUILT_IN
    name = re.split("[/.]", _file(code.co_filename))[0]
    return "standard library" if name in sys.stdlib_module_names and name != "asyncio" else name


def _file(name: str) -> str:
    """
    Return the file *name* as it is imported, or the class whose methods attrs compiled.
    """
    if name.startswith("<"):
        return name.strip("<>").rpartition(" ")[2] if " " in name else "compiled at run time"
    folders = [folder for folder in sys.path if folder and PurePath(name).is_relative_to(folder)]
    return PurePath(name).relative_to(max(folders, key=len, default="/")).as_posix()


def main() -> None:
    """
    Print the profiles of the SDK that Python finds here, said to be of the commit in the command line.
    """
    head = {"commit": sys.argv[1], "machine": machine.machine(), "python": next(iter(machine.versions()))}
    print(json.dumps({**head, "profiles": profiles(alone, 250, 40)}, indent=1))


if __name__ == "__main__":
    main()
