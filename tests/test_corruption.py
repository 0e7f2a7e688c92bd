"""Corrupted copies of rows: what is swapped, how often, and what belongs together."""

from __future__ import annotations

import pytest
import torch
from seeds import seed

from tabgan.adversarial.corruption import swap_columns
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


def make_rows(n=2000):
    """Rows that tell their own number in every column; scalar 1 belongs to block 0."""
    number = torch.arange(n)
    return EncodedTable(torch.stack([number, number], dim=1), number[:, None].float().repeat(1, 2))


def test_columns_are_swapped_at_their_rate():
    """Of 2000 rows 30 % is off by more than five standard errors, 5 %, with a chance of e-6."""
    rows, rng = make_rows(), torch.Generator().manual_seed(seed(0))
    swapped = swap_columns(rows, Layout([2, 2], [-1, 0]), 0.3, rng)
    columns = [*(swapped.codes != rows.codes).T, *(swapped.scalars != rows.scalars).T]
    for column in columns:
        assert column.float().mean().item() == pytest.approx(0.3, abs=0.052)
    # Columns are swapped independently, except for a scalar and its gate.
    both = (columns[0] & columns[1]).float().mean().item()
    assert both == pytest.approx(0.09, abs=0.035)
    torch.testing.assert_close(swapped.codes[:, 0].float(), swapped.scalars[:, 1])
    assert (swapped.codes[:, 1].float() != swapped.scalars[:, 0]).any()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_no_column_or_every_column(rate):
    rows, rng = make_rows(50), torch.Generator().manual_seed(seed(0))
    swapped = swap_columns(rows, Layout([2, 2], [-1, 0]), rate, rng)
    assert (swapped.codes != rows.codes).any() == bool(rate)
    assert set(swapped.codes.flatten().tolist()) <= set(range(50))


def test_tables_of_one_kind_of_column():
    rng = torch.Generator().manual_seed(seed(0))
    blocks = EncodedTable(torch.zeros(4, 2, dtype=torch.long), torch.empty(4, 0))
    assert swap_columns(blocks, Layout([2, 2], []), 0.5, rng).codes.shape == (4, 2)
    scalars = EncodedTable(torch.empty(4, 0, dtype=torch.long), torch.zeros(4, 2))
    assert swap_columns(scalars, Layout([], [-1, -1]), 0.5, rng).scalars.shape == (4, 2)
