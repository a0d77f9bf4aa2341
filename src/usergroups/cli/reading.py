"""Rows of a file, read back as they were written."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import attrs

from .rows import plain_cell

NOT_ROWS = (ValueError, LookupError, TypeError, RecursionError, csv.Error)
"""What reading a file raises that does not hold such rows."""


@attrs.frozen
class Row:
    """
    A row of a file: its *values* by their columns, and its bytes. One that is not whole was cut off at the file's end.
    """

    values: Mapping[str, object]
    data: bytes
    is_whole: bool = True

    def text(self, column: str) -> str:
        """
        Return the text in *column*. Raises one of `NOT_ROWS` if there is none.
        """
        value = self.values[column]
        if not isinstance(value, str):
            raise TypeError
        return value


def json_rows(file: BinaryIO) -> Iterator[Row]:
    """
    Yield the lines of *file*. A half one has no values.
    """
    for line in file:
        is_whole = line.endswith(b"\n")
        yield Row(json.loads(line) if is_whole else {}, line, is_whole)


def csv_rows(file: BinaryIO, columns: Sequence[str]) -> Iterator[Row]:
    """
    Yield the rows of *file* below its header, which is *columns*. A half one has the values of its whole cells.
    """
    header, record = [*columns], b""
    is_first = True
    for line in file:
        record += line
        if line.endswith(b"\n") and record.count(b'"') % 2 == 0:  # or it ends in a cell
            [cells] = csv.reader([record.decode("utf-8-sig" if is_first else "utf-8")])
            if not is_first:
                yield Row(_by_column(header, cells), record)
            elif cells != header:
                raise ValueError
            record, is_first = b"", False
    if record:
        cells = next(csv.reader([record.decode(errors="replace")]), list[str]())
        yield Row(_by_column(header, cells[:-1]), record, is_whole=False)


def _by_column(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(header, map(plain_cell, cells), strict=False))
