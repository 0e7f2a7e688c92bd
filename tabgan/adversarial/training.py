"""The only training loop in the library."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.updates import AlternatingUpdate, MakeOptimizer, Update, adam
from tabgan.adversarial.validation import Validation, Watch
from tabgan.networks.precision import fast_matmul
from tabgan.notices import Progress, warn
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

N_RECORDS = 200
"""Rows of history that one run aims for."""


@dataclass
class TrainingRule:
    """How losses become weights; what techniques may amend.

    Attributes
    ----------
    make_optimizer : callable, list of Parameter -> Optimizer
    make_update : callable, (players, make_optimizer) -> Update
    averaging : float in [0, 1)
        Decay of the exponential moving average of the weights; 0 keeps the last weights.
    warm_up : int
        Steps in which the learning rate rises to its full height.
    """

    make_optimizer: MakeOptimizer
    make_update: Callable[[tuple[Player, ...], MakeOptimizer], Update] = AlternatingUpdate
    averaging: float = 0.999
    warm_up: int = 1

    @classmethod
    def of(cls, plan: Plan, learning_rate: float) -> TrainingRule:
        """Follow a model's plan: AdamW, and its averaging and warm-up."""
        optimizer = adam(learning_rate, plan.betas, plan.weight_decay)
        return cls(optimizer, averaging=plan.averaging, warm_up=plan.warm_up)


class BatchSource(Protocol):
    """What training draws from: `TrainingSet`, or the like for what is no table."""

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever."""
        ...


def shuffled(n: int, batch_size: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Deal out the numbers below n for ever, shuffled anew when too few are left for a batch."""
    size = min(batch_size, n)
    while True:
        order = torch.randperm(n, generator=rng, device=rng.device)
        yield from order[: n - n % size].split(size)


class TrainingSet:
    """Encoded rows and conditions on the device, dealt out in shuffled batches.

    Parameters
    ----------
    table, condition_table : EncodedTable of n rows
    layout, condition_layout : Layout
    """

    def __init__(
        self,
        table: EncodedTable,
        layout: Layout,
        condition_table: EncodedTable,
        condition_layout: Layout,
    ) -> None:
        self.table, self.layout = table, layout
        self.condition_table, self.condition_layout = condition_table, condition_layout

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever, shuffled anew when too few rows are left for another."""
        for index in shuffled(len(self.table), batch_size, rng):
            table = self.table.rows(index)
            condition_table = self.condition_table.rows(index)
            yield Batch(
                table=table,
                row=self.layout.expand(*table),
                condition=self.condition_layout.expand(*condition_table).nan_to_num(),
                condition_table=condition_table,
                rng=rng,
            )


class Training:
    """The state of a training run: live weights, averaged weights, optimisers, history.

    Parameters
    ----------
    game : Game
        On the device it is trained on.
    rule : TrainingRule

    Attributes
    ----------
    averaged : Game
        The game with averaged weights: what generates.
    step : int
        Training steps made.
    history : list of dict
        Step, seconds, losses and monitored figures.
    """

    def __init__(self, game: Game, rule: TrainingRule) -> None:
        self.game = game
        self.averaged = copy.deepcopy(game).requires_grad_(False).eval()
        self.update = rule.make_update(game.players(), rule.make_optimizer)
        self.averaging, self.warm_up = rule.averaging, rule.warm_up
        learnt = {name for name, _ in game.named_parameters()}
        self._buffers = [name for name in game.state_dict() if name not in learnt]
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []

    def run(
        self,
        data: BatchSource,
        n_steps: int,
        batch_size: int,
        rng: torch.Generator,
        callbacks: Sequence[Callable[[Training], Any]] = (),
        progress: str | None = None,
        validation: Validation | None = None,
    ) -> None:
        """Make `n_steps` steps, or fewer if a callback returns True or Ctrl-C is pressed.

        The learning rate is constant for the first half and then falls linearly to zero. With a
        `validation` it may be cut before, training may end before, and the weights are those of
        the best score in the end.

        Parameters
        ----------
        data : BatchSource
        n_steps, batch_size : int
        rng : torch.Generator
            Of batches and noise.
        callbacks : sequence of callable
            Each is called with this object whenever figures are recorded.
        progress : str, optional
            Name of a progress bar; without, none is shown.
        validation : Validation, optional

        Raises
        ------
        FloatingPointError
            A loss stopped being finite.
        """
        batches = data.batches(batch_size, rng)
        every = max(1, n_steps // N_RECORDS)
        watch = Watch(validation, self.game, self.averaged) if validation else None
        started, before = time.perf_counter(), self.seconds
        _keep_freed_memory()
        self.game.train()
        try:
            with Progress(progress, n_steps, "step") as bar, fast_matmul():
                for i in range(n_steps):
                    behind = i / n_steps
                    rate = min(1.0, 2 - 2 * behind, (self.step + 1) / self.warm_up)
                    rate *= watch.rate if watch else 1.0
                    losses = self.update.step(lambda: next(batches), rate, behind)
                    self.step += 1
                    self._average()
                    is_last = i + 1 == n_steps
                    seen, is_over = {}, False
                    if watch and (watch.is_due(i + 1) or is_last):
                        seen[watch.validation.name], is_over = watch.look()
                    if seen or is_last or (i + 1) % every == 0:
                        self.seconds = before + time.perf_counter() - started
                        self._record(losses, next(batches), seen)
                        bar.reach(i + 1, self._last_losses())
                        is_called_off = any([callback(self) is True for callback in callbacks])
                        if is_called_off or (is_over and not is_last):
                            bar.stop(_reason(is_called_off, watch))
                            break
        except KeyboardInterrupt:
            warn(
                f"training was interrupted after {self.step} steps; the model is usable, and "
                "partial_fit goes on from here."
            )
        if watch:
            watch.restore()
        self.game.eval()

    @torch.no_grad()
    def _average(self) -> None:
        # Early weights are far off, so that the average starts short and lengthens.
        decay = min(self.averaging, self.step / (self.step + 10.0))
        torch._foreach_lerp_(
            list(self.averaged.parameters()), list(self.game.parameters()), 1.0 - decay
        )
        for name in self._buffers:
            self.averaged.get_buffer(name).copy_(self.game.get_buffer(name))

    @torch.no_grad()
    def _record(self, losses: dict[str, Tensor], batch: Batch, seen: dict[str, float]) -> None:
        figures = {**losses, **self.game.monitor(batch)}
        values = torch.stack([figure.float() for figure in figures.values()]).tolist()
        named = dict(zip(figures, values, strict=True))
        if not all(torch.isfinite(torch.tensor(values))):
            raise FloatingPointError(
                f"training diverged at step {self.step} ({named}); "
                "lower learning_rate, or raise batch_size."
            )
        self.history.append({"step": self.step, "seconds": self.seconds, **named, **seen})

    def _last_losses(self) -> dict[str, float]:
        return {k: v for k, v in self.history[-1].items() if k not in ("step", "seconds")}


def _keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB of freed memory, which the next step takes again.

    glibc gives the kernel back what is more than twice the largest block freed so far, and pages
    that come back are cleared first: up to a quarter of a training step. So a large one is freed.
    """
    torch.empty(2**23 - 2**11, device="cpu")


def _reason(is_called_off: bool, watch: Watch | None) -> str:
    """Say why training ends before all steps are made."""
    if is_called_off or watch is None:
        return "stopped: a callback said so"
    return f"stopped: held-out {watch.validation.name.replace('_', ' ')} no longer grows"
