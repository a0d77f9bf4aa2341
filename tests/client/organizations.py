"""Organizations to review, made up at random, and what a review should find in them; providers that can be held."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import cast

import httpx

from usergroups import Membership
from usergroups.sandbox import Data, smartpm_user
from usergroups.testing import Providers

Found = tuple[str, str, str, bool]
"""A membership: system, group, user, and whether it is inherited."""

ABSENT = "00000000-0000-4000-8000-00000000dead"  # no group has this id


class HeldProviders(Providers):
    """
    Providers that ask *hook* before each answer: whatever it waits for, or returns instead of the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hook: Callable[[httpx.Request], Awaitable[httpx.Response | None]] | None = None
        self.begun: list[str] = []  # paths, also of requests without an answer yet

    async def _answer(self, provider: str, request: httpx.Request) -> httpx.Response:
        self.begun.append(request.url.path)
        instead = None if self.hook is None else await self.hook(request)
        return await super()._answer(provider, request) if instead is None else instead  # type: ignore[arg-type]

    def begun_with(self, *parts: str) -> int:
        """Return how many requests have begun whose path has all of *parts*."""
        return sum(all(part in path for part in parts) for path in self.begun)


def fill(data: Data, seed: int, *, odd: bool = False) -> None:
    """
    Add a random organization and company: nested groups, also in circles; users in no group, and empty groups.

    Some members are listed twice, once with a type in lower case. With *odd* there are also nested groups and users
    that no list has, and items that say nothing.
    """
    random = Random(seed)
    groups = [data.add_m3ter_group(f"Group {n}") for n in range(random.randint(0, 9))]
    for group in groups:
        data.m3ter_parents[group] = tuple(random.sample(groups, random.choice([0, 0, 0, 1, 1, min(2, len(groups))])))
    for n in range(random.randint(0, 9)):
        mine = random.sample(groups, min(len(groups), random.choice([0, 0, 1, 1, 2, 5])))
        user = data.add_m3ter_user(f"user {n}/ü", mine, email=random.choice([None, f"{n}@example.com"]))
        for group in mine[:1]:
            data.add_m3ter_item(group, id=f"again {user}", targetId=user, targetType="item")
    for group in groups[:2]:
        for parent in data.m3ter_parents[group]:
            data.add_m3ter_item(parent, id=f"again {group}", targetId=group, targetType="group")
    _fill_company(data, random)
    if odd:
        _add_odd_items(data, random, groups)


def _fill_company(data: Data, random: Random) -> None:
    crew = [smartpm_user(f"Worker {n}") for n in range(random.randint(0, 8))]
    for n in range(random.randint(0, 5)):
        members = random.sample(crew, random.randint(0, len(crew)))
        data.add_smartpm_group(f"Site {n}", members, projects=random.randint(0, 2))
    for worker in crew:
        if not any(worker in _members(data, group) for group in data.smartpm_groups):
            data.add_smartpm_user(worker)


def _add_odd_items(data: Data, random: Random, groups: list[str]) -> None:
    for group in groups:
        ghost = {"targetId": f"ghost {random.randint(0, 3)}", "targetType": random.choice(["ITEM", "item"])}
        nested = {"targetId": random.choice([ABSENT, *groups]), "targetType": "Group"}
        nothing = random.choice([{"targetType": "ITEM"}, {"targetId": "x", "targetType": "ROLE"}, {"targetId": "x"}])
        for item in random.sample([ghost, nested, nothing], random.randint(0, 2)):
            data.add_m3ter_item(group, **item)


def _members(data: Data, group: str) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", data.smartpm_groups[group]["users"])


def expected(data: Data, *, items: bool = True) -> set[Found]:
    """
    Return the memberships in *data*, those that only *items* tell included or not, by joining relations.
    """
    direct = {(group, user) for user, groups in data.m3ter_users.items() for group in groups}
    nested = {(parent, child) for child, parents in data.m3ter_parents.items() for parent in parents}
    for group, more in data.m3ter_more_items.items() if items else ():
        for item in more:
            pair = group, str(item.get("targetId", ""))
            match str(item.get("targetType")).upper():
                case "ITEM" if pair[1]:
                    direct.add(pair)
                case "GROUP" if pair[1]:
                    nested.add(pair)
    while new := {(one, other) for one, here in nested for there, other in nested if here == there} - nested:
        nested |= new
    through = {(parent, user) for parent, child in nested for group, user in direct if group == child} - direct
    return {
        *(("m3ter", group, user, False) for group, user in direct),
        *(("m3ter", group, user, True) for group, user in through),
        *(
            ("smartpm", group, str(member["id"]), False)
            for group, projects in data.smartpm_projects.items()
            for member in _members(data, group)
            if projects
        ),
    }


def memberships(rows: Iterable[Membership]) -> set[Found]:
    """
    Return the memberships of *rows*, of which none may come twice, or with an error.
    """
    found = [row for row in rows if row.group_id and row.user_id]
    pairs = [(row.system, row.group_id, row.user_id) for row in found]
    assert len(pairs) == len(set(pairs)), "a membership came twice"
    assert not any(row.error for row in found)
    assert all(row.inherited is not None for row in found)
    return {(row.system, row.group_id, row.user_id, bool(row.inherited)) for row in found}


def alone(rows: Iterable[Membership]) -> list[tuple[str, str, str]]:
    """
    Return system, group and user of the rows that say that a user is in no group, or that a group has no user.
    """
    return sorted((row.system, row.group_id, row.user_id) for row in rows if _is_alone(row))


def _is_alone(row: Membership) -> bool:
    return not row.error and bool(row.group_id) != bool(row.user_id)


def expected_alone(data: Data) -> list[tuple[str, str, str]]:
    """
    Return what `alone` should, where nothing fails.
    """
    found = expected(data)
    grouped = {(system, group) for system, group, _, _ in found}
    in_group = {(system, user) for system, _, user, _ in found}
    users = [("m3ter", user) for user in data.m3ter_users]
    users += [("smartpm", str(user["id"])) for user in data.smartpm_company() if "id" in user]
    return sorted(
        [
            *(("m3ter", group, "") for group in data.m3ter_groups if ("m3ter", group) not in grouped),
            *((system, "", user) for system, user in users if (system, user) not in in_group),
        ]
    )


def errors(rows: Iterable[Membership]) -> dict[tuple[str, str, str], str]:
    """
    Return what failed: system, group and user of each row with an error, and the error.
    """
    return {(row.system, row.group_id, row.user_id): row.error for row in rows if row.error}


async def turns(number: int = 50) -> None:
    """
    Let the event loop turn so often that whatever can go on without an answer has done so.
    """
    for _ in range(number):
        await asyncio.sleep(0)
