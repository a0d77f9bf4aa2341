"""What the rules of the specs tell a maintainer to write is what the generator makes, and the SDK reads."""

import ast
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

import carrying
import generate
import rules
from document import Json
from rig.things import CARD, COIN, NOTE, NULL, OPERATION, STATUS, TEXT, body, changed, field, form, parameter
from usergroups._models import Reader

ROOT = Path(__file__).parents[2]
NULLABLE = {"type": ["string", "null"]}
MOMENT = "2024-01-01T12:00:00+00:00"


def names_in_generated_code() -> set[str]:
    """Return the names that the generated models use, but for those that the rules refuse for a property."""
    models = [path.read_text(encoding="utf-8") for path in ROOT.glob("generated/*/models/*.py")]
    nodes = [node for text in models for node in ast.walk(ast.parse(text))]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return {name for name in used if name.islower() and not name.startswith("_")} - set(carrying.RESERVED)


NAMES = sorted(names_in_generated_code())
SCHEMAS = {
    "User": {
        "type": "object",
        "required": ["id", "kind"],
        "properties": {
            "id": {"type": "string"},
            "kind": yaml.safe_load(f"{{anyOf: [{STATUS}, {TEXT}]}}"),
            "status": yaml.safe_load(f"{{anyOf: [{STATUS}, {TEXT}, {NULL}]}}"),
            "logins": {"type": ["integer", "null"]},
            "title": NULLABLE | {"description": "Deprecated. Use the role.", "deprecated": True},
        },
    },
    "Status": {"type": "string", "enum": ["active", "ended"]},
    "Names": {
        "type": "object",
        "properties": dict.fromkeys(NAMES, NULLABLE)
        | {"at": NULLABLE | {"format": "date-time"}, "tags": {"type": ["array", "null"], "items": {"type": "string"}}},
    },
}

KEPT = {
    "open enum": field(f"anyOf: [{STATUS}, {TEXT}, {NULL}]"),
    "open enums in a list": field(f"type: [array, 'null'], items: {{anyOf: [{STATUS}, {TEXT}]}}"),
    "enum that is sent": parameter(f"schema: {STATUS}, example: new"),
    "model or null": field(f"anyOf: [{NOTE}, {NULL}]"),
    "models told apart by a const": field(f"oneOf: [{CARD}, {COIN}, {NULL}], discriminator: {{propertyName: kind}}"),
    "discriminator with a mapping": field(
        f"oneOf: [{CARD}, {COIN}, {NULL}], discriminator: {{propertyName: kind, mapping: {{card: Card, coin: Coin}}}}"
    ),
    "map": field("type: [object, 'null'], additionalProperties: {type: integer}"),
    "whatever it may be": field("title: Anything"),
    "parts of a model": field(f"anyOf: [{{allOf: [{NOTE}, {{type: object}}]}}, {NULL}]"),
    "array in the query": parameter("example: [a], schema: {type: array, items: {type: string}}"),
    "JSON": body(f"application/json: {{schema: {NOTE}}}"),
    "form": form("type: array, items: {type: string}"),
    "answer of several shapes": changed(
        (*OPERATION, "responses", "200", "content", "application/json"),
        f"schema: {{anyOf: [{NOTE}, {{type: array, items: {NOTE}}}, {{$ref: '#/components/schemas/Thing'}}]}}",
    ),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Generate the models of the schemas above, and return their module."""
    folder = tmp_path_factory.mktemp("spellings")
    answer = {
        "description": "A user.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}},
    }
    spec = {
        "openapi": "3.1.0",
        "info": {"title": "Users", "version": "1.0.0"},
        "paths": {"/user": {"get": {"operationId": "getUser", "responses": {"200": answer}}}},
        "components": {"schemas": SCHEMAS},
    }
    (folder / "users.json").write_text(json.dumps(spec), encoding="utf-8")
    generate.generate(folder / "users.json", folder / "users_of_spellings")
    sys.path.insert(0, str(folder))
    yield importlib.import_module("users_of_spellings.models")
    sys.path.remove(str(folder))


@pytest.mark.parametrize("spec", [changed((), ""), *KEPT.values()], ids=["nothing special", *KEPT])
def test_what_can_be_carried_is_allowed(spec: Json) -> None:
    """Nothing is said of a spec that keeps all rules."""
    validate(spec)

    assert rules.broken("things.yaml", spec) == []


@pytest.mark.parametrize("value", ["active", "suspended", None])
def test_open_enum_takes_what_it_does_not_know(models: ModuleType, value: str | None) -> None:
    """A field of a named enum, or text, or null, holds a value of the enum, a new one, or none, and writes it again."""
    raw = {"id": "1", "kind": "active", "status": value}

    user: Any = Reader().read(models.User, raw)

    assert user.status == value
    assert user.kind == models.Status.ACTIVE
    assert user.to_dict() == {name: value for name, value in raw.items() if value is not None}


def test_open_enum_is_hinted_as_the_enum_or_text(models: ModuleType) -> None:
    """Editors and type checkers know the enum, and that another text may come."""
    hints = models.User.__annotations__

    assert set(hints["status"].split(" | ")) == {"Status", "str", "None", "Unset"}
    assert set(hints["kind"].split(" | ")) == {"Status", "str"}


def test_field_that_is_not_required_costs_no_answer(models: ModuleType) -> None:
    """What is not required and does not fit is None, and kept as it came."""
    user: Any = Reader().read(models.User, {"id": "1", "kind": "active", "logins": "many"})

    assert (user.id, user.logins, user.additional_properties) == ("1", None, {"logins": "many"})


def test_description_is_what_the_model_says_of_a_field(models: ModuleType) -> None:
    """A deprecated field is so in the docstring of its model, which the reference shows."""
    assert "title (None | str | Unset): Deprecated. Use the role." in models.User.__doc__


def test_other_names_are_free(models: ModuleType) -> None:
    """A field may be called as anything else in the generated code is."""
    raw = dict.fromkeys(NAMES, "text") | {"at": MOMENT, "tags": ["a"], "unknown": 1}

    read: Any = Reader().read(models.Names, raw)

    assert read.to_dict() == raw
    assert models.Names.from_dict(raw).to_dict() == raw
