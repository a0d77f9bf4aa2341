"""A look at a socket, past the event loop."""

import asyncio
import selectors
from collections.abc import Callable

_Poll: Callable[[], selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Unread:
    """
    A look at the socket of *transport*, past the event loop.
    """

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._poll = _Poll()
        self._poll.register(transport.get_extra_info("socket"), selectors.EVENT_READ)

    def is_there(self) -> bool:
        """
        Return whether the socket has bytes, or its end, that the event loop has not read yet.
        """
        return bool(self._poll.select(0))
