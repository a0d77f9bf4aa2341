"""The README and the pages of `docs/`: their examples run, and the commands, settings and errors they name exist."""

import ast
import asyncio
import inspect
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import attrs
import httpx
import pytest
import yaml
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

from usergroups import (
    APIConnectionError,
    M3terClient,
    Outcome,
    Page,
    RetryPolicy,
    SmartPMClient,
    TokenStore,
    errors,
    m3ter,
    smartpm,
)
from usergroups.sandbox import Data, Sandbox, Server, serve

ROOT = Path(__file__).parents[2]
WRITTEN_BY_MAKE = ["docs/benchmarks.md", "docs/reliability.md"]
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts
)
EXAMPLE = re.compile("# examples/.+\n")  # the first line of a block that shows a part of an example
DOCUMENTS = ["README.md", *(page for page in PAGES if page not in WRITTEN_BY_MAKE)]
MODELS: dict[str, type] = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (m3ter, smartpm)
    for name in module.__all__
    if not name.endswith("Client")
}


def read(document: str) -> str:
    """Return the text of *document*, a path from the root of the repository."""
    return (ROOT / document).read_text(encoding="utf-8")


class Block(NamedTuple):
    """A fenced block, where it stands, and what it prints: the next block, if that is text."""

    document: str
    heading: str
    text: str
    printed: str | None = None


def where(block: Block) -> str:
    """Return the document and the heading of *block*."""
    return f"{block.document}: {block.heading}"


def blocks(language: str) -> list[Block]:
    """Return the fenced blocks of *language* in all documents."""
    found = []
    either = r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w+)\n(?P<text>.*?)^```$"
    for document in DOCUMENTS:
        heading, follows = "", False
        for match in re.finditer(either, read(document), re.MULTILINE | re.DOTALL):
            heading = match["heading"] or heading
            if match["language"] == language:
                found.append(Block(document, heading, match["text"]))
            elif match["language"] == "text" and found and follows:
                found[-1] = found[-1]._replace(printed=match["text"])
            follows = match["language"] == language
    return found


def headings(document: str) -> set[str]:
    """Return the anchors of the headings of *document*, as repository hosts and Sphinx make them."""
    prose = re.sub(r"^```.*?^```$", "", read(document), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each shell command of the documents that runs *program*."""
    return [arguments for block in blocks("sh") for arguments in commands_in(block, program)]


def commands_in(block: Block, program: str) -> list[list[str]]:
    """Return the arguments of each shell command in *block* that runs *program*."""
    lines = [shlex.split(line, comments=True) for line in block.text.splitlines()]
    words = program.split()
    return [line[len(words) :] for line in lines if line[: len(words)] == words]


def assert_printed(block: Block, printed: str) -> None:
    """Check what *block* printed: as the document says, where `...` stands for what may differ, or anything at all."""
    if block.printed is None:
        assert printed.strip()
        return
    said = block.printed.replace("http://127.0.0.1:8080", os.environ["M3TER_BASE_URL"])
    assert re.fullmatch(re.escape(said).replace(r"\.\.\.", ".*"), printed), printed


def examples(*words: str, without: tuple[str, ...] = ()) -> list[object]:
    """Return the Python examples that hold *words* and nothing of *without*, named by document and heading."""
    return [
        pytest.param(block, id=where(block))
        for block in blocks("python")
        if not EXAMPLE.match(block.text)
        if all(word in block.text for word in words) and not any(word in block.text for word in without)
    ]


def of_table(document: str, start: str, end: str) -> str:
    """Return the table of *document* that begins with *start*, as far as *end*."""
    text = read(document)
    return text[text.index(start) : text.index(end, text.index(start))]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a sandbox as the README starts it: with nothing added."""
    with serve(Sandbox()) as server:
        yield server


@pytest.fixture
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead both clients to the sandbox, and past any proxy."""
    for name, value in (server.env | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)


def run(*arguments: str, text: str = "", cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run Python with *arguments* and with *text* on its stdin."""
    return subprocess.run(
        [sys.executable, *arguments], input=text, cwd=cwd, capture_output=True, text=True, check=False
    )


def as_typed_in(source: str) -> CodeType:
    """Compile *source* as `python -m asyncio` does, where `await` may stand at the top level."""
    return compile(source, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("block", examples("asyncio.run("))
def test_program_runs(block: Block, tmp_path: Path) -> None:
    """A Python example with `asyncio.run` is a whole program."""
    (tmp_path / "groups.py").write_text(block.text, encoding="utf-8")

    result = run("groups.py", cwd=tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert_printed(block, result.stdout)


def printed_by(source: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a snippet and give what it printed."""
    try:
        asyncio.run(eval(as_typed_in(source), {"__name__": "__main__"}))
    finally:
        instrumentor = HTTPXClientInstrumentor()
        if instrumentor.is_instrumented_by_opentelemetry:  # by the example of tracing
            instrumentor.uninstrument()
    return capsys.readouterr().out


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("block", examples(without=("asyncio.run(", "app = ", "def test_")))
def test_snippet_runs(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    """Any other does what it shows."""
    printed = printed_by(block.text, capsys)

    assert_printed(block, printed)
    assert "cannot tell" not in printed


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="there, `python -m asyncio` takes no blocks from a pipe")
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("block", examples(without=("asyncio.run(", "app = ", "def test_")))
def test_snippet_runs_when_pasted(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    """It does the same when it is pasted into `python -m asyncio`, where a blank line ends a block."""
    pasted = run("-m", "asyncio", text=f"{block.text}\n")

    answers = re.sub(r"^(>>> |\.\.\. )+", "", pasted.stdout, flags=re.MULTILINE)
    assert "Error" not in pasted.stderr
    texts = (answers, printed_by(block.text, capsys))
    of_paste, of_run = (sorted(re.sub(r" in [0-9.]+ s\b", "", text).split()) for text in texts)
    assert of_paste == of_run


@pytest.mark.parametrize("block", examples("def test_"))
def test_tests_pass(block: Block, tmp_path: Path) -> None:
    """Tests that a document shows are a test file of a user, under pytest-asyncio in its mode `auto`."""
    (tmp_path / "test_groups.py").write_text(block.text, encoding="utf-8")
    plugin = ["-p", "no:usergroups", "-p", "usergroups.testing"]  # by its name, whether it is installed or not
    loops = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]

    result = run("-m", "pytest", "-W", "error", *plugin, *loops, cwd=tmp_path)

    assert result.returncode == 0, result.stdout


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("block", examples("app = "))
async def test_application_serves(block: Block) -> None:
    """The ASGI application answers with one client, which it closes at its end."""
    names: dict[str, Any] = {}
    exec(block.text, names)
    app = names["app"]

    browser = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://web")
    async with app.router.lifespan_context(app), browser:
        answers = [await browser.get("/users/grace/groups") for _ in range(2)]
        stranger = await browser.get("/users/who%3F/groups")

    assert [[group["name"] for group in answer.json()][:2] for answer in answers] == [["Team 1", "Team 2"]] * 2
    assert (stranger.status_code, stranger.json()) == (404, {"message": "No such user"})
    with pytest.raises(APIConnectionError, match="the client is closed"):
        await app.state.m3ter.authenticate()


@pytest.mark.usefixtures("environment")
def test_store_of_the_example_is_shared(server: Server) -> None:
    """With the token store of the examples, two clients need one token."""
    before = server.sandbox.counts.token_requests

    result = run("examples/token_store.py")

    assert (result.returncode, result.stderr) == (0, "")
    assert "Team 1" in result.stdout
    assert server.sandbox.counts.token_requests == before + 1


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("block", [block for block in blocks("sh") if commands_in(block, "usergroups")], ids=where)
def test_command_runs(block: Block, tmp_path: Path) -> None:
    """Each `usergroups` command answers against the sandbox, and prints what the document says."""
    printed = ""
    for arguments in commands_in(block, "usergroups"):
        result = run("-c", "import sys; from usergroups.cli import main; sys.exit(main())", *arguments, cwd=tmp_path)

        assert result.returncode == ("who?" in arguments)
        assert re.fullmatch(r"(usergroups: (who|[0-9]+ (kept|asked), ).*\n)*", result.stderr)
        printed += result.stdout
    assert_printed(block, printed)


def test_commands_are_pasted_as_they_are() -> None:
    """No command has a comment behind it, which zsh would take for arguments at its prompt."""
    commented = [where(block) for block in blocks("sh") if "#" in block.text]

    assert not commented, f"write the comment above the block of commands, not in it: {', '.join(commented)}"


@pytest.mark.parametrize(
    "documents", [["README.md"], ["CONTRIBUTING.md"], PAGES], ids=["README", "CONTRIBUTING", "docs"]
)
def test_make_targets_exist(documents: list[str]) -> None:
    """Each `make ...` that is named is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    text = "\n".join(read(document) for document in documents)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))

    assert named
    assert named <= targets


def test_make_help_lists_every_target() -> None:
    """Whoever types `make` sees all that there is, a line each."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    declared = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    made = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [line.split()[0] for line in made.stdout.splitlines()] == declared


def test_extras_exist() -> None:
    """Each extra that the README lists, or has installed, is one of the project's, and none is missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    table = of_table("README.md", "| extra |", "## First calls")
    own = [word for [word, *_] in commands("pip install") if word.startswith(".")]
    installed = {name for word in own for name in re.findall("[a-z]+", word)}

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == extras
    assert installed <= extras


def test_sandbox_options_exist() -> None:
    """Each option of the sandbox that is used is one that it has."""
    said = run("-m", "usergroups.sandbox", "--help").stdout
    used = {word for arguments in commands("python -m usergroups.sandbox") for word in arguments}

    assert used
    unknown = sorted(option for option in used if option.startswith("--") and option not in said)

    assert not unknown, f"the sandbox has no option {', '.join(unknown)}: correct the document that has it"


def test_environment_is_not_that_of_make() -> None:
    """What the README has installed goes into a folder that git ignores, and that make does not use."""
    [folder] = {line[0] for line in commands("python3 -m venv")}
    made = re.search(r"^VENV := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert made is not None
    assert folder != made[1]
    assert f"/{folder}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [f"{folder}/bin/activate"] in commands(".")


def test_sandbox_names_exist() -> None:
    """What is said of a sandbox and its data is there."""
    named = set(re.findall(r"\b(add_\w+|revoke_\w+)\(", read("docs/testing.md")))

    there = {name for name in vars(Data) if name.startswith("add_")} | {"revoke_tokens"}

    assert named == there, f"docs/testing.md: write or remove {sorted(named ^ there)}"
    assert hasattr(Sandbox, "revoke_tokens")


def test_settings_table_is_complete() -> None:
    """Each argument of both clients is in the table of settings, and no other is."""
    table = of_table("docs/settings.md", "| argument |", "## Retries")
    arguments = {name for kind in (M3terClient, SmartPMClient) for name in inspect.signature(kind).parameters}

    assert set(re.findall(r"`(?:\w+\()?(\w+)=\)?`", table)) == arguments


def test_listing_table_is_complete() -> None:
    """Each argument of a listing is in its table, and no other is."""
    table = of_table("docs/calls.md", "| `list_user_groups(user_id, ...)` |", "If you leave out")
    arguments = inspect.signature(M3terClient.list_user_groups).parameters

    named = {"self", "user_id", *re.findall(r"^\| `(\w+)=", table, re.MULTILINE)}

    assert named == set(arguments), f"docs/calls.md: the table of list_user_groups differs in {named ^ set(arguments)}"


def test_retry_table_is_complete() -> None:
    """Each field of the retry policy is in its table, with its default."""
    table = of_table("docs/settings.md", "| `RetryPolicy(...)` |", "If a `Retry-After`")
    rows = re.findall(r"^\| `(\w+)=` \| ([0-9.]+) \|", table, re.MULTILINE)

    assert {name: float(default) for name, default in rows} == attrs.asdict(RetryPolicy())


def test_store_table_is_complete() -> None:
    """Each method of a token store is in its table."""
    table = of_table("docs/tokens.md", "Clients share a token", "Pass it as")
    methods = {name for name in vars(TokenStore) if not name.startswith("_")}

    assert set(re.findall(r"^\| `(?:async )?(\w+)\(", table, re.MULTILINE)) == methods


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        *(pytest.param(model, "docs/calls.md", id=name) for name, model in MODELS.items() if attrs.has(model)),
        pytest.param(Page, "docs/pages.md", id="Page"),
        pytest.param(Outcome, "docs/sweep.md", id="Outcome"),
    ],
)
def test_fields_are_named(kind: type, document: str) -> None:
    """Each field of what a call returns is named."""
    text = read(document)

    missing = [field.name for field in attrs.fields(kind) if f"`{field.name}`" not in text]

    assert not missing, f"{document}: name the new fields of {kind.__name__}, which are {', '.join(missing)}"


def test_settings_table_names_the_variables(server: Server) -> None:
    """Each environment variable that leads a client to a server is in the table of settings."""
    table = of_table("docs/settings.md", "| argument |", "## Retries")

    missing = [variable for variable in server.env if f"`{variable}`" not in table]

    assert not missing, f"docs/settings.md: name {', '.join(missing)} in the table of settings"


def test_error_table_is_complete() -> None:
    """Each error class is in the table of errors, once."""
    table = of_table("docs/errors.md", "| error |", "[The fault table]")

    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(errors.__all__)


def test_table_of_what_errors_carry_is_complete() -> None:
    """Each attribute of an error is in the table, and no other is."""
    table = of_table("docs/errors.md", "| attribute |", "## How it looks")
    attributes = [field.name for field in attrs.fields(errors.UserGroupsError)]

    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(attributes)


@pytest.mark.parametrize("document", ["README.md", "docs/errors.md"])
def test_error_tree_is_complete(document: str) -> None:
    """Each error class is in the tree, once, below the class that it is derived from."""
    [tree] = [block.text for block in blocks("text") if block.document == document and "├" in block.text]
    branch: list[str] = []
    named = []
    for lead, name in re.findall(r"^([│├└─ ]*)(\w+)", tree, re.MULTILINE):
        branch[len(lead) // 4 :] = [name]
        named.append(name)
        public = [base for base in getattr(errors, name).__mro__ if base.__name__ in errors.__all__]
        assert [base.__name__ for base in public] == branch[::-1]
    assert sorted(named) == sorted(errors.__all__)


def test_compose_file_leads_to_the_sandbox() -> None:
    """The compose file of the how-to has the settings of a sandbox, and shares its network."""
    [compose] = [yaml.safe_load(block.text) for block in blocks("yaml") if "services" in block.text]
    services = compose["services"]

    assert services["app"]["environment"] == Sandbox().env("http://127.0.0.1:8080")
    assert services["app"]["network_mode"] == "service:sandbox"
    assert shlex.split(services["sandbox"]["command"])[3:] in commands("python -m usergroups.sandbox")


def test_models_are_built_by_keyword() -> None:
    """A field that a provider adds shifts nothing in an example."""
    models = {model.__name__ for model in MODELS.values()}
    sources = {where(block): block.text for block in blocks("python")}
    sources |= {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*.py")}

    nodes = [(place, node) for place, source in sources.items() for node in ast.walk(ast.parse(source))]
    shifting = [
        f"{place}: write the fields of {ast.unparse(node)} as keywords"
        for place, node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in models and node.args
    ]
    assert not shifting, "\n".join(shifting)


def listed_parameters() -> list[tuple[str, set[str]]]:
    """Return the names of the API page, each with the parameters that it lists; `()` stands for no signature."""
    listed: dict[str, set[str]] = {}
    outer = name = ""
    for line in read("docs/api.md").splitlines():
        if match := re.match(r"( *)\.\. auto(?:class|function|method|exception):: ([\w.]+(?:\(\))?)", line):
            outer = outer if match[1] else match[2].removesuffix("()")
            name = f"{outer}.{match[2]}" if match[1] else match[2]
            listed[name] = set()
        elif match := re.match(r" +:param (\w+):", line):
            listed[name].add(match[1])
    return [(name, names) for name, names in listed.items() if not name.endswith("()")]


@pytest.mark.parametrize(
    ("name", "listed"), listed_parameters(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_api_lists_every_parameter(name: str, listed: set[str]) -> None:
    """The reference has a list of the parameters of each function and class, and no other; models bring their own."""
    found: Any = pkgutil.resolve_name(name)
    parameters = set(inspect.signature(found).parameters) - {"self"}

    of_docstring = {*MODELS.values(), errors.UserGroupsError}
    expected = set() if found in of_docstring else parameters
    assert listed == expected, f"docs/api.md: write or remove `:param` of {name} for {sorted(listed ^ expected)}"


def links(document: str) -> list[str]:
    """Return the relative links of *document*."""
    return [link for link in re.findall(r"\]\(([^)]+)\)", read(document)) if "://" not in link]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Each relative link names a file or folder that is there, and one of its headings if it names a heading."""
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document

        assert target.resolve().exists(), link
        assert not anchor or anchor in headings(target.resolve().relative_to(ROOT).as_posix()), link


def test_index_lists_every_page() -> None:
    """Each page is in the table of contents of the documentation that is built, and on its first page in that order."""
    tables = re.findall(r"^```{toctree}\n(?:^:[^\n]+\n)+\n(.+?)```$", read("docs/index.md"), re.MULTILINE | re.DOTALL)
    listed = " ".join(tables).split()

    assert sorted(f"docs/{page}.md" for page in [*listed, "index"]) == PAGES
    assert [link for link in links("docs/index.md") if "#" not in link] == [f"{page}.md" for page in listed]


def excerpts() -> list[Block]:
    """Return the blocks that show a part of an example."""
    return [block for block in blocks("python") if EXAMPLE.match(block.text)]


@pytest.mark.parametrize("block", excerpts(), ids=where)
def test_excerpts_are_of_the_examples(block: Block) -> None:
    """A block that begins with the name of an example shows a part of it, which that example's test runs."""
    name, _, shown = block.text.partition("\n")

    assert shown.strip() in read(name.removeprefix("# "))


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

    form = r"[a-z0-9-]+==[^ ]+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+"
    others = [row for row in rows if not re.fullmatch(form, row)]
    assert rows
    assert not others, f"requirements/{name}.txt: `make pins` writes no such line: {others[0]}"


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
