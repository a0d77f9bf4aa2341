"""Rows 19 to 24 of the fault table: tokens that the API refuses, that others hold, and that outlive the clock."""

import asyncio
import os
import random
import sys
from base64 import b64decode
from collections import Counter
from itertools import pairwise

import httpx
import pytest

from faults.token_endpoint import (
    FORBIDDEN,
    LIST,
    PAGE,
    TOKEN,
    WRONG,
    bearer,
    good_tokens,
    listed,
    only_with,
    presented,
    token,
)
from rig.canary import API_KEY_ID, API_SECRET, WORD
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter
from rig.leaks import Watch
from rig.script import Gate, Script, answer, hold, json_answer, token_answer
from rig.server import FaultServer, Request
from rig.storm import SCALE, Losses, storm
from usergroups import APIStatusError, AuthenticationError, PermissionDeniedError, Token

pytest_plugins = ("faults.kinds",)  # clients on either transport

A, B = token(1), token(2)


async def test_f19_refused_token_is_replaced_once(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A 401 on a token from an earlier call costs one new token and one repeat, and the caller never notices."""
    server.always(TOKEN, good_tokens())
    server.always(LIST, only_with(B))
    client = m3ter(server)
    await client.authenticate()

    groups = await listed(client)

    assert groups == ["group-1"]
    assert presented(server) == [A, B]
    assert server.count(TOKEN) == 2


async def test_f19_second_refusal_is_final(server: FaultServer, m3ter: MakeM3ter, watch: Watch) -> None:
    """A 401 on the new token too is the caller's."""
    server.always(TOKEN, good_tokens())
    server.always(LIST, WRONG)
    client = m3ter(server)
    await client.authenticate()

    with watch.raises(AuthenticationError, match="The access token is not accepted"):
        await listed(client)

    assert presented(server) == [A, B]
    assert server.count(TOKEN) == 2


@pytest.mark.parametrize(
    ("refusal", "error"),
    [pytest.param(WRONG, AuthenticationError, id="401"), pytest.param(FORBIDDEN, PermissionDeniedError, id="403")],
)
async def test_f19_token_fetched_for_this_very_call_is_not_replaced(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, refusal: bytes, error: type[APIStatusError]
) -> None:
    """A refusal of a token that is as new as can be is final, for everyone who waited on its fetch."""
    gate = Gate()
    server.always(TOKEN, (hold(gate), token_answer(A)))
    server.always(LIST, refusal)
    client = m3ter(server)

    callers = [asyncio.create_task(listed(client)) for _ in range(5)]
    await gate.arrived()
    gate.open()
    for caller in callers:
        with watch.raises(error):
            await caller

    assert presented(server) == [A] * 5
    assert server.count(TOKEN) == 1


class SlowShelf:
    """A token store that takes its time to save, and has nothing to give."""

    def __init__(self) -> None:
        self.saved = asyncio.Event()

    async def load(self) -> Token | None:
        return None

    async def save(self, token: Token) -> None:
        await self.saved.wait()

    def exclusive(self) -> "SlowShelf":
        return self

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *error: object) -> None:
        return None


async def test_f19_one_replacement_while_a_store_is_slow(server: FaultServer, make_m3ter: MakeM3ter) -> None:
    """A token that is refused while it is still being saved is replaced by one request, whoever comes when."""
    gate, shelf = Gate(), SlowShelf()
    server.once(TOKEN, token_answer(A), (hold(gate), token_answer(B)))
    server.always(TOKEN, good_tokens())
    server.always(LIST, only_with(B))
    client = make_m3ter(server, token_store=shelf)
    await client.authenticate()

    first = asyncio.create_task(listed(client))
    await gate.arrived()
    shelf.saved.set()
    second = asyncio.create_task(listed(client))
    await server.got(4)  # each has been refused once
    gate.open()

    assert await asyncio.gather(first, second) == [["group-1"]] * 2
    assert server.count(TOKEN) == 2


async def test_f20_stragglers_take_the_token_that_is_there(server: FaultServer, m3ter: MakeM3ter, quiet: None) -> None:
    """Whoever hears late that token A is refused repeats with B, and asks for no other."""
    gate = Gate()
    server.always(TOKEN, good_tokens())

    def api(request: Request, n: int) -> Script:
        late = request.path.endswith("/straggler/usergroups")
        return PAGE if bearer(request) == B else (hold(gate), WRONG) if late else WRONG

    server.always(LIST, api)
    client = m3ter(server, max_in_flight=31)
    await client.authenticate()

    stragglers = [asyncio.create_task(listed(client, "straggler")) for _ in range(30)]
    await gate.arrived(30)
    await listed(client)  # is refused, and brings B
    gate.open()
    await asyncio.gather(*stragglers)

    assert Counter(presented(server)) == {A: 31, B: 31}
    assert server.count(TOKEN) == 2


async def test_f20_thousand_stragglers(make_m3ter: MakeM3ter) -> None:
    """A thousand calls that are refused with A after B is there cost no token request."""
    arrived, gate = asyncio.Event(), asyncio.Event()
    requests: Counter[str] = Counter()

    async def api(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == TOKEN:
            requests[TOKEN] += 1
            return httpx.Response(200, json={"access_token": token(requests[TOKEN]), "expires_in": 3600})
        presented = request.headers["authorization"].removeprefix("Bearer ")
        requests[presented] += 1
        if presented == B:
            return httpx.Response(200, json={"data": []})
        if requests[A] == 1000:
            arrived.set()
        if "straggler" in path:
            await gate.wait()
        return httpx.Response(401)

    client = make_m3ter(transport=httpx.MockTransport(api), max_rate=None, max_in_flight=1001)
    await client.authenticate()
    stragglers = [asyncio.create_task(listed(client, "straggler")) for _ in range(1000)]
    await arrived.wait()
    await listed(client)  # is refused, and brings B
    gate.set()

    assert await asyncio.gather(*stragglers) == [[]] * 1000
    assert requests == {TOKEN: 2, A: 1001, B: 1001}


@pytest.mark.parametrize("status", [401, 403])
async def test_f21_one_refused_operation_does_not_hammer_the_endpoint(make_m3ter: MakeM3ter, status: int) -> None:
    """
    An operation that is refused for ever costs a token a minute at most, and others work all the while.

    It is called ten times a second for a minute, and every 6 s for the rest of an hour; with `STORM_SCALE=10` it is
    ten times a second all the time.
    """
    clock = FakeClock(autopilot=False)
    asked_at: list[float] = []

    async def api(request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            asked_at.append(clock())
            return httpx.Response(200, json={"access_token": token(len(asked_at)), "expires_in": 18_000})
        return httpx.Response(status if "blocked" in request.url.path else 200, json={"data": [{"id": "group-1"}]})

    client = make_m3ter(transport=httpx.MockTransport(api), clock=clock, max_rate=None)
    error = AuthenticationError if status == 401 else PermissionDeniedError
    await client.authenticate()
    began = clock()
    number = 0

    while clock() < began + 3600:
        with pytest.raises(error):
            await listed(client, "blocked")
        if number % 20 == 0:
            assert await listed(client) == ["group-1"]
        await clock.advance(0.1 if clock() < began + 60 or SCALE >= 10 else 6)
        number += 1

    refreshes = asked_at[1:]
    assert 50 <= len(refreshes) <= 60
    assert all(after - before >= 60 for before, after in pairwise(refreshes))


async def test_f21_refused_calls_that_overlap_share_their_one_replacement(make_m3ter: MakeM3ter) -> None:
    """Calls that are refused while another's repeat is still under way bring no further token."""
    clock = FakeClock(autopilot=False)
    dice = random.Random(21)
    asked_at: list[float] = []

    async def api(request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            asked_at.append(clock())
            return httpx.Response(200, json={"access_token": token(len(asked_at)), "expires_in": 18_000})
        await clock.sleep(dice.uniform(0.05, 1.0))  # so that they overtake each other
        return httpx.Response(403)

    client = make_m3ter(transport=httpx.MockTransport(api), clock=clock, max_rate=None)
    await client.authenticate()

    calls = []
    for _ in range(700):  # ten a second, so that some are always under way
        calls.append(asyncio.create_task(listed(client)))
        await clock.advance(0.1)
    await clock.advance(1)
    errors = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(error) for error in errors} == {PermissionDeniedError}
    assert len(asked_at) == 3
    assert asked_at[2] - asked_at[1] >= 60


async def test_f22_m3ter_403_may_mean_an_expired_token(server: FaultServer, m3ter: MakeM3ter) -> None:
    """A 403 on a cached token costs one new token and one repeat, for m3ter says 403 of an expired token too."""
    server.always(TOKEN, good_tokens())
    server.always(LIST, only_with(B, refusal=FORBIDDEN))
    client = m3ter(server)
    await client.authenticate()

    groups = await listed(client)

    assert groups == ["group-1"]
    assert presented(server) == [A, B]
    assert server.count(TOKEN) == 2


async def test_f22_second_403_means_what_it_says(server: FaultServer, m3ter: MakeM3ter, watch: Watch) -> None:
    """A 403 on the new token too is a missing permission."""
    server.always(TOKEN, good_tokens())
    server.always(LIST, FORBIDDEN)
    client = m3ter(server)
    await client.authenticate()

    with watch.raises(PermissionDeniedError, match="Not allowed"):
        await listed(client)

    assert presented(server) == [A, B]
    assert server.count(TOKEN) == 2


# A process of its own, whose wall clock is wrong from before the SDK is imported: it could have kept the real one.
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
    server.always(TOKEN, good_tokens())
    server.always(LIST, PAGE)
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
        server.always(TOKEN, self.issue)
        server.always(LIST, self.serve)

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
        return json_answer({"data": [{"id": f"group-of-{tenant}"}]}, headers=cookie(tenant))

    def _check(self, request: Request, tenant: str) -> None:
        if request.header("cookie") is not None:
            self.crossed.append(f"cookie {request.header('cookie')} for {tenant}")
        if not (request.header("user-agent") or "").startswith(f"{tenant} "):
            self.crossed.append(f"user agent {request.header('user-agent')} for {tenant}")


def cookie(tenant: str) -> dict[str, str]:
    """Return a header that makes a browser come back as *tenant*."""
    return {"Set-Cookie": f"session={WORD}-{tenant}; Path=/"}


async def test_f24_nothing_crosses_between_clients(
    server: FaultServer, m3ter: MakeM3ter, transport: httpx.AsyncBaseTransport | None, quiet: None
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

    storms = await storm(list(clients.values()), call, calls=200 if transport is None else 500, callers=32, cancel=0.1)

    assert tenants.crossed == []
    assert set(storms.outcomes) <= {"ok", "CancelledError"}
    assert storms.losses == Losses()
    assert min(tenants.served["red"], tenants.served["blue"]) > storms.calls / 4
