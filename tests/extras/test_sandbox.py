"""The sandbox over real sockets, asked by plain httpx."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import attrs
import httpx
import pytest

from rig.goes import goes
from usergroups.sandbox import Data, Sandbox, Server, serve, smartpm_group_id, smartpm_user
from usergroups.sandbox.__main__ import main

GROUPS = "/public/v1/user-groups/"
PROJECT_MANAGERS = f"{GROUPS}550e8400-e29b-41d4-a716-446655440000"
COMPANY_USERS = "/public/v1/users"
USER_GROUPS = "/organizations/any/users/ada/usergroups"
NO_TOKEN = "The access token is missing or invalid"
NO_COMPANY = "X-COMPANY-ID is missing, or not the company of this key"
FORM = {"grant_type": "client_credentials"}
NEEDS = "the sandbox needs {}: install usergroups with its extra 'sandbox' (pip install '.[sandbox]' in a checkout)\n"


@attrs.define
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@attrs.frozen
class Caller:
    """Plain httpx against one sandbox, with its credentials at hand."""

    http: httpx.Client
    server: Server

    @property
    def sandbox(self) -> Sandbox:
        """Return what is called."""
        return self.server.sandbox

    @property
    def basic(self) -> tuple[str, str]:
        """Return the credentials of the token endpoint."""
        return self.server.env["M3TER_API_KEY"], self.server.env["M3TER_API_SECRET"]

    def ask_token(self, **request: object) -> httpx.Response:
        """Ask for a token, rightly but for what *request* changes."""
        return self.http.post("/oauth/token", **({"auth": self.basic, "data": FORM} | request))

    def token(self) -> str:
        """Return a new token."""
        return self.ask_token().json()["access_token"]

    def user_groups(
        self, user: str, token: str | None = None, org: str | None = None, **query: object
    ) -> httpx.Response:
        """Ask for a page of a user's groups, with a new token unless one is given."""
        return self.http.get(
            f"/organizations/{org or self.server.env['M3TER_ORG_ID']}/users/{user}/usergroups",
            params=query,
            headers={"Authorization": f"Bearer {token or self.token()}"},
        )

    def organization(self, path: str, method: str = "GET", **query: object) -> httpx.Response:
        """Ask for a page of another list of the organization, with a new token."""
        return self.http.request(
            method,
            f"/organizations/{self.server.env['M3TER_ORG_ID']}{path}",
            params=query,
            headers={"Authorization": f"Bearer {self.token()}"},
        )

    def items(self, group_id: str, **query: object) -> httpx.Response:
        """Ask for a page of what is in a group."""
        return self.organization(f"/resourcegroups/user/{group_id}/contents", "POST", **query)

    def names(self, user: str, **query: object) -> list[str]:
        """Return the names of the groups on a page."""
        return [group["name"] for group in self.user_groups(user, **query).json()["data"]]

    def smartpm(self, path: str = PROJECT_MANAGERS, **headers: str) -> httpx.Response:
        """Ask for a SmartPM group, with the right headers but for *headers*."""
        sent = {"X-API-KEY": self.server.env["SMARTPM_API_KEY"], "X-COMPANY-ID": self.server.env["SMARTPM_COMPANY_ID"]}
        return self.http.get(path, headers=sent | {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def calling(sandbox: Sandbox) -> Iterator[Caller]:
    """Serve *sandbox* and call it."""
    with serve(sandbox) as server, httpx.Client(base_url=server.url, trust_env=False) as http:
        yield Caller(http, server)


@pytest.fixture(scope="module")
def shared() -> Iterator[Caller]:
    """Call a sandbox that no test changes."""
    with calling(Sandbox()) as caller:
        yield caller


@pytest.fixture
def clock() -> Clock:
    """Start a clock."""
    return Clock()


# m3ter: the token


def test_token_is_issued(shared):
    """The right key and secret get a bearer token that looks like the provider's JWT, for a form and for JSON."""
    answer = shared.ask_token()
    token = answer.json()["access_token"]

    assert answer.status_code == shared.ask_token(data=None, json=FORM).status_code == 200
    assert answer.json() == {"access_token": token, "expires_in": 18_000, "token_type": "Bearer", "scope": None}
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token)
    assert 550 <= len(token) <= 700


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        pytest.param({"auth": ("sandbox-m3ter-key", "wrong")}, 401, "invalid_client", id="wrong secret"),
        pytest.param({"auth": ("wrong", "sandbox-m3ter-secret")}, 401, "invalid_client", id="wrong key"),
        pytest.param({"auth": None}, 401, "invalid_client", id="no credentials"),
        pytest.param({"data": {}}, 400, "invalid_request", id="no grant type"),
        pytest.param({"data": {"grant_type": "password"}}, 400, "unsupported_grant_type", id="another grant type"),
        pytest.param({"data": {"grant_type": ["a", "b"]}}, 400, "invalid_request", id="two grant types"),
        pytest.param({"data": None, "content": "client_credentials"}, 400, "invalid_request", id="no content type"),
        pytest.param({"data": None, "json": ["grant_type"]}, 400, "invalid_request", id="JSON list"),
        pytest.param({"data": None, "json": {"grant_type": 1}}, 400, "unsupported_grant_type", id="JSON number"),
        pytest.param(
            {"data": None, "content": "{", "headers": {"Content-Type": "application/json"}},
            400,
            "invalid_request",
            id="cut JSON",
        ),
    ],
)
def test_token_request_that_is_wrong_gets_the_oauth_refusal(shared, request_, status, error):
    """Wrong or missing credentials get 401 and a challenge, another grant 400, both with the OAuth error body."""
    answer = shared.ask_token(**request_)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json().keys() == {"error", "error_description"}
    assert status == 400 or answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(("lifetime", "told"), [(10, 10), (0.25, 1)])
def test_token_ends_with_403(clock, lifetime, told):
    """A token past its end gets 403, as this provider documents; a lifetime is told in whole seconds, one at least."""
    with calling(Sandbox(token_lifetime=lifetime, clock=clock)) as caller:
        token = caller.ask_token().json()
        clock.now += lifetime * 0.99
        before = caller.user_groups("ada", token["access_token"])
        clock.now += lifetime * 0.01
        after = caller.user_groups("ada", token["access_token"])

        assert token["expires_in"] == told
        assert (before.status_code, after.status_code) == (200, 403)
        assert after.json() == {"message": "The access token has expired"}
        assert caller.user_groups("ada").status_code == 200


def test_revoked_token_gets_401():
    """Tokens can be revoked before their end, and then count as never issued."""
    with calling(Sandbox()) as caller:
        token = caller.token()
        caller.sandbox.revoke_tokens()

        assert caller.user_groups("ada", token).status_code == 401
        assert caller.user_groups("ada").status_code == 200


# What is refused, by either


@pytest.mark.parametrize(
    ("ask", "status", "message"),
    [
        pytest.param(lambda on: on.http.get(USER_GROUPS), 401, NO_TOKEN, id="no token"),
        *(
            pytest.param(lambda on, made=made: on.user_groups("ada", made), 401, NO_TOKEN, id=made)
            for made in ("garbage", "a.b.c")
        ),
        pytest.param(lambda on: on.http.get(USER_GROUPS, auth=("a", "b")), 401, NO_TOKEN, id="Basic"),
        pytest.param(lambda on: on.user_groups("ada", another_payload(on.token())), 401, NO_TOKEN, id="claims changed"),
        pytest.param(lambda on: on.user_groups("a", org="x"), 403, "No access to this organization", id="organization"),
        pytest.param(lambda on: on.user_groups("stranger"), 404, "No such user", id="user"),
        pytest.param(lambda on: on.items("none"), 404, "No such group", id="group of items"),
        pytest.param(lambda on: on.smartpm(roles_of(UUID(int=0))), 404, "No such user", id="user of roles"),
        pytest.param(lambda on: on.smartpm(X_API_KEY=""), 401, "X-API-KEY is missing or unknown", id="no key"),
        pytest.param(lambda on: on.smartpm(X_API_KEY="x"), 401, "X-API-KEY is missing or unknown", id="wrong key"),
        pytest.param(lambda on: on.smartpm(X_COMPANY_ID=""), 403, NO_COMPANY, id="no company"),
        pytest.param(lambda on: on.smartpm(X_COMPANY_ID="1"), 403, NO_COMPANY, id="another company"),
        pytest.param(lambda on: on.smartpm(f"{GROUPS}{UUID(int=0)}"), 404, "No such user group", id="group"),
        *(
            pytest.param(lambda on, path=path: on.http.get(path), 404, "Not Found", id=path)
            for path in ("/", "/nothing/here", "/oauth/token/", f"{PROJECT_MANAGERS}/users")
        ),
        pytest.param(lambda on: on.http.get("/oauth/token"), 405, "Method Not Allowed", id="GET of a token"),
        pytest.param(lambda on: on.http.post(USER_GROUPS), 405, "Method Not Allowed", id="POST"),
        pytest.param(
            lambda on: on.organization("/resourcegroups/user/none/contents"),
            405,
            "Method Not Allowed",
            id="GET of items",
        ),
        pytest.param(lambda on: on.http.delete(PROJECT_MANAGERS), 405, "Method Not Allowed", id="DELETE"),
    ],
)
def test_what_is_refused(shared, ask, status, message):
    """Who is not known or has no access, and what does not exist, gets its status and a message, and no redirect."""
    answer = ask(shared)

    assert (answer.status_code, answer.json()) == (status, {"message": message})
    assert status != 401 or answer.headers["WWW-Authenticate"].startswith(("Bearer ", "ApiKey "))
    by_post = answer.url.path.endswith(("/token", "/contents"))
    assert status != 405 or answer.headers["Allow"] == ("POST" if by_post else "GET, HEAD")


def roles_of(user_id):
    """Return the path of a user's roles in projects."""
    return f"{COMPANY_USERS}/{user_id}/project-roles"


def another_payload(token):
    """Return *token* with claims that were changed."""
    header, claims, signature = token.split(".")
    return f"{header}.{claims[:-1]}.{signature}"


@pytest.mark.parametrize(
    "query",
    [
        *("pageSize=0", "pageSize=201", "pageSize=-1", "pageSize=many", "pageSize=", "pageSize=5&pageSize=6"),
        *("inherited=TRUE", "inherited=1", "nextToken=", "nextToken=AAAA", "nextToken=%C3%A9", "of another listing"),
    ],
)
def test_bad_query_gets_400(shared, query):
    """A query parameter outside its rules, or from another listing, gets 400 and a message that names it."""
    if query == "of another listing":
        query = f"nextToken={shared.user_groups('grace', inherited='true').json()['nextToken']}"
    path = f"/organizations/{shared.server.env['M3TER_ORG_ID']}/users/grace/usergroups?{query}"
    answer = shared.http.get(path, headers={"Authorization": f"Bearer {shared.token()}"})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(query.partition("=")[0])


# m3ter: the user groups of a user


def test_page_is_an_envelope(shared):
    """A page is an object with its groups in `data`; the last carries no `nextToken`; who is in none gets it empty."""
    page = shared.user_groups("ada").json()

    fields = ("id", "version", "name", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy")
    assert page.keys() == {"data"}
    assert [group["name"] for group in page["data"]] == ["Billing", "Finance", "Reporting"]
    assert tuple(page["data"][0]) == fields
    assert shared.user_groups("nobody").json() == {"data": []}


@pytest.mark.parametrize(("inherited", "count"), [("true", 12), ("false", 9), (None, 9)])
def test_parents_of_nested_groups_come_only_when_inherited_is_true(shared, inherited, count):
    """Groups that a user's groups are nested in, however deep, are listed with inherited=true alone, each once."""
    query = {} if inherited is None else {"inherited": inherited}
    names = shared.names("grace", pageSize=200, **query)

    assert len(set(names)) == len(names) == count
    assert ({"Company", "Region", "Division"} <= set(names)) is (inherited == "true")


@pytest.mark.parametrize(
    ("user", "page_size", "pages", "groups"), [("grace", None, 3, 12), ("grace", 12, 1, 12), ("linus", 200, 5, 1_000)]
)
def test_pages_follow_each_other_by_next_token(shared, user, page_size, pages, groups):
    """Following nextToken to the end gives every group once, at most pageSize on a page."""
    query = {"inherited": "true"} | ({} if page_size is None else {"pageSize": page_size})
    token = shared.token()
    seen = [shared.user_groups(user, token, **query).json()]
    while "nextToken" in seen[-1]:
        seen.append(shared.user_groups(user, token, **query, nextToken=seen[-1]["nextToken"]).json())

    ids = [group["id"] for page in seen for group in page["data"]]
    assert len(seen) == pages
    assert len(set(ids)) == len(ids) == groups


# m3ter: users, groups, and what is in them


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        pytest.param(None, ["ada", "grace", "linus", "nobody"], id="all"),
        pytest.param(["nobody", "stranger", "ada", "nobody"], ["nobody", "ada"], id="these"),
        pytest.param(["stranger"], [], id="stranger"),
    ],
)
def test_users_are_listed(shared, ids, found):
    """All users are listed, or those whose ids are asked for: in that order, each once, strangers left out."""
    page = shared.organization("/users", **({} if ids is None else {"ids": ids})).json()

    assert [user["id"] for user in page["data"]] == found


def test_groups_are_listed_page_by_page(shared):
    """The groups of the organization are those that users are in, and those that these are nested in."""
    page = shared.organization("/resourcegroups/user", pageSize=100).json()
    more = shared.organization("/resourcegroups/user", pageSize=100, nextToken=page["nextToken"]).json()

    assert page["data"][:3] == shared.user_groups("ada").json()["data"]
    assert [page["data"][n]["name"] for n in (3, 99)] == ["Company", "Project 0085"]
    assert more["data"][0]["name"] == "Project 0086"


def test_items_are_users_and_nested_groups():
    """In a group are its users, the groups that are nested directly in it, and whatever odd item was put there."""
    data = Data()
    outer = data.add_m3ter_group("Outer")
    inner = data.add_m3ter_group("Inner", parents=[outer])
    data.add_m3ter_group("Innermost", parents=[inner])
    data.add_m3ter_user("zoe", [outer])
    data.add_m3ter_user("abe", [inner])
    data.add_m3ter_item(outer, targetId="gone", targetType="item")
    data.add_m3ter_item(outer)
    with calling(Sandbox(data=data)) as caller:
        page = caller.items(outer, pageSize=2).json()
        more = caller.items(outer, pageSize=2, nextToken=page["nextToken"]).json()

    items = [(item.get("targetId"), item.get("targetType")) for item in page["data"] + more["data"]]
    assert items == [("zoe", "ITEM"), (inner, "GROUP"), ("gone", "item"), (None, None)]
    assert more["data"][1] == {}
    assert "nextToken" not in more


def test_user_has_the_fields_that_were_given():
    """What is given of a user replaces what is made up, or comes beside it."""
    data = Data()
    data.add_m3ter_user("abe")
    data.add_m3ter_user("zoe", email=None, dtEndAccess="2024-01-01T00:00:00Z", colour="red")
    with calling(Sandbox(data=data)) as caller:
        abe, zoe = caller.organization("/users").json()["data"]

    assert (abe["id"], abe["email"], abe["firstName"], abe["dtEndAccess"]) == ("abe", "abe@example.com", "Abe", None)
    assert zoe == abe | {
        "id": "zoe",
        "firstName": "Zoe",
        "email": None,
        "dtEndAccess": "2024-01-01T00:00:00Z",
        "colour": "red",
    }


@pytest.mark.parametrize(
    "query", [{"pageSize": 101}, {"pageSize": 0}, {"nextToken": "AAAA"}, {"nextToken": "of another listing"}], ids=str
)
@pytest.mark.parametrize("path", ["/resourcegroups/user", "/resourcegroups/user/{}/contents"])
def test_bad_query_of_another_list_gets_400(shared, path, query):
    """Pages of groups and items are smaller than others, and a token is good for its own listing alone."""
    if query == {"nextToken": "of another listing"}:
        query = {"nextToken": shared.organization("/users", pageSize=1).json()["nextToken"]}
    group_id = shared.user_groups("ada").json()["data"][0]["id"]

    answer = shared.organization(path.format(group_id), "POST" if "contents" in path else "GET", **query)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(next(iter(query)))


def test_token_of_a_page_is_good_for_the_same_ids_alone(shared):
    """The token of a list of these users asks for no page of a list of others; an id must not be empty."""
    token = shared.organization("/users", ids=["ada", "grace"], pageSize=1).json()["nextToken"]

    same, other, empty = (
        shared.organization("/users", nextToken=token, ids=["ada", one]) for one in ("grace", "x", "")
    )

    assert [user["id"] for user in same.json()["data"]] == ["grace"]
    assert (other.status_code, empty.status_code) == (400, 400)
    assert empty.json() == {"message": "ids must not be empty"}


# SmartPM


def test_groups_are_those_of_the_provider(shared):
    """The provider's example comes first, then users as they may occur; a group may be empty, an id in upper case."""
    group = shared.smartpm().json()
    example = {
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "firstName": "Kirby",
        "lastName": "Smart",
        "email": "kirby.smart@blah.com",
        "phoneNumber": "+1-555-123-4567",
        "title": "Project Manager",
        "lastLogin": "2024-01-01T12:00:00+00:00",
        "loginCount": 42,
        "role": "Admin",
        "ssoUser": True,
        "reportingRestricted": False,
    }
    others = [None, "absent", "2024-01-01T12:00:00", "2024-01-01T12:00:00.123Z"]

    assert (group["id"], group["name"], group["users"][0]) == (example["id"], "Project Managers", example)
    assert [user.get("lastLogin", "absent") for user in group["users"][1:]] == others
    assert shared.smartpm(PROJECT_MANAGERS[:-1] + "1").json()["users"] == []
    assert shared.smartpm(PROJECT_MANAGERS.replace("e29b", "E29B")).json() == group


@pytest.mark.parametrize("path", [f"{GROUPS}managers", roles_of("kirby")])
def test_id_that_is_no_uuid_gets_500(shared, path):
    """An id that is no UUID gets the provider's 500 with an empty object."""
    answer = shared.smartpm(path)

    assert (answer.status_code, answer.json()) == (500, {})


def test_users_of_the_company_are_listed_once():
    """The company's users are those of its groups, and those who are in none; of these, id and email may be missing."""
    data = Data()
    zoe, abe, eve = (smartpm_user(f"{name} Park") for name in ("Zoe", "Abe", "Eve"))
    data.add_smartpm_user(eve)
    data.add_smartpm_user(zoe)
    data.add_smartpm_user({"title": "Newcomer"})
    data.add_smartpm_group("Crew", [zoe, abe])
    data.add_smartpm_group("Night shift", [abe])
    with calling(Sandbox(data=data)) as caller:
        assert caller.smartpm(COMPANY_USERS).json() == [zoe, abe, eve, {"title": "Newcomer"}]


def test_roles_lead_to_groups_that_have_projects():
    """A user has one role directly, and one in each project of each group that the user is in."""
    data = Data()
    zoe = smartpm_user("Zoe Park")
    crew = data.add_smartpm_group("Crew", [zoe], projects=2)
    data.add_smartpm_group("Without projects", [zoe], projects=0)
    data.add_smartpm_group("Of others", [smartpm_user("Abe Park")])
    last = data.add_smartpm_group("Last", [smartpm_user("Zoe Park", id=zoe["id"].upper())])
    with calling(Sandbox(data=data)) as caller:
        answer = caller.smartpm(roles_of(zoe["id"].upper())).json()

    roles = answer["projectRoles"]
    assert answer["userId"] == zoe["id"]
    assert [role["userGroupId"] for role in roles] == [None, crew, crew, last]
    assert [role.get("userGroupName") for role in roles] == [None, "Crew", "Crew", "Last"]
    assert len({role["projectId"] for role in roles}) == 4


def test_user_in_no_group_has_a_role_too():
    """Whoever is in the company may be asked about."""
    data = Data()
    eve = smartpm_user("Eve Park")
    data.add_smartpm_user(eve)
    with calling(Sandbox(data=data)) as caller:
        assert [role["userGroupId"] for role in caller.smartpm(roles_of(eve["id"])).json()["projectRoles"]] == [None]


# Both


def test_rate_limit_lasts_for_the_rest_of_the_second(clock):
    """Requests above the limit get 429 until the next second begins; each provider counts for itself."""
    with calling(Sandbox(rate_limit=2, clock=clock)) as caller:
        token = caller.token()
        statuses = [caller.user_groups("ada", token).status_code for _ in range(3)]
        clock.now += 0.99
        late = caller.user_groups("ada", token)
        other = caller.smartpm()
        clock.now += 0.01
        next_second = caller.user_groups("ada", token)

        assert statuses == [200, 429, 429]
        assert (late.status_code, late.json()) == (429, {"message": "Too many requests"})
        assert (other.status_code, next_second.status_code) == (200, 200)
        assert caller.sandbox.counts.rate_limited == 3


def test_latency_delays_every_answer():
    """With a latency no answer comes sooner."""
    with calling(Sandbox(latency=0.05)) as caller:
        assert caller.ask_token().elapsed.total_seconds() >= 0.05


def test_answers_are_not_held_back(shared):
    """Head and body of an answer leave at once, without waiting for an acknowledgement (40 ms)."""
    for go in goes(10):
        go.took(shared.smartpm().elapsed.total_seconds(), at_most=0.03)


def test_counts_are_told_in_process_and_over_http():
    """What was asked of the sandbox is counted, and asking for the counts is not."""
    with calling(Sandbox()) as caller:
        token = caller.token()
        caller.ask_token(auth=("wrong", "wrong"))
        caller.user_groups("grace", token)
        caller.user_groups("stranger", token)
        caller.organization("/users")
        caller.smartpm()
        caller.smartpm(roles_of(PROJECT_MANAGERS.removeprefix(GROUPS)))
        told = caller.http.get("/_sandbox/counts").json()

        assert told == attrs.asdict(caller.sandbox.counts)
        assert told == {
            "connections": 1,
            "requests": 8,
            "token_requests": 3,
            "tokens": 2,
            "pages": 2,
            "smartpm_groups": 1,
            "smartpm_roles": 1,
            "rate_limited": 0,
            "failed": 0,
        }


def test_data_may_be_added():
    """Users and groups that are added are answered from then on, whatever is in them."""
    with calling(Sandbox()) as caller:
        data = caller.sandbox.data
        outer = data.add_m3ter_group("Outer", version=None, colour="red")
        data.add_m3ter_user("a/b é?", [data.add_m3ter_group("Inner", parents=[outer])])
        group_id = data.add_smartpm_group("Crew", (smartpm_user(f"Worker {n}", phoneNumber=...) for n in range(3)))

        groups = caller.user_groups("a%2Fb%20%C3%A9%3F", inherited="true").json()["data"]
        crew = caller.smartpm(f"/public/v1/user-groups/{group_id}").json()
        assert [group["name"] for group in groups] == ["Inner", "Outer"]
        assert (groups[1]["version"], groups[1]["colour"]) == (None, "red")
        assert [user["lastName"] for user in crew["users"]] == ["0", "1", "2"]
        assert "phoneNumber" not in crew["users"][0]


def test_members_may_be_added():
    """A user is put into a group once, and added if need be; a SmartPM user who is there is replaced."""
    data = Data()
    group_id = data.add_m3ter_group("Operations")
    data.add_m3ter_user("zoe")
    for user_id in ("zoe", "zoe", "new"):
        data.add_m3ter_member(group_id, user_id)
    crew_id = data.add_smartpm_group("Crew", [smartpm_user("Zoe Park")])
    for user in (smartpm_user("Abe Lee"), smartpm_user("Zoe Park", title="Foreman")):
        data.add_smartpm_member(crew_id.upper(), user)

    assert data.m3ter_users == {"zoe": [group_id], "new": [group_id]}
    assert [user["lastName"] for user in data.smartpm_groups[crew_id]["users"]] == ["Lee", "Park"]
    assert data.smartpm_groups[crew_id]["users"][1]["title"] == "Foreman"


def test_sandbox_may_begin_with_other_data():
    """What is passed in is what it answers from."""
    data = Data()
    with calling(Sandbox(data=data)) as caller:
        assert caller.user_groups("ada").status_code == 404
        data.add_m3ter_user("ada")
        assert caller.user_groups("ada").json() == {"data": []}


def test_generated_data_is_the_same_each_time():
    """So many users and groups are added as were asked for, with members, and in each run the same ones."""
    data, again, more = Data(), Data(), Data()
    for each in (data, again):
        each.add_many(users=60, groups=12)
    more.add_many(users=61, groups=13)

    assert data == again
    assert data != more
    assert list(data.m3ter_users) == [f"user-{n}" for n in range(1, 61)]
    assert {len(groups) for groups in data.m3ter_users.values()} == {1, 2, 3}
    assert len(data.groups_of("user-1", inherited=True)) == 4
    assert len(data.smartpm_groups) == 12
    assert {len(group["users"]) for group in data.smartpm_groups.values()} == {*range(10)}
    assert smartpm_group_id(12) in data.smartpm_groups


@pytest.mark.parametrize(("users", "groups"), [(1, 0), (0, 1), (0, 0)])
def test_little_may_be_generated(users, groups):
    """One of either, or none, is no special case."""
    data = Data()
    data.add_many(users=users, groups=groups)

    assert (len(data.m3ter_users), len(data.smartpm_groups)) == (users, groups)
    assert bool(data.m3ter_groups) == bool(users)


def statuses(caller, paths, times):
    """Ask for each of these SmartPM paths so many times; return the statuses of each."""
    return {path: [caller.smartpm(path).status_code for _ in range(times)] for path in paths}


def test_share_of_the_answers_fails_the_same_in_every_run():
    """About that share fails; which ones depends on the seed, and not on the order of the paths asked for."""
    paths = [PROJECT_MANAGERS, PROJECT_MANAGERS[:-1] + "1"]
    with calling(Sandbox(fail=(503, 0.3))) as caller:
        first = statuses(caller, paths, 100)
        message = next(answer for answer in iter(caller.smartpm, None) if answer.status_code == 503).json()
        failed = caller.http.get("/_sandbox/counts").json()["failed"]
    with calling(Sandbox(fail=(503, 0.3))) as caller:
        reversed_ = statuses(caller, paths[::-1], 100)
    with calling(Sandbox(fail=(503, 0.3), seed=1)) as caller:
        other = statuses(caller, paths, 100)

    together = [status for each in first.values() for status in each]
    assert set(together) == {200, 503}
    assert 40 <= together.count(503) <= 80
    assert failed == together.count(503) + 1
    assert message == {"message": "This answer fails on demand"}
    assert first == reversed_
    assert first[paths[0]] != first[paths[1]]
    assert first != other


def test_share_of_one_fails_all_but_tokens():
    """With a share of 1 every answer fails, but those of the token endpoint do not."""
    with calling(Sandbox(fail=(500, 1))) as caller:
        assert caller.ask_token().status_code == 200
        assert caller.user_groups("ada").status_code == 500
        assert caller.smartpm().status_code == 500


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        pytest.param({"token_lifetime": -1}, "token_lifetime must be a number from 0 to 1e+09, not -1", id="lifetime"),
        pytest.param({"token_lifetime": float("nan")}, "token_lifetime must be a number", id="no number"),
        pytest.param({"rate_limit": 0}, "rate_limit must be a whole number from 1 to 1e+09, not 0", id="rate"),
        pytest.param({"rate_limit": 2.5}, "rate_limit must be a whole number", id="rate with a fraction"),
        pytest.param({"latency": -1}, "latency must be a number from 0 to 1e+09, not -1", id="latency"),
        pytest.param({"latency": "0.1"}, "latency must be a number from 0 to 1e+09, not '0.1'", id="text"),
        pytest.param({"fail": (200, 0.1)}, "status must be a whole number from 400 to 599, not 200", id="status"),
        pytest.param({"fail": (503, 1.1)}, "share must be a number from 0 to 1, not 1.1", id="share"),
        pytest.param({"default_page_size": True}, "default_page_size must be a whole number from 1 to 200", id="truth"),
    ],
)
def test_setting_out_of_range_is_refused(setting, sentence):
    """What the options of the command refuse is refused in process too, where it is given."""
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        Sandbox(**setting)


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        pytest.param(lambda data: data.add_m3ter_user("bob", ["none"]), "'none' is the id of no group", id="group"),
        pytest.param(lambda data: data.add_m3ter_user("bob", "none"), "'none' is the id of no group", id="text"),
        pytest.param(lambda data: data.add_m3ter_user(""), "a user id must not be empty", id="user"),
        pytest.param(lambda data: data.add_m3ter_group("X", parents=["none"]), "'none' is the id of no", id="parent"),
        pytest.param(lambda data: data.add_smartpm_group("X", group_id="bad"), "'bad' is no group id", id="no UUID"),
        pytest.param(lambda data: data.add_smartpm_group("X", group_id=""), "'' is no group id", id="blank id"),
        pytest.param(
            lambda data: data.add_m3ter_item("none", id="1"), "'none' is the id of no group", id="item of none"
        ),
        pytest.param(lambda data: data.add_m3ter_member("none", "ada"), "'none' is the id of no group", id="of none"),
        pytest.param(
            lambda data: data.add_smartpm_member("none", smartpm_user("A B")),
            "'none' is the id of no group: add_smartpm_group adds one and returns its id",
            id="member of none",
        ),
        pytest.param(
            lambda data: data.add_smartpm_member(next(iter(data.smartpm_groups)), {"id": "1"}),
            "{'id': '1'} is no user with an id and an email",
            id="member without an address",
        ),
        pytest.param(lambda data: data.add_smartpm_group("X", ["a"]), "'a' is no user with an id", id="user in text"),
        pytest.param(
            lambda data: data.add_smartpm_group("X", [{"emial": "x"}]),
            "{'emial': 'x'} is no user with an id and an email: smartpm_user(name) makes one",
            id="field misspelt",
        ),
    ],
)
def test_data_that_cannot_be_answered_is_refused(add, sentence):
    """A mistake in what a test adds is told where it is made, and adds nothing."""
    data, before = Sandbox().data, Sandbox().data

    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        add(data)

    assert data == before


# The server


def test_server_lasts_as_long_as_its_context_and_says_where_it_is():
    """The server knows its address and the variables of both clients; once its context has ended nobody listens."""
    with serve(Sandbox()) as server:
        assert httpx.get(server.url, trust_env=False).status_code == 404
        assert server.env == {
            "M3TER_ORG_ID": "5a4db0c5-0000-4000-8000-000000000001",
            "M3TER_API_KEY": "sandbox-m3ter-key",
            "M3TER_API_SECRET": "sandbox-m3ter-secret",
            "M3TER_BASE_URL": server.url,
            "SMARTPM_API_KEY": "sandbox-smartpm-key",
            "SMARTPM_COMPANY_ID": "20417",
            "SMARTPM_BASE_URL": server.url,
        }

    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)


def test_server_may_be_on_ipv6():
    """The other loopback address does as well, in brackets."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")

    with serve(Sandbox(), host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(server.url, trust_env=False).status_code == 404


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_tells_where_it_listens_and_stops_cleanly(number):
    """The command prints its settings once it can be reached, and exits with 0 when told to stop."""
    command = [sys.executable, "-m", "usergroups.sandbox", "--port", "0", "--token-lifetime", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = list(iter(process.stdout.readline, "\n"))
            env = dict(re.findall(r"^export (\w+)=(\S+)$", "".join(lines), re.MULTILINE))
            basic = env["M3TER_API_KEY"], env["M3TER_API_SECRET"]
            answer = httpx.post(f"{env['M3TER_BASE_URL']}/oauth/token", auth=basic, data=FORM, trust_env=False)
            process.send_signal(number)
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()

    assert answer.json()["expires_in"] == 60
    assert env == Sandbox().env(env["M3TER_BASE_URL"])
    assert all(line.startswith(("#", "export ")) for line in lines)
    assert "# Paste the next lines into another shell" in "".join(lines)
    assert (process.returncode, errors) == (0, "")


def test_port_in_use_is_said_in_a_sentence(capsys):
    """A port that is taken gives one sentence and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status = main(["--port", str(port)])

    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert f"port {port} of 127.0.0.1: address already in use; choose another" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_host_that_is_not_this_machine_is_refused(host, capsys):
    """An address that others could reach is refused, by the command and in process."""
    assert main(["--host", host]) == 1
    assert host in capsys.readouterr().err
    with pytest.raises(ValueError, match="address"), serve(Sandbox(), host=host):
        pass


def test_command_generates_data_and_fails_on_demand():
    """The command says which users and groups there are besides, and fails that share of the answers about them."""
    options = ["--port", "0", "--users", "30", "--groups", "20", "--fail", "503:0.5", "--seed", "7"]
    with subprocess.Popen(
        [sys.executable, "-m", "usergroups.sandbox", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = "".join(iter(process.stdout.readline, "\n"))
            env = dict(re.findall(r"^export (\w+)=(\S+)$", lines, re.MULTILINE))
            with httpx.Client(base_url=env["SMARTPM_BASE_URL"], trust_env=False) as http:
                caller = Caller(http, Server(Sandbox(), env["SMARTPM_BASE_URL"], env))
                paths = [GROUPS + smartpm_group_id(n) for n in range(1, 21)]
                found = [caller.smartpm(path).status_code for path in paths]
                last = [caller.user_groups("user-30").status_code for _ in range(10)]
            process.terminate()
            process.wait(timeout=10)
        finally:
            process.kill()
    with calling(Sandbox(fail=(503, 0.5), seed=7)) as caller:
        caller.sandbox.data.add_many(groups=20)
        in_process = [caller.smartpm(path).status_code for path in paths]

    assert "# and the m3ter users user-1 to user-30\n" in lines
    assert f"# and the SmartPM user groups {smartpm_group_id(1)} to {smartpm_group_id(20)}\n" in lines
    assert found == in_process
    assert set(found) == set(last) == {200, 503}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--port 65536", "65536 is not a whole number from 0 to 65535"),
        ("--port any", "any is not a whole number from 0 to 65535"),
        ("--token-lifetime nan", "nan is not a number from 0 to 1e+09"),
        ("--latency -1", "-1 is not a number from 0 to 1e+09"),
        ("--rate-limit 0", "0 is not a whole number from 1 to 1e+09"),
        ("--users -1", "-1 is not a whole number from 0 to 100000"),
        ("--users 1.5", "1.5 is not a whole number from 0 to 100000"),
        ("--groups 100001", "100001 is not a whole number from 0 to 100000"),
        ("--fail 503", "'503' is not STATUS:SHARE, as in 503:0.1"),
        ("--fail 503:10%", "'503:10%' is not STATUS:SHARE, as in 503:0.1"),
        ("--fail 200:0.1", "200 is not a whole number from 400 to 599"),
        ("--fail 503:1.1", "1.1 is not a number from 0 to 1"),
        ("--seed x", "invalid int value: 'x'"),
    ],
    ids=lambda text: text if text.startswith("--") else "",
)
def test_option_out_of_range_is_refused(options, sentence, capsys):
    """What an option cannot be ends the command with the usage, a sentence and status 2."""
    with pytest.raises(SystemExit) as stopped:
        main(options.split())

    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"argument {options.split()[0]}: {sentence}")


@pytest.mark.parametrize(
    ("package", "arguments", "said"),
    [
        *(
            pytest.param(package, arguments, begins + NEEDS.format(package), id=f"{package}, {arguments[0]}")
            for package in ("starlette", "uvicorn")
            for arguments, begins in (
                (("-c", "from usergroups.sandbox import Sandbox"), "ModuleNotFoundError: "),
                (("-m", "usergroups.sandbox", "--port", "0"), "usergroups.sandbox: "),
            )
        ),
        pytest.param(
            "uvicorn", ("-c", "from usergroups.sandbox import nobody"), "cannot import name 'nobody'", id="a mistake"
        ),
    ],
)
def test_missing_extra_is_named(tmp_path, package, arguments, said):
    """Without the extra's packages a program or the command is told what to install; a mistake stays one."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{package!r}] = None", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    command = [sys.executable, *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr
    assert arguments[0] == "-c" or result.stderr == said
