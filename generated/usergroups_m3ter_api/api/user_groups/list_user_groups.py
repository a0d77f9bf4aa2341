from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from ... import errors
from ...models.error import Error
from ...models.user_group import UserGroup
from ...models.user_group_page import UserGroupPage
from ...types import UNSET, Response, Unset

if TYPE_CHECKING:
    from ...client import AuthenticatedClient, Client


def _get_kwargs(
    org_id: str,
    id: str,
    *,
    inherited: bool | Unset = UNSET,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["inherited"] = inherited

    params["pageSize"] = page_size

    params["nextToken"] = next_token

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/organizations/{org_id}/users/{id}/usergroups".format(
            org_id=quote(str(org_id), safe=""),
            id=quote(str(id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | list[UserGroup] | UserGroup | UserGroupPage | None:
    if response.status_code == 200:

        def _parse_response_200(
            data: object,
        ) -> list[UserGroup] | UserGroup | UserGroupPage:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = UserGroup.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, list):
                    raise TypeError()
                response_200_type_1 = []
                _response_200_type_1 = data
                for response_200_type_1_item_data in _response_200_type_1:
                    response_200_type_1_item = UserGroup.from_dict(
                        response_200_type_1_item_data
                    )

                    response_200_type_1.append(response_200_type_1_item)

                return response_200_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_2 = UserGroupPage.from_dict(data)

            return response_200_type_2

        response_200 = _parse_response_200(response.json())

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

    if response.status_code == 413:
        response_413 = Error.from_dict(response.json())

        return response_413

    if response.status_code == 429:
        response_429 = Error.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = Error.from_dict(response.json())

        return response_500

    if response.status_code == 502:
        response_502 = Error.from_dict(response.json())

        return response_502

    if response.status_code == 504:
        response_504 = Error.from_dict(response.json())

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Error | list[UserGroup] | UserGroup | UserGroupPage]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    org_id: str,
    id: str,
    *,
    client: AuthenticatedClient,
    inherited: bool | Unset = UNSET,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Response[Error | list[UserGroup] | UserGroup | UserGroupPage]:
    """List the user groups of a user

     One page of the user groups that a user is in. Follow `nextToken` for the rest; a page may be empty
    and still carry one.

    Args:
        org_id (str):
        id (str):
        inherited (bool | Unset):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | list[UserGroup] | UserGroup | UserGroupPage]
    """

    kwargs = _get_kwargs(
        org_id=org_id,
        id=id,
        inherited=inherited,
        page_size=page_size,
        next_token=next_token,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    org_id: str,
    id: str,
    *,
    client: AuthenticatedClient,
    inherited: bool | Unset = UNSET,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Error | list[UserGroup] | UserGroup | UserGroupPage | None:
    """List the user groups of a user

     One page of the user groups that a user is in. Follow `nextToken` for the rest; a page may be empty
    and still carry one.

    Args:
        org_id (str):
        id (str):
        inherited (bool | Unset):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | list[UserGroup] | UserGroup | UserGroupPage
    """

    return sync_detailed(
        org_id=org_id,
        id=id,
        client=client,
        inherited=inherited,
        page_size=page_size,
        next_token=next_token,
    ).parsed


async def asyncio_detailed(
    org_id: str,
    id: str,
    *,
    client: AuthenticatedClient,
    inherited: bool | Unset = UNSET,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Response[Error | list[UserGroup] | UserGroup | UserGroupPage]:
    """List the user groups of a user

     One page of the user groups that a user is in. Follow `nextToken` for the rest; a page may be empty
    and still carry one.

    Args:
        org_id (str):
        id (str):
        inherited (bool | Unset):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | list[UserGroup] | UserGroup | UserGroupPage]
    """

    kwargs = _get_kwargs(
        org_id=org_id,
        id=id,
        inherited=inherited,
        page_size=page_size,
        next_token=next_token,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    org_id: str,
    id: str,
    *,
    client: AuthenticatedClient,
    inherited: bool | Unset = UNSET,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Error | list[UserGroup] | UserGroup | UserGroupPage | None:
    """List the user groups of a user

     One page of the user groups that a user is in. Follow `nextToken` for the rest; a page may be empty
    and still carry one.

    Args:
        org_id (str):
        id (str):
        inherited (bool | Unset):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | list[UserGroup] | UserGroup | UserGroupPage
    """

    return (
        await asyncio_detailed(
            org_id=org_id,
            id=id,
            client=client,
            inherited=inherited,
            page_size=page_size,
            next_token=next_token,
        )
    ).parsed
