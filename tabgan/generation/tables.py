"""The core of every synthesizer of tables: training, judging and drawing rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import nn

from tabgan.adversarial.game import Game
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.training import Training, TrainingSet
from tabgan.adversarial.validation import Validation
from tabgan.constraints.rules import Constraints
from tabgan.generation.accepted import Accepted
from tabgan.generation.core import ConditionedCore, Run
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.judge import MAX_ROWS, RowJudge
from tabgan.generation.linked import Linked
from tabgan.generation.on_demand import OnDemand, TableSource
from tabgan.generation.ruled import Ruled
from tabgan.generation.source import Source, fill
from tabgan.notices import warn
from tabgan.randomness import Streams
from tabgan.table.chunks import Chunks
from tabgan.table.links import Links
from tabgan.table.schema import Schema

MAX_HELD_OUT = 10_000
"""Most rows that early stopping holds out."""

COLLAPSED = 0.05
"""Ratio of distinct synthetic rows to distinct real rows below which `fit` warns."""


class TableCore(ConditionedCore):
    """The core of a synthesizer of tables: encoding, trained game, and the chain.

    Parameters
    ----------
    encoding : Encoding
    schema : Schema
        Schema of the whole table that is learnt.
    training : Training
    source : Source
        Source of rows before rejection.
    acceptance_rounds : int >= 0
        Most rounds of `Acceptance`; 0 keeps every row.
    seed : int
        Seed of the streams that judge rows.
    scaling : Module, optional
        The last step of latent features, if the estimator has any.
    rules : Constraints, optional
        Rules of the user's table, from which the table that is learnt was rewritten.
    links : Links, optional
        Equations between columns of the table that is learnt, which has switches for them.

    Attributes
    ----------
    chain : Accepted
        Draws encoded rows for encoded conditions. Every row that leaves the core passes the chain.
    rows : OnDemand, Linked or Ruled
        Draws the user's tables, for conditions on any columns.
    """

    def __init__(
        self,
        encoding: Encoding,
        schema: Schema,
        training: Training,
        source: Source,
        acceptance_rounds: int,
        seed: int,
        scaling: nn.Module | None = None,
        rules: Constraints | None = None,
        links: Links | None = None,
    ) -> None:
        self.judge = RowJudge(encoding.encoder, encoding.conditions.encoder)
        self.source, self.seed = source, seed
        chain = Accepted(source, encoding, self.judge, acceptance_rounds)
        super().__init__(encoding, training, chain)
        self.scaling = None if scaling is None else scaling.to(self.device)
        rows: TableSource = OnDemand(self.chain, encoding, schema)
        if links is not None:
            rows = Linked(rows, links)
        self.rows = rows if rules is None else Ruled(rows, rules)

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules of the chain, of the game and of the features."""
        scaling = {} if self.scaling is None else {"scaling": self.scaling}
        return {**super().modules(), **scaling}

    # ------------------------------------------------------------------ learning

    def learn(
        self, table: pd.DataFrame | Chunks, streams: Streams, plan: Plan, run: Run, anew: bool
    ) -> None:
        """Train the game on a table, then let the chain learn.

        Without early stopping, and without a number of steps from the user, the plan's `max_epochs`
        bounds the steps on small tables.

        Parameters
        ----------
        table : DataFrame or Chunks
            The generated columns and the condition columns.
        streams : Streams
        plan : Plan
        run : Run
        anew : bool
            Whether this is the first table. The first table decides the distribution of conditions.

        Raises
        ------
        FloatingPointError
            A loss is infinite or NaN.

        Warns
        -----
        UserWarning
            The synthetic rows have far fewer distinct values than the real rows, or Ctrl-C ended
            what follows training. With a checkpoint, Ctrl-C then raises KeyboardInterrupt, and a
            later fit goes on from the checkpoint.
        """
        rows = self.encoding.encode(table, streams.rng)
        if anew:
            self.encoding.conditions.learn(rows.given)
        n_steps = plan.n_steps if run.n_steps is None else run.n_steps
        if not self.encoding.layout.n_blocks + self.encoding.layout.n_scalars:
            return
        real = rows.to(self.device)
        self.source.prepare(real, streams)
        if not n_steps:
            return
        self.chain.acceptance.clear()
        order, validation = torch.arange(real.n), None
        if run.early_stopping and real.n > 1:
            order = torch.from_numpy(streams.rng.permutation(real.n))
            n_held = int(np.ceil(run.validation_fraction * real.n))
            n_held = min(n_held, real.n - 1, MAX_HELD_OUT)
            validation = self._validation(real.take(order[:n_held]), n_steps, plan, run)
            order = order[n_held:]
        elif run.n_steps is None:
            n_steps = plan.steps(real.n, run.batch_size)
        layouts = self.encoding.layout, self.encoding.condition_layout
        data = TrainingSet(real.made, layouts[0], real.given, layouts[1], order.to(self.device))
        run.train(self.training, data, n_steps, streams.noise, validation)
        try:
            self.chain.learn(real, streams)
        except KeyboardInterrupt:
            if run.keeper is not None:
                raise
            self.chain.acceptance.clear()
            warn(
                f"{run.name} was interrupted after training, while the rates and the rejection of "
                "its rows were learnt; the model is usable, and its rows are poorer."
            )
            return
        some = fill(self.source, real.some(MAX_ROWS, streams.rng), streams.noise)
        self._warn_of_collapse(some, streams, run.name)

    def _validation(self, held: Rows, n_steps: int, plan: Plan, run: Run) -> Validation:
        """Choose the score on held-out rows, and how often weights are scored.

        A source with a likelihood is scored by the mean log-likelihood of held-out rows. Any other
        source is scored by how hard its rows are to tell from held-out rows.
        """
        every = max(plan.steps_per_look, n_steps // plan.n_looks)
        if self.source.has_likelihood:
            name, score = "log_likelihood", self._mean_log_likelihood(held)
        else:
            name, score = "fidelity", self._held_out_fidelity(held)
        rules = plan.rate_cuts, plan.settled, plan.fewest_steps
        return Validation(name, score, every, run.n_iter_no_change, *rules)

    def _mean_log_likelihood(self, held: Rows) -> Callable[[Game], float]:
        """Return a function that computes the mean log-likelihood of held-out rows, in nats."""
        return lambda _: float(self.source.log_likelihood(held, own=True).mean())

    def _held_out_fidelity(self, held: Rows) -> Callable[[Game], float]:
        """Return a function that scores rows drawn now against held-out rows.

        The correction of marginals is learnt anew at each evaluation, as after training.
        """

        def fidelity(_: Game) -> float:
            # Begun at each step anew, so that a run that was resumed draws the same rows.
            streams = Streams.begin([self.seed, self.training.step, 1], self.device)
            self.source.learn(held, streams)
            return self.fidelity(held, streams)

        return fidelity

    def _warn_of_collapse(self, real: Rows, streams: Streams, name: str) -> None:
        """Warn if drawn rows have far fewer distinct values than real rows."""
        n_made, n_real = self.judge.n_kinds(self.draw(real.n, streams)), self.judge.n_kinds(real)
        if n_made < COLLAPSED * n_real:
            warn(
                f"{name} has collapsed: {real.n} rows that it makes are of {n_made} "
                f"kinds, as many real ones of {n_real}. Try early_stopping=True, a lower "
                "learning_rate, or techniques=[RelativisticPairing(), R1(), R2()]."
            )

    # ------------------------------------------------------------------ judging and drawing

    def draw(self, n: int, streams: Streams) -> Rows:
        """Draw encoded rows whose conditions occur at their training rates.

        Parameters
        ----------
        n : int
        streams : Streams

        Returns
        -------
        Rows of n rows
        """
        given = self.encoding.conditions.draw(n, streams.rng).to(self.device)
        return Rows(self.chain.draw(given, streams.noise), given)

    def fidelity(self, real: Rows, streams: Streams) -> float:
        """Score how hard rows drawn now are to tell from real rows, see `RowJudge.score`.

        Parameters
        ----------
        real : Rows
        streams : Streams

        Returns
        -------
        float
            In [0, 1]; higher is better.
        """
        some = real.some(MAX_ROWS, streams.rng)
        return self.judge.score(some, self.draw(some.n, streams), self.seed % 2**31)
