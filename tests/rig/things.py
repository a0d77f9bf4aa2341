"""A small spec that keeps every rule, and changes of it."""

from typing import Any

import yaml

from document import Json

# A spec that keeps every rule. The tests change it.
GOOD = """
openapi: 3.1.0
info: {title: Things, version: 1.0.0}
tags: [{name: things, description: Things.}]
paths:
  /things:
    get:
      operationId: listThings
      tags: [things]
      summary: List things
      description: All things.
      security: [{key: []}]
      parameters: [{name: size, in: query, description: How many., schema: {type: integer}, example: 5}]
      responses:
        "200":
          description: A thing.
          content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-KEY}}
  schemas:
    Thing:
      type: object
      description: A thing.
      required: [id]
      properties: {id: {type: string, description: Its identifier.}}
      examples: [{id: "1"}]
    Status: {type: string, enum: [new, old], description: A status., examples: [new]}
    Card:
      type: object
      description: A card.
      required: [kind]
      properties: {kind: {const: card, description: What it is.}}
      examples: [{kind: card}]
    Coin:
      type: object
      description: A coin.
      required: [kind, worth]
      properties: {kind: {const: coin, description: What it is.}, worth: {type: integer, description: Its worth.}}
      examples: [{kind: coin, worth: 5}]
    Note:
      type: object
      description: A note.
      properties: {worth: {type: [integer, "null"], description: Its worth.}}
      examples: [{}]
"""
OPERATION = ("paths", "/things", "get")
PARAMETER = (*OPERATION, "parameters", 0)
THING = ("components", "schemas", "Thing")
FIELDS = (*THING, "properties")

# Parts of schemas, in YAML.
STATUS = "{$ref: '#/components/schemas/Status'}"
CARD = "{$ref: '#/components/schemas/Card'}"
COIN = "{$ref: '#/components/schemas/Coin'}"
NOTE = "{$ref: '#/components/schemas/Note'}"
TEXT = "{type: string}"
NULL = "{type: 'null'}"
FORM = "application/x-www-form-urlencoded"


def changed(place: tuple[str | int, ...], changes: str) -> Json:
    """Return the good spec with *changes*, in YAML, at *place*."""
    spec: Json = yaml.safe_load(GOOD)
    node: Any = spec
    for key in place:
        node = node[key]
    node |= yaml.safe_load(f"{{{changes}}}")
    return spec


def field(schema: str, name: str = "extra") -> Json:
    """Return the good spec with one more field."""
    return changed(FIELDS, f"{name}: {{description: More., {schema}}}")


def parameter(changes: str) -> Json:
    """Return the good spec with another parameter."""
    return changed(OPERATION, f"parameters: [{{name: size, in: query, description: How many., {changes}}}]")


def body(content: str) -> Json:
    """Return the good spec with a request body."""
    return changed(OPERATION, f"requestBody: {{content: {{{content}}}}}")


def form(schema: str, encoding: str = "{}") -> Json:
    """Return the good spec with a form that has one field."""
    properties = f"{{extra: {{description: More., {schema}}}}}"
    of_form = f"{{type: object, required: [extra], properties: {properties}}}"
    return body(f"{FORM}: {{schema: {of_form}, encoding: {{extra: {encoding}}}}}")
