"""The sandbox as one ASGI application: both providers on one origin, behind one gate."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from random import Random

import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from usergroups.sandbox import _m3ter, _smartpm
from usergroups.sandbox._data import Counts, Data, seeded

# What a number of the sandbox's settings may be, from and to.
RANGES = {
    "token_lifetime": (0.0, 1e9),  # seconds
    "rate_limit": (1, 1e9),  # requests a second
    "latency": (0.0, 1e9),  # seconds
    "default_page_size": (1, 200),  # groups; m3ter's own limit
    "status": (400, 599),  # of a failure
    "share": (0.0, 1.0),  # of the answers
    "users": (0, 100_000),  # generated
    "groups": (0, 100_000),  # generated
}


def check(name: str, value: object, *, whole: bool = False) -> None:
    """Raise ValueError where *value* is not a number that *name* may be."""
    least, most = RANGES[name]
    if isinstance(value, int if whole else int | float) and not isinstance(value, bool) and least <= value <= most:
        return
    raise ValueError(f"{name} must be a {'whole ' * whole}number from {least:g} to {most:g}, not {value!r}")


class Sandbox:
    """
    A stand-in of m3ter and SmartPM.

    *token_lifetime* in seconds; *rate_limit* in requests per second for each provider, None for no limit;
    *latency* in seconds for every answer; *default_page_size* where a request asks for none; *clock* in seconds.
    *fail* is a status and the share, from 0 to 1, of the answers that have it, token answers aside; *seed*, any
    number, decides which: the n-th request for the same path has the same answer in every run.
    `data` (*data*, else some made-up users and groups) may be changed at any time, `counts` tells what was asked for,
    `app` is the ASGI application.

    Raises: ValueError for a number out of its range.
    """

    def __init__(
        self,
        *,
        token_lifetime: float = 18_000.0,
        rate_limit: int | None = None,
        latency: float = 0.0,
        default_page_size: int = 5,
        fail: tuple[int, float] | None = None,
        seed: int = 0,
        data: Data | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check("token_lifetime", token_lifetime)
        if rate_limit is not None:
            check("rate_limit", rate_limit, whole=True)
        check("latency", latency)
        check("default_page_size", default_page_size, whole=True)
        status, share = fail or (500, 0.0)
        check("status", status, whole=True)
        check("share", share)
        self.data: Data = seeded() if data is None else data
        self.counts = Counts()
        self._m3ter = _m3ter.M3ter(self.data, self.counts, token_lifetime, default_page_size, clock)
        smartpm = _smartpm.SmartPM(self.data, self.counts)
        self.app = Starlette(
            routes=[*self._m3ter.routes(), *smartpm.routes(), Route("/_sandbox/counts", self._tell_counts)],
            middleware=[
                Middleware(_Gate, self.counts, rate_limit, latency, clock),
                Middleware(_Failing, self.counts, status, share, seed),
            ],
            exception_handlers={HTTPException: _as_json},
        )
        self.app.router.redirect_slashes = False

    def env(self, base_url: str) -> dict[str, str]:
        """Return the environment variables that send both clients to this sandbox at *base_url*."""
        return {
            "M3TER_ORG_ID": _m3ter.ORG_ID,
            "M3TER_API_KEY": _m3ter.API_KEY,
            "M3TER_API_SECRET": _m3ter.API_SECRET,
            "M3TER_BASE_URL": base_url,
            "SMARTPM_API_KEY": _smartpm.API_KEY,
            "SMARTPM_COMPANY_ID": _smartpm.COMPANY_ID,
            "SMARTPM_BASE_URL": base_url,
        }

    def revoke_tokens(self) -> None:
        """Refuse every access token issued so far with 401, long before its end."""
        self._m3ter.revoke_tokens()

    async def _tell_counts(self, _: Request) -> Response:
        return JSONResponse(attrs.asdict(self.counts))


@attrs.define
class _Gate:
    """
    What a request passes first: it is counted, and refused if it is one too many in this second.

    The limit is m3ter's: so many in each second of the clock, 429 for the rest of that second.
    """

    app: ASGIApp
    counts: Counts
    rate_limit: int | None
    latency: float
    clock: Callable[[], float]
    seen: dict[str, tuple[int, int]] = attrs.Factory(dict[str, tuple[int, int]])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox/"):
            await self.app(scope, receive, send)
            return
        # Routed by the path as sent, so that an id may hold an encoded slash; the routes decode what they take from it.
        path = scope["raw_path"].decode("latin-1")
        self.counts.requests += 1
        refused = self.is_one_too_many("smartpm" if path.startswith("/public/") else "m3ter")
        if self.latency:
            await asyncio.sleep(self.latency)
        if refused:
            self.counts.rate_limited += 1
            await JSONResponse({"message": "Too many requests"}, 429)(scope, receive, send)
        else:
            await self.app({**scope, "path": path}, receive, send)

    def is_one_too_many(self, provider: str) -> bool:
        second = int(self.clock())
        window, seen = self.seen.get(provider, (second, 0))
        seen = seen + 1 if window == second else 1
        self.seen[provider] = (second, seen)
        return self.rate_limit is not None and seen > self.rate_limit


@attrs.define
class _Failing:
    """
    What a request passes next: a share of those that are no token requests fails.

    Which do depends on the seed, the path, and how often that was asked for before, not on other requests.
    """

    app: ASGIApp
    counts: Counts
    status: int
    share: float
    seed: int
    asked: Counter[str] = attrs.Factory(Counter[str])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.share and scope["type"] == "http" and self.fails(scope["path"]):
            self.counts.failed += 1
            await JSONResponse({"message": "This answer fails on demand"}, self.status)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def fails(self, path: str) -> bool:
        if path == _m3ter.TOKEN_PATH or path.startswith("/_sandbox/"):
            return False
        self.asked[path] += 1
        return Random(f"{self.seed} {self.asked[path]} {path}").random() < self.share  # noqa: S311 - no secret


async def _as_json(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this one alone
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    return JSONResponse({"message": error.detail}, error.status_code, headers)
