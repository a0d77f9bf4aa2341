"""JSON to generated model, checked: the one seam between what arrives and what the models say."""

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
    Return what *body* is as JSON (RFC 8259): in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    What is returned can be written as JSON again by the strictest of writers: every number is finite, and half of
    a surrogate pair, which only an escape can spell, is U+FFFD.
    """
    reason = "it is empty"
    if body:
        try:
            text = body.decode(json.detect_encoding(body))
            if "\\" in text and (r"\ud" in text or r"\uD" in text):
                text = _mended(text)
            return _DECODER.decode(text)
        except RecursionError:
            reason = "it is nested too deeply"
        except ValueError:  # no JSON, a number that is infinite or too long to read, text that cannot be decoded
            reason = (
                "it is not JSON" if not body.lstrip().startswith(b"<") else "it is markup, not JSON: check base_url"
            )
    raise MismatchError("$", reason)


_ESCAPES = re.compile(rb"\\(?:(\\|u(?i:d[89ab][0-9a-f]{2})\\u(?i:d[c-f][0-9a-f]{2}))|u(?i:d[89a-f][0-9a-f]{2}))")


def _mended(text: str) -> str:
    """
    Return the JSON *text* with U+FFFD for each escape of half a surrogate pair.
    """
    mended = bytearray(text, "utf-8")
    for escape in _ESCAPES.finditer(mended):
        if not escape[1]:  # neither an escaped backslash nor a pair
            mended[escape.start() : escape.end()] = rb"\ufffd"
    return mended.decode()


def _finite(number: str) -> float:
    value = float(number)
    return value if abs(value) < float("inf") else _refuse(number)


def _refuse(number: str) -> float:
    raise ValueError(number)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)  # made once


Read = Callable[[Any], object]
"""Returns what a value of one JSON type is in Python, or raises `ValueError` or `OverflowError`."""

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(
    _DATE.pattern + "[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|(60))(?:[.][0-9]+)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)


def _as_it_is(value: object) -> object:
    return value


def _date_time(text: str) -> datetime:
    """
    Return the moment of RFC 3339, 5.6, that *text* is; without an offset it is UTC, and one without a colon will do.

    A leap second is the next one. Fractions are cut to microseconds.
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


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError
    return int(number)


def _one_of(values: list[object], value: object) -> object:
    return values[values.index(value)]


# For each type that a field may have: how the JSON types that it may arrive as are read, and what it is called.
_TYPES: Mapping[type, tuple[Mapping[type, Read], str]] = {
    NoneType: ({NoneType: _as_it_is}, ""),
    bool: ({bool: _as_it_is}, "true or false"),
    date: ({str: _full_date}, "a date"),
    datetime: ({str: _date_time}, "a date-time"),
    float: ({float: _as_it_is, int: _as_it_is}, "a number"),
    int: ({int: _as_it_is, float: _whole}, "a whole number"),
    str: ({str: _as_it_is}, "text"),
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
    What a field may hold: how each JSON type is *read*, the *model* of an object, and the kind of an array's *items*.
    """

    reads: dict[type, Read] = attrs.field(factory=dict[type, Read])
    model: type[Any] | None = None
    items: "_Kind | None" = None
    wanted: str = ""

    @classmethod
    def of(cls, hint: Any) -> "_Kind":
        """
        Return the kind of a field that is typed as *hint*.
        """
        kind = cls()
        wanted: set[str] = set()
        for part in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
            wanted.add(kind._take(part))
        kind.wanted = " or ".join(sorted(wanted - {""}))
        return kind

    def _take(self, part: Any) -> str:
        """
        Take what is typed as *part* too, and return what it is called.
        """
        if part is Any:
            self.reads.update(dict.fromkeys(_JSON_TYPES, _as_it_is))
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
        self.reads.update({kind: read for kind, read in reads.items() if self.reads.get(kind) is not _as_it_is})
        return name


_Plan = tuple[tuple[int, Read], ...]
"""Which values of an object are not taken as they are, and how they are read."""


@attrs.frozen
class _Shape:
    """
    What a model's attributes may hold, worked out once per model.

    *plans* remembers how each combination of JSON types that fits is read: most objects take one look-up. What holds
    a model or an array is in no plan.
    """

    names: tuple[str, ...]
    fields: tuple[tuple[str, object], ...]  # JSON name, and what stands for one that is absent
    kinds: tuple[_Kind, ...]
    plans: dict[tuple[type, ...], _Plan] = attrs.field(init=False, factory=dict[tuple[type, ...], _Plan])

    def plan(self, types: tuple[type, ...]) -> _Plan | None:
        """
        Return how values of these JSON *types* are read, or None where they have to be looked at one by one.
        """
        plan = self.plans.get(types)
        if plan is None and all(one in kind.reads for one, kind in zip(types, self.kinds, strict=True)):
            reads = [kind.reads[one] for one, kind in zip(types, self.kinds, strict=True)]
            plan = tuple((index, read) for index, read in enumerate(reads) if read is not _as_it_is)
            self.plans[types] = plan
        return plan


class _Missing:
    pass


_MISSING = _Missing()  # a required field that did not arrive: its type is in no plan


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


class Reader:
    """
    A reader of JSON as generated models, for one client, to which it says once of each field that it does not fit.
    """

    def __init__(self) -> None:
        self._told: set[tuple[type, str]] = set()

    def read(self, model: type[M], raw: object, path: str = "$") -> M:
        """
        Return the *model*, a generated class, that *raw* JSON is, all of it checked; *path* is where *raw* stood.

        Date-times without an offset are UTC. A field that is not required and does not fit is None, and stays as it
        came in `additional_properties`; a list never does, for one that cannot be read must not look like an empty
        one. Raises `MismatchError` for anything else that does not fit.
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
        made = generated(*(values if fits else self._one_by_one(generated, raw, rest, path)))
        made.additional_properties = rest
        read_one: M = made
        return read_one

    def _one_by_one(self, model: Any, raw: dict[str, object], rest: dict[str, object], path: str) -> list[object]:
        """
        Return what each field of *raw* holds. What does not fit, and is not required, goes to the *rest*.
        """
        shape = _shape(model)
        values: list[object] = []
        for (json_name, absent), kind in zip(shape.fields, shape.kinds, strict=True):
            value = raw.get(json_name, absent)
            try:
                values.append(self._value(kind, value, f"{path}.{json_name}"))
            except MismatchError as mismatch:
                if absent is not None or kind.items is not None:
                    raise
                self._tell(model, json_name, mismatch)
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
        raise MismatchError(path, "it is null" if value is None else f"it is {_json_type(value)}, not {kind.wanted}")

    def _tell(self, model: Any, json_name: str, mismatch: MismatchError) -> None:
        if (model, json_name) not in self._told:
            self._told.add((model, json_name))
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
