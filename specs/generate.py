"""
Write generated/ from the specs beside this file, or check that it is what they give.

    python specs/generate.py            write what has changed, remove what is no longer generated
    python specs/generate.py --check    write nothing; say what differs, and exit 1 if anything does
"""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = {"m3ter.yaml": "usergroups_m3ter_api", "smartpm.yaml": "usergroups_smartpm_api"}


def main() -> int:
    """Run the command that this module's docstring describes; return its exit code."""
    parser = argparse.ArgumentParser(description="Write generated/ from the specs, or check it.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the generated code is stale")
    parser.add_argument("--specs", type=Path, default=HERE, help="the folder of the specs (default: this script's)")
    parser.add_argument("--out", type=Path, default=HERE.parent / "generated", help="the folder of the packages")
    arguments = parser.parse_args()
    specs, out = arguments.specs.resolve(), arguments.out.resolve()
    if not arguments.check and foreign(out):
        raise SystemExit(f"{out}: holds files but no generated package; nothing was written")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: generate(specs / name, fresh / PACKAGES[name]), PACKAGES))
        if not arguments.check:
            replace(fresh, out)
        elif stale := differences(fresh, out):
            print(*stale, "The generated code is not what the specs give. To mend it: make generate", sep="\n")
            return 1
    return 0


def generate(spec: Path, package: Path) -> None:
    """
    Generate *package*, which must not exist yet, from *spec*.

    Ends the run where the generator fails, or would leave something of the spec out.
    """
    if not spec.is_file():
        raise SystemExit(f"{spec}: there is no such spec")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta=none", "--fail-on-warning"]
    command += [f"--path={spec}", f"--config={HERE / 'generator.yaml'}"]
    command += [f"--custom-template-path={HERE / 'templates'}", f"--output-path={package}"]
    run = subprocess.run(
        command,
        cwd=package.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"{spec}: not generated\n\n{run.stdout.strip()}")
    (package / "py.typed").touch()


def environment() -> dict[str, str]:
    """Return this process's environment, with this interpreter's tools first and without settings for ruff."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUFF_")}
    tools = os.fspath(Path(sys.executable).parent)
    return kept | {"PATH": os.pathsep.join([tools, kept.get("PATH", os.defpath)]), "PYTHONUTF8": "1"}


def files(tree: Path) -> Iterator[Path]:
    """Yield the files of *tree*, relative to it, without what Python and the tools leave behind."""
    for path in tree.rglob("*"):
        name = path.relative_to(tree)
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in name.parts):
            yield name


def differences(fresh: Path, kept: Path) -> list[str]:
    """Return a line for each file of *kept* that is not as in *fresh*."""
    new, old = set(files(fresh)), set(files(kept))
    lines = dict.fromkeys(new - old, "missing") | dict.fromkeys(old - new, "no longer generated")
    lines |= {name: "differs" for name in new & old if not filecmp.cmp(fresh / name, kept / name, shallow=False)}
    return [f"{(kept.name / name).as_posix()}: {what}" for name, what in sorted(lines.items())]


def foreign(folder: Path) -> bool:
    """Return whether *folder* holds files, and none that were generated: surely another folder was meant."""
    return any(files(folder)) and not any((folder / package).is_dir() for package in PACKAGES.values())


def replace(fresh: Path, kept: Path) -> None:
    """Make *kept* what *fresh* is, leaving alone the packages that are so already."""
    kept.mkdir(parents=True, exist_ok=True)
    for path in kept.iterdir():
        same = path.is_dir() and (fresh / path.name).is_dir() and not differences(fresh / path.name, path)
        if same or path.name.startswith("."):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in fresh.iterdir():
        if not (kept / path.name).exists():
            shutil.copytree(path, kept / path.name)


if __name__ == "__main__":
    sys.exit(main())
