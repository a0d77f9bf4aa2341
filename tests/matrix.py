"""
Run the tests on each Python that pyproject.toml promises, with the lowest and with the newest versions that it allows.

`make matrix` does so with all of them. Only what the SDK and its extras require moves: the tools of the tests stay as
they are pinned. The environments are kept in .venv-matrix/ until their requirements change; `--fresh` makes them anew,
with what is the newest by then. Where tasks can begin eagerly, the suites in process run so once more. What cannot be
run on this machine stands in the table at the end. The exit status is 1 if anything failed.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-matrix"
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}  # uv's words for them
SUITES = ("unit", "client", "faults", "extras", "rig", "contract", "storms")
TASKS = ("plain", "eager")
EAGER_SUITES = ("unit", "client", "extras", "rig")
EAGER_SINCE = (3, 12)
TOOLS = ("install", "generate", "test", "release")  # those groups of pyproject.toml that tests need

_PYTHON = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HEAD = ("Python", "versions", "suites", "tasks", "passed", "failed", "skipped", "seconds", "")


@attrs.frozen
class Row:
    """
    A line of the table: what was run, and what came of it.
    """

    python: str
    resolution: str = ""
    suites: str = ""
    eager: bool = False
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""
    ran: bool = True
    is_well: bool = True

    @property
    def cells(self) -> tuple[str, ...]:
        """
        The line as text, cell by cell.
        """
        what = (self.python, self.resolution, self.suites, "eager" * self.eager)
        counts = (f"{self.passed}", f"{self.failed}", f"{self.skipped}", f"{self.seconds:.0f}")
        return (*what, *(counts if self.ran else ("-",) * len(counts)), self.note)


def promised(project: dict[str, Any]) -> list[str]:
    """
    Return the versions of Python that the classifiers of *project* name, such as "3.12".
    """
    return [match[1] for line in project["project"]["classifiers"] if (match := _PYTHON.fullmatch(line))]


def newest(names: Iterable[str], version: str) -> str | None:
    """
    Return that of the releases *names*, such as "3.12.1", which is the newest final one of *version*.
    """
    of = re.compile(rf"{re.escape(version)}\.(\d+)")
    found = {int(match[1]): name for name in names if (match := of.fullmatch(name))}
    return found[max(found)] if found else None


def runtime(project: dict[str, Any]) -> list[str]:
    """
    Return what the SDK and its extras require.
    """
    extras = project["project"]["optional-dependencies"].values()
    return [*project["project"]["dependencies"], *itertools.chain.from_iterable(extras)]


def tools(project: dict[str, Any]) -> list[str]:
    """
    Return what the tests require besides, as pinned.

    OpenTelemetry's packages of one release require each other: those among the tools go with the SDK's.
    """
    pins = itertools.chain.from_iterable(project["dependency-groups"][group] for group in TOOLS)
    return [named(pin) if pin.startswith("opentelemetry-") else pin for pin in dict.fromkeys(pins)]


def named(requirement: str) -> str:
    """
    Return the name in *requirement*, as indexes write it.
    """
    match = _NAME.match(requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def direct(resolved: str, requirements: Iterable[str]) -> list[str]:
    """
    Return those lines of *resolved* that pin one of *requirements*.
    """
    names = {named(requirement) for requirement in requirements}
    return [line for line in resolved.splitlines() if named(line) in names]


def counted(report: str) -> tuple[int, int, int]:
    """
    Return how many tests passed, failed and were skipped, from pytest's *report* in JUnit's form.
    """
    passed = failed = skipped = 0
    for case in ET.fromstring(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def table(rows: Sequence[Row]) -> str:
    """
    Return *rows* as text, with numbers to the right.
    """
    lines = [_HEAD, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numbers = range(_HEAD.index("passed"), _HEAD.index("seconds") + 1)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def find(version: str) -> Path | None:
    """
    Return a Python of *version* on this machine: pyenv's newest, or one that PATH finds.
    """
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    name = newest((path.name for path in versions.glob("*")), version)
    candidates = [versions / name / "bin" / "python"] if name else []
    candidates += [Path(folder, f"python{version}") for folder in os.get_exec_path()]
    return next((path for path in candidates if path.is_file() and _release(path).startswith(f"{version}.")), None)


def _release(python: Path) -> str:
    """
    Return the release of *python*, or nothing where it does not run (one of pyenv's shims may not).
    """
    code = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


@attrs.frozen
class Environment:
    """
    A virtual environment for one Python and one resolution.
    """

    base: Path
    release: str
    resolution: str

    @property
    def folder(self) -> Path:
        """
        Where it is.
        """
        return FOLDER / f"{self.release}-{self.resolution}"

    @property
    def python(self) -> Path:
        """
        Its Python.
        """
        return self.folder / "bin" / "python"

    def make(self, project: dict[str, Any], *, fresh: bool) -> str:
        """
        Make it, unless it is there and made of the same requirements; return the versions that it has of the SDK's.

        Raises `subprocess.CalledProcessError` where that cannot be done.
        """
        asked, got = self.folder / "asked.txt", self.folder / "got.txt"
        wanted = "\n".join([str(self.base), str(ROOT), *runtime(project), *tools(project)])
        if fresh or not asked.exists() or asked.read_text(encoding="utf-8") != wanted:
            self._install(project, got)
            asked.write_text(wanted, encoding="utf-8")
        return got.read_text(encoding="utf-8")

    def _install(self, project: dict[str, Any], got: Path) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        _uv("venv", "--python", str(self.base), str(self.folder))
        ours, others = self.folder / "runtime.in", self.folder / "tools.in"
        ours.write_text("\n".join(runtime(project)), encoding="utf-8")
        others.write_text("\n".join(tools(project)), encoding="utf-8")
        on = ("--python", str(self.python))
        # First alone, then with the tools: what a tool would like of the same packages must not count.
        how = ("--resolution", RESOLUTIONS[self.resolution], "--no-header", "--no-annotate", "--no-emit-index-url")
        resolved = _uv("pip", "compile", *on, *how, str(ours))
        got.write_text("\n".join(direct(resolved, runtime(project))), encoding="utf-8")
        _uv("pip", "install", *on, "--override", str(got), "--requirements", str(ours), "--requirements", str(others))
        _uv("pip", "install", *on, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))

    def run(self, suites: Sequence[str], *, eager: bool) -> Row:
        """
        Run *suites*, and return what came of them.
        """
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        options = ["-q", "--no-header", "--tb=short", "-rsfE", "-p", "no:cacheprovider", f"--junitxml={report}"]
        options += ["--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile", *["--eager"] * eager]
        begun = time.perf_counter()
        done = subprocess.run(
            [self.python, "-m", "pytest", *options, *(f"tests/{suite}" for suite in suites)],
            cwd=ROOT,
            env=_surroundings(),
            check=False,
        )
        seconds = time.perf_counter() - begun
        passed, failed, skipped = counted(report.read_text(encoding="utf-8")) if report.exists() else (0, 0, 0)
        note = f"pytest ended with {done.returncode}" if done.returncode and not failed else ""
        return Row(
            self.release,
            self.resolution,
            " ".join(suites),
            eager=eager,
            passed=passed,
            failed=failed,
            skipped=skipped,
            seconds=seconds,
            note=note,
            is_well=done.returncode == 0,
        )

    def run_eagerly(self, suites: Sequence[str]) -> Row:
        """
        Run *suites* in loops whose tasks begin at once, where this Python has those.
        """
        if tuple(map(int, self.release.split(".")[:2])) >= EAGER_SINCE:
            _say(f"\n{self.release}, {self.resolution}: eager tasks")
            return self.run(suites, eager=True)
        note = f"not run: eager tasks came with Python {'.'.join(map(str, EAGER_SINCE))}"
        return Row(self.release, self.resolution, " ".join(suites), eager=True, ran=False, note=note)


def _uv(*arguments: str) -> str:
    """
    Return what uv prints, that of the environment in which this runs.
    """
    options = ("--quiet", "--no-progress", "--no-python-downloads")
    command = [find_uv_bin(), *arguments, *options]
    done = subprocess.run(command, cwd=ROOT, env=_surroundings(), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _surroundings() -> dict[str, str]:
    """
    Return the environment variables, but those that would let another source tree or environment in.
    """
    others = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"}
    return {name: value for name, value in os.environ.items() if name not in others}


def rows(project: dict[str, Any], wanted: argparse.Namespace) -> Iterator[Row]:
    """
    Run what is *wanted*, and yield what came of each part.
    """
    for version in wanted.python:
        base = find(version)
        if base is None:
            yield Row(version, note=f"not run: no Python {version} was found here", ran=False)
            continue
        for resolution in wanted.versions:
            environment = Environment(base, _release(base), resolution)
            try:
                got = environment.make(project, fresh=wanted.fresh)
            except subprocess.CalledProcessError:
                note = "not run: could not be installed"
                yield Row(environment.release, resolution, note=note, ran=False, is_well=False)
                continue
            _say(f"\n{environment.release}, {resolution}: {', '.join(got.split())}")
            if "plain" in wanted.tasks:
                yield environment.run(wanted.suites, eager=False)
            again = [suite for suite in wanted.suites if suite in EAGER_SUITES]
            if "eager" in wanted.tasks and again:
                yield environment.run_eagerly(again)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """
    Run what the command line asks for.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(prog="make matrix", description="Run the tests on each Python that is promised.")
    for option, values in {
        "--python": promised(project),
        "--versions": list(RESOLUTIONS),
        "--suites": list(SUITES),
        "--tasks": list(TASKS),
    }.items():
        parser.add_argument(option, nargs="+", default=values, choices=values, help="all of them, if not given")
    parser.add_argument("--fresh", action="store_true", help="make the environments anew")
    done = list(rows(project, parser.parse_args()))
    _say(f"\n{table(done)}")
    return int(not all(row.is_well for row in done))


if __name__ == "__main__":
    sys.exit(main())
