"""A spec as its rules read it: its operations, its schemas, and every place in it that has a schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

Json = dict[str, Any]

Finding = tuple[str, str]
"""Where a rule is broken, and a sentence without its end: what is wrong, and what to write instead."""

_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


class Place(NamedTuple):
    """A schema, where it is, and whether an answer may hold a value of it."""

    where: str
    schema: Json
    in_answer: bool


class Model(NamedTuple):
    """The properties of an object, and the names of those that it must have."""

    properties: Json
    required: set[str]


def load(path: Path) -> Json:
    """Return the spec at *path*; through JSON, so that a date or a key of another type cannot hide in it."""
    spec: Json = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))
    return spec


def resolve(spec: Json, node: Json) -> Json:
    """Return *node*, or what it refers to."""
    while "$ref" in node:
        target = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def operations(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each operation, and where it is."""
    for path, item in spec.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield f"{method} {path}", item[method]


def schemas(spec: Json) -> Json:
    """Return the named schemas."""
    named: Json = spec.get("components", {}).get("schemas", {})
    return named


def parameters(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each parameter, and where it is; those that the operations of a path share come first."""
    for path, item in spec.get("paths", {}).items():
        for parameter in item.get("parameters", []):
            resolved = resolve(spec, parameter)
            yield f"{path}, parameter {resolved['name']}", resolved
    for where, operation in operations(spec):
        for parameter in operation.get("parameters", []):
            resolved = resolve(spec, parameter)
            yield f"{where}, parameter {resolved['name']}", resolved


def bodies(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield the body of each request that has one, and where it is."""
    for where, operation in operations(spec):
        if "requestBody" in operation:
            yield f"{where}, request body", resolve(spec, operation["requestBody"])


def answers(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each answer, and where it is: those of operations, then the named ones."""
    for where, operation in operations(spec):
        for status, answer in operation["responses"].items():
            if "$ref" not in answer:
                yield f"{where}, answer {status}", answer
    for name, answer in spec.get("components", {}).get("responses", {}).items():
        yield f"answer {name}", answer


def with_values(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each parameter, and each media type of a body or an answer: what has a schema, and examples of it."""
    yield from parameters(spec)
    for where, content in [*bodies(spec), *answers(spec)]:
        for media in content.get("content", {}).values():
            yield where, media


def roots(spec: Json) -> Iterator[Place]:
    """Yield each schema that is no part of another."""
    answered = _answered(spec)
    for name, schema in schemas(spec).items():
        yield Place(name, schema, name in answered)
    of_answers = dict(answers(spec))
    for where, value in with_values(spec):
        if "schema" in value:
            yield Place(where, value["schema"], where in of_answers)


def places(spec: Json) -> Iterator[Place]:
    """Yield each schema, also those inside of another."""
    for root in roots(spec):
        yield root
        yield from _inside(root)


def fields(spec: Json) -> Iterator[Place]:
    """Yield the schema of each property, item and value of a map."""
    for place in places(spec):
        yield from _fields(place)


def alternatives(spec: Json, schema: Json) -> Iterator[Json]:
    """Yield the schemas of which a value of *schema* fits one: those of its `anyOf` or `oneOf`, else itself."""
    schema = resolve(spec, schema)
    parts = schema.get("anyOf", []) + schema.get("oneOf", [])
    if not parts and len(schema.get("allOf", [])) == 1:
        parts = schema["allOf"]
    for part in parts:
        yield from alternatives(spec, part)
    if not parts:
        yield schema


def types(schema: Json) -> set[str]:
    """Return the JSON types that *schema* itself allows."""
    if "type" in schema:
        named = schema["type"]
        return {named} if isinstance(named, str) else set(named)
    if "enum" in schema or "const" in schema:
        return {_TYPES[type(value)] for value in schema.get("enum", [schema.get("const")])}
    return {"object"} if {"properties", "allOf"} & schema.keys() else set(_TYPES.values())


def kinds(spec: Json, schema: Json) -> set[str]:
    """Return the JSON types that a value of *schema* may have."""
    return {kind for one in alternatives(spec, schema) for kind in types(one)}


def members(spec: Json, schema: Json) -> Model:
    """Return *schema* as a model, with what its `allOf` adds."""
    schema = resolve(spec, schema)
    properties, required = dict(schema.get("properties", {})), set(schema.get("required", []))
    for part in schema.get("allOf", []):
        more = members(spec, part)
        properties |= more.properties
        required |= more.required
    return Model(properties, required)


def _inside(place: Place) -> Iterator[Place]:
    parts = [part for kind in ("allOf", "anyOf", "oneOf") for part in place.schema.get(kind, [])]
    for inner in [*_fields(place), *(place._replace(schema=part) for part in parts)]:
        yield inner
        yield from _inside(inner)


def _fields(place: Place) -> Iterator[Place]:
    schema = place.schema
    found = {f"{place.where}.{name}": part for name, part in schema.get("properties", {}).items()}
    found |= {f"{place.where}[]": schema.get("items"), f"{place.where}.*": schema.get("additionalProperties")}
    for where, part in found.items():
        if isinstance(part, dict):
            yield Place(where, part, place.in_answer)


def _answered(spec: Json) -> set[str]:
    """Return the names of the schemas that an answer may hold."""
    found: set[str] = set()
    to_follow: list[object] = [answer for _, answer in answers(spec)]
    while to_follow:
        new = {reference.rpartition("/")[2] for reference in _references(to_follow.pop())} - found
        found |= new
        to_follow += [schemas(spec)[name] for name in new & schemas(spec).keys()]
    return found


def _references(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
