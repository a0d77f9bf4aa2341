"""What an earlier run has answered: it is kept, and not asked again."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import attrs

from .output import part_of
from .rows import Csv, Format, JsonLines, plain_cell
from .words import UsageError, unwritable


@attrs.frozen
class _Row:
    """
    A row of a file: the id that it is about, and its bytes, or None where they do not answer: it failed, or was cut.
    """

    key: str
    data: bytes | None


def resume(path: Path | None, form: Format, columns: Sequence[str]) -> set[str] | None:
    """
    Return the ids that FILE.part, or else FILE, answers, and leave their rows in FILE.part. None: neither is there.

    Raises `UsageError` for a file that is not of this command.
    """
    if path is None or not isinstance(form, Csv | JsonLines):
        raise UsageError("--resume needs --output, and jsonl or csv as the format")
    part = part_of(path)
    source = next((one for one in (part, path) if one.exists()), None)
    if source is None:
        return None
    answered: set[str] = set()
    kept = part.with_name(f"{part.name}.kept")  # so that FILE.part is never less than it was
    try:
        with source.open("rb") as old, kept.open("wb") as new:
            new.write(form.begin().encode())
            rows = (
                _csv_rows(old, columns, is_part=source == part) if isinstance(form, Csv) else _json_rows(old, columns)
            )
            for key, group in groupby(rows, attrgetter("key")):
                parts = [row.data for row in group]
                whole = [data for data in parts if data is not None]
                if len(whole) == len(parts):
                    new.write(b"".join(whole))
                    answered.add(key)
        kept.replace(part)
    except OSError as error:
        raise unwritable(str(path), error) from error
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        kept.unlink()
        raise UsageError(f"--resume: {source} holds something else than rows of this command") from error
    return answered


def _json_rows(file: BinaryIO, columns: Sequence[str]) -> Iterator[_Row]:
    for line in file:
        if line.endswith(b"\n"):
            document = json.loads(line)
            yield _Row(document[columns[0]], None if columns[-1] in document else line)


def _csv_rows(file: BinaryIO, columns: Sequence[str], *, is_part: bool) -> Iterator[_Row]:
    """
    Yield the rows of a CSV file; one without bytes for what may be missing at the end.

    An id's rows are written at once, but that may be cut off anywhere. So only the next id's row tells that there are
    all of them.
    """
    key, record, is_first = "", b"", True
    for line in file:
        record += line
        if line.endswith(b"\n") and record.count(b'"') % 2 == 0:  # or it ends in a cell
            [cells] = csv.reader([record.decode()])
            if is_first and cells != list(columns):
                raise ValueError
            if not is_first:
                key = plain_cell(cells[0])
                yield _Row(key, None if cells[len(columns) - 1] else record)
            record, is_first = b"", False
    if is_part or record:
        cut = next(csv.reader([record.decode(errors="replace")]), list[str]())
        yield _Row(plain_cell(cut[0]) if len(cut) > 1 else key, None)
