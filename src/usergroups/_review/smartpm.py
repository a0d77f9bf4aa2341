"""The review of SmartPM: from its users over their roles in projects to user groups."""

from collections.abc import Iterable
from contextlib import aclosing
from functools import partial
from typing import Literal
from uuid import UUID

from usergroups.bulk import sweep
from usergroups.errors import UserGroupsError
from usergroups.smartpm import CompanyUser, ProjectRoles, SmartPMClient, UserGroup

from .feed import Feed, Frontier
from .rows import Known, Membership

_row = partial(Membership, system="smartpm")

_Key = tuple[Literal["user", "group"], UUID]


class SmartPMReview:
    """
    The review of one SmartPM company, whose rows go to *feed*.

    It asks for the roles of each user, and once for each group that a role comes from.
    """

    def __init__(self, client: SmartPMClient, feed: Feed, concurrency: int) -> None:
        self._client = client
        self._feed = feed
        self._concurrency = concurrency
        self._users: dict[UUID, CompanyUser] = {}
        self._names: dict[UUID, str] = {}  # of groups, as roles have them
        self._alone: set[UUID] = set()  # users who have been seen in no group yet
        self._odd: set[str] = set()  # ids of groups that are no UUIDs

    async def run(self, rows: Iterable[Membership]) -> None:
        """
        Find all memberships but those that *rows* of an earlier review tell.
        """
        self._known = Known.of(rows, "smartpm", "groups")
        try:
            users = await self._client.list_users()
        except UserGroupsError as error:
            users = []
            await self._put([_row(error=f"the users could not be listed: {error}")])
        await self._put(
            _row(user_email=user.email or "", error="the user has no id, and cannot be asked for groups")
            for user in users
            if user.id is None
        )
        self._users = {user.id: user for user in users if user.id is not None}
        known = {user_id for group in self._known.complete.values() for user_id in group}
        self._alone = {user_id for user_id in self._users if str(user_id) not in known}

        keys = Frontier[_Key]([("user", user_id) for user_id in self._users], self._feed)
        async with aclosing(sweep(self._ask, keys, concurrency=self._concurrency, on_error="yield")) as outcomes:
            async for outcome in outcomes:
                if outcome.error is not None:
                    await self._put([self._failure(outcome.key, outcome.error)])
                elif isinstance(found := outcome.result(), UserGroup):
                    await self._put(self._of_group(found))
                else:
                    await self._follow(found, keys)
                keys.done()
        await self._put(_row(user_id=str(each), user_email=self._users[each].email or "") for each in self._alone)

    async def _put(self, rows: Iterable[Membership]) -> None:
        await self._feed.put(self._known.new(rows))

    async def _ask(self, key: _Key) -> ProjectRoles | UserGroup:
        kind, key_id = key
        return await (self._client.get_project_roles if kind == "user" else self._client.get_user_group)(key_id)

    async def _follow(self, roles: ProjectRoles, keys: Frontier[_Key]) -> None:
        """Ask for the groups that *roles* come from, unless they are known."""
        for role in roles.project_roles:
            group_id, unread = role.user_group_id, role.additional_properties.get("userGroupId")
            if group_id is not None:
                self._names.setdefault(group_id, role.user_group_name or "")
                if str(group_id) not in self._known.complete:
                    keys.add(("group", group_id))
            elif unread is not None and str(unread) not in self._odd:
                self._odd.add(str(unread))
                name = role.user_group_name or ""
                await self._put([_row(group_id=str(unread), group_name=name, error="its id is no UUID")])

    def _failure(self, key: _Key, error: UserGroupsError) -> Membership:
        kind, key_id = key
        if kind == "group":
            return _row(group_id=str(key_id), group_name=self._names[key_id], error=str(error))
        self._alone.discard(key_id)
        return _row(user_id=str(key_id), user_email=self._users[key_id].email or "", error=str(error))

    def _of_group(self, group: UserGroup) -> list[Membership]:
        self._alone.difference_update(user.id for user in group.users)
        of_group = partial(_row, group_id=str(group.id), group_name=group.name)
        rows = {user.id: of_group(user_id=str(user.id), user_email=user.email, inherited=False) for user in group.users}
        return list(rows.values()) or [of_group()]
