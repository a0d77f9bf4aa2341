"""Clients with canary secrets, on a clock that moves by itself, whose requests pytest-httpx answers."""

import pytest
from pytest_httpx import HTTPXMock

from rig import canary
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeSmartPM
from usergroups import M3terClient, SmartPMClient


@pytest.fixture
def m3ter(make_m3ter: MakeM3ter, clock: FakeClock) -> M3terClient:
    """Return a m3ter client."""
    return make_m3ter(clock=clock, roll=0.5)


@pytest.fixture
def smartpm(make_smartpm: MakeSmartPM, clock: FakeClock) -> SmartPMClient:
    """Return a SmartPM client."""
    return make_smartpm(clock=clock, roll=0.5)


@pytest.fixture
def token(httpx_mock: HTTPXMock) -> None:
    """Let the token endpoint give one token to whoever asks."""
    httpx_mock.add_response(
        method="POST",
        json={"access_token": canary.ACCESS_TOKEN, "expires_in": 18_000, "token_type": "Bearer"},
        is_reusable=True,
        is_optional=True,
    )
