"""What both clients are: something that is opened, used in one loop after another, and closed."""

import asyncio
from types import TracebackType
from typing import NoReturn, Self, TypeVar

from ._http.sender import Sender
from ._models import Reader

_BATCH = 200  # models that are read in one turn of the event loop

M = TypeVar("M")


class Client:
    """
    A client of one provider. It may be made outside of an event loop.
    """

    _sender: Sender
    _shown = ""  # what the repr shows of its settings

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
        await self._sender.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and connections: it is not pickled")


async def read_all(reader: Reader, model: type[M], raw: list[object], path: str) -> list[M]:
    """
    Return the *model* that each of *raw* is; read in batches, so that the event loop goes on meanwhile.
    """
    made: list[M] = []
    for start in range(0, len(raw), _BATCH):
        if start:
            await asyncio.sleep(0)
        batch = enumerate(raw[start : start + _BATCH], start)
        made += [reader.read(model, one, f"{path}[{index}]") for index, one in batch]
    return made
