"""Corrupted copies of rows, in which some columns hold the values of other rows."""

from __future__ import annotations

import torch
from torch import Tensor

from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


def swap_columns(
    table: EncodedTable, layout: Layout, rate: float, rng: torch.Generator
) -> EncodedTable:
    """Replace random columns of each row by the same columns of other rows of the batch [1]_.

    Each column keeps its own distribution, and its dependence on the other columns is broken. A
    block and the scalars that it gates belong to one column, and are replaced together.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
    rate : float in [0, 1]
        Probability that a column of a row is replaced.
    rng : torch.Generator
        On the device of the rows.

    Returns
    -------
    EncodedTable of n rows

    References
    ----------
    .. [1] Bahri et al. (2022), "SCARF: Self-Supervised Contrastive Learning using Random Feature
       Corruption", arXiv 2106.15147, Algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from tabgan.adversarial.corruption import swap_columns
    >>> from tabgan.table.encoder import EncodedTable
    >>> from tabgan.table.layout import Layout
    >>> table = EncodedTable(torch.tensor([[0, 1], [1, 2]]), torch.empty(2, 0))
    >>> swapped = swap_columns(table, Layout([2, 3], []), 0.5, torch.Generator().manual_seed(0))
    >>> swapped.codes.shape
    torch.Size([2, 2])
    """
    n, n_blocks = table.codes.shape
    shape = (n, n_blocks + layout.n_scalars)
    is_swapped = torch.rand(shape, generator=rng, device=rng.device) < rate
    donor = torch.randint(n, shape, generator=rng, device=rng.device)
    # A gated scalar takes the mask and the donor of its block.
    scalar = torch.arange(n_blocks, shape[1], device=rng.device)
    owner = torch.where(layout.gates >= 0, layout.gates, scalar)

    def swap(values: Tensor, place: Tensor) -> Tensor:
        return torch.where(is_swapped[:, place], values.gather(0, donor[:, place]), values)

    blocks = torch.arange(n_blocks, device=rng.device)
    return EncodedTable(swap(table.codes, blocks), swap(table.scalars, owner))
