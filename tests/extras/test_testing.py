"""The pytest plugin `usergroups.testing`: in the projects of users, and what its fixture gives."""

import asyncio
import gc
import inspect
import os
import tomllib
from pathlib import Path
from uuid import UUID

import pytest

from usergroups import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    M3terClient,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    SmartPMClient,
    sweep,
)
from usergroups.sandbox import smartpm_user
from usergroups.testing import Call, Providers
from usergroups.testing._clock import Clock
from usergroups.testing._providers import M3terOptions, SmartPMOptions

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
TOKEN = "/oauth/token"
GROUPS_OF_ZOE = "/organizations/5a4db0c5-0000-4000-8000-000000000001/users/zoe/usergroups"
LONG = 3_600  # seconds; a test that really waited would not end in time

LOOPS = ["-o", "asyncio_default_fixture_loop_scope=function"]  # else pytest-asyncio warns

USES_NO_SOCKET = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
        raise RuntimeError(event)

sys.addaudithook(refuse)
"""

TESTS_OF_A_USER = """
import asyncio

import pytest

from usergroups import AsyncPager, ServerError, UserGroupsError
from usergroups.sandbox import smartpm_user
from usergroups.testing import Call, Providers


async def names(m3ter, user_id):
    return [group.name async for group in m3ter.list_user_groups(user_id)]


MARK
async def test_groups(usergroups_sandbox: Providers):
    data = usergroups_sandbox.data
    data.add_m3ter_user("zoe", [data.add_m3ter_group(f"Team {n}") for n in range(7)])
    assert await names(usergroups_sandbox.m3ter, "zoe") == [f"Team {n}" for n in range(7)]
    assert [call.status for call in usergroups_sandbox.calls] == [200] * 3


MARK
async def test_members(usergroups_sandbox):
    group_id = usergroups_sandbox.data.add_smartpm_group("Operations", [smartpm_user("Zoe Park")])
    async with usergroups_sandbox.smartpm_client() as smartpm:
        assert [user.last_name for user in (await smartpm.get_user_group(group_id)).users] == ["Park"]


MARK
async def test_outage(usergroups_sandbox):
    usergroups_sandbox.data.add_m3ter_user("zoe")
    usergroups_sandbox.fail_next(503, times=2, retry_after=55)
    assert await names(usergroups_sandbox.m3ter_client(timeout=None), "zoe") == []
    usergroups_sandbox.fail_next("disconnect", times=3)
    with pytest.raises(UserGroupsError):
        await names(usergroups_sandbox.m3ter, "zoe")


def test_each_test_has_its_own(usergroups_sandbox):
    assert usergroups_sandbox.calls == []
    with pytest.raises(UserGroupsError, match="No such user"):
        asyncio.run(names(usergroups_sandbox.m3ter, "zoe"))
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Make an empty project of a user, where usergroups is installed as pyproject.toml says."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    [(group, points)] = declared.items()
    info = pytester.mkdir("installed") / "usergroups_here-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: usergroups-here\nVersion: 1\n", encoding="utf-8")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}", encoding="utf-8")
    search_first(info.parent, monkeypatch)
    return pytester


def search_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python processes look for modules in *folder* before anywhere else."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])))


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        pytest.param("", [*LOOPS, "-o", "asyncio_mode=auto"], id="pytest-asyncio, auto"),
        pytest.param("@pytest.mark.asyncio", [*LOOPS, "-o", "asyncio_mode=strict"], id="pytest-asyncio, strict"),
        pytest.param("@pytest.mark.anyio", ["-p", "no:asyncio"], id="anyio"),
    ],
)
def test_fixture_works_under_both_async_plugins(project: pytest.Pytester, mark: str, options: list[str]) -> None:
    """The tests of a user run with either plugin, warnings being errors, without a socket and without settings."""
    backend = "\nimport pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    project.makeconftest(USES_NO_SOCKET + backend)
    project.makepyfile(TESTS_OF_A_USER.replace("MARK", mark))

    result = project.runpytest_subprocess("-W", "error", "--strict-markers", *options)

    result.assert_outcomes(passed=4)


def test_fixture_is_listed(project: pytest.Pytester) -> None:
    """`pytest --fixtures` says what there is."""
    result = project.runpytest_subprocess("--fixtures")

    result.stdout.fnmatch_lines(["usergroups_sandbox -- *", "*Both providers in the process of this test*"])


def test_plugin_that_is_not_used_imports_nothing(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test run without our fixture imports neither clients nor what they stand on."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins may import these
    project.makepyfile(
        """
        import sys

        def test_modules():
            names = ["attrs", "httpx", "starlette", "uvicorn", "usergroups.errors", "usergroups.sandbox"]
            assert "usergroups.testing" in sys.modules
            assert [name for name in names if name in sys.modules] == []
        """
    )

    result = project.runpytest_subprocess("-p", "usergroups.testing")

    result.assert_outcomes(passed=1)


def test_missing_extra_is_named_by_the_test_that_needs_it(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra's packages a test that uses the fixture is told what to install; others run."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins may need what is missing
    project.path.joinpath("installed", "sitecustomize.py").write_text(
        "import sys; sys.modules['starlette'] = None", encoding="utf-8"
    )
    project.makepyfile("def test_ours(usergroups_sandbox): ...\n\ndef test_another(): ...")

    result = project.runpytest_subprocess("-p", "usergroups.testing")

    result.assert_outcomes(passed=1, errors=1)
    sentence = "usergroups_sandbox: the sandbox needs starlette: install usergroups with its extra 'sandbox' (*"
    result.stdout.fnmatch_lines([sentence])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_plugin_has_no_other_name() -> None:
    """What is not there is an AttributeError, as for any module."""
    import usergroups.testing

    assert usergroups.testing.Providers is Providers
    with pytest.raises(AttributeError, match=r"module 'usergroups\.testing' has no attribute 'Sandbox'"):
        _ = usergroups.testing.Sandbox


# What the fixture gives


@pytest.fixture
def both() -> Providers:
    """Make the providers, with one m3ter user."""
    providers = Providers()
    providers.data.add_m3ter_user("zoe", [providers.data.add_m3ter_group("Operations")])
    return providers


@pytest.fixture
def group_id(both: Providers) -> str:
    """Add a SmartPM group and return its id."""
    return both.data.add_smartpm_group("Operations", [smartpm_user("Zoe Park")])


async def groups(client: M3terClient, user_id: str = "zoe") -> list[str | None]:
    """Return the names of a user's groups."""
    return [group.name for group in await client.list_user_groups(user_id)]


async def test_providers_begin_empty_and_know_what_is_added():
    """There is nobody at first; who is added at any time is there."""
    providers = Providers()
    with pytest.raises(NotFoundError):
        await groups(providers.m3ter)

    group_id = providers.data.add_m3ter_group("Operations")
    providers.data.add_m3ter_member(group_id, "zoe")

    assert await groups(providers.m3ter) == ["Operations"]


async def test_clients_are_kept_or_new(both: Providers):
    """The clients at hand stay the same; others may be made, closed, and given arguments."""
    async with both.m3ter_client() as other:
        assert await groups(other) == ["Operations"]

    with pytest.raises(APIConnectionError, match="the client is closed"):
        await groups(other)
    assert both.m3ter is both.m3ter
    assert both.smartpm is both.smartpm
    assert both.m3ter is not other


async def test_arguments_reach_the_clients(both: Providers, group_id: str):
    """A client may be made with wrong credentials, another policy and another address."""
    with pytest.raises(AuthenticationError, match="wrong API secret"):
        await groups(both.m3ter_client(api_secret="wrong"))
    with pytest.raises(PermissionDeniedError):
        await both.smartpm_client(company_id="1").get_user_group(group_id)
    both.fail_next(500)
    with pytest.raises(ServerError, match="1 attempt"):
        await both.smartpm_client(retry=RetryPolicy(attempts=1)).get_user_group(group_id)
    assert "base_url='https://example.com'" in repr(both.m3ter_client(base_url="https://example.com"))


@pytest.mark.parametrize(
    ("options", "client"), [(M3terOptions, M3terClient), (SmartPMOptions, SmartPMClient)], ids=["m3ter", "smartpm"]
)
def test_clients_take_every_argument_but_the_transport(options: type, client: type):
    """What a client of the kit takes is what the client takes; a type checker knows it."""
    assert options.__annotations__.keys() == inspect.signature(client).parameters.keys() - {"transport"}


async def test_calls_tell_what_was_asked(both: Providers, group_id: str):
    """Each request is told once it is over: the path as it is read, the query by name, the status if there was one."""
    both.data.add_m3ter_user("a/b é")
    both.fail_next("timeout", provider="smartpm")
    await both.m3ter.list_user_groups("zoe", page_size=7, inherited=True)
    await both.m3ter.list_user_groups("a/b é")
    await both.smartpm.get_user_group(group_id)

    path = f"/public/v1/user-groups/{group_id}"
    assert both.calls == [
        Call("m3ter", "POST", TOKEN, {}, 200),
        Call("m3ter", "GET", GROUPS_OF_ZOE, {"pageSize": "7", "inherited": "true"}, 200),
        Call("m3ter", "GET", GROUPS_OF_ZOE.replace("zoe", "a/b é"), {}, 200),
        Call("smartpm", "GET", path, {}, None),
        Call("smartpm", "GET", path, {}, 200),
    ]


async def test_lists_are_answered():
    """Users, groups and what is in them are there for the clients of the kit, page by page."""
    providers = Providers(default_page_size=2)
    data = providers.data
    outer = data.add_m3ter_group("Outer")
    inner = data.add_m3ter_group("Inner", parents=[outer])
    for user_id in ("abe", "eve", "zoe"):
        data.add_m3ter_user(user_id, [inner], lastName="Park")
    zoe = smartpm_user("Zoe Park")
    crew = data.add_smartpm_group("Crew", [zoe])
    data.add_smartpm_user({"email": "new@example.com"})

    users = await providers.m3ter.list_users()
    groups_ = await providers.m3ter.list_groups()
    items = [item for group in groups_ for item in await providers.m3ter.list_group_items(group.id)]
    company = await providers.smartpm.list_users()
    roles = await providers.smartpm.get_project_roles(company[0].id)

    assert [(user.id, user.last_name) for user in users] == [("abe", "Park"), ("eve", "Park"), ("zoe", "Park")]
    assert [item.target_id for item in items] == [inner, "abe", "eve", "zoe"]
    assert [user.email for user in company] == [zoe["email"], "new@example.com"]
    assert [role.user_group_id for role in roles.project_roles] == [None, UUID(crew)]
    contents = [(call.method, call.query) for call in providers.calls if call.path.endswith(f"/{inner}/contents")]
    assert contents == [("POST", {}), ("POST", {"nextToken": contents[1][1]["nextToken"]})]


async def test_failure_of_a_list_may_be_picked_by_its_path(both: Providers):
    """A list that is asked for by POST fails on demand as others do, and only where it is meant."""
    group_id = (await both.m3ter.list_groups())[0].id
    both.fail_next(403, path="*/contents")

    assert [user.id for user in await both.m3ter.list_users()] == ["zoe"]
    assert [item.target_id for item in await both.m3ter.list_group_items(group_id)] == ["zoe"]
    assert [call.status for call in both.calls][-3:] == [403, 200, 200]


# Failures


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        pytest.param(404, NotFoundError, id="404"),
        pytest.param(429, RateLimitedError, id="429"),
        pytest.param(503, ServerError, id="503"),
        pytest.param("timeout", APITimeoutError, id="timeout"),
        pytest.param("disconnect", APIConnectionError, id="disconnect"),
    ],
)
async def test_failure_is_what_a_caller_gets(both: Providers, group_id: str, failure, error):
    """As many failures as there are attempts are the error of the call, and the next call goes well."""
    both.fail_next(failure, times=1 if failure == 404 else 3, message="maintenance")

    with pytest.raises(error, match="maintenance") as caught:
        await both.smartpm.get_user_group(group_id)

    assert type(caught.value) is error
    assert (await both.smartpm.get_user_group(group_id)).name == "Operations"


async def test_fewer_failures_than_attempts_are_not_noticed(both: Providers):
    """A retry succeeds, and the wait before it took no time, but is told."""
    client = both.m3ter_client(timeout=None, retry=RetryPolicy(max_retry_after=2 * LONG))
    both.fail_next(503, times=2, retry_after=LONG)

    assert await groups(client) == ["Operations"]
    assert [call.status for call in both.calls] == [200, 503, 503, 200]
    assert 2 * LONG <= both.waited <= 2 * LONG + 1


async def test_failure_may_be_of_one_provider(both: Providers, group_id: str):
    """The other provider goes on, for as long as the outage lasts."""
    both.fail_next(503, times=None, provider="smartpm")

    for _ in range(2):
        with pytest.raises(ServerError):
            await both.smartpm.get_user_group(group_id)
    assert await groups(both.m3ter) == ["Operations"]


async def test_failure_may_be_of_one_path(both: Providers):
    """A pattern picks out who fails in a sweep."""
    for n in range(5):
        both.data.add_m3ter_user(f"user-{n}")
    both.fail_next(500, times=None, path="*/users/user-3/*")

    ids = [f"user-{n}" for n in range(5)]
    outcomes = [each async for each in sweep(both.m3ter.list_user_groups, ids, on_error="yield")]

    assert [outcome.key for outcome in outcomes if outcome.error] == ["user-3"]


async def test_tokens_fail_only_by_their_path(both: Providers):
    """A failure does not hit the request for a token, unless it is named."""
    both.fail_next(404)
    with pytest.raises(NotFoundError):
        await groups(both.m3ter)
    both.fail_next(400, path=TOKEN)
    with pytest.raises(AuthenticationError):
        await groups(both.m3ter_client())


async def test_failures_come_in_order(both: Providers):
    """Several failures that are due come one after another, each as often as was asked for."""
    both.fail_next(503)
    both.fail_next("disconnect", provider="m3ter")
    both.fail_next(404, provider="smartpm")

    assert await groups(both.m3ter) == ["Operations"]
    assert [call.status for call in both.calls] == [200, 503, None, 200]


async def test_ended_token_is_replaced(both: Providers):
    """Tokens that ended early cost a refusal and another token, as often as they end; a new client notices nothing."""
    both.end_tokens()
    for _ in range(3):
        assert await groups(both.m3ter) == ["Operations"]
        both.end_tokens()

    replaced = [403, 200, 200]
    assert [call.status for call in both.calls] == [200, 200, *replaced, *replaced]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        *(
            pytest.param({"failure": failure}, "failure must be a status from 400 to 599, 'timeout' or 'dis", id=name)
            for failure, name in ((200, "success"), (600, "no status"), ("reset", "no word"), (True, "truth"))
        ),
        pytest.param({"times": 0}, "times must be 1 or more, or None, not 0", id="never"),
        pytest.param({"provider": "SmartPM"}, "provider must be 'm3ter' or 'smartpm', not 'SmartPM'", id="provider"),
        pytest.param({"retry_after": -1}, "retry_after must be 0 or more seconds, with a status, not -1", id="before"),
        pytest.param({"failure": "timeout", "retry_after": 1}, "retry_after must be 0 or more", id="without an answer"),
    ],
)
def test_failure_that_cannot_be_is_refused(both: Providers, arguments, sentence):
    """A mistake in a test is told where it is made."""
    with pytest.raises(ValueError, match=f"^{sentence}"):
        both.fail_next(**({"failure": 503} | arguments))


async def test_rate_limit_and_pages_may_be_set():
    """Above the limit the providers refuse, by the clients' clock; clients that keep to it are not refused."""
    providers = Providers(rate_limit=5, default_page_size=1)
    made = [providers.data.add_m3ter_group(f"Team {n}") for n in range(3)]
    ids = [providers.data.add_m3ter_user(f"user-{n}", made) for n in range(20)]

    paced = providers.m3ter_client(max_rate=5)
    assert all([len(outcome.result()) == 3 async for outcome in sweep(paced.list_user_groups, ids)])
    assert {call.status for call in providers.calls} == {200}
    assert providers.waited > 10

    hasty = providers.m3ter_client(max_rate=None, retry=RetryPolicy(attempts=1))
    with pytest.raises(RateLimitedError):
        await asyncio.gather(*map(hasty.list_user_groups, ids))


async def test_callers_at_once_wait_together(both: Providers):
    """A hundred callers that are all told to come back in 30 s wait 30 s, not 30 s each."""
    both.fail_next(429, times=40, retry_after=30)

    found = await asyncio.gather(*(groups(both.m3ter) for _ in range(100)))

    assert found == [["Operations"]] * 100
    assert 30 <= both.waited < 60


def test_loops_may_follow_one_another(both: Providers, group_id: str):
    """The same client serves one event loop after another, and leaves nothing unclosed."""
    for _ in range(2):
        both.fail_next(503)
        assert asyncio.run(groups(both.m3ter)) == ["Operations"]
        asyncio.run(both.smartpm.get_user_group(group_id))
    del both
    gc.collect()


# The clock


async def test_shorter_sleep_ends_first():
    """Sleepers wake in the order of their ends, each at its moment; those at the same moment as they came."""
    clock, woken = Clock(), []

    async def sleep(name, seconds, turns=0):
        for _ in range(turns):
            await asyncio.sleep(0)
        began_at = clock()
        await clock.sleep(seconds)
        woken.append((name, clock() - began_at))

    await asyncio.gather(sleep("c", 20), sleep("a", 5), sleep("d", 20, turns=3), sleep("b", 10, turns=3))

    assert woken == [("a", 5), ("b", 10), ("c", 20), ("d", 20)]
    assert clock.slept == 20


async def test_cancelled_sleeper_is_forgotten():
    """Who is cancelled while it sleeps moves no clock and wakes nobody."""
    clock = Clock()
    sleeper = asyncio.create_task(clock.sleep(5))
    other = asyncio.create_task(clock.sleep(7))
    await asyncio.sleep(0)
    sleeper.cancel()
    await other

    assert sleeper.cancelled()
    assert clock.slept == 7
    cancelled = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    cancelled.cancel()
    await clock.sleep(1)
    assert clock.slept == 8


def test_loop_that_ended_with_sleepers_holds_nobody_up():
    """A sleeper that its event loop left behind does not keep one in another loop asleep."""
    clock = Clock()

    async def leave_a_sleeper():
        task = asyncio.create_task(clock.sleep(LONG))
        await asyncio.sleep(0)
        return task

    asyncio.run(leave_a_sleeper())
    asyncio.run(clock.sleep(1))

    assert clock.slept == 1
