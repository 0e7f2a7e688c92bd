"""Adversarially regularised autoencoder: a likelihood for the rows, a game for their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.game import Batch, Game, Player, draw_normal
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, integer, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import Features, Inverse
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.table.layout import Layout


class ARAEGame(Game):
    """An autoencoder, and a generator whose codes a critic tells from those of real data.

    A subclass says how the networks are used, in `encode`, `negative_log_likelihood` and
    `generate`; it may be of rows, sequences or anything else that has a likelihood.

    Parameters
    ----------
    encoder, decoder : Module
        Data to the ``2 * code_dim`` parameters of a normal code, and codes to data.
    code_dim : int
    latent_dim, hidden_dim : int
        Of the generator of codes.
    kl_weight : float
        Weight of keeping codes near the standard normal, beside the likelihood.
    """

    n_autoencoder: ClassVar[int] = 1
    """Updates of the autoencoder a step."""

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
        """Encode a batch: a mean and an unbounded spread per code, shape (n, 2 * code_dim)."""
        raise NotImplementedError

    def negative_log_likelihood(self, code: Tensor, batch: Batch) -> Tensor:
        """Return that of a batch given its codes, shape (n,), in nats."""
        raise NotImplementedError

    def players(self) -> tuple[Player, ...]:
        """Autoencoder, critic of codes, generator of codes."""
        coders, n_updates = (self.encoder, self.decoder), self.n_autoencoder
        return (
            Player("autoencoder", coders, self.autoencoder_loss, n_updates),
            Player("critic", (self.adversary,), self.critic_loss),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def make_codes(self, n: int, rng: torch.Generator) -> Tensor:
        """Make codes, shape (n, code_dim)."""
        return self.generator(draw_normal(n, self.latent_dim, rng))

    def draw_codes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Draw a code for each row of a batch, and compute its divergence from the prior.

        Returns
        -------
        code : Tensor of shape (n, code_dim)
        divergence : Tensor of shape (n,)
            Kullback-Leibler divergence of the code's distribution from the standard normal.
        """
        mean, spread = self.encode(batch).chunk(2, dim=1)
        log_deviation = F.logsigmoid(spread)
        deviation = log_deviation.exp()
        code = mean + deviation * draw_normal(len(mean), mean.shape[1], batch.rng)
        divergence = (mean.square() + deviation.square() - 1).sum(dim=1) / 2
        return code, divergence - log_deviation.sum(dim=1)

    def autoencoder_loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood, plus the weighted divergence (Zhao et al., Algorithm 1, 1)."""
        # NOTE[DIFF] the paper adds noise to codes on the unit sphere; a noise that is learnt, and
        # paid for, makes codes as coarse as the data allow. It trains the encoder adversarially
        # too; here that is left to the divergence.
        code, divergence = self.draw_codes(batch)
        error = self.negative_log_likelihood(code, batch)
        return (error + self.kl_weight * divergence).mean()

    def critic_loss(self, batch: Batch) -> Tensor:
        """Loss of telling codes of real data from made codes (Algorithm 1, 2)."""
        code, _ = self.draw_codes(batch)
        return self.adversary.critic_loss(batch, code, self.make_codes(len(code), batch.rng))

    def generator_loss(self, batch: Batch) -> Tensor:
        """Loss of being told apart (Algorithm 1, 3)."""
        code, _ = self.draw_codes(batch)
        return self.adversary.generator_loss(batch, code, self.make_codes(len(code), batch.rng))

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood and divergence per row, in nats."""
        code, divergence = self.draw_codes(batch)
        error = self.negative_log_likelihood(code, batch)
        return {"reconstruction": error.mean(), "divergence": divergence.mean()}


class RowARAEGame(ARAEGame):
    """`ARAEGame` of encoded rows; see `ARAESynthesizer`."""

    # Codes of rows are soon matched, and the autoencoder is what takes the longest to learn.
    n_autoencoder = 2

    def __init__(
        self, layout: Layout, code_dim: int, latent_dim: int, hidden_dim: int, kl_weight: float
    ) -> None:
        encoder = ResidualMLP(layout.width, [hidden_dim] * 2, 2 * code_dim)
        decoder = ResidualMLP(code_dim, [hidden_dim] * 2, layout.width)
        super().__init__(encoder, decoder, code_dim, latent_dim, hidden_dim, kl_weight)
        self.layout = layout

    def encode(self, batch: Batch) -> Tensor:
        """Encode rows."""
        return self.encoder(batch.row)

    def negative_log_likelihood(self, code: Tensor, batch: Batch) -> Tensor:
        """Return that of each row, the sum over its columns."""
        return self.layout.cross_entropy(self.decoder(code), batch.table.codes)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Decode made codes, shape (n, width)."""
        return self.decoder(self.make_codes(len(condition), rng))


class ARAESynthesizer(Inverse, Features, Latent, TableSynthesizer):
    """Adversarially regularised autoencoder [1]_: codes are matched by a learnt generator.

    The adversary works on codes, which are continuous; the decoder has a likelihood for each
    column, numbers being binned by their quantiles, and rows are drawn from it. Unlike
    `AAESynthesizer` it does not force codes onto a prior of given shape.

    `transform` gives the code's mean, `inverse_transform` the most probable row of each code.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps; in each, the autoencoder moves twice, critic and generator once. None:
        1,500, and fewer on small tables.
    learning_rate : float, default=1e-3
        Adam's.
    code_dim : int, default=16
        Width of the code; `latent_dim` is that of the draw z which the generator makes codes of.
    kl_weight : float >= 0, default=0.5
        Weight of the code's divergence from the standard normal, in nats per row, beside the
        reconstruction: how coarse codes are. With 0 they are exact, and harder to match.
    penalty_weight : float >= 0, default=0.1
        Weight of R1 and R2 on the critic of codes, which plays a relativistic game [2]_ in place
        of the paper's Wasserstein one.
    acceptance_rounds : int, default=6
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Zhao et al. (2018), "Adversarially Regularized Autoencoders", arXiv 1706.04223,
       Algorithm 1.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441.
    """

    plan = Plan(n_steps=1500, numbers="bins")
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
        acceptance_rounds: int = 6,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            acceptance_rounds=acceptance_rounds,
            **shared,
        )
        self.code_dim = code_dim
        self.kl_weight = kl_weight
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [R1(self.penalty_weight), R2(self.penalty_weight)]

    def _make_game(self, encoding: Encoding) -> RowARAEGame:
        dims = (self.code_dim, self.latent_dim, self.hidden_dim)
        return RowARAEGame(encoding.layout, *dims, self.kl_weight)

    def _features(self, row: Tensor) -> Tensor:
        return self._core.game.encoder(row)[:, : self.code_dim]

    def _raw_rows(self, features: Tensor) -> Tensor:
        return self._core.game.decoder(features)

    @property
    def _n_features_out(self) -> int:
        return self.code_dim
