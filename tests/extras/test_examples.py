"""The programs of `examples/`, each run against a sandbox as its first lines say."""

import asyncio
import csv
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from extras.shell import MANAGERS
from usergroups.sandbox import Server
from usergroups.testing import Providers

EXAMPLES = Path(__file__).parents[2] / "examples"
NO_FASTAPI = "FastAPI is not installed, or needs a newer starlette: pip install fastapi"
EMPTY = "550e8400-e29b-41d4-a716-446655440001"
ABSENT = "550e8400-e29b-41d4-a716-446655440009"


def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the example *name* and return what it printed."""
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments], capture_output=True, encoding="utf-8", check=False
    )


def test_every_example_is_tested() -> None:
    """No example is without a test, here or in the tests of the documents and the sandbox."""
    tests = Path(__file__).parents[1]
    tested = "".join(path.read_text(encoding="utf-8") for path in tests.glob("*/test_*.py"))

    assert all(path.stem in tested for path in EXAMPLES.glob("*.py"))


def test_demo_shows_both_providers() -> None:
    """The demo lists groups over two tokens, and needs nothing but itself."""
    result = run("demo.py")

    assert (result.returncode, result.stderr) == (0, "")
    assert "Team 9" in result.stdout
    assert "kirby.smart@blah.com" in result.stdout


@pytest.mark.usefixtures("server")
def test_user_groups_are_printed() -> None:
    """A line for each group of a user, also of those that the groups are nested in."""
    result = run("user_groups.py", "grace")

    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 12


@pytest.mark.usefixtures("server")
def test_members_are_printed() -> None:
    """A line for each user of a group."""
    result = run("group_members.py", MANAGERS)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1] == "nell.null@blah.com Admin never logged in"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("name", "argument", "said"),
    [
        ("user_groups.py", "who?", "who? is unknown"),
        ("user_groups.py", "..", "user_id must not be '.' or '..', or have spaces around it"),
        ("group_members.py", "1", "1: user_group_id must be a UUID"),
        ("group_members.py", ABSENT, f"{ABSENT}: No such user group"),
    ],
)
def test_failures_are_one_line(name: str, argument: str, said: str) -> None:
    """What fails is said in one line, and in the exit status."""
    result = run(name, argument)

    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"{said}\n")


def written(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_review_has_both_systems(server: Server, tmp_path: Path) -> None:
    """A row for each pair of group and user, of both systems; what could not be asked is said."""
    data, review = server.sandbox.data, tmp_path / "review.csv"
    data.add_m3ter_group('Ops, "night"\nand =day', id="odd")
    data.add_m3ter_user("zoë", ["odd"])
    data.add_smartpm_user({"email": "ghost@example.com"})

    result = run("access_review.py", review)

    assert result.returncode == 1
    assert ["has no id" in line for line in result.stderr.splitlines()] == [True]
    header, *rows = written(review)
    assert header == ["system", "group_id", "group_name", "user_id", "user_email", "inherited", "error"]
    assert {row[2] for row in rows if row[3] == "ada"} == {"Billing", "Finance", "Reporting"}
    assert ["m3ter", "odd", 'Ops, "night"\nand =day', "zoë", "zoë@example.com", "False", ""] in rows
    assert [row[3] for row in rows if row[0] == "m3ter" and not row[1]] == ["nobody"]
    assert sorted(row[4] for row in rows if row[2] == "Project Managers") == [
        f"{name}@blah.com" for name in ("abe.absent", "kirby.smart", "nat.naive", "nell.null", "zoë.zulu")
    ]


@pytest.fixture
def ids(server: Server, tmp_path: Path) -> Path:
    """Return a file with the ids of 100 users, of whom one is unknown and one is in no group."""
    data = server.sandbox.data
    groups = [data.add_m3ter_group(f"Unit {n}, north\nwing") for n in range(7)]
    users = [data.add_m3ter_user(f"user-{n}", groups[: 1 + n % 7]) for n in range(98)]
    path = tmp_path / "ids.txt"
    path.write_text("\n".join([*users, "nobody", "who?"]), encoding="utf-8")
    return path


def test_export_is_whole_wherever_it_was_cut(server: Server, ids: Path, tmp_path: Path) -> None:
    """All users are written; an export that was cut off at any byte is completed, and asks for the rest alone."""
    output = tmp_path / "groups.csv"

    first = run("bulk_export.py", ids, output)

    whole, rows = output.read_bytes(), written(output)
    assert first.returncode == 1
    assert re.search(r"100 of 100\n.*1 calls failed: run this again\n$", first.stderr, re.DOTALL)
    assert len({row[0] for row in rows[1:]}) == 99
    assert ["nobody", *[""] * 7] in rows
    assert {len(row) for row in rows} == {8}

    for cut in (0, 5, len(whole) - 1, len(whole) - 40):
        output.write_bytes(whole[:cut] if cut > 5 else whole[: len(whole) * 9 // 10 + cut])
        before = server.sandbox.counts.pages

        run("bulk_export.py", ids, output)

        assert sorted(written(output)) == sorted(rows)
        assert server.sandbox.counts.pages - before < 40


@pytest.fixture
def fastapi_app(server: Server) -> ModuleType:
    """Return the module of the web backend."""
    pytest.importorskip("fastapi", reason=NO_FASTAPI, exc_type=ImportError)
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLES / "fastapi_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def in_process(module: ModuleType) -> AsyncIterator[httpx.AsyncClient]:
    """Run the backend in this process, with its lifespan, and give a browser for it."""
    async with module.lifespan(module.app) as state:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await module.app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://web") as browser:
            browser.app = app  # type: ignore[attr-defined]
            yield browser


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("/users/nobody/groups", 200, []),
        ("/users/ada/groups?page_size=500", 400, {"message": "page_size must be from 1 to 200"}),
        ("/users/who%3F/groups", 404, {"message": "No such user"}),
        ("/users/who%3F/groups.ndjson", 404, {"message": "No such user"}),
        ("/groups/1/members", 400, {"message": "user_group_id must be a UUID"}),
        (f"/groups/{EMPTY}/members", 200, []),
        ("/health", 200, {"status": "ok"}),
    ],
)
async def test_backend_answers(fastapi_app: ModuleType, path: str, status: int, answer: object) -> None:
    """Answers of the SDK are the backend's, and each error has its status."""
    async with in_process(fastapi_app) as browser:
        response = await browser.get(path)

    assert (response.status_code, response.json()) == (status, answer)


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [(429, 503, "120"), (503, 502, "120"), (401, 502, "120"), ("timeout", 504, None), ("disconnect", 502, None)],
)
async def test_backend_says_what_failed(
    fastapi_app: ModuleType, failure: Any, status: int, retry_after: str | None
) -> None:
    """A failure of the provider is not the backend's own, and never its caller's."""
    providers = Providers()
    answers = isinstance(failure, int)
    providers.fail_next(failure, times=None, **({"retry_after": 120} if answers else {}))
    fastapi_app.app.dependency_overrides[fastapi_app.get_m3ter] = lambda: providers.m3ter

    async with httpx.AsyncClient(transport=httpx.ASGITransport(fastapi_app.app), base_url="http://web") as browser:
        response = await browser.get("/users/ada/groups")

    assert (response.status_code, response.headers.get("Retry-After")) == (status, retry_after)


async def test_backend_shows_its_own_models(fastapi_app: ModuleType) -> None:
    """Groups and members are shown as the backend's models say, and no field more."""
    async with in_process(fastapi_app) as browser:
        groups = (await browser.get("/users/ada/groups")).json()
        members = (await browser.get(f"/groups/{MANAGERS}/members")).json()

    assert [group["name"] for group in groups] == ["Billing", "Finance", "Reporting"]
    assert set(groups[0]) == {"id", "name"}
    assert members[0] == {"id": MANAGERS, "email": "kirby.smart@blah.com", "role": "Admin"}


async def test_backend_is_not_healthy_without_a_token(fastapi_app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is refused is told by the health endpoint."""
    monkeypatch.setenv("M3TER_API_SECRET", "wrong")
    async with in_process(fastapi_app) as browser:
        response = await browser.get("/health")

    assert (response.status_code, response.json()["status"]) == (503, "failing")


async def test_backend_streams(fastapi_app: ModuleType) -> None:
    """All groups of a user come, an object a line."""
    async with in_process(fastapi_app) as browser:
        response = await browser.get("/users/linus/groups.ndjson")

    assert [json.loads(line)["name"] for line in response.text.splitlines()][::999] == ["Project 0001", "Project 1000"]


async def test_backend_stops_when_its_reader_leaves(fastapi_app: ModuleType, server: Server) -> None:
    """Who leaves a stream of 200 pages after the first costs few more, and leaves no task behind."""
    async with in_process(fastapi_app) as browser:
        has_read = asyncio.Event()
        requests = iter([{"type": "http.request"}])

        async def receive() -> dict[str, Any]:
            if (request := next(requests, None)) is not None:
                return request
            await has_read.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message.get("body"):
                has_read.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            "path": "/users/linus/groups.ndjson",
            "query_string": b"",
            "headers": [],
        }
        await browser.app(scope, receive, send)  # type: ignore[attr-defined]

        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert server.sandbox.counts.pages < 10


class Backend:
    """The backend under uvicorn, with two workers."""

    def __init__(self) -> None:
        options = ["--app-dir", EXAMPLES, "--workers", "2", "--port", "0", "--no-access-log"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "fastapi_app:app", *options],
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._said = ""
        self.url = ""

    def start(self) -> None:
        """Wait until both workers serve."""
        assert self._process.stderr is not None
        while self._said.count("Application startup complete") < 2:
            line = self._process.stderr.readline()
            assert line, self._said
            self._said += line
        self.url = re.findall(r"running on (http://[^ ]+)", self._said)[0]

    def end(self) -> tuple[int, str]:
        """End it as a supervisor does, and return its exit status and what it said."""
        self._process.send_signal(signal.SIGTERM)
        self._said += self._process.communicate()[1]
        return self._process.returncode, self._said

    def kill(self) -> None:
        """End it, however it is."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def under_uvicorn() -> Iterator[Backend]:
    """Run the backend under uvicorn."""
    backend = Backend()
    try:
        backend.start()
        yield backend
    finally:
        backend.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="there, no signal ends a program in order")
async def test_backend_serves_200_at_once(server: Server) -> None:
    """200 concurrent requests to two workers: no error, one token request a worker, and a clean end on SIGTERM."""
    pytest.importorskip("fastapi", reason=NO_FASTAPI, exc_type=ImportError)
    with under_uvicorn() as backend:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=backend.url, limits=limits, timeout=30, trust_env=False) as browser:
            answers = await asyncio.gather(*(browser.get("/users/ada/groups") for _ in range(200)))
        status, said = backend.end()

    assert {answer.status_code for answer in answers} == {200}
    assert 1 <= server.sandbox.counts.token_requests <= 2
    assert status == 0
    assert said.count("Application shutdown complete") == 2
    assert "Traceback" not in said
    assert "ERROR" not in said
