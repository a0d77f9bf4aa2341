"""The README: its examples run, and its commands, settings and errors exist."""

import ast
import asyncio
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from usergroups import M3terClient, SmartPMClient, errors
from usergroups.sandbox import Sandbox, Server, serve

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of *language*, each with the heading that it stands under."""
    heading, found = "", []
    either = r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w+)\n(?P<text>.*?)^```$"
    for match in re.finditer(either, README, re.MULTILINE | re.DOTALL):
        heading = match["heading"] or heading
        if match["language"] == language:
            found.append((heading, match["text"]))
    return found


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each shell command of the README that runs *program*."""
    lines = [shlex.split(line, comments=True) for _, text in blocks("sh") for line in text.splitlines()]
    words = program.split()
    return [line[len(words) :] for line in lines if line[: len(words)] == words]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a sandbox that also has the user whom the examples speak of."""
    sandbox = Sandbox()
    sandbox.data.add_m3ter_user("user-id", sandbox.data.m3ter_users["grace"])
    with serve(sandbox) as server:
        yield server


@pytest.fixture
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead both clients to the sandbox, and past any proxy."""
    for name, value in (server.env | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)


def as_typed_in(source: str) -> CodeType:
    """Compile *source* as `python -m asyncio` does, where `await` may stand at the top level."""
    return compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("source", [pytest.param(text, id=heading) for heading, text in blocks("python")])
def test_example_runs(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each Python example does what it shows, against the sandbox, and prints something."""
    coroutine = eval(as_typed_in(source), {"__name__": "__main__"})
    if inspect.iscoroutine(coroutine):
        asyncio.run(coroutine)

    printed = capsys.readouterr().out
    assert printed.strip()
    assert "cannot tell" not in printed


@pytest.mark.usefixtures("environment")
def test_command_runs() -> None:
    """Each `usergroups` command succeeds against the sandbox."""
    for arguments in commands("usergroups"):
        code = "import sys; from usergroups.cli import main; sys.exit(main())"
        run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)

        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_make_targets_exist(text: str) -> None:
    """Each `make ...` that is named is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))

    assert named
    assert named <= targets


def test_make_help_lists_every_target() -> None:
    """Whoever types `make` sees all that there is, a line each."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    declared = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    run = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [line.split()[0] for line in run.stdout.splitlines()] == declared


def test_extras_exist() -> None:
    """Each extra that the README lists, or has installed, is one of the project's, and none is missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    table = README[README.index("| extra |") : README.index("## Try it")]
    installed = {name for line in commands("pip install") for name in re.findall(r"[a-z]+", line[0])}

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == extras
    assert installed <= extras


def test_sandbox_options_exist() -> None:
    """Each option of the sandbox that the README uses is one that it has."""
    run = subprocess.run(
        [sys.executable, "-m", "usergroups.sandbox", "--help"], capture_output=True, text=True, check=True
    )
    [arguments] = commands("python -m usergroups.sandbox")

    assert all(option in run.stdout for option in arguments if option.startswith("--"))


def test_settings_table_is_complete() -> None:
    """Each argument of both clients is in the table of settings, and no other is."""
    table = README[README.index("| argument |") : README.index("`timeout=` can also be given")]
    arguments = {name for kind in (M3terClient, SmartPMClient) for name in inspect.signature(kind).parameters}

    assert set(re.findall(r"`(?:\w+\()?(\w+)=\)?`", table)) == arguments


def test_settings_table_names_the_variables(server: Server) -> None:
    """Each environment variable that leads a client to a server is in the table of settings."""
    assert all(f"`{variable}`" in README for variable in server.env)


def test_error_table_is_complete() -> None:
    """Each error class is in the table of errors, once, with attributes that it has."""
    table = README[README.index("| error |") : README.index("from usergroups import M3terClient, NotFoundError")]
    rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", table, re.MULTILINE)

    assert sorted(name for name, _ in rows) == sorted(errors.__all__)
    for name, carried in rows:
        error = getattr(errors, name)("message")
        assert all(hasattr(error, attribute) for attribute in re.findall(r"`([a-z_]+)`", carried))


def test_links_lead_somewhere() -> None:
    """Each relative link of the README names a file or folder that is there."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]

    assert links
    assert all((ROOT / link).exists() for link in links)


def pins(name: str) -> dict[str, str]:
    """Return what `requirements/` pins under *name*: the version of each package."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE))


PINNED = sorted(path.stem for path in (ROOT / "requirements").iterdir())


@pytest.mark.parametrize("name", PINNED)
def test_pins_say_what_and_not_where_from(name: str) -> None:
    """As CONTRIBUTING says, the pins are versions and hashes, and name no place to download from."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    rows = [line for line in text.replace("\\\n", " ").splitlines() if not line.startswith("#")]

    assert rows
    assert all(re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+", row) for row in rows)


@pytest.mark.parametrize("name", PINNED)
def test_pins_agree(name: str) -> None:
    """One environment can hold them all."""
    dev, these = pins("dev"), pins(name)

    assert {package: these[package] for package in these.keys() & dev.keys()} == {
        package: dev[package] for package in these.keys() & dev.keys()
    }


def test_pins_are_those_of_the_project() -> None:
    """After a change in `pyproject.toml`, `make pins` was run."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {re.split("[^a-z0-9-]", line)[0] for line in pyproject["project"]["dependencies"]}
    groups = pyproject["dependency-groups"]
    lines = "\n".join(line for group in groups.values() for line in group if isinstance(line, str))
    asked = dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==([^\s;]+)", lines, re.MULTILINE))

    pinned = {package: version for name in PINNED for package, version in pins(name).items()}

    assert {package: pinned.get(package) for package in asked} == asked
    assert needed <= pins("runtime").keys()
