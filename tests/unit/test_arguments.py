"""Arguments of the public calls: each has its check, and what a check does is in test_settings."""

import math
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote

import httpx
import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.canary import sweep_exception
from usergroups import (
    AsyncPager,
    ConfigurationError,
    InvalidArgumentError,
    M3terClient,
    RetryPolicy,
    SmartPMClient,
    Token,
    sweep,
)

GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
CLIENTS: dict[type[Any], dict[str, str]] = {
    M3terClient: {"org_id": "org-1", "api_key": "key-id-1", "api_secret": "canary-secret"},
    SmartPMClient: {"api_key": "canary-key", "company_id": "company-1"},
}
VARIABLES = {
    "M3TER_ORG_ID": (M3terClient, "org_id"),
    "M3TER_API_KEY": (M3terClient, "api_key"),
    "M3TER_API_SECRET": (M3terClient, "api_secret"),
    "M3TER_BASE_URL": (M3terClient, "base_url"),
    "SMARTPM_API_KEY": (SmartPMClient, "api_key"),
    "SMARTPM_COMPANY_ID": (SmartPMClient, "company_id"),
    "SMARTPM_BASE_URL": (SmartPMClient, "base_url"),
}

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

texts = st.text(st.characters(codec=None))
anything = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | texts


class Name(str, Enum):  # noqa: UP042  # the old way, which people still have, is what is tested
    """Texts that are also members of an enumeration, whose `str()` is another text."""

    ORG = "org-1"
    OTHER_ORG = "org-2"
    USER = "user-1"
    TOKEN = "token-1"


class Recorder(httpx.AsyncBaseTransport):
    """A provider in the same process, which knows nobody and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request for a token with one, and every other with nothing much."""
        self.asked.append(request)
        return httpx.Response(200, json={"access_token": "canary-token"} if request.method == "POST" else {})

    @property
    def target(self) -> str:
        """Return path and query of the last request, as they go over the wire."""
        return self.asked[-1].url.raw_path.decode("ascii")


def client(kind: type[Any], /, **changes: Any) -> Any:
    """Make a client with good arguments, but for *changes*."""
    return kind(**{**CLIENTS[kind], "transport": Recorder(), **changes})


def m3ter(**changes: Any) -> Any:
    """Make an m3ter client."""
    return client(M3terClient, **changes)


def smartpm(**changes: Any) -> Any:
    """Make a SmartPM client."""
    return client(SmartPMClient, **changes)


def listing(**changes: Any) -> Any:
    """List the groups of a user."""
    return m3ter().list_user_groups(**{"user_id": "u", **changes})


def users(**changes: Any) -> Any:
    """List the users of an organization."""
    return m3ter().list_users(**changes)


def groups(**changes: Any) -> Any:
    """List the groups of an organization."""
    return m3ter().list_groups(**changes)


def items(**changes: Any) -> Any:
    """List what is in a group."""
    return m3ter().list_group_items(**{"group_id": "g", **changes})


async def never(key: object) -> None:
    """Fail the test that calls it."""
    raise AssertionError(key)


def sweeping(**changes: Any) -> Any:
    """Sweep over one key."""
    return sweep(**{"call": never, "keys": ["a"], **changes})


def refused(call: Callable[[], object]) -> ConfigurationError:
    """Return the error that *call* raises, which hangs on no other and shows no secret."""
    with pytest.raises(ConfigurationError) as caught:
        call()
    assert caught.value.__context__ is None
    assert sweep_exception(caught.value) == []
    return caught.value


SEGMENTS = ["", "..", " a", "a\ud800", 5]
HEADERS = ["", "canary\n", "canäry", b"canary", ["canary"]]
URLS = ["http://api.example", "https://u:canary@api.example", "", 5]
SECONDS = [0, math.nan, "5", True]
COUNTS = [0, 1.0, True, None]
TRUTHS = ["true", 1]

REFUSED: list[tuple[Callable[..., Any], str, list[Any]]] = [
    (m3ter, "org_id", SEGMENTS),
    (m3ter, "api_key", [*HEADERS, "a:b"]),
    (m3ter, "api_secret", HEADERS),
    (m3ter, "token_store", [{}, Token("canary", 5.0)]),
    (smartpm, "api_key", HEADERS),
    (smartpm, "company_id", ["", "a\n", 5]),
    *(
        (make, name, values)
        for make in (m3ter, smartpm)
        for name, values in {
            "base_url": URLS,
            "user_agent": ["", "a\n", 5],
            "timeout": SECONDS,
            "max_rate": SECONDS,
            "max_in_flight": COUNTS,
            "retry": [None, 3],
            "transport": ["https", httpx.HTTPTransport, httpx.Client],
        }.items()
    ),
    (listing, "user_id", [*SEGMENTS, None]),
    (listing, "org_id", SEGMENTS),
    (listing, "inherited", TRUTHS),
    (listing, "page_size", [0, 1.0, True, 201]),
    (listing, "next_token", ["", 5, "x" * 20_000]),
    (listing, "prefetch", [*TRUTHS, None]),
    (listing, "timeout", SECONDS),
    (users, "ids", [[], "ada", b"ada", 5, [5], ["a", ""], ["a\ud800"], ["x" * 9_000, "y" * 9_000]]),
    (users, "page_size", [0, 201]),
    (groups, "page_size", [0, 101]),
    (items, "page_size", [0, 101]),
    (items, "group_id", [*SEGMENTS, None]),
    *(
        (make, name, values)
        for make in (users, groups, items)
        for name, values in {"org_id": [""], "next_token": [""], "prefetch": [1], "timeout": [0]}.items()
    ),
    (sweeping, "call", [None]),
    (sweeping, "keys", [None, 5, "ada", b"ada"]),
    (sweeping, "concurrency", COUNTS),
    (sweeping, "on_error", ["ignore", None, True, []]),
]


@pytest.mark.parametrize(
    ("call", "name", "value"),
    [
        pytest.param(call, name, value, id=f"{name} of {call.__name__}: {value!r:.14}")
        for call, name, values in REFUSED
        for value in values
    ],
)
def test_f75_f77_f78_f81_f82_bad_arguments(call: Callable[..., Any], name: str, value: object) -> None:
    """What an argument must not be is refused by the call itself, before any request, by name and without the value."""
    error = refused(lambda: call(**{name: value}))

    assert str(error).startswith(f"{name} ")
    assert (type(error), error.argument) == (
        (ConfigurationError, None) if call in (m3ter, smartpm) else (InvalidArgumentError, name)
    )
    assert error.retryable is False


@pytest.mark.parametrize(
    ("call", "name", "values"),
    [
        pytest.param(lambda **given: m3ter().authenticate(**given), "timeout", SECONDS, id="authenticate"),
        pytest.param(lambda **given: AsyncPager.of([1]).collect(**given), "limit", [-1, 1.0, True], id="collect"),
    ],
)
async def test_f82_bad_arguments_of_what_is_awaited(call: Callable[..., Any], name: str, values: list[object]) -> None:
    """A call that is awaited refuses its bad arguments by name, too."""
    for value in values:
        with pytest.raises(InvalidArgumentError, match=f"^{name} must ") as caught:
            await call(**{name: value})

        assert caught.value.argument == name


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: RetryPolicy(attempts=0), id="RetryPolicy"),
        pytest.param(lambda: Token("canary", math.nan), id="Token"),
    ],
)
def test_what_a_client_is_made_with_is_no_argument_of_a_call(make: Callable[[], object]) -> None:
    """A bad policy or token is the application's mistake, and not its caller's."""
    assert type(refused(make)) is ConfigurationError


@pytest.mark.parametrize(
    ("call", "name"),
    [(make, name) for make in (m3ter, smartpm) for name in ("timeout", "max_rate")] + [(listing, "timeout")],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_no_bound(call: Callable[..., Any], name: str) -> None:
    """Seconds and rates may be without bound."""
    call(**{name: None})


@pytest.mark.parametrize(
    "group_id",
    [
        "",
        *("0x" + "1" * 30, "1_" + "1" * 30, "+" + "1" * 31, " " + "1" * 31, "\uff11" * 32),  # `int` reads them
        *(f"{{{GROUP_ID}}}", f"urn:uuid:{GROUP_ID}", GROUP_ID.replace("-", "", 1), GROUP_ID + "\n", GROUP_ID + "0"),
        GROUP_ID[:-1] + "g",
        5,
    ],
    ids=lambda value: repr(value)[:14],
)
async def test_f75_what_is_no_uuid(group_id: Any) -> None:
    """An id that is no UUID, to which the provider would answer with a server error, is refused."""
    recorder = Recorder()
    async with smartpm(transport=recorder) as one:
        with pytest.raises(ConfigurationError, match=r"^user_group_id must be a UUID$") as caught:
            await one.get_user_group(group_id)

    assert (type(caught.value), caught.value.argument) == (InvalidArgumentError, "user_group_id")
    assert caught.value.__context__ is None
    assert recorder.asked == []


@pytest.mark.parametrize("value", SECONDS, ids=repr)
async def test_f82_bad_timeout_of_a_group(value: Any) -> None:
    """A call's own timeout is a positive, finite number of seconds."""
    recorder = Recorder()
    async with smartpm(transport=recorder) as one:
        with pytest.raises(InvalidArgumentError, match=r"^timeout must be ") as caught:
            await one.get_user_group(GROUP_ID, timeout=value)

    assert caught.value.argument == "timeout"
    assert recorder.asked == []


class TestEnvironment:
    """Arguments that the environment may hold instead."""

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_f80_argument_wins(self, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        """A good argument is taken whatever the variable holds, and a bad one is not replaced from there."""
        kind, name = VARIABLES[variable]
        good = CLIENTS[kind].get(name, "https://gateway.example")
        monkeypatch.setenv(variable, "bad\n")
        client(kind, **{name: good})
        by_variable = refused(lambda: client(kind, **{name: None}))
        monkeypatch.setenv(variable, good)
        client(kind, **{name: None})

        by_argument = refused(lambda: client(kind, **{name: "bad\n"}))

        assert str(by_argument) == str(by_variable)
        assert str(by_argument).startswith(f"{name} (the argument, or {variable} in the environment) ")

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_f80_missing(self, variable: str) -> None:
        """What is neither given nor in the environment is named in both ways; a base URL has a default."""
        kind, name = VARIABLES[variable]
        if name == "base_url":
            assert "https://" in repr(client(kind, base_url=None))
            return

        error = refused(lambda: client(kind, **{name: None}))

        assert str(error) == f"{name} (the argument, or {variable} in the environment) is missing"

    @pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
    def test_f80_all_missing(self, kind: type[Any]) -> None:
        """All settings that are missing are named at once, each in both ways: an argument that is bad is told later."""
        error = refused(lambda: kind(timeout="5"))

        needed = [
            f"{name} (the argument, or {variable} in the environment)"
            for variable, (of, name) in VARIABLES.items()
            if of is kind and name in CLIENTS[kind]
        ]
        assert str(error) == f"{', '.join(needed[:-1])} and {needed[-1]} are missing"
        assert type(error) is ConfigurationError

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_f80_those_that_are_given_are_not_missing(self, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        """A setting of the environment, or an argument, is not named among those that are missing."""
        kind, given = VARIABLES[variable]
        others = [name for name in CLIENTS[kind] if name != given]
        monkeypatch.setenv(variable, "bad\n")

        error = refused(lambda: client(kind, **dict.fromkeys([given, *others])))

        assert [name for name in CLIENTS[kind] if f"{name} (" in str(error)] == others


class TestKeywords:
    """Arguments that cannot be mistaken for each other."""

    @pytest.mark.parametrize("kind", [*CLIENTS, RetryPolicy], ids=lambda kind: kind.__name__)
    def test_arguments_are_keyword_only(self, kind: type[Any]) -> None:
        """No secret can be given in the place of an identifier, and no number in the place of another."""
        with pytest.raises(TypeError):
            kind(5)


class TestRequests:
    """What is taken arrives as it is."""

    async def test_f75_members_of_a_text_enumeration_are_their_values(self) -> None:
        """Ids and page tokens from an enumeration are sent as their values, not as their names."""
        recorder = Recorder()

        async with m3ter(transport=recorder, org_id=Name.ORG) as one:
            await one.list_user_groups(Name.USER, next_token=Name.TOKEN).collect()
            own = recorder.target
            await one.list_user_groups(Name.USER, org_id=Name.OTHER_ORG).collect()

        assert own == "/organizations/org-1/users/user-1/usergroups?nextToken=token-1"
        assert recorder.target == "/organizations/org-2/users/user-1/usergroups"

    @unhurried
    @given(anything, anything)
    @example("a/b", "%2e%2e")
    @example("a\\b", "../x")
    @example("a?x=1", "a#f")
    @example("a\r\nb", "a\0b")
    @example("a/../b", "\x85")
    @example("é", "x" * 10_240)
    async def test_f75_ids_arrive_as_one_segment(self, user_id: Any, org_id: Any) -> None:
        """Every id that is taken arrives as one segment which decodes to it; every other is refused."""
        recorder = Recorder()
        async with m3ter(transport=recorder) as one:
            try:
                pager = one.list_user_groups(user_id, org_id=org_id)
            except ConfigurationError:
                return
            await pager.collect()

        segments = recorder.target.split("/")
        assert segments[:2] + segments[3:4] + segments[5:] == ["", "organizations", "users", "usergroups"]
        assert [unquote(segments[2]), unquote(segments[4])] == ["org-1" if org_id is None else org_id, user_id]

    @unhurried
    @given(texts)
    @example("a&b=c#d+e/f%20 g")
    @example("\u20ac\U0001f600")
    @example("%2B+%zz")
    async def test_f58_page_tokens_arrive_byte_for_byte(self, token: str) -> None:
        """Every page token that is taken arrives as it is; every other is refused."""
        recorder = Recorder()
        async with m3ter(transport=recorder) as one:
            try:
                pager = one.list_user_groups("u", next_token=token)
            except ConfigurationError:
                return
            await pager.collect()

        assert recorder.target.partition("?")[2] == f"nextToken={quote(token, safe='')}"
        assert recorder.asked[-1].url.params.multi_items() == [("nextToken", token)]
