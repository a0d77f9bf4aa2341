"""Who is in which user group? An async SDK for m3ter and SmartPM."""

from importlib import import_module
from logging import NullHandler, getLogger
from types import ModuleType
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from ._auth.store import TokenStore
    from ._auth.token import Token
    from ._http.rate import RateLimit
    from ._http.retry import RetryPolicy
    from ._review.review import review
    from ._review.rows import Membership
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
else:
    _HOMES = (  # in the order in which they are searched: whoever imports a client does not import what is below it
        "errors",
        "pagination",
        "_auth.token",
        "_auth.store",
        "_http.rate",
        "_http.retry",
        "m3ter",
        "smartpm",
        "bulk",
        "_review.rows",
        "_review.review",
    )

    def _imported(home: str) -> ModuleType:
        try:
            return import_module(f"{__name__}.{home}")
        except AttributeError as error:  # of a module: Python would say that the name is not there
            raise ImportError(f"cannot import {__name__}.{home}: {error}") from error

    def __getattr__(name: str) -> object:
        """Import a public name, or a module, once it is asked for: the command's help and completion need none."""
        for home in map(_imported, _HOMES):
            if name in globals():  # a module
                return globals()[name]
            if name in __all__ and hasattr(home, name):
                return globals().setdefault(name, getattr(home, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return the names that there are, imported or not."""
        return sorted({*globals(), *__all__})


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
    "Membership",
    "NotFoundError",
    "Outcome",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimit",
    "RateLimitedError",
    "RetryPolicy",
    "ServerError",
    "SmartPMClient",
    "Token",
    "TokenStore",
    "UnexpectedResponseError",
    "UserGroupsError",
    "__version__",
    "review",
    "sweep",
]

getLogger("usergroups").addHandler(NullHandler())
