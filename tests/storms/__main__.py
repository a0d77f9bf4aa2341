"""
All storms at full size: `python -m storms --seed 1 2 3`.

Each is made on httpcore and on aiohttp, the first two rows on a pool of httpcore's that the client was given, too; and
those that throw dice for every seed. The exit status is 1 if anything was lost or wrong.
"""

import argparse
import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import attrs
import httpx

from rig.clock import FakeClock
from rig.surroundings import surroundings
from usergroups import M3terClient, RetryPolicy, SmartPMClient
from usergroups.transports import aiohttp_transport

from . import rows
from .inprocess import InProcess
from .server import ServerProcess

_USUAL = ("httpcore", "aiohttp")
_ALL = ("httpcore", "aiohttp", "pool")
_QUICK = RetryPolicy(attempts=2, backoff_initial=0.005, backoff_max=0.01)
_PAGE = resource.getpagesize()


def main() -> int:
    """
    Make the storms that the command line asks for.
    """
    parser = argparse.ArgumentParser(prog="python -m storms", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    parser.add_argument("--row", type=int, nargs="+", default=[63, 64, 69, 70, 72], metavar="N")
    parser.add_argument("--transport", nargs="+", default=list(_ALL), choices=_ALL)
    parser.add_argument("--share", type=float, default=1.0, help="of the full size (1)")
    asked = parser.parse_args()
    bad = 0
    for seed in asked.seed:
        for storm in STORMS:
            if storm.row in asked.row and (storm.seeded or seed == asked.seed[0]):
                for transport in storm.kinds:
                    if transport not in (*asked.transport, "in process"):
                        continue
                    begun = monotonic()
                    report = asyncio.run(storm.run(transport, seed, asked.share))
                    bad += bool(report.lost or report.wrong or report.largest_gap > rows.LARGEST_GAP)
                    _tell(f"row {storm.row}, {storm.name}, {transport}, seed {seed}", report, monotonic() - begun)
    _say(f"{bad} of the storms lost something or went wrong" if bad else "nothing was lost")
    return 1 if bad else 0


def _tell(name: str, report: rows.Report, seconds: float) -> None:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.most_common())
    _say(f"{name}: {report.calls:,} calls in {seconds:.1f} s ({outcomes})")
    _say(f"    lost: {report.lost} (slots/tasks/sockets)")
    if report.largest_gap:
        _say(f"    largest gap of the loop: {report.largest_gap:.4f} s")
    for wrong in report.wrong:
        _say(f"    wrong: {wrong}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@asynccontextmanager
async def _transport(kind: str) -> AsyncIterator[httpx.AsyncBaseTransport | None]:
    if kind == "httpcore":
        yield None
    else:
        made = aiohttp_transport() if kind == "aiohttp" else httpx.AsyncHTTPTransport()
        try:
            yield made
        finally:
            await made.aclose()


@asynccontextmanager
async def _smartpm(kind: str, **options: Any) -> AsyncIterator[tuple[SmartPMClient, ServerProcess]]:
    with ServerProcess() as site:
        async with (
            _transport(kind) as transport,
            SmartPMClient(
                api_key="storm", company_id="storm", base_url=site.url, transport=transport, **options
            ) as client,
        ):
            yield client, site


@asynccontextmanager
async def _m3ter(kind: str, **options: Any) -> AsyncIterator[tuple[M3terClient, ServerProcess]]:
    credentials = {"org_id": "org-1", "api_key": "storm", "api_secret": "storm"}
    with ServerProcess() as site:
        async with (
            _transport(kind) as transport,
            M3terClient(**credentials, base_url=site.url, max_rate=None, transport=transport, **options) as client,
        ):
            yield client, site


async def _crowd(callers: int, max_in_flight: int, timeout: float, kind: str, seed: int, share: float) -> rows.Report:
    async with _smartpm(kind, max_in_flight=max_in_flight, timeout=timeout) as (client, site):
        return await rows.crowd(client, site, callers=callers, seconds=15 * share)


async def _groups(kind: str, seed: int, share: float) -> rows.Report:
    async with _smartpm(kind) as (client, site):
        return await rows.groups(client, site, members=31, seconds=10 * share)


async def _squall(kind: str, seed: int, share: float) -> rows.Report:
    async with _m3ter(kind, timeout=1.0, retry=_QUICK) as (client, site):
        return await rows.squall(client, site, calls=round(50_000 * share), seed=seed)


async def _burst(kind: str, seed: int, share: float) -> rows.Report:
    async with _smartpm(kind) as (client, site):
        return await rows.burst(client, site, calls=round(2000 * share), most_open=16)


async def _queue(max_in_flight: int, kind: str, seed: int, share: float) -> rows.Report:
    async with _smartpm(kind, max_in_flight=max_in_flight) as (client, site):
        return await rows.queue(client, site, waiters=round(100_000 * share), staying=100, seed=seed)


async def _rotation(kind: str, seed: int, share: float) -> rows.Report:
    clock = FakeClock(autopilot=False)
    with surroundings(clock=clock):
        async with _m3ter(kind) as (client, site):
            return await rows.rotation(
                client, clock, site.figures, calls=round(20_000 * share), every=1.0, memory=_memory
            )


async def _rotation_in_process(kind: str, seed: int, share: float) -> rows.Report:
    clock, site = FakeClock(autopilot=False), InProcess()
    with surroundings(clock=clock, make_transport=lambda: site):
        async with M3terClient(
            org_id="o", api_key="storm", api_secret="storm", base_url="https://storm.invalid", max_rate=None
        ) as client:
            return await rows.rotation(
                client, clock, site.figures, calls=round(1_000_000 * share), every=0.1, memory=_memory
            )


def _memory() -> int:
    """
    Return the bytes of memory that this process has.
    """
    return int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1]) * _PAGE


@attrs.frozen
class Storm:
    """
    A storm on each of some *kinds* of transport; *run* is given the kind, a seed and a share of the full size.
    """

    row: int
    name: str
    run: Callable[[str, int, float], Awaitable[rows.Report]]
    kinds: tuple[str, ...] = _USUAL
    seeded: bool = True  # else once is enough


STORMS = [
    Storm(63, "100 callers, 10 in flight, 0.1 s", partial(_crowd, 100, 10, 0.1), _ALL),
    Storm(63, "150 callers, 100 in flight, 0.3 s", partial(_crowd, 150, 100, 0.3), _ALL),
    Storm(63, "TaskGroups of 31", _groups, _ALL),
    Storm(64, "all weathers", _squall, _ALL),
    Storm(69, "2,000 at once", _burst, seeded=False),
    Storm(70, "100,000 before a gate of 1", partial(_queue, 1)),
    Storm(70, "100,000 before a gate of 16", partial(_queue, 16)),
    Storm(72, "tokens rotate", _rotation, seeded=False),
    Storm(72, "tokens rotate a thousand times", _rotation_in_process, ("in process",), seeded=False),
]


if __name__ == "__main__":
    sys.exit(main())
