"""The only training loop in the library."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tabgan.adversarial.capture import Capture
from tabgan.adversarial.game import Batch, Game, Player
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.processes import ALONE, Dealt, Processes
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
    """How losses become new weights. Techniques may change the attributes before training starts.

    Attributes
    ----------
    make_optimizer : callable, list of Parameter -> Optimizer
    make_update : callable, (players, make_optimizer) -> Update
    averaging : float in [0, 1), default=0.999
        Decay, per step, of the exponential moving average of the weights; 0 keeps the last weights.
    warm_up : int >= 1, default=1
        Steps over which the learning rate rises linearly to its full value.
    """

    make_optimizer: MakeOptimizer
    make_update: Callable[[tuple[Player, ...], MakeOptimizer], Update] = AlternatingUpdate
    averaging: float = 0.999
    warm_up: int = 1

    @classmethod
    def of(cls, plan: Plan, learning_rate: float) -> TrainingRule:
        """Make the rule of a model's plan: AdamW, with the plan's averaging and warm-up.

        Parameters
        ----------
        plan : Plan
        learning_rate : float > 0

        Returns
        -------
        TrainingRule
        """
        optimizer = adam(learning_rate, plan.betas, plan.weight_decay)
        return cls(optimizer, averaging=plan.averaging, warm_up=plan.warm_up)


class BatchSource(Protocol):
    """Data that training draws batches from, such as a `TrainingSet` or a `SequenceSet`."""

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches without end.

        Parameters
        ----------
        batch_size : int >= 1
        rng : torch.Generator
            Source of the order of the rows, and of the noise of each batch.

        Yields
        ------
        Batch
        """
        ...


State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors, and values that have a form in JSON."""


class Keeper(Protocol):
    """Keeps the state of a run of training where a later process finds it."""

    def begin(self) -> bool:
        """Begin a run of training, and return whether an earlier process has ended it."""
        ...

    def is_due(self) -> bool:
        """Return whether the state is to be kept now."""
        ...

    def keep(self, state: State, is_over: bool = False) -> None:
        """Keep a state, which may be the last of the run, in place of the one before."""
        ...

    def kept(self) -> State | None:
        """Return the last state of an earlier process in this run, if there is one."""
        ...


def shuffled(n: int, batch_size: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Deal out the numbers 0 to n - 1 in shuffled batches without end.

    The numbers are shuffled anew when fewer than a batch are left. The numbers left over then wait
    for a later shuffle, so that all batches have one size.

    Parameters
    ----------
    n, batch_size : int >= 1
    rng : torch.Generator

    Yields
    ------
    Tensor of shape (min(batch_size, n),), int64
    """
    size = min(batch_size, n)
    while True:
        order = torch.randperm(n, generator=rng, device=rng.device)
        yield from order[: n - n % size].split(size)


class TrainingSet:
    """Encoded rows and conditions on the device, dealt out in shuffled batches.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
        Layout of the rows.
    condition_table : EncodedTable of n rows
        The condition of each row.
    condition_layout : Layout
        Layout of the conditions.
    chosen : Tensor of shape (m,), int64, optional
        The rows to deal out, by their positions. By default all rows.
    """

    def __init__(
        self,
        table: EncodedTable,
        layout: Layout,
        condition_table: EncodedTable,
        condition_layout: Layout,
        chosen: Tensor | None = None,
    ) -> None:
        self.table, self.layout = table, layout
        self.condition_table, self.condition_layout = condition_table, condition_layout
        device = table.codes.device
        self.chosen = torch.arange(len(table), device=device) if chosen is None else chosen
        # Found here, because the search waits for the device.
        self.known = self.chosen[condition_table.is_known()[self.chosen]]

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches without end, shuffled anew when fewer rows than a batch are left.

        If the conditions of some rows are unknown, each batch brings further rows, a quarter of its
        size, whose conditions are known: there may be none among its own rows.

        Parameters
        ----------
        batch_size : int >= 1
        rng : torch.Generator

        Yields
        ------
        Batch
        """
        chosen, known = self.chosen, self.known
        labelled: Iterator[Tensor | None] = itertools.repeat(None)
        if 0 < len(known) < len(chosen):
            labelled = shuffled(len(known), max(1, batch_size // 4), rng)
        for index in shuffled(len(chosen), batch_size, rng):
            batch, further = self._batch(chosen[index], rng), next(labelled)
            if further is not None:
                batch.labelled = self._batch(known[further], rng)
            yield batch

    def _batch(self, index: Tensor, rng: torch.Generator) -> Batch:
        """Make a batch of the rows of an index."""
        table = self.table.rows(index)
        condition_table = self.condition_table.rows(index)
        return Batch(
            table=table,
            row=self.layout.expand(*table),
            condition=self.condition_layout.expand(*condition_table).nan_to_num(),
            condition_table=condition_table,
            rng=rng,
        )


class Training:
    """The state of training: weights, averaged weights, optimisers and history.

    Parameters
    ----------
    game : Game
        The game on the device on which it is trained.
    rule : TrainingRule

    Attributes
    ----------
    averaged : Game
        A copy of the game that holds the moving average of the weights. The copy generates rows.
    update : Update
        The players' optimisers.
    step : int
        Steps of all runs so far.
    seconds : float
        Seconds of all runs so far.
    history : list of dict
        Records of the step, the seconds, the losses, and the game's and the validation's figures.
    """

    def __init__(self, game: Game, rule: TrainingRule) -> None:
        self.game = game
        shared = {id(module): module for module in game.shared()}
        self.averaged = copy.deepcopy(game, shared).requires_grad_(False).eval()
        self.update = rule.make_update(game.players(), rule.make_optimizer)
        self.averaging, self.warm_up = rule.averaging, rule.warm_up
        learnt = {name for name, _ in game.named_parameters()}
        self._buffers = [name for name in game.state_dict() if name not in learnt]
        self.step = self._since = 0
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
        processes: Processes = ALONE,
        captures: bool = False,
        keeper: Keeper | None = None,
        stage: int | None = None,
        n_before: int = 0,
        n_after: int = 0,
    ) -> bool:
        """Make `n_steps` steps, or fewer if a callback, the validation or Ctrl-C ends the run.

        The learning rate is constant in the first half of the run and falls linearly to zero in the
        second half. A `validation` may shorten the run, may lower the learning rate, and may end
        the run. At the end of a run with a `validation`, the weights with the best score are
        restored.

        Parameters
        ----------
        data : BatchSource
        n_steps, batch_size : int >= 1
        rng : torch.Generator
            Source of the order of the rows and of all noise.
        callbacks : sequence of callable, default=()
            Each callback is called with this object after each new record of the history. A
            callback that returns True ends the run.
        progress : str, optional
            Name of the progress bar. Without a name no bar is shown.
        validation : Validation, optional
        processes : Processes, default=ALONE
            The processes that train this game together, each on its share of every batch.
        captures : bool, default=False
            Whether the updates are recorded as CUDA graphs, on a CUDA device.
        keeper : Keeper, optional
            Keeps the state now and then. If the keeper has the state of an earlier process, the run
            goes on from there and ends where that process would have ended, bit for bit.
        stage : int, optional
            The stage whose players are updated. The others stay as they are, with their averaged
            weights. By default all players are updated.
        n_before, n_after : int, default=0
            Steps of the stages before and after this one, for the progress bar.

        Returns
        -------
        bool
            Whether the run ended as it should: neither a callback nor Ctrl-C ended it.

        Raises
        ------
        FloatingPointError
            A loss or a figure is infinite or NaN.
        ValueError
            The keeper has a state of other rows.

        Warns
        -----
        UserWarning
            Ctrl-C ended the run.
        """
        if keeper and keeper.begin():
            return True
        kept = keeper.kept() if keeper else None
        if kept is not None:
            rng.set_state(kept[0]["order"].cpu())
        self._order = rng.get_state()
        self._begin(stage)
        batches = processes.deal(data.batches(batch_size, rng), rng)
        every = max(1, n_steps // N_RECORDS)
        watch = Watch(validation, self.game, self.averaged, processes) if validation else None
        self.update.processes = processes
        is_recorded = captures and rng.device.type == "cuda" and processes.size == 1
        recording = Capture().of(self.update) if is_recorded else nullcontext()
        progress = progress if processes.rank == 0 else None
        batches.sums_up = keeper is not None
        first = 0 if kept is None else self._resume(kept, batches, watch)
        started, before = time.perf_counter(), self.seconds
        _keep_freed_memory()
        self.game.train()
        is_whole = True
        try:
            with (
                Progress(progress, n_before + n_steps + n_after, "step") as bar,
                fast_matmul(),
                recording,
            ):
                for i in range(first, n_steps):
                    end = watch.end(n_steps) if watch else n_steps
                    behind = i / end
                    # Rise during the warm-up, stay in the first half, fall to 0 in the second.
                    rate = min(1.0, 2 - 2 * behind, (self.step - self._since + 1) / self.warm_up)
                    rate *= watch.rate if watch else 1.0
                    losses = self.update.step(lambda: next(batches), rate, behind)
                    self.step += 1
                    self._average()
                    is_last = i + 1 == end
                    seen, is_over = {}, False
                    if watch and (watch.is_due(i + 1) or is_last):
                        seen[watch.validation.name], is_over = watch.look()
                    if seen or is_last or (i + 1) % every == 0:
                        self.seconds = before + time.perf_counter() - started
                        self._record(losses, next(batches), seen)
                        bar.reach(n_before + i + 1, self._last_losses())
                        called = any([callback(self) is True for callback in callbacks])
                        is_called_off = processes.any(called)
                        is_whole = not is_called_off
                        is_over = is_called_off or is_over or is_last
                        if is_over and i + 1 < n_steps:
                            bar.stop(_reason(is_called_off, watch))
                    if keeper and (is_over or keeper.is_due()):
                        self.seconds = before + time.perf_counter() - started
                        done = n_steps if is_over else i + 1
                        keeper.keep(self._state(done, batches, watch), is_over)
                    if is_over:
                        break
        except KeyboardInterrupt:
            is_whole = False
            warn(
                f"training was interrupted after {self.step} steps; the model is usable, and "
                "partial_fit goes on from here."
            )
        if watch:
            watch.restore()
        self.game.eval()
        return is_whole

    @torch.no_grad()
    def _begin(self, stage: int | None) -> None:
        """Let the players of a stage move, and give the others their averaged weights.

        Warm-up and averaging of a later stage begin anew.
        """
        update = self.update
        update.movers = tuple(p for p in update.players if stage in (None, p.stage))
        self._since = self.step if stage else 0
        moved = {id(weight) for player in update.movers for weight in player.parameters()}
        for own, averaged in zip(self.game.parameters(), self.averaged.parameters(), strict=True):
            if id(own) not in moved:
                own.copy_(averaged)

    def _state(self, done: int, batches: Dealt, watch: Watch | None) -> State:
        """Return the state after `done` steps of a run."""
        tensors = {"noise": batches.noise.get_state(), "order": self._order}
        for name, game in (("game", self.game), ("averaged", self.averaged)):
            tensors |= {f"{name}.{key}": value for key, value in game.state_dict().items()}
        tensors |= self.update.state()
        values: dict[str, Any] = {"done": done}
        values |= {"n_dealt": batches.n_dealt, "digest": batches.digest}
        names = ("step", "seconds", "history", "_since")
        values |= {name: getattr(self, name) for name in names}
        values["n_made"] = self.update.n_made
        if watch:
            best, values["watch"] = watch.state()
            tensors |= {f"best.{key}": value for key, value in best.items()}
        return tensors, values

    def _resume(self, state: State, batches: Dealt, watch: Watch | None) -> int:
        """Take over what `_state` returned, and return the number of steps that are done.

        Raises
        ------
        ValueError
            The state is of other rows.
        """
        tensors, values = state
        batches.skip(values["n_dealt"])
        if batches.digest != values["digest"]:
            raise ValueError(
                "checkpoint belongs to a fit of other rows, or of the same rows in another order; "
                "name another file, or delete this one to begin anew."
            )
        for name, game in (("game", self.game), ("averaged", self.averaged)):
            game.load_state_dict(_part(tensors, name))
        self.update.resume(tensors)
        self.update.n_made = dict(values["n_made"])
        for name in ("step", "seconds", "history", "_since"):
            setattr(self, name, values[name])
        if watch:
            watch.resume(_part(tensors, "best"), values["watch"])
        batches.noise.set_state(tensors["noise"].cpu())
        return int(values["done"])

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the current weights (Yazici et al., 2019).

        The averaged weights become ``decay * averaged + (1 - decay) * current``. The first weights
        are far from good ones, and a constant decay would keep the first weights in the average for
        long. The decay is therefore ``step / (step + 10)`` until that fraction reaches the constant
        `averaging`. Buffers, which no loss changes, are copied.
        """
        n_steps = self.step - self._since
        decay = min(self.averaging, n_steps / (n_steps + 10.0))
        torch._foreach_lerp_(
            list(self.averaged.parameters()), list(self.game.parameters()), 1.0 - decay
        )
        for name in self._buffers:
            self.averaged.get_buffer(name).copy_(self.game.get_buffer(name))

    @torch.no_grad()
    def _record(self, losses: dict[str, Tensor], batch: Batch, seen: dict[str, float]) -> None:
        """Append a row of losses and figures to the history.

        One transfer brings all figures from the device, because each transfer waits for the device.

        Raises
        ------
        FloatingPointError
            A figure is infinite or NaN.
        """
        figures = {**losses, **self.game.monitor(batch)}
        stacked = torch.stack([figure.float() for figure in figures.values()])
        self.update.processes.average([stacked], len(batch.row))
        values = stacked.tolist()
        named = dict(zip(figures, values, strict=True))
        if not all(torch.isfinite(torch.tensor(values))):
            raise FloatingPointError(
                f"training diverged at step {self.step} ({named}); "
                "lower learning_rate, or raise batch_size."
            )
        # Players of other stages have no loss now.
        absent = dict.fromkeys((player.name for player in self.update.players), math.nan)
        now = {"step": self.step, "seconds": self.seconds}
        self.history.append({**now, **absent, **named, **seen})

    def _last_losses(self) -> dict[str, float]:
        """Return the last row of the history without the step and the seconds."""
        return {k: v for k, v in self.history[-1].items() if k not in ("step", "seconds")}


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a name and a dot, without those."""
    start = f"{name}."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}


def _keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB of freed memory for the next step.

    glibc returns freed memory to the kernel above a threshold of twice the largest mapped block
    that was freed so far. The kernel clears pages before it hands the pages out again, which took
    up to a quarter of a training step. Freeing one block of just under 32 MiB, the largest block
    that counts, raises the threshold to 64 MiB.
    """
    torch.empty(2**23 - 2**11, device="cpu")


def _reason(is_called_off: bool, watch: Watch | None) -> str:
    """Say for the progress bar why the run ends before the last step."""
    if is_called_off or watch is None:
        return "stopped: a callback said so"
    return f"stopped: held-out {watch.validation.name.replace('_', ' ')} no longer grows"
