"""The specs: valid, complete in what they say, and their examples are what the generated models read."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from usergroups_m3ter_api.api.user_groups import list_user_groups
from usergroups_m3ter_api.client import AuthenticatedClient

SPECS = {name: Path(__file__).parents[2] / "specs" / f"{name}.yaml" for name in ["m3ter", "smartpm"]}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

Json = dict[str, Any]


def load(name: str) -> Json:
    """Return the spec called *name*; through JSON, so that a date or a key of another type cannot hide in it."""
    spec: Json = json.loads(json.dumps(yaml.safe_load(SPECS[name].read_text(encoding="utf-8"))))
    return spec


def operations(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each operation and where it is."""
    for path, item in spec["paths"].items():
        for method in METHODS & item.keys():
            yield f"{method} {path}", item[method]


def schemas(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each named schema with its name."""
    yield from spec["components"]["schemas"].items()


def unnamed_operations(spec: Json) -> list[str]:
    """Every operation has a camelCase operationId, a summary, a description, and says how it is secured."""
    return [
        where
        for where, operation in operations(spec)
        if not re.fullmatch("[a-z]+([A-Z][a-z]+)+", operation.get("operationId", ""))
        or not all(operation.get(key) for key in ["summary", "description", "security"])
    ]


def untagged_operations(spec: Json) -> list[str]:
    """Every operation has one tag, and the spec says what the tag means."""
    known = [[tag["name"]] for tag in spec["tags"] if tag["description"]]
    return [where for where, operation in operations(spec) if operation.get("tags") not in known]


def undescribed_parameters(spec: Json) -> list[str]:
    """Every parameter has a description."""
    return [
        f"{where}: {parameter['name']}"
        for where, operation in operations(spec)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]


def bare_parameters(spec: Json) -> list[str]:
    """Every parameter has an example."""
    return [
        f"{where}: {parameter['name']}"
        for where, operation in operations(spec)
        for parameter in operation.get("parameters", [])
        if "example" not in parameter
    ]


def formatted_headers(spec: Json) -> list[str]:
    """Header parameters are plain strings: with a format, the generated call hands httpx what it cannot send."""
    return [
        f"{where}: {parameter['name']}"
        for where, operation in operations(spec)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header" and (parameter["schema"]["type"] != "string" or "format" in parameter["schema"])
    ]


def undescribed_properties(spec: Json) -> list[str]:
    """Every schema, and every property of one, has a description."""
    described = {name: schema.get("description") for name, schema in schemas(spec)}
    for name, schema in schemas(spec):
        described |= {f"{name}.{key}": prop.get("description") for key, prop in schema["properties"].items()}
    return [where for where, description in described.items() if not description]


def bare_schemas(spec: Json) -> list[str]:
    """Every named schema has an example."""
    return [name for name, schema in schemas(spec) if not schema.get("examples")]


def null_or_required(spec: Json) -> list[str]:
    """No property is both required and nullable, or neither: absent and null mean the same."""
    return [
        f"{name}.{key}"
        for name, schema in schemas(spec)
        for key, prop in schema["properties"].items()
        if (key in schema.get("required", [])) == ("null" in prop["type"])
    ]


def closed_schemas(spec: Json) -> list[str]:
    """Unknown fields are allowed everywhere."""
    return [name for name, schema in schemas(spec) if schema.get("additionalProperties", True) is not True]


def spoil_operation(spec: Json, **changes: object) -> None:
    """Make *changes* to the first operation."""
    next(operations(spec))[1].update(changes)


def spoil_parameter(spec: Json, **changes: object) -> None:
    """Make *changes* to a parameter."""
    parameters = next(operation["parameters"] for _, operation in operations(spec) if "parameters" in operation)
    parameters[-1].update(changes)


def spoil_example(spec: Json) -> None:
    """Take the example of a parameter away."""
    next(operation["parameters"] for _, operation in operations(spec) if "parameters" in operation)[-1].pop("example")


def spoil_schema(spec: Json, **changes: object) -> None:
    """Make *changes* to the user group."""
    spec["components"]["schemas"]["UserGroup"].update(changes)


def spoil_property(spec: Json, **changes: object) -> None:
    """Put *changes* in the place of the user group's name."""
    spec["components"]["schemas"]["UserGroup"]["properties"]["name"] = changes


Rule = Callable[[Json], list[str]]
RULES: list[tuple[str, Rule, Callable[[Json], None]]] = [
    ("an operation without an id", unnamed_operations, lambda spec: spoil_operation(spec, operationId="")),
    ("an operation without a summary", unnamed_operations, lambda spec: spoil_operation(spec, summary="")),
    ("an operation without security", unnamed_operations, lambda spec: spoil_operation(spec, security=[])),
    ("an operation with an unknown tag", untagged_operations, lambda spec: spoil_operation(spec, tags=["other"])),
    ("a parameter without a description", undescribed_parameters, lambda spec: spoil_parameter(spec, description="")),
    ("a parameter without an example", bare_parameters, spoil_example),
    (
        "a header that is no plain string",
        formatted_headers,
        lambda spec: spoil_parameter(spec, **{"in": "header", "schema": {"type": "string", "format": "uuid"}}),
    ),
    ("a property without a description", undescribed_properties, lambda spec: spoil_property(spec, type="string")),
    ("a schema without an example", bare_schemas, lambda spec: spoil_schema(spec, examples=[])),
    (
        "a property that is required and nullable",
        null_or_required,
        lambda spec: spoil_schema(spec, required=["id", "name"], properties={"name": {"type": ["string", "null"]}}),
    ),
    (
        "a property that is neither required nor nullable",
        null_or_required,
        lambda spec: spoil_schema(spec, required=[], properties={"name": {"type": "string"}}),
    ),
    (
        "a schema without room for unknown fields",
        closed_schemas,
        lambda spec: spoil_schema(spec, additionalProperties=False),
    ),
]


def schema_examples() -> Iterator[Any]:
    """Yield spec, schema and example, for each example of a named schema."""
    for spec in SPECS:
        for schema, content in schemas(load(spec)):
            for number, example in enumerate(content["examples"], start=1):
                yield pytest.param(spec, schema, example, id=f"{spec} {schema} {number}")


def answer_examples() -> Iterator[Any]:
    """Yield spec, schema and example, for each example of an answer."""
    for spec in SPECS:
        for where, operation in operations(load(spec)):
            for status, answer in operation["responses"].items():
                for media in answer.get("content", {}).values():
                    for name, example in media.get("examples", {}).items():
                        what = f"{spec} {where} {status} {name}"
                        yield pytest.param(spec, media["schema"], example["value"], id=what)


def parameter_examples() -> Iterator[Any]:
    """Yield spec, schema and example, for each example of a parameter."""
    for spec in SPECS:
        for where, operation in operations(load(spec)):
            for parameter in operation.get("parameters", []):
                what = f"{spec} {where} {parameter['name']}"
                yield pytest.param(spec, parameter["schema"], parameter["example"], id=what)


def complaints(spec: str, schema: Json, value: object) -> list[str]:
    """Return what is wrong with *value* by a *schema* that may refer to the named schemas of *spec*."""
    validator = OAS31Validator(
        {"allOf": [schema], "components": load(spec)["components"]}, format_checker=OAS31Validator.FORMAT_CHECKER
    )
    return [error.message for error in validator.iter_errors(value)]


@pytest.mark.parametrize("name", SPECS)
def test_spec_is_valid_openapi(name: str) -> None:
    """The spec is what OpenAPI 3.1 allows."""
    spec = load(name)

    validate(spec)

    assert spec["openapi"].startswith("3.1.")


@pytest.mark.parametrize("rule", dict.fromkeys(rule for _, rule, _ in RULES), ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", SPECS)
def test_spec_keeps_our_rules(name: str, rule: Rule) -> None:
    """The spec says all that our rules ask for."""
    assert rule(load(name)) == []


@pytest.mark.parametrize(("rule", "spoil"), [pytest.param(rule, spoil, id=what) for what, rule, spoil in RULES])
@pytest.mark.parametrize("name", SPECS)
def test_rule_finds_what_breaks_it(name: str, rule: Rule, spoil: Callable[[Json], None]) -> None:
    """A spec that breaks one of our rules is found out."""
    spec = deepcopy(load(name))

    spoil(spec)

    assert rule(spec)


@pytest.mark.parametrize(("spec", "schema", "example"), list(schema_examples()))
def test_example_of_a_schema_is_valid(spec: str, schema: str, example: Json) -> None:
    """What the spec gives as an example of a schema is one."""
    assert complaints(spec, {"$ref": f"#/components/schemas/{schema}"}, example) == []


@pytest.mark.parametrize(("spec", "schema", "example"), list(answer_examples()))
def test_example_of_an_answer_is_valid(spec: str, schema: Json, example: object) -> None:
    """What the spec gives as an example of an answer is one."""
    assert complaints(spec, schema, example) == []


@pytest.mark.parametrize(("spec", "schema", "example"), list(parameter_examples()))
def test_example_of_a_parameter_is_valid(spec: str, schema: Json, example: object) -> None:
    """What the spec gives as an example of a parameter is one."""
    assert complaints(spec, schema, example) == []


@pytest.mark.parametrize(("spec", "schema", "example"), list(schema_examples()))
def test_example_parses_with_the_generated_model(spec: str, schema: str, example: Json) -> None:
    """The generated model knows every field of the example, and writes what it reads as the same again."""
    model = getattr(importlib.import_module(f"usergroups_{spec}_api.models"), schema)

    parsed = model.from_dict(example)

    assert parsed.additional_properties == {}
    assert model.from_dict(parsed.to_dict()) == parsed


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        pytest.param("envelope", "UserGroupPage", id="an envelope"),
        pytest.param("last", "UserGroupPage", id="the last page"),
        pytest.param("list", "list", id="a bare list"),
        pytest.param("group", "UserGroup", id="a bare group"),
        pytest.param("empty", "UserGroupPage", id="an empty object"),
    ],
)
def test_shapes_of_a_listing_are_told_apart(answer: str, shape: str) -> None:
    """The generated call reads each form in which m3ter may list groups as what it is."""
    listing = load("m3ter")["paths"]["/organizations/{orgId}/users/{id}/usergroups"]["get"]
    body = listing["responses"]["200"]["content"]["application/json"]["examples"][answer]["value"]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    url = "https://api.m3ter.com"

    with httpx.Client(base_url=url, transport=transport) as http:
        client = AuthenticatedClient(url, token="token").set_httpx_client(http)
        parsed = list_user_groups.sync("org", "user", client=client)

    assert type(parsed).__name__ == shape
