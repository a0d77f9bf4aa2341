"""Kinds of fields: whatever the generator makes of a schema is read as the schema says, or refused."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from rig.schemas import Json, assert_fields, assert_kind, generate
from usergroups._models import MismatchError, Reader, _table

ID = "550e8400-e29b-41d4-a716-446655440000"
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def ref(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Json) -> Json:
    """Return an array's schema."""
    return {"type": "array", "items": items}


def record(*required: str, **properties: Json) -> Json:
    """Return an object's schema."""
    return {"type": "object", "required": list(required), "properties": properties}


TEXT: Json = {"type": "string"}
MOMENT: Json = {"type": "string", "format": "date-time"}
SCHEMAS: Json = {
    "Colour": {"type": "string", "enum": ["red", "blue"]},
    "Level": {"type": "integer", "enum": [1, 2]},
    "Owner": record("id", id=TEXT),
    "Alias": ref("Owner"),
    "Cat": record("kind", "name", kind={"const": "cat"}, name=TEXT),
    "Dog": record("kind", "name", kind={"const": "dog"}, name=TEXT, walks={"type": "integer"}),
    "Bird": record("kind", kind={"type": "string", "enum": ["parrot", "wren"]}),
    "Pet": {"oneOf": [ref("Dog"), ref("Cat"), ref("Bird")], "discriminator": {"propertyName": "kind"}},
    "Branch": record("left", "kind", left=ref("Plant"), kind={"const": "branch"}),
    "Twig": record("left", "kind", left=ref("Plant"), kind={"const": "twig"}),
    "Leaf": record("kind", kind={"const": "leaf"}),
    "Plant": {"oneOf": [ref("Branch"), ref("Leaf"), ref("Twig")]},
    "Tree": record(trees=array(ref("Tree"))),
    "Home": record(pets=array(ref("Pet"))),
    "Phone": record("number", number=TEXT),
    "Post": record("street", street=TEXT),
    "Moments": {"type": "object", "additionalProperties": MOMENT},
    "Owners": {"type": "object", "additionalProperties": ref("Owner")},
}


@dataclass
class Kind:
    """A schema, a value that it allows and what that is in Python (given the models), and values that it refuses."""

    schema: Json
    good: Any
    python: Any
    bad: tuple[Any, ...] = ()

    def expected(self, models: Any) -> object:
        """Return the good value in Python."""
        return self.python(models) if callable(self.python) else self.python


KINDS = {
    "text": Kind(TEXT, "a", "a", (5, {})),
    "boolean": Kind({"type": "boolean"}, True, True, (1, "true")),
    "number": Kind({"type": "number", "format": "double"}, 0.5, 0.5, ("0.5", True)),
    "int32": Kind({"type": "integer", "format": "int32"}, 5, 5, (0.5, "5", True)),
    "moment": Kind(MOMENT, "2024-01-01T12:00:00", NOON, ("noon", 5)),
    "day": Kind({"type": "string", "format": "date"}, "2024-01-01", date(2024, 1, 1), ("2024-01-01T12:00:00Z",)),
    "uuid": Kind({"type": "string", "format": "uuid"}, ID, UUID(ID), ("x",)),
    "null": Kind({"type": "null"}, None, None, ("x",)),
    "constant": Kind({"const": 5}, 5, 5, (6, "5")),
    "dayOrMoment": Kind({"anyOf": [MOMENT, MOMENT | {"format": "date"}]}, "2024-01-01", date(2024, 1, 1), ("noon",)),
    "momentOrDay": Kind({"anyOf": [MOMENT | {"format": "date"}, MOMENT]}, "2024-01-01T12:00:00", NOON, ("noon",)),
    "textOrNumber": Kind({"type": ["string", "integer", "null"]}, 5, 5, (0.5, [])),
    "colour": Kind(ref("Colour"), "red", lambda m: m.Colour.RED, ("green", 5)),
    "inlineColour": Kind(SCHEMAS["Colour"], "red", lambda m: m.EverythingInlineColour.RED, ("green",)),
    "colourOrNull": Kind({"anyOf": [ref("Colour"), {"type": "null"}]}, "red", lambda m: m.Colour.RED, ("green",)),
    "colourOrText": Kind({"anyOf": [ref("Colour"), TEXT]}, "red", lambda m: m.Colour.RED, (5,)),
    "textOrColour": Kind({"anyOf": [ref("Colour"), TEXT, {"type": "null"}]}, "green", "green", (5,)),
    "level": Kind(ref("Level"), 2, lambda m: m.Level(2), (3, True, "2")),
    "owner": Kind(ref("Owner"), {"id": "1"}, lambda m: m.Owner(id="1"), ({}, {"id": 5}, [])),
    "alias": Kind(ref("Alias"), {"id": "1"}, lambda m: m.Alias(id="1"), ({},)),
    "ownerOrNull": Kind({"oneOf": [ref("Owner"), {"type": "null"}]}, {"id": "1"}, lambda m: m.Owner(id="1"), ({},)),
    "ownerOrText": Kind({"anyOf": [TEXT, ref("Owner")]}, "1", "1", ({}, 5)),
    "extended": Kind(
        {"allOf": [ref("Owner"), record(at=MOMENT)]},
        {"id": "1", "at": "2024-01-01T12:00:00Z"},
        lambda m: m.EverythingExtended(id="1", at=NOON),
        ({"at": "2024-01-01T12:00:00Z"},),
    ),
    "free": Kind({"type": "object"}, {"a": [1]}, lambda m: filled(m.EverythingFree(), a=[1]), ([],)),
    "anything": Kind({}, {"a": [None]}, {"a": [None]}),
    "anyNumber": Kind({"description": "Of no type."}, 5, 5),
    "anythings": Kind(array({}), [None, [1], {}], [None, [1], {}], ({},)),
    "cat": Kind(ref("Pet"), {"kind": "cat", "name": "C"}, lambda m: m.Cat(kind="cat", name="C"), ({"kind": "cow"}, {})),
    "dog": Kind(ref("Pet"), {"kind": "dog", "name": "D"}, lambda m: m.Dog(kind="dog", name="D"), ({"kind": "dog"}, 5)),
    "bird": Kind(ref("Pet"), {"kind": "wren"}, lambda m: m.Bird(kind=m.BirdKind.WREN), ({"kind": 5}, [])),
    "phone": Kind({"anyOf": [ref("Post"), ref("Phone")]}, {"number": "1"}, lambda m: m.Phone(number="1"), ({},)),
    "post": Kind(
        {"anyOf": [ref("Post"), ref("Phone")]}, {"street": "S"}, lambda m: m.Post(street="S"), ({"number": 1},)
    ),
    "moments": Kind(ref("Moments"), {"a": "2024-01-01T12:00:00"}, lambda m: filled(m.Moments(), a=NOON), ({"a": "x"},)),
    "owners": Kind(ref("Owners"), {"a": {"id": "1"}}, lambda m: filled(m.Owners(), a=m.Owner("1")), ({"a": {}}, [])),
    "lists": Kind(
        {"type": "object", "additionalProperties": array(MOMENT)},
        {"a": ["2024-01-01T12:00:00"]},
        lambda m: filled(m.EverythingLists(), a=[NOON]),
        ({"a": [None]}, {"a": {}}),
    ),
    "momentList": Kind(array(MOMENT), ["2024-01-01T12:00:00"], [NOON], (["noon"], [5], {})),
    "ownerList": Kind(array(ref("Owner")), [{"id": "1"}], lambda m: [m.Owner(id="1")], ([5], [{}], "")),
    "petList": Kind(array(ref("Pet")), [{"kind": "wren"}], lambda m: [m.Bird(kind=m.BirdKind.WREN)], ([{}],)),
    "nested": Kind(array(array({"type": "integer"})), [[1], []], [[1], []], ([1], [["1"]])),
    "colourList": Kind(array(ref("Colour")), ["red"], lambda m: [m.Colour.RED], (["green"],)),
    "listOrNull": Kind({"type": ["array", "null"], "items": TEXT}, ["a"], ["a"], ([5],)),
    "listOrText": Kind({"anyOf": [array(TEXT), TEXT]}, ["a"], ["a"], ([5], 5)),
}
LISTS = {name for name, kind in KINDS.items() if isinstance(kind.good, list)}
SINGLE = KINDS.keys() - LISTS
UNKNOWN = "it fits none of the schemas that it may have"


def refused(names: Collection[str]) -> list[tuple[str, object]]:
    """Return the values that do not fit, each with the name of its kind."""
    return [(name, bad) for name, kind in KINDS.items() if name in names for bad in kind.bad]


def filled(model: Any, **properties: object) -> Any:
    """Return *model* with *properties* that the spec does not name."""
    model.additional_properties = properties
    return model


@dataclass
class Scratch:
    """A spec with a model that has a field of each kind, and what is generated from it."""

    spec: Json
    models: Any


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """Generate a package with a model that has a field of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    everything = record(**{name: kind.schema for name, kind in KINDS.items()})
    spec = generate(folder, "kinds_api", schemas=SCHEMAS | {"Everything": everything})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield Scratch(spec, import_module("kinds_api.models"))


def read(scratch: Scratch, name: str, value: object) -> tuple[Any, object]:
    """Read an `Everything` that has *value* in the field *name* alone; return it, and what the field is in Python."""
    made = Reader().read(scratch.models.Everything, {name: value})
    return made, getattr(made, re.sub("([A-Z])", r"_\1", name).lower())


@pytest.mark.parametrize("name", KINDS)
def test_value_that_fits(scratch: Scratch, name: str) -> None:
    """A value that fits is what its type hint promises, and is read again from what is written."""
    kind = KINDS[name]

    made, value = read(scratch, name, kind.good)

    expected = kind.expected(scratch.models)
    assert (type(value), value) == (type(expected), expected)
    assert made.additional_properties == {}
    assert Reader().read(type(made), made.to_dict()) == made


@pytest.mark.parametrize(("name", "bad"), refused(SINGLE))
def test_value_that_does_not_fit(scratch: Scratch, name: str, bad: object) -> None:
    """A value that does not fit is None, and kept."""
    made, value = read(scratch, name, bad)

    assert value is None
    assert made.additional_properties == made.to_dict() == {name: bad}


@pytest.mark.parametrize(("name", "bad"), refused(LISTS))
def test_list_that_does_not_fit(scratch: Scratch, name: str, bad: object) -> None:
    """A list that is none, or has an item that does not fit, is an error with its place."""
    with pytest.raises(MismatchError) as caught:
        read(scratch, name, bad)

    assert caught.value.json_path.startswith(f"$.{name}")


def test_unfit_field_in_a_model_of_a_union(scratch: Scratch) -> None:
    """A field that does not fit, and is not required, does not keep a model from being the right one."""
    raw = {"kind": "dog", "name": "D", "walks": "two"}

    _, dog = read(scratch, "cat", raw)

    assert dog == filled(scratch.models.Dog(kind="dog", name="D"), walks="two")


@pytest.mark.parametrize(
    ("model", "raw", "path", "reason"),
    [
        pytest.param("Moments", {"key": "noon"}, "$.*", "it is text, not a date-time", id="a value of a map"),
        pytest.param("Owners", {"key": {}}, "$.*.id", "it is missing", id="within a value of a map"),
        pytest.param("Home", {"pets": [{}]}, "$.pets[0]", UNKNOWN, id="no pet"),
        pytest.param("Home", {"pets": [{"kind": "cat"}]}, "$.pets[0]", UNKNOWN, id="half a cat"),
        pytest.param("Home", {"pets": [5]}, "$.pets[0]", "it is a number, not an object", id="a number"),
    ],
)
def test_place_of_a_mismatch(scratch: Scratch, model: str, raw: object, path: str, reason: str) -> None:
    """What is wrong in a map or a union is told with its place, in which no key of a map is shown."""
    with pytest.raises(MismatchError) as caught:
        Reader().read(getattr(scratch.models, model), raw)

    assert (caught.value.json_path, caught.value.reason) == (path, reason)


def test_models_of_a_union_are_told_apart_at_each_level(scratch: Scratch) -> None:
    """Which of a union's models it is takes one look at each level, whatever is within."""
    plant = {"kind": "leaf"}
    for _ in range(50):
        plant = {"left": plant, "kind": "twig"}

    made = Reader().read(scratch.models.Twig, plant)

    assert made.to_dict() == plant


def test_document_nested_too_deeply(scratch: Scratch) -> None:
    """A document that is nested more deeply than Python can follow is an error."""
    tree: Json = {}
    for _ in range(900):
        tree = {"trees": [tree]}

    with pytest.raises(MismatchError) as caught:
        Reader().read(scratch.models.Tree, tree)

    assert caught.value.reason == "it is nested too deeply"


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if not {"enum", "oneOf"} & schema.keys()])
def test_fields_are_those_of_the_spec(scratch: Scratch, name: str) -> None:
    """Each model's fields have the names and the types of its schema."""
    assert_fields(getattr(scratch.models, name), SCHEMAS[name], scratch.spec)


@pytest.mark.parametrize("name", KINDS)
def test_field_is_that_of_the_spec(scratch: Scratch, name: str) -> None:
    """Each kind of field has the types of its schema."""
    [kind] = [kind for known, _, kind in _table(scratch.models.Everything).fields if known == name]

    assert_kind(kind, KINDS[name].schema, scratch.spec, is_optional=True)
