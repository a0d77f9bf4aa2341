"""The rows of a review, and what those of an earlier one tell."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Literal

import attrs

from usergroups._arguments import of_call

System = Literal["m3ter", "smartpm"]
By = Literal["groups", "users"]


@attrs.frozen(kw_only=True)
class Membership:
    """
    A row of a review: a user in a user group. *system*, *group_id* and *user_id* together occur once.

    A user in no group, and a group without users, have a row that is empty on the other side. What could
    not be asked has a row with the reason in *error*, and with the id that it was about, if any. *inherited*
    is whether the user is in the group only through groups nested in it, None in a row that is no membership.
    """

    system: System
    group_id: str = ""
    group_name: str = ""
    user_id: str = ""
    user_email: str = ""
    inherited: bool | None = None
    error: str = ""


@attrs.frozen
class Known:
    """
    What the rows of an earlier, interrupted review tell about one system.

    *rows* are those without an error, as pairs of group and user. *complete* has the users of each group whose rows
    are all there, *failed* the groups with an error; or groups and users change places if the review went by users.
    """

    rows: set[tuple[str, str]]
    complete: Mapping[str, list[str]]
    failed: Iterable[str]

    @classmethod
    def of(cls, rows: Iterable[Membership], system: System, by: By) -> "Known":
        """
        Return what *rows* tell about *system*. Those of a group, or of a user, stand together.

        The last ones may not be all, and ones with an error are not. Raises `InvalidArgumentError` if *rows* are
        those of a review that did not go *by* these.
        """
        key, other = ("group_id", "user_id") if by == "groups" else ("user_id", "group_id")
        pairs, complete, failed, last = set[tuple[str, str]](), dict[str, list[str]](), dict[str, None](), ""
        for last, group in groupby((row for row in rows if row.system == system), lambda row: str(getattr(row, key))):
            found = list(group)
            if last and last in complete:
                raise of_call.error("known", f"must be the rows of a review by {by}")
            pairs.update((row.group_id, row.user_id) for row in found if not row.error)
            complete[last] = [getattr(row, other) for row in found if getattr(row, other)]
            failed.update((last, None) for row in found if row.error)
        for incomplete in (last, "", *failed):
            complete.pop(incomplete, None)
        failed.pop("", None)
        return cls(pairs, complete, failed)

    def new(self, rows: Iterable[Membership]) -> list[Membership]:
        """
        Return those of *rows* that are not known.
        """
        return [row for row in rows if row.error or (row.group_id, row.user_id) not in self.rows]
