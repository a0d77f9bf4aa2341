"""Which code knows which: the SDK, the generated packages, and the libraries around them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "usergroups"
GENERATED = {"usergroups_m3ter_api", "usergroups_smartpm_api"}
MODULES = [path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py"))]
EXTRA = ("_aiohttp.py", "_telemetry.py", "cli/", "sandbox/", "stores.py", "testing/")
CORE = [name for name in MODULES if not name.startswith(EXTRA)]

# Not among them: rich, which httpx imports where it finds it.
OPTIONAL = [
    "aiohttp",
    "cyclopts",
    "jinja2",
    "opentelemetry",
    "pytest",
    "redis",
    "starlette",
    "uvicorn",
    "usergroups.cli",
    "usergroups.sandbox",
    "usergroups.testing",
]


# What both clients can be imported without: `import` is what a command, a worker or a lambda waits for first.
LATER = ["usergroups.bulk", "usergroups_m3ter_api.client", "usergroups_smartpm_api.client"]


def imported(file: Path) -> Iterator[str]:
    """Yield the top-level package of each absolute import in *file*."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def test_only_the_provider_modules_and_the_decoding_seam_import_generated_code() -> None:
    """A change of the generator touches three modules at most."""
    importers = {name for name in MODULES if GENERATED.intersection(imported(PACKAGE / name))}

    others = importers - {"m3ter.py", "smartpm.py", "_models.py"}
    assert not others, f"{sorted(others)}: import usergroups.m3ter or usergroups.smartpm, and no generated code"


@pytest.mark.parametrize("package", sorted(GENERATED))
def test_generated_code_does_not_import_the_sdk(package: str) -> None:
    """What is generated can be used without what is written by hand."""
    names = {name for file in (ROOT / "generated" / package).rglob("*.py") for name in imported(file)}

    assert names.isdisjoint({"usergroups", *GENERATED - {package}})


@pytest.mark.parametrize("module", CORE)
def test_the_core_needs_nothing_but_its_dependencies(module: str) -> None:
    """A plain `pip install usergroups` installs all that the SDK imports, but for msgspec, which may be missing."""
    foreign = set(imported(PACKAGE / module)) - sys.stdlib_module_names - GENERATED

    assert foreign <= {"aiohappyeyeballs", "attrs", "httpcore", "httpx", "msgspec", "usergroups"}


def after(statement: str, names: list[str]) -> list[str]:
    """Return which modules of *names* are there after *statement*, in a new interpreter."""
    code = f"{statement}\nimport sys; print(*[name for name in {names!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_importing_the_sdk_imports_no_extra() -> None:
    """`import usergroups` costs nobody the sandbox, the command, a store or another transport."""
    assert after("import usergroups", OPTIONAL) == []


def test_importing_the_clients_imports_no_extra() -> None:
    """Nor do the clients, which it imports only once they are asked for."""
    assert after("from usergroups import M3terClient, SmartPMClient", OPTIONAL) == []


def test_importing_the_clients_imports_nothing_that_is_slow_and_needed_later_or_never() -> None:
    """Both clients can be imported without what only connections, bodies or sweeps need."""
    assert after("from usergroups import M3terClient, SmartPMClient", LATER) == []
