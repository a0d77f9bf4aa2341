"""The pure parts of `make matrix`: what is promised, which Python is taken, which versions are the SDK's, the table."""

import tomllib
from typing import Any

import pytest

import matrix
from matrix import Row, counted, direct, named, newest, promised, runtime, table, tools

REPORT = """\
<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><error/></testcase>
<testcase name="d"><skipped/></testcase><testcase name="e"/><testcase name="f"/>
</testsuite></testsuites>
"""


@pytest.fixture
def project() -> dict[str, Any]:
    """Return this project's own tables."""
    return tomllib.loads((matrix.ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_each_promised_python_is_run(project: dict[str, Any]) -> None:
    """The Pythons are those of the classifiers, from the lowest that can be installed on."""
    assert promised(project) == ["3.11", "3.12", "3.13"]
    assert project["project"]["requires-python"] == ">=3.11"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["3.12.1", "3.12.10", "3.12.9", "3.13.0", "2.7.18"], "3.12.10"),
        (["3.12.0rc1", "3.12-dev", "pypy3.12-7.3", "3.12.1t", "3.1.12"], None),
        ([], None),
    ],
    ids=["the newest by number", "no final release of CPython", "nothing there"],
)
def test_newest_release_of_a_python_is_taken(names: list[str], found: str | None) -> None:
    """Of several releases the newest final one counts, compared as numbers."""
    assert newest(names, "3.12") == found


def test_only_what_the_sdk_requires_moves(project: dict[str, Any]) -> None:
    """Dependencies and extras are given as ranges; the tools as they are pinned, but for those tied to a dependency."""
    moving = {named(one) for one in runtime(project)}

    assert {"httpx", "attrs", "sniffio", "aiohttp", "redis"} <= moving
    assert moving.isdisjoint(map(named, tools(project)))
    assert [one for one in tools(project) if "==" not in one] == ["opentelemetry-sdk"]


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("httpx>=0.28.1,<0.29", "httpx"),
        ("fakeredis[lua]==2.40.0", "fakeredis"),
        ("Typing_Extensions ; python_version < '3.12'", "typing-extensions"),
        ("zope.interface", "zope-interface"),
    ],
)
def test_requirement_is_known_by_its_name(requirement: str, name: str) -> None:
    """However a requirement is spelled, its name is that of the index."""
    assert named(requirement) == name


def test_lowest_pins_are_those_of_direct_requirements() -> None:
    """What the requirements pull in may be of any version."""
    resolved = "anyio==4.16.0\nattrs==23.2.0\nhttpx==0.28.1\nhttpx-sse==0.4.0\n"

    assert direct(resolved, ["httpx>=0.28.1,<0.29", "attrs>=23.2"]) == ["attrs==23.2.0", "httpx==0.28.1"]


def test_report_is_counted() -> None:
    """A test that fails, also before or after it runs, is a failed one."""
    assert counted(REPORT) == (3, 2, 1)


def test_table_shows_what_was_run_and_what_was_not() -> None:
    """Each row has its counts, and what could not be run says so."""
    rows = [
        Row("3.12.1", "lowest", "unit client", eager=True, passed=1200, failed=3, skipped=1, seconds=61.6),
        Row("3.13", note="not run: none found", ran=False),
    ]

    assert table(rows).splitlines() == [
        "Python  versions  suites       tasks  passed  failed  skipped  seconds",
        "3.12.1  lowest    unit client  eager    1200       3        1       62",
        "3.13                                       -       -        -        -  not run: none found",
    ]
