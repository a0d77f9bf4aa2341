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
from typing import Any

import yaml

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
            failures = [*pool.map(lambda name: generate(specs / name, fresh / PACKAGES[name]), PACKAGES)]
        if any(failures):
            raise SystemExit("\n\n".join(filter(None, failures)))
        if not arguments.check:
            replace(fresh, out)
        elif stale := differences(fresh, out):
            print(*stale, "The generated code is not what the specs give. To mend it: make generate", sep="\n")
            return 1
    return 0


def generate(spec: Path, package: Path) -> str:
    """
    Generate *package*, which must not exist yet, from *spec*. Return why that cannot be done, or nothing.

    It cannot be done either where the generator would leave something of the spec out.
    """
    if found := flaws(spec):
        return "\n".join(f"{spec}: {flaw}" for flaw in found)
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
        return f"{spec}: not generated\n\n{run.stdout.strip()}"
    (package / "py.typed").touch()
    return ""


def flaws(spec: Path) -> list[str]:
    """Return what is wrong with *spec* that the generator would not say plainly."""
    if not spec.is_file():
        return ["there is no such spec"]
    try:
        document = yaml.safe_load(spec.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return [f"it is not YAML: {error}"]
    if not isinstance(document, dict):
        return ["it is empty" if document is None else "it is not an OpenAPI document"]
    return [f"{place}: there is no {name}" for place, name in references(document) if not leads(document, name)]


def references(value: Any, *place: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of each reference in *value*, which stands at *place*."""
    if isinstance(value, dict):
        if isinstance(name := value.get("$ref"), str):
            yield " > ".join(place), name
        for key, one in value.items():
            yield from references(one, *place, str(key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from references(one, *place, str(index))


def leads(document: Any, name: str) -> bool:
    """Return whether the reference *name* leads to something in *document*."""
    root, *parts = name.split("/")
    for part in parts:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document.get(key) if isinstance(document, dict) else None
    return root == "#" and document is not None


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
    """Make *kept* what *fresh* is, leaving alone the packages that are so already. At no moment is a package gone."""
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=kept) as folder:
        for package in fresh.iterdir():
            if differences(package, kept / package.name):
                beside = Path(folder, package.name)
                shutil.copytree(package, beside)
                swap(beside, kept / package.name, Path(folder, f"former {package.name}"))
    for path in kept.iterdir():
        if not (fresh / path.name).exists() and not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def swap(new: Path, path: Path, former: Path) -> None:
    """Rename *path*, if it exists, to *former*, and *new* to *path*; or nothing, where that is interrupted."""
    try:
        if path.exists():
            path.rename(former)
        new.rename(path)
    except BaseException:
        if former.exists() and not path.exists():
            former.rename(path)
        raise


if __name__ == "__main__":
    sys.exit(main())
