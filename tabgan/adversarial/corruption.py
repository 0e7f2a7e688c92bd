"""Corruption of rows: some columns of a row get the values that other rows have."""

from __future__ import annotations

import torch
from torch import Tensor

from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


def scalar_columns(layout: Layout) -> Tensor:
    """Return the column of each scalar, where the columns are counted as `swap_columns` does.

    A column of a table is a softmax block, a scalar, or a block with a scalar that applies at one
    level of the block. The blocks are the first columns, and scalars without a block follow.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    Tensor of shape (n_scalars,), int64
    """
    is_alone = layout.gates < 0
    return torch.where(is_alone, layout.n_blocks - 1 + is_alone.cumsum(0), layout.gates)


def n_columns(layout: Layout) -> int:
    """Return the number of columns of a layout, as `swap_columns` counts the columns.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    int
        Blocks, and scalars without a block.
    """
    return layout.n_blocks + layout.n_alone


def swap_columns(
    table: EncodedTable, layout: Layout, rate: float, rng: torch.Generator
) -> tuple[EncodedTable, Tensor]:
    """Give some columns of each row the values of other rows, drawn anew for each column [1]_.

    Each column of each row is swapped with probability `rate`. The new value is that of a row drawn
    from the same table, so that the distribution of each column on its own stays as it was, and
    only the dependence between the columns is broken. A network that restores the columns, or that
    tells which columns were swapped [2]_, must therefore learn how the columns depend on each
    other.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
    rate : float in [0, 1]
        Probability with which a column of a row is swapped.
    rng : torch.Generator
        On the device of the table.

    Returns
    -------
    corrupted : EncodedTable of n rows
    is_changed : Tensor of shape (n, n_columns), bool
        Whether a column of a row has another value than before. A swap with a row that has the same
        value is no change. The blocks are the first columns, and scalars without a block follow.

    References
    ----------
    .. [1] Bahri et al. (2022), "SCARF: Self-Supervised Contrastive Learning using Random Feature
       Corruption", arXiv 2106.15147, algorithm 1.
    .. [2] Yoon et al. (2020), "VIME: Extending the Success of Self- and Semi-supervised Learning to
       Tabular Domain", NeurIPS 2020, equations 3 to 6.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.corruption import swap_columns
    >>> from tabgan.table.encoder import EncodedTable
    >>> from tabgan.table.layout import Layout
    >>> table = EncodedTable(torch.arange(6).reshape(3, 2), torch.zeros(3, 0))
    >>> rng = torch.Generator().manual_seed(0)
    >>> corrupted, is_changed = swap_columns(table, Layout([6, 6], []), 0.5, rng)
    >>> torch.equal(is_changed, corrupted.codes != table.codes)
    True
    """
    shape, of_scalars = (len(table), n_columns(layout)), scalar_columns(layout)
    is_swapped = torch.rand(shape, generator=rng, device=rng.device) < rate
    donor = torch.randint(max(1, len(table)), shape, generator=rng, device=rng.device)
    of_blocks = slice(0, layout.n_blocks)
    codes = torch.where(
        is_swapped[:, of_blocks], table.codes.gather(0, donor[:, of_blocks]), table.codes
    )
    scalars = torch.where(
        is_swapped[:, of_scalars], table.scalars.gather(0, donor[:, of_scalars]), table.scalars
    )
    is_changed = torch.zeros_like(is_swapped)
    is_changed[:, of_blocks] = codes != table.codes
    is_changed[:, of_scalars] |= scalars != table.scalars
    return EncodedTable(codes, scalars), is_changed
