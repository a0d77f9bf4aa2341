"""What a sandbox does with questions about m3ter users, other than answering: it fails them, or lets them wait."""

import asyncio
from collections import defaultdict, deque
from threading import Event

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rig.tally import Tally
from usergroups.sandbox import Sandbox


class Outage:
    """
    The outages of a *sandbox* that has not been asked for anything yet. At first there are none.

    *asked* has the user's id of each request for groups; *held* is how many of them wait for `release`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.asked: list[str] = []
        self.held = Tally()
        self.failures: defaultdict[str, deque[JSONResponse]] = defaultdict(deque)
        self.passes = Event()
        self.passes.set()
        sandbox.app.add_middleware(_Gate, outage=self)

    def fail(self, user_id: str, status: int, *, times: int = 1, **headers: str) -> None:
        """
        Answer the next requests for the groups of this user with *status* and *headers*.
        """
        self.failures[user_id].extend(JSONResponse({"message": "Out of order"}, status, headers) for _ in range(times))

    def hold(self) -> None:
        """
        Answer nothing until `release`.
        """
        self.passes.clear()

    def release(self) -> None:
        """
        Answer all that waits, and all that comes.
        """
        self.passes.set()


class _Gate:
    """
    What a request passes before it comes to the sandbox.
    """

    def __init__(self, app: ASGIApp, outage: Outage) -> None:
        self._app = app
        self._outage = outage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].split("/")
        if path[-1] != "usergroups":
            await self._app(scope, receive, send)
            return
        user_id = path[-2]
        self._outage.asked.append(user_id)
        failures = self._outage.failures[user_id]
        answer = failures.popleft() if failures else self._app
        if not self._outage.passes.is_set():
            self._outage.held.add(1)
            await asyncio.to_thread(self._outage.passes.wait)
            self._outage.held.add(-1)
        await answer(scope, receive, send)
