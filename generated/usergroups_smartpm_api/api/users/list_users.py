from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from ... import errors
from ...models.company_user import CompanyUser
from ...models.error import Error
from ...types import Response

if TYPE_CHECKING:
    from ...client import AuthenticatedClient, Client


def _get_kwargs(
    *,
    x_company_id: str,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    headers["X-COMPANY-ID"] = x_company_id

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/public/v1/users",
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | list[CompanyUser] | None:
    if response.status_code == 200:
        response_200 = []
        _response_200 = response.json()
        for response_200_item_data in _response_200:
            response_200_item = CompanyUser.from_dict(response_200_item_data)

            response_200.append(response_200_item)

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
) -> Response[Error | list[CompanyUser]]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Response[Error | list[CompanyUser]]:
    """List the users of the company

     All users of the company in one answer; it is not paged.

    Args:
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | list[CompanyUser]]
    """

    kwargs = _get_kwargs(
        x_company_id=x_company_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Error | list[CompanyUser] | None:
    """List the users of the company

     All users of the company in one answer; it is not paged.

    Args:
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | list[CompanyUser]
    """

    return sync_detailed(
        client=client,
        x_company_id=x_company_id,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Response[Error | list[CompanyUser]]:
    """List the users of the company

     All users of the company in one answer; it is not paged.

    Args:
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | list[CompanyUser]]
    """

    kwargs = _get_kwargs(
        x_company_id=x_company_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    x_company_id: str,
) -> Error | list[CompanyUser] | None:
    """List the users of the company

     All users of the company in one answer; it is not paged.

    Args:
        x_company_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | list[CompanyUser]
    """

    return (
        await asyncio_detailed(
            client=client,
            x_company_id=x_company_id,
        )
    ).parsed
