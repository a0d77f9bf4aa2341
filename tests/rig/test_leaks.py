"""The leak check: it is content with a good test, and finds each thing that a bad one leaves behind."""

import asyncio
import logging
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from rig import canary
from rig.leaks import Watch
from rig.script import Gate, hold, json_answer, token_answer
from rig.server import FaultServer, Request
from usergroups import APIConnectionError, M3terClient, NotFoundError, SmartPMClient
from usergroups.errors import UserGroupsError

ROOT = Path(__file__).parents[2]
GROUP = "550e8400-e29b-41d4-a716-446655440000"
GROUP_PATH = f"/public/v1/user-groups/{GROUP}"


@pytest.fixture
def watched() -> Iterator[Watch]:
    """Return a watch whose findings the test itself looks at."""
    with Watch(settling=0.1) as watched:
        yield watched


@pytest.fixture
def served(watched: Watch) -> Iterator[FaultServer]:
    """Return a server that is watched."""
    with FaultServer() as served:
        watched.add_server(served)
        yield served


def smartpm(watched: Watch, server: FaultServer) -> SmartPMClient:
    """Make a client that is watched."""
    client = SmartPMClient(api_key=canary.SMARTPM_API_KEY, company_id="company-1", base_url=server.url)
    watched.add_client(client)
    return client


def in_sdk(code: str, **names: Any) -> dict[str, Any]:
    """Run *code* as if it stood in a file of the SDK."""
    folder = canary.SDK_FOLDERS[0]
    exec(compile(code, f"{folder}made_up.py", "exec"), names)
    return names


async def test_good_test_leaves_nothing(watched: Watch, served: FaultServer) -> None:
    """Calls that ended, on clients that the test closed or not, are nothing to complain of."""
    served.always("/oauth/token", token_answer())
    served.always("/organizations/*", json_answer({"data": []}))
    served.always(GROUP_PATH, json_answer({"message": "no such group"}, 404))
    client = M3terClient(org_id="org-1", api_key=canary.API_KEY_ID, api_secret=canary.API_SECRET, base_url=served.url)
    watched.add_client(client)
    other = smartpm(watched, served)

    assert await client.list_user_groups("u").collect() == []
    async with other:
        with watched.raises(NotFoundError):
            await other.get_user_group(GROUP)

    assert await watched.finish() == []
    assert served.open.value == 0
    assert watched.log.records > 0


async def test_calls_under_way_are_found(watched: Watch, served: FaultServer) -> None:
    """Calls that nobody ended show as tasks, a place of the gate, callers before it, and a connection in use."""
    gate = Gate()
    served.always(GROUP_PATH, (hold(gate),))
    client = SmartPMClient(api_key=canary.SMARTPM_API_KEY, company_id="company-1", base_url=served.url, max_in_flight=1)
    watched.add_client(client)
    tasks = [asyncio.create_task(client.get_user_group(GROUP)) for _ in range(3)]
    await gate.arrived()

    found = await watched.finish()

    assert any("a task is left" in one for one in found)
    assert "SmartPMClient: 1 place(s) of the gate lost" in found
    assert "SmartPMClient: 2 caller(s) still before the gate" in found
    assert any("a connection is in use" in one for one in found)
    await asyncio.wait(tasks)
    assert all(isinstance(task.exception(), APIConnectionError) for task in tasks)


async def test_tasks_left_or_failed_unseen_are_found(watched: Watch) -> None:
    """A task that outlives the test is named; an exception that nobody fetched is asyncio's complaint, and ours."""

    async def fail() -> None:
        raise LookupError

    await asyncio.wait([asyncio.create_task(fail())])
    task = asyncio.create_task(asyncio.sleep(60), name="forgotten")

    left, complaint = await watched.finish()

    assert "a task is left: forgotten" in left
    assert complaint.startswith("asyncio complained: Task exception was never retrieved")
    task.cancel()


async def test_what_is_wrong_at_the_server_is_found(watched: Watch, served: FaultServer) -> None:
    """A socket that is open, a request that no script was for, and a script that failed, fail the test."""

    def wrong(request: Request, n: int) -> bytes:
        raise KeyError("x")

    served.always("/fails", wrong)
    async with httpx.AsyncClient(base_url=served.url) as client:
        await client.get("/unknown?next=1")
        await client.get("/fails")

        assert await watched.finish() == [
            "1 socket(s) open on the server",
            "the server's script failed: KeyError('x')",
            "no script for GET /unknown",
        ]


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(lambda: logging.getLogger("a").debug(f"key is {canary.API_SECRET}"), id="in the text"),  # noqa: G004
        pytest.param(lambda: logging.getLogger("b").debug("basic %s", canary.BASIC), id="in base64"),
        pytest.param(lambda: logging.getLogger("c").debug("%.3s", canary.API_SECRET), id="in the arguments"),
        pytest.param(lambda: logging.getLogger("d").debug("x", extra={"y": [canary.ACCESS_TOKEN]}), id="in an extra"),
        pytest.param(lambda: logging.getLogger("e").debug("x", exc_info=ValueError(canary.BASIC)), id="in an error"),
    ],
)
async def test_secret_in_the_log_is_found(watched: Watch, log: Any) -> None:
    """No record of any logger may hold a secret, wherever in it."""
    log()

    found = await watched.finish()

    assert found
    assert all("log record of" in one for one in found)
    assert not canary.has_canary("".join(found))


async def test_errors_are_looked_into_without_being_asked(watched: Watch) -> None:
    """Every error of the SDK that was made is searched, though the test never names it."""
    NotFoundError("the answer was " + canary.ACCESS_TOKEN, status_code=404)

    found = await watched.finish()

    assert "a secret in str of NotFoundError" in found
    assert "a secret in NotFoundError.args" in found
    assert "a secret in NotFoundError.__dict__['message']" in found
    assert "a secret in pickle of NotFoundError" in found


async def test_collecting_errors_can_be_switched_off(watched: Watch) -> None:
    """A test of memory can keep the watch from keeping errors alive."""
    watched.collects_errors = False

    NotFoundError("the answer was " + canary.ACCESS_TOKEN, status_code=404)

    assert await watched.finish() == []


async def test_secret_in_a_frame_of_ours_is_found(watched: Watch) -> None:
    """A local of an SDK's frame whose repr shows a secret is found in any exception, named by the test or not."""
    code = "def fetch(make, secret):\n    header = {'key': secret}\n    raise make('refused')"
    fetch = in_sdk(code)["fetch"]

    with watched.raises(LookupError, match="refused"):
        fetch(LookupError, canary.API_SECRET)
    with pytest.raises(UserGroupsError):
        fetch(UserGroupsError, canary.API_SECRET)

    assert await watched.finish() == [
        "a secret in LookupError: local 'secret' of fetch",
        "a secret in LookupError: local 'header' of fetch",
        "a secret in UserGroupsError: local 'secret' of fetch",
        "a secret in UserGroupsError: local 'header' of fetch",
    ]


async def test_hidden_secret_in_a_frame_is_well(watched: Watch) -> None:
    """A local whose type hides the secret in its repr is what the SDK should have; frames of others do not count."""

    class Hidden(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "'***'"

    outside = canary.API_SECRET
    with watched.raises(LookupError):
        in_sdk("secret = make()\nraise LookupError(str(len(secret)))", make=lambda: Hidden(outside))

    assert await watched.finish() == []


async def test_foreign_exception_on_ours_is_found(watched: Watch) -> None:
    """No exception from below may hang on an error of the SDK; what the caller was handling is his own affair."""
    code = "def fetch(kind):\n  try:\n    {}['x']\n  except KeyError:\n    raise kind('gone') from None"

    with watched.raises(UserGroupsError):
        in_sdk(code)["fetch"](UserGroupsError)
    with watched.raises(UserGroupsError):
        try:
            int("x")
        except ValueError:
            in_sdk("raise kind('gone')", kind=UserGroupsError)

    assert await watched.finish() == ["UserGroupsError.__context__ is builtins.KeyError"]


def test_chains_and_groups_are_searched() -> None:
    """A secret is found however deep the exception that holds it hangs."""
    innermost = ValueError("x")
    innermost.add_note(canary.BASIC)
    group = ExceptionGroup("both", [LookupError("a"), innermost])
    group.__cause__ = OSError(canary.API_SECRET)
    innermost.__context__ = group  # a circle is no trap

    found = canary.sweep_exception(group)

    assert "ExceptionGroup.exceptions[1].__dict__['__notes__']" in found
    assert "str of ExceptionGroup.__cause__" in found


def test_client_that_shows_its_secret_is_found() -> None:
    """A secret in repr, str, vars or pickle of an object is found; an object that has none of these is well."""

    @attrs.define
    class Careless:
        key: str

    class Slotted:
        __slots__ = ()

        def __repr__(self) -> str:
            raise LookupError

    assert canary.sweep_object(Careless(canary.SMARTPM_API_KEY)) == ["repr of Careless", "str of Careless"]
    assert canary.sweep_object(ValueError(canary.SMARTPM_API_KEY)) == [
        "repr of ValueError",
        "str of ValueError",
        "pickle of ValueError",
    ]
    assert canary.sweep_object(Slotted()) == []
    plain = type("Plain", (), {})()
    plain.key = canary.API_SECRET
    assert "vars(Plain)['key']" in canary.sweep_object(plain)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_canary_is_seen_in_any_base64(before: str) -> None:
    """A secret is recognised in base64 wherever in the encoded text it begins, and in any case."""
    encoded = b64encode(f"{before}{canary.API_SECRET}".encode())

    assert canary.has_canary(encoded)
    assert canary.has_canary(encoded.decode())
    assert canary.has_canary(canary.API_SECRET.lower())
    assert not canary.has_canary("an ordinary sentence of api keys")


def test_leak_fails_the_test(tmp_path: Path) -> None:
    """With the fixture, a leaking test has an error at its end that says what was left; a clean one passes."""
    (tmp_path / "test_two.py").write_text(
        "import asyncio\n"
        "async def test_leaks(watch):\n"
        "    test_leaks.task = asyncio.create_task(asyncio.sleep(60), name='forgotten')\n"
        "async def test_clean(watch, server, make_m3ter, make_smartpm):\n"
        "    make_m3ter(server), make_smartpm()\n"
        "def test_without_loop(watch, make_m3ter):\n"
        "    asyncio.run(asyncio.sleep(0))\n"
    )
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "src", "generated"))

    plugins = ["no:cacheprovider", "pytest_asyncio.plugin", "pytest_timeout", "rig.fixtures"]
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), *(f"-p{one}" for one in plugins)]

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )

    assert "3 passed, 1 error" in result.stdout
    assert "ERROR at teardown of test_leaks" in result.stdout
    assert "a task is left: forgotten" in result.stdout
