"""Kinds of fields of generated models: what a field may hold, by its type hint, and how that is read."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID, SafeUUID

import attrs

Read = Callable[[Any], object]
"""A function from a value of one JSON type to its Python value. Raises one of `UNFIT` if the value does not fit."""

UNFIT = (KeyError, ValueError, OverflowError)
_DATE_TIME = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:[.][0-9]+)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)
_USUAL_DATE_TIME = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-5][0-9])"
)

_new = object.__new__
_set_int, _set_is_safe = (vars(UUID)[slot].__set__ for slot in ("int", "is_safe"))


def unchanged(value: object) -> object:
    """
    Return *value*: the reader of what needs no reading.
    """
    return value


def _date_time(text: str) -> datetime:
    """
    Return *text*, a date-time of RFC 3339, 5.6, as a datetime. Without an offset it is UTC.

    An offset may lack its colon. A leap second becomes the next second. Fractions are cut to microseconds.
    """
    if _USUAL_DATE_TIME.fullmatch(text):
        return datetime.fromisoformat(text)
    if not _DATE_TIME.fullmatch(text):
        raise ValueError
    if text[17] == "6":  # second 60
        return _date_time(f"{text[:17]}59{text[19:]}") + timedelta(seconds=1)
    moment = datetime.fromisoformat(text.upper())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _full_date(text: str) -> date:
    return _date_time(f"{text}T00:00:00").date()


def _uuid(text: str) -> UUID:
    """Return `UUID(text)`, in half of the time."""
    digits = text.replace("-", "")
    if len(digits) != 32:
        return UUID(text)
    uuid = _new(UUID)
    _set_int(uuid, int(digits, 16))
    _set_is_safe(uuid, SafeUUID.unknown)
    return uuid


def _whole_number(number: float) -> int:
    if not number.is_integer():
        raise ValueError
    return int(number)


# For each type of a field: the JSON types that it may arrive as, each with its reader, and the type's name in errors.
_TYPES: Mapping[Any, tuple[Mapping[type, Read], str]] = {
    Any: (dict.fromkeys((NoneType, bool, int, float, str, list, dict), unchanged), "any value"),
    NoneType: ({NoneType: unchanged}, ""),
    bool: ({bool: unchanged}, "true or false"),
    date: ({str: _full_date}, "a date"),
    datetime: ({str: _date_time}, "a date-time"),
    float: ({float: unchanged, int: unchanged}, "a number"),
    int: ({int: unchanged, float: _whole_number}, "a whole number"),
    str: ({str: unchanged}, "text"),
    UUID: ({str: _uuid}, "a UUID"),
}


@attrs.define
class Kind:
    """
    The values that a field may hold.

    *reads* has the reader of each JSON type, *models* those that an object may be, *items* the kind of an array's
    items, and *expected* names them all for an error.
    """

    reads: dict[type, Read] = attrs.field(factory=dict[type, Read])
    models: list[Any] = attrs.field(factory=list[Any])
    items: "Kind | None" = None
    expected: str = ""

    @classmethod
    def of(cls, hint: Any) -> "Kind":
        """
        Return the kind of a field with the type hint *hint*.
        """
        kind, names = cls(), set[str]()
        parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        for part in sorted(parts, key=lambda part: part is str):  # plain text is what fits nothing else
            if get_origin(part) is list:
                if kind.items is not None:
                    raise TypeError(f"an array is one of several kinds, which cannot be told apart: {hint}")
                kind.items, name = Kind.of(*get_args(part)), "an array"
            elif attrs.has(part):
                kind.models.append(part)
                name = "an object"
            else:
                is_one_of = get_origin(part) is Literal or issubclass(part, Enum)
                reads, name = (_one_of(part), "one of its values") if is_one_of else _TYPES[part]
                for one, read in reads.items():
                    kind.reads[one] = _either(kind.reads[one], read) if one in kind.reads else read
            names.add(name)
        kind.expected = " or ".join(sorted(names - {""}))
        return kind

    def takes(self, value: object) -> bool:
        """
        Return whether *value* fits, as far as that can be said without a look into objects and arrays.
        """
        read = self.reads.get(type(value))
        if read is None:
            return bool(self.models) if isinstance(value, dict) else isinstance(value, list) and self.items is not None
        try:
            read(value)
        except UNFIT:
            return False
        return True


def _either(first: Read, second: Read) -> Read:
    """Return a reader that reads as *first* does, or, what does not fit that, as *second* does."""

    def read(value: Any) -> object:
        try:
            return first(value)
        except UNFIT:
            return second(value)

    return first if first is unchanged else read


def _one_of(part: Any) -> dict[type, Read]:
    """Return the readers of an enumeration or a `Literal`."""
    members: dict[object, object] = {one: one for one in get_args(part)} or {one.value: one for one in part}
    return dict.fromkeys({type(value) for value in members}, members.__getitem__)
