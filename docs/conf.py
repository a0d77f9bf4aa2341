"""How the documentation is built: `make docs`. Nothing is fetched."""

import usergroups

project = "usergroups"
author = "the usergroups authors"
version = release = usergroups.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_show_copyright = False

default_role = "code"  # of docstrings, which are written as Markdown is
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
myst_heading_anchors = 3  # levels of headings that links may lead to
suppress_warnings = ["myst.xref_missing"]  # links to what is in the repository, and is no page
