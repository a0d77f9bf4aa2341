"""SmartPM: users, their roles in projects, and user groups with their users (https://developers.smartpmtech.com)."""

import re
from collections.abc import Mapping
from functools import partial
from types import EllipsisType
from uuid import UUID

import httpx

from usergroups_smartpm_api.api.user_groups.get_user_group import (
    _get_kwargs as user_group_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_smartpm_api.api.users.get_project_roles import (
    _get_kwargs as project_roles_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_smartpm_api.api.users.list_users import (
    _get_kwargs as list_users_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_smartpm_api.models import CompanyUser, ProjectRole, ProjectRoles, User, UserGroup

from . import _arguments
from ._arguments import of_call, of_client
from ._auth.key import KeyAuth
from ._client import Client
from ._http.exchange import Response
from ._http.rate import RateLimit
from ._http.request import Request
from ._http.retry import RetryPolicy
from ._http.sender import Sender
from ._lists import read_list
from ._models import MismatchError, Reader, is_array
from ._secrets import Redactor, hide

__all__ = ["CompanyUser", "ProjectRole", "ProjectRoles", "SmartPMClient", "User", "UserGroup"]

BASE_URL = "https://live.smartpmtech.com"

_UUID = "[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(\\1[0-9a-fA-F]{4}){2}\\1[0-9a-fA-F]{12}"  # RFC 9562, 4; hyphens or none

_HINTS: Mapping[int, str] = {
    401: "check api_key and company_id",
    403: "check api_key and company_id",
    429: "set max_rate, or a lower one: this provider documents no limit",
}


class SmartPMClient(Client):
    """
    A client of SmartPM: users, their roles in projects, and user groups with their users.

    *api_key* and *company_id* default to the environment's `SMARTPM_API_KEY` and
    `SMARTPM_COMPANY_ID`, *base_url* to `SMARTPM_BASE_URL`, else to SmartPM's own.

    *timeout* is the seconds for each call, waits and retries included (None: no limit); *retry* sets
    the number of attempts and the waits between them; *max_in_flight* is the number of requests in
    flight at once; *max_rate* the requests that may start per second (None: any number), or a
    `RateLimit` that clients share. *transport* replaces the client's own; *user_agent* is put before the SDK's.

    Raises `ConfigurationError` for an argument or setting that is missing or bad.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        company_id: str | None = None,
        base_url: str | None = None,
        timeout: float | None = 60.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        max_in_flight: int = 16,
        max_rate: float | RateLimit | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str | None = None,
    ) -> None:
        given, url = hide(api_key), hide(base_url)
        del api_key, base_url  # a traceback may show arguments
        _arguments.require(
            given is None and ("api_key", "SMARTPM_API_KEY"),
            company_id is None and ("company_id", "SMARTPM_COMPANY_ID"),
        )
        setting = _arguments.setting
        key = setting("api_key", given, "SMARTPM_API_KEY", of_client.header_value)
        company = setting("company_id", company_id, "SMARTPM_COMPANY_ID", of_client.header_value)
        sender = Sender(
            base_url=setting("base_url", url, "SMARTPM_BASE_URL", of_client.base_url, default=BASE_URL),
            timeout=timeout,
            retry=retry,
            max_in_flight=max_in_flight,
            max_rate=max_rate,
            transport=transport,
            user_agent=user_agent,
            redactor=Redactor(key),
        )
        self._company_id = company.reveal()
        super().__init__(sender, KeyAuth({"X-API-KEY": key}), f"company_id={self._company_id!r}")

    async def get_user_group(
        self, user_group_id: UUID | str, *, timeout: float | EllipsisType | None = ...
    ) -> UserGroup:
        """
        Return the user group *user_group_id* with all of its users.

        *timeout* is the seconds for this call. Raises `InvalidArgumentError` if *user_group_id* is not a
        UUID (the provider would return a server error), and the errors of a call.
        """
        group_id = _uuid("user_group_id", user_group_id)
        request = Request.of(user_group_kwargs(group_id, x_company_id=self._company_id))
        read = partial(_read_group, self._reader, group_id)
        hints = {**_HINTS, 500: "the provider may also answer so for a group that does not exist"}
        name = "smartpm.get_user_group"
        return await self._call(name, request, read, timeout=self._seconds(timeout), hints=hints)

    async def list_users(self, *, timeout: float | EllipsisType | None = ...) -> list[CompanyUser]:
        """
        Return all users of the company. Even their `id` and `email` may be None.

        *timeout* is the seconds for this call. Raises the errors of a call.
        """
        request = Request.of(list_users_kwargs(x_company_id=self._company_id))
        read = partial(_read_users, self._reader)
        return await self._call("smartpm.list_users", request, read, timeout=self._seconds(timeout), hints=_HINTS)

    async def get_project_roles(
        self, user_id: UUID | str, *, timeout: float | EllipsisType | None = ...
    ) -> ProjectRoles:
        """
        Return the roles of the user *user_id* in projects, and the user groups that they come from.

        *timeout* is the seconds for this call. Raises `InvalidArgumentError` if *user_id* is not a UUID,
        and the errors of a call.
        """
        asked = _uuid("user_id", user_id)
        request = Request.of(project_roles_kwargs(asked, x_company_id=self._company_id))
        read = partial(_read_roles, self._reader, asked)
        hints = {**_HINTS, 500: "the provider may also answer so for a user that does not exist"}
        name = "smartpm.get_project_roles"
        return await self._call(name, request, read, timeout=self._seconds(timeout), hints=hints)


def _uuid(name: str, value: object) -> UUID:
    if isinstance(value, UUID):
        return UUID(int=value.int)  # a subclass might have another text
    if isinstance(value, str) and re.fullmatch(_UUID, value):
        return UUID(value)
    raise of_call.error(name, "must be a UUID")


async def _read_group(reader: Reader, group_id: UUID, response: Response) -> UserGroup:
    """Return the group *group_id*. Its own fields come first, then its users, of whom there may be many."""
    document, users = await read_list(reader, User, "users", response.body)
    group = reader.read(UserGroup, document)
    if group.id != group_id:
        raise MismatchError("$.id", "it is the id of another group than was asked for")
    group.users = users.all()
    return group


async def _read_users(reader: Reader, response: Response) -> list[CompanyUser]:
    document, users = await read_list(reader, CompanyUser, "", response.body)
    if not is_array(document):
        raise MismatchError("$", "it is not an array")
    return users.all()


async def _read_roles(reader: Reader, user_id: UUID, response: Response) -> ProjectRoles:
    document, project_roles = await read_list(reader, ProjectRole, "projectRoles", response.body)
    roles = reader.read(ProjectRoles, document)
    roles.project_roles = project_roles.all()
    if roles.user_id not in (None, user_id):
        raise MismatchError("$.userId", "it is the id of another user than was asked for")
    return roles
