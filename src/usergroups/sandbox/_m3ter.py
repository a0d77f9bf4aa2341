"""m3ter: the token endpoint, and users, user groups and who is in which, page by page."""

import base64
import hmac
import json
import math
import re
import secrets
from collections.abc import Callable
from typing import TypeVar, cast
from urllib.parse import parse_qs, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from usergroups.sandbox._data import Counts, Data, Json

T = TypeVar("T")

ORG_ID = "5a4db0c5-0000-4000-8000-000000000001"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - no secret
API_KEY = "sandbox-m3ter-key"
API_SECRET = "sandbox-m3ter-secret"  # noqa: S105 - no secret, it is the sandbox's

_ORGANIZATION = "/organizations/{org_id}"
_CREDENTIALS = base64.b64encode(f"{API_KEY}:{API_SECRET}".encode()).decode()


class M3ter:
    """
    The m3ter half of a sandbox.

    A bearer token that is missing or was never issued gets 401; one past its end gets 403, as this provider documents.
    """

    def __init__(
        self, data: Data, counts: Counts, token_lifetime: float, default_page_size: int, clock: Callable[[], float]
    ) -> None:
        self._data = data
        self._counts = counts
        self._token_lifetime = token_lifetime
        self._default_page_size = default_page_size
        self._clock = clock
        self._token_key = secrets.token_bytes(32)
        self._page_key = secrets.token_bytes(32)

    def routes(self) -> list[Route]:
        """Return the routes of this provider."""
        return [
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            Route(f"{_ORGANIZATION}/users/{{user_id}}/usergroups", self._user_groups),
            Route(f"{_ORGANIZATION}/users", self._users),
            Route(f"{_ORGANIZATION}/resourcegroups/user", self._groups),
            Route(f"{_ORGANIZATION}/resourcegroups/user/{{group_id}}/contents", self._items, methods=["POST"]),
        ]

    def revoke_tokens(self) -> None:
        """Make every token so far one that was never issued."""
        self._token_key = secrets.token_bytes(32)

    async def _token(self, request: Request) -> Response:
        self._counts.token_requests += 1
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not _same(credentials, _CREDENTIALS):
            return _oauth_error(401, "invalid_client", "Unknown access key id or wrong API secret")
        grant_type = _grant_type(request.headers.get("content-type", ""), await request.body())
        if grant_type is None:
            return _oauth_error(400, "invalid_request", "grant_type is missing, or the body is neither form nor JSON")
        if grant_type != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        self._counts.tokens += 1
        # Whole seconds, as the provider has it: a lifetime below one second is a token that ends earlier than it says.
        expires_in = max(1, math.floor(self._token_lifetime))
        token = {"access_token": self._new_token(), "expires_in": expires_in, "token_type": "Bearer", "scope": None}
        return JSONResponse(token, headers={"Cache-Control": "no-store"})

    def _new_token(self) -> str:
        header = _base64url(b'{"alg":"HS256","typ":"JWT"}')
        claims = {"sub": API_KEY, "exp": self._clock() + self._token_lifetime, "jti": secrets.token_hex(170)}
        signed = f"{header}.{_base64url(json.dumps(claims).encode())}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _base64url(hmac.digest(self._token_key, signed.encode(), "sha256"))

    def _check_bearer(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        signed, _, signature = token.rpartition(".")
        if scheme.lower() != "bearer" or not _same(signature, self._signature(signed)):
            challenge = {"WWW-Authenticate": 'Bearer realm="m3ter", error="invalid_token"'}
            raise HTTPException(401, "The access token is missing or invalid", challenge)
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        if self._clock() >= claims["exp"]:
            raise HTTPException(403, "The access token has expired")

    async def _user_groups(self, request: Request) -> Response:
        self._check_access(request)
        inherited = _query(request, "inherited", "true|false", "must be true or false") == "true"
        user_id = unquote(request.path_params["user_id"])

        def groups() -> list[Json]:
            if user_id not in self._data.m3ter_users:
                raise HTTPException(404, "No such user")
            return self._data.groups_of(user_id, inherited=inherited)

        return self._page(request, f"{inherited} {user_id}", groups, most=200)

    async def _users(self, request: Request) -> Response:
        self._check_access(request)
        wanted = dict.fromkeys(request.query_params.getlist("ids"))
        if "" in wanted:
            raise HTTPException(400, "ids must not be empty")
        known = self._data.m3ter_users

        def users() -> list[str]:
            return [one for one in wanted if one in known] if wanted else list(known)

        return self._page(request, f"users {json.dumps([*wanted])}", users, most=200, shown=self._data.m3ter_user)

    async def _groups(self, request: Request) -> Response:
        self._check_access(request)
        return self._page(request, "groups", lambda: list(self._data.m3ter_groups.values()), most=100)

    async def _items(self, request: Request) -> Response:
        self._check_access(request)
        group_id = unquote(request.path_params["group_id"])

        def items() -> list[Json]:
            if group_id not in self._data.m3ter_groups:
                raise HTTPException(404, "No such group")
            return self._data.m3ter_items(group_id)

        return self._page(request, f"items {group_id}", items, most=100)

    def _check_access(self, request: Request) -> None:
        self._check_bearer(request)
        if unquote(request.path_params["org_id"]) != ORG_ID:
            raise HTTPException(403, "No access to this organization")

    def _page(
        self,
        request: Request,
        listing: str,
        rows: Callable[[], list[T]],
        *,
        most: int,
        shown: Callable[[T], object] = lambda row: row,
    ) -> Response:
        """Answer with a page of *rows*, each as *shown*; *listing* says which they are, *most* how many are allowed."""
        page_size = _query(request, "pageSize", "[1-9][0-9]{0,2}", f"must be a number from 1 to {most}")
        if page_size is not None and int(page_size) > most:
            raise HTTPException(400, f"pageSize must be a number from 1 to {most}")
        next_token = _query(request, "nextToken", "(?s:.*)", "must be given once")
        found = rows()
        start = 0 if next_token is None else self._start_of_page(listing, next_token)
        size = self._default_page_size if page_size is None else int(page_size)
        page: Json = {"data": [shown(row) for row in found[start : start + size]]}
        if start + size < len(found):
            page["nextToken"] = self._page_token(listing, start + size)
        self._counts.pages += 1
        return JSONResponse(page)

    def _page_token(self, listing: str, start: int) -> str:
        signature = hmac.digest(self._page_key, f"{start} {listing}".encode(), "sha256")
        return base64.b64encode(start.to_bytes(8) + signature).decode()

    def _start_of_page(self, listing: str, next_token: str) -> int:
        try:
            start = int.from_bytes(base64.b64decode(next_token)[:8])
        except ValueError:
            start = 0
        if not _same(next_token, self._page_token(listing, start)):
            raise HTTPException(400, "nextToken is unknown, or of another listing")
        return start


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _oauth_error(status: int, error: str, description: str) -> Response:
    """Answer as RFC 6749, 5.2 has it."""
    headers = {"WWW-Authenticate": 'Basic realm="m3ter"'} if status == 401 else None
    return JSONResponse({"error": error, "error_description": description}, status, headers)


def _grant_type(content_type: str, body: bytes) -> object:
    """Read the grant type from a form or a JSON body; None where there is none, or not just one."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == "application/x-www-form-urlencoded":
            values = parse_qs(body.decode()).get("grant_type", [])
            return values[0] if len(values) == 1 else None
        if media_type == "application/json":
            parsed: object = json.loads(body)
            return cast("Json", parsed).get("grant_type") if isinstance(parsed, dict) else None
    except (ValueError, RecursionError):
        pass
    return None


def _query(request: Request, name: str, pattern: str, rule: str) -> str | None:
    """Return the one value of a query parameter, None if it was not sent."""
    match request.query_params.getlist(name):
        case []:
            return None
        case [value] if re.fullmatch(pattern, value):
            return value
        case _:
            raise HTTPException(400, f"{name} {rule}")


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
