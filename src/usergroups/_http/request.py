"""A request: from the generated code's description to one for a transport."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import quote, quote_plus

import attrs
import httpx

from usergroups._arguments import of_client
from usergroups._models import is_array
from usergroups._secrets import Secret
from usergroups._version import __version__

_CONNECT = 5.0  # seconds for TCP, and as many again for TLS
_READ_OR_WRITE = 30.0  # seconds for one read or write

RawHeaders = Sequence[tuple[bytes, bytes]]
Headers = Mapping[str, Secret]

_PARTS = frozenset({"method", "url", "params", "headers", "data", "json"})
_SCALARS = (str, int, float)
_percent = partial(quote, safe="")
_name = cache(_percent)  # the names that the specs give to parameters
_HAVE_BODIES = frozenset({"POST", "PUT", "PATCH"})


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

    @property
    def target(self) -> str:
        """
        The path and the query.
        """
        return f"{self.path}?{self.query}" if self.query else self.path

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> "Request":
        """
        Return the request that *kwargs*, from a generated `_get_kwargs()`, describes.

        An array in the query or in a form is a parameter for each item (style "form", exploded). Raises `TypeError`
        for what a request has no room for, such as cookies, files, or an object in the query.
        """
        if unknown := kwargs.keys() - _PARTS:
            raise TypeError(f"a request cannot hold {', '.join(sorted(unknown))}")
        return cls(
            method=kwargs["method"].upper(),
            path=kwargs["url"],
            query=_encoded(kwargs.get("params", {}), _percent),
            content=_content(kwargs),
            headers={name: _text(name, value) for name, value in kwargs.get("headers", {}).items()},
        )

    def with_query(self, name: str, value: str) -> "Request":
        """
        Return this request with one more parameter in its query.
        """
        return attrs.evolve(self, query="&".join(filter(None, [self.query, f"{_name(name)}={_percent(value)}"])))

    def headers_with(self, usual: RawHeaders, secret: Headers) -> RawHeaders:
        """
        Return all headers to send: the *usual* ones, its own, and the *secret* ones.
        """
        headers = [*usual]
        for name, value in self.headers.items():
            headers.append((name.encode(), value.encode()))
        if self.content or self.method in _HAVE_BODIES:
            headers.append((b"Content-Length", b"%d" % len(self.content)))
        for name, hidden in secret.items():
            headers.append((name.encode(), hidden.reveal().encode()))
        return headers


@attrs.define(kw_only=True)
class Message:
    """
    A request as it goes out, to *origin*, a scheme and a host; *target* is its path and query, percent-encoded.

    *timeouts* are those of the attempt, in seconds, by httpx's names. *proxy* is the host of a proxy that may respond
    itself, or empty.
    """

    method: str
    origin: str
    target: str
    headers: RawHeaders = attrs.field(repr=False)
    content: bytes
    timeouts: dict[str, float | None]
    proxy: str = ""

    def as_httpx(self) -> httpx.Request:
        """
        Return it as httpx's request.
        """
        return httpx.Request(
            self.method,
            self._httpx_url(),
            headers=self.headers,
            stream=httpx.ByteStream(self.content),  # a stream, so that httpx adds no headers
            extensions={"timeout": self.timeouts, "proxy": self.proxy},
        )

    def _httpx_url(self) -> httpx.URL:
        """Return the URL. httpx would parse it in Python, which takes longer than all else here."""
        url = httpx.URL(_parsed(self.origin))
        path, _, query = self.target.partition("?")
        parts = url._uri_reference  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as in httpx 0.28
        replaced = parts._replace(path=path, query=query or None)
        url._uri_reference = replaced  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return url


_parsed = lru_cache(maxsize=16)(httpx.URL)


def _encoded(values: Mapping[str, object], encode: Callable[[str], str]) -> str:
    """Return *values* as a query or a form: a pair for each value, and for each item of an array."""
    return "&".join(
        f"{_name(name)}={encode(_text(name, one))}"
        for name, value in values.items()
        for one in (value if is_array(value) else (value,))
    )


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _SCALARS):
        return str(value)
    raise TypeError(f"{name} cannot hold a value of type {type(value).__name__}")


def _content(kwargs: Mapping[str, Any]) -> bytes:
    """Return the body of a request: a form, JSON, or none."""
    if "json" in kwargs and "data" in kwargs:
        raise TypeError("a request cannot hold two bodies")
    if "json" in kwargs:
        return json.dumps(kwargs["json"], ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return _encoded(kwargs["data"], quote_plus).encode() if "data" in kwargs else b""


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
