"""What it was measured on, without saying which machine it was."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "httpx",
    "httpcore",
    "attrs",
    "aiohttp",
    "httpx-aiohttp",
    "m3ter",
    "msgspec",
    "pydantic",
    "openapi-generator-cli",
    "uvloop",
)


def machine() -> str:
    """
    Return processor, cores and system in a line.
    """
    cores = os.cpu_count() or 1
    return f"{_processor()}, {cores} core{'s' if cores > 1 else ''}, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")


def versions() -> Iterable[str]:
    """
    Return the versions of Python and of all packages that take part.
    """
    yield f"{platform.python_implementation()} {platform.python_version()}"
    for package in _PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def load() -> float:
    """
    Return how many processes wanted a core in the last minute, in cores of this machine.
    """
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return 0.0
