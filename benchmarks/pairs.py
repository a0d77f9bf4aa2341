"""Two clients measured next to each other, pair by pair, so that a stall of the machine falls out of their ratio."""

from collections.abc import Callable, Sequence

import attrs

from benchmarks.figures import Spread
from benchmarks.load import Cell
from benchmarks.rounds import Measure


@attrs.frozen
class Pairing:
    """
    *One* client and the *other* that it is compared with, under so many *callers*.
    """

    one: str
    other: str
    callers: int


Pairs = dict[Pairing, list[tuple[Cell, Cell]]]
"""The pairs of each pairing: a cell of the one and a cell of the other."""


def play(pairings: Sequence[Pairing], times: int, measure: Measure) -> Pairs:
    """
    Measure each pairing so many *times*: A B, then B A, and so on. The pairs of a pairing lie apart.
    """
    pairs: Pairs = {}
    for number in range(times):
        for pairing in pairings:
            peers = (pairing.one, pairing.other) if number % 2 == 0 else (pairing.other, pairing.one)
            cells = {peer: measure(peer, pairing.callers) for peer in peers}
            pairs.setdefault(pairing, []).append((cells[pairing.one], cells[pairing.other]))
    return pairs


def ratio(pairs: Pairs, pairing: Pairing, figure: Callable[[Cell], float]) -> Spread | None:
    """
    Return *figure* of the one over that of the other, or None where it was not measured.
    """
    found = pairs.get(pairing)
    return Spread.of(figure(one) / max(figure(other), 1e-9) for one, other in found) if found else None
