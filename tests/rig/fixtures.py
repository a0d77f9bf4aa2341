"""The rig as fixtures: a server, clients with canary secrets, a clock, and the watch over them."""

import os
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from usergroups import M3terClient, SmartPMClient

from . import canary
from .clock import FakeClock
from .leaks import Closable, Watch
from .server import FaultServer
from .surroundings import surroundings

ORG_ID = "org-1"
COMPANY_ID = "company-1"
_OURS = ("M3TER_", "SMARTPM_")
_OTHERS = ("_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

C = TypeVar("C", bound=Closable)

MakeServer = Callable[..., FaultServer]
MakeM3ter = Callable[..., M3terClient]
MakeSmartPM = Callable[..., SmartPMClient]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Take out of the environment all that a client would read.
    """
    for name in list(os.environ):
        if name.startswith(_OURS) or name.upper().endswith(_OTHERS):
            monkeypatch.delenv(name)


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """
    Watch over the test, and fail it for what it left behind or let out.
    """
    with Watch() as watch:
        yield watch
        found = await watch.finish()
    if found:
        pytest.fail("\n".join(["after the test:", *dict.fromkeys(found)]), pytrace=False)


@pytest.fixture
def clock() -> FakeClock:
    """
    Return a fake clock that moves on by itself whenever nothing else happens.
    """
    return FakeClock()


@pytest.fixture
def make_server(watch: Watch) -> MakeServer:
    """
    Make servers, with the arguments of `FaultServer`; they are stopped after the test.
    """

    def make(**options: Any) -> FaultServer:
        server = FaultServer(**options).start()
        watch.add_server(server)
        return server

    return make


@pytest.fixture
def server(make_server: MakeServer) -> FaultServer:
    """
    Return a server that has no scripts yet.
    """
    return make_server()


@pytest.fixture
def make_m3ter(watch: Watch) -> MakeM3ter:
    """
    Make m3ter clients of a server (or base URL) with canary secrets; they are closed after the test.

    *clock*, *roll* and *make_transport* are those of `surroundings`, the rest is the client's.
    """

    def make(server: FaultServer | str | None = None, **options: Any) -> M3terClient:
        credentials = {"org_id": ORG_ID, "api_key": canary.API_KEY_ID, "api_secret": canary.API_SECRET}
        return _make(M3terClient, watch, server, {**credentials, **options})

    return make


@pytest.fixture
def make_smartpm(watch: Watch) -> MakeSmartPM:
    """
    Make SmartPM clients, in the way of `make_m3ter`.
    """

    def make(server: FaultServer | str | None = None, **options: Any) -> SmartPMClient:
        credentials = {"api_key": canary.SMARTPM_API_KEY, "company_id": COMPANY_ID}
        return _make(SmartPMClient, watch, server, {**credentials, **options})

    return make


def _make(kind: Callable[..., C], watch: Watch, server: FaultServer | str | None, options: dict[str, Any]) -> C:
    around = {name: options.pop(name, None) for name in ("clock", "roll", "make_transport")}
    url = server.url if isinstance(server, FaultServer) else server
    options.setdefault("base_url", url or "https://rig.invalid")
    with surroundings(**around):
        client = kind(**options)
    watch.add_client(client)
    return client
