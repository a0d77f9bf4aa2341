"""What both clients are: something that is opened, used in one loop after another, and closed."""

from types import TracebackType
from typing import NoReturn, Self

from ._http import Channel


class Client:
    """
    A client of one provider. It may be made outside of an event loop.
    """

    _channel: Channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """
        Close the client for good: calls in flight, and later ones, get `APIConnectionError`.

        Closing again does nothing. A transport that was passed in is not closed.
        """
        await self._channel.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and connections: it is not pickled")
