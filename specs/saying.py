"""Rules of what a spec has to say: descriptions, examples, what is required, and what is deprecated."""

import re
from collections.abc import Iterator

from jsonschema.exceptions import best_match
from openapi_schema_validator import OAS31Validator

from document import Finding, Json, kinds, operations, parameters, places, schemas, with_values

_NULL_AND_REQUIRED = (
    "it is required, and may be null: take it out of `required`, where an answer is of use without it; else do not "
    "allow null"
)
_NEITHER = (
    "it may be absent, but not null, which means the same: allow null too, by `type: [string, "
    '"null"]` or by `anyOf` with `type: "null"`; or name it in `required`, if an answer is of no use without it'
)
_DEPRECATED = (
    "it is deprecated, which the reference shows by its description alone: begin that with "
    '"Deprecated.", and say what to use instead'
)


def bare_operations(spec: Json) -> Iterator[Finding]:
    """Find operations without an operationId in camelCase, a summary, a description, or a word on security."""
    for where, operation in operations(spec):
        if not re.fullmatch("[a-z]+([A-Z][a-z]+)+", operation.get("operationId", "")):
            yield where, "it has no operationId in camelCase: write one, such as listUserGroups"
        for key in ("summary", "description"):
            if not operation.get(key):
                yield where, f"it has no {key}: write one"
        if not operation.get("security"):
            yield where, "it does not say how it is secured: name one of `securitySchemes` under `security`"


def untagged_operations(spec: Json) -> Iterator[Finding]:
    """Find operations without the one tag that the spec describes."""
    known = [[tag["name"]] for tag in spec.get("tags", []) if tag.get("description")]
    for where, operation in operations(spec):
        if operation.get("tags") not in known:
            yield where, "it needs one tag that the spec describes: name it in `tags`, here and of the whole document"


def bare_parameters(spec: Json) -> Iterator[Finding]:
    """Find parameters without a description or an example."""
    for where, parameter in parameters(spec):
        if not parameter.get("description"):
            yield where, "it has no description: write one"
        if "example" not in parameter and not parameter.get("examples"):
            yield where, "it has no example: write one"


def bare_schemas(spec: Json) -> Iterator[Finding]:
    """Find named schemas without a description or an example."""
    for name, schema in schemas(spec).items():
        for key in ("description", "examples"):
            if not schema.get(key):
                yield name, f"it has no {key}: write {'one' if key == 'description' else 'a list of one'}"


def bare_properties(spec: Json) -> Iterator[Finding]:
    """Find properties without a description, of their own or of the schema that they refer to."""
    for where, schema, _ in places(spec):
        for name, part in schema.get("properties", {}).items():
            if "$ref" not in part and not part.get("description"):
                yield f"{where}.{name}", "it has no description: write one, with what is sure and what is inferred"


def null_or_required(spec: Json) -> Iterator[Finding]:
    """Find properties that are both required and nullable, or neither: absent and null mean the same."""
    for where, schema, _ in places(spec):
        for name, part in schema.get("properties", {}).items():
            is_required, is_nullable = name in schema.get("required", []), "null" in kinds(spec, part)
            if is_required == is_nullable:
                yield f"{where}.{name}", _NULL_AND_REQUIRED if is_required else _NEITHER


def closed_schemas(spec: Json) -> Iterator[Finding]:
    """Find objects that refuse unknown fields."""
    for where, schema, _ in places(spec):
        for key in ("additionalProperties", "unevaluatedProperties"):
            if schema.get(key) is False:
                yield where, f"it refuses the fields that a provider may add: leave `{key}: false` out"


def silent_deprecations(spec: Json) -> Iterator[Finding]:
    """Find what is deprecated and does not say so in its description."""
    of_schemas = ((where, schema) for where, schema, _ in places(spec))
    for where, thing in [*operations(spec), *parameters(spec), *of_schemas]:
        if thing.get("deprecated") and not thing.get("description", "").startswith("Deprecated."):
            yield where, _DEPRECATED


def wrong_examples(spec: Json) -> Iterator[Finding]:
    """Find examples that their schema does not allow."""
    components = spec.get("components", {})
    of_schemas = ((where, schema, schema) for where, schema, _ in places(spec))
    of_values = ((where, value["schema"], value) for where, value in with_values(spec) if "schema" in value)
    for where, schema, holder in [*of_schemas, *of_values]:
        validator = OAS31Validator(
            {"allOf": [schema], "components": components}, format_checker=OAS31Validator.FORMAT_CHECKER
        )
        for name, example in _examples(holder):
            if error := best_match(validator.iter_errors(example)):
                why = f"{error.message}, at {error.json_path}"
                yield where, f"{name} does not fit the schema ({why}): correct the example, or the schema"


def _examples(holder: Json) -> Iterator[tuple[str, object]]:
    """Yield each example of *holder*, a schema, parameter or media type, and what to call it."""
    if "example" in holder:
        yield "its example", holder["example"]
    examples = holder.get("examples", [])
    if isinstance(examples, list):
        yield from ((f"example {number}", example) for number, example in enumerate(examples, start=1))
    else:
        yield from ((f"example {name}", example["value"]) for name, example in examples.items())


RULES = [
    bare_operations,
    untagged_operations,
    bare_parameters,
    bare_schemas,
    bare_properties,
    null_or_required,
    closed_schemas,
    silent_deprecations,
    wrong_examples,
]
