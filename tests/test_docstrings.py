"""Docstrings keep their promises: examples run, and every parameter and method is described."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import warnings
from collections.abc import Iterator

import pytest

import tabgan
import tabgan.adversarial
from tabgan.estimators.composing import entries
from tabgan.registry import MODELS

# The command-line entry runs when it is imported.
NOT_IMPORTED = {"tabgan.__main__"}
NEEDS = {"tabgan.pipeline.sampler": "imblearn", "tabgan.displays": "matplotlib"}


def find_modules() -> list[str]:
    """Find the names of all modules of tabgan."""
    found = [module.name for module in pkgutil.walk_packages(tabgan.__path__, "tabgan.")]
    return ["tabgan", *sorted(set(found) - NOT_IMPORTED)]


MODULES = find_modules()


def import_or_skip(name: str) -> object:
    """Import a module, or skip the test where an optional package of the module is missing."""
    for prefix, package in NEEDS.items():
        if name.startswith(prefix):
            pytest.importorskip(package)
    return importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    module = import_or_skip(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    with warnings.catch_warnings():
        # So few steps are too few for some models, which say so.
        warnings.filterwarnings("ignore", ".*has collapsed", UserWarning)
        report: list[str] = []
        for test in doctest.DocTestFinder().find(module, name):
            runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def public_classes() -> dict[str, type]:
    """Collect the classes whose parameters users set."""
    techniques = {name: getattr(tabgan.adversarial, name) for name in tabgan.adversarial.__all__}
    return {**MODELS, **techniques}


# The registry is full once the models are imported.
importlib.import_module("tabgan.models")
CLASSES = public_classes()
PIPELINE = ("AugmentedClassifier", "AugmentedRegressor", "GANSampler", "SynthesizerImputer")


def class_of(name: str) -> type:
    """Return a public class by name."""
    if name == "GANSampler":
        pytest.importorskip("imblearn")
    return CLASSES[name] if name in CLASSES else getattr(tabgan, name)


@pytest.mark.parametrize("name", [*CLASSES, *PIPELINE])
def test_every_parameter_is_described_by_the_class_itself(name):
    cls = class_of(name)
    described = entries(cls.__doc__, "Parameters")
    assert "**shared" not in cls.__doc__
    for parameter in inspect.signature(cls).parameters:
        assert parameter in described, f"{name} does not describe {parameter}"
        heading, _, text = described[parameter].partition("\n")
        assert " : " in heading, f"{name} does not say what kind {parameter} is of"
        assert text.strip(), f"{name} says nothing of {parameter}"


# The docstrings of models are composed, which leaves out what is not in their signature.
@pytest.mark.parametrize("name", [*sorted(set(CLASSES) - set(MODELS)), *PIPELINE])
def test_no_parameter_is_described_that_the_class_does_not_have(name):
    cls = class_of(name)
    assert set(entries(cls.__doc__, "Parameters")) <= set(inspect.signature(cls).parameters)


@pytest.mark.parametrize("name", [*CLASSES, *PIPELINE])
def test_defaults_are_described_as_they_are(name):
    cls = class_of(name)
    described = entries(cls.__doc__, "Parameters")
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.default is parameter.empty:
            continue
        stated = re.search(r"default=(.+)", described[parameter.name].partition("\n")[0])
        assert stated, f"{name} states no default of {parameter.name}"
        assert eval(stated[1]) == parameter.default, f"{name} misstates {parameter.name}"


def public_methods(cls: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties of a class that tabgan itself defines."""
    for name, member in inspect.getmembers(cls):
        function = member.fget if isinstance(member, property) else member
        is_own = (getattr(function, "__module__", None) or "").startswith("tabgan.")
        if is_own and not name.startswith("_") and not inspect.isclass(member):
            yield name, member


@pytest.mark.parametrize("name", [*CLASSES, *PIPELINE])
def test_every_public_method_has_a_docstring(name):
    for method, member in public_methods(class_of(name)):
        assert inspect.getdoc(member), f"{name}.{method} has no docstring"


@pytest.mark.parametrize("name", MODELS)
def test_every_argument_of_a_public_method_is_described(name):
    for method, member in public_methods(MODELS[name]):
        if not inspect.isfunction(member):
            continue
        described = entries(inspect.getdoc(member), "Parameters")
        for argument in list(inspect.signature(member).parameters)[1:]:
            assert argument in described, f"{name}.{method} does not describe {argument}"
        assert "Returns\n" in inspect.getdoc(member) or method == "save", f"{name}.{method}"


@pytest.mark.parametrize("name", [*MODELS, *PIPELINE])
def test_every_class_has_an_example(name):
    assert re.search(r"^Examples\n-+\n", inspect.getdoc(class_of(name)), re.MULTILINE)
