"""The review of SmartPM: from its users over their roles in projects to user groups."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Literal
from uuid import UUID

from usergroups.bulk import sweep
from usergroups.errors import UserGroupsError
from usergroups.smartpm import ProjectRoles, SmartPMClient, UserGroup

from .feed import Feed, Frontier
from .rows import Known, Membership

_NO_ID = "the user has no id, and cannot be asked for groups"

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
        self._emails: dict[UUID, str] = {}
        self._names: dict[UUID, str] = {}  # of groups, as roles have them
        self._alone: dict[UUID, None] = {}  # users who have been seen in no group yet
        self._odd: set[str] = set()  # ids of groups that are no UUIDs

    async def run(self, rows: Sequence[Membership]) -> None:
        """
        Put all rows into the feed: first those of an earlier review, *rows*, that need not be asked for again.

        All users are asked for their roles.
        """
        self._known = Known.of([row for row in rows if row.system == "smartpm"], "groups")
        await self._list_users()
        for known in self._known.complete.values():
            await self._feed.put(known)
        in_group = {user_id for _, users in self._known.others("groups") for user_id in users}
        self._alone = dict.fromkeys(user_id for user_id in self._emails if str(user_id) not in in_group)

        keys = Frontier[_Key]([("user", user_id) for user_id in self._emails], self._feed)
        async with aclosing(sweep(self._ask, keys, concurrency=self._concurrency, on_error="yield")) as outcomes:
            async for outcome in outcomes:
                if outcome.error is not None:
                    await self._feed.put([self._failure(outcome.key, outcome.error)])
                elif isinstance(found := outcome.result(), UserGroup):
                    await self._feed.put(self._of_group(found))
                else:
                    await self._follow(found, keys)
                keys.done()
        await self._feed.put(_row(user_id=str(user_id), user_email=self._emails[user_id]) for user_id in self._alone)

    async def _list_users(self) -> None:
        try:
            users = await self._client.list_users()
        except UserGroupsError as error:
            await self._feed.put([_row(error=f"the users could not be listed: {error}")])
            return
        for user in users:
            if user.id is not None:
                self._emails[user.id] = user.email or ""
            else:
                await self._feed.put([_row(user_email=user.email or "", error=_NO_ID)])

    async def _ask(self, key: _Key) -> ProjectRoles | UserGroup:
        kind, key_id = key
        return await (self._client.get_project_roles if kind == "user" else self._client.get_user_group)(key_id)

    async def _follow(self, roles: ProjectRoles, keys: Frontier[_Key]) -> None:
        """Ask for the groups that *roles* come from, unless they are known."""
        for role in roles.project_roles:
            group_id, name = role.user_group_id, role.user_group_name or ""
            if group_id is None and (odd := role.additional_properties.get("userGroupId")) is not None:
                if str(odd) not in self._odd:
                    self._odd.add(str(odd))
                    await self._feed.put([_row(group_id=str(odd), group_name=name, error="its id is no UUID")])
            elif group_id is not None:
                self._names.setdefault(group_id, name)
                if str(group_id) not in self._known.complete:
                    keys.add(("group", group_id))

    def _failure(self, key: _Key, error: UserGroupsError) -> Membership:
        kind, key_id = key
        if kind == "group":
            return _row(group_id=str(key_id), group_name=self._names[key_id], error=str(error))
        self._alone.pop(key_id, None)
        return _row(user_id=str(key_id), user_email=self._emails[key_id], error=str(error))

    def _of_group(self, group: UserGroup) -> list[Membership]:
        for user in group.users:
            self._alone.pop(user.id, None)
        of_group = partial(_row, group_id=str(group.id), group_name=group.name)
        rows = {user.id: of_group(user_id=str(user.id), user_email=user.email, inherited=False) for user in group.users}
        return list(rows.values()) or [of_group()]
