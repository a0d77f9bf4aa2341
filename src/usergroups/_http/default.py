"""The default transport: what a client makes its connections with, and a transport by itself."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterable
from typing import cast

import httpx

from .connections import Connect, HTTPConnection
from .environment import ChooseProxy, connector


class DefaultTransport(httpx.AsyncBaseTransport):
    """
    What a client's connections are made with. The client takes *connector* from it, and keeps the connections itself.
    """

    def __init__(self, context: ssl.SSLContext, choose_proxy: ChooseProxy) -> None:
        self._context = context
        self._choose_proxy = choose_proxy

    def connector(self, base_url: str) -> tuple[Connect, str]:
        """
        Return a maker of connections to *base_url*, and the host of the proxy they go through, or "".
        """
        return connector(base_url, self._context, self._choose_proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send *request* on a connection of its own, and return the response, with its body still to be read.
        """
        connect, _ = self.connector(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
        connection = HTTPConnection(connect)
        try:
            response = await connection.transport.handle_async_request(request)
        except BaseException:
            connection.close()
            raise
        response.stream = _Body(response.stream, connection)
        return response


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: object, connection: HTTPConnection) -> None:
        self._stream = cast(AsyncIterable[bytes], stream)
        self._connection = connection

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        self._connection.close()
