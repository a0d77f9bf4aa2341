"""What a spec calls deprecated is so in the reference, and the facade warns of it."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from openapi_python_client.strings import PythonIdentifier

from document import Json, operations, resolve, schemas
from rig.facade import Facade, Method
from usergroups import m3ter, smartpm

UNDESCRIBED = (
    'but not in the reference: begin its description with "Deprecated.", then `make generate`; a `$ref` alone has no '
    "description of its own, `anyOf` with null has"
)
UNSHOWN = 'but not in the reference: say "Deprecated.", and what to use instead, in {} of {}'
UNWARNED = (
    'and nobody is warned: begin {} with `warnings.warn("{} is deprecated: ...", DeprecationWarning, stacklevel=2)`'
)

# A facade of an operation that is deprecated together with its parameters. It warns of two things.
SCRATCH = '''
import warnings

from usergroups_m3ter_api.api.user_groups.list_user_groups import _get_kwargs as list_user_groups_kwargs
from usergroups_m3ter_api.models import UserGroup

__all__ = ["M3terClient", "UserGroup"]


class M3terClient:
    def list_user_groups(self, user_id: str, *, inherited: bool, page_size: int) -> None:
        """Deprecated. Ask for others."""
        warnings.warn("list_user_groups is deprecated: ask for others", DeprecationWarning, stacklevel=2)
        warnings.warn("inherited is deprecated", category=DeprecationWarning, stacklevel=2)
        list_user_groups_kwargs("org", user_id, inherited=inherited, page_size=max(page_size, 1))

    def groups(self) -> None:
        """Return groups."""
        warnings.warn("groups is slow", stacklevel=2)
        list_user_groups_kwargs("org", "user")
'''


def silent(facade: Facade) -> list[str]:
    """Return a sentence for each deprecated thing that the reference does not show, or of which nobody is warned."""
    found = [*silent_fields(facade), *silent_operations(facade)]
    return [f"specs/{facade.name}.yaml: {where}: it is deprecated, {what}." for where, what in found]


def silent_fields(facade: Facade) -> Iterator[tuple[str, str]]:
    """Yield the deprecated fields of public models that are not called so in the docstring, which is the reference."""
    for name in schemas(facade.spec).keys() & set(facade.module.__all__):
        text = " ".join(str(getattr(facade.module, name).__doc__).split())
        for key, part in schemas(facade.spec)[name].get("properties", {}).items():
            if part.get("deprecated") and not re.search(rf"\b{python_name(key)} \([^()]+\): Deprecated\.", text):
                yield f"{name}.{key}", UNDESCRIBED


def silent_operations(facade: Facade) -> Iterator[tuple[str, str]]:
    """Yield the deprecated operations and parameters of which the methods that have them do not say so."""
    for where, operation in operations(facade.spec):
        parameters = [resolve(facade.spec, one) for one in operation.get("parameters", [])]
        for method, call in facade.calls(operation):
            if operation.get("deprecated"):
                docstring = ast.get_docstring(method) or ""
                yield from ((where, what) for what in unsaid(method, method.name, "the docstring", docstring))
            for parameter in parameters:
                for name in passed(facade, operation, method, call, parameter) if parameter.get("deprecated") else ():
                    text = "".join(re.findall(f":param {name}:.*", facade.documented(method.name) or ""))
                    place = f"{where}, parameter {parameter['name']}"
                    yield from ((place, what) for what in unsaid(method, name, f"`:param {name}:`", text))


def passed(facade: Facade, operation: Json, method: Method, call: ast.Call, parameter: Json) -> set[str]:
    """Return the arguments of *method* that *call*, of the generated `_get_kwargs`, passes on as *parameter*."""
    get_kwargs = vars(importlib.import_module(facade.generated(operation)))["_get_kwargs"]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    values = inspect.signature(get_kwargs).bind_partial(*call.args, **keywords).arguments
    name = python_name(parameter["name"])
    value = values.get(name, ast.Name(name))  # a page token is added later
    used = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    return used & {argument.arg for argument in [*method.args.args, *method.args.kwonlyargs]}


def unsaid(method: Method, name: str, place: str, text: str) -> Iterator[str]:
    """Yield what is to be said of *name*, in *method* and in the *place* of the reference that has *text*."""
    if "deprecated" not in text.lower():
        yield UNSHOWN.format(place, method.name)
    calls = [ast.unparse(node) for node in ast.walk(method) if isinstance(node, ast.Call)]
    if not any("DeprecationWarning" in one and re.search(rf"\b{name} is deprecated", one) for one in calls):
        yield UNWARNED.format(method.name, name)


def python_name(name: str) -> str:
    """Return what the generator calls the property or parameter *name*."""
    return PythonIdentifier(name, "field_")


@pytest.mark.parametrize("facade", [Facade.of(m3ter), Facade.of(smartpm)], ids=lambda facade: facade.name)
def test_nothing_is_deprecated_in_silence(facade: Facade) -> None:
    """Whoever uses what a provider will take away reads so, and is warned."""
    found = silent(facade)

    assert not found, "\n".join(found)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Facade:
    """Return the facade above, where the listing, its parameters and the name of a group are deprecated."""
    (tmp_path / "deprecated_facade.py").write_text(SCRATCH, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    facade = attrs.evolve(Facade.of(m3ter), module=importlib.import_module("deprecated_facade"))
    [listing] = [one for _, one in operations(facade.spec) if one["operationId"] == "listUserGroups"]
    for thing in [listing, *listing["parameters"], schemas(facade.spec)["UserGroup"]["properties"]["name"]]:
        thing["deprecated"] = True
    return facade


def test_what_is_deprecated_in_silence_is_named(scratch: Facade) -> None:
    """A sentence says which field, operation or parameter it is, and what to write."""
    reference = scratch.reference.replace(":param inherited:", ":param inherited: deprecated;")

    found = silent(attrs.evolve(scratch, reference=reference))

    listing = "get /organizations/{orgId}/users/{id}/usergroups"
    assert found == [
        f"specs/m3ter.yaml: {where}: it is deprecated, {what}."
        for where, what in [
            ("UserGroup.name", UNDESCRIBED),
            (f"{listing}, parameter id", UNSHOWN.format("`:param user_id:`", "list_user_groups")),
            (f"{listing}, parameter id", UNWARNED.format("list_user_groups", "user_id")),
            (f"{listing}, parameter pageSize", UNSHOWN.format("`:param page_size:`", "list_user_groups")),
            (f"{listing}, parameter pageSize", UNWARNED.format("list_user_groups", "page_size")),
            (listing, UNSHOWN.format("the docstring", "groups")),
            (listing, UNWARNED.format("groups", "groups")),
        ]
    ]
