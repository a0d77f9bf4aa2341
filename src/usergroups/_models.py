"""JSON to generated models: every field is checked against the types that its model declares."""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from logging import getLogger
from types import NoneType
from typing import Any, TypeGuard, TypeVar, cast, get_args, get_type_hints

import attrs

try:
    from msgspec import json as fast_json
except ModuleNotFoundError:  # of the extra "speed"
    fast_json = None  # type: ignore[assignment]

from ._kinds import UNFIT, Kind, Read, unchanged

_log = getLogger("usergroups")

M = TypeVar("M")


class MismatchError(Exception):
    """
    JSON that the specification does not allow: where (*json_path*) and why (*reason*).

    It never holds a value that arrived, and is never raised to the user.
    """

    def __init__(self, json_path: str, reason: str) -> None:
        super().__init__(json_path, reason)
        self.json_path = json_path
        self.reason = reason


def is_object(raw: object) -> TypeGuard[dict[str, object]]:
    """
    Return whether *raw*, parsed from JSON, is an object.
    """
    return isinstance(raw, dict)


def is_array(raw: object) -> TypeGuard[list[object]]:
    """
    Return whether *raw*, parsed from JSON, is an array.
    """
    return isinstance(raw, list)


def parse_json(body: bytes) -> object:
    """
    Parse *body* as JSON (RFC 8259) in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    A strict writer can write the result as JSON again: every number is finite, and half of a surrogate pair, which
    only an escape can spell, becomes U+FFFD. Raises `MismatchError` if *body* is not JSON.
    """
    if fast_json is not None:
        with suppress(Exception):  # what it does not take, the other parser may
            return fast_json.decode(body)
    try:
        text = body.decode(json.detect_encoding(body))
        if "\\" in text and (r"\ud" in text or r"\uD" in text):
            text = _without_lone_surrogates(text)
        return _DECODER.decode(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:  # not JSON, a number that is infinite or too long to parse, or text that cannot be decoded
        is_markup = body.lstrip().startswith(b"<")
        reason = "it is markup, not JSON: check base_url" if is_markup else "it is not JSON" if body else "it is empty"
    raise MismatchError("$", reason)


_ESCAPES = re.compile(rb"\\(?:(\\|u(?i:d[89ab][0-9a-f]{2})\\u(?i:d[c-f][0-9a-f]{2}))|u(?i:d[89a-f][0-9a-f]{2}))")


def _without_lone_surrogates(text: str) -> str:
    """Return the JSON *text* with each escape of half a surrogate pair replaced by U+FFFD."""
    result = bytearray(text, "utf-8")  # changed in place: as parts, millions of escapes would take much memory
    for escape in _ESCAPES.finditer(result):
        if not escape[1]:  # neither an escaped backslash nor a pair
            result[escape.start() : escape.end()] = rb"\ufffd"
    return result.decode()


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError
    return value


_DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)


_MISSING = object()  # the value of a required field that did not arrive

_Field = tuple[str, object, Kind]


@attrs.frozen
class _Table:
    """
    The *fields* of a model: for each, its JSON name, the value if it is absent, and its kind.

    *others* is the kind of what is in no field, or None where that may be anything. *read_full* reads an object that
    has each field and no other, *read_any* one with any. Both raise one of `UNFIT` for an object with a value that they
    do not know how to read.
    """

    fields: Sequence[_Field]
    others: Kind | None
    read_full: Read
    read_any: Read


@cache
def _table(model: Any) -> _Table:
    package = sys.modules[model.__module__.rpartition(".")[0]]  # it imports its other models for type checkers only
    hints = get_type_hints(model, localns=dict(vars(package)))
    attributes = [field for field in attrs.fields(model) if field.init]
    json_names = model(**{field.name: _Probe() for field in attributes}).to_dict()
    _, other = get_args(hints["additional_properties"])
    fields = [
        (json_name, _MISSING if field.default is attrs.NOTHING else None, Kind.of(hints[field.name]))
        for json_name, field in zip(json_names, attributes, strict=True)
    ]
    others = None if other is Any else Kind.of(other)
    return _Table(fields, others, _compiled(model, fields, full=True), _compiled(model, fields, full=False))


def _compiled(model: Any, fields: Sequence[_Field], *, full: bool) -> Read:
    """Return a function that reads an object as a *model*, compiled for it as attrs compiles its `__init__`."""
    lines = ["def read(raw):"]
    known: dict[str, Any] = {"model": model, "names": frozenset(name for name, _, _ in fields)}
    for n, (name, absent, kind) in enumerate(fields):
        lines.append(f"v{n} = raw[{name!r}]" if full or absent is _MISSING else f"v{n} = raw.get({name!r})")
        if any(read is not unchanged for read in kind.reads.values()):
            lines.append(f"v{n} = reads{n}[v{n}.__class__](v{n})")
        else:
            lines.append(f"if v{n}.__class__ not in reads{n}: raise KeyError")
        known[f"reads{n}"] = kind.reads
    lines.append(f"made = model({', '.join(f'v{n}' for n in range(len(fields)))})")
    if not full:
        lines.append("made.additional_properties = {key: raw[key] for key in raw if key not in names}")
    exec("\n    ".join([*lines, "return made"]), known)  # noqa: S102  # of nothing that arrived
    read: Read = known["read"]
    return read


def _has_required(model: Any, raw: dict[str, object]) -> bool:
    fields = _table(model).fields
    return all(kind.takes(raw.get(name, absent)) for name, absent, kind in fields if absent is _MISSING)


class _Probe(list[Any]):
    """A value that every generated `to_dict` accepts, so that its output names the JSON fields."""

    value = ""
    isoformat = str
    to_dict = dict[str, Any]


class Reader:
    """
    A reader of JSON into generated models, for one client. It logs one warning per field that does not fit.
    """

    def __init__(self) -> None:
        self._warned: set[tuple[type, str]] = set()

    def read(self, model: type[M], raw: object, path: str = "$") -> M:
        """
        Return *raw* JSON as an instance of *model*, a generated class. *path* is where *raw* stood in the document.

        Date-times without an offset are UTC. A field that is not required and does not fit becomes None, and its raw
        value stays in `additional_properties`. Lists are the exception: one that cannot be read must not look like an
        empty one. Raises `MismatchError` for anything else that does not fit.
        """
        if not is_object(raw):
            raise MismatchError(path, f"it is {_json_type(raw)}, not an object")
        generated: Any = model
        table = _table(generated)
        if table.others is None:
            try:
                return cast("M", (table.read_full if len(raw) == len(table.fields) else table.read_any)(raw))
            except UNFIT:
                pass
        return cast("M", self._one_by_one(generated, table, raw, path))

    def _one_by_one(self, model: Any, table: _Table, raw: dict[str, object], path: str) -> object:
        """Return *raw* as a *model*. What is not required and does not fit is None, and kept as it is."""
        values: list[object] = []
        rest = raw.copy()
        for json_name, absent, kind in table.fields:
            value = rest.pop(json_name, absent)
            try:
                values.append(self._value(kind, value, f"{path}.{json_name}"))
            except MismatchError as mismatch:
                if absent is _MISSING or kind.items is not None:
                    raise
                self._warn_once(model, json_name, mismatch)
                rest[json_name] = value
                values.append(None)
        instance = model(*values)
        instance.additional_properties = rest if table.others is None else self._map(table.others, rest, path)
        return instance

    def _value(self, kind: Kind, value: object, path: str) -> object:
        if value is _MISSING:
            raise MismatchError(path, "it is missing")
        read = kind.reads.get(type(value))
        if read is not None:
            try:
                return read(value)
            except UNFIT:
                pass
        elif kind.models and is_object(value):
            return self._model(kind.models, value, path)
        elif kind.items is not None and is_array(value):
            return [self._value(kind.items, one, f"{path}[{index}]") for index, one in enumerate(value)]
        raise MismatchError(path, "it is null" if value is None else f"it is {_json_type(value)}, not {kind.expected}")

    def _model(self, models: list[Any], raw: dict[str, object], path: str) -> object:
        """Return *raw* as one of *models*: of several, the first whose required fields it has."""
        reason = "it fits none of the schemas that it may have"
        for model in models:
            if len(models) == 1 or _has_required(model, raw):
                try:
                    return self.read(model, raw, path)
                except RecursionError:
                    reason = "it is nested too deeply"
                    break
        raise MismatchError(path, reason)

    def _map(self, values: Kind, raw: Mapping[str, object], path: str) -> dict[str, object]:
        """Return *raw* with each value read. Its keys are not in the path of an error: they came from outside."""
        return {key: self._value(values, one, f"{path}.*") for key, one in raw.items()}

    def _warn_once(self, model: Any, json_name: str, mismatch: MismatchError) -> None:
        if (model, json_name) not in self._warned:
            self._warned.add((model, json_name))
            field = f"{model.__name__}.{json_name}"
            _log.warning(_DOES_NOT_FIT, field, mismatch.reason, mismatch.json_path)


_DOES_NOT_FIT = (
    "%s does not fit the specification: %s (at %s). It is None, and what came is in additional_properties."
    " This is logged once."
)


_JSON_TYPES: Mapping[type, str] = {
    NoneType: "null",
    str: "text",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
}


def _json_type(value: object) -> str:
    return _JSON_TYPES.get(type(value), "a number")
