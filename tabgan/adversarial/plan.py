"""The constants of a model's training that are not parameters, all in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabgan.table.encoder import NumericEncoding, RareEncoding


@dataclass(frozen=True)
class Plan:
    """The constants of one model's training and encoding, which ``print(Model.plan)`` shows.

    Attributes
    ----------
    n_steps : int, default=1000
        Training steps if the parameter `n_steps` is None.
    betas : tuple of two float in [0, 1), default=(0.0, 0.9)
        Decay rates of Adam's first and second moments.
    weight_decay : float >= 0, default=0.0
        AdamW's decoupled weight decay.
    warm_up : int >= 1, default=1
        Steps over which the learning rate rises linearly to its full value.
    averaging : float in [0, 1), default=0.999
        Decay, per step, of the exponential moving average of the weights; 0 keeps the last weights.
    max_epochs : int, default=300
        Most passes over the table if the parameter `n_steps` is None and early stopping is off. One
        step counts as one batch. Further passes would make the networks memorise rows of small
        tables.
    n_looks : int, default=20
        Evaluations on held-out rows that a run with early stopping aims for.
    steps_per_look : int, default=1
        Fewest steps from one evaluation to the next.
    rate_cuts : int, default=0
        How often training continues from the best weights at a third of the learning rate before
        training ends.
    numbers : {"scalar", "bins", "segments", "rank"}, default="scalar"
        Encoding of numeric columns, see `tabgan.table.encoder.Encoder`.
    max_bins : int, default=64
        Most bins of a numeric column.
    max_bins_of_table : int, default=20000
        Most bins of all numeric columns together, but for `fewest_bins` of each.
    fewest_bins : int, default=8
        Fewest bins of a numeric column.
    rows_per_bin : int, default=10
        Training rows per bin, from which the number of bins follows. The bound keeps a bin from
        revealing a single row.
    max_halvings : int, default=0
        How often, at most, the outermost bins are halved to follow long tails.
    rows_per_tail : int, default=5
        Fewest training rows in an outermost bin after the halvings.
    rare : {"pooled", "wide"}, default="pooled"
        What becomes of columns of very many categories, see `tabgan.table.encoder.Encoder`.
    finds_links : bool, default=False
        Whether equations between numeric columns are looked for, see `tabgan.table.links`. It needs
        numbers encoded as bins.

    Examples
    --------
    >>> from tabgan.adversarial.plan import Plan
    >>> Plan(n_steps=2000).betas
    (0.0, 0.9)
    >>> Plan(max_bins=64, rows_per_bin=10).cut(n_rows=300)
    {'n_bins': 30, 'n_halvings': 0}
    >>> Plan(n_steps=2000).steps(n_rows=300, batch_size=100)
    900
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
    max_bins_of_table: int = 20_000
    fewest_bins: int = 8
    rows_per_bin: int = 10
    max_halvings: int = 0
    rows_per_tail: int = 5
    rare: RareEncoding = "pooled"
    finds_links: bool = False

    def steps(self, n_rows: int, batch_size: int) -> int:
        """Return the number of steps on a table if the parameter `n_steps` is None.

        Parameters
        ----------
        n_rows : int >= 1
            Number of training rows.
        batch_size : int >= 1

        Returns
        -------
        int
            `n_steps` of the plan, or fewer so that there are at most `max_epochs` passes.
        """
        return min(self.n_steps, self.max_epochs * n_rows // min(batch_size, n_rows))

    def cut(self, n_rows: int, n_numbers: int = 1) -> dict[str, int]:
        """Choose how finely numeric columns are cut into bins.

        Parameters
        ----------
        n_rows : int
            Number of training rows.
        n_numbers : int, default=1
            Number of numeric columns.

        Returns
        -------
        dict of str to int
            `n_bins` and `n_halvings`, keyword arguments of `Encoder`.
        """
        most = min(self.max_bins, self.max_bins_of_table // max(1, n_numbers))
        n_bins = max(self.fewest_bins, min(n_rows // self.rows_per_bin, most))
        n_halvings = int(np.log2(max(1.0, n_rows / n_bins / self.rows_per_tail)))
        return {"n_bins": n_bins, "n_halvings": min(n_halvings, self.max_halvings)}
