"""The sandbox over real sockets, asked by plain httpx."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import httpx
import pytest

from rig.goes import goes
from usergroups.sandbox import Sandbox, Server, serve, smartpm_user
from usergroups.sandbox.__main__ import main

PROJECT_MANAGERS = "/public/v1/user-groups/550e8400-e29b-41d4-a716-446655440000"
FORM = {"grant_type": "client_credentials"}


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


def test_token_is_issued_for_a_form(shared):
    """The right key and secret get a bearer token, its lifetime in whole seconds and a null scope."""
    answer = shared.ask_token()

    assert answer.status_code == 200
    assert answer.json() | {"access_token": ""} == {
        "access_token": "",
        "expires_in": 18_000,
        "token_type": "Bearer",
        "scope": None,
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_token_looks_like_the_providers(shared):
    """A token has the three parts and about the length of the provider's JWT."""
    token = shared.token()

    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token)
    assert 550 <= len(token) <= 700


def test_token_is_issued_for_json(shared):
    """A JSON body does as well as a form."""
    assert shared.ask_token(data=None, json=FORM).status_code == 200


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(("sandbox-m3ter-key", "wrong"), id="wrong secret"),
        pytest.param(("wrong", "sandbox-m3ter-secret"), id="wrong key"),
        pytest.param(None, id="no credentials"),
    ],
)
def test_wrong_credentials_get_the_oauth_refusal(shared, credentials):
    """Credentials that are wrong or missing get 401, a challenge and the OAuth error body."""
    answer = shared.ask_token(auth=credentials)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param({"data": {}}, "invalid_request", id="no grant type"),
        pytest.param({"data": {"grant_type": "password"}}, "unsupported_grant_type", id="another grant type"),
        pytest.param({"data": {"grant_type": ["a", "b"]}}, "invalid_request", id="two grant types"),
        pytest.param({"data": None, "content": FORM["grant_type"]}, "invalid_request", id="no content type"),
        pytest.param({"data": None, "json": ["grant_type"]}, "invalid_request", id="JSON list"),
        pytest.param({"data": None, "json": {"grant_type": 1}}, "unsupported_grant_type", id="JSON number"),
        pytest.param(
            {"data": None, "content": "{", "headers": {"Content-Type": "application/json"}},
            "invalid_request",
            id="cut JSON",
        ),
    ],
)
def test_token_request_without_the_grant_is_refused(shared, body, error):
    """A token request that is not for client credentials gets 400 and an OAuth error."""
    answer = shared.ask_token(**body)

    assert answer.status_code == 400
    assert answer.json()["error"] == error


def test_token_ends_with_403(clock):
    """A token past its end gets 403, as this provider documents, and a new one is accepted."""
    with calling(Sandbox(token_lifetime=10, clock=clock)) as caller:
        token = caller.token()
        clock.now += 9.9
        before = caller.user_groups("ada", token)
        clock.now += 0.1
        after = caller.user_groups("ada", token)

        assert (before.status_code, after.status_code) == (200, 403)
        assert after.json() == {"message": "The access token has expired"}
        assert caller.user_groups("ada").status_code == 200


def test_token_lifetime_may_be_a_fraction_of_a_second(clock):
    """A lifetime below a second is told as one second, the least that whole seconds can say."""
    with calling(Sandbox(token_lifetime=0.25, clock=clock)) as caller:
        answer = caller.ask_token().json()
        clock.now += 0.25

        assert answer["expires_in"] == 1
        assert caller.user_groups("ada", answer["access_token"]).status_code == 403


def test_revoked_token_gets_401():
    """Tokens can be revoked before their end, and then count as never issued."""
    with calling(Sandbox()) as caller:
        token = caller.token()
        caller.sandbox.revoke_tokens()

        assert caller.user_groups("ada", token).status_code == 401
        assert caller.user_groups("ada").status_code == 200


# m3ter: the user groups of a user


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer garbage", "Bearer a.b.c", "Basic YTpi"], ids=repr
)
def test_missing_or_made_up_bearer_gets_401(shared, authorization):
    """Without a token that was issued here, the answer is 401 and a challenge."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = shared.http.get("/organizations/any/users/ada/usergroups", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert answer.json() == {"message": "The access token is missing or invalid"}


def test_token_with_another_payload_gets_401(shared):
    """A token whose claims were changed is not one that was issued."""
    header, claims, signature = shared.token().split(".")

    assert shared.user_groups("ada", f"{header}.{claims[:-1]}.{signature}").status_code == 401


def test_unknown_organization_gets_403(shared):
    """An organization that is not the token's gets 403."""
    answer = shared.user_groups("ada", org="another")

    assert answer.status_code == 403
    assert answer.json() == {"message": "No access to this organization"}


def test_unknown_user_gets_404(shared):
    """A user that does not exist gets 404 and a message."""
    answer = shared.user_groups("stranger")

    assert answer.status_code == 404
    assert answer.json() == {"message": "No such user"}


def test_page_is_an_envelope(shared):
    """A page is an object with its groups in `data`; the last one carries no `nextToken`."""
    page = shared.user_groups("ada").json()

    assert page.keys() == {"data"}
    assert [group["name"] for group in page["data"]] == ["Billing", "Finance", "Reporting"]
    assert page["data"][0].keys() == {
        "id",
        "version",
        "name",
        "dtCreated",
        "dtLastModified",
        "createdBy",
        "lastModifiedBy",
    }


def test_user_without_groups_has_an_empty_page(shared):
    """A user who is in no group gets an empty page, not 404."""
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


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("pageSize=0", id="page size 0"),
        pytest.param("pageSize=201", id="page size 201"),
        pytest.param("pageSize=-1", id="negative page size"),
        pytest.param("pageSize=many", id="page size in words"),
        pytest.param("pageSize=", id="blank page size"),
        pytest.param("pageSize=5&pageSize=6", id="two page sizes"),
        pytest.param("inherited=TRUE", id="upper-case boolean"),
        pytest.param("inherited=1", id="number for a boolean"),
        pytest.param("nextToken=", id="blank next token"),
        pytest.param("nextToken=AAAA", id="next token never issued"),
        pytest.param("nextToken=%C3%A9", id="next token in no alphabet"),
    ],
)
def test_bad_query_gets_400(shared, query):
    """A query parameter outside its rules gets 400 and a message that names it."""
    answer = shared.http.get(
        f"/organizations/{shared.server.env['M3TER_ORG_ID']}/users/grace/usergroups?{query}",
        headers={"Authorization": f"Bearer {shared.token()}"},
    )

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(query.partition("=")[0])


@pytest.mark.parametrize(
    ("user", "inherited"), [pytest.param("linus", "true", id="user"), pytest.param("grace", "false", id="inherited")]
)
def test_next_token_of_another_listing_gets_400(shared, user, inherited):
    """A next token goes on with the listing it came from, and with no other."""
    next_token = shared.user_groups("grace", inherited="true").json()["nextToken"]

    assert shared.user_groups(user, inherited=inherited, nextToken=next_token).status_code == 400


# SmartPM


def test_group_has_the_providers_example_user(shared):
    """The group of the provider's own example starts with the example's user."""
    group = shared.smartpm().json()

    assert (group["id"], group["name"]) == ("550e8400-e29b-41d4-a716-446655440000", "Project Managers")
    assert group["users"][0] == {
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


def test_group_has_users_as_they_may_occur(shared):
    """Among the users, lastLogin is null, absent, without offset and in Zulu time."""
    logins = [user.get("lastLogin", "absent") for user in shared.smartpm().json()["users"][1:]]

    assert logins == [None, "absent", "2024-01-01T12:00:00", "2024-01-01T12:00:00.123Z"]


def test_group_may_be_empty(shared):
    """A group without users has an empty list of them."""
    answer = shared.smartpm("/public/v1/user-groups/550e8400-e29b-41d4-a716-446655440001")

    assert (answer.status_code, answer.json()["users"]) == (200, [])


def test_group_id_may_be_in_upper_case(shared):
    """A UUID is the same in upper case."""
    assert shared.smartpm(PROJECT_MANAGERS.replace("e29b", "E29B")).status_code == 200


@pytest.mark.parametrize("key", ["", "wrong"])
def test_wrong_api_key_gets_401(shared, key):
    """A key that is unknown gets 401 and a challenge."""
    answer = shared.smartpm(X_API_KEY=key)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("ApiKey ")
    assert answer.json() == {"message": "X-API-KEY is missing or unknown"}


@pytest.mark.parametrize("company", ["", "1"])
def test_another_company_gets_403(shared, company):
    """A company that is not the key's gets 403."""
    answer = shared.smartpm(X_COMPANY_ID=company)

    assert answer.status_code == 403
    assert answer.json() == {"message": "X-COMPANY-ID is missing, or not the company of this key"}


def test_unknown_group_gets_404(shared):
    """A UUID that is no group's gets 404."""
    answer = shared.smartpm("/public/v1/user-groups/00000000-0000-0000-0000-000000000000")

    assert (answer.status_code, answer.json()) == (404, {"message": "No such user group"})


def test_id_that_is_no_uuid_gets_500(shared):
    """An id that is no UUID gets the provider's 500 with an empty object."""
    answer = shared.smartpm("/public/v1/user-groups/managers")

    assert (answer.status_code, answer.json()) == (500, {})


# Both


@pytest.mark.parametrize("path", ["/", "/nothing/here", "/oauth/token/", PROJECT_MANAGERS + "/users"])
def test_unknown_path_gets_404(shared, path):
    """A path that is nobody's gets 404 and a message, and is never redirected."""
    answer = shared.http.get(path)

    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/oauth/token", "POST"),
        ("POST", "/organizations/o/users/u/usergroups", "GET, HEAD"),
        ("DELETE", PROJECT_MANAGERS, "GET, HEAD"),
    ],
)
def test_wrong_method_gets_405(shared, method, path, allow):
    """A method that a path does not have gets 405, a message, and the ones that it has."""
    answer = shared.http.request(method, path)

    assert (answer.status_code, answer.json()) == (405, {"message": "Method Not Allowed"})
    assert answer.headers["Allow"] == allow


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
        caller.smartpm()
        told = caller.http.get("/_sandbox/counts").json()

        assert told == attrs.asdict(caller.sandbox.counts)
        assert told == {
            "connections": 1,
            "requests": 5,
            "token_requests": 2,
            "tokens": 1,
            "pages": 1,
            "smartpm_groups": 1,
            "rate_limited": 0,
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


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        pytest.param({"token_lifetime": -1}, "token_lifetime must be a number from 0 to 1e+09, not -1", id="lifetime"),
        pytest.param({"token_lifetime": float("nan")}, "token_lifetime must be a number", id="no number"),
        pytest.param({"rate_limit": 0}, "rate_limit must be a whole number from 1 to 1e+09, not 0", id="rate"),
        pytest.param({"rate_limit": 2.5}, "rate_limit must be a whole number", id="rate with a fraction"),
        pytest.param({"latency": -1}, "latency must be a number from 0 to 1e+09, not -1", id="latency"),
        pytest.param({"latency": "0.1"}, "latency must be a number from 0 to 1e+09, not '0.1'", id="text"),
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


async def test_sandbox_works_without_a_socket():
    """The application answers in process, through httpx's ASGI transport."""
    sandbox = Sandbox()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url="http://sandbox") as http:
        answer = await http.post("/oauth/token", data=FORM)

    assert answer.status_code == 401
    assert sandbox.counts.token_requests == 1


# The server


def test_server_stops_with_its_context():
    """Once the context has ended nobody listens any more."""
    with serve(Sandbox()) as server:
        httpx.get(server.url, trust_env=False)

    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)


def test_server_says_where_it_is():
    """The server knows its address and the environment variables of both clients."""
    with serve(Sandbox()) as server:
        assert server.env == {
            "M3TER_ORG_ID": "5a4db0c5-0000-4000-8000-000000000001",
            "M3TER_API_KEY": "sandbox-m3ter-key",
            "M3TER_API_SECRET": "sandbox-m3ter-secret",
            "M3TER_BASE_URL": server.url,
            "SMARTPM_API_KEY": "sandbox-smartpm-key",
            "SMARTPM_COMPANY_ID": "20417",
            "SMARTPM_BASE_URL": server.url,
        }


def test_server_may_be_on_ipv6():
    """The other loopback address does as well, in brackets."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")

    with serve(Sandbox(), host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(server.url, trust_env=False).status_code == 404


def test_server_is_for_this_machine_alone():
    """An address that others could reach is refused."""
    with pytest.raises(ValueError, match="is not a loopback address"), serve(Sandbox(), host="0.0.0.0"):
        pass


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
    """The command serves loopback addresses alone."""
    assert main(["--host", host]) == 1
    assert host in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [["--port", "65536"], ["--port", "any"], ["--token-lifetime", "nan"], ["--latency", "-1"], ["--rate-limit", "0"]],
    ids=" ".join,
)
def test_option_out_of_range_is_refused(options, capsys):
    """A number outside its range ends the command with the usage and status 2."""
    with pytest.raises(SystemExit) as stopped:
        main(options)

    assert stopped.value.code == 2
    assert options[0] in capsys.readouterr().err.splitlines()[-1]


def without(package, *arguments):
    """Run Python with *arguments* as if *package* were not installed."""
    with TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(f"import sys; sys.modules[{package!r}] = None", encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": folder}
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def needs(package):
    """Return the sentence that says what to install."""
    return (
        f"the sandbox needs {package}: install usergroups with its extra 'sandbox'"
        " (pip install '.[sandbox]' in a checkout)\n"
    )


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_missing_extra_is_named(package):
    """Without the extra's packages, whoever takes something from the sandbox is told what to install."""
    result = without(package, "-c", "from usergroups.sandbox import Sandbox")

    assert result.returncode == 1
    assert result.stderr.endswith(f"ModuleNotFoundError: {needs(package)}")


def test_missing_extra_hides_no_mistake():
    """Without the extra's packages, a name that the sandbox would not have either is still refused as such."""
    result = without("uvicorn", "-c", "from usergroups.sandbox import sandbox_of_a_child")

    assert result.returncode == 1
    assert "cannot import name 'sandbox_of_a_child'" in result.stderr


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_missing_extra_is_a_sentence_from_the_command(package):
    """Without the extra's packages the command says what to install, without a traceback, and exits with 1."""
    result = without(package, "-m", "usergroups.sandbox", "--port", "0")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"usergroups.sandbox: {needs(package)}"
