"""How the code is built: what a fit and a conditional sample cross, depth, width, lines, circles.

    python benchmarks/structure.py --out after.json
    PYTHONPATH=/a/checkout/of/before python benchmarks/structure.py --out before.json

The package that Python imports is measured.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import json
import sys
import tokenize
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tabgan
import tabgan.models
from tabgan.datasets import make_mixed_table

ROOT = Path(tabgan.__file__).parent


def crossed(work: Callable[[], Any]) -> dict[str, int]:
    """Count the files and functions of the package that some work enters."""
    seen: Counter[tuple[str, str]] = Counter()

    def watch(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(ROOT)):
            seen[frame.f_code.co_filename, frame.f_code.co_qualname] += 1

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return {"files": len({file for file, _ in seen}), "functions": len(seen)}


def depth(cls: type) -> int:
    """Count the package's own classes above one another on the longest path."""
    if not cls.__module__.startswith("tabgan"):
        return 0
    return 1 + max(map(depth, cls.__bases__))


def private_members(thing: Any) -> list[str]:
    """List the private names of an object that are the package's own."""
    own = {
        name for c in type(thing).__mro__ if c.__module__.startswith("tabgan") for name in vars(c)
    }
    names = own | set(vars(thing))
    return sorted(n for n in names if n.startswith("_") and not n.startswith("__"))


def overridden(cls: type) -> list[str]:
    """List the methods that more than one of a class's own classes carries out.

    Special methods, and those that only say that a subclass has to define them, are left out.
    """
    counts: Counter[str] = Counter()
    for each in cls.__mro__:
        if each.__module__.startswith("tabgan"):
            methods = [value for value in vars(each).values() if inspect.isfunction(value)]
            done = [m for m in methods if "NotImplementedError" not in m.__code__.co_names]
            counts.update(m.__name__ for m in done if not m.__name__.startswith("__"))
    return sorted(name for name, count in counts.items() if count > 1)


def lines() -> dict[str, int]:
    """Count lines of code, of docstrings and of comments."""
    counts: Counter[str] = Counter()
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        docstrings: set[int] = set()
        for node in ast.walk(ast.parse(text)):
            body = getattr(node, "body", None)
            if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
                continue
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings |= set(range(value.lineno, (value.end_lineno or 0) + 1))
        comments, code = set(), set()
        skipped = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                comments.add(token.start[0])
            elif token.type not in skipped and token.type != tokenize.ENDMARKER:
                code |= set(range(token.start[0], token.end[0] + 1))
        counts["code"] += len(code - docstrings)
        counts["docstrings"] += len(docstrings)
        counts["comments"] += len(comments - code)
        counts["files"] += 1
    return dict(counts)


def imports() -> dict[str, set[str]]:
    """Return what each module imports of the package, lazily or not, types alone aside."""
    modules = {}
    for path in ROOT.rglob("*.py"):
        parts = ["tabgan", *path.relative_to(ROOT).with_suffix("").parts]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path

    def of(node: ast.AST) -> set[str]:
        found = set()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                found |= {alias.name for alias in child.names}
            elif isinstance(child, ast.ImportFrom):
                found |= {f"{child.module}.{alias.name}" for alias in child.names}
            found |= of(child)
        return found

    graph = {}
    for module, path in modules.items():
        names = set()
        for name in of(ast.parse(path.read_text(encoding="utf-8"))):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            names.add(name)
        graph[module] = names - {"", "tabgan", module}
    return graph


def in_circles() -> int:
    """Count the modules that reach themselves."""
    graph = imports()

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    return sum(module in reached(module) for module in graph)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    table = make_mixed_table(400, missing=0.1, random_state=0)
    label = "colour"
    result: dict[str, Any] = {}
    for name in ("AutoregressiveSynthesizer", "WGANSynthesizer"):
        cls = getattr(tabgan, name)
        model = cls(n_steps=4, hidden_dim=16, random_state=0)
        result[name] = {
            "fit": crossed(lambda model=model: model.fit(table)),
            "conditional sample": crossed(
                lambda model=model: model.sample(20, conditions={label: table[label].mode()[0]})
            ),
        }
    models = [getattr(tabgan.models, name) for name in tabgan.models.__all__]
    models = [cls for cls in models if inspect.isclass(cls)]
    result["own depth"] = {cls.__name__: depth(cls) for cls in models}
    result["overridden methods"] = {cls.__name__: overridden(cls) for cls in models}
    result["most overridden"] = max(map(len, result["overridden methods"].values()))
    result["deepest"] = max(result["own depth"].values())
    widths = {}
    for cls in models:
        model = cls(n_steps=0, hidden_dim=8)
        try:
            model.fit(table.drop(columns=label), table[label])
        except (TypeError, ValueError):
            continue
        widths[cls.__name__] = len(private_members(model))
    result["private members"] = widths
    result["widest"] = max(widths.values())
    result["lines"] = lines()
    result["modules in circles"] = in_circles()
    arguments.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
