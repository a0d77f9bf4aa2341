"""Every operation of the specs is in the facade, in the sandbox and in the reference, and its results are public."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest
from starlette.routing import BaseRoute, Match

from document import Json, load, operations, resolve
from rig.facade import ROOT, Facade
from usergroups import m3ter, smartpm
from usergroups.sandbox import Sandbox

FACADES = [Facade.of(m3ter), Facade.of(smartpm)]
ROUTES: list[BaseRoute] = Sandbox().app.routes

# A facade that asks for user groups where nobody can call it, and whose result cannot be imported.
SCRATCH = """
from usergroups_m3ter_api.api.user_groups.list_user_groups import _get_kwargs as list_user_groups_kwargs
from usergroups_m3ter_api.models import UserGroupPage

__all__ = ["M3terClient"]


class M3terClient:
    def _ask(self) -> dict[str, object]:
        return list_user_groups_kwargs("org", "user")

    async def pages(self) -> list[UserGroupPage | None]:
        return [UserGroupPage.from_dict(self._ask())]
"""


def missing(facade: Facade) -> list[str]:
    """Return a sentence for each thing that an operation, or a result, of *facade* lacks."""
    of_operations = [
        f"{facade.name}'s {operation['operationId']} {what}."
        for where, operation in operations(facade.spec)
        for what in [*without_method(facade, operation), *without_route(facade, where, operation)]
    ]
    return of_operations + [f"{what}." for what in without_names(facade)]


def without_method(facade: Facade, operation: Json) -> Iterator[str]:
    """Yield that no public method asks for *operation*, or that the reference lacks it; a token is asked for inside."""
    names = {method.name for method, _ in facade.calls(operation)}
    client = facade.client.__name__
    if not names:
        call = f"{facade.generated(operation)}._get_kwargs"
        yield f"is in no method of {client}: write one in src/usergroups/{facade.name}.py that calls {call}"
    for name in names - {"__init__"}:
        if name.startswith("_"):
            yield f"is in {client}.{name}, which nobody can call: give it a public name, or call _get_kwargs elsewhere"
        elif facade.documented(name) is None:
            yield f"is not in the reference: write `.. automethod:: {name}` below {client} in docs/api.md"


def without_route(facade: Facade, where: str, operation: Json) -> Iterator[str]:
    """Yield that the sandbox has no route for *operation*."""
    method, path = where.split(" ", 1)
    of_path = facade.spec["paths"][path].get("parameters", [])
    for parameter in (resolve(facade.spec, one) for one in [*of_path, *operation.get("parameters", [])]):
        path = path.replace(f"{{{parameter['name']}}}", quote(str(parameter["example"]), safe=""))
    scope = {"type": "http", "method": method.upper(), "path": path}
    if not any(route.matches(scope)[0] is Match.FULL for route in ROUTES):
        yield f"is not in the sandbox: add a route for {where} in src/usergroups/sandbox/_{facade.name}.py"


def without_names(facade: Facade) -> Iterator[str]:
    """Yield each model and enum that a result may hold, and that cannot be imported from the provider's module."""
    module = f"usergroups.{facade.name}"
    for method, kinds in facade.results().items():
        for name in sorted(kind.__name__ for kind in kinds):
            what = f"{name}, which a result of {facade.client.__name__}.{method} may hold,"
            if name not in facade.module.__all__:
                yield f"{what} is not public: import it in src/usergroups/{facade.name}.py, and name it in __all__"
            elif f".. autoclass:: {module}.{name}\n" not in facade.reference:
                yield f"{what} is not in the reference: write `.. autoclass:: {module}.{name}` in docs/api.md"


@pytest.mark.parametrize("facade", FACADES, ids=lambda facade: facade.name)
def test_every_operation_is_whole(facade: Facade) -> None:
    """What a spec describes can be called, tried in the sandbox, read about, and imported."""
    found = missing(facade)

    assert not found, "\n".join(found)


def test_new_operation_is_missing_everywhere() -> None:
    """An operation that is only in the spec is in no method, and not in the sandbox."""
    spec = load(ROOT / "specs" / "smartpm.yaml")
    new = {"operationId": "listCompanies", "tags": ["companies"], "parameters": []}
    spec["paths"]["/public/v1/companies"] = {"get": new}

    found = missing(attrs.evolve(Facade.of(smartpm), spec=spec))

    assert [sentence for sentence in found if "listCompanies" in sentence] == [
        "smartpm's listCompanies is in no method of SmartPMClient: write one in src/usergroups/smartpm.py that calls "
        "usergroups_smartpm_api.api.companies.list_companies._get_kwargs.",
        "smartpm's listCompanies is not in the sandbox: add a route for get /public/v1/companies in "
        "src/usergroups/sandbox/_smartpm.py.",
    ]


def test_what_the_reference_lacks_is_named() -> None:
    """A method and its results belong into the reference."""
    found = missing(attrs.evolve(Facade.of(smartpm), reference=""))

    assert (
        "smartpm's getUserGroup is not in the reference: write `.. automethod:: get_user_group` below SmartPMClient in "
        "docs/api.md."
    ) in found
    assert (
        "User, which a result of SmartPMClient.get_user_group may hold, is not in the reference: write "
        "`.. autoclass:: usergroups.smartpm.User` in docs/api.md."
    ) in found


def test_what_users_cannot_reach_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method with a private name, and a result that cannot be imported, are of no use to anyone."""
    (tmp_path / "facade_of_scratch.py").write_text(SCRATCH, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    scratch = importlib.import_module("facade_of_scratch")

    found = missing(attrs.evolve(Facade.of(m3ter), module=scratch))

    assert (
        "m3ter's listUserGroups is in M3terClient._ask, which nobody can call: give it a public name, or call "
        "_get_kwargs elsewhere."
    ) in found
    assert [sentence for sentence in found if "may hold" in sentence] == [
        f"{name}, which a result of M3terClient.pages may hold, is not public: import it in src/usergroups/m3ter.py, "
        "and name it in __all__."
        for name in ("UserGroup", "UserGroupPage")
    ]
