"""Secrets: hidden from reprs, tracebacks and pickles, and removed from text that a server sends back."""

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import NoReturn, overload

_SHORTEST = 8  # characters of a secret, or of its start; hiding anything shorter would hide ordinary words
_LEVELS = 4  # the text as it came, and unescaped up to three times: JSON within JSON within HTML
_KEPT = 5  # access tokens that are remembered: the most recent ones
_HIDDEN = "***"
_WINDOW = 8192  # characters; an excerpt is at most half of it
_MASK = bytes(range(255, -1, -1))  # each byte's complement: visible ASCII becomes unreadable
_AFTER_CUT = 256  # characters before a cut: a secret that begins there may be too short to recognize

# One character as escaped in JSON (RFC 8259, 7), a URL (RFC 3986, 2.1) or HTML (13.5).
_ESCAPE = re.compile(
    r"\\(?:u00|x)[2-7][0-9a-fA-F]|\\[ -/:-@\[-`{-~]|%[2-7][0-9a-fA-F]"
    r"|&(?:#0{0,20}[0-9]{2,3}|#[xX]0{0,20}[0-9a-fA-F]{2});?|&[a-zA-Z]{2,16};"
)
_CUT_ESCAPE = re.compile(r"(?:\\(?:u0{0,2}[2-7]?|x[2-7]?)?|%[2-7]?|&(?:#[xX]?[0-9a-fA-F]{0,40}|[a-zA-Z]{0,16}))\Z")
# Header names arrive in lower case, and a form encodes a space as a plus.
_FOLD = str.maketrans(ascii_uppercase + "+", ascii_lowercase + " ")


class Secret:
    """
    Text that tools which show a program's values cannot show. It is not a str, and holds none.

    A subclass of str would not do: tools that show local variables cut a str before they ask for its repr.
    """

    __slots__ = ("_masked",)

    def __init__(self, text: str) -> None:
        self._masked = text.encode("utf-8", "surrogatepass").translate(_MASK)

    def reveal(self) -> str:
        """
        Return the text. Do not keep it in a variable: a traceback may show a frame's variables.
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
    A stand-in for an argument that is not text. It keeps only the argument's type, *kind*.
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
    Return text as a `Secret`, None unchanged, and anything else as a `NoText`.

    Call it first on any argument that may hold a secret: a traceback may show the arguments of every
    frame.
    """
    if isinstance(value, str):
        return Secret(str.__str__(value))  # a member of a (str, Enum) becomes a plain str
    return value if value is None or isinstance(value, Secret | NoText) else NoText(type(value))


class Redactor:
    """
    A redactor of one client's secrets: those it was made with, and the client's last few access tokens.

    A secret is found in upper or lower case, escaped as in JSON, URLs or HTML, and where only its
    beginning is there. The time is linear in the length of the text.
    """

    def __init__(self, *secrets: Secret) -> None:
        self._lasting = [word for secret in secrets for word in _forms(secret)]
        self._tokens: tuple[Secret, ...] = ()
        self._words = tuple(self._lasting)

    def learn(self, token: Secret) -> None:
        """
        Hide *token* from now on, until a few newer ones have replaced it.
        """
        self._tokens = (*(known for known in self._tokens if known != token), token)[-_KEPT:]
        self._words = (*self._lasting, *(word for known in self._tokens for word in _forms(known)))

    def clean(self, text: str) -> str:
        """
        Return *text* with each secret in it replaced by `***`. Line breaks stay.
        """
        spans: list[tuple[int, int]] = []
        for level, places in _levels(text):
            found = _find(level.translate(_FOLD), [word.reveal() for word in self._words])
            spans += [(places[start], places[end]) for start, end in found]
        kept: list[str] = []
        shown_to = 0
        for start, end in sorted(spans):
            if start >= shown_to:
                kept += text[shown_to:start], _HIDDEN
            shown_to = max(shown_to, end)
        return "".join((*kept, text[shown_to:]))

    def excerpt(self, text: str, limit: int) -> str:
        """
        Return the first *limit* characters of *text*, without the secrets that are in them or begin in them.
        """
        cleaned = self.clean(text[:_WINDOW])
        return (cleaned if len(text) <= _WINDOW else cleaned[:-_AFTER_CUT])[:limit]


def _forms(secret: Secret) -> list[Secret]:
    """Return *secret* as it looks at each level of unescaping: it may hold what reads as an escape."""
    levels = (level.translate(_FOLD) for level, _ in _levels(secret.reveal()))
    return [Secret(word) for word in dict.fromkeys(levels) if len(word) >= _SHORTEST]


def _levels(text: str) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield *text* unchanged, then unescaped again and again, and where in *text* each character and the end is."""
    places: Sequence[int] = range(len(text) + 1)
    for _ in range(_LEVELS):
        yield text, places
        parts: list[str] = []
        kept: list[int] = []
        done = 0
        for escape in _ESCAPE.finditer(text):
            plain = _unescaped(escape[0])
            parts += text[done : escape.start()], plain
            kept += places[done : escape.start() + len(plain)]
            done = escape.end()
        if not parts:
            return
        text = "".join((*parts, text[done:]))
        places = [*kept, *places[done:]]


@lru_cache(maxsize=4096)
def _unescaped(escape: str) -> str:
    """Return the character that *escape* stands for, or *escape* itself if that is not printable ASCII."""
    if len(escape) == 2:  # a backslash and a character
        return escape[1]
    found = html.unescape(escape) if escape[0] == "&" else chr(int(escape[-2:], 16))
    return found if len(found) == 1 and " " <= found <= "~" else escape


def _find(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of *text* with one of *words*, whole, only its beginning, or cut off by the end of *text*."""
    for word in words:
        head, rest = word[:_SHORTEST], word[_SHORTEST:]
        start = text.find(head)
        while start >= 0:
            end = start + len(head)
            for character in rest:
                if not text.startswith(character, end):
                    break
                end += 1
            yield start, len(text) if _CUT_ESCAPE.match(text, end) else end
            start = text.find(head, end)
