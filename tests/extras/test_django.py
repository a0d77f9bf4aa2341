"""`examples/django_views.py`, under uvicorn and under a threaded WSGI server: its client, its answers, its errors."""

import asyncio
import importlib.util
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from extras.outage import Outage
from extras.program import Program
from usergroups.sandbox import Server

NO_DJANGO = "Django is not installed: pip install django"
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("django") is None, reason=NO_DJANGO),
    pytest.mark.skipif(sys.platform == "win32", reason="there, no signal ends a program in order"),
]

THREADED = """
import signal
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIServer, make_server

from django_views import wsgi

class Threaded(ThreadingMixIn, WSGIServer):
    request_queue_size = 100

with make_server("127.0.0.1", 0, wsgi, Threaded) as server:
    # No KeyboardInterrupt: one that is raised in a callback of the garbage collector would get lost.
    signal.signal(signal.SIGINT, lambda *_: Thread(target=server.shutdown).start())
    print(f"running on http://127.0.0.1:{server.server_port}")
    server.serve_forever()
"""
PROGRAMS = {"ASGI": ("-m", "uvicorn", "--port", "0", "django_views:asgi"), "WSGI": ("-c", THREADED)}
VIEWS = {"async": "/users", "sync": "/sync/users"}


@pytest.fixture
def outage(server: Server) -> Outage:
    """Return what can go wrong with the sandbox."""
    return Outage(server.sandbox)


@pytest.fixture(params=PROGRAMS.values(), ids=PROGRAMS)
def backend(request: pytest.FixtureRequest, outage: Outage, tmp_path: Path) -> Iterator[Program]:
    """Run the backend in one process."""
    with Program(tmp_path / "log", *request.param) as backend:
        yield backend


@pytest.fixture
async def browser(backend: Program) -> AsyncIterator[httpx.AsyncClient]:
    """Return a browser of the backend, with as many connections as it has requests."""
    url = backend.says(r"running on (http://127\.0\.0\.1:\d+)")[1]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False) as browser:
        yield browser


async def test_requests_share_a_token(backend: Program, browser: httpx.AsyncClient, server: Server) -> None:
    """Concurrent requests, to async and to sync views, have the right answers, all with the token of the first."""
    first = await browser.get("/users/ada/groups")
    paths = [f"{view}/{user_id}/groups" for view in VIEWS.values() for user_id in ("ada", "grace")]
    answers = await asyncio.gather(*map(browser.get, paths * 15))
    backend.send(signal.SIGINT)
    backend.wait()

    assert first.json()[0].keys() == {"id", "name"}
    assert {answer.status_code for answer in answers} == {200}
    assert [len(answer.json()) for answer in answers] == [3, 9] * 30
    assert server.sandbox.counts.token_requests == 1
    assert not re.search("Traceback|Warning|ERROR|CRITICAL", backend.log)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
async def test_errors_are_statuses(browser: httpx.AsyncClient, outage: Outage, view: str) -> None:
    """A failure of the provider is not the backend's own, and never its caller's."""
    outage.fail("ada", 429, **{"Retry-After": "120"})
    outage.fail("grace", 503, **{"Retry-After": "120"})

    answers = [await browser.get(f"{view}/{user_id}/groups") for user_id in ("who%3F", "%20ada", "ada", "grace")]

    assert [answer.status_code for answer in answers] == [404, 400, 503, 502]
    assert [answer.headers.get("Retry-After") for answer in answers] == [None, None, "120", "120"]
    assert answers[0].json() == {"message": "No such user"}
