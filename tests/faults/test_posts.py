"""A list that is asked for by POST: it only reads, so it is sent again as a GET would be."""

import pytest

from faults.calls import DOWN, FORBIDDEN, ON_ALL, TOKEN, WRONG, bearer, cases, good_tokens, token
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from rig.script import Script, close, json_answer, reset
from rig.server import FaultServer
from usergroups import PermissionDeniedError, RetryPolicy, ServerError

CONTENTS = "/organizations/org-1/resourcegroups/user/g-1/contents"
ITEMS = json_answer({"data": [{"targetId": "ada", "targetType": "ITEM"}]})
AT_ONCE = {"retry": RetryPolicy(backoff_initial=0.001, backoff_max=0.001)}


async def listed(m3ter: MakeM3ter, server: FaultServer) -> list[str | None]:
    """Return what the items of the group stand for."""
    return [item.target_id for item in await m3ter(server, **AT_ONCE).list_group_items("g-1", page_size=7)]


@pytest.fixture(autouse=True)
def tokens(server: FaultServer) -> None:
    """Hand out one token after another."""
    server.always(TOKEN, good_tokens())


async def test_request_says_that_it_has_no_content(m3ter: MakeM3ter, server: FaultServer) -> None:
    """Its length is told, which is 0, and there is no type of a content that is not there (RFC 9110, 8.6)."""
    server.once(CONTENTS, ITEMS)

    assert await listed(m3ter, server) == ["ada"]

    (request,) = server.asked(CONTENTS)
    assert request.target == f"{CONTENTS}?pageSize=7".encode()
    assert (request.method, request.body, bearer(request)) == ("POST", b"", token(1))
    assert [value for name, value in request.headers if name == "content-length"] == ["0"]
    assert {"content-type", "transfer-encoding", "expect"}.isdisjoint(name for name, _ in request.headers)


@cases(
    "failure",
    {
        "503": DOWN,
        "closed": (close,),
        "reset": (reset,),
        "reset in the headers": (b"HTTP/1.1 200 OK\r\nContent-", reset),
        "closed in the body": (ITEMS[:-5], close),
    },
)
@ON_ALL
async def test_failure_is_tried_again(m3ter: MakeM3ter, server: FaultServer, failure: Script) -> None:
    """After an outage or a connection that is lost, the same request goes out again, and the caller does not notice."""
    server.once(CONTENTS, failure, failure, ITEMS)

    assert await listed(m3ter, server) == ["ada"]

    asked = {(request.method, request.target, request.body) for request in server.asked(CONTENTS)}
    assert asked == {("POST", f"{CONTENTS}?pageSize=7".encode(), b"")}
    assert server.count(CONTENTS) == 3


async def test_attempts_end(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """Where no attempt succeeds, their number is that of the policy, and the error names the request."""
    server.always(CONTENTS, DOWN)

    with watch.raises(ServerError, match=f"^POST {CONTENTS} answered 503 ") as caught:
        await listed(m3ter, server)

    assert caught.value.attempts == server.count(CONTENTS) == 3


async def test_closed_idle_connection_is_invisible(m3ter: MakeM3ter, server: FaultServer) -> None:
    """A request that meets the end of a kept-alive connection is sent again at once, and that is no attempt."""
    server.once(CONTENTS, ITEMS, (close,), ITEMS)
    client = m3ter(server, retry=RetryPolicy(attempts=1))

    for _ in range(2):
        assert [item.target_id for item in await client.list_group_items("g-1")] == ["ada"]

    first, second, third = server.asked(CONTENTS)
    assert first.connection == second.connection != third.connection


@cases("refusal", {"401": WRONG, "403": FORBIDDEN})
async def test_refused_token_is_replaced_once(m3ter: MakeM3ter, server: FaultServer, refusal: Script) -> None:
    """A token from an earlier call that is refused costs one new token and one repeat."""
    server.always(CONTENTS, lambda request, n: refusal if n == 2 else ITEMS)
    client = m3ter(server)

    for _ in range(2):
        assert [item.target_id for item in await client.list_group_items("g-1")] == ["ada"]

    assert [bearer(request) for request in server.asked(CONTENTS)] == [token(1), token(1), token(2)]


async def test_refusal_of_a_new_token_is_final(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """A token that was fetched for this very call is not replaced."""
    server.always(CONTENTS, FORBIDDEN)

    with watch.raises(PermissionDeniedError, match="that the service user may read group items"):
        await listed(m3ter, server)

    assert (server.count(TOKEN), server.count(CONTENTS)) == (1, 1)
