"""What it takes to decode a large SmartPM group, beside pydantic; and whether the event loop notices."""

import asyncio
import gc
import json
import time
from contextlib import suppress
from datetime import datetime
from statistics import median
from typing import Self
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from benchmarks import bodies
from usergroups import SmartPMClient

_GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"
_BEAT = 0.005  # seconds


class _Canned(httpx.AsyncBaseTransport):
    """
    Answers at once, so that what is left of a call is the decoding.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002  # all the same
        return httpx.Response(200, content=self._body)


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _User(_Model):
    id: UUID
    email: str
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    title: str | None = None
    last_login: datetime | None = None
    login_count: int | None = None
    role: str | None = None
    sso_user: bool | None = None
    reporting_restricted: bool | None = None


class _UserGroup(_Model):
    id: UUID
    name: str
    users: list[_User]


async def measure(url: str, users: int, times: int) -> dict[str, float]:
    """
    Return the CPU seconds of a call over an empty transport, and of pydantic and json for the same bytes.

    *gap* is the longest that a beat every 5 ms was late in the same call over a socket, in seconds;
    *idle_gap* is the same without a call.
    """
    body = bodies.user_group(users)
    ours: list[float] = []
    theirs: list[float] = []
    alone: list[float] = []
    gaps: list[float] = []
    idle: list[float] = []
    async with _client("http://localhost", _Canned(body)) as canned, _client(url) as client:
        for _ in range(times + 1):  # the first one warms up
            gc.collect()
            begin = time.process_time()
            await canned.get_user_group(_GROUP_ID)
            middle = time.process_time()
            _UserGroup.model_validate_json(body)
            end = time.process_time()
            json.loads(body)
            alone.append(time.process_time() - end)
            theirs.append(end - middle)
            ours.append(middle - begin)
            async with _Heartbeat() as heartbeat:
                group = await client.get_user_group(_GROUP_ID)
            if len(group.users) != users:
                raise ValueError(f"{len(group.users)} users arrived, not {users}")
            gaps.append(heartbeat.longest)
            async with _Heartbeat() as heartbeat:
                await asyncio.sleep(0.1)
            idle.append(heartbeat.longest)
    return {
        "ours": median(ours[1:]),
        "pydantic": median(theirs[1:]),
        "json": median(alone[1:]),
        "gap": median(gaps[1:]),
        "longest_gap": max(gaps[1:]),
        "idle_gap": max(idle[1:]),
    }


def _client(url: str, transport: httpx.AsyncBaseTransport | None = None) -> SmartPMClient:
    return SmartPMClient(api_key="key", company_id="company", base_url=url, transport=transport)


class _Heartbeat:
    """
    Beats every 5 ms: the *longest* time from one beat to the next tells how long the loop was busy.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._last = time.perf_counter()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beat()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            self._beat()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last), now
