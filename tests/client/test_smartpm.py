"""SmartPMClient as a whole: requests as they go out, and answers as they come in."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import COMPANY_ID
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from usergroups import (
    APIStatusError,
    AuthenticationError,
    ConfigurationError,
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
    return {"id": USER_ID, "email": "ann@example.com"} | fields


def give_group(httpx_mock: HTTPXMock, *users: dict[str, Any], **fields: Any) -> None:
    """Let the API give a group with *users*, once."""
    httpx_mock.add_response(json={"id": GROUP_ID, "name": "Planners", "users": users} | fields)


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

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(UUID(GROUP_ID), id="UUID"),
            pytest.param(ShownAsPath(GROUP_ID), id="UUID of a class of its own"),
            pytest.param(GROUP_ID, id="text"),
            pytest.param(GROUP_ID.upper(), id="upper case"),
            pytest.param(GROUP_ID.replace("-", ""), id="without hyphens"),
        ],
    )
    async def test_group_id(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, given: UUID | str) -> None:
        """A UUID may be given in each of its forms, and goes out in the usual one."""
        give_group(httpx_mock)

        await smartpm.get_user_group(given)

        assert httpx_mock.get_requests()[0].url.path == PATH

    @pytest.mark.parametrize(
        "given", ["", "x", "..", f"{GROUP_ID}/..", f"{GROUP_ID}\n", "550e8400", None, 5, True, b"x" * 16]
    )
    async def test_f75_bad_group_id(self, smartpm: SmartPMClient, given: Any) -> None:
        """What is no UUID is refused before any request: the provider would answer a server error."""
        with pytest.raises(ConfigurationError, match=r"^user_group_id must be a UUID$"):
            await smartpm.get_user_group(given)

    @pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), float("inf"), True, "5"])
    async def test_f82_bad_timeout(self, smartpm: SmartPMClient, timeout: Any) -> None:
        """A bad timeout is refused before any request."""
        with pytest.raises(ConfigurationError, match=r"^timeout must"):
            await smartpm.get_user_group(GROUP_ID, timeout=timeout)


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

    async def test_f54_nulls_and_absences_lose_nobody(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A user of whom only id and address are known is in the group like any other."""
        names = ["firstName", "lastName", "phoneNumber", "title", "lastLogin", "loginCount", "role", "ssoUser"]
        give_group(httpx_mock, user(), user(**dict.fromkeys([*names, "reportingRestricted"])))

        group = await smartpm.get_user_group(GROUP_ID)

        absent, null = group.users
        assert absent == null
        assert (null.last_login, null.phone_number, null.title, null.role) == (None, None, None, None)
        assert null.to_dict() == user()

    @pytest.mark.parametrize(
        ("sent", "meant"),
        [
            pytest.param("2024-05-01T10:00:00+00:00", datetime(2024, 5, 1, 10, tzinfo=UTC), id="offset of zero"),
            pytest.param("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC), id="Z"),
            pytest.param("2024-05-01T10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC), id="no offset, which is UTC"),
            pytest.param(
                "2024-05-01T10:00:00.5-05:00",
                datetime(2024, 5, 1, 10, 0, 0, 500_000, tzinfo=timezone(timedelta(hours=-5))),
                id="another offset",
            ),
        ],
    )
    async def test_f54_date_times_are_aware(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, sent: str, meant: datetime
    ) -> None:
        """Every date-time has an offset when the caller sees it."""
        give_group(httpx_mock, user(lastLogin=sent))

        group = await smartpm.get_user_group(GROUP_ID)

        assert group.users[0].last_login == meant
        assert group.users[0].last_login.utcoffset() == meant.utcoffset()

    async def test_group_without_users(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """An empty group is a group."""
        give_group(httpx_mock)

        assert (await smartpm.get_user_group(GROUP_ID)).users == []

    async def test_large_group_does_not_stop_the_loop(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """A group of 20,000 users comes whole and in its order, and others get their turns while it is read."""
        give_group(httpx_mock, *(user(loginCount=number) for number in range(20_000)))

        async with Heartbeat() as heartbeat:
            group = await smartpm.get_user_group(GROUP_ID)

        assert [one.login_count for one in group.users] == [*range(20_000)]
        assert heartbeat.beats > 5

    async def test_bad_user_in_a_large_group(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch) -> None:
        """Wherever it is in a large group, a user that cannot be read is named with its place."""
        give_group(httpx_mock, *(user() for _ in range(5_000)), user(email=None))

        with watch.raises(UnexpectedResponseError) as caught:
            await smartpm.get_user_group(GROUP_ID)

        assert caught.value.json_path == "$.users[5000].email"

    @pytest.mark.parametrize(
        ("answer", "json_path"),
        [
            pytest.param("", "$", id="nothing"),
            pytest.param("<html></html>", "$", id="HTML"),
            pytest.param("null", "$", id="null"),
            pytest.param("[]", "$", id="array"),
            pytest.param("{}", "$.id", id="empty object"),
            pytest.param(json.dumps({"id": GROUP_ID, "users": []}), "$.name", id="no name"),
            pytest.param(json.dumps({"id": GROUP_ID, "name": None, "users": []}), "$.name", id="null as name"),
            pytest.param(json.dumps({"id": GROUP_ID, "name": "x"}), "$.users", id="no users"),
            pytest.param(json.dumps({"id": GROUP_ID, "name": "x", "users": None}), "$.users", id="null as users"),
            pytest.param(json.dumps({"id": GROUP_ID, "name": "x", "users": {}}), "$.users", id="object as users"),
            pytest.param(json.dumps({"id": "x", "name": "x", "users": []}), "$.id", id="id that is no UUID"),
            *(
                pytest.param(json.dumps({"id": GROUP_ID, "name": "x", "users": [user(), bad]}), path, id=name)
                for bad, path, name in [
                    (None, "$.users[1]", "null as user"),
                    (user(id="x"), "$.users[1].id", "user id that is no UUID"),
                    (user(email=None), "$.users[1].email", "null as address"),
                    ({"id": USER_ID}, "$.users[1].email", "no address"),
                ]
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
        assert str(error) == f"GET {PATH} answered 200 OK, but not as specified: {error.message} (at {json_path})"
        assert error.body == answer

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            pytest.param({"lastLogin": "soon"}, "last_login", id="no date-time"),
            pytest.param({"lastLogin": 5}, "last_login", id="number as date-time"),
            pytest.param({"loginCount": "5"}, "login_count", id="text as number"),
            pytest.param({"loginCount": 1.5}, "login_count", id="fraction as whole number"),
            pytest.param({"loginCount": True}, "login_count", id="boolean as number"),
            pytest.param({"ssoUser": "yes"}, "sso_user", id="text as boolean"),
            pytest.param({"phoneNumber": 5550100}, "phone_number", id="number as text"),
        ],
    )
    async def test_f109_field_that_no_review_reads_costs_no_group(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, fields: dict[str, Any], name: str
    ) -> None:
        """A field that is not required and does not fit is None, and is there as it came; its user and the rest are."""
        give_group(httpx_mock, user(), user(**fields))

        group = await smartpm.get_user_group(GROUP_ID)

        assert [one.email for one in group.users] == ["ann@example.com"] * 2
        assert getattr(group.users[1], name) is None
        assert group.users[1].additional_properties == fields
        assert group.users[1].to_dict() == user(**fields)

    @pytest.mark.parametrize("id_", [USER_ID, str(UUID(int=0)), USER_ID.upper()])
    async def test_f84_another_group_is_an_error(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch, id_: str
    ) -> None:
        """Nobody's users are filed under a group that was not asked for."""
        give_group(httpx_mock, user(), id=id_)

        with watch.raises(UnexpectedResponseError) as caught:
            await smartpm.get_user_group(GROUP_ID)

        assert caught.value.json_path == "$.id"
        assert id_ not in str(caught.value)

    @pytest.mark.parametrize("id_", [GROUP_ID.upper(), GROUP_ID.replace("-", "")], ids=["upper case", "no hyphens"])
    async def test_f84_the_same_id_in_another_form_is_the_same_group(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, id_: str
    ) -> None:
        """Ids are compared as UUIDs, not as text."""
        give_group(httpx_mock, user(), id=id_)

        assert (await smartpm.get_user_group(GROUP_ID)).id == UUID(GROUP_ID)

    async def test_json_under_any_content_type(self, smartpm: SmartPMClient, httpx_mock: HTTPXMock) -> None:
        """The provider documents `*/*`: what the answer calls itself does not matter."""
        text = json.dumps({"id": GROUP_ID, "name": "Planners", "users": []})
        httpx_mock.add_response(text=text, headers={"content-type": "application/octet-stream"})

        assert (await smartpm.get_user_group(GROUP_ID)).name == "Planners"


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
        assert str(caught.value) == f"GET {PATH} {line}"
        assert len(httpx_mock.get_requests()) == 1

    async def test_500_may_mean_that_there_is_no_such_group(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch, clock: FakeClock
    ) -> None:
        """A 500 is tried a little, and then its error says what else it may mean."""
        httpx_mock.add_response(status_code=500, json={"message": "Internal error"}, is_reusable=True)

        with watch.raises(ServerError) as caught:
            await smartpm.get_user_group(GROUP_ID)

        assert str(caught.value) == (
            f"GET {PATH} answered 500 Internal Server Error: Internal error;"
            " the provider may also answer so for a group that does not exist"
        )
        assert len(httpx_mock.get_requests()) == 3
        assert clock.slept == [0.25, 0.5]

    async def test_f74_error_that_repeats_the_key(
        self, smartpm: SmartPMClient, httpx_mock: HTTPXMock, watch: Watch
    ) -> None:
        """A provider that sends the key back to us does not get it into our errors."""
        httpx_mock.add_response(status_code=403, text=f"unknown key {canary.SMARTPM_API_KEY}")

        with watch.raises(PermissionDeniedError) as caught:
            await smartpm.get_user_group(GROUP_ID)

        assert caught.value.message == "unknown key ***"


class TestSettings:
    """Where key, company and address come from."""

    @pytest.fixture
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set all variables."""
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)

    async def shown(self, httpx_mock: HTTPXMock, **arguments: Any) -> tuple[str, str, str]:
        """Return the address, the key and the company that a client shows to the provider."""
        give_group(httpx_mock)
        async with SmartPMClient(**arguments) as smartpm:
            await smartpm.get_user_group(GROUP_ID)
        (request,) = httpx_mock.get_requests()
        origin = str(request.url).removesuffix(PATH)
        return origin, request.headers["x-api-key"], request.headers["x-company-id"]

    @pytest.mark.usefixtures("environment")
    async def test_environment(self, httpx_mock: HTTPXMock) -> None:
        """What is not given comes from the environment."""
        assert await self.shown(httpx_mock) == ("https://env.invalid", "CANARY-key-of-env", "company-of-env")

    @pytest.mark.usefixtures("environment")
    async def test_arguments_win(self, httpx_mock: HTTPXMock) -> None:
        """An argument wins over the environment."""
        shown = await self.shown(httpx_mock, **ARGUMENTS)

        assert shown == ("https://arg.invalid", "CANARY-key-of-arg", "company-of-arg")

    @pytest.mark.parametrize("variable", [None, "", " "], ids=["unset", "empty", "blank"])
    async def test_default_address(
        self, httpx_mock: HTTPXMock, monkeypatch: pytest.MonkeyPatch, variable: str | None
    ) -> None:
        """Without a base URL anywhere, or with a blank variable, requests go to SmartPM's own."""
        if variable is not None:
            monkeypatch.setenv("SMARTPM_BASE_URL", variable)

        origin, _, _ = await self.shown(httpx_mock, api_key="k", company_id="c")

        assert origin == "https://live.smartpmtech.com"

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize("name", ["api_key", "company_id", "base_url"])
    @pytest.mark.parametrize("value", ["", "  ", "value\n", 5], ids=["empty", "blank", "with a line end", "a number"])
    def test_f80_bad_argument_is_an_error_whatever_the_environment_has(self, name: str, value: Any) -> None:
        """A bad argument is not made good by a variable; the error names both."""
        with pytest.raises(ConfigurationError, match=rf"^{name} \(the argument, or SMARTPM_{name.upper()} in the"):
            SmartPMClient(**{name: value})

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize("name", ["api_key", "company_id"])
    @pytest.mark.parametrize("value", ["", "  ", "value\n"], ids=["empty", "blank", "with a line end"])
    def test_f80_bad_variable_is_an_error(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        """A variable that is there and blank is a mistake, not an absence."""
        monkeypatch.setenv(f"SMARTPM_{name.upper()}", value)

        with pytest.raises(ConfigurationError, match=rf"^{name} \(the argument, or SMARTPM_{name.upper()} in the"):
            SmartPMClient()

    @pytest.mark.usefixtures("environment")
    @pytest.mark.parametrize("name", ["api_key", "company_id"])
    def test_f80_missing(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """What is given nowhere is named with both places."""
        monkeypatch.delenv(f"SMARTPM_{name.upper()}")

        with pytest.raises(ConfigurationError) as caught:
            SmartPMClient()

        assert str(caught.value) == f"{name} (the argument, or SMARTPM_{name.upper()} in the environment) is missing"

    def test_repr(self, smartpm: SmartPMClient) -> None:
        """A client shows where it asks, and no secret."""
        assert repr(smartpm) == "SmartPMClient(company_id='company-1', base_url='https://rig.invalid')"
