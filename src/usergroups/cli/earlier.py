"""What an earlier review has found: it is kept, and not asked for again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import attrs

from usergroups import Membership

from .memberships import as_membership, as_record, read_rows
from .options import By, System
from .resume import keep
from .rows import Csv, Format
from .words import UsageError, complain

_KEYS: dict[By, Callable[[Membership], str]] = {"groups": attrgetter("group_id"), "users": attrgetter("user_id")}


@attrs.frozen
class Earlier:
    """
    The *rows* of an earlier review, in their order: those that are asked for again have an error.

    *by* is how m3ter was asked.
    """

    rows: Sequence[Membership]
    by: By | None

    def kept(self) -> Sequence[Membership]:
        """
        Return the memberships, which the next review does not find again, as it does with other rows.
        """
        return [row for row in self.rows if row.group_id and row.user_id and not row.error]


def resume_review(path: Path | None, form: Format, systems: Sequence[System], by: By | None) -> Earlier | None:
    """
    Return what FILE.part, or else FILE, holds, and leave in FILE.part what is kept of it. None: neither is there.

    Raises `UsageError` for a file that is not of this command, or of a review that did not go *by* these.
    """
    found: list[Earlier] = []

    def kept(file: BinaryIO, _: bool) -> Iterator[bytes]:
        rows = [as_membership(row, systems) for row in read_rows(file, is_csv=isinstance(form, Csv)) if row.is_whole]
        found.append(_earlier(rows, by))
        return (form.text(as_record(row)).encode() for row in found[0].kept())

    return found[0] if keep(path, form, kept) else None


def _earlier(rows: Iterable[Membership], by: By | None) -> Earlier:
    of_m3ter, others = list[Membership](), list[Membership]()
    for row in rows:
        (of_m3ter if row.system == "m3ter" else others).append(row)
    possible: list[By] = [way for way in _KEYS if _may_be(of_m3ter, way)]
    if not possible or not _stand_together(others, "groups"):
        raise ValueError
    if by is None and len(possible) == 1:
        by = possible[0]
    if by is not None and by not in possible:
        raise UsageError(f"--resume: the rows of m3ter were found by {possible[0]}: go on with --by {possible[0]}")
    if by is None and of_m3ter:
        complain("--resume: the rows of m3ter do not tell whether --by was groups or users, and are asked for again")
    checked = map(_again, of_m3ter) if by is None else _checked(of_m3ter, by)
    return Earlier([*checked, *_checked(others, "groups")], by)


def _may_be(rows: Iterable[Membership], by: By) -> bool:
    """Return whether *rows* of m3ter may have been found by groups, or by users: who is in no group then comes last."""
    found = [row for row in rows if row.group_id or row.user_id]
    keys = [_KEYS[by](row) for row in found]
    others = [row for row, key in zip(found, keys, strict=True) if not key]
    are_last = all(keys[: len(keys) - len(others)])
    return are_last and not any(row.error for row in others) and _stand_together(found, by)


def _stand_together(rows: Iterable[Membership], by: By) -> bool:
    """Return whether the rows of each group, or of each user, follow each other."""
    keys = [key for key, _ in groupby(rows, _KEYS[by]) if key]
    return len(keys) == len(set(keys))


def _checked(rows: Sequence[Membership], by: By) -> Iterator[Membership]:
    """
    Yield *rows*, with an error in those that are asked for again.

    Not asked for again is a group, or a user, of which there are all rows: none has an error, and more rows follow.
    And none lacks a name or address where a list could not be read.
    """
    list_failed = any(row.error and not (row.group_id or row.user_id or row.user_email) for row in rows)
    groups = [(key, list(group)) for key, group in groupby(rows, _KEYS[by])]
    for number, (key, group) in enumerate(groups, 1):
        has_names = not list_failed or all(row.group_name and row.user_email for row in group)
        is_whole = key and number < len(groups) and has_names and not any(row.error for row in group)
        yield from group if is_whole else map(_again, group)


def _again(row: Membership) -> Membership:
    return attrs.evolve(row, error=row.error or "it is asked for again")
