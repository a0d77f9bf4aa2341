"""What tests of the machinery stand on: a clock that only the test moves, and a token endpoint."""

import pytest

from rig.clock import FakeClock
from unit.endpoint import Endpoint, source_of
from usergroups._auth.source import TokenSource


@pytest.fixture
async def clock() -> FakeClock:
    """Return a clock that only the test moves; the event loop goes by it too."""
    clock = FakeClock(autopilot=False, rules_loop=True)
    clock.watch()
    return clock


@pytest.fixture
def endpoint(clock: FakeClock) -> Endpoint:
    """Return a token endpoint that is well."""
    return Endpoint(clock)


@pytest.fixture
def source(clock: FakeClock, endpoint: Endpoint) -> TokenSource:
    """Return a source that asks *endpoint*, with the settings that clients have by default."""
    return source_of(endpoint, clock)
