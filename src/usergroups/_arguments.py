"""Checks of arguments and environment settings: each once, with one clear sentence if it is wrong."""

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable
from reprlib import Repr
from types import EllipsisType, NoneType
from typing import Literal, TypeVar
from urllib.parse import quote, unquote

import attrs

from ._secrets import NoText, Secret, hide
from .errors import ConfigurationError, InvalidArgumentError

_C = TypeVar("_C")

LONGEST_PARAMETER = 16 * 1024  # bytes of one id or page token when percent-encoded
_LONGEST_BASE_URL = 2048  # characters; httpx accepts URLs of 64 KiB, and up to three parameters follow

# A host name (RFC 1123, 2.1, plus the underscore of container names) or an address, with an optional port.
_LABEL = "[0-9A-Za-z_-]{1,63}"
_URL = re.compile("(?P<scheme>(?i:https?))://(?P<netloc>[^/?#]+)(?P<path>[^?#]*)(?P<more>.*)")
_NETLOC = re.compile(rf"({_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(?::([0-9]{{0,5}}))?")


def fits_a_url(value: str) -> bool:
    """
    Return whether *value* can be percent-encoded to at most 16 KiB.
    """
    try:
        return len(value) <= LONGEST_PARAMETER and len(quote(value, safe="")) <= LONGEST_PARAMETER
    except UnicodeEncodeError:  # a lone surrogate
        return False


def short_repr(value: object, limit: int) -> str:
    """
    Return the repr of *value*, of which texts have at most *limit* characters, or its type's name if the repr fails.
    """
    shortener = Repr()
    shortener.maxstring = shortener.maxother = limit
    try:
        return shortener.repr(value)
    except Exception:  # noqa: BLE001  # an int may be too long for a repr, and reprlib goes by a class's name alone
        return f"<{type(value).__name__}>"


def positive(value: object) -> bool:
    """
    Return whether *value* is a positive, finite number.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


@attrs.frozen
class Arguments:
    """
    Checks of the arguments of a client, or of a call. *error* makes the exception for a bad one: (name, problem).
    """

    error: Callable[[str, str], ConfigurationError]

    def header_value(self, name: str, value: object) -> Secret:
        """
        Check that *value* is text that a header can carry (RFC 9110, 5.5), printable ASCII, and return it hidden.
        """
        value = hide(value)
        text = self.text(name, value)
        if not text.reveal().strip():
            raise self.error(name, "is blank")
        if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", text.reveal()):
            raise self.error(name, "must be printable ASCII without spaces or line ends around it")
        return text

    def path_segment(self, name: str, value: object) -> str:
        """
        Check that *value* can be one segment of a path (RFC 3986, 3.3) once percent-encoded, and return it.
        """
        value = hide(value)
        text = self.text(name, value)
        if not text.reveal().strip():
            raise self.error(name, "must not be blank")
        if text.reveal() in (".", "..") or text.reveal() != text.reveal().strip():
            raise self.error(name, "must not be '.' or '..', or have spaces around it")
        return self.parameter(name, text)

    def parameter(self, name: str, value: object) -> str:
        """
        Check that *value* is text that fits into a URL once percent-encoded, and return it.
        """
        value = hide(value)
        if not isinstance(value, Secret) or not value.reveal():
            raise self.error(name, "must be text that is not empty")
        if not fits_a_url(value.reveal()):
            raise self.error(name, "must be valid Unicode and at most 16 KiB when encoded")
        return value.reveal()

    def parameters(self, name: str, values: Iterable[object]) -> list[str]:
        """
        Check that *values* are one or more texts that fit into a URL once percent-encoded, and return them.
        """
        self.instance(name, values, Iterable)
        if isinstance(values, str | bytes):
            raise self.error(name, "must be several, not one text")
        checked = [self.parameter(name, value) for value in values]
        if not checked:
            raise self.error(name, "must not be empty")
        self.parameter(name, f"&{name}=".join(checked))  # all of them, too
        return checked

    def text(self, name: str, hidden: Secret | NoText | None) -> Secret:
        """
        Check that *hidden*, from `hide`, is text, and return it.
        """
        if isinstance(hidden, Secret):
            return hidden
        kind = hidden.kind if isinstance(hidden, NoText) else NoneType
        raise self.error(name, f"must be text, not {kind.__name__}")

    def number(self, name: str, value: object) -> float:
        """
        Check that *value* is a number, and return it.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(name, f"must be a number, not {type(value).__name__}")
        return value

    def seconds(self, name: str, value: object) -> float:
        """
        Check that *value* is a positive, finite number, and return it.
        """
        checked = self.number(name, value)
        if not positive(checked):
            raise self.error(name, "must be greater than 0 and finite")
        return float(checked)

    def optional_seconds(self, name: str, value: object) -> float | None:
        """
        Check that *value* is None (no limit) or a positive, finite number, and return it.
        """
        return None if value is None else self.seconds(name, value)

    def call_timeout(self, value: float | EllipsisType | None, usual: float | None) -> float | None:
        """
        Return the timeout of one call in seconds: *usual*, the client's own, if *value* is `...`.
        """
        return usual if isinstance(value, EllipsisType) else self.optional_seconds("timeout", value)

    def count(self, name: str, value: object, *, least: int = 1, most: int | None = None) -> int:
        """
        Check that *value* is a whole number from *least* to *most*, and return it.
        """
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(name, f"must be a whole number, not {type(value).__name__}")
        number = int.__int__(value)  # a member of an (int, Enum) becomes a plain int
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise self.error(name, f"must be {bounds}")
        return number

    def instance(self, name: str, value: object, *kinds: type) -> None:
        """
        Check that *value* is an instance of one of *kinds*.
        """
        if not isinstance(value, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise self.error(name, f"must be of type {wanted}, not {type(value).__name__}")

    def base_url(self, name: str, value: object) -> str:
        """
        Check a base URL, and return it without a trailing slash.

        Only https is accepted, unless the host is a loopback one. A path prefix is kept.
        """
        value = hide(value)  # it may hold a password, which is refused below
        text = self.header_value(name, value)
        if problem := _base_url_problem(text.reveal()):
            raise self.error(name, problem)
        return text.reveal().rstrip("/")


of_client = Arguments(lambda name, problem: ConfigurationError(f"{name} {problem}"))
"""Checks of what a client is made with."""

of_call = Arguments(lambda name, problem: InvalidArgumentError(f"{name} {problem}", argument=name))
"""Checks of what a call is made with."""


def setting(
    name: str, value: object, variable: str, check: Callable[[str, object], _C], *, default: str | None = None
) -> _C:
    """
    Return the argument *name*, else the environment's *variable*, else *default*, after *check*.

    A blank argument is an error. So is a blank variable, unless there is a *default*.
    """
    value = hide(value)
    label = f"{name} (the argument, or {variable} in the environment)"
    if value is None:
        value = hide(os.environ.get(variable))
        if default is not None and (value is None or not value.reveal().strip()):
            value = default
    return check(label, value)


def require(*settings: tuple[str, str] | Literal[False]) -> None:
    """
    Raise one `ConfigurationError` for all *settings* that are missing: arguments with their environment variables.

    A setting that was passed as an argument is False.
    """
    missing = [setting for setting in settings if setting and setting[1] not in os.environ]
    if missing:
        named = [f"{name} (the argument, or {variable} in the environment)" for name, variable in missing]
        text = f"{', '.join(named[:-1])} and {named[-1]} are" if len(named) > 1 else f"{named[0]} is"
        raise ConfigurationError(f"{text} missing")


def host_of(netloc: str) -> str:
    """
    Return the host in *netloc*, which has no user part, or "" if host or port is invalid.
    """
    match = _NETLOC.fullmatch(netloc)
    if match is None or not 0 < int(match[2] or 443) < 65536:
        return ""
    host = match[1].strip("[]")
    is_address = ":" in host or re.fullmatch(r"[0-9]+(\.[0-9]+){3}", host)
    return "" if is_address and _address(host) is None else host.lower()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _base_url_problem(text: str) -> str:
    if len(text) > _LONGEST_BASE_URL:
        return f"must not be longer than {_LONGEST_BASE_URL:,} characters"
    if re.search(r"[\x20\\\"<>^`{|}]", text):
        return "must be a URL, without spaces"
    url = _URL.fullmatch(text)
    if url is None:
        return "must begin with https:// and name a host"
    if "@" in url["netloc"]:
        return "must not hold a user name or password"
    host = host_of(url["netloc"])
    if not host:
        return "is not a valid URL: host or port cannot be read"
    if url["more"]:
        return "must not hold a query or fragment"
    if any(unquote(segment) in (".", "..") for segment in url["path"].split("/")):
        return "must not hold '.' or '..' in its path"
    address = _address(host)
    is_loopback = host == "localhost" or (address is not None and address.is_loopback)
    if url["scheme"].lower() == "http" and not is_loopback:
        return (
            "must be https:// (http:// is accepted for loopback hosts only: for a container, share its network"
            " namespace, or put TLS in front of it)"
        )
    return ""
