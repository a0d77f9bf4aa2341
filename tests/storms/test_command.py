"""The command that makes the storms: what it prints, and its exit status."""

import sys
from collections import Counter

import pytest

from storms import __main__ as command
from storms.losses import Losses
from storms.rows import Report

ALL_WELL = Report(calls=3, outcomes=Counter(ok=2, CancelledError=1), lost=Losses(slots=0, tasks=0, sockets=0))
LOST = Report(calls=3, outcomes=Counter(ok=3), lost=Losses(slots=1, tasks=0, sockets=2))
WRONG = Report(calls=3, outcomes=Counter(ok=3), lost=Losses(slots=0, tasks=0, sockets=0), wrong=("not in turn",))
STUCK = Report(calls=3, outcomes=Counter(ok=3), lost=Losses(slots=0, tasks=0, sockets=0), largest_gap=0.0521)


def run(monkeypatch: pytest.MonkeyPatch, arguments: str, *reports: Report) -> int:
    """Run the command with storms that end with *reports*, and give its exit status."""

    def storm(report: Report) -> object:
        async def made(transport: str, seed: int, share: float) -> Report:
            return report

        return made

    monkeypatch.setattr(command, "STORMS", [command.Storm(64, "made up", storm(report)) for report in reports])
    monkeypatch.setattr(sys, "argv", ["storms", *arguments.split()])
    return command.main()


def test_tells_seed_calls_and_losses(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each storm is told with its seed, its calls and what was lost; where that is nothing, the status is 0."""
    assert run(monkeypatch, "--seed 7 8 --transport aiohttp", ALL_WELL) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("row 64, made up, aiohttp, seed 7: 3 calls in 0.0 s (2 ok, 1 CancelledError)")
    assert lines[1] == "    lost: 0/0/0 (slots/tasks/sockets)"
    assert "seed 8" in lines[2]
    assert lines[-1] == "nothing was lost"


@pytest.mark.parametrize(
    ("report", "told"),
    [
        pytest.param(LOST, "lost: 1/0/2", id="lost"),
        pytest.param(WRONG, "wrong: not in turn", id="wrong"),
        pytest.param(STUCK, "largest gap of the loop: 0.0521 s", id="stuck"),
    ],
)
def test_fails_for_what_was_lost_or_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], report: Report, told: str
) -> None:
    """Where anything was lost or wrong, that is told and the status is 1, whatever came of the others."""
    assert run(monkeypatch, "--seed 7 --transport httpcore", ALL_WELL, report, ALL_WELL) == 1

    printed = capsys.readouterr().out
    assert told in printed
    assert printed.endswith("1 of the storms lost something or went wrong\n")


def test_a_real_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The smallest storm of them all is over in a moment, against a server in a process of its own."""
    arguments = "--row 64 --share 0.002 --transport aiohttp --seed 1"
    monkeypatch.setattr(sys, "argv", ["storms", *arguments.split()])

    assert command.main() == 0
    assert "row 64, all weathers, aiohttp, seed 1: 100 calls" in capsys.readouterr().out
