"""Conditional GAN: rows that are generated for labels or for values of any columns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import pandas as pd
import torch
from torch import Tensor

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.checks import FLAG, LABEL, NONE, Rule, choice, integer, listed, number, sequence_of
from tabgan.estimators.adversarial import Causal, Latent
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.encoding import Encoding
from tabgan.generation.fitting import Fitting
from tabgan.generation.source import RawRows, Source
from tabgan.models.gan import GANGame
from tabgan.networks.any_order import hide_blocks
from tabgan.networks.ranks import RankCritic
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout


class AnyConditionGame(GANGame):
    """A conditional game in which any columns of a row may be the condition.

    The condition of a row is the row itself with a random number of random blocks set to zero. The
    generator fills the blocks that are zero, and the critic sees the whole row beside the
    condition. `AnyOrderNetworks` are trained on the same conditions by likelihood.

    Parameters
    ----------
    layout : Layout
        A layout without scalars.
    latent_dim, hidden_dim : int
    **settings
        See `GANGame`.
    """

    def __init__(self, layout: Layout, latent_dim: int, hidden_dim: int, **settings: Any) -> None:
        super().__init__(layout, layout.width, latent_dim, hidden_dim, **settings)

    def fake(self, batch: Batch) -> Tensor:
        """Generate soft rows whose known blocks are those of the condition."""
        is_known = self.layout.in_known_blocks(batch.condition)
        return torch.where(is_known, batch.condition, super().fake(batch))

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling real from synthetic rows, for random conditions."""
        return super().critic_loss(self._asking(batch))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of synthetic rows that the critic tells apart, for random conditions."""
        return super().generator_loss(self._asking(batch))

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return an estimate of the distance that the loss minimises, if it minimises one."""
        return super().monitor(self._asking(batch))

    def _asking(self, batch: Batch) -> Batch:
        """Return the batch with random blocks of each row as the condition."""
        codes = hide_blocks(batch.table.codes, batch.rng)
        return replace(batch, condition=self.layout.expand(codes, batch.table.scalars))


class AnyConditionRows(RawRows):
    """The generator of an `AnyConditionGame` as a source, for whichever blocks are known."""

    has_proposals = True

    def condition(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Return conditions that say nothing."""
        return torch.zeros(len(given), self.encoding.layout.width, device=noise.device)

    def raw_given(self, codes: Tensor, noise: torch.Generator) -> Tensor:
        """Generate raw rows for known levels.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            Levels; a negative code is unknown.
        noise : torch.Generator

        Returns
        -------
        Tensor of shape (n, width)
        """
        scalars = torch.zeros(len(codes), 0, device=codes.device)
        return self.generate(self.encoding.layout.expand(codes, scalars), noise)


class CGANSynthesizer(Causal, Latent, TableSynthesizer):
    """Conditional GAN [1]_: generator and critic get the condition beside their other input.

    Use this class to draw many rows for given labels or given values. The condition is either a
    label ``y`` that `fit` gets, or some columns of the table. `sample` generates exactly the
    conditions that are asked for. Conditions on other columns are met by rejection, as in every
    synthesizer. `sample` without conditions draws them at their rates in training.

    With ``condition_columns="any"``, training hides random columns of each row, and the generator
    fills them. `sample` then meets conditions on any columns without rejection.

    Columns are encoded and generated as in `WGANSynthesizer`: by default one after another, with
    the likelihood of real rows beside the loss of the game. With ``condition_columns="any"`` the
    generator is always joint. The class differs from the paper in the generator, in its default
    loss, that of WGAN-GP [2]_, and in `condition_rejection`.

    The fitted model keeps a histogram of the condition columns. With many condition columns, nearly
    every row is a combination of its own, and the histogram then reveals these values of real rows.
    Name few columns, and none that are private.

    Parameters
    ----------
    condition_columns : sequence of column labels, "any" or None, default=None
        Columns of the table that are conditions. The generator gets them and does not generate
        them. "any" trains for conditions on whichever columns are asked for later. None takes ``y``
        as the condition.
    loss : {"wgan-gp", "gan"}, default="wgan-gp"
        The loss of the game. "wgan-gp" has the critic of WGAN-GP [2]_, and "gan" has the
        discriminator of [1]_.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda in [2]_, with ``loss="wgan-gp"``. The
        paper takes 10.
    condition_rejection : bool, default=True
        Whether `sample` draws rows anew that do not fit their condition. After training, one
        classifier learns how categories among the conditions follow from real rows, and a twin how
        they follow from synthetic rows. A synthetic row is kept with a probability that grows with
        the ratio of what both give to its condition ([3]_). Nothing is rejected if that does not
        help on held-out rows, with fewer than 200 training rows, for conditions that are numbers,
        and with ``condition_columns="any"``.
    n_twins : int in [1, 100], default=1
        Pairs of classifiers of `condition_rejection`. A row must then fit its condition in the view
        of every pair. More pairs reject more rows that are like no real row, and take longer.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column, conditions included.

    References
    ----------
    .. [1] Mirza and Osindero (2014), "Conditional Generative Adversarial Nets", arXiv 1411.1784,
       equation 2.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       Algorithm 1.
    .. [3] Gong et al. (2019), "Twin Auxiliary Classifiers GAN", arXiv 1907.02690, section 3.2.

    Examples
    --------
    Labels as the condition:

    >>> from tabgan import CGANSynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> X, y = table.drop(columns="channel"), table["channel"]
    >>> model = CGANSynthesizer(n_steps=5, random_state=0).fit(X, y)
    >>> model.sample(conditions=["web", "web", "shop"]).shape
    (3, 9)

    Columns of the table as the condition:

    >>> model = CGANSynthesizer(condition_columns=["size", "member"], n_steps=5, random_state=0)
    >>> rows = model.fit(table).sample(4, conditions={"size": "large", "member": False})
    >>> rows[["size", "member"]].drop_duplicates().to_dict("records")
    [{'size': 'large', 'member': False}]

    Any columns as the condition:

    >>> model = CGANSynthesizer(condition_columns="any", n_steps=5, random_state=0).fit(table)
    >>> model.sample(4, conditions={"colour": "blue", "channel": "web"}).shape
    (4, 10)
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "condition_columns": sequence_of(LABEL, "a list of column labels") | choice("any") | NONE,
        "loss": choice("wgan-gp", "gan"),
        "penalty_weight": number(0),
        "condition_rejection": FLAG,
        "n_twins": integer(1, 100),
    }

    def __init__(
        self,
        *,
        condition_columns: Sequence[Hashable] | Literal["any"] | None = None,
        loss: Literal["wgan-gp", "gan"] = "wgan-gp",
        penalty_weight: float = 1.0,
        condition_rejection: bool = True,
        n_twins: int = 1,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.condition_columns = condition_columns
        self.loss = loss
        self.penalty_weight = penalty_weight
        self.condition_rejection = condition_rejection
        self.n_twins = n_twins

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        if self._takes_any:
            self._target_name = None
            return table, []
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
        layout, hidden_dim = encoding.layout, self.hidden_dim
        n_given = layout.width if self._takes_any else encoding.condition_layout.width
        critic = RankCritic(layout, encoding.level_ranks, n_given, [hidden_dim] * 3)
        settings: dict[str, Any] = {"critic": critic, "causal": self._causal_generator(encoding)}
        if self.loss == "wgan-gp":
            settings |= {
                "loss": WASSERSTEIN,
                "n_critic": self._n_critic(),
                "temperature": GUMBEL_TEMPERATURE,
            }
        if self._takes_any:
            return AnyConditionGame(layout, self.latent_dim, hidden_dim, **settings)
        return GANGame(layout, n_given, self.latent_dim, hidden_dim, **settings)

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        if self._takes_any:
            return Calibrated(AnyConditionRows(game, encoding))
        source = super()._make_source(game, encoding)
        # NOTE[DIFF] In the paper every row stays that the generator makes for a condition.
        has_classes = encoding.layout.width and encoding.condition_layout.n_softmax
        if self.condition_rejection and has_classes:
            return Fitting(source, encoding, max(1, self.hidden_dim // 2), self.n_twins)
        return source

    @property
    def _is_causal(self) -> bool:
        return super()._is_causal and not self._takes_any

    @property
    def _takes_any(self) -> bool:
        """Whether conditions on any columns are trained for."""
        return isinstance(self.condition_columns, str) and self.condition_columns == "any"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.condition_columns is None
        return tags
