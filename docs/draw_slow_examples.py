"""Run the examples that train for minutes, and keep their pictures for the site.

    python docs/draw_slow_examples.py [plot_digits ...]

The site's build runs every other example; these three show the pictures in ``docs/images``.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"

import matplotlib.pyplot as plt

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
SLOW = ("plot_digits", "plot_few_shot", "plot_waves")


def main() -> None:
    """Run the examples named, or all slow ones, and save their figures."""
    for name in sys.argv[1:] or SLOW:
        plt.close("all")
        started = time.perf_counter()
        runpy.run_path(str(EXAMPLES / f"{name}.py"))
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        for number in plt.get_fignums():
            plt.figure(number).savefig(DOCS / "images" / f"{name}_{number}.png", dpi=70)


if __name__ == "__main__":
    main()
