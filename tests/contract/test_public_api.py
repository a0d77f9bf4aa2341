"""The public API is the one that was accepted, and what breaks it since the last tag is announced by the version."""

import shutil
from pathlib import Path

import pytest

import api
import tags
from rig.repository import commit, git

MODULE = '''\
"""A client."""

__all__ = ["Client", "Page", "listen"]


class _Base:
    async def close(self) -> None: ...


class Client(_Base):
    def get(self, key: str, *, timeout: float | None = None) -> str: ...


class Page:
    items: tuple[str, ...]


def listen(port: int = 0) -> None: ...
'''


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a small repository of a package `usergroups`, without a tag."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    write(tmp_path, "0.1.0", MODULE)
    return tmp_path


def write(folder: Path, version: str, module: str, names: str = "usergroups.Client: class ()\n") -> None:
    """Commit the package and its accepted API in *folder*."""
    version = f'__version__ = "{version}"\n'
    commit(folder, {"src/usergroups/__init__.py": module, str(api.VERSION): version, str(api.ACCEPTED): names})


def test_public_api_is_the_accepted_one() -> None:
    """Names, parameters, defaults and types of all that is public change only with the file that lists them."""
    changes = api.difference(api.accepted(api.ROOT), api.listing())

    assert not changes, "\n".join(["the public API has changed; if it should, accept it by `make api`:", *changes])


def test_accepted_api_names_what_users_write() -> None:
    """The list has functions, constructors that attrs makes, attributes, and what private bases bring."""
    lines = api.listing()

    assert "usergroups.AsyncPager.collect: async def (self, limit: int | None = None) -> list[T_co]" in lines
    assert (
        "usergroups.Page.__init__: def (self, items: tuple[T_co, ...], next_token: str | None = None) -> None" in lines
    )
    assert "usergroups.m3ter.UserGroup.dt_created: datetime | None | Unset" in lines
    assert "usergroups.SmartPMClient.aclose: async def (self) -> None" in lines
    assert "usergroups.sandbox.Sandbox.data: Data" in lines
    assert "usergroups.errors.NotFoundError: usergroups.NotFoundError" in lines
    assert not [line for line in lines if "._" in line.replace(".__", "")]


def test_difference_is_what_went_and_came() -> None:
    """A line that changed is shown as it was and as it is."""
    assert api.difference(["a", "b: 1", "c"], ["a", "b: 2", "c", "d"]) == ["- b: 1", "+ b: 2", "+ d"]


@pytest.mark.parametrize(
    ("tagged", "breaks", "changes", "least"),
    [
        ("v0.1.4", True, True, "0.2.0"),
        ("v0.1.4", False, True, "0.1.5"),
        ("v0.1.4", False, False, "0.1.5"),
        ("v1.2.3", True, True, "2.0.0"),
        ("v1.2.3", False, True, "1.3.0"),
        ("v1.2.3", False, False, "1.2.4"),
    ],
)
def test_version_follows_from_what_changed(tagged: str, *, breaks: bool, changes: bool, least: str) -> None:
    """What breaks takes a major version, what is new a minor one; before 1.0 a minor and a patch."""
    assert api.least_version(tagged, breaks=breaks, changes=changes) == least


def test_without_a_tag_there_is_nothing_to_compare_with(repository: Path) -> None:
    """A repository without a version's tag says so, and passes; so does a tree without a repository."""
    git(repository, "tag", "nightly")

    assert api.against_last_tag(repository) == ([tags.NONE], True)

    shutil.rmtree(repository / ".git")

    assert api.against_last_tag(repository) == ([tags.NONE], True)


def test_last_tag_is_that_of_the_highest_version(repository: Path) -> None:
    """Versions are compared as numbers, and a tag that is not in this history does not count."""
    for name in ("v0.9.0", "v0.10.0", "v0.2.0", "v1.0.0rc1"):
        git(repository, "tag", name)
    git(repository, "checkout", "--quiet", "-b", "other")
    write(repository, "2.0.0", MODULE)
    git(repository, "tag", "v2.0.0")
    git(repository, "checkout", "--quiet", "-")

    assert tags.last_tag(repository) == "v0.10.0"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            "*, timeout: float | None = None",
            "*, timeout: float | None",
            "Client.get(timeout): Parameter is now required",
        ),
        ("key: str, *", "name: str, *", "Client.get(key): Parameter was removed"),
        ("port: int = 0", "port: int = 1", "listen(port): Parameter default was changed: 0 -> 1"),
        ("    items: tuple[str, ...]", "    rows: tuple[str, ...]", "Page.items: Public object was removed"),
        ("async def close", "async def aclose", "Client.close: Public object was removed"),
    ],
    ids=["required", "renamed", "default", "attribute", "private base"],
)
def test_breaking_change_is_named(repository: Path, old: str, new: str, named: str) -> None:
    """What breaks users since the tag is named, and passes once the version announces it."""
    git(repository, "tag", "v0.1.0")
    write(repository, "0.1.0", MODULE.replace(old, new))

    lines, well = api.against_last_tag(repository)

    assert named in lines
    assert "The next version is 0.2.0 at least; src/usergroups/_version.py says 0.1.0." in lines
    assert not well

    write(repository, "0.2.0", MODULE.replace(old, new))

    assert api.against_last_tag(repository)[1]


def test_name_that_is_exported_no_longer_breaks(repository: Path) -> None:
    """A name that left the accepted list breaks users, although the sources still have it."""
    git(repository, "tag", "v0.1.0")
    write(repository, "0.1.0", MODULE, names="")

    lines, well = api.against_last_tag(repository)

    assert "usergroups.Client: it is public no longer" in lines
    assert not well


def test_what_breaks_nobody_passes(repository: Path) -> None:
    """A new parameter with a default, and a change of the inside, need no other version yet; what is new is shown."""
    git(repository, "tag", "v0.1.0")
    more = MODULE.replace("port: int = 0", 'port: int = 0, host: str = ""').replace("_Base", "_Closing")
    write(repository, "0.1.0", more, names="usergroups.Client: class ()\nusergroups.listen: def ()\n")

    lines, well = api.against_last_tag(repository)

    assert well
    assert "+ usergroups.listen: def ()" in lines
    assert "What breaks users:" not in lines
