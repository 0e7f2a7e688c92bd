"""Adversarial autoencoder: unsupervised, supervised, semi-supervised."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import Batch, Game, Player, draw_normal
from tabgan.adversarial.losses import discriminator_cross_entropy, generator_non_saturating
from tabgan.models.featurizers import Featurizer
from tabgan.models.inputs import check_choice, table_like
from tabgan.models.target import append_target, label_wishes
from tabgan.networks.mlp import MLP, ResidualMLP
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
    prior : {"normal", "uniform"}
    adversarial_weight : float
    unlabelled : bool
        Whether some rows lack their label, and labels differ.
    """

    def __init__(
        self,
        layout: Layout,
        condition_layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        prior: str,
        adversarial_weight: float,
        unlabelled: bool,
    ) -> None:
        super().__init__()
        self.layout, self.condition_layout = layout, condition_layout
        self.latent_dim, self.prior = latent_dim, prior
        self.adversarial_weight, self.unlabelled = adversarial_weight, unlabelled
        n_label = condition_layout.width
        self.encoder = ResidualMLP(layout.width, [hidden_dim] * 2, 2 * latent_dim + n_label)
        self.decoder = ResidualMLP(latent_dim + n_label, [hidden_dim] * 2, layout.width)
        self.discriminator = MLP(latent_dim, [hidden_dim] * 2, 1)
        self.label_discriminator = MLP(max(1, n_label), [hidden_dim // 2], 1)

    def players(self) -> tuple[Player, ...]:
        """Discriminators, then the autoencoder."""
        critics: tuple[nn.Module, ...] = (self.discriminator,)
        if self.unlabelled:
            critics += (self.label_discriminator,)
        return (
            Player("discriminator", critics, self.discriminator_loss),
            Player("autoencoder", (self.encoder, self.decoder), self.autoencoder_loss),
        )

    def draw_prior(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw codes of shape (n, latent_dim)."""
        if self.prior == "uniform":
            return 2 * torch.rand(n, self.latent_dim, generator=rng, device=rng.device) - 1
        return draw_normal(n, self.latent_dim, rng)

    def encode(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and standard deviation of the code, and the raw label, of encoded rows."""
        d = self.latent_dim
        mean, spread, label = self.encoder(row).split([d, d, self.condition_layout.width], dim=1)
        return mean, torch.sigmoid(spread - 1.0), label

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Decode draws of the prior, shape (n, width), one per condition."""
        z = self.draw_prior(len(condition), rng)
        return self.decoder(torch.cat([z, condition], dim=1))

    def _codes(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread, raw_label = self.encode(batch.row)
        z = mean + spread * draw_normal(len(mean), self.latent_dim, batch.rng)
        return z, raw_label, self.condition_layout.activate(raw_label)

    def _is_labelled(self, batch: Batch) -> Tensor:
        """Which rows have their label, shape (n, 1)."""
        codes, numbers = batch.condition_table
        return (codes >= 0).all(dim=1, keepdim=True) & ~numbers.isnan().any(dim=1, keepdim=True)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of telling draws of the prior from codes."""
        with torch.no_grad():
            z, _, label = self._codes(batch)
        prior = self.draw_prior(len(z), batch.rng)
        loss = discriminator_cross_entropy(self.discriminator(prior), self.discriminator(z))
        if self.unlabelled:
            # Rows without label weigh nothing; a batch may have no others.
            known = self._is_labelled(batch)
            share = known / known.sum().clamp(min=1)
            real, fake = (self.label_discriminator(each) for each in (batch.condition, label))
            loss = loss + discriminator_cross_entropy(real, fake, share)
        return loss

    def autoencoder_loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of the rows, plus that of being told from the prior."""
        z, raw_label, label = self._codes(batch)
        known = self._is_labelled(batch)
        given = torch.where(known, batch.condition, label)
        raw = self.decoder(torch.cat([z, given], dim=1))
        loss = self.layout.cross_entropy(raw, batch.table.codes).mean()
        fooling = generator_non_saturating(self.discriminator(z))
        if self.unlabelled:
            fooling = fooling + generator_non_saturating(self.label_discriminator(label))
        loss = loss + self.adversarial_weight * fooling
        if label.shape[1]:
            table = batch.condition_table
            loss = loss + self.condition_layout.cross_entropy(raw_label, table.codes).mean()
            n = self.condition_layout.n_scalars
            wrong = (raw_label[:, :n] - table.scalars).nan_to_num().square() * known
            loss = loss + wrong.sum(dim=1).mean()
        return loss

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood per row, in nats."""
        z, _, label = self._codes(batch)
        given = torch.where(self._is_labelled(batch), batch.condition, label)
        raw = self.decoder(torch.cat([z, given], dim=1))
        return {"reconstruction": self.layout.cross_entropy(raw, batch.table.codes).mean()}


class AAESynthesizer(Featurizer):
    """Adversarial autoencoder [1]_: codes are matched to a prior by a discriminator.

    The decoder has a likelihood for each column, numbers being binned by their quantiles, and
    rows are drawn from it. Fitted without ``y``, the code holds all of a row. Fitted with ``y``
    (section 4 of [1]_), the decoder is given the label too, so that the code holds what the label
    does not say: fix the label and walk the code. Labels that are missing (NaN, None, ``pd.NA``)
    are inferred by the encoder (section 5), so a few labels and many unlabelled rows will do.

    `transform` gives the code's mean and, if fitted with ``y``, the inferred label: class
    probabilities, or for a number its rank in [-1, 1]. `inverse_transform` gives the most probable
    row of each code.

    Parameters
    ----------
    n_steps : int, default=2000
        Training steps.
    latent_dim : int, default=16
        Width of the code.
    prior : {"normal", "uniform"}, default="normal"
        What codes are matched to: standard normal, or even over [-1, 1].
    adversarial_weight : float, default=3
        Weight of fooling the discriminator beside the reconstruction (in nats per row).
    learning_rate : float, default=1e-3
        Adam's.
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, sections 2, 4, 5.
    """

    _numeric_encoding = "bins"
    _extra_state = ("_target_name", "_unlabelled")

    def __init__(
        self,
        *,
        n_steps: int = 2000,
        latent_dim: int = 16,
        prior: Literal["normal", "uniform"] = "normal",
        adversarial_weight: float = 3.0,
        learning_rate: float = 1e-3,
        **shared: Any,
    ) -> None:
        super().__init__(
            n_steps=n_steps, latent_dim=latent_dim, learning_rate=learning_rate, **shared
        )
        self.prior = prior
        self.adversarial_weight = adversarial_weight

    def _training_table(
        self, table: pd.DataFrame, y: Any, reset: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        table, target = append_target(self, table, y, reset)
        if reset:
            self._unlabelled = bool(target and table[target[0]].isna().any())
        return table, target

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        schema = super()._infer_schema(table)
        if self._target_name is None:
            return schema
        labels = table[[self._target_name]].dropna()
        if not len(labels):
            raise ValueError("y has no label that is not missing; leave it out to fit without.")
        return Schema((*schema.columns[:-1], *Schema.infer(labels, arg_name="y").columns))

    def _make_game(self, layout: Layout, condition_layout: Layout) -> AAEGame:
        check_choice("prior", self.prior, "normal", "uniform")
        return AAEGame(
            layout,
            condition_layout,
            self.latent_dim,
            self.hidden_dim,
            self.prior,
            self.adversarial_weight,
            self._unlabelled and condition_layout.width > 0,
        )

    def _wishes(self, conditions: Any, n_samples: int) -> pd.DataFrame:
        return super()._wishes(label_wishes(conditions, self._target_name), n_samples)

    def _features(self, row: Tensor) -> Tensor:
        mean, _, label = self._game.encode(row)
        return torch.cat([mean, self._label_features(label)], dim=1)

    def _label_features(self, raw: Tensor) -> Tensor:
        """Inferred labels without the layout's padding: scalars, then probabilities."""
        layout = self._conditions.encoder.layout
        return layout.activate(raw)[:, layout.level_mask == 0]

    @property
    def _n_features_out(self) -> int:
        n_label = int((self._conditions.encoder.layout.level_mask == 0).sum())
        return self.latent_dim + n_label

    def inverse_transform(self, X: Any) -> Any:
        """Decode codes, as `transform` gives them, to their most probable rows.

        Parameters
        ----------
        X : array-like of shape (n, n_features_out)

        Returns
        -------
        DataFrame or ndarray of shape (n, d)
            Columns and dtypes as in `fit`.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=np.float32, estimator=self, input_name="X")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} features, but inverse_transform takes the "
                f"{self._n_features_out} that transform gives."
            )
        z, label = np.split(codes, [self.latent_dim], axis=1)
        layout = self._conditions.encoder.layout
        given = torch.zeros(len(codes), layout.width)
        given[:, layout.level_mask.cpu() == 0] = torch.from_numpy(label)
        table = self._decode(torch.from_numpy(z).to(self._device), given.to(self._device))
        frame = self._encoder.decode(table)
        return table_like(frame[self._input_labels], self._input_dtype)

    @torch.no_grad()
    def _decode(self, z: Tensor, given: Tensor) -> EncodedTable:
        raw = self._game.decoder(torch.cat([z, given], dim=1))
        return EncodedTable(*self._layout.draw(raw, torch.zeros_like(raw)))

    def predict(self, X: Any) -> NDArray[Any]:
        """Infer the labels of rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)

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
        layout = self._conditions.encoder.layout
        raw = torch.from_numpy(self._over_rows(X, lambda row: self._game.encode(row)[2]))
        table = EncodedTable(*layout.draw(raw.to(self._device), torch.zeros_like(raw)))
        return self._conditions.encoder.decode(table)[self._target_name].to_numpy()
