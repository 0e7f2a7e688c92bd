"""Recorded moves: the kernels of one player's update as a CUDA graph, replayed in later steps.

The networks of tables are small, so that a GPU computes a kernel faster than Python launches it. A
CUDA graph launches all kernels of an update at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tabgan.adversarial.game import Batch
from tabgan.notices import warn

N_PLAIN = 3
"""Updates of one kind that run as usual before one is recorded; a GPU chooses its kernels there."""

Descent = Callable[[Batch], Tensor]


class _Changing(Exception):
    """A loss depends on a number of Python that changes from step to step."""


def _refuse(*_: Any) -> Any:
    raise _Changing


class _Progress:
    """Stands for a share of the run's steps, and finds a loss that depends on the share."""

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __float__ = __bool__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class _Index(int):
    """The number of an update, which remembers by which numbers a loss divides it."""

    divisors: set[int]

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __float__ = __bool__ = _refuse
    __hash__ = None  # type: ignore[assignment]

    def __mod__(self, divisor: int) -> int:
        self.divisors.add(divisor)
        return int(self) % divisor


class CudaRecorder:
    """Records work on a GPU as CUDA graphs."""

    @contextmanager
    def plain(self, rng: torch.Generator) -> Iterator[None]:
        """Run the block as usual, on a side stream, as work must before it is recorded.

        Parameters
        ----------
        rng : torch.Generator
        """
        stream = torch.cuda.Stream(rng.device)
        stream.wait_stream(torch.cuda.current_stream(rng.device))
        with torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream(rng.device).wait_stream(stream)

    def record(
        self, work: Callable[[], Tensor], rng: torch.Generator
    ) -> tuple[Callable[[], None], Tensor]:
        """Record work without doing it.

        Parameters
        ----------
        work : callable, () -> Tensor
            Reads and writes the same tensors in each call.
        rng : torch.Generator
            Source of all noise in the work.

        Returns
        -------
        replay : callable, () -> None
            Does the work.
        result : Tensor
            Holds the result of the work after each replay.
        """
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(rng)
        with torch.cuda.graph(graph):
            result = work()
        return graph.replay, result


class Capture:
    """Records the updates of a run, one graph for each kind of update, and replays them.

    Two updates are of one kind if the same player moves, on batches of one shape, and if the same
    lazy penalties are due. A loss that depends on the progress of the run, as instance noise makes
    it, is not recorded, and neither is one whose recording fails: such updates run as usual.

    Parameters
    ----------
    recorder : CudaRecorder, optional
    """

    def __init__(self, recorder: Any = None) -> None:
        self.recorder = recorder or CudaRecorder()
        self._unrecorded: set[str] = set()
        self._divisors: dict[str, set[int]] = {}
        self._n_seen: dict[Any, int] = {}
        self._recorded: dict[Any, tuple[Callable[[], None], Tensor, Batch]] = {}

    @contextmanager
    def of(self, update: Any) -> Iterator[None]:
        """Record and replay the updates within the block.

        Recorded optimisers read their rates from tensors, which can change between replays.

        Parameters
        ----------
        update : Update
        """
        groups = [optimizer.param_groups[0] for optimizer in update.optimizers.values()]
        before = [group["capturable"] for group in groups]
        for group in groups:
            rate = torch.tensor(float(group["lr"]), device=group["params"][0].device)
            group.update(lr=rate, capturable=True)
        update.capture = self
        try:
            yield
        finally:
            update.capture = None
            for group, capturable in zip(groups, before, strict=True):
                group.update(lr=float(group["lr"]), capturable=capturable)

    def move(self, name: str, descend: Descent, batch: Batch) -> Tensor:
        """Do one update.

        Parameters
        ----------
        name : str
            Name of the player.
        descend : callable, Batch -> Tensor
            Updates the player on a batch and returns the loss.
        batch : Batch

        Returns
        -------
        Tensor, scalar
            The loss.
        """
        if name in self._unrecorded:
            return descend(batch)
        if name not in self._divisors:
            return self._probe(name, descend, batch)
        residues = tuple(batch.index % divisor for divisor in sorted(self._divisors[name]))
        key = (name, residues, tuple(tensor.shape for tensor in _tensors(batch)))
        if key not in self._recorded:
            self._n_seen[key] = self._n_seen.get(key, 0) + 1
            if self._n_seen[key] <= N_PLAIN:
                with self.recorder.plain(batch.rng):
                    return descend(batch)
            if not self._record(key, descend, batch):
                return descend(batch)
        replay, loss, held = self._recorded[key]
        for target, source in zip(_tensors(held), _tensors(batch), strict=True):
            target.copy_(source)
        replay()
        return loss.clone()

    def _probe(self, name: str, descend: Descent, batch: Batch) -> Tensor:
        """Do a first update, and find out on which numbers of Python the loss depends."""
        index = _Index(batch.index)
        index.divisors = set()
        try:
            # The loss comes before any change of weights, so that a second try starts as the first.
            loss = descend(replace(batch, index=index, progress=_Progress()))  # type: ignore[arg-type]
        except _Changing:
            self._unrecorded.add(name)
            return descend(batch)
        self._divisors[name] = index.divisors
        return loss

    def _record(self, key: Any, descend: Descent, batch: Batch) -> bool:
        """Record an update on a copy of the batch, and return whether that was possible."""
        held = batch.mapped(Tensor.clone)
        try:
            replay, loss = self.recorder.record(lambda: descend(held), batch.rng)
        except RuntimeError as error:
            self._unrecorded.add(key[0])
            warn(f"the updates of {key[0]} cannot be recorded ({error}); they run as usual.")
            return False
        self._recorded[key] = replay, loss, held
        return True


def _tensors(batch: Batch) -> list[Tensor]:
    """List the tensors of a batch."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    batch.mapped(note)
    return found
