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
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.sequences import LatentSequences, SequenceSynthesizer
from tabgan.generation.sequence_set import condition_and_mask
from tabgan.generation.sequences import SequenceEncoding, Written
from tabgan.generation.source import Source
from tabgan.generation.writing import step_log_likelihood, write
from tabgan.models.arae import ARAEGame
from tabgan.networks.recurrent import RecurrentEncoder, RecurrentPolicy
from tabgan.table.layout import Layout


class SequenceARAEGame(ARAEGame):
    """`ARAEGame` for sequences; see `SequenceARAESynthesizer`.

    The decoder writes a sequence step by step, given the code and the condition of the sequence.
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
        """Return the negative log-likelihood of each sequence, the sum over its steps."""
        condition, mask = condition_and_mask(batch)
        given = torch.cat([code, condition], dim=1)
        steps = batch.row, batch.table.codes
        return -step_log_likelihood(self.decoder, self.layout, *steps, given, mask).sum(dim=1)

    def unroll(
        self,
        condition: Tensor,
        n_steps: int,
        rng: torch.Generator,
        z: Tensor | None = None,
        begun: Tensor | None = None,
    ) -> Tensor:
        """Write sequences from synthetic codes, as codes of levels, shape (n, n_steps, n_blocks).

        Parameters
        ----------
        condition : Tensor of shape (n, condition width)
        n_steps : int
            Length of the longest sequence.
        rng : torch.Generator
        z : Tensor of shape (n, latent_dim), optional
            Noise that the generator turns into codes; by default standard normal draws.
        begun : Tensor of shape (n, n_steps, n_blocks), optional
            Levels of first steps, negative for steps to draw.
        """
        code = self.make_codes(len(condition), rng) if z is None else self.generator(z)
        given = torch.cat([code, condition], dim=1)
        return write(self.decoder, self.layout, given, n_steps, rng, begun)[0]


class SequenceARAESynthesizer(LatentSequences, Latent, SequenceSynthesizer):
    """Adversarially regularised autoencoder [1]_ of categorical sequences.

    A recurrent encoder maps each sequence to a code, and a recurrent decoder writes the sequence
    step by step from the code. A generator turns noise into synthetic codes, and a critic tells
    synthetic codes from codes of real sequences. Synthetic sequences are written from synthetic
    codes. The critic sees codes alone, which are continuous, so that no gradient has to pass
    through categories. Numbers are cut into bins by their quantiles. The channels of one step are
    drawn independently of each other, given the code and the steps before.

    Use this class for smooth changes of categorical sequences, by `latent` in `sample`.
    `RCGANSynthesizer` makes better sequences, and gives their likelihood.

    The class differs from the paper as `ARAESynthesizer` does: in the noise of codes, in the
    regularisation of the encoder, and in the relativistic game of the critic [2]_.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 1,500 steps.
    batch_size : int >= 1, default=64
    learning_rate : float > 0, default=2e-3
    latent_dim : int >= 1, default=16
        Width of z, the vector of standard normal noise that the generator turns into a code.
    hidden_dim : int >= 1, default=64
    code_dim : int >= 1, default=8
        Width of the code that stands for a sequence.
    kl_weight : float >= 0, default=0.5
        Weight of the divergence of codes from the standard normal distribution, relative to the
        error of reconstruction, both in nats per sequence. A larger weight makes codes noisier.
        With 0 codes are exact, and the generator matches them less well.
    penalty_weight : float >= 0, default=0.1
        Weight of the zero-centred gradient penalties R1 (on codes of real sequences) and R2 (on
        synthetic codes), gamma in [2]_.
    **shared
        See `SequenceSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each channel.
    given_schema_ : Schema
        The same for the values that hold for a whole sequence: static columns, label, start time
        and length.

    References
    ----------
    .. [1] Zhao et al. (2018), "Adversarially Regularized Autoencoders", arXiv 1706.04223, Algorithm
       1.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv
       2501.05441.

    Examples
    --------
    Sequences on a straight line between two latent vectors:

    >>> import numpy as np
    >>> from tabgan import SequenceARAESynthesizer
    >>> from tabgan.datasets import make_markov_sequences
    >>> table = make_markov_sequences(30, n_steps=6, as_frame=True, random_state=0).frame
    >>> model = SequenceARAESynthesizer(entity="entity", time="time", n_steps=5, random_state=0)
    >>> latent = np.linspace(-np.ones(16), np.ones(16), 4)
    >>> rows = model.fit(table).sample(latent=latent, random_state=0)
    >>> rows["entity"].nunique()
    4
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
