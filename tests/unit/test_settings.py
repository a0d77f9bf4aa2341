"""What arguments and environment settings may be, and what is said where they are wrong."""

import copy
import math
import pickle
from enum import Enum, IntEnum
from urllib.parse import quote, urlsplit

import httpx
import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usergroups import ConfigurationError
from usergroups import _arguments as settings
from usergroups._arguments import of_client
from usergroups._secrets import Secret

VARIABLE = "USERGROUPS_TEST_SETTING"
LIMIT = 16 * 1024
NOT_PRINTABLE = "must be printable ASCII without spaces or line ends around it"

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

anything = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary()
    | st.lists(st.text())
    | st.text(st.characters(codec=None))
)


class Name(str, Enum):  # noqa: UP042  # the old way, which people still have, is what is tested
    """A text that is also the member of an enumeration, whose `str()` is another text."""

    ID = "abc"


class Size(IntEnum):
    """A number that is also the member of an enumeration."""

    SMALL = 5


class Steps(int, Enum):
    """A number that is also the member of an enumeration, the old way."""

    FIVE = 5


class Odd(int):
    """A number that says to be another."""

    def __int__(self) -> int:
        return 7

    __index__ = __int__

    def __lt__(self, other: object) -> bool:
        return True

    __gt__ = __lt__


class TestSecret:
    """Text that is hidden wherever a program shows its values."""

    def test_repr_hides_it(self) -> None:
        """A secret is not in its repr, alone or within something else."""
        secret = Secret("hunter2")

        assert repr(secret) == "'***'"
        assert "hunter2" not in repr({"key": [secret]})
        assert f"{secret!r}{secret!s}{secret}" == "'***'" * 3

    @pytest.mark.parametrize("text", ["hunter2", "", "\0", "é\ud800", "x" * 100_000], ids=ascii)
    def test_it_is_no_text_but_gives_it(self, text: str) -> None:
        """A secret can be asked for the text that it was made of, and is like none."""
        secret = Secret(text)

        assert secret.reveal() == text
        assert secret == Secret(text)
        assert hash(secret) == hash(Secret(text))
        assert secret != Secret(f"{text} ")
        assert secret != text
        assert not isinstance(secret, str | bytes)

    def test_it_is_not_pickled(self) -> None:
        """A pickle would show a secret, and a copy is the secret itself."""
        secret = Secret("hunter2")

        assert copy.copy(secret) is copy.deepcopy(secret) is secret
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)

    @pytest.mark.parametrize("value", ["abc", Name.ID, Secret("abc")], ids=["text", "a member", "a secret"])
    def test_hide_takes_text(self, value: str) -> None:
        """Text is hidden; a member of a text enumeration is its value, not its name."""
        assert settings.hide(value).reveal() == "abc"

    def test_hide_keeps_nothing(self) -> None:
        """What is not given stays so."""
        assert settings.hide(None) is None

    @pytest.mark.parametrize("value", [b"canary", ["canary"], 5], ids=["bytes", "a list", "a number"])
    def test_hide_keeps_only_the_type_of_anything_else(self, value: object) -> None:
        """A secret of a wrong type is shown nowhere, and refused by its type."""
        found = settings.hide(value)  # type: ignore[call-overload]

        assert "canary" not in f"{found!r} {vars(found)}"
        with pytest.raises(ConfigurationError, match=f"^api_key must be text, not {type(value).__name__}$"):
            of_client.header_value("api_key", found)


class TestSetting:
    """An argument, else the environment, else a default."""

    @pytest.mark.parametrize(
        ("given", "line"),
        [
            pytest.param({"a", "b", "c"}, "", id="none"),
            pytest.param({"a", "c"}, "b (the argument, or V_B in the environment) is missing", id="one"),
            pytest.param(
                set(),
                "a (the argument, or V_A in the environment), b (the argument, or V_B in the environment)"
                " and c (the argument, or V_C in the environment) are missing",
                id="all",
            ),
        ],
    )
    def test_f80_settings_that_are_missing_are_named_at_once(
        self, monkeypatch: pytest.MonkeyPatch, given: set[str], line: str
    ) -> None:
        """One error names every setting that is neither an argument nor in the environment, even if that is blank."""
        if "a" in given:
            monkeypatch.setenv("V_A", "")
        told = ""

        try:
            settings.require(("a", "V_A"), "b" not in given and ("b", "V_B"), "c" not in given and ("c", "V_C"))
        except ConfigurationError as error:
            told = str(error)

        assert told == line

    @pytest.mark.parametrize(
        ("argument", "variable", "default", "found"),
        [
            pytest.param("a", "v", "d", "a", id="the argument before all else"),
            pytest.param(None, "v", None, "v", id="the variable alone"),
            pytest.param(None, "v", "d", "v", id="the variable before the default"),
            pytest.param(None, None, "d", "d", id="the default alone"),
            pytest.param(None, " \t", "d", "d", id="the default instead of a blank variable"),
            pytest.param("", "v", "d", "{} is blank", id="an empty argument"),
            pytest.param(None, " ", None, "{} is blank", id="a blank variable"),
            pytest.param(None, "v\n", "d", f"{{}} {NOT_PRINTABLE}", id="a bad variable in spite of a default"),
        ],
    )
    def test_f80_first_of_three(
        self,
        monkeypatch: pytest.MonkeyPatch,
        argument: str | None,
        variable: str | None,
        default: str | None,
        found: str,
    ) -> None:
        """The argument wins over the environment, and that over the default; a bad one is named in both ways."""
        if variable is not None:
            monkeypatch.setenv(VARIABLE, variable)

        try:
            value = settings.setting("id", argument, VARIABLE, of_client.header_value, default=default).reveal()
        except ConfigurationError as error:
            value = str(error)

        assert value == found.format(f"id (the argument, or {VARIABLE} in the environment)")

    def test_variable_is_a_secret_on_the_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What comes from the environment is hidden from the first moment."""
        monkeypatch.setenv(VARIABLE, "hunter2")

        found = settings.setting("id", None, VARIABLE, lambda _, value: value)

        assert isinstance(found, Secret)


class TestHeaderValue:
    """Keys, secrets and whatever else goes into a header."""

    @pytest.mark.parametrize("value", ["a", "~!", "a b  c", "a:b=c;d", "x" * 10_000, Name.ID], ids=repr)
    def test_good_ones(self, value: str) -> None:
        """Visible ASCII goes into a header as it is, spaces within included."""
        found = of_client.header_value("api_key", value)

        assert found.reveal() == value
        assert type(found) is Secret

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("canary\n", id="a line end after it"),
            pytest.param("ca\0nary", id="NUL"),
            pytest.param(" canary", id="a space before it"),
            pytest.param("canary ", id="a space after it"),
            pytest.param("canäry", id="not ASCII"),
            pytest.param("canary\x7f", id="DEL"),
            pytest.param("canary\ud800", id="a lone surrogate"),
            pytest.param("", id="empty"),
            pytest.param(" \t\n", id="blank"),
            pytest.param(b"canary", id="bytes"),
            pytest.param(None, id="nothing"),
        ],
    )
    def test_f77_bad_ones(self, value: object) -> None:
        """What a header cannot carry is refused; the field is named, and the value is not shown."""
        with pytest.raises(ConfigurationError) as caught:
            of_client.header_value("api_key", value)

        assert str(caught.value).startswith("api_key ")
        assert "canary" not in str(caught.value)

    @unhurried
    @given(anything)
    def test_f77_anything(self, value: object) -> None:
        """Any value is either taken as it is, and httpx can send it, or a `ConfigurationError`."""
        try:
            found = of_client.header_value("api_key", value)
        except ConfigurationError:
            return

        assert httpx.Headers({"x-api-key": found.reveal()})["x-api-key"] == value


class TestPathSegment:
    """Identifiers, which become one segment of a path."""

    @pytest.mark.parametrize(
        "value",
        ["%2e%2e", "../x", "a/b", "a\\b", "a?x=1", "a;b", "a\r\nb", "a\0b", "é", "...", "x" * 10_240, Name.ID],
        ids=lambda value: repr(value)[:20],
    )
    def test_f75_good_ones(self, value: str) -> None:
        """An id may hold anything that can be percent-encoded."""
        found = of_client.path_segment("user_id", value)

        assert found == value
        assert type(found) is str

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("", id="empty"),
            pytest.param(" ", id="blank"),
            pytest.param(" a", id="a space before it"),
            pytest.param("a\xa0", id="a no-break space after it"),
            pytest.param(".", id="dot"),
            pytest.param("..", id="two dots"),
            pytest.param("x" * 65_536, id="64 KiB"),
            pytest.param("a\ud800", id="a lone surrogate"),
            pytest.param(None, id="nothing"),
            pytest.param(b"a", id="bytes"),
        ],
    )
    def test_f75_bad_ones(self, value: object) -> None:
        """An id that would change the path, or cannot be sent, is refused."""
        with pytest.raises(ConfigurationError, match=r"^user_id must ") as caught:
            of_client.path_segment("user_id", value)

        assert caught.value.__context__ is None


class TestParameter:
    """Page tokens, and the size of everything that goes into a URL."""

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("a&b=c#d+e/f%20 g", id="what means something in a URL"),
            pytest.param(" ", id="a space"),
            pytest.param("x" * LIMIT, id="as long as can be"),
            pytest.param("/" * (LIMIT // 3), id="as long as can be once it is encoded"),
            pytest.param("é" * (LIMIT // 6), id="not ASCII, and as long as can be"),
            pytest.param(Name.ID, id="a member of a text enumeration"),
        ],
    )
    def test_good_ones(self, value: str) -> None:
        """Text that fits into a URL is taken as it is."""
        found = of_client.parameter("next_token", value)

        assert found == value
        assert type(found) is str
        assert settings.fits_a_url(value)

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("x" * (LIMIT + 1), id="too long"),
            pytest.param("/" * (LIMIT // 3 + 1), id="too long once it is encoded"),
            pytest.param("é" * (LIMIT // 6 + 1), id="not ASCII, and too long"),
            pytest.param("a\udcff", id="a lone surrogate"),
        ],
    )
    def test_what_does_not_fit(self, value: str) -> None:
        """Text above 16 KiB when it is encoded, or that cannot be encoded, is refused."""
        assert not settings.fits_a_url(value)
        with pytest.raises(ConfigurationError, match=r"^next_token must be valid Unicode and at most 16 KiB"):
            of_client.parameter("next_token", value)

    @pytest.mark.parametrize("value", ["", None, 5, True, b"a", ["a"]], ids=repr)
    def test_f82_bad_ones(self, value: object) -> None:
        """An empty page token, and one that is no text, is refused."""
        with pytest.raises(ConfigurationError, match="next_token must be text that is not empty"):
            of_client.parameter("next_token", value)

    @unhurried
    @given(st.text(st.characters(codec=None)), st.integers(1, 20_000))
    def test_fits_means_at_most_16_kib_encoded(self, text: str, times: int) -> None:
        """Whatever the text, it fits exactly if it can be encoded and is then at most 16 KiB long."""
        value = text * (times // (len(text) or 1))
        try:
            fits = len(quote(value, safe="")) <= LIMIT
        except UnicodeEncodeError:
            fits = False

        assert settings.fits_a_url(value) is fits


class TestNumbers:
    """Seconds, rates and counts."""

    @pytest.mark.parametrize("value", [1, 0.001, 1e300, 5e-324, Size.SMALL], ids=repr)
    def test_good_seconds(self, value: float) -> None:
        """Any positive, finite number is a number of seconds."""
        found = of_client.seconds("timeout", value)

        assert found == value
        assert type(found) is float

    @pytest.mark.parametrize("value", [0, -1, 0.0, -0.5, math.nan, math.inf, -math.inf, 10**400], ids=repr)
    def test_f82_bad_numbers(self, value: float) -> None:
        """No number of seconds is zero, negative, infinite, or none at all."""
        with pytest.raises(ConfigurationError, match=r"^timeout must be greater than 0 and finite$") as caught:
            of_client.seconds("timeout", value)

        assert caught.value.__context__ is None

    @pytest.mark.parametrize("value", ["5", True, False, None, [], 1j], ids=repr)
    def test_f82_no_numbers(self, value: object) -> None:
        """What is no number is no number of seconds, and neither is a truth value."""
        with pytest.raises(ConfigurationError, match=f"^timeout must be a number, not {type(value).__name__}$"):
            of_client.seconds("timeout", value)

    @unhurried
    @given(anything)
    def test_positive_means_that_seconds_takes_it(self, value: object) -> None:
        """The question and the check agree on every value."""
        try:
            taken = of_client.seconds("timeout", value) > 0
        except ConfigurationError:
            taken = False

        assert settings.positive(value) is taken

    def test_no_bound(self) -> None:
        """None is no bound, and anything else is checked."""
        assert of_client.optional_seconds("timeout", None) is None
        assert of_client.optional_seconds("timeout", 5) == 5.0
        with pytest.raises(ConfigurationError):
            of_client.optional_seconds("timeout", 0)

    @pytest.mark.parametrize(
        ("value", "usual", "timeout"),
        [
            pytest.param(..., 60.0, 60.0, id="the client's"),
            pytest.param(..., None, None, id="the client's, which has no bound"),
            pytest.param(None, 60.0, None, id="no bound for this call"),
            pytest.param(5, 60.0, 5.0, id="another bound for this call"),
        ],
    )
    def test_call_timeout(self, value: object, usual: float | None, timeout: float | None) -> None:
        """A call has the client's timeout unless it is given its own."""
        assert of_client.call_timeout(value, usual) == timeout  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match=r"^timeout must be"):
            of_client.call_timeout(0, usual)

    @pytest.mark.parametrize(
        ("value", "least", "most"),
        [(1, 1, None), (0, 0, None), (10**30, 1, None), (1, 1, 200), (200, 1, 200), (Size.SMALL, 1, 200)],
        ids=repr,
    )
    def test_good_counts(self, value: int, least: int, most: int | None) -> None:
        """A count may be as small and as large as its bounds."""
        assert of_client.count("page_size", value, least=least, most=most) == value

    @pytest.mark.parametrize(
        "value", [Size.SMALL, Steps.FIVE, Odd(5)], ids=["IntEnum", "int and Enum", "its own class"]
    )
    def test_count_of_a_class_of_its_own(self, value: int) -> None:
        """A number of a class of its own is the number that it is, whatever that class says."""
        found = of_client.count("page_size", value, most=200)

        assert (type(found), found) == (int, 5)

    @pytest.mark.parametrize(
        ("value", "least", "most", "problem"),
        [
            pytest.param(0, 1, None, "at least 1", id="below one"),
            pytest.param(-1, 0, None, "at least 0", id="below zero"),
            pytest.param(0, 1, 200, "from 1 to 200", id="below the bounds"),
            pytest.param(201, 1, 200, "from 1 to 200", id="above the bounds"),
            pytest.param(1.0, 1, None, "a whole number, not float", id="a fraction"),
            pytest.param(math.nan, 1, None, "a whole number, not float", id="no number at all"),
            pytest.param("5", 1, None, "a whole number, not str", id="text"),
            pytest.param(True, 1, None, "a whole number, not bool", id="true"),
            pytest.param(None, 1, None, "a whole number, not NoneType", id="nothing"),
        ],
    )
    def test_f82_bad_counts(self, value: object, least: int, most: int | None, problem: str) -> None:
        """A count out of its bounds, and what is no whole number, is refused."""
        with pytest.raises(ConfigurationError, match=f"^page_size must be {problem}$"):
            of_client.count("page_size", value, least=least, most=most)

    def test_instance(self) -> None:
        """An argument of another type than asked for is refused, with the names of both."""
        of_client.instance("prefetch", False, bool)
        of_client.instance("keys", "a", int, str)

        with pytest.raises(ConfigurationError, match=r"^keys must be of type int or str, not list$"):
            of_client.instance("keys", [], int, str)


GOOD_BASE_URLS = [
    ("https://api.m3ter.com///", "https://api.m3ter.com/x"),
    ("https://gateway.example/m3ter/v1/", "https://gateway.example/m3ter/v1/x"),
    ("https://gateway.example/a%20b", "https://gateway.example/a%20b/x"),
    ("https://gateway.example/..a/b..", "https://gateway.example/..a/b../x"),
    ("HTTPS://API.example", "https://api.example/x"),
    ("https://api.example:8443", "https://api.example:8443/x"),
    ("https://api.example:", "https://api.example/x"),
    ("https://api.example.:443/", "https://api.example./x"),
    ("https://my_service-1:1", "https://my_service-1:1/x"),
    ("https://192.0.2.1", "https://192.0.2.1/x"),
    ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/x"),
    ("http://LocalHost:8080", "http://localhost:8080/x"),
    ("http://127.8.9.10", "http://127.8.9.10/x"),
    ("http://[::1]:8080", "http://[::1]:8080/x"),
]

NO_URL = "must be a URL, without spaces"
NO_HOST = "must begin with https:// and name a host"
BAD_HOST = "is not a valid URL: host or port cannot be read"
A_USER = "must not hold a user name or password"
A_QUERY = "must not hold a query or fragment"
DOTS = "must not hold '.' or '..' in its path"
NOT_HTTPS = (
    "must be https:// (http:// is accepted for loopback hosts only: for a container, share its network namespace,"
    " or put TLS in front of it)"
)

BAD_BASE_URLS = [
    pytest.param("api.m3ter.com", NO_HOST, id="no scheme"),
    pytest.param("ftp://api.m3ter.com", NO_HOST, id="another scheme"),
    pytest.param("https:///path", NO_HOST, id="no host"),
    pytest.param("https://:443", BAD_HOST, id="a port alone"),
    pytest.param("https://user:canary@api.m3ter.com", A_USER, id="a password"),
    pytest.param("https://api.m3ter.com?canary", A_QUERY, id="a query"),
    pytest.param("https://api.m3ter.com/#", A_QUERY, id="a fragment"),
    pytest.param("https://api.m3ter.com/a/../b", DOTS, id="two dots in the path"),
    pytest.param("https://api.m3ter.com/.", DOTS, id="a dot in the path"),
    pytest.param("https://api.m3ter.com/%2E%2e/b", DOTS, id="two encoded dots in the path"),
    pytest.param("https://api.m3ter.com /a", NO_URL, id="a space"),
    pytest.param("https://api.m3ter.com\\a", NO_URL, id="a backslash"),
    pytest.param("https://api.m3ter.com\n", NOT_PRINTABLE, id="a line end"),
    pytest.param("https://äpi.m3ter.com", NOT_PRINTABLE, id="not ASCII"),
    pytest.param("", "is blank", id="empty"),
    pytest.param("https://api.m3ter.com:port", BAD_HOST, id="a port in letters"),
    pytest.param("https://api.m3ter.com:65536", BAD_HOST, id="a port that is too high"),
    pytest.param("https://api.m3ter.com:0", BAD_HOST, id="port 0"),
    pytest.param("https://[::1", BAD_HOST, id="half a bracket"),
    pytest.param("https://[::1]x", BAD_HOST, id="text after a bracket"),
    pytest.param("http://evil.example[::1]", BAD_HOST, id="a name before a bracket"),
    pytest.param("http://[127.0.0.1]", BAD_HOST, id="an IPv4 address in brackets"),
    pytest.param("https://1.2.3.999", BAD_HOST, id="no IPv4 address"),
    pytest.param("https://[:::1]", BAD_HOST, id="no IPv6 address"),
    pytest.param("https://a..b", BAD_HOST, id="a name with an empty part"),
    pytest.param("https://.", BAD_HOST, id="a name that is a dot"),
    pytest.param("https://" + "a" * 64, BAD_HOST, id="a name with a part that is too long"),
    pytest.param("https://a,b", BAD_HOST, id="two names"),
    pytest.param(
        "https://api.m3ter.com/" + "a" * (2049 - 22), "must not be longer than 2,048 characters", id="a very long one"
    ),
    pytest.param("http://api.m3ter.com", NOT_HTTPS, id="without encryption"),
    pytest.param("http://localhost.evil.example", NOT_HTTPS, id="a name that begins like loopback"),
    pytest.param("http://127.0.0.1.evil.example", NOT_HTTPS, id="a name that begins like 127.0.0.1"),
    pytest.param("http://192.168.0.1", NOT_HTTPS, id="a private address"),
]


class TestBaseURL:
    """Where a provider is."""

    @pytest.mark.parametrize(("value", "joined"), GOOD_BASE_URLS, ids=[value for value, _ in GOOD_BASE_URLS])
    def test_f81_good_ones(self, value: str, joined: str) -> None:
        """A base URL keeps its path, and what is joined to it is asked there."""
        found = of_client.base_url("base_url", value)

        assert type(found) is str
        assert str(httpx.URL(f"{found}/x")) == joined

    @pytest.mark.parametrize(("value", "problem"), BAD_BASE_URLS)
    def test_f78_f81_bad_ones(self, value: object, problem: str) -> None:
        """A base URL that would lead elsewhere, or show secrets to others, is refused without showing it."""
        with pytest.raises(ConfigurationError) as caught:
            of_client.base_url("base_url", value)

        assert str(caught.value) == f"base_url {problem}"
        assert caught.value.__context__ is None

    def test_longest(self) -> None:
        """A base URL may be long, though not so long that no identifier fits behind it."""
        value = "https://api.m3ter.com/".ljust(2048, "a")

        assert of_client.base_url("base_url", value) == value

    @unhurried
    @given(
        st.builds(
            "{}://{}{}{}".format,
            st.sampled_from(["https", "http", "HTTPS"]),
            st.from_regex(r"[aZ0._-]{1,9}", fullmatch=True)
            | st.from_regex(r"[12]{1,3}(\.[0129]{1,3}){3}", fullmatch=True)
            | st.ip_addresses(v=4).map(str)
            | st.ip_addresses(v=6).map("[{}]".format)
            | st.text("a1.:[]%@,", max_size=9),
            st.sampled_from(["", ":", ":0", ":1", ":65535", ":99999"]),
            st.from_regex(r"(/[ab._~%2e'!:;\[\]]{0,5}){0,4}", fullmatch=True) | st.text("/a.?#\\é", max_size=9),
        )
        | st.text("htps:/[]a1.%@", max_size=25)
    )
    @example("https://0.0.0.0.")
    @example("https://00.0.0.0")
    def test_f81_whatever_is_taken_can_be_asked(self, value: str) -> None:
        """Whatever base URL is taken, httpx can read it, and asks that host, below that path."""
        try:
            found = of_client.base_url("base_url", value)
        except ConfigurationError:
            return

        url = httpx.URL(f"{found}/organizations/x?inherited=true")
        given_parts = urlsplit(value)
        host = settings.host_of(given_parts.netloc)
        assert (url.scheme, url.host) == (given_parts.scheme.lower(), host)
        assert url.raw_path.startswith(httpx.URL(found).raw_path.rstrip(b"/"))
        assert url.raw_path.endswith(b"/organizations/x?inherited=true")

    @pytest.mark.parametrize(
        ("netloc", "host"),
        [
            pytest.param("Api.Example:443", "api.example", id="a name and a port"),
            pytest.param("[2001:DB8::1]", "2001:db8::1", id="an IPv6 address"),
            pytest.param("X.example", "x.example", id="a capital letter"),
            pytest.param("[:::1]", "", id="no IPv6 address"),
            pytest.param("", "", id="nothing"),
            pytest.param("user@api.example", "", id="a user"),
            pytest.param("api.example:\uff18", "", id="a port in full-width digits"),
        ],
    )
    def test_host_of(self, netloc: str, host: str) -> None:
        """The host is found beside its port, and nothing where either is wrong."""
        assert settings.host_of(netloc) == host
