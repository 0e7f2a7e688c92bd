"""Seeds of statistical tests, all of which one environment variable moves.

A statistical test bounds a figure that random draws decide: a rate of sampled rows, or how well a
model learnt. Its claim must hold for any seed. ``TABGAN_SEED_SHIFT=1 pytest`` runs every such test
with other seeds; tests of exact results keep theirs.
"""

from __future__ import annotations

import os

SHIFT = int(os.environ.get("TABGAN_SEED_SHIFT", "0"))


def seed(n: int) -> int:
    """Return the seed that stands for `n` in this run.

    Shifts lie a million apart, so that no two runs of the suite share a seed.
    """
    return n + 1_000_000 * SHIFT
