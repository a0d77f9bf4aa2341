"""The run as a page of Markdown."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import machine
from benchmarks.goals import goals
from benchmarks.load import Cell
from benchmarks.peers import BASE, LIMIT, PEERS
from benchmarks.results import ALLOWED, Results
from benchmarks.rounds import middle, ratio

_MET = {True: "met", False: "**not met**", None: "-"}


def page(results: Results, chart: str, busy: float) -> str:
    """
    Return the whole page; *chart* is the file name of the picture, *busy* the load of the machine before.
    """
    return "\n".join(_lines(results, chart, busy)) + "\n"


def _lines(results: Results, chart: str, busy: float) -> Iterator[str]:
    plan = results.scale.plan
    yield "# Benchmarks"
    yield ""
    yield "Made by `make bench`, which measures all of this again; figures are comparable within one run only."
    yield ""
    yield f"- Machine: {machine.machine()}."
    if busy > 0.5:
        yield f"- **It was not quiet**: {busy:.1f} processes a core wanted to run when the run began."
    yield f"- Versions: {', '.join(machine.versions())}."
    yield (
        f"- {plan.rounds} round{'s' if plan.rounds > 1 else ''} of {plan.seconds:g} s after {plan.warm_up:g} s of"
        f" warm-up; in each round every client once, in a process of its own, in an order drawn with seed {plan.seed}."
    )
    rates = ", ".join(f"{rate:,.0f}/s {name}" for name, rate in results.server.items())
    yield f"- The server is a process of its own on the loopback interface; what it can do at most: {rates}."
    yield "- Every client runs on asyncio's own event loop, with its own defaults."
    for peer, reason in results.left_out.items():
        yield f"- Left out: {PEERS[peer].title} ({reason})."
    yield ""
    yield "## Goals"
    yield ""
    head = ("goal", "measured", "met?", "cause")
    rows = (
        (goal.aim, goal.measured, _MET[goal.met], goal.cause if goal.met is False else "") for goal in goals(results)
    )
    yield from table(head, rows)
    yield ""
    yield f"![Requests per second of each client]({chart})"
    yield from _calls(results)
    yield from _rest(results)


def _calls(results: Results) -> Iterator[str]:
    yield ""
    yield "## What a call costs"
    yield ""
    yield "A call lists the user groups of one user, three in the answer. The SDK does all it always does:"
    yield "token, retries, gate, checks; only `max_rate` is off. Figures are medians over the rounds, a ratio is the"
    yield "median of what it was in each round. CPU is the process's own time, for all of its work."
    for callers in results.scale.plan.callers:
        yield ""
        yield f"### {callers} callers"
        yield ""
        head = (
            "client",
            "requests/s",
            "x httpx",
            "x limit",
            "CPU µs",
            "x httpx",
            "x limit",
            "p50 ms",
            "p99 ms",
            "errors",
        )
        yield from table(head, (_row(results, peer, callers) for peer in results.scale.plan.peers))


def _row(results: Results, peer: str, callers: int) -> tuple[str, ...]:
    found = middle(results.cells[peer, callers])

    def rate(cell: Cell) -> float:
        return cell.rate

    def cpu(cell: Cell) -> float:
        return cell.cpu

    def against(other: str, *, by_cpu: bool) -> str:
        value = ratio(results.cells, cpu if by_cpu else rate, callers, peer, other)
        return "-" if value is None else f"{value:.2f}"

    errors = [f"{found.pool_timeouts} pool timeouts"] if found.pool_timeouts else []
    errors += [f"{found.errors} others"] if found.errors else []
    return (
        PEERS[peer].title,
        f"{found.rate:,.0f}",
        against(BASE, by_cpu=False),
        against(LIMIT, by_cpu=False),
        f"{found.cpu:,.0f}",
        against(BASE, by_cpu=True),
        against(LIMIT, by_cpu=True),
        f"{found.p50:,.1f}",
        f"{found.p99:,.1f}",
        ", ".join(errors) or "0",
    )


def _rest(results: Results) -> Iterator[str]:
    if results.listings:
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
    if results.sweeps:
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
    yield ""
    yield "## The rest"
    yield ""
    yield from table(("what", "figure"), _facts(results))


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    if found := results.decoding:
        users = f"a group of {results.scale.group_users:,} users"
        yield f"a call for {users} over an empty transport, CPU", f"{found['ours'] * 1e3:.1f} ms"
        yield "`json.loads` of the same bytes, CPU", f"{found['json'] * 1e3:.1f} ms"
        yield "pydantic's `model_validate_json` of them, CPU", f"{found['pydantic'] * 1e3:.1f} ms"
        yield (
            f"longest gap of a 5 ms heartbeat during a call for {users} over a socket",
            f"{found['gap'] * 1e3:.1f} ms, at worst {found['longest_gap'] * 1e3:.1f} ms"
            f" (without a call {found['idle_gap'] * 1e3:.1f} ms)",
        )
    for names, seconds in results.imports.items():
        yield f"`import {names}` in a fresh interpreter", f"{seconds * 1e3:.0f} ms"
    if found := results.clients:
        yield "the first `M3terClient(...)` of a process", f"{found['first'] * 1e3:.1f} ms"
        yield "each of the next ones", f"{found['later'] * 1e3:.2f} ms"
    if found := results.memory:
        peaks = f"{found['tenth'] / 2**20:.1f} MiB, then {found['all'] / 2**20:.1f} MiB"
        yield f"peak memory after a tenth of {found['items']:,} items, and after all", peaks
        yield "items/s in that listing, over an empty transport", f"{found['items'] / found['seconds']:,.0f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """
    Return the lines of a table.
    """
    names = tuple(head)
    yield "| " + " | ".join(names) + " |"
    yield "| " + " | ".join("---" for _ in names) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def write(results: Results, folder: Path, chart: str, busy: float) -> Path:
    """
    Write the page into *folder*, and give where.
    """
    path = folder / "benchmarks.md"
    path.write_text(page(results, chart, busy), encoding="utf-8")
    return path
