"""Status and headers: what an answer says no with counts, whatever has become of its body."""

import gzip

import pytest

from faults.calls import GROUP_ID, PAGE, TOKEN, Provider
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from rig.script import Script, answer, chunked_answer, close, json_answer, token_answer
from rig.server import FaultServer
from usergroups import APIStatusError, NotFoundError, PermissionDeniedError, RetryPolicy

pytest_plugins = ("faults.kinds", "faults.providers")

WORDS = b'{"message": "no such thing, and this is why: ' + b"x" * 500 + b'"}'
PACKED = gzip.compress(WORDS, mtime=0)
GZIP = {"Content-Encoding": "gzip"}

KINDS = {
    "short Content-Length": lambda status: (answer(WORDS[:60], status, length=999), close),
    "cut chunks": lambda status: (chunked_answer(WORDS[:60], status, ended=False), close),
    "cut gzip": lambda status: answer(PACKED[:-9], status, GZIP),
    "bad CRC": lambda status: answer(PACKED[:-8] + bytes(8), status, GZIP),
    "no gzip at all": lambda status: answer(WORDS, status, GZIP),
    "unknown coding": lambda status: answer(WORDS, status, {"Content-Encoding": "zstd"}),
}


def damaged(kind: str, status: int, headers: bytes = b"") -> Script:
    """Return an answer that says no, with more *headers*, and a body that is damaged in this way."""
    script = KINDS[kind](status)
    parts = script if isinstance(script, tuple) else (script,)
    first = parts[0]
    assert isinstance(first, bytes)
    return (first.replace(b"\r\n", b"\r\n" + headers, 1), *parts[1:])


@pytest.mark.parametrize("kind", KINDS)
async def test_f95_status_counts_though_the_body_is_damaged(
    server: FaultServer, provider: Provider, watch: Watch, kind: str
) -> None:
    """A 404 is a `NotFoundError` at the first try, with as much of its body as can be read."""
    server.always(provider.path, damaged(kind, 404))
    ask = provider.of(server)

    with watch.raises(NotFoundError) as caught:
        await ask()

    assert server.count(provider.path) == 1
    assert caught.value.body in WORDS.decode()
    if kind in ("short Content-Length", "cut chunks", "cut gzip"):
        assert caught.value.body.startswith('{"message": "no such thing')


@pytest.mark.parametrize("kind", KINDS)
async def test_f41_f95_redirect_counts_though_its_body_is_damaged(
    server: FaultServer, provider: Provider, watch: Watch, kind: str
) -> None:
    """A redirect is an error at the first try, and nobody else is asked."""
    server.always(provider.path, damaged(kind, 302, b"Location: /elsewhere\r\n"))

    with watch.raises(APIStatusError) as caught:
        await provider.of(server)()

    assert caught.value.status_code == 302
    assert server.count(provider.path) == 1
    assert server.count("/elsewhere") == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_f95_retry_after_counts_though_the_body_is_damaged(
    server: FaultServer, provider: Provider, clock: FakeClock, kind: str
) -> None:
    """A 429 with a `Retry-After` is waited for, and then the call is repeated."""
    server.once(provider.path, damaged(kind, 429, b"Retry-After: 7\r\n"))
    server.always(provider.path, provider.good)

    assert await provider.of(server, retry=RetryPolicy(), clock=clock)() == GROUP_ID

    (wait,) = clock.slept
    assert 7 <= wait <= 7.5


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("kind", KINDS)
async def test_f95_refused_token_is_replaced_though_the_body_is_damaged(
    server: FaultServer, m3ter: MakeM3ter, kind: str, status: int
) -> None:
    """A token that is refused is replaced once, and the caller never notices."""
    server.once(TOKEN, token_answer("first"), token_answer("second"))
    server.once(PAGE, json_answer({"data": []}), damaged(kind, status))
    server.always(PAGE, json_answer({"data": [{"id": "g"}]}))
    client = m3ter(server)
    await client.list_user_groups("ada").collect()

    groups = await client.list_user_groups("ada").collect()

    assert [group.id for group in groups] == ["g"]
    assert server.count(TOKEN) == 2
    assert server.asked(PAGE)[-1].header("authorization") == "Bearer second"


@pytest.mark.parametrize("kind", KINDS)
async def test_f95_token_endpoint_counts_though_its_body_is_damaged(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, kind: str
) -> None:
    """Credentials that are refused in a damaged answer are refused, and not tried again."""
    server.always(TOKEN, damaged(kind, 403))

    with watch.raises(APIStatusError) as caught:
        await m3ter(server).authenticate()

    assert not isinstance(caught.value, PermissionDeniedError)
    assert caught.value.status_code == 403
    assert server.count(TOKEN) == 1
