"""Run every example and write its pictures and the gallery page: python docs/make_gallery.py."""

from __future__ import annotations

import ast
import os
import runpy
import sys
import time
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"

import matplotlib.pyplot as plt

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"


def run(path: Path) -> None:
    """Run one example and save its figures."""
    plt.close("all")
    started = time.perf_counter()
    runpy.run_path(str(path))
    print(f"{path.stem}: {time.perf_counter() - started:.0f} s", flush=True)
    for number in plt.get_fignums():
        plt.figure(number).savefig(DOCS / "images" / f"{path.stem}_{number}.png", dpi=70)


def section(path: Path) -> str:
    """Write an example's part of the page from its docstring and the pictures there are."""
    title, _, text = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n", 2)
    pictures = sorted((DOCS / "images").glob(f"{path.stem}_*.png"))
    shown = "\n\n".join(f"![{title}](images/{picture.name})" for picture in pictures)
    return f"## {title}\n\n{text.strip()}\n\n`examples/{path.name}`\n\n{shown}\n"


def main() -> None:
    """Run the examples named, or all, and write the page."""
    paths = sorted(EXAMPLES.glob("plot_*.py"))
    (DOCS / "images").mkdir(exist_ok=True)
    for path in paths:
        if len(sys.argv) == 1 or path.stem in sys.argv[1:]:
            run(path)
    parts = ["# Gallery\n\nMade by `python docs/make_gallery.py` from the examples.\n"]
    (DOCS / "gallery.md").write_text("\n".join([*parts, *map(section, paths)]))


if __name__ == "__main__":
    main()
