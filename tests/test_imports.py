"""Which way dependencies point, read off the import statements."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tabgan

ROOT = Path(tabgan.__file__).parent
HEAVY = {"matplotlib", "imblearn", "pyarrow", "xgboost"}
DEPENDENCIES = {"torch", "numpy", "pandas", "sklearn", "scipy", "safetensors", "tqdm"}
ROOMS = (
    "cli",
    "displays",
    "evaluation",
    "pipeline",
    "models",
    "estimators",
    "adversarial",
    "networks",
    "table",
)


def imported(path):
    """Full names of what a file imports, at its top or inside functions; types alone aside."""
    names = set()
    for node in walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def walk(node):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        yield child
        yield from walk(child)


def files(room):
    found = sorted((ROOT / room).rglob("*.py"))
    assert found
    return found


def ids(path):
    return str(path.relative_to(ROOT))


def within(name, package):
    return name == package or name.startswith(f"{package}.")


def outside(path):
    """Packages of others that a file imports, the standard library aside."""
    return {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names


def test_imports_are_seen():
    seen = imported(ROOT / "models" / "gan.py")
    assert {"torch", "tabgan.adversarial.losses.NON_SATURATING"} <= seen


@pytest.mark.parametrize("name", ["losses", "penalties"])
def test_losses_and_penalties_import_torch_alone(name):
    assert outside(ROOT / "adversarial" / f"{name}.py") == {"torch"}


@pytest.mark.parametrize("path", [*files("adversarial"), *files("networks")], ids=ids)
def test_networks_and_game_know_neither_estimators_nor_tables(path):
    assert outside(path) <= {"torch", "numpy", "tqdm", "tabgan"}
    room = path.relative_to(ROOT).parts[0]
    allowed = {f"tabgan.{room}"}
    if room == "adversarial":
        allowed |= {"tabgan.networks", "tabgan.table.encoder", "tabgan.table.layout"}
    for name in imported(path):
        assert not within(name, "tabgan") or any(within(name, room) for room in allowed), name


@pytest.mark.parametrize("path", files("table"), ids=ids)
def test_tables_know_nothing_of_learning(path):
    for name in imported(path):
        rooms = ("tabgan.table", "tabgan.checks")
        assert not within(name, "tabgan") or any(within(name, room) for room in rooms), name
    # Arrays are read as scikit-learn reads them.
    assert path.name == "format.py" or "sklearn" not in outside(path)


@pytest.mark.parametrize("path", files("estimators"), ids=ids)
def test_shells_know_no_system(path):
    assert not any(within(name, "tabgan.models") for name in imported(path))


@pytest.mark.parametrize("path", [*files("estimators"), *files("models")], ids=ids)
def test_models_know_nothing_of_what_is_built_on_them(path):
    above = ("cli", "evaluation", "pipeline", "displays", "datasets")
    for name in imported(path):
        assert not any(within(name, f"tabgan.{room}") for room in above), name


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=ids)
def test_what_is_imported_is_declared(path):
    assert outside(path) <= DEPENDENCIES | HEAVY | {"tabgan"}


def test_rooms_are_all_known():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == {*ROOMS, "datasets"}


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
