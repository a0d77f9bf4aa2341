"""A request: from the generated code's description to one for a transport."""

import platform
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import attrs
import httpx

from usergroups._arguments import of_client
from usergroups._secrets import Secret
from usergroups._version import __version__

_CONNECT = 5.0  # seconds for TCP, and as many again for TLS
_READ_OR_WRITE = 30.0  # seconds for one read or write

RawHeaders = Sequence[tuple[bytes, bytes]]
Headers = Mapping[str, Secret]


@attrs.frozen(kw_only=True)
class Request:
    """
    A request as a generated `_get_kwargs()` describes it. *path* and *query* are percent-encoded.
    """

    method: str
    path: str
    query: str = ""
    content: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> "Request":
        """
        Return the request that *kwargs*, from a generated `_get_kwargs()`, describes: path, query, form and headers.
        """
        params = kwargs.get("params", {})
        return cls(
            method=kwargs["method"].upper(),
            path=kwargs["url"],
            query="&".join(f"{name}={_query_value(value)}" for name, value in params.items()),
            content=urlencode(kwargs.get("data", {})).encode(),
            headers={name: str(value) for name, value in kwargs.get("headers", {}).items()},
        )

    def with_query(self, name: str, value: str) -> "Request":
        """
        Return this request with one more parameter in its query.
        """
        return attrs.evolve(self, query="&".join(filter(None, [self.query, f"{name}={_query_value(value)}"])))

    def to(self, base_url: str, usual: RawHeaders, secret: Headers) -> httpx.Request:
        """
        Return an httpx request to *base_url*, with the *usual* headers, its own, and the *secret* ones.
        """
        query = f"?{self.query}" if self.query else ""
        own = dict(self.headers)
        if self.content or self.method == "POST":  # of which a server may ask how long it is (RFC 9110, 8.6)
            own["Content-Length"] = str(len(self.content))
        return httpx.Request(
            self.method,
            f"{base_url}{self.path}{query}",
            headers=[
                *usual,
                *((name.encode(), value.encode()) for name, value in own.items()),
                *((name.encode(), value.reveal().encode()) for name, value in secret.items()),
            ],
            stream=httpx.ByteStream(self.content),  # a stream, so that httpx adds no headers
        )


def _query_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else quote(str(value), safe="")


def usual_headers(base_url: str, user_agent: str | None) -> RawHeaders:
    """
    Return the headers of every request to *base_url*. *user_agent*, if given, is put before the SDK's own.
    """
    ours = f"usergroups/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"
    agent = ours if user_agent is None else f"{of_client.header_value('user_agent', user_agent).reveal()} {ours}"
    return (
        (b"Host", httpx.URL(base_url).netloc),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"gzip"),
        (b"User-Agent", agent.encode()),
    )


def timeouts(left: float) -> dict[str, float | None]:
    """
    Return the timeouts of an attempt, in seconds; *left* is the seconds that the call has left.

    There is none for the pool of a transport that the user passed in: a request waits its turn there.
    """
    left = max(left, 0.001)
    connect, other = min(_CONNECT, left), min(_READ_OR_WRITE, left)
    return {"connect": connect, "read": other, "write": other, "pool": None}
