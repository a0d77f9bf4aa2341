from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ... import errors
from ...models.error import Error
from ...models.user_group import UserGroup
from ...types import Response

if TYPE_CHECKING:
    from ...client import AuthenticatedClient, Client


def _get_kwargs(
    user_group_id: UUID,
    *,
    x_company_id: str,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    headers["X-COMPANY-ID"] = x_company_id

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/public/v1/user-groups/{user_group_id}".format(
            user_group_id=quote(str(user_group_id), safe=""),
        ),
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | UserGroup | None:
    if response.status_code == 200:
        response_200 = UserGroup.from_dict(response.json())

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
) -> Response[Error | UserGroup]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    user_group_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Response[Error | UserGroup]:
    """Get one user group with its users

     The whole group in one answer; it is not paged.

    Args:
        user_group_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | UserGroup]
    """

    kwargs = _get_kwargs(
        user_group_id=user_group_id,
        x_company_id=x_company_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    user_group_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Error | UserGroup | None:
    """Get one user group with its users

     The whole group in one answer; it is not paged.

    Args:
        user_group_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | UserGroup
    """

    return sync_detailed(
        user_group_id=user_group_id,
        client=client,
        x_company_id=x_company_id,
    ).parsed


async def asyncio_detailed(
    user_group_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Response[Error | UserGroup]:
    """Get one user group with its users

     The whole group in one answer; it is not paged.

    Args:
        user_group_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | UserGroup]
    """

    kwargs = _get_kwargs(
        user_group_id=user_group_id,
        x_company_id=x_company_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    user_group_id: UUID,
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Error | UserGroup | None:
    """Get one user group with its users

     The whole group in one answer; it is not paged.

    Args:
        user_group_id (UUID):
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | UserGroup
    """

    return (
        await asyncio_detailed(
            user_group_id=user_group_id,
            client=client,
            x_company_id=x_company_id,
        )
    ).parsed
