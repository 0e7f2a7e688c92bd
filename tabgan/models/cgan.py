"""Conditional GAN: rows given labels or the values of any columns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal

import pandas as pd

from tabgan.adversarial.game import GUMBEL_TEMPERATURE
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.checks import LABEL, NONE, Rule, choice, integer, listed, number, sequence_of
from tabgan.estimators.estimator import Latent
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.generation.encoding import Encoding
from tabgan.models.gan import GANGame
from tabgan.networks.ranks import RankCritic


class CGANSynthesizer(Latent, TableSynthesizer):
    """Conditional GAN [1]_: the condition joins the input of generator and critic.

    Columns are encoded, and seen by the critic, as those of `WGANSynthesizer`.

    The condition is either a label ``y`` given to `fit`, or some of the table's own columns. In
    both cases `sample` makes exactly the rows asked for; other columns can be asked for too, as
    with every synthesizer. `sample` without conditions draws them at the rates of training.

    For that the fitted model keeps a histogram of the condition columns. Of many condition columns
    nearly every row is a combination of its own, so the histogram then tells those columns' values
    of real rows: name few, or none that are private.

    Parameters
    ----------
    condition_columns : sequence of column labels, default=None
        Columns to be given rather than made. None takes ``y`` alone.
    loss : {"wgan-gp", "gan"}, default="wgan-gp"
        WGAN-GP's critic [2]_ or the discriminator of [1]_, either given the condition.
    n_critic : int, default=5
        Critic updates per generator update, for ``loss="wgan-gp"``.
    penalty_weight : float, default=1
        The gradient penalty's lambda.
    acceptance_rounds : int, default=6
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Mirza and Osindero (2014), "Conditional Generative Adversarial Nets", arXiv 1411.1784,
       equation 2.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    """

    plan = Plan(numbers="bins")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "condition_columns": sequence_of(LABEL, "a list of column labels") | NONE,
        "loss": choice("wgan-gp", "gan"),
        "n_critic": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        condition_columns: Sequence[Hashable] | None = None,
        loss: Literal["wgan-gp", "gan"] = "wgan-gp",
        n_critic: int = 5,
        penalty_weight: float = 1.0,
        acceptance_rounds: int = 6,
        **shared: Any,
    ) -> None:
        super().__init__(acceptance_rounds=acceptance_rounds, **shared)
        self.condition_columns = condition_columns
        self.loss = loss
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        columns = [] if self.condition_columns is None else list(self.condition_columns)
        unknown = [name for name in columns if name not in table.columns]
        if unknown:
            raise ValueError(
                f"condition_columns names {unknown[0]!r}, which is not a column; "
                f"columns: {listed(table.columns)}."
            )
        if len(columns) == table.shape[1]:
            raise ValueError(
                f"condition_columns names all {len(columns)} columns, which leaves none to make."
            )
        if y is None and not columns:
            raise ValueError(
                "CGANSynthesizer requires y to be passed, but the target y is None; pass y to "
                "fit, or name columns in condition_columns."
            )
        table, target = append_target(self, table, y if not columns else None, anew)
        return table, columns + target

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)] if self.loss == "wgan-gp" else []

    def _make_game(self, encoding: Encoding) -> GANGame:
        layout, n_given = encoding.layout, encoding.condition_layout.width
        hidden_dim = self.hidden_dim
        critic = RankCritic(layout, encoding.level_ranks, n_given, [hidden_dim] * 3)
        dims = (layout, n_given, self.latent_dim, hidden_dim)
        if self.loss == "gan":
            return GANGame(*dims, critic=critic)
        return GANGame(
            *dims,
            WASSERSTEIN,
            n_critic=self.n_critic,
            temperature=GUMBEL_TEMPERATURE,
            critic=critic,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.condition_columns is None
        return tags
