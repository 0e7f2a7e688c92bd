"""Encoded sequences on a device, and batches of them for training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tabgan.adversarial.game import Batch
from tabgan.adversarial.training import shuffled
from tabgan.networks.recurrent import by_step
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


class SequenceTable:
    """Encoded steps of all sequences on a device, from which padded batches are taken.

    Parameters
    ----------
    steps : EncodedTable of N rows
        The steps of each sequence, below those of the sequence before.
    lengths : Tensor of shape (n,), int64
        The number of steps of each sequence, at least one; their sum is N.

    Attributes
    ----------
    n_steps : int
        Steps of the longest sequence, to which all sequences of a batch are padded.
    """

    def __init__(self, steps: EncodedTable, lengths: Tensor) -> None:
        self.steps = steps
        self.lengths = lengths
        self.starts = lengths.cumsum(0) - lengths
        self.n_steps = int(lengths.max())

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, index: Tensor) -> tuple[EncodedTable, Tensor]:
        """Take a batch of sequences.

        Parameters
        ----------
        index : Tensor of shape (n,), int64
            Numbers of sequences.

        Returns
        -------
        table : EncodedTable
            Codes of shape (n, T, n_blocks) and scalars of shape (n, T, n_scalars). The last step of
            a sequence is repeated up to step T.
        mask : Tensor of shape (n, T), bool
            True where a sequence has a step.
        """
        lengths = self.lengths[index]
        mask = length_mask(lengths, self.n_steps)
        step = torch.arange(self.n_steps, device=index.device)
        position = self.starts[index][:, None] + torch.minimum(step, lengths[:, None] - 1)
        return self.steps.rows(position), mask


def length_mask(lengths: Tensor, n_steps: int) -> Tensor:
    """Return a mask of shape (n, n_steps) that is true where a sequence has a step.

    Parameters
    ----------
    lengths : Tensor of shape (n,), int64
    n_steps : int
        Columns of the mask.
    """
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


class SequenceSet:
    """Encoded sequences and conditions on the device, dealt out in shuffled and padded batches.

    Parameters
    ----------
    table : SequenceTable of n sequences
    layout : Layout
        Layout of a step.
    condition_table : EncodedTable of n rows
        The condition of each sequence.
    condition_layout : Layout
    index : Tensor of shape (m,), optional
        The sequences that are dealt out; by default all.
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
        """Return a set of the same sequences that deals out only the sequences of an index."""
        return SequenceSet(
            self.table, self.layout, self.condition_table, self.condition_layout, index
        )

    def batch(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Make a batch of some sequences.

        Parameters
        ----------
        index : Tensor of shape (n,)
        rng : torch.Generator
            The batch's source of noise.

        Returns
        -------
        Batch
            `row` has shape (n, T, width), with zeros for padding.
        """
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
        """Yield batches without end, shuffled anew when fewer sequences than a batch are left.

        Parameters
        ----------
        batch_size : int >= 1
        rng : torch.Generator

        Yields
        ------
        Batch
        """
        for order in shuffled(len(self.index), batch_size, rng):
            yield self.batch(self.index[order], rng)


def condition_and_mask(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return a batch's conditions and mask, the further inputs of networks that score sequences.

    Parameters
    ----------
    batch : Batch
        A batch of sequences.

    Returns
    -------
    condition : Tensor of shape (n, condition width)
    mask : Tensor of shape (n, T)
    """
    assert batch.mask is not None
    return batch.condition, batch.mask
