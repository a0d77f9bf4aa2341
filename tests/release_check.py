"""
Build the sdist and the wheel, install each in an environment of its own, and try it as a user would.

`make release-check` does so, in a temporary folder. Unlike the tests of the wheel, it takes the dependencies from the
package index: those that a user gets today.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]

# Without extras: what the core needs is there.
IMPORT = """
import usergroups
from usergroups import errors, m3ter, smartpm, transports

usergroups.M3terClient(org_id="org", api_key="key", api_secret="secret")
print("imported", usergroups.__version__)
"""
# With the sandbox: a call of each provider.
CALL = """
import asyncio, os
from usergroups import M3terClient, SmartPMClient
from usergroups.sandbox import Sandbox, serve

async def main():
    async with M3terClient() as m3ter, SmartPMClient() as smartpm:
        groups = await m3ter.list_user_groups("grace", page_size=2).collect()
        group = await smartpm.get_user_group("550e8400-e29b-41d4-a716-446655440000")
    print(f"m3ter: {len(groups)} groups; SmartPM: {len(group.users)} users")

with serve(Sandbox()) as server:
    os.environ.update(server.env)
    asyncio.run(main())
"""


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and from it the wheel, in *folder*; return their paths."""
    run("-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def run(*arguments: str, python: Path = Path(sys.executable)) -> str:
    """
    Run Python with *arguments*, away from the source tree and from what this process was told of it.

    Returns what it prints; raises `AssertionError`, with that, if it fails.
    """
    return output([str(python), *arguments], python.parent)


def output(command: list[str], folder: Path) -> str:
    """Run *command* in *folder* likewise."""
    others = ("PYTHON", "M3TER_", "SMARTPM_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        command, cwd=folder, env=kept | {"NO_PROXY": "127.0.0.1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout.strip()


def attempt(artefact: Path, folder: Path) -> None:
    """Install *artefact* in an environment in *folder*, first alone, then with extras, and try it."""
    run("-m", "venv", str(folder))
    python = folder / "bin" / "python"
    install = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet")
    run(*install, str(artefact), python=python)
    _say(run("-I", "-c", IMPORT, python=python))
    run(*install, f"{artefact}[cli,sandbox]", python=python)
    _say(output([str(folder / "bin" / "usergroups"), "--help"], folder).splitlines()[0])
    _say(run("-I", "-c", CALL, python=python))
    run("-m", "pip", "check", python=python)


def main() -> int:
    """Try both; return 1 if something failed."""
    with TemporaryDirectory() as folder:
        try:
            for artefact in build(Path(folder, "dist")):
                _say(f"\n{artefact.name}")
                attempt(artefact, Path(folder, artefact.suffix[1:]))
        except AssertionError as failure:
            _say(f"release-check failed:\n{failure}")
            return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
