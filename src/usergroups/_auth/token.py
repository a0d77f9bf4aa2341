"""Access tokens of OAuth 2.0 client credentials (RFC 6749, 4.4): the token, its headers, the endpoint's response."""

import math
import re
from base64 import b64encode
from functools import cached_property
from typing import NoReturn

import attrs

from usergroups._arguments import of_client, positive
from usergroups._models import MismatchError, is_object, parse_json
from usergroups._secrets import Secret, hide
from usergroups.errors import ConfigurationError

_LONGEST_LIFE = 365.0 * 86_400.0  # seconds; a longer life is cut to this
_USUAL_LIFE = 600.0  # seconds, if the response has no `expires_in`, which is optional (RFC 6749, 5.1)
_LONGEST_TOKEN = 16 * 1024  # characters; most servers refuse a longer header
_TOO_LONG = "it is too long (above 16 KiB)"
_NO_TEXT = "it is missing, or no text that a header can carry"
_REFUSED = "access_token must be visible ASCII text: "
TOO_LONG = _REFUSED + _TOO_LONG
"""The message of the error for a `Token` that is too long."""


class _HiddenText(str):
    """Text whose repr hides it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@attrs.frozen(init=False)
class Token:
    """
    An access token, and the seconds it had left when it was made or loaded (0 or less: it has ended).

    It cannot be pickled, because a pickle would show it: store its two fields explicitly instead.

    Raises `ConfigurationError` for a token that no header can carry, and for seconds that are not a number.
    """

    __match_args__ = ("access_token", "expires_in")

    _access_token: Secret = attrs.field(repr=False)
    expires_in: float

    def __init__(self, access_token: str, expires_in: float) -> None:
        hidden: object = hide(access_token)
        del access_token
        if flaw := token_flaw(hidden):
            raise ConfigurationError(_REFUSED + flaw)
        if not -math.inf < of_client.number("expires_in", expires_in) < math.inf:
            raise ConfigurationError("expires_in must be a finite number of seconds")
        object.__setattr__(self, "_access_token", hidden)  # the way attrs sets a field of a frozen class
        object.__setattr__(self, "expires_in", expires_in)

    @property
    def access_token(self) -> str:
        """
        The token itself, as text whose repr hides it.
        """
        return _HiddenText(self._access_token.reveal())

    @cached_property
    def _header(self) -> Secret:
        return Secret(f"Bearer {self._access_token.reveal()}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Token is not pickled: store its access_token and expires_in instead")

    def __copy__(self) -> "Token":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Token":
        return self


def basic_credentials(user: Secret, password: Secret) -> Secret:
    """
    Return *user* and *password* encoded for HTTP Basic (RFC 7617).
    """
    return Secret(b64encode(f"{user.reveal()}:{password.reveal()}".encode()).decode())


def basic_header(user: Secret, password: Secret) -> Secret:
    """
    Return the Authorization header of HTTP Basic.
    """
    return Secret(f"Basic {basic_credentials(user, password).reveal()}")


def bearer_header(token: Token) -> Secret:
    """
    Return the Authorization header that presents *token* (RFC 6750, 2.1).
    """
    return token._header  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # not for users


def read_token(body: bytes) -> Token:
    """
    Return the token in the body of a 2xx of the token endpoint (RFC 6749, 5.1). Raises `MismatchError`.
    """
    outcome, body = _read(body), b""
    if isinstance(outcome, Token):
        return outcome
    raise outcome


def _read(body: bytes) -> Token | MismatchError:
    """Return the token in *body*, or what is wrong. Raises nothing: a traceback through here would show the body."""
    try:
        document = parse_json(body)
    except MismatchError as caught:
        return MismatchError(caught.json_path, caught.reason)  # a new one, without a traceback
    if not is_object(document):
        return MismatchError("$", "it is not a JSON object")
    token_type = document.get("token_type")
    if token_type is not None and (not isinstance(token_type, str) or token_type.lower() != "bearer"):
        return MismatchError("$.token_type", "it is not Bearer")
    access_token = document.get("access_token")
    flaw = token_flaw(hide(access_token))
    if flaw or not isinstance(access_token, str):
        return MismatchError("$.access_token", flaw)
    life = _lifetime(document.get("expires_in"))
    if life is None:
        return MismatchError("$.expires_in", "it is not a positive number of seconds")
    return Token(access_token, life)


def token_flaw(access_token: object) -> str:
    """
    Return why a header cannot carry *access_token*, a `Secret`, or "". It takes visible ASCII, at most 16 KiB.
    """
    if not isinstance(access_token, Secret):
        return _NO_TEXT
    if len(access_token.reveal()) > _LONGEST_TOKEN:
        return _TOO_LONG
    return "" if re.fullmatch(r"[\x21-\x7e]+", access_token.reveal()) else _NO_TEXT


def _lifetime(value: object) -> float | None:
    """Return `expires_in`, a number or its digits, in seconds; 600 if absent or null; None if invalid."""
    if value is None:
        return _USUAL_LIFE
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", value):
        return None
    life = float(value) if isinstance(value, str) else value
    return min(float(life), _LONGEST_LIFE) if isinstance(life, int | float) and positive(life) else None
