"""What was aimed at, and whether it was reached."""

from collections.abc import Callable, Iterator

import attrs

from benchmarks.load import Cell
from benchmarks.results import ALLOWED, Results
from benchmarks.rounds import middle, ratio

_LINE = (
    "calls stand in line for 16 places, first come, first served, so that each waits as long as all take; httpcore"
    " takes most of a call"
)
_HTTPX = "around each call an httpx request and answer are made, and the URL is parsed in Python"


@attrs.frozen
class Goal:
    """
    One aim, the figure that was measured, whether that is enough (None: not measured), and *cause*, if not.
    """

    aim: str
    measured: str
    met: bool | None
    cause: str = ""


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


def _compared(aim: str, found: float | None, cause: str, *, most: float | None = None, least: float = 0.0) -> Goal:
    if found is None:
        return Goal(aim, "not measured", None)
    return Goal(aim, f"{found:.2f} x", found >= least if most is None else found <= most, cause)


def _default_transport(results: Results) -> Iterator[Goal]:
    def against(other: str, figure: Callable[[Cell], float], callers: int) -> float | None:
        return ratio(results.cells, figure, callers, "usergroups", other)

    aim = "Default transport, 10 callers: CPU per call ≤ 1.15 x httpx `get` + `json` + generated model"
    yield _compared(aim, against("httpx-model", _cpu, 10), _LINE, most=1.15)
    aim = "Default transport, 500 callers: requests/s ≥ 1.8 x httpx"
    yield _compared(aim, against("httpx", _rate, 500), _LINE, least=1.8)
    aim = "Default transport, 500 callers: p99 ≤ 0.25 x httpx"
    yield _compared(aim, against("httpx", _p99, 500), _LINE, most=0.25)
    cells = results.cells.get(("usergroups", 500))
    if cells:
        found = middle(cells)
        text = f"{found.pool_timeouts}, and {found.errors} other errors"
        yield Goal("Default transport, 500 callers: no pool timeout", text, not found.pool_timeouts)


def _aiohttp_transport(results: Results) -> Iterator[Goal]:
    for other, name, most in (
        ("openapi-generator", "openapi-generator asyncio", 0.75),
        ("m3ter-aiohttp", "official `m3ter` on aiohttp", 0.45),
        ("by-hand", "the limit", 2.5),
    ):
        aim = f"aiohttp transport, 100 callers: CPU per call ≤ {most:g} x {name}"
        yield _compared(aim, ratio(results.cells, _cpu, 100, "usergroups-aiohttp", other), _HTTPX, most=most)


def _listings(results: Results) -> Iterator[Goal]:
    found = [listing for listing in results.listings if listing["prefetch"]]
    if found:
        worst = max(listing["seconds"] / listing["best"] for listing in found)
        pages = results.scale.pages
        aim = f"Prefetch: {pages} pages in ≤ 1.05 x {pages} x the longer of latency and work"
        cause = f"nothing hides the wait for the first page ({1 / pages:.1%}); timers and calls come on top"
        yield Goal(aim, f"{worst:.3f} x at worst", worst <= 1.05, cause)


def _sweeps(results: Results) -> Iterator[Goal]:
    for sweep in results.sweeps:
        lost = sweep["users"] - sweep["answered"]
        if sweep["max_rate"] is None:
            aim = f"Sweep against {ALLOWED}/s without `max_rate`: no user lost"
            cause = "all attempts of a call fell into seconds that had no room left"
            yield Goal(aim, f"{lost:,} of {sweep['users']:,} lost", lost == 0, cause)
        else:
            share = sweep["answered"] / sweep["seconds"] / ALLOWED
            aim = f"Sweep against {ALLOWED}/s with `max_rate={ALLOWED}`: ≥ 97 % of that rate, no 429"
            text = f"{share:.1%}, {sweep['refused']} answers of 429"
            slow = f"the machine did not make {ALLOWED} calls a second"
            refused = "starts that were caught up after a stall fell into a second that was full"
            cause = refused if sweep["refused"] else slow
            yield Goal(aim, text, share >= 0.97 and not sweep["refused"], cause)


def _decoding(results: Results) -> Iterator[Goal]:
    found = results.decoding
    if found:
        users = f"A group of {results.scale.group_users:,} users"
        share = found["ours"] / found["pydantic"]
        text = f"{share:.2f} x ({found['ours'] * 1e3:.0f} ms against {found['pydantic'] * 1e3:.0f} ms)"
        json = f"{found['json'] * 1e3:.0f} ms"
        cause = f"the models are made in Python, pydantic's in Rust; parsing the JSON alone takes {json}"
        yield Goal(f"{users}: a call's CPU ≤ pydantic's `model_validate_json`", text, share <= 1, cause)
        text = f"{found['longest_gap'] * 1e3:.0f} ms at worst, {found['gap'] * 1e3:.0f} ms usually"
        cause = f"the JSON is parsed in one go, which takes {json} and nothing interrupts"
        yield Goal(f"{users}: the event loop is never busy for 50 ms", text, found["longest_gap"] < 0.05, cause)


def _beginning(results: Results) -> Iterator[Goal]:
    if results.imports:
        base = results.imports["httpx, attrs"]
        more, loop = results.imports["usergroups"] - base, results.imports["httpx, attrs, asyncio"] - base
        aim = "`import usergroups` ≤ `import httpx, attrs` + 40 ms"
        cause = f"asyncio itself takes {loop * 1e3:.0f} ms, and attrs writes the methods of each class anew"
        yield Goal(aim, f"+ {more * 1e3:.0f} ms", more <= 0.04, cause)
    if results.clients:
        later = results.clients["later"]
        yield Goal("A second client in a process: < 2 ms", f"{later * 1e3:.2f} ms", later < 0.002)


def _memory(results: Results) -> Iterator[Goal]:
    found = results.memory
    if found:
        growth = found["all"] - found["tenth"]
        aim = f"Peak memory is flat over {found['items']:,} items"
        text = f"+ {growth / 2**20:.1f} MiB from a tenth of them to all"
        yield Goal(aim, text, growth < 0.05 * found["tenth"])
