"""review: every membership that credentials alone lead to, whatever fails."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Literal

import anyio
import attrs
import httpx
import pytest

from client.organizations import (
    ABSENT,
    HeldProviders,
    alone,
    errors,
    expected,
    expected_alone,
    fill,
    memberships,
    turns,
)
from rig.cancel import explore
from rig.eager import begin_tasks_eagerly
from rig.leaks import Watch
from usergroups import InvalidArgumentError, M3terClient, Membership, SmartPMClient, review
from usergroups.sandbox import Data, Sandbox, serve, smartpm_user

By = Literal["groups", "users"]

WAYS = pytest.mark.parametrize("by", ["groups", "users"])
SEEDS = pytest.mark.parametrize("seed", range(20))

ITEMS = "*/resourcegroups/user/{}/contents"
GROUPS_OF = "*/users/{}/usergroups"
ROLES_OF = "*/users/{}/project-roles"


@pytest.fixture(autouse=True)
def leak_check(watch: Watch) -> None:
    """Let every test here be watched over."""


@pytest.fixture
def providers() -> HeldProviders:
    """Return both providers, without users and groups yet."""
    return HeldProviders()


async def found(providers: HeldProviders, by: By | None = None, **options: Any) -> list[Membership]:
    """Return the rows of a review of both providers."""
    return [row async for row in review(providers.m3ter, providers.smartpm, by, **options)]


async def in_m3ter(providers: HeldProviders, by: By | None = None, **options: Any) -> list[Membership]:
    """Return the rows of a review of m3ter."""
    return [row async for row in review(providers.m3ter, by=by, **options)]


async def in_smartpm(providers: HeldProviders, **options: Any) -> list[Membership]:
    """Return the rows of a review of SmartPM."""
    return [row async for row in review(smartpm=providers.smartpm, **options)]


@attrs.frozen
class Nested:
    """
    Teams in a division in a company; Ada in `team`, Bob in `division`, Cleo in `team` and directly in `company`.

    Dora is in `apart`, which is nested nowhere. Nobody is in `empty`, and Eve in no group.
    """

    providers: HeldProviders
    company: str
    division: str
    team: str
    apart: str
    empty: str


@pytest.fixture
def org(providers: HeldProviders) -> Nested:
    """Return an organization of m3ter."""
    data = providers.data
    company = data.add_m3ter_group("Company")
    division = data.add_m3ter_group("Division", parents=[company])
    team = data.add_m3ter_group("Team", parents=[division])
    apart, empty = data.add_m3ter_group("Apart"), data.add_m3ter_group("Empty")
    groups = {"ada": [team], "bob": [division], "cleo": [team, company], "dora": [apart], "eve": list[str]()}
    for user, mine in groups.items():
        data.add_m3ter_user(user, mine)
    return Nested(providers, company, division, team, apart, empty)


# What is found


@SEEDS
async def test_both_ways_find_the_same(providers: HeldProviders, seed: int) -> None:
    """By groups and by users, a review finds what is there, each membership once, and says who and what is alone."""
    fill(providers.data, seed)

    by_groups, by_users = await found(providers, "groups"), await found(providers, "users")

    assert memberships(by_groups) == expected(providers.data)
    assert alone(by_groups) == expected_alone(providers.data)
    assert set(by_groups) == set(by_users)
    assert len(by_groups) == len(by_users) == len(set(by_groups))
    assert errors(by_groups) == {}


@SEEDS
async def test_odd_items(providers: HeldProviders, seed: int) -> None:
    """By groups, users and groups that no list has are found; what an item does not tell is an error of its group."""
    fill(providers.data, seed, odd=True)

    by_groups, by_users = await found(providers, "groups"), await found(providers, "users")

    assert memberships(by_groups) == expected(providers.data)
    assert memberships(by_users) == expected(providers.data, items=False)
    assert {group for _, group, user in errors(by_groups) if not user} <= {ABSENT, *providers.data.m3ter_groups}
    assert errors(by_users) == {}


async def test_names_and_addresses(org: Nested) -> None:
    """A row has the group's name and the user's e-mail address, where they are known."""
    team, ada = org.team, "ada"
    org.providers.data.m3ter_groups[org.apart]["name"] = None
    org.providers.data.add_m3ter_item(org.apart, targetId="ghost", targetType="ITEM")

    rows = await in_m3ter(org.providers, "groups")

    row = {"system": "m3ter", "user_id": ada, "user_email": "ada@example.com"}
    assert Membership(**row, group_id=team, group_name="Team", inherited=False) in rows
    assert Membership(**row, group_id=org.company, group_name="Company", inherited=True) in rows
    assert Membership(system="m3ter", group_id=org.apart, user_id="ghost", inherited=False) in rows
    assert Membership(system="m3ter", group_id=org.empty, group_name="Empty") in rows
    assert Membership(system="m3ter", user_id="eve", user_email="eve@example.com") in rows


@WAYS
async def test_direct_wins_over_inherited(org: Nested, by: By) -> None:
    """A user who is in a group directly, and in one that is nested in it, is in it directly."""
    rows = await in_m3ter(org.providers, by)

    mine = {row.group_id: row.inherited for row in rows if row.user_id == "cleo"}
    assert mine == {org.company: False, org.division: True, org.team: False}


async def test_dangling_nested_group(org: Nested) -> None:
    """A nested group that is gone is an error of itself alone; it can have hidden no user."""
    org.providers.data.add_m3ter_item(org.division, targetId=ABSENT, targetType="GROUP")

    rows = await in_m3ter(org.providers, "groups")

    assert list(errors(rows)) == [("m3ter", ABSENT, "")]
    assert memberships(rows) == expected(org.providers.data)
    assert alone(rows) == expected_alone(org.providers.data)


async def test_circle_of_groups(providers: HeldProviders) -> None:
    """Groups nested in each other, and one in itself, have the users of all."""
    data = providers.data
    groups = [data.add_m3ter_group(f"Group {n}") for n in range(3)]
    for n, group in enumerate(groups):
        data.m3ter_parents[group] = groups[n - 1], group
        data.add_m3ter_user(f"user {n}", [group])

    rows = await in_m3ter(providers, "groups")

    assert memberships(rows) == expected(data) == memberships(await in_m3ter(providers, "users"))
    assert len(rows) == 9


@pytest.mark.parametrize(
    ("groups", "users", "asked"),
    [(0, 0, "nothing"), (0, 1, "nothing"), (4, 2, "groups"), (5, 2, "users"), (1, 0, "users")],
)
async def test_usual_way(providers: HeldProviders, groups: int, users: int, asked: str) -> None:
    """m3ter is asked by what takes fewer requests: one for each group, or up to two for each user."""
    for n in range(groups):
        providers.data.add_m3ter_group(f"Group {n}")
    for n in range(users):
        providers.data.add_m3ter_user(f"user-{n}")

    rows = await in_m3ter(providers)

    assert len(rows) == groups + users
    assert providers.begun_with("/contents") == (groups if asked == "groups" else 0)
    assert providers.begun_with("/usergroups") == (users if asked == "users" else 0)


async def test_user_in_no_group_takes_one_request(org: Nested) -> None:
    """A user who is in no group directly is in none, and is asked about once."""
    await in_m3ter(org.providers, "users")

    assert [call.query["inherited"] for call in org.providers.calls if "/eve/" in call.path] == ["false"]
    assert [call.query["inherited"] for call in org.providers.calls if "/ada/" in call.path] == ["false", "true"]


# What fails


@pytest.mark.parametrize("failure", [500, 403, 404, "timeout", "no JSON"])
async def test_group_that_fails(org: Nested, failure: Any) -> None:
    """A group that fails has an error, also in the groups that it is nested in; whoever is in no other has a row."""
    if failure == "no JSON":

        async def hook(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(200, text='{"data": [') if f"/{org.team}/" in request.url.path else None

        org.providers.hook = hook
    else:
        org.providers.fail_next(failure, times=None, path=ITEMS.format(org.team))

    rows = await in_m3ter(org.providers, "groups")

    from_team = {
        ("ada", org.team),
        ("ada", org.division),
        ("ada", org.company),
        ("cleo", org.team),
        ("cleo", org.division),
    }
    assert memberships(rows) == {one for one in expected(org.providers.data) if (one[2], one[1]) not in from_team}
    assert set(errors(rows)) == {("m3ter", group, "") for group in (org.team, org.division, org.company)}
    assert f"in the nested group {org.team}: " in errors(rows)["m3ter", org.company, ""]
    assert set(alone(rows)) == {("m3ter", "", "ada"), ("m3ter", "", "eve"), ("m3ter", org.empty, "")}


async def test_second_page_of_a_group_that_fails(providers: HeldProviders) -> None:
    """A group of which a page fails has an error, and what came of it is not taken for all."""
    group = providers.data.add_m3ter_group("Large")
    for n in range(101):
        providers.data.add_m3ter_user(f"user-{n}", [group])
    providers.hook = on_second_page("/contents")

    rows = await in_m3ter(providers, "groups")

    assert list(errors(rows)) == [("m3ter", group, "")]
    assert memberships(rows) == set()
    assert len(alone(rows)) == 101


def on_second_page(part: str) -> Callable[[httpx.Request], Any]:
    """Refuse the second page of the list whose path has this *part*."""

    async def hook(request: httpx.Request) -> httpx.Response | None:
        is_second = "nextToken" in request.url.params and part in request.url.path
        return httpx.Response(403, json={"message": "made to fail"}) if is_second else None

    return hook


@WAYS
async def test_user_list_that_fails(org: Nested, by: By) -> None:
    """If the users cannot be listed, a row says so; by groups, all memberships are found all the same."""
    org.providers.fail_next(500, times=None, path="*/organizations/*/users")

    rows = await in_m3ter(org.providers, by)

    assert list(errors(rows)) == [("m3ter", "", "")]
    assert errors(rows)["m3ter", "", ""].startswith("not all users could be listed: ")
    if by == "groups":
        assert memberships(rows) == expected(org.providers.data)
        assert alone(rows) == [("m3ter", org.empty, "")]
    else:
        assert memberships(rows) == set()
        assert {group for _, group, _ in alone(rows)} == set(org.providers.data.m3ter_groups)


async def test_way_that_can_be_gone(providers: HeldProviders) -> None:
    """Without `by`, m3ter is asked by what could be listed, whatever takes fewer requests."""
    data = providers.data
    for n in range(101):
        data.add_m3ter_user(f"user-{n}", [data.add_m3ter_group(f"Group {n}")])
    providers.hook = on_second_page("/resourcegroups/user")

    rows = await in_m3ter(providers)

    assert list(errors(rows)) == [("m3ter", "", "")]
    assert errors(rows)["m3ter", "", ""].startswith("not all groups could be listed: ")
    assert memberships(rows) == expected(data)
    assert providers.begun_with("/contents") == 0

    providers.hook = on_second_page("/users")
    data.m3ter_users = dict(list(data.m3ter_users.items())[:1]) | {f"more-{n}": [] for n in range(100)}
    for n in range(200):
        data.add_m3ter_group(f"More {n}")
    rows = await in_m3ter(providers)

    assert list(errors(rows)) == [("m3ter", "", "")]
    assert memberships(rows) == expected(data)
    assert providers.begun_with("/contents") == 301


async def test_group_list_that_fails(org: Nested) -> None:
    """By groups, if these cannot be listed, a row says so, and no user is found in one."""
    org.providers.fail_next(500, times=None, path="*/resourcegroups/user")

    rows = await in_m3ter(org.providers, "groups")

    assert list(errors(rows)) == [("m3ter", "", "")]
    assert memberships(rows) == set()
    assert {user for _, _, user in alone(rows)} == set(org.providers.data.m3ter_users)


@pytest.mark.parametrize("failure", [500, 403, 404, "disconnect"])
async def test_user_that_fails(org: Nested, failure: Any) -> None:
    """By users, one that fails has an error; a group in which no other user was found has a row."""
    org.providers.fail_next(failure, times=None, path=GROUPS_OF.format("dora"))

    rows = await in_m3ter(org.providers, "users")

    assert memberships(rows) == {one for one in expected(org.providers.data) if one[2] != "dora"}
    assert list(errors(rows)) == [("m3ter", "", "dora")]
    assert set(alone(rows)) == {("m3ter", "", "eve"), ("m3ter", org.apart, ""), ("m3ter", org.empty, "")}


@pytest.mark.parametrize("odd_id", ["..", " ", "x" * 20_000])
@WAYS
async def test_ids_that_cannot_be_asked_about(org: Nested, by: By, odd_id: str) -> None:
    """An id that fits into no path is a failure like others."""
    org.providers.data.add_m3ter_user(odd_id)
    org.providers.data.m3ter_groups["odd"] = {"id": odd_id}

    rows = await in_m3ter(org.providers, by)

    assert list(errors(rows)) == [("m3ter", odd_id, "") if by == "groups" else ("m3ter", "", odd_id)]
    assert memberships(rows) == expected(org.providers.data)


@attrs.frozen
class Company:
    """Ada and Bob in `crew`, Bob alone in `site`, and Cleo in no group; all with their ids."""

    providers: HeldProviders
    crew: str
    site: str
    ada: str
    bob: str
    cleo: str


@pytest.fixture
def company(providers: HeldProviders) -> Company:
    """Return a company of SmartPM."""
    data = providers.data
    ada, bob, cleo = smartpm_user("Ada A"), smartpm_user("Bob B"), smartpm_user("Cleo C")
    crew, site = data.add_smartpm_group("Crew", [ada, bob]), data.add_smartpm_group("Site", [bob])
    data.add_smartpm_user(cleo)
    return Company(providers, crew, site, *(str(user["id"]) for user in (ada, bob, cleo)))


async def test_company(company: Company) -> None:
    """SmartPM's users lead over their roles to groups, each asked once; who is in none has a row."""
    providers = company.providers
    providers.data.smartpm_projects[company.crew] = 3
    providers.data.add_smartpm_user(smartpm_user("Dora D", email=None))

    rows = await in_smartpm(providers)

    assert memberships(rows) == expected(providers.data)
    assert alone(rows) == expected_alone(providers.data)
    assert errors(rows) == {}
    assert (
        Membership(
            system="smartpm",
            group_id=company.crew,
            group_name="Crew",
            user_id=company.ada,
            user_email="ada.a@blah.com",
            inherited=False,
        )
        in rows
    )
    assert providers.begun_with("/user-groups/") == 2


async def test_smartpm_user_list_that_fails(company: Company) -> None:
    """Without SmartPM's users nothing can be asked, and one row says so."""
    company.providers.fail_next(403, path="*/v1/users")

    rows = await in_smartpm(company.providers)

    assert len(rows) == 1
    assert rows[0].error.startswith("the users could not be listed: ")


async def test_smartpm_roles_that_fail(company: Company) -> None:
    """A SmartPM user whose roles fail has an error; the groups that only these lead to are not found."""
    company.providers.fail_next(500, times=None, path=ROLES_OF.format(company.bob))

    rows = await in_smartpm(company.providers)

    assert list(errors(rows)) == [("smartpm", "", company.bob)]
    assert {group for _, group, _, _ in memberships(rows)} == {company.crew}
    assert alone(rows) == [("smartpm", "", company.cleo)]


async def test_smartpm_group_that_fails(company: Company) -> None:
    """A SmartPM group that fails has an error; a user whose roles come from no other group has a row."""
    company.providers.fail_next(500, times=None, path=f"*/user-groups/{company.crew}")

    rows = await in_smartpm(company.providers)

    assert list(errors(rows)) == [("smartpm", company.crew, "")]
    assert memberships(rows) == {("smartpm", company.site, company.bob, False)}
    assert set(alone(rows)) == {("smartpm", "", company.ada), ("smartpm", "", company.cleo)}


async def test_smartpm_users_without_an_id(company: Company) -> None:
    """SmartPM users without an id cannot be asked for their roles: each has a row that says so."""
    for email in ("one@example.com", None):
        company.providers.data.add_smartpm_user({"email": email})

    rows = await in_smartpm(company.providers)

    assert [row.user_email for row in rows if row.error] == ["one@example.com", ""]
    assert memberships(rows) == expected(company.providers.data)


async def test_smartpm_group_ids_that_are_no_uuid(company: Company) -> None:
    """A group whose id is no UUID has one row with an error."""
    company.providers.data.add_smartpm_group("Crew", [smartpm_user("Bob B")], group_id=company.crew)
    company.providers.data.add_smartpm_user(smartpm_user("Ada A"))
    odd: dict[str, object] = {"projectId": 9, "userGroupId": "7", "userGroupName": "Odd"}
    direct = {"projectId": 1, "userGroupId": None}
    crew = {"projectId": 2, "userGroupId": company.crew}
    roles = {company.ada: [odd, direct, odd], company.bob: [odd, crew], company.cleo: [direct]}

    async def hook(request: httpx.Request) -> httpx.Response | None:
        *_, user, what = request.url.path.split("/")
        document = {"userId": user, "projectRoles": roles.get(user)}
        return httpx.Response(200, json=document) if what == "project-roles" else None

    company.providers.hook = hook
    rows = await in_smartpm(company.providers)

    assert Membership(system="smartpm", group_id="7", group_name="Odd", error="its id is no UUID") in rows
    assert list(errors(rows)) == [("smartpm", "7", "")]
    assert memberships(rows) == {("smartpm", company.crew, company.bob, False)}
    assert set(alone(rows)) == {("smartpm", "", company.ada), ("smartpm", "", company.cleo)}


@pytest.mark.parametrize("by", [None, "groups", "users"])
@pytest.mark.parametrize("path", [None, "/oauth/token", "*/*s/*"])
async def test_everything_fails(org: Nested, company: Company, by: By | None, path: str | None) -> None:
    """Whatever fails, also the token, or all but the lists, a review ends with rows that say so."""
    org.providers.fail_next(401, times=None, path=path)

    rows = await found(org.providers, by)

    failed = {row.system for row in rows if row.error}
    assert failed == ({"m3ter"} if path == "/oauth/token" else {"m3ter", "smartpm"})
    assert memberships(row for row in rows if row.system == "m3ter") == set()
    assert alone(row for row in rows if row.system == "m3ter") == []


# Which arguments


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({}, "m3ter"),
        ({"m3ter": "smartpm"}, "m3ter"),
        ({"smartpm": "m3ter"}, "smartpm"),
        ({"by": "names"}, "by"),
        ({"progress": 3}, "progress"),
        ({"known": 3}, "known"),
        ({"known": ["m3ter,1,2"]}, "known"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
async def test_bad_arguments(providers: HeldProviders, arguments: dict[str, Any], name: str) -> None:
    """A bad argument is refused at once."""
    clients = {"m3ter": providers.m3ter, "smartpm": providers.smartpm} if arguments else {}

    with pytest.raises(InvalidArgumentError) as caught:
        review(**{**clients, **arguments})

    assert caught.value.argument == name
    assert providers.calls == []


# What is known


def settled(rows: list[Membership], by: By) -> set[str]:
    """Return the groups, or users, that *rows* tell all of: another one follows, and there is no error."""
    ids = [(row.group_id if by == "groups" else row.user_id, row.error) for row in rows]
    return {one for one, _ in ids if one != ids[-1][0]} - {one for one, error in ids if error} - {""}


@WAYS
@pytest.mark.parametrize("seed", [9, 12, 16])
async def test_known_rows_cut_anywhere(providers: HeldProviders, by: By, seed: int) -> None:
    """Wherever a review is cut, another finds the rest, nothing twice, and asks about nothing that is complete."""
    fill(providers.data, seed)
    whole = await found(providers, by)
    m3ter = [row for row in whole if row.system == "m3ter"]
    smartpm = [row for row in whole if row.system == "smartpm"]

    for cut in range(max(len(m3ter), len(smartpm)) + 1):
        known = m3ter[:cut] + smartpm[:cut]
        providers.begun.clear()
        rows = await found(providers, by, known=known)

        assert set(rows) == set(whole)
        assert len(rows) == len(whole)
        for one in settled(m3ter[:cut], by):
            assert providers.begun_with(f"/{one}/{'contents' if by == 'groups' else 'usergroups'}") == 0
        for one in settled(smartpm[:cut], "groups"):
            assert providers.begun_with(f"/user-groups/{one}") == 0


@WAYS
@pytest.mark.parametrize("seed", [9, 12, 16])
async def test_known_rows_with_failures(providers: HeldProviders, by: By, seed: int) -> None:
    """What failed is asked again; wherever the rows are cut, those that are kept and those that come are all."""
    fill(providers.data, seed)
    whole = set(await found(providers, by))
    parts = sorted(providers.data.m3ter_groups)[:2] + sorted(providers.data.smartpm_groups)[:1]
    parts += sorted(providers.data.m3ter_users)[:2]
    providers.hook = refusing(parts)
    broken = await found(providers, by)
    providers.hook = None
    assert len({row for row in broken if row.error}) > 1

    for cut in range(len(broken) + 1):
        rows = await found(providers, by, known=broken[:cut])

        assert set(rows) == whole
        assert len(rows) == len(whole)


def refusing(parts: list[str]) -> Callable[[httpx.Request], Any]:
    """Refuse all requests whose path has one of *parts*."""

    async def hook(request: httpx.Request) -> httpx.Response | None:
        refused = any(part in request.url.path for part in parts)
        return httpx.Response(403, json={"message": "made to fail"}) if refused else None

    return hook


@WAYS
@pytest.mark.parametrize("seed", [9, 12, 16])
async def test_known_rows_of_reviews_cut_again_and_again(providers: HeldProviders, by: By, seed: int) -> None:
    """However often a review is cut, the rows of the last one tell all that had been found."""
    fill(providers.data, seed)
    whole = set(await found(providers, by))
    known: list[Membership] = []

    for more in range(1, 12):
        async with aclosing(review(providers.m3ter, providers.smartpm, by, known=known)) as rows:
            known = await first(len(known) + more, rows)
        providers.begun.clear()

    assert set(await found(providers, by, known=known)) == whole
    assert len(known) > len(whole) / 2


async def first(number: int, rows: AsyncIterator[Membership]) -> list[Membership]:
    """Return the first *number* of *rows*, or all if there are fewer."""
    taken: list[Membership] = []
    async for row in rows:
        taken.append(row)
        if len(taken) == number:
            break
    return taken


async def test_known_row_of_an_empty_group_is_all(org: Nested) -> None:
    """A group that is known to have no users is not asked again, also if its row is the last; the row comes again."""
    known = [Membership(system="m3ter", group_id=org.empty, group_name="Empty")]

    rows = await in_m3ter(org.providers, "groups", known=known)

    assert org.providers.begun_with(org.empty) == 0
    assert [row for row in rows if row.group_id == org.empty] == known


async def test_known_group_that_no_list_has(org: Nested) -> None:
    """A nested group that no list has is not lost, wherever the rows are cut, also if groups are nested in it."""
    data = org.providers.data
    data.m3ter_parents[org.apart] = (org.division,)

    async def hook(request: httpx.Request) -> httpx.Response | None:
        listed = [group for group in data.m3ter_groups.values() if group["id"] not in (org.division, org.team)]
        return httpx.Response(200, json={"data": listed}) if request.url.path.endswith("/resourcegroups/user") else None

    org.providers.hook = hook
    whole = await in_m3ter(org.providers, "groups")
    assert memberships(whole) == expected(data)
    assert {row.group_name for row in whole if row.group_id == org.division} == {""}

    for cut in range(len(whole) + 1):
        rows = await in_m3ter(org.providers, "groups", known=whole[:cut])

        assert set(rows) == set(whole)
        assert len(rows) == len(whole)


@pytest.mark.parametrize(("by", "other"), [("groups", "users"), ("users", "groups")])
async def test_known_rows_of_the_other_way(org: Nested, by: By, other: By) -> None:
    """Rows of a review that went the other way cannot be gone on with, where that can be seen."""
    known = await in_m3ter(org.providers, other)

    with pytest.raises(InvalidArgumentError, match=f"known must be the rows of a review by {by}") as caught:
        await in_m3ter(org.providers, by, known=known)

    assert caught.value.argument == "known"


async def test_known_rows_of_neither_way(org: Nested) -> None:
    """Rows in disorder cannot be gone on with."""
    row = Membership(system="smartpm", group_id="g", user_id="u")
    rows = [row, attrs.evolve(row, group_id="h"), attrs.evolve(row, user_id="v")]
    m3ter = [attrs.evolve(one, system="m3ter") for one in [*rows, *rows[:1]]]

    for known in (rows, m3ter):
        with pytest.raises(InvalidArgumentError, match="known"):
            await found(org.providers, known=known)


@WAYS
async def test_known_rows_say_which_way_to_go(org: Nested, by: By) -> None:
    """Without `by`, a review goes on the way it began, whatever is usual now."""
    known = await in_m3ter(org.providers, by)
    for path in ["*/resourcegroups/user"] if by == "groups" else []:
        org.providers.fail_next(403, path=path)
    org.providers.begun.clear()

    rows = await in_m3ter(org.providers, known=known[:-1])

    assert org.providers.begun_with("/usergroups" if by == "groups" else "/contents") == 0
    assert memberships(rows) == expected(org.providers.data)


async def test_known_rows_that_do_not_say_which_way_to_go(org: Nested) -> None:
    """Where known rows may be of either way, a review goes the usual one."""
    known = [Membership(system="m3ter", group_id=org.apart, user_id="dora", inherited=False)]

    rows = await in_m3ter(org.providers, known=known)

    assert org.providers.begun_with("/contents") == 5
    assert memberships(rows) == expected(org.providers.data)


# How far it has come


Told = list[tuple[int, int | None]]


def check_progress(told: Told) -> None:
    """Check that what was *told* only grows, and ends when all has been asked about."""
    counts = [done for done, _ in told]
    totals = [total for _, total in told if total is not None]
    assert counts == sorted(counts)
    assert totals == sorted(totals)
    assert [total for _, total in told[len(told) - len(totals) :]] == totals, "the total was forgotten"
    assert told[-1][0] == told[-1][1]
    assert all(total is None or done <= total for done, total in told)


@WAYS
@pytest.mark.parametrize("seed", range(6))
async def test_progress(providers: HeldProviders, by: By, seed: int) -> None:
    """The count of what was asked about never falls, nor does the total; they are the same at the end."""
    fill(providers.data, seed)
    told: Told = []

    await found(providers, by, progress=lambda done, total: told.append((done, total)))

    check_progress(told)


async def test_progress_of_a_system_that_is_late(org: Nested, company: Company) -> None:
    """The total is None until both systems know theirs, and told then even if nothing is left to ask."""
    told: Told = []
    listed = asyncio.Event()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/v1/users"):
            await listed.wait()
            return httpx.Response(403, json={})
        return None

    def progress(done: int, total: int | None) -> None:
        told.append((done, total))
        if done == 5:
            listed.set()

    org.providers.hook = hook
    await found(org.providers, "groups", progress=progress)

    check_progress(told)
    assert told == [*((n, None) for n in range(6)), (5, 5)]


async def test_progress_of_nothing(providers: HeldProviders) -> None:
    """Where there is nothing to ask about, that is told."""
    told: Told = []

    assert await in_m3ter(providers, progress=lambda done, total: told.append((done, total))) == []
    assert told == [(0, 0)]


@pytest.mark.parametrize("number", [0, 1, 4])
async def test_progress_that_raises(org: Nested, number: int) -> None:
    """An exception of the progress function comes out of the review."""
    told: Told = []

    def progress(done: int, total: int | None) -> None:
        told.append((done, total))
        if len(told) > number:
            raise LookupError(number)

    with pytest.raises(LookupError):
        await found(org.providers, progress=progress)

    assert len(told) <= number + 2  # the other system's in the same turn


# Rows come as they are found


def many(providers: HeldProviders, groups: int) -> None:
    """Add so many groups of m3ter, with a user each, and as many groups of SmartPM."""
    for n in range(groups):
        providers.data.add_m3ter_user(f"user-{n}", [providers.data.add_m3ter_group(f"Group {n}")])
        providers.data.add_smartpm_group(f"Site {n}", [smartpm_user(f"Worker {n}")])


@WAYS
async def test_rows_stream(providers: HeldProviders, by: By) -> None:
    """The first rows come before the last group or user is asked about."""
    many(providers, 100)

    async with aclosing(review(providers.m3ter, by=by)) as rows:
        await anext(rows)
        assert 0 < providers.begun_with("/contents" if by == "groups" else "/usergroups") < 100


@pytest.mark.parametrize("system", ["m3ter", "smartpm"])
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_slow_reader(providers: HeldProviders, system: str, concurrency: int) -> None:
    """A reader who takes their time holds the asking back: it is a few groups ahead, and no more."""
    many(providers, 100)
    clients = {system: getattr(providers, system)}
    asked = {"m3ter": "/contents", "smartpm": "/user-groups/"}[system]

    async with aclosing(review(**clients, by="groups", concurrency=concurrency)) as rows:
        taken = 0
        async for _ in rows:
            taken += 1
            if taken % 10 == 0 and taken < 60:
                await turns(500)
                assert providers.begun_with(asked) <= taken + 17 + concurrency

    assert taken == 100


async def test_rows_are_made_as_they_are_read(providers: HeldProviders) -> None:
    """Rows that nobody has read yet take no memory, also where groups have thousands of users by inheritance."""
    outer: list[str] = []
    for n in range(10):
        outer = [providers.data.add_m3ter_group(f"Group {n}", parents=outer)]
    for n in range(150):
        providers.data.add_m3ter_user(f"user-{n}", outer)

    async with aclosing(review(providers.m3ter)) as rows:
        for taken in range(1, 500):
            row = await anext(rows)
            if taken % 100 == 0:
                await turns(200)
                assert sum(type(one) is type(row) for one in gc.get_objects()) <= 2


async def test_event_loop_turns_while_rows_are_read(providers: HeldProviders) -> None:
    """Whoever reads thousands of rows that have been found lets others run in between."""
    outer: list[str] = []
    for n in range(10):
        outer = [providers.data.add_m3ter_group(f"Group {n}", parents=outer)]
    for n in range(150):
        providers.data.add_m3ter_user(f"user-{n}", outer)
    ran = asyncio.Event()

    async with aclosing(review(providers.m3ter)) as rows:
        await first(200, rows)
        await turns(200)
        asyncio.get_running_loop().call_soon(ran.set)
        assert len(await first(1_000, rows)) == 1_000

    assert ran.is_set()


async def test_concurrency(providers: HeldProviders) -> None:
    """So many are asked about at once, in each system."""
    many(providers, 20)
    held = asyncio.Event()

    async def hook(request: httpx.Request) -> None:
        if "/contents" in request.url.path or "/project-roles" in request.url.path:
            await held.wait()

    providers.hook = hook
    reading = asyncio.create_task(found(providers, "groups", concurrency=3))
    await turns(500)
    assert (providers.begun_with("/contents"), providers.begun_with("/project-roles")) == (3, 3)

    held.set()
    assert memberships(await reading) == expected(providers.data)


# It ends, whoever leaves


async def at_rest() -> None:
    """Check that this task is the only one."""
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("taken", [1, 7])
async def test_break(org: Nested, company: Company, taken: int) -> None:
    """A loop that is left in the middle, and the iterator forgotten, leaves no task."""
    count = 0
    async for _ in review(org.providers.m3ter, org.providers.smartpm):
        count += 1
        if count == taken:
            break

    gc.collect()
    await at_rest()


async def test_aclose(org: Nested, company: Company) -> None:
    """An iterator that is closed leaves no task, and gives no row more."""
    rows = review(org.providers.m3ter, org.providers.smartpm)
    await anext(rows)

    await rows.aclose()

    await at_rest()
    with pytest.raises(StopAsyncIteration):
        await anext(rows)


async def test_not_begun(org: Nested) -> None:
    """An iterator that nobody reads asks nothing."""
    review(org.providers.m3ter, org.providers.smartpm)

    assert org.providers.begun == []


async def test_anyio_scope(org: Nested, company: Company) -> None:
    """A cancel scope that ends in the middle leaves no task."""
    with anyio.CancelScope() as scope:
        async for _ in review(org.providers.m3ter, org.providers.smartpm):
            scope.cancel()

    assert scope.cancelled_caught
    gc.collect()
    await at_rest()


@WAYS
@pytest.mark.parametrize("times", [1, 100], ids=["once", "again and again"])
async def test_cancelled_at_every_step(org: Nested, company: Company, by: By, times: int) -> None:
    """A reader who is cancelled at any step ends with the cancel, and leaves no task."""
    whole = set(await found(org.providers, by))

    async def read() -> set[Membership]:
        return set(await found(org.providers, by))

    async for cut in explore(read, times=times, step=5):
        if cut.cancelled:
            assert isinstance(cut.error, asyncio.CancelledError), cut
        else:
            assert (cut.value, cut.error) == (whole, None)
        assert asyncio.all_tasks() == {asyncio.current_task()}, cut.k
    assert cut.k > 50


async def test_all_tasks_cancelled_at_every_step(org: Nested, company: Company) -> None:
    """Nor does anything complain if all tasks are cancelled at once, as by a program that ends."""
    for step in range(1, 60):
        reading = asyncio.create_task(found(org.providers))
        await turns(step)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        await at_rest()
    gc.collect()


KEEPING = """
import asyncio
import logging
import sys

from usergroups import review
from usergroups.sandbox import smartpm_user
from usergroups.testing import Providers

logging.getLogger("asyncio").setLevel(logging.ERROR)  # below it says what took long
providers = Providers()
for n in range(50):
    providers.data.add_m3ter_user(f"user-{n}", [providers.data.add_m3ter_group(f"Group {n}")])
    providers.data.add_smartpm_group(f"Site {n}", [smartpm_user(f"Worker {n}")])
kept = []


async def main():
    rows = review(providers.m3ter, providers.smartpm, sys.argv[1])
    kept.append(rows)
    for _ in range(int(sys.argv[2])):
        await anext(rows)
    if sys.argv[2] == "0":
        kept.append(asyncio.ensure_future(anext(rows)))
    for _ in range(int(sys.argv[3])):
        await asyncio.sleep(0)


asyncio.run(main())
print("ended")
"""


@pytest.mark.parametrize("by", ["groups"])
@pytest.mark.parametrize(("rows", "turns"), [(0, 2), (0, 40), (30, 5)])
def test_loop_that_ends_with_the_iterator_kept(by: By, rows: int, turns: int) -> None:
    """A program that ends with a review half read hears of nothing."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", KEEPING, by, str(rows), str(turns)]

    ended = subprocess.run(command, capture_output=True, check=False, text=True, timeout=50)

    assert (ended.stdout, ended.stderr, ended.returncode) == ("ended\n", "", 0)


@WAYS
async def test_eager_tasks(org: Nested, company: Company, by: By) -> None:
    """With tasks that begin at once, a review finds the same, and can be left."""
    whole = set(await found(org.providers, by))
    begin_tasks_eagerly()

    assert set(await found(org.providers, by)) == whole
    assert len(whole) == len(await found(org.providers, by, known=[]))
    async with aclosing(review(org.providers.m3ter, org.providers.smartpm, by)) as rows:
        await anext(rows)
    await at_rest()
    with pytest.raises(InvalidArgumentError, match="known"):
        await in_m3ter(org.providers, "groups", known=await in_m3ter(org.providers, "users"))


# Over sockets


async def test_company_over_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A review of 3,000 users of m3ter in nested groups, and of 40 groups of SmartPM, finds each membership."""
    data = Data()
    data.add_many(users=3_000, groups=40)
    company = data.add_m3ter_group("Company")
    for group, parents in list(data.m3ter_parents.items()):
        if not parents and group != company:
            data.m3ter_parents[group] = (company,)

    with serve(Sandbox(data=data)) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        async with M3terClient(max_rate=None) as m3ter, SmartPMClient() as smartpm:
            rows = [row async for row in review(m3ter, smartpm)]

    assert memberships(rows) == expected(data)
    assert len(memberships(rows)) > 12_000
    assert errors(rows) == {}
    assert alone(rows) == expected_alone(data)
