"""The parts of the page that come after what a call costs."""

from collections.abc import Iterable, Iterator
from itertools import chain
from statistics import median
from typing import Any

from benchmarks.earlier import PROFILE
from benchmarks.figures import MS, Spread
from benchmarks.peers import PEERS
from benchmarks.profiling import CALLERS
from benchmarks.results import ALLOWED, SPEED, Results

_LEAST = 0.005  # the share of a call that a module needs to be told


def profiles(results: Results) -> Iterator[str]:
    """
    Return where the time of a call goes, before and now.
    """
    if not results.profiles:
        return
    yield ""
    yield "## Where the time of a call goes"
    yield ""
    yield f"The call above with {CALLERS} callers, under cProfile: own microseconds per call, the medians of several"
    yield "runs, and their share. The wait for the server is left out. cProfile makes cheap calls of Python look dearer"
    yield "than they are: what a call costs is in the tables above."
    yield ""
    made = f"commit {PROFILE['commit']} ({PROFILE['machine']}, {PROFILE['python']})"
    yield f"*Before* is the beginning of the second round, {made}, *now* is this run."
    for peer, now in results.profiles.items():
        before = PROFILE["profiles"][peer]
        yield ""
        yield f"### {PEERS[peer].title}: {before['total']:,.0f} µs before, {now['total']:,.0f} µs now"
        yield ""
        yield "By module, with the built-in functions that it calls; sockets are apart."
        yield ""
        yield from table(("module", "µs before", "share", "µs now", "share"), _modules(before, now))
        for when, profile in (("before", before), ("now", now)):
            yield ""
            yield f"The functions with the most time of their own, {when}:"
            yield ""
            yield from table(
                ("function", f"µs {when}", "share"),
                ((f"`{name}`", *_cost(time, profile["total"])) for name, time in profile["functions"].items()),
            )


def _modules(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    sides = (before, now)
    names = [
        name
        for name in dict.fromkeys(chain(now["modules"], before["modules"]))
        if any(side["modules"].get(name, 0.0) >= _LEAST * side["total"] for side in sides)
    ]
    for name in names:
        yield name, *chain(*(_cost(side["modules"].get(name, 0.0), side["total"]) for side in sides))
    rest = (max(0.0, side["total"] - sum(side["modules"].get(name, 0.0) for name in names)) for side in sides)
    if round(max(times := list(rest)), 1):
        yield "the rest", *chain(*(_cost(time, side["total"]) for time, side in zip(times, sides, strict=True)))


def _cost(time: float, total: float) -> tuple[str, str]:
    return f"{time:.1f}", f"{time / total:.1%}"


def listings(results: Results) -> Iterator[str]:
    """
    Return how long a listing takes, with and without prefetch.
    """
    yield ""
    yield f"## A listing of {results.scale.pages} pages"
    yield ""
    head = ("latency s", "work s", "prefetch", "seconds", "pages x wait", "ratio")
    yield from table(
        head,
        (
            (
                f"{one['latency']:g}",
                f"{one['work']:g}",
                "yes" if one["prefetch"] else "no",
                f"{one['seconds']:.2f}",
                f"{one['best']:.2f}",
                f"{one['seconds'] / one['best']:.3f}",
            )
            for one in results.listings
        ),
    )


def sweeps(results: Results) -> Iterator[str]:
    """
    Return how long a sweep takes, and what was lost.
    """
    yield ""
    yield f"## A sweep of {results.scale.sweep_users:,} users against a server that allows {ALLOWED} requests/s"
    yield ""
    head = ("`max_rate`", "seconds", "users/s", "answered", "errors", "answers of 429")
    yield from table(
        head,
        (
            (
                str(one["max_rate"]),
                f"{one['seconds']:.2f}",
                f"{one['answered'] / one['seconds']:,.0f}",
                f"{one['answered']:,}",
                ", ".join(f"{count} {name}" for name, count in one["errors"].items()) or "0",
                f"{one['refused']:,}",
            )
            for one in results.sweeps
        ),
    )


def groups(results: Results) -> Iterator[str]:
    """
    Return what large bodies cost.
    """
    size = f"{results.scale.body_size / 2**20:g} MiB"
    yield ""
    yield "## Large bodies"
    yield ""
    yield "A SmartPM group asked for over a socket, each in a process of its own. The longest block is how late a"
    yield "timer was at most that was due every ms; memory is what the process grew by at its peak. Without the extra"
    yield "`speed`, that is without msgspec, JSON is parsed by Python's own parser."
    yield ""
    users = f"{results.scale.group_users:,} users"
    bodies = {(users, parser): one for parser, one in results.group.items()}
    bodies |= {(f"{size}: {kind}", parser): one for (kind, parser), one in results.bodies.items()}
    yield from table(
        ("body", "`speed`", "outcome", "seconds", "longest block", "idle block", "memory", "x body"),
        (
            (
                name,
                "yes" if parser == SPEED else "no",
                one["outcome"],
                f"{one['seconds']:.2f}",
                Spread.of(one["blocks"]).text(MS),
                MS.of(one["idle"]),
                f"{one['memory'] / 2**20:,.0f} MiB",
                "" if name == users else f"{one['memory'] / results.scale.body_size:.1f}",
            )
            for (name, parser), one in bodies.items()
        ),
    )


def rest(results: Results) -> Iterator[str]:
    """
    Return what is told in a line each.
    """
    yield ""
    yield "## The rest"
    yield ""
    yield from table(("what", "figure"), _facts(results))


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    users = f"a group of {results.scale.group_users:,} users"
    for parser, found in results.decoding.items():
        yield f"a call for {users} over an empty transport, CPU, {parser}", MS.of(median(found["ours"]))
        if parser == SPEED:
            yield "pydantic's `model_validate_json` of the same bytes, CPU", MS.of(median(found["pydantic"]))
            yield "`json.loads` of them, CPU", MS.of(median(found["json"]))
    for (ours, base), pairs in (
        (("import of both clients", "`import httpx, attrs`"), results.imports),
        (("first `M3terClient(...)`", "`httpx.create_ssl_context()` in its place"), results.clients),
    ):
        if pairs:
            yield f"{ours}, in a fresh interpreter", MS.of(median(one for one, _ in pairs))
            yield f"{base}, in a fresh interpreter", MS.of(median(other for _, other in pairs))
    if results.later_client is not None:
        yield "each `M3terClient(...)` after the first", f"{results.later_client * 1e3:.2f} ms"
    if memory := results.memory:
        peaks = f"{memory['tenth'] / 2**20:.1f} MiB, then {memory['all'] / 2**20:.1f} MiB"
        yield f"peak memory after a tenth of {memory['items']:,} items, and after all", peaks
        yield "items/s in that listing, over an empty transport", f"{memory['items'] / memory['seconds']:,.0f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """
    Return the lines of a table.
    """
    names = tuple(head)
    yield "| " + " | ".join(names) + " |"
    yield "| " + " | ".join("---" for _ in names) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
