"""The review of m3ter: by its groups and what is in them, or by its users and their groups."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import attrs

from usergroups._tasks import together
from usergroups.bulk import sweep
from usergroups.errors import NotFoundError, UserGroupsError
from usergroups.m3ter import M3terClient, UserGroup

from .feed import Feed, Frontier
from .rows import By, Known, Membership, way_of

_PAGE = 100  # items: as many as all lists allow

_row = partial(Membership, system="m3ter")


@attrs.define
class _Contents:
    """
    What is directly in a group: *users*, and *nested* groups.

    If there is an *error* there may be more, unless the group *is_gone*: no list has it, nor is it found.
    """

    users: list[str] = attrs.Factory(list[str])
    nested: list[str] = attrs.Factory(list[str])
    error: str = ""
    is_gone: bool = False


class M3terReview:
    """
    The review of one m3ter organization, whose rows go to *feed*.

    By groups, it asks what is in each group, and resolves nested groups itself. By users, it asks for the
    groups of each, once for all of them and once for those that the user is directly in.
    """

    def __init__(self, client: M3terClient, feed: Feed, concurrency: int) -> None:
        self._client = client
        self._feed = feed
        self._concurrency = concurrency
        self._ids: dict[str, str] = {}  # of users, so that many groups can hold the same text
        self._emails: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._unlisted: set[By] = set()  # of what the list could not be read to its end

    async def run(self, by: By | None, rows: Sequence[Membership]) -> None:
        """
        Put all rows into the feed: first those of an earlier review, *rows*, that need not be asked for again.

        Without *by*, go the way of *rows*, or else the one that can be gone to its end, or else the shorter one.
        """
        await together(self._list_users(), self._list_groups())
        of_m3ter = [row for row in rows if row.system == "m3ter"]
        by = by or way_of(of_m3ter, self._usual_way())
        self._known = Known.of(of_m3ter, by)
        for known in self._known.complete.values():
            await self._feed.put(known)
        await (self._by_groups() if by == "groups" else self._by_users())

    def _usual_way(self) -> By:
        if len(self._unlisted) == 1:
            return "groups" if "users" in self._unlisted else "users"
        return "groups" if len(self._names) <= 2 * len(self._emails) else "users"

    async def _list_users(self) -> None:
        try:
            async for user in self._client.list_users(page_size=_PAGE, prefetch=True):
                self._emails[self._ids.setdefault(user.id, user.id)] = user.email or ""
        except UserGroupsError as error:
            self._unlisted.add("users")
            await self._feed.put([_row(error=f"not all users could be listed: {error}")])

    async def _list_groups(self) -> None:
        try:
            async for group in self._client.list_groups(page_size=_PAGE, prefetch=True):
                self._names[group.id] = group.name or ""
        except UserGroupsError as error:
            self._unlisted.add("groups")
            await self._feed.put([_row(error=f"not all groups could be listed: {error}")])

    async def _by_groups(self) -> None:
        contents = {group_id: _Contents(users) for group_id, users in self._known.others("groups")}
        groups = dict.fromkeys([*self._names, *self._known.unfinished])
        keys = Frontier([group_id for group_id in groups if group_id not in contents], self._feed)
        nesting: list[str] = []  # groups that need others to be known

        async with aclosing(sweep(self._contents, keys, concurrency=self._concurrency, on_error="yield")) as outcomes:
            async for outcome in outcomes:
                gone = isinstance(outcome.error, NotFoundError) and outcome.key not in self._names
                contents[outcome.key] = outcome.value or _Contents(error=str(outcome.error), is_gone=gone)
                for nested in contents[outcome.key].nested:
                    if nested not in self._known.complete:
                        keys.add(nested)
                if contents[outcome.key].nested:
                    nesting.append(outcome.key)
                else:
                    await self._feed.put(self._of_group(outcome.key, contents))
                keys.done()
        for group_id in reversed(nesting):  # one that is in no list comes before those that it was found in
            await self._feed.put(self._of_group(group_id, contents))
        await self._feed.put(self._of_others(contents))

    async def _contents(self, group_id: str) -> _Contents:
        contents = _Contents()
        async for item in self._client.list_group_items(group_id, page_size=_PAGE):
            kind = (item.target_type or "").casefold()
            if kind not in ("item", "group") or not item.target_id:
                contents.error = f"it holds an item that is no user and no group: {item.id or 'without an id'}"
            elif kind == "group":
                contents.nested.append(item.target_id)
            else:
                contents.users.append(self._ids.setdefault(item.target_id, item.target_id))
        return contents

    def _of_group(self, group_id: str, contents: Mapping[str, _Contents]) -> Iterator[Membership]:
        """Yield the rows of a group: of its users, those of groups nested in it, and of what may be missing."""
        group = partial(_row, group_id=group_id, group_name=self._names.get(group_id, ""))
        users = dict.fromkeys(contents[group_id].users, False)
        errors = [contents[group_id].error]
        for nested in _nested_in(group_id, contents):
            for user_id in contents[nested].users:
                users.setdefault(user_id, True)
            if not contents[nested].is_gone:
                errors.append(contents[nested].error and f"in the nested group {nested}: {contents[nested].error}")
        for user_id, inherited in users.items():
            yield group(user_id=user_id, user_email=self._emails.get(user_id, ""), inherited=inherited)
        if any(errors):
            yield group(error="; ".join(filter(None, errors)))
        elif not users:
            yield group()

    def _of_others(self, contents: Mapping[str, _Contents]) -> Iterator[Membership]:
        """Return the rows of users who are in no group that could be asked."""
        in_group = {user_id for group in contents.values() for user_id in group.users}
        alone = ((user_id, email) for user_id, email in self._emails.items() if user_id not in in_group)
        return (_row(user_id=user_id, user_email=email) for user_id, email in alone)

    async def _by_users(self) -> None:
        known = self._known.complete
        keys = Frontier([user_id for user_id in self._emails if user_id not in known], self._feed)
        used = {group_id for _, groups in self._known.others("users") for group_id in groups}

        async with aclosing(sweep(self._groups, keys, concurrency=self._concurrency, on_error="yield")) as outcomes:
            async for outcome in outcomes:
                user = partial(_row, user_id=outcome.key, user_email=self._emails[outcome.key])
                if outcome.error is not None:
                    await self._feed.put([user(error=str(outcome.error))])
                else:
                    groups = outcome.result()
                    used.update(group.id for group, _ in groups)
                    rows = [
                        user(group_id=group.id, group_name=group.name or "", inherited=inherited)
                        for group, inherited in groups
                    ]
                    await self._feed.put(rows or [user()])
                keys.done()
        unused = ((group_id, name) for group_id, name in self._names.items() if group_id not in used)
        await self._feed.put(_row(group_id=group_id, group_name=name) for group_id, name in unused)

    async def _groups(self, user_id: str) -> list[tuple[UserGroup, bool]]:
        """Return the groups of a user, each with whether it is inherited."""
        direct = await self._client.list_user_groups(user_id, inherited=False, page_size=_PAGE)
        if not direct:
            return []
        every = {group.id: group for group in direct}
        for group in await self._client.list_user_groups(user_id, inherited=True, page_size=_PAGE):
            every.setdefault(group.id, group)
        own = {group.id for group in direct}
        return [(group, group_id not in own) for group_id, group in every.items()]


def _nested_in(group_id: str, contents: Mapping[str, _Contents]) -> list[str]:
    """Return the groups that are nested in a group, however deep, each once, and without itself."""
    found = {group_id: None}
    waiting = [group_id]
    for one in waiting:
        new = [nested for nested in dict.fromkeys(contents[one].nested) if nested not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return waiting[1:]
