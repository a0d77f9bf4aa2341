"""JSON to generated models: every field is checked against the types that its model declares."""

import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
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
        return DECODER.decode(without_lone_surrogates(in_utf_8(body)).decode())
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:  # not JSON, a number that is infinite or too long to parse, or text that cannot be decoded
        is_markup = body.lstrip().startswith(b"<")
        reason = "it is markup, not JSON: check base_url" if is_markup else "it is not JSON" if body else "it is empty"
    raise MismatchError("$", reason)


def in_utf_8(body: bytes) -> bytes:
    """
    Return *body*, JSON in any encoding, in UTF-8 and without a byte order mark. Raises `ValueError`.
    """
    encoding = json.detect_encoding(body)
    return body if encoding == "utf-8" else body.decode(encoding).encode()


_HALF = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


def without_lone_surrogates(text: bytes) -> bytes:
    """
    Return the JSON *text*, with each escape of half a surrogate pair replaced by U+FFFD. Its length stays the same.
    """
    if b"\\" not in text or (rb"\ud" not in text and rb"\uD" not in text) or b"\0" in text:  # no JSON has the last
        return text
    marked = text.replace(rb"\\", b"\0\0")  # so that each backslash begins an escape
    return _HALF.sub(rb"\\ufffd", marked).replace(b"\0\0", rb"\\")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError
    return value


DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)


_MISSING = object()  # the value of a required field that did not arrive

_Field = tuple[str, object, Kind]


@attrs.frozen
class _Table:
    """
    The *fields* of a model: for each, its JSON name, the value if it is absent, and its kind.

    *others* is the kind of what is in no field, or None where that may be anything. *read* reads an object as the
    model. It raises one of `UNFIT` for what is no object, or has a value that it does not know how to read.
    """

    fields: Sequence[_Field]
    others: Kind | None
    read: Read


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
    if other is not Any:
        return _Table(fields, Kind.of(other), _unfit)
    names = [field.name for field in attributes]
    read_any = _compiled(model, names, fields)
    return _Table(fields, None, _compiled(model, names, fields, read_any))


def _unfit(_: object) -> object:
    raise KeyError


def _compiled(model: Any, names: Sequence[str], fields: Sequence[_Field], read_any: Read | None = None) -> Read:
    """
    Return a function that reads an object as a *model*, compiled for it as attrs compiles its `__init__`.

    With *read_any*, it reads what has each field and no other by itself, which is faster, and leaves the rest to that.
    """
    known: dict[str, Any] = {"model": model, "new": object.__new__, "read_any": read_any, "unchanged": unchanged}
    known["json_names"] = frozenset(json_name for json_name, _, _ in fields)
    lines = ["def read(raw):"]
    if read_any:
        lines.append("if raw.__class__ is not dict: raise KeyError")
        lines.append(f"if len(raw) != {len(fields)}: return read_any(raw)")
    lines.append("made = new(model)")
    for n, (name, (json_name, absent, kind)) in enumerate(zip(names, fields, strict=True)):
        known[f"reads{n}"] = kind.reads
        lines.append(f"v = raw[{json_name!r}]" if read_any or absent is _MISSING else f"v = raw.get({json_name!r})")
        if any(read is not unchanged for read in kind.reads.values()):
            lines.append(f"if (read := reads{n}[v.__class__]) is not unchanged: v = read(v)")
        else:
            lines.append(f"if v.__class__ not in reads{n}: raise KeyError")
        lines.append(f"made.{name} = v")
    others = "{}" if read_any else "{key: raw[key] for key in raw if key not in json_names}"
    lines.append(f"made.additional_properties = {others}")
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
        generated: Any = model
        table = _table(generated)
        try:
            return cast("M", table.read(raw))
        except UNFIT:
            pass
        if not is_object(raw):
            raise MismatchError(path, f"it is {_json_type(raw)}, not an object")
        return cast("M", self._one_by_one(generated, table, raw, path))

    def read_all(self, model: type[M], raw: Sequence[object], path: str, first: int = 0) -> list[M]:
        """
        Return each of *raw* as an instance of *model*, as `read` does. The first stood at *path*[*first*].
        """
        generated: Any = model
        read: Callable[[object], Any] = _table(generated).read
        try:
            return [read(one) for one in raw]
        except UNFIT:
            pass
        return [self.read(model, one, f"{path}[{index}]") for index, one in enumerate(raw, first)]

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
