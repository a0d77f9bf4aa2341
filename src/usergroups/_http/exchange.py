"""One request on one transport, and its response. It can be cancelled at any moment."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs
import httpx

from .body import read_body
from .failures import Failure, failure_of
from .request import Message

_LARGEST_HEADERS = 100 * 1024  # bytes; httpcore limits only headers that arrive in parts


@attrs.define(kw_only=True)
class Response:
    """
    A response that arrived: *headers* by lower-case name, *body* decompressed.

    *flaw* is the reason why the body cannot be used, or empty. *sent_at* is the moment, on the
    client's clock, at which the request was sent. *proxy* is the host of a proxy that may have
    responded itself, or empty. *asked* is what an error of the response tells of its request.
    """

    status_code: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    flaw: str = ""
    sent_at: float = 0.0
    proxy: str = ""
    asked: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    @property
    def is_success(self) -> bool:
        """
        Whether the status is a 2xx.
        """
        return 200 <= self.status_code < 300


class MessageTransport(httpx.AsyncBaseTransport):
    """
    A transport that can do without an `httpx.Request`, which takes long to make.

    It sets the *proxy* of a message to the host of its own proxy, if that may respond itself.
    """

    @abstractmethod
    async def send(self, message: Message) -> httpx.Response:
        """
        Send *message*, and return the response, with its body still to be read.
        """


async def exchange(
    transport: httpx.AsyncBaseTransport,
    message: Message,
    *,
    limit: int,
    sent_at: float,
    abandoned: asyncio.Event | None = None,
) -> Response | Failure:
    """
    Send *message* on *transport* and return the response, or the failure if no usable one arrived.

    At most *limit* bytes of body are read, counted after decompression. Once *abandoned* is set,
    reading ends with the next piece of the body. An `AssertionError` of the transport is raised as it is.
    """
    try:
        if isinstance(transport, MessageTransport):
            response = await transport.send(message)
        else:
            request = message.as_httpx()
            response = await transport.handle_async_request(request)
            message.proxy = request.extensions.get("proxy", "")
        if sum(len(name) + len(value) for name, value in response.headers.raw) > _LARGEST_HEADERS:
            await response.aclose()
            return Failure(reason=f"the answer's headers are longer than {_LARGEST_HEADERS:,} bytes")
        body, flaw = await read_body(response, limit, abandoned=abandoned)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise
        return Failure(reason="the transport gave up", retryable=False)
    except AssertionError:
        raise  # the complaint of a mock
    except Exception as error:  # noqa: BLE001  # a transport may raise anything
        return failure_of(error)
    return Response(
        status_code=response.status_code,
        headers=response.headers,
        body=body,
        flaw=flaw,
        sent_at=sent_at,
        proxy=message.proxy,
    )
