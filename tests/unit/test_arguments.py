"""Arguments of the public calls: what is taken arrives as it is, and the rest is refused before any request."""

import math
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

import httpx
import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.canary import sweep_exception, sweep_object
from usergroups import AsyncPager, ConfigurationError, M3terClient, RetryPolicy, SmartPMClient, Token, sweep

GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
M3TER = {"org_id": "org-1", "api_key": "key-id-1", "api_secret": "canary-secret"}
SMARTPM = {"api_key": "canary-key", "company_id": "company-1"}
CLIENTS: dict[type[Any], dict[str, str]] = {M3terClient: M3TER, SmartPMClient: SMARTPM}
VARIABLES = {
    (M3terClient, "org_id"): "M3TER_ORG_ID",
    (M3terClient, "api_key"): "M3TER_API_KEY",
    (M3terClient, "api_secret"): "M3TER_API_SECRET",
    (M3terClient, "base_url"): "M3TER_BASE_URL",
    (SmartPMClient, "api_key"): "SMARTPM_API_KEY",
    (SmartPMClient, "company_id"): "SMARTPM_COMPANY_ID",
    (SmartPMClient, "base_url"): "SMARTPM_BASE_URL",
}
BAD_IDS = ["", " ", ".", "..", "a\r\n", "x" * 65_536, "a\ud800", True, 1.0, b"a"]
NO_NUMBERS = [0, -1, math.nan, math.inf, "5", True]

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

each_client = pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
each_setting = pytest.mark.parametrize(
    ("kind", "name", "variable"),
    [(*setting, variable) for setting, variable in VARIABLES.items()],
    ids=list(VARIABLES.values()),
)
each_identity = pytest.mark.parametrize(
    ("kind", "name", "variable"),
    [(*setting, variable) for setting, variable in VARIABLES.items() if setting[1] != "base_url"],
    ids=[variable for (_, name), variable in VARIABLES.items() if name != "base_url"],
)

no_header_values = pytest.mark.parametrize(
    "value",
    ["canary\r\nX-Admin: 1", "canary\n", "ca\0nary", " canary", "canary ", "canäry", "canary\ud800"],
    ids=["another header", "a line end", "NUL", "a space before", "a space after", "not ASCII", "a lone surrogate"],
)

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
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "canary-token"})
        group = {"id": request.url.path.rpartition("/")[2], "name": "n", "users": []}
        return httpx.Response(200, json=group if "smartpm" in str(request.url) else {})

    @property
    def target(self) -> str:
        """Return path and query of the last request, as they go over the wire."""
        return self.asked[-1].url.raw_path.decode("ascii")


def client(kind: type[Any], /, **changes: Any) -> Any:
    """Make a client with good arguments, but for *changes*."""
    return kind(**{**CLIENTS[kind], "transport": Recorder(), **changes})


def refused(call: Callable[[], object]) -> ConfigurationError:
    """Return the error that *call* raises, which hangs on no other and shows no secret."""
    with pytest.raises(ConfigurationError) as caught:
        call()
    assert caught.value.__context__ is None
    assert sweep_exception(caught.value) == []
    return caught.value


class TestClients:
    """The making of clients."""

    @each_client
    def test_environment_is_enough(self, monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> None:
        """A client needs no argument where the environment has them all."""
        for name, value in CLIENTS[kind].items():
            monkeypatch.setenv(VARIABLES[kind, name], value)

        assert isinstance(kind(), kind)

    @each_client
    def test_repr_shows_no_secret(self, kind: type[Any]) -> None:
        """A client shows whom it asks, and nothing that it proves itself with."""
        one = client(kind)

        assert repr(one).startswith(f"{kind.__name__}(")
        assert "https://" in repr(one)
        assert sweep_object(one) == []

    @each_client
    def test_arguments_are_keyword_only(self, kind: type[Any]) -> None:
        """No secret can be given in the place of an identifier."""
        with pytest.raises(TypeError):
            kind("x")

    @each_identity
    def test_f80_missing(self, kind: type[Any], name: str, variable: str) -> None:
        """What is neither given nor in the environment is named in both ways."""
        error = refused(lambda: client(kind, **{name: None}))

        assert str(error) == f"{name} (the argument, or {variable} in the environment) is missing"

    @each_identity
    @pytest.mark.parametrize("value", ["", " ", "x\n", "\t"], ids=repr)
    def test_f80_blank(
        self, monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, variable: str, value: str
    ) -> None:
        """What is blank or ends in a line end is refused, from wherever it comes, and nothing else is used instead."""
        label = f"{name} (the argument, or {variable} in the environment) "
        by_argument = refused(lambda: client(kind, **{name: value}))
        monkeypatch.setenv(variable, value)

        by_variable = refused(lambda: client(kind, **{name: None}))

        assert str(by_argument).startswith(label)
        assert str(by_variable) == str(by_argument)

    @each_setting
    def test_f80_argument_wins_over_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, variable: str
    ) -> None:
        """A good argument is taken whatever the environment holds, and a bad one is not replaced from there."""
        good = CLIENTS[kind].get(name, "https://gateway.example")
        monkeypatch.setenv(variable, "bad\n")
        client(kind, **{name: good})
        monkeypatch.setenv(variable, good)

        refused(lambda: client(kind, **{name: ""}))

    @each_client
    @pytest.mark.parametrize("value", ["", "  "], ids=repr)
    def test_f80_blank_base_url_in_the_environment_is_none(
        self, monkeypatch: pytest.MonkeyPatch, kind: type[Any], value: str
    ) -> None:
        """A blank variable for the base URL counts as unset."""
        monkeypatch.setenv(VARIABLES[kind, "base_url"], value)

        assert repr(client(kind)) == repr(client(kind, base_url=None))

    @no_header_values
    @pytest.mark.parametrize(
        ("kind", "name"),
        [(M3terClient, "api_key"), (M3terClient, "api_secret"), (SmartPMClient, "api_key")],
        ids=["m3ter key", "m3ter secret", "SmartPM key"],
    )
    def test_f77_secret_that_no_header_carries(self, kind: type[Any], name: str, value: str) -> None:
        """A secret that a header cannot carry is refused by its name, and shown neither in words nor in a traceback."""
        assert str(refused(lambda: client(kind, **{name: value}))).startswith(f"{name} (the argument, or ")

    @no_header_values
    @pytest.mark.parametrize(
        ("kind", "name"),
        [(SmartPMClient, "company_id"), (SmartPMClient, "user_agent"), (M3terClient, "user_agent")],
        ids=["SmartPM company", "SmartPM user agent", "m3ter user agent"],
    )
    def test_f77_what_no_header_carries(self, kind: type[Any], name: str, value: str) -> None:
        """Anything else that a header cannot carry is refused by its name, without the value."""
        with pytest.raises(ConfigurationError) as caught:
            client(kind, **{name: value})

        assert str(caught.value).startswith(name)
        assert "canary" not in f"{caught.value} {caught.value!r}"

    @pytest.mark.parametrize("value", ["a:b", ":", "a:"])
    def test_m3ter_key_with_a_colon(self, value: str) -> None:
        """HTTP Basic cannot carry a user with a colon, so the key is refused."""
        error = refused(lambda: client(M3terClient, api_key=value))

        assert str(error) == "api_key must not hold a ':', which HTTP Basic cannot carry"

    def test_other_keys_with_a_colon(self) -> None:
        """A colon does no harm in a secret, nor in a key that goes into a header of its own."""
        client(M3terClient, api_secret="a:b")
        client(SmartPMClient, api_key="a:b")

    @each_client
    @pytest.mark.parametrize(
        "value",
        [
            "http://api.example",
            "api.example",
            "https://u:canary@api.example",
            "https://a?b",
            "https://1.2.3.999",
            "",
            5,
        ],
    )
    def test_f78_f81_base_urls(self, monkeypatch: pytest.MonkeyPatch, kind: type[Any], value: Any) -> None:
        """A base URL that is not https, or would lead elsewhere, is refused, from wherever it comes."""
        variable = VARIABLES[kind, "base_url"]

        error = refused(lambda: client(kind, base_url=value))

        assert str(error).startswith(f"base_url (the argument, or {variable} in the environment) ")
        if isinstance(value, str) and value:
            monkeypatch.setenv(variable, value)
            assert str(refused(lambda: client(kind))) == str(error)

    @each_client
    @pytest.mark.parametrize("name", ["timeout", "max_rate"])
    @pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
    def test_f82_bad_numbers(self, kind: type[Any], name: str, value: object) -> None:
        """Seconds and rates are positive, finite numbers."""
        assert str(refused(lambda: client(kind, **{name: value}))).startswith(f"{name} must be ")

    @each_client
    @pytest.mark.parametrize("value", [*NO_NUMBERS, 1.5, None], ids=repr)
    def test_f82_bad_max_in_flight(self, kind: type[Any], value: object) -> None:
        """The number of requests in flight is a whole number from one."""
        assert str(refused(lambda: client(kind, max_in_flight=value))).startswith("max_in_flight must be ")

    @each_client
    @pytest.mark.parametrize("name", ["timeout", "max_rate"])
    @pytest.mark.parametrize("value", [None, 1, 0.001, 10**6], ids=repr)
    def test_good_numbers(self, kind: type[Any], name: str, value: object) -> None:
        """Seconds and rates may be without bound, whole, small and large."""
        client(kind, **{name: value})

    @each_client
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("retry", None),
            ("retry", 3),
            ("transport", "https"),
            ("transport", httpx.HTTPTransport),
            ("transport", httpx.Client),
            ("user_agent", 5),
            ("user_agent", ""),
        ],
        ids=repr,
    )
    def test_other_types(self, kind: type[Any], name: str, value: object) -> None:
        """An argument of another type than asked for is refused."""
        assert str(refused(lambda: client(kind, **{name: value}))).startswith(f"{name} ")

    @pytest.mark.parametrize("value", [{}, Token("canary", 5.0), object()], ids=["a dict", "a token", "an object"])
    def test_token_store_that_is_none(self, value: object) -> None:
        """A token store has to be able to load, save and lock."""
        assert str(refused(lambda: client(M3terClient, token_store=value))).startswith("token_store must be of type ")

    @pytest.mark.parametrize("value", [b"canary", ["canary"], {"key": "canary"}], ids=["bytes", "a list", "a dict"])
    @pytest.mark.parametrize(
        ("kind", "name"),
        [(M3terClient, "api_key"), (M3terClient, "api_secret"), (SmartPMClient, "api_key")],
        ids=["m3ter key", "m3ter secret", "SmartPM key"],
    )
    def test_f77_secret_of_another_type(self, kind: type[Any], name: str, value: object) -> None:
        """A secret that is no text is refused by its type, and shown neither in words nor in a traceback."""
        error = refused(lambda: client(kind, **{name: value}))

        assert str(error).endswith(f" must be text, not {type(value).__name__}")

    @unhurried
    @given(st.sampled_from(sorted(M3TER)), anything)
    def test_f77_f80_anything(self, name: str, value: object) -> None:
        """Whatever is given as an identity, there is a client or a `ConfigurationError`."""
        try:
            client(M3terClient, **{name: value})
        except ConfigurationError as error:
            message = str(error)
        else:
            message = name

        assert message.startswith(name)


class TestListUserGroups:
    """The arguments of `list_user_groups`, which raises at once and not when it is iterated."""

    @pytest.mark.parametrize("value", [*BAD_IDS, None], ids=lambda value: repr(value)[:12])
    def test_f75_bad_user_id(self, value: Any) -> None:
        """A user's id that cannot be one segment of a path is refused."""
        error = refused(lambda: client(M3terClient).list_user_groups(value))

        assert str(error).startswith("user_id must ")

    @pytest.mark.parametrize("value", BAD_IDS, ids=lambda value: repr(value)[:12])
    def test_f75_bad_org_id(self, value: Any) -> None:
        """So is an organization's, of the call or of the client."""
        for_call = refused(lambda: client(M3terClient).list_user_groups("u", org_id=value))
        for_client = refused(lambda: client(M3terClient, org_id=value))

        assert str(for_call).startswith("org_id must ")
        assert str(for_client).startswith("org_id (the argument, or M3TER_ORG_ID in the environment) must ")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("page_size", value) for value in [*NO_NUMBERS, 201, 1.0]),
            *(("timeout", value) for value in NO_NUMBERS),
            *(("next_token", value) for value in ["", 5, True, b"a", "x" * 20_000, "\ud800"]),
            *(("inherited", value) for value in ["true", 1, 0]),
            *(("prefetch", value) for value in ["true", 1, None]),
        ],
        ids=lambda value: repr(value)[:12],
    )
    def test_f82_bad_arguments(self, name: str, value: object) -> None:
        """An argument that the provider would not understand is refused before any request."""
        one = client(M3terClient)

        error = refused(lambda: one.list_user_groups("u", **{name: value}))

        assert str(error).startswith(f"{name} must be ")

    @pytest.mark.parametrize(
        ("arguments", "query"),
        [
            pytest.param({}, "", id="nothing"),
            pytest.param({"inherited": True}, "?inherited=true", id="inherited"),
            pytest.param({"inherited": False}, "?inherited=false", id="not inherited"),
            pytest.param({"page_size": 1}, "?pageSize=1", id="the smallest page"),
            pytest.param({"page_size": 200}, "?pageSize=200", id="the largest page"),
            pytest.param({"next_token": "a"}, "?nextToken=a", id="a page token"),
            pytest.param({"timeout": None, "prefetch": True}, "", id="what is not for the provider"),
            pytest.param(
                {"inherited": True, "page_size": 5, "next_token": "a&b"},
                "?inherited=true&pageSize=5&nextToken=a%26b",
                id="all",
            ),
        ],
    )
    async def test_only_what_was_given_is_sent(self, arguments: dict[str, Any], query: str) -> None:
        """What the caller does not say is left to the provider."""
        recorder = Recorder()

        async with client(M3terClient, transport=recorder) as m3ter:
            await m3ter.list_user_groups("u", **arguments).collect()

        assert recorder.target == f"/organizations/org-1/users/u/usergroups{query}"

    async def test_f75_members_of_a_text_enumeration_are_their_values(self) -> None:
        """Ids and page tokens from an enumeration are sent as their values, not as their names."""
        recorder = Recorder()

        async with client(M3terClient, transport=recorder, org_id=Name.ORG) as m3ter:
            await m3ter.list_user_groups(Name.USER, next_token=Name.TOKEN).collect()
            own = recorder.target
            await m3ter.list_user_groups(Name.USER, org_id=Name.OTHER_ORG).collect()

        assert own == "/organizations/org-1/users/user-1/usergroups?nextToken=token-1"
        assert recorder.target == "/organizations/org-2/users/user-1/usergroups"

    @unhurried
    @given(anything, anything)
    @example("a/b", "%2e%2e")
    @example("a\\b", "../x")
    @example("a?x=1", "a#f")
    @example("a%2Fb", "a;b")
    @example("a\r\nb", "a\0b")
    @example("é", "x" * 10_240)
    async def test_f75_ids_arrive_as_one_segment(self, user_id: Any, org_id: Any) -> None:
        """Every id that is taken arrives as one segment which decodes to it; every other is refused."""
        recorder = Recorder()
        async with client(M3terClient, transport=recorder) as m3ter:
            try:
                pager = m3ter.list_user_groups(user_id, org_id=org_id)
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
        async with client(M3terClient, transport=recorder) as m3ter:
            try:
                pager = m3ter.list_user_groups("u", next_token=token)
            except ConfigurationError:
                return
            await pager.collect()

        assert recorder.target.partition("?")[2] == f"nextToken={quote(token, safe='')}"
        assert recorder.asked[-1].url.params.multi_items() == [("nextToken", token)]

    @pytest.mark.parametrize(
        ("base_url", "begin"),
        [
            ("https://gateway.example", "https://gateway.example/"),
            ("https://gateway.example/", "https://gateway.example/"),
            ("https://gateway.example/m3ter/v1/", "https://gateway.example/m3ter/v1/"),
            ("https://[::1]:8443/x", "https://[::1]:8443/x/"),
            ("http://localhost:8080", "http://localhost:8080/"),
        ],
    )
    async def test_f81_base_url_is_joined(self, base_url: str, begin: str) -> None:
        """The token and the groups are asked for at the base URL, below its path."""
        recorder = Recorder()

        async with client(M3terClient, transport=recorder, base_url=base_url) as m3ter:
            await m3ter.list_user_groups("u").collect()

        assert [str(request.url) for request in recorder.asked] == [
            f"{begin}oauth/token",
            f"{begin}organizations/org-1/users/u/usergroups",
        ]

    async def test_user_agent_is_put_before_ours(self) -> None:
        """A caller's own name stands before the SDK's."""
        recorder = Recorder()

        async with client(M3terClient, transport=recorder, user_agent="reviews/2.0 (jml)") as m3ter:
            await m3ter.list_user_groups("u").collect()

        for request in recorder.asked:
            assert request.headers["user-agent"].startswith("reviews/2.0 (jml) usergroups/")


class TestGetUserGroup:
    """The arguments of `get_user_group`."""

    @pytest.mark.parametrize(
        "group_id",
        [
            "",
            " ",
            "1",
            "not-a-uuid",
            *("0x" + "1" * 30, "1_" + "1" * 30, "+" + "1" * 31, " " + "1" * 31, "\uff11" * 32),  # `int` reads them
            *(f"{{{GROUP_ID}}}", f"urn:uuid:{GROUP_ID}", GROUP_ID.replace("-", "", 1), GROUP_ID + "\n"),
            GROUP_ID + "0",
            GROUP_ID[:-1] + "g",
            f"{GROUP_ID}/..",
            "a\ud800",
            None,
            5,
            1.0,
            b"a",
        ],
        ids=lambda value: repr(value)[:14],
    )
    async def test_f75_what_is_no_uuid(self, group_id: Any) -> None:
        """An id that is no UUID, to which the provider would answer with a server error, is refused."""
        recorder = Recorder()
        async with client(SmartPMClient, transport=recorder) as smartpm:
            with pytest.raises(ConfigurationError, match=r"^user_group_id must be a UUID$") as caught:
                await smartpm.get_user_group(group_id)

        assert caught.value.__context__ is None
        assert recorder.asked == []

    @pytest.mark.parametrize(
        "group_id",
        [GROUP_ID, GROUP_ID.upper(), GROUP_ID.replace("-", ""), UUID(GROUP_ID)],
        ids=["small", "capital", "without dashes", "a UUID"],
    )
    async def test_uuids(self, group_id: UUID | str) -> None:
        """A UUID may be given as one or as text, and arrives in its usual form."""
        recorder = Recorder()

        async with client(SmartPMClient, transport=recorder) as smartpm:
            group = await smartpm.get_user_group(group_id)

        assert recorder.target == f"/public/v1/user-groups/{GROUP_ID}"
        assert group.id == UUID(GROUP_ID)

    @pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
    async def test_f82_bad_timeout(self, value: Any) -> None:
        """A call's own timeout is a positive, finite number of seconds."""
        recorder = Recorder()
        async with client(SmartPMClient, transport=recorder) as smartpm:
            with pytest.raises(ConfigurationError, match=r"^timeout must be "):
                await smartpm.get_user_group(GROUP_ID, timeout=value)

        assert recorder.asked == []

    @unhurried
    @given(st.uuids())
    async def test_f75_any_uuid(self, group_id: UUID) -> None:
        """Every UUID arrives as one segment."""
        recorder = Recorder()

        async with client(SmartPMClient, transport=recorder) as smartpm:
            await smartpm.get_user_group(group_id)

        assert recorder.target == f"/public/v1/user-groups/{group_id}"


async def never(key: object) -> None:
    """Fail the test that calls it."""
    raise AssertionError(key)


class TestSweep:
    """The arguments of `sweep`, which raises at once and not when it is iterated."""

    @pytest.mark.parametrize("value", [*NO_NUMBERS, 1.5, None], ids=repr)
    def test_f82_bad_concurrency(self, value: Any) -> None:
        """The number of calls at once is a whole number from one."""
        assert str(refused(lambda: sweep(never, ["a"], concurrency=value))).startswith("concurrency must be ")

    @pytest.mark.parametrize("value", ["ignore", "", None, True, []], ids=repr)
    def test_f82_bad_on_error(self, value: Any) -> None:
        """There are two ways to go on after an error."""
        assert str(refused(lambda: sweep(never, ["a"], on_error=value))) == "on_error must be 'raise' or 'yield'"

    @pytest.mark.parametrize(
        ("call", "keys", "problem"),
        [
            pytest.param(None, ["a"], "call must be a function", id="no function"),
            pytest.param(never, None, "keys must be of type Iterable or AsyncIterable", id="no keys"),
            pytest.param(never, 5, "keys must be of type Iterable or AsyncIterable", id="a number"),
            pytest.param(never, "ada", "keys must be several keys", id="one text"),
            pytest.param(never, b"ada", "keys must be several keys", id="one text in bytes"),
        ],
    )
    def test_other_types(self, call: Any, keys: Any, problem: str) -> None:
        """What cannot be called, or gone through, is refused."""
        assert str(refused(lambda: sweep(call, keys))).startswith(problem)


class TestPager:
    """The arguments of a pager's methods."""

    @pytest.mark.parametrize("value", [-1, math.nan, math.inf, "5", True, 1.0], ids=repr)
    async def test_f82_bad_limit(self, value: Any) -> None:
        """A limit is a whole number from zero, and is looked at before any request."""
        recorder = Recorder()
        async with client(M3terClient, transport=recorder) as m3ter:
            with pytest.raises(ConfigurationError, match=r"^limit must be "):
                await m3ter.list_user_groups("u").collect(limit=value)

        assert recorder.asked == []

    async def test_f82_limit_of_zero(self) -> None:
        """No items are no request."""
        recorder = Recorder()
        async with client(M3terClient, transport=recorder) as m3ter:
            pager: AsyncPager[Any] = m3ter.list_user_groups("u")

            assert await pager.collect(limit=0) == []

        assert recorder.asked == []


def test_retry_policy_is_keyword_only() -> None:
    """The numbers of a policy cannot be mistaken for each other."""
    with pytest.raises(TypeError):
        RetryPolicy(5)  # type: ignore[misc]
