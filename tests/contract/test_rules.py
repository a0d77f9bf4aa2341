"""The rules of the specs: each finds what breaks it, and says in a sentence where, what is wrong and what to write."""

import pytest

import rules
from document import Json
from rig.things import (
    CARD,
    COIN,
    FIELDS,
    FORM,
    NOTE,
    NULL,
    OPERATION,
    PARAMETER,
    STATUS,
    TEXT,
    THING,
    body,
    changed,
    field,
    form,
    parameter,
)

WHERE = "get /things"
SIZE = f"{WHERE}, parameter size"
BODY = f"{WHERE}, request body"
EXTRA = "Thing.extra"

BROKEN = {
    "no operationId": (changed(OPERATION, "operationId: things"), WHERE, "write one, such as listUserGroups"),
    "no summary": (changed(OPERATION, "summary: ''"), WHERE, "it has no summary: write one"),
    "no description": (changed(OPERATION, "description: ''"), WHERE, "it has no description: write one"),
    "no security": (changed(OPERATION, "security: []"), WHERE, "name one of `securitySchemes`"),
    "unknown tag": (changed(OPERATION, "tags: [other]"), WHERE, "it needs one tag that the spec describes"),
    "parameter without a description": (changed(PARAMETER, "description: ''"), SIZE, "it has no description"),
    "parameter without an example": (parameter("schema: {type: integer}"), SIZE, "it has no example: write one"),
    "schema without a description": (changed(THING, "description: ''"), "Thing", "it has no description: write"),
    "schema without an example": (changed(THING, "examples: []"), "Thing", "it has no examples: write"),
    "property without a description": (changed(FIELDS, "extra: {}"), EXTRA, "it has no description: write one"),
    "nested property without one": (field("properties: {a: {}}"), f"{EXTRA}.a", "it has no description: write one"),
    "required and nullable": (changed(FIELDS, "id: {type: [string, 'null']}"), "Thing.id", "out of `required`"),
    "neither required nor nullable": (field("type: string"), EXTRA, 'allow null too, by `type: [string, "null"]`'),
    "no unknown fields": (
        changed(THING, "additionalProperties: false"),
        "Thing",
        "leave `additionalProperties",
    ),
    "deprecated field": (field("type: [string, 'null'], deprecated: true"), EXTRA, 'begin that with "Deprecated."'),
    "deprecated operation": (changed(OPERATION, "deprecated: true"), WHERE, 'begin that with "Deprecated."'),
    "deprecated parameter": (changed(PARAMETER, "deprecated: true"), SIZE, 'begin that with "Deprecated."'),
    "example without a required field": (
        changed(THING, "examples: [{id: '1'}, {}]"),
        "Thing",
        "example 2 does not fit the schema ('id' is a required property, at $): correct",
    ),
    "example of a field": (
        field("type: ['null', array], items: {type: integer}, examples: [[5, x]]"),
        EXTRA,
        "example 1 does not fit the schema ('x' is not of type 'integer', at $[1]): correct",
    ),
    "example of a parameter": (parameter("schema: {type: integer}, example: x"), SIZE, "its example does not fit"),
    "example of an answer": (
        changed(
            (*OPERATION, "responses", "200", "content", "application/json"), "examples: {bare: {value: {id: null}}}"
        ),
        f"{WHERE}, answer 200",
        "example bare does not fit the schema (None is not of type 'string', at $.id)",
    ),
    "cookie": (parameter("in: cookie, example: a, schema: {type: string}"), SIZE, "the SDK sends no cookies"),
    "JSON in a parameter": (parameter("example: a, content: {text/plain: {}}"), SIZE, "write `schema` with"),
    "array with commas": (
        parameter("example: [a], explode: false, schema: {type: array, items: {type: string}}"),
        SIZE,
        "an array is sent as `style: form` with `explode: true`: write so",
    ),
    "array with pipes": (
        parameter("example: [a], style: pipeDelimited, schema: {type: array, items: {type: string}}"),
        SIZE,
        "an array is sent as `style: form` with `explode: true`: write so",
    ),
    "array of arrays": (
        parameter("example: [], schema: {type: array, items: {type: array}}"),
        SIZE,
        "write items of a plain type",
    ),
    "object in the query": (
        parameter("example: {}, style: deepObject, schema: {type: object}"),
        SIZE,
        "write a parameter of its own for each property",
    ),
    "array in the path": (
        parameter("in: path, example: [a], schema: {type: array, items: {type: string}}"),
        SIZE,
        "a path parameter is one plain value: write `type: string`",
    ),
    "header of another type": (
        parameter("in: header, example: 5, schema: {type: integer}"),
        SIZE,
        "write `type: string`, without a format",
    ),
    "header with a format": (
        parameter("in: header, example: 2024-W01, schema: {type: string, format: week}"),
        SIZE,
        "write `type: string`, without a format",
    ),
    "parameter that the call needs": (
        changed(PARAMETER, "name: params"),
        f"{WHERE}, parameter params",
        "the generated call has another use for this name",
    ),
    "files": (
        body("multipart/form-data: {schema: {type: object}}"),
        BODY,
        f"the SDK sends no multipart/form-data: write application/json or {FORM}",
    ),
    "two bodies": (
        body(f"application/json: {{schema: {NOTE}}}, {FORM}: {{schema: {NOTE}}}"),
        BODY,
        "write the one that is to be sent",
    ),
    "form of text": (body(f"{FORM}: {{schema: {TEXT}}}"), BODY, "write `type: object` with properties"),
    "object in a form": (form("type: object"), f"{BODY}.extra", "write a parameter of its own for each property"),
    "array in a form": (
        form("type: array, items: {type: string}", "{style: spaceDelimited}"),
        f"{BODY}.extra",
        "an array is sent as `style: form`",
    ),
    "models that are alike": (field(f"anyOf: [{CARD}, {NOTE}, {NULL}]"), EXTRA, "its models cannot be told apart"),
    "models that are alike, in a list": (
        field(f"type: [array, 'null'], items: {{oneOf: [{COIN}, {NOTE}]}}"),
        f"{EXTRA}[]",
        "give each of them a required property with a `const` of its own",
    ),
    "arrays that are alike": (
        field(f"anyOf: [{{type: array, items: {TEXT}}}, {{type: array, items: {NOTE}}}, {NULL}]"),
        EXTRA,
        "its arrays cannot be told apart",
    ),
    "discriminator without a const": (
        field(f"oneOf: [{CARD}, {COIN}, {NULL}], discriminator: {{propertyName: worth}}"),
        EXTRA,
        "in each of them `worth` as a required property with a `const` of its own",
    ),
    "discriminator with another const": (
        field(f"oneOf: [{CARD}, {COIN}, {NULL}], discriminator: {{propertyName: kind, mapping: {{cash: Coin}}}}"),
        EXTRA,
        "in each of them `kind` as a required property with a `const` of its own",
    ),
    "discriminator of one model": (
        changed(THING, "discriminator: {propertyName: id}"),
        "Thing",
        "write `oneOf` of the models",
    ),
    "enum with null": (
        field("type: [string, 'null'], enum: [new, old, null]"),
        EXTRA,
        'write `anyOf: [{$ref: that schema}, {type: string}, {type: "null"}]`',
    ),
    "closed enum": (
        field(f"anyOf: [{STATUS}, {NULL}]"),
        EXTRA,
        'write `anyOf: [{$ref: that schema}, {type: string}, {type: "null"}]`, without null if the field is required',
    ),
    "closed enum of numbers": (
        field("type: [array, 'null'], items: {enum: [1, 2]}"),
        f"{EXTRA}[]",
        'write `anyOf: [{$ref: that schema}, {type: integer}, {type: "null"}]`',
    ),
    **{
        f"property {name}": (
            field("type: [string, 'null']", name),
            f"Thing.{name}",
            "leave the property out; what arrives is in `additional_properties`",
        )
        for name in ["to_dict", "fromDict", "additional-properties", "additionalKeys", "cls", "d", "cast", "src_dict"]
    },
    "property of a map": (
        changed(THING, f"additionalProperties: {TEXT}, properties: {{prop: {{type: [string, 'null']}}}}"),
        "Thing.prop",
        "leave the property out",
    ),
    "property beside a list": (
        changed(FIELDS, f"tags: {{type: array, items: {TEXT}}}, tagsItem: {{}}"),
        "Thing.tagsItem",
        "leave the property out",
    ),
}


@pytest.mark.parametrize(("spec", "where", "what"), BROKEN.values(), ids=BROKEN)
def test_broken_rule_is_said_in_a_sentence(spec: Json, where: str, what: str) -> None:
    """Where a spec breaks a rule, a sentence says in which file, at which place, what is wrong, and what to write."""
    sentences = [one for one in rules.broken("things.yaml", spec) if one.startswith(f"specs/things.yaml: {where}: ")]

    assert any(what in one and one.endswith(".") for one in sentences), "\n".join(sentences)
