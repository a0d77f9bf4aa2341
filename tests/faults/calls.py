"""What the fault tests ask of the two providers, and what these answer."""

import gc
import gzip
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from rig.bodies import least
from rig.script import Script, answer, chunked_answer, close, head, json_answer, token_answer
from rig.server import Answer, FaultServer, Request
from usergroups import M3terClient, UserGroupsError

GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
TOKEN = "/oauth/token"
LIST = "/organizations/*"
PAGE = "/organizations/org-1/users/ada/usergroups"  # of m3ter's user groups
GROUP = f"/public/v1/user-groups/{GROUP_ID}"  # of SmartPM

GOOD_PAGE = json_answer({"data": [least("m3ter", "UserGroup", id="group-1")]})
GOOD_GROUP = json_answer(least("smartpm", "UserGroup", id=GROUP_ID, name="Operators", users=[]))
DOWN = answer(b"", 503)
WRONG = json_answer({"message": "The access token is not accepted"}, 401)
FORBIDDEN = json_answer({"message": "Not allowed"}, 403)

MIB = 1024 * 1024

Pairs = list[tuple[str, str]]
WORDS = b'{"message": "no such thing, and this is why: ' + b"x" * 500 + b'"}'
PACKED = gzip.compress(WORDS, mtime=0)
CHUNKED = ("Transfer-Encoding", "chunked")


def packed(body: bytes) -> Callable[[int, Pairs], Script]:
    """Return what makes an answer whose *body* is said to be gzip."""
    return lambda status, more: answer(body, status, [*more, ("Content-Encoding", "gzip")])


# Answers of any status, with more headers, whose bodies have not all of the data, or the wrong.
DAMAGED: dict[str, Callable[[int, Pairs], Script]] = {
    "short Content-Length": lambda status, more: (answer(WORDS[:60], status, more, length=999), close),
    "no last chunk": lambda status, more: (chunked_answer(WORDS[:60], status, more, ended=False), close),
    "cut chunk": lambda status, more: (head(status, [*more, CHUNKED]), b"20\r\n{}", close),
    "bad chunk size": lambda status, more: (head(status, [*more, CHUNKED]), b"zz\r\n{}\r\n0\r\n\r\n"),
    "cut gzip": packed(PACKED[:-1]),
    "cut gzip in chunks": lambda status, more: chunked_answer(
        PACKED[:-12], status, [*more, ("Content-Encoding", "gzip")]
    ),
    "gzip cut in its header": packed(PACKED[:7]),
    "bad CRC": packed(PACKED[:-8] + bytes(4) + PACKED[-4:]),
    "bad length": packed(PACKED[:-1] + b"\x7f"),
    "damaged gzip": packed(PACKED[:30] + bytes(5) + PACKED[35:]),
    "no gzip at all": packed(WORDS),
    "rubbish after gzip": packed(PACKED + b"rubbish"),
}

ON_ALL = pytest.mark.parametrize("transport", ["httpcore", "aiohttp", "pool"], indirect=True)
BOTH_WAYS = pytest.mark.parametrize("prefetch", [False, True], ids=["as read", "prefetch"])

Options = Callable[..., dict[str, Any]]
Ask = Callable[[], Awaitable[str]]


def cases(names: str, table: dict[str, Any]) -> pytest.MarkDecorator:
    """Run a test for each value of *table*, whose keys say in words what it is."""
    return pytest.mark.parametrize(names.split() if " " in names else names, table.values(), ids=table)


@attrs.frozen
class Provider:
    """
    One of the two, and the one call that is made of it: for the group whose id is `GROUP_ID`.

    *of* makes a client of a server, and gives the call.
    """

    name: str
    path: str
    document: object
    of: Callable[..., Ask]

    @property
    def good(self) -> bytes:
        """A good answer to the call."""
        return json_answer(self.document)


def token(number: int) -> str:
    """Return the token that the endpoint hands out as its *number*th."""
    return f"CANARY-token-{number}"


def good_tokens(expires_in: object = 18_000) -> Answer:
    """Hand out one token after another, each for *expires_in* seconds."""
    return lambda request, n: token_answer(token(n), expires_in)


def serve(server: FaultServer, listing: Answer = GOOD_PAGE, *, tokens: Answer | None = None) -> None:
    """Let *server* be m3ter, whose endpoint gives *tokens*, and whose list of groups is *listing*."""
    server.always(TOKEN, tokens or good_tokens())
    server.always(LIST, listing)


def bearer(request: Request) -> str:
    """Return the token that *request* presents."""
    scheme, _, presented = (request.header("authorization") or "").partition(" ")
    assert scheme == "Bearer"
    return presented


def presented(server: FaultServer) -> list[str]:
    """Return the tokens that the requests for the list presented, in order."""
    return [bearer(request) for request in server.asked(LIST)]


def only_with(*good: str, refusal: Script = WRONG) -> Answer:
    """Return the list to whoever presents a *good* token, else *refusal*."""
    return lambda request, n: GOOD_PAGE if bearer(request) in good else refusal


async def listed(client: M3terClient, user_id: str = "user-1", **options: Any) -> list[str]:
    """Return the ids of the groups of *user_id*."""
    return [group.id for group in await client.list_user_groups(user_id, **options).collect()]


async def error_of(call: Awaitable[object]) -> UserGroupsError:
    """Return the error that *call* ends with."""
    with pytest.raises(UserGroupsError) as caught:
        await call
    return caught.value


class Meanwhile:
    """A clock whose sleepers never nap: something is done instead of each wait."""

    def __init__(self, deed: Callable[[], object] = lambda: None) -> None:
        self.waits: list[float] = []
        self._deed = deed

    def __call__(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Do it."""
        self.waits.append(seconds)
        self._deed()


@contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """Return what tells the most bytes that were in use at once, so far in this block."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """
    Keep the interpreter from walking over a crowd, or over a long answer.

    10,000 tasks that do nothing but wait make it stop the loop for up to 0.1 s, without any SDK.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
