"""The base of both clients: opened, used in one event loop or several, and closed."""

import asyncio
from types import TracebackType
from typing import NoReturn, Self, TypeVar

from ._http.sender import Sender
from ._models import Reader

_BATCH = 200  # models read per turn of the event loop

M = TypeVar("M")


class Client:
    """
    A client of one provider. It can be models outside of an event loop.
    """

    _sender: Sender
    _shown = ""  # the settings in the repr

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
        Close the client for good: calls in flight, and later ones, raise `APIConnectionError`.

        Closing again does nothing. A transport that was passed in stays open.
        """
        await self._sender.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and connections: it is not pickled")


async def read_all(reader: Reader, model: type[M], raw: list[object], path: str) -> list[M]:
    """
    Return each item of *raw* as a *model*, read in batches, so that the event loop can run in between.
    """
    models: list[M] = []
    for start in range(0, len(raw), _BATCH):
        if start:
            await asyncio.sleep(0)
        batch = enumerate(raw[start : start + _BATCH], start)
        models += [reader.read(model, one, f"{path}[{index}]") for index, one in batch]
    return models
