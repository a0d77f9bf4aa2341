"""m3ter: users, user groups, and who is in which (https://docs.m3ter.com/reference)."""

from collections.abc import Iterable, Mapping
from logging import getLogger
from types import EllipsisType
from typing import Any, TypeVar

import httpx

from usergroups_m3ter_api.api.tokens.create_token import (
    _get_kwargs as token_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_m3ter_api.api.user_groups.list_group_items import (
    _get_kwargs as list_group_items_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_m3ter_api.api.user_groups.list_groups import (
    _get_kwargs as list_groups_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_m3ter_api.api.user_groups.list_user_groups import (
    _get_kwargs as list_user_groups_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_m3ter_api.api.users.list_users import (
    _get_kwargs as list_users_kwargs,  # pyright: ignore[reportPrivateUsage]  # the generator's name
)
from usergroups_m3ter_api.models import GroupItem, TokenRequest, User, UserGroup

from . import _arguments
from ._arguments import of_call, of_client
from ._auth.bearer import BearerAuth
from ._auth.credentials import ClientCredentials
from ._auth.source import TokenSource
from ._auth.store import TokenStore
from ._auth.token import basic_credentials
from ._client import Client, Timeout
from ._http.errors import unexpected
from ._http.exchange import Response
from ._http.rate import RateLimit
from ._http.request import Request
from ._http.retry import RetryPolicy
from ._http.sender import Sender
from ._lists import read_list
from ._models import MismatchError, Reader, is_array, is_object
from ._secrets import Redactor, hide
from .errors import ConfigurationError, PaginationError
from .pagination import AsyncPager, Fetched, Page

__all__ = ["GroupItem", "M3terClient", "User", "UserGroup"]

_log = getLogger("usergroups")

BASE_URL = "https://api.m3ter.com"
MAX_RATE = 50.0  # requests per second and organization, documented
REFUSED_FOR = 1.0  # seconds at most: requests above that rate are refused for the rest of the second, documented

# m3ter returns 403 for an expired token, and also for an unknown organization or a missing permission.
_REFUSALS = frozenset({401, 403})
_HINTS: Mapping[int, str] = {
    401: "check api_key and api_secret",
    413: "ask for less at a time, with a smaller page_size",
    429: "set max_rate, or a lower one where others ask for this organization too",
}

M = TypeVar("M")


class M3terClient(Client):
    """
    A client of m3ter: users, user groups, and who is in which.

    *org_id*, *api_key* and *api_secret* default to the environment's `M3TER_ORG_ID`, `M3TER_API_KEY`
    and `M3TER_API_SECRET`, *base_url* to `M3TER_BASE_URL`, else to m3ter's own.

    *timeout* is the seconds for each call, waits and retries included (None: no limit); *retry* sets
    the number of attempts and the waits between them; *max_in_flight* is the number of requests in
    flight at once; *max_rate* the requests that may start per second (None: any number), or a
    `RateLimit` that clients share. *transport* replaces the client's own; *user_agent* is put before
    the SDK's; *token_store* shares the access token with other clients.

    Raises `ConfigurationError` for an argument or setting that is missing or bad.
    """

    def __init__(
        self,
        *,
        org_id: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        base_url: str | None = None,
        timeout: float | None = 60.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        max_in_flight: int = 16,
        max_rate: float | RateLimit | None = MAX_RATE,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str | None = None,
        token_store: TokenStore | None = None,
    ) -> None:
        key, secret, url = hide(api_key), hide(api_secret), hide(base_url)
        del api_key, api_secret, base_url  # a traceback may show arguments
        _arguments.require(
            org_id is None and ("org_id", "M3TER_ORG_ID"),
            key is None and ("api_key", "M3TER_API_KEY"),
            secret is None and ("api_secret", "M3TER_API_SECRET"),
        )
        setting = _arguments.setting
        self._org_id = setting("org_id", org_id, "M3TER_ORG_ID", of_client.path_segment)
        user = setting("api_key", key, "M3TER_API_KEY", of_client.header_value)
        if ":" in user.reveal():
            raise ConfigurationError("api_key must not hold a ':', which HTTP Basic cannot carry")
        password = setting("api_secret", secret, "M3TER_API_SECRET", of_client.header_value)
        if token_store is not None:
            of_client.instance("token_store", token_store, TokenStore)
            if isinstance(token_store, type):  # a class has the protocol's methods, too
                raise ConfigurationError("token_store must be a TokenStore, not a class of them")
        redactor = Redactor(user, password, basic_credentials(user, password))
        sender = Sender(
            base_url=setting("base_url", url, "M3TER_BASE_URL", of_client.base_url, default=BASE_URL),
            timeout=timeout,
            retry=retry,
            max_in_flight=max_in_flight,
            max_rate=max_rate,
            refused_for=REFUSED_FOR if max_rate is None else 0.0,
            transport=transport,
            user_agent=user_agent,
            redactor=redactor,
        )
        self._token_request = Request.of(token_kwargs(body=TokenRequest(grant_type="client_credentials")))
        self._tokens = TokenSource(
            ClientCredentials(sender, self._token_request, user, password, hint=_HINTS[401]),
            asked={"method": self._token_request.method, "path": sender.path(self._token_request)},
            runtime=sender.runtime,
            timeout=sender.timeout,
            retry=retry,
            store=token_store,
            redactor=redactor,
        )
        super().__init__(sender, BearerAuth(self._tokens, _REFUSALS), f"org_id={self._org_id!r}")

    def list_user_groups(
        self,
        user_id: str,
        *,
        inherited: bool | None = None,
        page_size: int | None = None,
        next_token: str | None = None,
        prefetch: bool = False,
        org_id: str | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> AsyncPager[UserGroup]:
        """
        List the user groups that the user *user_id* is in.

        *inherited* adds the groups that those are nested in. *page_size* (1 to 200) is the most items
        per page; *next_token* resumes after a page; *prefetch* fetches the next page while the caller
        works on this one; *org_id* selects another organization; *timeout* is the seconds for each
        page. Where *inherited* or *page_size* is None, the provider decides.

        Raises `InvalidArgumentError` at once for a bad argument, and the errors of a call while
        iterating, such as `NotFoundError` for a user that does not exist.
        """
        asked = {"user_id": user_id, "inherited": inherited, "page_size": page_size, "org_id": org_id}
        if inherited is not None:
            of_call.instance("inherited", inherited, bool)
        user_id, org_id = of_call.path_segment("user_id", user_id), self._org(org_id)
        kwargs = list_user_groups_kwargs(org_id, user_id, inherited=inherited, page_size=_page_size(page_size, 200))
        call = "list_user_groups", asked
        return self._list(UserGroup, call, kwargs, next_token=next_token, prefetch=prefetch, timeout=timeout)

    def list_users(
        self,
        *,
        ids: Iterable[str] | None = None,
        page_size: int | None = None,
        next_token: str | None = None,
        prefetch: bool = False,
        org_id: str | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> AsyncPager[User]:
        """
        List the users of the organization, or those of them whose id is in *ids*.

        *page_size* is 1 to 200; the other arguments, and the errors, are those of `list_user_groups`.
        """
        wanted = None if ids is None else of_call.parameters("ids", ids)
        asked = {"ids": wanted, "page_size": page_size, "org_id": org_id}
        kwargs = list_users_kwargs(self._org(org_id), ids=wanted, page_size=_page_size(page_size, 200))
        call = "list_users", asked
        return self._list(User, call, kwargs, next_token=next_token, prefetch=prefetch, timeout=timeout)

    def list_groups(
        self,
        *,
        page_size: int | None = None,
        next_token: str | None = None,
        prefetch: bool = False,
        org_id: str | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> AsyncPager[UserGroup]:
        """
        List all user groups of the organization.

        *page_size* is 1 to 100; the other arguments, and the errors, are those of `list_user_groups`.
        """
        kwargs = list_groups_kwargs(self._org(org_id), page_size=_page_size(page_size, 100))
        call = "list_groups", {"page_size": page_size, "org_id": org_id}
        return self._list(UserGroup, call, kwargs, next_token=next_token, prefetch=prefetch, timeout=timeout)

    def list_group_items(
        self,
        group_id: str,
        *,
        page_size: int | None = None,
        next_token: str | None = None,
        prefetch: bool = False,
        org_id: str | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> AsyncPager[GroupItem]:
        """
        List what is directly in the user group *group_id*: users, and groups that are nested in it.

        The `target_type` of an item is "ITEM" for a user and "GROUP" for a group, perhaps in lower case.
        *page_size* is 1 to 100; the other arguments, and the errors, are those of `list_user_groups`.
        """
        call = "list_group_items", {"group_id": group_id, "page_size": page_size, "org_id": org_id}
        group_id, org_id = of_call.path_segment("group_id", group_id), self._org(org_id)
        kwargs = list_group_items_kwargs(org_id, group_id, page_size=_page_size(page_size, 100))
        return self._list(GroupItem, call, kwargs, next_token=next_token, prefetch=prefetch, timeout=timeout)

    def _org(self, org_id: str | None) -> str:
        return self._org_id if org_id is None else of_call.path_segment("org_id", org_id)

    def _list(
        self,
        model: type[M],
        call: tuple[str, Mapping[str, object]],
        kwargs: Mapping[str, Any],
        *,
        next_token: str | None,
        prefetch: bool,
        timeout: Timeout,
    ) -> AsyncPager[M]:
        """
        Return the pager of *call*, the name of an operation and its arguments, whose items are of *model*.

        *kwargs*, from a generated `_get_kwargs()`, describe the first page.
        """
        request = Request.of(kwargs)
        seconds = self._seconds(timeout)
        name, _ = call
        listed = name.removeprefix("list_").replace("_", " ")
        hints = {**_HINTS, 403: f"check org_id, and that the service user may read {listed}"}

        async def read(response: Response) -> "Fetched[M]":  # in quotes: else made anew for every call
            page = await _read_page(model, self._reader, response)
            repeats = MismatchError("$.nextToken", "the page token has been used before in this listing")
            return page, lambda: unexpected(response, repeats, self._sender.redactor, PaginationError)

        async def fetch(token: "str | None") -> "Fetched[M]":  # as above
            asked = request if token is None else request.with_query("nextToken", token)
            fetched = await self._call(f"m3ter.{name}", asked, read, timeout=seconds, hints=hints)
            _log.debug("page fetched: %d items", len(fetched[0].items))
            return fetched

        return AsyncPager(fetch, next_token=next_token, prefetch=prefetch, call=call)

    async def authenticate(self, *, timeout: float | EllipsisType | None = ...) -> None:
        """
        Make sure that there is a valid access token, for example in a readiness check.

        *timeout* is the seconds for this call. Raises `AuthenticationError` if the credentials are refused,
        and the other errors of a call.
        """
        await self._within(
            "m3ter.authenticate",
            self._token_request,
            lambda call: self._tokens.get(call.deadline()),
            timeout=self._seconds(timeout),
        )

    async def aclose(self) -> None:
        """
        Close the client for good: calls in flight, and later ones, raise `APIConnectionError`.

        A token fetch in flight is ended. Closing again does nothing. A transport that was passed in stays open.
        """
        try:
            await super().aclose()
        finally:
            await self._tokens.aclose()


def _page_size(value: int | None, most: int) -> int | None:
    return None if value is None else of_call.count("page_size", value, most=most)


async def _read_page(model: type[M], reader: Reader, response: Response) -> Page[M]:
    """
    Read a page of *model* in any of its four shapes: an envelope, an array, one bare item, or an empty object.

    The documentation of user groups shows one bare group; the other lists of this API come in an envelope.
    """
    document, models = await read_list(reader, model, "data", response.body)
    if is_array(document):
        return Page(tuple(models.all()))
    if not is_object(document):
        raise MismatchError("$", "it is neither an object nor an array")
    data = document.get("data")
    if is_array(data):
        items = models.all()
    elif data is not None:
        raise MismatchError("$.data", "it is not an array")
    elif "id" in document:
        items = [reader.read(model, document)]
    elif "data" in document or not document:
        items = []
    else:
        raise MismatchError("$.data", "it is missing")
    return Page(tuple(items), _next_token(document))


def _next_token(document: Mapping[str, object]) -> str | None:
    token = document.get("nextToken")
    if token is None or token == "":
        return None
    damaged = "\ufffd"  # also the replacement for half of a surrogate pair
    if not isinstance(token, str) or damaged in token or not _arguments.fits_a_url(token):
        raise MismatchError("$.nextToken", "it is not text that fits into a URL")
    return token
