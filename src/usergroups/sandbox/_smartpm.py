"""SmartPM: the users of the company, their roles in projects, and one user group with its users."""

import hmac
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from usergroups.sandbox._data import UUID_FORM, Counts, Data, is_user

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
        return [
            Route("/public/v1/user-groups/{user_group_id}", self._user_group),
            Route("/public/v1/users", self._users),
            Route("/public/v1/users/{user_id}/project-roles", self._project_roles),
        ]

    def _check_access(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), API_KEY.encode()):
            challenge = {"WWW-Authenticate": 'ApiKey realm="smartpm"'}
            raise HTTPException(401, "X-API-KEY is missing or unknown", challenge)
        if request.headers.get("x-company-id") != COMPANY_ID:
            raise HTTPException(403, "X-COMPANY-ID is missing, or not the company of this key")

    async def _users(self, request: Request) -> Response:
        self._check_access(request)
        return JSONResponse(self._data.smartpm_company())

    async def _project_roles(self, request: Request) -> Response:
        self._check_access(request)
        user_id = unquote(request.path_params["user_id"]).lower()
        if not UUID_FORM.fullmatch(user_id):
            return JSONResponse({}, 500)
        if not any(is_user(user, user_id) for user in self._data.smartpm_company()):
            raise HTTPException(404, "No such user")
        self._counts.smartpm_roles += 1
        return JSONResponse({"userId": user_id, "projectRoles": self._data.smartpm_roles(user_id)})

    async def _user_group(self, request: Request) -> Response:
        self._check_access(request)
        group_id = unquote(request.path_params["user_group_id"]).lower()
        if not UUID_FORM.fullmatch(group_id):
            return JSONResponse({}, 500)
        group = self._data.smartpm_groups.get(group_id)
        if group is None:
            raise HTTPException(404, "No such user group")
        self._counts.smartpm_groups += 1
        return JSONResponse(group)
