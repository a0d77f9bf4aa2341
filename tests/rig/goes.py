"""Bounds of wall-clock time, held to on a machine that has other work too."""

from collections.abc import Iterator

MOST = 3


class Go:
    """
    One of several goes at a deed whose time is bounded.
    """

    def __init__(self) -> None:
        self._took: list[tuple[float, float]] = []

    def took(self, seconds: float, *, at_most: float) -> None:
        """
        Return how many *seconds* a part of the deed took, and how many it may take.
        """
        self._took.append((seconds, at_most))

    @property
    def in_time(self) -> bool:
        """
        Whether each part of the deed took no longer than it may.
        """
        assert self._took, "a go says how long it took"
        return all(seconds <= at_most for seconds, at_most in self._took)

    def __str__(self) -> str:
        return ", ".join(f"{seconds:.3f} s of at most {at_most:g} s" for seconds, at_most in self._took)


def goes(most: int = MOST) -> Iterator[Go]:
    """
    Return one go after another until one of them is in time; raise `AssertionError` where none of *most* is.

    A busy machine is late now and then, and an SDK that is late is so every time. Only what is told
    by `took` has several goes: what else a test asserts, it asserts in each of them.
    """
    late = []
    for _ in range(most):
        go = Go()
        yield go
        if go.in_time:
            return
        late.append(go)
    raise AssertionError(f"late in each of {most} goes: {'; '.join(map(str, late))}")
