from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from ... import errors
from ...models.error import Error
from ...models.group_item import GroupItem
from ...models.group_item_page import GroupItemPage
from ...types import UNSET, Response, Unset

if TYPE_CHECKING:
    from ...client import AuthenticatedClient, Client


def _get_kwargs(
    org_id: str,
    resource_group_id: str,
    *,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["pageSize"] = page_size

    params["nextToken"] = next_token

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/organizations/{org_id}/resourcegroups/user/{resource_group_id}/contents".format(
            org_id=quote(str(org_id), safe=""),
            resource_group_id=quote(str(resource_group_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | GroupItem | GroupItemPage | list[GroupItem] | None:
    if response.status_code == 200:

        def _parse_response_200(
            data: object,
        ) -> GroupItem | GroupItemPage | list[GroupItem]:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = GroupItem.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, list):
                    raise TypeError()
                response_200_type_1 = []
                _response_200_type_1 = data
                for response_200_type_1_item_data in _response_200_type_1:
                    response_200_type_1_item = GroupItem.from_dict(
                        response_200_type_1_item_data
                    )

                    response_200_type_1.append(response_200_type_1_item)

                return response_200_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_2 = GroupItemPage.from_dict(data)

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
) -> Response[Error | GroupItem | GroupItemPage | list[GroupItem]]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    org_id: str,
    resource_group_id: str,
    *,
    client: AuthenticatedClient,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Response[Error | GroupItem | GroupItemPage | list[GroupItem]]:
    """List what is in a user group

     One page of the users and groups that are directly in a user group. Although it is a POST it only
    reads, so it may be sent again. No request body is described.

    Args:
        org_id (str):
        resource_group_id (str):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | GroupItem | GroupItemPage | list[GroupItem]]
    """

    kwargs = _get_kwargs(
        org_id=org_id,
        resource_group_id=resource_group_id,
        page_size=page_size,
        next_token=next_token,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    org_id: str,
    resource_group_id: str,
    *,
    client: AuthenticatedClient,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Error | GroupItem | GroupItemPage | list[GroupItem] | None:
    """List what is in a user group

     One page of the users and groups that are directly in a user group. Although it is a POST it only
    reads, so it may be sent again. No request body is described.

    Args:
        org_id (str):
        resource_group_id (str):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | GroupItem | GroupItemPage | list[GroupItem]
    """

    return sync_detailed(
        org_id=org_id,
        resource_group_id=resource_group_id,
        client=client,
        page_size=page_size,
        next_token=next_token,
    ).parsed


async def asyncio_detailed(
    org_id: str,
    resource_group_id: str,
    *,
    client: AuthenticatedClient,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Response[Error | GroupItem | GroupItemPage | list[GroupItem]]:
    """List what is in a user group

     One page of the users and groups that are directly in a user group. Although it is a POST it only
    reads, so it may be sent again. No request body is described.

    Args:
        org_id (str):
        resource_group_id (str):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | GroupItem | GroupItemPage | list[GroupItem]]
    """

    kwargs = _get_kwargs(
        org_id=org_id,
        resource_group_id=resource_group_id,
        page_size=page_size,
        next_token=next_token,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    org_id: str,
    resource_group_id: str,
    *,
    client: AuthenticatedClient,
    page_size: int | Unset = UNSET,
    next_token: str | Unset = UNSET,
) -> Error | GroupItem | GroupItemPage | list[GroupItem] | None:
    """List what is in a user group

     One page of the users and groups that are directly in a user group. Although it is a POST it only
    reads, so it may be sent again. No request body is described.

    Args:
        org_id (str):
        resource_group_id (str):
        page_size (int | Unset):
        next_token (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | GroupItem | GroupItemPage | list[GroupItem]
    """

    return (
        await asyncio_detailed(
            org_id=org_id,
            resource_group_id=resource_group_id,
            client=client,
            page_size=page_size,
            next_token=next_token,
        )
    ).parsed
