from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from ... import errors
from ...models.error import Error
from ...models.o_auth_error import OAuthError
from ...models.token_response import TokenResponse
from ...types import Response

if TYPE_CHECKING:
    from ...client import AuthenticatedClient, Client
    from ...models.token_request import TokenRequest


def _get_kwargs(
    *,
    body: TokenRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/oauth/token",
    }

    _kwargs["data"] = body.to_dict()
    headers["Content-Type"] = "application/x-www-form-urlencoded"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | OAuthError | TokenResponse | None:
    if response.status_code == 200:
        response_200 = TokenResponse.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = OAuthError.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = OAuthError.from_dict(response.json())

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
) -> Response[Error | OAuthError | TokenResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: TokenRequest,
) -> Response[Error | OAuthError | TokenResponse]:
    """Get an access token

     Exchanges an access key and its secret for an access token (RFC 6749, section 4.4). The token lives
    for five hours as a rule; the answer says for how long. There is no refresh token: when one access
    token ends, ask for another. m3ter takes the body as JSON too; the form is what the RFC asks for, so
    it is the one described here.

    Args:
        body (TokenRequest): What a machine-to-machine caller sends for an access token.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | OAuthError | TokenResponse]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: TokenRequest,
) -> Error | OAuthError | TokenResponse | None:
    """Get an access token

     Exchanges an access key and its secret for an access token (RFC 6749, section 4.4). The token lives
    for five hours as a rule; the answer says for how long. There is no refresh token: when one access
    token ends, ask for another. m3ter takes the body as JSON too; the form is what the RFC asks for, so
    it is the one described here.

    Args:
        body (TokenRequest): What a machine-to-machine caller sends for an access token.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | OAuthError | TokenResponse
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: TokenRequest,
) -> Response[Error | OAuthError | TokenResponse]:
    """Get an access token

     Exchanges an access key and its secret for an access token (RFC 6749, section 4.4). The token lives
    for five hours as a rule; the answer says for how long. There is no refresh token: when one access
    token ends, ask for another. m3ter takes the body as JSON too; the form is what the RFC asks for, so
    it is the one described here.

    Args:
        body (TokenRequest): What a machine-to-machine caller sends for an access token.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | OAuthError | TokenResponse]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: TokenRequest,
) -> Error | OAuthError | TokenResponse | None:
    """Get an access token

     Exchanges an access key and its secret for an access token (RFC 6749, section 4.4). The token lives
    for five hours as a rule; the answer says for how long. There is no refresh token: when one access
    token ends, ask for another. m3ter takes the body as JSON too; the form is what the RFC asks for, so
    it is the one described here.

    Args:
        body (TokenRequest): What a machine-to-machine caller sends for an access token.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | OAuthError | TokenResponse
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
