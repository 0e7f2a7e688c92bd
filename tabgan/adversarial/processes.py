"""Several processes that train one model together: shares of batches, and common decisions."""

from __future__ import annotations

import atexit
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist

from tabgan.adversarial.game import Batch
from tabgan.randomness import begin_stream


@dataclass(frozen=True)
class Processes:
    """The processes of a torch.distributed group, of which this process is one.

    All processes hold the same rows and draw the same batches from the same seed. Each process
    keeps its share of a batch, and the gradients of the shares are averaged, so that all processes
    make the update that one process makes on the whole batch. Noise, such as latent draws and
    dropout, is a process's own.

    Attributes
    ----------
    rank : int, default=0
        Number of this process.
    size : int, default=1
        Number of processes. One process exchanges nothing.

    Examples
    --------
    >>> from tabgan.adversarial.processes import Processes
    >>> Processes().first("what one process says holds")
    'what one process says holds'
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """Join the process group of this program, or start the one that ``torchrun`` describes.

        Parameters
        ----------
        device : torch.device
            Device of the networks. A group that is started exchanges tensors by NCCL for CUDA
            devices, and by Gloo otherwise.

        Returns
        -------
        Processes
            This process alone, if there is neither a group nor an environment of ``torchrun``.
        """
        if not dist.is_available():
            return cls()
        if device.type == "cuda":
            # NCCL exchanges the objects of a process on its present device.
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            if int(os.environ.get("WORLD_SIZE", "1")) == 1:
                return cls()
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(_leave)
        return cls(dist.get_rank(), dist.get_world_size())

    def deal(self, batches: Iterator[Batch], rng: torch.Generator) -> Dealt:
        """Deal out this process's share of each batch, with noise of the process's own.

        A batch of fewer rows than processes goes to every process as a whole.

        Parameters
        ----------
        batches : iterator of Batch
            The same batches in all processes.
        rng : torch.Generator
            Source of the batches, in the same state in all processes.

        Returns
        -------
        Dealt
        """
        return Dealt(self, batches, rng)

    def _check_same(self, batch: Batch) -> None:
        """Raise a ValueError if the processes have different batches."""
        sums = [batch.row.nan_to_num().sum(), batch.table.codes.sum(), batch.condition.sum()]
        told: list[Any] = [None] * self.size
        dist.all_gather_object(told, (tuple(batch.row.shape), [float(each) for each in sums]))
        (shape, figures), others = told[0], told[1:]
        # Processes with different numbers of threads may round sums differently.
        if not all(each[0] == shape and np.allclose(each[1], figures, 1e-4) for each in others):
            raise ValueError(
                f"X differs between the {self.size} processes; with distributed=True all processes "
                "must fit the same rows in the same order, and each takes its share of a batch."
            )

    def average(self, tensors: Sequence[Tensor], n_rows: int) -> None:
        """Replace tensors by their means over all processes, in place.

        Parameters
        ----------
        tensors : sequence of Tensor
            The same shapes in all processes.
        n_rows : int
            Rows of this process's share, by which its tensors are weighted.
        """
        if self.size == 1 or not tensors:
            return
        parts = [tensor.flatten() * n_rows for tensor in tensors]
        together = torch.cat([*parts, parts[0].new_full((1,), n_rows)])
        # Gloo exchanges tensors of the CPU alone.
        exchanged = together if dist.get_backend() == "nccl" else together.cpu()
        dist.all_reduce(exchanged)
        means = (exchanged[:-1] / exchanged[-1]).to(together.device)
        for tensor, mean in zip(tensors, means.split([len(part) for part in parts]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def first(self, value: Any) -> Any:
        """Return the value that the first process has.

        Parameters
        ----------
        value : object

        Returns
        -------
        object
        """
        if self.size == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told, src=0)
        return told[0]

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process.

        Parameters
        ----------
        flag : bool

        Returns
        -------
        bool
        """
        if self.size == 1:
            return flag
        told: list[Any] = [None] * self.size
        dist.all_gather_object(told, flag)
        return any(told)

    def align(self, modules: dict[str, nn.Module]) -> None:
        """Give all processes the learnt tensors of the first one.

        Rounding may differ between processors, so that processes end with almost equal tensors.

        Parameters
        ----------
        modules : dict of str to Module
            The same modules in all processes.
        """
        if self.size == 1:
            return
        states = {
            name: {key: value.cpu() for key, value in module.state_dict().items()}
            for name, module in modules.items()
        }
        states = self.first(states)
        if self.rank:
            for name, module in modules.items():
                module.load_state_dict(states[name])


class Dealt(Iterator[Batch]):
    """The shares of batches that one process gets, in their order.

    The order of the rows has a stream apart from all noise, so that the batches do not depend on
    how much noise a process draws.

    Parameters
    ----------
    processes : Processes
    batches : iterator of Batch
    rng : torch.Generator

    Attributes
    ----------
    noise : torch.Generator
        Source of the noise of all batches.
    n_dealt : int
        Number of batches so far.
    sums_up : bool, default=False
        Whether `digest` follows the batches.
    digest : int
        A checksum of all rows and conditions so far, by which other rows are noticed.

    Raises
    ------
    ValueError
        The first batches differ between the processes.
    """

    def __init__(
        self, processes: Processes, batches: Iterator[Batch], rng: torch.Generator
    ) -> None:
        self._processes, self._batches = processes, batches
        seed = int(torch.randint(2**62, (), generator=rng, device=rng.device))
        self.noise = begin_stream(np.random.default_rng([seed, processes.rank]), rng.device)
        self.n_dealt = 0
        self.sums_up, self.digest = False, 0

    def __next__(self) -> Batch:
        batch, processes = self._next(), self._processes

        def share(tensor: Tensor) -> Tensor:
            is_whole = len(tensor) < processes.size
            return tensor if is_whole else tensor.tensor_split(processes.size)[processes.rank]

        if processes.size > 1:
            if not self.n_dealt:
                processes._check_same(batch)
            batch = batch.mapped(share)
        self.n_dealt += 1
        labelled = batch.labelled
        if labelled is not None:
            labelled = replace(labelled, rng=self.noise)
        return replace(batch, rng=self.noise, labelled=labelled)

    def skip(self, n: int) -> None:
        """Leave out `n` batches, which an earlier process has had."""
        for _ in range(n):
            self._next()
        self.n_dealt += n

    def _next(self) -> Batch:
        """Take the next batch, and add it to the digest."""
        batch = next(self._batches)
        if self.sums_up:
            for tensor in (*batch.table, *batch.condition_table):
                self.digest = zlib.crc32(tensor.cpu().numpy().tobytes(), self.digest)
        return batch


ALONE = Processes()
"""One process that trains by itself."""


def _leave() -> None:
    """Leave the group that `Processes.join` started, if nobody has ended it."""
    if dist.is_initialized():
        dist.destroy_process_group()
