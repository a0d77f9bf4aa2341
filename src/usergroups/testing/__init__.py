"""
A pytest plugin: both providers in the process of your tests, without a socket and without patching.

It is there once usergroups is installed, and imports nothing until a test uses the fixture
`usergroups_sandbox`, which needs the extra `sandbox`.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ._providers import Call, Providers
else:

    def __getattr__(name: str) -> object:
        """Import a class once it is asked for: pytest imports this module in every run."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import _providers

        return getattr(_providers, name)


__all__ = ["Call", "Providers", "usergroups_sandbox"]


@pytest.fixture
def usergroups_sandbox() -> "Providers":
    """Both providers in the process of this test, without users and groups yet: see `usergroups.testing.Providers`."""
    try:
        from ._providers import Providers
    except ModuleNotFoundError as error:
        pytest.fail(f"usergroups_sandbox: {error}", pytrace=False)
    return Providers()
