"""What httpcore does not publish, and is looked at all the same."""

import httpcore
import pytest

from rig.script import answer, close
from rig.server import FaultServer
from usergroups._http.connections import has_more
from usergroups._http.network import Backend

ANSWER = answer(b"{}")


@pytest.mark.parametrize(
    ("script", "surplus"),
    [(ANSWER, False), (ANSWER + b"x", True), (ANSWER + ANSWER, True), ((ANSWER, close), False)],
    ids=["one answer", "a byte too many", "a second answer", "the end"],
)
async def test_f83_surplus_is_seen_in_this_httpcore(server: FaultServer, script: object, surplus: bool) -> None:
    """
    Where this fails, httpcore keeps what it has read at another place, and no connection is used twice any more.
    """
    server.always("/", script)  # type: ignore[arg-type]
    backend = Backend()
    origin = httpcore.URL(server.url).origin
    connection = httpcore.AsyncConnectionPool(network_backend=backend).create_connection(origin)

    response = await connection.handle_async_request(httpcore.Request("GET", server.url, headers={"Host": "rig"}))
    await response.aread()
    await response.aclose()

    assert has_more(connection) is surplus
    await connection.aclose()


def test_f83_what_cannot_be_told_is_taken_for_surplus() -> None:
    """A connection of another make is not used again."""
    assert has_more(object())
