"""
Clients on either transport: httpcore, which is the usual one, and aiohttp; and one call of each provider.

Where it matters how a transport deals out its connections, there is "pool" too: a transport of the user's own,
with one httpcore pool. What a test leaves behind or lets out is looked for afterwards.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.calls import GROUP, GROUP_ID, PAGE, TOKEN, Ask, Options, Provider
from rig.bodies import least
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.script import token_answer
from rig.server import FaultServer
from rig.tls import Authority
from storms.losses import busy
from usergroups import RetryPolicy
from usergroups.transports import aiohttp_transport


@pytest.fixture(autouse=True)
def leak_check(watch: Watch) -> None:
    """Let every test here be watched over."""


class _AtRest:
    """A transport that complains when it is closed while one of its connections is in use."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def aclose(self) -> None:
        used = busy(self._transport)
        await self._transport.aclose()
        assert used == 0, f"{used} connection(s) of aiohttp are still in use"


def _make(kind: str, watch: Watch) -> httpx.AsyncBaseTransport | None:
    if kind == "httpcore":
        return None
    transport = aiohttp_transport() if kind == "aiohttp" else httpx.AsyncHTTPTransport()
    watch.add_client(_AtRest(transport))
    return transport


@pytest.fixture(params=["httpcore", "aiohttp"])
async def transport(request: pytest.FixtureRequest, watch: Watch) -> AsyncIterator[httpx.AsyncBaseTransport | None]:
    """Return what to pass as `transport=`: None for the usual one; it is closed after the test."""
    yield _make(request.param, watch)
    await asyncio.sleep(0)  # an exchange that has just ended says so in the next turn


@pytest.fixture
def m3ter(make_m3ter: MakeM3ter, transport: httpx.AsyncBaseTransport | None) -> MakeM3ter:
    """Make m3ter clients on this transport, in the way of `make_m3ter`; without a rate limit, to be quick."""
    return partial(make_m3ter, transport=transport, max_rate=None)


@pytest.fixture
def smartpm(make_smartpm: MakeSmartPM, transport: httpx.AsyncBaseTransport | None) -> MakeSmartPM:
    """Make SmartPM clients on this transport, in the way of `make_smartpm`."""
    return partial(make_smartpm, transport=transport)


@pytest.fixture(params=["httpcore", "aiohttp"])
def options(request: pytest.FixtureRequest, watch: Watch) -> Options:
    """
    Make a client's options on each transport, which is made only now, when the environment is set.
    Back-offs take next to no time unless *retry* is given, and there is no rate limit.
    """

    def make(**options: Any) -> dict[str, Any]:
        quick = RetryPolicy(backoff_initial=0.01, backoff_max=0.01)
        return {"retry": quick, "max_rate": None, "transport": _make(request.param, watch), **options}

    return make


@pytest.fixture(params=["m3ter", "smartpm"])
def provider(
    request: pytest.FixtureRequest, options: Options, make_m3ter: MakeM3ter, make_smartpm: MakeSmartPM
) -> Provider:
    """Call each provider, on each transport."""

    def m3ter(server: FaultServer | str, **more: Any) -> Ask:
        client = make_m3ter(server, **options(**more))
        if isinstance(server, FaultServer):
            server.always(TOKEN, token_answer())

        async def ask() -> str:
            (group,) = await client.list_user_groups("ada", page_size=77, next_token="token-of-a-page").collect()
            return group.id

        return ask

    def smartpm(server: FaultServer | str, **more: Any) -> Ask:
        client = make_smartpm(server, **options(**more))

        async def ask() -> str:
            return str((await client.get_user_group(GROUP_ID)).id)

        return ask

    if request.param == "m3ter":
        return Provider("m3ter", PAGE, {"data": [least("m3ter", "UserGroup", id=GROUP_ID)]}, m3ter)
    group = least("smartpm", "UserGroup", id=GROUP_ID, name="Operators", users=[])
    return Provider("smartpm", GROUP, group, smartpm)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the libraries' logs to what is not DEBUG: httpcore's twenty records a request cost more than that."""
    for name in ("httpcore", "asyncio", "aiohttp"):
        caplog.set_level(logging.INFO, logger=name)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Sign certificates."""
    return Authority()


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Trust the authority by the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert_file(tmp_path)))
    return authority
