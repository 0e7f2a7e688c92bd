"""The documentation site: ``sphinx-build -W -b html docs docs/_build/html``.

The site is built offline, and its pages ask nothing from outside: formulas become MathML while the
site is built, and fonts, scripts and styles come with the theme.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS), str(DOCS / "_ext")]

import make_api  # noqa: E402
import make_benchmarks  # noqa: E402
from docutils import nodes  # noqa: E402
from sphinx.addnodes import pending_xref  # noqa: E402
from sphinx.ext.autosummary import autosummary_table  # noqa: E402

# Sphinx looks for pages before any extension runs, so what is generated is written here.
make_api.write(DOCS / "api")
make_benchmarks.write(DOCS / "benchmarks" / "generated")

project = "tabgan"
author = "The tabgan developers"
copyright = author
release = version = version_of("sklearn-tabgan")

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "benchmarks/generated", "auto_examples/**.ipynb"]
default_role = "py:obj"
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_update_mathjax = False
html_math_renderer = "mathml"

autosummary_generate = True
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
autodoc_member_order = "alphabetical"
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
# Members stand below the class itself, inherited ones too; numpydoc's own table would repeat them.
numpydoc_show_class_members = False

# These train for minutes: they are shown with the pictures that `draw_slow_examples.py` has made.
SLOW_EXAMPLES = ("digits", "few_shot", "waves")
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_(?!" + "|".join(SLOW_EXAMPLES) + ")",
    "backreferences_dir": "auto_examples/backreferences",
    "doc_module": ("tabgan",),
    "abort_on_example_error": True,
    "plot_gallery": os.environ.get("TABGAN_DOCS_GALLERY", "1") == "1",
    "within_subsection_order": "FileNameSortKey",
    "capture_repr": ("_repr_html_", "__repr__"),
    "matplotlib_animations": False,
    # The page of computation times would load scripts from outside.
    "write_computation_times": False,
    "show_memory": False,
    "remove_config_comments": True,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "tabgan"
html_static_path = ["_static"]
html_css_files = ["tabgan.css"]
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options: dict[str, Any] = {
    "logo": {"text": "tabgan"},
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"changelog": [], "coming_from_sdv": []}

# scikit-learn's docstrings, which our classes inherit, point to pages of scikit-learn's own site.
FOREIGN_REFERENCE = re.compile(r":ref:`(?:([^`<]+?)\s*<[^`>]+>|[^`]+)`")
FITTED_IN_SHAPE = re.compile(r"(shape \((?:\w+, )*)(\w+_)(?=[,)])")
ROUTING = re.compile(r"set_\w+_request|get_metadata_routing")


def _is_foreign(thing: Any) -> bool:
    return not (getattr(thing, "__module__", None) or "").startswith("tabgan")


def _mend(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring into what numpydoc reads without complaint.

    References into scikit-learn's own documentation become plain words, and a fitted attribute in
    a shape, as in ``shape (n_features_in_,)``, is quoted, since reStructuredText takes a name with
    a trailing underscore for a link.
    """
    text = "\n".join(lines)
    if _is_foreign(thing):
        text = FOREIGN_REFERENCE.sub(lambda m: m[1] or "scikit-learn's documentation", text)
    lines[:] = FITTED_IN_SHAPE.sub(r"\1``\2``", text).split("\n")


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the methods by which scikit-learn routes metadata: no method here takes any."""
    return True if ROUTING.fullmatch(name) else None


def _signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show the parameters that a class takes as `inspect` has them, inherited ones too.

    Sphinx alone would show those of ``__new__``, which hands all of them on.
    """
    if what != "class" or _is_foreign(thing):
        return None
    taken = inspect.signature(thing)
    bare = [each.replace(annotation=each.empty) for each in taken.parameters.values()]
    return str(taken.replace(parameters=bare, return_annotation=taken.empty)), ""


def _drop_citations(app: Any, doctree: nodes.document) -> None:
    """Take the marks of citations out of the tables of names: their numbers mean nothing there."""
    for table in doctree.findall(autosummary_table):
        for mark in list(table.findall(pending_xref)):
            if mark.get("refdomain") == "citation":
                parent, place = mark.parent, mark.parent.index(mark)
                before = parent[place - 1] if place else None
                if isinstance(before, nodes.Text):
                    parent[place - 1] = nodes.Text(before.astext().rstrip())
                parent.remove(mark)


def setup(app: Any) -> None:
    """Register the hooks above."""
    app.connect("autodoc-process-docstring", _mend, priority=100)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-read", _drop_citations)
