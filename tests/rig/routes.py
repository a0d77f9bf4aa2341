"""What a fault server has been asked, and which script it answers with."""

from collections.abc import Callable
from functools import cached_property
from urllib.parse import parse_qsl

import attrs

from .script import Script


@attrs.frozen(slots=False)
class Request:
    """
    A request that arrived whole, at monotonic time *at*: the *nth* (from 1) on its *connection*.
    """

    head: bytes
    body: bytes
    at: float
    connection: int
    nth: int

    @cached_property
    def method(self) -> str:
        """
        The method.
        """
        return self.head.partition(b" ")[0].decode("latin-1")

    @cached_property
    def target(self) -> bytes:
        """
        What is asked for, byte for byte: path and query.
        """
        return self.head.split(b" ", 2)[1]

    @cached_property
    def path(self) -> str:
        """
        The path, still percent-encoded, without the query.
        """
        return self.target.partition(b"?")[0].decode("latin-1")

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """
        The names and values of the query, decoded.
        """
        return parse_qsl(self.target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """
        The headers in order, their names in lower case.
        """
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        """
        Return the first header called *name*, or None.
        """
        return next((value for other, value in self.headers if other == name.lower()), None)


@attrs.define
class Connection:
    """
    One connection in figures: the monotonic time of its end, and how many requests came on it.
    """

    number: int
    closed_at: float | None = None
    requests: int = 0


Answer = Script | Callable[[Request, int], Script]


@attrs.define
class Route:
    """
    What is answered to some requests; *answer* may be changed at any time, *hits* counts them.
    """

    method: str | None
    path: str
    answer: Answer
    left: int | None = None
    hits: int = 0

    def fits(self, request: Request) -> bool:
        """
        Return whether this route is for *request*, and not used up.
        """
        return (
            self.left != 0
            and (self.method is None or self.method == request.method)
            and path_fits(self.path, request.path)
        )

    def take(self, request: Request) -> Script:
        """
        Return the script for *request*.
        """
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        return self.answer(request, self.hits) if callable(self.answer) else self.answer


def path_fits(pattern: str, path: str) -> bool:
    """
    Return whether *path* is *pattern*, or begins with it where that ends in `*`.
    """
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
