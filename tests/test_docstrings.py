"""Docstrings: their examples run, and every parameter of a public function is described."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import matplotlib
import pytest

import tabgan.checks
import tabgan.displays
import tabgan.evaluation
import tabgan.generation.two_sample

PACKAGES = (tabgan.displays, tabgan.evaluation)
MODULES = [
    tabgan.checks,
    tabgan.generation.two_sample,
    *(
        importlib.import_module(f"{package.__name__}.{found.name}")
        for package in PACKAGES
        for found in pkgutil.iter_modules(package.__path__)
    ),
]
PUBLIC = [getattr(package, name) for package in PACKAGES for name in package.__all__]


@pytest.fixture(autouse=True)
def _closed_figures():
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_run(module):
    assert doctest.testmod(module).failed == 0


def described(doc):
    """Return the names that stand at the left edge of a docstring's section on parameters."""
    lines = inspect.cleandoc(doc).splitlines()
    start = lines.index("Parameters") + 2
    names = set()
    for line in lines[start:]:
        if line.startswith("---"):
            break
        if line and not line.startswith(" "):
            names |= set(line.partition(" : ")[0].split(", "))
    return names


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_every_public_function_and_display_has_an_example(thing):
    if inspect.isfunction(thing) or thing.__module__.startswith("tabgan.displays"):
        assert "Examples\n" in inspect.getdoc(thing)


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_every_parameter_is_described(thing):
    if inspect.isfunction(thing):
        functions = [thing]
    else:
        members = inspect.getmembers(thing, inspect.isroutine)
        functions = [member for name, member in members if not name.startswith("_")]
        if thing.__module__.startswith("tabgan.displays"):
            functions.append(thing)
    for function in functions:
        wanted = set(inspect.signature(function).parameters) - {"self"}
        if wanted:
            assert wanted <= described(function.__doc__), function
