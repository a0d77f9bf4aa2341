"""FAULTS 49 to 54: bodies that are not what the specification allows, or hardly, on each transport."""

import codecs
import gzip
import json
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from faults.calls import GROUP, GROUP_ID, MIB, PAGE, TOKEN, Options, Provider, memory
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.script import answer, chunked_answer, flood, head, json_answer, token_answer
from rig.server import FaultServer
from usergroups import BadRequestError, M3terClient, RetryPolicy, ServerError, SmartPMClient, UnexpectedResponseError

pytest_plugins = ("faults.kinds", "faults.providers")  # clients on either transport

CAP = 32 * MIB  # bytes of a body, after decompression
USER = {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "email": "ada@example.com"}


@pytest.fixture
def m3ter(make_m3ter: MakeM3ter, server: FaultServer, options: Options) -> M3terClient:
    """Make an m3ter client of the server, which gives it tokens."""
    server.always(TOKEN, token_answer())
    return make_m3ter(server, **options())


@pytest.fixture
def smartpm(make_smartpm: MakeSmartPM, server: FaultServer, options: Options) -> SmartPMClient:
    """Make a SmartPM client of the server."""
    return make_smartpm(server, **options())


def group_of(**fields: object) -> dict[str, object]:
    """Return a SmartPM group with these *fields*."""
    return {"id": GROUP_ID, "name": "Operators", "users": [], **fields}


# 49: no such answer


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "text/html"),
        (b"all is well", "text/plain"),
        (b"", "application/json"),
        (b" \r\n", "application/json"),
        (b"null", "application/json"),
        (b"true", "application/json"),
        (b"17", "application/json"),
        (b'"text"', "application/json"),
        (b"{", "application/json"),
        (b'{"data": [], "users": []} {}', "application/json"),
        (b"{'data': []}", "application/json"),
        (b'[{"id": "1"}, 2]', "application/json"),
        (b'{"data": 5, "id": 5}', "application/json"),
        (b'{"error": "invalid_token"}', "application/json"),
    ],
    ids=[
        "HTML",
        "text",
        "empty",
        "blank",
        "null",
        "true",
        "number",
        "JSON text",
        "cut JSON",
        "two documents",
        "single quotes",
        "wrong list",
        "wrong object",
        "error as 200",
    ],
)
async def test_f49_what_is_no_answer_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, body: bytes, content_type: str
) -> None:
    """A 200 whose body is not what was asked for is an error that holds it, and is not asked for again."""
    server.always(provider.path, answer(body, headers={"X-Request-Id": "r-49"}, content_type=content_type))

    with watch.raises(UnexpectedResponseError) as caught:
        await provider.of(server)()

    error = caught.value
    assert (error.status_code, error.request_id) == (200, "r-49")
    assert (error.method, error.path) == ("GET", provider.path)
    assert error.body == body.decode()
    assert error.json_path.startswith("$")
    assert len(str(error)) < 200
    assert server.count(provider.path) == 1


@pytest.mark.parametrize("status", [202, 204, 205])
async def test_f49_no_content_is_unexpected(server: FaultServer, provider: Provider, watch: Watch, status: int) -> None:
    """A success without a body is no answer either."""
    server.always(provider.path, answer(b"", status))

    with watch.raises(UnexpectedResponseError, match=f"its status is {status}, not 200") as caught:
        await provider.of(server)()

    assert (caught.value.status_code, caught.value.json_path) == (status, "$")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/html",
        "text/plain; charset=iso-8859-1",
        "application/octet-stream",
        "application/json; charset=utf-16",
        ";",
    ],
    ids=["none", "HTML", "text", "bytes", "wrong charset", "rubbish"],
)
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
    """A body that grows beyond the bound is given up there, and takes no more memory than that."""
    assert 200_000 < len(bomb) < 300_000
    server.always(provider.path, answer(bomb, headers={"Content-Encoding": "gzip"}))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="its body is longer than 33,554,432 bytes") as caught:
            await ask()
        assert peak() < CAP + 8 * MIB

    assert len(caught.value.body) <= 4096
    assert server.count(provider.path) == 1


async def test_f50_body_up_to_the_bound_is_read_in_the_same_memory(
    server: FaultServer, provider: Provider, watch: Watch
) -> None:
    """A body that just fits is not held twice."""
    packed = gzip.compress(b" " * (CAP - 1) + b"?", 1, mtime=0)
    server.always(provider.path, answer(packed, headers={"Content-Encoding": "gzip"}))
    ask = provider.of(server, retry=RetryPolicy(attempts=1))

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


async def test_f50_bomb_under_an_error_is_the_error(
    server: FaultServer, provider: Provider, watch: Watch, bomb: bytes
) -> None:
    """A bomb in the body of an error does not hide which error it is."""
    server.always(provider.path, answer(bomb, 500, {"Content-Encoding": "gzip"}))
    ask = provider.of(server, retry=RetryPolicy(attempts=1))

    with memory() as peak:
        with watch.raises(ServerError) as caught:
            await ask()
        assert peak() < CAP + 8 * MIB

    assert caught.value.message == "Internal Server Error"


@pytest.mark.parametrize("lines", [1, 2], ids=["in one header", "in two"])
async def test_f50_bomb_within_a_bomb_is_not_opened(
    server: FaultServer, provider: Provider, watch: Watch, bomb: bytes, lines: int
) -> None:
    """256 MiB in 590 bytes of gzip of gzip are refused unread."""
    twice = gzip.compress(bomb, 9, mtime=0)
    assert len(twice) < 1000
    codings = ["gzip, gzip"] if lines == 1 else ["gzip", "gzip"]
    server.always(provider.path, answer(twice, headers=[("Content-Encoding", one) for one in codings]))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="its content coding 'gzip, gzip' is not one"):
            await ask()
        assert peak() < 8 * MIB

    assert server.count(provider.path) == 1


@pytest.mark.parametrize(
    "coding",
    [", ".join(["gzip"] * 200), "br", "deflate", "zstd", "compress", "gzip;q=1", "x" * 5000, "\xe9"],
    ids=["200 nested", "br", "deflate", "zstd", "compress", "gzip with a parameter", "long", "latin-1"],
)
async def test_f50_unknown_coding_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, coding: str
) -> None:
    """A coding that was not asked for is never passed off as the body."""
    server.always(provider.path, answer(json.dumps(provider.document).encode(), headers={"Content-Encoding": coding}))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match="is not one that was asked for") as caught:
            await ask()
        assert peak() < 8 * MIB

    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    assert {one.header("accept-encoding") for one in server.requests} == {"gzip"}


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity", ""])
async def test_f50_known_coding_is_read(server: FaultServer, provider: Provider, coding: str) -> None:
    """The coding that was asked for is read under each of its names, and so is none."""
    plain = json.dumps(provider.document).encode()
    body = gzip.compress(plain) if "gzip" in coding.lower() else plain
    server.always(provider.path, chunked_answer(body, headers={"Content-Encoding": coding}, size=7))

    assert await provider.of(server)() == GROUP_ID


# 51: JSON at its edges

DEEP = b"[" * 200_000


def with_name(provider: Provider, name: str) -> bytes:
    """Return the provider's document as JSON, with *name* (JSON too) as the group's name."""
    text = json.dumps(provider.document)
    text = text.replace('"name": "Operators"', '"name": NAME').replace(
        f'{{"id": "{GROUP_ID}"}}', f'{{"id": "{GROUP_ID}", "name": NAME}}'
    )
    return text.replace("NAME", name).encode("utf-8", "surrogatepass")


@pytest.fixture
def name_of(
    request: pytest.FixtureRequest, provider: Provider, server: FaultServer, options: Options
) -> Callable[[], Any]:
    """Ask for the name of the provider's one group."""
    if provider.name == "m3ter":
        m3ter = request.getfixturevalue("m3ter")

        async def ask() -> str | None:
            (group,) = await m3ter.list_user_groups("ada").collect()
            return group.name

        return ask
    smartpm = request.getfixturevalue("smartpm")

    async def ask_smartpm() -> str | None:
        return (await smartpm.get_user_group(GROUP_ID)).name

    return ask_smartpm


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ('"' + "x" * 10 * MIB + '"', "x" * 10 * MIB),
        (r'"\ud800"', "\ufffd"),
        (r'"\ud83d\ude00 \u0000 \u2028"', "\U0001f600 \0 \u2028"),
        ('"first", "name": "second"', "second"),
        ('"deep", "more": ' + "[" * 400 + "]" * 400, "deep"),
        ('"large", "more": 1e308', "large"),
        ('"exact", "more": 12345678901234567890123456789', "exact"),
    ],
    ids=["10 MiB", "lone surrogate", "astral and odd characters", "duplicate keys", "deep", "finite", "large number"],
)
async def test_f51_odd_json_is_a_value(
    server: FaultServer, provider: Provider, name_of: Callable[[], Any], name: str, value: str
) -> None:
    """What JSON allows is read as Python reads it."""
    server.always(provider.path, answer(with_name(provider, name)))

    with memory() as peak:
        found = await name_of()
        assert peak() < CAP + 8 * MIB

    assert found == value


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"data": ' * 100_000,
        b'{"data": [' + DEEP + b"]" * 200_000 + b"]}",
        b'{"data": [{"id": "1", "version": ' + b"1" * 5000 + b"}]}",
        b'{"data": [{"id": "1", "version": NaN}]}',
        b'{"data": [], "more": NaN}',
        b'{"data": [], "more": -Infinity}',
        b'{"data": [], "more": 1e400}',
        b'{"data": [{"id": "1", "name": "\xed\xa0\x80"}]}',
        b'{"data": [{"id": "1", "name": "\xe9"}]}',
        b'{"data": [{"id": "1", "name": "\xf8\x88\x80\x80\x80"}]}',
        b'{"data": [{"id": "1", "name": "\n"}]}',
        b'{"data": [{"id": "1", "name": "\\ud8"}]}',
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        '{"data": []}'.encode("cp037"),
        '{"data": []}'.encode("utf-7") + b"+AGA-",
    ],
    ids=[
        "200,000 [",
        '100,000 {"data":',
        "200,000 closed [",
        "5,000 digits",
        "NaN",
        "unknown NaN",
        "unknown infinity",
        "infinite number",
        "raw surrogate",
        "latin-1",
        "overlong UTF-8",
        "bare line end",
        "cut escape",
        "NULs",
        "half a UTF-16",
        "nothing but a mark",
        "two marks",
        "EBCDIC",
        "UTF-7",
    ],
)
async def test_f51_what_cannot_be_read_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, body: bytes
) -> None:
    """What is no JSON, or more than Python reads, is the SDK's error and none of Python's."""
    server.always(provider.path, answer(body))
    ask = provider.of(server)

    with memory() as peak:
        with watch.raises(UnexpectedResponseError, match=r"\(at \$\)$") as caught:
            await ask()
        assert peak() < CAP + 8 * MIB

    assert caught.value.json_path == "$"
    assert len(caught.value.body) <= 4096
    assert server.count(provider.path) == 1


@pytest.mark.parametrize(
    "body", [DEEP, b'{"message": ' + b"1" * 5000 + b"}", b'{"message": "\\ud800 no"}', b"\xe9\xff no"]
)
async def test_f51_what_cannot_be_read_is_no_obstacle_to_an_error(
    server: FaultServer, provider: Provider, watch: Watch, body: bytes
) -> None:
    """An error's body may be as odd as it likes."""
    server.always(provider.path, answer(body, 400))

    with watch.raises(BadRequestError) as caught:
        await provider.of(server)()

    str(caught.value).encode()
    caught.value.message.encode()


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", b""),
    ],
    ids=[
        "UTF-8 with a mark",
        "UTF-16 LE",
        "UTF-16 BE",
        "UTF-16 LE bare",
        "UTF-16 BE bare",
        "UTF-32 LE",
        "UTF-32 BE bare",
    ],
)
async def test_f51_unicode_is_read_in_each_of_its_forms(
    server: FaultServer, provider: Provider, name_of: Callable[[], Any], encoding: str, mark: bytes
) -> None:
    """A byte order mark is no obstacle, nor is UTF-16 or UTF-32."""
    text = with_name(provider, '"Zoë \U0001f600"').decode()
    server.always(provider.path, answer(mark + text.encode(encoding)))

    assert await name_of() == "Zoë \U0001f600"


async def test_f51_no_depth_is_too_deep(
    server: FaultServer, provider: Provider, name_of: Callable[[], Any], watch: Watch
) -> None:
    """Around the depth at which Python gives up there is a value or the SDK's error, and nothing else."""
    for depth in range(840, 1060, 10):
        more = f'"deep", "more": {"[" * depth}{"]" * depth}'
        server.once(provider.path, answer(with_name(provider, more)))
        try:
            assert await name_of() == "deep"
        except UnexpectedResponseError as error:
            watch.saw(error)


# 52: fields

GOOD = {"id": "1", "version": 7, "name": "Operators", "dtCreated": "2024-02-29T12:00:00Z"}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"id": ...}, "id"),
        ({"id": None}, "id"),
        ({"id": 17_171_717}, "id"),
        ({"id": True}, "id"),
        ({"id": ["17171717"]}, "id"),
    ],
    ids=lambda value: json.dumps(value, default=lambda _: "absent") if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("shape", ["envelope", "array"])
async def test_f52_wrong_field_of_m3ter_is_named(
    server: FaultServer, m3ter: M3terClient, watch: Watch, fields: dict[str, object], where: str, shape: str
) -> None:
    """One wrong field makes the page an error that says where it is, and not what it was."""
    wrong = {name: value for name, value in {**GOOD, **fields}.items() if value is not ...}
    groups = [GOOD, {**GOOD, "id": "2"}, {**GOOD, "id": "3"}, wrong]
    document, path = (groups, "$[3]") if shape == "array" else ({"data": groups}, "$.data[3]")
    server.always(PAGE, json_answer(document))

    with watch.raises(UnexpectedResponseError) as caught:
        async for group in m3ter.list_user_groups("ada"):
            pytest.fail(f"a part of the page was delivered: {group}")

    assert caught.value.json_path == f"{path}.{where}"
    assert f"(at {path}.{where})" in str(caught.value)
    assert "17" not in str(caught.value)
    assert server.count(PAGE) == 1


async def test_f52_wrong_field_of_a_bare_group_is_named(server: FaultServer, m3ter: M3terClient, watch: Watch) -> None:
    """A group that comes alone is checked like one on a page."""
    server.always(PAGE, json_answer({**GOOD, "id": 17_171_717}))

    with watch.raises(UnexpectedResponseError, match="it is a number, not text") as caught:
        await m3ter.list_user_groups("ada").collect()

    assert caught.value.json_path == "$.id"


LONG = [USER] * 449  # more users than are read at once


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"id": ...}, "$.id"),
        ({"id": None}, "$.id"),
        ({"id": "17171717"}, "$.id"),
        ({"id": 17_171_717}, "$.id"),
        ({"name": ...}, "$.name"),
        ({"name": None}, "$.name"),
        ({"name": 17_171_717}, "$.name"),
        ({"users": ...}, "$.users"),
        ({"users": None}, "$.users"),
        ({"users": {"17": 17}}, "$.users"),
        ({"users": [None]}, "$.users[0]"),
        ({"users": [USER, ["17"]]}, "$.users[1]"),
        ({"users": [USER, USER, {"email": "17"}]}, "$.users[2].id"),
        ({"users": [{**USER, "id": None}]}, "$.users[0].id"),
        ({"users": [{**USER, "id": "17171717"}]}, "$.users[0].id"),
        ({"users": [{**USER, "id": 17_171_717}]}, "$.users[0].id"),
        ({"users": [{"id": USER["id"]}]}, "$.users[0].email"),
        ({"users": [{**USER, "email": None}]}, "$.users[0].email"),
        ({"users": [{**USER, "email": 17}]}, "$.users[0].email"),
        ({"users": [*LONG, {**USER, "email": 17}, *LONG]}, "$.users[449].email"),
        ({"users": [*LONG, *LONG], "name": None}, "$.name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_f52_wrong_field_of_smartpm_is_named(
    server: FaultServer, smartpm: SmartPMClient, watch: Watch, fields: dict[str, object], where: str
) -> None:
    """One wrong field of one user makes the group an error that says where it is, and not what it was."""
    document = {name: value for name, value in group_of(**fields).items() if value is not ...}
    server.always(GROUP, json_answer(document))

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
    server.always(GROUP, json_answer(group_of(users=[{**USER, **more}], **more)))

    listed = await m3ter.list_user_groups("ada").first()
    group = await smartpm.get_user_group(GROUP_ID)

    assert listed is not None
    assert listed.additional_properties == more
    assert group.additional_properties == more
    assert group.users[0].additional_properties == more
    assert listed.to_dict().keys() >= {"colour", "size"}


# 53: the shapes of m3ter's page


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({"data": [{"id": "1"}, {"id": "2"}]}, ["1", "2"]),
        ({"data": [{"id": "1"}], "nextToken": None}, ["1"]),
        ({"data": [{"id": "1"}], "nextToken": ""}, ["1"]),
        ({"data": [], "id": "0"}, []),
        ([{"id": "1"}, {"id": "2"}], ["1", "2"]),
        ([], []),
        ({"id": "1", "name": "alone"}, ["1"]),
        ({"id": "1", "data": None}, ["1"]),
        ({}, []),
        ({"data": None}, []),
        ({"data": []}, []),
        ({"data": None, "nextToken": None}, []),
    ],
    ids=json.dumps,
)
async def test_f53_page_comes_in_many_shapes(
    server: FaultServer, m3ter: M3terClient, document: object, ids: list[str]
) -> None:
    """An envelope, an array, one bare group and nothing at all are all read as the page that they are."""
    server.always(PAGE, json_answer(document))

    assert [group.id async for group in m3ter.list_user_groups("ada")] == ids

    assert server.count(PAGE) == 1


async def test_f53_empty_page_with_a_token_is_not_the_end(server: FaultServer, m3ter: M3terClient) -> None:
    """`data: null` beside a token is an empty page before the next one."""
    server.once(PAGE, json_answer({"data": None, "nextToken": "2"}), json_answer({"data": [{"id": "1"}]}))

    assert [group.id async for group in m3ter.list_user_groups("ada")] == ["1"]

    assert [dict(one.query).get("nextToken") for one in server.asked(PAGE)] == [None, "2"]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"items": []}, "$.data"),
        ({"nextToken": "2"}, "$.data"),
        ({"data": {}}, "$.data"),
        ({"data": "none"}, "$.data"),
        ({"data": {"id": "1"}}, "$.data"),
        ({"data": 0, "id": "1"}, "$.data"),
        ({"data": False}, "$.data"),
        ({"data": [[]]}, "$.data[0]"),
        ({"data": [None]}, "$.data[0]"),
        ([None], "$[0]"),
        ([[{"id": "1"}]], "$[0]"),
        ({"id": None}, "$.id"),
        ("text", "$"),
        (0, "$"),
    ],
    ids=lambda value: "" if isinstance(value, str) and value[0] == "$" else json.dumps(value),
)
async def test_f53_any_other_shape_is_unexpected(
    server: FaultServer, m3ter: M3terClient, watch: Watch, document: object, where: str
) -> None:
    """Anything else is an error, and never taken for an empty list."""
    server.always(PAGE, json_answer(document))

    with watch.raises(UnexpectedResponseError) as caught:
        await m3ter.list_user_groups("ada").collect()

    assert caught.value.json_path == where


# 54: SmartPM's users


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lastLogin": None}, None),
        ({}, None),
        ({"lastLogin": "2024-02-29T12:00:00"}, datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ({"lastLogin": "2024-02-29T12:00:00.123456"}, datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)),
        ({"lastLogin": "2024-02-29T12:00:00Z"}, datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ({"lastLogin": "2024-02-29T12:00:00+00:00"}, datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ({"lastLogin": "2024-02-29T12:00:00+0530"}, datetime(2024, 2, 29, 6, 30, tzinfo=UTC)),
        (
            {"lastLogin": "2024-02-29T12:00:00-08:00"},
            datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=-8))),
        ),
    ],
    ids=["null", "absent", "no offset", "no offset, fractions", "Z", "+00:00", "+0530", "-08:00"],
)
async def test_f54_last_login_may_be_missing_and_is_never_naive(
    server: FaultServer, smartpm: SmartPMClient, fields: dict[str, object], expected: datetime | None
) -> None:
    """A user who never logged in is a user; a time without an offset is UTC."""
    server.always(GROUP, json_answer(group_of(users=[{**USER, **fields}])))

    (user,) = (await smartpm.get_user_group(GROUP_ID)).users

    assert user.last_login == expected
    assert user.last_login is None or user.last_login.tzinfo is not None


@pytest.mark.parametrize("count", [3, 450], ids=["a few", "more than are read at once"])
async def test_f54_group_comes_back_whole(server: FaultServer, smartpm: SmartPMClient, count: int) -> None:
    """Users of whom little is known come back with all the others, in order."""
    nulls = ["firstName", "lastName", "phoneNumber", "title", "lastLogin", "loginCount", "role"]
    bare = [USER, {**USER, **dict.fromkeys([*nulls, "ssoUser", "reportingRestricted"])}]
    full = {**USER, "lastLogin": "2024-02-29T12:00:00", "phoneNumber": "ask her", "title": "", "ssoUser": False}
    users = [{**(full if n % 3 == 0 else bare[n % 2]), "email": f"user-{n}@example.com"} for n in range(count)]
    server.always(GROUP, json_answer(group_of(users=users)))

    group = await smartpm.get_user_group(GROUP_ID)

    assert [user.email for user in group.users] == [user["email"] for user in users]
    assert all(
        (user.phone_number, user.title, user.sso_user) == ("ask her", "", False)
        if n % 3 == 0
        else (user.phone_number, user.title, user.last_login, user.sso_user) == (None, None, None, None)
        for n, user in enumerate(group.users)
    )
    assert {user.last_login for user in group.users} == {None, datetime(2024, 2, 29, 12, tzinfo=UTC)}


async def test_f54_times_of_m3ter_are_utc_too(server: FaultServer, m3ter: M3terClient) -> None:
    """No date-time that a caller sees is naive, whichever provider it comes from."""
    server.always(PAGE, json_answer({"data": [{"id": "1", "dtCreated": "2024-02-29T12:00:00"}]}))

    group = await m3ter.list_user_groups("ada").first()

    assert group is not None
    assert group.dt_created == datetime(2024, 2, 29, 12, tzinfo=UTC)
