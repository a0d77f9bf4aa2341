"""Operations: whatever a generated `_get_kwargs()` is given goes out with the request, or no request can be made."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from enum import Enum
from importlib import import_module
from itertools import count
from pkgutil import walk_packages
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, unquote
from uuid import UUID

import attrs
import pytest

from rig.schemas import Json, generate
from usergroups._http.request import Request

PACKAGES = ["usergroups_m3ter_api", "usergroups_smartpm_api"]

Operation = Callable[..., dict[str, Any]]
"""A generated `_get_kwargs()`."""


def operations(package: str) -> dict[str, Operation]:
    """Return the operations of *package*, by the names of their modules."""
    found = walk_packages(import_module(f"{package}.api").__path__, f"{package}.api.")
    modules = [import_module(one.name) for one in found if not one.ispkg]
    return {module.__name__.rpartition(".")[2]: vars(module)["_get_kwargs"] for module in modules}


class Arguments:
    """Arguments of any type, hardly two of them alike, and the texts that they are on the wire."""

    def __init__(self, package: str) -> None:
        self.names = dict(vars(import_module(f"{package}.models")))
        self.texts = Counter[str]()
        self._numbers = count(1000)

    def of(self, hint: Any) -> Any:
        """Return an argument of the type *hint*."""
        parts, origin = get_args(hint), get_origin(hint)
        if origin in (Union, UnionType):
            return self.of(next(part for part in parts if part is not NoneType))
        if origin is list:
            return [self.of(*parts), self.of(*parts)]
        if attrs.has(hint):
            return self._model(hint)
        if hasattr(hint, "payload"):  # a file
            return hint(self._new(str))
        value = parts[0] if origin is Literal else next(iter(hint)) if issubclass(hint, Enum) else self._new(hint)
        self.texts.update(texts(value))
        return value

    def _model(self, model: Any) -> Any:
        hints = get_type_hints(model, localns=self.names)
        made = model(**{field.name: self.of(hints[field.name]) for field in attrs.fields(model) if field.init})
        if "additional_properties" in hints:
            made.additional_properties = {"more": self.of(get_args(hints["additional_properties"])[1])}
        return made

    def _new(self, kind: Any) -> object:
        number = next(self._numbers)
        if issubclass(kind, date):
            return kind(2024, 1, 1) + timedelta(days=number)
        return {bool: True, float: number + 0.5, int: number, UUID: UUID(int=number)}.get(kind, f"a&b/c=é {number}")


def texts(value: Any) -> Iterator[str]:
    """Yield each value within *value*, as a query spells it."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)
    elif isinstance(value, bool):
        yield str(value).lower()
    else:
        yield value.isoformat() if isinstance(value, date) else str(value)


def held(request: Request) -> Iterator[str]:
    """Yield each value that *request* holds, in its path, query, headers or body."""
    yield from map(unquote, request.path.split("/"))
    yield from (value for _, value in parse_qsl(request.query))
    yield from request.headers.values()
    if request.headers.get("Content-Type", "").endswith("json"):
        yield from texts(json.loads(request.content))
    else:
        yield from (value for _, value in parse_qsl(request.content.decode()))


def lost(operation: Operation) -> list[str]:
    """Return the values that *operation* is given and that its request does not hold."""
    arguments = Arguments(operation.__module__.partition(".")[0])
    hints = get_type_hints(operation, localns=arguments.names)
    del hints["return"]
    request = Request.of(operation(**{name: arguments.of(hint) for name, hint in hints.items()}))
    return [*(arguments.texts - Counter(held(request))).elements()]


@pytest.mark.parametrize(("package", "name"), [(package, name) for package in PACKAGES for name in operations(package)])
def test_request_holds_every_argument(package: str, name: str) -> None:
    """Each parameter and the body of each operation go out. Where one cannot, the spec has to spell it another way."""
    assert lost(operations(package)[name]) == []


TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
MOMENT: Json = {"type": "string", "format": "date-time"}
COLOUR: Json = {"$ref": "#/components/schemas/Colour"}
OWNER: Json = {"$ref": "#/components/schemas/Owner"}
FORM: Json = {"$ref": "#/components/schemas/Form"}
IN_PATHS: list[Json] = [
    TEXT,
    {"type": "integer", "format": "int32"},
    {"type": "number"},
    MOMENT | {"format": "date"},
    TEXT | {"format": "uuid"},
    COLOUR,
    {"const": "x"},
    {},
]


def array(items: Json) -> Json:
    """Return an array's schema."""
    return {"type": "array", "items": items}


def record(**properties: Json) -> Json:
    """Return an object's schema, whose first property is required."""
    return {"type": "object", "required": [*properties][:1], "properties": properties}


def parameters(place: str, *schemas: Json) -> Json:
    """Return an operation with a parameter in *place* for each of *schemas*."""
    need = {"required": True} if place == "path" else {}
    return {"parameters": [{"name": f"p{n}", "in": place, "schema": one} | need for n, one in enumerate(schemas)]}


def bodies(**schemas: Json) -> Json:
    """Return an operation with a body in any of some media types, each with its schema."""
    types = {"form": "application/x-www-form-urlencoded", "files": "multipart/form-data", "json": "application/json"}
    content = {types.get(name, "application/octet-stream"): {"schema": one} for name, one in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


SCHEMAS: Json = {
    "Colour": TEXT | {"enum": ["red", "blue"]},
    "Owner": record(id=TEXT, at=MOMENT),
    "Form": record(kind={"const": "form"}, tags=array(TEXT), at=MOMENT, on=FLAG),
}
HELD: Json = {
    "query": parameters("query", FLAG, MOMENT, {"type": ["string", "null"]}, *IN_PATHS),
    "arrays": parameters("query", *map(array, [FLAG, MOMENT, *IN_PATHS])),
    "path": parameters("path", *IN_PATHS),
    "header": parameters("header", TEXT),
    "form": bodies(form=FORM),
    "json": bodies(json=OWNER),
    "map": bodies(json={"type": "object", "additionalProperties": array(OWNER)}),
    "list": bodies(json=array(OWNER)),
    "bare": bodies(json=TEXT),
}
REFUSED: dict[str, tuple[Json, str]] = {
    "cookie": (parameters("cookie", TEXT), "cookies"),
    "files": (bodies(files=FORM), "files"),
    "binary": (bodies(binary=TEXT | {"format": "binary"}), "content"),
    "objects": (parameters("query", array(OWNER)), "p0"),
    "nested": (bodies(form=record(owner=OWNER)), "owner"),
}
LOST: Json = {
    "moment": parameters("path", MOMENT),
    "flag": parameters("path", FLAG),
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Operation]]:
    """Generate a package with the operations above, and return them."""
    folder = tmp_path_factory.mktemp("operations")
    paths: Json = {}
    for name, described in (HELD | {name: one for name, (one, _) in REFUSED.items()} | LOST).items():
        slots = "".join(f"/{{{one['name']}}}" for one in described.get("parameters", ()) if one["in"] == "path")
        operation = {"operationId": f"do_{name}", "responses": {"204": {"description": "Done."}}}
        paths[f"/{name}{slots}"] = {"post": operation | described}
    generate(folder, "operations_api", paths=paths, schemas=SCHEMAS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield operations("operations_api")


@pytest.mark.parametrize("name", HELD)
def test_what_a_request_can_hold(scratch: dict[str, Operation], name: str) -> None:
    """Parameters and bodies that a request has room for are told to be in it."""
    assert lost(scratch[f"do_{name}"]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_request_cannot_hold(scratch: dict[str, Operation], name: str) -> None:
    """An operation that a request has no room for cannot be made."""
    with pytest.raises(TypeError, match=REFUSED[name][1]):
        lost(scratch[f"do_{name}"])


@pytest.mark.parametrize("name", LOST)
def test_what_the_generator_misspells(scratch: dict[str, Operation], name: str) -> None:
    """What the generated code writes into a path as Python would is told to be lost."""
    assert lost(scratch[f"do_{name}"]) != []
