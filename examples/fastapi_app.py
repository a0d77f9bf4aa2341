"""
A web backend on FastAPI: `pip install fastapi uvicorn`, then `uvicorn --app-dir examples fastapi_app:app --workers 2`.

The lifespan owns the clients, one of each per worker. Errors become statuses in one place.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, TypedDict
from uuid import UUID

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict

from usergroups import (
    APITimeoutError,
    ConfigurationError,
    InvalidArgumentError,
    M3terClient,
    NotFoundError,
    Page,
    RateLimitedError,
    SmartPMClient,
    UserGroupsError,
)
from usergroups.m3ter import UserGroup
from usergroups.smartpm import User


class Clients(TypedDict):
    """What the lifespan gives to each request, as its `state`."""

    m3ter: M3terClient
    smartpm: SmartPMClient


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[Clients]:
    """Open the clients when the worker starts, and close them when it ends."""
    async with M3terClient() as m3ter, SmartPMClient() as smartpm:
        yield {"m3ter": m3ter, "smartpm": smartpm}


def get_m3ter(request: Request) -> M3terClient:
    """Return the worker's client."""
    client: M3terClient = request.state.m3ter
    return client


def get_smartpm(request: Request) -> SmartPMClient:
    """Return the worker's client."""
    client: SmartPMClient = request.state.smartpm
    return client


M3ter = Annotated[M3terClient, Depends(get_m3ter)]
SmartPM = Annotated[SmartPMClient, Depends(get_smartpm)]

app = FastAPI(lifespan=lifespan)


STATUSES: dict[type[UserGroupsError], int] = {  # the first that fits
    InvalidArgumentError: 400,  # what our caller passed is no id
    ConfigurationError: 500,  # a setting of ours is bad
    NotFoundError: 404,
    RateLimitedError: 503,  # the provider limits us, not our caller
    APITimeoutError: 504,
    UserGroupsError: 502,  # the provider failed, or refused us
}


@app.exception_handler(UserGroupsError)
async def say_why(_: Request, error: UserGroupsError) -> JSONResponse:
    """Answer with the status that an error means."""
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:.0f}"}
    return JSONResponse({"message": error.message}, status, headers)


class Group(BaseModel):
    """A user group of m3ter, as this backend shows it. Its id is text; SmartPM's ids are UUIDs."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str | None


class Member(BaseModel):
    """A user of a SmartPM group, as this backend shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    role: str | None


@app.get("/users/{user_id}/groups", response_model=list[Group])
async def list_groups(user_id: str, m3ter: M3ter, page_size: int | None = None) -> list[UserGroup]:
    """List the groups of a user."""
    return await m3ter.list_user_groups(user_id, page_size=page_size)


@app.get("/groups/{group_id}/members", response_model=list[Member])
async def list_members(group_id: str, smartpm: SmartPM) -> list[User]:
    """List the users of a group."""
    return (await smartpm.get_user_group(group_id)).users


@app.get("/users/{user_id}/groups.ndjson")
async def stream_groups(user_id: str, m3ter: M3ter) -> StreamingResponse:
    """List the groups of a user, a JSON object a line, as the pages arrive."""
    pages = m3ter.list_user_groups(user_id, prefetch=True).pages()
    first = await anext(pages)  # an error is still a status here

    async def lines() -> AsyncIterator[str]:
        async with aclosing(pages):  # when the reader leaves, no page is fetched any more
            try:
                yield in_lines(first)
                async for page in pages:
                    yield in_lines(page)
            except UserGroupsError as error:  # the status is sent already
                yield json.dumps({"error": error.message}) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def in_lines(page: Page[UserGroup]) -> str:
    """Return the groups of *page*, a JSON object a line."""
    return "".join(json.dumps(group.to_dict()) + "\n" for group in page.items)


@app.get("/health")
async def health(m3ter: M3ter) -> JSONResponse:
    """Answer 200 if there is a valid access token, or one can be had within two seconds."""
    try:
        await m3ter.authenticate(timeout=2)
    except UserGroupsError as error:
        return JSONResponse({"status": "failing", "reason": error.message}, 503)
    return JSONResponse({"status": "ok"})
