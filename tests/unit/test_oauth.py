"""The token endpoint's answer: what is a usable token, and what is none."""

import copy
import json
import math
import pickle
import re
from base64 import b64decode
from pathlib import Path

import attrs
import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from usergroups import ConfigurationError, Token
from usergroups._auth.token import basic_header, bearer_header, read_token, token_flaw
from usergroups._models import MismatchError
from usergroups._secrets import Secret, hide

GOOD = {"access_token": "opaque.token", "expires_in": 18_000, "token_type": "Bearer", "scope": None}
USUAL_LIFE = 600.0
LONGEST = 16 * 1024

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def body(**changes: object) -> bytes:
    """Return a good answer of the token endpoint, with *changes*."""
    return json.dumps(GOOD | changes).encode()


def without(name: str) -> bytes:
    """Return a good answer of the token endpoint that lacks *name*."""
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


class TestToken:
    """What a token store is given, and gives."""

    def test_it_is_a_value(self) -> None:
        """Tokens are equal if their fields are, and nobody can change one."""
        token = Token("canary", expires_in=60.0)

        assert token == Token(access_token="canary", expires_in=60.0)
        assert token != Token("canary", expires_in=61.0)
        assert len({token, Token("canary", 60.0)}) == 1
        with pytest.raises(AttributeError):
            token.expires_in = 61.0  # type: ignore[misc]

    def test_access_token_is_hidden(self) -> None:
        """A token shows its lifetime only, alone and within something else."""
        token = Token("canary", 60.0)

        assert repr(token) == "Token(expires_in=60.0)"
        assert "canary" not in f"{token} {[token]} {attrs.asdict(token)} {token.access_token!r}"
        assert token.access_token == "canary"

    def test_it_can_be_taken_apart_and_made_anew(self) -> None:
        """A token can be matched, and made anew with other seconds."""
        token = Token("canary", 60.0)

        match token:
            case Token(access_token, expires_in):
                assert (access_token, expires_in) == ("canary", 60.0)
        assert attrs.evolve(token, expires_in=61.0) == Token("canary", 61.0)

    def test_f93_token_that_is_too_long_is_told_so(self) -> None:
        """Of a token that is too long for a header, the error says just that."""
        with pytest.raises(ConfigurationError, match=r"it is too long \(above 16 KiB\)"):
            Token("x" * (LONGEST + 1), 60.0)

        assert Token("x" * LONGEST, 60.0).access_token == "x" * LONGEST

    def test_it_is_not_pickled(self) -> None:
        """A pickle would show the access token, so there is none."""
        with pytest.raises(TypeError, match="store its access_token and expires_in instead"):
            pickle.dumps(Token("canary", 60.0))

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
    def test_copy_is_the_token_itself(self, again: object) -> None:
        """What cannot change need not be copied."""
        token = Token("canary", 60.0)

        assert again(token) is token  # type: ignore[operator]

    @pytest.mark.parametrize("value", [None, 5, b"canary", "", "canary 1", "canary\r\nX: y", "canaryé", "x" * 16_385])
    def test_token_that_no_header_can_carry_is_refused(self, value: object) -> None:
        """Whoever makes a token of something else hears so at once, and what it was is not shown."""
        with pytest.raises(ConfigurationError, match="access_token must be visible ASCII") as caught:
            Token(value, 60.0)  # type: ignore[arg-type]

        assert "canary" not in f"{caught.value} {vars(caught.value)}"

    @pytest.mark.parametrize("value", ["60", None, True])
    def test_seconds_that_are_no_number_are_refused(self, value: object) -> None:
        """The seconds left are a number; that there are none left is for the client to see."""
        with pytest.raises(ConfigurationError, match="expires_in must be a number, not"):
            Token("token", value)  # type: ignore[arg-type]

        assert Token("token", -1.0).expires_in == -1.0

    @pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
    def test_seconds_without_end(self, seconds: float) -> None:
        """A token does not live for ever, and its seconds are a number."""
        with pytest.raises(ConfigurationError, match="expires_in must be a finite number of seconds"):
            Token("token", seconds)


class TestHeaders:
    """How the token endpoint and the API are shown who asks."""

    def test_basic(self) -> None:
        """The key's id and its secret go into one header, which hides them."""
        header = basic_header(Secret("key"), Secret("secret: with a colon"))

        scheme, _, credentials = header.reveal().partition(" ")
        assert (scheme, b64decode(credentials)) == ("Basic", b"key:secret: with a colon")
        assert repr(header) == "'***'"

    def test_basic_as_in_the_rfc(self) -> None:
        """The example of RFC 7617, section 2, comes out as it is printed there."""
        assert basic_header(Secret("Aladdin"), Secret("open sesame")).reveal() == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="

    def test_bearer(self) -> None:
        """The access token goes into a header, which hides it."""
        header = bearer_header(Token("canary", 60.0))

        assert header.reveal() == "Bearer canary"
        assert repr(header) == "'***'"


class TestReadToken:
    """The body of a 2xx of the token endpoint."""

    def test_good_answer(self) -> None:
        """A token is read with its lifetime."""
        assert read_token(body()) == Token("opaque.token", 18_000.0)

    def test_example_of_the_spec(self) -> None:
        """The answer that the specification shows is a usable token."""
        spec = yaml.safe_load((Path(__file__).parents[2] / "specs" / "m3ter.yaml").read_text(encoding="utf-8"))

        for example in spec["components"]["schemas"]["TokenResponse"]["examples"]:
            assert read_token(json.dumps(example).encode()).access_token == example["access_token"]

    def test_unknown_fields_are_no_matter(self) -> None:
        """An endpoint may say more than it is asked for."""
        assert read_token(body(refresh_token="r", id_token=[])).access_token == "opaque.token"

    @pytest.mark.parametrize(
        ("value", "life"),
        [
            pytest.param(3600, 3600.0, id="a whole number"),
            pytest.param("3600", 3600.0, id="digits"),
            pytest.param("3600.5", 3600.5, id="digits and a fraction"),
            pytest.param(3600.0, 3600.0, id="a number with a fraction"),
            pytest.param(1e300, 31_536_000.0, id="a very long life"),
            pytest.param("99999999999999999999", 31_536_000.0, id="digits of a very long life"),
            pytest.param(0.5, 0.5, id="a very short life"),
            pytest.param(None, USUAL_LIFE, id="null"),
        ],
    )
    def test_f11_good_lives(self, value: object, life: float) -> None:
        """A lifetime is a number, or the digits of one."""
        token = read_token(body(expires_in=value))

        assert token.expires_in == life
        assert type(token.expires_in) is float

    def test_f11_no_life_is_ten_minutes(self) -> None:
        """Where the endpoint does not say how long a token lives, it is taken to be ten minutes."""
        assert read_token(without("expires_in")).expires_in == USUAL_LIFE

    @pytest.mark.parametrize(
        "value",
        [
            "0",
            "-1",
            "true",
            "false",
            '"abc"',
            '"1_000"',
            '"0"',
            '""',
            '" 5"',
            '"5\\n"',
            '"1e3"',
            '"inf"',
            '"-5"',
            '"5."',
            '"\uff15"',
            '"999999999999999999999"',
            "-0.0",
            pytest.param("1" + "0" * 400, id="a number of 401 digits"),
            "[]",
            "[5]",
            "{}",
        ],
    )
    def test_f11_bad_lives(self, value: str) -> None:
        """No other lifetime is taken, least of all "for ever"."""
        document = f'{{"access_token": "canary", "expires_in": {value}}}'.encode()

        with pytest.raises(MismatchError) as caught:
            read_token(document)

        assert caught.value.json_path == "$.expires_in"

    @pytest.mark.parametrize(
        "value", ["NaN", "Infinity", "-Infinity", "1e400", pytest.param("1" * 5000, id="5,000 digits")]
    )
    def test_f11_lives_that_are_no_json(self, value: str) -> None:
        """What JSON has no number for, or Python none that it would read, is no lifetime."""
        with pytest.raises(MismatchError, match="it is not JSON"):
            read_token(f'{{"access_token": "canary", "expires_in": {value}}}'.encode())

    @unhurried
    @given(json_values)
    def test_f11_any_life(self, value: object) -> None:
        """Whatever the endpoint says, a token's life is a positive, finite number of seconds."""
        try:
            life = read_token(body(expires_in=value)).expires_in
        except MismatchError:
            return

        assert 0 < life < math.inf
        assert value is None or life == min(float(value), 31_536_000.0)  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", ["a", "~!", "x" * LONGEST], ids=["a letter", "signs", "16 KiB"])
    def test_f14_good_tokens(self, value: str) -> None:
        """Any visible ASCII that fits into a header is a token."""
        assert read_token(body(access_token=value)).access_token == value

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(None, id="null"),
            pytest.param("", id="empty"),
            pytest.param(5, id="a number"),
            pytest.param(["canary"], id="a list"),
            pytest.param("canary\r\nX: y", id="a line end"),
            pytest.param("canary\n", id="a line end after it"),
            pytest.param("can ary", id="a space"),
            pytest.param("canary\0", id="NUL"),
            pytest.param("canarý", id="not ASCII"),
            pytest.param("canary\ud800", id="a lone surrogate"),
            pytest.param("x" * (LONGEST + 1), id="above 16 KiB"),
        ],
    )
    def test_f14_bad_tokens(self, value: object) -> None:
        """What a header cannot carry is no token, and is not shown."""
        with pytest.raises(MismatchError) as caught:
            read_token(body(access_token=value))

        assert caught.value.json_path == "$.access_token"
        assert "canary" not in repr(caught.value)
        assert token_flaw(hide(value))

    def test_f93_token_that_is_too_long(self) -> None:
        """Of a token that is too long, the reason says so."""
        with pytest.raises(MismatchError, match="it is too long"):
            read_token(body(access_token="x" * (LONGEST + 1)))

    @pytest.mark.parametrize(
        "document",
        [
            pytest.param(b'{"access_token": "canary-token"', id="cut JSON"),
            pytest.param(b'["canary-token"]', id="a list"),
            pytest.param(body(access_token="canary-token", token_type="mac"), id="another type"),
            pytest.param(body(access_token="canary-token "), id="a space"),
            pytest.param(body(access_token="canary-token", expires_in=0), id="no life"),
        ],
    )
    def test_f87_no_frame_holds_what_was_read(self, document: bytes) -> None:
        """Whatever is wrong with the endpoint's answer, nothing of it is in a local variable of ours."""
        with pytest.raises(MismatchError) as caught:
            read_token(document)

        assert caught.value.__context__ is None
        frames = [entry.frame.f_locals for entry in caught.traceback[1:]]
        assert len(frames) == 1
        assert "canary" not in repr(frames)

    def test_f14_no_token(self) -> None:
        """An answer without a token is none."""
        with pytest.raises(MismatchError) as caught:
            read_token(without("access_token"))

        assert caught.value.json_path == "$.access_token"

    @pytest.mark.parametrize("value", ["bearer", "BEARER", "Bearer", None], ids=repr)
    def test_f15_good_types(self, value: object) -> None:
        """Bearer is Bearer in any case of letters, and goes without saying."""
        assert read_token(body(token_type=value)).access_token == "opaque.token"

    def test_f15_no_type(self) -> None:
        """A token of which no type is told is a bearer token."""
        assert read_token(without("token_type")).access_token == "opaque.token"

    @pytest.mark.parametrize("value", ["mac", "", "Bearer ", "N_A", 5, ["Bearer"], {}, True], ids=repr)
    def test_f15_bad_types(self, value: object) -> None:
        """A token of another type is none that can be used."""
        with pytest.raises(MismatchError, match="it is not Bearer") as caught:
            read_token(body(token_type=value))

        assert caught.value.json_path == "$.token_type"

    @pytest.mark.parametrize(
        ("document", "path", "reason"),
        [
            pytest.param(b"<html>canary</html>", "$", "it is markup, not JSON: check base_url", id="HTML"),
            pytest.param(b"", "$", "it is empty", id="empty"),
            pytest.param(b"null", "$", "it is not a JSON object", id="null"),
            pytest.param(b'["canary"]', "$", "it is not a JSON object", id="a list"),
            pytest.param(b'"canary"', "$", "it is not a JSON object", id="text"),
            pytest.param(b'{"error": "invalid_client"}', "$.access_token", "it is missing", id="an error"),
            pytest.param(b"{}", "$.access_token", "it is missing", id="an empty object"),
            pytest.param(b"[" * 200_000, "$", "it is nested too deeply", id="very deep"),
        ],
    )
    def test_f16_no_answer_at_all(self, document: bytes, path: str, reason: str) -> None:
        """A 2xx that holds no token says so, and does not show what it holds."""
        with pytest.raises(MismatchError, match=reason) as caught:
            read_token(document)

        assert caught.value.json_path == path
        assert "canary" not in repr(caught.value)

    @unhurried
    @given(
        st.binary()
        | json_values.map(lambda value: json.dumps(value).encode())
        | st.fixed_dictionaries({}, optional={name: json_values | st.just(value) for name, value in GOOD.items()}).map(
            lambda value: json.dumps(value).encode()
        )
    )
    def test_f16_anything(self, document: bytes) -> None:
        """Any body is a token that can be used, or a `MismatchError`."""
        try:
            token = read_token(document)
        except MismatchError:
            return

        assert re.fullmatch(r"[!-~]{1,16384}", token.access_token)
        assert 0 < token.expires_in < math.inf
