"""Where rows go: to stdout, or to FILE.part, which becomes FILE once everything was asked."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path

from .rows import Format, Record, is_terminal
from .running import in_thread
from .words import CommandError, UsageError, complain, unwritable


class Output:
    """
    The output of one command: rows in the format *form* go to *path*, or to stdout where it is None.

    One that *resumes* goes on with FILE.part. *is_seen* says whether rows appear on a terminal.
    """

    def __init__(self, form: Format, path: Path | None, *, resumes: bool) -> None:
        if path is None and sys.stdout is None:
            raise CommandError("cannot write to stdout: it is closed")
        self.is_seen = path is None and is_terminal()
        self._form = form
        self._path = path
        self._resumes = resumes
        self._part: FileIO | None = None
        if path is not None:
            with self._told():
                self._part = FileIO(part_of(path), "a" if resumes else "w")

    async def begin(self) -> None:
        """
        Write what stands before all records.
        """
        await self._write("" if self._resumes else self._form.begin())

    async def write(self, *records: Record) -> None:
        """
        Write all rows of *records*, at once.
        """
        await self._write("".join(map(self._form.text, records)))

    async def end(self) -> None:
        """
        Write what stands behind all records, and let the file have its name.
        """
        await self._write(self._form.end())
        if self._part is not None and self._path is not None:
            with self._told():
                os.fsync(self._part.fileno())
                self._part.close()
                Path(self._part.name).replace(self._path)  # noqa: ASYNC240  # as short as a write

    def close(self) -> None:
        """
        Close the file, whose name stays FILE.part unless the end was written.
        """
        if self._part is not None:
            self._part.close()

    async def _write(self, text: str) -> None:
        data = text.encode(self._form.encoding, "backslashreplace")
        with self._told():
            if self._part is not None:
                write_all(self._part.fileno(), data)
            elif (number := _number_of_stdout()) is None:
                sys.stdout.write(text)
            else:
                await in_thread(partial(write_all, number, data))  # whoever reads a pipe may take a while

    @contextmanager
    def _told(self) -> Generator[None]:
        """Have the operating system's errors told as the command's."""
        try:
            yield
        except OSError as error:
            raise unwritable("stdout" if self._path is None else str(self._path), error) from error


def part_of(path: Path) -> Path:
    """
    Return where the rows for *path* are until there are all of them. Raises `UsageError` if it cannot be replaced.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"--output: {path} is not a regular file")
    return path.with_name(f"{path.name}.part")


def tell_of_part(path: Path | None) -> None:
    """
    Warn that the part file of an earlier run is replaced, if there is one.
    """
    if path is not None and part_of(path).exists():
        complain(f"{part_of(path)} of an earlier run is replaced; --resume would go on with it, in jsonl or csv")


def write_all(number: int, data: bytes) -> None:
    """
    Write *data* to the file descriptor *number*.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(number, left) :]


def _number_of_stdout() -> int | None:
    """Return the file descriptor of stdout, or None for what a program has put in its place."""
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return None
