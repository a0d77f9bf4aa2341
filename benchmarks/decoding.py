"""What it takes to decode a large SmartPM group, beside pydantic."""

import gc
import json
import time
from datetime import datetime
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from benchmarks import bodies
from usergroups import SmartPMClient

_GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"


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


async def measure(users: int, times: int) -> dict[str, list[float]]:
    """
    Return the CPU seconds of a call over an empty transport, and of pydantic and json for the same bytes.

    The call and pydantic take turns in who begins.
    """
    body = bodies.user_group(users)
    ours: list[float] = []
    theirs: list[float] = []
    alone: list[float] = []
    async with SmartPMClient(
        api_key="key", company_id="company", base_url="http://localhost", transport=_Canned(body)
    ) as client:

        async def call() -> None:
            gc.collect()
            begin = time.process_time()
            await client.get_user_group(_GROUP_ID)
            ours.append(time.process_time() - begin)

        async def validate() -> None:
            gc.collect()
            begin = time.process_time()
            _UserGroup.model_validate_json(body)
            theirs.append(time.process_time() - begin)

        for number in range(times + 1):  # the first pair warms up
            for one in (call, validate) if number % 2 else (validate, call):
                await one()
            begin = time.process_time()
            json.loads(body)
            alone.append(time.process_time() - begin)
    return {"ours": ours[1:], "pydantic": theirs[1:], "json": alone[1:]}
