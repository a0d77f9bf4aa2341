"""The specs: valid, by our rules, and their examples are what the generated models read."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

import rules
from document import Json, load, schemas
from usergroups_m3ter_api.api.user_groups import list_user_groups
from usergroups_m3ter_api.client import AuthenticatedClient

FOLDER = Path(__file__).parents[2] / "specs"
SPECS = {name: FOLDER / f"{name}.yaml" for name in ["m3ter", "smartpm"]}


def schema_examples() -> Iterator[Any]:
    """Yield spec, schema and example, for each example of a named schema."""
    for spec, path in SPECS.items():
        for schema, content in schemas(load(path)).items():
            for number, example in enumerate(content["examples"], start=1):
                yield pytest.param(spec, schema, example, id=f"{spec} {schema} {number}")


@pytest.mark.parametrize("name", SPECS)
def test_spec_is_valid_openapi(name: str) -> None:
    """The spec is what OpenAPI 3.1 allows."""
    spec = load(SPECS[name])

    validate(spec)

    assert spec["openapi"].startswith("3.1."), f"specs/{name}.yaml: write `openapi: 3.1.0`"


@pytest.mark.parametrize("name", SPECS)
def test_spec_keeps_our_rules(name: str) -> None:
    """The spec says all that our rules ask for, and nothing that generated code and SDK cannot carry."""
    broken = rules.broken(f"{name}.yaml", load(SPECS[name]))

    assert not broken, "\n".join(broken)


def test_rules_are_checked_of_all_specs(tmp_path: Path) -> None:
    """The command names what is broken in each spec, and fails; it is silent about specs that keep the rules."""
    for name, path in SPECS.items():
        spec = load(path)
        spec["components"]["schemas"]["Error"]["properties"]["to_dict"] = {"type": ["string", "null"]}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(spec), encoding="utf-8")

    command = [sys.executable, str(FOLDER / "rules.py")]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    broken = subprocess.run([*command, "--specs", tmp_path], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stdout) == (0, "")
    assert (broken.returncode, broken.stderr) == (1, "")
    assert [line.partition(": it ")[0].partition(": the ")[0] for line in broken.stdout.splitlines()] == [
        *["specs/m3ter.yaml: Error.to_dict"] * 2,
        *["specs/smartpm.yaml: Error.to_dict"] * 2,
    ]


@pytest.mark.parametrize(("spec", "schema", "example"), list(schema_examples()))
def test_example_parses_with_the_generated_model(spec: str, schema: str, example: Json) -> None:
    """The generated model knows every field of the example, and writes what it reads as the same again."""
    model = getattr(importlib.import_module(f"usergroups_{spec}_api.models"), schema)
    if issubclass(model, Enum):
        assert model(example).value == example
        return

    parsed = model.from_dict(example)

    unknown = ", ".join(parsed.additional_properties)
    assert not unknown, f"specs/{spec}.yaml: {schema}: describe {unknown}, which an example has, then `make generate`"
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
    listing = load(SPECS["m3ter"])["paths"]["/organizations/{orgId}/users/{id}/usergroups"]["get"]
    body = listing["responses"]["200"]["content"]["application/json"]["examples"][answer]["value"]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    url = "https://api.m3ter.com"

    with httpx.Client(base_url=url, transport=transport) as http:
        client = AuthenticatedClient(url, token="token").set_httpx_client(http)
        parsed = list_user_groups.sync("org", "user", client=client)

    assert type(parsed).__name__ == shape
