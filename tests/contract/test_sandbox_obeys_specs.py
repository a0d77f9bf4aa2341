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
ENV = SANDBOX.env("http://sandbox")
BASIC = ENV["M3TER_API_KEY"], ENV["M3TER_API_SECRET"]
SMARTPM_KEY = {"X-API-KEY": ENV["SMARTPM_API_KEY"], "X-COMPANY-ID": ENV["SMARTPM_COMPANY_ID"]}
TOKEN = "/oauth/token"
USER_GROUPS = "/organizations/{orgId}/users/{id}/usergroups"
USER_GROUP = "/public/v1/user-groups/{userGroupId}"
PROJECT_MANAGERS = "550e8400-e29b-41d4-a716-446655440000"
GRANT = {"grant_type": "client_credentials"}
GRACE = {"orgId": ENV["M3TER_ORG_ID"], "id": "grace"}

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


def next_token(inherited):
    """Get the token of the second page of a listing."""
    headers = {"Authorization": f"Bearer {bearer()}"}
    return send("GET", USER_GROUPS.format(**GRACE), params={"inherited": inherited}, headers=headers).json()[
        "nextToken"
    ]


def read(name):
    """Read a spec."""
    return yaml.safe_load((SPECS / f"{name}.yaml").read_text(encoding="utf-8"))


def m3ter_spec():
    """Read m3ter's spec, and add as a link what it says in words: a page's next token asks for the next page."""
    spec = read("m3ter")
    spec["paths"][USER_GROUPS]["get"]["responses"]["200"]["links"] = {
        "nextPage": {"operationId": "listUserGroups", "parameters": {"query.nextToken": "$response.body#/nextToken"}}
    }
    return spec


def smartpm_spec():
    """Read SmartPM's spec, but for `lastLogin` without an offset, which `date-time` has no room for."""
    spec = read("smartpm")
    del spec["components"]["schemas"]["User"]["properties"]["lastLogin"]["format"]
    return spec


def held_to(spec, **config):
    """Make *spec* a schema whose requests go to the sandbox, the same ones every time."""
    common = {"seed": 1, "generation": {"deterministic": True, "database": "none"}}
    schema = schemathesis.openapi.from_dict(spec, config=SchemathesisConfig.from_dict(common | config))
    schema.app = SANDBOX.app
    return schema


m3ter = held_to(
    m3ter_spec(),
    parameters={f"path.{name}": value for name, value in GRACE.items()},
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
NEXT_TOKENS = {inherited: next_token(inherited) for inherited in ("true", "false")}


def is_inherited(case):
    """Say whether a listing asks for inherited groups, as it is written in a query."""
    return "true" if case.query.get("inherited") in (True, "true") else "false"


@m3ter.parametrize()
@bounded
def test_m3ter_operation_obeys_its_spec(case):
    """Whatever is sent to m3ter's half: documented statuses, bodies of their schemas, bad requests refused."""
    if case.meta.generation.mode is GenerationMode.POSITIVE and "nextToken" in case.query:
        # The spec calls any text a token; the ones that are good are those that the sandbox issued.
        case.query["nextToken"] = NEXT_TOKENS[is_inherited(case)]

    case.call_and_validate()


@smartpm.parametrize()
@bounded
def test_smartpm_operation_obeys_its_spec(case):
    """Whatever is sent to SmartPM's half: documented statuses, bodies of their schemas, bad requests refused."""
    case.call_and_validate()


@pytest.mark.parametrize("group_id", SANDBOX.data.smartpm_groups)
def test_seeded_groups_obey_the_spec(group_id):
    """Every SmartPM group that a sandbox starts with is one that the spec describes."""
    response = send("GET", USER_GROUP.format(userGroupId=group_id), headers=SMARTPM_KEY)

    smartpm[USER_GROUP]["GET"].validate_response(response)
    assert response.status_code == 200


def test_pages_obey_the_spec_all_the_way():
    """Walking from page to page by next token, in listings of all sorts, each page is one that the spec describes."""
    issued = {}
    followed = []

    class Walk(m3ter.as_state_machine()):
        def before_call(self, case):
            if case.operation.path == USER_GROUPS:
                case.path_parameters = GRACE
                token = case.query.pop("nextToken", None)
                if isinstance(token, str) and token in issued:
                    case.query |= {"nextToken": token, "inherited": issued[token]}

        def after_call(self, response, case):
            if response.status_code == 200 and case.operation.path == USER_GROUPS:
                issued[response.json().get("nextToken")] = is_inherited(case)
                followed.extend(case.query.keys() & {"nextToken"})

    Walk.run(settings=settings(bounded, max_examples=8, stateful_step_count=6))

    assert len(followed) > 5


@pytest.mark.parametrize(
    ("operation", "status", "changes"),
    [
        pytest.param(m3ter[TOKEN]["POST"], 401, {"auth": ("a", "b")}, id="wrong credentials"),
        pytest.param(m3ter[TOKEN]["POST"], 400, {"data": {"grant_type": "password"}}, id="another grant"),
        pytest.param(m3ter[TOKEN]["POST"], 429, {"sandbox": busy()}, id="too many tokens"),
        pytest.param(m3ter[USER_GROUPS]["GET"], 401, {"headers": {}}, id="no token"),
        pytest.param(m3ter[USER_GROUPS]["GET"], 403, {"orgId": "another"}, id="unknown organization"),
        pytest.param(m3ter[USER_GROUPS]["GET"], 403, {"sandbox": Sandbox(token_lifetime=0)}, id="token past its end"),
        pytest.param(m3ter[USER_GROUPS]["GET"], 404, {"id": "stranger"}, id="unknown user"),
        pytest.param(m3ter[USER_GROUPS]["GET"], 400, {"params": {"pageSize": 201}}, id="page too large"),
        pytest.param(m3ter[USER_GROUPS]["GET"], 429, {"sandbox": busy()}, id="too many pages"),
        pytest.param(smartpm[USER_GROUP]["GET"], 401, {"headers": {}}, id="no key"),
        pytest.param(smartpm[USER_GROUP]["GET"], 403, {"headers": SMARTPM_KEY | {"X-COMPANY-ID": "1"}}, id="company"),
        pytest.param(smartpm[USER_GROUP]["GET"], 404, {"userGroupId": str(UUID(int=0))}, id="unknown group"),
        pytest.param(smartpm[USER_GROUP]["GET"], 500, {"userGroupId": "managers"}, id="no UUID"),
        pytest.param(smartpm[USER_GROUP]["GET"], 429, {"sandbox": busy()}, id="too many groups"),
    ],
)
def test_refusal_is_one_that_the_spec_describes(operation, status, changes):
    """Every refusal that the sandbox knows has a documented status and a body of its schema."""
    sandbox = changes.get("sandbox", SANDBOX)
    right = {
        TOKEN: {"auth": BASIC, "data": GRANT},
        USER_GROUPS: GRACE | {"headers": {"Authorization": f"Bearer {bearer(sandbox)}"}},
        USER_GROUP: {"userGroupId": PROJECT_MANAGERS, "headers": SMARTPM_KEY},
    }
    request = right[operation.path] | changes
    path = operation.path.format(
        **{name: request.pop(name) for name in {"orgId", "id", "userGroupId"} & request.keys()}
    )

    response = send(operation.method, path, **request)

    assert response.status_code == status
    assert str(status) in operation.responses.status_codes
    operation.validate_response(response)
