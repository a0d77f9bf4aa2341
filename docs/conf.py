"""How the documentation is built: `make docs`. Nothing is fetched."""

import re
from textwrap import dedent
from typing import Any

from sphinx.application import Sphinx

import usergroups

project = "usergroups"
author = "the usergroups authors"
version = release = usergroups.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
pygments_dark_style = "monokai"  # furo's own underlines what is imported, as if it were a link
html_title = f"usergroups {version}"
html_show_copyright = False

default_role = "code"  # of docstrings, which are written as Markdown is
maximum_signature_line_length = 1  # characters: a parameter a line
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
myst_heading_anchors = 3  # levels of headings that links may lead to
suppress_warnings = ["myst.xref_missing"]  # links to what is in the repository, and is no page

_OF_PARAMETERS = re.compile(r"\*\w+\*|Raises\b")  # how a paragraph of a docstring begins that api.md has as a list
_ATTRIBUTES = re.compile(r"^ +Attributes:\n.*", re.MULTILINE | re.DOTALL)  # the generator may indent them
_ITEMS = re.compile(r"\blist\[(?=[A-Z])")  # before the name of another model, which both providers may have
_UNSET = re.compile(r" \| Unset\b|\bUnset \| ")  # the generator's name for an absent field; to a caller it is None


def shorten(*event: Any) -> None:
    """Leave out of a docstring what `api.md` has as a list, and say of a model what a caller may pass and read."""
    what, name, lines = event[1], event[2], event[-1]
    text = _ATTRIBUTES.sub(lambda match: dedent(match[0]), "\n".join(lines))
    text = _of_provider(name, _UNSET.sub("", text)).replace("Attributes:", "Args:")
    if what != "exception":
        text = "\n\n".join(part for part in re.split(r"\n\s*\n", text) if not _OF_PARAMETERS.match(part))
    lines[:] = text.splitlines()


def tidy(*event: Any) -> tuple[str, Any] | None:
    """Leave out of a signature what only the generator means."""
    name, signature, returns = event[2], *event[-2:]
    if not signature:
        return None
    signature = _of_provider(name, _UNSET.sub("", signature)).replace("= Ellipsis", "= ...")
    return signature.replace("<built-in function monotonic>", "time.monotonic"), returns


def _of_provider(name: str, text: str) -> str:
    """Say of which provider the other models are that *text*, of the model *name*, names."""
    return _ITEMS.sub(f"list[{name.rpartition('.')[0]}.", text)


def publish(*event: Any) -> None:
    """Name the public base of a class in place of a private one."""
    bases: list[object] = event[-1]
    for place, base in enumerate(bases):
        if isinstance(base, type):
            bases[place] = next(kind for kind in base.__mro__ if not kind.__name__.startswith("_"))


def setup(app: Sphinx) -> None:
    """Connect the above to Sphinx."""
    app.connect("autodoc-process-docstring", shorten, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", tidy)
    app.connect("autodoc-process-bases", publish)
