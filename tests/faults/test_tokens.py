"""The life of a token: one fetch for all, a new one ahead of time, what the endpoint may answer, and who is refused."""

import asyncio
import gzip
import os
import random
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import httpx
import pytest

from faults.calls import (
    DOWN,
    FORBIDDEN,
    GOOD_PAGE,
    LIST,
    MIB,
    ON_ALL,
    TOKEN,
    WRONG,
    bearer,
    cases,
    good_tokens,
    listed,
    memory,
    no_garbage_collection,
    only_with,
    presented,
    serve,
    token,
)
from rig.bodies import least
from rig.canary import API_KEY_ID, API_SECRET, WORD
from rig.cancel import explore
from rig.clock import FakeClock
from rig.eager import begin_tasks_eagerly
from rig.fixtures import MakeM3ter, MakeServer
from rig.goes import goes
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.link import Link
from rig.script import Gate, Script, answer, head, hold, json_answer, pause, reset, silence, token_answer
from rig.server import FaultServer, Request
from rig.storm import storm
from rig.tally import Tally
from unit.endpoint import Shelf
from usergroups import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    M3terClient,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    Token,
    UserGroupsError,
    sweep,
)

A, B = token(1), token(2)
GROUPS = ["group-1"]
ENDPOINT_TAKES = 0.05  # seconds
LIFE = 100  # seconds, of tokens on a fake clock
GIB = 1024 * MIB
SECRET_WRONG = {"error": "invalid_client", "error_description": "The API secret is wrong"}

REFUSALS = cases("refusal error", {"401": (WRONG, AuthenticationError), "403": (FORBIDDEN, PermissionDeniedError)})


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that only the test moves."""
    return FakeClock(autopilot=False)


@pytest.fixture
def patient_clock() -> FakeClock:
    """Return a clock that only the test moves, once server and client have said all they have to say."""
    return FakeClock(autopilot=False, grace=0.05)


# 1 to 5: a crowd


@pytest.fixture
def crowd(transport: httpx.AsyncBaseTransport | None) -> int:
    """Return the number of callers: whom a fetch serves is nothing to the transport, so the second has fewer."""
    return 10_000 if transport is None else 1_000


async def arrive(count: int, call: Callable[[], Awaitable[object]]) -> list["asyncio.Task[object]"]:
    """
    Start *count* callers, 50 in each turn of the event loop, as they come in life.

    All of them in one turn would be one long turn, whatever the SDK does.
    """

    async def caller() -> object:
        return await call()

    tasks = []
    for start in range(0, count, 50):
        tasks += [asyncio.create_task(caller()) for _ in range(min(50, count - start))]
        await asyncio.sleep(0)
    return tasks


async def outcomes(tasks: list["asyncio.Task[object]"]) -> list[BaseException | None]:
    """Return what each of *tasks* raised, or None."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [one if isinstance(one, BaseException) else None for one in results]


async def test_f01_ten_thousand_callers_share_one_fetch(
    make_server: MakeServer, m3ter: MakeM3ter, crowd: int, quiet: None
) -> None:
    """Any number of callers without a token cost one token request, and the event loop stays free."""
    for go in goes():
        gate, server = Gate(), make_server()
        server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), token_answer(A)))
        server.always(LIST, GOOD_PAGE)
        client = m3ter(server)

        with no_garbage_collection():
            async with Heartbeat() as heartbeat:
                lists = await arrive(50, partial(listed, client))  # each costs a request, so only some are lists
                callers = await arrive(crowd - 50, client.authenticate)
                gate.open()
                assert await outcomes([*lists, *callers]) == [None] * crowd

        assert server.count(TOKEN) == 1
        assert presented(server) == [A] * 50
        go.took(heartbeat.largest_gap, at_most=0.1)


async def test_f02_first_caller_may_leave(server: FaultServer, m3ter: MakeM3ter, crowd: int) -> None:
    """The caller whose call started the fetch is cancelled, and nobody else notices."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), token_answer()))
    client = m3ter(server)

    first, *_ = await arrive(1, client.authenticate)
    asyncio.get_running_loop().call_later(0.01, first.cancel)
    others = await arrive(crowd - 1, client.authenticate)
    await gate.arrived()
    left, *_ = await outcomes([first])
    gate.open()

    assert isinstance(left, asyncio.CancelledError)
    assert await outcomes(others) == [None] * (crowd - 1)
    assert server.count(TOKEN) == 1


async def test_f03_fetch_outlives_its_callers(server: FaultServer, m3ter: MakeM3ter, crowd: int) -> None:
    """A fetch that nobody waits for any more is finished, and its token serves the next call."""
    gate = Gate()
    serve(server, tokens=(hold(gate), pause(ENDPOINT_TAKES), token_answer(A)))
    client = m3ter(server)

    callers = await arrive(crowd, client.authenticate)
    await gate.arrived()
    for caller in callers:
        caller.cancel()
    left = await outcomes(callers)
    gate.open()
    await FakeClock(grace=4 * ENDPOINT_TAKES).settle()  # the answer has come, with nobody there

    assert all(isinstance(one, asyncio.CancelledError) for one in left)
    assert await listed(client) == GROUPS
    assert (server.count(TOKEN), presented(server)) == (1, [A])


async def test_f04_failure_is_shared_too(server: FaultServer, m3ter: MakeM3ter, crowd: int) -> None:
    """An endpoint that is down is asked as often as the policy says, and each caller gets an error of its own."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), pause(ENDPOINT_TAKES), DOWN))
    server.always(TOKEN, DOWN)
    client = m3ter(server, roll=0.0)

    callers = await arrive(crowd, client.authenticate)
    gate.open()
    errors = await outcomes(callers)

    assert server.count(TOKEN) == 3
    assert {type(error) for error in errors} == {ServerError}
    assert len({id(error) for error in errors}) == crowd


async def test_f05_impatient_callers_do_not_start_anew(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, quiet: None
) -> None:
    """An endpoint that takes longer than any caller waits is asked once, and then all are served."""
    clock = FakeClock(autopilot=False, rules_loop=True)  # the timeouts go by it, too: no noise can use them up
    clock.watch()
    gates: list[tuple[float, Gate]] = []

    def endpoint(request: Request, n: int) -> Script:
        gates.append((clock() + 0.06, gate := Gate()))
        return (hold(gate), token_answer(token(n)))

    async def pass_10_ms() -> None:
        clock.autopilot, clock.grace = False, 0.0
        await clock.advance(0.01)
        for opens_at, gate in gates:
            if clock() >= opens_at - 1e-6:
                gate.open()
        clock.autopilot, clock.grace = True, 0.5  # who is not served now is to hear it by its timeout

    serve(server, tokens=endpoint)
    client = m3ter(server, clock=clock)

    early = [asyncio.create_task(listed(client, timeout=0.05))]
    await server.got(1)
    for _ in range(5):
        await pass_10_ms()
        early.append(asyncio.create_task(listed(client, timeout=0.05)))
    late = []
    for _ in range(94):  # until a second is over
        await pass_10_ms()
        late.append(await listed(client, timeout=0.05))

    first, *_ = await outcomes(early)
    assert isinstance(first, APITimeoutError)
    watch.saw(first)
    assert late == [GROUPS] * 94
    assert server.count(TOKEN) <= 2


# 8: too late


@cases(
    "fault error",
    {
        "503": (DOWN, ServerError),
        "reset": ((reset,), APIConnectionError),
        "silence": ((silence,), APITimeoutError),
    },
)
async def test_f08_expired_token_and_endpoint_recover(
    server: FaultServer,
    m3ter: MakeM3ter,
    patient_clock: FakeClock,
    watch: Watch,
    fault: Script,
    error: type[UserGroupsError],
) -> None:
    """Without a token and an endpoint there is a typed error in time, and the first call after recovery works."""
    clock = patient_clock
    server.once(TOKEN, token_answer(A, LIFE))
    endpoint = server.always(TOKEN, fault)
    server.always(LIST, GOOD_PAGE)
    client = m3ter(server, clock=clock, roll=0.0, timeout=0.2)
    await listed(client)

    await clock.advance(LIFE)
    for go in goes():
        for _ in range(2):
            began = time.monotonic()
            with watch.raises(error):
                await listed(client)
            go.took(time.monotonic() - began, at_most=0.25)
    await clock.settle()  # the fetch has the same 0.2 s, from a moment later
    endpoint.answer = token_answer(B, LIFE)

    assert await listed(client) == GROUPS
    assert presented(server) == [A, B]


# 9 to 18: what the endpoint may answer


@pytest.mark.parametrize("status", [401, 400])
async def test_f09_refused_credentials_are_remembered(
    server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch, status: int
) -> None:
    """A wrong secret is told in the provider's words, not tried again at once, and not again for 30 s."""
    endpoint = server.always(TOKEN, json_answer(SECRET_WRONG, status))
    server.always(LIST, GOOD_PAGE)
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
    assert await listed(client) == GROUPS


@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (503, ServerError)])
async def test_f10_retry_after_holds_for_all_callers(
    server: FaultServer, make_m3ter: MakeM3ter, clock: FakeClock, watch: Watch, status: int, error: type[APIStatusError]
) -> None:
    """For 20 s no token is asked for: who can wait that long is served then, the others hear how long it is."""
    server.once(TOKEN, answer(b"", status, {"Retry-After": "20"}))
    serve(server)
    client = make_m3ter(server, clock=clock, max_rate=None, retry=RetryPolicy(attempts=1))

    with watch.raises(error) as first:
        await listed(client)
    await clock.advance(5)
    with watch.raises(RateLimitedError) as impatient:
        await listed(client, timeout=14)
    patient = [asyncio.create_task(listed(client, timeout=16)) for _ in range(3)]
    await clock.advance(14.9)
    before = server.count(TOKEN)
    await clock.advance(0.6)  # with up to half a second at random

    assert (first.value.retry_after, impatient.value.retry_after) == (20, 15)
    assert (first.value.status_code, impatient.value.status_code) == (status, status)
    assert await asyncio.gather(*patient) == [GROUPS] * 3
    assert (before, server.count(TOKEN)) == (1, 2)


def token_body(field: str) -> bytes:
    """Return a token answer with a *field* that Python's own JSON would not write."""
    return answer(f'{{"access_token": "{A}", {field}}}'.encode())


@cases(
    "script match",
    {
        "no life": (token_body('"expires_in": "1_000"'), "no usable token"),
        "an infinite life": (token_body('"expires_in": 1e400'), "no usable token"),
        "no token": (json_answer({"expires_in": 3600, "scope": WORD}), "access_token"),
        "a header within": (token_answer(f"{WORD}\r\nX-Evil: 1"), "access_token"),
        "no ASCII": (token_answer(f"{WORD}-\u00e9"), "access_token"),
        "longer than 16 KiB": (token_answer(WORD.ljust(16_385, "x")), "too long .*access_token"),
        "another type": (token_answer(token_type="mac"), "token_type"),
        "HTML": (answer(b"<html><title>Sign in</title></html>", content_type="text/html"), "no usable token"),
        "null": (answer(b"null"), "no usable token"),
        "an error": (answer(b'{"error": "invalid_client"}'), "no usable token"),
        "cut off": (answer(f'{{"access_token": "{WORD}'.encode()), "no usable token"),
    },
)
async def test_f11_f14_f15_f16_f93_answer_without_a_usable_token(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, script: bytes, match: str
) -> None:
    """A 200 without a token that a header can carry and that ends some day is final, sent nowhere, and not shown."""
    server.always(TOKEN, script)

    with watch.raises(AuthenticationError, match=match) as caught:
        await listed(m3ter(server))

    assert (caught.value.status_code, caught.value.body) == (200, "")
    assert server.count() == 1


async def test_f14_f15_f93_longest_token_is_used(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A token of 16 KiB is one, and is presented as Bearer though the endpoint says of no type that it is."""
    longest = WORD.ljust(16_384, "x")
    serve(server, tokens=json_answer({"access_token": longest}))

    await listed(m3ter(server))

    assert presented(server) == [longest]


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

    async def __call__(self, wire: Link) -> None:
        while self.sent < 2 * GIB:
            wire.send(self._piece)
            self.sent += len(self._piece)
            await wire.drain()


@cases(
    "start piece",
    {
        "with its length": (head(200, length=2 * GIB), b" " * 65_536),
        "chunked": (head(200, {"Transfer-Encoding": "chunked"}), b"10000\r\n%b\r\n" % (b" " * 65_536)),
        "a bomb": (answer(gzip.compress(b" " * 128 * MIB, 1), headers={"Content-Encoding": "gzip"}), b""),
    },
)
async def test_f18_endless_answer_is_cut(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, start: bytes, piece: bytes
) -> None:
    """Of an answer of 2 GiB one MiB is read, and little more than that is even sent; a bomb is left unopened."""
    torrent = Torrent(piece)
    server.always(TOKEN, (start, torrent) if piece else start)

    with memory() as peak:
        with watch.raises(AuthenticationError, match="1,048,576 bytes"):
            await listed(m3ter(server))
        assert peak() < 9 * MIB

    assert torrent.sent < 32 * MIB  # what the sockets hold included
    assert server.count() == 1


async def test_f18_largest_answer_is_read(server: FaultServer, m3ter: MakeM3ter) -> None:
    """An answer of 1 MiB is still one."""
    document = token_answer(A).partition(b"\r\n\r\n")[2]
    serve(server, tokens=answer(document.ljust(MIB)))

    assert await listed(m3ter(server)) == GROUPS


# 19, 20 and 22: tokens that the API refuses


@REFUSALS
async def test_f19_f22_refused_token_is_replaced_once(
    server: FaultServer, m3ter: MakeM3ter, refusal: bytes, error: type[APIStatusError]
) -> None:
    """A 401 or 403 on a token from an earlier call costs one new token and one repeat; the caller never notices."""
    serve(server, only_with(B, refusal=refusal))
    client = m3ter(server)
    await client.authenticate()

    assert await listed(client) == GROUPS
    assert presented(server) == [A, B]
    assert server.count(TOKEN) == 2


@REFUSALS
async def test_f19_f22_second_refusal_is_final(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, refusal: bytes, error: type[APIStatusError]
) -> None:
    """A refusal of the new token too is the caller's, in the provider's words."""
    serve(server, refusal)
    client = m3ter(server)
    await client.authenticate()

    with watch.raises(error, match="The access token is not accepted|Not allowed"):
        await listed(client)

    assert presented(server) == [A, B]
    assert server.count(TOKEN) == 2


@REFUSALS
async def test_f19_token_fetched_for_this_very_call_is_not_replaced(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, refusal: bytes, error: type[APIStatusError]
) -> None:
    """A refusal of a token that is as new as can be is final, for everyone who waited on its fetch."""
    gate = Gate()
    serve(server, refusal, tokens=(hold(gate), token_answer(A)))
    client = m3ter(server)

    callers = [asyncio.create_task(listed(client)) for _ in range(5)]
    await gate.arrived()
    gate.open()
    for caller in callers:
        with watch.raises(error):
            await caller

    assert presented(server) == [A] * 5
    assert server.count(TOKEN) == 1


async def test_f20_stragglers_take_the_token_that_is_there(server: FaultServer, m3ter: MakeM3ter, quiet: None) -> None:
    """Whoever hears late that token A is refused repeats with B, and asks for no other."""
    gate = Gate()

    def api(request: Request, n: int) -> Script:
        late = request.path.endswith("/straggler/usergroups")
        return GOOD_PAGE if bearer(request) == B else (hold(gate), WRONG) if late else WRONG

    serve(server, api)
    client = m3ter(server, max_in_flight=301)
    await client.authenticate()

    stragglers = [asyncio.create_task(listed(client, "straggler")) for _ in range(300)]
    await gate.arrived(300)
    await listed(client)  # is refused, and brings B
    gate.open()
    await asyncio.gather(*stragglers)

    assert Counter(presented(server)) == {A: 301, B: 301}
    assert server.count(TOKEN) == 2


# 23: a process of its own, whose wall clock is wrong from before the SDK is imported: it could have kept the real one
DAYS_OFF = """
import asyncio, sys, time
true_time, shift = time.time, 0.0
time.time = lambda: true_time() + shift
time.time_ns = lambda: int(time.time() * 1e9)
from usergroups import M3terClient

async def main():
    global shift
    async with M3terClient(org_id="org-1", base_url=sys.argv[1], timeout=10) as client:
        for shift in (0.0, 86_400.0, -86_400.0):
            await client.list_user_groups("user-1").collect()

asyncio.run(main())
"""


async def test_f23_wall_clock_may_jump(server: FaultServer) -> None:
    """A day more or less on the wall clock costs no token request."""
    serve(server)
    surroundings = {
        "M3TER_API_KEY": API_KEY_ID,
        "M3TER_API_SECRET": API_SECRET,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", DAYS_OFF, server.url),
        env={**os.environ, **surroundings},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()

    assert (process.returncode, complaints.decode()) == (0, "")
    assert presented(server) == [A] * 3
    assert server.count(TOKEN) == 1


class Tenants:
    """
    Two organizations behind one server, each with credentials and tokens of its own.

    A token is refused after 100 uses; every answer sets a cookie; `crossed` says what came from the other client.
    """

    def __init__(self, server: FaultServer) -> None:
        self.crossed: list[str] = []
        self.served: Counter[str] = Counter()
        self._uses: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        serve(server, self.serve, tokens=self.issue)

    def issue(self, request: Request, n: int) -> Script:
        """Hand out a token in the name of whoever asks."""
        user = b64decode((request.header("authorization") or "").removeprefix("Basic ")).decode()
        tenant = user.partition(":")[0]
        if user != f"{tenant}:{WORD}-secret-of-{tenant}":
            self.crossed.append(f"secret {user}")
        self._check(request, tenant)
        self._asked[tenant] += 1
        named = f"{WORD}-{tenant}-{self._asked[tenant]}"
        return answer(token_answer(named).partition(b"\r\n\r\n")[2], headers=cookie(tenant))

    def serve(self, request: Request, n: int) -> Script:
        """Return the tenant's one group."""
        tenant = request.path.split("/")[2]
        presented = bearer(request)
        if not presented.startswith(f"{WORD}-{tenant}-"):
            self.crossed.append(f"token {presented} for {tenant}")
        self._check(request, tenant)
        self._uses[presented] += 1
        if self._uses[presented] > 100:
            return answer(b"", 401, cookie(tenant))
        self.served[tenant] += 1
        return json_answer({"data": [least("m3ter", "UserGroup", id=f"group-of-{tenant}")]}, headers=cookie(tenant))

    def _check(self, request: Request, tenant: str) -> None:
        if request.header("cookie") is not None:
            self.crossed.append(f"cookie {request.header('cookie')} for {tenant}")
        if not (request.header("user-agent") or "").startswith(f"{tenant} "):
            self.crossed.append(f"user agent {request.header('user-agent')} for {tenant}")


def cookie(tenant: str) -> dict[str, str]:
    """Return a header that makes a browser come back as *tenant*."""
    return {"Set-Cookie": f"session={WORD}-{tenant}; Path=/"}


async def test_f24_nothing_crosses_between_clients(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, transport: httpx.AsyncBaseTransport | None, quiet: None
) -> None:
    """
    Neither of two clients in one program, even on one transport, shows the other's token, cookie or header.

    A tenth of the calls is cancelled. `STORM_SCALE=20` makes 10,000 calls of it, on the quicker transport.
    """
    tenants = Tenants(server)
    clients = {
        name: m3ter(server, org_id=name, api_key=name, api_secret=f"{WORD}-secret-of-{name}", user_agent=name)
        for name in ("red", "blue")
    }

    async def call(dice: random.Random) -> None:
        tenant = dice.choice(["red", "blue"])
        assert await listed(clients[tenant], f"user-{dice.random()}") == [f"group-of-{tenant}"]

    came = await storm(call, calls=200 if transport is None else 500, callers=32, cancel=0.1)

    assert tenants.crossed == []
    assert set(came) <= {"ok", "CancelledError"}
    assert await watch.at_rest() == []
    assert min(tenants.served["red"], tenants.served["blue"]) > came.total() / 4


# 85: tasks that begin at once


@pytest.mark.parametrize("store", ["none", "empty", "filled"])
async def test_f85_eager_tasks(server: FaultServer, m3ter: MakeM3ter, store: str) -> None:
    """With eager tasks, and a store that holds a token or not, one after another and all at once, calls are served."""
    begin_tasks_eagerly()
    serve(server)
    shelf = Shelf(asyncio.get_running_loop().time)
    if store == "filled":
        await shelf.save(Token(A, 600.0))
    client = m3ter(server, timeout=5.0, token_store=None if store == "none" else shelf)

    await client.authenticate()
    given = [await listed(client)]
    given += [one.value async for one in sweep(lambda user: listed(client, user), ["user-1"] * 20) if one.value]
    ahead = await listed(client, prefetch=True)

    assert given == [GROUPS] * 21
    assert ahead == GROUPS
    assert set(presented(server)) == {A}
    assert server.count(TOKEN) == (store != "filled")


# 86: callers who are cancelled again and again


@pytest.mark.usefixtures("quiet")
async def test_f86_wait_for_a_token_that_is_cancelled_until_it_ends(
    server: FaultServer, m3ter: MakeM3ter, clock: FakeClock
) -> None:
    """A caller who is cancelled in every turn, from whatever step of a call on, takes the token from nobody."""
    serve(server, tokens=good_tokens(expires_in=60))
    client = m3ter(server, clock=clock, max_in_flight=1)
    others: list[asyncio.Task[list[str]]] = []

    async def call() -> list[str]:
        others.append(asyncio.create_task(listed(client, "other")))  # who joins the fetch
        return await listed(client)

    steps = 0
    async for cut in explore(call, times=100):
        steps += 1
        if cut.cancelled and cut.value is None:
            assert isinstance(cut.error, asyncio.CancelledError)
        else:
            assert cut.value == GROUPS
        assert await asyncio.gather(*others) == [GROUPS] * len(others)
        await clock.advance(60)  # the next one needs a new token

    assert steps > 6
    assert server.count(TOKEN) <= steps


async def test_f86_crowd_in_a_cancel_scope(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A scope of anyio, which cancels in every turn, ends a crowd that waits for a token, and nobody else."""
    gate = Gate()
    serve(server, tokens=(hold(gate), token_answer()))
    client = m3ter(server)
    other = asyncio.create_task(listed(client))
    await gate.arrived()

    with anyio.move_on_after(0.05) as scope:
        async with anyio.create_task_group() as crowd:
            for number in range(50):
                crowd.start_soon(listed, client, f"user-{number}")
    gate.open()

    assert scope.cancelled_caught
    assert await other == GROUPS
    assert (server.count(TOKEN), server.count(LIST)) == (1, 1)


# 104: a token ends while requests stand in line


class Lives:
    """An endpoint and an API that go by a clock: a token is refused once *life* seconds have passed."""

    def __init__(self, server: FaultServer, clock: FakeClock, life: float) -> None:
        self.came = Tally()
        self.refused = 0
        self._clock = clock
        self._life = life
        self._ends_at: dict[str, float] = {}
        serve(server, self.serve, tokens=self.issue)

    def issue(self, request: Request, n: int) -> Script:
        """Hand out the nth token."""
        self._ends_at[token(n)] = self._clock() + self._life
        self.came.add(1)
        return token_answer(token(n), self._life)

    def serve(self, request: Request, n: int) -> Script:
        """Return the list to whoever presents a token that is still alive."""
        good = self._clock() < self._ends_at[bearer(request)]
        self.refused += not good
        self.came.add(1)
        return GOOD_PAGE if good else FORBIDDEN


@pytest.mark.parametrize("life", [1.9, 10.0], ids=["no refresh ahead", "refresh ahead"])
async def test_f104_no_request_carries_an_ended_token(server: FaultServer, m3ter: MakeM3ter, life: float) -> None:
    """A crowd that stands in line for longer than a token lives is served with one after another; nobody fails."""
    clock = FakeClock(autopilot=False, grace=0.01)
    site = Lives(server, clock, life)
    client = m3ter(server, clock=clock, max_rate=2.0, timeout=None)
    crowd = [asyncio.create_task(listed(client, f"user-{number}")) for number in range(30)]

    starts = 1
    await site.came.until(lambda number: number >= 1)
    while not all(one.done() for one in crowd):
        await clock.advance(0.51)  # to the next start
        starts += 1
        if site.came.value < starts and not all(one.done() for one in crowd):
            await site.came.until(lambda number: number >= starts)  # noqa: B023  # it is waited for here

    await clock.advance(0.51)  # for a refresh that may have begun with the last one

    assert [await one for one in crowd] == [GROUPS] * 30
    assert (site.refused, server.count(LIST)) == (0, 30)
    assert server.count(TOKEN) <= (11 if life < 2.0 else 4)


async def test_f104_next_attempt_carries_the_token_that_is_good_then(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A request that is tried again after a long `Retry-After` shows another token than before, if that has ended."""
    server.once(LIST, answer(b"", 503, {"Retry-After": "59"}))
    serve(server, tokens=good_tokens(expires_in=60))
    client = m3ter(server, clock=FakeClock(grace=0.05), timeout=None)

    assert await listed(client) == GROUPS
    assert presented(server) == [A, B]


# 106: no call ends with a time-out before its own time is over


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("begins", ["the patient one", "an impatient one"])
async def test_f106_call_with_more_time_than_the_client_has_it(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, begins: str, attempts: int
) -> None:
    """A call whose `timeout` is longer than the client's is served, whether it begins a slow fetch or joins it."""
    gate = Gate()
    serve(server, tokens=(hold(gate), token_answer()))
    client = m3ter(server, timeout=0.3, retry=RetryPolicy(attempts=attempts))

    first = asyncio.create_task(listed(client, **({"timeout": 30.0} if begins == "the patient one" else {})))
    await gate.arrived()
    patient = first if begins == "the patient one" else asyncio.create_task(listed(client, timeout=30.0))
    impatient = [listed(client), listed(client)] if patient is first else [first, listed(client)]
    for one in impatient:
        with watch.raises(APITimeoutError, match=r"no answer within 0\.3 s"):
            await one
    gate.open()

    assert await patient == GROUPS
    assert server.count(TOKEN) == 1


@pytest.mark.parametrize("ask", [listed, M3terClient.authenticate], ids=["a list", "authenticate"])
async def test_f106_who_joins_a_fetch_has_its_own_time(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, ask: Callable[[M3terClient], Awaitable[object]]
) -> None:
    """A caller who joins a fetch that began earlier times out at its own end, not at that of the one who began it."""
    gate = Gate()
    server.once(TOKEN, (hold(gate), token_answer()))
    client = m3ter(server, timeout=0.3)
    loop = asyncio.get_running_loop()

    async def late() -> float:
        began = loop.time()
        with watch.raises(APITimeoutError):
            await ask(client)
        return loop.time() - began

    first = asyncio.create_task(late())
    await gate.arrived()
    await asyncio.sleep(0.15)
    joiner = await late()

    assert joiner >= 0.3
    assert await first >= 0.3
    assert server.count(TOKEN) == 1


@ON_ALL
async def test_f106_fetch_that_nobody_waits_for_holds_no_place(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch
) -> None:
    """An endpoint that is silent costs those who wait their time, and those who come later nothing."""
    server.once(TOKEN, (silence,))
    serve(server)
    client = m3ter(server, timeout=0.2, max_in_flight=1)

    with watch.raises(APITimeoutError, match=r"no answer within 0\.2 s"):
        await listed(client)
    await asyncio.sleep(0.2)  # the fetch began a moment after the call

    assert await listed(client, timeout=5.0) == GROUPS
    assert server.count(TOKEN) == 2
