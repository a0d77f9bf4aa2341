"""
What a type checker sees of the public interface. Checked by mypy and pyright, never run.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Protocol, assert_type
from uuid import UUID

import httpx
from redis.asyncio import Redis

import usergroups
from usergroups import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncPager,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidArgumentError,
    M3terClient,
    NotFoundError,
    Outcome,
    Page,
    PaginationError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    SmartPMClient,
    Token,
    TokenStore,
    UnexpectedResponseError,
    UserGroupsError,
    m3ter,
    smartpm,
    sweep,
)
from usergroups.stores import RedisTokenStore
from usergroups.transports import aiohttp_transport, default_transport

assert_type(usergroups.__version__, str)


async def clients() -> None:
    """
    Both clients are made from keyword arguments, all of them optional, and are async contexts.
    """
    assert_type(M3terClient(), M3terClient)
    assert_type(SmartPMClient(), SmartPMClient)
    M3terClient(
        org_id="org",
        api_key="key",
        api_secret="secret",
        base_url="https://api.m3ter.com",
        timeout=60.0,
        retry=RetryPolicy(attempts=3, backoff_initial=0.5, backoff_max=8.0, max_retry_after=60.0),
        max_in_flight=16,
        max_rate=50.0,
        transport=httpx.AsyncHTTPTransport(),
        user_agent="jml/1.0",
        token_store=Shelf(),
    )
    M3terClient(org_id=None, api_key=None, api_secret=None, base_url=None, timeout=None, max_rate=None)
    M3terClient(transport=None, user_agent=None, token_store=None)
    SmartPMClient(
        api_key="key",
        company_id="20417",
        base_url="https://live.smartpmtech.com",
        timeout=60.0,
        retry=RetryPolicy(),
        max_in_flight=16,
        max_rate=None,
        transport=httpx.AsyncHTTPTransport(),
        user_agent="jml/1.0",
    )
    SmartPMClient(api_key=None, company_id=None, base_url=None, timeout=None, transport=None, user_agent=None)

    async with M3terClient() as billing, SmartPMClient() as schedules:
        assert_type(billing, M3terClient)
        assert_type(schedules, SmartPMClient)
        assert_type(await billing.authenticate(), None)
        await billing.authenticate(timeout=5.0)
        await billing.authenticate(timeout=None)
        await billing.authenticate(timeout=...)
        assert_type(await billing.aclose(), None)
        assert_type(await schedules.aclose(), None)


async def m3ter_user_groups(client: M3terClient) -> None:
    """
    A listing is a pager of m3ter's user groups, whose optional fields may be None.
    """
    pager = client.list_user_groups("user-id")
    assert_type(pager, AsyncPager[m3ter.UserGroup])
    client.list_user_groups(
        "user-id",
        inherited=True,
        page_size=200,
        next_token="next",
        prefetch=True,
        org_id="org",
        timeout=5.0,
    )
    client.list_user_groups("user-id", inherited=None, page_size=None, next_token=None, org_id=None, timeout=None)
    client.list_user_groups("user-id", timeout=...)

    async for group in pager:
        assert_type(group, m3ter.UserGroup)
        assert_type(group.id, str)
        assert_type(group.version, int | None)
        assert_type(group.name, str | None)
        assert_type(group.dt_created, datetime | None)
        assert_type(group.dt_last_modified, datetime | None)
        assert_type(group.created_by, str | None)
        assert_type(group.last_modified_by, str | None)


async def m3ter_users_and_groups(client: M3terClient, ids: frozenset[str]) -> None:
    """
    The other listings are pagers of their own models; of an item, nothing is sure to be there.
    """
    users = client.list_users()
    assert_type(users, AsyncPager[m3ter.User])
    client.list_users(ids=ids, page_size=200, next_token="next", prefetch=True, org_id="org", timeout=5.0)
    client.list_users(ids=(one for one in ids), timeout=...)
    client.list_users(ids=None, page_size=None, next_token=None, org_id=None, timeout=None)
    async for user in users:
        assert_type(user.id, str)
        assert_type(user.email, str | None)
        assert_type(user.first_name, str | None)
        assert_type(user.last_name, str | None)
        assert_type(user.organizations, list[str] | None)
        assert_type(user.support_user, bool | None)
        assert_type(user.dt_end_access, datetime | None)

    assert_type(client.list_groups(), AsyncPager[m3ter.UserGroup])
    client.list_groups(page_size=100, next_token="next", prefetch=True, org_id="org", timeout=5.0)

    items = client.list_group_items("group-id")
    assert_type(items, AsyncPager[m3ter.GroupItem])
    client.list_group_items("group-id", page_size=100, next_token="next", prefetch=True, org_id="org", timeout=5.0)
    async for item in items:
        assert_type(item.id, str | None)
        assert_type(item.target_id, str | None)
        assert_type(item.target_type, str | None)


async def pages(pager: AsyncPager[m3ter.UserGroup]) -> None:
    """
    A pager gives items, pages, a list, or the first item.
    """
    iterator: AsyncIterator[Page[m3ter.UserGroup]] = pager.pages()
    async for page in iterator:
        assert_type(page, Page[m3ter.UserGroup])
        assert_type(page.items, tuple[m3ter.UserGroup, ...])
        assert_type(page.next_token, str | None)
    assert_type(await pager.collect(), list[m3ter.UserGroup])
    assert_type(await pager.collect(limit=10), list[m3ter.UserGroup])
    assert_type(await pager.collect(limit=None), list[m3ter.UserGroup])
    assert_type(await pager.first(), m3ter.UserGroup | None)
    assert_type(await pager, list[m3ter.UserGroup])


class HasId(Protocol):
    """
    What has an id.
    """

    @property
    def id(self) -> object:
        """
        The id.
        """


def covariant(
    pager: AsyncPager[m3ter.UserGroup], page: Page[m3ter.UserGroup], outcome: Outcome[UUID, smartpm.UserGroup]
) -> tuple[AsyncPager[HasId], Page[HasId], Outcome[object, HasId]]:
    """
    What gives user groups fits where anything with an id is asked for.
    """
    return pager, page, outcome


class Lists(Protocol):
    """
    What an application needs of a client, and a fake has as well.
    """

    def list_user_groups(self, user_id: str, /) -> AsyncPager[HasId]:
        """
        List what *user_id* is in.
        """
        ...


class Fake:
    """
    A fake of a client.
    """

    def list_user_groups(self, user_id: str, /) -> AsyncPager[m3ter.UserGroup]:
        """
        List what *user_id* is in.
        """
        pager = AsyncPager.of(m3ter.UserGroup(id=name) for name in ("a", "b"))
        assert_type(pager, AsyncPager[m3ter.UserGroup])
        assert_type(AsyncPager.of([user_id]), AsyncPager[str])
        return pager


def listers(client: M3terClient) -> tuple[Lists, Lists]:
    """
    A client and a fake of it are both what such an application needs.
    """
    return client, Fake()


async def smartpm_user_group(client: SmartPMClient) -> None:
    """
    A SmartPM group is asked for by a UUID or its text, and its ids are UUIDs.
    """
    group = await client.get_user_group(UUID(int=1))
    assert_type(group, smartpm.UserGroup)
    assert_type(await client.get_user_group("550e8400-e29b-41d4-a716-446655440000", timeout=5.0), smartpm.UserGroup)
    await client.get_user_group(UUID(int=1), timeout=None)
    await client.get_user_group(UUID(int=1), timeout=...)

    assert_type(group.id, UUID)
    assert_type(group.name, str)
    assert_type(group.users, list[smartpm.User])
    for user in group.users:
        assert_type(user.id, UUID)
        assert_type(user.email, str)
        assert_type(user.first_name, str | None)
        assert_type(user.last_name, str | None)
        assert_type(user.phone_number, str | None)
        assert_type(user.title, str | None)
        assert_type(user.last_login, datetime | None)
        assert_type(user.login_count, int | None)
        assert_type(user.role, str | None)
        assert_type(user.sso_user, bool | None)
        assert_type(user.reporting_restricted, bool | None)


async def smartpm_users_and_roles(client: SmartPMClient) -> None:
    """
    The users of a company come in one list; their ids may be None, and so may the group of a role.
    """
    users = await client.list_users()
    assert_type(users, list[smartpm.CompanyUser])
    await client.list_users(timeout=5.0)
    for user in users:
        assert_type(user.id, UUID | None)
        assert_type(user.email, str | None)
        assert_type(user.last_login, datetime | None)
        assert_type(user.role, str | None)

    roles = await client.get_project_roles(UUID(int=1))
    assert_type(roles, smartpm.ProjectRoles)
    await client.get_project_roles("550e8400-e29b-41d4-a716-446655440000", timeout=None)
    assert_type(roles.user_id, UUID | None)
    assert_type(roles.project_roles, list[smartpm.ProjectRole])
    for role in roles.project_roles:
        assert_type(role.project_id, int | None)
        assert_type(role.effective_role_id, int | None)
        assert_type(role.user_group_id, UUID | None)
        assert_type(role.user_group_name, str | None)


async def sweeps(client: SmartPMClient, lists: M3terClient, ids: list[UUID], arriving: AsyncIterator[str]) -> None:
    """
    A sweep carries the types of its keys and of its call's answer; a list method may be the call.
    """
    outcomes = sweep(client.get_user_group, ids)
    assert_type(outcomes, AsyncGenerator[Outcome[UUID, smartpm.UserGroup], None])
    async for outcome in outcomes:
        assert_type(outcome.key, UUID)
        assert_type(outcome.value, smartpm.UserGroup | None)
        assert_type(outcome.error, UserGroupsError | None)
        assert_type(outcome.result(), smartpm.UserGroup)

    lists_of = sweep(lists.list_user_groups, ["grace"])
    assert_type(lists_of, AsyncGenerator[Outcome[str, list[m3ter.UserGroup]], None])
    async for groups in lists_of:
        assert_type(groups.result(), list[m3ter.UserGroup])

    async def count(key: str) -> int:
        return len(key)

    assert_type(
        sweep(count, arriving, concurrency=4, on_error="yield"),
        AsyncGenerator[Outcome[str, int], None],
    )
    sweep(count, ["one"], on_error="raise")
    sweep(count, ["one"], on_error="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no such way


def errors() -> None:
    """
    Errors are built from a message, everything else by keyword, and carry what was asked and answered.
    """
    error = UserGroupsError("message")
    assert_type(error.method, str | None)
    assert_type(error.path, str | None)
    assert_type(error.status_code, int | None)
    assert_type(error.request_id, str | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.attempts, int | None)
    assert_type(error.elapsed, float | None)
    assert_type(error.retryable, bool)
    assert_type(error.argument, str | None)
    configuration: ValueError = ConfigurationError("message")
    refused: ConfigurationError = InvalidArgumentError("message", argument="user_id")
    assert_type(refused.argument, str | None)
    timeout: TimeoutError = APITimeoutError("message", method="GET", path="/")
    connection = APIConnectionError("message", method="GET", path="/")
    assert_type(connection.method, str)
    assert_type(connection.path, str)

    status: APIStatusError = APIStatusError("message", status_code=404)
    for kind in (
        BadRequestError,
        AuthenticationError,
        PermissionDeniedError,
        NotFoundError,
        RateLimitedError,
        ServerError,
    ):
        status = kind("message", status_code=418, body="", request_id=None, method="GET", path="/")
    status = RateLimitedError("message", status_code=429, headers={"retry-after": "2"}, retry_after=2.0)
    assert_type(status.status_code, int)
    assert_type(status.message, str)
    assert_type(status.body, str)
    assert_type(status.request_id, str | None)
    assert_type(status.method, str)
    assert_type(status.path, str)
    assert_type(status.retry_after, float | None)
    headers: Mapping[str, str] = status.headers

    unexpected: UnexpectedResponseError = PaginationError("message", json_path="$.nextToken")
    assert_type(unexpected.json_path, str)
    assert_type(unexpected.status_code, int)
    assert_type(unexpected.request_id, str | None)
    assert_type(unexpected.body, str)
    assert_type(unexpected.method, str)
    assert_type(unexpected.path, str)
    print(configuration, timeout, headers)


class Shelf:
    """
    A token store is any object of this form.
    """

    async def load(self) -> Token | None:
        """
        Return a token.
        """
        token = Token(access_token="token", expires_in=60.0)
        assert_type(token.access_token, str)
        assert_type(token.expires_in, float)
        return token

    async def save(self, token: Token) -> None:
        """
        Keep a token.
        """

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """
        Let one in at a time.
        """
        return self._exclusive()

    @asynccontextmanager
    async def _exclusive(self) -> AsyncGenerator[None, None]:
        yield


store: TokenStore = Shelf()


def transports(context: ssl.SSLContext) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
    """
    Both transports take a TLS context and a proxy.
    """
    default_transport(verify=None, proxy=None)
    aiohttp_transport(verify=None, proxy=None)
    return default_transport(verify=context, proxy="http://proxy"), aiohttp_transport(verify=context, proxy="http://p")


def redis_store(redis: Redis) -> TokenStore:
    """
    The one of the extra is of this form, too.
    """
    return RedisTokenStore(redis, key="token")
