"""docs/architecture.md: the modules and the operation that it shows are those that there are."""

import inspect
import re
from pathlib import Path
from textwrap import dedent

import pytest

from usergroups import M3terClient

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "usergroups"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = re.findall(r"^  (\S+)", PAGE.partition("```text\nsrc/usergroups/\n")[2].partition("```")[0], re.MULTILINE)
NAMED_BELOW = sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE)))


@pytest.mark.parametrize("name", TREE)
def test_module_of_the_tree_exists(name: str) -> None:
    """Each module or folder of the tree is where the tree says."""
    assert (PACKAGE / name).exists()


def test_every_module_is_in_the_tree() -> None:
    """Each module of the SDK is in the tree, and once; the command, the sandbox and the plugin are a line each."""
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    folders = ("cli/", "sandbox/", "testing/")

    assert sorted(TREE) == sorted({*folders, *(name for name in modules if not name.startswith(folders))})


@pytest.mark.parametrize("name", NAMED_BELOW)
def test_module_that_the_text_names_exists(name: str) -> None:
    """Each module that the text sends a reader to exists, in the SDK or in the repository."""
    assert (PACKAGE / name).is_file() or (ROOT / name).is_file()


def test_operation_that_is_shown_is_the_real_one() -> None:
    """Whoever adds an operation sees one as it is."""
    assert f"```text\n{dedent(inspect.getsource(M3terClient.list_groups))}```" in PAGE
