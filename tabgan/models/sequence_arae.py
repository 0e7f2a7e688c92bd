"""Adversarially regularised autoencoder of categorical sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from tabgan.adversarial.game import Batch
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import R1, R2, Technique
from tabgan.checks import Rule, integer, number
from tabgan.estimators.estimator import Latent
from tabgan.estimators.sequences import LatentSequences, SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import SequenceEncoding, Written
from tabgan.generation.source import Source
from tabgan.generation.writing import step_log_likelihood, write
from tabgan.models.arae import ARAEGame
from tabgan.networks.recurrent import RecurrentEncoder, RecurrentPolicy
from tabgan.table.layout import Layout


class SequenceARAEGame(ARAEGame):
    """`ARAEGame` of sequences; see `SequenceARAESynthesizer`.

    The decoder writes a sequence step by step, given its code and condition, and has a likelihood.
    """

    decoder: RecurrentPolicy

    def __init__(
        self,
        layout: Layout,
        n_given: int,
        code_dim: int,
        latent_dim: int,
        hidden_dim: int,
        kl_weight: float,
    ) -> None:
        encoder = RecurrentEncoder(layout.width, n_given, hidden_dim, 2 * code_dim)
        decoder = RecurrentPolicy(layout.width, code_dim + n_given, hidden_dim)
        super().__init__(encoder, decoder, code_dim, latent_dim, hidden_dim, kl_weight)
        self.layout = layout

    def encode(self, batch: Batch) -> Tensor:
        """Encode sequences."""
        return self.encoder(batch.row, *condition_and_mask(batch))

    def negative_log_likelihood(self, code: Tensor, batch: Batch) -> Tensor:
        """Return that of each sequence, the sum over its steps."""
        condition, mask = condition_and_mask(batch)
        given = torch.cat([code, condition], dim=1)
        steps = batch.row, batch.table.codes
        return -step_log_likelihood(self.decoder, self.layout, *steps, given, mask).sum(dim=1)

    def unroll(
        self, condition: Tensor, n_steps: int, rng: torch.Generator, z: Tensor | None = None
    ) -> Tensor:
        """Write sequences from made codes: codes of shape (n, n_steps, n_blocks)."""
        code = self.make_codes(len(condition), rng) if z is None else self.generator(z)
        given = torch.cat([code, condition], dim=1)
        return write(self.decoder, self.layout, given, n_steps, rng)[0]


class SequenceARAESynthesizer(LatentSequences, Latent, SequenceSynthesizer):
    """Adversarially regularised autoencoder [1]_ of categorical sequences.

    A recurrent encoder maps a sequence to a code, a recurrent decoder writes it step by step given
    the code, and codes to write new sequences from are made by a learnt generator, whose adversary
    never sees a category. Numbers are binned by their quantiles. The channels of a step are drawn
    independently of each other given the steps before and the code.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps. None: 1,500.
    batch_size : int, default=64
        Sequences per update.
    learning_rate : float, default=2e-3
        Adam's.
    latent_dim : int, default=16
        Width of the draw z that the generator makes a code of.
    hidden_dim : int, default=64
        Width of the recurrent states and of the hidden layers of generator and critic.
    code_dim : int, default=8
        Width of the code.
    kl_weight : float >= 0, default=0.5
        Weight of the code's divergence from the standard normal beside the likelihood.
    penalty_weight : float >= 0, default=0.1
        Weight of R1 and R2 on the critic of codes.
    **shared
        See `SequenceSynthesizer`.

    References
    ----------
    .. [1] Zhao et al. (2018), "Adversarially Regularized Autoencoders", arXiv 1706.04223,
       Algorithm 1.
    """

    plan = Plan(n_steps=1500, numbers="bins", max_bins=32)
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "code_dim": integer(1),
        "kl_weight": number(0),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        latent_dim: int = 16,
        hidden_dim: int = 64,
        code_dim: int = 8,
        kl_weight: float = 0.5,
        penalty_weight: float = 0.1,
        **shared: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            learning_rate=learning_rate,
            latent_dim=latent_dim,
            hidden_dim=hidden_dim,
            **shared,
        )
        self.code_dim = code_dim
        self.kl_weight = kl_weight
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [R1(self.penalty_weight), R2(self.penalty_weight)]

    def _make_game(self, encoding: SequenceEncoding) -> SequenceARAEGame:
        n_given = encoding.condition_layout.width
        dims = (self.code_dim, self.latent_dim, self.hidden_dim)
        return SequenceARAEGame(encoding.layout, n_given, *dims, self.kl_weight)

    def _make_chain(self, game: Any, encoding: SequenceEncoding) -> Source:
        return Written(game, encoding)
