"""The facade of a provider beside its spec: which method asks for which operation, and what its results hold."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import attrs

from document import Json, load

ROOT = Path(__file__).parents[2]

Method = ast.FunctionDef | ast.AsyncFunctionDef


def snake_case(name: str) -> str:
    """Return the name that the generator has in Python for *name*, an operation or a tag."""
    return re.sub("([A-Z])", r"_\1", name).lower().replace("-", "_")


@attrs.frozen
class Facade:
    """The *module* of a provider whose *spec* is in the file `specs/` *name*`.yaml`, and the *reference* of the API."""

    name: str
    spec: Json
    module: ModuleType
    reference: str

    @classmethod
    def of(cls, module: ModuleType) -> "Facade":
        """Return the facade of *module*, as it is in this repository."""
        name = module.__name__.rpartition(".")[2]
        reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
        return cls(name, load(ROOT / "specs" / f"{name}.yaml"), module, reference)

    @property
    def client(self) -> type:
        """Return the class of the client."""
        [name] = [name for name in self.module.__all__ if name.endswith("Client")]
        client: type = getattr(self.module, name)
        return client

    def package(self) -> str:
        """Return the name of the generated package."""
        return f"usergroups_{self.name}_api"

    def generated(self, operation: Json) -> str:
        """Return the name of the generated module of *operation*."""
        tag, name = snake_case(operation["tags"][0]), snake_case(operation["operationId"])
        return f"{self.package()}.api.{tag}.{name}"

    def calls(self, operation: Json) -> list[tuple[Method, ast.Call]]:
        """Return the methods of the client that call the generated `_get_kwargs` of *operation*, with that call."""
        tree = ast.parse(inspect.getsource(self.module))
        names = {
            alias.asname
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == self.generated(operation)
            for alias in node.names
        }
        [client] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == self.client.__name__]
        return [
            (method, node)
            for method in client.body
            if isinstance(method, Method)
            for node in ast.walk(method)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        ]

    def documented(self, method: str) -> str | None:
        """Return what the reference says of a *method* of the client, or None."""
        of_client = self.reference.partition(f":: usergroups.{self.client.__name__}\n")[2].partition("\n.. ")[0]
        _, found, text = f"{of_client}\n".partition(f".. automethod:: {method}\n")
        return text.partition(".. auto")[0] if found else None

    def results(self) -> dict[str, set[type]]:
        """Return the generated classes that the result of each public method may hold."""
        methods = {name: value for name, value in vars(self.client).items() if inspect.isfunction(value)}
        return {
            name: set(self._held(get_type_hints(method).get("return"), set()))
            for name, method in methods.items()
            if not name.startswith("_")
        }

    def _held(self, hint: Any, seen: set[type]) -> Iterator[type]:
        for part in get_args(hint):
            yield from self._held(part, seen)
        if isinstance(hint, type) and hint.__module__.startswith(f"{self.package()}.models.") and hint not in seen:
            seen.add(hint)
            yield hint
            if not issubclass(hint, Enum):
                models = vars(sys.modules[f"{self.package()}.models"])
                for field in get_type_hints(hint, localns=dict(models)).values():
                    yield from self._held(field, seen)
