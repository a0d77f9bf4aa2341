"""The rows of a review: as records, and read back from a file."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import attrs

from usergroups import Membership

from .options import System
from .reading import Row, csv_rows, json_rows
from .rows import Record

COLUMNS = tuple(field.name for field in attrs.fields(Membership))

_CELLS = {True: "true", False: "false", None: ""}
_VALUES: dict[str, bool | None] = {"true": True, "false": False, "": None, "none": None}


def as_record(membership: Membership, **more: str) -> Record:
    """
    Return *membership* as a record of one row, which begins with the columns *more*.
    """
    document = more | {column: getattr(membership, column) for column in COLUMNS}
    return Record(document, [[value if isinstance(value, str) else _CELLS[value] for value in document.values()]])


def read_rows(file: BinaryIO, *, is_csv: bool) -> Iterator[Row]:
    """
    Yield the rows of a review in *file*, in CSV or JSON lines.
    """
    return csv_rows(file, COLUMNS) if is_csv else json_rows(file)


def as_membership(row: Row, systems: Sequence[System]) -> Membership:
    """
    Return what a *row* of a review of *systems* says. Raises one of `NOT_ROWS` if it says something else.
    """
    return Membership(
        system=systems[systems.index(row.text("system"))],
        group_id=row.text("group_id"),
        group_name=row.text("group_name"),
        user_id=row.text("user_id"),
        user_email=row.text("user_email"),
        inherited=_VALUES[str(row.values["inherited"]).lower()],  # Python's csv and str write True
        error=row.text("error"),
    )
