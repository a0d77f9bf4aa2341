"""The run as a page of Markdown: the goals first, then what a call costs, and the rest."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine, sections
from benchmarks.earlier import FIRST_ROUND
from benchmarks.goals import Goal, cpu, goals, rate
from benchmarks.peers import BASE, LIMIT, PEERS
from benchmarks.results import Results
from benchmarks.rounds import middle, ratio
from benchmarks.sections import table


def page(results: Results, chart: str, busy: float) -> str:
    """
    Return the whole page; *chart* is the file name of the picture, *busy* the load of the machine before.
    """
    return "\n".join(_lines(results, chart, busy)) + "\n"


def _lines(results: Results, chart: str, busy: float) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield "Made by `make bench`, which measures all of this again. Between runs only ratios can be compared."
    yield ""
    yield from _circumstances(results, busy)
    yield ""
    yield "## Goals"
    yield ""
    yield "A ratio or a difference is the median of pairs that were measured next to each other, with the lowest and"
    yield "the highest in parentheses. A block of the event loop is the median of several calls, told in the same way."
    yield "*Missed by* is a share of what is allowed. *The limit* is aiohttp with msgspec by hand."
    yield "Blocks by large bodies are measured with the extra `speed` and without it: the worst is named and judged."
    yield ""
    rows = ((goal.aim, goal.measured, _verdict(goal), _cause(goal)) for goal in goals(results))
    yield from table(("goal", "measured", "met?", "cause"), rows)
    yield from _both_rounds(results, chart)
    yield from _calls(results)
    yield from sections.profiles(results)
    yield from sections.listings(results)
    yield from sections.sweeps(results)
    yield from sections.groups(results)
    yield from sections.rest(results)


def _circumstances(results: Results, busy: float) -> Iterator[str]:
    plan = results.scale.plan
    yield f"- Machine: {machine.machine()}."
    if busy > 0.5:
        yield f"- **It was not quiet**: the load was {busy:.1f} per core when the run began."
    yield f"- Versions: {', '.join(machine.versions())}."
    yield (
        f"- {plan.rounds} round{'s' if plan.rounds > 1 else ''} of {plan.seconds:g} s after {plan.warm_up:g} s of"
        f" warm-up; in each round every client once, in a process of its own, in an order drawn with seed {plan.seed}."
    )
    yield (
        f"- For each goal about two clients, {plan.pairs} pair{'s' if plan.pairs > 1 else ''} of the same length: the"
        " two right after each other, in alternating order."
    )
    rates = ", ".join(f"{rate:,.0f}/s {name}" for name, rate in results.server.items())
    yield f"- The server is a process of its own on the loopback interface; what it can do at most: {rates}."
    yield "- Every client runs on asyncio's own event loop, with its own defaults. This SDK has its extra `speed`, if"
    yield "  nothing else is said."
    for peer, reason in results.left_out.items():
        yield f"- Left out: {PEERS[peer].title} ({reason})."


def _verdict(goal: Goal) -> str:
    if goal.met is None:
        return "-"
    if goal.met:
        return "met"
    return "**not met**" if goal.by is None else f"**missed by {max(goal.by, 0.001):.1%}**"


def _cause(goal: Goal) -> str:
    return goal.cause if goal.met is False else ""


def _both_rounds(results: Results, chart: str) -> Iterator[str]:
    yield ""
    yield "## The first round of work on speed, and now"
    yield ""
    made = f"commit {FIRST_ROUND['commit']} ({FIRST_ROUND['machine']}, {FIRST_ROUND['python']})"
    yield f"The first round is that of {made}. That run was on another day"
    yield "and machine: between runs only ratios can be compared, and these are ratios. A tenth more or less is noise."
    yield ""
    yield f"![Requests per second of each client, as a multiple of httpx's, in the first round and now]({chart})"
    yield ""
    yield "CPU per call, as a multiple of the limit: the first round → now."
    yield ""
    callers = results.scale.plan.callers
    yield from table(
        ("client", *(f"{number} callers" for number in callers)),
        (
            (PEERS[peer].title, *(_then_and_now(results, peer, number) for number in callers))
            for peer in results.scale.plan.peers
        ),
    )


def _then_and_now(results: Results, peer: str, callers: int) -> str:
    then = FIRST_ROUND["cells"].get(str(callers), {}).get(peer)
    now = ratio(results.cells, cpu, callers, peer, LIMIT)
    return " → ".join(("-" if then is None else f"{then['cpu_to_limit']:.2f}", "-" if now is None else f"{now:.2f}"))


def _calls(results: Results) -> Iterator[str]:
    yield ""
    yield "## What a call costs"
    yield ""
    yield "A call lists the user groups of one user, three in the answer. The SDK does all it always does:"
    yield "token, retries, the line for a place, checks; only `max_rate` is off. Figures are medians over the rounds,"
    yield "a ratio is the median of what it was in each round. CPU is the process's own time, for all of its work."
    for callers in results.scale.plan.callers:
        yield ""
        yield f"### {callers} callers"
        yield ""
        speed = ("requests/s", "x httpx", "x limit")
        head = ("client", *speed, "CPU µs", *speed[1:], "p50 ms", "p99 ms", "errors")
        yield from table(head, (_row(results, peer, callers) for peer in results.scale.plan.peers))


def _row(results: Results, peer: str, callers: int) -> tuple[str, ...]:
    found = middle(results.cells[peer, callers])

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


def write(results: Results, folder: Path, chart: str, busy: float) -> Path:
    """
    Write the page into *folder*, and give where.
    """
    path = folder / "benchmarks.md"
    path.write_text(page(results, chart, busy), encoding="utf-8")
    return path
