"""A source that rejects rows which do not fit the condition that they were drawn for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tabgan.adversarial.training import shuffled
from tabgan.generation.accepted import HELD_OUT, MIN_REAL_ROWS, fall, redrawn
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.source import Source
from tabgan.networks.mlp import ResidualMLP
from tabgan.networks.ranks import RankView
from tabgan.randomness import Streams, seeded_weights
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

MAX_REAL_ROWS, POOL_SIZE = 20_000, 4
"""Most real rows that a classifier learns from, and synthetic rows for each of them."""

N_STEPS, BATCH_SIZE, LEARNING_RATE = 300, 256, 2e-3
"""Training of a classifier."""

SOFTER = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Temperatures of a classifier, of which held-out rows choose one."""

CAP_RATE = 0.9
"""Quantile of the synthetic rows' log-ratios beyond which every row is kept.

A synthetic row whose condition its twin misreads has a large ratio by mistake. A cap as high as
such ratios would reject nearly every row.
"""

LEAST = 1e-3
"""Least probability of a category that counts, for real rows as for synthetic rows."""


class Fitting(Source):
    """Keeps a row with a probability that grows with how well the row fits its condition.

    A rejected row is drawn anew for the same condition, so that conditions keep their rates. See
    `Fit` for the probability.

    Parameters
    ----------
    source : Source
    encoding : Encoding
        With at least one condition column that is a category.
    hidden_dim : int
        Width of each of the two blocks of a classifier.
    n_twins : int >= 1, default=1
        Pairs of classifiers.
    """

    def __init__(
        self, source: Source, encoding: Encoding, hidden_dim: int, n_twins: int = 1
    ) -> None:
        self.source, self.encoding = source, encoding
        self.has_likelihood = source.has_likelihood
        self.fit = Fit(RowView(encoding), encoding.condition_layout, hidden_dim, n_twins)
        self.fit.to(encoding.layout.offsets.device)

    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one row for each condition that fits it, from at most `MAX_DRAWS` candidates each.

        Parameters
        ----------
        given : EncodedTable of n rows
        noise : torch.Generator

        Returns
        -------
        EncodedTable of n rows
        """
        if not self.fit.is_active:
            return self.source.draw(given, noise)
        return redrawn(self.source, given, noise, lambda rows: self.fit.accept(rows, noise))

    def log_likelihood(self, real: Rows, own: bool = False) -> Tensor:
        """Return the log-probability of rows before any row is rejected, shape (n,), in nats."""
        return self.source.log_likelihood(real, own)

    def log_density(self, rows: Rows) -> Tensor:
        """Add the log-probability that a row is kept to the log-density of the source."""
        log_density = self.source.log_density(rows)
        if self.fit.is_active:
            log_density = log_density + self.fit.log_chance(rows)
        return log_density

    def prepare(self, real: Rows, streams: Streams) -> None:
        """Let the source count what it needs of real rows before training."""
        self.fit.clear()
        self.source.prepare(real, streams)

    def learn(self, real: Rows, streams: Streams) -> None:
        """Let the source learn, then learn how conditions follow from real and synthetic rows.

        Parameters
        ----------
        real : Rows
        streams : Streams
        """
        self.fit.clear()
        self.source.learn(real, streams)
        if real.n < MIN_REAL_ROWS:
            return
        real = real.some(MAX_REAL_ROWS, streams.rng)
        given = self.encoding.conditions.draw(POOL_SIZE * real.n, streams.rng)
        given = given.to(real.made.codes.device)
        pool = Rows(self.source.draw(given, streams.noise), given)
        self.fit.learn(real, pool, streams)

    def modules(self) -> dict[str, nn.Module]:
        """Return the classifiers, and the modules of the source."""
        return {**self.source.modules(), "fit": self.fit}


class RowView(nn.Module):
    """Encoded rows with one number in place of each ordered column, see `RankView`.

    Parameters
    ----------
    encoding : Encoding
    """

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        self.layout = encoding.layout
        self.ranks = RankView(encoding.layout, encoding.level_ranks)

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return self.layout.n_scalars + self.ranks.layout.width

    def forward(self, table: EncodedTable) -> Tensor:
        """See n encoded rows, shape (n, width)."""
        row = self.layout.expand(*table)
        return torch.cat([row[:, : self.layout.n_scalars], self.ranks(row)], dim=1)


class Fit(nn.Module):
    """Rejection sampling by how much likelier a condition is given a row than it should be.

    One classifier infers the condition y from real rows x, and another one, its twin, infers from
    synthetic rows the condition that each was drawn for ([1]_). A row is kept with probability
    w(x, y)::

        r(x, y) = log P_real(y | x) - log P_synthetic(y | x)
        w(x, y) = min(1, exp(r(x, y) - cap))

    With exact probabilities and the maximum of r as the cap, y has for each kept row the
    distribution that it has for real rows. Where classes overlap, rows keep the overlap. A single
    classifier, such as that of AC-GAN, would keep the rows alone of which it is certain. The cap is
    a quantile of r over synthetic rows.

    Of several pairs of classifiers, r takes the least probability that any of them infers from real
    rows, and the largest that any twin infers. Classifiers that learn from other starts agree on
    rows that are like real ones, and differ on rows that are like no real one: such rows go too.

    Rows are rejected only if that lowers the Kullback-Leibler divergence of real rows from kept
    rows on held-out rows, by the bound of `Acceptance`.

    Parameters
    ----------
    view : RowView
    layout : Layout
        Layout of conditions. Of several categories the log-ratios add up.
    hidden_dim : int
    n_twins : int >= 1, default=1
        Pairs of classifiers.

    References
    ----------
    .. [1] Gong et al. (2019), "Twin Auxiliary Classifiers GAN", arXiv 1907.02690, section 3.2.
    """

    cap: Tensor
    softer: Tensor
    active: Tensor

    def __init__(self, view: RowView, layout: Layout, hidden_dim: int, n_twins: int = 1) -> None:
        super().__init__()
        self.view, self.layout, self.hidden_dim = view, layout, hidden_dim
        self.of_real, self.of_synthetic = (
            nn.ModuleList(self._fresh(0) for _ in range(n_twins)) for _ in range(2)
        )
        self.register_buffer("cap", torch.zeros(()))
        self.register_buffer("softer", torch.ones(2, n_twins))
        self.register_buffer("active", torch.zeros(()))

    @property
    def is_active(self) -> bool:
        """Whether any row may be rejected."""
        return bool(self.active)

    def clear(self) -> None:
        """Keep every row from now on."""
        self.active.zero_()

    def learn(self, real: Rows, pool: Rows, streams: Streams) -> None:
        """Learn the classifiers, the cap, and whether to reject rows at all.

        Parameters
        ----------
        real, pool : Rows
            Real rows, and synthetic rows with the conditions that they were drawn for.
        streams : Streams
        """
        held = []
        for networks, softer, rows in zip(
            (self.of_real, self.of_synthetic), self.softer, (real, pool), strict=True
        ):
            order = torch.from_numpy(streams.rng.permutation(rows.n)).to(rows.made.codes.device)
            n_held = int(HELD_OUT * rows.n)
            held.append(rows.take(order[:n_held]))
            for i, network in enumerate(networks):
                fresh = self._fresh(int(streams.rng.integers(2**31)))
                network.load_state_dict(fresh.state_dict())
                self._train(network, rows.take(order[n_held:]), streams.noise)
                softer[i] = self._temperature(network, held[-1])
        self.cap.copy_(self.log_ratio(held[1]).quantile(CAP_RATE))
        after = [self.log_chance(rows) for rows in held]
        gain = fall([torch.zeros_like(each) for each in after], after)
        self.active.fill_(float(gain > 0))

    def _fresh(self, seed: int) -> ResidualMLP:
        """Make a classifier with first weights."""
        with seeded_weights(seed):
            network = ResidualMLP(self.view.width, [self.hidden_dim] * 2, self.layout.width)
        return network.requires_grad_(False)

    def _train(self, network: nn.Module, rows: Rows, noise: torch.Generator) -> None:
        """Let a classifier learn the conditions of rows."""
        seen, codes = self._seen(rows), rows.given.codes
        network.requires_grad_(True)
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
        for i, index in zip(range(N_STEPS), shuffled(rows.n, BATCH_SIZE, noise), strict=False):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 - i / N_STEPS)
            loss = self.layout.cross_entropy(network(seen[index]), codes[index]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.requires_grad_(False)

    def _temperature(self, network: nn.Module, rows: Rows) -> float:
        """Return the temperature at which held-out conditions are the most probable."""
        raw = network(self._seen(rows))
        errors = [
            float(self.layout.cross_entropy(raw / softer, rows.given.codes).mean())
            for softer in SOFTER
        ]
        return SOFTER[errors.index(min(errors))]

    @torch.no_grad()
    def _seen(self, rows: Rows, size: int = 4096) -> Tensor:
        """See rows in parts, because encoded rows are much wider than what is seen of them."""
        index = torch.arange(rows.n, device=rows.made.codes.device)
        return torch.cat([self.view(rows.made.rows(part)) for part in index.split(size)])

    @torch.no_grad()
    def log_ratio(self, rows: Rows) -> Tensor:
        """Compute ``log P_real(y | x) - log P_synthetic(y | x)``, shape (n,), in nats."""
        seen = self._seen(rows)
        # Each classifier's errors in a row of their own.
        real, synthetic = (
            torch.stack(
                [
                    self.layout.cross_entropy(network(seen) / temperature, rows.given.codes)
                    for network, temperature in zip(networks, softer, strict=True)
                ]
            )
            for networks, softer in zip((self.of_real, self.of_synthetic), self.softer, strict=True)
        )
        most = -self.layout.n_softmax * math.log(LEAST)
        return synthetic.amin(dim=0).clamp(max=most) - real.amax(dim=0).clamp(max=most)

    def log_chance(self, rows: Rows) -> Tensor:
        """Return the logarithm of the probability that a row is kept, shape (n,)."""
        return (self.log_ratio(rows) - self.cap).clamp(max=0.0)

    def accept(self, rows: Rows, rng: torch.Generator) -> Tensor:
        """Draw which rows to keep, shape (n,), bool."""
        chance = self.log_chance(rows).exp()
        return torch.rand(rows.n, generator=rng, device=chance.device) < chance
