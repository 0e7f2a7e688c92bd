"""Which way dependencies point, read off the import statements, lazy ones included."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tabgan

ROOT = Path(tabgan.__file__).parent
HEAVY = {"matplotlib", "imblearn", "pyarrow", "polars", "xgboost", "dask", "distributed"}
OPTIONAL = {"narwhals"}
DEPENDENCIES = {"torch", "numpy", "pandas", "sklearn", "scipy", "safetensors", "tqdm"}
FLOORS = (
    ("locks",),
    ("checks", "notices", "registry", "randomness"),
    ("paths",),
    ("table",),
    ("private",),
    ("constraints",),
    ("networks", "datasets"),
    ("adversarial",),
    ("generation",),
    ("estimators",),
    ("models",),
    ("evaluation", "pipeline"),
    ("imputation",),
    ("persistence", "displays", "dask"),
    ("cli",),
    ("__init__", "__main__"),
)
"""Rooms of the house from the ground up: a file imports from its own room and from floors below."""


def walk(node):
    """Yield all parts of a syntax tree but what is imported for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        yield child
        yield from walk(child)


def imported(path):
    """Full names of what a file imports, at its top or inside functions."""
    names = set()
    for node in walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args:
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            named = node.args[0]
            if function in ("import_module", "__import__") and isinstance(named, ast.Constant):
                names.add(named.value)
    return names


def name_of(path):
    """Name of the module that a file holds."""
    parts = ["tabgan", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def module_of(name):
    """Find the file of this package that an imported name comes from, if it is one of ours."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def edges(module):
    """Modules of this package that a module imports."""
    found = {module_of(name) for name in imported(MODULES[module])}
    # The package itself has what it has from others alone.
    return found - {"", "tabgan", module}


GRAPH = {module: edges(module) for module in MODULES}


def reached(module):
    """All modules that are imported with a module, now or later."""
    seen, waiting = set(), [module]
    while waiting:
        new = GRAPH[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor_of(module):
    (floor,) = (i for i, rooms in enumerate(FLOORS) if room_of(module) in rooms)
    return floor


def outside(module):
    """Packages of others that a module imports, the standard library aside."""
    names = {name.partition(".")[0] for name in imported(MODULES[module])}
    return names - sys.stdlib_module_names


every_module = pytest.mark.parametrize("module", MODULES)


def test_imports_are_seen():
    assert {"torch", "tabgan.adversarial.losses.NON_SATURATING"} <= imported(
        MODULES["tabgan.models.gan"]
    )
    # One of these is imported inside a function.
    assert "tabgan.evaluation" in reached("tabgan.cli.commands")
    assert "tabgan.models.wgan" in reached("tabgan.pipeline.synthesis")


@every_module
def test_dependencies_point_down_the_floors(module):
    for other in GRAPH[module]:
        same = room_of(other) == room_of(module)
        assert same or floor_of(other) < floor_of(module), f"{module} imports {other}"


@every_module
def test_no_module_reaches_itself(module):
    assert module not in reached(module)


@every_module
def test_what_is_imported_is_declared(module):
    assert outside(module) <= DEPENDENCIES | HEAVY | OPTIONAL | {"tabgan"}


@pytest.mark.parametrize("name", ["losses", "penalties"])
def test_losses_and_penalties_reach_torch_alone(name):
    module = f"tabgan.adversarial.{name}"
    assert outside(module) == {"torch"} and not reached(module)


@pytest.mark.parametrize(
    "module", [m for m in MODULES if room_of(m) in ("adversarial", "networks")]
)
def test_networks_and_games_reach_no_estimator_of_others(module):
    assert outside(module) <= {"torch", "numpy", "tabgan"}
    reads = ("layout", "encoder", "evidence", "privacy")
    own = {f"tabgan.table.{name}" for name in reads}
    assert {m for m in GRAPH[module] if room_of(m) == "table"} <= own


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) == "table"])
def test_tables_know_nothing_of_learning(module):
    # Arrays are read as scikit-learn reads them.
    assert module == "tabgan.table.format" or "sklearn" not in outside(module)


def loaded_by(code, before=""):
    """Packages that some code loads beyond those that another piece loads."""
    script = (
        f"import sys\n{before}\nseen = set(sys.modules)\n{code}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - seen})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_is_light():
    """Torch, which takes seconds, is loaded with the first class that needs it."""
    loaded = loaded_by("import tabgan")
    assert "tabgan" in loaded
    assert not loaded & (DEPENDENCIES | HEAVY)


def test_optional_packages_are_loaded_only_when_needed():
    """Beyond what the dependencies load themselves: pandas loads pyarrow where there is one."""
    names = [name for name in tabgan.__all__ if name != "GANSampler"]
    loaded = loaded_by(
        f"from tabgan import {', '.join(names)}", f"import {', '.join(sorted(DEPENDENCIES))}"
    )
    assert "tabgan" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("room", ["datasets", "displays", "evaluation", "models", "adversarial"])
def test_packages_are_found_after_importing_tabgan_alone(room):
    assert "tabgan" in loaded_by(f"import tabgan; tabgan.{room}; assert '{room}' in dir(tabgan)")
    assert tabgan.load is __import__("tabgan.persistence", fromlist=["load"]).load
