"""The last version that was tagged: what stood there, for what compares the tree with it."""

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

_FORM = re.compile(r"v(\d+)\.(\d+)\.(\d+)")

NONE = "no version is tagged here yet: there is nothing to compare with"


def last_tag(root: Path) -> str | None:
    """Return the tag of the last version, such as "v0.1.0", of the repository at *root*; None if there is none."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    done = _git(root, "tag", "--merged", "HEAD")
    tags = [tag for tag in done.decode().split() if _FORM.fullmatch(tag)]
    return max(tags, key=numbers, default=None)


def numbers(version: str) -> tuple[int, int, int]:
    """Return the three numbers of *version*, such as "0.1.0" or "v0.1.0"."""
    match = _FORM.fullmatch(f"v{version.removeprefix('v')}")
    assert match, version
    return int(match[1]), int(match[2]), int(match[3])


def unpack(root: Path, tag: str, folder: Path, *paths: str) -> None:
    """Write *paths* as they are at *tag* into *folder*, those that there are."""
    held = [path for path in paths if _git(root, "ls-tree", "--name-only", tag, path)]
    if held:
        with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", tag, *held))) as archive:
            archive.extractall(folder, filter="data")


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *arguments], stdout=subprocess.PIPE, check=True).stdout
