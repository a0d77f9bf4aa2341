"""A review as a page for a browser: one file that needs no network."""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec

import attrs

from usergroups import Membership

from .memberships import as_membership
from .options import System
from .reading import Row
from .rows import Format, Record
from .words import UsageError

_LARGEST = 10  # groups that are drawn

_NAMES: dict[System, str] = {"m3ter": "m3ter", "smartpm": "SmartPM"}


@attrs.frozen
class Count:
    """
    What there is in one system.
    """

    system: str
    users: int
    groups: int
    memberships: int
    failures: int


@attrs.frozen
class Bar:
    """
    A group as a bar, as long as *share* of the largest group's.
    """

    system: str
    group: str
    members: int
    share: float


class Html(Format):
    """
    A page about the review of *systems*. It is written once there are all records.
    """

    def __init__(self, systems: Sequence[System]) -> None:
        if find_spec("jinja2") is None:
            raise UsageError(
                "a page needs jinja2: install usergroups with its extra 'report'"
                " (pip install '.[report]' in a checkout)"
            )
        self._systems = systems
        self._began = datetime.now(UTC)
        self._rows: list[Membership] = []

    def text(self, record: Record) -> str:
        """Keep *record*, and return nothing yet."""
        self._rows.append(as_membership(Row(record.document, b""), self._systems))
        return ""

    def end(self) -> str:
        """Return the page."""
        from jinja2 import Environment, StrictUndefined

        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        template = files("usergroups.cli").joinpath("report.html.jinja").read_text(encoding="utf-8")
        return environment.from_string(template).render(
            began=self._began,
            names=_NAMES,
            counts=[self._count(system) for system in self._systems],
            bars=self._bars(),
            rows=sorted(self._rows, key=_place),
            sha256=_sha256,
        )

    def _count(self, system: System) -> Count:
        rows = [row for row in self._rows if row.system == system]
        return Count(
            system=_NAMES[system],
            users=len({row.user_id for row in rows} - {""}),
            groups=len({row.group_id for row in rows} - {""}),
            memberships=sum(_is_membership(row) for row in rows),
            failures=sum(bool(row.error) for row in rows),
        )

    def _bars(self) -> list[Bar]:
        names = {(row.system, row.group_id): row.group_name or row.group_id for row in self._rows}
        sizes: Counter[tuple[System, str]] = Counter(
            (row.system, row.group_id) for row in self._rows if _is_membership(row)
        )
        largest = sorted(sizes, key=lambda one: (-sizes[one], names[one]))[:_LARGEST]
        return [Bar(_NAMES[one[0]], names[one], sizes[one], sizes[one] / sizes[largest[0]]) for one in largest]


def _is_membership(row: Membership) -> bool:
    return bool(row.group_id and row.user_id and not row.error)


def _place(row: Membership) -> tuple[object, ...]:
    """Return what orders the rows: systems and groups, and users in no group at the end of their system."""
    group = (not row.group_id, row.group_name.casefold(), row.group_id)
    return row.system, *group, bool(row.error), row.user_email.casefold(), row.user_id


def _sha256(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
