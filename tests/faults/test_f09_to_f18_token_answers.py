"""Rows 9 to 18 of the fault table: what the token endpoint may answer, and what comes of it."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from faults.token_endpoint import DOWN, LIST, PAGE, TOKEN, WRONG, bearer, listed, presented, token
from rig.canary import ACCESS_TOKEN
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer
from rig.leaks import Watch
from rig.script import Script, Wire, answer, head, json_answer, token_answer
from rig.server import FaultServer, Request
from usergroups import APIStatusError, AuthenticationError, RateLimitedError, RetryPolicy, ServerError

pytest_plugins = ("faults.kinds",)  # clients on either transport

SECRET_WRONG = {"error": "invalid_client", "error_description": "The API secret is wrong"}
BUSY = answer(b"", 429, {"Retry-After": "20"})
MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that only the test moves."""
    return FakeClock(autopilot=False)


@pytest.fixture
def patient_clock() -> FakeClock:
    """Return a clock that only the test moves, once server and client have said all they have to say."""
    return FakeClock(autopilot=False, grace=0.05)


@pytest.mark.parametrize("status", [401, 400])
async def test_f09_refused_credentials_are_remembered(
    server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch, status: int
) -> None:
    """A wrong secret is told in the provider's words, not tried again at once, and not again for 30 s."""
    endpoint = server.always(TOKEN, json_answer(SECRET_WRONG, status))
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None)

    with watch.raises(AuthenticationError, match="The API secret is wrong") as caught:
        await listed(client)
    asked_once = server.count(TOKEN)
    for number in range(999):
        with pytest.raises(AuthenticationError, match="The API secret is wrong"):
            await (listed(client) if number % 2 else client.authenticate())
        await clock.advance(0.03)
    asked_in_30_seconds = server.count(TOKEN)
    endpoint.answer = token_answer()
    await clock.advance(0.04)

    assert (caught.value.message, caught.value.status_code) == ("The API secret is wrong", status)
    assert asked_once == 1
    assert asked_in_30_seconds <= 2
    assert await listed(client) == ["group-1"]


async def test_f10_retry_after_holds_for_all_callers(
    server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch
) -> None:
    """For 20 s no token is asked for: who can wait that long is served then, the others hear how long it is."""
    server.once(TOKEN, BUSY)
    server.always(TOKEN, token_answer())
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None, retry=RetryPolicy(attempts=1))

    with watch.raises(RateLimitedError) as first:
        await listed(client)
    await clock.advance(5)
    with watch.raises(RateLimitedError) as impatient:
        await listed(client, timeout=14)
    patient = [asyncio.create_task(listed(client, timeout=16)) for _ in range(3)]
    await clock.advance(14.9)
    before = server.count(TOKEN)
    await clock.advance(0.2)

    assert (first.value.retry_after, impatient.value.retry_after) == (20, 15)
    assert await asyncio.gather(*patient) == [["group-1"]] * 3
    assert (before, server.count(TOKEN)) == (1, 2)


async def test_f10_retry_after_is_waited_for_within_a_call(
    server: FaultServer, make_m3ter: MakeM3ter, patient_clock: FakeClock, watch: Watch
) -> None:
    """The caller whose fetch met the 429 waits 20 s and is served; who waits or comes and cannot is turned away."""
    clock = patient_clock
    server.once(TOKEN, BUSY)
    server.always(TOKEN, token_answer())
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None)

    patient = asyncio.create_task(listed(client))
    hurried = asyncio.create_task(listed(client, timeout=19))  # waits for the same fetch
    await clock.settle()
    with watch.raises(RateLimitedError):
        await hurried
    with watch.raises(RateLimitedError) as impatient:
        await listed(client, timeout=19)
    await clock.advance(19.99)
    before = server.count(TOKEN)
    await clock.advance(0.6)

    assert impatient.value.retry_after is not None
    assert 20 <= impatient.value.retry_after <= 20.5
    assert await patient == ["group-1"]
    assert (before, server.count(TOKEN)) == (1, 2)


async def test_f10_retry_after_of_an_endpoint_that_is_down(
    server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch
) -> None:
    """A 503 that says when to come back holds as a 429 does: who asked hears of the 503, the others of the wait."""
    server.always(TOKEN, answer(b"", 503, {"Retry-After": "20"}))
    client = make_m3ter(server, clock=clock, max_rate=None, retry=RetryPolicy(attempts=1))

    with watch.raises(ServerError):
        await listed(client)
    await clock.advance(5)
    with watch.raises(RateLimitedError) as later:
        await listed(client, timeout=14)

    assert (later.value.status_code, later.value.retry_after) == (503, 15)
    assert server.count(TOKEN) == 1


async def test_f10_old_token_serves_meanwhile(
    server: FaultServer, make_m3ter: MakeM3ter, patient_clock: FakeClock
) -> None:
    """A refresh that is told to wait 20 s is not tried again before, and the old token goes on serving."""
    clock = patient_clock
    asked_at: list[float] = []

    def endpoint(request: Request, n: int) -> Script:
        asked_at.append(clock())
        return BUSY if n == 2 else token_answer(token(n), 1_000)

    server.always(TOKEN, endpoint)
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None)
    await client.authenticate()

    await clock.advance(800)  # the last part of the token's life has begun
    for _ in range(11):
        assert await listed(client) == ["group-1"]
        await clock.advance(2)

    assert set(presented(server)[:10]) == {token(1)}
    assert len(asked_at) == 3
    assert asked_at[2] - asked_at[1] >= 20


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        pytest.param(b'"expires_in": 3600', 3600, id="number"),
        pytest.param(b'"expires_in": "3600"', 3600, id="text"),
        pytest.param(b'"expires_in": 3600.0', 3600, id="float"),
        pytest.param(b'"expires_in": null', 600, id="null"),
        pytest.param(b'"scope": null', 600, id="missing"),
    ],
)
async def test_f11_life_is_read(
    server: FaultServer, make_m3ter: MakeM3ter, patient_clock: FakeClock, expires_in: bytes, life: int
) -> None:
    """A token lives as long as the endpoint says, and 600 s where it does not: used until 5 s before that."""
    clock = patient_clock
    server.once(TOKEN, token_body(expires_in), DOWN, token_answer(token(2)))
    server.always(LIST, PAGE)
    client = make_m3ter(server, clock=clock, max_rate=None)
    await listed(client)

    await clock.advance(life - 5.1)
    await listed(client)  # with a refresh, which fails
    await clock.advance(0.2)
    await listed(client)

    assert presented(server) == [token(1), token(1), token(2)]
    assert server.count(TOKEN) == 3


@pytest.mark.parametrize("value", ["0", "-1", "true", '"abc"', '"1_000"', "NaN", "1e400", "[]"])
async def test_f11_life_that_is_none_is_refused(
    server: FaultServer, make_m3ter: MakeM3ter, watch: Watch, value: str
) -> None:
    """A token whose life cannot be known is not used, neither once nor for ever."""
    server.always(TOKEN, token_body(b'"expires_in": ' + value.encode()))
    client = make_m3ter(server)

    for _ in range(2):
        with watch.raises(AuthenticationError, match="no usable token"):
            await listed(client)

    assert (server.count(TOKEN), server.count(LIST)) == (2, 0)


def token_body(field: bytes) -> bytes:
    """Return a token answer with a *field* that Python's own JSON would not write."""
    return answer(b'{"access_token": "' + token(1).encode() + b'", ' + field + b"}")


class Issuer:
    """An endpoint and an API that go by a clock: a token is refused once *life* seconds have passed."""

    def __init__(self, server: FaultServer, clock: Callable[[], float], life: float) -> None:
        self.asked_at: list[float] = []
        self.refused = 0
        self._clock = clock
        self._life = life
        self._issued: dict[str, float] = {}
        server.always(TOKEN, self.issue)
        server.always(LIST, self.serve)

    def issue(self, request: Request, n: int) -> Script:
        """Hand out the nth token."""
        self.asked_at.append(self._clock())
        self._issued[token(n)] = self._clock()
        return token_answer(token(n), self._life)

    def serve(self, request: Request, n: int) -> Script:
        """Return the list to whoever presents a token that is still alive."""
        if self._clock() < self._issued[bearer(request)] + self._life:
            return PAGE
        self.refused += 1
        return WRONG

    @property
    def shortest_pause(self) -> float:
        """Return the least time from one token request to the next."""
        return min(after - before for before, after in pairwise(self.asked_at))


@pytest.mark.parametrize(
    ("life", "step", "pause"),
    [
        pytest.param(5, 0.25, 1.0, id="5 s"),
        pytest.param(2, 0.1, 1.0, id="2 s"),
        pytest.param(1, 0.05, 0.95, id="1 s: one request per life, which ends a twentieth early"),
    ],
)
async def test_f12_short_lives(
    server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock, life: int, step: float, pause: float
) -> None:
    """A token of a few seconds is used for as long as it lives, and no caller sees it refused."""
    issuer = Issuer(server, clock, life)
    client = make_m3ter(server, clock=clock, max_rate=None)

    for _ in range(100):
        assert await listed(client) == ["group-1"]
        await clock.advance(step)

    assert issuer.refused == 0
    assert issuer.shortest_pause >= pause - 1e-6
    assert len(set(presented(server))) == len(issuer.asked_at)  # each is used


async def test_f13_same_token_until_it_dies(
    server: FaultServer, make_m3ter: MakeM3ter, patient_clock: FakeClock
) -> None:
    """An endpoint that hands out one token until it dies is asked a handful of times, and nobody notices."""
    clock = patient_clock
    clock.grace = 0.005
    asked_at: list[float] = []
    born = clock()
    life = 100

    def endpoint(request: Request, n: int) -> Script:
        asked_at.append(clock())
        left = born + life - clock()
        return token_answer(token(1), max(1, round(left))) if left > 0 else token_answer(token(2), life)

    server.always(TOKEN, endpoint)
    server.always(LIST, lambda request, n: PAGE if clock() < born + life or bearer(request) == token(2) else WRONG)
    client = make_m3ter(server, clock=clock, max_rate=None)

    for step in [10.0] * 7 + [1.0] * 20 + [0.2] * 60:
        assert await listed(client) == ["group-1"]
        await clock.advance(step)

    assert presented(server)[-1] == token(2)
    assert len(asked_at) <= 8
    assert all(after - before >= 0.2 for before, after in pairwise(asked_at))


async def test_f13_same_token_after_it_died(server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock) -> None:
    """An endpoint that goes on to hand out a dead token is asked once a minute, and then all is well again."""
    endpoint = server.always(TOKEN, token_answer(token(1)))
    server.once(LIST, PAGE)
    server.always(LIST, lambda request, n: PAGE if bearer(request) == token(2) else WRONG)
    client = make_m3ter(server, clock=clock, max_rate=None)
    await listed(client)

    for _ in range(180):  # a call a second for three minutes
        with pytest.raises(AuthenticationError):
            await listed(client)
        await clock.advance(1)
    asked = server.count(TOKEN)
    endpoint.answer = token_answer(token(2))
    await clock.advance(60)

    assert asked <= 1 + 3
    assert await listed(client) == ["group-1"]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"expires_in": 3600, "scope": "CANARY"}, id="missing"),
        pytest.param({"access_token": ""}, id="empty"),
        pytest.param({"access_token": None}, id="null"),
        pytest.param({"access_token": ["CANARY"]}, id="a list"),
        pytest.param({"access_token": 4711}, id="a number"),
        pytest.param({"access_token": "CANARY\r\nX-Evil: 1"}, id="CR LF"),
        pytest.param({"access_token": "CANARY\n"}, id="LF at its end"),
        pytest.param({"access_token": "CANARY\0"}, id="NUL"),
        pytest.param({"access_token": "CANARY token"}, id="space"),
        pytest.param({"access_token": "CANARY-\u00e9"}, id="latin-1"),
        pytest.param({"access_token": "CANARY-\ud800"}, id="a lone surrogate"),
        pytest.param({"access_token": "CANARY" * 3000}, id="longer than 16 KiB"),
    ],
)
async def test_f14_unusable_token_is_an_authentication_error(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, document: dict[str, object]
) -> None:
    """A token that no header can carry is sent nowhere and shown nowhere."""
    server.always(TOKEN, json_answer({"expires_in": 3600, **document}))
    client = m3ter(server)

    with watch.raises(AuthenticationError, match="access_token") as caught:
        await listed(client)

    assert (caught.value.status_code, caught.value.body) == (200, "")
    assert (server.count(TOKEN), server.count(LIST)) == (1, 0)


async def test_f14_longest_token_is_used(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A token of 16 KiB is one."""
    longest = "CANARY-" + "t" * (16 * 1024 - len("CANARY-"))
    server.always(TOKEN, token_answer(longest))
    server.always(LIST, PAGE)

    await listed(m3ter(server))

    assert presented(server) == [longest]


@pytest.mark.parametrize(
    "kind", [{"token_type": "bearer"}, {"token_type": "BEARER"}, {"token_type": None}, {}], ids=str
)
async def test_f15_bearer_in_any_case(server: FaultServer, make_m3ter: MakeM3ter, kind: dict[str, object]) -> None:
    """A token is presented as Bearer, however the endpoint writes that, or if it writes nothing."""
    server.always(TOKEN, json_answer({"access_token": token(1), "expires_in": 3600, **kind}))
    server.always(LIST, PAGE)

    await listed(make_m3ter(server))

    assert [request.header("authorization") for request in server.asked(LIST)] == [f"Bearer {token(1)}"]


@pytest.mark.parametrize("kind", ["mac", "DPoP", "N_A", "", "Bearer ", 1, True, ["Bearer"], {}], ids=repr)
async def test_f15_other_type_is_refused(
    server: FaultServer, make_m3ter: MakeM3ter, watch: Watch, kind: object
) -> None:
    """A token of another type is not presented as if it were a bearer's."""
    server.always(TOKEN, json_answer({"access_token": token(1), "expires_in": 3600, "token_type": kind}))

    with watch.raises(AuthenticationError, match="token_type"):
        await listed(make_m3ter(server))

    assert server.count(LIST) == 0


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"<html><title>Sign in</title></html>", "text/html", id="HTML"),
        pytest.param(b"", "application/json", id="empty"),
        pytest.param(b"null", "application/json", id="null"),
        pytest.param(json.dumps([{"access_token": ACCESS_TOKEN}]).encode(), "application/json", id="a list"),
        pytest.param(json.dumps(ACCESS_TOKEN).encode(), "application/json", id="text"),
        pytest.param(b'{"error": "invalid_client"}', "application/json", id="an error"),
        pytest.param(b'{"access_token": "CANARY', "application/json", id="cut off"),
        pytest.param(b'{"access_token": "CANARY\xff"}', "application/json", id="no UTF-8"),
    ],
)
async def test_f16_answer_without_a_token(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, body: bytes, content_type: str
) -> None:
    """A 200 that holds no token is an authentication error, at the first attempt, and not shown."""
    server.always(TOKEN, answer(body, content_type=content_type))

    with watch.raises(AuthenticationError) as caught:
        await listed(m3ter(server))

    assert (caught.value.status_code, caught.value.body) == (200, "")
    assert server.count() == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_f17_redirect_is_not_followed(
    server: FaultServer, make_server: MakeServer, m3ter: MakeM3ter, watch: Watch, status: int
) -> None:
    """A token endpoint that points elsewhere gets the secret sent nowhere."""
    elsewhere = make_server()
    elsewhere.always("*", token_answer())
    server.always(TOKEN, answer(b"", status, {"Location": f"{elsewhere.url}{TOKEN}"}))

    with watch.raises(APIStatusError) as caught:
        await listed(m3ter(server))

    assert caught.value.status_code == status
    assert len(elsewhere.connections) == 0
    assert server.count() == 1


class Torrent:
    """A body of 2 GiB, and how much of it was sent."""

    def __init__(self, piece: bytes) -> None:
        self.sent = 0
        self._piece = piece

    async def __call__(self, wire: Wire) -> None:
        while self.sent < 2 * GIB:
            wire.send(self._piece)
            self.sent += len(self._piece)
            await wire.drain()


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
async def test_f18_endless_answer_is_cut(server: FaultServer, m3ter: MakeM3ter, watch: Watch, chunked: bool) -> None:
    """Of an answer of 2 GiB one is read, and little more than that is even sent."""
    piece = b" " * 64 * 1024
    torrent = Torrent(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    start = head(200, {"Transfer-Encoding": "chunked"}) if chunked else head(200, length=2 * GIB)
    server.always(TOKEN, (start, torrent))

    with memory() as peak:
        with watch.raises(AuthenticationError, match="1,048,576 bytes"):
            await listed(m3ter(server))
        most = peak()

    assert torrent.sent < 32 * MIB  # what the sockets hold included
    assert most < 9 * MIB
    assert server.count() == 1


async def test_f18_decompression_bomb_is_cut(server: FaultServer, m3ter: MakeM3ter, watch: Watch) -> None:
    """An answer that is small on the wire and large once it is unpacked is left where it gets too large."""
    bomb = gzip.compress(b" " * 128 * MIB, compresslevel=1)
    server.always(TOKEN, answer(bomb, headers={"Content-Encoding": "gzip"}))

    with memory() as peak:
        with watch.raises(AuthenticationError, match="1,048,576 bytes"):
            await listed(m3ter(server))
        most = peak()

    assert len(bomb) < MIB
    assert most < 9 * MIB
    assert server.count() == 1


async def test_f18_largest_answer_is_read(server: FaultServer, m3ter: MakeM3ter) -> None:
    """An answer of 1 MiB is still one."""
    document = token_answer(token(1)).partition(b"\r\n\r\n")[2]
    server.always(TOKEN, answer(document.ljust(MIB)))
    server.always(LIST, PAGE)

    assert await listed(m3ter(server)) == ["group-1"]


@contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """Trace the memory that is used in this block, and give how to ask for its largest amount in bytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
