"""Figures of several measurements, and how they are written."""

from collections.abc import Iterable
from statistics import median
from typing import Self

import attrs


@attrs.frozen
class Unit:
    """
    How a figure is written: times *size*, as *figure* has it, and with a *name*.
    """

    size: float
    figure: str
    name: str

    def of(self, value: float) -> str:
        """
        Return *value* in this unit.
        """
        return f"{self.figure.format(value * self.size)} {self.name}"


TIMES = Unit(1, "{:.2f}", "x")
MS = Unit(1e3, "{:,.1f}", "ms")
MORE_MS = Unit(1e3, "{:+,.1f}", "ms")


@attrs.frozen
class Spread:
    """
    What several measurements came to: their *median*, and the *lowest* and the *highest*.
    """

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """
        Return the spread of *values*, of which there is one at least.
        """
        found = list(values)
        return cls(median(found), min(found), max(found))

    def text(self, unit: Unit) -> str:
        """
        Return the median in *unit*, with the lowest and the highest, if there are several.
        """
        if self.lowest == self.highest:
            return unit.of(self.median)
        lowest, highest = (unit.figure.format(bound * unit.size) for bound in (self.lowest, self.highest))
        return f"{unit.of(self.median)} ({lowest} to {highest})"
