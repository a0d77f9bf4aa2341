"""
An async and a sync view of Django, with one client for all of a process.

Under ASGI, write the async one: `pip install django uvicorn`, `uvicorn --app-dir examples django_views:asgi`.
Under WSGI, the sync one: `pip install django gunicorn`, `gunicorn --chdir examples --threads 8 django_views:wsgi`.
"""

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from usergroups import (
    APITimeoutError,
    ConfigurationError,
    InvalidArgumentError,
    M3terClient,
    NotFoundError,
    RateLimitedError,
    UserGroupsError,
)

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=[f"{__name__}.ErrorsToStatuses"],
    ROOT_URLCONF=__name__,
)

STATUSES: dict[type[UserGroupsError], int] = {  # the first that fits
    InvalidArgumentError: 400,  # what our caller passed is no id
    ConfigurationError: 500,  # a setting of ours is bad
    NotFoundError: 404,
    RateLimitedError: 503,  # the provider limits us, not our caller
    APITimeoutError: 504,
    UserGroupsError: 502,  # the provider failed, or refused us
}


class ErrorsToStatuses(MiddlewareMixin):
    """Answers with the status that an error of the SDK means, in async and in sync views."""

    def process_exception(self, _: HttpRequest, error: Exception) -> JsonResponse | None:
        """Return the response to an error; None leaves it to Django."""
        if not isinstance(error, UserGroupsError):
            return None
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:.0f}"}
        return JsonResponse({"message": error.message}, status=status, headers=headers)


m3ter = M3terClient()  # of this process, for all its threads and event loops


async def list_groups(user_id: str) -> list[dict[str, str | None]]:
    """List the groups of a user, as this backend shows them."""
    return [{"id": group.id, "name": group.name} async for group in m3ter.list_user_groups(user_id)]


async def async_view(_: HttpRequest, user_id: str) -> JsonResponse:
    """Answer in the event loop of the server, which ASGI has."""
    return JsonResponse(await list_groups(user_id), safe=False)


def sync_view(_: HttpRequest, user_id: str) -> JsonResponse:
    """Answer in the thread of the request, which WSGI has, by an event loop for this one call."""
    return JsonResponse(async_to_sync(list_groups)(user_id), safe=False)


urlpatterns = [
    path("users/<user_id>/groups", async_view),
    path("sync/users/<user_id>/groups", sync_view),
]

asgi = get_asgi_application()
wsgi = get_wsgi_application()
