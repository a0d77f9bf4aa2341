"""The rows of a review, and what those of an earlier one tell."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Literal

import attrs

from usergroups._arguments import of_call

System = Literal["m3ter", "smartpm"]
By = Literal["groups", "users"]

_OTHER: Mapping[By, By] = {"groups": "users", "users": "groups"}


@attrs.frozen(kw_only=True)
class Membership:
    """
    A row of a review: a user in a user group. No two rows are about the same user in the same group.

    A user in no group, and a group without users, as far as could be asked, have a row that is empty on the
    other side. What could not be asked has a row with the reason in *error*, and with the id that it is about,
    if any. *inherited* is whether the user is in the group only through groups nested in it, None in a row that
    is no membership.
    """

    system: System
    group_id: str = ""
    group_name: str = ""
    user_id: str = ""
    user_email: str = ""
    inherited: bool | None = None
    error: str = ""


_KEYS: Mapping[By, Callable[[Membership], str]] = {"groups": lambda row: row.group_id, "users": lambda row: row.user_id}


@attrs.frozen
class Known:
    """
    What the rows of an earlier, interrupted review tell about one system.

    *complete* has the rows of each group of which all are there, and *unfinished* are the groups that have to be asked
    again; or users, if the review went by users.
    """

    complete: Mapping[str, Sequence[Membership]]
    unfinished: Sequence[str]

    @classmethod
    def of(cls, rows: Sequence[Membership], by: By) -> "Known":
        """
        Return what *rows* of one system tell. Those of a group, or of a user, stand together; the last may go on.

        Raises `InvalidArgumentError` if *rows* are those of a review that did not go *by* these.
        """
        if not _may_be(rows, by):
            raise of_call.error("known", f"must be the rows of a review by {by}")
        complete, unfinished = dict[str, list[Membership]](), list[str]()
        for key, group in groupby(rows, _KEYS[by]):
            found = list(group)
            may_go_on = found[-1] is rows[-1] and _KEYS[_OTHER[by]](found[-1])
            if key and not may_go_on and not any(row.error for row in found):
                complete[key] = found
            elif key:
                unfinished.append(key)
        return cls(complete, unfinished)

    def others(self, by: By) -> Iterator[tuple[str, list[str]]]:
        """
        Yield each group that is complete, with its users; or each user, with the groups.
        """
        for key, rows in self.complete.items():
            yield key, [other for row in rows if (other := _KEYS[_OTHER[by]](row))]


def way_of(rows: Sequence[Membership], usual: By) -> By:
    """
    Return how the review went that found these *rows* of m3ter: the *usual* way if they do not tell.
    """
    ways: Sequence[By] = (usual, _OTHER[usual])
    possible: Sequence[By] = [by for by in ways if _may_be(rows, by)] or ways
    return max(possible, key=lambda by: _neighbours(rows, by))


def _may_be(rows: Sequence[Membership], by: By) -> bool:
    """Return whether each group's, or each user's, *rows* stand together."""
    keys = [key for row in rows if (key := _KEYS[by](row))]
    return len(keys) - len(set(keys)) == _neighbours(rows, by)


def _neighbours(rows: Sequence[Membership], by: By) -> int:
    """Return how many of *rows* follow one of the same group, or user."""
    return sum(one == other != "" for one, other in pairwise(map(_KEYS[by], rows)))
