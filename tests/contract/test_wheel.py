"""What is published: the wheel works by itself, and the sdist holds all that the wheel is made from."""

import email
import subprocess
import sysconfig
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import usergroups
from release_check import ROOT, build, run

PACKAGES = ["usergroups", "usergroups_m3ter_api", "usergroups_smartpm_api"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and from it the wheel; return the folder with both."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Return the wheel."""
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `bin` of an environment with the wheel, which sees our dependencies but no source tree."""
    folder = tmp_path_factory.mktemp("environment")
    run("-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    run("-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    # A folder that a .pth file names is searched, but the .pth files in it, such as that of an editable
    # installation of this very project, are not read.
    site = run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))", python=python)
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def names(wheel: Path) -> set[str]:
    """Return the files that *wheel* installs, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_imports_without_the_source_tree(environment: Path, package: str) -> None:
    """The wheel brings the SDK and the generated packages that it stands on."""
    place = run("-I", "-c", f"import {package}; print({package}.__file__)", python=environment / "python")

    assert Path(place).is_relative_to(environment.parent)


def test_wheel_carries_its_version(environment: Path, metadata: Message) -> None:
    """`usergroups.__version__` is the version that pip knows."""
    code = (
        "import importlib.metadata, usergroups; print(usergroups.__version__, importlib.metadata.version('usergroups'))"
    )

    versions = run("-I", "-c", code, python=environment / "python")

    assert versions.split() == [metadata["Version"]] * 2


def test_wheel_installs_the_command(environment: Path) -> None:
    """`usergroups` is a command once the wheel is installed."""
    done = subprocess.run([environment / "usergroups", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == usergroups.__version__


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_is_typed(wheel: Path, package: str) -> None:
    """A type checker reads the annotations of all three packages."""
    assert f"{package}/py.typed" in names(wheel)


def test_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    """What is in `src` and `generated` is in the wheel; tests, specs and examples are not."""
    here = {
        path.relative_to(folder).as_posix()
        for folder in (ROOT / "src", ROOT / "generated")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }

    assert names(wheel) == here


def test_wheel_requires_few_others(metadata: Message) -> None:
    """The core is light: everything else is an extra."""
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]

    assert sorted(required) == [
        "aiohappyeyeballs<3,>=2.6",
        "attrs>=23.2",
        "httpcore<2,>=1.0.7",
        "httpx<0.29,>=0.28.1",
        "sniffio<2,>=1.3",
    ]


def test_wheel_says_what_it_is(metadata: Message) -> None:
    """The license, the README and the Python versions are in the metadata."""
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()


def test_sdist_holds_the_specs(built: Path) -> None:
    """From the sdist alone the generated code can be generated again, and tested."""
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}

    assert held >= {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "requirements/dev.txt",
        "specs/generate.py",
        "specs/generator.yaml",
        "specs/m3ter.yaml",
        "specs/smartpm.yaml",
        "specs/templates/types.py.jinja",
        "src/usergroups/__init__.py",
        "tests/contract/test_wheel.py",
    }
