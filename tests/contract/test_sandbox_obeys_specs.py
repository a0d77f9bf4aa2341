"""The sandbox is held to the specs: what schemathesis makes of them is sent to it, in process."""

import asyncio
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import schemathesis
import yaml
from hypothesis import settings
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from usergroups.sandbox import Sandbox

SPECS = Path(__file__).parents[2] / "specs"
SANDBOX = Sandbox()
SANDBOX.data.add_many(users=20)
ENV = SANDBOX.env("http://sandbox")
BASIC = ENV["M3TER_API_KEY"], ENV["M3TER_API_SECRET"]
SMARTPM_KEY = {"X-API-KEY": ENV["SMARTPM_API_KEY"], "X-COMPANY-ID": ENV["SMARTPM_COMPANY_ID"]}
TOKEN = "/oauth/token"
USER_GROUPS = "/organizations/{orgId}/users/{id}/usergroups"
USERS = "/organizations/{orgId}/users"
GROUPS = "/organizations/{orgId}/resourcegroups/user"
ITEMS = "/organizations/{orgId}/resourcegroups/user/{resourceGroupId}/contents"
USER_GROUP = "/public/v1/user-groups/{userGroupId}"
COMPANY_USERS = "/public/v1/users"
PROJECT_ROLES = "/public/v1/users/{userId}/project-roles"
GRANT = {"grant_type": "client_credentials"}

REGION = next(one for one, group in SANDBOX.data.m3ter_groups.items() if group["name"] == "Region")
for member in SANDBOX.data.m3ter_users:
    SANDBOX.data.add_m3ter_member(REGION, member)
SANDBOX.data.add_m3ter_item(REGION, targetId=None, targetType="role")

# What stands for the names in the paths, and m3ter's listings, each with the most that a page of it may hold.
NAMES = {
    "orgId": ENV["M3TER_ORG_ID"],
    "id": "grace",
    "resourceGroupId": REGION,
    "userGroupId": "550e8400-e29b-41d4-a716-446655440000",
    "userId": "550e8400-e29b-41d4-a716-446655440000",
}
LISTINGS = {("GET", USER_GROUPS): 200, ("GET", USERS): 200, ("GET", GROUPS): 100, ("POST", ITEMS): 100}
OF_SMARTPM = (USER_GROUP, COMPANY_USERS, PROJECT_ROLES)

bounded = settings(max_examples=30, derandomize=True, deadline=None, database=None)


def send(method, path, sandbox=SANDBOX, **request):
    """Send one request to *sandbox*, without a socket and without schemathesis."""

    async def exchange():
        transport = httpx.ASGITransport(sandbox.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
            return await http.request(method, path, **request)

    return asyncio.run(exchange())


def bearer(sandbox=SANDBOX):
    """Get an access token of *sandbox*."""
    return send("POST", TOKEN, sandbox, auth=BASIC, data=GRANT).json().get("access_token")


def busy():
    """Make a sandbox that has answered all that it answers in this second, which does not end."""
    sandbox = Sandbox(rate_limit=1, clock=lambda: 0.0)
    for path in (TOKEN, USER_GROUP):
        send("HEAD", path, sandbox)
    return sandbox


def next_token(case):
    """Get the token of the second page of what *case* lists."""
    query = {name: value for name, value in case.query.items() if name != "nextToken"} | {"pageSize": 1}
    headers = {"Authorization": f"Bearer {bearer()}"}
    return send(case.method, case.operation.path.format(**NAMES), params=query, headers=headers).json()["nextToken"]


def read(name):
    """Read a spec."""
    return yaml.safe_load((SPECS / f"{name}.yaml").read_text(encoding="utf-8"))


def m3ter_spec():
    """Read m3ter's spec, and add as links what it says in words: a page's next token asks for the next page."""
    spec = read("m3ter")
    for method, path in LISTINGS:
        operation = spec["paths"][path][method.lower()]
        asked = {"query.nextToken": "$response.body#/nextToken"}
        operation["responses"]["200"]["links"] = {
            "nextPage": {"operationId": operation["operationId"], "parameters": asked}
        }
    return spec


def smartpm_spec():
    """Read SmartPM's spec, but for `lastLogin` without an offset, which `date-time` has no room for."""
    spec = read("smartpm")
    for model in ("User", "CompanyUser"):
        del spec["components"]["schemas"][model]["properties"]["lastLogin"]["format"]
    return spec


def held_to(spec, **config):
    """Make *spec* a schema whose requests go to the sandbox, the same ones every time."""
    common = {"seed": 1, "generation": {"deterministic": True, "database": "none"}}
    schema = schemathesis.openapi.from_dict(spec, config=SchemathesisConfig.from_dict(common | config))
    schema.app = SANDBOX.app
    return schema


m3ter = held_to(
    m3ter_spec(),
    parameters={f"path.{name}": NAMES[name] for name in ("orgId", "id", "resourceGroupId")},
    auth={
        "openapi": {
            "basic": {"username": ENV["M3TER_API_KEY"], "password": ENV["M3TER_API_SECRET"]},
            "oauth2": {"bearer": bearer()},
        }
    },
)
smartpm = held_to(
    smartpm_spec(),
    parameters={"header.X-COMPANY-ID": ENV["SMARTPM_COMPANY_ID"]},
    auth={"openapi": {"apiKey": {"api_key": ENV["SMARTPM_API_KEY"]}}},
    # An id that is no UUID gets 500, as the spec says.
    checks={"not_a_server_error": {"expected-statuses": ["2xx", "4xx", "500"]}},
)


def add_known_ids(case):
    """Add the ids of users to those, made up, that a listing of users asks for."""
    if "ids" in case.query:
        case.query["ids"] = [*case.query["ids"], *SANDBOX.data.m3ter_users]


@m3ter.parametrize()
@bounded
def test_m3ter_operation_obeys_its_spec(case):
    """Whatever is sent to m3ter's half: documented statuses, bodies of their schemas, bad requests refused."""
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        add_known_ids(case)
        if "nextToken" in case.query:
            # The spec calls any text a token; the ones that are good are those that the sandbox issued.
            case.query["nextToken"] = next_token(case)

    case.call_and_validate()


@smartpm.parametrize()
@bounded
def test_smartpm_operation_obeys_its_spec(case):
    """Whatever is sent to SmartPM's half: documented statuses, bodies of their schemas, bad requests refused."""
    case.call_and_validate()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (COMPANY_USERS, ""),
        *((USER_GROUP, group_id) for group_id in SANDBOX.data.smartpm_groups),
        *((PROJECT_ROLES, user["id"]) for user in SANDBOX.data.smartpm_company()),
    ],
)
def test_seeded_data_obeys_the_spec(path, name):
    """Every SmartPM user and group that a sandbox starts with is one that the spec describes."""
    response = send("GET", path.format(userGroupId=name, userId=name), headers=SMARTPM_KEY)

    smartpm[path]["GET"].validate_response(response)
    assert response.status_code == 200


@pytest.mark.parametrize("path", [path for _, path in LISTINGS])
def test_pages_obey_the_spec_all_the_way(path):
    """Walking from page to page by next token, in listings of all sorts, each page is one that the spec describes."""
    issued = {}
    followed = []

    class Walk(m3ter.include(path=path).as_state_machine()):
        def before_call(self, case):
            if case.meta.generation.mode is GenerationMode.POSITIVE:
                case.path_parameters = {name: NAMES[name] for name in case.path_parameters}
                add_known_ids(case)
                token = case.query.pop("nextToken", None)
                if token in issued:
                    case.query = issued[token] | {"nextToken": token}

        def after_call(self, response, case):
            if response.status_code == 200:
                followed.extend(case.query.keys() & {"nextToken"})
                if "nextToken" in response.json():
                    issued[response.json()["nextToken"]] = {**case.query}

    Walk.run(settings=settings(bounded, max_examples=8, stateful_step_count=8))

    assert len(followed) > 5, f"{len(followed)} pages were asked for by a next token: let the walk take more steps"


# Each refusal that the sandbox knows: the operation, the status, and what is changed in a good request to get it.
REFUSALS = [
    (m3ter[TOKEN]["POST"], 401, {"auth": ("a", "b")}),
    (m3ter[TOKEN]["POST"], 400, {"data": {"grant_type": "password"}}),
    (m3ter[TOKEN]["POST"], 429, {"sandbox": busy()}),
    *(
        (m3ter[path][method], status, changes)
        for (method, path), most in LISTINGS.items()
        for status, changes in (
            (401, {"headers": {}}),
            (403, {"orgId": "another"}),
            (403, {"sandbox": Sandbox(token_lifetime=0)}),
            (400, {"params": {"pageSize": most + 1}}),
            (429, {"sandbox": busy()}),
        )
    ),
    (m3ter[USER_GROUPS]["GET"], 404, {"id": "stranger"}),
    (m3ter[USERS]["GET"], 400, {"params": {"ids": ["ada", ""]}}),
    (m3ter[ITEMS]["POST"], 404, {"resourceGroupId": "none"}),
    *(
        (smartpm[path]["GET"], status, changes)
        for path in OF_SMARTPM
        for status, changes in (
            (401, {"headers": {}}),
            (403, {"headers": SMARTPM_KEY | {"X-COMPANY-ID": "1"}}),
            (429, {"sandbox": busy()}),
        )
    ),
    (smartpm[USER_GROUP]["GET"], 404, {"userGroupId": str(UUID(int=0))}),
    (smartpm[USER_GROUP]["GET"], 500, {"userGroupId": "managers"}),
    (smartpm[PROJECT_ROLES]["GET"], 404, {"userId": str(UUID(int=0))}),
    (smartpm[PROJECT_ROLES]["GET"], 500, {"userId": "kirby"}),
]


@pytest.mark.parametrize(
    ("operation", "status", "changes"),
    [pytest.param(*row, id=f"{row[1]} of {row[0].label}, {', '.join(row[2])}") for row in REFUSALS],
)
def test_refusal_is_one_that_the_spec_describes(operation, status, changes):
    """Every refusal that the sandbox knows has a documented status and a body of its schema."""
    if operation.path == TOKEN:
        right = {"auth": BASIC, "data": GRANT}
    elif operation.path in OF_SMARTPM:
        right = {"headers": SMARTPM_KEY}
    else:
        right = {"headers": {"Authorization": f"Bearer {bearer(changes.get('sandbox', SANDBOX))}"}}
    path = operation.path.format(**{name: changes.get(name, usual) for name, usual in NAMES.items()})
    request = right | {name: value for name, value in changes.items() if name not in NAMES}

    response = send(operation.method, path, **request)

    assert response.status_code == status
    assert str(status) in operation.responses.status_codes
    operation.validate_response(response)
