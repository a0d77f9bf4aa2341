"""The benchmarks: a moment of them, so that they do not rot."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]


def test_benchmarks_run(tmp_path: Path) -> None:
    """Every part measures something, and the page and the picture are written."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "generated"])}
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--out", str(tmp_path)]

    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| **usergroups** | " in page
    assert "0 of 20 lost" in page
    assert str(ROOT) not in page
    assert ET.parse(tmp_path / "benchmarks.svg").getroot().tag.endswith("svg")
