"""Sources of encoded rows, the links of the chain from weights to rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tabgan.adversarial.game import draw_gumbel
from tabgan.generation.encoding import Encoding, Rows
from tabgan.networks.precision import fast_matmul
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.evidence import Evidence

CHUNK = 16_384
"""Most rows that one pass of the generator makes."""

N_CANDIDATES, FEW_ROWS = 8, 20_000
"""Candidates for each row of `complete`: at least 8, and ``FEW_ROWS / n`` for n rows, up to 64."""

MOST_ROWS = 50_000
"""Rows whose candidates `complete` holds in memory at once."""

MOST_CANDIDATES = 200_000
"""Most candidates of one more try of `complete`."""

MOST_TYPICAL = 20_000
"""Most raw rows from which rates of levels are corrected."""


class Source:
    """Draws one encoded row for each condition.

    A source may hold another source. A new step between weights and rows is a new source around an
    old one, so that no class overrides a step of another class and no path leaves a step out.

    Attributes
    ----------
    has_likelihood : bool
        Whether the source implements `log_likelihood`.
    has_proposals : bool
        Whether the source implements `propose`.
    """

    def draw(self, given: Any, noise: torch.Generator) -> EncodedTable:
        """Draw one encoded row for each condition.

        Parameters
        ----------
        given : EncodedTable of n rows, on the device
            The conditions. Sources of sequences take an `Outline` of n sequences.
        noise : torch.Generator
            On the device.

        Returns
        -------
        EncodedTable of n rows, on the device
            A source of sequences returns one row for each step of each sequence.
        """
        raise NotImplementedError

    has_likelihood = False
    """Whether the source implements `log_likelihood`."""

    def log_likelihood(self, real: Any, own: bool = False) -> Tensor:
        """Return the log-probability of each encoded row given the row's condition.

        Parameters
        ----------
        real : Rows of n rows
        own : bool, default=False
            Whether `prepare` got these rows, which are then left out of what it counted.

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        raise NotImplementedError

    def log_density(self, rows: Rows) -> Tensor:
        """Return the log-density of the rows that `draw` draws, up to a constant.

        Parameters
        ----------
        rows : Rows of n rows

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        return self.log_likelihood(rows)

    has_proposals = False
    """Whether the source implements `propose`."""

    def propose(
        self, evidence: Evidence, given: EncodedTable, n_candidates: int, noise: torch.Generator
    ) -> tuple[EncodedTable, Tensor]:
        """Draw candidates for rows of which something is known, with their importance weights.

        Candidates that are picked in proportion to their weights follow the source's distribution
        of rows given the evidence, the more nearly the more candidates there are.

        Parameters
        ----------
        evidence : Evidence of n rows, on the device
        given : EncodedTable of n rows, on the device
            The conditions.
        n_candidates : int >= 1
            Candidates for each row.
        noise : torch.Generator

        Returns
        -------
        candidates : EncodedTable of n * n_candidates rows
            The candidates of a row lie next to each other.
        log_weights : Tensor of shape (n, n_candidates)
        """
        raise NotImplementedError

    def prepare(self, real: Any, streams: Streams) -> None:
        """Count, before training, what the game reads about all real rows; by default nothing.

        Parameters
        ----------
        real : Rows
            All real rows, with those that are held out.
        streams : Streams
        """

    def learn(self, real: Any, streams: Streams) -> None:
        """Learn after training what makes drawn rows more like real rows; by default nothing.

        Parameters
        ----------
        real : Rows or SequenceSet
        streams : Streams
        """

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules with learnt tensors, also those of the sources that this source holds.

        Returns
        -------
        dict of str to Module
            By the name that the module has in files.
        """
        return {}


def complete(
    source: Source,
    evidence: Evidence,
    given: EncodedTable,
    noise: torch.Generator,
    n_candidates: int = 0,
) -> EncodedTable:
    """Draw one row for each row of evidence, by sampling importance resampling [1]_.

    Rows with equal evidence share their candidates. From the candidates of m such rows, m are
    picked by systematic sampling: a candidate is picked as often as its share of the weights, times
    m, rounded up or down. The more rows share candidates, the more nearly the rows follow the
    source.

    A few candidates have all the weight where the proposal is poor, as under a condition that
    hardly ever occurs. If m rows have fewer than m + 1/2 effective candidates (the squared sum of
    weights over the sum of squares, [2]_), they are drawn again from eight times as many.

    Parameters
    ----------
    source : Source
        A source with proposals.
    evidence : Evidence of n rows, on the device
    given : EncodedTable of n rows, on the device
    noise : torch.Generator
    n_candidates : int, default=0
        Candidates for each row; 0 takes 8, and up to 64 for few rows.

    Returns
    -------
    EncodedTable of n rows, on the device
        Known levels are as the evidence says, and open ones are allowed by the evidence.

    References
    ----------
    .. [1] Rubin (1988), "Using the SIR Algorithm to Simulate Posterior Distributions", Bayesian
       Statistics 3.
    .. [2] Kong (1992), "A Note on Importance Sampling Using Standardized Weights", technical report
       348, University of Chicago.
    """
    n, device = len(evidence), evidence.codes.device
    if n > MOST_ROWS:
        parts = [
            complete(source, evidence.rows(part), given.rows(part), noise, n_candidates)
            for part in torch.arange(n, device=device).split(MOST_ROWS)
        ]
        codes, scalars = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        return EncodedTable(codes, scalars)
    if not n_candidates:
        n_candidates = min(max(N_CANDIDATES, FEW_ROWS // n), 8 * N_CANDIDATES)
    candidates, log_weights = source.propose(evidence, given, n_candidates, noise)
    group = evidence.groups(given)
    # Rows in the order of their groups, in random order within a group.
    rows = torch.randperm(n, generator=noise, device=device)
    rows = rows[torch.argsort(group[rows], stable=True)]
    of_row = log_weights[rows].double()
    group, size = torch.unique_consecutive(group[rows], return_inverse=True, return_counts=True)[1:]
    # Weights of a group are scaled to add up to the number of its rows.
    largest = torch.full((len(size),), -torch.inf, dtype=torch.float64, device=device)
    largest = largest.scatter_reduce(0, group, of_row.amax(dim=1), "amax")
    weights = (of_row - largest[group][:, None]).exp()
    total = torch.zeros_like(largest).scatter_add(0, group, weights.sum(dim=1))
    edges = (weights * (size / total)[group][:, None]).flatten().cumsum(0)
    start = torch.rand(len(size), generator=noise, device=device, dtype=torch.float64)
    target = torch.arange(n, device=device) + start[group]
    picked = torch.searchsorted(edges, target, right=True).clamp(max=len(edges) - 1)
    # Rounding must not lead out of a row's own group.
    ends = size.cumsum(0)[group] * n_candidates
    picked = picked.clamp(ends - size[group] * n_candidates, ends - 1)
    chosen = torch.empty_like(picked)
    chosen[rows] = rows[picked // n_candidates] * n_candidates + picked % n_candidates
    made = candidates.rows(chosen)
    squares = torch.zeros_like(largest).scatter_add(0, group, weights.square().sum(dim=1))
    is_poor = total.square() / squares < size + 0.5
    poor = rows[is_poor[group]]
    if len(poor) and 8 * n_candidates * len(poor) <= MOST_CANDIDATES:
        again = complete(source, evidence.rows(poor), given.rows(poor), noise, 8 * n_candidates)
        made.codes[poor], made.scalars[poor] = again
    return made


def posterior(source: Source, rows: Rows, block: int, n_levels: int) -> Tensor:
    """Compute the probability of each level of one block, given all other blocks.

    The density of a row is compared over the levels of the block, which is exact: no level is
    drawn.

    Parameters
    ----------
    source : Source
        A source with a likelihood.
    rows : Rows of n rows
        The level of the block does not matter.
    block : int
    n_levels : int
        Levels of the block.

    Returns
    -------
    Tensor of shape (n, n_levels)
        Log-probabilities.
    """
    parts = []
    device = rows.made.codes.device
    for index in torch.arange(rows.n, device=device).split(max(1, CHUNK // n_levels)):
        some = rows.take(index.repeat_interleave(n_levels))
        some.made.codes[:, block] = torch.arange(n_levels, device=device).repeat(len(index))
        log_density = source.log_density(some).view(-1, n_levels)
        parts.append(torch.log_softmax(log_density, dim=1))
    return torch.cat(parts)


def fill(source: Source, real: Rows, noise: torch.Generator) -> Rows:
    """Draw the unknown levels of real rows, if the source has proposals.

    Parameters
    ----------
    source : Source
    real : Rows
    noise : torch.Generator

    Returns
    -------
    Rows
        The same rows; unknown levels stay unknown if the source has no proposals.
    """
    gaps = (real.made.codes < 0).any(dim=1).nonzero().squeeze(1)
    if not source.has_proposals or not len(gaps):
        return real
    some = real.take(gaps)
    made = complete(source, Evidence(some.made.codes, {}, {}), some.given, noise)
    codes = real.made.codes.clone()
    codes[gaps] = made.codes
    return Rows(EncodedTable(codes, real.made.scalars), real.given)


class RawRows(Source):
    """The generator of a game, as a source that draws each level at the generator's probability.

    Parameters
    ----------
    game : Game
        The game with averaged weights.
    encoding : Encoding
    """

    def __init__(self, game: Any, encoding: Encoding) -> None:
        self.game, self.encoding = game, encoding

    @torch.no_grad()
    def raw(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Generate one raw row for each condition, `CHUNK` rows at a time.

        Parameters
        ----------
        given : EncodedTable of n rows
        noise : torch.Generator

        Returns
        -------
        Tensor of shape (n, width)
            Scalars and unnormalised log-probabilities.
        """
        return self.generate(self.condition(given, noise), noise)

    @torch.no_grad()
    def generate(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Generate one raw row for each condition that is laid out for the game.

        Parameters
        ----------
        condition : Tensor of shape (n, condition width)
        noise : torch.Generator

        Returns
        -------
        Tensor of shape (n, width)
        """
        with fast_matmul():
            return torch.cat([self.game.generate(part, noise) for part in condition.split(CHUNK)])

    def condition(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Lay conditions out for the game.

        Parameters
        ----------
        given : EncodedTable of n rows
        noise : torch.Generator
            For games whose condition has a random part.

        Returns
        -------
        Tensor of shape (n, condition width)
        """
        return self.encoding.condition_layout.expand(*given)

    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one row for each condition, with the rates of levels that the game has learnt.

        Parameters
        ----------
        given : EncodedTable of n rows
        noise : torch.Generator

        Returns
        -------
        EncodedTable of n rows
        """
        raw, layout = self.raw(given, noise), self.encoding.layout
        return EncodedTable(*layout.draw(raw, draw_gumbel(len(raw), layout.width, noise)))

    def typical(self, real: Any, rng: np.random.Generator) -> EncodedTable:
        """Draw conditions at their training rates, enough to correct the rates of levels.

        The number grows with the number of training rows, because the training rows know the rates
        to no better than their own sampling error. The number falls with the width of a row,
        because the raw rows must fit in memory.

        Parameters
        ----------
        real : Rows
            The training rows.
        rng : numpy Generator

        Returns
        -------
        EncodedTable of 256 to `MOST_TYPICAL` rows, on the device
        """
        width = self.encoding.layout.width
        n = max(256, min(MOST_TYPICAL, 2_000 + 10 * real.n, 20_000_000 // width))
        return self.encoding.conditions.draw(n, rng).to(real.made.codes.device)
