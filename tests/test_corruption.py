"""Columns swapped with other rows': which, how often, and what stays as it was."""

from __future__ import annotations

import pytest
import torch
from seeds import seed

from tabgan.adversarial.corruption import n_columns, scalar_columns, swap_columns
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

# Scalars: of block 0, alone, of block 2, alone.
LAYOUT = Layout([50, 50, 50], [0, -1, 2, -1])


def rows(n=400):
    """Rows all of whose cells are different within a column."""
    rng = torch.Generator().manual_seed(seed(0))
    codes = torch.stack([torch.randperm(n, generator=rng) for _ in range(3)], dim=1)
    scalars = torch.stack([torch.randperm(n, generator=rng) for _ in range(4)], dim=1)
    return EncodedTable(codes, scalars.float()), rng


def test_a_block_and_its_scalar_are_one_column():
    assert n_columns(LAYOUT) == 5
    assert scalar_columns(LAYOUT).tolist() == [0, 3, 2, 4]
    assert scalar_columns(Layout([2, 3], [])).tolist() == []
    assert scalar_columns(Layout([], [-1, -1])).tolist() == [0, 1]


def test_a_block_and_its_scalar_come_from_one_row():
    table, rng = rows()
    corrupted, _ = swap_columns(table, LAYOUT, 0.5, rng)
    donor = torch.argsort(table.codes[:, 0])[corrupted.codes[:, 0]]
    assert torch.equal(corrupted.scalars[:, 0], table.scalars[donor, 0])


def test_columns_are_swapped_on_their_own_at_the_rate():
    table, rng = rows(2000)
    corrupted, is_changed = swap_columns(table, LAYOUT, 0.3, rng)
    # 10,000 cells: four standard errors are 0.02. One swap in 2,000 changes nothing.
    assert is_changed.float().mean() == pytest.approx(0.3, abs=0.02)
    together = (is_changed[:, 0] & is_changed[:, 1]).float().mean()
    assert together == pytest.approx(0.09, abs=0.03)
    assert torch.equal(is_changed[:, :3], corrupted.codes != table.codes)
    assert torch.equal(is_changed[:, 3:], (corrupted.scalars != table.scalars)[:, [1, 3]])


def test_equal_values_are_no_change():
    table = EncodedTable(torch.ones(9, 3, dtype=torch.long), torch.full((9, 4), 0.5))
    corrupted, is_changed = swap_columns(table, LAYOUT, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(corrupted.codes, table.codes)
    assert not is_changed.any()


@pytest.mark.parametrize(("rate", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_none_or_all(rate, share):
    table, rng = rows()
    before = EncodedTable(table.codes.clone(), table.scalars.clone())
    _, is_changed = swap_columns(table, LAYOUT, rate, rng)
    assert is_changed.float().mean() == pytest.approx(share, abs=0.02)
    assert torch.equal(table.codes, before.codes)
    assert torch.equal(table.scalars, before.scalars)


@pytest.mark.parametrize("layout", [Layout([], [-1]), Layout([4], [])])
def test_layouts_of_one_kind(layout):
    table = EncodedTable(
        torch.zeros(3, layout.n_blocks, dtype=torch.long), torch.zeros(3, layout.n_scalars)
    )
    corrupted, is_changed = swap_columns(table, layout, 0.5, torch.Generator().manual_seed(0))
    assert corrupted.codes.shape == table.codes.shape
    assert is_changed.shape == (3, 1)
