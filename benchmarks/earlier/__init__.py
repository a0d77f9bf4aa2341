"""
What was measured before: by whom it was made (*commit*), on which *machine*, by which *python*.

`first_round.json` has the figures of each client after the first round of work on speed, `profile.json` the profiles
before the second.
"""

import json
from pathlib import Path
from typing import Any


def _read(name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return record


FIRST_ROUND = _read("first_round.json")
PROFILE = _read("profile.json")
