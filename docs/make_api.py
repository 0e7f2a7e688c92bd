"""Write the pages of the API reference from the ``__all__`` of each public module."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from sklearn.base import BaseEstimator

import tabgan

# The title of each public module's page, in the order of the reference.
MODULES = {
    "tabgan": "Estimators and functions",
    "tabgan.pipeline": "In scikit-learn pipelines",
    "tabgan.imputation": "Gaps filled",
    "tabgan.evaluation": "Evaluation",
    "tabgan.displays": "Displays",
    "tabgan.constraints": "Rules that rows keep",
    "tabgan.adversarial": "Training techniques",
    "tabgan.datasets": "Datasets",
    "tabgan.dask": "On a cluster",
}
HEAD = "API reference"


def sections(module: str) -> dict[str, list[str]]:
    """Group the public names of a module: one group of classes and one of functions.

    A name that `tabgan` exports too stands on the page of `tabgan` alone. The names of `tabgan`
    are grouped by what they are for: systems that make rows, systems that make features alone,
    imputers, systems that make sequences, the estimators of pipelines, and functions.
    """
    home = importlib.import_module(module)
    groups: dict[str, list[str]] = {}
    above = set() if home is tabgan else set(tabgan.__all__)
    for name in sorted(set(home.__all__) - above, key=str.lower):
        thing = getattr(home, name)
        groups.setdefault(_group(module, thing), []).append(name)
    order = ["Tables", "Features", "Gaps filled", "Sequences", "From rows to rows"]
    order += ["Pipelines", "Classes", "Functions"]
    return {title: groups[title] for title in order if title in groups}


def _group(module: str, thing: object) -> str:
    if not inspect.isclass(thing):
        return "Functions"
    if module != "tabgan" or not issubclass(thing, BaseEstimator):
        return "Classes"
    if thing.__module__.startswith("tabgan.pipeline"):
        return "Pipelines"
    bases = {base.__name__ for base in thing.__mro__}
    if "Imputing" in bases:
        return "Gaps filled"
    if "TableSynthesizer" in bases:
        return "Tables"
    if "Features" in bases and not hasattr(thing, "sample"):
        return "Features"
    return "Sequences" if "entity" in inspect.signature(thing).parameters else "From rows to rows"


def page(module: str) -> str:
    """Write the page of one module."""
    title = f"{MODULES[module]}: ``{module}``"
    home = importlib.import_module(module)
    summary = inspect.cleandoc(home.__doc__ or "")
    parts = [f"{title}\n{'=' * len(title)}", f".. currentmodule:: {module}", summary]
    groups = sections(module)
    for heading, names in groups.items():
        if len(groups) > 1:
            parts.append(f"{heading}\n{'-' * len(heading)}")
        listed = "\n".join(f"   {name}" for name in names)
        parts.append(f".. autosummary::\n   :toctree: generated\n   :nosignatures:\n\n{listed}")
    also = sorted(set(home.__all__) & set(tabgan.__all__)) if home is not tabgan else []
    if also:
        links = ", ".join(f":obj:`tabgan.{name}`" for name in also)
        parts.append(f"Also importable from here: {links}.")
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """Write the index and a page for each module; files that would not change are left alone."""
    listed = "\n".join(f"   {module}" for module in MODULES)
    text = (
        "Every public class and function, with every parameter, inherited ones too. Classes and "
        "functions of ``tabgan`` are imported when they are asked for, since torch takes seconds "
        "to import."
    )
    index = f"{HEAD}\n{'=' * len(HEAD)}\n\n{text}\n\n.. toctree::\n   :maxdepth: 2\n\n{listed}\n"
    _write(folder / "index.rst", index)
    known = set()
    for module in MODULES:
        _write(folder / f"{module}.rst", page(module))
        known |= {f"{module}.{name}" for names in sections(module).values() for name in names}
    # Pages of names that are no longer public would stay, outside of every table of contents.
    for path in (folder / "generated").glob("*.rst"):
        if path.stem not in known:
            path.unlink()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
