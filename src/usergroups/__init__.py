"""Who is in which user group? An async SDK for m3ter and SmartPM."""

from logging import NullHandler, getLogger

from ._auth.store import TokenStore
from ._auth.token import Token
from ._http.retry import RetryPolicy
from ._version import __version__
from .bulk import Outcome, sweep
from .errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnexpectedResponseError,
    UserGroupsError,
)
from .m3ter import M3terClient
from .pagination import AsyncPager, Page
from .smartpm import SmartPMClient

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncPager",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "InvalidArgumentError",
    "M3terClient",
    "NotFoundError",
    "Outcome",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitedError",
    "RetryPolicy",
    "ServerError",
    "SmartPMClient",
    "Token",
    "TokenStore",
    "UnexpectedResponseError",
    "UserGroupsError",
    "__version__",
    "sweep",
]

getLogger("usergroups").addHandler(NullHandler())
