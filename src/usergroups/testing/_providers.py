"""Both providers in one process: clients of them, failures on demand, and what was asked."""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property, partial
from random import Random
from typing import Literal, TypedDict, Unpack, get_args

import attrs
import httpx

from usergroups import M3terClient, RateLimit, RetryPolicy, SmartPMClient, TokenStore
from usergroups._runtime import RUNTIME, Runtime
from usergroups.sandbox import Data, Sandbox

from ._clock import Clock

Provider = Literal["m3ter", "smartpm"]
Loss = Literal["timeout", "disconnect"]

_LOSSES: Mapping[Loss, type[httpx.TransportError]] = {"timeout": httpx.ReadTimeout, "disconnect": httpx.ReadError}
_TOKEN_PATH = "/oauth/token"  # noqa: S105  # no secret
_TOKEN_LIFETIME = 18_000.0  # seconds, m3ter's


@attrs.frozen
class Call:
    """
    A request that a client sent: for a token, a page or a group, and again for each retry.

    *path* is percent-decoded and without the query, which *query* holds by name. *status* is that of the
    answer, None where none arrived.
    """

    provider: Provider
    method: str
    path: str
    query: dict[str, str]
    status: int | None


class ClientOptions(TypedDict, total=False):
    """Arguments of both clients."""

    base_url: str
    timeout: float | None
    retry: RetryPolicy
    max_in_flight: int
    max_rate: float | RateLimit | None
    user_agent: str | None


class M3terOptions(ClientOptions, total=False):
    """Arguments of a `M3terClient`; all but its transport, which leads to the sandbox."""

    org_id: str
    api_key: str
    api_secret: str
    token_store: TokenStore | None


class SmartPMOptions(ClientOptions, total=False):
    """Arguments of a `SmartPMClient`; all but its transport, which leads to the sandbox."""

    api_key: str
    company_id: str


class Providers:
    """
    m3ter and SmartPM in this process, as the sandbox stands in for them: no socket is opened, nothing is patched.

    They begin without users and groups. `data`, a `usergroups.sandbox.Data`, has the methods that add them, at any
    time. `calls` lists what clients asked, in order; it may be cleared. Clients are the real ones, and wait between
    retries on a clock of their own, so that back-off, Retry-After and pacing take no time. They need not be closed.

    *default_page_size* (1 to 200 groups) is that of m3ter where a request asks for none; *rate_limit* is in requests
    per second for each provider, by the clients' clock, None for no limit. Raises ValueError for another number.
    """

    def __init__(self, *, default_page_size: int = 5, rate_limit: int | None = None) -> None:
        self.data = Data()
        self.calls: list[Call] = []
        self._clock = Clock()
        self._ahead = 0.0  # seconds by which the providers' clock is ahead of the clients'
        self._failures: list[_Failure] = []
        self._random = Random(0)  # noqa: S311  # no secret
        sandbox = Sandbox(
            data=self.data,
            default_page_size=default_page_size,
            rate_limit=rate_limit,
            token_lifetime=_TOKEN_LIFETIME,
            clock=lambda: self._clock() + self._ahead,
        )
        self._app = httpx.ASGITransport(sandbox.app)
        self._env = sandbox.env("")

    @cached_property
    def m3ter(self) -> M3terClient:
        """A client of m3ter, ready to use."""
        return self.m3ter_client()

    @cached_property
    def smartpm(self) -> SmartPMClient:
        """A client of SmartPM, ready to use."""
        return self.smartpm_client()

    def m3ter_client(self, **options: Unpack[M3terOptions]) -> M3terClient:
        """
        Return a new client of m3ter.

        *options* are the arguments of `M3terClient`, but for `transport`; what is left out is as the sandbox has it.
        """
        options.setdefault("org_id", self._env["M3TER_ORG_ID"])
        options.setdefault("api_key", self._env["M3TER_API_KEY"])
        options.setdefault("api_secret", self._env["M3TER_API_SECRET"])
        options.setdefault("base_url", "https://m3ter.test")
        with self._runtime():
            return M3terClient(**options, transport=_Transport(partial(self._answer, "m3ter")))

    def smartpm_client(self, **options: Unpack[SmartPMOptions]) -> SmartPMClient:
        """
        Return a new client of SmartPM.

        *options* are the arguments of `SmartPMClient`, but for `transport`; what is left out is as the sandbox has it.
        """
        options.setdefault("api_key", self._env["SMARTPM_API_KEY"])
        options.setdefault("company_id", self._env["SMARTPM_COMPANY_ID"])
        options.setdefault("base_url", "https://smartpm.test")
        with self._runtime():
            return SmartPMClient(**options, transport=_Transport(partial(self._answer, "smartpm")))

    def fail_next(
        self,
        failure: int | Loss,
        *,
        times: int | None = 1,
        provider: Provider | None = None,
        path: str | None = None,
        message: str = "made to fail",
        retry_after: int | None = None,
    ) -> None:
        """
        Let the next *times* requests fail (None: all from now on).

        *failure* is a status from 400 to 599, "timeout" (no answer in time) or "disconnect" (the connection is lost).
        An answer carries *message* and, in seconds, *retry_after*. A retry is another request: by default a client
        sends three before it gives up. *provider* and *path*, a pattern such as "*/users/zoe/*" (`fnmatch`) for the
        decoded path, say which requests fail. Those for a token do only if *path* is given ("/oauth/token").

        Of several failures that are due, the one that was asked for first comes first. Raises ValueError for an
        argument that can have no effect.
        """
        if failure not in get_args(Loss) and failure not in range(400, 600):
            raise ValueError(f"failure must be a status from 400 to 599, 'timeout' or 'disconnect', not {failure!r}")
        if times is not None and times < 1:
            raise ValueError(f"times must be 1 or more, or None, not {times!r}")
        if provider is not None and provider not in get_args(Provider):
            raise ValueError(f"provider must be 'm3ter' or 'smartpm', not {provider!r}")
        if retry_after is not None and (failure in get_args(Loss) or retry_after < 0):
            raise ValueError(f"retry_after must be 0 or more seconds, with a status, not {retry_after!r}")
        self._failures.append(_Failure(failure, times, provider, path, message, retry_after))

    def end_tokens(self) -> None:
        """
        Let every access token issued so far end, before the time that clients know.

        The next request with one is refused as m3ter refuses it, with 403, and the client fetches another.
        """
        self._ahead += _TOKEN_LIFETIME

    @property
    def waited(self) -> float:
        """
        The seconds that clients have waited so far, by their clock: between retries, and for their rate.
        """
        return self._clock.slept

    @contextmanager
    def _runtime(self) -> Generator[None]:
        """Let a client that is made in this block wait on the clock that takes no time."""
        before = RUNTIME.set(Runtime(clock=self._clock, sleep=self._clock.sleep, random=self._random.random))
        try:
            yield
        finally:
            RUNTIME.reset(before)

    async def _answer(self, provider: Provider, request: httpx.Request) -> httpx.Response:
        path, status = request.url.path, None
        try:
            failure = next((each for each in self._failures if each.meets(provider, path)), None)
            response = failure.response() if failure else await self._app.handle_async_request(request)
            status = response.status_code
        finally:
            self.calls.append(Call(provider, request.method, path, dict(request.url.params), status))
        return response


@attrs.define
class _Failure:
    """What `Providers.fail_next` was asked for, and how often it is still due."""

    failure: int | Loss
    left: int | None
    provider: Provider | None
    path: str | None
    message: str
    retry_after: int | None

    def meets(self, provider: Provider, path: str) -> bool:
        matches = path != _TOKEN_PATH if self.path is None else fnmatchcase(path, self.path)
        return self.left != 0 and self.provider in (None, provider) and matches

    def response(self) -> httpx.Response:
        """Return the answer that fails, or raise what a transport does where there is none."""
        if self.left is not None:
            self.left -= 1
        if not isinstance(self.failure, int):
            raise _LOSSES[self.failure](self.message)
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return httpx.Response(self.failure, json={"message": self.message}, headers=headers)


@attrs.frozen
class _Transport(httpx.AsyncBaseTransport):
    """The transport of a client, which leads to one of the providers."""

    answer: Callable[[httpx.Request], Awaitable[httpx.Response]]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.answer(request)
