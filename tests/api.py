"""
The public API: as it is now, as it was accepted, and as it was in the last version that is tagged.

`make api` accepts it as it is: it writes tests/contract/public_api.txt, and a test holds the tree to that file.
`make api-diff` compares with the last tag. What it says about the next version is explained in CONTRIBUTING.md, and
its exit status is 1 as long as something breaks that the version does not announce.
"""

import difflib
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

import tags
import usergroups

ROOT = Path(__file__).parents[1]
ACCEPTED = Path("tests", "contract", "public_api.txt")
VERSION = Path("src", "usergroups", "_version.py")
OURS = ("usergroups", "usergroups_m3ter_api", "usergroups_smartpm_api")

_HOOKS = re.compile("__(init|a?enter|a?exit|a?iter|a?next|await|(get|set|del)item|contains|len|call)__")
_MODULES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=\w)")  # before a name in a type
_VARIANCE = re.compile(r"[~+-](?=[A-Z])")
_ASSIGNED = re.compile(r"^ +self\.([a-z]\w*)(?:: (.+?))? = ", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[\d+m")


class _Text:
    """What is written as it is where a signature shows a repr."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def listing() -> list[str]:
    """
    Return the public API as lines `name: what it is`: what the modules with an `__all__` export, and its members.

    Types are written without their modules, so that a class may move in the inside.
    """
    homes: dict[int, str] = {}
    lines = []
    for module in modules():
        for name in sorted(module.__all__):
            full, thing = f"{module.__name__}.{name}", getattr(module, name)
            home = homes.setdefault(id(thing), full)
            if home != full:
                lines.append(f"{full}: {home}")
            elif not inspect.isclass(thing):
                lines.append(f"{full}: {_described(thing)}")
    public = {thing: name for name, thing in _classes(homes)}
    for thing, full in public.items():
        bases = [base for base in thing.__mro__[1:] if base in public or not _is_ours(base)]
        shown = ", ".join(public.get(base, base.__name__) for base in bases if base is not object)
        lines += [f"{full}: class ({shown})", *(f"{full}.{line}" for line in _members(thing, public))]
    return sorted(lines)


def modules() -> list:
    """Return the modules that people import."""
    inside = sorted(module.name for module in pkgutil.iter_modules(usergroups.__path__))
    names = [f"usergroups.{name}" for name in inside if not name.startswith("_")]
    return [usergroups, *(module for name in names if hasattr(module := importlib.import_module(name), "__all__"))]


def _classes(homes: dict[int, str]) -> Iterator[tuple[str, type]]:
    for full in homes.values():
        module, _, name = full.rpartition(".")
        thing = getattr(sys.modules[module], name)
        if inspect.isclass(thing):
            yield full, thing


def _members(kind: type, public: Iterable[type]) -> Iterator[str]:
    """Yield a line for each public member of *kind* that is not that of another public class."""
    own = [base for base in kind.__mro__ if base is kind or (base not in public and _is_ours(base))]
    members = {name: thing for base in reversed(own) for name, thing in vars(base).items()}
    types = {name: text for base in reversed(own) for name, text in _attributes(base).items()}
    if getattr(kind, "_is_protocol", False):
        members.pop("__init__", None)  # Python's
    for name, thing in members.items():
        if name not in types and (not name.startswith("_") or _HOOKS.fullmatch(name)):
            yield f"{name}: {_described(thing)}"
    yield from (f"{name}: {text}" for name, text in types.items())


def _attributes(kind: type) -> dict[str, str]:
    """Return the types of the public attributes that the body of *kind* declares or its `__init__` assigns."""
    declared = {name: _type(annotation) for name, annotation in inspect.get_annotations(kind).items()}
    if inspect.isfunction(made := vars(kind).get("__init__")) and not attrs.has(kind):
        assigned = _ASSIGNED.findall(inspect.getsource(made))
        declared |= {name: text or "attribute" for name, text in assigned if name not in declared}
    return {name: text for name, text in declared.items() if not name.startswith("_")}


def _described(thing: object) -> str:
    """Return what *thing* is: a property's type, or a kind of function and its signature, or a value's type."""
    if isinstance(thing, property):
        return f"property {_type(inspect.signature(thing.fget).return_annotation)}"
    wrapper = next((kind.__name__ for kind in (staticmethod, classmethod) if isinstance(thing, kind)), "")
    thing = getattr(thing, "__func__", thing)
    if not callable(thing):
        return type(thing).__name__
    kind = "async def" if inspect.iscoroutinefunction(thing) else "def"
    return f"{wrapper} {kind} {_signature(inspect.signature(thing))}".strip()


def _signature(signature: inspect.Signature) -> inspect.Signature:
    parameters = [
        one.replace(annotation=_shown(one.annotation), default=_default(one.default))
        for one in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters, return_annotation=_shown(signature.return_annotation))


def _shown(annotation: object) -> object:
    return annotation if annotation is inspect.Signature.empty else _Text(_type(annotation))


def _default(value: object) -> object:
    return _Text(value.__qualname__) if inspect.isroutine(value) else value  # else its repr may be an address


def _type(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\*<class '(?:\w+\.)*(\w+)'>", r"Unpack[\1]", text)  # as Pythons before 3.12 show it
    return _VARIANCE.sub("", _MODULES.sub("", text))


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in OURS


def difference(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return the lines that went, after a "-", and those that came, after a "+"."""
    return [line for line in difflib.ndiff(old, new) if line[0] in "-+"]


def accepted(root: Path) -> list[str]:
    """Return the public API that was accepted, as the file below *root* has it."""
    path = root / ACCEPTED
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def breakages(old: Path, new: Path) -> list[str]:
    """
    Return what in the tree *new* breaks users of the tree *old*: what griffe finds, and each public name that went.

    griffe reads the sources: it does not see constructors that attrs makes, nor a name that only left an `__all__`.
    """
    from griffe import ExplanationStyle, find_breaking_changes

    found = {
        _COLOURS.sub("", breakage.explain(ExplanationStyle.ONE_LINE)).partition(": ")[2].strip()
        for breakage in find_breaking_changes(_read(old), _read(new))
    }
    names = [{line.partition(": ")[0] for line in accepted(tree)} for tree in (old, new)]
    return [*sorted(found), *sorted(f"{name}: it is public no longer" for name in names[0] - names[1])]


def _read(tree: Path) -> object:
    """Return griffe's view of the package in *tree*, in which only modules with an `__all__` are public."""
    from griffe import GriffeLoader

    loader = GriffeLoader(search_paths=[tree / "src", tree / "generated"], allow_inspection=False)
    for name in OURS:
        if any((tree / folder / name).exists() for folder in ("src", "generated")):
            loader.load(name)
    loader.resolve_aliases(implicit=True, external=False)
    package = loader.modules_collection["usergroups"]
    for module in package.modules.values():
        module.public = bool(module.exports)
    return package


def least_version(tag: str, *, breaks: bool, changes: bool) -> str:
    """
    Return the least version that may follow *tag* (Semantic Versioning): before 1.0 a minor one may break.
    """
    major, minor, patch = tags.numbers(tag)
    if breaks and major:
        return f"{major + 1}.0.0"
    if breaks or (changes and major):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def version_of(tree: Path) -> str:
    """Return the version that *tree* says it is."""
    match = re.search(r'__version__ = "(.+)"', (tree / VERSION).read_text(encoding="utf-8"))
    assert match
    return match[1]


def against_last_tag(root: Path) -> tuple[list[str], bool]:
    """
    Compare the tree at *root* with the last version that is tagged: return what is to be said, and whether all is well.
    """
    tag = tags.last_tag(root)
    if tag is None:
        return [tags.NONE], True
    with TemporaryDirectory() as folder:
        tags.unpack(root, tag, Path(folder), "src", "generated", str(ACCEPTED))
        broken = breakages(Path(folder), root)
        changes = difference(accepted(Path(folder)), accepted(root))
    version = version_of(root)
    least = least_version(tag, breaks=bool(broken), changes=bool(changes))
    well = not broken or tags.numbers(version) >= tags.numbers(least)
    lines = [f"The public API since {tag}:", *(changes or ["no change"])]
    lines += ["", "What breaks users:", *broken] * bool(broken)
    lines += ["", f"The next version is {least} at least; src/usergroups/_version.py says {version}."]
    lines += ["A change that breaks raises it there and then: see CONTRIBUTING.md, Releasing."] * (not well)
    return lines, well


def main(arguments: Sequence[str]) -> int:
    """Accept the API as it is; with `--diff`, compare it with that of the last tag."""
    if "--diff" in arguments:
        lines, well = against_last_tag(ROOT)
    else:
        now, well = listing(), True
        lines = difference(accepted(ROOT), now) or ["no change"]
        (ROOT / ACCEPTED).write_text("".join(f"{line}\n" for line in now), encoding="utf-8")
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return int(not well)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
