"""What is known of an id, and the formats that it comes out in."""

import csv
import json
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import attrs

from .options import RowsFormat

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # a terminal's codes begin with one; or they end a line
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # Unicode's embeddings, overrides and isolates (UAX 9)
_JSON_CONTROLS = {
    code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)
}  # JSON allows them as they are
_UUID = 36  # characters
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one


@attrs.frozen
class Record:
    """
    What is known of an id: *document* for JSON, and *rows* of cells, of which there is at least one.
    """

    document: Mapping[str, object]
    rows: Sequence[Sequence[str]]


class Format(ABC):
    """
    A way to write records down.
    """

    encoding = "utf-8"

    def begin(self) -> str:
        """Return what stands before all records."""
        return ""

    @abstractmethod
    def text(self, record: Record) -> str:
        """Return *record* in this format."""

    def end(self) -> str:
        """Return what stands behind all records."""
        return ""


class JsonLines(Format):
    """
    An object a line.
    """

    def text(self, record: Record) -> str:
        """Return *record* as a line."""
        return f"{_json(record)}\n"


def _json(record: Record) -> str:
    return json.dumps(record.document, ensure_ascii=False).translate(_JSON_CONTROLS)


class JsonArray(Format):
    """
    One array.
    """

    def __init__(self) -> None:
        self._before = "["

    def text(self, record: Record) -> str:
        """Return *record* as the next item."""
        before, self._before = self._before, ","
        return f"{before}\n{_json(record)}"

    def end(self) -> str:
        """Return the end of the array."""
        return "[]\n" if self._before == "[" else "\n]\n"


class Csv(Format):
    """
    CSV (RFC 4180), a row for each of a record's. No cell is a spreadsheet's formula.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns

    def begin(self) -> str:
        """Return the header."""
        return _csv([self._columns])

    def text(self, record: Record) -> str:
        """Return the rows of *record*."""
        return _csv([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row] for row in record.rows)


def plain_cell(cell: str) -> str:
    """
    Return what was in a cell before `Csv` wrote it.
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


class Table(Format):
    """
    Lines for people: columns that are as wide as what has come so far. No cell is cut, or has a terminal's codes.
    """

    def __init__(self, columns: Sequence[str], *, to_stdout: bool) -> None:
        self._columns = [column.upper() for column in columns]
        self._widths = [_UUID if column.endswith("_id") else 0 for column in columns]
        self._is_terminal = to_stdout and is_terminal()
        if to_stdout:
            self.encoding = getattr(sys.stdout, "encoding", None) or self.encoding
        self._has_begun = False

    def text(self, record: Record) -> str:
        """Return the rows of *record*, under the columns' names if these are the first."""
        rows = [[self._cell(cell) or "-" for cell in row[:-1]] + [self._cell(row[-1])] for row in record.rows]
        return self._header(rows) + "".join(map(self._line, rows))

    def end(self) -> str:
        """Return the columns' names if no row came."""
        return self._header([])

    def _header(self, rows: Sequence[Sequence[str]]) -> str:
        """Return the columns' names, once, and make the columns wide enough for *rows*."""
        from rich.cells import cell_len

        names = [] if self._has_begun else [self._columns]
        for row in (*names, *rows):
            self._widths = [max(width, cell_len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        self._has_begun = True
        return "".join(map(self._line, names))

    def _line(self, cells: Sequence[str]) -> str:
        from rich.cells import cell_len

        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, self._widths, strict=True))
        return "  ".join(padded).rstrip(" ") + "\n"

    def _cell(self, text: str) -> str:
        """Return *text* as one line. What would turn a terminal's line around is left out there."""
        if self._is_terminal:
            text = _TURNS.sub("", text)
        return " ".join(filter(None, (part.strip(" ") for part in _CONTROLS.split(text))))


def is_terminal() -> bool:
    """
    Return whether stdout is a terminal, whatever the environment says: no codes go into a pipe.
    """
    return sys.stdout is not None and sys.stdout.isatty()


def make_format(name: RowsFormat | None, columns: Sequence[str], output: Path | None) -> Format:
    """
    Return the format *name* for records with *columns*; where it is None, the one of *output*, or the usual one.
    """
    if name is None:
        name = _usual_format(output)
    if name == "table":
        return Table(columns, to_stdout=output is None)
    if name == "csv":
        return Csv(columns)
    return JsonArray() if name == "json" else JsonLines()


def _usual_format(output: Path | None) -> RowsFormat:
    if output is None:
        return "table" if is_terminal() else "jsonl"
    by_suffix: dict[str, RowsFormat] = {".json": "json", ".csv": "csv"}
    return by_suffix.get(output.suffix.lower(), "jsonl")
