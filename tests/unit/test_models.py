"""From JSON to models: what is read, what is refused, and where it says that the fault lies."""

import copy
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import Enum, IntEnum
from functools import partial
from pathlib import Path
from typing import Any, Literal, Optional, TypeVar
from uuid import UUID

import attrs
import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import usergroups_m3ter_api.models
import usergroups_smartpm_api.models
from rig.schemas import assert_fields
from usergroups import m3ter, smartpm
from usergroups._http.exchange import Response
from usergroups._models import MismatchError, Reader, parse_json
from usergroups.m3ter import _read_page
from usergroups_m3ter_api.models import Error, UserGroupPage

SPECS = Path(__file__).parents[2] / "specs"
ID = "550e8400-e29b-41d4-a716-446655440000"

M = TypeVar("M")

read_page = partial(_read_page, m3ter.UserGroup)

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
specs: dict[Any, dict[str, Any]] = {
    package: yaml.safe_load((SPECS / f"{package.__name__.split('_')[1]}.yaml").read_text(encoding="utf-8"))
    for package in (usergroups_m3ter_api.models, usergroups_smartpm_api.models)
}
models = [
    (package, model)
    for package in specs
    for model in (getattr(package, name) for name in package.__all__)
    if attrs.has(model)  # and no enumeration
]
every_named_model = pytest.mark.parametrize(
    ("spec", "model"),
    [
        pytest.param(specs[package], model, id=f"{package.__name__.split('_')[1]} {model.__name__}")
        for package, model in models
        if model.__name__ in specs[package]["components"]["schemas"]
    ],
)


def user(**changes: object) -> dict[str, object]:
    """Return a SmartPM user with every field, but for *changes*."""
    return {
        "id": ID,
        "firstName": "Kirby",
        "lastName": "Smart",
        "email": "kirby.smart@blah.com",
        "phoneNumber": "+1-555-123-4567",
        "title": "Project Manager",
        "lastLogin": "2024-01-01T12:00:00+00:00",
        "loginCount": 42,
        "role": "Admin",
        "ssoUser": True,
        "reportingRestricted": False,
    } | changes


def smartpm_group(*users: object, **changes: object) -> dict[str, object]:
    """Return a SmartPM user group with *users*, but for *changes*."""
    return {"id": ID, "name": "Project Managers", "users": list(users)} | changes


def m3ter_group(**changes: object) -> dict[str, object]:
    """Return an m3ter user group with every field, but for *changes*."""
    return {
        "id": "g-1",
        "version": 3,
        "name": "Billing administrators",
        "dtCreated": "2023-11-07T05:31:56Z",
        "dtLastModified": "2024-02-19T16:04:10.123Z",
        "createdBy": "u-1",
        "lastModifiedBy": "u-2",
    } | changes


def build(model: type[M], raw: object, path: str = "$") -> M:
    """Read *raw* as a *model*, for a client of its own."""
    return Reader().read(model, raw, path)


def mismatch(model: type[Any], raw: object, path: str = "$") -> MismatchError:
    """Return what is wrong with *raw* as a *model*."""
    with pytest.raises(MismatchError) as caught:
        build(model, raw, path)
    return caught.value


@pytest.mark.usefixtures("parser")
class TestParseJSON:
    """Bytes that are JSON, or are not, with and without the extra "speed". More of them are in tests/faults."""

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            pytest.param(b" [null, true] \n", [None, True], id="white space around it"),
            pytest.param(b'{"a": 1, "a": 2}', {"a": 2}, id="a key twice"),
            pytest.param('["é"]'.encode("utf-16-be"), ["é"], id="UTF-16 without a mark"),
            pytest.param(b"1e308", 1e308, id="a large number"),
            pytest.param(b"-1.5e-400", 0.0, id="a number too small for a float"),
            pytest.param(b"0e999", 0.0, id="nothing, with a large exponent"),
            pytest.param(b"18446744073709551617", 2**64 + 1, id="a number of more than 64 bits"),
        ],
    )
    def test_f51_f99_what_is_json(self, body: bytes, value: object) -> None:
        """JSON is read in any of its encodings, and so is a number that a float can hold, or comes near."""
        assert parse_json(body) == value

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            pytest.param(b"", "it is empty", id="nothing"),
            pytest.param(b" ", "it is not JSON", id="white space alone"),
            pytest.param(b"\n <html>canary</html>", "it is markup, not JSON: check base_url", id="HTML"),
            pytest.param(b'{"a": "canary', "it is not JSON", id="cut off"),
            pytest.param(b"[" * 200_000, "it is nested too deeply", id="very deep"),
            pytest.param('{"a": "canarý"}'.encode("latin-1"), "it is not JSON", id="Latin-1"),
            pytest.param(b"[NaN]", "it is not JSON", id="NaN"),
            pytest.param(b"[-Infinity]", "it is not JSON", id="minus infinity"),
            pytest.param(b'{"a": [{"b": -1E+400}]}', "it is not JSON", id="an infinite number far within"),
            pytest.param(b"1" * 400 + b".5", "it is not JSON", id="an infinite number without an exponent"),
            pytest.param('"\ud800"'.encode("utf-16-le", "surrogatepass"), "it is not JSON", id="half a pair, raw"),
            pytest.param(rb'"\ud8", "', "it is not JSON", id="half an escape"),
            pytest.param(rb'"\Ud800"', "it is not JSON", id="an escape that is none"),
            pytest.param(b'"\\ud800\0\0"', "it is not JSON", id="raw zeros beside an escape"),
        ],
    )
    def test_f51_f99_what_is_no_json(self, body: bytes, reason: str) -> None:
        """What is no JSON says why, and does not show what it is."""
        with pytest.raises(MismatchError) as caught:
            parse_json(body)

        assert (caught.value.json_path, caught.value.reason) == ("$", reason)
        assert "canary" not in repr(caught.value)
        assert caught.value.__context__ is None

    @unhurried
    @given(
        st.binary()
        | st.text('[]{}",:0123456789.eE+-truefalsnNaIity\\u \n').map(str.encode)
        | st.tuples(json_values, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])).map(
            lambda pair: json.dumps(pair[0]).encode(pair[1])
        )
    )
    def test_f51_anything(self, body: bytes) -> None:
        """Any bytes are a value, or a `MismatchError`."""
        try:
            value = parse_json(body)
        except MismatchError:
            return

        assert json.loads(json.dumps(value)) == value
        assert json.dumps(value, ensure_ascii=False, allow_nan=False).encode()

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            pytest.param(rb'"\ud800"', "\ufffd", id="a first half"),
            pytest.param(rb'"\uDFFF"', "\ufffd", id="a second half"),
            pytest.param(rb'"\uDbfF\ud800 \udc00"', "\ufffd\ufffd \ufffd", id="several halves"),
            pytest.param(rb'"\udc00\ud800"', "\ufffd\ufffd", id="halves the wrong way round"),
            pytest.param(rb'"\ud83d\ud83d\ude00\ude00"', "\ufffd\U0001f600\ufffd", id="a pair between halves"),
            pytest.param(rb'"\uD83D\uDE00"', "\U0001f600", id="a pair"),
            pytest.param(rb'"\ud83d\n\ude00"', "\ufffd\n\ufffd", id="a pair that is parted"),
            pytest.param(rb'"\\ud800 \\\ud800"', "\\ud800 \\\ufffd", id="an escaped backslash"),
            pytest.param(rb'"\\\\ud800\n\u00ed\ud83d"', "\\\\ud800\n\u00ed\ufffd", id="two escaped backslashes"),
            pytest.param(rb'{"\ud800": [{"\udc00": null}]}', {"\ufffd": [{"\ufffd": None}]}, id="keys"),
            pytest.param('["é漢", "\\ud800"]'.encode("utf-16"), ["é漢", "\ufffd"], id="UTF-16"),
        ],
    )
    def test_f99_half_of_a_surrogate_pair_is_replaced(self, body: bytes, value: object) -> None:
        """What no strict JSON can hold is U+FFFD wherever it was escaped, and a pair is left in peace."""
        assert parse_json(body) == value


def test_msgspec_may_be_missing() -> None:
    """Without the extra "speed", json is the parser."""
    code = "import sys; sys.modules['msgspec'] = None; from usergroups._models import parse_json as p; print(p(b'[1]'))"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)

    assert (run.stdout, run.stderr) == ("[1]\n", "")


class TestBuild:
    """JSON that is what the specification says."""

    @every_named_model
    def test_examples_of_the_specs(self, spec: dict[str, Any], model: type[Any]) -> None:
        """Whatever a specification shows as an example is read, and written again as it was."""
        for example in spec["components"]["schemas"][model.__name__].get("examples", ()):
            made = build(model, example)

            assert made == model.from_dict(example)
            written = made.to_dict()
            assert {key for key, value in example.items() if value is not None} == set(written)
            assert build(model, written) == made

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            pytest.param("2024-01-01t12:00:00z", "2024-01-01T12:00:00+00:00", id="lower case"),
            pytest.param("2024-01-01 12:00:00Z", "2024-01-01T12:00:00+00:00", id="a space"),
            pytest.param("2024-01-01T12:00:00.5", "2024-01-01T12:00:00.500000+00:00", id="one digit"),
            pytest.param("2024-01-01T12:00:00.1234569Z", "2024-01-01T12:00:00.123456+00:00", id="seven digits"),
            pytest.param(f"2024-01-01t12:00:00.{'9' * 999}z", "2024-01-01T12:00:00.999999+00:00", id="999 digits"),
            pytest.param("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00", id="a leap second"),
            pytest.param("2016-12-31t23:59:60.25z", "2017-01-01T00:00:00.250000+00:00", id="a part of one"),
            pytest.param("2016-12-31T23:59:60", "2017-01-01T00:00:00+00:00", id="a leap second, no offset"),
            pytest.param("2017-01-01T05:29:60+05:30", "2017-01-01T05:30:00+05:30", id="a leap second elsewhere"),
            pytest.param("2024-01-01T12:00:00-00:00", "2024-01-01T12:00:00+00:00", id="an unknown offset"),
            pytest.param("2024-01-01T12:00:00+0530", "2024-01-01T12:00:00+05:30", id="no colon in the offset"),
        ],
    )
    def test_f98_date_times_of_the_rfc(self, text: str, written: str) -> None:
        """Each form of RFC 3339 is read, and written in the usual one."""
        group = build(smartpm.UserGroup, smartpm_group(user(lastLogin=text)))

        assert group.users[0].to_dict()["lastLogin"] == written

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("2024-W01-1T12:00:00Z", id="a week date"),
            pytest.param("2024-001T12:00:00Z", id="an ordinal date"),
            pytest.param("20240101T120000Z", id="the basic format"),
            pytest.param("2024-01-01", id="a date alone"),
            pytest.param("2024-01-01T12:00Z", id="no seconds"),
            pytest.param("2024-01-01T12Z", id="no minutes"),
            pytest.param("2024-01-01T12:00:00,5Z", id="a decimal comma"),
            pytest.param("2024-01-01T12:00:00.Z", id="no digit after the point"),
            pytest.param("2024-01-01T24:00:00Z", id="24 o'clock"),
            pytest.param("2024-01-01T12:60:00Z", id="minute 60"),
            pytest.param("2024-01-01T12:00:61Z", id="second 61"),
            pytest.param("2024-02-30T12:00:00Z", id="no such day"),
            pytest.param("2024-01-01T12:00:00+24:00", id="an offset of a day"),
            pytest.param("2024-01-01T12:00:00+05", id="an offset of hours"),
            pytest.param("2024-01-01T12:00:00+05:30:15", id="an offset with seconds"),
            pytest.param("2024-01-01T12:00:00 Z", id="a space before Z"),
            pytest.param("2024-01-01T12:00:00Z\n", id="a line end"),
            pytest.param("2024-01-01_12:00:00Z", id="another separator"),
            pytest.param("٢٠٢٤-01-01T12:00:00Z", id="other digits"),
            pytest.param("9999-12-31T23:59:60Z", id="after the last second"),
            pytest.param("0000-01-01T00:00:00Z", id="before the first year"),
        ],
    )
    def test_f98_what_is_no_date_time_of_the_rfc(self, text: str) -> None:
        """What Python or ISO 8601 would read and RFC 3339 does not is no date-time."""
        one = build(smartpm.User, user(lastLogin=text))

        assert one.last_login is None
        assert one.to_dict()["lastLogin"] == text

    @unhurried
    @given(
        st.uuids().map(str) | st.from_regex(r"\A(urn:|uuid:|[{}]|-|[0-9a-fA-F]{8}|[0-9]{4}){1,9}\Z") | st.text(),
        st.sampled_from([str, str.upper, "{{{}}}".format, "urn:uuid:{}".format, lambda text: text.replace("-", "")]),
    )
    def test_uuids(self, text: str, spelt: Callable[[str], str]) -> None:
        """Whatever Python takes for a UUID is one, and the same, and nothing else is."""
        try:
            expected = UUID(spelt(text))
        except ValueError:
            assert mismatch(smartpm.User, user(id=spelt(text))).json_path == "$.id"
            return

        found = build(smartpm.User, user(id=spelt(text))).id

        assert (found, found.is_safe, repr(found)) == (expected, expected.is_safe, repr(expected))
        assert pickle.loads(pickle.dumps(found)) == expected  # our own

    @pytest.mark.parametrize("number", ["3.0", "-0.0", "1E22", str(2**70)])
    def test_f98_whole_numbers(self, number: str) -> None:
        """A number without a fraction is whole, however JSON spells it, and keeps its size."""
        version = build(m3ter.UserGroup, m3ter_group(version=parse_json(number.encode()))).version

        assert (type(version), version) == (int, parse_json(number.encode()))

    def test_what_arrived_is_not_changed(self) -> None:
        """Reading leaves the document as it was."""
        raw = smartpm_group(user(lastLogin="2024-01-01T12:00:00"))
        before = copy.deepcopy(raw)

        build(smartpm.UserGroup, raw)

        assert raw == before

    @unhurried
    @given(json_values | json_values.map(smartpm_group))
    def test_f52_anything(self, raw: object) -> None:
        """Any JSON is a model, or a `MismatchError` with the place of the fault."""
        for _, model in models:
            try:
                made = build(model, raw)
            except MismatchError as error:
                path, context = error.json_path, error.__context__
            else:
                path, context = "$", None
                assert isinstance(made, model)
            assert re.match(r"\$(\.(\w+|\*)|\[\d+\])*$", path)
            assert context is None


class TestMismatch:
    """JSON that is not what the specification says: where, and how."""

    @pytest.mark.parametrize(
        ("raw", "path", "reason"),
        [
            pytest.param(None, "$", "it is null, not an object", id="null"),
            pytest.param([["id", ID], ["name", "n"], ["users", []]], "$", "it is an array, not an object", id="pairs"),
            pytest.param("canary", "$", "it is text, not an object", id="text"),
            pytest.param(5, "$", "it is a number, not an object", id="a number"),
            pytest.param(0.5, "$", "it is a number, not an object", id="a fraction"),
            pytest.param(True, "$", "it is a boolean, not an object", id="true"),
            pytest.param({}, "$.id", "it is missing", id="nothing in it"),
            pytest.param(smartpm_group(id=None), "$.id", "it is null", id="no id"),
            pytest.param(smartpm_group(id="canary"), "$.id", "it is text, not a UUID", id="an id that is no UUID"),
            pytest.param(smartpm_group(id={}), "$.id", "it is an object, not a UUID", id="an id that is an object"),
            pytest.param(smartpm_group(name=5), "$.name", "it is a number, not text", id="a name that is a number"),
            pytest.param({"id": ID, "name": "n"}, "$.users", "it is missing", id="no users"),
            pytest.param(smartpm_group(users=None), "$.users", "it is null", id="users that are null"),
            pytest.param(smartpm_group(users=""), "$.users", "it is text, not an array", id="text that looks empty"),
            pytest.param(smartpm_group(users={}), "$.users", "it is an object, not an array", id="an empty object"),
            pytest.param(smartpm_group(user(), None), "$.users[1]", "it is null", id="a null user"),
            pytest.param(smartpm_group(user(), user(email=None)), "$.users[1].email", "it is null", id="a null email"),
        ],
    )
    def test_f52_group(self, raw: object, path: str, reason: str) -> None:
        """A group that is not as specified says where and how, and does not show what it is."""
        error = mismatch(smartpm.UserGroup, raw)

        assert (error.json_path, error.reason) == (path, reason)
        assert "canary" not in repr(error)

    def test_path_begins_where_the_caller_says(self) -> None:
        """A place in a list that was taken apart is named from the root of the document."""
        assert mismatch(m3ter.UserGroup, {}, "$.data[3]").json_path == "$.data[3].id"


class TestUnfit:
    """Fields that are not required and do not fit: the rest is read, and they are kept as they came."""

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            pytest.param("title", 5, "it is a number, not text", id="a title that is a number"),
            pytest.param("title", {"en": "canary"}, "it is an object, not text", id="a title that is an object"),
            pytest.param("lastLogin", "canary", "it is text, not a date-time", id="no date"),
            pytest.param("lastLogin", 1_700_000_000, "it is a number, not a date-time", id="seconds"),
            pytest.param("loginCount", "42", "it is text, not a whole number", id="digits"),
            pytest.param("loginCount", 0.5, "it is a number, not a whole number", id="a fraction"),
            pytest.param("loginCount", True, "it is a boolean, not a whole number", id="true"),
            pytest.param("ssoUser", "true", "it is text, not true or false", id="the word true"),
            pytest.param("ssoUser", 1, "it is a number, not true or false", id="one"),
        ],
    )
    def test_f109_field_is_none_and_kept(
        self, caplog: pytest.LogCaptureFixture, field: str, value: object, reason: str
    ) -> None:
        """One field that does not fit costs that field alone, and one warning says which it is, and not what it was."""
        raw = user(**{field: value}, badge=7)

        group = build(smartpm.UserGroup, smartpm_group(user(), raw, raw))

        assert group.users[0] == build(smartpm.User, user())
        assert getattr(group.users[1], re.sub("([A-Z])", r"_\1", field).lower()) is None
        assert group.users[1].additional_properties == {"badge": 7, field: value}
        assert group.users[1].to_dict() == group.users[2].to_dict() == raw
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("usergroups", "WARNING")
        assert f"User.{field} " in record.getMessage()
        assert f"{reason} (at $.users[1].{field})" in record.getMessage()
        assert "canary" not in record.getMessage()

    @unhurried
    @given(
        st.dictionaries(st.sampled_from(sorted(set(user()) - {"id", "email"})), json_values),
        st.dictionaries(st.text(), json_values),
    )
    def test_f109_anything_in_what_is_not_required(self, changes: dict[str, Any], more: dict[str, Any]) -> None:
        """Whatever arrives in fields that are not required, and beside them, the user is there and nothing is lost."""
        raw = more | user(**changes)

        one = build(smartpm.User, raw)

        written = one.to_dict()
        assert build(smartpm.User, written) == one
        assert (str(one.id), one.email) == (ID, raw["email"])
        assert {name for name, value in raw.items() if value is not None} <= set(written)
        for name, value in changes.items():
            assert name in one.additional_properties or written.get(name) == value or name == "lastLogin"


class Colour(Enum):
    """One of some words."""

    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    """One of some numbers."""

    LOW = 1
    HIGH = 2


@attrs.define
class Nothing:
    """A model without fields, as the generator writes it for an object that may hold anything."""

    __module__ = "usergroups_m3ter_api.models.nothing"

    additional_properties: dict[str, str] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dict(self.additional_properties)


@attrs.define
class Everything:
    """A model with one field of each kind, written as the generator writes it; no specification has them yet."""

    __module__ = "usergroups_m3ter_api.models.everything"

    at: datetime
    day: date
    colour: Colour
    share: float
    word: Literal["x"]
    maybe: float | None
    owner: Error
    free: Nothing
    tags: list[str]
    ids: list[UUID]
    groups: list["UserGroup"] | None = None  # noqa: F821  # a name of the package that the class says it is from
    other: Error | None = None
    mood: Colour | None = None
    rank: Level | None = None
    ratio: float | int | None = None
    letter: Literal["x", 1] | None = None
    holder: Optional["UserGroup"] = None  # noqa: F821  # as above
    additional_properties: dict[str, Any] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "at": self.at.isoformat(),
            "day": self.day.isoformat(),
            "colour": self.colour.value,
            "share": self.share,
            "word": self.word,
            "may-be": self.maybe,
            "owner": self.owner.to_dict(),
            "free": self.free.to_dict(),
            "tags": self.tags,
            "ids": [str(one) for one in self.ids],
            "groups": [one.to_dict() for one in self.groups or ()],
            "other": self.other and self.other.to_dict(),
            "mood": self.mood and self.mood.value,
            "rank": self.rank and self.rank.value,
            "ratio": self.ratio,
            "letter": self.letter,
            "holder": self.holder and self.holder.to_dict(),
        }


def everything(**changes: object) -> dict[str, object]:
    """Return the JSON of an `Everything`, but for *changes*."""
    good: dict[str, object] = {
        "at": "2024-01-01T12:00:00",
        "day": "2024-01-01",
        "colour": "red",
        "share": 0.5,
        "word": "x",
        "may-be": None,
        "owner": {"message": "m"},
        "free": {"a": "b"},
        "tags": ["a"],
        "ids": [ID],
        "groups": [m3ter_group()],
        "other": None,
    }
    return good | changes


class TestFuture:
    """Fields of kinds that no specification has today: a new field arrives right or is refused."""

    def test_every_kind_of_field_is_read(self) -> None:
        """Dates, enumerations, numbers, constants, lists and models within models are read."""
        made = build(Everything, everything())

        assert made.at == datetime(2024, 1, 1, 12, tzinfo=UTC)
        assert (made.day, made.colour, made.word) == (date(2024, 1, 1), Colour.RED, "x")
        assert (made.owner.message, made.free.additional_properties) == ("m", {"a": "b"})
        assert (made.tags, made.ids, made.other) == (["a"], [UUID(ID)], None)
        assert made.groups == [build(m3ter.UserGroup, m3ter_group())]

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"share": 1, "may-be": 1}, id="a whole number where any number is wanted"),
            pytest.param({"may-be": 0.5}, id="a number where it may be null"),
            pytest.param({"tags": [], "ids": [], "groups": []}, id="empty lists"),
            pytest.param({"groups": None}, id="no list"),
            pytest.param({"other": {"message": None}}, id="a model where it may be null"),
            pytest.param({"free": {}}, id="an empty object"),
        ],
    )
    def test_what_else_is_right(self, changes: dict[str, object]) -> None:
        """What the specification allows is not refused."""
        made = build(Everything, everything(**changes))

        assert (made.maybe, made.additional_properties) == (changes.get("may-be"), {})

    @pytest.mark.parametrize(
        ("changes", "path", "reason"),
        [
            pytest.param({"at": "noon"}, "$.at", "it is text, not a date-time", id="no date-time"),
            pytest.param({"day": "2024-01-01T12:00"}, "$.day", "it is text, not a date", id="no date"),
            pytest.param({"day": "20240101"}, "$.day", "it is text, not a date", id="the basic format"),
            pytest.param({"day": "2024-W01-1"}, "$.day", "it is text, not a date", id="a week date"),
            pytest.param({"day": "2024-02-30"}, "$.day", "it is text, not a date", id="no such day"),
            pytest.param({"colour": "green"}, "$.colour", "it is text, not one of its values", id="another word"),
            pytest.param({"share": "0.5"}, "$.share", "it is text, not a number", id="no number"),
            pytest.param({"share": None}, "$.share", "it is null", id="no number at all"),
            pytest.param({"word": 5}, "$.word", "it is a number, not one of its values", id="another type"),
            pytest.param({"word": "y"}, "$.word", "it is text, not one of its values", id="another constant"),
            pytest.param({"owner": [["message", "m"]]}, "$.owner", "it is an array, not an object", id="pairs"),
            pytest.param({"owner": None}, "$.owner", "it is null", id="null where a model is wanted"),
            pytest.param({"free": "x"}, "$.free", "it is text, not an object", id="no object"),
            pytest.param({"tags": ""}, "$.tags", "it is text, not an array", id="a list that only looks empty"),
            pytest.param({"ids": [ID, "x"]}, "$.ids[1]", "it is text, not a UUID", id="a bad value in a list"),
            pytest.param({"ids": [None]}, "$.ids[0]", "it is null", id="null in a list"),
            pytest.param({"tags": ["a", 5]}, "$.tags[1]", "it is a number, not text", id="a number among texts"),
            pytest.param({"groups": {}}, "$.groups", "it is an object, not an array", id="a list that may be null"),
            pytest.param({"groups": [m3ter_group(), {}]}, "$.groups[1].id", "it is missing", id="within a list"),
        ],
    )
    def test_what_is_wrong(self, changes: dict[str, object], path: str, reason: str) -> None:
        """What the specification does not allow is refused, with its place."""
        error = mismatch(Everything, everything(**changes))

        assert (error.json_path, error.reason) == (path, reason)

    @pytest.mark.parametrize(
        ("changes", "path", "reason"),
        [
            pytest.param({"mood": "green"}, "", "it is text, not one of its values", id="an enumeration's new word"),
            pytest.param({"rank": 3}, "", "it is a number, not one of its values", id="an enumeration's new number"),
            pytest.param({"rank": True}, "", "it is a boolean, not one of its values", id="true for one"),
            pytest.param({"ratio": "1"}, "", "it is text, not a number or a whole number", id="no number"),
            pytest.param({"other": []}, "", "it is an array, not an object", id="no model"),
            pytest.param({"holder": {"name": "n"}}, ".id", "it is missing", id="a model without what it must have"),
            pytest.param({"holder": m3ter_group(id=5)}, ".id", "it is a number, not text", id="an unfit model"),
        ],
    )
    def test_f109_what_is_not_required(
        self, caplog: pytest.LogCaptureFixture, changes: dict[str, object], path: str, reason: str
    ) -> None:
        """A field of any kind that is not required and does not fit is None as a whole, and kept."""
        (name,) = changes

        made = build(Everything, everything(**changes))

        assert getattr(made, name) is None
        assert made.additional_properties == changes
        (record,) = caplog.records
        assert f"{reason} (at $.{name}{path})" in record.getMessage()

    def test_f109_within_a_model(self) -> None:
        """A field that does not fit stays with the model that it is a part of."""
        made = build(Everything, everything(owner={"message": 5}, holder=m3ter_group(name=5)))

        assert (made.owner.message, made.owner.additional_properties) == (None, {"message": 5})
        assert made.holder is not None
        assert (made.holder.id, made.holder.name, made.holder.additional_properties) == ("g-1", None, {"name": 5})
        assert made.additional_properties == {}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("rank", 2), ("ratio", 3), ("ratio", 3.0), ("letter", "x"), ("letter", 1), ("mood", "blue")],
    )
    def test_values_are_written_as_they_came(self, field: str, value: object) -> None:
        """What fits is what it was when it is written again."""
        made = build(Everything, everything(**{field: value}))

        assert repr(made.to_dict().get(field, made.additional_properties.get(field))) == repr(value)

    @pytest.mark.parametrize("name", [name for name in everything() if name not in ("groups", "other")])
    def test_what_is_missing(self, name: str) -> None:
        """A required field that is missing is named, even where null would do."""
        raw = {key: value for key, value in everything().items() if key != name}

        error = mismatch(Everything, raw)

        assert (error.json_path, error.reason) == (f"$.{name}", "it is missing")


@attrs.define
class Ambiguous:
    """A model with a field of two kinds of arrays."""

    __module__ = "usergroups_m3ter_api.models.ambiguous"

    tags: list[str] | list[int]
    additional_properties: dict[str, Any] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"tags": self.tags}


def test_arrays_of_several_kinds_are_no_field() -> None:
    """A model that cannot be read fails when it is first looked at, whatever arrives."""
    with pytest.raises(TypeError, match="several kinds"):
        build(Ambiguous, {})


class TestTable:
    """What is known of a generated model."""

    @every_named_model
    def test_fields_are_those_of_the_spec(self, spec: dict[str, Any], model: type[Any]) -> None:
        """Each field has the name and the JSON types of the specification, and is asked for where that requires it."""
        assert_fields(model, spec["components"]["schemas"][model.__name__], spec)


def answer(document: object) -> Response:
    """Return a good answer with *document* as its body."""
    return Response(status_code=200, headers={}, body=json.dumps(document).encode())


class TestPages:
    """m3ter's page of user groups. Its shapes, one by one, are in tests/wire."""

    async def test_page_of_the_spec_is_read_alike(self) -> None:
        """What is read by hand is what the specification's page model says."""
        document = {"data": [m3ter_group()], "nextToken": "t"}

        model = build(UserGroupPage, document)

        page = await read_page(Reader(), answer(document))
        assert list(page.items) == model.data
        assert page.next_token == model.next_token

    @unhurried
    @given(
        json_values
        | st.fixed_dictionaries(
            {}, optional={"data": json_values, "id": json_values, "nextToken": json_values, "x": json_values}
        )
    )
    async def test_f53_f57_anything(self, document: object) -> None:
        """Any JSON is a page of groups, or a `MismatchError`."""
        try:
            found = await read_page(Reader(), answer(document))
        except MismatchError:
            return

        assert all(isinstance(group, m3ter.UserGroup) for group in found.items)
        assert found.next_token is None or isinstance(found.next_token, str)
