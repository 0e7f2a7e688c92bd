"""Adversarial autoencoder: unsupervised, supervised, semi-supervised."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, draw_gumbel, draw_normal, soften
from tabgan.adversarial.losses import NON_SATURATING
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.priors import Prior
from tabgan.checks import Rule, choice, integer, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import Features, Inverse
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.generation.encoding import Encoding
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema


class AAEGame(Game):
    """An autoencoder against a discriminator that tells its codes from draws of the prior.

    Parameters
    ----------
    layout : Layout
        Softmax blocks alone: numbers are binned.
    condition_layout : Layout
        The label's, of width 0 without labels.
    latent_dim, hidden_dim : int
    prior : Prior
    adversarial_weight : float
    unlabelled : bool
        Whether some rows lack their label, and labels differ.
    label_rates : sequence of ndarray
        For each block of the label, the share of each level.
    """

    label_rates: Tensor

    def __init__(
        self,
        layout: Layout,
        condition_layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        prior: Prior,
        adversarial_weight: float,
        unlabelled: bool,
        label_rates: Sequence[NDArray[np.float64]],
    ) -> None:
        super().__init__()
        self.layout, self.condition_layout = layout, condition_layout
        self.latent_dim, self.prior = latent_dim, prior
        self.adversarial_weight, self.unlabelled = adversarial_weight, unlabelled
        n_label = condition_layout.width
        rates = condition_layout.along_row(label_rates, fill=1.0).log()
        self.register_buffer("label_rates", rates, persistent=False)
        self.encoder = ResidualMLP(layout.width, [hidden_dim] * 2, 2 * latent_dim + n_label)
        self.decoder = ResidualMLP(latent_dim + n_label, [hidden_dim] * 2, layout.width)
        self.adversary = Adversary(Critic(latent_dim, [hidden_dim] * 2), NON_SATURATING)
        label_critic = Critic(max(1, n_label), [hidden_dim // 2])
        self.label_adversary = Adversary(label_critic, NON_SATURATING)

    def players(self) -> tuple[Player, ...]:
        """Discriminators, then the autoencoder."""
        critics: tuple[nn.Module, ...] = (self.adversary,)
        if self.unlabelled:
            critics += (self.label_adversary,)
        return (
            Player("discriminator", critics, self.discriminator_loss),
            Player("autoencoder", (self.encoder, self.decoder), self.autoencoder_loss),
        )

    def draw_label(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw labels at their rates, as a network sees them, shape (n, label width)."""
        layout = self.condition_layout
        raw = self.label_rates.repeat(n, 1)
        even = torch.rand(n, layout.n_scalars, generator=rng, device=rng.device)
        raw[:, : layout.n_scalars] = 2 * even - 1
        return layout.expand(*layout.draw(raw, draw_gumbel(n, layout.width, rng)))

    def encode(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and standard deviation of the code, and the raw label, of encoded rows."""
        d = self.latent_dim
        mean, spread, label = self.encoder(row).split([d, d, self.condition_layout.width], dim=1)
        return mean, torch.sigmoid(spread - 1.0), label

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Decode draws of the prior, shape (n, width), one per condition."""
        z = self.prior.draw(len(condition), rng)
        return self.decoder(torch.cat([z, condition], dim=1))

    def _codes(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread, raw_label = self.encode(batch.row)
        z = mean + spread * draw_normal(len(mean), self.latent_dim, batch.rng)
        # NOTE[DIFF] not the plain softmax but draws from it: their sharpness tells the critic
        # nothing, only their rates do, and what the decoder must guess it makes certain.
        return z, raw_label, soften(self.condition_layout, raw_label, batch.rng)

    def _is_labelled(self, batch: Batch) -> Tensor:
        """Which rows have their label, shape (n, 1)."""
        codes, numbers = batch.condition_table
        return (codes >= 0).all(dim=1, keepdim=True) & ~numbers.isnan().any(dim=1, keepdim=True)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Loss of telling draws of the prior from codes."""
        z, _, label = self._codes(batch)
        loss = self.adversary.critic_loss(batch, self.prior.draw(len(z), batch.rng), z)
        if self.unlabelled:
            prior = self.draw_label(len(z), batch.rng)
            loss = loss + self.label_adversary.critic_loss(batch, prior, label)
        return loss

    def autoencoder_loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of the rows, plus that of being told from the prior."""
        z, raw_label, label = self._codes(batch)
        known = self._is_labelled(batch)
        given = torch.where(known, batch.condition, label)
        raw = self.decoder(torch.cat([z, given], dim=1))
        loss = self.layout.cross_entropy(raw, batch.table.codes).mean()
        prior = self.prior.draw(len(z), batch.rng)
        fooling = self.adversary.generator_loss(batch, prior, z)
        if self.unlabelled:
            prior = self.draw_label(len(z), batch.rng)
            fooling = fooling + self.label_adversary.generator_loss(batch, prior, label)
        loss = loss + self.adversarial_weight * fooling
        if label.shape[1]:
            loss = loss + self._label_error(batch, raw_label, known)
        return loss

    def _label_error(self, batch: Batch, raw_label: Tensor, known: Tensor) -> Tensor:
        """Cross-entropy or squared error of labels, on average over the rows that have theirs."""
        table, n = batch.condition_table, self.condition_layout.n_scalars
        wrong = (raw_label[:, :n] - table.scalars).nan_to_num().square() * known
        error = self.condition_layout.cross_entropy(raw_label, table.codes) + wrong.sum(dim=1)
        return error.sum() / known.sum().clamp(min=1)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood per row, in nats."""
        z, _, label = self._codes(batch)
        given = torch.where(self._is_labelled(batch), batch.condition, label)
        raw = self.decoder(torch.cat([z, given], dim=1))
        return {"reconstruction": self.layout.cross_entropy(raw, batch.table.codes).mean()}


class AAECodes(Features):
    """Mixin of adversarial autoencoders: the game, its codes as features, and inferred labels."""

    plan = Plan(n_steps=2000, numbers="bins")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "prior": choice("normal", "uniform", "mixture"),
        "prior_scale": number(0, closed="neither"),
        "n_components": integer(1),
        "adversarial_weight": number(0),
    }
    latent_dim: int
    hidden_dim: int
    prior: Literal["normal", "uniform", "mixture"]
    prior_scale: float
    n_components: int
    adversarial_weight: float
    _target_name: Hashable | None
    _unlabelled: bool
    _core: Any

    def _make_game(self, encoding: Encoding) -> AAEGame:
        return AAEGame(
            encoding.layout,
            encoding.condition_layout,
            self.latent_dim,
            self.hidden_dim,
            Prior(self.prior, self.latent_dim, self.prior_scale, self.n_components),
            self.adversarial_weight,
            self._unlabelled and encoding.condition_layout.width > 0,
            encoding.conditions.encoder.masses,
        )

    def _features(self, row: Tensor) -> Tensor:
        mean, _, label = self._core.game.encode(row)
        # Inferred labels without the layout's padding: scalars, then probabilities.
        layout = self._core.encoding.condition_layout
        return torch.cat([mean, layout.activate(label)[:, layout.level_mask == 0]], dim=1)

    @property
    def _n_features_out(self) -> int:
        layout = self._core.encoding.condition_layout
        return self.latent_dim + int((layout.level_mask == 0).sum())

    def _raw_rows(self, features: Tensor) -> Tensor:
        z, label = features.tensor_split([self.latent_dim], dim=1)
        layout = self._core.encoding.condition_layout
        given = torch.zeros(len(z), layout.width, device=z.device)
        given[:, layout.level_mask == 0] = label
        return self._core.game.decoder(torch.cat([z, given], dim=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Infer the labels of rows.

        Parameters
        ----------
        X : table or array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,)
            The most probable class, or the number, of each row.

        Raises
        ------
        ValueError
            The model was fitted without y.
        """
        check_is_fitted(self)
        if self._target_name is None:
            raise ValueError("predict needs labels: this AAESynthesizer was fitted without y.")
        conditions = self._core.encoding.conditions.encoder
        raw = torch.from_numpy(self._over_rows(X, lambda row: self._core.game.encode(row)[2]))
        table = EncodedTable(*conditions.layout.draw(raw.to(self._core.device)))
        return conditions.decode(table)[self._target_name].to_numpy()


class AAESynthesizer(AAECodes, Inverse, Latent, TableSynthesizer):
    """Adversarial autoencoder [1]_: codes are matched to a prior by a discriminator.

    The decoder has a likelihood for each column, numbers being binned by their quantiles, and
    rows are drawn from it. Fitted without ``y``, the code holds all of a row. Fitted with ``y``
    (section 4 of [1]_), the decoder is given the label too, so that the code holds what the label
    does not say: fix the label and walk the code. Labels that are missing (NaN, None, ``pd.NA``)
    are inferred by the encoder (section 5), so a few labels and many unlabelled rows will do;
    `AAEClusterer` does without any.

    `transform` gives the code's mean and, if fitted with ``y``, the inferred label: class
    probabilities, or for a number its rank in [-1, 1]. `inverse_transform` gives the most probable
    row of each code, `predict` the label.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps. None: 2,000, and fewer on small tables.
    latent_dim : int, default=16
        Width of the code.
    prior : {"normal", "uniform", "mixture"}, default="normal"
        What codes are matched to: a normal distribution; an even one; or a mixture of normals
        that lie like a flower's petals in the code's first two dimensions.
    prior_scale : float > 0, default=1
        The normal's standard deviation, half the even one's width, a factor on the mixture.
    n_components : int, default=10
        Petals of the mixture.
    adversarial_weight : float >= 0, default=3
        Weight of fooling the discriminator beside the reconstruction (in nats per row).
    learning_rate : float, default=1e-3
        Adam's.
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, sections 2 to 5.
    """

    _saved = (*TableSynthesizer._saved, "_unlabelled")

    def __init__(
        self,
        *,
        latent_dim: int = 16,
        prior: Literal["normal", "uniform", "mixture"] = "normal",
        prior_scale: float = 1.0,
        n_components: int = 10,
        adversarial_weight: float = 3.0,
        learning_rate: float = 1e-3,
        **shared: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim, learning_rate=learning_rate, **shared)
        self.prior = prior
        self.prior_scale = prior_scale
        self.n_components = n_components
        self.adversarial_weight = adversarial_weight

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        table, target = append_target(self, table, y, anew)
        if anew:
            self._unlabelled = bool(target and table[target[0]].isna().any())
        return table, target

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        if self._target_name is None:
            return super()._infer_schema(table)
        schema = super()._infer_schema(table)
        known = table[[self._target_name]].dropna()
        label = Schema.infer(known, arg_name="y")
        return Schema((*schema.columns[:-1], *label.columns))
