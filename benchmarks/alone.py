"""One measurement in this process: `python -m benchmarks.alone load '{"peer": "usergroups", ...}'`."""

import asyncio
import importlib
import json
import random
import sys
from collections.abc import Mapping
from typing import Any


def here(module: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what `benchmarks.<module>.measure(**options)` comes to, *without* some packages if an option says so.
    """
    options = dict(options)
    for package in options.pop("without", ()):
        sys.modules[package] = None  # type: ignore[assignment]  # as if it were not installed
    random.seed(0)  # back-off is drawn at random
    measure = importlib.import_module(f"benchmarks.{module}").measure
    figures: dict[str, Any] = asyncio.run(measure(**options))
    return figures


def main() -> None:
    """
    Print, as one line of JSON, what the module and options of the command line give.
    """
    print(json.dumps(here(sys.argv[1], json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
