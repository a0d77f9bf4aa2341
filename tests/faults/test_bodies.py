"""FAULTS 42, 84, 98, 99 and 109: answers that are nearly what the specification allows, on each transport."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faults.calls import GROUP, GROUP_ID, PAGE, TOKEN, Options, Provider
from rig.canary import ACCESS_TOKEN
from rig.fixtures import MakeM3ter, MakeSmartPM
from rig.leaks import Watch
from rig.script import answer, json_answer, token_answer
from rig.server import FaultServer
from usergroups import M3terClient, SmartPMClient, UnexpectedResponseError

pytest_plugins = ("faults.kinds", "faults.providers")  # clients on either transport

OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
Warned = Callable[[], list[str]]
USER = {"id": OTHER_ID, "email": "ada@example.com"}


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
    return {"id": GROUP_ID, "name": "Operators", "users": list(users), **fields}


def strict_json(document: object) -> str:
    """Write *document* as the strictest of writers does."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8").decode("utf-8")


# 42: a success that is not 200


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"{}", b"[]"], ids=["empty", "HTML", "{}", "[]"])
@pytest.mark.parametrize("status", [201, 202, 206, 299])
async def test_f42_other_success_is_unexpected_whatever_its_body(
    server: FaultServer, provider: Provider, watch: Watch, status: int, body: bytes
) -> None:
    """What might be read as an empty list is an error that names the status, and is asked for once."""
    server.always(provider.path, answer(body, status))

    with watch.raises(
        UnexpectedResponseError, match=f" answered (status )?{status} ?.*, but not as specified"
    ) as caught:
        await provider.of(server)()

    assert caught.value.status_code == status
    assert caught.value.body == body.decode()
    assert server.count(provider.path) == 1


@pytest.mark.parametrize("status", [200, 201, 203, 299])
async def test_f42_token_is_taken_from_any_success(
    make_m3ter: MakeM3ter, server: FaultServer, options: Options, status: int
) -> None:
    """A usable token is one, whatever 2xx it comes with."""
    server.always(TOKEN, json_answer({"access_token": ACCESS_TOKEN, "expires_in": 3600}, status))
    server.always(PAGE, json_answer({"data": [{"id": "1"}]}))

    groups = await make_m3ter(server, **options()).list_user_groups("ada").collect()

    assert [group.id for group in groups] == ["1"]
    assert server.count(TOKEN) == 1


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


# 98: dates and whole numbers


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29t12:00:00z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29 12:00:00.123456789Z", datetime(2024, 2, 29, 12, 0, 0, 123456, UTC)),
        ("2024-02-29T12:00:00.1", datetime(2024, 2, 29, 12, 0, 0, 100_000, UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T18:59:60.5-05:00", datetime(2017, 1, 1, 0, 0, 0, 500_000, UTC)),
    ],
)
async def test_f98_dates_of_the_rfc_are_read(
    server: FaultServer, m3ter: M3terClient, smartpm: SmartPMClient, text: str, moment: datetime
) -> None:
    """Lower case, a second 60 and any number of digits are RFC 3339, from either provider."""
    server.always(PAGE, json_answer({"data": [{"id": "1", "dtCreated": text, "dtLastModified": text}]}))
    server.always(GROUP, json_answer(group_of({**USER, "lastLogin": text})))

    (group,) = await m3ter.list_user_groups("ada").collect()
    (user,) = (await smartpm.get_user_group(GROUP_ID)).users

    assert (group.dt_created, group.dt_last_modified, user.last_login) == (moment, moment, moment)
    assert user.last_login is not None
    assert user.last_login.utcoffset() in (timedelta(0), timedelta(hours=-5))


@pytest.mark.parametrize("text", ["2024-W09-4T12:00:00Z", "2024-W09-4", "20240229T120000Z", "2024-060T12:00:00Z"])
async def test_f98_other_dates_are_not(server: FaultServer, smartpm: SmartPMClient, warned: Warned, text: str) -> None:
    """A week date is refused, as all that is not RFC 3339: the field is None, and what came is kept."""
    server.always(GROUP, json_answer(group_of({**USER, "lastLogin": text})))

    (user,) = (await smartpm.get_user_group(GROUP_ID)).users

    assert user.last_login is None
    assert user.to_dict() == {**USER, "lastLogin": text}
    assert len(warned()) == 1


@pytest.mark.parametrize("number", ["3", "3.0", "3e0", "0.3E1", "30e-1"])
async def test_f98_whole_numbers_may_have_a_point(
    server: FaultServer, m3ter: M3terClient, smartpm: SmartPMClient, number: str
) -> None:
    """JSON Schema's integer is a number without a fraction, in whichever form: the caller gets an int."""
    server.always(PAGE, answer(f'{{"data": [{{"id": "1", "version": {number}}}]}}'.encode()))
    text = json.dumps(group_of({**USER, "loginCount": 171}))
    server.always(GROUP, answer(text.replace("171", number).encode()))

    (group,) = await m3ter.list_user_groups("ada").collect()
    (user,) = (await smartpm.get_user_group(GROUP_ID)).users

    assert repr(group.version) == repr(user.login_count) == "3"
    assert strict_json(user.to_dict()) == strict_json({**USER, "loginCount": 3})


# 99: what is no strict JSON


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"1e400", id="an infinite number"),
        pytest.param(b'[{"a": [-1e999]}]', id="an infinite number within"),
        pytest.param(b'"\xed\xa0\x80"', id="half of a pair, as raw bytes"),
        pytest.param(b'{"\xed\xb0\x80": 1}', id="half of a pair, as a raw key"),
        pytest.param(b'"\xff"', id="no UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["more", "name"])
async def test_f99_what_no_strict_json_can_hold_is_refused(
    server: FaultServer, provider: Provider, watch: Watch, name: str, value: bytes
) -> None:
    """An infinite number, and bytes that are no Unicode, are refused in any field, known or not."""
    more = b', "' + name.encode() + b'": ' + value + b"}"
    good = json.dumps({"data": [{"id": "1"}]} if provider.name == "m3ter" else group_of()).encode()
    server.always(provider.path, answer(good[:-1] + more))

    with watch.raises(UnexpectedResponseError, match=r"it is not JSON \(at \$\)$"):
        await provider.of(server)()

    assert server.count(provider.path) == 1


async def test_f99_half_of_an_escaped_pair_is_replaced(
    server: FaultServer, m3ter: M3terClient, smartpm: SmartPMClient
) -> None:
    """Half of a surrogate pair is U+FFFD in texts, keys and unknown fields, so that anyone can store what came."""
    odd = {"ke\ud800y": ["\udc00", {"\ud800": "\ud83d\ude00 and \ud83d \\ud800"}]}
    mended = {"ke\ufffdy": ["\ufffd", {"\ufffd": "\U0001f600 and \ufffd \\ud800"}]}
    server.always(PAGE, json_answer({"data": [{"id": "1\ud800", "name": "\udfff", **odd}]}))
    server.always(GROUP, json_answer(group_of({**USER, "title": "\ud800", **odd}, name="N\udc00", **odd)))

    (listed,) = await m3ter.list_user_groups("ada").collect()
    group = await smartpm.get_user_group(GROUP_ID)

    assert listed.to_dict() == {"id": "1\ufffd", "name": "\ufffd", **mended}
    assert group.to_dict() == group_of({**USER, "title": "\ufffd", **mended}, name="N\ufffd", **mended)
    assert json.loads(strict_json(listed.to_dict())) == listed.to_dict()
    assert json.loads(strict_json(group.to_dict())) == group.to_dict()


# 109: fields that are not required


@pytest.mark.parametrize(
    ("field", "value", "name", "kind"),
    [
        ("loginCount", "42", "login_count", "text"),
        ("loginCount", 4.2, "login_count", "a number"),
        ("lastLogin", 1_700_000_000, "last_login", "a number"),
        ("lastLogin", "17th of May", "last_login", "text"),
        ("ssoUser", "yes", "sso_user", "text"),
        ("role", ["CANARY-role"], "role", "an array"),
        ("title", {"en": "CANARY-title"}, "title", "an object"),
    ],
)
async def test_f109_one_user_of_ten_thousand(
    server: FaultServer,
    smartpm: SmartPMClient,
    warned: Warned,
    field: str,
    value: object,
    name: str,
    kind: str,
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
        {"version": "17171717"},
        {"version": 17171717.5},
        {"version": True},
        {"name": 17_171_717},
        {"name": {"en": "17171717"}},
        {"dtCreated": "17171717 o'clock"},
        {"dtCreated": "2024-02-30T17:17:17Z"},
        {"dtLastModified": 17_171_717},
        {"dtLastModified": ""},
        {"createdBy": False},
        {"version": "17171717", "createdBy": {}, "colour": "red"},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("shape", ["envelope", "array", "bare"])
async def test_f109_group_of_m3ter(
    server: FaultServer,
    m3ter: M3terClient,
    warned: Warned,
    fields: dict[str, object],
    shape: str,
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
    server: FaultServer, make_smartpm: MakeSmartPM, options: Options, warned: Warned
) -> None:
    """A client warns of a field once, however often it comes, and says nothing for another client."""
    unfit = {**USER, "loginCount": "42"}
    same, another = json_answer(group_of(unfit, unfit)), json_answer(group_of({**unfit, "role": 5}))
    server.once(GROUP, *[same] * 6, another)
    clients = [make_smartpm(server, **options()) for _ in range(2)]

    for client in clients:
        for _ in range(3):
            await client.get_user_group(GROUP_ID)
    await clients[0].get_user_group(GROUP_ID)

    assert [sentence.partition(" ")[0] for sentence in warned()] == ["User.loginCount"] * 2 + ["User.role"]


async def test_f109_warning_is_given_once_for_a_listing(
    server: FaultServer, m3ter: M3terClient, warned: Warned
) -> None:
    """The pages of a listing are read by the one client."""
    pages = [{"data": [{"id": str(n), "name": n}], "nextToken": str(n)} for n in range(1, 4)]
    server.once(PAGE, *map(json_answer, pages), json_answer({"data": [{"id": "last", "name": 5}]}))

    assert [group.name async for group in m3ter.list_user_groups("ada")] == [None] * 4

    assert len(warned()) == 1


@pytest.mark.parametrize(
    ("users", "path"),
    [
        ([{**USER, "loginCount": "42"}, {**USER, "id": "x"}], "$.users[1].id"),
        ([{**USER, "loginCount": "42", "email": None}], "$.users[0].email"),
        ({"0": USER}, "$.users"),
        ("", "$.users"),
    ],
)
async def test_f109_what_is_required_is_still_asked_for(
    server: FaultServer, smartpm: SmartPMClient, watch: Watch, users: object, path: str
) -> None:
    """Ids, addresses and lists are what a review is about: one that does not fit costs the whole answer."""
    server.always(GROUP, json_answer({**group_of(), "users": users}))

    with watch.raises(UnexpectedResponseError) as caught:
        await smartpm.get_user_group(GROUP_ID)

    assert caught.value.json_path == path
