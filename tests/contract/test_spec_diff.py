"""`make spec-diff`: the documents of the last tag and those of the tree are handed to Redocly, which sends nothing."""

import shutil
from pathlib import Path

import pytest

import spec_diff
import tags
from rig.repository import commit, git

# Shows what it was asked, by whom, and the lines that it was given.
NPX = """\
#!/bin/sh
echo "$1 $2 $3 $6 $7, telemetry $REDOCLY_TELEMETRY"
cat "$4" "$5"
exit ${NPX_EXIT:-0}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a small repository with a document of one of the providers."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    commit(folder, {"specs/m3ter.yaml": "title: old\n"})
    return folder


@pytest.fixture
def npx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in of npx before all others."""
    script = tmp_path / "bin" / "npx"
    script.parent.mkdir()
    script.write_text(NPX, encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")


@pytest.mark.usefixtures("npx")
def test_documents_are_compared_with_those_of_the_last_tag(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Redocly, of one version and without telemetry, is given the tag's document and the tree's; a new one is named."""
    git(repository, "tag", "v0.1.0")
    commit(repository, {"specs/m3ter.yaml": "title: new\n", "specs/smartpm.yaml": "title: SmartPM\n"})

    assert spec_diff.main(repository) == 0

    assert capfd.readouterr().out.split("\n") == [
        "",
        "specs/m3ter.yaml since v0.1.0:",
        f"--yes {spec_diff.REDOCLY} diff --fail-on none, telemetry off",
        "title: old",
        "title: new",
        "",
        "specs/smartpm.yaml since v0.1.0:",
        "it is new",
        "",
    ]


@pytest.mark.usefixtures("npx")
def test_failure_of_redocly_is_one_of_the_target(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Redocly cannot be had, or cannot read a document, the exit status says so."""
    monkeypatch.setenv("NPX_EXIT", "2")
    git(repository, "tag", "v0.1.0")

    assert spec_diff.main(repository) == 1


def test_without_a_tag_nothing_is_compared(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repository without a version's tag says so."""
    assert spec_diff.main(repository) == 0
    assert capsys.readouterr().out == f"{tags.NONE}\n"


def test_without_node_it_says_what_to_install(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A machine without Node.js is told what is missing."""
    git(repository, "tag", "v0.1.0")
    (tmp_path / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert spec_diff.main(repository) == 1
    assert "install Node.js" in capsys.readouterr().out
