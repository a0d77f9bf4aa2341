"""All figures of one run, and the measurements that they come from."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from benchmarks import openapi_generator, rounds, starting
from benchmarks.load import Cell
from benchmarks.peers import PEERS
from benchmarks.processes import MeasurementError, Run, serving
from benchmarks.rounds import Plan
from benchmarks.server import Options

ALLOWED = 500  # requests a second, in the sweep
_SWEEP_LATENCY = 0.01  # seconds

Figures = dict[str, Any]
Tell = Callable[[str], None]


@attrs.frozen(kw_only=True)
class Scale:
    """
    How much is measured. *listings* are pairs of latency and work, in seconds a page.
    """

    plan: Plan
    limit_seconds: float = 1.0
    pages: int = 40
    listings: tuple[tuple[float, float], ...] = ((0.1, 0.1), (0.1, 0.04), (0.04, 0.1))
    sweep_users: int = 5_000
    group_users: int = 10_000
    group_times: int = 9
    imports: int = 15
    items: int = 1_000_000


@attrs.define(kw_only=True)
class Results:
    """
    What was measured; what was not is empty.
    """

    scale: Scale
    left_out: dict[str, str] = attrs.field(factory=dict[str, str])
    cells: dict[tuple[str, int], list[Cell]] = attrs.field(factory=dict[tuple[str, int], list[Cell]])
    server: dict[str, float] = attrs.field(factory=dict[str, float])
    listings: list[Figures] = attrs.field(factory=list[Figures])
    sweeps: list[Figures] = attrs.field(factory=list[Figures])
    decoding: Figures = attrs.field(factory=dict[str, Any])
    imports: dict[str, float] = attrs.field(factory=dict[str, float])
    clients: Figures = attrs.field(factory=dict[str, Any])
    memory: Figures = attrs.field(factory=dict[str, Any])


def measure_all(scale: Scale, run: Run, tell: Tell) -> Results:
    """
    Make every measurement, one after another; *run* makes each.
    """
    results = Results(scale=scale)
    _calls(results, run, tell)
    _listings(results, run, tell)
    _sweeps(results, run, tell)
    tell("a large group")
    with serving(Options(users=scale.group_users)) as server:
        options = {"url": server.url, "users": scale.group_users, "times": scale.group_times}
        results.decoding = run("decoding", options)
    tell("imports and clients")
    results.imports = starting.imports(scale.imports) if scale.imports else {}
    results.clients = run("starting", {})
    tell(f"memory over {scale.items:,} items")
    results.memory = run("memory", {"items": scale.items})
    return results


def _calls(results: Results, run: Run, tell: Tell) -> None:
    with TemporaryDirectory() as folder, serving(Options()) as server:
        for name, (connections, depth) in {"one by one": (16, 1), "pipelined": (8, 16)}.items():
            options = {"url": server.url, "connections": connections, "depth": depth}
            options |= {"seconds": results.scale.limit_seconds}
            results.server[name] = run("limit", options)["rate"]
        plan = results.scale.plan
        peers = [peer for peer in plan.peers if _is_there(peer, Path(folder), results.left_out)]
        plan = attrs.evolve(plan, peers=tuple(peers))
        results.scale = attrs.evolve(results.scale, plan=plan)
        results.cells = rounds.play(plan, server.url, folder=folder, run=run, tell=tell)


def _is_there(peer: str, folder: Path, left_out: dict[str, str]) -> bool:
    missing = PEERS[peer].missing()
    if missing:
        left_out[peer] = f"{', '.join(missing)} not installed"
    elif peer == "openapi-generator":
        try:
            openapi_generator.generate(folder)
        except MeasurementError as error:
            left_out[peer] = str(error)
    return peer not in left_out


def _listings(results: Results, run: Run, tell: Tell) -> None:
    pages = results.scale.pages
    for latency, work in results.scale.listings:
        with serving(Options(pages=pages, latency=latency)) as server:
            for prefetch in (False, True):
                tell(f"{pages} pages, {latency:g} s of latency, {work:g} s of work, prefetch={prefetch}")
                figures = run("pagination", {"url": server.url, "work": work, "prefetch": prefetch})
                best = pages * (max(latency, work) if prefetch else latency + work)
                results.listings.append(
                    {**figures, "latency": latency, "work": work, "prefetch": prefetch, "best": best}
                )


def _sweeps(results: Results, run: Run, tell: Tell) -> None:
    users = results.scale.sweep_users
    for max_rate in (ALLOWED, None):
        tell(f"sweep of {users:,} users, max_rate={max_rate}")
        with serving(Options(rate_limit=ALLOWED, latency=_SWEEP_LATENCY)) as server:
            figures = run("sweeping", {"url": server.url, "users": users, "max_rate": max_rate})
            results.sweeps.append({**figures, "max_rate": max_rate, "users": users, **server.counts()})
