"""From JSON to models: what is read, what is refused, and where it says that the fault lies."""

import copy
import json
import re
from datetime import UTC, date, datetime, timedelta
from enum import Enum, IntEnum
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, Optional, TypeVar, get_type_hints
from uuid import UUID

import attrs
import httpx
import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import usergroups_m3ter_api.models
import usergroups_smartpm_api.models
from usergroups import m3ter, smartpm
from usergroups._http.exchange import Response
from usergroups._models import MismatchError, Reader, _shape, is_array, is_object, parse_json
from usergroups.m3ter import _read_page
from usergroups.smartpm import _read as read_group
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
models = [
    (package, model)
    for package in (usergroups_m3ter_api.models, usergroups_smartpm_api.models)
    for model in (getattr(package, name) for name in package.__all__)
]
every_model = pytest.mark.parametrize(
    ("package", "model"),
    models,
    ids=[f"{package.__name__.split('_')[1]} {model.__name__}" for package, model in models],
)


@lru_cache
def schema(package: Any, name: str) -> dict[str, Any]:
    """Return the schema *name* of the specification that *package* is generated from."""
    spec = yaml.safe_load((SPECS / f"{package.__name__.split('_')[1]}.yaml").read_text(encoding="utf-8"))
    found: dict[str, Any] = spec["components"]["schemas"][name]
    return found


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


class TestParseJSON:
    """Bytes that are JSON, or are not."""

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            pytest.param(b'{"a": [1, null, true]}', {"a": [1, None, True]}, id="an object"),
            pytest.param(b" [] \n", [], id="white space around it"),
            pytest.param('"é漢"'.encode(), "é漢", id="UTF-8"),
            pytest.param('{"é": 1}'.encode("utf-16"), {"é": 1}, id="UTF-16"),
            pytest.param('["é"]'.encode("utf-16-be"), ["é"], id="UTF-16 without a mark"),
            pytest.param('["é"]'.encode("utf-32"), ["é"], id="UTF-32"),
            pytest.param('{"é": 1}'.encode("utf-8-sig"), {"é": 1}, id="a byte order mark"),
            pytest.param(b'{"a": 1, "a": 2}', {"a": 2}, id="a key twice"),
            pytest.param(b"1" * 300, int("1" * 300), id="a long number"),
            pytest.param(b'"' + b"x" * 10_485_760 + b'"', "x" * 10_485_760, id="a text of 10 MiB"),
        ],
    )
    def test_f51_what_is_json(self, body: bytes, value: object) -> None:
        """JSON is read in any of its encodings, and however long it is."""
        assert parse_json(body) == value

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            pytest.param(b"", "it is empty", id="nothing"),
            pytest.param(b" ", "it is not JSON", id="white space alone"),
            pytest.param(b"<html>canary</html>", "it is markup, not JSON: check base_url", id="HTML"),
            pytest.param(b"canary", "it is not JSON", id="text"),
            pytest.param(b'{"a": "canary', "it is not JSON", id="cut off"),
            pytest.param(b"{} canary", "it is not JSON", id="text after it"),
            pytest.param('{"a": "canarý"}'.encode("latin-1"), "it is not JSON", id="Latin-1"),
            pytest.param(b"\xff\xfe\x00", "it is not JSON", id="half a character of UTF-16"),
            pytest.param(b"[NaN]", "it is not JSON", id="NaN"),
            pytest.param(b"[Infinity]", "it is not JSON", id="infinity"),
            pytest.param(b"[-Infinity]", "it is not JSON", id="minus infinity"),
            pytest.param(b"1" * 5000, "it is not JSON", id="a number of 5,000 digits"),
            pytest.param(b"[" * 200_000, "it is nested too deeply", id="very deep"),
            pytest.param(b'{"a":' * 200_000, "it is nested too deeply", id="very deep objects"),
        ],
    )
    def test_f51_what_is_no_json(self, body: bytes, reason: str) -> None:
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
            pytest.param(rb'{"\ud800": [{"\udc00": null}]}', {"\ufffd": [{"\ufffd": None}]}, id="keys"),
            pytest.param('["é漢", "\\ud800"]'.encode("utf-16"), ["é漢", "\ufffd"], id="UTF-16"),
        ],
    )
    def test_f99_half_of_a_surrogate_pair_is_replaced(self, body: bytes, value: object) -> None:
        """What no strict JSON can hold is U+FFFD wherever it was escaped, and a pair is left in peace."""
        assert parse_json(body) == value

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"1e400", id="an infinite number"),
            pytest.param(b'{"a": [{"b": -1E+400}]}', id="an infinite number far within"),
            pytest.param(b"1" * 400 + b".5", id="an infinite number without an exponent"),
            pytest.param(b'"\xed\xa0\x80"', id="half a pair in raw UTF-8"),
            pytest.param(b'"\xed\xa0\xbd\xed\xb8\x80"', id="a pair in raw UTF-8"),
            pytest.param('"\ud800"'.encode("utf-16-le", "surrogatepass"), id="half a pair in raw UTF-16"),
            pytest.param('"\ud800"'.encode("utf-32-be", "surrogatepass"), id="half a pair in raw UTF-32"),
            pytest.param(b'["\xc0\x80"]', id="an overlong NUL"),
            pytest.param(rb'"\ud8", "', id="half an escape"),
            pytest.param(rb'"\Ud800"', id="an escape that is none"),
        ],
    )
    def test_f99_what_is_refused(self, body: bytes) -> None:
        """A number that is infinite as a float is refused as NaN is, and so are bytes that are no Unicode."""
        with pytest.raises(MismatchError) as caught:
            parse_json(body)

        assert (caught.value.json_path, caught.value.reason) == ("$", "it is not JSON")
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("number", ["1e308", "-1.5e-400", "0.1", "0e999"])
    def test_f99_finite_numbers_are_read(self, number: str) -> None:
        """A number that a float can hold, or comes near, is read."""
        assert parse_json(number.encode()) == float(number)


@pytest.mark.parametrize(
    ("value", "is_one", "is_other"),
    [({}, True, False), ([], False, True), (None, False, False), ("x", False, False)],
    ids=repr,
)
def test_objects_and_arrays(value: object, is_one: bool, is_other: bool) -> None:
    """What was an object in JSON, and what an array, can be told."""
    assert (is_object(value), is_array(value)) == (is_one, is_other)


class TestBuild:
    """JSON that is what the specification says."""

    @every_model
    def test_examples_of_the_specs(self, package: Any, model: type[Any]) -> None:
        """Whatever a specification shows as an example is read, and written again as it was."""
        for example in schema(package, model.__name__)["examples"]:
            made = build(model, example)

            assert made == model.from_dict(example)
            written = made.to_dict()
            assert {key for key, value in example.items() if value is not None} == set(written)
            assert build(model, written) == made

    def test_every_field_is_read(self) -> None:
        """A group comes with its users, each with what the provider said of it."""
        group = build(smartpm.UserGroup, smartpm_group(user()))

        assert group == smartpm.UserGroup(
            id=UUID(ID),
            name="Project Managers",
            users=[
                smartpm.User(
                    id=UUID(ID),
                    email="kirby.smart@blah.com",
                    first_name="Kirby",
                    last_name="Smart",
                    phone_number="+1-555-123-4567",
                    title="Project Manager",
                    last_login=datetime(2024, 1, 1, 12, tzinfo=UTC),
                    login_count=42,
                    role="Admin",
                    sso_user=True,
                    reporting_restricted=False,
                )
            ],
        )

    def test_f52_unknown_fields_are_kept(self) -> None:
        """What the specification does not know is kept, at every level."""
        group = build(smartpm.UserGroup, smartpm_group(user(badge={"n": [1]}), size=5))

        assert group.additional_properties == {"size": 5}
        assert group.users[0]["badge"] == {"n": [1]}
        assert group.to_dict()["users"][0]["badge"] == {"n": [1]}

    @pytest.mark.parametrize("name", sorted(set(user()) - {"id", "email"}))
    def test_f54_users_may_lack_what_is_not_required(self, name: str) -> None:
        """A field of a user that is null or absent is None, and the group comes back whole."""
        absent = {key: value for key, value in user().items() if key != name}

        group = build(smartpm.UserGroup, smartpm_group(user(), user(**{name: None}), absent))

        assert len(group.users) == 3
        assert group.users[1] == group.users[2]
        assert name not in group.users[1].to_dict()
        assert name in group.users[0].to_dict()

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            pytest.param("2024-01-01T12:00:00+00:00", datetime(2024, 1, 1, 12, tzinfo=UTC), id="an offset"),
            pytest.param("2024-01-01T12:00:00Z", datetime(2024, 1, 1, 12, tzinfo=UTC), id="Z"),
            pytest.param("2024-01-01T12:00:00", datetime(2024, 1, 1, 12, tzinfo=UTC), id="no offset"),
            pytest.param("2024-01-01T12:00:00.123456", datetime(2024, 1, 1, 12, 0, 0, 123456, UTC), id="microseconds"),
            pytest.param("2024-01-01T14:30:00+02:30", datetime(2024, 1, 1, 12, tzinfo=UTC), id="another zone"),
        ],
    )
    def test_f54_date_times_have_a_zone(self, text: str, moment: datetime) -> None:
        """A date-time is aware; one without an offset is UTC."""
        group = build(smartpm.UserGroup, smartpm_group(user(lastLogin=text)))

        login = group.users[0].last_login
        assert login == moment
        assert login is not None
        assert login.tzinfo is not None

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

    @pytest.mark.parametrize(("number", "value"), [("3.0", 3), ("3e0", 3), ("-0.0", 0), ("1E22", 10**22), ("3", 3)])
    def test_f98_whole_numbers_in_each_of_their_forms(self, number: str, value: int) -> None:
        """A number without a fraction is whole, however JSON spells it."""
        count = build(smartpm.User, user(loginCount=parse_json(number.encode()))).login_count

        assert (type(count), count) == (int, value)

    def test_f54_date_times_of_m3ter_have_a_zone(self) -> None:
        """Every date-time of a model is aware, not the first one only."""
        group = build(
            m3ter.UserGroup, m3ter_group(dtCreated="2024-01-01T12:00:00", dtLastModified="2024-01-02T12:00:00")
        )

        assert group.dt_created == datetime(2024, 1, 1, 12, tzinfo=UTC)
        assert group.dt_last_modified == datetime(2024, 1, 2, 12, tzinfo=UTC)

    def test_numbers_keep_their_size(self) -> None:
        """A count above 64 bits is a count."""
        assert build(m3ter.UserGroup, m3ter_group(version=2**70)).version == 2**70

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
            assert re.match(r"\$(\.\w+|\[\d+\])*$", path)
            assert context is None


class TestMismatch:
    """JSON that is not what the specification says: where, and how."""

    @pytest.mark.parametrize(
        ("raw", "path", "reason"),
        [
            pytest.param(None, "$", "it is null, not an object", id="null"),
            pytest.param([], "$", "it is an array, not an object", id="an array"),
            pytest.param("canary", "$", "it is text, not an object", id="text"),
            pytest.param(5, "$", "it is a number, not an object", id="a number"),
            pytest.param(0.5, "$", "it is a number, not an object", id="a fraction"),
            pytest.param(True, "$", "it is a boolean, not an object", id="true"),
            pytest.param([["id", ID], ["name", "n"], ["users", []]], "$", "it is an array, not an object", id="pairs"),
            pytest.param({}, "$.id", "it is missing", id="nothing in it"),
            pytest.param(smartpm_group(id=None), "$.id", "it is null", id="no id"),
            pytest.param(smartpm_group(id="canary"), "$.id", "it is text, not a UUID", id="an id that is no UUID"),
            pytest.param(smartpm_group(id=5), "$.id", "it is a number, not a UUID", id="an id that is a number"),
            pytest.param(smartpm_group(id=[]), "$.id", "it is an array, not a UUID", id="an id that is an array"),
            pytest.param(smartpm_group(id={}), "$.id", "it is an object, not a UUID", id="an id that is an object"),
            pytest.param({"id": ID, "users": []}, "$.name", "it is missing", id="no name"),
            pytest.param(smartpm_group(name=5), "$.name", "it is a number, not text", id="a name that is a number"),
            pytest.param({"id": ID, "name": "n"}, "$.users", "it is missing", id="no users"),
            pytest.param(smartpm_group(users=None), "$.users", "it is null", id="users that are null"),
            pytest.param(
                smartpm_group(users="canary"), "$.users", "it is text, not an array", id="users that are text"
            ),
            pytest.param(
                smartpm_group(users=5), "$.users", "it is a number, not an array", id="users that are a number"
            ),
        ],
    )
    def test_f52_group(self, raw: object, path: str, reason: str) -> None:
        """A group that is not as specified says where and how, and does not show what it is."""
        error = mismatch(smartpm.UserGroup, raw)

        assert (error.json_path, error.reason) == (path, reason)
        assert "canary" not in repr(error)

    @pytest.mark.parametrize(
        ("users", "reason"), [("", "text"), ({}, "an object"), ({"a": user()}, "an object"), (False, "a boolean")]
    )
    def test_f52_users_that_only_look_empty(self, users: object, reason: str) -> None:
        """A group whose users cannot be read is never a group without users."""
        error = mismatch(smartpm.UserGroup, smartpm_group(users=users))

        assert (error.json_path, error.reason) == ("$.users", f"it is {reason}, not an array")

    @pytest.mark.parametrize(
        ("one", "path", "reason"),
        [
            pytest.param(None, "", "it is null, not an object", id="null"),
            pytest.param("canary", "", "it is text, not an object", id="text"),
            pytest.param([["id", ID], ["email", "x"]], "", "it is an array, not an object", id="pairs"),
            pytest.param(["id", "email"], "", "it is an array, not an object", id="an array"),
            pytest.param({"email": "canary"}, ".id", "it is missing", id="no id"),
            pytest.param(user(id="canary"), ".id", "it is text, not a UUID", id="an id that is no UUID"),
            pytest.param({"id": ID}, ".email", "it is missing", id="no email"),
            pytest.param(user(email=None), ".email", "it is null", id="an email that is null"),
            pytest.param(user(email=5), ".email", "it is a number, not text", id="an email that is a number"),
        ],
    )
    def test_f52_user(self, one: object, path: str, reason: str) -> None:
        """One bad user is named by its place, and costs the whole answer."""
        error = mismatch(smartpm.UserGroup, smartpm_group(user(), user(), one, user(id=5)))

        assert (error.json_path, error.reason) == (f"$.users[2]{path}", reason)
        assert "canary" not in repr(error)

    def test_path_begins_where_the_caller_says(self) -> None:
        """A place in a list that was taken apart is named from the root of the document."""
        assert mismatch(m3ter.UserGroup, {}, "$.data[3]").json_path == "$.data[3].id"

    @unhurried
    @given(
        users=st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
        field=st.sampled_from(["id", "email"]),
        value=st.integers() | st.booleans() | st.lists(st.none()) | st.just("canary") | st.floats() | st.just({}),
    )
    def test_f52_path_points_to_what_was_broken(self, users: tuple[int, int], field: str, value: object) -> None:
        """Wherever one value of a wrong type is put into a required field, that is the place that is named."""
        hypothesis.assume(field == "id" or not isinstance(value, str))  # "canary" is no UUID
        count, broken = users

        error = mismatch(
            smartpm.UserGroup,
            smartpm_group(*(user(**{field: value}) if index == broken else user() for index in range(count))),
        )

        assert error.json_path == f"$.users[{broken}].{field}"

    @unhurried
    @given(st.integers(0, 5), st.sampled_from(["id", "email"]), st.booleans())
    def test_f52_path_points_to_what_is_missing(self, broken: int, field: str, null: bool) -> None:
        """Wherever a required field is missing or null, that is the place that is named."""
        bad = user(**{field: None}) if null else {key: value for key, value in user().items() if key != field}
        group = smartpm_group(*[user()] * broken, bad)

        error = mismatch(smartpm.UserGroup, group)

        assert error.json_path == f"$.users[{broken}].{field}"
        assert error.reason == ("it is null" if null else "it is missing")


class TestUnfit:
    """Fields that are not required and do not fit: the rest is read, and they are kept as they came."""

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            pytest.param("title", 5, "it is a number, not text", id="a title that is a number"),
            pytest.param("title", {"en": "canary"}, "it is an object, not text", id="a title that is an object"),
            pytest.param("role", ["canary"], "it is an array, not text", id="a role that is an array"),
            pytest.param("lastLogin", "canary", "it is text, not a date-time", id="no date"),
            pytest.param("lastLogin", "", "it is text, not a date-time", id="an empty date"),
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
        """One field that does not fit costs that field alone, and a warning says which it is, and not what it was."""
        raw = user(**{field: value}, badge=7)

        group = build(smartpm.UserGroup, smartpm_group(user(), raw, user()))

        assert group.users[0] == group.users[2] == build(smartpm.User, user())
        assert getattr(group.users[1], re.sub("([A-Z])", r"_\1", field).lower()) is None
        assert group.users[1].additional_properties == {"badge": 7, field: value}
        assert group.users[1].to_dict() == raw
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("usergroups", "WARNING")
        assert f"User.{field} " in record.getMessage()
        assert f"{reason} (at $.users[1].{field})" in record.getMessage()
        assert "canary" not in record.getMessage()

    def test_f109_each_field_is_told_of_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """A client is warned once of each field of each model; another client is warned too."""
        readers = Reader(), Reader()
        for reader in readers:
            for _ in range(3):
                reader.read(smartpm.UserGroup, smartpm_group(user(title=1), user(title=2, role=3)))
            reader.read(m3ter.UserGroup, m3ter_group(name=5))
            reader.read(smartpm.UserGroup, smartpm_group())

        told = [record.getMessage().partition(" ")[0] for record in caplog.records]
        assert told == ["User.title", "User.role", "UserGroup.name"] * 2

    def test_f109_nothing_is_said_of_what_fits(self, caplog: pytest.LogCaptureFixture) -> None:
        """Absent, null and unknown fields are as specified."""
        build(smartpm.UserGroup, smartpm_group(user(title=None, badge=5), {"id": ID, "email": "x"}))

        assert caplog.records == []

    def test_f109_what_was_left_out_can_be_read_again(self) -> None:
        """What was written of such a user is read as the same user."""
        one = build(smartpm.User, user(loginCount="42", lastLogin=1_700_000_000))

        assert build(smartpm.User, one.to_dict()) == one

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
    level: Level
    share: float
    word: Literal["x"]
    maybe: float | None
    anything: Any
    owner: Error
    free: Nothing
    tags: list[str]
    ids: list[UUID]
    groups: list["UserGroup"] | None = None  # noqa: F821  # a name of the package that the class says it is from
    other: Error | None = None
    since: datetime | None = None
    born: date | None = None
    mood: Colour | None = None
    rank: Level | None = None
    ratio: float | int | None = None
    letter: Literal["x", 1] | None = None
    key: UUID | None = None
    holder: Optional["UserGroup"] = None  # noqa: F821  # as above
    additional_properties: dict[str, Any] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "at": self.at.isoformat(),
            "day": self.day.isoformat(),
            "colour": self.colour.value,
            "level": self.level.value,
            "share": self.share,
            "word": self.word,
            "maybe": self.maybe,
            "any-thing": self.anything,
            "owner": self.owner.to_dict(),
            "free": self.free.to_dict(),
            "tags": self.tags,
            "ids": [str(one) for one in self.ids],
            "groups": [one.to_dict() for one in self.groups or ()],
            "other": self.other and self.other.to_dict(),
            "since": self.since and self.since.isoformat(),
            "born": self.born and self.born.isoformat(),
            "mood": self.mood and self.mood.value,
            "rank": self.rank and self.rank.value,
            "ratio": self.ratio,
            "letter": self.letter,
            "key": self.key and str(self.key),
            "holder": self.holder and self.holder.to_dict(),
        }


def everything(**changes: object) -> dict[str, object]:
    """Return the JSON of an `Everything`, but for *changes*; `any_thing` is the field with the odd name."""
    good: dict[str, object] = {
        "at": "2024-01-01T12:00:00",
        "day": "2024-01-01",
        "colour": "red",
        "level": 2,
        "share": 0.5,
        "word": "x",
        "maybe": None,
        "any-thing": None,
        "owner": {"message": "m"},
        "free": {"a": "b"},
        "tags": ["a"],
        "ids": [ID],
        "groups": [m3ter_group()],
        "other": None,
    }
    return good | {key.replace("_", "-"): value for key, value in changes.items()}


class TestFuture:
    """Fields of kinds that no specification has today: a new field arrives right or is refused."""

    def test_every_kind_of_field_is_read(self) -> None:
        """Dates, enumerations, numbers, constants, lists and models within models are read."""
        made = build(Everything, everything())

        assert made.at == datetime(2024, 1, 1, 12, tzinfo=UTC)
        assert (made.day, made.colour, made.level) == (date(2024, 1, 1), Colour.RED, Level.HIGH)
        assert (made.owner.message, made.free.additional_properties) == ("m", {"a": "b"})
        assert (made.tags, made.ids, made.other) == (["a"], [UUID(ID)], None)
        assert made.groups == [build(m3ter.UserGroup, m3ter_group())]

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"share": 1, "maybe": 1}, id="a whole number where any number is wanted"),
            pytest.param({"maybe": 0.5}, id="a number where it may be null"),
            pytest.param({"any_thing": [{"a": None}]}, id="anything where anything is wanted"),
            pytest.param({"tags": [], "ids": [], "groups": []}, id="empty lists"),
            pytest.param({"groups": None}, id="no list"),
            pytest.param({"other": {"message": None}}, id="a model where it may be null"),
            pytest.param({"free": {}}, id="an empty object"),
        ],
    )
    def test_what_else_is_right(self, changes: dict[str, object]) -> None:
        """What the specification allows is not refused."""
        assert isinstance(build(Everything, everything(**changes)), Everything)

    @pytest.mark.parametrize(
        ("changes", "path", "reason"),
        [
            pytest.param({"at": "noon"}, "$.at", "it is text, not a date-time", id="no date-time"),
            pytest.param({"day": "2024-01-01T12:00"}, "$.day", "it is text, not a date", id="no date"),
            pytest.param({"day": "20240101"}, "$.day", "it is text, not a date", id="the basic format"),
            pytest.param({"day": "2024-W01-1"}, "$.day", "it is text, not a date", id="a week date"),
            pytest.param({"day": "2024-02-30"}, "$.day", "it is text, not a date", id="no such day"),
            pytest.param({"day": 5}, "$.day", "it is a number, not a date", id="a date that is a number"),
            pytest.param({"colour": "green"}, "$.colour", "it is text, not one of its values", id="another word"),
            pytest.param({"colour": []}, "$.colour", "it is an array, not one of its values", id="no word"),
            pytest.param({"level": 3}, "$.level", "it is a number, not one of its values", id="another number"),
            pytest.param({"share": "0.5"}, "$.share", "it is text, not a number", id="no number"),
            pytest.param({"share": None}, "$.share", "it is null", id="no number at all"),
            pytest.param({"word": 5}, "$.word", "it is a number, not one of its values", id="another type"),
            pytest.param({"word": "y"}, "$.word", "it is text, not one of its values", id="another constant"),
            pytest.param({"owner": []}, "$.owner", "it is an array, not an object", id="no model"),
            pytest.param({"owner": [["message", "m"]]}, "$.owner", "it is an array, not an object", id="pairs"),
            pytest.param({"owner": None}, "$.owner", "it is null, not an object", id="null where a model is wanted"),
            pytest.param({"free": "x"}, "$.free", "it is text, not an object", id="no object"),
            pytest.param({"tags": ""}, "$.tags", "it is text, not an array", id="a list that only looks empty"),
            pytest.param({"ids": {}}, "$.ids", "it is an object, not an array", id="another that does"),
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
            pytest.param({"since": "noon"}, "", "it is text, not a date-time", id="no date-time"),
            pytest.param({"born": "2024"}, "", "it is text, not a date", id="no date"),
            pytest.param({"mood": "green"}, "", "it is text, not one of its values", id="an enumeration's new word"),
            pytest.param({"mood": {}}, "", "it is an object, not one of its values", id="no word"),
            pytest.param({"rank": 3}, "", "it is a number, not one of its values", id="an enumeration's new number"),
            pytest.param({"rank": True}, "", "it is a boolean, not one of its values", id="true for one"),
            pytest.param({"ratio": "1"}, "", "it is text, not a number or a whole number", id="no number"),
            pytest.param({"letter": "y"}, "", "it is text, not one of its values", id="another constant"),
            pytest.param({"key": "x"}, "", "it is text, not a UUID", id="no UUID"),
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
        [("rank", 2), ("ratio", 3), ("ratio", 3.0), ("letter", "x"), ("letter", 1), ("mood", "blue"), ("key", ID)],
    )
    def test_values_are_written_as_they_came(self, field: str, value: object) -> None:
        """What fits is what it was when it is written again."""
        made = build(Everything, everything(**{field: value}))

        assert repr(made.to_dict().get(field, made.additional_properties.get(field))) == repr(value)

    def test_f98_whole_numbers_of_an_enumeration(self) -> None:
        """A number that is one of some may be spelt with a point."""
        made = build(Everything, everything(level=1.0, rank=2.0, letter=1.0))

        assert (made.level, made.rank, made.letter) == (Level.LOW, Level.HIGH, 1)
        assert repr(made.to_dict()["letter"]) == "1"

    @pytest.mark.parametrize("name", [name for name in everything() if name not in ("groups", "other")])
    def test_what_is_missing(self, name: str) -> None:
        """A required field that is missing is named, even where null would do."""
        raw = {key: value for key, value in everything().items() if key != name}

        error = mismatch(Everything, raw)

        assert (error.json_path, error.reason) == (f"$.{name}", "it is missing")


class TestShape:
    """What is known of a generated model."""

    @every_model
    def test_names_are_those_of_the_spec(self, package: Any, model: type[Any]) -> None:
        """Each attribute of each generated model stands for the property of that name, so that paths are right."""
        shape = _shape(model)
        properties = schema(package, model.__name__)["properties"]
        json_names = [json_name for json_name, _ in shape.fields]

        assert set(json_names) == set(properties)
        assert shape.names == tuple(re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower() for name in json_names)

    @every_model
    def test_required_is_what_the_spec_requires(self, package: Any, model: type[Any]) -> None:
        """A field is asked for exactly where the specification requires it."""
        required = {json_name for json_name, absent in _shape(model).fields if absent is not None}

        assert required == set(schema(package, model.__name__).get("required", ()))

    @every_model
    def test_kinds_are_those_of_the_spec(self, package: Any, model: type[Any]) -> None:
        """Each field takes the JSON types that the specification gives it, and is called what it is."""
        python = {
            ("string", None): ({str}, "text"),
            ("string", "uuid"): ({str}, "a UUID"),
            ("string", "date-time"): ({str}, "a date-time"),
            ("integer", "int64"): ({int, float}, "a whole number"),
            ("boolean", None): ({bool}, "true or false"),
            ("array", None): (set[type](), "an array"),
        }
        shape = _shape(model)
        required = schema(package, model.__name__).get("required", ())

        for (name, _), kind in zip(shape.fields, shape.kinds, strict=True):
            said = schema(package, model.__name__)["properties"][name]
            types = said["type"] if isinstance(said["type"], list) else [said["type"]]
            (one,) = set(types) - {"null"}
            wanted, called = python[one, said.get("format")]
            if said.get("const"):
                called = "one of its values"
            assert (set(kind.reads) - {type(None)}, kind.expected) == (wanted, called)
            assert (type(None) in kind.reads) is ("null" in types or name not in required)
            assert (kind.items is not None) is (one == "array")

    @every_model
    def test_unknown_fields_are_not_typed(self, package: Any, model: type[Any]) -> None:
        """What a specification does not name may be anything, for it is kept as it came."""
        assert get_type_hints(model, localns=vars(package))["additional_properties"] == dict[str, Any]


def answer(document: object) -> Response:
    """Return a good answer with *document* as its body."""
    request = httpx.Request("GET", "https://api.example/x")
    return Response(status_code=200, headers={}, body=json.dumps(document).encode(), request=request)


class TestPages:
    """m3ter's page of user groups, in every shape that it may come in."""

    @pytest.mark.parametrize(
        ("document", "ids", "token"),
        [
            pytest.param({"data": [{"id": "a"}, {"id": "b"}], "nextToken": "t"}, ["a", "b"], "t", id="an envelope"),
            pytest.param({"data": [{"id": "a"}]}, ["a"], None, id="the last envelope"),
            pytest.param({"data": [{"id": "a"}], "nextToken": None}, ["a"], None, id="the last one, with null"),
            pytest.param({"data": [{"id": "a"}], "nextToken": ""}, ["a"], None, id="the last one, with nothing"),
            pytest.param({"data": [], "nextToken": "t"}, [], "t", id="an empty page with more to come"),
            pytest.param({"data": [{"id": "a"}], "id": "b"}, ["a"], None, id="an envelope with an id"),
            pytest.param({"data": [], "total": 0}, [], None, id="an envelope with more in it"),
            pytest.param([{"id": "a"}, {"id": "b"}], ["a", "b"], None, id="an array"),
            pytest.param([], [], None, id="an empty array"),
            pytest.param({"id": "a", "name": None}, ["a"], None, id="one group"),
            pytest.param({"id": "a", "data": None}, ["a"], None, id="one group with null data"),
            pytest.param({"id": "a", "nextToken": "t"}, ["a"], "t", id="one group with more to come"),
            pytest.param({}, [], None, id="an empty object"),
            pytest.param({"data": None}, [], None, id="null data"),
            pytest.param({"data": None, "nextToken": "t"}, [], "t", id="null data with more to come"),
        ],
    )
    async def test_f53_good_ones(self, document: object, ids: list[str], token: str | None) -> None:
        """Each shape that the provider may answer in is a page."""
        found = await read_page(Reader(), answer(document))

        assert [group.id for group in found.items] == ids
        assert found.next_token == token

    @pytest.mark.parametrize(
        ("document", "path"),
        [
            pytest.param(None, "$", id="null"),
            pytest.param("x", "$", id="text"),
            pytest.param(5, "$", id="a number"),
            pytest.param({"message": "x"}, "$.data", id="another object"),
            pytest.param({"nextToken": "t"}, "$.data", id="a token alone"),
            pytest.param({"data": {}}, "$.data", id="an object in the envelope"),
            pytest.param({"data": ""}, "$.data", id="text in the envelope"),
            pytest.param({"data": {"id": "a"}}, "$.data", id="one group in the envelope"),
            pytest.param({"id": None}, "$.id", id="one group without its id"),
            pytest.param([{"id": "a"}, {}], "$[1].id", id="a group without its id in an array"),
            pytest.param([[]], "$[0]", id="an array in an array"),
            pytest.param({"data": [{"id": "a"}] * 3 + [{"id": 5}]}, "$.data[3].id", id="a bad id in the envelope"),
            pytest.param({"data": [None]}, "$.data[0]", id="null in the envelope"),
        ],
    )
    async def test_f53_bad_ones(self, document: object, path: str) -> None:
        """Any other shape is refused, never taken for an empty page."""
        with pytest.raises(MismatchError) as caught:
            await read_page(Reader(), answer(document))

        assert caught.value.json_path == path

    @pytest.mark.parametrize(
        "token", [5, 0, False, ["t"], {}, "x" * 1_048_576, "\ud800"], ids=lambda token: repr(token)[:12]
    )
    async def test_f57_bad_tokens(self, token: object) -> None:
        """A next token that could not be sent back is refused."""
        with pytest.raises(MismatchError) as caught:
            await read_page(Reader(), answer({"data": [], "nextToken": token}))

        assert caught.value.json_path == "$.nextToken"

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
    async def test_f53_anything(self, document: object) -> None:
        """Any JSON is a page of groups, or a `MismatchError`."""
        try:
            found = await read_page(Reader(), answer(document))
        except MismatchError:
            return

        assert all(isinstance(group, m3ter.UserGroup) for group in found.items)
        assert found.next_token is None or isinstance(found.next_token, str)


class TestGroups:
    """SmartPM's user group with its users."""

    async def test_f54_naive_date_times_are_utc(self) -> None:
        """A group is read whole, and its naive times are UTC."""
        group = await read_group(
            Reader(), UUID(ID), answer(smartpm_group(user(lastLogin="2024-01-01T12:00:00"), user(lastLogin=None)))
        )

        assert [one.last_login for one in group.users] == [datetime(2024, 1, 1, 12, tzinfo=UTC), None]
        assert group.users[0].last_login.utcoffset() == timedelta(0)

    @pytest.mark.parametrize("document", [None, [], "x", {}, [smartpm_group()]], ids=repr)
    async def test_f49_bad_ones(self, document: object) -> None:
        """What is no group is refused."""
        with pytest.raises(MismatchError):
            await read_group(Reader(), UUID(ID), answer(document))

    async def test_f84_another_group(self) -> None:
        """A group with another id than was asked for is refused, whatever its users are."""
        with pytest.raises(MismatchError) as caught:
            await read_group(Reader(), UUID(int=1), answer(smartpm_group(None)))

        assert (caught.value.json_path, caught.value.reason) == (
            "$.id",
            "it is the id of another group than was asked for",
        )

    @pytest.mark.parametrize("size", [0, 1, 1000, 2500])
    async def test_group_is_read_whole_whatever_its_size(self, size: int) -> None:
        """All users of a group are there, in their order, also where it is read in parts."""
        group = await read_group(
            Reader(), UUID(ID), answer(smartpm_group(*(user(loginCount=number) for number in range(size)), rank=1))
        )

        assert [one.login_count for one in group.users] == list(range(size))
        assert (group.name, group.additional_properties) == ("Project Managers", {"rank": 1})

    @pytest.mark.parametrize("place", [0, 999, 1000, 2499])
    @pytest.mark.parametrize(
        ("bad", "path"),
        [(user(email=5), ".email"), ([["id", ID], ["email", "x"]], ""), ({"email": "x"}, ".id")],
        ids=["a wrong type", "pairs", "a missing id"],
    )
    async def test_f52_bad_user_of_a_large_group(self, place: int, bad: object, path: str) -> None:
        """Wherever one user is bad, the whole answer is refused, and that user is named."""
        users: list[object] = [user()] * 2500
        users[place] = bad

        with pytest.raises(MismatchError) as caught:
            await read_group(Reader(), UUID(ID), answer(smartpm_group(*users)))

        assert caught.value.json_path == f"$.users[{place}]{path}"
