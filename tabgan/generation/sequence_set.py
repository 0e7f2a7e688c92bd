"""Batches of sequences for training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tabgan.adversarial.game import Batch
from tabgan.adversarial.training import shuffled
from tabgan.networks.recurrent import by_step
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.sequences import SequenceTable


class SequenceSet:
    """Encoded sequences and conditions on the device, dealt out in shuffled padded batches.

    Parameters
    ----------
    table : SequenceTable of n sequences
    layout : Layout
    condition_table : EncodedTable of n rows
    condition_layout : Layout
    index : Tensor, optional
        The sequences to deal out; all of them without.
    """

    def __init__(
        self,
        table: SequenceTable,
        layout: Layout,
        condition_table: EncodedTable,
        condition_layout: Layout,
        index: Tensor | None = None,
    ) -> None:
        self.table, self.layout = table, layout
        self.condition_table, self.condition_layout = condition_table, condition_layout
        device = table.lengths.device
        self.index = torch.arange(len(table), device=device) if index is None else index

    def subset(self, index: Tensor) -> SequenceSet:
        """Deal out some of the sequences alone."""
        return SequenceSet(
            self.table, self.layout, self.condition_table, self.condition_layout, index
        )

    def batch(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Take some sequences; padding is zero in `row`."""
        table, mask = self.table.take(index)
        condition_table = self.condition_table.rows(index)
        return Batch(
            table=table,
            row=by_step(self.layout.expand, *table) * mask[..., None],
            condition=self.condition_layout.expand(*condition_table).nan_to_num(),
            condition_table=condition_table,
            rng=rng,
            mask=mask,
        )

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever, shuffled anew when too few sequences are left for another."""
        for order in shuffled(len(self.index), batch_size, rng):
            yield self.batch(self.index[order], rng)


def condition_and_mask(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what critics are given beside the sequences of a batch."""
    assert batch.mask is not None
    return batch.condition, batch.mask
