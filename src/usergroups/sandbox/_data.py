"""What the sandbox knows: the users, the groups and who is in which; and what it has counted."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import cast
from uuid import UUID, uuid5

import attrs

Json = dict[str, object]

UUID_FORM = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # in lower case

_IDS = UUID("7d2c1b60-6a5e-4e0a-9d6b-2f0c5f1f3a11")


def _made_id(name: str) -> str:
    return str(uuid5(_IDS, name))


@attrs.define
class Counts:
    """What the server counted since it was made; requests to `/_sandbox` do not count."""

    connections: int = 0
    requests: int = 0
    token_requests: int = 0
    tokens: int = 0
    pages: int = 0
    smartpm_groups: int = 0
    smartpm_roles: int = 0
    rate_limited: int = 0
    failed: int = 0


@attrs.define
class Data:
    """
    The users and groups of one m3ter organization and one SmartPM company.

    The dictionaries may be changed at any time: an answer is made from what they hold at that moment.
    The methods raise ValueError for what could not be answered.
    """

    m3ter_groups: dict[str, Json] = attrs.Factory(dict[str, Json])
    m3ter_parents: dict[str, tuple[str, ...]] = attrs.Factory(dict[str, tuple[str, ...]])
    m3ter_users: dict[str, list[str]] = attrs.Factory(dict[str, list[str]])
    m3ter_user_fields: dict[str, Json] = attrs.Factory(dict[str, Json])
    m3ter_more_items: dict[str, list[Json]] = attrs.Factory(dict[str, list[Json]])
    smartpm_groups: dict[str, Json] = attrs.Factory(dict[str, Json])
    smartpm_projects: dict[str, int] = attrs.Factory(dict[str, int])
    smartpm_users: list[Json] = attrs.Factory(list[Json])

    def add_m3ter_group(self, name: str, *, parents: Iterable[str] = (), **fields: object) -> str:
        """
        Add a group that is nested in the groups *parents*, and return its id.

        *fields* (`id`, `version`, `createdBy`, ...) replace what would be made up; any JSON value will do.
        """
        made: Json = {
            "id": _made_id(f"m3ter group {name}"),
            "version": 1,
            "name": name,
            "dtCreated": "2024-03-01T09:30:00.000Z",
            "dtLastModified": "2024-03-02T10:00:00.000Z",
            "createdBy": _made_id("m3ter user admin"),
            "lastModifiedBy": _made_id("m3ter user admin"),
        } | fields
        group_id = str(made["id"])
        nested_in = self._known(parents)
        self.m3ter_groups[group_id] = made
        self.m3ter_parents[group_id] = nested_in
        return group_id

    def add_m3ter_user(self, user_id: str, groups: Iterable[str] = (), **fields: object) -> str:
        """
        Add a user who is in *groups* (their ids), and return the user's id.

        *fields* (`email`, `firstName`, ...) replace what would be made up; any JSON value will do.
        """
        if not user_id:
            raise ValueError("a user id must not be empty")
        self.m3ter_users[user_id] = list(self._known(groups))
        self.m3ter_user_fields[user_id] = fields
        return user_id

    def add_m3ter_member(self, group_id: str, user_id: str) -> None:
        """Put the user into the group, directly; a user who is not there yet is added."""
        [known] = self._known(group_id)
        if user_id not in self.m3ter_users:
            self.add_m3ter_user(user_id)
        if known not in self.m3ter_users[user_id]:
            self.m3ter_users[user_id].append(known)

    def add_m3ter_item(self, group_id: str, **fields: object) -> None:
        """Put an odd item into the group: *fields* are all that it has, such as a `targetId` that nothing has."""
        [known] = self._known(group_id)
        self.m3ter_more_items.setdefault(known, []).append(fields)

    def add_smartpm_group(
        self,
        name: str,
        users: Iterable[Mapping[str, object]] = (),
        *,
        group_id: str | None = None,
        projects: int = 1,
    ) -> str:
        """
        Add a group with these *users* (see `smartpm_user`) to so many *projects*, and return its id, a UUID.

        A group without projects gives its users no role, so that their roles do not lead to it.
        """
        made_id = str(_made_id(f"smartpm group {name}") if group_id is None else group_id).lower()
        if not UUID_FORM.fullmatch(made_id):
            raise ValueError(f"{group_id!r} is no group id: SmartPM's are UUIDs")
        self.smartpm_groups[made_id] = {"id": made_id, "name": name, "users": [_checked(user) for user in users]}
        self.smartpm_projects[made_id] = projects
        return made_id

    def add_smartpm_member(self, group_id: str, user: Mapping[str, object]) -> None:
        """Put *user* (see `smartpm_user`) into the group, in the place of one with the same id."""
        group, member = self.smartpm_groups.get(str(group_id).lower()), _checked(user)
        if group is None:
            raise ValueError(f"{group_id!r} is the id of no group: add_smartpm_group adds one and returns its id")
        others = [other for other in self._members(str(group_id).lower()) if other["id"] != member["id"]]
        group["users"] = [*others, member]

    def add_smartpm_user(self, user: Mapping[str, object]) -> None:
        """Add *user* (see `smartpm_user`) to the company, in no group; here, id and email may be missing."""
        self.smartpm_users.append(dict(user))

    def add_many(self, *, users: int = 0, groups: int = 0) -> None:
        """
        Add so many m3ter users and SmartPM groups, the same ones each time.

        The users are `user-1`, `user-2`, ...: each in one to three of a twentieth as many teams, which are nested in
        a department each. The groups have the ids that `smartpm_group_id` makes of 1, 2, ..., and up to 9 users each.
        """
        departments = [self.add_m3ter_group(f"Department {n}") for n in range(1, 6)] if users else []
        teams = [
            self.add_m3ter_group(f"Crew {n}", parents=[departments[n % len(departments)]])
            for n in range(1, math.ceil(users / 20) + 1)
        ]
        for n in range(1, users + 1):
            self.add_m3ter_user(f"user-{n}", dict.fromkeys(teams[(n * k) % len(teams)] for k in range(1, 2 + n % 3)))
        for n in range(1, groups + 1):
            crew = [smartpm_user(f"Worker {k}") for k in range(n, n + n % 10)]
            self.add_smartpm_group(f"Site {n}", crew, group_id=smartpm_group_id(n))

    def _known(self, groups: Iterable[str]) -> tuple[str, ...]:
        ids = (groups,) if isinstance(groups, str) else tuple(groups)
        for group_id in ids:
            if group_id not in self.m3ter_groups:
                raise ValueError(f"{group_id!r} is the id of no group: add_m3ter_group adds one and returns its id")
        return ids

    def groups_of(self, user_id: str, *, inherited: bool) -> list[Json]:
        """List the groups of a user, each once; with *inherited*, the groups that those are nested in follow."""
        ids = dict.fromkeys(self.m3ter_users[user_id])
        waiting = list(ids) if inherited else []
        for group_id in waiting:
            new = [parent for parent in self.m3ter_parents[group_id] if parent not in ids]
            ids.update(dict.fromkeys(new))
            waiting.extend(new)
        return [self.m3ter_groups[group_id] for group_id in ids]

    def m3ter_user(self, user_id: str) -> Json:
        """Return the user with the id *user_id*, as the list of users has it."""
        made: Json = {
            "id": user_id,
            "version": 1,
            "email": f"{user_id}@example.com",
            "firstName": user_id.capitalize(),
            "supportUser": False,
            "dtCreated": "2024-03-01T09:30:00.000Z",
            "dtEndAccess": None,
        }
        return made | self.m3ter_user_fields.get(user_id, {})

    def m3ter_items(self, group_id: str) -> list[Json]:
        """List what is directly in a group: its users, the groups that are nested in it, and odd items."""
        users = [user_id for user_id, groups in self.m3ter_users.items() if group_id in groups]
        nested = [other for other, parents in self.m3ter_parents.items() if group_id in parents]
        targets = [*((one, "ITEM") for one in users), *((one, "GROUP") for one in nested)]
        items: list[Json] = [
            {"id": _made_id(f"m3ter item {group_id} {one}"), "version": 1, "targetId": one, "targetType": kind}
            for one, kind in targets
        ]
        return items + self.m3ter_more_items.get(group_id, [])

    def smartpm_company(self) -> list[Json]:
        """List the users of the company, each once: those of the groups, and those who are in none."""
        members = {user["id"]: user for group_id in self.smartpm_groups for user in self._members(group_id)}
        others = (user for user in self.smartpm_users if user.get("id", ...) not in members)
        return [*members.values(), *others]

    def smartpm_roles(self, user_id: str) -> list[Json]:
        """List the roles of a user: in one project directly, and in those of the groups that the user is in."""
        roles: list[Json] = [{"projectId": 1, "userRoleId": 2, "effectiveRoleId": 2, "userGroupId": None}]
        for number, (group_id, group) in enumerate(self.smartpm_groups.items(), 1):
            if any(is_user(user, user_id) for user in self._members(group_id)):
                role = {"groupRoleId": 3, "effectiveRoleId": 3, "userGroupId": group_id, "userGroupName": group["name"]}
                projects = range(self.smartpm_projects.get(group_id, 1))
                roles += [{"projectId": 1000 * number + each, **role} for each in projects]
        return roles

    def _members(self, group_id: str) -> list[Json]:
        return cast("list[Json]", self.smartpm_groups[group_id]["users"])


def is_user(user: Json, user_id: str) -> bool:
    """Return whether *user* has the id *user_id*, a UUID in lower case."""
    return str(user.get("id")).lower() == user_id


def _checked(user: object) -> Json:
    if not isinstance(user, Mapping) or not {"id", "email"} <= user.keys():
        raise ValueError(f"{user!r} is no user with an id and an email: smartpm_user(name) makes one")
    return dict(cast("Mapping[str, object]", user))


def smartpm_user(name: str, **fields: object) -> Json:
    """
    Make up a SmartPM user from *name* ("Kirby Smart").

    *fields* replace what is made up; `...` as a value leaves that field out.
    """
    first, _, last = name.partition(" ")
    made: Json = {
        "id": _made_id(f"smartpm user {name}"),
        "firstName": first,
        "lastName": last,
        "email": f"{name.lower().replace(' ', '.')}@blah.com",
        "phoneNumber": "+1-555-123-4567",
        "title": "Project Manager",
        "lastLogin": "2024-01-01T12:00:00+00:00",
        "loginCount": 42,
        "role": "Admin",
        "ssoUser": True,
        "reportingRestricted": False,
    } | fields
    return {key: value for key, value in made.items() if value is not ...}


def smartpm_group_id(n: int) -> str:
    """Return the id of the n-th SmartPM group of those that `Data.add_many` adds."""
    return f"00000000-0000-4000-8000-{n:012}"


def seeded() -> Data:
    """
    Make the data that a sandbox starts with if it is given none.

    m3ter users: `ada` (3 groups), `grace` (9, and 3 more by inheritance), `linus` (1,000), `nobody` (none).
    SmartPM groups: "Project Managers" (the provider's own example, and what else may occur), "Empty".
    """
    data = Data()
    few = [data.add_m3ter_group(name) for name in ("Billing", "Finance", "Reporting")]
    company = data.add_m3ter_group("Company")
    region = data.add_m3ter_group("Region", parents=[company])
    division = data.add_m3ter_group("Division", parents=[region])
    teams = [data.add_m3ter_group(f"Team {n}", parents=[division if n % 2 else region]) for n in range(1, 10)]
    many = [data.add_m3ter_group(f"Project {n:04}", version=n) for n in range(1, 1001)]
    for user_id, groups in {"ada": few, "grace": teams, "linus": many, "nobody": []}.items():
        data.add_m3ter_user(user_id, groups)

    data.add_smartpm_group("Empty", group_id="550e8400-e29b-41d4-a716-446655440001")
    data.add_smartpm_group(
        "Project Managers",
        [
            smartpm_user("Kirby Smart", id="550e8400-e29b-41d4-a716-446655440000"),
            smartpm_user("Nell Null", lastLogin=None, phoneNumber=None, title=None, loginCount=0),
            smartpm_user("Abe Absent", lastLogin=..., phoneNumber=..., title=..., ssoUser=..., reportingRestricted=...),
            smartpm_user("Nat Naive", lastLogin="2024-01-01T12:00:00", role="Company Read-Only"),
            smartpm_user("Zoë Zulu", lastLogin="2024-01-01T12:00:00.123Z", phoneNumber="ext. 12 (mornings)"),
        ],
        group_id="550e8400-e29b-41d4-a716-446655440000",
    )
    return data
