"""Generation: what is committed is what the specs give, and a change of a spec arrives whole or fails loudly."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGES = {"m3ter": "usergroups_m3ter_api", "smartpm": "usergroups_smartpm_api"}

Json = dict[str, Any]


@dataclass
class Workspace:
    """A copy of the specs that a test may change, and a folder to generate into."""

    specs: Path
    out: Path

    def change(self, name: str, change: Callable[[Json], object]) -> None:
        """Apply *change* to the spec called *name*."""
        path = self.specs / f"{name}.yaml"
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(spec)
        path.write_text(json.dumps(spec), encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the generation script on this workspace."""
        return generate("--specs", str(self.specs), "--out", str(self.out), *arguments)

    def python(self, code: str) -> str:
        """Return what *code* prints where the generated packages of this workspace are found first."""
        environment = os.environ | {"PYTHONPATH": str(self.out), "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return run.stdout.strip()


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generation script without an activated environment."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PATH", "VIRTUAL_ENV"}}
    command = [sys.executable, str(ROOT / "specs" / "generate.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def workspace(folder: Path) -> Workspace:
    """Make a workspace in *folder*, with nothing generated yet."""
    (folder / "specs").mkdir()
    for name in PACKAGES:
        shutil.copy(ROOT / "specs" / f"{name}.yaml", folder / "specs")
    return Workspace(folder / "specs", folder / "out")


def add_field(spec: Json) -> None:
    """Add an optional, nullable date-time to the user group."""
    field = {"type": ["string", "null"], "format": "date-time", "description": "When the group was last reviewed."}
    spec["components"]["schemas"]["UserGroup"]["properties"]["dtReviewed"] = field


def add_operation(spec: Json) -> None:
    """Add an operation under a tag of its own."""
    answer = {"description": "Well.", "content": {"application/json": {"schema": {"type": "string"}}}}
    operation = {"operationId": "getHealth", "tags": ["health"], "responses": {"200": answer}}
    spec["paths"]["/health"] = {"get": operation}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Generate from both specs with a new field and a new operation."""
    work = workspace(tmp_path_factory.mktemp("changed"))
    for name in PACKAGES:
        work.change(name, add_field)
        work.change(name, add_operation)
    run = work.run()
    assert run.returncode == 0, run.stderr
    return work


@pytest.fixture(scope="module")
def stale(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Copy the generated code, edit one of its files, remove one, and add one of a model that is no longer there."""
    work = workspace(tmp_path_factory.mktemp("stale"))
    shutil.copytree(ROOT / "generated", work.out, ignore=shutil.ignore_patterns("__pycache__"))
    package = work.out / "usergroups_m3ter_api"
    with (package / "types.py").open("a") as file:
        file.write("# edited by hand\n")
    (package / "py.typed").unlink()
    (package / "models" / "former.py").touch()
    return work


@pytest.fixture(scope="module")
def complaint(stale: Workspace) -> subprocess.CompletedProcess[str]:
    """Check the stale code."""
    return stale.run("--check")


def test_committed_code_is_what_the_specs_give() -> None:
    """Nobody edits the generated code, and nobody forgets to generate it again."""
    run = generate("--check")

    assert run.returncode == 0, run.stdout + run.stderr


def test_generating_twice_changes_nothing(changed: Workspace) -> None:
    """The same specs give the same files, byte for byte."""
    run = changed.run("--check")

    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("package", PACKAGES.values())
def test_new_field_is_on_the_model(changed: Workspace, package: str) -> None:
    """An optional field that is added to a spec is read, None where absent or null, and written again."""
    printed = changed.python(
        f"""if True:
        from {package}.models import UserGroup
        group = {{"id": "550e8400-e29b-41d4-a716-446655440000", "name": "Readers", "users": []}}
        reviewed = UserGroup.from_dict(group | {{"dtReviewed": "2024-01-01T12:00:00+00:00"}})
        print(reviewed.dt_reviewed.year, reviewed.to_dict()["dtReviewed"])
        print(UserGroup.from_dict(group).dt_reviewed, UserGroup.from_dict(group | {{"dtReviewed": None}}).dt_reviewed)
        """
    )

    assert printed.splitlines() == ["2024 2024-01-01T12:00:00+00:00", "None None"]


@pytest.mark.parametrize("package", PACKAGES.values())
def test_new_operation_has_a_module(changed: Workspace, package: str) -> None:
    """An operation that is added to a spec is there to be called."""
    printed = changed.python(f"from {package}.api.health import get_health; print(get_health._get_kwargs())")

    assert printed == "{'method': 'get', 'url': '/health'}"


@pytest.mark.parametrize("package", PACKAGES.values())
def test_generated_package_is_marked_as_typed(changed: Workspace, package: str) -> None:
    """Type checkers read the generated packages."""
    assert (changed.out / package / "py.typed").is_file()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("usergroups_m3ter_api/types.py: differs", id="an edited file"),
        pytest.param("usergroups_m3ter_api/py.typed: missing", id="a removed file"),
        pytest.param("usergroups_m3ter_api/models/former.py: no longer generated", id="a left-over file"),
        pytest.param("make generate", id="the command that mends it"),
    ],
)
def test_check_names_what_is_stale(complaint: subprocess.CompletedProcess[str], line: str) -> None:
    """Stale code fails the check, which names each file and the way out."""
    assert complaint.returncode == 1
    assert line in complaint.stdout


def test_generating_mends_what_is_stale(tmp_path: Path, stale: Workspace) -> None:
    """Generating restores edited and removed files, and removes those that the specs no longer give."""
    mended = Workspace(stale.specs, tmp_path / "out")
    shutil.copytree(stale.out, mended.out)

    mended.run()

    assert mended.run("--check").returncode == 0
    assert not (mended.out / "usergroups_m3ter_api" / "models" / "former.py").exists()


def test_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    """A mistyped output folder costs nobody their files."""
    work = workspace(tmp_path)
    work.out.mkdir()
    (work.out / "notes.txt").touch()

    run = work.run()

    assert run.returncode == 1
    assert [path.name for path in work.out.iterdir()] == ["notes.txt"]


def xml_body(spec: Json) -> None:
    """Answer the first operation in XML."""
    operation = next(iter(next(iter(spec["paths"].values())).values()))
    operation["responses"]["200"]["content"] = {"application/xml": {"schema": {"type": "string"}}}


def optional_path_parameter(spec: Json) -> None:
    """Make a path parameter optional."""
    spec["paths"]["/organizations/{orgId}/users/{id}/usergroups"]["get"]["parameters"][0]["required"] = False


def missing_schema(spec: Json) -> None:
    """Refer to a schema that is not there."""
    spec["components"]["schemas"]["UserGroup"]["properties"]["owner"] = {"$ref": "#/components/schemas/Owner"}


def remote_response(spec: Json) -> None:
    """Refer to a response in another file."""
    spec["paths"]["/oauth/token"]["post"]["responses"]["418"] = {"$ref": "teapots.yaml#/short~1stout"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(xml_body, id="an answer in XML"),
        pytest.param(optional_path_parameter, id="an optional path parameter"),
    ],
)
def test_spec_that_cannot_be_generated_whole_fails(tmp_path: Path, change: Callable[[Json], None]) -> None:
    """What the generator would leave out with a mere warning ends the run, names the spec, and writes nothing."""
    work = workspace(tmp_path)
    work.change("m3ter", change)

    run = work.run()

    assert run.returncode == 1
    assert "m3ter.yaml" in run.stderr
    assert not work.out.exists()


def test_reference_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """Each reference that leads nowhere is told with its place, whatever it refers to."""
    work = workspace(tmp_path)
    work.change("m3ter", missing_schema)
    work.change("m3ter", remote_response)

    run = work.run()

    assert run.returncode == 1
    assert [line.partition("m3ter.yaml: ")[2] for line in run.stderr.splitlines()] == [
        "paths > /oauth/token > post > responses > 418: there is no teapots.yaml#/short~1stout",
        "components > schemas > UserGroup > properties > owner: there is no #/components/schemas/Owner",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "it is empty", id="nothing"),
        pytest.param("# m3ter\n", "it is empty", id="a comment alone"),
        pytest.param("- openapi\n", "it is not an OpenAPI document", id="a list"),
        pytest.param("openapi: [3.1.0", "it is not YAML", id="a bracket that is left open"),
        pytest.param(b"title: caf\xe9\n", "it is not YAML", id="another encoding"),
        pytest.param(None, "there is no such spec", id="no file"),
    ],
)
def test_every_broken_spec_is_told(tmp_path: Path, text: str | bytes | None, sentence: str) -> None:
    """What is wrong is a sentence and no traceback, and one broken spec does not hide another."""
    work = workspace(tmp_path)
    work.change("smartpm", missing_schema)
    spec = work.specs / "m3ter.yaml"
    spec.unlink()
    if text is not None:
        spec.write_bytes(text.encode() if isinstance(text, str) else text)

    run = work.run()

    assert run.returncode == 1
    assert f"{spec}: {sentence}" in run.stderr
    assert f"{work.specs / 'smartpm.yaml'}: components > schemas > UserGroup" in run.stderr
    assert "Traceback" not in run.stderr
    assert not work.out.exists()


class Interruption:
    """Ctrl-C at the *nth* line of the generation script that runs in this block, if that many are run."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.before = sys.gettrace()

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if Path(frame.f_code.co_filename).name != "generate.py":
            return None
        self.left -= event == "line"
        if self.left == 0 and event == "line":
            raise KeyboardInterrupt
        return self._trace


def tree(folder: Path) -> dict[str, dict[str, str]]:
    """Return the packages of *folder*, and the text of each of their files."""
    return {
        package.name: {path.name: path.read_text(encoding="utf-8") for path in package.iterdir()}
        for package in folder.iterdir()
        if not package.name.startswith(".")
    }


def write(folder: Path, packages: dict[str, dict[str, str]]) -> Path:
    """Make *folder* with *packages*."""
    for package, texts in packages.items():
        (folder / package).mkdir(parents=True)
        for name, text in texts.items():
            (folder / package / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # Ctrl-C as a `with` ends
def test_interrupted_generation_leaves_each_package_whole(tmp_path: Path) -> None:
    """Wherever Ctrl-C comes, each package is as it was or as it is to be, and the next run completes the work."""
    replace = runpy.run_path(str(ROOT / "specs" / "generate.py"))["replace"]
    old = {name: {"models.py": "old", "former.py": ""} for name in "ab"}
    new = {name: {"models.py": "new"} for name in "abc"}
    fresh = write(tmp_path / "fresh", new)

    for nth in range(1, 1000):
        kept = write(tmp_path / str(nth), old)
        interruption = Interruption(nth)
        try:
            with interruption:
                replace(fresh, kept)
        except KeyboardInterrupt:
            left = tree(kept)
            assert left.keys() >= old.keys(), nth
            assert all(left[name] in (old.get(name), new[name]) for name in left), nth
            replace(fresh, kept)
        assert tree(kept) == new
        if interruption.left > 0:
            break

    assert nth > 50


@pytest.mark.parametrize(
    ("package", "model", "required"),
    [
        pytest.param("usergroups_m3ter_api", "UserGroup", {"id": "1"}, id="m3ter user group"),
        pytest.param("usergroups_m3ter_api", "UserGroupPage", {}, id="m3ter page"),
        pytest.param(
            "usergroups_smartpm_api",
            "User",
            {"id": "550e8400-e29b-41d4-a716-446655440000", "email": "kirby.smart@blah.com"},
            id="SmartPM user",
        ),
    ],
)
def test_absent_and_null_are_both_none(package: str, model: str, required: Json) -> None:
    """A field that is absent and one that is null are None alike, and neither is written."""
    schema = yaml.safe_load((ROOT / "specs" / f"{package.split('_')[1]}.yaml").read_text(encoding="utf-8"))
    optional = schema["components"]["schemas"][model]["properties"].keys() - required.keys()
    generated = getattr(import_module(f"{package}.models"), model)

    absent = generated.from_dict(required)
    null = generated.from_dict(required | dict.fromkeys(optional))

    assert absent == null
    assert list(attrs.asdict(null).values()).count(None) == len(optional)
    assert absent.to_dict() == null.to_dict() == required
