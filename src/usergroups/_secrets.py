"""Secrets: hidden from what shows a program's values, and taken out of what a server repeats."""

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache, reduce
from itertools import accumulate
from string import ascii_lowercase, ascii_uppercase
from typing import NoReturn, overload

_SHORTEST = 8  # characters, of a secret or of its beginning; hiding anything shorter would hide ordinary words
_LEVELS = 4  # as it came, and undone three times: JSON within JSON within a page
_KEPT = 5  # access tokens that are remembered, the last ones
_HIDDEN = "***"
_WINDOW = 8192  # characters; what is kept of a text is at most half of it
_MASK = bytes(range(255, -1, -1))  # each byte's complement: of visible ASCII, nothing that can be read
_AFTER_CUT = 256  # characters before a cut in which a secret may have begun that nobody recognizes yet

# One character as JSON (RFC 8259, 7), a URL (RFC 3986, 2.1) or HTML (13.5) may spell it.
_SPELT = re.compile(
    r"(\\(?:u00|x)[2-7][0-9a-fA-F]|\\[ -/:-@\[-`{-~]|%[2-7][0-9a-fA-F]"
    r"|&(?:#0{0,20}[0-9]{2,3}|#[xX]0{0,20}[0-9a-fA-F]{2});?|&[a-zA-Z]{2,16};)"
)
_HALF_SPELT = re.compile(r"(?:\\(?:u0{0,2}[2-7]?|x[2-7]?)?|%[2-7]?|&(?:#[xX]?[0-9a-fA-F]{0,40}|[a-zA-Z]{0,16}))\Z")
# Names of headers come in lower case, and a form's space is a plus.
_FOLD = str.maketrans(ascii_uppercase + "+", ascii_lowercase + " ")


class Secret:
    """
    Text that nothing shows which goes through a program's values: it is no str, and holds none.

    What shows local variables cuts a str before it asks for its repr, of whatever class it is.
    """

    __slots__ = ("_masked",)

    def __init__(self, text: str) -> None:
        self._masked = text.encode("utf-8", "surrogatepass").translate(_MASK)

    def reveal(self) -> str:
        """
        Return the text. Not to be kept in a variable: whoever sees the frame sees that.
        """
        return self._masked.translate(_MASK).decode("utf-8", "surrogatepass")

    def __eq__(self, other: object) -> bool:
        return self._masked == other._masked if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._masked)

    def __repr__(self) -> str:
        return f"'{_HIDDEN}'"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self


class NoText:
    """
    Stands for an argument that is no text, of type *kind*, whatever it held.
    """

    def __init__(self, kind: type) -> None:
        self.kind = kind


@overload
def hide(value: str) -> Secret: ...


@overload
def hide(value: str | None) -> Secret | None: ...


@overload
def hide(value: object) -> Secret | NoText | None: ...


def hide(value: object) -> Secret | NoText | None:
    """
    Return text as a `Secret`, None as it is, and what is neither as its type alone.

    It is the first thing done with an argument that may hold a secret, for a traceback shows the
    arguments of every frame.
    """
    if isinstance(value, str):
        return Secret(str.__str__(value))  # of a member of a (str, Enum), too
    return value if value is None or isinstance(value, Secret | NoText) else NoText(type(value))


class Redactor:
    """
    Takes the secrets of one client out of what its server says: those it was made with, and its last tokens.

    A secret is found in any case of letters, spelt as JSON, URLs and HTML spell characters, and where
    only its beginning was repeated. That takes time in proportion to the text, whatever it holds.
    """

    def __init__(self, *secrets: Secret) -> None:
        self._lasting = [word for secret in secrets for word in _forms(secret)]
        self._tokens: tuple[Secret, ...] = ()
        self._words = tuple(self._lasting)

    def learn(self, token: Secret) -> None:
        """
        Hide *token* from now on, until a few more have come.
        """
        self._tokens = (*(known for known in self._tokens if known != token), token)[-_KEPT:]
        self._words = (*self._lasting, *(word for known in self._tokens for word in _forms(known)))

    def clean(self, text: str) -> str:
        """
        Return *text* without the secrets that stand in it. Lines stay lines.
        """
        return _without(text, [word.reveal() for word in self._words])

    def excerpt(self, text: str, limit: int) -> str:
        """
        Return the first *limit* characters of *text* without the secrets that stand, or begin, in them.
        """
        cleaned = self.clean(text[:_WINDOW])
        return (cleaned if len(text) <= _WINDOW else cleaned[:-_AFTER_CUT])[:limit]


def _forms(secret: Secret) -> list[Secret]:
    """
    Return what *secret* looks like at each level, for it may hold what reads as spelling.
    """
    levels = (level.translate(_FOLD) for level, _ in _levels(secret.reveal()))
    return [Secret(word) for word in dict.fromkeys(levels) if len(word) >= _SHORTEST]


class _Step:
    """
    The way back from a text in which spellings were undone: where its parts began, before and after.
    """

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        self._parts = before, after

    @cached_property
    def _starts(self) -> list[list[int]]:
        return [list(accumulate(map(len, parts), initial=0)) for parts in self._parts]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """
        Return where the characters from *start* to *end* stood before.
        """
        before, after = self._starts
        first, last = bisect_right(after, start) - 1, bisect_left(after, end) - 1
        into = 0 if first % 2 else start - after[first]  # odd parts were spelt
        stop = before[last + 1] if last % 2 else before[last] + end - after[last]
        return before[first] + into, stop


def _levels(text: str) -> Iterator[tuple[str, list[_Step]]]:
    """
    Give *text* as it is, and with spellings undone again and again, each with the way back.
    """
    steps: list[_Step] = []
    for _ in range(_LEVELS):
        yield text, steps
        parts = _SPELT.split(text)
        if len(parts) == 1:
            return
        plain = parts.copy()
        plain[1::2] = map(_character, parts[1::2])
        text = "".join(plain)
        steps = [_Step(parts, plain), *steps]


@lru_cache(maxsize=4096)
def _character(spelt: str) -> str:
    """
    Return the character that *spelt* stands for, or *spelt* itself if that is none of visible ASCII.
    """
    if len(spelt) == 2:  # a backslash and a sign
        return spelt[1]
    found = html.unescape(spelt) if spelt[0] == "&" else chr(int(spelt[-2:], 16))
    return found if len(found) == 1 and " " <= found <= "~" else spelt


def _without(text: str, words: Sequence[str]) -> str:
    if len(text) < _SHORTEST:
        return text
    spans: list[tuple[int, int]] = []
    for level, steps in _levels(text):
        folded = level.translate(_FOLD)
        spans += [reduce(lambda span, step: step.back(*span), steps, found) for found in _find(folded, words)]
    kept: list[str] = []
    shown_to = 0
    for start, end in sorted(spans):
        if start >= shown_to:
            kept += text[shown_to:start], _HIDDEN
        shown_to = max(shown_to, end)
    return "".join((*kept, text[shown_to:]))


def _find(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """
    Give the places in *text* where one of *words* stands: whole, begun, or cut off by the text's end.
    """
    half = _HALF_SPELT.search(text, max(0, len(text) - 64))
    ends = [len(text)] if half is None else [len(text), half.start()]
    for word in words:
        head = word[:_SHORTEST]
        start = text.find(head)
        while start >= 0:
            end = start + _common(text, start, word)
            yield start, end
            start = text.find(head, end)
        for end in ends:
            size = head.rfind(text[max(0, end - _SHORTEST) : end]) + _SHORTEST
            while size >= _SHORTEST and not text.endswith(head[:size], 0, end):
                size -= 1
            if size >= _SHORTEST:
                yield end - size, len(text)


def _common(text: str, start: int, word: str) -> int:
    """
    Return for how many characters *text* goes on like *word* from *start* on, where its head stands.
    """
    same, step = min(len(word), _SHORTEST), 1
    while step:
        if same + step <= len(word) and text.startswith(word[same : same + step], start + same):
            same, step = same + step, step * 2
        else:
            step //= 2
    return same
