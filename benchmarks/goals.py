"""What was aimed at, and whether it was reached."""

from collections.abc import Callable, Iterator

import attrs

from benchmarks.load import Cell
from benchmarks.results import ALLOWED, Results
from benchmarks.rounds import middle, ratio


@attrs.frozen
class Goal:
    """
    One aim, the figure that was measured, and whether that is enough (None: not measured).
    """

    aim: str
    measured: str
    met: bool | None


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


def _rate(cell: Cell) -> float:
    return cell.rate


def _cpu(cell: Cell) -> float:
    return cell.cpu


def _p99(cell: Cell) -> float:
    return cell.p99


def _bounded(
    results: Results, aim: str, figure: Callable[[Cell], float], callers: int, pair: tuple[str, str], most: float
) -> Goal:
    found = ratio(results.cells, figure, callers, *pair)
    if found is None:
        return Goal(aim, "not measured", None)
    return Goal(aim, f"{found:.2f} x", found <= most)


def _default_transport(results: Results) -> Iterator[Goal]:
    ours = "usergroups"
    aim = "Default transport, 10 callers: CPU per call ≤ 1.15 x httpx `get` + `json` + generated model"
    yield _bounded(results, aim, _cpu, 10, (ours, "httpx-model"), 1.15)
    aim = "500 callers: requests/s ≥ 1.8 x httpx"
    rate = ratio(results.cells, _rate, 500, ours, "httpx")
    yield Goal(aim, "not measured", None) if rate is None else Goal(aim, f"{rate:.2f} x", rate >= 1.8)
    yield _bounded(results, "500 callers: p99 ≤ 0.25 x httpx", _p99, 500, (ours, "httpx"), 0.25)
    cells = results.cells.get((ours, 500))
    if cells:
        found = middle(cells)
        text = f"{found.pool_timeouts}, and {found.errors} other errors"
        yield Goal("500 callers: no pool timeout", text, not found.pool_timeouts)


def _aiohttp_transport(results: Results) -> Iterator[Goal]:
    for other, name, most in (
        ("openapi-generator", "openapi-generator asyncio", 0.75),
        ("m3ter-aiohttp", "official `m3ter` on aiohttp", 0.45),
        ("by-hand", "the limit", 2.5),
    ):
        aim = f"aiohttp transport, 100 callers: CPU per call ≤ {most:g} x {name}"
        yield _bounded(results, aim, _cpu, 100, ("usergroups-aiohttp", other), most)


def _listings(results: Results) -> Iterator[Goal]:
    found = [listing for listing in results.listings if listing["prefetch"]]
    if found:
        worst = max(listing["seconds"] / listing["best"] for listing in found)
        pages = results.scale.pages
        aim = f"Prefetch: {pages} pages in ≤ 1.05 x {pages} x the longer of latency and work"
        yield Goal(aim, f"{worst:.3f} x at worst", worst <= 1.05)


def _sweeps(results: Results) -> Iterator[Goal]:
    for sweep in results.sweeps:
        lost = sweep["users"] - sweep["answered"]
        if sweep["max_rate"] is None:
            aim = f"Sweep against {ALLOWED}/s without `max_rate`: no user lost"
            yield Goal(aim, f"{lost:,} of {sweep['users']:,} lost", lost == 0)
        else:
            share = sweep["answered"] / sweep["seconds"] / ALLOWED
            aim = f"Sweep against {ALLOWED}/s with `max_rate={ALLOWED}`: ≥ 97 % of that rate, no 429"
            yield Goal(aim, f"{share:.1%}, {sweep['refused']} answers of 429", share >= 0.97 and not sweep["refused"])


def _decoding(results: Results) -> Iterator[Goal]:
    found = results.decoding
    if found:
        users = f"A group of {results.scale.group_users:,} users"
        share = found["ours"] / found["pydantic"]
        text = f"{share:.2f} x ({found['ours'] * 1e3:.0f} ms against {found['pydantic'] * 1e3:.0f} ms)"
        yield Goal(f"{users}: a call's CPU ≤ pydantic's `model_validate_json`", text, share <= 1)
        text = f"{found['longest_gap'] * 1e3:.0f} ms at worst, {found['gap'] * 1e3:.0f} ms usually"
        yield Goal(f"{users}: the event loop is never busy for 50 ms", text, found["longest_gap"] < 0.05)


def _beginning(results: Results) -> Iterator[Goal]:
    if results.imports:
        more = results.imports["usergroups"] - results.imports["httpx, attrs"]
        aim = "`import usergroups` ≤ `import httpx, attrs` + 40 ms"
        loop = results.imports["httpx, attrs, asyncio"] - results.imports["httpx, attrs"]
        yield Goal(aim, f"+ {more * 1e3:.0f} ms, {loop * 1e3:.0f} of them asyncio's own", more <= 0.04)
    if results.clients:
        later = max(results.clients["second"], results.clients["later"])
        yield Goal("A second client in a process: < 2 ms", f"{later * 1e3:.2f} ms", later < 0.002)


def _memory(results: Results) -> Iterator[Goal]:
    found = results.memory
    if found:
        growth = found["all"] - found["tenth"]
        aim = f"Peak memory is flat over {found['items']:,} items"
        text = f"+ {growth / 2**20:.1f} MiB from a tenth of them to all"
        yield Goal(aim, text, growth < 0.05 * found["tenth"])
