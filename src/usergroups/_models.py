"""JSON to generated models: every field is checked against the types that its model declares."""

import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from logging import getLogger
from types import NoneType, UnionType
from typing import Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs

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
    reason = "it is empty"
    if body:
        try:
            text = body.decode(json.detect_encoding(body))
            if "\\" in text and (r"\ud" in text or r"\uD" in text):
                text = _without_lone_surrogates(text)
            return _DECODER.decode(text)
        except RecursionError:
            reason = "it is nested too deeply"
        except ValueError:  # not JSON, a number that is infinite or too long to parse, or text that cannot be decoded
            reason = (
                "it is not JSON" if not body.lstrip().startswith(b"<") else "it is markup, not JSON: check base_url"
            )
    raise MismatchError("$", reason)


_ESCAPES = re.compile(rb"\\(?:(\\|u(?i:d[89ab][0-9a-f]{2})\\u(?i:d[c-f][0-9a-f]{2}))|u(?i:d[89a-f][0-9a-f]{2}))")


def _without_lone_surrogates(text: str) -> str:
    """Return the JSON *text* with each escape of half a surrogate pair replaced by U+FFFD."""
    result = bytearray(text, "utf-8")
    for escape in _ESCAPES.finditer(result):
        if not escape[1]:  # neither an escaped backslash nor a pair
            result[escape.start() : escape.end()] = rb"\ufffd"
    return result.decode()


def _finite(number: str) -> float:
    value = float(number)
    return value if abs(value) < float("inf") else _refuse(number)


def _refuse(number: str) -> float:
    raise ValueError(number)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


Read = Callable[[Any], object]
"""A function from a value of one JSON type to its Python value. Raises `ValueError` or `OverflowError`."""

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(
    _DATE.pattern + "[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|(60))(?:[.][0-9]+)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)


def _unchanged(value: object) -> object:
    return value


def _date_time(text: str) -> datetime:
    """
    Return *text*, a date-time of RFC 3339, 5.6, as a datetime. Without an offset it is UTC.

    An offset may lack its colon. A leap second becomes the next second. Fractions are cut to microseconds.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError
    if found[1] is None:
        moment = datetime.fromisoformat(text.upper())
    else:
        moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}".upper()) + timedelta(seconds=1)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _full_date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _whole_number(number: float) -> int:
    if not number.is_integer():
        raise ValueError
    return int(number)


def _one_of(values: list[object], value: object) -> object:
    return values[values.index(value)]


# For each type of a field: the JSON types that it may arrive as, each with its reader, and the type's name in errors.
_TYPES: Mapping[type, tuple[Mapping[type, Read], str]] = {
    NoneType: ({NoneType: _unchanged}, ""),
    bool: ({bool: _unchanged}, "true or false"),
    date: ({str: _full_date}, "a date"),
    datetime: ({str: _date_time}, "a date-time"),
    float: ({float: _unchanged, int: _unchanged}, "a number"),
    int: ({int: _unchanged, float: _whole_number}, "a whole number"),
    str: ({str: _unchanged}, "text"),
    UUID: ({str: UUID}, "a UUID"),
}
_JSON_TYPES: Mapping[type, str] = {
    NoneType: "null",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


@attrs.define
class _Kind:
    """
    The values that a field may hold.

    *reads* has the reader of each JSON type, *model* is the model of an object, *items* the kind of an array's items,
    and *expected* names them all for an error.
    """

    reads: dict[type, Read] = attrs.field(factory=dict[type, Read])
    model: type[Any] | None = None
    items: "_Kind | None" = None
    expected: str = ""

    @classmethod
    def of(cls, hint: Any) -> "_Kind":
        """Return the kind of a field with the type hint *hint*."""
        kind = cls()
        expected: set[str] = set()
        for part in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
            expected.add(kind._add(part))
        kind.expected = " or ".join(sorted(expected - {""}))
        return kind

    def _add(self, part: Any) -> str:
        """Allow values of the type *part* too, and return the type's name."""
        if part is Any:
            self.reads.update(dict.fromkeys(_JSON_TYPES, _unchanged))
            return "anything"
        if get_origin(part) is list:
            self.items = _Kind.of(*get_args(part))
            return "an array"
        if attrs.has(part):
            self.model = part
            return "an object"
        if get_origin(part) is Literal or issubclass(part, Enum):
            literals = list[object](get_args(part))
            types: set[type] = {type(value) for value in literals or [member.value for member in part]}
            read: Read = partial(_one_of, literals) if literals else part
            self.reads.update(dict.fromkeys(types | {float} if int in types else types, read))
            return "one of its values"
        reads, name = _TYPES[part]
        self.reads.update({kind: read for kind, read in reads.items() if self.reads.get(kind) is not _unchanged})
        return name


_Plan = tuple[tuple[int, Read], ...]
"""The values of an object that need reading: each by its index, with its reader."""


@attrs.frozen
class _Shape:
    """
    The fields of a model, worked out once per model.

    *plans* caches how each valid combination of JSON types is read, so that most objects take one look-up. A
    combination with a nested model or an array has no plan.
    """

    names: tuple[str, ...]
    fields: tuple[tuple[str, object], ...]  # JSON name, and the value if it is absent
    kinds: tuple[_Kind, ...]
    plans: dict[tuple[type, ...], _Plan] = attrs.field(init=False, factory=dict[tuple[type, ...], _Plan])

    def plan(self, types: tuple[type, ...]) -> _Plan | None:
        """Return how values of these JSON *types* are read, or None if they must be checked one by one."""
        plan = self.plans.get(types)
        if plan is None and all(one in kind.reads for one, kind in zip(types, self.kinds, strict=True)):
            reads = [kind.reads[one] for one, kind in zip(types, self.kinds, strict=True)]
            plan = tuple((index, read) for index, read in enumerate(reads) if read is not _unchanged)
            self.plans[types] = plan
        return plan


class _Missing:
    pass


_MISSING = _Missing()  # the value of a required field that did not arrive; no plan has its type


@lru_cache(maxsize=256)
def _shape(model: Any) -> _Shape:
    hints = get_type_hints(model, localns=_siblings(model))
    fields = [field for field in attrs.fields(model) if field.init]
    names = tuple(field.name for field in fields)
    json_names = model(**dict.fromkeys(names, _Probe())).to_dict()
    absent = [_MISSING if field.default is attrs.NOTHING else None for field in fields]
    return _Shape(
        names=names,
        fields=tuple(zip(json_names, absent, strict=True)),
        kinds=tuple(_Kind.of(hints[name]) for name in names),
    )


class _Probe(list[Any]):
    """A value that every generated `to_dict` accepts, so that its output names the JSON fields."""

    value = property(str)

    def isoformat(self) -> str:
        return ""

    def to_dict(self) -> dict[str, Any]:
        return {}


def _siblings(model: type[Any]) -> dict[str, Any]:
    """Return the names in the model's package: a generated model imports other models for type checkers only."""
    package = model.__module__.rpartition(".")[0]
    return dict(vars(sys.modules[package]))


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
        shape = _shape(generated)
        rest = raw.copy()
        values: list[Any] = [rest.pop(json_name, absent) for json_name, absent in shape.fields]
        plan = shape.plan(tuple(map(type, values)))
        fits = plan is not None
        try:
            for index, read in plan or ():
                values[index] = read(values[index])
        except (ValueError, OverflowError):
            fits = False
        instance = generated(*(values if fits else self._one_by_one(generated, raw, rest, path)))
        instance.additional_properties = rest
        typed: M = instance
        return typed

    def _one_by_one(self, model: Any, raw: dict[str, object], rest: dict[str, object], path: str) -> list[object]:
        """Return the value of each field of *raw*. What is not required and does not fit goes to *rest*."""
        shape = _shape(model)
        values: list[object] = []
        for (json_name, absent), kind in zip(shape.fields, shape.kinds, strict=True):
            value = raw.get(json_name, absent)
            try:
                values.append(self._value(kind, value, f"{path}.{json_name}"))
            except MismatchError as mismatch:
                if absent is not None or kind.items is not None:
                    raise
                self._warn_once(model, json_name, mismatch)
                rest[json_name] = value
                values.append(None)
        return values

    def _value(self, kind: _Kind, value: Any, path: str) -> object:
        if value is _MISSING:
            raise MismatchError(path, "it is missing")
        if kind.items is not None and is_array(value):
            return [self._value(kind.items, one, f"{path}[{index}]") for index, one in enumerate(value)]
        if kind.model is not None and type(value) not in kind.reads:
            return self.read(kind.model, value, path)
        try:
            return kind.reads[type(value)](value)
        except (KeyError, ValueError, OverflowError):
            pass
        raise MismatchError(path, "it is null" if value is None else f"it is {_json_type(value)}, not {kind.expected}")

    def _warn_once(self, model: Any, json_name: str, mismatch: MismatchError) -> None:
        if (model, json_name) not in self._warned:
            self._warned.add((model, json_name))
            _log.warning(
                "%s.%s does not fit the specification: %s (at %s). It is None, and what came is in"
                " additional_properties. This is logged once.",
                model.__name__,
                json_name,
                mismatch.reason,
                mismatch.json_path,
            )


def _json_type(value: object) -> str:
    return _JSON_TYPES.get(type(value), "an object")
