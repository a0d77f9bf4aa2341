"""
One call of each client, on each transport. Fixtures for the fault tests.

A module of tests takes them with `pytest_plugins = ("faults.kinds", "faults.providers")`.
"""

from typing import Any

import httpx
import pytest

from faults.calls import GROUP, GROUP_ID, PAGE, TOKEN, Ask, Options, Provider
from faults.kinds import busy
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.script import token_answer
from rig.server import FaultServer
from usergroups import RetryPolicy
from usergroups.transports import aiohttp_transport


@pytest.fixture(params=["httpcore", "aiohttp"])
def options(request: pytest.FixtureRequest, watch: Watch) -> Options:
    """
    Make a client's options on each transport, which is made only now, when the environment is set.
    Back-offs take next to no time unless *retry* is given, and there is no rate limit.
    """

    def make(**options: Any) -> dict[str, Any]:
        quick = RetryPolicy(backoff_initial=0.01, backoff_max=0.01)
        options = {"retry": quick, "max_rate": None, **options}
        if request.param == "aiohttp":
            options["transport"] = transport = aiohttp_transport()
            watch.add_client(_AtRest(transport))
        return options

    return make


class _AtRest:
    """A transport that complains when it is closed while one of its connections is in use."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def aclose(self) -> None:
        used = busy(self._transport)
        await self._transport.aclose()
        assert used == 0, f"{used} connection(s) of aiohttp are still in use"


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
        return Provider("m3ter", PAGE, {"data": [{"id": GROUP_ID}]}, m3ter)
    return Provider("smartpm", GROUP, {"id": GROUP_ID, "name": "Operators", "users": []}, smartpm)
