"""Rules of what the generated code and the SDK can carry: parameters, bodies, models, enums and names."""

import re
from collections.abc import Iterator
from itertools import permutations

from document import (
    Finding,
    Json,
    Model,
    alternatives,
    bodies,
    fields,
    kinds,
    members,
    parameters,
    places,
    resolve,
    types,
)

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"

# What the generated code calls something else: a property or parameter of this name would be read or written wrongly.
RESERVED = (
    *("additional_keys", "additional_properties", "from_dict", "to_dict"),  # of the class
    *("cast", "cls", "d", "field_dict", "src_dict"),  # in its methods
)
_OF_MAPS = ("prop", "prop_name")
_OF_LISTS = ("item", "item_data", "type_0_item", "type_0_item_data")  # behind the name of the list
_OF_CALLS = ("body", "headers", "params", "quote")

_OBJECT = "an object has no place in a query or a form: write a parameter of its own for each property"
_ARRAY = (
    "an array is sent as `style: form` with `explode: true`: write so, or leave both out; if the provider wants it "
    "otherwise, write `type: string`, and join the items in the facade"
)
_ITEMS = "the items of an array are sent as plain values: write items of a plain type"
_UNLIKE = (
    "its models cannot be told apart: give each of them a required property with a `const` of its own, or a required "
    "property that the others do not have; else write one model with the properties of all"
)
_DISCRIMINATOR = (
    "the generator ignores the discriminator: write `oneOf` of the models, and in each of them `{}` as a required "
    "property with a `const` of its own, one of `mapping` if there is that"
)
_NULLABLE = "an enum with null becomes several classes that are alike"
_CLOSED = "the enum would refuse an answer with a value that is new"
_PROPERTY = (
    "the generated model has another use for this name: leave the property out; what arrives is in "
    "`additional_properties`"
)
_PARAMETER = (
    "the generated call has another use for this name: leave the parameter out, and add it in the facade, by "
    "`Request.with_query`"
)


def uncarried_parameters(spec: Json) -> Iterator[Finding]:
    """Find parameters that the generator leaves out, or that a request of ours has no place for."""
    for where, parameter in parameters(spec):
        place, schema = parameter["in"], parameter.get("schema", {})
        if place == "cookie":
            yield where, "the SDK sends no cookies: leave it out"
        elif not schema:
            yield where, "the generator leaves out what has `content`: write `schema` with `type: string`"
        elif place == "query":
            yield from ((where, what) for what in _uncarried(spec, schema, parameter))
        elif {"array", "object"} & kinds(spec, schema):
            yield where, f"a {place} parameter is one plain value: write `type: string`, and join it in the facade"
        elif place == "header" and (kinds(spec, schema) != {"string"} or _has_format(spec, schema)):
            yield where, "a header is sent as it is given: write `type: string`, without a format"


def _has_format(spec: Json, schema: Json) -> bool:
    return any("format" in one for one in alternatives(spec, schema))


def uncarried_bodies(spec: Json) -> Iterator[Finding]:
    """Find bodies that are neither JSON nor a form of plain values."""
    for where, body in bodies(spec):
        content = body["content"]
        for media in sorted(content.keys() - {_JSON, _FORM}):
            yield where, f"the SDK sends no {media}: write {_JSON} or {_FORM}"
        if len(content) > 1:
            yield where, "the generated call would send each media type at once: write the one that is to be sent"
        form = content.get(_FORM, {"schema": {"type": "object"}})
        if kinds(spec, form["schema"]) != {"object"}:
            yield where, "a form is made of fields: write `type: object` with properties"
        for name, part in members(spec, form["schema"]).properties.items():
            how = form.get("encoding", {}).get(name, {})
            yield from ((f"{where}.{name}", what) for what in _uncarried(spec, part, how))


def _uncarried(spec: Json, schema: Json, how: Json) -> Iterator[str]:
    """Yield why a query or form has no place for *schema*, in the style of *how*."""
    allowed = kinds(spec, schema)
    items = [one["items"] for one in alternatives(spec, schema) if "items" in one]
    if "object" in allowed:
        yield _OBJECT
    elif "array" in allowed and not (how.get("style", "form") == "form" and how.get("explode", True)):
        yield _ARRAY
    elif any({"array", "object"} & kinds(spec, item) for item in items):
        yield _ITEMS


def unlike_models(spec: Json) -> Iterator[Finding]:
    """Find fields of several models or arrays, where the value does not tell which of them it is."""
    for where, schema, _ in fields(spec):
        models = _models(spec, schema)
        if not all(_is_marked(spec, one, other) for one, other in permutations(models, 2)):
            yield where, _UNLIKE
        if sum("items" in one for one in alternatives(spec, schema)) > 1:
            yield where, "its arrays cannot be told apart: write one, whose items may be of several kinds"


def bare_discriminators(spec: Json) -> Iterator[Finding]:
    """Find discriminators that are no required `const` in each model, which is what the SDK goes by."""
    for where, schema, _ in places(spec):
        if "discriminator" in schema:
            name, mapping = schema["discriminator"]["propertyName"], schema["discriminator"].get("mapping", {})
            models = _models(spec, schema)
            values = [_only_value(spec, model, name) for model in models]
            if None in values or len(set(values)) < max(len(models), 2) or mapping.keys() - set(values):
                yield where, _DISCRIMINATOR.format(name)


def _models(spec: Json, schema: Json) -> list[Model]:
    return [members(spec, one) for one in alternatives(spec, schema) if "object" in types(one)]


def _is_marked(spec: Json, one: Model, other: Model) -> bool:
    """Return whether a property that *one* must have tells that a value is not of *other*."""
    for name in one.required:
        here, there = _only_value(spec, one, name), _only_value(spec, other, name)
        if name not in other.properties or (here != there and None not in (here, there)):
            return True
    return False


def _only_value(spec: Json, model: Model, name: str) -> object:
    """Return the one value that the required property *name* of *model* may have, else None."""
    schema = resolve(spec, model.properties.get(name, {}))
    values = schema.get("enum", [schema.get("const")])
    return values[0] if name in model.required and len(values) == 1 else None


def nullable_enums(spec: Json) -> Iterator[Finding]:
    """Find enums with null, of which the generator makes several classes."""
    for where, schema, in_answer in places(spec):
        if "enum" in schema and ("null" in types(schema) or None in schema["enum"]):
            yield where, f"{_NULLABLE}: {_open(schema, in_answer)}"


def closed_enums(spec: Json) -> Iterator[Finding]:
    """Find fields of answers with an enum and nothing else: the provider may add a value."""
    for where, schema, in_answer in fields(spec):
        options = list(alternatives(spec, schema))
        free = {kind for one in options if not {"enum", "const"} & one.keys() for kind in types(one)}
        for one in options if in_answer else []:
            if len(one.get("enum", [])) > 1 and "null" not in types(one) and not types(one) <= free:
                yield where, f"{_CLOSED}: {_open(one, in_answer)}"


def _open(enum: Json, in_answer: bool) -> str:
    """Return what to write for a field with *enum*."""
    free = f"{{type: {min(types(enum) - {'null'}, default='string')}}}, " if in_answer else ""
    spelling = f'anyOf: [{{$ref: that schema}}, {free}{{type: "null"}}]'
    return f"make the enum a schema with a name, and write `{spelling}`, without null if the field is required"


def reserved_names(spec: Json) -> Iterator[Finding]:
    """Find properties and parameters that are called as something else in the generated code is."""
    for where, schema, _ in places(spec):
        properties = schema.get("properties", {})
        reserved = {*RESERVED, *(_OF_MAPS if isinstance(schema.get("additionalProperties"), dict) else ())}
        for name, part in properties.items():
            if any("items" in one for one in alternatives(spec, part)):
                reserved |= {f"{name}_{end}" for end in _OF_LISTS}
        for name in properties:
            if _plain(name) in map(_plain, reserved):
                yield f"{where}.{name}", _PROPERTY
    for where, parameter in parameters(spec):
        if _plain(parameter["name"]) in _OF_CALLS:
            yield where, _PARAMETER


def _plain(name: str) -> str:
    """Return *name* as far as the generator heeds it: `toDict` and `to_dict` are one."""
    return re.sub("[^a-z0-9]", "", name.lower())


RULES = [
    uncarried_parameters,
    uncarried_bodies,
    unlike_models,
    bare_discriminators,
    nullable_enums,
    closed_enums,
    reserved_names,
]
