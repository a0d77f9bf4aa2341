"""What was aimed at, and whether it was reached."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from benchmarks import bodies, causes, pairs
from benchmarks.figures import MORE_MS, MS, TIMES, Spread, Unit
from benchmarks.load import Cell
from benchmarks.pairs import Pairing
from benchmarks.results import (
    ALLOWED,
    GENERATOR_10,
    GENERATOR_100,
    HTTPX_500,
    LIMIT_100,
    MODEL_10,
    OFFICIAL_100,
    PLAIN,
    SPEED,
    Results,
)
from benchmarks.rounds import middle


@attrs.frozen
class Goal:
    """
    One aim, the figure that was measured, whether that is enough (None: not measured), and *cause*, if not.

    *by* is by how much it was missed, as a share of what is allowed, where that is a number.
    """

    aim: str
    measured: str = "not measured"
    met: bool | None = None
    cause: str = ""
    by: float | None = None


def goals(results: Results) -> list[Goal]:
    """
    Judge a run by all aims.
    """
    return [
        *_default_transport(results),
        *_aiohttp_transport(results),
        *_listings(results),
        *_sweeps(results),
        *_decoding(results),
        *_beginning(results),
        *_memory(results),
    ]


def rate(cell: Cell) -> float:
    """
    Return the calls per second.
    """
    return cell.rate


def cpu(cell: Cell) -> float:
    """
    Return the CPU per call.
    """
    return cell.cpu


def p99(cell: Cell) -> float:
    """
    Return the latency that 99 of 100 calls keep within.
    """
    return cell.p99


def _most(aim: str, found: Spread | None, most: float, unit: Unit, cause: str) -> Goal:
    """Judge the median of *found*, which may be *most*."""
    if found is None:
        return Goal(aim)
    return Goal(aim, found.text(unit), found.median <= most, cause, found.median / most - 1)


def _default_transport(results: Results) -> Iterator[Goal]:
    def against(pairing: Pairing, figure: Callable[[Cell], float]) -> Spread | None:
        return pairs.ratio(results.pairs, pairing, figure)

    aim = "Default transport, 10 callers: CPU per call ≤ 1.15 x httpx `get` + `json` + generated model"
    yield _most(aim, against(MODEL_10, cpu), 1.15, TIMES, causes.DEFAULT_COST)
    aim = "Default transport, 10 callers: CPU per call ≤ 1.0 x openapi-generator asyncio"
    yield _most(aim, against(GENERATOR_10, cpu), 1.0, TIMES, causes.DEFAULT_COST)
    aim, found = "Default transport, 500 callers: requests/s ≥ 4 x httpx", against(HTTPX_500, rate)
    if found is None:
        yield Goal(aim)
    else:
        yield Goal(aim, found.text(TIMES), found.median >= 4, causes.DEFAULT_COST, 1 - found.median / 4)
    aim = "Default transport, 500 callers: p99 ≤ 0.15 x httpx"
    yield _most(aim, against(HTTPX_500, p99), 0.15, TIMES, causes.DEFAULT_CROWD)
    aim = "Default transport, 500 callers: no pool timeout"
    cells = [*results.cells.get(("usergroups", 500), ()), *(ours for ours, _ in results.pairs.get(HTTPX_500, ()))]
    if not cells:
        yield Goal(aim)
    else:
        all_of_them = middle(cells)
        text = f"{all_of_them.pool_timeouts}, and {all_of_them.errors} other errors"
        yield Goal(aim, text, not all_of_them.pool_timeouts, causes.DEFAULT_CROWD)


def _aiohttp_transport(results: Results) -> Iterator[Goal]:
    for pairing, name, most in (
        (LIMIT_100, "the limit", 1.7),
        (GENERATOR_100, "openapi-generator asyncio", 0.55),
        (OFFICIAL_100, "official `m3ter` on aiohttp", 0.45),
    ):
        aim = f"aiohttp transport, 100 callers: CPU per call ≤ {most:g} x {name}"
        yield _most(aim, pairs.ratio(results.pairs, pairing, cpu), most, TIMES, causes.AIOHTTP_COST)


def _listings(results: Results) -> Iterator[Goal]:
    pages = results.scale.pages
    found = [listing["seconds"] / listing["best"] for listing in results.listings if listing["prefetch"]]
    aim = f"Prefetch: {pages} pages in ≤ 1.05 x {pages} x the longer of latency and work"
    if found:
        worst = max(found)
        yield Goal(aim, f"{worst:.3f} x at worst", worst <= 1.05, causes.PREFETCH, worst / 1.05 - 1)
    else:
        yield Goal(aim)


def _sweeps(results: Results) -> Iterator[Goal]:
    aim = f"Sweep against {ALLOWED}/s with `max_rate={ALLOWED}`: ≥ 97 % of that rate, no 429"
    found = {sweep["max_rate"]: sweep for sweep in results.sweeps}
    if sweep := found.get(ALLOWED):
        share = sweep["answered"] / sweep["seconds"] / ALLOWED
        text = f"{share:.1%}, {sweep['refused']} answers of 429"
        cause = causes.SWEEP_REFUSED if sweep["refused"] else causes.SWEEP_SLOW
        yield Goal(aim, text, share >= 0.97 and not sweep["refused"], cause)
    else:
        yield Goal(aim)
    aim = f"Sweep against {ALLOWED}/s without `max_rate`: no user lost"
    if sweep := found.get(None):
        lost = sweep["users"] - sweep["answered"]
        yield Goal(aim, f"{lost:,} of {sweep['users']:,} lost", lost == 0, causes.SWEEP_LOST)
    else:
        yield Goal(aim)


def _decoding(results: Results) -> Iterator[Goal]:
    users = f"A group of {results.scale.group_users:,} users"
    for parser in (SPEED, PLAIN):
        aim = f"{users}, {parser}: a call's CPU ≤ 1.0 x pydantic's `model_validate_json`"
        one = results.decoding.get(parser)
        yield _most(aim, None if one is None else _ratio(one["ours"], one["pydantic"]), 1.0, TIMES, causes.DECODING)
    aim = f"{users}: longest block of the event loop ≤ 10 ms"
    found = {parser: Spread.of(one["blocks"]) for parser, one in results.group.items()}
    yield _worst(aim, found, 0.010, MS, causes.BLOCK)
    size = f"{results.scale.body_size / 2**20:g} MiB"
    blocks = {key: Spread.of(one["blocks"]) for key, one in results.bodies.items()}
    for name, kind, cause in (
        (f"The largest legal answer, {size} of users", bodies.USERS, causes.BLOCK),
        (f"The largest error body, {size}", bodies.ERROR, causes.ERROR_BLOCK),
    ):
        found = {parser: block for (one, parser), block in blocks.items() if one == kind}
        yield _worst(f"{name}: longest block of the event loop ≤ 25 ms", found, 0.025, MS, cause)
    costly = {key: f"{key[0]}, {key[1]}" for key in results.bodies if key[0] in bodies.COSTLY}
    aim = f"Answers of {size} made to cost: longest block of the event loop ≤ 250 ms"
    yield _worst(aim, {name: blocks[key] for key, name in costly.items()}, 0.250, MS, causes.COSTLY_BLOCK)
    aim = f"Answers of {size} made to cost: peak memory ≤ 10 x the body"
    memory = {key: Spread.of([one["memory"] / results.scale.body_size]) for key, one in results.bodies.items()}
    yield _worst(aim, {name: memory[key] for key, name in costly.items()}, 10, TIMES, causes.COSTLY_MEMORY)


def _ratio(ours: Iterable[float], theirs: Iterable[float]) -> Spread:
    return Spread.of(one / other for one, other in zip(ours, theirs, strict=True))


def _worst(aim: str, found: Mapping[str, Spread], most: float, unit: Unit, cause: str) -> Goal:
    """Judge the one of *found* whose median is the highest."""
    if not found:
        return Goal(aim)
    name = max(found, key=lambda name: found[name].median)
    goal = _most(aim, found[name], most, unit, cause)
    return attrs.evolve(goal, measured=f"{goal.measured}: {name}")


def _beginning(results: Results) -> Iterator[Goal]:
    for aim, found, most, cause in (
        ("Import of both clients ≤ `import httpx, attrs` + 25 ms", results.imports, 0.025, causes.IMPORT),
        (
            "First client of a process ≤ `httpx.create_ssl_context()` + 20 ms",
            results.clients,
            0.020,
            causes.FIRST_CLIENT,
        ),
    ):
        more = Spread.of(ours - base for ours, base in found) if found else None
        yield _most(aim, more, most, MORE_MS, cause)
    aim, later = "A second client in a process: < 2 ms", results.later_client
    if later is None:
        yield Goal(aim)
    else:
        yield Goal(aim, f"{later * 1e3:.2f} ms", later < 0.002, causes.LATER_CLIENT, later / 0.002 - 1)


def _memory(results: Results) -> Iterator[Goal]:
    found = results.memory
    aim = f"Peak memory is flat over {results.scale.items:,} items"
    if found:
        growth = found["all"] - found["tenth"]
        text = f"+ {growth / 2**20:.1f} MiB from a tenth of them to all"
        yield Goal(aim, text, growth < 0.05 * found["tenth"], causes.MEMORY)
    else:
        yield Goal(aim)
