"""All figures of one run, and the measurements that they come from."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from benchmarks import bodies, openapi_generator, pairs, profiling, rounds, starting
from benchmarks.load import Cell
from benchmarks.pairs import Pairing, Pairs
from benchmarks.peers import PEERS
from benchmarks.processes import MeasurementError, Run, serving
from benchmarks.rounds import Plan
from benchmarks.server import Options

ALLOWED = 500  # requests a second, in the sweep
_SWEEP_LATENCY = 0.01  # seconds

# What the goals compare: each is measured in pairs.
MODEL_10 = Pairing("usergroups", "httpx-model", 10)
GENERATOR_10 = Pairing("usergroups", "openapi-generator", 10)
HTTPX_500 = Pairing("usergroups", "httpx", 500)
LIMIT_100 = Pairing("usergroups-aiohttp", "by-hand", 100)
GENERATOR_100 = Pairing("usergroups-aiohttp", "openapi-generator", 100)
OFFICIAL_100 = Pairing("usergroups-aiohttp", "m3ter-aiohttp", 100)
PAIRINGS = (MODEL_10, GENERATOR_10, HTTPX_500, LIMIT_100, GENERATOR_100, OFFICIAL_100)

# How the SDK parses JSON in the measurements of large bodies: by msgspec, or as it does without that package.
SPEED = "with `speed`"
PLAIN = "without `speed`"
_WITHOUT: Mapping[str, Sequence[str]] = {SPEED: (), PLAIN: ("msgspec",)}

Figures = dict[str, Any]
Tell = Callable[[str], None]


@attrs.frozen(kw_only=True)
class Scale:
    """
    How much is measured.

    *listings* are pairs of latency and work, in seconds a page; *parsers* are what reads large bodies.
    """

    plan: Plan
    limit_seconds: float = 1.0
    profile_calls: int = 250
    profile_times: int = 16
    pages: int = 40
    listings: tuple[tuple[float, float], ...] = ((0.1, 0.1), (0.1, 0.04), (0.04, 0.1))
    sweep_users: int = 5_000
    group_users: int = 10_000
    group_times: int = 9
    body_size: int = bodies.LARGEST
    body_times: int = 3
    parsers: tuple[str, ...] = (SPEED, PLAIN)
    starts: int = 9
    items: int = 1_000_000


@attrs.define(kw_only=True)
class Results:
    """
    What was measured; what was not is empty.
    """

    scale: Scale
    left_out: dict[str, str] = attrs.field(factory=dict[str, str])
    cells: dict[tuple[str, int], list[Cell]] = attrs.field(factory=dict[tuple[str, int], list[Cell]])
    pairs: Pairs = attrs.field(factory=dict[Pairing, list[tuple[Cell, Cell]]])
    server: dict[str, float] = attrs.field(factory=dict[str, float])
    profiles: dict[str, Figures] = attrs.field(factory=dict[str, Figures])
    listings: list[Figures] = attrs.field(factory=list[Figures])
    sweeps: list[Figures] = attrs.field(factory=list[Figures])
    decoding: dict[str, dict[str, list[float]]] = attrs.field(factory=dict[str, dict[str, list[float]]])
    group: dict[str, Figures] = attrs.field(factory=dict[str, Figures])
    bodies: dict[tuple[str, str], Figures] = attrs.field(factory=dict[tuple[str, str], Figures])
    imports: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])
    clients: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])
    later_client: float | None = None
    memory: Figures = attrs.field(factory=dict[str, Any])


def measure_all(scale: Scale, run: Run, tell: Tell) -> Results:
    """
    Make every measurement, one after another; *run* makes each.
    """
    results = Results(scale=scale)
    _calls(results, run, tell)
    tell("profiles")
    results.profiles = profiling.profiles(run, scale.profile_calls, scale.profile_times)
    _listings(results, run, tell)
    _sweeps(results, run, tell)
    _groups(results, run, tell)
    tell("imports and clients")
    if scale.starts:
        results.imports = starting.pairs(starting.IMPORT, starting.BASE, scale.starts)
        results.clients = starting.pairs(starting.CLIENT, starting.CONTEXT, scale.starts)
    results.later_client = run("starting", {})["later"]
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

        def measure(peer: str, callers: int) -> Cell:
            options = {"peer": peer, "url": server.url, "callers": callers, "folder": folder}
            cell = Cell(**run("load", {**options, "seconds": plan.seconds, "warm_up": plan.warm_up}))
            tell(f"{callers} callers, {peer}: {cell.rate:,.0f}/s, {cell.cpu:,.0f} µs of CPU a call")
            return cell

        results.cells = rounds.play(plan, measure)
        pairings = [pairing for pairing in PAIRINGS if {pairing.one, pairing.other} <= {*peers}]
        results.pairs = pairs.play(pairings, plan.pairs, measure)


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


def _groups(results: Results, run: Run, tell: Tell) -> None:
    scale = results.scale
    tell(f"a group of {scale.group_users:,} users")
    with serving(Options(users=scale.group_users)) as server:
        for parser in scale.parsers:
            options = {"times": scale.group_times, "without": _WITHOUT[parser]}
            results.decoding[parser] = run("decoding", {"users": scale.group_users, **options})
            results.group[parser] = run("blocks", {"url": server.url, **options})
    for kind in bodies.KINDS:
        tell(f"{scale.body_size / 2**20:g} MiB: {kind}")
        with serving(Options(kind=kind, size=scale.body_size)) as server:
            for parser in scale.parsers:
                options = {"url": server.url, "times": scale.body_times, "without": _WITHOUT[parser]}
                results.bodies[kind, parser] = run("blocks", options)
