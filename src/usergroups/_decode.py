"""JSON to generated model, checked: the one seam between what arrives and what the models say."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs

M = TypeVar("M")


class MismatchError(Exception):
    """
    Say where (*json_path*) and how (*reason*) JSON is not what the specification allows.

    It never holds a value that arrived, and never leaves the SDK.
    """

    def __init__(self, json_path: str, reason: str) -> None:
        super().__init__(json_path, reason)
        self.json_path = json_path
        self.reason = reason


def is_object(raw: object) -> TypeGuard[dict[str, object]]:
    """
    Tell whether *raw*, parsed from JSON, was an object.
    """
    return isinstance(raw, dict)


def is_array(raw: object) -> TypeGuard[list[object]]:
    """
    Tell whether *raw*, parsed from JSON, was an array.
    """
    return isinstance(raw, list)


def parse_json(body: bytes) -> object:
    """
    Parse *body* as JSON (RFC 8259) in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
    """
    reason = "it is empty"
    if body:
        try:
            # As json.loads does, with a decoder that is made once.
            return _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
        except RecursionError:
            reason = "it is nested too deeply"
        except ValueError:  # no JSON, NaN, a number too long to read, text that cannot be decoded
            reason = (
                "it is not JSON" if not body.lstrip().startswith(b"<") else "it is markup, not JSON: check base_url"
            )
    raise MismatchError("$", reason)


def _refuse(constant: str) -> object:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def build(model: type[M], raw: object, path: str = "$") -> M:
    """
    Make a *model*, a generated class, from *raw* JSON and check all of it; *path* is where *raw* stood.

    Date-times without an offset are UTC afterwards.
    """
    generated: Any = model
    if is_object(raw):
        try:
            made: M = generated.from_dict(raw)
            _check(generated, made, raw)
        except (AttributeError, KeyError, TypeError, ValueError):
            pass  # found again below, where the path to it is known
        else:
            return made
    _find(generated, raw, path)
    raise MismatchError(path, "it cannot be read")


@attrs.frozen
class _Shape:
    """
    What a model's attributes may hold, worked out once per model.

    *seen* remembers the combinations of types that were found to be right, so that most models are
    checked with one look-up.
    """

    names: tuple[str, ...]
    json_names: tuple[str, ...]
    kinds: tuple[frozenset[type], ...]
    inner: tuple[tuple[str, str, Any], ...]  # attributes that hold a list or a model: name, JSON name, model
    dates: tuple[str, ...]
    values: Callable[[Any], Any]
    required: frozenset[str]
    seen: set[tuple[type, ...]] = attrs.field(init=False, factory=set[tuple[type, ...]])


@lru_cache(maxsize=256)
def _shape(model: Any) -> _Shape:
    hints = get_type_hints(model, localns=_siblings(model))
    fields = [field for field in attrs.fields(model) if field.init]
    names = tuple(field.name for field in fields)
    json_names = tuple(model(**dict.fromkeys(names, _Probe())).to_dict())
    kinds = tuple(frozenset(_kinds(hints[name])) for name in names)
    inner = zip(names, json_names, kinds, (_inner(hints[name]) for name in names), strict=True)
    return _Shape(
        names=names,
        json_names=json_names,
        kinds=kinds,
        inner=tuple((name, json_name, found) for name, json_name, kind, found in inner if found or list in kind),
        dates=tuple(name for name, kind in zip(names, kinds, strict=True) if datetime in kind),
        values=attrgetter(*names) if len(names) > 1 else lambda made: tuple(getattr(made, name) for name in names),
        required=frozenset(field.name for field in fields if field.default is attrs.NOTHING),
    )


class _Probe(list[Any]):
    """
    A value that every generated `to_dict` lets through: what comes out names the JSON fields.
    """

    value = property(str)

    def isoformat(self) -> str:
        return ""

    def to_dict(self) -> dict[str, Any]:
        return {}


def _siblings(model: type[Any]) -> dict[str, Any]:
    """
    Give the models of the same package: a model names others only for type checkers.
    """
    package = model.__module__.rpartition(".")[0]
    return dict(vars(sys.modules[package]))


def _kinds(hint: Any) -> list[type]:
    """
    Give the exact types that a value of *hint* may have.
    """
    if hint is Any:
        return []
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        parts = [_kinds(part) for part in get_args(hint)]
        return [kind for part in parts for kind in part] if all(parts) else []
    if origin is Literal:
        return [type(value) for value in get_args(hint)]
    kind = origin or hint
    return [float, int] if kind is float else [kind]


def _inner(hint: Any) -> type[Any] | None:
    """
    Give the model that *hint* holds, alone or in a list.
    """
    for part in (hint, *get_args(hint)):
        if isinstance(part, type) and attrs.has(part):
            return part
        if part is not hint and (found := _inner(part)) is not None:
            return found
    return None


def _check(model: Any, made: Any, raw: object) -> None:
    """
    Raise an error unless *made*, a *model*, holds what it says it holds, and was made of such JSON.

    `from_dict` takes for an array whatever can be gone through, and for an object whatever `dict` takes.
    """
    shape = _shape(model)
    types = tuple(map(type, shape.values(made)))
    if types not in shape.seen:
        for kind, allowed in zip(types, shape.kinds, strict=True):
            if allowed and kind not in allowed:
                raise TypeError
        shape.seen.add(types)
    if not is_object(raw):
        raise TypeError
    for name in shape.dates:
        value = getattr(made, name)
        if value is not None and value.tzinfo is None:
            setattr(made, name, value.replace(tzinfo=UTC))
    for name, json_name, inner in shape.inner:
        _check_inner(inner, getattr(made, name), raw.get(json_name))


def _check_inner(model: Any, made: object, raw: object) -> None:
    if not is_array(made):
        if made is not None:
            _check(model, made, raw)
    elif not is_array(raw):
        raise TypeError
    elif model is not None:
        for one, raw_one in zip(made, raw, strict=True):
            _check(model, one, raw_one)


_WANTED: dict[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    datetime: "a date-time",
    date: "a date",
    UUID: "a UUID",
}


def _find(model: Any, raw: object, path: str) -> None:
    """
    Raise `MismatchError` for the first thing in *raw* that keeps it from being a *model*.
    """
    if not is_object(raw):
        raise MismatchError(path, f"it is {_json_type(raw)}, not an object")
    shape = _shape(model)
    models = {name: inner for name, _, inner in shape.inner}
    for name, json_name, kinds in zip(shape.names, shape.json_names, shape.kinds, strict=True):
        here = f"{path}.{json_name}"
        value = raw.get(json_name)
        if json_name not in raw:
            if name in shape.required:
                raise MismatchError(here, "it is missing")
        elif value is None:
            if kinds and NoneType not in kinds:
                raise MismatchError(here, "it is null")
        elif list in kinds:
            _find_in_list(models[name], value, here)
        elif name in models:
            build(models[name], value, here)
        elif kinds and not any(_reads(kind, value) for kind in kinds):
            wanted = sorted({_WANTED.get(kind, "one of its values") for kind in kinds - {NoneType}})
            raise MismatchError(here, f"it is {_json_type(value)}, not {' or '.join(wanted)}")


def _find_in_list(model: Any, raw: object, path: str) -> None:
    if not is_array(raw):
        raise MismatchError(path, f"it is {_json_type(raw)}, not an array")
    if model is not None:
        for index, one in enumerate(raw):
            build(model, one, f"{path}[{index}]")


def _reads(kind: type, value: Any) -> bool:
    """
    Tell whether *value*, as JSON gives it, can be read as *kind*.
    """
    read: Callable[[Any], object] = kind
    if issubclass(kind, date):  # a datetime is one
        read = kind.fromisoformat
    elif not issubclass(kind, UUID | Enum):
        return type(value) is kind
    try:
        read(value)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _json_type(value: object) -> str:
    return _JSON_TYPES.get(type(value), "an object")


_JSON_TYPES: dict[type, str] = {
    NoneType: "null",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
}
