"""The benchmarks: a moment of them, so that they do not rot, and a page that is theirs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
PICTURE = ROOT / "docs" / "benchmarks.svg"


@pytest.fixture(autouse=True)
def benchmarks_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests import the benchmarks, which stand beside the package."""
    monkeypatch.syspath_prepend(ROOT)


def section(title: str, page: str = PAGE) -> list[list[str]]:
    """Return the cells of the tables under a heading, without their heads."""
    lines = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row, below in zip(rows, [*rows[1:], [""]], strict=True) if "---" not in (row[0], below[0])]


def test_benchmarks_run(tmp_path: Path) -> None:
    """Every part measures something, and the page and the picture are written."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "generated"])}
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--out", str(tmp_path)]

    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| **usergroups** | " in page
    assert "0 of 20 lost" in page
    assert {"usergroups", "asyncio"} <= {row[0] for row in section("Where the time of a call goes", page)}
    assert "50 users" in [row[2] for row in section("Large bodies", page)]
    assert str(ROOT) not in page
    assert ET.parse(tmp_path / "benchmarks.svg").getroot().tag.endswith("svg")


def test_page_has_the_goals() -> None:
    """The page is of these goals, and each of them was measured."""
    from benchmarks.goals import goals
    from benchmarks.results import Results, Scale
    from benchmarks.rounds import Plan

    plan = Plan(peers=(), callers=(), rounds=0, pairs=0, seconds=0, warm_up=0)
    aims = [goal.aim for goal in goals(Results(scale=Scale(plan=plan)))]

    rows = section("Goals")

    assert [row[0] for row in rows] == aims
    assert "not measured" not in [row[1] for row in rows]


def test_page_says_why_a_goal_is_missed() -> None:
    """A goal that is missed has its cause beside it, and only such a goal."""
    for aim, _, verdict, cause in section("Goals"):
        assert (verdict == "met") == (cause == ""), aim


def test_page_and_picture_have_both_rounds() -> None:
    """They show each client in the first round too, say which commit that was, and that only ratios can be compared."""
    from benchmarks.earlier import FIRST_ROUND
    from benchmarks.peers import PEERS

    texts = [text for element in ET.parse(PICTURE).iter() if (text := element.text)]

    assert f"commit {FIRST_ROUND['commit']}" in PAGE
    assert any(FIRST_ROUND["commit"] in text and "Only ratios can be compared" in text for text in texts)
    for peer in FIRST_ROUND["cells"]["10"]:
        assert PEERS[peer].title in [row[0] for row in section("The first round of work on speed, and now")]


def test_first_round_is_kept() -> None:
    """What the first round came to is in a file: CPU per call in µs, with 10 callers."""
    from benchmarks.earlier import FIRST_ROUND

    cpu = {peer: cell["cpu"] for peer, cell in FIRST_ROUND["cells"]["10"].items()}

    assert cpu["usergroups"] == 424
    assert cpu["usergroups-aiohttp"] == 198
    assert cpu["openapi-generator"] == 331
    assert cpu["m3ter-aiohttp"] == 462
    assert cpu["httpx"] == 598
    assert cpu["by-hand"] == 88


def test_pairs_take_turns() -> None:
    """Two clients are measured next to each other, in alternating order; a stall in one pair does not count."""
    from benchmarks.load import Cell
    from benchmarks.pairs import Pairing, play, ratio

    order: list[str] = []

    def measure(peer: str, callers: int) -> Cell:
        order.append(peer)
        cost = {"ours": 1.0, "theirs": 2.0}[peer] * (50 if len(order) == 3 else 1)  # the machine stalls
        return Cell(rate=1 / cost, cpu=cost, p50=0, p99=0, pool_timeouts=0, errors=0)

    pairing = Pairing("ours", "theirs", 10)
    found = ratio(play([pairing], 3, measure), pairing, lambda cell: cell.cpu)

    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert found is not None
    assert (found.lowest, found.median, found.highest) == (0.01, 0.5, 0.5)


async def test_heartbeat_sees_a_block() -> None:
    """The longest time in which the event loop could not run anything else is seen."""
    from benchmarks.heartbeat import Heartbeat

    with Heartbeat() as heartbeat:
        end = time.perf_counter() + 0.03
        while time.perf_counter() < end:
            pass

    assert heartbeat.longest > 0.029


def test_bodies_have_their_size() -> None:
    """Each body that is made to be large is valid JSON, and of the size that is asked for."""
    from benchmarks import bodies

    for kind in bodies.KINDS:
        body = bodies.of_size(kind, 100_000)

        assert len(body) == 100_000
        assert "users" in json.loads(body)
