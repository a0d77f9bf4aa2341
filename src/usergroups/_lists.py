"""The list of an answer as models. A long answer is parsed and read piece by piece: the event loop runs in between."""

import asyncio
import json
import re
from codecs import BOM_UTF8, utf_8_decode
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, islice
from typing import Generic, TypeVar, cast

from ._models import DECODER, MismatchError, Reader, in_utf_8, is_array, is_object, parse_json, without_lone_surrogates

_PIECE = 64 * 1024  # bytes that are parsed and read per turn of the event loop
_COUNTED = 512 * 1024  # bytes that are looked at per turn
_MOST_CONTAINERS = 600_000  # arrays and objects of an answer, which Python's garbage collector walks over
_ESCAPES = (rb"\ud", rb"\uD", rb"\\")  # which take time of their own
_MOST_VALUES = 200_000  # of a part that cannot be cut
_LONG_NUMBER = re.compile(rb"[0-9]{1000}")  # whose time to parse is the square of its length
_MOST_HEADS = 5  # places at which the list is looked for
_TOO_MANY = "it holds more or longer values than real records do"

_SPACE = b"[ \t\r\n]*"
_BEGINNING = re.compile(rb'\{%b"[^"\\]*"%b:' % (_SPACE, _SPACE))  # of an object
_DELIMITER = re.compile(r"[ \t\r\n]*([,\]]|\Z)[ \t\r\n]*")
_LONGEST_WORD = 16  # characters of -Infinity or of an escaped pair of surrogates, and some to spare

M = TypeVar("M")


class Models(Generic[M]):
    """
    The items of a list, at *path* of an answer, as models.
    """

    def __init__(self, reader: Reader, model: type[M], path: str) -> None:
        self._reader = reader
        self._model = model
        self._path = path
        self._models: list[M] = []
        self._mismatch: MismatchError | None = None

    def read(self, raw: list[object]) -> None:
        """
        Read the next items. What is wrong with one is kept: an answer that is no JSON at its end says that instead.
        """
        if self._mismatch is None:
            try:
                self._models += self._reader.read_all(self._model, raw, self._path, len(self._models))
            except MismatchError as mismatch:
                self._mismatch = mismatch

    def all(self) -> list[M]:
        """
        Return the models. Raises `MismatchError` if an item does not fit.
        """
        if self._mismatch is not None:
            raise self._mismatch
        return self._models


async def read_list(reader: Reader, model: type[M], name: str, body: bytes) -> tuple[object, Models[M]]:
    """
    Parse *body*, and read the items of its list, which is the document or the field *name* of it, as *model*.

    Return the document, in which that list is empty, and the models. Raises `MismatchError` if *body* is not JSON, or
    has far more values than real records: it may be made to cost time and memory.
    """
    if len(body) <= _PIECE:
        return _read_at_once(reader, model, name, parse_json(body))
    try:
        return await _read_long(reader, model, name, body)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:
        reason = "it is not JSON"
    raise MismatchError("$", reason)


def _read_at_once(reader: Reader, model: type[M], name: str, document: object) -> tuple[object, Models[M]]:
    """Read the items of the list in *document*."""
    if is_array(document):
        models = Models(reader, model, "$")
        models.read(document)
        return [], models
    models = Models(reader, model, f"$.{name}")
    if is_object(document) and is_array(items := document.get(name)):
        models.read(items)
        document[name] = []
    return document, models


async def _read_long(reader: Reader, model: type[M], name: str, body: bytes) -> tuple[object, Models[M]]:
    """Read the list if it is found, and what stands around it at once; else all of it at once."""
    text = in_utf_8(body)
    if b"\0" in text or text.startswith(BOM_UTF8):  # which a parser would take for another encoding
        raise ValueError
    await _count(text, _containers, _MOST_CONTAINERS)
    document, start = await _parse_head(name, text)
    if document is None:
        await _count(text, _values, _MOST_VALUES)
        return _read_at_once(reader, model, name, parse_json(text))
    models = Models(reader, model, f"$.{name}" if is_object(document) else "$")
    rest = text[await _read_pieces(models, text, start) :].strip(b" \t\r\n")
    if not is_object(document):
        if rest:
            raise ValueError
        return document, models
    await _count(rest, _values, _MOST_VALUES)
    more = parse_json(b"{" + rest.removeprefix(b","))
    if not is_object(more) or bool(more) != rest.startswith(b","):
        raise ValueError
    if name in more:  # again: the last one counts
        more, models = _read_at_once(reader, model, name, more)
    return {**document, **cast("dict[str, object]", more)}, models


async def _count(text: bytes, count: Callable[[bytes], int], most: int, start: int = 0, end: int | None = None) -> None:
    """
    Raise `MismatchError` if *count*, of the parts of *text* from *start* to *end*, comes to *most* or more.
    """
    end = len(text) if end is None else end
    if end - start < most:
        return
    found = 0
    for at in range(start, end, _COUNTED):
        found += count(text[at : min(at + _COUNTED, end)])
        if found >= most:
            raise MismatchError("$", _TOO_MANY)
        await asyncio.sleep(0)


def _containers(part: bytes) -> int:
    """Return how many arrays and objects begin in *part*, and brackets in its texts."""
    return len(part) - len(part.translate(None, b"[{"))


def _values(part: bytes) -> int:
    """Return about how many values *part* has, or too many if a number is longer than any real one."""
    if _LONG_NUMBER.search(part):
        return _MOST_VALUES
    escapes = sum(map(part.count, _ESCAPES)) if b"\\" in part else 0
    return len(part) - len(part.translate(None, b",[{")) + escapes


async def _parse_head(name: str, text: bytes) -> tuple[object, int]:
    """
    Return the document without all from the first item of its list on, and where in *text* that item begins.

    The document is None where a list of objects is not found.
    """
    array = b"%b\\[%b(?=\\{)" % (_SPACE, _SPACE)
    quoted = b'"%b"' % name.encode()
    named = re.finditer(rb"%b(?<!\\%b)%b:%b" % (quoted, quoted, _SPACE, array), text) if name else ()
    for found in islice(chain(filter(None, [re.match(array, text)]), named), _MOST_HEADS):
        head = text[: found.end()]
        await _count(head, _values, _MOST_VALUES)
        with suppress(MismatchError):  # it is the list of something within
            return parse_json(head + (b"]}" if b"{" in head else b"]")), found.end()
    return None, 0


async def _read_pieces(models: Models[M], text: bytes, start: int) -> int:
    """Read the items of the list that begin at *start* of *text*. Return where the list has ended."""
    size = _PIECE
    is_last = False
    while not is_last:
        end = min(start + size, len(text))
        await _count(text, _values, _MOST_VALUES, start, end)
        items, after, is_last = _parse_items(text, start, end)
        if after == start and end == len(text):
            raise ValueError
        size = size * 2 if after == start else _PIECE  # an item may be longer
        models.read(items)
        start = after
        await asyncio.sleep(0)
    return start


def _parse_items(text: bytes, start: int, end: int) -> tuple[list[object], int, bool]:
    """
    Return the whole items from *start* to *end*, where the next one begins, and whether the list is over instead.

    Raises `ValueError` or `RecursionError` if there are none, however *text* goes on.
    """
    beginning = _BEGINNING.match(text, start, end)
    last = text.rfind(beginning[0], start, end) if beginning else start
    if last > start:
        with suppress(MismatchError):  # that was not where an item begins
            *items, _ = cast("list[object]", parse_json(b"".join((b"[", memoryview(text)[start:last], b"null]"))))
            return items, last, False
    return _parse_one_by_one(text, start, end)


def _parse_one_by_one(body: bytes, start: int, end: int) -> tuple[list[object], int, bool]:
    """Do the same by asking the parser where each item ends, which is slower."""
    has_escapes = body.find(b"\\", start, end) >= 0
    piece = without_lone_surrogates(body[start:end]) if has_escapes else memoryview(body)[start:end]
    text, length = utf_8_decode(piece, "strict", False)  # a character may be cut off, too
    items: list[object] = []
    at, delimiter = len(text) - len(text.lstrip(" \t\r\n")), ","
    try:
        while delimiter == ",":
            item, after = DECODER.raw_decode(text, at)
            delimiter, after = _delimiter(text, after)
            if delimiter:
                items.append(item)
                at = after
    except json.JSONDecodeError as error:
        is_cut_off = error.pos + _LONGEST_WORD >= len(text) or error.msg.startswith("Unterminated string")
        if not items and not is_cut_off:
            raise
    return items, start + length - len(text[at:].encode()), delimiter == "]"


def _delimiter(text: str, start: int) -> tuple[str, int]:
    """Return the delimiter at *start*, or "" if it is cut off, and where what follows it begins."""
    found = _DELIMITER.match(text, start)
    if found is None:
        raise json.JSONDecodeError("Expecting ',' delimiter", text, start)
    return found[1], found.end()
