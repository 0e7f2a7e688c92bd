"""What a model trains with: every constant of its training that is no parameter, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabgan.table.encoder import NumericEncoding


@dataclass(frozen=True)
class Plan:
    """Constants of one model's training and encoding; print a model's `plan` to read them.

    Attributes
    ----------
    n_steps : int
        Training steps where the parameter `n_steps` is None.
    betas : tuple of two float
        Adam's decay rates of its two moments.
    weight_decay : float
        AdamW's decoupled decay.
    warm_up : int
        Steps in which the learning rate rises to its full height.
    averaging : float in [0, 1)
        Decay of the exponential moving average of the weights; 0 keeps the last weights.
    max_epochs : int
        Passes over a table at most where `n_steps` is None and early stopping is off, counting a
        batch a step: after more passes some rows of small tables are remembered.
    n_looks : int
        Looks at held-out rows that a run of early stopping aims for.
    steps_per_look : int
        Steps from one look to the next, at least.
    rate_cuts : int
        Times that training goes on from the best weights at a third of the learning rate before it
        ends.
    numbers : {"scalar", "bins", "rank"}
        How numbers are encoded, see `tabgan.table.encoder.Encoder`.
    max_bins : int
        Bins of a number at most.
    fewest_bins, rows_per_bin : int
        Bins of a number, and rows in a bin, at least: no bin is to tell a single row.
    max_halvings : int
        Times that the outermost bins are halved, at most, to follow long tails.
    rows_per_tail : int
        Rows in the outermost bins, at least.
    """

    n_steps: int = 1000
    betas: tuple[float, float] = (0.0, 0.9)
    weight_decay: float = 0.0
    warm_up: int = 1
    averaging: float = 0.999
    max_epochs: int = 300
    n_looks: int = 20
    steps_per_look: int = 1
    rate_cuts: int = 0
    numbers: NumericEncoding = "scalar"
    max_bins: int = 64
    fewest_bins: int = 8
    rows_per_bin: int = 10
    max_halvings: int = 0
    rows_per_tail: int = 5

    def cut(self, n_rows: int) -> dict[str, int]:
        """Say how finely numbers of a table are cut, as `Encoder` takes it.

        Parameters
        ----------
        n_rows : int
            Training rows.
        """
        n_bins = int(np.clip(n_rows // self.rows_per_bin, self.fewest_bins, self.max_bins))
        n_halvings = int(np.log2(max(1.0, n_rows / n_bins / self.rows_per_tail)))
        return {"n_bins": n_bins, "n_halvings": min(n_halvings, self.max_halvings)}
