"""Schemas of a spec: what values they allow, and a package that is generated from some of them."""

import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from usergroups._models import _table

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]

_ANYTHING = {NoneType, bool, int, float, str, list, dict}
_TYPES: Mapping[str, tuple[str, set[type]]] = {
    "array": ("an array", {list}),
    "boolean": ("true or false", {bool}),
    "integer": ("a whole number", {int, float}),
    "null": ("", {NoneType}),
    "number": ("a number", {int, float}),
    "object": ("an object", {dict}),
    "string": ("text", {str}),
}
_FORMATS = {"date": "a date", "date-time": "a date-time", "uuid": "a UUID"}


def whole(schema: Json, spec: Json) -> Json:
    """Return *schema* with its reference followed, and with the properties of its allOf."""
    if "$ref" in schema:
        return whole(spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]], spec)
    parts = [schema, *(whole(part, spec) for part in schema.get("allOf", ()))]
    if len(parts) == 1:
        return schema
    return {
        "type": "object",
        "properties": {name: one for part in parts for name, one in part.get("properties", {}).items()},
        "required": [name for part in parts for name in part.get("required", ())],
    }


def allowed(schema: Json, spec: Json) -> dict[str, set[type]]:
    """Return the JSON types of the values that *schema* allows, under what an error calls them."""
    schema = whole(schema, spec)
    if choices := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        return {name: types for one in choices for name, types in allowed(one, spec).items()}
    if values := schema.get("enum", [schema["const"]] if "const" in schema else None):
        return {"one of its values": {type(value) for value in values}}
    types = schema.get("type", "object" if "properties" in schema else None)
    if types is None:
        return {"any value": _ANYTHING}
    named = dict(_TYPES[one] for one in (types if isinstance(types, list) else [types]))
    if "text" in named and schema.get("format") in _FORMATS:
        named[_FORMATS[schema["format"]]] = named.pop("text")
    return named


def assert_fields(model: Any, schema: Json, spec: Json) -> None:
    """Assert that the fields of the generated *model* are those of *schema*: by name, types, and need."""
    schema = whole(schema, spec)
    properties, table = schema.get("properties", {}), _table(model)

    assert {name for name, _, _ in table.fields} == set(properties)
    assert {name for name, absent, _ in table.fields if absent is not None} == set(schema.get("required", ()))
    for name, absent, kind in table.fields:
        assert_kind(kind, properties[name], spec, is_optional=absent is None)
    others = schema.get("additionalProperties", True)
    if others is True:
        assert table.others is None
    else:
        assert_kind(table.others, others, spec)


def assert_kind(kind: Any, schema: Json, spec: Json, *, is_optional: bool = False) -> None:
    """Assert that *kind* has the values that *schema* allows, and calls them as it does."""
    named = allowed(schema, spec)
    types = set(kind.reads) | ({dict} if kind.models else set()) | (set() if kind.items is None else {list})

    assert types == set().union(*named.values(), {NoneType} if is_optional else ())
    assert kind.expected == " or ".join(sorted(named.keys() - {""}))
    items = whole(schema, spec).get("items")
    if items is not None:
        assert_kind(kind.items, items, spec)


def generate(folder: Path, name: str, *, paths: Json | None = None, schemas: Json | None = None) -> Json:
    """Write the package *name* into *folder*, from a spec with *paths* and *schemas*. Return the spec."""
    info = {"title": name, "version": "1.0.0"}
    spec = {"openapi": "3.1.0", "info": info, "paths": paths or {}, "components": {"schemas": schemas or {}}}
    (folder / f"{name}.yaml").write_text(json.dumps(spec), encoding="utf-8")
    failure = runpy.run_path(str(ROOT / "specs" / "generate.py"))["generate"](folder / f"{name}.yaml", folder / name)
    assert not failure, failure
    return spec
