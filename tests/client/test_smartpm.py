"""SmartPMClient as a whole: requests as they go out, and answers as they come in."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.bodies import least
from rig.clock import FakeClock
from rig.fixtures import COMPANY_ID
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.sentence import sentence
from usergroups import (
    APIStatusError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    SmartPMClient,
    UnexpectedResponseError,
)
from usergroups.smartpm import User, UserGroup

BASE = "https://rig.invalid"
GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
USER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
PATH = f"/public/v1/user-groups/{GROUP_ID}"

ENVIRONMENT = {
    "SMARTPM_API_KEY": "CANARY-key-of-env",
    "SMARTPM_COMPANY_ID": "company-of-env",
    "SMARTPM_BASE_URL": "https://env.invalid",
}
ARGUMENTS = {
    "api_key": "CANARY-key-of-arg",
    "company_id": "company-of-arg",
    "base_url": "https://arg.invalid",
}


def user(**fields: Any) -> dict[str, Any]:
    """Make the JSON of a user."""
    return least("smartpm", "User", id=USER_ID, email="ann@example.com") | fields


def give_group(httpx_mock: HTTPXMock, *users: dict[str, Any], **fields: Any) -> None:
    """Let the API give a group with *users*, once."""
    group = least("smartpm", "UserGroup", id=GROUP_ID, name="Planners", users=users)
    httpx_mock.add_response(json=group | fields)


class ShownAsPath(UUID):
    """A UUID whose text is another."""

    def __str__(self) -> str:
        return "../../x"


class TestRequests:
    """What goes out."""

    async def test_request(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A group is asked for with key and company in headers, and with no secret in the URL."""
        give_group(httpx_mock)

        await smartpm.get_user_group(GROUP_ID)

        (request,) = httpx_mock.get_requests()
        assert (request.method, str(request.url)) == ("GET", f"{BASE}{PATH}")
        assert request.content == b""
        assert request.headers["x-api-key"] == canary.SMARTPM_API_KEY
        assert request.headers["x-company-id"] == COMPANY_ID
        assert request.headers["accept"] == "application/json"
        assert request.headers["accept-encoding"] == "gzip"
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers

    async def test_f75_uuid_of_a_class_of_its_own(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A UUID goes out in the usual form, whatever its class makes of it."""
        give_group(httpx_mock)

        await smartpm.get_user_group(ShownAsPath(GROUP_ID))

        assert httpx_mock.get_requests()[0].url.path == PATH


class TestAnswers:
    """What comes in."""

    async def test_group_and_user(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A group arrives with its users as models, and keeps the fields that nobody knows."""
        raw = user(
            firstName="Ann",
            lastName="Example",
            phoneNumber="+1 (555) 0100 ext. 7",
            title="Planner",
            lastLogin="2024-05-01T10:00:00+00:00",
            loginCount=12,
            role="Company Read-Only",
            ssoUser=True,
            reportingRestricted=False,
            colour="blue",
        )
        give_group(httpx_mock, raw, region="north")

        group = await smartpm.get_user_group(GROUP_ID)

        (ann,) = group.users
        assert isinstance(group, UserGroup)
        assert isinstance(ann, User)
        assert (group.id, group.name, group.additional_properties) == (UUID(GROUP_ID), "Planners", {"region": "north"})
        assert (ann.id, ann.email, ann.role) == (UUID(USER_ID), "ann@example.com", "Company Read-Only")
        assert (ann.first_name, ann.last_name, ann.title) == ("Ann", "Example", "Planner")
        assert (ann.phone_number, ann.login_count) == ("+1 (555) 0100 ext. 7", 12)
        assert (ann.sso_user, ann.reporting_restricted) == (True, False)
        assert ann.last_login == datetime(2024, 5, 1, 10, tzinfo=UTC)
        assert ann.to_dict() == raw

    async def test_large_group_does_not_stop_the_loop(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A group of 20,000 users comes whole and in its order, and others get their turns while it is read."""
        give_group(httpx_mock, *(user(loginCount=number) for number in range(20_000)))

        async with Heartbeat(period=0) as heartbeat:
            group = await smartpm.get_user_group(GROUP_ID)

        assert [one.login_count for one in group.users] == [*range(20_000)]
        assert heartbeat.beats > 20

    @pytest.mark.parametrize(
        ("answer", "json_path"),
        [
            pytest.param("<html></html>", "$", id="HTML"),
            pytest.param("[]", "$", id="array"),
            pytest.param("{}", "$.id", id="empty object"),
            pytest.param(json.dumps({"id": GROUP_ID, "name": "x", "users": None}), "$.users", id="null as users"),
            pytest.param(json.dumps({"id": GROUP_ID, "users": [user()]}), "$.name", id="no name"),
            pytest.param(
                json.dumps({"id": GROUP_ID, "name": "x", "users": [user(), None]}), "$.users[1]", id="null as user"
            ),
        ],
    )
    async def test_f49_f52_anything_else_is_an_error(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch, answer: str, json_path: str
    ) -> None:
        """A partial group is worse than none: what cannot be read is an error that says where, and not the value."""
        httpx_mock.add_response(text=answer)

        with watch.raises(UnexpectedResponseError) as caught:
            await smartpm.get_user_group(GROUP_ID)

        error = caught.value
        assert error.json_path == json_path
        assert sentence(error) == f"GET {PATH} answered 200 OK, but not as specified: {error.message} (at {json_path})"
        assert error.body == answer


class TestErrors:
    """What the API says no with."""

    @pytest.mark.parametrize(
        ("status_code", "kind", "line"),
        [
            (302, APIStatusError, "answered 302 Found; redirects are not followed: check base_url"),
            (401, AuthenticationError, "answered 401 Unauthorized; check api_key and company_id"),
            (403, PermissionDeniedError, "answered 403 Forbidden; check api_key and company_id"),
            (404, NotFoundError, "answered 404 Not Found; check the id, and base_url"),
        ],
    )
    async def test_status(
        self,
        smartpm: SmartPMClient,
        httpx_mock: HTTPXMock,
        watch: Watch,
        status_code: int,
        kind: type[APIStatusError],
        line: str,
    ) -> None:
        """An answer that says no is its error at once: a key is neither renewed nor sent elsewhere."""
        httpx_mock.add_response(status_code=status_code, headers={"location": "https://evil.invalid/"})

        with watch.raises(kind) as caught:
            await smartpm.get_user_group(GROUP_ID)

        assert type(caught.value) is kind
        assert sentence(caught.value) == f"GET {PATH} {line}"
        assert len(httpx_mock.get_requests()) == 1

    async def test_500_may_mean_that_there_is_no_such_group(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch, clock: FakeClock
    ) -> None:
        """A 500 is tried a little, and then its error says what else it may mean."""
        httpx_mock.add_response(status_code=500, json={"message": "Internal error"}, is_reusable=True)

        with watch.raises(ServerError) as caught:
            await smartpm.get_user_group(GROUP_ID)

        assert sentence(caught.value) == (
            f"GET {PATH} answered 500 Internal Server Error: Internal error;"
            " the provider may also answer so for a group that does not exist"
        )
        assert len(httpx_mock.get_requests()) == 3
        assert clock.slept == [0.25, 0.5]


class TestSettings:
    """Where key, company and address come from."""

    @pytest.mark.parametrize(
        ("environment", "arguments", "base_url", "of"),
        [
            pytest.param(ENVIRONMENT, {}, "https://env.invalid", "env", id="environment"),
            pytest.param(ENVIRONMENT, ARGUMENTS, "https://arg.invalid", "arg", id="arguments win"),
            pytest.param({}, ARGUMENTS | {"base_url": None}, "https://live.smartpmtech.com", "arg", id="no base URL"),
        ],
    )
    async def test_origin(
        self,
        httpx_mock: HTTPXMock,
        monkeypatch: pytest.MonkeyPatch,
        environment: dict[str, str],
        arguments: dict[str, Any],
        base_url: str,
        of: str,
    ) -> None:
        """An argument wins over the environment; without a base URL anywhere, requests go to SmartPM's own."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        give_group(httpx_mock)

        async with SmartPMClient(**arguments) as smartpm:
            await smartpm.get_user_group(GROUP_ID)

        (request,) = httpx_mock.get_requests()
        assert str(request.url) == f"{base_url}{PATH}"
        assert request.headers["x-api-key"] == f"CANARY-key-of-{of}"
        assert request.headers["x-company-id"] == f"company-of-{of}"

    def test_repr(self, smartpm: SmartPMClient) -> None:
        """A client shows where it asks, and no secret."""
        assert repr(smartpm) == "SmartPMClient(company_id='company-1', base_url='https://rig.invalid')"
