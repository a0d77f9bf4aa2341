"""OAuth 2.0 client credentials (RFC 6749, 4.4): what the token endpoint is asked, and what it may say."""

import re
from base64 import b64encode
from typing import NoReturn, TypeGuard

import attrs

from ._decode import MismatchError, is_object, parse_json
from ._settings import Secret, hide, number, positive
from .errors import ConfigurationError

_LONGEST_LIFE = 365.0 * 86_400.0  # seconds; nothing is taken for good
_USUAL_LIFE = 600.0  # seconds, where the endpoint does not say (RFC 6749, 5.1 leaves it open)
_LONGEST_TOKEN = 16 * 1024  # characters; a header that is longer is refused by most servers


def _hidden(access_token: str) -> str:
    return hide(access_token)


@attrs.frozen
class Token:
    """
    An access token, and the seconds it had left when it was made or loaded: none, if it has ended.

    It cannot be pickled, for a pickle would show it: store its two fields on purpose instead.

    Raises `ConfigurationError` for a token that no header can carry, and seconds that are no number.
    """

    access_token: str = attrs.field(repr=False, converter=_hidden)
    expires_in: float

    def __attrs_post_init__(self) -> None:
        if not is_usable(self.access_token):
            raise ConfigurationError("access_token must be visible ASCII text of at most 16 KiB")
        number("expires_in", self.expires_in)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Token is not pickled: store its access_token and expires_in instead")

    def __copy__(self) -> "Token":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Token":
        return self


def basic_header(user: str, password: str) -> Secret:
    """
    Give the Authorization header of HTTP Basic (RFC 7617).
    """
    return Secret("Basic " + b64encode(f"{user}:{password}".encode()).decode())


def bearer_header(token: Token) -> Secret:
    """
    Give the Authorization header that presents *token* (RFC 6750, 2.1).
    """
    return Secret(f"Bearer {token.access_token}")


def read_token(body: bytes) -> Token:
    """
    Read the body of a 2xx of the token endpoint (RFC 6749, 5.1), or raise `MismatchError`.
    """
    document = parse_json(body)
    if not is_object(document):
        raise MismatchError("$", "it is not a JSON object")
    token_type = document.get("token_type")
    if token_type is not None and (not isinstance(token_type, str) or token_type.lower() != "bearer"):
        raise MismatchError("$.token_type", "it is not Bearer")
    access_token = document.get("access_token")
    if not is_usable(access_token):
        raise MismatchError("$.access_token", "it is missing, or no text that a header can carry")
    life = _life(document.get("expires_in"))
    if life is None:
        raise MismatchError("$.expires_in", "it is not a positive number of seconds")
    return Token(access_token, life)


def is_usable(access_token: object) -> TypeGuard[str]:
    """
    Tell whether *access_token* can go into a header: visible ASCII, at most 16 KiB.
    """
    return (
        isinstance(access_token, str)
        and len(access_token) <= _LONGEST_TOKEN
        and re.fullmatch(r"[\x21-\x7e]+", access_token) is not None
    )


def _life(value: object) -> float | None:
    """
    Read `expires_in`: a number, or the digits of one; absent and null mean the usual life.
    """
    if value is None:
        return _USUAL_LIFE
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", value):
        return None
    life = float(value) if isinstance(value, str) else value
    return min(float(life), _LONGEST_LIFE) if isinstance(life, int | float) and positive(life) else None
