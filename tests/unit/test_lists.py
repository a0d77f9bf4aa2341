"""The list of an answer: a piece is parsed and read per turn of the loop, and it is the same as if read at once."""

import json
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar
from uuid import UUID

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usergroups import _lists, m3ter, smartpm
from usergroups._http.exchange import Response
from usergroups._lists import read_list
from usergroups._models import MismatchError, Reader, parse_json
from usergroups.m3ter import _read_page
from usergroups.smartpm import _read_group, _read_roles, _read_users

PIECE = 64 * 1024  # bytes
ID = "550e8400-e29b-41d4-a716-446655440000"
USER = {"id": ID, "firstName": "Kirby", "email": "kirby@blah.com", "title": None, "loginCount": 42, "role": "Admin"}
TOO_MANY = "it holds more or longer values than real records do"

T = TypeVar("T")

pytestmark = pytest.mark.usefixtures("parser")

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test

texts = st.text('},{"[]\\: a\ud800\ude00\u6f22', max_size=12)
items: st.SearchStrategy[Any] = st.lists(
    st.dictionaries(
        st.sampled_from(["id", "name", "a", "\u00e9"]),
        st.none() | st.integers() | texts | st.lists(st.dictionaries(st.just("id"), texts, max_size=1), max_size=3),
        max_size=3,
    )
    | st.fixed_dictionaries({"id": texts}, optional={"name": texts, "more": texts})
    | st.integers()
    | st.floats(),
    max_size=30,
)
good_items = st.lists(st.fixed_dictionaries({"id": texts}, optional={"name": texts, "more": texts}), max_size=30)
members = st.tuples(st.sampled_from(["data", "id", "x", 'a"data']), items | good_items | texts)
documents = items | good_items | st.lists(members, max_size=4)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])


def written(document: object, separators: tuple[str, str], *, ascii_only: bool = True) -> str:
    """Return *document* as JSON; an object is a list of names and values, so that a name may come again."""

    def dumps(value: object) -> str:
        return json.dumps(value, separators=separators, ensure_ascii=ascii_only)

    if isinstance(document, list) and document and all(isinstance(one, tuple) for one in document):
        return "{" + separators[0].join(f"{dumps(name)}{separators[1]}{dumps(value)}" for name, value in document) + "}"
    return dumps(document)


def in_turns(work: Coroutine[Any, Any, T]) -> tuple[T, int]:
    """Return what *work* returns, and how often the event loop had its turn meanwhile."""
    turns = 0
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            return done.value, turns
        turns += 1


def response(body: bytes) -> Response:
    """Return a good answer with *body*."""
    return Response(status_code=200, headers={}, body=body)


def came(body: bytes) -> object:
    """Return what comes of the document in *body*, and of its list; or what is wrong with either."""
    try:
        (document, models), _ = in_turns(read_list(Reader(), m3ter.UserGroup, "data", body))
        return repr((document, models.all()))  # also of what is NaN
    except MismatchError as mismatch:
        return mismatch.args


def users(count: int, **changes: object) -> bytes:
    """Return *count* users as an array of JSON."""
    return b"[%b]" % b",".join(json.dumps({**USER, **changes, "loginCount": n}).encode() for n in range(count))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the lengths of all that is parsed at once in the test."""
    lengths: list[int] = []

    def recorded(body: bytes) -> object:
        lengths.append(len(body))
        return parse_json(body)

    monkeypatch.setattr(_lists, "parse_json", recorded)
    return lengths


class TestTurns:
    """How much of an answer is parsed and read per turn."""

    @pytest.mark.parametrize(
        "form",
        [
            pytest.param(b"%b", id="an array"),
            pytest.param(b'\xef\xbb\xbf {"users" : \n%b}', id="behind a byte order mark"),
            pytest.param(b'{"more": [{}], "users": %b, "data": [{}]}', id="between others"),
        ],
    )
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param("Admin", id="flat"),
            pytest.param([{"name": "Planner"}] * 5, id="objects within"),
            pytest.param([{"id": ID, "name": "Planner"}] * 5, id="objects within that begin alike"),
            pytest.param('"},{"id": \\', id="text like a beginning"),
            pytest.param("\ud800\u00eb\u6f22\U0001f600", id="escapes"),
        ],
    )
    def test_f107_long_list(self, parsed: list[int], form: bytes, change: object) -> None:
        """A piece of a long list is parsed and read per turn, and the models are those of what is parsed at once."""
        body = form % users(3_000, more=change)
        (_, models), turns = in_turns(read_list(Reader(), smartpm.User, "users", body))

        raw = parse_json(body)
        raw = raw["users"] if isinstance(raw, dict) else raw
        assert models.all() == Reader().read_all(smartpm.User, raw, "$")
        assert max(parsed) < PIECE * 1.1
        assert turns >= len(body) // PIECE

    def test_f107_utf_16(self, parsed: list[int]) -> None:
        """A list in another encoding is parsed piece by piece, too."""
        body = users(6_000, role="\u6f22").decode().encode("utf-16")

        (_, models), _ = in_turns(read_list(Reader(), smartpm.User, "users", body))

        assert [one.login_count for one in models.all()] == [*range(6_000)]
        assert max(parsed) < PIECE * 1.1

    def test_short_answer_takes_no_turn(self) -> None:
        """Nearly all answers are short: they are parsed and read at once."""
        page, turns = in_turns(_read_page(m3ter.UserGroup, Reader(), response(b'{"data": [{"id": "1"}]}')))

        assert ([one.id for one in page.items], turns) == (["1"], 0)

    @pytest.mark.parametrize("count", [10_000, 50_000])
    def test_f107_group(self, count: int) -> None:
        """The users of a group, however many, come whole and in order, with a turn for each piece of the answer."""
        body = b'{"id": "%b", "name": "Planners", "users": %b, "more": 5}' % (ID.encode(), users(count))

        group, turns = in_turns(_read_group(Reader(), UUID(ID), response(body)))

        assert [one.login_count for one in group.users] == [*range(count)]
        assert (group.id, group.name, group.additional_properties) == (UUID(ID), "Planners", {"more": 5})
        assert turns >= len(body) // PIECE

    def test_f107_page(self) -> None:
        """A page is read with a turn for each piece of it, and with what stands behind its items."""
        body = b'{"data": [%b], "nextToken": "t"}' % b",".join(b'{"id":"%d"}' % n for n in range(100_000))

        page, turns = in_turns(_read_page(m3ter.UserGroup, Reader(), response(body)))

        assert [one.id for one in page.items] == [str(n) for n in range(100_000)]
        assert page.next_token == "t"
        assert turns >= len(body) // PIECE

    def test_f107_users_of_the_company(self) -> None:
        """The users of a company are read with a turn for each piece of the answer."""
        body = users(10_000)

        found, turns = in_turns(_read_users(Reader(), response(body)))

        assert [one.login_count for one in found] == [*range(10_000)]
        assert turns >= len(body) // PIECE

    def test_f107_roles(self) -> None:
        """The roles of a user are read with a turn for each piece of the answer."""
        roles = b",".join(b'{"projectId":%d,"userGroupName":"Planners"}' % n for n in range(10_000))
        body = b'{"projectRoles": [%b], "userId": "%b"}' % (roles, ID.encode())

        found, turns = in_turns(_read_roles(Reader(), UUID(ID), response(body)))

        assert [one.project_id for one in found.project_roles] == [*range(10_000)]
        assert found.user_id == UUID(ID)
        assert turns >= len(body) // PIECE

    def test_f107_item_longer_than_a_piece(self) -> None:
        """An item that is longer than a piece is read as it came, and the others around it."""
        long = "x\u6f22" * 300_000
        body = b"[%b, %b, %b]" % (users(3_000)[1:-1], json.dumps({**USER, "role": long}).encode(), users(3_000)[1:-1])

        found, _ = in_turns(_read_users(Reader(), response(body)))

        assert [len(one.role or "") for one in found] == [5] * 3_000 + [len(long)] + [5] * 3_000


class TestMismatches:
    """What is wrong with a long answer, and which of several faults is told."""

    @pytest.mark.parametrize(
        ("body", "where", "reason"),
        [
            pytest.param(b'{"id":"%b","name":"n","users":%b}', "$.users[2000].email", "it is missing", id="an item"),
            pytest.param(b'{"id":"%b","name":5,"users":%b}', "$.name", "it is a number, not text", id="and the group"),
            pytest.param(b'{"id":"%b","name":"n","users":%b', "$", "it is not JSON", id="and the end"),
            pytest.param(b'{"id":"%b","name":"n","users":%b}}', "$", "it is not JSON", id="and behind the end"),
            pytest.param(b'{"id":"%b","name":"n","users":%b,}', "$", "it is not JSON", id="and the last comma"),
            pytest.param(b'{"id":"%b","name":"n","users":%b "a":1}', "$", "it is not JSON", id="and no comma"),
        ],
    )
    def test_f52_f107_first_of_several(self, body: bytes, where: str, reason: str) -> None:
        """An item that does not fit is told last: after an answer that is no JSON, and a group that does not fit."""
        body %= ID.encode(), users(4_000).replace(b'"email": "kirby@blah.com", "title": null, "loginCount": 2000,', b"")

        with pytest.raises(MismatchError) as caught:
            in_turns(_read_group(Reader(), UUID(ID), response(body)))

        assert caught.value.args == (where, reason)

    def test_f84_f107_another_group(self) -> None:
        """A group that was not asked for is that, whatever its users are."""
        body = b'{"id":"%b","name":"n","users":%b}' % (ID.encode(), users(4_000, email=5))

        with pytest.raises(MismatchError) as caught:
            in_turns(_read_group(Reader(), UUID(int=5), response(body)))

        assert caught.value.json_path == "$.id"


@pytest.fixture(scope="class")
def _short_pieces() -> Iterator[None]:
    """Take an answer of more than 64 bytes for a long one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_lists, "_PIECE", 64)
        yield


def at_once(body: bytes) -> object:
    """Return what comes of *body* if it is taken for a short answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_lists, "_PIECE", 10**9)
        return came(body)


@pytest.mark.usefixtures("_short_pieces")
class TestEquality:
    """What comes of a long answer is what comes of a short one."""

    @unhurried
    @given(documents, separators, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-be"]))
    def test_f51_f107_any_document(
        self, document: object, separators: tuple[str, str], ascii_only: bool, encoding: str
    ) -> None:
        """Any JSON is read alike."""
        body = written(document, separators, ascii_only=ascii_only).encode(encoding, "replace")

        assert came(body) == at_once(body)

    @unhurried
    @given(documents, separators, st.data())
    def test_f51_f107_any_damage(self, document: object, separators: tuple[str, str], data: st.DataObject) -> None:
        """Any JSON that is cut off, or has other bytes in it, is read alike, or the same is wrong with it."""
        body = written(document, separators).encode()
        start, end = sorted(data.draw(st.integers(0, len(body))) for _ in range(2))
        marks = [b"[", b"]", b"{", b"}", b",", b"\\", b" ", b"{},", b"]}", b"\0", b"\xe9", b"NaN", b"1e999", rb"\ud800"]
        body = body[:start] + data.draw(st.binary(max_size=2) | st.sampled_from(marks)) + body[end:]

        assert came(body) == at_once(body)

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b'{"id": "see \\"data\\": [%b]"}' % (b"{}," * 99 + b"{}"), id="an array within a text"),
            pytest.param(b'{"a\\"data": [%b]}' % (b'{"id":"1"},' * 99 + b"{}"), id="a name that ends alike"),
            pytest.param(b'{"a": {"data": [%b]}}' % (b'{"id":"1"},' * 99 + b"{}"), id="an array further down"),
            pytest.param(b'{"data": [{"id":"1"}], "data": [%b]}' % (b'{"id":"1"},' * 99 + b"{}"), id="a name twice"),
            pytest.param(b'{"data": [%b], "data": 5}' % (b'{"id":"1"},' * 99 + b'{"id":"1"}'), id="a name twice, a 5"),
            pytest.param(b"[%b]" % (b'{"id":"1"},' * 99), id="a comma at the end"),
            pytest.param(b"[%b" % (b'{"id":"1"},' * 99 + b"{}"), id="no end"),
            pytest.param(b"[%b]x" % (b'{"id":"1"},' * 99 + b"{}"), id="something after the end"),
            pytest.param(b"[%b]" % (b'{"id":"1"} ' * 99 + b"{}"), id="no commas"),
            pytest.param(b"[%b]" % (b'{"id":"1"},' * 50 + b"nul," + b'{"id":"1"},' * 50 + b"{}"), id="a bad item"),
            pytest.param(b'[{"id":"1"}, {"id": "%b"}, {"id":"1"}]' % (b"x" * 999), id="an item longer than a piece"),
            pytest.param(b'[{"id":"1"}, {"id": "%b"}]' % (rb"\ud83d\ude00" * 99), id="escapes that are cut"),
            pytest.param(b'[{"id":"1"}, {"id": "%b"}]' % (rb"\\\\\ud800" * 99), id="halves of pairs"),
            pytest.param(b'[{"id":"1"}, {"id": "%b' % (b"},{" * 99), id="a text without an end"),
            pytest.param(b'[{"id":"1"}, {"a": %b}, {}]' % (b"[" * 9999 + b"]" * 9999), id="a deep item"),
            pytest.param(b'{"data": [{"id":"1"}], "x": %b}' % (b"[" * 9999), id="deep after the list"),
            pytest.param(b'[{"id":"1"}%b,%b{"id":"2"}]' % (b" " * 99, b" " * 99), id="white space in between"),
            pytest.param(b'[{"id":"1", "version": %b}]' % (b"1" * 5000), id="5,000 digits"),
            pytest.param(b'[{"id": "%s"}]' % ("\u6f22" * 99).encode(), id="characters that are cut"),
            pytest.param(b'{"data": [%b{}]\0}\0' % (b'{"id":"1"},' * 99), id="an end in UTF-16"),
            pytest.param('[{"id":"1"},\0'.encode("utf-16") + b" \0" * 99, id="UTF-16 with a zero"),
            pytest.param(b"\xef\xbb\xbf" * 2 + b"[%b{}]" % (b'{"id":"1"},' * 99), id="two byte order marks"),
            pytest.param(b"\xff\xfe[\0{\0\x00\xd8" + b" \0" * 99, id="half of a UTF-16 pair"),
            pytest.param(b"\xe9" * 99, id="Latin-1"),
            pytest.param(b"<html>" * 99, id="HTML"),
            pytest.param(b" " * 99, id="white space"),
        ],
    )
    def test_f51_f107_edges(self, body: bytes) -> None:
        """What looks like a list and is not is read alike, or the same is wrong with it."""
        assert came(body) == at_once(body)


class TestTooMany:
    """Answers that are made to cost much more than records of their length: they are refused by counting."""

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b'{"data": [%b]}' % b",".join([b"[]"] * 2_000_000), id="empty arrays"),
            pytest.param(b'{"data": [], "zeros": [%b]}' % b",".join([b"0"] * 500_000), id="zeros"),
            pytest.param(b'{"data": [{"id":"1"}], "zeros": [%b]}' % b",".join([b"0"] * 500_000), id="zeros behind"),
            pytest.param(b'{"zeros": [%b], "data": [{"id":"1"}]}' % b",".join([b"0"] * 500_000), id="zeros before"),
            pytest.param(b'{"data": [{"id":"1","zeros":[%b]}]}' % b",".join([b"0"] * 500_000), id="zeros in an item"),
            pytest.param(b'{"data": [], %b}' % b",".join(b'"%d":0' % n for n in range(300_000)), id="names"),
            pytest.param(b"[" + b"[" * 400 + (b"]" * 400 + b"," + b"[" * 400) * 10_000, id="arrays in arrays"),
            pytest.param(b'[{"id":"%b"}]' % (rb"\ud800" * 300_000), id="halves of surrogate pairs"),
            pytest.param(b"[%b]" % b",".join([b'{"id":"1","a":[[]]}'] * 200_000), id="arrays in items"),
            pytest.param(b'{"more": [%b0]}' % (b"9" * 4300 + b",") * 60, id="long numbers"),
            pytest.param(b'{"id": "%b"}' % ("\U0001f600\\ud800".encode() + rb"\\" * 300_000), id="escaped backslashes"),
        ],
    )
    def test_f107_values(self, parsed: list[int], body: bytes) -> None:
        """It is refused before much of it is parsed, in a sentence, at the root."""
        with pytest.raises(MismatchError) as caught:
            in_turns(read_list(Reader(), m3ter.UserGroup, "data", body))

        assert caught.value.args == ("$", TOO_MANY)
        assert max(parsed, default=0) < PIECE * 1.1
        assert sum(parsed) < 2 * 1024 * 1024

    def test_f107_items(self) -> None:
        """An answer with more items than real records would leave room for is refused, even if each of them fits."""
        with pytest.raises(MismatchError) as caught:
            in_turns(read_list(Reader(), smartpm.CompanyUser, "", b"[%b]" % b",".join([b"{}"] * 600_000)))

        assert caught.value.args == ("$", TOO_MANY)

    @pytest.mark.parametrize(
        ("more", "count"),
        [
            pytest.param(dict.fromkeys(USER, None), 50_000, id="null"),
            pytest.param({"projects": ["123456789"] * 100}, 10_000, id="100 ids each"),
            pytest.param({"notes": "1,2,[3],{4}" * 40}, 5_000, id="lists in a text"),
            pytest.param({"custom": [{"id": 1, "v": "x"}] * 10}, 10_000, id="custom fields"),
        ],
    )
    def test_f107_real_records_are_not_refused(self, more: dict[str, object], count: int) -> None:
        """Records with many values for their length, or with text that looks like values, are read."""
        user = json.dumps({**USER, **more, "id": ID}, separators=(",", ":")).encode()

        found, _ = in_turns(_read_users(Reader(), response(b"[%b]" % b",".join([user] * count))))

        assert len(found) == count

    def test_f107_list_behind_another_of_its_name(self, parsed: list[int]) -> None:
        """The list is found although something before it has a list of the same name."""
        body = b'{"project": {"users": [{}]}, "users": %b}' % users(10_000)

        document, found = in_turns(read_list(Reader(), smartpm.User, "users", body))[0]

        assert document == {"project": {"users": [{}]}, "users": []}
        assert len(found.all()) == 10_000
        assert max(parsed) < PIECE * 1.1
