"""
Let two clients share one access token: run it with the settings of a sandbox in the environment.

A store for several processes does the same with a file or a database: it keeps the end of the token as
wall-clock time, and its lock is one that ends with the process that holds it.
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager

from usergroups import M3terClient, Token


class MemoryStore:
    """A `TokenStore` for the clients of one process."""

    def __init__(self) -> None:
        self._access_token = ""
        self._ends_at = 0.0
        self._lock = asyncio.Lock()

    async def load(self) -> Token | None:
        """Return the token that is kept, with the seconds that it has left, or None."""
        left = self._ends_at - time.monotonic()
        return Token(self._access_token, left) if self._access_token and left > 0 else None

    async def save(self, token: Token) -> None:
        """Keep *token*."""
        self._access_token = token.access_token
        self._ends_at = time.monotonic() + token.expires_in

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Let one client at a time fetch a token."""
        return self._lock


async def main() -> None:
    """Fetch a token with one client, and list groups with the other."""
    store = MemoryStore()
    async with M3terClient(token_store=store) as one, M3terClient(token_store=store) as other:
        await one.authenticate()
        print(await other.list_user_groups("grace").first())


if __name__ == "__main__":
    asyncio.run(main())
