"""What has changed between two reviews."""

from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Literal

import attrs

from usergroups import Membership

from .asking import writing
from .memberships import COLUMNS, as_membership, as_record, read_rows
from .options import DiffOptions, System
from .output import Output
from .reading import NOT_ROWS
from .rows import make_format
from .running import run
from .screen import Screen
from .settings import SYSTEMS
from .words import FAILED, USAGE, CommandError, UsageError, complain, reason

_DIFFERENT = 1  # as diff(1) has it, and USAGE for trouble
_AT_ONCE = 1000  # rows that are written

_Key = tuple[str, str, str]  # system, group, user
_Change = tuple[_Key, Literal["added", "removed", "changed", "unknown"], Membership]


@attrs.frozen
class _Review:
    """
    The rows of a review by system, group and user: its *memberships*, and what *failed*, where ids may be empty.

    *systems* are those that it has any row of.
    """

    memberships: dict[_Key, Membership] = attrs.field(factory=dict[_Key, Membership])
    failed: dict[_Key, Membership] = attrs.field(factory=dict[_Key, Membership])
    systems: set[System] = attrs.field(factory=set[System])


def compare(old: Path, new: Path, options: DiffOptions) -> int:
    """
    Write what differs in the review *new* from *old*, and return the exit status.
    """
    try:
        before, after = _read(old), _read(new)
        for system in sorted(before.systems - after.systems):
            complain(f"{new} has no row of {system}: was that left out?")
        changes = sorted(_changes(before, after), key=itemgetter(0))
        form = make_format(options.format, ("change", *COLUMNS), options.output)
        run(_write(changes, Output(form, options.output, resumes=False)))
    except CommandError as error:
        if error.sentence and error.status == FAILED:
            raise CommandError(error.sentence, USAGE) from error
        raise
    return _DIFFERENT if changes else 0


def _read(path: Path) -> _Review:
    review = _Review()
    try:
        with path.open("rb") as file:
            begins = file.peek(1)[:1]
            if not begins and path.suffix.lower() == ".csv":  # it lacks the header
                raise ValueError
            for row in read_rows(file, is_csv=begins not in (b"{", b"")):
                if not row.is_whole:
                    raise UsageError(f"{path} ends in half a line: its review has not ended")
                one = as_membership(row, SYSTEMS)
                review.systems.add(one.system)
                if one.error:
                    review.failed[one.system, one.group_id, one.user_id or one.user_email] = one
                elif one.group_id and one.user_id:
                    review.memberships[one.system, one.group_id, one.user_id] = one
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error
    except NOT_ROWS as error:
        raise UsageError(f"{path} is no review in CSV or JSON lines") from error
    if path.suffix == ".part":
        complain(f"{path} is of a review that has not ended: it may lack what the other one has")
    return review


def _changes(old: _Review, new: _Review) -> Iterator[_Change]:
    failed = old.failed | new.failed
    for key, row in failed.items():
        yield key, "unknown", row
    for key, row in new.memberships.items():
        before = old.memberships.get(key)
        if before is None and _is_told(key, failed, in_both=False):
            yield key, "added", row
        if before is not None and before.inherited != row.inherited and _is_told(key, failed, in_both=True):
            yield key, "changed", row
    for key, row in old.memberships.items():
        if key not in new.memberships and _is_told(key, failed, in_both=False):
            yield key, "removed", row


def _is_told(key: _Key, failed: Collection[_Key], *, in_both: bool) -> bool:
    """Return whether both reviews tell if there is the membership *key*, which is *in both* or in one of them."""
    system, group_id, user_id = key
    if not in_both and (system, "", "") in failed:  # a list, which may lack it
        return False
    return not any(one in failed for one in (key, (system, group_id, ""), (system, "", user_id)))


async def _write(changes: Sequence[_Change], output: Output) -> None:
    async with writing(output, Screen(None, quiet=True, bar=False)):
        for start in range(0, len(changes), _AT_ONCE):
            rows = changes[start : start + _AT_ONCE]
            await output.write(*(as_record(row, change=change) for _, change, row in rows))
