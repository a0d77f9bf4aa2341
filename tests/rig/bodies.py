"""Bodies of answers, made of the examples in the specs: what a spec comes to require is in all of them."""

from functools import cache
from pathlib import Path

from document import Json, load, schemas

_SPECS = Path(__file__).parents[2] / "specs"


def least(provider: str, schema: str, **fields: object) -> Json:
    """Return the least that *provider* may send as a *schema*, as its spec has it, but for *fields*."""
    return _required(provider, schema) | fields


@cache
def _required(provider: str, schema: str) -> Json:
    described = schemas(load(_SPECS / f"{provider}.yaml"))[schema]
    [example, *_] = described["examples"]
    return {name: example[name] for name in described.get("required", [])}
