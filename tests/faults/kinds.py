"""
Clients on either transport: httpcore, which is the usual one, and aiohttp. Fixtures for the fault tests.

A module of tests takes them with `pytest_plugins = ("faults.kinds",)`. Where it matters how a transport
deals out its connections, there is "pool" too: a transport of the user's own, with one httpcore pool.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Protocol

import httpx
import pytest

from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from storms.losses import busy
from usergroups.transports import aiohttp_transport


@pytest.fixture(params=["httpcore", "aiohttp"])
async def transport(request: pytest.FixtureRequest, watch: Watch) -> AsyncIterator[httpx.AsyncBaseTransport | None]:
    """Return what to pass as `transport=`: None for the usual one; it is closed after the test."""
    made: httpx.AsyncBaseTransport | None = None
    if request.param == "aiohttp":
        made = aiohttp_transport()
    elif request.param == "pool":
        made = httpx.AsyncHTTPTransport()
    if made is not None:
        watch.add_client(_AtRest(made))
    yield made
    await asyncio.sleep(0)  # an exchange that has just ended says so in the next turn


@pytest.fixture
def m3ter(make_m3ter: MakeM3ter, transport: httpx.AsyncBaseTransport | None) -> MakeM3ter:
    """Make m3ter clients on this transport, in the way of `make_m3ter`; without a rate limit, to be quick."""
    return partial(make_m3ter, transport=transport, max_rate=None)


@pytest.fixture
def smartpm(make_smartpm: MakeSmartPM, transport: httpx.AsyncBaseTransport | None) -> MakeSmartPM:
    """Make SmartPM clients on this transport, in the way of `make_smartpm`."""
    return partial(make_smartpm, transport=transport)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep httpcore's log to what is not DEBUG: its twenty records a request cost more than the request."""
    caplog.set_level(logging.INFO, logger="httpcore")


class _Transport(Protocol):
    async def aclose(self) -> None: ...


class _AtRest:
    """A transport that complains when it is closed while one of its connections is in use."""

    def __init__(self, transport: _Transport) -> None:
        self._transport = transport

    async def aclose(self) -> None:
        used = busy(self._transport)
        await self._transport.aclose()
        assert used == 0, f"{used} connection(s) of aiohttp are still in use"
