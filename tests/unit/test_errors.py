"""The errors that users catch, build in their own tests, print, copy and send between processes."""

import copy
import pickle
from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups import errors
from usergroups.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnexpectedResponseError,
    UserGroupsError,
    one_line,
)

CALL = {"method": "GET", "path": "/organizations/o/users/u/usergroups", "attempts": 3, "elapsed": 2.14}
ANSWER = CALL | {"status_code": 418, "body": "no\x00\ntea", "request_id": "r-1"}
STATUS = ANSWER | {"headers": {"x-a": "b"}, "retry_after": 1.5, "hint": "use a pot"}

# Each public class, with a value other than the default for all that it can be told.
EXAMPLES: dict[type[UserGroupsError], dict[str, object]] = {
    UserGroupsError: {},
    ConfigurationError: {},
    InvalidArgumentError: {"argument": "user_id"},
    APIConnectionError: CALL,
    APITimeoutError: CALL,
    APIStatusError: STATUS,
    BadRequestError: STATUS,
    AuthenticationError: STATUS,
    PermissionDeniedError: STATUS,
    NotFoundError: STATUS,
    RateLimitedError: STATUS,
    ServerError: STATUS,
    UnexpectedResponseError: ANSWER | {"json_path": "$.users[3].email"},
    PaginationError: ANSWER | {"json_path": "$.nextToken"},
}

USUAL: dict[type[UserGroupsError], int] = {
    APIStatusError: 0,
    BadRequestError: 400,
    AuthenticationError: 401,
    PermissionDeniedError: 403,
    NotFoundError: 404,
    RateLimitedError: 429,
    ServerError: 500,
    UnexpectedResponseError: 200,
    PaginationError: 200,
}
RETRYABLE = {APIConnectionError, APITimeoutError, RateLimitedError, ServerError}


def nothing(kind: type[UserGroupsError]) -> dict[str, object]:
    """Return the attributes of an error of *kind* that was told nothing."""
    request = "" if issubclass(kind, APIConnectionError | APIStatusError | UnexpectedResponseError) else None
    unknown = dict.fromkeys(["request_id", "retry_after", "attempts", "elapsed", "argument"])
    return unknown | {
        "method": request,
        "path": request,
        "status_code": USUAL.get(kind),
        "retryable": kind in RETRYABLE,
        "headers": {},
        "body": "",
        "hint": "",
        "json_path": "$" if issubclass(kind, UnexpectedResponseError) else None,
    }


kinds = pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    """Return *kind* and all that is below it."""
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def public_parent(kind: type[Exception]) -> str:
    """Name the nearest base of *kind* that users can name."""
    return next(base.__name__ for base in kind.__mro__[1:] if not base.__name__.startswith("_"))


def drawn_tree() -> dict[str, str]:
    """Read the tree at the top of errors.py: each class in it, and the one it hangs on."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in str(errors.__doc__).splitlines():
        drawn = line[4:]
        name = drawn.lstrip("│├└─ ").split(" ")[0]
        if line.startswith("    ") and name:
            del above[(len(drawn) - len(drawn.lstrip("│├└─ "))) // 4 :]
            parents[name] = above[-1] if above else "Exception"
            above.append(name)
    return parents


def test_drawn_tree_is_the_real_one() -> None:
    """The tree at the top of errors.py shows every error, each below the one that catches it."""
    real = {kind.__name__: public_parent(kind) for kind in subclasses(UserGroupsError) if kind.__name__[0] != "_"}

    assert drawn_tree() == real


def test_examples_are_complete() -> None:
    """No error class is forgotten by the tests below."""
    assert {kind.__name__ for kind in EXAMPLES} == set(errors.__all__)


def test_errors_are_also_what_python_calls_them() -> None:
    """Code that knows nothing of the SDK catches what Python has a word for."""
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(APITimeoutError, TimeoutError)


@kinds
def test_message_is_enough(kind: type[UserGroupsError]) -> None:
    """An error can be built from its message alone, as people do in their tests."""
    error = kind("it went wrong")

    assert error.message == "it went wrong"
    assert error.args == ("it went wrong",)
    assert "it went wrong" in str(error)
    assert repr(error) == f"{kind.__name__}('it went wrong')"


@kinds
def test_everything_else_is_keyword_only(kind: type[UserGroupsError]) -> None:
    """A status cannot be mistaken for a message."""
    with pytest.raises(TypeError, match="positional argument"):
        kind("it went wrong", 404)  # type: ignore[misc]


@kinds
def test_attributes_are_what_was_told(kind: type[UserGroupsError]) -> None:
    """Every error has every attribute: what it was told can be read from it again, and the rest is empty or None."""
    error = kind("it went wrong", **EXAMPLES[kind])

    retryable = kind in RETRYABLE and "status_code" not in EXAMPLES[kind]
    assert vars(error) == nothing(kind) | EXAMPLES[kind] | {"message": "it went wrong", "retryable": retryable}
    assert vars(kind("no")) == nothing(kind) | {"message": "no"}


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False),
        (404, False),
        (408, True),
        (425, True),
        (429, True),
        (499, False),
        (500, True),
        (599, True),
        (600, False),
    ],
)
def test_retryable_by_status(status: int, retryable: bool) -> None:
    """The same call may well succeed later where the server is busy or failed, whatever the class of the error."""
    assert APIStatusError("no", status_code=status).retryable is retryable
    assert APIConnectionError("no", retryable=False).retryable is False


@pytest.mark.parametrize("kind", USUAL, ids=lambda kind: kind.__name__)
def test_usual_status(kind: type[APIStatusError]) -> None:
    """An error that is built without a status has the one that its class stands for."""
    assert kind("no").status_code == kind("no", status_code=None).status_code == USUAL[kind]


def test_headers_are_a_copy() -> None:
    """An error keeps the headers of its moment."""
    headers = {"x-a": "b"}

    error = APIStatusError("no", headers=headers)
    headers["x-a"] = "c"

    assert error.headers == {"x-a": "b"}


def test_errors_are_equal_only_to_themselves() -> None:
    """Errors that say the same are still two, and can be put into a set."""
    errors = {NotFoundError("no"), NotFoundError("no")}

    assert len(errors) == 2


def pickled(error: UserGroupsError) -> UserGroupsError:
    """Send *error* to another process and back."""
    back: UserGroupsError = pickle.loads(pickle.dumps(error))
    return back


@pytest.mark.parametrize("again", [pickled, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
@kinds
def test_round_trip(kind: type[UserGroupsError], again: Callable[[UserGroupsError], UserGroupsError]) -> None:
    """An error comes back from pickle and copy as it was, with its notes."""
    error = kind("it went wrong", **EXAMPLES[kind])
    error.add_note("at the key 7")

    other = again(error)

    assert type(other) is kind
    assert vars(other) == vars(error)
    assert other.__notes__ == ["at the key 7"]
    assert (other.args, str(other)) == (error.args, str(error))


@unhurried
@given(
    kind=st.sampled_from(list(EXAMPLES)),
    message=st.text(st.characters()),
    texts=st.fixed_dictionaries(
        {name: st.text(st.characters()) for name in ("method", "path", "body", "request_id", "hint", "json_path")}
    ),
    status=st.none() | st.integers(-1, 1000),
)
def test_round_trip_of_anything(
    kind: type[UserGroupsError], message: str, texts: dict[str, str], status: int | None
) -> None:
    """Whatever a provider wrote into an error, the error prints as one line and can be pickled."""
    told = {**texts, "status_code": status}
    error = kind(message, **{name: value for name, value in told.items() if name in EXAMPLES[kind]})

    assert str(error).isprintable()
    assert vars(pickled(error)) == vars(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        pytest.param(UserGroupsError("a\nb"), "a b", id="a message alone"),
        pytest.param(APIConnectionError("refused"), "refused", id="nobody said what was asked"),
        pytest.param(
            APIConnectionError("refused", method="GET", path="/a"), "GET /a failed: refused", id="no answer arrived"
        ),
        pytest.param(
            APITimeoutError("no answer within 2 s", path="/a"), "/a failed: no answer within 2 s", id="a path alone"
        ),
        pytest.param(APIConnectionError("refused", method="GET"), "GET failed: refused", id="a method alone"),
        pytest.param(
            NotFoundError("no such user", method="GET", path="/a"),
            "GET /a answered 404 Not Found: no such user",
            id="the provider's words",
        ),
        pytest.param(NotFoundError("Not Found"), "answered 404 Not Found", id="the words are the status's own"),
        pytest.param(NotFoundError("404 Not Found"), "answered 404 Not Found", id="and so with its number"),
        pytest.param(NotFoundError(), "answered 404 Not Found", id="no words"),
        pytest.param(ServerError("x", status_code=520), "answered status 520: x", id="a status without a name"),
        pytest.param(APIStatusError("no"), "no", id="no status"),
        pytest.param(
            BadRequestError("too much", hint="ask for less"),
            "answered 400 Bad Request: too much; ask for less",
            id="a way out",
        ),
        pytest.param(
            UnexpectedResponseError("it is null", json_path="$.id", method="GET", path="/a"),
            "GET /a answered 200 OK, but not as specified: it is null (at $.id)",
            id="an answer that is wrong",
        ),
        pytest.param(
            ServerError("no", method="GET", path="/a", attempts=3, elapsed=2.14, request_id="abc"),
            "GET /a answered 500 Internal Server Error: no (3 attempts in 2.1 s, request id abc)",
            id="how often it was tried",
        ),
        pytest.param(ServerError("no", attempts=1), "answered 500 Internal Server Error: no (1 attempt)", id="once"),
        pytest.param(
            APIConnectionError("the connection was lost", request_id="abc"),
            "the connection was lost (request id abc)",
            id="a request id alone",
        ),
        pytest.param(
            UnexpectedResponseError("it is null", status_code=0),
            "answered, but not as specified: it is null (at $)",
            id="an answer without a status",
        ),
    ],
)
def test_text(error: UserGroupsError, line: str) -> None:
    """`str(error)` says what was asked, what came back and the way out."""
    assert str(error) == line


def test_text_shows_the_beginning_of_a_long_path() -> None:
    """A path of 16 KiB does not drown the reason; `.path` has all of it."""
    error = NotFoundError("no", method="GET", path="/" + "a" * 20_000)

    assert str(error) == f"GET /{'a' * 298}… answered 404 Not Found: no"
    assert len(error.path) == 20_001


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        pytest.param("  a \t b\r\n", None, "a b", id="white space becomes one space"),
        pytest.param("a\x00b\x1b[31m", None, "a b [31m", id="control characters"),
        pytest.param("äö 漢字", None, "äö 漢字", id="other scripts stay"),
        pytest.param("abcd", 4, "abcd", id="just short enough"),
        pytest.param("abcde", 4, "abc…", id="too long"),
        pytest.param("", 4, "", id="nothing"),
    ],
)
def test_one_line(text: str, limit: int | None, line: str) -> None:
    """Text is shown on one printable line, cut where it is too long."""
    assert one_line(text, limit) == line


@unhurried
@given(st.text(st.characters()), st.none() | st.integers(1, 50))
def test_one_line_of_anything(text: str, limit: int | None) -> None:
    """No text breaks the line, is longer than allowed, or changes when it is made one line again."""
    line = one_line(text, limit)

    assert line.isprintable()
    assert limit is None or len(line) <= limit
    assert one_line(line, limit) == line
