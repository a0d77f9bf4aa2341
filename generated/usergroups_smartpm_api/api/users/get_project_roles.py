from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ... import errors
from ...models.error import Error
from ...models.user_project_roles import ProjectRoles
from ...types import Response

if TYPE_CHECKING:
    from ...client import AuthenticatedClient, Client


def _get_kwargs(
    user_id: UUID,
    *,
    x_company_id: str,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    headers["X-COMPANY-ID"] = x_company_id

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/public/v1/users/{user_id}/project-roles".format(
            user_id=quote(str(user_id), safe=""),
        ),
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | ProjectRoles | None:
    if response.status_code == 200:
        response_200 = ProjectRoles.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = Error.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Error.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = Error.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = Error.from_dict(response.json())

        return response_404

    if response.status_code == 429:
        response_429 = Error.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = Error.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Error | ProjectRoles]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    user_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Response[Error | ProjectRoles]:
    """Get the roles of a user in projects

     Where the user has a role, and by which user group, if by one. All in one answer; it is not paged.
    It is the one documented way to find the id of a user group.

    Args:
        user_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | ProjectRoles]
    """

    kwargs = _get_kwargs(
        user_id=user_id,
        x_company_id=x_company_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    user_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Error | ProjectRoles | None:
    """Get the roles of a user in projects

     Where the user has a role, and by which user group, if by one. All in one answer; it is not paged.
    It is the one documented way to find the id of a user group.

    Args:
        user_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | ProjectRoles
    """

    return sync_detailed(
        user_id=user_id,
        client=client,
        x_company_id=x_company_id,
    ).parsed


async def asyncio_detailed(
    user_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Response[Error | ProjectRoles]:
    """Get the roles of a user in projects

     Where the user has a role, and by which user group, if by one. All in one answer; it is not paged.
    It is the one documented way to find the id of a user group.

    Args:
        user_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | ProjectRoles]
    """

    kwargs = _get_kwargs(
        user_id=user_id,
        x_company_id=x_company_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    user_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Error | ProjectRoles | None:
    """Get the roles of a user in projects

     Where the user has a role, and by which user group, if by one. All in one answer; it is not paged.
    It is the one documented way to find the id of a user group.

    Args:
        user_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | ProjectRoles
    """

    return (
        await asyncio_detailed(
            user_id=user_id,
            client=client,
            x_company_id=x_company_id,
        )
    ).parsed
