"""A source that rejects rows which boosted trees tell from real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.judge import RowJudge
from tabgan.generation.source import Source
from tabgan.generation.trees import (
    MAX_DEPTH,
    MAX_TREES,
    N_LEAVES,
    N_SPLITS,
    complete_tree,
    learn_trees,
)
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable

MIN_REAL_ROWS, MAX_REAL_ROWS = 200, 50_000
"""Of fewer real rows discriminators learn nothing that holds; of more, they learn from so many."""

POOL_SIZE = 6
"""Made rows for each real one that discriminators learn from."""

HELD_OUT = 0.2
"""Share of real and made rows by which it is decided whether rejecting rows helps."""

CAP_RATE = 0.99
"""Made rows more real than this share of them are no more probable to be kept than that."""

MAX_DRAWS = 50
"""Times that a rejected row is drawn anew before it is kept as it is."""

_CHUNK = 512


class Accepted(Source):
    """Keeps rows of a source with a probability in proportion to how real trees find them.

    Parameters
    ----------
    source : Source
    encoding : Encoding
    judge : RowJudge
        Turns rows into what trees split by.
    n_rounds : int
        Rounds in which trees learn; with 0 every row is kept.
    """

    def __init__(self, source: Source, encoding: Encoding, judge: RowJudge, n_rounds: int) -> None:
        self.source, self.encoding, self.judge = source, encoding, judge
        self.acceptance = Acceptance(n_rounds).to(encoding.layout.offsets.device)

    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one row for each condition that is not rejected."""
        made = self.source.draw(given, noise)
        if not self.acceptance.is_active:
            return made
        waiting = torch.arange(len(given), device=made.codes.device)
        candidates = Rows(made, given)
        for _ in range(MAX_DRAWS):
            accepted = self.acceptance.accept(self.judge.features(candidates), noise)
            taken = waiting[accepted]
            made.codes[taken] = candidates.made.codes[accepted]
            made.scalars[taken] = candidates.made.scalars[accepted]
            waiting = waiting[~accepted]
            if not len(waiting):
                break
            told = given.rows(waiting)
            candidates = Rows(self.source.draw(told, noise), told)
        return made

    def learn(self, real: Rows, streams: Streams) -> None:
        """Let the source learn, then trees what still gives its rows away."""
        self.source.learn(real, streams)
        self.acceptance.clear()
        if not self.acceptance.n_rounds:
            return
        real = real.some(MAX_REAL_ROWS, streams.rng)
        given = self.encoding.conditions.draw(POOL_SIZE * real.n, streams.rng)
        given = given.to(real.made.codes.device)
        pool = Rows(self.source.draw(given, streams.noise), given)
        self.acceptance.fit(self.judge.features(real), self.judge.features(pool), streams.rng)

    def modules(self) -> dict[str, nn.Module]:
        """Return the trees beside what the source holds."""
        return {**self.source.modules(), "acceptance": self.acceptance}


class Acceptance(nn.Module):
    """Keeps made rows with a probability in proportion to how real discriminators find them.

    Boosted trees tell real rows from made ones; their logit estimates the logarithm of the ratio
    of densities. Made rows weighted by that ratio are then told from real ones by the next round's
    trees, and the logits add up. Rounds are kept as long as they bring held-out real rows nearer,
    by the Donsker-Varadhan bound: where discriminators find nothing, no row is rejected.

    Parameters
    ----------
    n_rounds : int
        Rounds at most; with 0 every row is kept, at no cost.

    References
    ----------
    .. [1] Azadi et al. (2019), "Discriminator Rejection Sampling", arXiv 1810.06758.
    .. [2] Cranko and Nock (2019), "Boosted Density Estimation Remastered", arXiv 1803.08178.
    """

    feature: Tensor
    threshold: Tensor
    value: Tensor
    n_trees: Tensor
    cap: Tensor

    def __init__(self, n_rounds: int) -> None:
        super().__init__()
        self.n_rounds = n_rounds
        n_trees = n_rounds * MAX_TREES
        for name, empty in (
            ("feature", torch.zeros(n_trees, N_SPLITS, dtype=torch.long)),
            ("threshold", torch.zeros(n_trees, N_SPLITS)),
            ("value", torch.zeros(n_trees, N_LEAVES)),
            ("n_trees", torch.zeros((), dtype=torch.long)),
            ("cap", torch.zeros(())),
        ):
            self.register_buffer(name, empty)

    @property
    def is_active(self) -> bool:
        """Whether any row may be rejected."""
        return bool(self.n_trees)

    def clear(self) -> None:
        """Keep every row."""
        self.n_trees.zero_()
        self.cap.zero_()

    def fit(self, real: Tensor, made: Tensor, rng: np.random.Generator) -> None:
        """Learn what gives made rows away.

        Parameters
        ----------
        real, made : Tensor of shape (n_rows, n_features)
            Features by which rows are judged; neither NaN nor infinite.
        rng : numpy Generator
        """
        self.clear()
        if len(real) < MIN_REAL_ROWS:
            return
        splits = [_split(len(rows), rng) for rows in (real, made)]
        (seen_real, held_real), (seen_made, held_made) = (
            (rows[torch.from_numpy(seen)], rows[torch.from_numpy(held)])
            for rows, (seen, held) in zip((real, made), splits, strict=True)
        )
        judged = (seen_made, held_real, held_made)
        ratios = [rows.new_zeros(len(rows)) for rows in judged]
        weights = [self._log_weight(ratio) for ratio in ratios]
        known_real, known_made = _array(seen_real), _array(seen_made)
        for _ in range(self.n_rounds):
            n_trees, cap = int(self.n_trees), self.cap.clone()
            weight, seed = _array(weights[0].exp()), int(rng.integers(2**31))
            self._append(learn_trees(known_real, known_made, weight, seed))
            for ratio, rows in zip(ratios, judged, strict=True):
                ratio += self.log_ratio(rows, since=n_trees)
            self.cap = ratios[0].quantile(CAP_RATE)
            before, weights = weights, [self._log_weight(ratio) for ratio in ratios]
            if _gain(before[1:], weights[1:]) <= 0:
                self.n_trees.fill_(n_trees)
                self.cap.copy_(cap)
                break

    def _append(self, trees: list[NDArray[Any]]) -> None:
        start = int(self.n_trees)
        for i, nodes in enumerate(trees, start):
            feature, threshold, value = complete_tree(nodes)
            self.feature[i] = torch.from_numpy(feature)
            self.threshold[i] = torch.from_numpy(threshold)
            self.value[i] = torch.from_numpy(value)
        self.n_trees.add_(len(trees))

    def _log_weight(self, ratio: Tensor) -> Tensor:
        """Logarithm of the probability that a row of this log-ratio is kept."""
        return (ratio - self.cap).clamp(max=0.0)

    @torch.no_grad()
    def log_ratio(self, rows: Tensor, since: int = 0) -> Tensor:
        """Estimate, up to a constant, how much denser real rows lie than made ones.

        Parameters
        ----------
        rows : Tensor of shape (n, n_features)
        since : int, default=0
            Trees before this one are left out.

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        own = slice(since, int(self.n_trees))
        feature, threshold, value = self.feature[own], self.threshold[own], self.value[own]
        n_trees = len(feature)
        if not n_trees:
            return rows.new_zeros(len(rows))
        levels = [slice(2**depth - 1, 2 ** (depth + 1) - 1) for depth in range(MAX_DEPTH)]
        splits = [(feature[:, level], threshold[:, level]) for level in levels]
        parts = []
        for part in rows.split(_CHUNK):
            columns = part.T.contiguous()
            node = torch.zeros(n_trees, len(part), dtype=torch.long, device=rows.device)
            for features, thresholds in splits:
                seen = columns.gather(0, features.gather(1, node))
                node = 2 * node + (seen > thresholds.gather(1, node))
            parts.append(value.gather(1, node).sum(dim=0))
        return torch.cat(parts)

    def accept(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Draw which rows to keep.

        Parameters
        ----------
        rows : Tensor of shape (n, n_features)
        rng : torch.Generator

        Returns
        -------
        Tensor of bool, shape (n,)
        """
        chance = self._log_weight(self.log_ratio(rows)).exp()
        return torch.rand(len(rows), generator=rng, device=rows.device) < chance


def _split(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = rng.permutation(n)
    n_held = int(np.ceil(HELD_OUT * n))
    return order[n_held:], order[:n_held]


def _array(rows: Tensor) -> NDArray[np.float64]:
    return rows.cpu().numpy().astype(np.float64)


def _gain(before: list[Tensor], after: list[Tensor]) -> float:
    """Estimate how many nats nearer real rows are to made ones, of other weights than before.

    Both are logarithms of the weights of real rows, shape (n_real,), and of made ones, (n_made,).
    """
    of_real = (after[0] - before[0]).double().mean()
    kept_before, kept_after = (made.double().exp().mean() for _, made in (before, after))
    return float(of_real - (kept_after / kept_before).log())
