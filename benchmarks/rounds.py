"""All peers under all numbers of callers, round by round, and what is made of the rounds."""

import random
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import attrs

from benchmarks.load import Cell

Rounds = Mapping[tuple[str, int], Sequence[Cell]]
"""The rounds of a peer under a number of callers."""

Measure = Callable[[str, int], Cell]
"""Measures a peer under a number of callers."""


@attrs.frozen(kw_only=True)
class Plan:
    """
    Which *peers* under how many *callers*, how often, and for how many *seconds* each time.

    Each round has every peer once, each of the *pairs* the two of each pairing. *seed* is for the order
    of the peers, another one in each round.
    """

    peers: tuple[str, ...]
    callers: tuple[int, ...]
    rounds: int
    pairs: int
    seconds: float
    warm_up: float
    seed: int = 0


def play(plan: Plan, measure: Measure) -> dict[tuple[str, int], list[Cell]]:
    """
    Run the *plan*: a peer's rounds lie apart, so that whatever else the machine does meets all alike.
    """
    dice = random.Random(plan.seed)  # for the order of peers
    cells: dict[tuple[str, int], list[Cell]] = {}
    for _ in range(plan.rounds):
        for callers in plan.callers:
            for peer in dice.sample(plan.peers, len(plan.peers)):
                cells.setdefault((peer, callers), []).append(measure(peer, callers))
    return cells


def middle(cells: Sequence[Cell]) -> Cell:
    """
    Return the median of each figure, and the sum of what went wrong.
    """
    return Cell(
        rate=median(cell.rate for cell in cells),
        cpu=median(cell.cpu for cell in cells),
        p50=median(cell.p50 for cell in cells),
        p99=median(cell.p99 for cell in cells),
        pool_timeouts=sum(cell.pool_timeouts for cell in cells),
        errors=sum(cell.errors for cell in cells),
    )


def ratio(rounds: Rounds, figure: Callable[[Cell], float], callers: int, peer: str, other: str) -> float | None:
    """
    Return *figure* of *peer* over that of *other*: the median of what it was in each round.
    """
    one, two = rounds.get((peer, callers)), rounds.get((other, callers))
    if not one or not two:
        return None
    return median(figure(mine) / max(figure(theirs), 1e-9) for mine, theirs in zip(one, two, strict=True))
