"""What an earlier run has answered: it is kept, and not asked again."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from .output import part_of
from .reading import NOT_ROWS, csv_rows, json_rows
from .rows import Csv, Format, JsonLines
from .words import UsageError, unwritable

Answer = tuple[str, bytes | None]
"""A row of a file: the id that it is about, and its bytes, or None where they do not answer: it failed, or was cut."""


def resume(path: Path | None, form: Format, columns: Sequence[str]) -> set[str] | None:
    """
    Return the ids that FILE.part, or else FILE, answers, and leave their rows in FILE.part. None: neither is there.

    Raises `UsageError` for a file that is not of this command.
    """
    answered = set[str]()

    def answers(file: BinaryIO, is_part: bool) -> Iterator[bytes]:
        rows = _csv_answers(file, columns, is_part=is_part) if isinstance(form, Csv) else _json_answers(file, columns)
        for key, group in groupby(rows, itemgetter(0)):
            parts = [data for _, data in group]
            whole = [data for data in parts if data is not None]
            if len(whole) == len(parts):
                answered.add(key)
                yield b"".join(whole)

    return answered if keep(path, form, answers) else None


def keep(path: Path | None, form: Format, kept: Callable[[BinaryIO, bool], Iterator[bytes]]) -> bool:
    """
    Leave in FILE.part what is *kept* of its rows, or else of those in FILE. Return whether either was there.

    *kept* is called with the file, and whether that is FILE.part. Raises `UsageError` for a file that is not of this
    command.
    """
    if path is None or not isinstance(form, Csv | JsonLines):
        raise UsageError("--resume needs --output, and jsonl or csv as the format")
    part = part_of(path)
    source = next((one for one in (part, path) if one.exists()), None)
    if source is None:
        return False
    new = part.with_name(f"{part.name}.kept")  # so that FILE.part is never less than it was
    try:
        with source.open("rb") as old, new.open("wb") as file:
            file.write(form.begin().encode())
            file.writelines(kept(old, source == part))
        new.replace(part)
    except OSError as error:
        raise unwritable(str(path), error) from error
    except NOT_ROWS as error:
        raise UsageError(f"--resume: {source} holds something else than rows of this command") from error
    finally:
        new.unlink(missing_ok=True)
    return True


def _json_answers(file: BinaryIO, columns: Sequence[str]) -> Iterator[Answer]:
    for row in json_rows(file):
        if row.is_whole:
            yield row.text(columns[0]), None if columns[-1] in row.values else row.data


def _csv_answers(file: BinaryIO, columns: Sequence[str], *, is_part: bool) -> Iterator[Answer]:
    """
    Yield what the rows of a CSV file answer; nothing for what may be missing at the end.

    An id's rows are written at once, but that may be cut off anywhere. So only the next id's row tells that there are
    all of them.
    """
    key = ""
    for row in csv_rows(file, columns):
        key = row.text(columns[0]) if row.values else key
        yield key, row.data if row.is_whole and not row.text(columns[-1]) else None
    if is_part:
        yield key, None
