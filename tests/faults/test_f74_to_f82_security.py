"""Rows 74 to 82 of the fault table (79 has tests with the transport): secrets, ids, settings."""

import asyncio
import copy
import json
import logging
import math
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
import pytest

from rig import canary
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.script import Script, answer, close, json_answer, silence, token_answer
from rig.server import FaultServer, Request
from usergroups import (
    ConfigurationError,
    M3terClient,
    RetryPolicy,
    SmartPMClient,
    UserGroupsError,
    sweep,
)

pytest_plugins = ("faults.kinds",)  # clients on either transport

TOKEN = "/oauth/token"
LIST = "/organizations/*"
GROUP = "550e8400-e29b-41d4-a716-446655440000"
GOOD_PAGE = json_answer({"data": [{"id": "a"}]})
GOOD_GROUP = json_answer({"id": GROUP, "name": "Operators", "users": []})
SECRETS = (canary.API_KEY_ID, canary.API_SECRET, canary.BASIC, canary.ACCESS_TOKEN, canary.SMARTPM_API_KEY)


def mirror(status: int, *then: Any, length: int | None = None) -> Callable[[Request, int], Script]:
    """Answer *status* with all that the request held: in the body, in headers, and as the provider's words."""

    def script(request: Request, n: int) -> Script:
        said = request.header("Authorization") or request.header("X-API-KEY") or ""
        document = {"message": f"who is {said}?", "error": said, "headers": request.headers, "id": [said]}
        headers = {"X-Request-Id": said, "WWW-Authenticate": f'Bearer realm="{said}"', "Location": f"/{said}"}
        return answer(json.dumps(document).encode(), status, headers, length=length), *then

    return script


MIRRORS = [
    pytest.param(mirror(status), id=str(status))
    for status in (200, 204, 301, 400, 401, 403, 404, 413, 422, 429, 451, 500, 503, 599)
] + [
    pytest.param(mirror(200, close, length=100_000), id="cut body"),
    pytest.param(mirror(500, close, length=100_000), id="cut 500"),
    pytest.param(mirror(200, silence, length=100_000), id="never ends"),
    pytest.param((silence,), id="silence"),
    pytest.param((close,), id="no answer"),
]


def swept(error: BaseException) -> list[str]:
    """Return where a secret shows in *error*: in its texts, the SDK's frames, its traceback, its copies."""
    found = canary.sweep_exception(error)
    shown = "".join(traceback.format_exception(error))
    shown += repr(vars(pickle.loads(pickle.dumps(error)))) + repr(vars(copy.deepcopy(error)))
    return found + [secret for secret in SECRETS if secret in shown]


async def error_of(call: Awaitable[object]) -> UserGroupsError:
    """Return the error that *call* ends with."""
    with pytest.raises(UserGroupsError) as caught:
        await call
    return caught.value


@pytest.mark.usefixtures("quiet")  # what a server repeats in headers, httpcore logs
@pytest.mark.parametrize("script", MIRRORS)
async def test_f74_api_that_repeats_secrets(
    m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, watch: Watch, script: Script
) -> None:
    """Whatever an API does, and even if it repeats what it was sent, no error and no log record shows a secret."""
    server.always(TOKEN, token_answer())
    server.always("*", script)
    retry = RetryPolicy(attempts=2, backoff_initial=0.001)
    one, other = m3ter(server, timeout=0.2, retry=retry), smartpm(server, timeout=0.2, retry=retry)

    errors = [await error_of(one.list_user_groups("u").collect()), await error_of(other.get_user_group(GROUP))]

    assert [swept(error) for error in errors] == [[], []]
    assert [canary.sweep_object(client) for client in (one, other)] == [[], []]
    assert watch.log.records > 0


@pytest.mark.usefixtures("quiet")  # as above
@pytest.mark.parametrize(
    "script",
    [
        *MIRRORS,
        pytest.param(token_answer(token_type="mac"), id="another type"),
        pytest.param(token_answer(expires_in="CANARY-soon"), id="odd life"),
        pytest.param(token_answer("CANARY token with spaces"), id="unusable"),
        pytest.param(token_answer("CANARY" * 4000), id="too long"),
        pytest.param(answer(b'{"access_token": "CANARY-more"}}'), id="more than JSON"),
        pytest.param(answer(b'{"access_token": "CANARY-cut'), id="cut JSON"),
    ],
)
async def test_f74_token_endpoint_that_repeats_secrets(m3ter: MakeM3ter, server: FaultServer, script: Script) -> None:
    """Whatever the token endpoint answers, no error and no log record shows the credentials or the token."""
    server.always(TOKEN, script)
    client = m3ter(server, timeout=0.2, retry=RetryPolicy(attempts=2, backoff_initial=0.001))

    error = await error_of(client.list_user_groups("u").collect())

    assert swept(error) == []
    assert canary.sweep_object(client) == []


async def test_f74_good_calls_tell_nothing(
    m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls that go well log nothing above DEBUG, no secret at DEBUG, and what they give holds none."""
    caplog.set_level(logging.DEBUG)
    server.always(TOKEN, token_answer())
    server.always(LIST, GOOD_PAGE)
    server.always("*", GOOD_GROUP)
    one, other = m3ter(server), smartpm(server)

    given = [await one.list_user_groups("u").collect(), await other.get_user_group(GROUP)]

    assert not [record for record in caplog.records if record.name == "usergroups" and record.levelno > logging.DEBUG]
    assert not any(secret in caplog.text for secret in SECRETS)
    assert not any(secret in repr([given, one, other]) for secret in SECRETS)
    for client in (one, other):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(client)


async def test_f74_secrets_go_where_they_belong(m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer) -> None:
    """Each secret is sent in its one header and nowhere else: not in a path, a query or a body."""
    server.always(TOKEN, token_answer())
    server.always(LIST, GOOD_PAGE)
    server.always("*", GOOD_GROUP)

    await m3ter(server).list_user_groups("u").collect()
    await smartpm(server).get_user_group(GROUP)

    token, page, group = server.requests
    sent = [
        {name: value for name, value in request.headers if canary.has_canary(value)} for request in (token, page, group)
    ]
    assert sent == [
        {"authorization": f"Basic {canary.BASIC}"},
        {"authorization": f"Bearer {canary.ACCESS_TOKEN}"},
        {"x-api-key": canary.SMARTPM_API_KEY},
    ]
    assert not any(canary.has_canary(request.target) or canary.has_canary(request.body) for request in server.requests)


IDS = {
    "empty": "",
    "a space": " ",
    "a dot": ".",
    "two dots": "..",
    "encoded dots": "%2e%2e",
    "a way up": "../x",
    "a way up, encoded": "..%2Fx",
    "a slash": "a/b",
    "a slash first": "/a",
    "a backslash": "a\\b",
    "a query": "a?x=1",
    "a fragment": "a#f",
    "an encoded slash": "a%2Fb",
    "a percent sign": "100%",
    "a semicolon": "a;b",
    "a colon": "http://elsewhere.invalid/",
    "an at sign": "me@elsewhere",
    "CR LF": "a\r\nX-Other: b",
    "LF at the end": "a\n",
    "NUL": "a\0b",
    "e acute": "é",
    "e and an accent": "e\u0301",
    "an emoji": "😀",
    "a space within": "a b",
    "a plus": "a+b",
    "10 KiB": "x" * 10 * 1024,
    "10 KiB that grow": "é" * 5 * 1024,
    "64 KiB": "x" * 64 * 1024,
    "a lone surrogate": "a\ud800",
    "None": None,
    "True": True,
    "a float": 1.0,
    "bytes": b"a",
    "a list": ["a"],
}


@pytest.mark.parametrize(
    ("place", "identifier"),
    [
        pytest.param(place, value, id=f"{name} as {place}")
        for place in ("user_id", "org_id of the client", "org_id of the listing")
        for name, value in IDS.items()
        if value is not None or place == "user_id"  # None is the usual organization
    ],
)
async def test_f75_id_is_one_segment_or_refused(
    m3ter: MakeM3ter, server: FaultServer, place: str, identifier: Any
) -> None:
    """Whatever an id holds, it is refused before any request, or is exactly one segment that decodes to it."""
    server.always(TOKEN, token_answer())
    server.always("*", GOOD_PAGE)

    refusal = ""

    try:
        client = m3ter(server, **({"org_id": identifier} if place == "org_id of the client" else {}))
        pager = client.list_user_groups(
            identifier if place == "user_id" else "u",
            **({"org_id": identifier} if place == "org_id of the listing" else {}),
        )
        assert len(await pager.collect()) == 1
    except ConfigurationError as error:
        refusal = str(error)

    if refusal:
        assert ("user_id" if place == "user_id" else "org_id") in refusal
        assert server.count() == 0
        return

    (request,) = server.asked(LIST)
    raw = request.target.split(b"/")
    assert len(raw) == 6
    assert (raw[1], raw[3], raw[5]) == (b"organizations", b"users", b"usergroups")
    assert unquote_to_bytes(raw[4 if place == "user_id" else 2]) == identifier.encode()
    assert not set(raw[4] + raw[2]) & set(b"?#;\\ +")


REFUSED = {"empty", "a space", "a dot", "two dots", "64 KiB", "10 KiB that grow", "a lone surrogate", "None", "True"}


@pytest.mark.parametrize("name", sorted(REFUSED | {"a float", "bytes", "a list", "LF at the end"}))
def test_f75_ids_that_are_never_right_are_refused(make_m3ter: MakeM3ter, server: FaultServer, name: str) -> None:
    """What cannot be an id is refused at once, by the call that was given it."""
    with pytest.raises(ConfigurationError, match="user_id"):
        make_m3ter(server).list_user_groups(IDS[name])

    assert server.count() == 0


@pytest.mark.parametrize(
    "identifier",
    [pytest.param(value, id=name) for name, value in IDS.items()]
    + [pytest.param(f"{GROUP}/..", id="more than a UUID"), pytest.param(7, id="a number")],
)
async def test_f75_group_id_is_a_uuid_or_refused(smartpm: MakeSmartPM, server: FaultServer, identifier: Any) -> None:
    """An id that is no UUID is refused before any request: the provider would answer it with a server error."""
    with pytest.raises(ConfigurationError, match="user_group_id"):
        await smartpm(server).get_user_group(identifier)

    assert server.count() == 0


@pytest.mark.parametrize("written", [GROUP, GROUP.upper(), GROUP.replace("-", "")])
async def test_f75_uuid_however_it_is_written(smartpm: MakeSmartPM, server: FaultServer, written: str) -> None:
    """A UUID in any of its spellings is asked for in the usual one."""
    server.always("*", GOOD_GROUP)

    await smartpm(server).get_user_group(written)

    assert server.requests[0].target == f"/public/v1/user-groups/{GROUP}".encode()


BAD_TEXT = {
    "CR": "{}\rx",
    "LF": "{}\nx",
    "CR LF": "{}\r\nX-Other: 1",
    "LF at the end": "{}\n",
    "NUL": "{}\0x",
    "a space before": " {}",
    "a space after": "{} ",
    "a tab after": "{}\t",
    "e acute": "{}é",
    "full-width": "{}\uff21",
    "a lone surrogate": "{}\ud800",
    "DEL": "{}\x7f",
}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in BAD_TEXT.items()])
@pytest.mark.parametrize(
    ("client", "field", "word"),
    [
        ("m3ter", "api_key", canary.WORD),
        ("m3ter", "api_secret", canary.WORD),
        ("m3ter", "base_url", canary.WORD),
        ("m3ter", "user_agent", "no-secret"),
        ("smartpm", "api_key", canary.WORD),
        ("smartpm", "base_url", canary.WORD),
        ("smartpm", "company_id", "no-secret"),
        ("smartpm", "user_agent", "no-secret"),
    ],
)
def test_f77_header_that_is_none_is_refused(
    make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM, watch: Watch, client: str, field: str, word: str, value: str
) -> None:
    """What no header can carry is refused when the client is made, by the name of the argument, without the value."""
    with watch.raises(ConfigurationError) as caught:
        (make_m3ter if client == "m3ter" else make_smartpm)(**{field: value.format(word)})

    assert str(caught.value).startswith(field)
    assert word not in str(caught.value)
    assert swept(caught.value) == []


@pytest.mark.parametrize("value", [b"word", 7, True, ["word"]], ids=["bytes", "a number", "True", "a list"])
@pytest.mark.parametrize("field", ["api_key", "company_id", "user_agent"])
def test_f77_header_that_is_no_text_is_refused(make_smartpm: MakeSmartPM, field: str, value: Any) -> None:
    """What is no text is refused, by the name of the argument, without the value."""
    with pytest.raises(ConfigurationError, match=f"^{field}.*must be text") as caught:
        make_smartpm(**{field: value})

    assert "word" not in str(caught.value)


def test_f77_key_that_basic_cannot_carry_is_refused(make_m3ter: MakeM3ter, watch: Watch) -> None:
    """A colon in an m3ter `api_key` would end it where HTTP Basic is read; in a secret it would not."""
    with watch.raises(ConfigurationError, match="^api_key"):
        make_m3ter(api_key="CANARY:key")

    make_m3ter(api_secret="CANARY:secret")


@pytest.mark.parametrize(
    "host",
    [
        "api.m3ter.com",
        "0.0.0.0",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "10.0.0.1",
        "192.168.1.1",
        "[::2]",
        "[fe80::1]",
        "127.0.0.1@example.com",
        "128.0.0.1",
        "2130706433",
        "0x7f.0.0.1",
    ],
)
@pytest.mark.parametrize("provider", ["m3ter", "smartpm"])
def test_f78_plain_http_is_refused(
    make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM, server: FaultServer, provider: str, host: str
) -> None:
    """A base URL without TLS is refused, unless the host is this machine."""
    make = make_m3ter if provider == "m3ter" else make_smartpm

    with pytest.raises(ConfigurationError, match="base_url"):
        make(f"http://{host}:{server.port}")

    assert server.received.value == server.open.most == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
async def test_f78_plain_http_is_good_enough_for_this_machine(
    smartpm: MakeSmartPM, server: FaultServer, host: str
) -> None:
    """For tests and sandboxes, a base URL without TLS may name a loopback host."""
    server.always("*", GOOD_GROUP)

    group = await smartpm(f"http://{host}:{server.port}").get_user_group(GROUP)

    assert group.name == "Operators"


@pytest.mark.parametrize("variable", [False, True], ids=["argument", "environment"])
@pytest.mark.parametrize("value", [None, "", " ", "\t", "word\n", "word\r\n"], ids=repr)
@pytest.mark.parametrize(
    ("client", "field", "name"),
    [
        (M3terClient, "org_id", "M3TER_ORG_ID"),
        (M3terClient, "api_key", "M3TER_API_KEY"),
        (M3terClient, "api_secret", "M3TER_API_SECRET"),
        (SmartPMClient, "api_key", "SMARTPM_API_KEY"),
        (SmartPMClient, "company_id", "SMARTPM_COMPANY_ID"),
    ],
)
def test_f80_credential_that_is_missing_or_blank(
    monkeypatch: pytest.MonkeyPatch,
    client: type,
    field: str,
    name: str,
    value: str | None,
    variable: bool,
) -> None:
    """A missing, blank or newline-ended id or secret is refused when the client is made, by both of its names."""
    settings: dict[str, Any] = {"org_id": "o", "api_key": "k", "api_secret": "s"}
    if client is SmartPMClient:
        settings = {"api_key": "k", "company_id": "c"}
    settings[field] = None if variable else value
    if variable and value is not None:
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        client(base_url="http://127.0.0.1:9", **settings)

    assert field in str(caught.value)
    assert name in str(caught.value)
    assert "word" not in str(caught.value)


def test_f80_blank_argument_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over the environment, even a blank one: a setting that was lost on the way is not hidden."""
    monkeypatch.setenv("SMARTPM_API_KEY", "from-the-environment")

    with pytest.raises(ConfigurationError, match="api_key"):
        SmartPMClient(api_key="", company_id="c")


@pytest.mark.parametrize("variable", [False, True], ids=["argument", "environment"])
@pytest.mark.parametrize(
    "rest", ["", "/", "//", "/proxy", "/proxy/", "/a/b%20c", "/v1;x=1"], ids=lambda rest: rest or "nothing"
)
async def test_f81_base_url_is_joined_rightly(
    smartpm: MakeSmartPM, server: FaultServer, monkeypatch: pytest.MonkeyPatch, rest: str, variable: bool
) -> None:
    """A path in the base URL is kept, and slashes at its end do not double."""
    server.always("*", GOOD_GROUP)
    url = server.url + rest
    if variable:
        monkeypatch.setenv("SMARTPM_BASE_URL", url)

    await smartpm(base_url=None if variable else url).get_user_group(GROUP)

    assert server.requests[0].target == f"{rest.rstrip('/')}/public/v1/user-groups/{GROUP}".encode()
    assert server.requests[0].header("Host") == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("https://[2001:db8::1]", "https://[2001:db8::1]/public/v1/user-groups/"),
        ("https://[2001:db8::1]:8443/x/", "https://[2001:db8::1]:8443/x/public/v1/user-groups/"),
        ("http://[::1]:8080", "http://[::1]:8080/public/v1/user-groups/"),
        ("HTTPS://API.Example.com:443", "https://api.example.com:443/public/v1/user-groups/"),
        ("https://api.example.com./", "https://api.example.com./public/v1/user-groups/"),
        ("https://my_host", "https://my_host/public/v1/user-groups/"),
    ],
)
async def test_f81_hosts_of_all_kinds(make_smartpm: MakeSmartPM, base_url: str, asked: str) -> None:
    """IPv6 addresses, ports and capital letters are understood."""
    urls: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(200, json={"id": GROUP, "name": "Operators", "users": []})

    await make_smartpm(base_url, transport=httpx.MockTransport(handle)).get_user_group(GROUP)

    assert urls == [asked + GROUP]


async def test_f81_ipv6_loopback_is_reached(smartpm: MakeSmartPM, transport: httpx.AsyncBaseTransport | None) -> None:
    """A server on ::1 is reached by its address in brackets."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(GOOD_GROUP)
        await reader.read()
        writer.close()
        gone.set()

    gone = asyncio.Event()
    listener = await asyncio.start_server(serve, "::1", 0)
    port = listener.sockets[0].getsockname()[1]
    client = smartpm(f"http://[::1]:{port}")

    await client.get_user_group(GROUP)
    await client.aclose()
    if transport is not None:
        await transport.aclose()
    await gone.wait()

    assert f"host: [::1]:{port}\r\n".encode() in heads[0].lower()
    listener.close()


@pytest.mark.parametrize(
    "base_url",
    [
        pytest.param("api.m3ter.com", id="no scheme"),
        pytest.param("//api.m3ter.com", id="no scheme but slashes"),
        pytest.param("ftp://api.m3ter.com", id="another scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://", id="no host"),
        pytest.param("https:///path", id="no host but a path"),
        pytest.param("https://:443", id="no host but a port"),
        pytest.param("https://api.m3ter.com?x=1", id="a query"),
        pytest.param("https://api.m3ter.com/?", id="an empty query"),
        pytest.param("https://api.m3ter.com#f", id="a fragment"),
        pytest.param("https://user:CANARY@api.m3ter.com", id="a password"),
        pytest.param("https://CANARY@api.m3ter.com", id="a user"),
        pytest.param("https://@api.m3ter.com", id="an empty user"),
        pytest.param("https://api.m3ter.com/a/../b", id="dots"),
        pytest.param("https://api.m3ter.com/%2e%2e", id="encoded dots"),
        pytest.param("https://api m3ter.com", id="a space"),
        pytest.param("https://api.m3ter.com\\@evil.example", id="a backslash"),
        pytest.param("https://[::1", id="half a bracket"),
        pytest.param("https://[::1]x", id="more than a bracket"),
        pytest.param("https://[zz::1]", id="no address"),
        pytest.param("https://api.m3ter.com:port", id="a port in words"),
        pytest.param("https://api.m3ter.com:0", id="port 0"),
        pytest.param("https://api.m3ter.com:65536", id="port 65536"),
        pytest.param("https://1.2.3.256", id="256"),
        pytest.param("https://api..m3ter.com", id="two dots in the host"),
        pytest.param("https://" + "a" * 64 + ".com", id="a long label"),
        pytest.param("https://api.m3ter.com/" + "a" * 4096, id="very long"),
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param(7, id="a number"),
        pytest.param(b"https://api.m3ter.com", id="bytes"),
    ],
)
@pytest.mark.parametrize("provider", ["m3ter", "smartpm"])
def test_f81_base_url_that_is_none_is_refused(
    make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM, watch: Watch, provider: str, base_url: Any
) -> None:
    """A base URL that could be read in two ways, or holds what it must not, is refused when the client is made."""
    make = make_m3ter if provider == "m3ter" else make_smartpm

    with watch.raises(ConfigurationError, match="^base_url"):
        make(base_url=base_url)


NEVER = {
    "0": 0,
    "-1": -1,
    "NaN": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    '"5"': "5",
    "True": True,
    "False": False,
    "a list": [1],
    "bytes": b"5",
}
NUMBERS = [pytest.param(value, id=name) for name, value in NEVER.items()]
WHOLE = [*NUMBERS, pytest.param(1.5, id="1.5"), pytest.param(2.0, id="2.0")]
SECONDS = [*NUMBERS, pytest.param(10**400, id="10**400")]


def refused(make: Callable[..., object], name: str, value: object) -> None:
    """Check that *make* refuses *value* as its argument *name*, and says so."""
    with pytest.raises(ConfigurationError, match=f"^{name} ") as caught:
        make(**{name: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("value", SECONDS)
@pytest.mark.parametrize("name", ["timeout", "max_rate"])
@pytest.mark.parametrize("provider", ["m3ter", "smartpm"])
def test_f82_seconds_and_rates_of_a_client(
    make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM, provider: str, name: str, value: object
) -> None:
    """A timeout or rate must be a positive, finite number."""
    refused(make_m3ter if provider == "m3ter" else make_smartpm, name, value)


@pytest.mark.parametrize("value", [*WHOLE, pytest.param(None, id="None")])
@pytest.mark.parametrize("provider", ["m3ter", "smartpm"])
def test_f82_max_in_flight(make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM, provider: str, value: object) -> None:
    """The number of requests in flight must be a whole number from 1."""
    refused(make_m3ter if provider == "m3ter" else make_smartpm, "max_in_flight", value)


@pytest.mark.parametrize("value", [*WHOLE, pytest.param(None, id="None")])
def test_f82_attempts(value: object) -> None:
    """The number of attempts must be a whole number from 1."""
    refused(RetryPolicy, "attempts", value)


@pytest.mark.parametrize("value", [*SECONDS, pytest.param(None, id="None")])
@pytest.mark.parametrize("name", ["backoff_initial", "backoff_max", "max_retry_after"])
def test_f82_seconds_of_a_policy(name: str, value: object) -> None:
    """The waits of a policy must be positive, finite numbers."""
    refused(RetryPolicy, name, value)


@pytest.mark.parametrize("value", [*WHOLE, pytest.param(201, id="201")])
async def test_f82_page_size(m3ter: MakeM3ter, server: FaultServer, value: Any) -> None:
    """A page size must be a whole number from 1 to 200: the listing itself refuses it, before it is iterated."""
    refused(lambda **options: m3ter(server).list_user_groups("u", **options), "page_size", value)
    assert server.count() == 0


@pytest.mark.parametrize(
    "value",
    ["", 7, True, b"t", ["t"], "\ud800", "x" * 20_000],
    ids=["empty", "7", "True", "bytes", "list", "surrogate", "long"],
)
async def test_f82_next_token(m3ter: MakeM3ter, server: FaultServer, value: Any) -> None:
    """A page token must be text that fits into a URL, and not empty."""
    refused(lambda **options: m3ter(server).list_user_groups("u", **options), "next_token", value)
    assert server.count() == 0


@pytest.mark.parametrize("value", SECONDS)
async def test_f82_timeout_of_a_call(m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, value: Any) -> None:
    """The timeout of a single call is held to the same rules, before any request."""
    refused(lambda **options: m3ter(server).list_user_groups("u", **options), "timeout", value)
    with pytest.raises(ConfigurationError, match=r"^timeout "):
        await smartpm(server).get_user_group(GROUP, timeout=value)
    assert server.count() == 0


@pytest.mark.parametrize("value", WHOLE[1:])
async def test_f82_limit(m3ter: MakeM3ter, server: FaultServer, value: Any) -> None:
    """A limit must be a whole number from 0, and is looked at before any request."""
    with pytest.raises(ConfigurationError, match=r"^limit "):
        await m3ter(server).list_user_groups("u").collect(limit=value)
    assert server.count() == 0


async def test_f82_limit_of_0_is_allowed(m3ter: MakeM3ter, server: FaultServer) -> None:
    """No items at all may be asked for: that takes no request."""
    assert await m3ter(server).list_user_groups("u").collect(limit=0) == []
    assert server.count() == 0


@pytest.mark.parametrize("value", [*WHOLE, pytest.param(None, id="None")])
async def test_f82_concurrency(smartpm: MakeSmartPM, server: FaultServer, value: Any) -> None:
    """The concurrency of a sweep must be a whole number from 1: `sweep` itself refuses it, and pulls no key."""
    pulled: list[str] = []

    def keys() -> Any:
        pulled.append(GROUP)
        yield GROUP

    refused(lambda **options: sweep(smartpm(server).get_user_group, keys(), **options), "concurrency", value)
    assert pulled == []
    assert server.count() == 0


@pytest.mark.parametrize("value", [1, 0.5, 1e-3, 10**6, None])
def test_f82_good_timeouts_are_taken(make_m3ter: MakeM3ter, value: float | None) -> None:
    """Whole numbers, fractions and None are fine."""
    make_m3ter(timeout=value).list_user_groups("u", timeout=value)
