"""Bodies that are not what the specification allows, or hardly. What each value of a field comes to is the units'."""

import gzip
import json
import logging
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faults.calls import GROUP, GROUP_ID, MIB, PAGE, TOKEN, Options, Provider, cases, memory, no_garbage_collection
from rig.bodies import least
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.goes import goes
from rig.heartbeat import Heartbeat
from rig.leaks import Watch
from rig.script import answer, flood, head, json_answer, token_answer
from rig.server import FaultServer
from usergroups import BadRequestError, M3terClient, RetryPolicy, ServerError, SmartPMClient, UnexpectedResponseError

CAP = 32 * MIB  # bytes of a body, after decompression
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
USER = least("smartpm", "User", id=OTHER_ID, email="ada@example.com")
GOOD = least("m3ter", "UserGroup", id="1", version=7, name="Operators", dtCreated="2024-02-29T12:00:00Z")
DEEP = b"[" * 200_000
TOO_MANY = "it holds more or longer values than real records do"

Warned = Callable[[], list[str]]


@pytest.fixture
def m3ter(make_m3ter: MakeM3ter, server: FaultServer, options: Options) -> M3terClient:
    """Make an m3ter client of the server, which gives it tokens."""
    server.always(TOKEN, token_answer())
    return make_m3ter(server, **options())


@pytest.fixture
def smartpm(make_smartpm: MakeSmartPM, server: FaultServer, options: Options) -> SmartPMClient:
    """Make a SmartPM client of the server."""
    return make_smartpm(server, **options())


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Warned:
    """Return what the SDK has warned of, sentence by sentence."""

    def sentences() -> list[str]:
        records = [one for one in caplog.records if one.levelno >= logging.WARNING]
        assert {(one.name, one.levelname) for one in records} <= {("usergroups", "WARNING")}
        return [one.getMessage() for one in records]

    return sentences


def group_of(*users: object, **fields: object) -> dict[str, Any]:
    """Return a SmartPM group with *users*."""
    return least("smartpm", "UserGroup", id=GROUP_ID, name="Operators", users=list(users)) | fields


# 49: no such answer


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<!DOCTYPE html><html><body>Please log in</body></html>", "text/html"),
        ("all is well", "text/plain"),
        ("", "application/json"),
        ("null", "application/json"),
        ("17", "application/json"),
        ("{", "application/json"),
        ('[{"id": "1"}, 2]', "application/json"),
        ('{"error": "invalid_token"}', "application/json"),
    ],
)
async def test_f49_what_is_no_answer_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, body: str, content_type: str
) -> None:
    """A 200 whose body is not what was asked for is an error that holds it, and is not asked for again."""
    server.always(provider.path, answer(body.encode(), headers={"X-Request-Id": "r-49"}, content_type=content_type))

    with watch.raises(UnexpectedResponseError) as caught:
        await provider.of(server)()

    error = caught.value
    assert (error.status_code, error.request_id) == (200, "r-49")
    assert (error.method, error.path) == ("GET", provider.path)
    assert error.body == body
    assert error.json_path.startswith("$")
    assert len(str(error)) < 200
    assert server.count(provider.path) == 1


@pytest.mark.parametrize("content_type", ["", "text/html", "application/json; charset=utf-16", ";"])
async def test_f49_json_is_json_whatever_it_is_called(
    server: FaultServer, provider: Provider, content_type: str
) -> None:
    """JSON under an odd content type is read all the same."""
    server.always(provider.path, answer(json.dumps(provider.document).encode(), content_type=content_type))

    assert await provider.of(server)() == GROUP_ID


# 50: bombs


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Return 256 MiB in 260 KB of gzip: the same block again and again (RFC 1951 and 1952)."""
    zeros = bytes(MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(256):
        checksum = zlib.crc32(zeros, checksum)
    trailer = struct.pack("<II", checksum, 256 * MIB)
    return gzip.compress(b"", mtime=0)[:10] + block * 256 + b"\x03\x00" + trailer


async def test_f50_bomb_is_stopped(server: FaultServer, provider: Provider, watch: Watch, bomb: bytes) -> None:
    """A body that grows beyond the bound is given up there, and takes no more memory; an error is still that error."""
    assert 200_000 < len(bomb) < 300_000
    server.once(provider.path, answer(bomb, headers={"Content-Encoding": "gzip"}))
    server.always(provider.path, answer(bomb, 500, {"Content-Encoding": "gzip"}))
    ask = provider.of(server, retry=RetryPolicy(attempts=1))

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="its body is longer than 33,554,432 bytes") as caught:
            await ask()
        assert peak() < CAP + 8 * MIB
    with memory() as peak:
        with watch.raises(ServerError, match="Internal Server Error"):
            await ask()
        assert peak() < CAP + 8 * MIB

    assert len(caught.value.body) <= 4096
    assert server.count(provider.path) == 2


async def test_f50_body_up_to_the_bound_is_read_in_the_same_memory(
    server: FaultServer, provider: Provider, watch: Watch
) -> None:
    """A body that just fits is not held twice."""
    packed = gzip.compress(b" " * (CAP - 1) + b"?", 1, mtime=0)
    server.always(provider.path, answer(packed, headers={"Content-Encoding": "gzip"}))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="it is not JSON"):
            await ask()
        assert peak() < 2 * CAP + 8 * MIB  # once as bytes, once as text


async def test_f50_endless_body_is_stopped(server: FaultServer, provider: Provider, watch: Watch) -> None:
    """A body without end is given up at the bound too, and its connection closed."""
    piece = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
    server.always(provider.path, (head(200, {"Transfer-Encoding": "chunked"}), flood(piece)))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="its body is longer than 33,554,432 bytes"):
            await ask()
        assert peak() < CAP + 8 * MIB

    await server.all_closed(1)


@cases(
    "codings",
    {
        "two in one header": ["gzip, gzip"],
        "two in two": ["gzip", "gzip"],
        "200": [", ".join(["gzip"] * 200)],
        "br": ["br"],
        "gzip with a parameter": ["gzip;q=1"],
        "long": ["x" * 5000],
        "latin-1": ["\xe9"],
    },
)
async def test_f50_unknown_coding_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, bomb: bytes, codings: list[str]
) -> None:
    """A coding that was not asked for is refused unread: not even 256 MiB in 590 bytes of gzip of gzip do harm."""
    twice = gzip.compress(bomb, 9, mtime=0)
    assert len(twice) < 1000
    server.always(provider.path, answer(twice, headers=[("Content-Encoding", one) for one in codings]))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="is not one that was asked for") as caught:
            await ask()
        assert peak() < 8 * MIB

    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    assert {one.header("accept-encoding") for one in server.requests} == {"gzip"}
    assert server.count(provider.path) == 1


# 51 and 99: JSON at its edges


@cases(
    "name found",
    {
        "10 MiB": ('"' + "x" * 10 * MIB + '"', "x" * 10 * MIB),
        "a lone surrogate": (r'"\ud800"', "\ufffd"),
        "duplicate keys": ('"first", "name": "second"', "second"),
        "deep": ('"deep", "more": ' + "[" * 400 + "]" * 400, "deep"),
        "a large number": ('"exact", "more": 12345678901234567890123456789', "exact"),
    },
)
async def test_f51_odd_json_is_a_value(server: FaultServer, m3ter: M3terClient, name: str, found: str) -> None:
    """What JSON allows is read as Python reads it."""
    server.always(PAGE, answer(f'[{{"id": "1", "name": {name}}}]'.encode()))

    with memory() as peak:
        (group,) = await m3ter.list_user_groups("ada").collect()
        assert peak() < CAP + 8 * MIB

    assert group.name == found


@cases(
    "body",
    {
        "200,000 [": DEEP,
        '100,000 {"data":': b'{"data": ' * 100_000,
        "200,000 closed [": b'{"data": [' + DEEP + b"]" * 200_000 + b"]}",
        "5,000 digits": b'{"data": [{"id": "1", "version": ' + b"1" * 5000 + b"}]}",
        "NaN": b'{"data": [], "more": NaN}',
        "an infinite number": b'{"data": [{"id": "1", "name": [{"a": [-1e999]}]}]}',
        "a raw surrogate": b'{"data": [{"id": "1", "\xed\xb0\x80": "\xed\xa0\x80"}]}',
        "latin-1": b'{"data": [{"id": "1", "name": "\xe9"}]}',
        "half a UTF-16": b"\xff\xfe\x00",
        "EBCDIC": '{"data": []}'.encode("cp037"),
    },
)
async def test_f51_f99_what_cannot_be_read_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, body: bytes
) -> None:
    """What is no strict JSON, or more than Python reads, is the SDK's error and none of Python's."""
    server.always(provider.path, answer(body))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match=r"\(at \$\) \(1 attempt in \d\.\d s\)$") as caught:
            await ask()
        assert peak() < CAP + 8 * MIB

    assert caught.value.json_path == "$"
    assert len(caught.value.body) <= 4096
    assert server.count(provider.path) == 1


async def test_f51_no_depth_is_too_deep(server: FaultServer, m3ter: M3terClient, watch: Watch) -> None:
    """Around the depth at which Python gives up there is a value or the SDK's error, and nothing else."""
    for depth in range(840, 1060, 10):
        server.once(PAGE, answer(f'[{{"id": "deep", "more": {"[" * depth}{"]" * depth}}}]'.encode()))
        try:
            (group,) = await m3ter.list_user_groups("ada").collect()
            assert group.id == "deep"
        except UnexpectedResponseError as error:
            watch.saw(error)


# 107: bodies that are made to cost


def filled(before: bytes, piece: bytes, after: bytes = b"") -> bytes:
    """Return *before*, as many of *piece* as fit into the bound of a body, and *after*."""
    return before + piece * ((CAP - len(before) - len(after)) // len(piece)) + after


COSTLY = {
    "empty arrays": (lambda: filled(b'{"data": [', b"[],", b"[]]}"), TOO_MANY),
    "empty objects": (lambda: filled(b'{"data": [', b"{},", b"{}]}"), TOO_MANY),
    "zeros under an unknown name": (lambda: filled(b'{"data": [], "zeros": [', b"0,", b"0]}"), TOO_MANY),
    "a million names": (
        lambda: b'{"data": [], %b}' % b",".join(b'"name %d": 0' % n for n in range(1_000_000)),
        TOO_MANY,
    ),
    "an item of arrays": (lambda: filled(b'{"data": [{"id": "1", "more": [', b"[[]],", b"[]]}]}"), TOO_MANY),
    "arrays in arrays": (lambda: filled(b'{"data": [', b"[" * 400 + b"]" * 400 + b",", b"[]]}"), TOO_MANY),
    "halves of surrogate pairs": (lambda: filled(b'{"id": "', rb"\ud800", b'"}'), TOO_MANY),
    "deep": (lambda: b"[" * CAP, TOO_MANY),
    "white space": (lambda: filled(b"", b" "), "it is not JSON"),
    "white space in a list": (lambda: filled(b'{"data": [{"id": "1"}', b" ", b"]}"), ""),
    "one long text": (lambda: filled(b'{"data": [{"id": "', b"x", b'"}]}'), ""),
}


@cases("make reason", COSTLY)
async def test_f107_body_made_to_cost(
    server: FaultServer, m3ter: M3terClient, watch: Watch, make: Callable[[], bytes], reason: str
) -> None:
    """A body as long as may be, and like no real one, is read or refused, and stops the loop for a moment at most."""
    server.always(PAGE, answer(make()))

    async def ask() -> None:
        if reason:
            with watch.raises(UnexpectedResponseError, match=reason) as caught:
                await m3ter.list_user_groups("ada").collect()
            assert caught.value.json_path == "$"
        else:
            assert len(await m3ter.list_user_groups("ada").collect()) == 1

    with memory() as peak:
        await ask()
        assert peak() < 10 * CAP
    for go in goes():
        async with Heartbeat() as heartbeat:
            await ask()
        go.took(heartbeat.largest_gap, at_most=0.25)


async def test_f107_longest_answer_leaves_the_loop_free(server: FaultServer, smartpm: SmartPMClient) -> None:
    """A group as long as may be comes whole, and the loop runs all the while."""
    user = json.dumps({**USER, "firstName": "Ada", "lastLogin": "2024-02-29T12:00:00Z", "title": "Planner"}).encode()
    body = filled(json.dumps(group_of()).encode()[:-2], user + b", ", user + b"]}")
    server.always(GROUP, answer(body))

    for go in goes():
        with no_garbage_collection():  # it takes longest of all, for as long as these users live
            async with Heartbeat() as heartbeat:
                group = await smartpm.get_user_group(GROUP_ID)
        assert len(group.users) == body.count(b"email")
        go.took(heartbeat.largest_gap, at_most=0.05)


async def test_f107_longest_error_leaves_the_loop_free(server: FaultServer, smartpm: SmartPMClient) -> None:
    """The body of an error may be as long, and only its beginning is looked at."""
    server.always(GROUP, answer(filled(b'{"errors": [', b"[],", b"[]]}"), 400))

    for go in goes():
        async with Heartbeat() as heartbeat:
            with pytest.raises(BadRequestError):
                await smartpm.get_user_group(GROUP_ID)
        go.took(heartbeat.largest_gap, at_most=0.05)


# 52 and 109: fields that do not fit


@pytest.mark.parametrize("wrong", [{"name": "17"}, {"id": None}, {"id": 17_171_717}], ids=json.dumps)
@pytest.mark.parametrize("shape", ["envelope", "array", "bare"])
async def test_f52_wrong_field_of_m3ter_is_named(
    server: FaultServer, m3ter: M3terClient, watch: Watch, wrong: dict[str, object], shape: str
) -> None:
    """One wrong field makes the page an error that says where it is, and not what it was."""
    groups = [GOOD, {**GOOD, "id": "2"}, {**GOOD, "id": "3"}, wrong]
    document, path = {
        "envelope": ({"data": groups}, "$.data[3].id"),
        "array": (groups, "$[3].id"),
        "bare": (wrong, "$.id" if "id" in wrong else "$.data"),
    }[shape]
    server.always(PAGE, json_answer(document))

    with watch.raises(UnexpectedResponseError) as caught:
        async for group in m3ter.list_user_groups("ada"):
            pytest.fail(f"a part of the page was delivered: {group}")

    assert caught.value.json_path == path
    assert f"(at {path})" in str(caught.value)
    assert "17" not in str(caught.value)
    assert server.count(PAGE) == 1


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"id": None}, "$.id"),
        ({"name": 17_171_717}, "$.name"),
        ({"users": {"17": USER}}, "$.users"),
        ({"users": ""}, "$.users"),
        ({"users": [USER, ["17"]]}, "$.users[1]"),
        ({"users": [{**USER, "loginCount": "42"}, {**USER, "id": "17171717"}]}, "$.users[1].id"),
        ({"users": [{"id": OTHER_ID}]}, "$.users[0].email"),
        ({"users": [*[USER] * 449, {**USER, "email": 17}, *[USER] * 449]}, "$.users[449].email"),
        ({"users": [USER] * 898, "name": None}, "$.name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_f52_f109_wrong_field_of_smartpm_is_named(
    server: FaultServer, smartpm: SmartPMClient, watch: Watch, fields: dict[str, object], where: str
) -> None:
    """One wrong required field of one user makes the group an error that says where it is, and not what it was."""
    server.always(GROUP, json_answer(group_of(**fields)))

    with watch.raises(UnexpectedResponseError) as caught:
        await smartpm.get_user_group(GROUP_ID)

    assert caught.value.json_path == where
    assert f"(at {where})" in str(caught.value)
    assert "17" not in str(caught.value).replace(GROUP, "")
    assert server.count(GROUP) == 1


async def test_f52_unknown_fields_are_kept(server: FaultServer, m3ter: M3terClient, smartpm: SmartPMClient) -> None:
    """What the specification does not name is there for the caller, as it came."""
    more = {"colour": "red", "size": {"w": [1, None, 2.5]}, "none": None}
    server.always(PAGE, json_answer({"data": [{**GOOD, **more}], "total": 1}))
    server.always(GROUP, json_answer(group_of({**USER, **more}, **more)))

    (listed,) = await m3ter.list_user_groups("ada").collect()
    group = await smartpm.get_user_group(GROUP_ID)

    assert listed.additional_properties == more
    assert group.additional_properties == more
    assert group.users[0].additional_properties == more
    assert listed.to_dict().keys() >= {"colour", "size"}


@pytest.mark.parametrize(
    ("field", "value", "name", "kind"),
    [
        ("loginCount", "42", "login_count", "text"),
        ("lastLogin", 1_700_000_000, "last_login", "a number"),
        ("lastLogin", "2024-W09-4T12:00:00Z", "last_login", "text"),
        ("title", {"en": "CANARY-title"}, "title", "an object"),
    ],
)
async def test_f98_f109_one_user_of_ten_thousand(
    server: FaultServer, smartpm: SmartPMClient, warned: Warned, field: str, value: object, name: str, kind: str
) -> None:
    """A field that does not fit costs that field alone: it is None, kept as it came, and named in one warning."""
    users = [{**USER, "email": f"user-{n}@example.com", "loginCount": n, "title": "Planner"} for n in range(10_000)]
    users[7171][field] = value  # type: ignore[assignment]  # that is the point
    server.always(GROUP, json_answer(group_of(*users)))

    group = await smartpm.get_user_group(GROUP_ID)

    assert [user.email for user in group.users] == [user["email"] for user in users]
    assert getattr(group.users[7171], name) is None
    assert group.users[7171].additional_properties == {field: value}
    assert group.to_dict() == group_of(*users)
    assert all(user.additional_properties == {} for n, user in enumerate(group.users) if n != 7171)
    (sentence,) = warned()
    assert sentence.startswith(f"User.{field} ")
    assert f": it is {kind}, not " in sentence
    assert f"(at $.users[7171].{field})" in sentence
    assert "CANARY" not in sentence
    assert "17" not in sentence.replace("7171", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 17171717.5},
        {"name": {"en": "17171717"}},
        {"dtCreated": "2024-02-30T17:17:17Z"},
        {"version": "17171717", "createdBy": {}, "colour": "red"},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("shape", ["envelope", "array", "bare"])
async def test_f109_group_of_m3ter(
    server: FaultServer, m3ter: M3terClient, warned: Warned, fields: dict[str, object], shape: str
) -> None:
    """A group whose fields do not fit is on its page all the same, whichever shape the page has."""
    unfit = {"id": "2", **fields}
    groups = [unfit] if shape == "bare" else [{"id": "1"}, unfit, unfit]
    document = unfit if shape == "bare" else groups if shape == "array" else {"data": groups}
    server.always(PAGE, json_answer(document))

    found = await m3ter.list_user_groups("ada").collect()

    assert [group.to_dict() for group in found] == groups
    assert found[-1].additional_properties == fields
    assert len(warned()) == len(set(fields) - {"colour"})
    assert not any("17" in sentence for sentence in warned())


async def test_f109_warning_is_given_once_by_each_client(
    server: FaultServer, make_smartpm: MakeSmartPM, m3ter: M3terClient, options: Options, warned: Warned
) -> None:
    """A client warns of a field once, however often it comes, and on however many pages; another client does too."""
    unfit = {**USER, "loginCount": "42"}
    same, another = json_answer(group_of(unfit, unfit)), json_answer(group_of({**unfit, "role": 5}))
    server.once(GROUP, *[same] * 6, another)
    server.once(PAGE, *(json_answer({"data": [{"id": "1", "name": 5}], "nextToken": n}) for n in ("1", "2", None)))
    clients = [make_smartpm(server, **options()) for _ in range(2)]

    for client in clients:
        for _ in range(3):
            await client.get_user_group(GROUP_ID)
    await clients[0].get_user_group(GROUP_ID)
    assert [group.name async for group in m3ter.list_user_groups("ada")] == [None] * 3

    told = [sentence.partition(" ")[0] for sentence in warned()]
    assert told == ["User.loginCount"] * 2 + ["User.role", "UserGroup.name"]


# 53: the shapes of m3ter's page


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"data": [{"id": "1"}, {"id": "2"}]}, ["1", "2"]),
        ([{"id": "1"}, {"id": "2"}], ["1", "2"]),
        ({"id": "1", "data": None}, ["1"]),
        ({}, []),
        ({"data": None, "nextToken": None}, []),
        ({"items": []}, "$.data"),
        ({"data": {}}, "$.data"),
        ({"data": [None]}, "$.data[0]"),
        ([[{"id": "1"}]], "$[0]"),
        ("text", "$"),
    ],
    ids=json.dumps,
)
async def test_f53_shape_of_a_page(
    server: FaultServer, m3ter: M3terClient, watch: Watch, document: object, found: list[str] | str
) -> None:
    """An envelope, an array, a group and nothing at all are pages; any other shape is never taken for an empty one."""
    server.always(PAGE, json_answer(document))
    pager = m3ter.list_user_groups("ada")

    if isinstance(found, list):
        assert [group.id async for group in pager] == found
    else:
        with watch.raises(UnexpectedResponseError) as caught:
            await pager.collect()
        assert caught.value.json_path == found

    assert server.count(PAGE) == 1


# 54 and 98: dates and whole numbers


@pytest.mark.parametrize("count", [3, 450], ids=["a few", "more than are read at once"])
async def test_f54_group_comes_back_whole(server: FaultServer, smartpm: SmartPMClient, count: int) -> None:
    """Users of whom little is known come back with all the others, in order; a time without an offset is UTC."""
    nulls = ["firstName", "lastName", "phoneNumber", "title", "lastLogin", "loginCount", "role"]
    bare = [USER, {**USER, **dict.fromkeys([*nulls, "ssoUser", "reportingRestricted"])}]
    full = {**USER, "lastLogin": "2024-02-29T12:00:00", "phoneNumber": "ask her", "title": "", "ssoUser": False}
    users = [{**(full if n % 3 == 0 else bare[n % 2]), "email": f"user-{n}@example.com"} for n in range(count)]
    server.always(GROUP, json_answer(group_of(*users)))

    group = await smartpm.get_user_group(GROUP_ID)

    assert [user.email for user in group.users] == [user["email"] for user in users]
    assert all(
        (user.phone_number, user.title, user.sso_user) == ("ask her", "", False)
        if n % 3 == 0
        else (user.phone_number, user.title, user.last_login, user.sso_user) == (None, None, None, None)
        for n, user in enumerate(group.users)
    )
    assert {user.last_login for user in group.users} == {None, datetime(2024, 2, 29, 12, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29t12:00:00z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29 12:00:00.123456789", datetime(2024, 2, 29, 12, 0, 0, 123456, UTC)),
        ("2016-12-31T18:59:60.5-05:00", datetime(2017, 1, 1, 0, 0, 0, 500_000, UTC)),
    ],
)
async def test_f54_f98_dates_of_the_rfc_are_read(
    server: FaultServer, m3ter: M3terClient, smartpm: SmartPMClient, text: str, moment: datetime
) -> None:
    """Lower case, a second 60, any number of digits and no offset, which is UTC, are read, from either provider."""
    server.always(PAGE, json_answer({"data": [{"id": "1", "dtCreated": text, "dtLastModified": text}]}))
    server.always(GROUP, json_answer(group_of({**USER, "lastLogin": text})))

    (group,) = await m3ter.list_user_groups("ada").collect()
    (user,) = (await smartpm.get_user_group(GROUP_ID)).users

    assert (group.dt_created, group.dt_last_modified, user.last_login) == (moment, moment, moment)
    assert user.last_login is not None
    assert user.last_login.utcoffset() in (timedelta(0), timedelta(hours=-5))


# 84: another group


async def test_f84_another_group_is_unexpected(server: FaultServer, smartpm: SmartPMClient, watch: Watch) -> None:
    """A group that was not asked for is an error that says so, without the id that came, and is asked for once."""
    server.always(GROUP, json_answer(group_of(USER, id=OTHER_ID)))

    with watch.raises(UnexpectedResponseError, match="another group than was asked for") as caught:
        await smartpm.get_user_group(GROUP_ID)

    assert caught.value.json_path == "$.id"
    assert OTHER_ID not in str(caught.value)
    assert server.count(GROUP) == 1


@pytest.mark.parametrize("asked", [GROUP_ID, GROUP_ID.upper(), GROUP_ID.replace("-", "")])
@pytest.mark.parametrize("sent", [GROUP_ID, GROUP_ID.upper(), GROUP_ID.replace("-", "")])
async def test_f84_id_may_be_spelt_in_another_way(
    server: FaultServer, smartpm: SmartPMClient, asked: str, sent: str
) -> None:
    """The same UUID is the same group, in whichever of its forms it was asked for or came."""
    server.always(GROUP, json_answer(group_of(id=sent)))

    assert str((await smartpm.get_user_group(asked)).id) == GROUP_ID
