"""What tests of the machinery stand on: a clock that only the test moves, a token endpoint, and both parsers."""

from collections.abc import Iterator

import pytest

from rig.clock import FakeClock
from unit.endpoint import Endpoint, source_of
from usergroups import _models
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


@pytest.fixture(scope="class", params=["json", "msgspec"])
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Parse with the parser of this name first."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "json":
            patch.setattr(_models, "fast_json", None)
        else:
            pytest.importorskip("msgspec")
        yield
