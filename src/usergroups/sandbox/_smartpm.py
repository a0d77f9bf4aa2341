"""SmartPM: one user group with its users."""

import hmac
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from usergroups.sandbox._data import UUID_FORM, Counts, Data

API_KEY = "sandbox-smartpm-key"
COMPANY_ID = "20417"


class SmartPM:
    """
    The SmartPM half of a sandbox.

    A wrong key gets 401, a company that is not the key's 403, and an id that is no UUID 500, as this provider may do.
    """

    def __init__(self, data: Data, counts: Counts) -> None:
        self._data = data
        self._counts = counts

    def routes(self) -> list[Route]:
        """Return the routes of this provider."""
        return [Route("/public/v1/user-groups/{user_group_id}", self._user_group)]

    async def _user_group(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), API_KEY.encode()):
            challenge = {"WWW-Authenticate": 'ApiKey realm="smartpm"'}
            raise HTTPException(401, "X-API-KEY is missing or unknown", challenge)
        if request.headers.get("x-company-id") != COMPANY_ID:
            raise HTTPException(403, "X-COMPANY-ID is missing, or not the company of this key")
        group_id = unquote(request.path_params["user_group_id"]).lower()
        if not UUID_FORM.fullmatch(group_id):
            return JSONResponse({}, 500)
        group = self._data.smartpm_groups.get(group_id)
        if group is None:
            raise HTTPException(404, "No such user group")
        self._counts.smartpm_groups += 1
        return JSONResponse(group)
