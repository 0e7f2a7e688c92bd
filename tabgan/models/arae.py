"""Adversarially regularised autoencoder: a likelihood for rows, and a game for their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.causal import CausalDecoder
from tabgan.adversarial.game import Batch, Game, Player, draw_normal
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, integer, number
from tabgan.estimators.adversarial import Decoding, Latent
from tabgan.estimators.features import Features, Inverse, Scaled, Scaling
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.table.layout import Layout


class ARAEGame(Game):
    """An autoencoder, and a generator of codes against a critic of codes.

    The critic tells codes of real data from synthetic codes. A subclass defines how the networks
    are used, in `encode`, `negative_log_likelihood` and `generate` or `unroll`. The data may be
    rows, sequences or anything else that has a likelihood.

    Parameters
    ----------
    encoder : Module
        Maps data to the ``2 * code_dim`` parameters of a normal distribution of codes.
    decoder : Module
        Maps codes to a distribution of data.
    code_dim : int
    latent_dim, hidden_dim : int
        Sizes of the generator of codes.
    kl_weight : float
        Weight of the divergence of codes from the standard normal distribution.
    """

    n_autoencoder: ClassVar[int] = 1
    """Number of updates of the autoencoder in a training step."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        code_dim: int,
        latent_dim: int,
        hidden_dim: int,
        kl_weight: float,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim, self.kl_weight = latent_dim, kl_weight
        self.generator = ResidualMLP(latent_dim, [hidden_dim] * 2, code_dim)
        self.adversary = Adversary(Critic(code_dim, [hidden_dim] * 3), RELATIVISTIC)

    def encode(self, batch: Batch) -> Tensor:
        """Encode a batch: a mean and an unbounded spread for each code, shape (n, 2 * code_dim)."""
        raise NotImplementedError

    def negative_log_likelihood(self, code: Tensor, batch: Batch) -> Tensor:
        """Return the negative log-likelihood of a batch given its codes, shape (n,), in nats."""
        raise NotImplementedError

    def players(self) -> tuple[Player, ...]:
        """Return the autoencoder, the critic of codes and the generator of codes."""
        coders, n_updates = (self.encoder, self.decoder), self.n_autoencoder
        return (
            Player("autoencoder", coders, self.autoencoder_loss, n_updates),
            Player("critic", (self.adversary,), self.critic_loss),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def make_codes(self, n: int, rng: torch.Generator) -> Tensor:
        """Generate synthetic codes, shape (n, code_dim)."""
        return self.generator(draw_normal(n, self.latent_dim, rng))

    def draw_codes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Draw a code for each row of a batch, and compute the divergence of its distribution.

        Returns
        -------
        code : Tensor of shape (n, code_dim)
        divergence : Tensor of shape (n,)
            Kullback-Leibler divergence of the code's distribution from the standard normal
            distribution, in nats.
        """
        mean, spread = self.encode(batch).chunk(2, dim=1)
        log_deviation = F.logsigmoid(spread)
        deviation = log_deviation.exp()
        code = mean + deviation * draw_normal(len(mean), mean.shape[1], batch.rng)
        divergence = (mean.square() + deviation.square() - 1).sum(dim=1) / 2
        return code, divergence - log_deviation.sum(dim=1)

    def autoencoder_loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood plus the weighted divergence.

        This is step 1 of Algorithm 1 of Zhao et al. (2018).
        """
        # NOTE[DIFF] The paper adds noise of a fixed size to codes on the unit sphere. Here the
        # encoder learns the noise and pays for precise codes by the divergence, so that codes are
        # as coarse as the data allow. The paper also trains the encoder against the critic; here
        # the divergence alone regularises it.
        code, divergence = self.draw_codes(batch)
        error = self.negative_log_likelihood(code, batch)
        return (error + self.kl_weight * divergence).mean()

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling real from synthetic codes (Algorithm 1, step 2)."""
        code, _ = self.draw_codes(batch)
        return self.adversary.critic_loss(batch, code, self.make_codes(len(code), batch.rng))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of synthetic codes that the critic tells apart (Algorithm 1, step 3)."""
        code, _ = self.draw_codes(batch)
        return self.adversary.generator_loss(batch, code, self.make_codes(len(code), batch.rng))

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the negative log-likelihood and the divergence of a row, in nats."""
        code, divergence = self.draw_codes(batch)
        error = self.negative_log_likelihood(code, batch)
        return {"reconstruction": error.mean(), "divergence": divergence.mean()}


class RowARAEGame(CausalDecoder, ARAEGame):
    """`ARAEGame` for encoded rows; see `ARAESynthesizer`.

    Parameters
    ----------
    layout : Layout
    code_dim, latent_dim, hidden_dim : int
    kl_weight : float
    networks : ColumnNetworks, optional
        Networks that draw columns in turn, given a code.
    code_noise : float >= 0, default=0
        See `CausalDecoder`.
    """

    # The generator soon matches codes of rows. The autoencoder takes longer to learn, so it is
    # updated more often.
    n_autoencoder = 2

    def __init__(
        self,
        layout: Layout,
        code_dim: int,
        latent_dim: int,
        hidden_dim: int,
        kl_weight: float,
        networks: ColumnNetworks | None = None,
        code_noise: float = 0.0,
    ) -> None:
        encoder = ResidualMLP(layout.width, [hidden_dim] * 2, 2 * code_dim)
        decoder = ResidualMLP(code_dim, [hidden_dim] * 2, layout.width)
        super().__init__(encoder, decoder, code_dim, latent_dim, hidden_dim, kl_weight)
        self.layout, self.networks, self.code_noise = layout, networks, code_noise

    def players(self) -> tuple[Player, ...]:
        """Return the players of the codes' game, and the networks of columns if there are any."""
        return (*super().players(), *self.column_players())

    def real_codes(self, batch: Batch) -> Tensor:
        """Draw a code for each row of a batch."""
        return self.blurred(self.draw_codes(batch)[0], batch.rng)

    def synthetic_codes(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate codes, one for each condition, which is empty."""
        return self.blurred(self.make_codes(len(condition), rng), rng)

    def encode(self, batch: Batch) -> Tensor:
        """Encode rows."""
        return self.encoder(batch.row)

    def negative_log_likelihood(self, code: Tensor, batch: Batch) -> Tensor:
        """Return the negative log-likelihood of each row, the sum over its columns."""
        return self.layout.cross_entropy(self.decoder(code), batch.table.codes)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Decode synthetic codes into raw rows, shape (n, width)."""
        return self.decoder(self.make_codes(len(condition), rng))


class ARAESynthesizer(Inverse, Scaling, Features, Decoding, Latent, TableSynthesizer):
    """Adversarially regularised autoencoder [1]_: a generator of codes for an autoencoder of rows.

    An encoder maps each row to a code, and a decoder maps each code to a distribution of rows. A
    generator turns noise into synthetic codes, and a critic tells synthetic codes from codes of
    real rows. The critic sees codes alone, which are continuous, so that no gradient has to pass
    through categories. The decoder gives a likelihood to each column; numbers are cut into bins by
    their quantiles.

    Synthetic rows come from synthetic codes. By default a second decoder draws one column after
    another, each given the code and the columns before it. What a code does not say of how columns
    go together is then drawn all the same. With ``decoder="joint"`` the decoder of the paper draws
    all columns independently of each other.

    Use this class for faithful rows together with latent features that have an inverse. Unlike
    `AAESynthesizer`, it does not force the distribution of codes into a given shape.

    `transform` gives the mean of the code, rounded to about 32 bits a row, times a factor by which
    the variances of the codes of the training rows add up to 0.25. Codes of one to three numbers
    are not rounded. `inverse_transform` takes such codes and gives the most probable row of each.

    The class differs from the paper in four ways. A decoder of columns in turn makes the synthetic
    rows. The encoder learns how noisy its codes are, where the paper adds noise of a fixed size.
    The encoder is regularised by the divergence of codes from a normal distribution, where the
    paper trains it against the critic. The critic plays a relativistic game [2]_ in place of the
    Wasserstein game.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. In each step the autoencoder is updated twice, and the others are
        updated once. None takes up to 600 steps, and 400 where held-out rows gain little by then.
        With ``decoder="joint"``, None takes 1,500 steps, and fewer on small tables: at most 300
        passes over the rows if early stopping is off.
    learning_rate : float > 0, default=1e-3
    latent_dim : int >= 1, default=64
        Width of z, the vector of standard normal noise that the generator turns into a code.
    code_dim : int >= 1, default=16
        Width of the code that stands for a row.
    kl_weight : float >= 0, default=0.5
        Weight of the divergence of codes from the standard normal distribution, relative to the
        error of reconstruction, both in nats per row. A larger weight makes codes noisier. With 0
        codes are exact, and the generator matches them less well.
    penalty_weight : float >= 0, default=0.1
        Weight of the zero-centred gradient penalties R1 (on codes of real rows) and R2 (on
        synthetic codes), gamma in [2]_.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Zhao et al. (2018), "Adversarially Regularized Autoencoders", arXiv 1706.04223, Algorithm
       1.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv
       2501.05441.

    Examples
    --------
    >>> from tabgan import ARAESynthesizer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, random_state=0)
    >>> model = ARAESynthesizer(n_steps=5, code_dim=3, random_state=0).fit(table)
    >>> codes = model.transform(table)
    >>> codes.shape
    (100, 3)
    >>> model.inverse_transform(codes).shape
    (100, 10)
    >>> model.sample(4).columns.equals(table.columns)
    True
    """

    joint_plan = Plan(n_steps=1500, numbers="bins")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "code_dim": integer(1),
        "kl_weight": number(0),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        learning_rate: float = 1e-3,
        code_dim: int = 16,
        kl_weight: float = 0.5,
        penalty_weight: float = 0.1,
        **shared: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **shared)
        self.code_dim = code_dim
        self.kl_weight = kl_weight
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [R1(self.penalty_weight), R2(self.penalty_weight)]

    def _make_game(self, encoding: Encoding) -> RowARAEGame:
        dims = (self.code_dim, self.latent_dim, self.hidden_dim)
        networks = self._column_networks(encoding, self.code_dim)
        return RowARAEGame(encoding.layout, *dims, self.kl_weight, networks, self.code_noise)

    def _unscaled(self, row: Tensor) -> Tensor:
        return self._core.game.encoder(row)[:, : self.code_dim]

    def _raw_rows(self, features: Tensor) -> Tensor:
        return self._core.game.decoder(features)

    def _make_scaling(self, game: RowARAEGame) -> Scaled:
        return Scaled(self.code_dim)
