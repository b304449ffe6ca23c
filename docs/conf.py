"""Settings of the documentation; `make docs` builds it."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from pathlib import Path
from types import FunctionType

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import kineme

project = "Kineme"
author = "The Kineme developers"
copyright = f"2026, {author}"
version = release = kineme.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "Kineme"
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "install", "tour", "extend", "results")}  # no pages below
html_theme_options = {
    "header_links_before_dropdown": 8,
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
highlight_language = "text"
default_role = "code"  # single backticks in docstrings

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Array": "Array"}
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 90
add_module_names = False


def public_names() -> str:
    """A summary of each name in `kineme.__all__`, linked to the module that defines it."""
    paths = []
    for name in sorted(kineme.__all__, key=str.lower):
        value = getattr(kineme, name)
        if isinstance(value, type | FunctionType):
            paths.append(f"   ~{value.__module__}.{value.__qualname__}")
        elif name != "__version__":
            paths.append(f"   kineme.{name}")
    head = ["```{eval-rst}", ".. autosummary::", "   :nosignatures:", ""]
    return "\n".join([*head, *paths, "```"])


def keep_listings(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Shows indented paragraphs, tables and aligned columns of a docstring's introduction as they stand."""
    paragraphs = "\n".join(lines).split("\n\n")
    for place, paragraph in enumerate(paragraphs):
        if re.match(r"(Args|Attributes|Raises|Returns|Yields):\n", paragraph):
            break
        if re.match(r"    |\|", paragraph) or re.search(r"\S {3,}\S|\n {4,}\S", paragraph):
            paragraphs[place] = "::\n\n" + textwrap.indent(paragraph, "    ")
    lines[:] = "\n\n".join(paragraphs).splitlines()


def expand(app: Sphinx, page: str, source: list[str]) -> None:
    """Puts the public names where docs/api.md asks for them; links to the root lead to pages here."""
    text = source[0].replace("<!-- public names -->", public_names())
    source[0] = re.sub(r"\]\(\.\./(CONTRIBUTING|CHANGELOG)\.md", lambda m: f"]({m[1].lower()}.md", text)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    shutil.rmtree(Path(app.srcdir) / "api", ignore_errors=True)  # pages of modules that are gone
    app.connect("source-read", expand)
    app.connect("autodoc-process-docstring", keep_listings, priority=400)  # before napoleon
