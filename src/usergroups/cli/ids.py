"""The ids to ask about: arguments, then the lines of a file or pipe, each once."""

import os
import stat
import sys
from collections.abc import AsyncIterator, Collection, Iterable
from functools import partial
from io import FileIO

from .running import in_thread
from .words import CommandError, UsageError, reason

_CHUNK = 64 * 1024  # bytes: what a pipe holds


class Ids:
    """
    The ids in *arguments*, and in *source*: a file, or "-" for stdin. Those in *known* are left out.

    A pipe is read while its ids are asked about. A file is read at once, so that *total* is known.
    """

    def __init__(self, arguments: Iterable[str], source: str | None, known: Collection[str]) -> None:
        self._seen = set(known)
        self._first = self._new(arguments)
        self._pipe: FileIO | None = None
        self._name = "stdin" if source == "-" else source
        if source is not None:
            file = _opened(source)
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                with file:
                    self._first += self._new(_in_lines(file.readall().split(b"\n")))
            else:
                self._pipe = file
        self.total = len(self._first) if self._pipe is None else None

    async def __aiter__(self) -> AsyncIterator[str]:
        for one in self._first:
            yield one
        if self._pipe is not None:
            with self._pipe as pipe:
                rest = b""
                while chunk := await self._chunk(pipe):
                    *lines, rest = (rest + chunk).split(b"\n")
                    for one in self._new(_in_lines(lines)):
                        yield one
            for one in self._new(_in_lines([rest])):
                yield one

    async def _chunk(self, pipe: FileIO) -> bytes:
        try:
            return await in_thread(partial(os.read, pipe.fileno(), _CHUNK))
        except OSError as error:
            raise CommandError(f"cannot read {self._name}: {reason(error)}") from error

    def _new(self, ids: Iterable[str]) -> list[str]:
        new = [one for one in dict.fromkeys(ids) if one not in self._seen]
        self._seen.update(new)
        return new


def _opened(source: str) -> FileIO:
    if source == "-" and sys.stdin is None:
        raise UsageError("cannot read stdin: it is closed")
    try:
        return FileIO(sys.stdin.fileno(), closefd=False) if source == "-" else FileIO(source)
    except OSError as error:
        raise UsageError(f"--from: cannot read {source}: {reason(error)}") from error


def _in_lines(lines: Iterable[bytes]) -> Iterable[str]:
    """Return the ids in *lines*. What is no UTF-8 stays recognizable, and is refused as an id."""
    texts = (line.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip() for line in lines)
    return [text for text in texts if text and not text.startswith("#")]
