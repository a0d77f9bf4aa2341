"""The lists beside the user groups, of either provider: requests as they go out, answers as they come in."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import attrs
import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import COMPANY_ID, ORG_ID
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.sentence import sentence
from usergroups import (
    AsyncPager,
    BadRequestError,
    InvalidArgumentError,
    M3terClient,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    SmartPMClient,
    UnexpectedResponseError,
    UserGroupsError,
)
from usergroups.m3ter import GroupItem, User, UserGroup
from usergroups.smartpm import CompanyUser, ProjectRole, ProjectRoles

BASE = "https://rig.invalid"
USER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
USERS_PATH = "/public/v1/users"
ROLES_PATH = f"/public/v1/users/{USER_ID}/project-roles"


@attrs.frozen
class Listing:
    """A list of m3ter: how it is asked for, the most items of a page, and its name in errors."""

    of: Callable[..., AsyncPager[Any]]
    method: str
    path: str
    most: int
    name: str


USERS = Listing(M3terClient.list_users, "GET", "/organizations/{}/users", 200, "users")
GROUPS = Listing(M3terClient.list_groups, "GET", "/organizations/{}/resourcegroups/user", 100, "groups")
ITEMS = Listing(
    lambda client, **given: client.list_group_items("g/1", **given),
    "POST",
    "/organizations/{}/resourcegroups/user/g%2F1/contents",
    100,
    "group items",
)
EACH_LISTING = pytest.mark.parametrize("listing", [USERS, GROUPS, ITEMS], ids=lambda listing: listing.name)


@pytest.fixture
def token(httpx_mock: HTTPXMock) -> None:
    """Let the token endpoint, and nothing else that is asked by POST, give a token to whoever asks."""
    httpx_mock.add_response(
        method="POST",
        url=f"{BASE}/oauth/token",
        json={"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000},
        is_reusable=True,
        is_optional=True,
    )


def give(httpx_mock: HTTPXMock, answer: object, listing: Listing = USERS, **more: Any) -> None:
    """Let m3ter answer a request for a page, once."""
    httpx_mock.add_response(method=listing.method, json=answer, **more)


def targets(httpx_mock: HTTPXMock) -> list[str]:
    """Return path and query of each request but the first, which is the token's, as they went over the wire."""
    return [request.url.raw_path.decode("ascii") for request in httpx_mock.get_requests()[1:]]


@pytest.mark.usefixtures("token")
class TestM3terRequests:
    """What goes out to m3ter."""

    @EACH_LISTING
    async def test_request(self, m3ter: M3terClient, httpx_mock: HTTPXMock, listing: Listing) -> None:
        """A page is asked for with the token, without content, and with nothing that the caller did not ask for."""
        give(httpx_mock, {"data": []}, listing)

        assert await listing.of(m3ter) == []

        request = httpx_mock.get_requests()[-1]
        assert (request.method, str(request.url)) == (listing.method, f"{BASE}{listing.path.format(ORG_ID)}")
        assert request.content == b""
        assert request.headers["authorization"] == f"Bearer {canary.ACCESS_TOKEN}"
        assert request.headers.get("content-length") == ("0" if listing is ITEMS else None)
        assert "content-type" not in request.headers

    @EACH_LISTING
    async def test_arguments(self, m3ter: M3terClient, httpx_mock: HTTPXMock, listing: Listing) -> None:
        """Organization, page size and page token go into path and query; a page may be as large as is documented."""
        give(httpx_mock, {"data": []}, listing)

        await listing.of(m3ter, org_id="o 2", page_size=listing.most, next_token="t/2")

        assert targets(httpx_mock) == [f"{listing.path.format('o%202')}?pageSize={listing.most}&nextToken=t%2F2"]

    @EACH_LISTING
    async def test_pages(self, m3ter: M3terClient, httpx_mock: HTTPXMock, listing: Listing) -> None:
        """Each page is asked for as the first one was, and with the token of the page before."""
        give(httpx_mock, {"data": [{"id": "1"}], "nextToken": "two"}, listing)
        give(httpx_mock, {"data": [], "nextToken": "three"}, listing)
        give(httpx_mock, {"data": [{"id": "2"}]}, listing)

        items = await listing.of(m3ter, page_size=1)

        first = f"{listing.path.format(ORG_ID)}?pageSize=1"
        assert [item.id for item in items] == ["1", "2"]
        assert targets(httpx_mock) == [first, f"{first}&nextToken=two", f"{first}&nextToken=three"]

    async def test_ids(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """Ids are a parameter each, on every page and in every iteration, also where they come from an iterator."""
        listing = m3ter.list_users(ids=iter(["a", "b&c"]), page_size=1)
        for _ in range(2):
            give(httpx_mock, {"data": [{"id": "a"}], "nextToken": "two"})
            give(httpx_mock, {"data": [{"id": "b&c"}]})

        assert await listing == await listing == [User(id="a"), User(id="b&c")]

        first = f"/organizations/{ORG_ID}/users?ids=a&ids=b%26c&pageSize=1"
        assert targets(httpx_mock) == [first, f"{first}&nextToken=two"] * 2

    async def test_listing_shows_its_call(self, m3ter: M3terClient) -> None:
        """A listing shows the operation and the arguments that it was given."""
        assert repr(m3ter.list_users(ids=("a", "b"))) == "<AsyncPager list_users(ids=['a', 'b'])>"
        assert repr(m3ter.list_groups(page_size=9)) == "<AsyncPager list_groups(page_size=9)>"
        assert repr(m3ter.list_group_items("g")) == "<AsyncPager list_group_items(group_id='g')>"


@pytest.mark.usefixtures("token")
class TestM3terAnswers:
    """What comes in from m3ter."""

    async def test_user(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """A user arrives as a model with aware date-times, and keeps the fields that nobody knows."""
        raw = {
            "id": "u-1",
            "version": 2,
            "email": "grace@example.com",
            "firstName": "Grace",
            "lastName": "Hopper",
            "organizations": ["org-1"],
            "supportUser": False,
            "dtEndAccess": "2024-06-01T12:00:00Z",
            "permissionPolicy": [{"effect": "ALLOW"}],
        }
        give(httpx_mock, {"data": [raw]})

        user = await m3ter.list_users().first()

        assert isinstance(user, User)
        assert (user.id, user.email, user.first_name, user.last_name) == ("u-1", "grace@example.com", "Grace", "Hopper")
        assert (user.organizations, user.support_user, user.contact_number) == (["org-1"], False, None)
        assert user.dt_end_access == datetime(2024, 6, 1, 12, tzinfo=UTC)
        assert user.additional_properties == {"permissionPolicy": [{"effect": "ALLOW"}]}

    async def test_group(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """The groups of an organization are of the same model as those of a user."""
        give(httpx_mock, {"data": [{"id": "g-1", "name": "Finance"}]}, GROUPS)

        assert await m3ter.list_groups() == [UserGroup(id="g-1", name="Finance")]

    async def test_items(self, m3ter: M3terClient, httpx_mock: HTTPXMock) -> None:
        """What is in a group is a user or a group, in capitals or not; an odd item does not cost the others."""
        raw = [
            {"id": "i-1", "targetId": "u-1", "targetType": "ITEM"},
            {"id": "i-2", "targetId": "g-2", "targetType": "group"},
            {"targetType": "ROLE", "colour": "blue"},
        ]
        give(httpx_mock, {"data": raw}, ITEMS)

        user, group, odd = await m3ter.list_group_items("g-1")

        assert user == GroupItem(id="i-1", target_id="u-1", target_type="ITEM")
        assert (group.target_id, group.target_type) == ("g-2", "group")
        assert (odd.id, odd.target_id, odd.target_type) == (None, None, "ROLE")
        assert odd.additional_properties == {"colour": "blue"}

    @pytest.mark.parametrize(
        ("answer", "ids"),
        [
            pytest.param({"data": [{"id": "1"}, {"id": "2"}]}, ["1", "2"], id="envelope"),
            pytest.param([{"id": "1"}, {"id": "2"}], ["1", "2"], id="array"),
            pytest.param({"id": "1"}, ["1"], id="bare object"),
            pytest.param({}, [], id="empty object"),
            pytest.param({"data": None}, [], id="null as data"),
        ],
    )
    @EACH_LISTING
    async def test_shapes_of_a_page(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, listing: Listing, answer: object, ids: list[str]
    ) -> None:
        """A page may have any of the shapes that m3ter's lists have."""
        give(httpx_mock, answer, listing)

        assert [item.id for item in await listing.of(m3ter)] == ids

    @EACH_LISTING
    async def test_anything_else_is_an_error(
        self, m3ter: M3terClient, httpx_mock: HTTPXMock, watch: Watch, listing: Listing
    ) -> None:
        """An answer that cannot be a page is an error that names the request."""
        give(httpx_mock, {"data": [5]}, listing)

        with watch.raises(UnexpectedResponseError) as caught:
            await listing.of(m3ter)

        error = caught.value
        assert (error.method, error.path, error.json_path) == (listing.method, listing.path.format(ORG_ID), "$.data[0]")


@pytest.mark.usefixtures("token")
class TestM3terErrors:
    """What m3ter says no with."""

    @EACH_LISTING
    @pytest.mark.parametrize(
        ("status_code", "kind", "way_out"),
        [
            (403, PermissionDeniedError, "403 Forbidden: no; check org_id, and that the service user may read {}"),
            (404, NotFoundError, "404 Not Found: no"),
            (
                413,
                BadRequestError,
                f"413 {HTTPStatus(413).phrase}: no; ask for less at a time, with a smaller page_size",
            ),
            (500, ServerError, "500 Internal Server Error: no"),
        ],
    )
    async def test_way_out(
        self,
        m3ter: M3terClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        listing: Listing,
        status_code: int,
        kind: type[UserGroupsError],
        way_out: str,
    ) -> None:
        """An error names the request and, where there is one, the way out of what was listed."""
        give(httpx_mock, {"message": "no"}, listing, status_code=status_code, is_reusable=True)

        with watch.raises(kind) as caught:
            await listing.of(m3ter)

        asked = f"{listing.method} {listing.path.format(ORG_ID)}"
        assert sentence(caught.value) == f"{asked} answered {way_out.format(listing.name)}"


class TestSmartPMRequests:
    """What goes out to SmartPM."""

    @pytest.mark.parametrize(
        ("ask", "path", "answer"),
        [
            pytest.param(lambda client: client.list_users(), USERS_PATH, [], id="users"),
            pytest.param(
                lambda client: client.get_project_roles(USER_ID), ROLES_PATH, {"projectRoles": []}, id="roles"
            ),
            pytest.param(
                lambda client: client.get_project_roles(UUID(USER_ID)), ROLES_PATH, {"projectRoles": []}, id="by UUID"
            ),
        ],
    )
    async def test_request(
        self,
        smartpm: SmartPMClient,
        httpx_mock: HTTPXMock,
        ask: Callable[[SmartPMClient], Awaitable[object]],
        path: str,
        answer: object,
    ) -> None:
        """Users and roles are asked for with key and company in headers."""
        httpx_mock.add_response(json=answer)

        await ask(smartpm)

        (request,) = httpx_mock.get_requests()
        assert (request.method, str(request.url)) == ("GET", f"{BASE}{path}")
        assert request.headers["x-api-key"] == canary.SMARTPM_API_KEY
        assert request.headers["x-company-id"] == COMPANY_ID
        assert "content-length" not in request.headers

    async def test_bad_arguments(self, smartpm: SmartPMClient) -> None:
        """A user's id that is no UUID, and a timeout that is none, are refused before any request."""
        with pytest.raises(InvalidArgumentError, match=r"^user_id must be a UUID$"):
            await smartpm.get_project_roles("ada")
        for call in (smartpm.list_users(timeout=0), smartpm.get_project_roles(USER_ID, timeout=0)):
            with pytest.raises(InvalidArgumentError, match=r"^timeout must be "):
                await call


class TestSmartPMAnswers:
    """What comes in from SmartPM."""

    async def test_users(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """Users arrive as models in their order; one without an id, and one of whom nothing is known, are kept."""
        known = {
            "id": USER_ID,
            "email": "ann@example.com",
            "lastLogin": "2024-01-01T12:00:00",
            "role": "Company Read-Only",
            "colour": "blue",
        }
        httpx_mock.add_response(json=[known, {"id": None, "email": "new@example.com"}, {}])

        users = await smartpm.list_users()

        assert all(isinstance(user, CompanyUser) for user in users)
        assert [user.id for user in users] == [UUID(USER_ID), None, None]
        assert [user.email for user in users] == ["ann@example.com", "new@example.com", None]
        assert users[0].last_login == datetime(2024, 1, 1, 12, tzinfo=UTC)
        assert (users[0].role, users[0].additional_properties) == ("Company Read-Only", {"colour": "blue"})

    async def test_large_company_does_not_stop_the_loop(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """20,000 users come whole and in their order, and others get their turns while they are read."""
        httpx_mock.add_response(json=[{"loginCount": number} for number in range(20_000)])

        async with Heartbeat(period=0) as heartbeat:
            users = await smartpm.list_users()

        assert [user.login_count for user in users] == [*range(20_000)]
        assert heartbeat.beats > 5

    async def test_roles(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A role names the group that it comes from; one that the user has directly has no group."""
        by_group = {
            "projectId": 4_711,
            "userRoleId": None,
            "groupRoleId": 3,
            "effectiveRoleId": 3,
            "projectUserId": 90_210,
            "userGroupId": GROUP_ID,
            "userGroupName": "Project Managers",
        }
        direct = {"projectId": 4_712, "userRoleId": 2, "effectiveRoleId": 2}
        httpx_mock.add_response(json={"userId": USER_ID, "projectRoles": [by_group, direct]})

        roles = await smartpm.get_project_roles(USER_ID)

        assert isinstance(roles, ProjectRoles)
        assert roles.user_id == UUID(USER_ID)
        assert roles.project_roles == [
            ProjectRole(
                project_id=4_711,
                group_role_id=3,
                effective_role_id=3,
                project_user_id=90_210,
                user_group_id=UUID(GROUP_ID),
                user_group_name="Project Managers",
            ),
            ProjectRole(project_id=4_712, user_role_id=2, effective_role_id=2),
        ]
        assert roles.project_roles[1].user_group_id is None

    @pytest.mark.parametrize("user_id", [{}, {"userId": None}, {"userId": USER_ID.upper()}], ids=repr)
    async def test_roles_of_this_user(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, user_id: dict[str, str]
    ) -> None:
        """An answer that names no user, or this one in another spelling, is of this user."""
        httpx_mock.add_response(json=user_id | {"projectRoles": []})

        assert (await smartpm.get_project_roles(USER_ID)).project_roles == []

    @pytest.mark.parametrize(
        ("answer", "json_path"),
        [
            pytest.param({"userId": GROUP_ID, "projectRoles": []}, "$.userId", id="another user"),
            pytest.param({"userId": USER_ID}, "$.projectRoles", id="no roles"),
            pytest.param({"userId": USER_ID, "projectRoles": [5]}, "$.projectRoles[0]", id="number as role"),
            pytest.param([], "$", id="array"),
        ],
    )
    async def test_roles_that_are_an_error(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch, answer: object, json_path: str
    ) -> None:
        """Another user's roles are never taken for this one's, and what cannot be read is an error that says where."""
        httpx_mock.add_response(json=answer)

        with watch.raises(UnexpectedResponseError) as caught:
            await smartpm.get_project_roles(USER_ID)

        assert (caught.value.json_path, caught.value.path) == (json_path, ROLES_PATH)

    @pytest.mark.parametrize(
        ("answer", "json_path"),
        [
            pytest.param({"users": []}, "$", id="object"),
            pytest.param(None, "$", id="null"),
            pytest.param([{"id": USER_ID}, None], "$[1]", id="null as user"),
        ],
    )
    async def test_users_that_are_an_error(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch, answer: object, json_path: str
    ) -> None:
        """An answer that is no array of users is an error, and no part of it is given."""
        httpx_mock.add_response(json=answer)

        with watch.raises(UnexpectedResponseError) as caught:
            await smartpm.list_users()

        assert (caught.value.json_path, caught.value.path) == (json_path, USERS_PATH)


class TestSmartPMErrors:
    """What SmartPM says no with."""

    @pytest.mark.parametrize(
        ("ask", "path", "way_out"),
        [
            pytest.param(lambda client: client.list_users(), USERS_PATH, "", id="users"),
            pytest.param(
                lambda client: client.get_project_roles(USER_ID),
                ROLES_PATH,
                "; the provider may also answer so for a user that does not exist",
                id="roles",
            ),
        ],
    )
    async def test_500(
        self,
        smartpm: SmartPMClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        clock: FakeClock,
        ask: Callable[[SmartPMClient], Awaitable[object]],
        path: str,
        way_out: str,
    ) -> None:
        """A 500 is tried again; its error says what else it may mean where a user was asked about, and only there."""
        httpx_mock.add_response(status_code=500, json={"message": "Internal error"}, is_reusable=True)

        with watch.raises(ServerError) as caught:
            await ask(smartpm)

        assert sentence(caught.value) == f"GET {path} answered 500 Internal Server Error: Internal error{way_out}"
        assert clock.slept == [0.25, 0.5]

    @pytest.mark.parametrize(
        "ask",
        [lambda client: client.list_users(), lambda client: client.get_project_roles(USER_ID)],
        ids=["users", "roles"],
    )
    async def test_403(
        self,
        smartpm: SmartPMClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        ask: Callable[[SmartPMClient], Awaitable[object]],
    ) -> None:
        """A key that is not accepted is an error at once, with the way out."""
        httpx_mock.add_response(status_code=403)

        with watch.raises(PermissionDeniedError, match="403 Forbidden; check api_key and company_id") as caught:
            await ask(smartpm)

        assert caught.value.attempts == 1
