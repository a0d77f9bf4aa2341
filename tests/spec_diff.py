"""
Compare the documents in specs/ with those of the last version that is tagged, by Redocly's `diff`: `make spec-diff`.

It needs Node.js, whose `npx` fetches Redocly from the npm registry; nothing about its use is sent anywhere. What it
prints says what a provider's change breaks, and how much the next version has to rise: see CONTRIBUTING.md, Releasing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import tags

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("m3ter.yaml", "smartpm.yaml")
REDOCLY = "@redocly/cli@2.77.0"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_UPDATE_NOTIFIER": "1"}


def main(root: Path = ROOT) -> int:
    """Print what changed; return 1 if that cannot be found out."""
    tag = tags.last_tag(root)
    npx = shutil.which("npx")
    if tag is None:
        _say(tags.NONE)
        return 0
    if npx is None:
        _say("npx is not there: install Node.js 22.12 or newer to compare the specs")
        return 1
    failed = 0
    with TemporaryDirectory() as folder:
        tags.unpack(root, tag, Path(folder), "specs")
        for name in DOCUMENTS:
            old, new = Path(folder, "specs", name), root / "specs" / name
            _say(f"\nspecs/{name} since {tag}:")
            if not old.exists():
                _say("it is new")
                continue
            command = [npx, "--yes", REDOCLY, "diff", str(old), str(new), "--fail-on", "none"]
            failed |= subprocess.run(command, cwd=root, env=os.environ | QUIET, check=False).returncode
    return int(failed != 0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
