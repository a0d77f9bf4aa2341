"""The names that users import."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import usergroups
from usergroups import errors, m3ter, smartpm

NAMES = {
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
}


def test_top_level_names() -> None:
    """`usergroups` exports these names, once each and in order, and no other."""
    names = sorted(NAMES)
    differing = sorted({*names} ^ {*usergroups.__all__})

    assert usergroups.__all__ == names, f"write {differing} in __all__ of usergroups and here, or in neither"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_exported_name_exists(name: str) -> None:
    """`from usergroups import ...` works for every exported name."""
    assert getattr(usergroups, name) is not None


def test_names_are_imported_once_they_are_asked_for() -> None:
    """`import usergroups` imports no client; its names are listed, and it has them, its modules, and no other."""
    code = (
        "import sys, usergroups; print('httpx' in sys.modules, 'M3terClient' in dir(usergroups));"
        "print(usergroups.smartpm.SmartPMClient is usergroups.SmartPMClient, hasattr(usergroups, 'import_group'))"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["False", "True", "True", "False"]


def test_every_error_class_is_exported() -> None:
    """Whatever the SDK raises can be caught by a name from the top level."""

    def tree(kind: type[Exception]) -> set[type[Exception]]:
        return {kind}.union(*map(tree, kind.__subclasses__()))

    public = {kind.__name__ for kind in tree(errors.UserGroupsError) if not kind.__name__.startswith("_")}

    assert public == set(errors.__all__), f"usergroups.errors: __all__ differs in {public ^ set(errors.__all__)}"
    assert public <= NAMES, f"src/usergroups/__init__.py: export {sorted(public - NAMES)}, and name it here"


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (m3ter, {"GroupItem", "M3terClient", "User", "UserGroup"}),
        (smartpm, {"CompanyUser", "ProjectRole", "ProjectRoles", "SmartPMClient", "User", "UserGroup"}),
    ],
    ids=["m3ter", "smartpm"],
)
def test_provider_modules_export_client_and_models(module: ModuleType, names: set[str]) -> None:
    """The models of a provider are reached through its module, without the generated package's name."""
    exported = set(vars(module)["__all__"])
    absent = sorted(exported - set(vars(module)))

    assert exported == names, f"{module.__name__}: write {sorted(exported ^ names)} in __all__ and here, or in neither"
    assert not absent, f"{module.__name__}: import {absent}, or take it out of __all__"


def test_modules_that_people_import_say_what_they_export() -> None:
    """The other modules that people import can be imported with a star, too."""
    for name in ("errors", "sandbox", "stores", "testing", "transports"):
        module = importlib.import_module(f"usergroups.{name}")

        missing = [exported for exported in module.__all__ if not hasattr(module, exported)]
        assert not missing, f"usergroups.{name}: __all__ names {missing}, which it does not have"


def test_exported_names_are_documented() -> None:
    """`make docs` has a place for everything that is public."""
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r":: (usergroups\.[\w.]+)", text))

    named = {f"usergroups.{name}" for name in NAMES - {*errors.__all__, "__version__"}}
    modules = {f"usergroups.{name}" for name in ("errors", "stores", "transports")}

    missing = sorted((named | modules) - documented)

    assert not missing, f"docs/api.md: write `.. autoclass::`, or what fits, with {', '.join(missing)}"


def test_package_that_is_not_what_it_should_be_is_told() -> None:
    """Where a module of the user's own stands in a package's place, the import says so, and not that we lack a name."""
    code = "import sys, types; sys.modules['attrs'] = types.ModuleType('attrs'); from usergroups import M3terClient"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    *_, last = run.stderr.splitlines()
    assert re.fullmatch(r"ImportError: cannot import usergroups\.\w+: module 'attrs' has no attribute '\w+'", last)
