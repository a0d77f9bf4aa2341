"""A server without a socket, for what takes a million calls to see."""

import httpx

from .weather import LIFE

_PAGE = b'{"data": [{"id": "a", "name": "Ada"}]}'


class InProcess(httpx.AsyncBaseTransport):
    """
    Gives a new token whenever it is asked, and one page to everybody.
    """

    def __init__(self) -> None:
        self._tokens = 0
        self._used: set[str] = set()

    def figures(self) -> dict[str, int]:
        """
        Return how many tokens were given, and how many were used.
        """
        return {"tokens": self._tokens, "used": len(self._used)}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Answer at once.
        """
        if request.method == "POST":
            self._tokens += 1
            document = {"access_token": f"token-{self._tokens}", "expires_in": LIFE}
            return httpx.Response(200, json=document)
        self._used.add(request.headers["Authorization"])
        return httpx.Response(200, content=_PAGE)
