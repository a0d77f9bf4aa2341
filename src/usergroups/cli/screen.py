"""What is seen on stderr meanwhile: a bar on a terminal, failures in words, and a summary."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from .words import complain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_NARROWEST = 40  # columns that help and bar take, whatever COLUMNS says


def console(*, stderr: bool = False) -> "Console":
    """
    Return a console for stdout or *stderr*, which takes that for a terminal only where it is one.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    console = Console(stderr=stderr, force_terminal=stream is not None and stream.isatty())
    console.width = max(console.width, _NARROWEST)
    return console


class Screen:
    """
    The count of what was asked, out of *total* (None: unknown), beside what was *kept*, and what people see of it.

    If *quiet*, that is failures alone; *bar* says whether there may be a bar.
    """

    def __init__(self, total: int | None, *, quiet: bool, bar: bool, kept: int = 0) -> None:
        self.failed = 0
        self._asked = 0
        self._total = total
        self._rows = 0
        self._kept = f"{kept} kept, " if kept else ""
        self._quiet = quiet
        self._began = monotonic()
        self._bar = _make_bar(total) if bar and not quiet else None

    def count(self) -> None:
        """
        Count one more that was asked about.
        """
        self.reach(self._asked + 1, self._total)

    def reach(self, asked: int, total: int | None) -> None:
        """
        Take note that *asked* of *total* have been asked about.
        """
        self._asked = asked
        if self._bar is not None:
            rate = asked / max(monotonic() - self._began, 0.001)
            self._bar.update(self._bar.task_ids[0], completed=asked, total=total, rate=f"{rate:.1f}/s")

    def add(self, rows: int) -> None:
        """
        Count *rows* that came out.
        """
        self._rows += rows

    def fail(self, sentence: str) -> None:
        """
        Count a failure, and say so.
        """
        self.failed += 1
        with self.without_bar():
            complain(sentence)

    @contextmanager
    def without_bar(self) -> Generator[None]:
        """
        Let nothing but what is printed here change the terminal.
        """
        if self._bar is None:
            yield
        else:
            self._bar.stop()
            yield
            self._bar.start()

    def end(self, *, summary: bool) -> None:
        """
        Take the bar away, and print the *summary*.
        """
        if self._bar is not None:
            self._bar.stop()
        if summary and not self._quiet:
            seconds = monotonic() - self._began
            answered = max(self._asked - self.failed, 0)  # a review fails where it lists whom to ask, too
            counts = f"{self._asked} asked, {answered} answered, {self.failed} failed, rows: {self._rows}"
            complain(f"{self._kept}{counts}, {seconds:.1f} s")


def _make_bar(total: int | None) -> "Progress | None":
    """Return a bar that has begun, or None where stderr is no terminal that could show one."""
    if sys.stderr is None or not sys.stderr.isatty():  # importing rich for nothing takes a while
        return None
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console(stderr=True)
    if not screen.is_interactive:
        return None
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
    bar = Progress(*columns, console=screen, transient=True, redirect_stdout=False, redirect_stderr=False)
    bar.add_task("", total=total, rate="")
    bar.start()
    return bar
