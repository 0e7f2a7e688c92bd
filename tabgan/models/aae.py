"""Adversarial autoencoder: unsupervised, supervised or semi-supervised."""

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
from tabgan.adversarial.causal import CausalDecoder
from tabgan.adversarial.corruption import swap_columns
from tabgan.adversarial.game import Batch, Game, Player, draw_gumbel, draw_normal, soften
from tabgan.adversarial.grouping import grouping_loss
from tabgan.adversarial.losses import NON_SATURATING
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.priors import Prior
from tabgan.checks import FLAG, Rule, choice, integer, number
from tabgan.estimators.adversarial import Decoding, Latent
from tabgan.estimators.features import Features, Inverse, Scaled, Scaling
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.generation.encoding import Encoding
from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.networks.ranks import RankEncoder, RankView
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

SWAPPED = 0.3
"""Share of the columns that are swapped with other rows' in the copies of rows that labels see."""

SHARPENED = 0.5
"""Temperature of the inferred labels that the labels of corrupted copies are compared with."""

RISE = 0.3
"""Share of a run in which the weight of agreement rises to its full value."""


CLUSTER_RATE = 3.0
"""Learning rate of the network of clusters, as a multiple of the other players'.

A larger step leaves poor divisions of the rows behind, which smaller steps settle in.
"""


class AAEGame(CausalDecoder, Game):
    """An autoencoder against a discriminator that tells its codes from draws of a prior.

    Parameters
    ----------
    layout : Layout
        Layout of a row. It has softmax blocks alone, because numbers are binned.
    level_ranks : sequence of ndarray
        For each block, each level's rank in [0, 1], or NaN for a level without an order.
    condition_layout : Layout
        Layout of the label; of width 0 without labels.
    latent_dim, hidden_dim : int
    prior : Prior
    adversarial_weight : float
    unlabelled : bool
        Whether the label of some rows is missing. A second discriminator then compares inferred
        labels with draws of labels.
    label_rates : sequence of ndarray
        The training rate of each level, for each block of the label.
    label_weight : float >= 0, default=0
        Weight of the error of known labels. If the label of some rows is missing, the weight of
        the agreement of labels that are inferred from a row and from a corrupted copy.
    networks : ColumnNetworks, optional
        Networks that draw columns in turn, given a code and a label.
    code_noise : float >= 0, default=0
        See `CausalDecoder`.
    agreement_weight : float >= 0, default=0
        Weight of `grouping_loss`. If it is positive, labels are clusters, which a network of its
        own learns from this loss alone. With 0, clusters are learnt as in the paper.
    """

    label_rates: Tensor

    def __init__(
        self,
        layout: Layout,
        level_ranks: Sequence[NDArray[np.float64]],
        condition_layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        prior: Prior,
        adversarial_weight: float,
        unlabelled: bool,
        label_rates: Sequence[NDArray[np.float64]],
        label_weight: float = 0.0,
        networks: ColumnNetworks | None = None,
        code_noise: float = 0.0,
        agreement_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.networks, self.code_noise, self.code_scale = networks, code_noise, prior.scale
        self.layout, self.condition_layout = layout, condition_layout
        self.latent_dim, self.prior = latent_dim, prior
        self.adversarial_weight = adversarial_weight
        self.label_weight, self.agreement_weight = label_weight, agreement_weight
        # NOTE[DIFF] In the paper a second discriminator makes all clusters equally frequent. The
        # loss of groups that agree does so itself.
        self.unlabelled = unlabelled and not agreement_weight
        n_label = condition_layout.width
        rates = condition_layout.along_row(label_rates, fill=1.0).log()
        self.register_buffer("label_rates", rates, persistent=False)
        hidden = [hidden_dim] * 2
        self.labeller: nn.Module | None = None
        self.view = RankView(layout, level_ranks) if n_label and agreement_weight else None
        if self.view is not None:
            of_view = ResidualMLP(self.view.layout.width, hidden, n_label)
            self.labeller = nn.Sequential(self.view, of_view)
        elif n_label and label_weight:
            # NOTE[DIFF] In the paper one network infers code and label. A network that sees bins of
            # numbers knows a hundred labels by heart; one that sees ranks generalises.
            self.labeller = RankEncoder(layout, level_ranks, hidden, n_label)
        n_beside = 0 if self.labeller else n_label
        self.encoder = ResidualMLP(layout.width, hidden, 2 * latent_dim + n_beside)
        self.decoder = ResidualMLP(latent_dim + n_label, [hidden_dim] * 2, layout.width)
        self.adversary = Adversary(Critic(latent_dim, [hidden_dim] * 2), NON_SATURATING)
        label_critic = Critic(max(1, n_label), [hidden_dim // 2])
        self.label_adversary = Adversary(label_critic, NON_SATURATING)

    def players(self) -> tuple[Player, ...]:
        """Return the discriminators, then the autoencoder and the networks of columns, if any."""
        critics: tuple[nn.Module, ...] = (self.adversary,)
        if self.unlabelled:
            critics += (self.label_adversary,)
        coders: tuple[nn.Module, ...] = (self.encoder, self.decoder)
        clusters: tuple[Player, ...] = ()
        if self.view is not None and self.labeller is not None:
            own, rate = (self.labeller,), CLUSTER_RATE
            clusters = (Player("clusters", own, self.clusters_loss, self.n_coded, rate=rate),)
        elif self.labeller is not None:
            coders += (self.labeller,)
        return (
            *clusters,
            Player("discriminator", critics, self.discriminator_loss, self.n_coded),
            Player("autoencoder", coders, self.autoencoder_loss, self.n_coded),
            *self.column_players(),
        )

    def draw_label(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw labels at their training rates, as networks see them, shape (n, label width)."""
        layout = self.condition_layout
        raw = self.label_rates.repeat(n, 1)
        even = torch.rand(n, layout.n_scalars, generator=rng, device=rng.device)
        raw[:, : layout.n_scalars] = 2 * even - 1
        return layout.expand(*layout.draw(raw, draw_gumbel(n, layout.width, rng)))

    def infer(self, row: Tensor) -> Tensor:
        """Infer the raw labels of encoded rows, shape (n, label width)."""
        return self.encode(row)[2] if self.labeller is None else self.labeller(row)

    def encode(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute mean and standard deviation of the code, and the raw label, of encoded rows."""
        d = self.latent_dim
        mean, spread, label = self.encoder(row).tensor_split([d, 2 * d], dim=1)
        if self.labeller is not None:
            label = self.labeller(row)
        # NOTE[DIFF] The encoder of the paper may choose codes without noise, and then does: rows
        # that are alike get codes that are not. The least noise keeps similar rows together.
        return mean, self.prior.noise + torch.sigmoid(spread - 1.0), label

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Decode draws of the prior into raw rows, shape (n, width), one for each condition."""
        z = self.prior.draw(len(condition), rng)
        return self.decoder(torch.cat([z, condition], dim=1))

    def real_codes(self, batch: Batch) -> Tensor:
        """Draw a code for each row of a batch, beside its known or inferred label."""
        z, _, label = self._codes(batch)
        return torch.cat([self.blurred(z, batch.rng), self._given(batch, label)], dim=1)

    def synthetic_codes(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw a code from the prior for each label."""
        z = self.prior.draw(len(condition), rng)
        return torch.cat([self.blurred(z, rng), condition], dim=1)

    def _codes(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the codes of a batch; return codes, raw labels and softened labels."""
        mean, spread, raw_label = self.encode(batch.row)
        z = mean + spread * draw_normal(len(mean), self.latent_dim, batch.rng)
        # NOTE[DIFF] The paper passes the label's probabilities on. Here draws from them are passed
        # on. A draw is as sharp as a real label, so that the discriminator judges the rates of
        # labels alone; and a decoder that gets a random label reconstructs badly, which teaches
        # the encoder to be certain.
        return z, raw_label, soften(self.condition_layout, raw_label, batch.rng)

    def _given(self, batch: Batch, label: Tensor) -> Tensor:
        """Return the labels that the decoder is given: the known ones, else the inferred ones."""
        is_known = batch.condition_table.is_known()[:, None]
        return torch.where(is_known, batch.condition, label)

    def clusters_loss(self, batch: Batch) -> Tensor:
        """Return the weighted loss of clusters that do not agree between rows that are alike."""
        # NOTE[DIFF] In the paper clusters are what helps the reconstruction. Clusters that are the
        # same for a row, its corrupted copy and its neighbours are nearer to kinds of rows.
        loss = grouping_loss(self.infer, self.seen, batch, self.layout, self.condition_layout)
        return self.agreement_weight * loss

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of telling draws of the prior from codes."""
        z, _, label = self._codes(batch)
        loss = self.adversary.critic_loss(batch, self.prior.draw(len(z), batch.rng), z)
        if self.unlabelled:
            prior = self.draw_label(len(z), batch.rng)
            loss = loss + self.label_adversary.critic_loss(batch, prior, label)
        return loss

    def autoencoder_loss(self, batch: Batch) -> Tensor:
        """Return the error of reconstruction, plus the weighted loss of fooling the discriminators.

        The error of reconstruction is the negative log-likelihood of rows, in nats. The error of
        the labels is added to it.
        """
        z, raw_label, label = self._codes(batch)
        given = self._given(batch, label)
        raw = self.decoder(torch.cat([z, given], dim=1))
        loss = self.layout.cross_entropy(raw, batch.table.codes).mean()
        prior = self.prior.draw(len(z), batch.rng)
        fooling = self.adversary.generator_loss(batch, prior, z)
        if self.unlabelled:
            prior = self.draw_label(len(z), batch.rng)
            fooling = fooling + self.label_adversary.generator_loss(batch, prior, label)
        loss = loss + self.adversarial_weight * fooling
        if not self.label_weight:
            return loss
        if batch.labelled is None:
            error = self._label_error(batch, raw_label)
        else:
            error = self._semi_supervised_error(batch, batch.labelled, raw_label)
        return loss + self.label_weight * error

    def _semi_supervised_error(self, batch: Batch, labelled: Batch, raw_label: Tensor) -> Tensor:
        """Return the error of known labels plus the disagreement of labels of corrupted copies.

        The error of known labels is the mean over rows and corrupted copies of the rows.
        """
        # NOTE[DIFF] The paper learns labels from the known ones alone, besides the reconstruction
        # and the adversary, and a hundred rows are then soon known by heart. Here a corrupted copy
        # of each row must get the label of the row itself, made sharper (Xie et al., 2020,
        # "Unsupervised Data Augmentation for Consistency Training", arXiv 1904.12848, equation 1),
        # so that rows without a label teach where classes end.
        error = self._label_error(labelled, self.infer(labelled.row))
        error = (error + self._label_error(labelled, self._label_of_copy(labelled))) / 2
        rise = min(1.0, batch.progress / RISE)
        return error + rise * self._disagreement(self._label_of_copy(batch), raw_label)

    def _label_of_copy(self, batch: Batch) -> Tensor:
        """Infer the raw labels of a corrupted copy of each row, shape (n, label width)."""
        copy, _ = swap_columns(batch.table, self.layout, SWAPPED, batch.rng)
        return self.infer(self.layout.expand(*copy))

    def _disagreement(self, raw_label: Tensor, raw_target: Tensor) -> Tensor:
        """Return the mean error of inferred labels, measured against others that stay as they are.

        The error is the cross-entropy of classes, or the squared error of numbers.
        """
        layout, n = self.condition_layout, self.condition_layout.n_scalars
        target = layout.activate(raw_target.detach(), temperature=SHARPENED)
        log_p = layout.log_probabilities(raw_label).nan_to_num(neginf=0.0)
        error = (raw_label[:, :n] - target[:, :n]).square().sum(dim=1)
        return (error - (target[:, n:] * log_p).sum(dim=1)).mean()

    def _label_error(self, batch: Batch, raw_label: Tensor) -> Tensor:
        """Return the mean error of the inferred labels of rows whose labels are known.

        The error is the cross-entropy of classes, or the squared error of numbers.
        """
        table, n = batch.condition_table, self.condition_layout.n_scalars
        wrong = (raw_label[:, :n] - table.scalars).nan_to_num().square().sum(dim=1)
        error = self.condition_layout.cross_entropy(raw_label, table.codes) + wrong
        return error.sum() / table.is_known().sum().clamp(min=1)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the negative log-likelihood of a row given its code, in nats."""
        z, _, label = self._codes(batch)
        given = self._given(batch, label)
        raw = self.decoder(torch.cat([z, given], dim=1))
        return {"reconstruction": self.layout.cross_entropy(raw, batch.table.codes).mean()}


class AAECodes(Scaling, Features):
    """Mixin of adversarial autoencoders: the game, the codes as features, and inferred labels.

    Parameters
    ----------
    latent_dim : int >= 1, default=16
        Width of the code that stands for a row.
    prior : {"normal", "uniform", "mixture"}, default="normal"
        The distribution that codes are matched to. "normal" is a normal distribution, and "uniform"
        is a uniform one. "mixture" is a mixture of normal distributions that lie like the petals of
        a flower in the first two dimensions of the code.
    prior_scale : float > 0, default=1
        Scale of the prior: the standard deviation of "normal", half the width of "uniform", or a
        factor on the draws of "mixture".
    n_components : int >= 1, default=10
        Number of petals of "mixture".
    adversarial_weight : float >= 0, default=3
        Weight of fooling the discriminator, relative to the error of reconstruction in nats per
        row.
    """

    plan = Plan(n_steps=2000, numbers="bins")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "prior": choice("normal", "uniform", "mixture"),
        "prior_scale": number(0, closed="neither"),
        "n_components": integer(1),
        "adversarial_weight": number(0),
    }
    latent_dim: int
    hidden_dim: int
    label_weight: float = 0.0
    agreement_weight: float = 0.0
    code_noise: float = 0.0
    _target_name: Hashable | None
    _unlabelled: bool
    _core: Any

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

    def _make_game(self, encoding: Encoding) -> AAEGame:
        n_given = self.latent_dim + encoding.condition_layout.width
        return AAEGame(
            encoding.layout,
            encoding.level_ranks,
            encoding.condition_layout,
            self.latent_dim,
            self.hidden_dim,
            Prior(self.prior, self.latent_dim, self.prior_scale, self.n_components),
            self.adversarial_weight,
            self._unlabelled and encoding.condition_layout.width > 0,
            encoding.conditions.encoder.masses,
            self.label_weight,
            self._column_networks(encoding, n_given),
            self.code_noise,
            self.agreement_weight,
        )

    def _column_networks(self, encoding: Encoding, n_given: int) -> ColumnNetworks | None:
        """Make the networks that draw columns in turn, which a mixin before this one may do."""
        return None

    def _unscaled(self, row: Tensor) -> Tensor:
        mean, _, label = self._core.game.encode(row)
        # The layout pads its blocks. The features are scalars, then probabilities, unpadded.
        layout = self._core.encoding.condition_layout
        return torch.cat([mean, layout.activate(label)[:, layout.level_mask == 0]], dim=1)

    def _make_scaling(self, game: AAEGame) -> Scaled:
        return Scaled(self.latent_dim, int((game.condition_layout.level_mask == 0).sum()))

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
            Rows with the columns that `fit` got, without the label.

        Returns
        -------
        ndarray of shape (n,)
            The most probable class of each row, or the inferred number if labels are numbers.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the model was fitted without y, or if the columns or the kinds of values differ from
            those that `fit` got.
        """
        check_is_fitted(self)
        if self._target_name is None:
            raise ValueError("predict needs labels: this AAESynthesizer was fitted without y.")
        conditions = self._core.encoding.conditions.encoder
        raw = torch.from_numpy(self._over_rows(X, lambda row: self._core.game.encode(row)[2]))
        table = EncodedTable(*conditions.layout.draw(raw.to(self._core.device)))
        return conditions.decode(table)[self._target_name].to_numpy()


class AAESynthesizer(Decoding, AAECodes, Inverse, Latent, TableSynthesizer):
    """Adversarial autoencoder [1]_: an encoder, a decoder, and codes that are matched to a prior.

    An encoder maps each row to a code, and a decoder maps each code to a distribution of rows. A
    discriminator makes the distribution of codes equal to a prior. The decoder gives a likelihood
    to each column; numbers are cut into bins by their quantiles.

    Synthetic rows come from draws of the prior. By default a second decoder draws one column after
    another, each given the code and the columns before it. What a code does not say of how columns
    go together is then drawn all the same. With ``decoder="joint"`` the decoder of the paper draws
    all columns independently of each other.

    Use this class for latent features with an inverse, and for labels of which only some are known.
    There are three modes:

    - Without ``y``, the code holds everything about a row.
    - With ``y`` (section 4 of [1]_), the decoder gets the label beside the code, so that the code
      holds what the label does not say. A fixed label with a varied code, or a fixed code with a
      varied label, then shows each separately.
    - With a ``y`` of which some values are missing (NaN, None or ``pd.NA``; section 5 of [1]_), the
      encoder infers the missing labels. A few known labels and many unlabelled rows are enough.
      `AAEClusterer` needs no label at all.

    `transform` gives the mean of the code, rounded to about 32 bits a row, times a factor by which
    the variances of the codes of the training rows add up to 0.25. Codes of one to three numbers
    are not rounded. After a fit with ``y`` it adds the inferred label: the probability of each
    class, or the rank of a number in [-1, 1]. `inverse_transform` takes such codes and gives the
    most probable row of each, and `predict` gives the label. Boosted trees gain nothing from codes
    beside the columns, and with a few hundred labelled rows of a table of few columns they lose.

    The class differs from the paper in five ways. A decoder of columns in turn makes the synthetic
    rows. Codes have a least noise, half of that of rounding. A network of its own infers labels,
    and sees ranks where the encoder sees bins. For rows without a label, the discriminator and the
    decoder get draws from the inferred probabilities, where the paper uses the probabilities. If
    some labels are missing, a copy of a row in which three columns in ten hold values of other rows
    must get the label of the row [2]_, and each batch brings rows whose labels are known.

    Parameters
    ----------
    label_weight : float >= 0, default=10
        Weight of the error of known labels, relative to the error of reconstruction in nats per
        row. If some labels are missing, it is also the weight of the agreement of labels that are
        inferred from rows and from corrupted copies. With 0, known labels teach the decoder alone.
    n_steps : int >= 0 or None, default=None
        Number of training steps. In each step the decoder of columns is updated once and the others
        twice. None takes up to 600 steps, and 400 where held-out rows gain little by then. With
        ``decoder="joint"``, None takes 2,000 steps, and fewer on small tables: at most 300 passes
        over the rows if early stopping is off.
    learning_rate : float > 0, default=1e-3
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column, the label included.

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, sections 2 to 5.
    .. [2] Xie et al. (2020), "Unsupervised Data Augmentation for Consistency Training", arXiv
       1904.12848, equation 1.

    Examples
    --------
    A table of which only half of the labels are known:

    >>> from tabgan import AAESynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> y = table.pop("channel")
    >>> y[50:] = None
    >>> model = AAESynthesizer(n_steps=5, latent_dim=2, random_state=0).fit(table, y)
    >>> model.transform(table).shape
    (100, 5)
    >>> model.inverse_transform(model.transform(table)).shape
    (100, 9)
    >>> set(model.predict(table)) <= {"web", "shop", "phone"}
    True
    >>> model.sample(3, conditions={"channel": "web"}).shape
    (3, 9)
    """

    joint_plan = AAECodes.plan
    _saved = {**TableSynthesizer._saved, "_unlabelled": FLAG}
    _parameter_constraints: ClassVar[dict[str, Rule]] = {"label_weight": number(0)}

    def __init__(self, *, label_weight: float = 10.0, **shared: Any) -> None:
        super().__init__(**shared)
        self.label_weight = label_weight

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        table, target = append_target(self, table, y, anew)
        if anew:
            self._unlabelled = bool(target and table[target[0]].isna().any())
        return table, target

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        schema = super()._infer_schema(table)
        if self._target_name is None:
            return schema
        known = table[[self._target_name]].dropna()
        label = Schema.infer(known, arg_name="y", withheld=self._withheld)
        return Schema((*schema.columns[:-1], *label.columns))
