"""What people would use, each reduced to one question: the user groups of a user."""

import importlib
import importlib.util
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import attrs

from benchmarks.bodies import ACCESS_TOKEN

Call = Callable[[str], Awaitable[Sequence[object]]]
"""Gives the user groups of a user."""

_BEARER = {"Authorization": f"Bearer {ACCESS_TOKEN}"}


@attrs.frozen
class Peer:
    """
    One way to ask: *title* for the reader, the modules that it *needs*, and *opening* its client.
    """

    title: str
    needs: tuple[str, ...]
    opening: Callable[[str], AbstractAsyncContextManager[Call]]

    def missing(self) -> list[str]:
        """
        Name the modules that are not there.
        """
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def _path(user_id: str) -> str:
    return f"/organizations/org/users/{user_id}/usergroups"


@asynccontextmanager
async def _httpx_json(url: str) -> AsyncGenerator[Call, None]:
    import httpx

    async with httpx.AsyncClient(base_url=url, headers=_BEARER) as client:

        async def call(user_id: str) -> Sequence[object]:
            response = await client.get(_path(user_id))
            groups: list[object] = response.json()["data"]
            return groups

        yield call


@asynccontextmanager
async def _httpx_model(url: str) -> AsyncGenerator[Call, None]:
    import httpx

    from usergroups_m3ter_api.models import UserGroup

    async with httpx.AsyncClient(base_url=url, headers=_BEARER) as client:

        async def call(user_id: str) -> Sequence[object]:
            response = await client.get(_path(user_id))
            return [UserGroup.from_dict(group) for group in response.json()["data"]]

        yield call


@asynccontextmanager
async def _httpx_aiohttp(url: str) -> AsyncGenerator[Call, None]:
    from httpx_aiohttp import HttpxAiohttpClient

    async with HttpxAiohttpClient(base_url=url, headers=_BEARER) as client:

        async def call(user_id: str) -> Sequence[object]:
            response = await client.get(_path(user_id))
            groups: list[object] = response.json()["data"]
            return groups

        yield call


@asynccontextmanager
async def _generated(url: str) -> AsyncGenerator[Call, None]:
    from usergroups_m3ter_api.api.user_groups import list_user_groups
    from usergroups_m3ter_api.client import AuthenticatedClient
    from usergroups_m3ter_api.models import UserGroupPage

    async with AuthenticatedClient(base_url=url, token=ACCESS_TOKEN) as client:

        async def call(user_id: str) -> Sequence[object]:
            page = await list_user_groups.asyncio("org", user_id, client=client)
            return (page.data or []) if isinstance(page, UserGroupPage) else []

        yield call


@asynccontextmanager
async def _official(url: str, *, aiohttp: bool = False) -> AsyncGenerator[Call, None]:
    m3ter = importlib.import_module("m3ter")
    client: Any = m3ter.AsyncM3ter(
        api_key="key",
        api_secret="secret",  # made up
        token=ACCESS_TOKEN,  # it cannot fetch one by itself
        org_id="org",
        base_url=url,
        http_client=m3ter.DefaultAioHttpClient() if aiohttp else None,
    )
    async with client:

        async def call(user_id: str) -> Sequence[object]:
            answer = await client.users.get_user_groups(user_id)
            groups: list[object] = answer.data  # raw dicts: it takes the page for a group
            return groups

        yield call


def _official_on_aiohttp(url: str) -> AbstractAsyncContextManager[Call]:
    return _official(url, aiohttp=True)


@asynccontextmanager
async def _openapi_generator(url: str) -> AsyncGenerator[Call, None]:
    package: Any = importlib.import_module("m3ter_by_openapi_generator")
    configuration = package.Configuration(host=url, access_token=ACCESS_TOKEN)
    async with package.ApiClient(configuration) as client:
        api = package.UserGroupsApi(client)

        async def call(user_id: str) -> Sequence[object]:
            page = await api.list_user_groups("org", user_id)
            groups: list[object] = page.data
            return groups

        yield call


@asynccontextmanager
async def _by_hand(url: str) -> AsyncGenerator[Call, None]:
    import aiohttp
    import msgspec

    class Group(msgspec.Struct, rename="camel"):
        id: str
        version: int | None = None
        name: str | None = None
        dt_created: datetime | None = None
        dt_last_modified: datetime | None = None
        created_by: str | None = None
        last_modified_by: str | None = None

    class Page(msgspec.Struct, rename="camel"):
        data: list[Group]
        next_token: str | None = None

    decode = msgspec.json.Decoder(Page).decode
    async with aiohttp.ClientSession(url, headers=_BEARER) as session:

        async def call(user_id: str) -> Sequence[object]:
            async with session.get(_path(user_id)) as response:
                return decode(await response.read()).data

        yield call


@asynccontextmanager
async def _ours(url: str, *, aiohttp: bool = False) -> AsyncGenerator[Call, None]:
    from usergroups import M3terClient

    transport = importlib.import_module("usergroups.transports").aiohttp_transport() if aiohttp else None
    async with M3terClient(
        org_id="org",
        api_key="key",
        api_secret="secret",  # made up
        base_url=url,
        max_rate=None,
        transport=transport,
    ) as client:

        async def call(user_id: str) -> Sequence[object]:
            return await client.list_user_groups(user_id).collect()

        yield call
    if transport is not None:
        await transport.aclose()


def _ours_on_aiohttp(url: str) -> AbstractAsyncContextManager[Call]:
    return _ours(url, aiohttp=True)


PEERS = {
    "httpx": Peer("httpx, `get` + `json`", ("httpx",), _httpx_json),
    "httpx-model": Peer("httpx, `get` + `json` + generated model", ("httpx",), _httpx_model),
    "generated": Peer("the generated client alone", ("httpx",), _generated),
    "m3ter": Peer("official `m3ter`", ("m3ter",), _official),
    "m3ter-aiohttp": Peer("official `m3ter` on aiohttp", ("m3ter", "httpx_aiohttp"), _official_on_aiohttp),
    "openapi-generator": Peer(
        "openapi-generator `python`/asyncio",
        ("openapi_generator_cli", "aiohttp_retry", "pydantic", "dateutil", "yaml"),
        _openapi_generator,
    ),
    "httpx-aiohttp": Peer("httpx over httpx-aiohttp, `get` + `json`", ("httpx_aiohttp",), _httpx_aiohttp),
    "by-hand": Peer("aiohttp + msgspec by hand: the limit", ("aiohttp", "msgspec"), _by_hand),
    "usergroups": Peer("**usergroups**", ("usergroups",), _ours),
    "usergroups-aiohttp": Peer("**usergroups** on aiohttp", ("usergroups", "aiohttp"), _ours_on_aiohttp),
}
OURS = ("usergroups", "usergroups-aiohttp")
BASE = "httpx"  # what ratios are told against,
LIMIT = "by-hand"  # and the least that a call can cost here
