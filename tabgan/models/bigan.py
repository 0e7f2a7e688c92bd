"""Bidirectional GAN: an encoder that is learnt together with the generator, as its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from tabgan.adversarial.adversary import Adversary
from tabgan.adversarial.causal import CausalDecoder
from tabgan.adversarial.game import Batch, Game, Player, draw_normal, soften
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.priors import rounding_noise
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, number
from tabgan.estimators.adversarial import STAGED_PLAN, Decoding, Latent
from tabgan.estimators.features import Features, Inverse, Scaled, Scaling
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.encoding import Encoding
from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.mlp import Critic, ResidualMLP
from tabgan.networks.ranks import RankView
from tabgan.table.layout import Layout


class BiGANGame(CausalDecoder, Game):
    """A discriminator of pairs, (x, E(x)) and (G(z), z), against an encoder E and a generator G.

    Parameters
    ----------
    layout : Layout
    latent_dim, hidden_dim : int
    networks : ColumnNetworks, optional
        Networks that draw columns in turn, given a code.
    code_noise : float >= 0, default=0
        See `CausalDecoder`.
    view : RankView, optional
        What discriminator, encoder and generator see in place of rows; `layout` is then its layout.
    """

    column_rate = 16.0
    column_stage = 1

    def __init__(
        self,
        layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        networks: ColumnNetworks | None = None,
        code_noise: float = 0.0,
        view: RankView | None = None,
    ) -> None:
        super().__init__()
        self.networks, self.code_noise, self.view = networks, code_noise, view
        self.layout, self.latent_dim, self.noise = layout, latent_dim, rounding_noise(latent_dim)
        self.encoder = ResidualMLP(layout.width, [hidden_dim] * 2, latent_dim)
        self.generator = ResidualMLP(latent_dim, [hidden_dim] * 2, layout.width)
        critic = Critic(layout.width + latent_dim, [hidden_dim] * 3)
        self.adversary = Adversary(critic, RELATIVISTIC)

    def players(self) -> tuple[Player, ...]:
        """Return the discriminator, encoder and generator as one player, and any networks."""
        return (
            Player("discriminator", (self.adversary,), self.discriminator_loss, self.n_coded),
            Player("coders", (self.encoder, self.generator), self.coders_loss, self.n_coded),
            *self.column_players(),
        )

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows, shape (n, width), one for each condition."""
        return self.generator(draw_normal(len(condition), self.latent_dim, rng))

    def pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pair real rows with their codes, and latent draws with the rows generated from them.

        Returns
        -------
        real, fake : Tensor of shape (n, width + latent_dim)
        """
        z = draw_normal(len(batch.row), self.latent_dim, batch.rng)
        made = soften(self.layout, self.generator(z), batch.rng)
        row = self.seen(batch.row)
        real = torch.cat([row, self._coded(row, batch.rng)], dim=1)
        return real, torch.cat([made, z], dim=1)

    def raw_rows(self, z: Tensor) -> Tensor:
        """Decode latent vectors, shape (n, latent_dim), into raw rows, by the generator alone."""
        raw = self.generator(z)
        return raw if self.view is None else self.view.raw(raw)

    def _coded(self, row: Tensor, rng: torch.Generator) -> Tensor:
        """Draw a code for each row, as the encoder sees the row."""
        code = self.encoder(row)
        if self.noise:
            # NOTE[DIFF] The paper's encoder is exact. Here codes have the noise of rounding, so
            # that the generator can read the rounded codes that `transform` gives.
            code = code + self.noise * draw_normal(len(code), self.latent_dim, rng)
        return code

    def real_codes(self, batch: Batch) -> Tensor:
        """Draw a code for each row of a batch, with the noise that the networks are given."""
        return self.blurred(self._coded(self.seen(batch.row), batch.rng), batch.rng)

    def synthetic_codes(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Draw a latent vector for each condition, which is empty."""
        return self.blurred(draw_normal(len(condition), self.latent_dim, rng), rng)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the loss of telling the pairs apart (Donahue et al., 2017, equation 2)."""
        return self.adversary.critic_loss(batch, *self.pairs(batch))

    def coders_loss(self, batch: Batch) -> Tensor:
        """Return the discriminator's loss with both kinds of pairs swapped (section 3.4)."""
        return self.adversary.swapped_loss(batch, *self.pairs(batch))


class BiGANSynthesizer(Inverse, Scaling, Features, Decoding, Latent, TableSynthesizer):
    """Bidirectional GAN [1]_: a generator, and an encoder that learns to be its inverse.

    The discriminator sees pairs of a row and a latent vector: a real row with its code, (x, E(x)),
    or a synthetic row with the vector that it was generated from, (G(z), z). The discriminator is
    helpless only if the encoder E inverts the generator G.

    The generator makes all columns of a row at once. By default it teaches the encoder alone, and a
    decoder of columns makes the synthetic rows, which are then far more faithful. The decoder
    learns from real rows and their codes, and draws one column after another, each given z and the
    columns before it. It sees numbers cut into bins; discriminator, encoder and generator see the
    ranks of the bins.

    Use this class for latent features that are learnt without a comparison of rows. No row is
    compared with its reconstruction, so E(x) keeps what matters to the joint distribution, and
    G(E(x)) may be far from x. `AAESynthesizer` and `ARAESynthesizer` reconstruct rows better.

    `transform` gives E(x), rounded to about 32 bits a row, times one factor by which the variances
    of the codes of the training rows add up to 0.25. Codes of one to three numbers are not rounded.
    `inverse_transform` takes such codes and gives the most probable row of G. Boosted trees gain
    nothing from codes beside the columns, and with a few hundred labelled rows of a table of few
    columns they lose.

    The class differs from the paper in three ways. A decoder of columns makes the rows. The
    discriminator plays a relativistic game with gradient penalties [2]_. In training, codes of real
    rows have the noise of rounding.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps, of which the decoder of columns has the last third, after the
        others. None takes 1,200, or 2,000 with ``decoder="joint"``, and fewer on small tables: at
        most 300 passes over the rows if early stopping is off.
    latent_dim : int >= 1, default=16
        Width of z, the vector of standard normal noise that the generator turns into a row. It is
        also the number of features.
    penalty_weight : float >= 0, default=1
        Weight of the zero-centred gradient penalties R1 (on real pairs) and R2 (on synthetic
        pairs), gamma in [2]_.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Donahue et al. (2017), "Adversarial Feature Learning", arXiv 1605.09782, equation 2.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv
       2501.05441.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from tabgan import BiGANSynthesizer
    >>> X = load_digits().data[:100]
    >>> model = BiGANSynthesizer(n_steps=5, latent_dim=8, random_state=0).fit(X)
    >>> model.transform(X).shape
    (100, 8)
    >>> model.inverse_transform(model.transform(X)).shape
    (100, 64)
    """

    plan = STAGED_PLAN
    joint_plan = Plan(n_steps=2000)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {"penalty_weight": number(0)}

    def __init__(
        self,
        *,
        latent_dim: int = 16,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim, **shared)
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [R1(self.penalty_weight), R2(self.penalty_weight)]

    def _make_game(self, encoding: Encoding) -> BiGANGame:
        dims = (self.latent_dim, self.hidden_dim)
        networks = self._column_networks(encoding, self.latent_dim)
        if networks is None:
            return BiGANGame(encoding.layout, *dims)
        view = RankView(encoding.layout, encoding.level_ranks)
        return BiGANGame(view.layout, *dims, networks, self.code_noise, view)

    def _unscaled(self, row: Tensor) -> Tensor:
        game = self._core.game
        return game.encoder(game.seen(row))

    def _raw_rows(self, features: Tensor) -> Tensor:
        return self._core.game.raw_rows(features)

    def _make_scaling(self, game: BiGANGame) -> Scaled:
        return Scaled(self.latent_dim)
