"""A source whose marginal distributions are those of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.adversarial.game import draw_gumbel
from tabgan.generation.source import Source
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.evidence import OPEN, Evidence
from tabgan.table.layout import Layout

N_KNOTS = 257
"""Knots of the map that spreads a scalar evenly."""
N_ROUNDS = 20
"""Rounds of iterative proportional fitting."""


class Calibrated(Source):
    """Draws the rows of a source of raw rows with corrected marginals, see `Calibration`.

    Parameters
    ----------
    source : RawRows or Unrolled
    learns : bool, default=True
        Whether `learn` learns the correction. Without the correction, rows have the rates that the
        game has learnt.
    """

    def __init__(self, source: Any, learns: bool = True) -> None:
        self.source, self.learns = source, learns
        self.has_proposals = source.has_proposals
        layout = source.encoding.layout
        self.calibration = Calibration(layout).to(layout.offsets.device)

    def draw(self, given: Any, noise: torch.Generator) -> EncodedTable:
        """Draw corrected rows.

        Parameters
        ----------
        given : EncodedTable or Outline
        noise : torch.Generator

        Returns
        -------
        EncodedTable
        """
        raw = self.source.raw(given, noise)
        return self.calibration.draw(self.source.encoding.layout, raw, noise)

    def propose(
        self, evidence: Evidence, given: EncodedTable, n_candidates: int, noise: torch.Generator
    ) -> tuple[EncodedTable, Tensor]:
        """Draw candidates of a source that generates raw rows for known levels.

        The blocks of a raw row are independent of each other. An open block therefore draws from
        its allowed levels, and the weight of a candidate is the product of the probabilities of
        allowed levels.

        Parameters
        ----------
        evidence : Evidence of n rows
        given : EncodedTable of n rows
        n_candidates : int >= 1
        noise : torch.Generator

        Returns
        -------
        candidates : EncodedTable of n * n_candidates rows
        log_weights : Tensor of shape (n, n_candidates)
        """
        layout = self.source.encoding.layout
        device = evidence.codes.device
        each = torch.arange(len(evidence), device=device).repeat_interleave(n_candidates)
        evidence = evidence.rows(each)
        raw = self.source.raw_given(evidence.codes, noise) + self.calibration.offset
        log_weights = torch.zeros(len(raw), device=device)
        for block, shares in evidence.shares.items():
            start = int(layout.offsets[block])
            own = slice(start, start + layout.n_levels[block])
            is_open = (evidence.codes[:, block] == OPEN).nonzero().squeeze(1)
            allowed = shares[evidence.which[block][is_open]].log()
            chance = torch.log_softmax(raw[is_open, own], dim=1) + allowed
            log_weights[is_open] += chance.logsumexp(dim=1)
            raw[is_open, own] = chance
        codes, scalars = layout.draw(raw, draw_gumbel(len(raw), layout.width, noise))
        codes = torch.where(evidence.codes >= 0, evidence.codes, codes)
        return EncodedTable(codes, scalars), log_weights.view(-1, n_candidates)

    def prepare(self, real: Any, streams: Streams) -> None:
        """Let the source count what it needs of real rows before training."""
        self.source.prepare(real, streams)

    def learn(self, real: Any, streams: Streams) -> None:
        """Learn the correction from raw rows, whose conditions occur at their training rates.

        Parameters
        ----------
        real : Rows or SequenceSet
            The training rows, whose number decides the number of raw rows.
        streams : Streams
        """
        if not self.learns:
            return
        encoding = self.source.encoding
        raw = self.source.raw(self.source.typical(real, streams.rng), streams.noise)
        self.calibration.fit(encoding.layout, encoding.masses, raw, streams.noise)

    def modules(self) -> dict[str, nn.Module]:
        """Return the calibration, and the modules of the source."""
        return {**self.source.modules(), "calibration": self.calibration}


class Calibration(nn.Module):
    """Corrects a generator's marginals, so that rare levels appear at their training rates.

    Levels: the log-probability of each level l gets an offset o_l. With the offsets, the mean
    probability of the level over n synthetic rows equals the level's share pi_l of the training
    rows. Iterative proportional fitting [1]_ finds the offsets. Each round computes::

        o_l <- o_l + log pi_l - log(1/n sum_i softmax(raw_i + o)_l)

    The softmax makes the probabilities of each row add up to 1 (the row step of the algorithm), and
    the added term makes the mean of each level equal pi_l (the column step). Every row of a level
    gets the same offset. The generator's dependence between columns therefore stays as far as the
    rates allow.

    Scalars: an encoded scalar is a rank, and so is uniform in [-1, 1] over the training rows. The
    correction maps each synthetic scalar to its rank among synthetic scalars, which is the
    probability integral transform. The map is monotone and keeps the order of rows.

    Parameters
    ----------
    layout : Layout

    References
    ----------
    .. [1] Deming and Stephan (1940), "On a Least Squares Adjustment of a Sampled Frequency Table
       When the Expected Marginal Totals are Known", Annals of Mathematical Statistics 11(4).

    Examples
    --------
    A generator that gives both levels the same probability is corrected to the rates .9 and .1:

    >>> import numpy as np
    >>> import torch
    >>> from tabgan.generation.calibrated import Calibration
    >>> from tabgan.table.layout import Layout
    >>> layout, rng = Layout([2], []), torch.Generator().manual_seed(0)
    >>> calibration = Calibration(layout)
    >>> calibration.fit(layout, [np.array([0.9, 0.1])], torch.zeros(100, 2), rng)
    >>> [round(share, 3) for share in torch.softmax(calibration.offset, 0).tolist()]
    [0.9, 0.1]
    """

    offset: Tensor
    knots: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(layout.width))
        self.register_buffer("knots", even_knots(layout.n_scalars))

    @torch.no_grad()
    def fit(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        raw: Tensor,
        rng: torch.Generator,
    ) -> None:
        """Learn the correction from raw rows.

        Parameters
        ----------
        layout : Layout
        masses : sequence of ndarray
            For each block, each level's share of the training rows.
        raw : Tensor of shape (n, width)
            Raw rows of the generator.
        rng : torch.Generator
            Draws the levels that decide which scalars apply.
        """
        log_target = layout.along_row(masses).to(raw.device).clamp_min(1e-7).log()
        is_level = torch.zeros(layout.width, dtype=torch.bool, device=raw.device)
        is_level[layout.n_scalars :] = layout.level_mask[layout.n_scalars :] == 0
        # Powers are taken once: an offset multiplies each row's weight of its level by one factor.
        weights = [
            (part - part.amax(dim=2, keepdim=True)).exp().transpose(0, 1).contiguous()
            for part in layout.split(raw + layout.level_mask, 1)
        ]
        # The bound of 2 on a round's change keeps very improbable levels from overshooting.
        self.offset.zero_()
        for _ in range(N_ROUNDS):
            made = log_target.clone()
            parts = zip(weights, layout.split(self.offset, 0), layout.split(made, 0), strict=True)
            for weight, offset, mean in parts:
                factor = offset.exp()
                total = torch.bmm(weight, factor[:, :, None])
                sums = torch.bmm(1.0 / total.transpose(1, 2), weight)
                mean.copy_((factor * sums[:, 0] / len(raw)).clamp_min(1e-7).log())
            self.offset += torch.where(is_level, (log_target - made).clamp(-2.0, 2.0), 0.0)
        codes, scalars = layout.draw(raw + self.offset, draw_gumbel(len(raw), layout.width, rng))
        self.knots.copy_(scalar_knots(layout, EncodedTable(codes, scalars)))

    @torch.no_grad()
    def draw(self, layout: Layout, raw: Tensor, rng: torch.Generator) -> EncodedTable:
        """Draw corrected rows from raw rows.

        Parameters
        ----------
        layout : Layout
        raw : Tensor of shape (n, width)
        rng : torch.Generator

        Returns
        -------
        EncodedTable of n rows
        """
        codes, scalars = layout.draw(raw + self.offset, draw_gumbel(len(raw), layout.width, rng))
        if not layout.n_scalars:
            return EncodedTable(codes, scalars)
        even = even_ranks(self.knots, scalars, rng)
        return EncodedTable(codes, layout.gate(codes, even))


def even_knots(n_scalars: int) -> Tensor:
    """Return the knots of scalars that are spread evenly already, shape (n_scalars, N_KNOTS)."""
    return torch.linspace(-1.0, 1.0, N_KNOTS).repeat(n_scalars, 1)


def scalar_knots(layout: Layout, table: EncodedTable) -> Tensor:
    """Return quantiles of each scalar, in the rows in which the scalar applies.

    Parameters
    ----------
    layout : Layout
    table : EncodedTable of n rows

    Returns
    -------
    Tensor of shape (n_scalars, N_KNOTS)
        A scalar that applies in fewer than `N_KNOTS` rows has the knots of `even_knots`.
    """
    codes, scalars = table
    knots = even_knots(layout.n_scalars).to(scalars.device)
    shares = torch.linspace(0.0, 1.0, N_KNOTS, device=scalars.device)
    for j, gate in enumerate(layout.gates.tolist()):
        applies = scalars[codes[:, gate] == 0, j] if gate >= 0 else scalars[:, j]
        if len(applies) >= N_KNOTS:
            knots[j] = torch.quantile(applies, shares)
    return knots


def even_ranks(knots: Tensor, scalars: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """Map scalars to their ranks among knots, in [-1, 1] (the probability integral transform).

    The rank of a value is its place among the knots, interpolated between two knots. A value equal
    to several knots, such as a bound at which many values were clipped, has a range of ranks.

    Parameters
    ----------
    knots : Tensor of shape (n_scalars, n_knots)
    scalars : Tensor of shape (n, n_scalars)
    rng : torch.Generator, optional
        Draws a rank uniformly from a range of ranks. By default the middle of the range is taken.

    Returns
    -------
    Tensor of shape (n, n_scalars)

    Examples
    --------
    Scalars between -1 and 0 are spread over [-1, 1]:

    >>> import torch
    >>> from tabgan.generation.calibrated import even_knots, even_ranks
    >>> even_ranks((even_knots(1) - 1.0) / 2, torch.tensor([[-1.0], [-0.25], [0.0]])).tolist()
    [[-1.0], [0.5], [1.0]]
    """
    values, n_knots = scalars.T.contiguous(), knots.shape[1]
    left = torch.searchsorted(knots, values, side="left")
    right = torch.searchsorted(knots, values, side="right")
    upper = left.clamp(1, n_knots - 1)
    low, high = knots.gather(1, upper - 1), knots.gather(1, upper)
    inside = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0.0, 1.0)
    tied = right > left + 1
    share: Any = 0.5
    if rng is not None:
        share = torch.rand(values.shape, generator=rng, device=values.device)
    position = torch.where(tied, left + share * (right - 1 - left), upper - 1 + inside)
    return (2.0 * position / (n_knots - 1) - 1.0).T
